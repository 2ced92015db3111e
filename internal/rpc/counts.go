package rpc

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/metrics"
)

// counts are the metrics of the calls.
type counts struct {
	calls   *metrics.Table
	seconds map[string]prometheus.Observer
}

// verbOf is the last part of a procedure: "SendMessage".
func verbOf(procedure string) string { return procedure[strings.LastIndexByte(procedure, '/')+1:] }

func newCounts(s *metrics.Set, procedures []string) *counts {
	verbs := make([]string, len(procedures))
	for i, p := range procedures {
		verbs[i] = verbOf(p)
	}
	results := []string{"ok"}
	for c := im.InvalidArgument; c <= im.SignedOut; c++ {
		results = append(results, strings.ToLower(c.String()))
	}
	return &counts{
		calls:   s.Table("rpc_calls_total", "Calls over HTTP that were answered, by verb and result.", "verb", verbs, "result", results),
		seconds: s.Histograms("rpc_seconds", "Time of a call over HTTP, from the request's last byte to the answer.", metrics.Latency(), "verb", verbs...),
	}
}

// done counts a call.
func (c *counts) done(verb string, took time.Duration, err error) {
	result := "ok"
	if err != nil {
		result = strings.ToLower(im.CodeOf(err).String())
	}
	c.calls.Inc(verb, result)
	if o := c.seconds[verb]; o != nil {
		o.Observe(took.Seconds())
	}
}
