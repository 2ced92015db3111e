package journal

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/turn"
)

var (
	// errDuplicate: an idempotency key of the plan is stored already.
	errDuplicate = errors.New("duplicate")
	// errMoved: somebody else committed to the shard.
	errMoved = errors.New("the shard has moved")
)

// maxTries bounds the attempts at one batch. Each of the reasons to try again
// (another node's commit, a duplicate) is excluded by what the next attempt
// does: it locks the shard and looks the duplicates up.
const maxTries = 6

// store runs the writers' transactions.
type store interface {
	// transact runs fn in a transaction on the shard and commits it, durably,
	// when fn returns nil. With locked, nobody else can commit to the shard
	// while fn runs; without, and when believed is valid, apply checks that
	// nobody did since it was filled, which saves a query. fn is run once.
	transact(ctx context.Context, shard int, locked bool, believed *cache, fn func(txn) error) error
}

// writer is the only one of this process that appends to its shard. Two
// goroutines end with it: one commits, the other calls back, so that the next
// commit need not wait for the callers of the last.
type writer struct {
	j     *engine
	shard int

	mu sync.Mutex // guards m
	m  machine

	tasks   turn.Scheduler // nil = goroutines
	work    chan []*item   // to the committing goroutine; at most one batch is under way
	done    chan batch     // to the answering goroutine
	stopped chan struct{}
	cache   *cache                  // of the committing goroutine
	lost    error                   // of the committing goroutine: the last batch failed with this, and may be stored
	failure atomic.Pointer[failure] // nil after a commit
}

// batch is what a commit has left to tell.
type batch struct {
	items   []*item
	entries []im.Entry
}

func (j *engine) newWriter(shard int) *writer {
	w := &writer{j: j, shard: shard, work: make(chan []*item, 1), done: make(chan batch, 1), stopped: make(chan struct{}),
		m: machine{maxQueue: j.opts.MaxQueue, maxBatch: j.opts.MaxBatch}, cache: newCache(j.cached), tasks: j.tasks}
	turn.Go(w.tasks, w.commits)
	turn.Go(w.tasks, w.answers)
	return w
}

// event steps the machine and carries its effects, those aside that concern
// the caller: refuse and drop.
func (w *writer) event(e event) effects {
	w.mu.Lock()
	out := w.m.step(e)
	if len(out.commit) > 0 {
		w.work <- out.commit // never blocks: one batch at a time
	}
	w.mu.Unlock()
	if out.stopped {
		close(w.work)
	}
	return out
}

func (w *writer) commits() {
	defer close(w.done)
	for {
		items, ok := turn.Receive(w.tasks, w.work)
		if !ok {
			return
		}
		var b batch
		w.lost = nil
		b.entries = w.commit(items, b.entries)
		b.items = append([]*item(nil), items...)
		if w.lost == nil {
			turn.SendOr(w.tasks, w.done, b, nil)
			w.event(event{kind: evFinished, spare: items})
			continue
		}
		// Before the senders hear of it: what they send then is behind.
		for _, it := range w.event(event{kind: evLost, spare: items}).drop {
			it.err = w.lost
			b.items = append(b.items, it)
		}
		turn.SendOr(w.tasks, w.done, b, nil)
	}
}

func (w *writer) answers() {
	defer close(w.stopped)
	for {
		b, ok := turn.Receive(w.tasks, w.done)
		if !ok {
			return
		}
		if len(b.entries) > 0 && w.j.opts.Committed != nil {
			w.j.opts.Committed(b.entries)
		}
		for _, it := range b.items {
			it.answer()
		}
	}
}

// commit stores a batch, answers into its items and returns the new entries.
func (w *writer) commit(items []*item, entries []im.Entry) []im.Entry {
	began, before := w.j.opts.Clock.Now(), len(entries)
	span := spanOf(items)
	out, err := w.attempt(items, entries, false)
	if im.CodeOf(err) == im.Unavailable {
		out, err = w.insist(items, entries, err)
	}
	span.End(err)
	if err != nil {
		return w.failed(began, items, entries, err)
	}
	w.note(began, len(items), len(out)-before, nil)
	return out
}

// Pauses between attempts while the database is away.
const (
	firstPause = 20 * time.Millisecond
	lastPause  = 500 * time.Millisecond
)

// insist tries a batch again that the database did not answer, for as long as
// Options.Patience: the connection was cut, the server is shutting down, a
// standby is being promoted. Whether the first attempt was stored is not
// known, so each further one holds the shard, against an attempt of which the
// server has not noticed yet that nobody waits for it, and looks every client
// id up before it gives out a number. What was stored is answered as what it
// is, and the rest is stored, without a hole and in the order in which it came.
func (w *writer) insist(items []*item, entries []im.Entry, err error) ([]im.Entry, error) {
	if w.j.opts.Patience <= 0 {
		return nil, err
	}
	w.j.opts.Log.Warn("commit: trying again", "shard", w.shard, "entries", len(items), "err", err)
	end := turn.NewTimer(w.tasks, w.j.opts.Patience)
	defer end.Stop()
	again := turn.NewTimer(w.tasks, w.j.opts.Patience)
	defer again.Stop()
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		again.Reset(pause)
		ready, over := again.C, end.C
		turn.First(w.tasks, w.j.ctx, turn.In(&over), turn.In(&ready))
		select {
		case <-ready:
			w.j.counts.retries.Inc(retryAway)
		case <-over:
			return nil, err
		case <-w.j.ctx.Done():
			return nil, err
		}
		var out []im.Entry
		if out, err = w.attempt(items, entries, true); im.CodeOf(err) != im.Unavailable {
			return out, err
		}
		if pause >= lastPause { // this is no hiccup: readiness shall tell
			w.failure.Store(&failure{err, w.j.opts.Clock.Now()})
		}
	}
}

// attempt stores a batch. careful begins with what later tries come to: the
// shard is locked and duplicates are looked up.
func (w *writer) attempt(items []*item, entries []im.Entry, careful bool) ([]im.Entry, error) {
	ctx := w.j.ctx
	locked, known := careful, map[idemKey]storedReq(nil)
	if careful {
		known = map[idemKey]storedReq{}
	}
	for range maxTries {
		var p *plan
		err := w.j.store.transact(ctx, w.shard, locked, w.cache, func(t txn) error {
			head, commits, err := t.shard()
			if err != nil {
				return err
			}
			w.cache.saw(head, commits)
			p = newPlan(w.shard, im.MicrosOf(w.j.opts.Clock.Now()), w.cache)
			if known != nil {
				if known, err = t.stored(keysOf(items)); err != nil {
					return err
				}
				p.beCareful(known)
			}
			if err := p.make(t, items); err != nil {
				return err
			}
			return t.apply(p)
		})
		if err == nil {
			if !p.writesNothing() {
				p.stored()
			}
			for _, it := range p.newItems {
				entries = append(entries, it.row.Entry)
				if it.span != nil {
					entries[len(entries)-1].Trace = it.span.Traceparent()
				}
			}
			return entries, nil
		}
		w.cache.reset()
		switch {
		case errors.Is(err, errDuplicate):
			known, locked = map[idemKey]storedReq{}, true
			w.j.counts.retries.Inc(retryDuplicate)
		case errors.Is(err, errMoved):
			locked = true
			w.j.counts.retries.Inc(retryMoved)
		default:
			return nil, err
		}
	}
	return nil, im.Errorf(im.Unavailable, "the shard keeps changing")
}

// failed answers a batch that could not be stored. An error that nobody
// expects comes from one of the entries, so each half gets its own chance
// until that one is alone.
func (w *writer) failed(began time.Time, items []*item, entries []im.Entry, err error) []im.Entry {
	if im.CodeOf(err) == im.Internal && len(items) > 1 && w.j.ctx.Err() == nil {
		half := len(items) / 2
		if entries = w.commit(items[:half], entries); w.lost == nil {
			return w.commit(items[half:], entries)
		}
		items, err = items[half:], w.lost
	}
	if im.CodeOf(err) == im.Unavailable {
		w.lost = err
	}
	w.note(began, len(items), 0, err)
	w.j.opts.Log.Error("commit", "shard", w.shard, "entries", len(items), "err", err)
	for _, it := range items {
		it.err = err
	}
	return entries
}

func keysOf(items []*item) []idemKey {
	keys := make([]idemKey, 0, len(items))
	for _, it := range items {
		if it.a != nil {
			keys = append(keys, it.idem())
		}
	}
	return keys
}
