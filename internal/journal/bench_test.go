package journal_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/pgtest"
)

// cpu is what this process has used.
func cpu(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkAppend measures durable appends of 100 bytes over 500 direct
// conversations, the sender's read marker moved with each: with 64 and 8,000
// in flight. The yardstick is one INSERT a transaction on the same engine,
// which is what a disk allows without group commit.
func BenchmarkAppend(b *testing.B) {
	for name, target := range map[string]func(b *testing.B) string{
		"SQLite": func(b *testing.B) string { return b.TempDir() },
		"PostgreSQL": func(b *testing.B) string {
			url := pgtest.DB(b)
			pgtest.Durable(b, url)
			return url
		},
	} {
		b.Run(name, func(b *testing.B) {
			appendBenches(b, func(b *testing.B) *db.DB {
				d, err := db.Open(b.Context(), target(b), db.Options{})
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(func() { _ = d.Close() })
				return d
			})
		})
	}
}

func appendBenches(b *testing.B, open func(*testing.B) *db.DB) {
	b.Run("yardstick", func(b *testing.B) { yardstick(b, open(b)) })
	for _, flight := range []int{1, 64, 8000} {
		b.Run(fmt.Sprintf("flight=%d", flight), func(b *testing.B) { appends(b, open(b), flight) })
	}
}

func report(b *testing.B, from time.Duration) {
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
	b.ReportMetric(float64((cpu(b)-from).Nanoseconds())/1e3/float64(b.N), "cpu-µs/msg")
}

func yardstick(b *testing.B, d *db.DB) {
	err := d.Write(b.Context(), func(tx db.Tx) error {
		_, err := tx.Exec("CREATE TABLE yard (id BIGINT PRIMARY KEY, body TEXT NOT NULL)")
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	body, id := fmt.Sprintf("%0100d", 0), 0
	from := cpu(b)
	for b.Loop() {
		id++
		err := d.Write(b.Context(), func(tx db.Tx) error {
			_, err := tx.Exec("INSERT INTO yard (id, body) VALUES ($1, $2)", id, body)
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	report(b, from)
}

func appends(b *testing.B, d *db.DB, flight int) {
	j, err := journal.Open(b.Context(), d, journal.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := j.Close(context.Background()); err != nil {
			b.Error(err)
		}
	}()
	const convs = 500
	type pair struct {
		conv   im.ConvID
		sender im.UserID
		create *journal.Create
	}
	pairs := make([]pair, convs)
	for i := range pairs {
		x, y := im.UserID(fmt.Sprintf("user-%04d-a", i)), im.UserID(fmt.Sprintf("user-%04d-b", i))
		pairs[i] = pair{im.Direct(x, y), x, &journal.Create{Kind: im.ConvDirect, Members: []journal.NewMember{
			{User: x, Role: im.RoleMember}, {User: y, Role: im.RoleMember}}}}
	}
	body := make([]byte, 100)
	var ids atomic.Uint64
	message := func(i int) *journal.Append {
		p := &pairs[i%convs]
		n := ids.Add(1)
		id, _ := im.NewClientID(time.Now(), sequence(n))
		return &journal.Append{App: "demo", Conv: p.conv, Kind: im.KindMessage, Sender: p.sender, Device: "web-1", ClientID: id,
			Body: body, ACLVersion: -1, Create: p.create, MarkRead: true}
	}
	var warm sync.WaitGroup
	send := func(i int, done func()) {
		j.Submit(message(i), func(_ journal.Result, err error) {
			if err != nil {
				b.Error(err)
			}
			done()
		})
	}
	for i := range convs {
		warm.Add(1)
		send(i, warm.Done)
	}
	warm.Wait()
	slots := make(chan struct{}, flight)
	from := cpu(b)
	i := 0
	for b.Loop() {
		slots <- struct{}{}
		send(i*7, func() { <-slots })
		i++
	}
	for range flight {
		slots <- struct{}{}
	}
	report(b, from)
}

type sequence uint64

// Read gives the number's bytes, so that ids differ.
func (s sequence) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(uint64(s) >> (8 * (i % 8)))
	}
	return len(p), nil
}
