package follow

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// BenchmarkHotPath shows what a message costs a follower that counts, when
// hints bring the entries in batches of 100 at 25,000 a second: the CPU time
// is what the profile of the process says divided by b.N, so run it with
// -benchtime=250000x and look at cpu-ns/msg.
func BenchmarkHotPath(b *testing.B) {
	d, err := db.Open(b.Context(), b.TempDir(), db.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	if err := d.Migrate(b.Context(), "follow", Migrations()); err != nil {
		b.Fatal(err)
	}
	hints := bus.NewLocal()
	defer hints.Close()
	log := newMemory(1)
	counted := make(chan int, 1000)
	r, err := New(Options{DB: d, Journal: log, Bus: hints, Clock: im.SystemClock{}, Entropy: im.SystemEntropy(), Log: quiet()},
		Follower{Name: "count", Apply: func(_ context.Context, tx db.Tx, entries []im.Entry) error {
			perApp := make(map[im.AppID]int)
			for i := range entries {
				perApp[entries[i].App]++
			}
			for app, n := range perApp {
				_, err := tx.Exec(`INSERT INTO parked_entry (name, shard, pos, app, conv, seq, tries, error, parked_at) VALUES ($1, 0, 0, '', '', 0, $2, '', 0)
					ON CONFLICT (name, shard, pos) DO UPDATE SET tries = parked_entry.tries + excluded.tries`, app, n)
				if err != nil {
					return err
				}
			}
			counted <- len(entries)
			return nil
		}})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = r.Close(context.Background()) }()
	r.Start()
	hints.Ring(log.append(0, 1))
	<-counted // it holds its lease now
	batch := make([]im.Entry, 0, 100)
	body := make([]byte, 96)
	pace := time.NewTicker(4 * time.Millisecond)
	defer pace.Stop()
	b.ResetTimer()
	before := cpuTime()
	done := 0
	for i := 0; i < b.N; i++ {
		batch = append(batch, im.Entry{App: im.AppID(fmt.Sprint("app", i%2)), Conv: "g1", Pos: im.Pos(i + 2), Kind: im.KindMessage, Body: body})
		if len(batch) == cap(batch) || i == b.N-1 {
			hints.Ring(batch)
			batch = make([]im.Entry, 0, 100)
			<-pace.C
		}
		for len(counted) > 0 {
			done += <-counted
		}
	}
	for done < b.N {
		done += <-counted
	}
	b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/msg")
}
