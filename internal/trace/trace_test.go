package trace

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/skein-im/skein/internal/im"
)

func newTracer(t *testing.T, endpoint string, sample float64) *Tracer {
	t.Helper()
	tr, err := New(t.Context(), Options{Endpoint: endpoint, Sample: sample, Node: "n1", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func TestWithoutACollectorThereIsNoTracerAndNothingCosts(t *testing.T) {
	tr := newTracer(t, "", 1)
	if tr != nil {
		t.Fatal("a tracer without a collector")
	}
	allocs := testing.AllocsPerRun(100, func() {
		s := tr.Root("a")
		c := s.Child("b", s)
		c.Set("bytes", 1)
		c.End(nil)
		s.End(nil)
		if s.Traceparent() != "" || tr.Remote("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "c") != nil {
			t.Error("something is traced")
		}
	})
	if allocs != 0 || tr.Close(t.Context()) != nil || From(Into(t.Context(), nil)) != nil {
		t.Errorf("%v allocations", allocs)
	}
}

func TestTheShareOfTracesIsWhatWasAskedFor(t *testing.T) {
	for _, sample := range []float64{0, 0.001, 0.25, 1} {
		tr := newTracer(t, "http://127.0.0.1:1", sample)
		n := 0
		for range 4000 {
			if s := tr.Root("a"); s != nil {
				n++ // never ended, so never sent
			}
		}
		if n != int(4000*sample) {
			t.Errorf("%v: %d of 4000", sample, n)
		}
		tr.Close(t.Context())
	}
}

func TestATraceparentLeadsFromNodeToNodeAndABadOneNowhere(t *testing.T) {
	tr := newTracer(t, "http://127.0.0.1:1", 1)
	defer tr.Close(t.Context())
	root := tr.Root("a")
	next := tr.Remote(root.Traceparent(), "b")
	if next == nil || next.Traceparent()[:36] != root.Traceparent()[:36] || next.Traceparent() == root.Traceparent() {
		t.Errorf("%s leads to %s", root.Traceparent(), next.Traceparent())
	}
	for _, bad := range []string{"", "x", "00-0-0-01", "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", strings.Repeat("0", 10000)} {
		if tr.Remote(bad, "c") != nil {
			t.Errorf("%.60q is followed", bad)
		}
	}
	if From(Into(context.Background(), root)) != root {
		t.Error("the context does not carry it")
	}
}

func TestAnErrorIsToldByItsCodeAndNeverInItsWords(t *testing.T) {
	var asked atomic.Int64
	secret := "what ann wrote"
	to := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		b, err := io.ReadAll(r.Body)
		if err != nil || strings.Contains(string(b), secret) || !strings.Contains(string(b), "NOT_FOUND") || !strings.Contains(string(b), "INTERNAL") {
			t.Errorf("%v: %q", err, b)
		}
	}))
	defer to.Close()
	tr := newTracer(t, to.URL, 1)
	s := tr.Root("a")
	s.Child("b").End(im.Errorf(im.NotFound, "%s", secret))
	s.End(errors.New(secret))
	if err := tr.Close(t.Context()); err != nil || asked.Load() == 0 {
		t.Errorf("%v, asked %d times", err, asked.Load())
	}
}
