package follow

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/turn"
)

// persistEvery is how far a cursor may run ahead in memory over entries that
// nobody wants before it is written down, and for how long.
const (
	persistEntries = 10_000
	persistEvery   = 2 * time.Second
)

// errTaken says that the follower's row has another epoch.
var errTaken = errors.New("the lease is another's")

// errMissing says that the journal has no row at a position that has been
// passed.
var errMissing = im.Errorf(im.DataLoss, "the journal's row is missing")

// task carries out the machine of one follower in one shard. Its goroutine
// owns m, durable and saved.
type task struct {
	r     *Runner
	f     *Follower
	shard int

	m       machine
	durable im.Pos    // the cursor in the table
	saved   time.Time // when it was written

	held atomic.Bool  // m.held, for others
	pos  atomic.Int64 // m.pos, for others

	caughtUp time.Time // when it last was; owned by Runner.run
	free     int       // rounds in which nobody held it; owned by Runner.run
	extra    im.Micros // kept above the fair share until then; owned by Runner.run

	wake   chan struct{} // holds a token when there is mail
	mu     sync.Mutex    // guards the mail
	looked bool
	lease  *event // granted or revoked; the newest
}

func newTask(r *Runner, f *Follower, shard int) *task {
	return &task{r: r, f: f, shard: shard, m: newMachine(f.Every, f.Batch, f.Yield), wake: make(chan struct{}, 1)}
}

// look tells the task that there may be new entries.
func (t *task) look() {
	t.mu.Lock()
	t.looked = true
	t.mu.Unlock()
	t.poke()
}

// leased tells the task whether the lease is ours.
func (t *task) leased(e event) {
	t.mu.Lock()
	t.lease = &e
	t.mu.Unlock()
	t.poke()
}

func (t *task) poke() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

func (t *task) behind(head im.Pos) bool { return t.held.Load() && im.Pos(t.pos.Load()) < head }

// mail takes what has come.
func (t *task) mail() (out []event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lease != nil {
		out = append(out, *t.lease)
	}
	if t.looked {
		out = append(out, event{kind: look})
	}
	t.lease, t.looked = nil, false
	return out
}

// run carries events and actions until ctx ends.
func (t *task) run(ctx context.Context) {
	timer := turn.NewTimer(t.r.sched, time.Hour)
	defer timer.Stop()
	result := event{}
	for ctx.Err() == nil {
		now := t.r.o.Clock.Now()
		epoch := t.m.epoch
		// The result comes first: it belongs to the epoch that a grant in the
		// mail may end.
		a := t.m.step(now, append([]event{result}, t.mail()...)...)
		if t.m.epoch != epoch {
			t.durable, t.saved = t.m.pos, now
		}
		t.held.Store(t.m.held)
		t.pos.Store(int64(t.m.pos))
		switch a.kind {
		case attempt:
			result = t.attempt(ctx, a.after, a.limit)
		case park:
			result = t.park(ctx, a.after)
		case wait:
			result = t.rest(ctx, timer, a.until, now)
		}
	}
}

// rest waits for mail, for the time that the machine named, or until a cursor
// that has run ahead should be written down.
func (t *task) rest(ctx context.Context, timer *turn.Timer, until, now time.Time) event {
	save := t.m.held && t.m.pos > t.durable
	if at := t.saved.Add(persistEvery); save && (until.IsZero() || at.Before(until)) {
		until = at
	} else {
		save = false
	}
	if until.IsZero() {
		until = now.Add(time.Hour)
	}
	timer.Reset(until.Sub(now))
	var wake <-chan struct{} = t.wake
	due := timer.C
	turn.First(t.r.sched, ctx, turn.In(&wake), turn.In(&due))
	select {
	case <-ctx.Done():
	case <-wake:
	case <-due:
		if save {
			if err := t.write(ctx, nil, t.m.pos); err != nil {
				t.saved = t.r.o.Clock.Now() // not again at once
				return t.outcome(ctx, err, event{kind: hindered})
			}
		}
	}
	return event{}
}

// attempt gathers up to limit entries and applies them.
func (t *task) attempt(ctx context.Context, after im.Pos, limit int) event {
	buf := t.r.buffer()
	defer t.r.giveBack(buf)
	entries, err := t.gather(ctx, after, limit, buf)
	if im.CodeOf(err) == im.DataLoss {
		return t.outcome(ctx, err, event{kind: unreadable, pos: after + im.Pos(limit), n: limit, cause: err.Error()})
	}
	if err != nil {
		return t.outcome(ctx, err, event{kind: hindered})
	}
	if len(entries) == 0 {
		return event{kind: empty}
	}
	e := event{kind: applied, n: len(entries)}
	if whole := contiguous(entries, after); whole < len(entries) {
		// Positions have no gaps, so a row is missing. What lies before it is
		// good; then it is alone at the front, and counts as unreadable.
		if whole == 0 {
			e = event{kind: unreadable, pos: after + im.Pos(limit), n: limit, cause: errMissing.Error()}
			return t.outcome(ctx, errMissing, e)
		}
		entries, e.n = entries[:whole], limit
	}
	e.pos = entries[len(entries)-1].Pos
	if t.f.Wants != nil {
		kept := entries[:0] // the slice is this task's own
		for i := range entries {
			if t.f.Wants(&entries[i]) {
				kept = append(kept, entries[i])
			}
		}
		entries = kept
	}
	if len(entries) > 0 || e.pos-t.durable >= persistEntries {
		if err := t.write(ctx, entries, e.pos); err != nil {
			e.kind, e.cause = failed, err.Error()
			return t.outcome(ctx, err, e)
		}
	}
	t.pos.Store(int64(e.pos))
	t.r.trim(t.shard)
	t.r.counts.applied[t.f.Name].Add(float64(e.n))
	return e
}

// contiguous returns how many entries follow a position without a gap.
func contiguous(entries []im.Entry, after im.Pos) int {
	for i := range entries {
		if entries[i].Pos != after+im.Pos(i)+1 {
			return i
		}
	}
	return len(entries)
}

// gather takes entries from the window, with buf to copy them to, or else from
// the journal.
func (t *task) gather(ctx context.Context, after im.Pos, limit int, buf *[]im.Entry) (entries []im.Entry, err error) {
	*buf = t.r.windows[t.shard].take(after, limit, (*buf)[:0])
	if len(*buf) > 0 {
		return *buf, nil
	}
	err = t.r.o.Journal.View(ctx, func(v journal.View) (err error) {
		entries, err = v.Since(t.shard, after, limit)
		return err
	})
	return entries, err
}

// applyError marks an error as Apply's own.
type applyError struct{ err error }

func (e *applyError) Error() string { return e.err.Error() }
func (e *applyError) Unwrap() error { return e.err }

// write applies entries and moves the cursor, in one transaction.
func (t *task) write(ctx context.Context, entries []im.Entry, to im.Pos) error {
	err := t.r.o.DB.Write(ctx, func(tx db.Tx) error {
		if len(entries) > 0 {
			if err := apply(ctx, t.f, tx, entries); err != nil {
				return &applyError{err}
			}
		}
		return t.move(tx, to)
	})
	if err == nil {
		t.durable, t.saved = to, t.r.o.Clock.Now()
	}
	return err
}

// move is the one place where a cursor moves: forward, and only for who holds
// the epoch.
func (t *task) move(tx db.Tx, to im.Pos) error {
	n, err := tx.Exec("UPDATE follower SET pos = $1 WHERE name = $2 AND shard = $3 AND epoch = $4 AND pos < $1",
		to, t.f.Name, t.shard, t.m.epoch)
	if err == nil && n != 1 {
		err = errTaken
	}
	return err
}

// apply turns a panic of a follower into an error: an entry must not be able
// to stop the server.
func apply(ctx context.Context, f *Follower, tx db.Tx, entries []im.Entry) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f.Apply(ctx, tx, entries)
}

// outcome decides what an error means: the lease is gone, the database does
// not work, or, as e has it, the entries are at fault.
func (t *task) outcome(ctx context.Context, err error, e event) event {
	log := t.r.o.Log.With("follower", t.f.Name, "shard", t.shard, "pos", e.pos, "entries", e.n)
	switch {
	case ctx.Err() != nil:
		return event{}
	case errors.Is(err, errTaken):
		log.Info("a follower's shard went to another node")
		t.r.leases()
		return event{kind: revoked}
	case e.kind == hindered || !t.entryAtFault(ctx, err):
		log.Warn("a follower waits for the database", "err", err)
		return event{kind: hindered}
	case e.n <= 1:
		t.r.counts.failed.Inc(t.f.Name)
		log.Error("a follower can not apply an entry", "try", t.m.tries+1, "err", err)
	}
	return e
}

// entryAtFault tells a bad entry from a bad database. An error that says that
// the database is out of order is believed as long as the database, asked
// again, has nothing better to say: an entry that makes every statement time
// out would else hold its follower up for ever.
func (t *task) entryAtFault(ctx context.Context, err error) bool {
	switch im.CodeOf(err) {
	case im.ResourceExhausted:
		return false
	case im.Unavailable:
		return t.r.o.DB.Ping(ctx) == nil
	case im.DataLoss:
		return true
	}
	var own *applyError
	return errors.As(err, &own)
}

// park puts the entry after the cursor aside and moves past it.
func (t *task) park(ctx context.Context, after im.Pos) event {
	p := Parked{Follower: t.f.Name, Shard: t.shard, Pos: after + 1, Tries: t.m.tries, Error: t.m.reason}
	buf := t.r.buffer()
	defer t.r.giveBack(buf)
	if entries, err := t.gather(ctx, after, 1, buf); err == nil && len(entries) == 1 {
		p.App, p.Conv, p.Seq = entries[0].App, entries[0].Conv, entries[0].Seq
	}
	err := t.r.o.DB.Write(ctx, func(tx db.Tx) error {
		// Moving first: when the outcome of an earlier try is unknown and it
		// was a success, that shows here, as a lost lease.
		if err := t.move(tx, p.Pos); err != nil {
			return err
		}
		return insertParked(tx, p)
	})
	if err != nil {
		return t.outcome(ctx, err, event{kind: hindered})
	}
	t.durable, t.saved = p.Pos, t.r.o.Clock.Now()
	t.r.o.Log.Error("a follower parked an entry", "follower", p.Follower, "shard", p.Shard, "pos", p.Pos,
		"app", p.App, "conv", p.Conv, "seq", p.Seq, "tries", p.Tries, "err", p.Error)
	return event{kind: parked, pos: p.Pos}
}
