package gateway

import (
	"cmp"
	"slices"
)

// shedParts: the queues are added up each time that the fan-out has put this
// part of the bound into them, and once a second. So the bound can be passed by
// this part and by what a node answers in a second, and a message costs an
// addition of one goroutine's own and no shared counter.
const shedParts = 8

// queued notes bytes that the fan-out has queued; its goroutine alone calls it.
func (f *fanout) queuedBytes(n int) {
	if f.queued += n; f.queued >= f.g.Limits.QueueTotalBytes/shedParts {
		f.queued = 0
		f.g.shed()
	}
}

// shed adds up what waits for readers on this node. When it is more than
// Limits.QueueTotalBytes, those with the most are closed, until three quarters
// of the bound are left: they are slow, and sync repairs them. Entries that
// many sessions wait for are counted for each of them, although they lie in
// memory once: the bound errs on the safe side.
func (g *Gateway) shed() {
	type load struct {
		s     *session
		bytes int
	}
	var loads []load
	total := 0
	g.hub.each(func(s *session) {
		s.mu.Lock()
		n := s.outSize + s.flying + s.m.heldSize
		s.mu.Unlock()
		if n > 0 {
			total += n
			loads = append(loads, load{s, n})
		}
	})
	g.counts.queueBytes.Set(float64(total))
	if total <= g.Limits.QueueTotalBytes {
		return
	}
	g.Log.Warn("slow readers are closed", "queued_bytes", total, "limit", g.Limits.QueueTotalBytes)
	slices.SortStableFunc(loads, func(a, b load) int { return cmp.Compare(b.bytes, a.bytes) })
	for _, l := range loads {
		if total <= g.Limits.QueueTotalBytes/4*3 {
			return
		}
		total -= l.bytes
		l.s.handle(event{kind: evFull})
	}
}
