package follow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is as much of a journal as a follower sees: shards that grow.
type memory struct {
	journal.Journal // the rest of the contract: not called

	mu          sync.Mutex // guards the fields below
	shards      [][]im.Entry
	incarnation string
	damaged     map[im.Pos]bool // of shard 0
	missing     map[im.Pos]bool // of shard 0
	freeze      chan struct{}   // Since waits for it when it is not nil
	frozen      chan struct{}   // gets a token when Since begins to wait
}

func newMemory(shards int) *memory {
	return &memory{shards: make([][]im.Entry, shards), incarnation: "one", damaged: map[im.Pos]bool{}, missing: map[im.Pos]bool{}, frozen: make(chan struct{}, 10)}
}

// append adds n messages to a shard and returns them.
func (m *memory) append(shard, n int) []im.Entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	for range n {
		p := im.Pos(len(m.shards[shard]) + 1)
		kind := im.KindMessage
		if p%10 == 0 {
			kind = im.KindReaction
		}
		m.shards[shard] = append(m.shards[shard], im.Entry{App: "app", Conv: "g1", Seq: im.Seq(p), Shard: shard, Pos: p, Kind: kind, Time: im.Micros(1000*shard) + im.Micros(p)})
	}
	all := m.shards[shard]
	return slices.Clone(all[len(all)-n:])
}

func (m *memory) Incarnation() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.incarnation
}

func (m *memory) Shards() int { return len(m.shards) }

func (m *memory) View(ctx context.Context, fn func(journal.View) error) error {
	return fn(memoryView{ctx: ctx, m: m})
}

type memoryView struct {
	journal.View
	ctx context.Context
	m   *memory
}

func (v memoryView) Heads() (heads []im.Pos, err error) {
	v.m.mu.Lock()
	defer v.m.mu.Unlock()
	for _, s := range v.m.shards {
		heads = append(heads, im.Pos(len(s)))
	}
	return heads, nil
}

func (v memoryView) Since(shard int, after im.Pos, limit int) ([]im.Entry, error) {
	v.m.mu.Lock()
	entries := v.m.shards[shard]
	entries = slices.Clone(entries[min(int(after), len(entries)):])
	entries = slices.DeleteFunc(entries, func(e im.Entry) bool { return shard == 0 && v.m.missing[e.Pos] })
	entries = entries[:min(limit, len(entries))]
	freeze := v.m.freeze
	for _, e := range entries {
		if shard == 0 && v.m.damaged[e.Pos] {
			v.m.mu.Unlock()
			return nil, im.Errorf(im.DataLoss, "the row of (g1, %d) is damaged", e.Seq)
		}
	}
	v.m.mu.Unlock()
	if freeze != nil {
		v.m.frozen <- struct{}{}
		<-freeze
	}
	return entries, nil
}

// bench is a database with a follower's table in it.
type bench struct {
	t   *testing.T
	db  *db.DB
	log *memory
}

// both runs a test on every engine. Most of a test is waiting, so they wait
// together.
func both(t *testing.T, test func(t *testing.T, b *bench)) {
	t.Parallel()
	for name, target := range engines() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t, target(t))
			b := &bench{t: t, db: d, log: newMemory(2)}
			b.must(d.Migrate(t.Context(), "follow", Migrations()))
			b.must(d.Migrate(t.Context(), "effect", fstest.MapFS{"0001_effect.sql": {Data: []byte(
				`CREATE TABLE effect (name {{text}}, shard {{bigint}}, pos {{bigint}}, times {{bigint}} NOT NULL, PRIMARY KEY (name, shard, pos)) {{strict}};`)}}))
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

// effect is an Apply that counts how often each entry was applied.
func effect(name string) func(context.Context, db.Tx, []im.Entry) error {
	return func(_ context.Context, tx db.Tx, entries []im.Entry) error {
		for i, e := range entries {
			if e.Shard != entries[0].Shard || i > 0 && e.Pos <= entries[i-1].Pos {
				return errors.New("entries out of order")
			}
			_, err := tx.Exec("INSERT INTO effect (name, shard, pos, times) VALUES ($1, $2, $3, 1) ON CONFLICT (name, shard, pos) DO UPDATE SET times = effect.times + 1",
				name, e.Shard, e.Pos)
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// poisoned fails, or panics, for one position of shard 0 for as long as bad says so.
func poisoned(name string, pos im.Pos, bad func() error) func(context.Context, db.Tx, []im.Entry) error {
	inner := effect(name)
	return func(ctx context.Context, tx db.Tx, entries []im.Entry) error {
		for _, e := range entries {
			if e.Shard == 0 && e.Pos == pos {
				if err := bad(); err != nil {
					return err
				}
			}
		}
		return inner(ctx, tx, entries)
	}
}

// runner starts a runner that ends with the test.
func (b *bench) runner(hints bus.Bus, followers ...Follower) *Runner {
	b.t.Helper()
	r, err := New(Options{DB: b.db, Journal: b.log, Bus: hints, Clock: im.SystemClock{}, Entropy: im.SystemEntropy(),
		Log: slog.New(slog.DiscardHandler)}, followers...)
	b.must(err)
	b.t.Cleanup(func() { b.must(r.Close(context.Background())) })
	r.Start()
	return r
}

// until waits for something that happens by itself.
func (b *bench) until(what string, cond func() bool) {
	b.t.Helper()
	deadline := time.After(20 * time.Second)
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for !cond() {
		select {
		case <-again.C:
		case <-deadline:
			rows, err := b.cursors()
			b.t.Fatalf("%s: not within 20 s; cursors %+v, %v", what, rows, err)
		}
	}
}

func (b *bench) cursors() (out []cursor, err error) {
	err = b.db.Read(b.t.Context(), func(tx db.Tx) (err error) {
		out, err = readCursors(tx)
		return err
	})
	return out, err
}

// at waits until a follower has written down a position.
func (b *bench) at(name string, shard int, pos im.Pos) {
	b.t.Helper()
	b.until(fmt.Sprintf("%s/%d at %d", name, shard, pos), func() bool {
		rows, err := b.cursors()
		b.must(err)
		return slices.ContainsFunc(rows, func(c cursor) bool { return c.cursorKey == cursorKey{name, shard} && c.pos >= pos })
	})
}

// once checks that each of positions 1 … head of a shard was applied exactly
// once, except those that were not to be.
func (b *bench) once(name string, shard int, head im.Pos, except ...im.Pos) {
	b.t.Helper()
	times := make(map[im.Pos]int)
	err := b.db.Read(b.t.Context(), func(tx db.Tx) error {
		rows, err := tx.Query("SELECT pos, times FROM effect WHERE name = $1 AND shard = $2", name, shard)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var p im.Pos
			var n int
			if err := rows.Scan(&p, &n); err != nil {
				return err
			}
			times[p] = n
		}
		return rows.Err()
	})
	b.must(err)
	for p := im.Pos(1); p <= head; p++ {
		want := 1
		if slices.Contains(except, p) {
			want = 0
		}
		if times[p] != want {
			b.t.Errorf("%s: entry %d of shard %d was applied %d times, not %d", name, p, shard, times[p], want)
		}
		delete(times, p)
	}
	if len(times) > 0 {
		b.t.Errorf("%s: applied what there is not: %v", name, times)
	}
}

// expire ends every lease, as the passing of time would.
func (b *bench) expire() {
	b.t.Helper()
	b.must(b.db.Write(b.t.Context(), func(tx db.Tx) error {
		_, err := tx.Exec("UPDATE follower_owner SET lease_until = 0")
		return err
	}))
}
