package script

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"syscall"

	"github.com/skein-im/skein/internal/feature/call/calltest"
	"github.com/skein-im/skein/test/cluster"
)

// Host is the real server in a process of its own, or several such nodes on
// one database.
type Host struct {
	Binary string
	Store  []string // --data or --db, also of app and token

	nodes []*cluster.Node
	media *calltest.Server // of calls
	log   lockedBuffer

	mu     sync.Mutex // guards the rest
	turn   int        // of the next connection
	victim int        // the node that the next stop ends
}

// ringTime is how long a call rings: long enough that a busy machine answers, and
// short enough to wait for.
const ringTime = "12s"

// NewHost lays out so many nodes; Start starts them.
func NewHost(binary string, nodes int, store []string) (*Host, error) {
	h := &Host{Binary: binary, Store: store}
	if nodes == 1 {
		h.nodes = []*cluster.Node{{Name: "the server", Binary: binary, Listen: "127.0.0.1:0", Args: store}}
	} else {
		var err error
		if h.nodes, err = cluster.Nodes(nodes, binary, store); err != nil {
			return nil, err
		}
	}
	h.media = calltest.New()
	for _, n := range h.nodes {
		n.Log = &h.log
		// In the environment, which stays when a script moves to another store.
		n.Env = append(n.Env, "SKEIN_CALLS_URL=ws"+strings.TrimPrefix(h.media.HTTP.URL, "http"), "SKEIN_CALLS_KEY="+calltest.Key,
			"SKEIN_CALLS_SECRET="+calltest.Secret, "SKEIN_CALLS_RING_TIME="+ringTime)
	}
	return h, nil
}

// Start starts the nodes that do not run, and waits until they listen.
func (h *Host) Start() error {
	for _, n := range h.nodes {
		if n.Up() {
			continue
		}
		if err := n.Start(); err != nil {
			return fmt.Errorf("%w\n%s", err, h.Log())
		}
	}
	return nil
}

// Addr is where the next connection goes: to the nodes that run, in turn, so
// that the devices of a script are on different ones.
func (h *Host) Addr() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	for range h.nodes {
		n := h.nodes[h.turn%len(h.nodes)]
		h.turn++
		if n.Up() {
			return n.Addr()
		}
	}
	return h.nodes[0].Addr()
}

// Stop ends one node, by SIGTERM or at once by SIGKILL; the next time the next.
func (h *Host) Stop(sig syscall.Signal) error {
	h.mu.Lock()
	n := h.nodes[h.victim%len(h.nodes)]
	h.victim++
	h.mu.Unlock()
	return n.Stop(sig)
}

// End ends all nodes in order.
func (h *Host) End() error {
	var errs []error
	for _, n := range h.nodes {
		errs = append(errs, n.Stop(syscall.SIGTERM))
	}
	h.media.HTTP.Close()
	for _, w := range h.media.Wrong() {
		errs = append(errs, fmt.Errorf("the media server's contract was broken: %s", w))
	}
	return errors.Join(errs...)
}

// Log is what the nodes have written.
func (h *Host) Log() string { return h.log.String() }

// lockedBuffer is a buffer that several processes' output goes to.
type lockedBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String is all that was written.
func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Server is a script's view of a host. Several scripts may run on one at the
// same time: each has its own app, so that users and groups of the same name
// do not meet.
type Server struct {
	*Host
	App    string
	Prefix string // of group ids
	// KID and Secret are the app's secret, for its back end.
	KID, Secret string
}

// CreateApp makes the script's app.
func (s *Server) CreateApp() error {
	out, err := s.tool("app", "create", s.App)
	for line := range strings.Lines(out) {
		switch name, value, _ := strings.Cut(line, ":"); name {
		case "kid":
			s.KID = strings.TrimSpace(value)
		case "secret":
			s.Secret = strings.TrimSpace(value)
		}
	}
	return err
}

// Token signs a token for a user, as an operator would.
func (s *Server) Token(user string) (string, error) {
	out, err := s.tool("token", "--app", s.App, "--user", user)
	return strings.TrimSpace(out), err
}

func (h *Host) tool(args ...string) (string, error) {
	cmd := exec.Command(h.Binary, append(args, h.Store...)...)
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
	if verb == "quota" {
		return w.quota(a)
	}
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
	return fmt.Errorf("the server can kill, stop and start, and set a quota")
}

// quota sets what the script's app may use, as an operator would: each word is
// a flag of skein app quota, without the hyphens before it.
func (w *world) quota(a *args) error {
	words := a.rest()
	if len(words) == 0 {
		return fmt.Errorf("quota needs NAME=VALUE")
	}
	flags := []string{"app", "quota", w.b.Server.App}
	for _, word := range words {
		flags = append(flags, "--"+word)
	}
	_, err := w.b.Server.tool(flags...)
	return err
}
