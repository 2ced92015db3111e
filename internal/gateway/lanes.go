package gateway

import (
	"slices"
	"time"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/im"
)

// The times and bounds of the fan-out.
const (
	// pollInterval is how soon a hint that vanished without a trace is made
	// good.
	pollInterval = 2 * time.Second
	// holdTime is how long a gap is waited for. Several nodes append to one
	// shard, and their hints take different paths: the later one may be here
	// first. Reading the journal at once would be right, and dear.
	holdTime = 20 * time.Millisecond
	// maxStuck is how long an entry is tried whose audience can not be found: a
	// database that is away for a moment must not cost an entry, and one entry
	// must not hold up a shard for ever. Who misses it finds the hole with the
	// next one. stuckPause lies between two tries, and between two reads that
	// failed.
	maxStuck   = 10 * time.Second
	stuckPause = 500 * time.Millisecond
	// maxHeld and maxHeldBytes bound what a shard keeps that came early.
	maxHeld      = 512
	maxHeldBytes = 1 << 20
	// catchUp is how many entries are read at once when hints were missed.
	catchUp = 500
)

// lanes is the state of the fan-out: which positions of each shard have been
// delivered, and what is known of those behind them. It is a step machine
// without clock, goroutine or journal; fanout.go carries it.
//
// A position is passed by delivering its entry, by a skip that can be
// believed, or because the journal has no entry there. A gap in front of what
// is known is waited for, and then read.
type lanes struct {
	all    []lane
	active []int // shards in which something is to be done
}

// lane is one shard.
type lane struct {
	head   im.Pos    // everything up to here is passed
	known  im.Pos    // the journal has entries up to here, at least
	held   []segment // what lies behind head, by from; may overlap
	size   int       // bytes in held
	must   bool      // read now
	gapAt  im.Pos    // the position that is missing …
	gap    time.Time // … and since when
	retry  time.Time // nothing before
	stuck  im.Pos    // the entry that can not be delivered …
	since  time.Time // … and since when
	active bool
}

// segment is a run of entries, or, with entries nil, of skipped positions.
type segment struct {
	from, to im.Pos
	entries  []im.Entry
	read     bool // skipped, but to be read
}

// What can happen to the lanes. Each is passed to step.
type (
	// laneHint is what a bus's event brings.
	laneHint struct {
		entries []im.Entry
		skips   []bus.Skip
	}
	// laneHeads is how far the journal is.
	laneHeads struct{ heads []im.Pos }
	// laneTick is that time has passed.
	laneTick struct{}
	// laneDelivered answers laneDeliver. Not ok: it is to be tried again.
	laneDelivered struct {
		entry *im.Entry
		ok    bool
	}
	// laneRead answers laneFetch: what the journal has behind a position, all
	// of it up to the last one; more: perhaps more than that. Rows up to upTo
	// that are not among the entries are damaged.
	laneRead struct {
		shard   int
		after   im.Pos
		entries []im.Entry
		upTo    im.Pos
		more    bool
		failed  bool
	}
)

// laneAction is the one thing that the lanes want next.
type laneAction struct {
	deliver *im.Entry // give this to its audience, answer laneDelivered
	fetch   bool      // read the shard behind after, answer laneRead
	shard   int
	after   im.Pos
	until   time.Time // nothing of these: come again then; zero: when there is news
}

func newLanes(heads []im.Pos) *lanes {
	m := &lanes{all: make([]lane, len(heads))}
	for i, h := range heads {
		m.all[i] = lane{head: h, known: h}
	}
	return m
}

// heads returns a copy of how far every shard is passed.
func (m *lanes) heads() []im.Pos {
	out := make([]im.Pos, len(m.all))
	for i := range m.all {
		out[i] = m.all[i].head
	}
	return out
}

// step takes an event and returns what to do next. An action that is answered
// is answered before anything else is passed in.
func (m *lanes) step(ev any, now time.Time) laneAction {
	switch ev := ev.(type) {
	case laneHint:
		m.hint(ev)
	case laneHeads:
		for shard, h := range ev.heads {
			if l := m.at(shard); l != nil && h > l.known {
				l.known = h
			}
			if l := m.at(shard); l != nil && l.known > l.head {
				m.wake(shard)
			}
		}
	case laneDelivered:
		m.all[ev.entry.Shard].delivered(ev, now)
	case laneRead:
		m.all[ev.shard].fetched(ev, now)
	}
	return m.next(now)
}

func (m *lanes) at(shard int) *lane {
	if shard < 0 || shard >= len(m.all) {
		return nil
	}
	return &m.all[shard]
}

func (m *lanes) wake(shard int) {
	if l := &m.all[shard]; !l.active {
		l.active = true
		m.active = append(m.active, shard)
	}
}

// hint takes the entries and skips of an event apart into runs.
func (m *lanes) hint(h laneHint) {
	for es := h.entries; len(es) > 0; {
		n := run(es)
		m.add(es[0].Shard, segment{from: es[0].Pos, to: es[n-1].Pos, entries: es[:n:n]})
		es = es[n:]
	}
	for _, s := range h.skips {
		if s.Why == bus.ComesApart {
			if l := m.at(s.Shard); l != nil && s.To > l.head {
				l.known = max(l.known, s.To)
				m.wake(s.Shard)
			}
			continue
		}
		m.add(s.Shard, segment{from: s.From, to: s.To, read: s.Why == bus.MustRead})
	}
}

// run is how many entries at the front follow each other in one shard.
func run(es []im.Entry) int {
	n := 1
	for n < len(es) && es[n].Shard == es[0].Shard && es[n].Pos == es[n-1].Pos+1 {
		n++
	}
	return n
}

func (m *lanes) add(shard int, s segment) {
	l := m.at(shard)
	if l == nil || s.to <= l.head {
		return
	}
	l.known = max(l.known, s.to)
	l.insert(s)
	if len(l.held) > maxHeld || l.size > maxHeldBytes && l.held[0].from > l.head+1 {
		l.drop()
		l.must = true
	}
	m.wake(shard)
}

func (s *segment) size() int {
	n := 64
	for i := range s.entries {
		n += 384 + len(s.entries[i].Body) + len(s.entries[i].Previous)
	}
	return n
}

func (l *lane) insert(s segment) {
	at, _ := slices.BinarySearchFunc(l.held, s.from, func(o segment, from im.Pos) int { return int(min(max(o.from-from, -1), 1)) })
	// Of two that begin together, entries go before skips: who sent the skip
	// only did not send them.
	if s.entries == nil {
		for at < len(l.held) && l.held[at].from == s.from {
			at++
		}
	}
	l.held = slices.Insert(l.held, at, s)
	l.size += s.size()
}

func (l *lane) pop() {
	l.size -= l.held[0].size()
	l.held[0] = segment{} // lets go of the entries
	if l.held = l.held[1:]; len(l.held) == 0 {
		l.held = nil
	}
}

func (l *lane) drop() { l.held, l.size = nil, 0 }

// delivered moves past an entry, or decides to try it again.
func (l *lane) delivered(ev laneDelivered, now time.Time) {
	if !ev.ok {
		if l.stuck != ev.entry.Pos {
			l.stuck, l.since = ev.entry.Pos, now
		}
		if now.Sub(l.since) < maxStuck {
			l.retry = now.Add(stuckPause)
			return
		}
	}
	l.head = ev.entry.Pos
}

// fetched takes over what was read. Where the journal has nothing between two
// entries there is nothing to deliver.
func (l *lane) fetched(ev laneRead, now time.Time) {
	// A journal that is damaged as a whole may call anything a damaged row, so
	// nothing is passed that is not known to exist.
	upTo := min(ev.upTo, l.known)
	if ev.failed || len(ev.entries) == 0 && upTo <= l.head {
		l.retry, l.must = now.Add(stuckPause), ev.failed && l.must
		if !ev.failed && !ev.more {
			l.known = l.head // as the journal has it; a hint said more, which the next poll would see too
			for len(l.held) > 0 && l.held[0].entries == nil {
				l.pop()
			}
		}
		return
	}
	l.must = ev.more
	next := l.head + 1
	var segments []segment
	for es := ev.entries; len(es) > 0; {
		n := 1
		for n < len(es) && es[n].Pos == es[n-1].Pos+1 {
			n++
		}
		if es[0].Pos > next {
			segments = append(segments, segment{from: next, to: es[0].Pos - 1})
		}
		segments = append(segments, segment{from: es[0].Pos, to: es[n-1].Pos, entries: es[:n:n]})
		next = es[n-1].Pos + 1
		es = es[n:]
	}
	if upTo >= next {
		segments = append(segments, segment{from: next, to: upTo})
		next = upTo + 1
	}
	l.known = max(l.known, next-1)
	// What was held is in there, or lies behind.
	for len(l.held) > 0 && l.held[0].to < next {
		l.pop()
	}
	for i := range segments {
		l.size += segments[i].size()
	}
	l.held = append(segments, l.held...)
}

// next finds the next thing to do.
func (m *lanes) next(now time.Time) laneAction {
	wait := laneAction{}
	for i := 0; i < len(m.active); {
		shard := m.active[i]
		l := &m.all[shard]
		a := l.next(shard, now)
		if a.deliver != nil || a.fetch {
			return a
		}
		if a.until.IsZero() {
			l.active = false
			m.active = slices.Delete(m.active, i, i+1)
			continue
		}
		if wait.until.IsZero() || a.until.Before(wait.until) {
			wait.until = a.until
		}
		i++
	}
	return wait
}

func (l *lane) next(shard int, now time.Time) laneAction {
	if now.Before(l.retry) {
		return laneAction{until: l.retry}
	}
	for len(l.held) > 0 && l.held[0].from <= l.head+1 {
		s := &l.held[0]
		switch {
		case s.to <= l.head:
			l.pop()
		case s.entries != nil:
			return laneAction{deliver: &s.entries[l.head+1-s.from]}
		case s.read:
			return laneAction{fetch: true, shard: shard, after: l.head}
		default:
			l.head = s.to
			l.pop()
		}
	}
	if l.must {
		return laneAction{fetch: true, shard: shard, after: l.head}
	}
	if l.known <= l.head {
		return laneAction{}
	}
	if l.gapAt != l.head+1 {
		l.gapAt, l.gap = l.head+1, now
	}
	if until := l.gap.Add(holdTime); now.Before(until) {
		return laneAction{until: until}
	}
	return laneAction{fetch: true, shard: shard, after: l.head}
}
