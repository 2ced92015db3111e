// Package metrics declares what a server counts, for Prometheus.
//
// Each package declares the metrics that it moves, on a Set that it is given;
// nothing registers itself in a variable of the process, so that two servers
// in one process count apart. The decisions:
//
//   - A label's values are listed where the metric is declared. So no metric
//     can grow with users or conversations, every series is there from the
//     start (a rate over a series that appears late misses its first step),
//     and the hot path holds a pointer where a map would be asked.
//   - What is dear to find out (a count in a table) is found out when somebody
//     scrapes, and at most once in RefreshEvery, whoever asks.
//   - The Set remembers every declaration: docs/reference/metrics.md is
//     generated from it, and the dashboard and the alerts are checked against it.
//
// A nil *Set is allowed everywhere: its metrics count and nobody sees them.
package metrics

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/skein-im/skein/internal/im"
)

// Namespace begins the name of every metric.
const Namespace = "skein"

// RefreshEvery is how long a value that is dear to find out is good for.
const RefreshEvery = 10 * time.Second

// refreshTimeout bounds one such look, so that a database that hangs does not
// hang the scrape: the old value is then shown.
const refreshTimeout = 2 * time.Second

// Kind is what a metric is.
type Kind string

// The kinds.
const (
	KindCounter   Kind = "counter"
	KindGauge     Kind = "gauge"
	KindHistogram Kind = "histogram"
)

// Definition is a declared metric.
type Definition struct {
	Name   string // in full
	Kind   Kind
	Help   string
	Label  string   // "" = none
	Values []string // of the label
}

// Set is the metrics of one server.
type Set struct {
	registry *prometheus.Registry
	clock    im.Clock

	mu        sync.Mutex // guards the rest
	defs      []Definition
	refresh   []func(context.Context)
	refreshed time.Time
}

// New makes a set with what the Go runtime and the process tell of themselves.
func New(clock im.Clock) *Set {
	s := &Set{registry: prometheus.NewRegistry(), clock: clock}
	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return s
}

// Definitions returns what was declared, by name.
func (s *Set) Definitions() []Definition {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.Clone(s.defs)
	slices.SortFunc(out, func(a, b Definition) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// declare notes a metric and registers its collector. It panics on a name that
// is taken or malformed: that is a mistake of the program, found by any test
// that builds a server.
func (s *Set) declare(d Definition, c prometheus.Collector) {
	if s == nil {
		return
	}
	s.mu.Lock()
	s.defs = append(s.defs, d)
	s.mu.Unlock()
	s.registry.MustRegister(c)
}

func full(name string) string { return Namespace + "_" + name }

// Counter declares a counter; its name ends in _total.
func (s *Set) Counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: full(name), Help: help})
	s.declare(Definition{Name: full(name), Kind: KindCounter, Help: help}, c)
	return c
}

// Counters declares a counter for each value of a label.
func (s *Set) Counters(name, help, label string, values ...string) Vec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: full(name), Help: help}, []string{label})
	v := make(Vec, len(values))
	for _, x := range values {
		v[x] = c.WithLabelValues(x)
	}
	s.declare(Definition{Name: full(name), Kind: KindCounter, Help: help, Label: label, Values: values}, c)
	return v
}

// Vec is a counter for each value of a label.
type Vec map[string]prometheus.Counter

// Inc counts one. A value that was not declared is a mistake of the program;
// it counts as nothing rather than as a new series.
func (v Vec) Inc(value string) {
	if c := v[value]; c != nil {
		c.Inc()
	}
}

// Gauge declares a value that goes up and down.
func (s *Set) Gauge(name, help string) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: full(name), Help: help})
	s.declare(Definition{Name: full(name), Kind: KindGauge, Help: help}, g)
	return g
}

// Gauges declares a gauge for each value of a label.
func (s *Set) Gauges(name, help, label string, values ...string) map[string]prometheus.Gauge {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: full(name), Help: help}, []string{label})
	out := make(map[string]prometheus.Gauge, len(values))
	for _, x := range values {
		out[x] = g.WithLabelValues(x)
	}
	s.declare(Definition{Name: full(name), Kind: KindGauge, Help: help, Label: label, Values: values}, g)
	return out
}

// GaugeFunc declares a gauge that is read by a function, which must be cheap
// and may be called from any goroutine.
func (s *Set) GaugeFunc(name, help string, read func() float64) {
	s.declare(Definition{Name: full(name), Kind: KindGauge, Help: help},
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: full(name), Help: help}, read))
}

// CounterFunc is GaugeFunc for what only grows and is counted elsewhere.
func (s *Set) CounterFunc(name, help string, read func() float64) {
	s.declare(Definition{Name: full(name), Kind: KindCounter, Help: help},
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: full(name), Help: help}, read))
}

// Latency are the buckets of short times, in seconds: 100 µs to 30 s.
func Latency() []float64 {
	return []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
}

// Sizes are the buckets of counts: 1 to 4096 by factors of 2.
func Sizes() []float64 { return prometheus.ExponentialBuckets(1, 2, 13) }

// Histogram declares a distribution.
func (s *Set) Histogram(name, help string, buckets []float64) prometheus.Observer {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: full(name), Help: help, Buckets: buckets})
	s.declare(Definition{Name: full(name), Kind: KindHistogram, Help: help}, h)
	return h
}

// Histograms declares a distribution for each value of a label.
func (s *Set) Histograms(name, help string, buckets []float64, label string, values ...string) map[string]prometheus.Observer {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: full(name), Help: help, Buckets: buckets}, []string{label})
	out := make(map[string]prometheus.Observer, len(values))
	for _, x := range values {
		out[x] = h.WithLabelValues(x)
	}
	s.declare(Definition{Name: full(name), Kind: KindHistogram, Help: help, Label: label, Values: values}, h)
	return out
}

// OnScrape has fn called before a scrape, at most once in RefreshEvery, to set
// gauges whose value is dear. fn gives up when ctx ends.
func (s *Set) OnScrape(fn func(ctx context.Context)) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refresh = append(s.refresh, fn)
}

// due returns what has to be refreshed now.
func (s *Set) due() []func(context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	if now.Sub(s.refreshed) < RefreshEvery {
		return nil
	}
	s.refreshed = now
	return slices.Clone(s.refresh)
}

// Handler answers scrapes in Prometheus' text format, or OpenMetrics.
func (s *Set) Handler() http.Handler {
	h := promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, EnableOpenMetrics: true})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), refreshTimeout)
		defer cancel()
		for _, fn := range s.due() {
			fn(ctx)
		}
		h.ServeHTTP(w, r)
	})
}

// Document returns docs/reference/metrics.md.
func (s *Set) Document() string {
	var b strings.Builder
	b.WriteString("# Metrics\n\nThis page is generated from the code. A server with `admin.listen` set answers `GET /metrics` there, in the\n" +
		"format of Prometheus. Beside these it tells what the Go runtime (`go_…`) and the process (`process_…`) say of themselves.\n" +
		"How to watch a server is in [monitoring](../ops/monitoring.md).\n\n| Metric | Kind | Label | Meaning |\n|---|---|---|---|\n")
	for _, d := range s.Definitions() {
		label := ""
		if d.Label != "" {
			label = fmt.Sprintf("`%s`: %s", d.Label, strings.Join(d.Values, " "))
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", d.Name, d.Kind, label, d.Help)
	}
	return b.String()
}

// Table declares a counter for each pair of values of two labels. Its series
// appear when they are first counted: most pairs never happen.
func (s *Set) Table(name, help, label string, values []string, label2 string, values2 []string) *Table {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: full(name), Help: help}, []string{label, label2})
	s.declare(Definition{Name: full(name), Kind: KindCounter, Help: help, Label: label + ", " + label2,
		Values: append(append(slices.Clone(values), ";"), values2...)}, c)
	return &Table{vec: c, values: values, values2: values2}
}

// Table is a counter with two labels.
type Table struct {
	vec             *prometheus.CounterVec
	values, values2 []string
}

// Inc counts one; values that were not declared count as nothing.
func (t *Table) Inc(value, value2 string) {
	if slices.Contains(t.values, value) && slices.Contains(t.values2, value2) {
		t.vec.WithLabelValues(value, value2).Inc()
	}
}
