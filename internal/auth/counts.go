package auth

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/skein-im/skein/internal/metrics"
)

// declare declares the metrics of a and returns the counter of the fences
// that it applies.
func (a *Auth) declare(s *metrics.Set) prometheus.Counter {
	s.GaugeFunc("auth_lease_valid", "1 while this node holds its lease on the fence log and may serve, else 0.", func() float64 {
		if a.Valid() {
			return 1
		}
		return 0
	})
	s.GaugeFunc("auth_lease_age_seconds", "Time since the renewal that the lease counts from; 0 before the first.", func() float64 {
		a.valid.state.mu.RLock()
		start := a.valid.state.start
		a.valid.state.mu.RUnlock()
		if start.IsZero() {
			return 0
		}
		return a.clock.Now().Sub(start).Seconds()
	})
	return s.Counter("auth_fences_total", "Fences (sign-outs, revocations, changed settings) that this node has applied.")
}
