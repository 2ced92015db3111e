package cluster

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	skein "github.com/skein-im/skein/sdk/go"
)

// next builds the version after this one: the same tree with one migration
// more, which adds a column to the busiest table, and another version number.
func next(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	folder, err := filepath.Abs("../../internal/journal/migrations")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.sql"))
	if err != nil || len(files) == 0 {
		t.Fatal("no migrations", err)
	}
	step := filepath.Join(dir, "step.sql")
	if err := os.WriteFile(step, []byte("-- expand: it has a default, and no older program names it\nALTER TABLE entry ADD COLUMN of_tomorrow {{bigint}} NOT NULL DEFAULT 7;\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{
		filepath.Join(folder, fmt.Sprintf("%04d_tomorrow.sql", len(files)+1)): step}})
	if err != nil {
		t.Fatal(err)
	}
	plan, out := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "skein-next")
	if err := os.WriteFile(plan, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-overlay", plan, "-ldflags", "-X main.version=tomorrow", "-o", out, "../../cmd/skein")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		t.Fatal("build the next version:", err)
	}
	return out
}

// roll replaces the nodes one after the other, each when the one before is ready.
func roll(t *testing.T, c *Cluster, program string) {
	t.Helper()
	for _, n := range c.Nodes() {
		began := time.Now()
		if err := n.Stop(syscall.SIGTERM); err != nil { // a node that is told to end ends with status 0
			t.Fatal(err)
		}
		stopped := time.Since(began)
		n.Binary = program
		if err := n.Start(); err != nil {
			t.Fatal(err)
		}
		for ready := false; !ready; {
			res, err := http.Get(n.Ready())
			if err == nil {
				ready = res.StatusCode == http.StatusOK
				res.Body.Close()
			}
			if time.Since(began) > 30*time.Second {
				t.Fatalf("%s is not ready 30 s after it was told to end", n.Name)
			}
			<-time.After(20 * time.Millisecond)
		}
		t.Logf("%s ended in %v and was ready after %v", n.Name, stopped.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	}
}

// talk is one pair of users under load.
type talk struct {
	from, to *skein.Client
	name     string
	acked    []string
	took     []time.Duration
	mu       sync.Mutex // guards heard
	heard    []string
}

// run sends until stop, one message after the other, and fails on every error
// that the SDK does not cope with by itself.
func (k *talk) run(t *testing.T, stop *atomic.Bool) {
	for i := 0; !stop.Load(); i++ {
		text := fmt.Sprintf("%s %d", k.name, i)
		began := time.Now()
		if _, err := k.from.With(k.to.UserID()).Send(t.Context(), skein.Outgoing{Text: text}); err != nil {
			t.Errorf("%s: %v", text, err)
			return
		}
		k.took = append(k.took, time.Since(began))
		k.acked = append(k.acked, text)
		<-time.After(10 * time.Millisecond)
	}
}

func TestAClusterIsUpgradedAndPutBackUnderLoadWithoutLosingOrFailingAMessage(t *testing.T) {
	t.Parallel() // it waits for most of its time
	tomorrow := next(t)
	c := start(t, Options{Args: []string{"--drain-delay", "1s", "--drain-spread", "1s"}})
	var stop atomic.Bool
	var sending sync.WaitGroup
	talks := make([]*talk, 8)
	for i := range talks {
		k := &talk{name: fmt.Sprintf("pair %d", i)}
		k.from, _ = person(t, c, fmt.Sprintf("from%d", i))
		k.to, _ = person(t, c, fmt.Sprintf("to%d", i))
		k.to.OnMessage(func(e skein.MessageEvent) {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.heard = append(k.heard, e.Message.Text)
		})
		talks[i] = k
		sending.Go(func() { k.run(t, &stop) })
	}
	roll(t, c, tomorrow)
	out, err := exec.Command(tomorrow, "version").Output()
	t.Logf("all run %s%v", out, err)
	roll(t, c, binary)
	stop.Store(true)
	sending.Wait()

	var took []time.Duration
	for _, k := range talks {
		took = append(took, k.took...)
		// Who was away for a moment hears the end of what it missed, and pages
		// the rest of it in; nothing is heard twice or out of order.
		limit := time.Now().Add(20 * time.Second)
		for last := ""; last != k.acked[len(k.acked)-1]; {
			if time.Now().After(limit) {
				t.Fatalf("%s: the last message never came, only %q", k.name, last)
			}
			<-time.After(20 * time.Millisecond)
			k.mu.Lock()
			last = k.heard[len(k.heard)-1]
			k.mu.Unlock()
		}
		at := 0
		for _, text := range k.heard {
			for at < len(k.acked) && k.acked[at] != text {
				at++
			}
			if at++; at > len(k.acked) {
				t.Fatalf("%s: %q was heard twice, out of order, or never acknowledged", k.name, text)
			}
		}
		var stored []string
		for page, err := range k.to.With(k.from.UserID()).History(t.Context(), skein.HistoryOptions{}) {
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range page {
				stored = append(stored, m.Text)
			}
		}
		slices.Sort(stored)
		want := slices.Sorted(slices.Values(k.acked))
		if !slices.Equal(stored, want) {
			t.Errorf("%s: %d stored, %d acknowledged", k.name, len(stored), len(want))
		}
	}
	slices.Sort(took)
	p99, worst := took[len(took)*99/100], took[len(took)-1]
	t.Logf("%d messages, 0 lost, 0 failed; p50 %v, p99 %v, the slowest %v", len(took), took[len(took)/2], p99, worst)
	if len(took) < 1000 || p99 > 2*time.Second || worst > 15*time.Second {
		t.Errorf("%d messages, p99 %v, the slowest %v", len(took), p99, worst)
	}
}
