package quota

import "github.com/skein-im/skein/internal/metrics"

// Refusals declares the counter of what limits refuse. The names are those of
// the options, "hello" for limits.hello_rate, and of the quotas of apps,
// "app_users"; which app it was, of any number, no label tells.
func Refusals(s *metrics.Set, limits ...string) metrics.Vec {
	return s.Counters("quota_refused_total", "Actions that a limit refused: by the option limits.*_rate, or by a quota of an app (app_*).", "limit", limits...)
}
