package sim

import (
	"time"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/im"
)

// nodeBus is a node's end of the bus: each hint reaches each listener of each
// node by itself, late, twice, after a later one, or not at all.
type nodeBus struct {
	n         *node
	listeners []*listener
}

type listener struct {
	topics bus.Topics
	fn     func(bus.Event)
	off    bool
}

// Ring implements bus.Bus.
func (b *nodeBus) Ring(entries []im.Entry) {
	if len(entries) > 0 {
		b.spread(bus.Entries, bus.Event{Entries: entries})
	}
}

// Signal implements bus.Bus.
func (b *nodeBus) Signal(s bus.Signal) { b.spread(s.Topic(), bus.Event{Signal: s}) }

// Listen implements bus.Bus.
func (b *nodeBus) Listen(topics bus.Topics, fn func(bus.Event)) (off func()) {
	l := &listener{topics: topics, fn: fn}
	b.listeners = append(b.listeners, l)
	return func() { l.off = true }
}

func (b *nodeBus) spread(topic bus.Topics, e bus.Event) {
	w, from := b.n.w, b.n
	for _, to := range w.nodes {
		if to.proc == nil || to.proc.dead {
			continue
		}
		if to != from && (w.busCut[from.name] || w.busCut[to.name]) {
			continue
		}
		p, nb := to.proc, to.bus
		if nb == nil {
			continue
		}
		for _, l := range nb.listeners {
			if l.topics&topic == 0 {
				continue
			}
			times := 1
			if w.chance(w.faults.hintLost) {
				times = 0
			} else if w.chance(w.faults.hintTwice) {
				times = 2
			}
			for range times {
				late := time.Duration(w.dice.IntN(2000)) * time.Microsecond
				if w.chance(w.faults.hintLate) {
					late = time.Duration(w.dice.IntN(3000)) * time.Millisecond
				}
				w.after(late, func() {
					if !p.dead && !l.off {
						l.fn(e)
					}
				})
			}
		}
	}
	if topic == bus.Entries && w.chance(w.faults.hintsGone) { // a queue that overflowed says so
		p, nb := from.proc, b
		w.after(time.Millisecond, func() {
			for _, l := range nb.listeners {
				if !p.dead && !l.off {
					l.fn(bus.Event{Lost: true})
				}
			}
		})
	}
}
