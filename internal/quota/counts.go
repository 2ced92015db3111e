package quota

import "github.com/skein-im/skein/internal/metrics"

// Refusals declares the counter of what limits refuse. The names are those of
// the options: "hello" for limits.hello_rate.
func Refusals(s *metrics.Set, limits ...string) metrics.Vec {
	return s.Counters("quota_refused_total", "Actions that a rate limit refused, by the option limits.*_rate.", "limit", limits...)
}
