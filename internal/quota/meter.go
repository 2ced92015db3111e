package quota

import (
	"math"
	"sync/atomic"
	"time"
)

// Meter is one bucket without a lock, whose limit comes with each call and so
// may change: for limits of an app, which every message of the app passes. The
// zero value is a full bucket.
//
// It keeps one number, the moment at which the bucket will be full again (the
// "theoretical arrival time" of the generic cell rate algorithm, ITU-T I.371),
// in nanoseconds since 1970. An action moves it by what it costs and is refused
// when that would lie further ahead than the burst takes to come back. So a
// lower rate acts at once on what was used under a higher one.
type Meter struct{ full atomic.Int64 }

// Take takes one token of a bucket of that rate, at least 0.001 a second, which
// holds as many as come back in a second, at least one. When there is none it
// takes nothing and returns how long it takes until there is.
func (m *Meter) Take(now time.Time, rate float64) (wait time.Duration, ok bool) {
	each, burst := spans(rate)
	at := now.UnixNano()
	for {
		full := m.full.Load()
		// A clock that was set back, or a rate that was lower, must not hold
		// anybody up for longer than an empty bucket does.
		next := min(max(full, at), at+burst) + each
		if wait := next - at - burst; wait > 0 {
			return time.Duration(wait), false
		}
		if m.full.CompareAndSwap(full, next) {
			return 0, true
		}
	}
}

// Back gives a token back that was taken at that rate and not used.
func (m *Meter) Back(rate float64) {
	each, _ := spans(rate)
	m.full.Add(-each)
}

// spans are the times in which a token, and a full bucket, come back.
func spans(rate float64) (each, burst int64) {
	each = int64(math.Ceil(float64(time.Second) / rate))
	return each, each * int64(max(rate, 1))
}
