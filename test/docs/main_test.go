// Package docs_test runs the documentation. Every code block of the README,
// the guide, the SDKs' and the examples' pages is executed against the real
// server, in the order in which a reader meets it, and what the page says
// comes of it is asserted: by the text block that follows a block (its
// output), and by checks in HTML comments.
//
// A page has up to three programs: its shell (sh, js and files, in one
// folder), its TypeScript blocks, and its Go blocks; each gets a server of its
// own. The TypeScript and Go blocks of a page are one program each. In the
// guide's, `im` is a client of alice that is connected; asBob and asCarol are
// for checks. The Chinese pages have the same code as the English ones, which
// is a test of its own, and are not run again.
package docs_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/feature/call/calltest"
	"github.com/skein-im/skein/test/cluster"
)

// What TestMain has made for all tests.
var (
	root   string           // of the repository
	binary string           // the server, as it is in the tree
	work   string           // a folder that is removed at the end
	media  *calltest.Server // of calls
)

// patience is how long anything may take before it counts as not happening.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	os.Exit(cluster.WithBinary("skein-docs", func(built string) int {
		dir, err := os.MkdirTemp("", "skein-docs-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		media = calltest.New()
		defer media.HTTP.Close()
		if root, err = filepath.Abs("../.."); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		work, binary = dir, built
		return m.Run()
	}))
}

// process is a program that runs beside the test, with its whole family.
type process struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	once  sync.Once // stops it

	mu    sync.Mutex // guards the rest
	out   bytes.Buffer
	err   bytes.Buffer
	more  chan struct{} // closed and replaced when out has grown
	ended bool
}

// start runs a command until the test ends.
func start(t *testing.T, dir string, env []string, name string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(name, args...), more: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env = dir, env
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.Stderr = &writer{p, &p.err}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		io.Copy(&writer{p, &p.out}, bufio.NewReader(out))
		p.mu.Lock()
		p.ended = true
		p.wake()
		p.mu.Unlock()
	}()
	t.Cleanup(p.stop)
	return p
}

// writer puts what a process prints where it can be read while it runs.
type writer struct {
	p  *process
	to *bytes.Buffer
}

func (w *writer) Write(b []byte) (int, error) {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	w.to.Write(b)
	w.p.wake()
	return len(b), nil
}

// wake is called with mu held.
func (p *process) wake() {
	close(p.more)
	p.more = make(chan struct{})
}

// await waits until the output fulfils a condition and returns it.
func (p *process) await(t *testing.T, what string, ok func(out string) bool) string {
	t.Helper()
	deadline := time.After(patience)
	for {
		p.mu.Lock()
		out, stderr, more, ended := p.out.String(), p.err.String(), p.more, p.ended
		p.mu.Unlock()
		if ok(out) {
			return out
		}
		if ended {
			t.Fatalf("%s ended without %s; it printed\n%s%s", p.cmd, what, out, stderr)
		}
		select {
		case <-more:
		case <-deadline:
			t.Fatalf("%s: no %s within %v; it printed\n%s%s", p.cmd, what, patience, out, stderr)
		}
	}
}

// stop ends it and everything that it has started. It may be called again.
func (p *process) stop() {
	p.once.Do(func() {
		syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		p.stdin.Close()
		p.cmd.Wait()
	})
}

// host is a server that runs as `make run` starts it. Programs of a page may
// stop it and start it again.
type host struct {
	t       *testing.T
	dir     string
	url     string
	process *process
	control string // POST here /stop and /start
}

// serve starts a server with its data in the folder dir/data.
func serve(t *testing.T, dir string) *host {
	t.Helper()
	h := &host{t: t, dir: dir}
	h.start("127.0.0.1:0")
	mux := http.NewServeMux()
	mux.HandleFunc("POST /stop", func(http.ResponseWriter, *http.Request) {
		h.process.cmd.Process.Signal(syscall.SIGTERM)
		h.process.cmd.Wait()
	})
	mux.HandleFunc("POST /start", func(http.ResponseWriter, *http.Request) { h.start(strings.TrimPrefix(h.url, "http://")) })
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	h.control = s.URL
	return h
}

func (h *host) start(listen string) {
	h.t.Helper()
	h.process = start(h.t, h.dir, append(environ(), "SKEIN_CALLS_SECRET="+calltest.Secret), binary, "serve", "--dev", "--listen", listen,
		"--data", filepath.Join(h.dir, "data"), "--calls-url", "ws"+strings.TrimPrefix(media.HTTP.URL, "http"), "--calls-key", calltest.Key)
	out := h.process.await(h.t, "address", func(out string) bool { return strings.Contains(out, "\n") })
	line, _, _ := strings.Cut(out, "\n")
	h.url = strings.TrimPrefix(strings.TrimSpace(line), "listening ")
}

// env is what programs need to find it.
func (h *host) env() []string {
	return environ("SKEIN_ENDPOINT="+h.url, "SKEIN_CONTROL="+h.control)
}

// environ is the environment of every program that is run here: without
// anything that would change what the pages describe.
func environ(more ...string) []string {
	var env []string
	for _, line := range os.Environ() {
		if !strings.HasPrefix(line, "SKEIN_") && !strings.HasPrefix(line, "NODE_") {
			env = append(env, line)
		}
	}
	return append(env, more...)
}

// freePort is a port that nobody has listened on just now.
func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
