package main

import (
	"encoding/json"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/skein-im/skein/internal/config"
	"github.com/skein-im/skein/internal/metrics"
)

var update = flag.Bool("update", false, "write docs/reference/metrics.md instead of comparing it")

// declared builds a whole server and returns what it declared.
func declared(t *testing.T) *metrics.Set {
	t.Helper()
	cfg := config.Default()
	cfg.Data = t.TempDir()
	log := slog.New(slog.DiscardHandler)
	ops, err := startOperations(cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ops.close)
	s, err := wire(t.Context(), cfg, log, ops)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return ops.metrics
}

func TestTheReferenceOfMetricsIsWhatTheServerDeclares(t *testing.T) {
	want := declared(t).Document()
	path := "../../docs/reference/metrics.md"
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%s is stale (%v): go test ./cmd/skein -run Metrics -update", path, err)
	}
}

func TestMetricsAreNamedAsPrometheusHasIt(t *testing.T) {
	name := regexp.MustCompile(`^skein_[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	for _, d := range declared(t).Definitions() {
		switch {
		case !name.MatchString(d.Name):
			t.Errorf("%s is no name", d.Name)
		case (d.Kind == metrics.KindCounter) != strings.HasSuffix(d.Name, "_total"):
			t.Errorf("%s: a counter, and nothing else, ends in _total", d.Name)
		case !strings.HasSuffix(d.Help, "."):
			t.Errorf("%s: its help is no sentence", d.Name)
		}
		for _, unit := range []string{"_ms", "_millis", "_kb", "_mb", "_micros"} {
			if strings.Contains(d.Name, unit) {
				t.Errorf("%s: units are seconds and bytes", d.Name)
			}
		}
		if len(d.Values) > 256 {
			t.Errorf("%s has %d values of a label", d.Name, len(d.Values))
		}
	}
}

// foreign are metrics of the runtime and the process that may be asked for.
var foreign = []string{"up", "go_goroutines", "go_gc_duration_seconds", "process_resident_memory_bytes", "process_open_fds", "process_max_fds",
	"process_cpu_seconds_total"}

// words are the names of PromQL that are no metrics.
var words = []string{"sum", "max", "min", "avg", "by", "rate", "increase", "histogram_quantile", "le", "and", "or", "unless", "clamp_min",
	"on", "ignoring", "without", "offset", "bool", "time", "absent", "vector", "changes", "max_over_time", "predict_linear", "deriv"}

var (
	inBraces = regexp.MustCompile(`\{[^{}]*\}`)
	grouping = regexp.MustCompile(`\b(by|without|on|ignoring) *\([^()]*\)`)
	ranges   = regexp.MustCompile(`\[[^\[\]]*\]`)
	matcher  = regexp.MustCompile(`^ *([a-z_]+) *(=~|!~|!=|=) *"([^"]*)" *$`)
	wordRE   = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*`)
	duration = regexp.MustCompile(`^\[(\$__rate_interval|\$__range|[0-9]+[smhd])\]$`)
)

// checkQuery tells what is wrong with a query: brackets, names, labels, ranges.
// It is no parser of PromQL; it finds what a changed metric breaks.
func checkQuery(q string, defs map[string]metrics.Definition) (wrong []string) {
	var open []rune
	for _, r := range q {
		switch r {
		case '(', '[', '{':
			open = append(open, r)
		case ')', ']', '}':
			pair := map[rune]rune{')': '(', ']': '[', '}': '{'}[r]
			if len(open) == 0 || open[len(open)-1] != pair {
				return []string{"brackets do not match"}
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 || strings.Count(q, `"`)%2 == 1 {
		return []string{"brackets or quotes are not closed"}
	}
	for _, r := range ranges.FindAllString(q, -1) {
		if !duration.MatchString(r) {
			wrong = append(wrong, "the range "+r)
		}
	}
	for _, braces := range inBraces.FindAllString(q, -1) {
		for _, m := range strings.Split(strings.Trim(braces, "{}"), ",") {
			if !matcher.MatchString(m) {
				wrong = append(wrong, "the matcher "+m)
			}
		}
	}
	bare := ranges.ReplaceAllString(grouping.ReplaceAllString(inBraces.ReplaceAllString(q, ""), ""), "")
	found := 0
	for _, w := range wordRE.FindAllString(bare, -1) {
		name := w
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if d, ok := defs[strings.TrimSuffix(w, suffix)]; ok && d.Kind == metrics.KindHistogram {
				name = d.Name
			}
		}
		d, ours := defs[name]
		switch {
		case ours && (d.Kind == metrics.KindHistogram) == (name == w):
			wrong = append(wrong, w+" is a histogram, or is none")
		case ours, slices.Contains(foreign, w):
			found++
		case !slices.Contains(words, w):
			wrong = append(wrong, "nobody declares "+w)
		}
	}
	if found == 0 {
		wrong = append(wrong, "it asks for no metric")
	}
	return wrong
}

func byName(t *testing.T) map[string]metrics.Definition {
	defs := map[string]metrics.Definition{}
	for _, d := range declared(t).Definitions() {
		defs[d.Name] = d
	}
	return defs
}

func TestABadQueryIsFound(t *testing.T) {
	defs := byName(t)
	for _, q := range []string{"sum(rate(skein_gateway_deliveries_total[5m])", "rate(skein_never_declared_total[5m])", "rate(skein_gateway_ack_seconds[5m])",
		"skein_gateway_sessions_count", "rate(skein_journal_appends_total[soon])", `skein_not_ready{reason}`, "1 + 1"} {
		if len(checkQuery(q, defs)) == 0 {
			t.Errorf("%s passes", q)
		}
	}
	if w := checkQuery(`histogram_quantile(0.99, sum by (le) (rate(skein_gateway_ack_seconds_bucket{instance=~"$node"}[5m])))`, defs); len(w) > 0 {
		t.Error(w)
	}
}

// dashboard is what is read of Grafana's JSON.
type dashboard struct {
	UID           string `json:"uid"`
	Title         string `json:"title"`
	SchemaVersion int    `json:"schemaVersion"`
	Panels        []struct {
		ID      int                                          `json:"id"`
		Title   string                                       `json:"title"`
		Type    string                                       `json:"type"`
		GridPos struct{ X, Y, W, H int }                     `json:"gridPos"`
		Targets []struct{ Expr, LegendFormat, RefID string } `json:"targets"`
	} `json:"panels"`
}

func TestTheDashboardAsksForNothingThatTheServerDoesNotCount(t *testing.T) {
	raw, err := os.ReadFile("../../deploy/grafana/skein.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	if d.UID == "" || d.Title == "" || d.SchemaVersion < 30 || len(d.Panels) < 10 {
		t.Errorf("it is no whole dashboard: %q, %d panels", d.Title, len(d.Panels))
	}
	defs, ids := byName(t), map[int]bool{}
	for _, p := range d.Panels {
		if ids[p.ID] || p.Title == "" || p.GridPos.X+p.GridPos.W > 24 || p.GridPos.W == 0 || p.GridPos.H == 0 {
			t.Errorf("panel %d %q: its id, title or place", p.ID, p.Title)
		}
		ids[p.ID] = true
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q shows nothing", p.Title)
		}
		for _, q := range p.Targets {
			for _, wrong := range checkQuery(q.Expr, defs) {
				t.Errorf("panel %q: %s: %s", p.Title, wrong, q.Expr)
			}
		}
	}
}

func TestTheAlertsAskForNothingThatTheServerDoesNotCount(t *testing.T) {
	raw, err := os.ReadFile("../../deploy/grafana/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string `yaml:"name"`
			Rules []struct {
				Alert       string            `yaml:"alert"`
				Expr        string            `yaml:"expr"`
				For         string            `yaml:"for"`
				Labels      map[string]string `yaml:"labels"`
				Annotations map[string]string `yaml:"annotations"`
			} `yaml:"rules"`
		} `yaml:"groups"`
	}
	dec := yaml.NewDecoder(strings.NewReader(string(raw)))
	dec.KnownFields(true)
	if err := dec.Decode(&file); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "ops", "monitoring.md"))
	if err != nil {
		t.Fatal(err)
	}
	defs, n := byName(t), 0
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			n++
			for _, wrong := range checkQuery(r.Expr, defs) {
				t.Errorf("%s: %s: %s", r.Alert, wrong, r.Expr)
			}
			if r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["do"] == "" || r.For == "" {
				t.Errorf("%s lacks its severity, its summary, what to do, or its time", r.Alert)
			}
			if !strings.Contains(string(page), "`"+r.Alert+"`") {
				t.Errorf("docs/ops/monitoring.md does not explain %s", r.Alert)
			}
		}
	}
	if n < 10 {
		t.Errorf("%d alerts", n)
	}
}
