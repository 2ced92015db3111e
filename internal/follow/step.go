package follow

import (
	"time"

	"github.com/skein-im/skein/internal/im"
)

// machine decides what one follower does next in one shard. It is a value
// that step changes, and nothing else: no clock, no goroutine, no database.
//
// The states are: not held (wait for a grant), idle (held, nothing to do),
// due (held, something may be there; wait for the pace or a back-off), and,
// between the step that asks for an attempt and the event that reports it,
// busy.
type machine struct {
	every time.Duration
	batch int // the largest
	yield time.Duration

	held  bool
	epoch int64
	pos   im.Pos // applied, or passed because nobody wants it, up to here
	due   bool   // there may be something after pos

	limit   int    // of the next attempt
	suspect im.Pos // the end of what failed last; past it limit is batch again
	tries   int    // failures of the entry at pos+1, alone
	reason  string // the last of them
	damaged bool   // the entry at pos+1 cannot be read
	waits   int    // attempts in a row that met a database out of order
	next    time.Time
}

func newMachine(every time.Duration, batch int, yield time.Duration) machine {
	return machine{every: every, batch: batch, yield: yield, limit: batch}
}

// event is what a machine is told.
type event struct {
	kind  eventKind
	epoch int64  // granted
	pos   im.Pos // granted: the cursor; applied, failed, unreadable: the last position of the attempt
	n     int    // applied, failed, unreadable: entries in the attempt
	cause string // failed, unreadable
}

type eventKind int

const (
	nothing    eventKind = iota // only time has passed
	look                        // there may be new entries
	granted                     // the lease is ours, from pos on
	revoked                     // the lease is another's
	applied                     // the attempt's entries have had their effect
	empty                       // there was no entry to attempt
	failed                      // Apply refused; nothing has changed
	unreadable                  // the journal says that a row of the attempt is damaged
	hindered                    // the database did not work; nothing has changed
	parked                      // the entry at pos is in the parked table
)

// action is what a machine wants: exactly one thing.
type action struct {
	kind  actionKind
	after im.Pos    // attempt, park: the cursor
	limit int       // attempt
	until time.Time // wait: not longer than this; zero = until there is news
}

type actionKind int

const (
	wait actionKind = iota
	attempt
	park // the entry after the cursor
)

// step takes what has happened, in order, and returns what to do now.
func (m *machine) step(now time.Time, events ...event) action {
	full, news := false, false
	for _, e := range events {
		m.take(e, now)
		full = full || e.kind == applied && m.due
		news = news || e.kind == look
	}
	if full && m.yield > 0 { // others, a sign-in say, want the database too
		m.next = now.Add(m.yield / 16)
		if news {
			m.next = now.Add(m.yield)
		}
	}
	switch {
	case !m.held || !m.due:
		return action{kind: wait}
	case now.Before(m.next):
		return action{kind: wait, until: m.next}
	case m.tries >= Tries || m.damaged:
		return action{kind: park, after: m.pos}
	}
	m.next = now.Add(m.every) // the pace; applied and failed may change it
	return action{kind: attempt, after: m.pos, limit: m.limit}
}

func (m *machine) take(e event, now time.Time) {
	switch e.kind {
	case look:
		m.due = true
	case granted:
		if m.held && m.epoch == e.epoch {
			return
		}
		*m = machine{every: m.every, batch: m.batch, yield: m.yield, limit: m.batch, held: true, epoch: e.epoch, pos: e.pos, due: true, next: now}
	case revoked:
		*m = newMachine(m.every, m.batch, m.yield)
	case applied:
		if m.due = e.n >= m.limit || m.suspect > e.pos; m.due {
			m.next = now // there is more, so it does not wait for its pace
		}
		m.advance(e.pos)
	case parked:
		m.due, m.next = true, now
		m.advance(e.pos)
	case empty:
		m.waits, m.due = 0, false
	case failed, unreadable:
		m.waits = 0
		m.blame(e, now)
	case hindered:
		m.waits++
		m.next = now.Add(backoff(m.waits, 100*time.Millisecond, 10*time.Second))
	}
}

func (m *machine) advance(to im.Pos) {
	m.pos, m.tries, m.reason, m.damaged, m.waits = to, 0, "", false, 0
	if m.pos >= m.suspect {
		m.limit = m.batch
	}
}

// blame halves what failed until it is one entry, and counts against that. The
// entry at fault lies in the shortest run that has failed, so once that is
// passed the batches are large again.
func (m *machine) blame(e event, now time.Time) {
	m.suspect = e.pos
	if e.n > 1 {
		m.limit, m.next = max(1, e.n/2), now
		return
	}
	m.limit = 1
	m.reason = e.cause
	m.tries++
	// A damaged row does not heal by itself, but a second look costs little.
	m.damaged = e.kind == unreadable && m.tries > 1
	m.next = now.Add(backoff(m.tries, 25*time.Millisecond, time.Second))
	if m.tries >= Tries || m.damaged {
		m.next = now
	}
}

// backoff triples from base up to most.
func backoff(n int, base, most time.Duration) time.Duration {
	d := base
	for range n - 1 {
		if d *= 3; d >= most {
			return most
		}
	}
	return d
}
