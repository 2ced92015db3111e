package bus

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/skein-im/skein/internal/im"

	"github.com/skein-im/skein/internal/metrics"
	"github.com/skein-im/skein/internal/trace"
)

// metered counts what passes through a bus.
type metered struct {
	Bus
	trace                                      *trace.Tracer
	rung, signalled, heard, heardSignals, lost prometheus.Counter
}

// Metered returns b with what its node says and hears counted on s. A batch of
// entries counts once, and for each listener once more. What rings for entries
// that are traced becomes a part of their traces; t can be nil.
func Metered(b Bus, s *metrics.Set, t *trace.Tracer) Bus {
	sent := s.Counters("bus_sent_total", "Hints that this node has given to the bus: batches of committed entries, and signals.", "kind", "entries", "signal")
	heard := s.Counters("bus_received_total", "Hints that listeners of this node were handed, its own ones included, counted once a listener.", "kind", "entries", "signal")
	return &metered{Bus: b, trace: t, rung: sent["entries"], signalled: sent["signal"], heard: heard["entries"], heardSignals: heard["signal"],
		lost: s.Counter("bus_lost_total", "Times that a listener of this node was told that hints were dropped; it then reads the journal.")}
}

// Ring implements Bus.
func (m *metered) Ring(entries []im.Entry) {
	m.rung.Inc()
	var spans []*trace.Span
	if m.trace != nil {
		for i := range entries {
			if s := m.trace.Remote(entries[i].Trace, "bus.ring"); s != nil {
				spans = append(spans, s)
			}
		}
	}
	m.Bus.Ring(entries)
	for _, s := range spans {
		s.End(nil)
	}
}

// Signal implements Bus.
func (m *metered) Signal(s Signal) {
	m.signalled.Inc()
	m.Bus.Signal(s)
}

// Listen implements Bus.
func (m *metered) Listen(topics Topics, fn func(Event)) (off func()) {
	return m.Bus.Listen(topics, func(e Event) {
		switch {
		case e.Lost:
			m.lost.Inc()
		case e.Signal != nil:
			m.heardSignals.Inc()
		default:
			m.heard.Inc()
		}
		fn(e)
	})
}
