package job

import (
	"context"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/metrics"
)

// newCounts declares the metrics of a queue and returns the counter of runs.
func newCounts(s *metrics.Set, q *Queue) metrics.Vec {
	states := s.Gauges("job_jobs", "Jobs in the table, by state; the same on every node. The dead wait for an operator.", "state", "waiting", "running", "dead")
	s.OnScrape(func(ctx context.Context) {
		var waiting, running, dead int64
		err := q.o.DB.Read(ctx, func(tx db.Tx) error {
			return tx.QueryRow(`SELECT (SELECT count(*) FROM job WHERE state = 0), (SELECT count(*) FROM job WHERE state = 1),
				(SELECT count(*) FROM job WHERE state = 3)`).Scan(&waiting, &running, &dead)
		})
		if err != nil {
			return // as it was: that the database is away shows elsewhere
		}
		states["waiting"].Set(float64(waiting))
		states["running"].Set(float64(running))
		states["dead"].Set(float64(dead))
	})
	return s.Counters("job_runs_total", "Runs of jobs on this node, by how they ended.", "result", "ok", "failed")
}
