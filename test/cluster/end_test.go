package cluster

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/pgtest"
	skein "github.com/skein-im/skein/sdk/go"
)

// watched is a node with an admin listener.
type watched struct {
	*Node
	admin string
}

// watch starts a node under an admin listener, on a database that exists or,
// without one, on SQLite.
func watch(t *testing.T, db string, args ...string) *watched {
	t.Helper()
	admin, err := freeAddr()
	if err != nil {
		t.Fatal(err)
	}
	args = append([]string{"--dev", "--data", t.TempDir(), "--admin-listen", admin}, args...)
	if db != "" {
		args = append(args, "--db", db)
	}
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	n := &watched{&Node{Name: "node", Binary: binary, Listen: "127.0.0.1:0", Args: args, Log: log}, admin}
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		n.Stop(syscall.SIGKILL)
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("the node said:\n%s", text)
		}
	})
	return n
}

// reasons asks the admin listener why the node is not ready; "" when it is.
func (n *watched) reasons(t *testing.T) string {
	t.Helper()
	res, err := http.Get("http://" + n.admin + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var report struct {
		Ready   bool
		Reasons []struct{ Name, Message string }
	}
	if err := json.NewDecoder(res.Body).Decode(&report); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range report.Reasons {
		names = append(names, r.Name)
	}
	if report.Ready != (res.StatusCode == http.StatusOK) || report.Ready != (len(names) == 0) {
		t.Fatalf("%d %+v", res.StatusCode, report)
	}
	return strings.Join(names, " ")
}

// becomes waits until the reasons fit.
func (n *watched) becomes(t *testing.T, what string, fits func(string) bool) time.Duration {
	t.Helper()
	began := time.Now()
	for {
		got := n.reasons(t)
		if fits(got) {
			return time.Since(began)
		}
		if time.Since(began) > 20*time.Second {
			t.Fatalf("it never became %s: %q", what, got)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// direct connects a user to one node.
func direct(t *testing.T, addr, user string) *skein.Client {
	t.Helper()
	client, err := skein.New(skein.Options{Endpoint: "http://" + addr, AppID: "demo", User: user,
		Token: func(context.Context) (string, error) { return tokenOf(t, addr, user), nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if err := client.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	return client
}

func status(t *testing.T, url string) int {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

// linked returns a server's URL by way of a link to its socket, which another
// start moves.
func linked(t *testing.T, pg *pgtest.Server, link string) string {
	t.Helper()
	u, err := url.Parse(pg.URL())
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	os.Remove(link)
	if err := os.Symlink(q.Get("host"), link); err != nil {
		t.Fatal(err)
	}
	q.Set("host", link)
	u.RawQuery = q.Encode()
	return u.String()
}

func TestANodeWhoseDatabaseIsStoppedSaysSoAndRecovers(t *testing.T) {
	t.Parallel()                                 // it waits for most of its time
	dir, err := os.MkdirTemp("", "skein-ready-") // t.TempDir is closed to the user postgres
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	pg, err := pgtest.Serve(t.Context(), filepath.Join(dir, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	n := watch(t, linked(t, pg, filepath.Join(dir, "link")))
	if got := n.reasons(t); got != "" {
		t.Fatalf("it listens and is not ready: %s", got)
	}
	if err := pg.Stop(); err != nil {
		t.Fatal(err)
	}
	took := n.becomes(t, "unready", func(s string) bool { return strings.Contains(s, "database") })
	t.Logf("unready %v after the database was stopped", took)
	if took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	n.becomes(t, "without its lease", func(s string) bool { return strings.Contains(s, "lease") })
	if status(t, n.Ready()) != http.StatusServiceUnavailable || status(t, "http://"+n.Addr()+"/livez") != http.StatusOK {
		t.Error("the public listener says something else")
	}
	if pg, err = pgtest.Serve(t.Context(), filepath.Join(dir, "postgres")); err != nil {
		t.Fatal(err)
	}
	defer pg.Stop()
	linked(t, pg, filepath.Join(dir, "link"))
	t.Logf("ready %v after it was started", n.becomes(t, "ready", func(s string) bool { return s == "" }))
}

func TestANodeThatIsToldToEndGoesOnForTheDelayAndEndsInOrder(t *testing.T) {
	n := watch(t, "", "--drain-delay", "1500ms", "--drain-spread", "1s")
	ann := direct(t, n.Addr(), "ann")
	if _, err := ann.With("bob").Send(t.Context(), skein.Outgoing{Text: "before"}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := syscall.Kill(n.Pid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if took := n.becomes(t, "draining", func(s string) bool { return s == "draining" }); took > time.Second {
		t.Errorf("it says so after %v", took)
	}
	if status(t, n.Ready()) != http.StatusServiceUnavailable || status(t, "http://"+n.admin+"/livez") != http.StatusOK {
		t.Error("a draining node is ready, or dead")
	}
	if _, err := ann.With("bob").Send(t.Context(), skein.Outgoing{Text: "during the delay"}); err != nil {
		t.Errorf("a send during the delay: %v", err)
	}
	if time.Since(began) > 1500*time.Millisecond {
		t.Error("the delay was over before the send was answered")
	}
	if err := n.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if took := time.Since(began); took < 1500*time.Millisecond || took > 8*time.Second {
		t.Errorf("it ended after %v", took)
	}
}

func TestASecondSignalEndsANodeAtOnce(t *testing.T) {
	n := watch(t, "", "--drain-delay", "1m", "--drain-timeout", "2m")
	if err := syscall.Kill(n.Pid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	n.becomes(t, "draining", func(s string) bool { return s == "draining" })
	if !n.Up() {
		t.Fatal("it ended although it may take a minute")
	}
	began := time.Now()
	if err := n.Stop(syscall.SIGTERM); err == nil {
		t.Error("it ended as if it had finished")
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestTheAdminListenerServesMetricsAndProfilesAndThePublicOneDoesNot(t *testing.T) {
	n := watch(t, "")
	for _, path := range []string{"/metrics", "/version", "/debug/pprof/goroutine?debug=1", "/livez", "/readyz"} {
		if got := status(t, "http://"+n.admin+path); got != http.StatusOK {
			t.Errorf("%s answers %d", path, got)
		}
	}
	for _, path := range []string{"/metrics", "/debug/pprof/goroutine?debug=1", "/version"} {
		res, err := http.Get("http://" + n.Addr() + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if kind := res.Header.Get("Content-Type"); res.StatusCode == http.StatusOK && !strings.HasPrefix(kind, "text/html") { // the web app answers for its own paths
			t.Errorf("the public listener answers %s with %d %s", path, res.StatusCode, kind)
		}
	}
}
