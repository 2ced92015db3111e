package chaos

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// startTime bounds how long a process may take to listen.
const startTime = 60 * time.Second

// spawn starts a process that dies with this one, however this one ends. The
// kernel ties that to the thread which forked, so that one thread starts all
// processes and never ends.
func spawn(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	done := make(chan error, 1)
	spawner() <- func() { done <- cmd.Start() }
	return <-done
}

var spawner = sync.OnceValue(func() chan<- func() { // ends with the process
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for fn := range work {
			fn()
		}
	}()
	return work
})

// Binary returns the server to test: SKEIN_BIN, or one built from this tree
// into a folder of the run's.
func Binary(ctx context.Context, dir string) (string, error) {
	if bin := os.Getenv("SKEIN_BIN"); bin != "" {
		return bin, nil
	}
	bin := filepath.Join(dir, "skein")
	build := exec.CommandContext(ctx, "go", "build", "-o", bin, "github.com/skein-im/skein/cmd/skein")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the server: %w\n%s", err, out)
	}
	return bin, nil
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

// FreeAddress returns a loopback address that nobody listens on, below the
// ports that clients get, so that none of them takes it while its server is
// down.
func FreeAddress() (string, error) {
	for range 200 {
		addr := "127.0.0.1:" + strconv.Itoa(10000+rand.IntN(22000))
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		ln.Close()
		return addr, nil
	}
	return "", errors.New("no free port below 32768")
}

// NodeOptions say what a node is.
type NodeOptions struct {
	Bin   string
	Store []string // --data DIR, and --db URL; also of the operator's commands
	Tools []string // Store as the operator's commands need it; nil: Store
	Args  []string // of serve, beside --listen
	Env   []string // beside the environment
	Addr  string   // to listen on; empty: a free one
	Log   string   // a file that its log is appended to
	// Command wraps the start, for a node in a namespace; nil starts it as it is.
	Command func(bin string, args ...string) *exec.Cmd
}

// Node is one process of the server, which keeps its address over restarts.
type Node struct {
	o NodeOptions

	mu     sync.Mutex // guards the rest
	cmd    *exec.Cmd
	exited chan struct{}
	err    error // of the process, once exited is closed
}

// NewNode prepares a node; Start starts it.
func NewNode(o NodeOptions) (*Node, error) {
	if o.Addr == "" {
		addr, err := FreeAddress()
		if err != nil {
			return nil, err
		}
		o.Addr = addr
	}
	if o.Command == nil {
		o.Command = exec.Command
	}
	return &Node{o: o}, nil
}

// Addr is host:port.
func (n *Node) Addr() string { return n.o.Addr }

// URL is the endpoint for an SDK.
func (n *Node) URL() string { return "http://" + n.o.Addr }

// PID is the process, 0 while there is none.
func (n *Node) PID() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd == nil {
		return 0
	}
	return n.cmd.Process.Pid
}

// Start starts the process and returns when it listens.
func (n *Node) Start(ctx context.Context) error {
	log, err := os.OpenFile(n.o.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	args := append(append([]string{"serve", "--listen", n.o.Addr}, n.o.Store...), n.o.Args...)
	cmd := n.o.Command(n.o.Bin, args...)
	cmd.Env, cmd.Stderr = append(append(cleanEnv(), "SKEIN_SFU=off"), n.o.Env...), log // nodes of one machine would fight for its port
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := spawn(cmd); err != nil {
		return err
	}
	exited, listening := make(chan struct{}), make(chan struct{})
	n.mu.Lock()
	n.cmd, n.exited = cmd, exited
	n.mu.Unlock()
	go func() {
		r := bufio.NewReader(out)
		if line, err := r.ReadString('\n'); err == nil && strings.HasPrefix(line, "listening ") {
			close(listening)
		}
		io.Copy(io.Discard, r)
		err := cmd.Wait()
		n.mu.Lock()
		n.err = err
		n.mu.Unlock()
		close(exited)
	}()
	select {
	case <-listening:
		return nil
	case <-exited:
		return fmt.Errorf("the server ended before it listened: %w\n%s", n.err, n.LogTail(2000))
	case <-ctx.Done():
		n.Signal(syscall.SIGKILL)
		return ctx.Err()
	case <-time.After(startTime):
		n.Signal(syscall.SIGKILL)
		return fmt.Errorf("the server did not listen within %s\n%s", startTime, n.LogTail(2000))
	}
}

// Signal sends a signal and does not wait.
func (n *Node) Signal(sig syscall.Signal) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd == nil {
		return os.ErrProcessDone
	}
	return n.cmd.Process.Signal(sig)
}

// Kill ends it by SIGKILL, and tells whether that is what ended it: a process
// that had gone before was not killed.
func (n *Node) Kill() bool {
	n.mu.Lock()
	cmd, exited := n.cmd, n.exited
	n.mu.Unlock()
	if cmd == nil {
		return false
	}
	cmd.Process.Kill()
	<-exited
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cmd = nil
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// Exited is closed when the process that Start started is gone.
func (n *Node) Exited() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.exited
}

// Stop ends it by SIGTERM, and by SIGKILL when that takes longer than 20 s.
func (n *Node) Stop() error {
	n.mu.Lock()
	cmd, exited := n.cmd, n.exited
	n.mu.Unlock()
	if cmd == nil {
		return nil
	}
	cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-exited:
	case <-time.After(20 * time.Second):
		n.Kill()
		return fmt.Errorf("the server did not end within 20 s of SIGTERM\n%s", n.LogTail(2000))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cmd = nil
	if n.err != nil {
		return fmt.Errorf("the server ended badly: %w", n.err)
	}
	return nil
}

// LogTail returns the end of the log.
func (n *Node) LogTail(max int) string {
	b, err := os.ReadFile(n.o.Log)
	if err != nil {
		return err.Error()
	}
	return string(b[len(b)-min(max, len(b)):])
}

// Tool runs an operator's command on the node's store, such as fsck.
func (n *Node) Tool(ctx context.Context, args ...string) (string, error) {
	store := n.o.Tools
	if store == nil {
		store = n.o.Store
	}
	cmd := exec.CommandContext(ctx, n.o.Bin, append(args, store...)...)
	cmd.Env = append(cleanEnv(), n.o.Env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("skein %s: %w: %s%s", strings.Join(args, " "), err, out, stderr.String())
	}
	return string(out), nil
}

// RSS is the resident memory of a process in bytes; 0 when it is gone.
func RSS(pid int) int64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	f := strings.Fields(string(raw))
	if err != nil || len(f) < 2 {
		return 0
	}
	n, _ := strconv.ParseInt(f[1], 10, 64)
	return n * int64(os.Getpagesize())
}

// pause waits, or returns ctx's error.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// between is a random time.
func between(low, high time.Duration) time.Duration {
	return low + rand.N(high-low+1)
}

// until asks fifty times a second until it is so, or the time is up.
func until(ctx context.Context, limit time.Duration, so func() bool) bool {
	end := time.Now().Add(limit)
	for !so() {
		if time.Now().After(end) || pause(ctx, 20*time.Millisecond) != nil {
			return false
		}
	}
	return true
}
