package job

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a database with the tables of this package.
type bench struct {
	t  *testing.T
	db *db.DB
}

// both runs a test on every engine. Most of a test is waiting, so they wait
// together.
func both(t *testing.T, test func(t *testing.T, b *bench)) {
	t.Parallel()
	for name, target := range map[string]func(t *testing.T) string{
		"SQLite":     func(t *testing.T) string { return t.TempDir() },
		"PostgreSQL": func(t *testing.T) string { return pgtest.DB(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := db.Open(t.Context(), target(t), db.Options{Conns: 8})
			if err != nil {
				t.Fatal(err)
			}
			b := &bench{t: t, db: d}
			t.Cleanup(func() { b.must(d.Close()) })
			b.must(d.Migrate(t.Context(), "job", Migrations()))
			test(t, b)
		})
	}
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// queue builds a queue; start also runs it until the test ends.
func (b *bench) queue(kinds ...Kind) *Queue {
	b.t.Helper()
	q, err := New(Options{DB: b.db, Clock: im.SystemClock{}, Entropy: im.SystemEntropy(), Log: slog.New(slog.DiscardHandler)}, kinds...)
	b.must(err)
	return q
}

func (b *bench) start(kinds ...Kind) *Queue {
	b.t.Helper()
	q := b.queue(kinds...)
	b.t.Cleanup(func() { b.must(q.Close(context.Background())) })
	q.Start()
	return q
}

// add enqueues jobs in one transaction and returns their ids.
func (b *bench) add(q *Queue, specs ...Spec) (ids []string) {
	b.t.Helper()
	b.must(b.db.Write(b.t.Context(), func(tx db.Tx) error {
		ids = nil
		for _, s := range specs {
			id, _, err := q.Enqueue(tx, s)
			if err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return nil
	}))
	return ids
}

func (b *bench) exec(sql string, args ...any) {
	b.t.Helper()
	b.must(b.db.Write(b.t.Context(), func(tx db.Tx) error { _, err := tx.Exec(sql, args...); return err }))
}

// row is what is stored of a job; state -1 = nothing.
type row struct {
	state, tries int
	runAt        im.Micros
	err          string
}

func (b *bench) row(id string) (r row) {
	b.t.Helper()
	b.must(b.db.Read(b.t.Context(), func(tx db.Tx) error {
		err := tx.QueryRow("SELECT state, tries, run_at, error FROM job WHERE id = $1", id).Scan(&r.state, &r.tries, &r.runAt, &r.err)
		if errors.Is(err, db.ErrNoRows) {
			r.state, err = -1, nil
		}
		return err
	}))
	return r
}

// until waits for something that happens by itself.
func (b *bench) until(what string, cond func() bool) {
	b.t.Helper()
	deadline := time.After(20 * time.Second)
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	for !cond() {
		select {
		case <-again.C:
		case <-deadline:
			b.t.Fatalf("%s: not within 20 s", what)
		}
	}
}

// gone waits until jobs are done and deleted.
func (b *bench) gone(ids ...string) {
	b.t.Helper()
	for _, id := range ids {
		b.until("job "+id+" is done", func() bool { return b.row(id).state == -1 })
	}
}

// recorder is a handler that remembers.
type recorder struct {
	mu      sync.Mutex // guards the fields below
	jobs    []Job
	running map[string]int // by target
	most    map[string]int // the highest of running
}

func newRecorder() *recorder {
	return &recorder{running: make(map[string]int), most: make(map[string]int)}
}

// enter notes the begin of a run and returns its end.
func (r *recorder) enter(j Job) (leave func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.jobs = append(r.jobs, j)
	r.running[j.Target]++
	r.most[j.Target] = max(r.most[j.Target], r.running[j.Target])
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.running[j.Target]--
	}
}

func (r *recorder) seen() []Job {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Job(nil), r.jobs...)
}
