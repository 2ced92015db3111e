package cluster

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Node is one server process: `skein serve` with the given arguments. It can
// be stopped in any way and started again under the same address.
type Node struct {
	// Name is for people.
	Name string
	// Binary is the program.
	Binary string
	// Args follow "serve"; --listen is not among them.
	Args []string
	// Listen is the address to listen on; port 0 is any, and then the same
	// one at every later start.
	Listen string
	// Env are further variables, NAME=value.
	Env []string
	// Log takes what it writes to standard error.
	Log io.Writer

	mu    sync.Mutex // guards the rest
	cmd   *exec.Cmd
	ended chan struct{} // closed when the process is gone
	how   error
}

// Start starts the process and waits until it listens.
func (n *Node) Start() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd != nil && !closed(n.ended) {
		return fmt.Errorf("%s runs already", n.Name)
	}
	cmd := exec.Command(n.Binary, append([]string{"serve", "--listen", n.Listen}, n.Args...)...)
	// A media server for calls is somebody else's test: nodes of one machine would
	// fight for its port.
	cmd.Env = append(append(os.Environ(), "SKEIN_SFU=off"), n.Env...)
	cmd.Stderr = n.Log
	cmd.SysProcAttr = ownGroup()
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	r := bufio.NewReader(out)
	line, err := r.ReadString('\n')
	_, addr, ok := strings.Cut(strings.TrimSpace(line), "://")
	if err != nil || !ok {
		_ = cmd.Process.Kill()
		return fmt.Errorf("%s ended before it listened: %w", n.Name, errors.Join(err, cmd.Wait()))
	}
	ended := make(chan struct{})
	n.cmd, n.ended, n.Listen = cmd, ended, addr
	go func() { // ends with the process
		_, _ = io.Copy(io.Discard, r)
		err := cmd.Wait()
		n.mu.Lock()
		n.how = err
		n.mu.Unlock()
		close(ended)
	}()
	return nil
}

// Addr is where it listens, or last did.
func (n *Node) Addr() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.Listen
}

// Pid is its process, or last was; 0 before the first start.
func (n *Node) Pid() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd == nil {
		return 0
	}
	return n.cmd.Process.Pid
}

// Up tells whether the process runs.
func (n *Node) Up() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cmd != nil && !closed(n.ended)
}

// Wait returns when the process has ended, with how: nil after SIGTERM.
func (n *Node) Wait() error {
	n.mu.Lock()
	ended := n.ended
	n.mu.Unlock()
	if ended == nil {
		return nil
	}
	<-ended
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.how
}

// Stop signals the process, if there is one, and waits for its end.
func (n *Node) Stop(sig syscall.Signal) error {
	if !n.Up() {
		return nil
	}
	n.mu.Lock()
	p := n.cmd.Process
	n.mu.Unlock()
	if err := p.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	if err := n.Wait(); err != nil && sig != syscall.SIGKILL {
		return fmt.Errorf("%s: %w", n.Name, err)
	}
	return nil
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// freeAddr returns an address of loopback that nobody listens on, below the
// ports that the kernel gives to connections on their way out: so it is still
// free when a node that was killed comes back to it.
func freeAddr() (string, error) {
	for range 200 {
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(15000+rand.IntN(17000)))
		if ln, err := net.Listen("tcp", addr); err == nil {
			return addr, ln.Close()
		}
	}
	return "", fmt.Errorf("no free port on 127.0.0.1")
}

// Ready is the URL that answers 200 while the node takes connections.
func (n *Node) Ready() string { return "http://" + n.Addr() + "/healthz" }
