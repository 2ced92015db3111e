package turn

import "time"

// Timer is a time.Timer, or one of a scheduler's clock. C has room for one.
type Timer struct {
	C     <-chan time.Time
	real  *time.Timer
	s     Scheduler
	fired chan time.Time
	stop  func()
}

// NewTimer makes a timer that sends on C after d.
func NewTimer(s Scheduler, d time.Duration) *Timer {
	if s == nil {
		t := time.NewTimer(d)
		return &Timer{C: t.C, real: t}
	}
	t := &Timer{s: s, fired: make(chan time.Time, 1)}
	t.C = t.fired
	t.Reset(d)
	return t
}

// Stop prevents the timer from sending; what it has sent is taken back.
func (t *Timer) Stop() {
	if t.real != nil {
		t.real.Stop()
		return
	}
	if t.stop != nil {
		t.stop()
		t.stop = nil
	}
	select {
	case <-t.fired:
	default:
	}
}

// Reset makes it send after d from now, and not at the time set before.
func (t *Timer) Reset(d time.Duration) {
	if t.real != nil {
		t.real.Reset(d)
		return
	}
	t.Stop()
	fired := t.fired
	t.stop = t.s.AfterFunc(d, func() {
		select {
		case fired <- time.Time{}:
		default:
		}
	})
}

// Ticker is a time.Ticker, or one of a scheduler's clock. A tick that finds
// the last one not taken is dropped.
type Ticker struct {
	C     <-chan time.Time
	real  *time.Ticker
	ended bool
}

// NewTicker makes a ticker that sends on C every d.
func NewTicker(s Scheduler, d time.Duration) *Ticker {
	if s == nil {
		t := time.NewTicker(d)
		return &Ticker{C: t.C, real: t}
	}
	t := &Ticker{}
	fired := make(chan time.Time, 1)
	t.C = fired
	var next func()
	next = func() {
		if t.ended {
			return
		}
		select {
		case fired <- time.Time{}:
		default:
		}
		s.AfterFunc(d, next)
	}
	s.AfterFunc(d, next)
	return t
}

// Stop ends it.
func (t *Ticker) Stop() {
	if t.real != nil {
		t.real.Stop()
		return
	}
	t.ended = true
}
