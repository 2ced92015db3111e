// Package health knows whether this node can take a message now, and if not,
// why not.
//
// The rule is that a node never says ready when a send would fail. So what is
// asked is what a send needs: a row is really written (a database that answers
// questions may still refuse every write), the lease on the fence log is held,
// the disk has room, the journal's last commit went well, new connections are
// let in.
//
// The checks run once in Options.Every on a goroutine of their own, never in a
// request: a balancer that asks a thousand times a second costs nothing. A
// check that does not come back counts as failed once it is overdue.
package health

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/skein-im/skein/internal/im"
)

// DefaultEvery is how often the checks run.
const DefaultEvery = time.Second

// overdue is how long a check may take before its silence counts as a failure.
const overdue = 2 * time.Second

// The reasons that are no checks.
const (
	Starting = "starting" // the server is not complete yet
	Draining = "draining" // it was told to end
)

// Check is one thing that has to be in order. Run returns nil, or why not; it
// gives up when ctx ends. Name is a word for machines, such as "database".
type Check struct {
	Name string
	Run  func(ctx context.Context) error
}

// Reason is something that is not in order.
type Reason struct {
	Name    string `json:"name"`
	Message string `json:"message"`
	// SinceMS is for how long, in milliseconds.
	SinceMS int64 `json:"since_ms"`
}

// Report is the state of a node.
type Report struct {
	Ready   bool     `json:"ready"`
	Reasons []Reason `json:"reasons"` // by name; empty when ready
}

// Names joins the reasons' names, for a place that strangers can see.
func (r Report) Names() string {
	names := make([]string, len(r.Reasons))
	for i, x := range r.Reasons {
		names[i] = x.Name
	}
	return strings.Join(names, ", ")
}

// Health is the state of this node: starting, until Start's checks have all
// run once. All methods may be called from any goroutine.
type Health struct {
	clock im.Clock
	log   *slog.Logger

	mu      sync.Mutex // guards the rest
	reasons map[string]reason
	begun   map[string]time.Time // checks that run now, since when
	checks  []string
}

type reason struct {
	message string
	since   time.Time
}

// New makes a node that is starting. log can be nil.
func New(clock im.Clock, log *slog.Logger) *Health {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	h := &Health{clock: clock, log: log, reasons: map[string]reason{}, begun: map[string]time.Time{}}
	h.reasons[Starting] = reason{"the server is starting", clock.Now()}
	return h
}

// Start begins to run the checks, every so often (0 = DefaultEvery), each on a
// goroutine of its own, until stop is called, which waits for them. It returns
// when each has run once: until then the node is starting.
func (h *Health) Start(every time.Duration, checks ...Check) (stop func()) {
	if every <= 0 {
		every = DefaultEvery
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg, first sync.WaitGroup
	h.mu.Lock()
	for _, c := range checks {
		h.checks = append(h.checks, c.Name)
	}
	h.mu.Unlock()
	for _, c := range checks {
		first.Add(1)
		wg.Go(func() {
			t := time.NewTicker(every)
			defer t.Stop()
			h.run(ctx, c)
			first.Done()
			for {
				select {
				case <-ctx.Done():
					return
				case <-t.C:
					h.run(ctx, c)
				}
			}
		})
	}
	first.Wait()
	h.clear(Starting)
	return func() { cancel(); wg.Wait() }
}

// run runs one check and notes how it went.
func (h *Health) run(ctx context.Context, c Check) {
	now := h.clock.Now()
	h.mu.Lock()
	h.begun[c.Name] = now
	h.mu.Unlock()
	call, cancel := context.WithTimeout(ctx, 2*overdue)
	defer cancel()
	err := c.Run(call)
	if ctx.Err() != nil {
		return
	}
	h.mu.Lock()
	delete(h.begun, c.Name)
	h.mu.Unlock()
	if err != nil {
		h.set(c.Name, err.Error())
	} else {
		h.clear(c.Name)
	}
}

// Drain makes the node unready for good: it was told to end.
func (h *Health) Drain() { h.set(Draining, "the server is going away") }

func (h *Health) set(name, message string) {
	h.mu.Lock()
	old, was := h.reasons[name]
	r := reason{message, h.clock.Now()}
	if was {
		r.since = old.since
	}
	h.reasons[name] = r
	h.mu.Unlock()
	if !was {
		h.log.Warn("not ready", "reason", name, "detail", message)
	}
}

func (h *Health) clear(name string) {
	h.mu.Lock()
	_, was := h.reasons[name]
	delete(h.reasons, name)
	left := len(h.reasons)
	h.mu.Unlock()
	if was {
		h.log.Info("in order", "reason", name, "ready", left == 0)
	}
}

// Checks are the names of what is checked, by name, Starting and Draining
// among them; for metrics.
func Checks() []string {
	return []string{"admission", "database", "disk", Draining, "journal", "lease", Starting}
}

// Report tells how the node stands. It costs a lock and no I/O.
func (h *Health) Report() Report {
	now := h.clock.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	out := Report{Reasons: []Reason{}}
	for name, r := range h.reasons {
		out.Reasons = append(out.Reasons, Reason{name, r.message, now.Sub(r.since).Milliseconds()})
	}
	for name, since := range h.begun {
		if _, known := h.reasons[name]; !known && now.Sub(since) > overdue {
			out.Reasons = append(out.Reasons, Reason{name, "the check does not come back", now.Sub(since).Milliseconds()})
		}
	}
	slices.SortFunc(out.Reasons, func(a, b Reason) int { return strings.Compare(a.Name, b.Name) })
	out.Ready = len(out.Reasons) == 0
	return out
}
