package follow

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/metrics"
)

// counts are the metrics of a runner, by follower.
type counts struct {
	behind  map[string]prometheus.Gauge
	seconds map[string]prometheus.Gauge
	applied metrics.Vec
	failed  metrics.Vec
}

func newCounts(s *metrics.Set, r *Runner) *counts {
	names := make([]string, len(r.followers))
	for i := range r.followers {
		names[i] = r.followers[i].Name
	}
	parked := s.Gauges("follow_parked_entries", "Entries that a follower could not apply and went past; the same on every node.", "follower", names...)
	s.OnScrape(func(ctx context.Context) {
		var all map[cursorKey]int
		err := r.o.DB.Read(ctx, func(tx db.Tx) (err error) {
			all, err = countParked(tx)
			return err
		})
		if err != nil {
			return // as it was: that the database is away shows elsewhere
		}
		sums := make(map[string]int, len(names))
		for k, n := range all {
			sums[k.name] += n
		}
		for name, g := range parked {
			g.Set(float64(sums[name]))
		}
	})
	return &counts{
		behind: s.Gauges("follow_lag_entries", "Entries that a follower has still to read, in the shards that this node holds; add the nodes up.", "follower", names...),
		seconds: s.Gauges("follow_lag_seconds", "For how long a follower has not caught up with a shard that this node holds, the worst of them, to about 2 s.",
			"follower", names...),
		applied: s.Counters("follow_applied_total", "Entries that a follower has read and applied, or had no use for.", "follower", names...),
		failed:  s.Counters("follow_failed_total", "Attempts of a follower that failed; each is tried again, and an entry that fails alone is parked.", "follower", names...),
	}
}

// measure tells how far the tasks are behind the heads; run's goroutine calls it.
func (r *Runner) measure(heads []im.Pos) {
	now := r.o.Clock.Now()
	entries, worst := make(map[string]int64, len(r.followers)), make(map[string]time.Duration, len(r.followers))
	for _, t := range r.tasks {
		left := int64(0)
		if t.held.Load() && t.shard < len(heads) {
			left = max(0, int64(heads[t.shard])-t.pos.Load())
		}
		if left == 0 || t.caughtUp.IsZero() {
			t.caughtUp = now
		}
		entries[t.f.Name] += left
		worst[t.f.Name] = max(worst[t.f.Name], now.Sub(t.caughtUp))
	}
	for name, n := range entries {
		r.counts.behind[name].Set(float64(n))
		r.counts.seconds[name].Set(worst[name].Seconds())
	}
}
