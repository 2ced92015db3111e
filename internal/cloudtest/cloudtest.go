// Package cloudtest starts throw-away object stores for tests: programs that
// speak the protocols of S3 (versitygw), Azure Blob (Azurite) and Google Cloud
// Storage (fake-gcs-server). scripts/setup.sh installs them. They listen on
// loopback, keep their data below the temporary folder of the test, and are
// stopped by process id when it ends.
package cloudtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Server is a store that runs.
type Server struct {
	// URL is its address, such as http://127.0.0.1:40001.
	URL string
	// Dir is where its data lie.
	Dir string

	command func() *exec.Cmd
	ready   func(url string) error
	mu      sync.Mutex // guards what follows
	running *exec.Cmd
	said    *output
}

// Credentials of the S3 server.
const (
	S3Key    = "test"
	S3Secret = "test-secret"
)

// S3 starts a server of S3's protocol, without buckets.
func S3(t testing.TB) *Server {
	t.Helper()
	dir, port := t.TempDir(), freePort(t)
	objects, meta := filepath.Join(dir, "objects"), filepath.Join(dir, "meta")
	for _, d := range []string{objects, meta} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	program := find(t, "versitygw")
	return start(t, dir, port, func() *exec.Cmd {
		return exec.Command(program, "--access", S3Key, "--secret", S3Secret, "--port", fmt.Sprint("127.0.0.1:", port), "--quiet",
			"posix", "--sidecar", meta, objects)
	}, answers("/"))
}

// GCS starts a server of Google Cloud Storage's JSON interface with one bucket.
func GCS(t testing.TB, bucket string) *Server {
	t.Helper()
	dir, port := t.TempDir(), freePort(t)
	if err := os.MkdirAll(filepath.Join(dir, "data", bucket), 0o700); err != nil {
		t.Fatal(err)
	}
	program := find(t, "fake-gcs-server")
	return start(t, dir, port, func() *exec.Cmd {
		return exec.Command(program, "-scheme", "http", "-host", "127.0.0.1", "-port", strconv.Itoa(port), "-public-host", fmt.Sprint("127.0.0.1:", port),
			"-backend", "filesystem", "-filesystem-root", filepath.Join(dir, "root"), "-data", filepath.Join(dir, "data"), "-log-level", "error")
	}, answers("/storage/v1/b/"+bucket))
}

// Credentials of the Azure server.
const (
	AzureAccount = "devaccount"
	AzureKey     = "c2tlaW4gdGVzdCBrZXkgb2YgYSB0aHJvdy1hd2F5IHNlcnZlcg=="
)

// Azure starts a server of Azure Blob's protocol, without containers. The
// account is a part of its path: URL + "/" + AzureAccount.
func Azure(t testing.TB) *Server {
	t.Helper()
	dir, port := t.TempDir(), freePort(t)
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal("cloudtest: node is not installed")
	}
	script := filepath.Join(root(t), ".tools", "azurite", "node_modules", "azurite", "dist", "src", "blob", "main.js")
	if _, err := os.Stat(script); err != nil {
		t.Fatalf("cloudtest: azurite is not installed, run scripts/setup.sh: %v", err)
	}
	return start(t, dir, port, func() *exec.Cmd {
		c := exec.Command(node, script, "--silent", "--disableTelemetry", "--skipApiVersionCheck", "--blobHost", "127.0.0.1", "--blobPort", strconv.Itoa(port), "--location", dir)
		c.Env = append(os.Environ(), "AZURITE_ACCOUNTS="+AzureAccount+":"+AzureKey)
		return c
	}, answers("/"+AzureAccount))
}

// Kill ends the server at once, as a crash does.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == nil {
		return
	}
	if err := s.running.Process.Kill(); err != nil {
		t.Errorf("cloudtest: %v", err)
	}
	_ = s.running.Wait()
	s.running = nil
}

// Start starts a server again that was killed, with the data that it had.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running, s.said = s.command(), new(output)
	s.running.Stdout, s.running.Stderr = s.said, s.said
	s.running.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.running.Start(); err != nil {
		t.Fatalf("cloudtest: %v", err)
	}
	var err error
	for until := time.Now().Add(30 * time.Second); time.Now().Before(until); <-time.After(20 * time.Millisecond) {
		if err = s.ready(s.URL); err == nil {
			return
		}
	}
	t.Fatalf("cloudtest: %s does not answer: %v\n%s", s.running.Path, err, s.said)
}

// output is what a program says, its last 64 KiB.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.b.Len() > 64<<10 {
		o.b.Reset()
	}
	return o.b.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func start(t testing.TB, dir string, port int, command func() *exec.Cmd, ready func(string) error) *Server {
	t.Helper()
	s := &Server{Dir: dir, URL: fmt.Sprintf("http://127.0.0.1:%d", port), command: command, ready: ready}
	s.Start(t)
	t.Cleanup(func() { s.Kill(t) })
	return s
}

// answers asks a path; any answer will do.
func answers(path string) func(string) error {
	return func(url string) error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+path, nil)
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		return res.Body.Close()
	}
}

// freePort finds a port that nobody listens on. They are below those that the
// system gives to outgoing connections.
func freePort(t testing.TB) int {
	t.Helper()
	// Not one after the other: the program that a port was found for listens later.
	for range 1000 {
		port := 21_000 + rand.IntN(11_000)
		l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port))
		if err == nil {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			return port
		}
	}
	t.Fatal("cloudtest: no free port")
	return 0
}

// find finds a program that scripts/setup.sh built.
func find(t testing.TB, name string) string {
	t.Helper()
	program := filepath.Join(root(t), ".tools", name)
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("cloudtest: %s is not installed, run scripts/setup.sh: %v", name, err)
	}
	return program
}

// root is the top of the tree.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil {
		if _, serr := os.Stat(filepath.Join(dir, "go.mod")); serr == nil {
			return dir
		}
		if filepath.Dir(dir) == dir {
			err = errors.New("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	t.Fatalf("cloudtest: %v", err)
	return ""
}
