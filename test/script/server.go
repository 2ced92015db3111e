package script

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
)

// Server is the real server in a process of its own. Several scripts may run
// against one at the same time: each has its own app, so that users and groups
// of the same name do not meet.
type Server struct {
	Binary string
	Args   []string // of serve, beside --listen
	Store  []string // --data or --db, also of app and token
	App    string
	Prefix string // of group ids

	mu   sync.Mutex // guards the rest
	cmd  *exec.Cmd
	addr string
	log  bytes.Buffer
}

// Start starts the process and waits until it listens.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	listen := "127.0.0.1:0"
	if s.addr != "" {
		listen = s.addr // where the devices' links look for it
	}
	cmd := exec.Command(s.Binary, append(append([]string{"serve", "--listen", listen}, s.Store...), s.Args...)...)
	cmd.Stderr = &s.log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	r := bufio.NewReader(out)
	line, err := r.ReadString('\n')
	if err != nil {
		cmd.Wait()
		return fmt.Errorf("the server ended before it listened: %w\n%s", err, s.log.String())
	}
	go io.Copy(io.Discard, r) // ends with the process
	s.cmd, s.addr = cmd, strings.TrimPrefix(strings.TrimSpace(line), "listening http://")
	return nil
}

// Addr is where it listens.
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addr
}

// Stop ends it: by SIGTERM, or at once by SIGKILL.
func (s *Server) Stop(sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return nil
	}
	if err := s.cmd.Process.Signal(sig); err != nil {
		return err
	}
	s.cmd.Wait()
	s.cmd = nil
	return nil
}

// Log is what it has written.
func (s *Server) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// CreateApp makes the script's app.
func (s *Server) CreateApp() error {
	_, err := s.tool("app", "create", s.App)
	return err
}

// Token signs a token for a user, as an operator would.
func (s *Server) Token(user string) (string, error) {
	out, err := s.tool("token", "--app", s.App, "--user", user)
	return strings.TrimSpace(out), err
}

func (s *Server) tool(args ...string) (string, error) {
	cmd := exec.Command(s.Binary, append(args, s.Store...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("skein %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out), nil
}

// server runs a step of the actor "server".
func (w *world) server(_ context.Context, verb string, a *args) error {
	if err := a.done(); err != nil {
		return err
	}
	switch verb {
	case "kill":
		return w.b.Server.Stop(syscall.SIGKILL)
	case "stop":
		return w.b.Server.Stop(syscall.SIGTERM)
	case "start":
		return w.b.Server.Start()
	}
	return fmt.Errorf("the server can kill, stop and start")
}
