package journal

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/metrics"
	"github.com/skein-im/skein/internal/trace"
)

// counts are the metrics of a journal.
type counts struct {
	appends  prometheus.Counter
	repeated prometheus.Counter
	failed   prometheus.Counter
	retries  metrics.Vec
	commit   prometheus.Observer
	batch    prometheus.Observer
}

// Why a batch is tried again.
const (
	retryDuplicate = "duplicate"
	retryMoved     = "moved"
	retryAway      = "away"
)

func newCounts(s *metrics.Set, j *engine) *counts {
	s.GaugeFunc("journal_queue_entries", "Appends that wait for their commit.", func() float64 {
		n := 0
		for _, w := range j.writers {
			w.mu.Lock()
			n += len(w.m.queue)
			w.mu.Unlock()
		}
		return float64(n)
	})
	return &counts{
		appends:  s.Counter("journal_appends_total", "Entries that were committed."),
		repeated: s.Counter("journal_answered_total", "Requests that were answered without a new entry: repetitions, read markers, and what no longer holds."),
		failed:   s.Counter("journal_failed_total", "Requests whose commit failed."),
		retries:  s.Counters("journal_retries_total", "Commits that were tried again, by why: a client id was stored before, another node had committed to the shard, or the database was away.", "reason", retryDuplicate, retryMoved, retryAway),
		commit:   s.Histogram("journal_commit_seconds", "Time of one commit, tries and fsync included; the count is the number of commits.", metrics.Latency()),
		batch:    s.Histogram("journal_batch_entries", "Requests in one commit.", metrics.Sizes()),
	}
}

// failure is the last commit of a writer that failed for a reason that the
// next one will have too.
type failure struct {
	err error
	at  time.Time
}

// failureHolds is for how long a failure counts when nothing was committed
// since: a node that takes no more traffic because of it has nothing to commit.
const failureHolds = 5 * time.Second

// note counts a batch and remembers whether the store works.
func (w *writer) note(began time.Time, asked, stored int, err error) {
	c, now := w.j.counts, w.j.opts.Clock.Now()
	c.commit.Observe(now.Sub(began).Seconds())
	c.batch.Observe(float64(asked))
	c.appends.Add(float64(stored))
	if err == nil {
		c.repeated.Add(float64(asked - stored))
		if w.failure.Load() != nil {
			w.failure.Store(nil)
		}
		return
	}
	c.failed.Add(float64(asked - stored))
	switch im.CodeOf(err) {
	case im.Unavailable, im.ResourceExhausted, im.DataLoss:
		w.failure.Store(&failure{err, now})
	}
}

// Failing tells whether the last commits went wrong in a way that the next one
// would too: nil, or how. It is for telling whether a node can take a message.
func Failing(j Journal) error {
	e, ok := j.(*engine)
	if !ok {
		return nil
	}
	now := e.opts.Clock.Now()
	for _, w := range e.writers {
		if f := w.failure.Load(); f != nil && now.Sub(f.at) < failureHolds {
			return im.Errorf(im.CodeOf(f.err), "the last commit failed")
		}
	}
	return nil
}

// spanOf begins the span of a batch if one of its appends is traced: in the
// trace of the first of them, linked to the others.
func spanOf(items []*item) *trace.Span {
	var first *trace.Span
	var others []*trace.Span
	for _, it := range items {
		switch {
		case it.span == nil:
		case first == nil:
			first = it.span
		default:
			others = append(others, it.span)
		}
	}
	s := first.Child("journal.commit", others...)
	s.Set("batch", int64(len(items)))
	return s
}
