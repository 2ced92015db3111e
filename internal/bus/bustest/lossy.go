package bustest

import (
	"math/rand/v2"
	"sync"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/im"
)

// Faults says how bad a bus is. The rates are probabilities for each event of
// each listener, 0 to 1.
type Faults struct {
	// Seed makes a run repeatable: the n-th listener suffers the same faults
	// for the same sequence of events.
	Seed uint64
	// Drop loses the event, in silence.
	Drop float64
	// Repeat delivers it twice.
	Repeat float64
	// Swap holds it back until the next event has been delivered; the last
	// one of all is then never delivered.
	Swap float64
}

// Lossy makes a bus drop, repeat and reorder, as its contract allows. Lost
// events always pass: they are the one thing that a listener may rely on when
// its own queue overflowed.
func Lossy(inner bus.Bus, f Faults) bus.Bus { return &lossy{inner: inner, faults: f} }

type lossy struct {
	inner  bus.Bus
	faults Faults

	mu        sync.Mutex // guards listeners
	listeners uint64
}

func (l *lossy) Ring(entries []im.Entry) { l.inner.Ring(entries) }

func (l *lossy) Signal(s bus.Signal) { l.inner.Signal(s) }

func (l *lossy) Listen(topics bus.Topics, fn func(bus.Event)) func() {
	l.mu.Lock()
	l.listeners++
	rng := rand.New(rand.NewPCG(l.faults.Seed, l.listeners))
	l.mu.Unlock()
	var held *bus.Event // owned by the listener's goroutine, as rng is
	return l.inner.Listen(topics, func(e bus.Event) {
		drop, repeat, swap := rng.Float64(), rng.Float64(), rng.Float64()
		switch {
		case e.Lost:
			fn(e)
			return
		case drop < l.faults.Drop:
			return
		case swap < l.faults.Swap && held == nil:
			held = &e
			return
		}
		fn(e)
		if repeat < l.faults.Repeat {
			fn(e)
		}
		if held != nil {
			late := *held
			held = nil
			fn(late)
		}
	})
}
