package wire_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/feature/call/calltest"
)

// patience bounds every wait for something that has to come. It is long
// because the machine may be busy; nothing waits for it when all is well.
const patience = 20 * time.Second

// server is a running binary.
type server struct {
	url    string // http://127.0.0.1:port
	dir    string
	apps   map[string]*app
	cmd    *exec.Cmd
	logs   *logBuffer
	exited chan struct{}    // closed when the process is gone
	err    error            // of the process, once exited
	media  *calltest.Server // of calls; nil = none
}

// logBuffer collects what a process writes.
type logBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// launch starts a server on a loopback port of the system's choice.
func launch(dir string, apps map[string]*app, args ...string) (*server, error) {
	return launchAs(exec.Command(bin, append([]string{"serve", "--listen", "127.0.0.1:0", "--data", dir}, args...)...), dir, apps)
}

// launchAs starts a server by a command of the caller's.
func launchAs(cmd *exec.Cmd, dir string, apps map[string]*app) (*server, error) {
	s := &server{dir: dir, apps: apps, logs: &logBuffer{}, exited: make(chan struct{}), cmd: cmd}
	s.cmd.Stderr = s.logs
	s.cmd.Env = append(append(cleanEnv(), "SKEIN_SFU=off"), cmd.Env...) // who tests calls says what it needs
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	listening := make(chan string, 1)
	go func() {
		sc := bufio.NewScanner(out)
		for sc.Scan() {
			if url, ok := strings.CutPrefix(sc.Text(), "listening "); ok {
				listening <- url
			}
		}
		s.err = s.cmd.Wait()
		close(s.exited)
	}()
	select {
	case s.url = <-listening:
		return s, nil
	case <-s.exited:
		return nil, fmt.Errorf("the server did not start: %w\n%s", errors.Join(s.err, errors.New("it has exited")), s.logs.String())
	case <-time.After(patience):
		s.cmd.Process.Kill()
		return nil, fmt.Errorf("the server did not start within %s\n%s", patience, s.logs.String())
	}
}

// cleanEnv is the environment without options for the server.
func cleanEnv() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "SKEIN_") {
			env = append(env, v)
		}
	}
	return env
}

// serve starts a server of the test's own with the app "wire", and ends it
// with the test.
func serve(t *testing.T, args ...string) *server {
	t.Helper()
	return serveOn(t, filepath.Join(t.TempDir(), "data"), args...)
}

func serveOn(t *testing.T, dir string, args ...string) *server {
	t.Helper()
	apps, err := makeApps(dir, "wire")
	if err != nil {
		t.Fatal(err)
	}
	s, err := launch(dir, apps, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// again starts a server that was killed, on the same folder.
func (s *server) again(t *testing.T, args ...string) *server {
	t.Helper()
	next, err := launch(s.dir, s.apps, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := next.stop(); err != nil {
			t.Error(err)
		}
	})
	return next
}

// stop ends the server in order; one that is gone already is fine.
func (s *server) stop() error {
	select {
	case <-s.exited:
		return nil
	default:
	}
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.exited:
		if s.err != nil {
			return fmt.Errorf("the server ended badly: %w\n%s", s.err, s.logs.String())
		}
		return nil
	case <-time.After(patience):
		s.cmd.Process.Kill()
		<-s.exited
		return fmt.Errorf("the server did not end within %s\n%s", patience, s.logs.String())
	}
}

// kill ends the server as a crash does.
func (s *server) kill() {
	s.cmd.Process.Kill()
	<-s.exited
}

// fsck proves the invariants of a folder whose server has ended.
func (s *server) fsck(t *testing.T) {
	t.Helper()
	out, err := exec.Command(bin, "fsck", "--data", s.dir).CombinedOutput()
	if err != nil {
		t.Errorf("fsck: %v\n%s", err, out)
	}
}

// app is the app that tests use unless they say otherwise.
func (s *server) app() *app { return s.apps["wire"] }

// alive fails the test unless the server is up, in the process that was
// started, and says that it can serve.
func (s *server) alive(t *testing.T) {
	t.Helper()
	select {
	case <-s.exited:
		t.Fatalf("the server is gone: %v\n%s", s.err, s.logs.String())
	default:
	}
	if status, body := s.health(t); status != http.StatusOK || body != "ok\n" {
		t.Fatalf("healthz: %d %q", status, body)
	}
}

func (s *server) health(t *testing.T) (int, string) {
	t.Helper()
	return s.get(t, "/healthz", nil)
}

// get fetches a path; header can be nil.
func (s *server) get(t *testing.T, path string, header http.Header) (int, string) {
	t.Helper()
	return s.do(t, http.MethodGet, path, header, "")
}

func (s *server) do(t *testing.T, method, path string, header http.Header, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		r.Header[k] = v
	}
	if h := header.Get("Host"); h != "" {
		r.Host = h
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// until asks again and again, a hundred times a second, until it is so.
func until(t *testing.T, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(patience)
	for !so() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}
