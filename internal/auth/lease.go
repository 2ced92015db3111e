package auth

import (
	"sync"
	"time"

	"github.com/skein-im/skein/internal/im"
)

// The lease of a node, as a step machine: state, event and time in, state and
// effects out; run.go carries them, a test can do so by hand.
//
// A node goes round: look at the log, apply what is new, renew the lease. It
// renews when a third of the lease is gone, and at once when it has applied
// something, because somebody waits for that. A lease that was renewed at the
// database is counted from before the request was sent, and by four fifths
// only, so that the node stops before the database's clock says so.

// How often a node looks at the log, and how soon it tries again after a
// failure.
const (
	pollEvery  = 250 * time.Millisecond
	retryAfter = 100 * time.Millisecond
)

// leaseState is the machine's state.
type leaseState struct {
	lease   time.Duration
	applied int64     // the newest fence that was applied here
	pollAt  time.Time // when to look at the log next
	renewAt time.Time // when to renew next
}

// Events of the machine.
type (
	// leaseTick: time has passed.
	leaseTick struct{}
	// leaseWake: there may be a new fence.
	leaseWake struct{}
	// leaseLooked: the log was read.
	leaseLooked struct {
		fences []Fence
		err    error
	}
	// leaseApplied: the fences up to this one were applied, sockets closed.
	leaseApplied struct{ upTo int64 }
	// leaseRenewed: the database has answered the renewal that started at start.
	leaseRenewed struct {
		start time.Time
		ok    bool // false: the log has a fence that was not applied
		err   error
	}
)

// Effects of the machine. Each is carried out and answered by its event before
// the next step.
type (
	// leaseLook: read the log after a position; answer with leaseLooked.
	leaseLook struct{ after int64 }
	// leaseApply: apply fences; answer with leaseApplied.
	leaseApply struct{ fences []Fence }
	// leaseRenew: renew; answer with leaseRenewed.
	leaseRenew struct {
		applied int64
		start   time.Time
	}
	// leaseHold: this node may serve, counted from start.
	leaseHold struct{ start time.Time }
	// leaseSleep: nothing to do until then, or until a wake-up.
	leaseSleep struct{ until time.Time }
)

// step is the machine. ev is one of the events above and every effect one of
// the effects.
func (s leaseState) step(ev any, now time.Time) (leaseState, []any) {
	switch ev := ev.(type) {
	case leaseTick:
		if now.Before(s.pollAt) {
			return s, []any{leaseSleep{s.pollAt}}
		}
		return s, []any{leaseLook{s.applied}}
	case leaseWake:
		return s, []any{leaseLook{s.applied}}
	case leaseLooked:
		if ev.err != nil {
			return s.again(now, retryAfter)
		}
		if len(ev.fences) > 0 {
			return s, []any{leaseApply{ev.fences}}
		}
		if !now.Before(s.renewAt) {
			return s, []any{leaseRenew{s.applied, now}}
		}
		return s.again(now, pollEvery)
	case leaseApplied:
		s.applied = ev.upTo
		return s, []any{leaseRenew{s.applied, now}}
	case leaseRenewed:
		if ev.err != nil {
			return s.again(now, retryAfter)
		}
		if !ev.ok {
			return s, []any{leaseLook{s.applied}}
		}
		s.renewAt = ev.start.Add(s.lease / 3)
		next, sleep := s.again(now, pollEvery)
		return next, append([]any{leaseHold{ev.start}}, sleep...)
	}
	return s, nil
}

// again sleeps for d.
func (s leaseState) again(now time.Time, d time.Duration) (leaseState, []any) {
	s.pollAt = now.Add(min(d, s.lease/5))
	return s, []any{leaseSleep{s.pollAt}}
}

// validity is until when this node may serve. It is asked on every delivery,
// so it is one look at the clock.
type validity struct {
	clock im.Clock
	span  time.Duration
	state *validState
}

type validState struct {
	mu    sync.RWMutex  // guards the rest
	start time.Time     // of the renewal; zero = never
	again chan struct{} // closed and replaced at each renewal
}

func newValidity(clock im.Clock, span time.Duration) validity {
	return validity{clock: clock, span: span, state: &validState{again: make(chan struct{})}}
}

// hold counts a span from start.
func (v validity) hold(start time.Time) {
	v.state.mu.Lock()
	defer v.state.mu.Unlock()
	v.state.start = start
	close(v.state.again)
	v.state.again = make(chan struct{})
}

// drop ends it.
func (v validity) drop() {
	v.state.mu.Lock()
	defer v.state.mu.Unlock()
	v.state.start = time.Time{}
}

// now tells whether the span lasts, and gives a channel that is closed when it
// is prolonged.
//
// Both of the machine's clocks have to agree: the monotonic one does not count
// while a machine sleeps or is paused by its host, the other can be set back.
func (v validity) now() (bool, <-chan struct{}) {
	v.state.mu.RLock()
	start, again := v.state.start, v.state.again
	v.state.mu.RUnlock()
	if start.IsZero() {
		return false, again
	}
	now := v.clock.Now()
	return now.Sub(start) < v.span && now.Round(0).Sub(start.Round(0)) < v.span, again
}
