package skein

import "time"

// Clock tells the time and wakes the client. Nothing else in the SDK reads a
// clock, so that a test or a simulation can give it one of its own. The
// client's only timer is one at a time for each purpose. A clock of this
// repository's simulation also runs the client's goroutines (internal/turn).
type Clock interface {
	// Now is the local time; it may be wrong, the SDK learns the difference
	// to the server's.
	Now() time.Time
	// AfterFunc calls f on a goroutine of its own after d. stop prevents that
	// if it is not too late, and does not wait for f.
	AfterFunc(d time.Duration, f func()) (stop func())
}

// SystemClock is the machine's clock: the default.
type SystemClock struct{}

// Now implements Clock.
func (SystemClock) Now() time.Time { return time.Now() }

// AfterFunc implements Clock.
func (SystemClock) AfterFunc(d time.Duration, f func()) (stop func()) {
	t := time.AfterFunc(d, f)
	return func() { t.Stop() }
}
