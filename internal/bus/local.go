package bus

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/skein-im/skein/internal/im"
)

// The bounds of one listener's queue; whichever is reached first.
const (
	// MaxQueuedEvents is the number of events.
	MaxQueuedEvents = 8192
	// MaxQueuedBytes is the size of the queued batches: entries are shared,
	// but a listener that stands still would keep them alive.
	MaxQueuedBytes = 32 << 20
)

// entryBytes is about what an entry takes beside its bodies.
const entryBytes = 384

// Local is the bus of a single process: the embedded default, and what
// several nodes share in a simulation. In a cluster it stays the bus of its
// node, and a relay (package relay) joins it to the others'.
type Local struct {
	mu        sync.Mutex // guards changes of listeners
	listeners atomic.Pointer[[]*listener]
	closed    bool // guarded by mu
}

var _ Bus = (*Local)(nil)

// NewLocal makes a bus without listeners. It has no goroutine of its own.
func NewLocal() *Local {
	l := &Local{}
	l.listeners.Store(&[]*listener{})
	return l
}

// Ring implements Bus. It costs one locked append a listener, however long
// the batch is.
func (l *Local) Ring(entries []im.Entry) {
	if len(entries) == 0 {
		return
	}
	size := 0
	for i := range entries {
		size += entryBytes + len(entries[i].Body) + len(entries[i].Previous)
	}
	for _, li := range *l.listeners.Load() {
		if li.topics&Entries != 0 {
			li.push(Event{Entries: entries}, size)
		}
	}
}

// Signal implements Bus.
func (l *Local) Signal(s Signal) {
	topic := s.Topic()
	for _, li := range *l.listeners.Load() {
		if li.topics&topic != 0 {
			li.push(Event{Signal: s}, entryBytes)
		}
	}
}

// Deliver hands on what another node has said, with Event.Remote set: every
// listener of its topic hears it, but for those that asked for Own. The same
// rules as for Ring and Signal hold.
func (l *Local) Deliver(e Event) {
	topic, size := Entries, entryBytes
	switch {
	case e.Signal != nil:
		topic = e.Signal.Topic()
	case e.Lost:
		topic = Everything
	case len(e.Entries)+len(e.Skips) == 0:
		return
	}
	e.Remote = true
	for i := range e.Entries {
		size += entryBytes + len(e.Entries[i].Body) + len(e.Entries[i].Previous)
	}
	for _, li := range *l.listeners.Load() {
		if li.topics&topic != 0 && li.topics&Own == 0 {
			li.push(e, size)
		}
	}
}

// Listen implements Bus. After Close it does nothing.
func (l *Local) Listen(topics Topics, fn func(Event)) (off func()) {
	li := &listener{topics: topics, fn: fn, wake: make(chan struct{}, 1), done: make(chan struct{})}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return func() {}
	}
	next := append(slices.Clone(*l.listeners.Load()), li)
	l.listeners.Store(&next)
	go li.run()
	return func() { l.remove(li) }
}

// Settle waits until every listener has been handed what was queued when it
// was called, for at most as long as ctx lasts. No listener may call it.
func (l *Local) Settle(ctx context.Context) {
	all := *l.listeners.Load()
	var passed sync.WaitGroup
	for _, li := range all {
		passed.Add(1)
		if !li.mark(Event{barrier: &passed}) {
			passed.Done()
		}
	}
	done := make(chan struct{})
	go func() { passed.Wait(); close(done) }() // ends with the listeners, whose stop passes what is queued
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// Close ends every listener, as their off functions do, and waits for their
// goroutines. What is queued is dropped; what is rung later is ignored.
func (l *Local) Close() {
	l.mu.Lock()
	l.closed = true
	all := *l.listeners.Swap(&[]*listener{})
	l.mu.Unlock()
	for _, li := range all {
		li.stop()
	}
}

func (l *Local) remove(li *listener) {
	l.mu.Lock()
	next := slices.DeleteFunc(slices.Clone(*l.listeners.Load()), func(x *listener) bool { return x == li })
	l.listeners.Store(&next)
	l.mu.Unlock()
	li.stop()
}

// listener is a bounded queue and the goroutine that empties it.
type listener struct {
	topics Topics
	fn     func(Event)
	wake   chan struct{} // holds one token when there may be something to do
	done   chan struct{} // closed when run has returned

	mu      sync.Mutex // guards the fields below
	queue   []Event
	size    int
	lost    bool
	stopped bool
}

func (li *listener) push(e Event, size int) {
	li.mu.Lock()
	switch {
	case li.stopped:
		li.mu.Unlock()
		return
	case len(li.queue) >= MaxQueuedEvents || li.size > 0 && li.size+size > MaxQueuedBytes:
		li.lost = true
		li.mu.Unlock()
		return
	}
	li.queue = append(li.queue, e)
	li.size += size
	first := len(li.queue) == 1
	li.mu.Unlock()
	if first {
		li.poke()
	}
}

// mark queues a barrier, however full the queue is; false when the listener
// has stopped.
func (li *listener) mark(e Event) bool {
	li.mu.Lock()
	defer li.mu.Unlock()
	if li.stopped {
		return false
	}
	li.queue = append(li.queue, e)
	li.poke()
	return true
}

func (li *listener) poke() {
	select {
	case li.wake <- struct{}{}:
	default:
	}
}

// stop ends the goroutine and waits for it.
func (li *listener) stop() {
	li.mu.Lock()
	li.stopped = true
	pass(li.queue)
	li.queue, li.lost = nil, false
	li.mu.Unlock()
	li.poke()
	<-li.done
}

// run hands out what has gathered, one event at a time. Two slices take turns,
// so that a busy listener allocates nothing.
func (li *listener) run() {
	defer close(li.done)
	var batch []Event
	for range li.wake {
		for {
			li.mu.Lock()
			if li.stopped {
				li.mu.Unlock()
				return
			}
			batch, li.queue = li.queue, batch[:0]
			lost := li.lost
			li.size, li.lost = 0, false
			li.mu.Unlock()
			if len(batch) == 0 && !lost {
				break
			}
			if !li.hand(batch, lost) {
				return
			}
			clear(batch) // lets go of the entries
			if cap(batch) > 256 && len(batch) < cap(batch)/8 {
				batch = nil // what a burst needed is not kept for ever
			}
		}
	}
}

// pass opens the barriers among events that nobody will be handed.
func pass(events []Event) {
	for i := range events {
		if b := events[i].barrier; b != nil {
			b.Done()
		}
	}
}

// hand reports false when the listener was stopped in the middle.
func (li *listener) hand(batch []Event, lost bool) bool {
	for i := range batch {
		li.mu.Lock()
		stopped := li.stopped
		li.mu.Unlock()
		if stopped {
			pass(batch[i:])
			return false
		}
		if b := batch[i].barrier; b != nil {
			b.Done()
			continue
		}
		li.fn(batch[i])
	}
	if lost {
		li.fn(Event{Lost: true})
	}
	return true
}
