package metrics

import (
	"context"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// hand is a clock that is set by hand.
type hand struct{ t time.Time }

func (h *hand) Now() time.Time { return h.t }

func scrape(t *testing.T, s *Set) string {
	t.Helper()
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	b, err := io.ReadAll(w.Result().Body)
	if err != nil || w.Code != 200 {
		t.Fatal(w.Code, err, string(b))
	}
	return string(b)
}

func TestASeriesOfEveryLabelValueIsThereBeforeItIsCounted(t *testing.T) {
	s := New(&hand{})
	v := s.Counters("things_total", "Things.", "kind", "good", "bad")
	v.Inc("good")
	v.Inc("never declared")
	got := scrape(t, s)
	for _, want := range []string{`skein_things_total{kind="good"} 1`, `skein_things_total{kind="bad"} 0`, "go_goroutines", "process_resident_memory_bytes"} {
		if !strings.Contains(got, want) {
			t.Errorf("a scrape lacks %s:\n%s", want, got)
		}
	}
	if strings.Contains(got, "never") {
		t.Error("a value that was not declared became a series")
	}
}

func TestWhatIsDearIsFoundOutOnceInAWhileAndOnlyWhenAsked(t *testing.T) {
	clock := &hand{t: time.Unix(1000, 0)}
	s := New(clock)
	g, calls := s.Gauge("rows", "Rows."), 0
	s.OnScrape(func(context.Context) { calls++; g.Set(float64(calls)) })
	if calls != 0 {
		t.Fatal("looked before anybody asked")
	}
	scrape(t, s)
	clock.t = clock.t.Add(RefreshEvery - time.Second)
	scrape(t, s)
	if calls != 1 {
		t.Errorf("looked %d times within %s", calls, RefreshEvery)
	}
	clock.t = clock.t.Add(time.Second)
	if got := scrape(t, s); !strings.Contains(got, "skein_rows 2") {
		t.Error("the second look does not show")
	}
}

func TestANilSetCountsForNobody(t *testing.T) {
	var s *Set
	s.Counter("a_total", "A.").Inc()
	s.Counters("b_total", "B.", "x", "y").Inc("y")
	s.Histogram("c", "C.", Latency()).Observe(1)
	s.GaugeFunc("d", "D.", func() float64 { return 1 })
	s.OnScrape(func(context.Context) { t.Error("called") })
}

func TestTwoMetricsOfOneNameAreAMistakeOfTheProgram(t *testing.T) {
	s := New(&hand{})
	s.Counter("a_total", "A.")
	defer func() {
		if recover() == nil {
			t.Error("the second one was taken")
		}
	}()
	s.Counter("a_total", "A.")
}

func TestTheDocumentNamesEveryMetricOnce(t *testing.T) {
	s := New(&hand{})
	s.Counters("b_total", "B happened.", "x", "y", "z")
	s.Gauge("a", "A is.")
	doc := s.Document()
	if !strings.Contains(doc, "| `skein_a` | gauge |  | A is. |\n| `skein_b_total` | counter | `x`: y z | B happened. |\n") {
		t.Error(doc)
	}
}
