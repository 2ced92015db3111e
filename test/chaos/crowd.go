package chaos

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/ws"
	pb "github.com/skein-im/skein/proto/skein/v1"
)

// A crowd is many quiet clients in a process of their own: descriptors are
// limited a process, and one that is stopped takes all of its clients along.
// The process is this program again; what it shall do comes on its standard
// input, and what it sees goes to its standard output, a line each.

const crowdEnv = "CHAOS_CROWD"

// crowdOrder is what a crowd is told.
type crowdOrder struct {
	Endpoints []string
	Source    string // the address to dial from, such as 127.0.0.10
	App, Kid  string
	Secret    []byte
	Users     []string
	Receive   int // size of each socket's buffer for receiving; 0 = the kernel's
}

// crowdState is what a crowd sees, several times a second.
type crowdState struct {
	Up, Sessions int64 // connected now; sign-ins so far
	Failed       int64 // attempts that did not succeed
	Entries      int64
	Slowest      float64 // ms from the first lost connection to the newest sign-in
	Final        string  // the last refusal that asks not to come back; "" = none
	Kinds        map[string]int64
}

// crowd is the parent's side.
type crowd struct {
	n   int
	cmd *exec.Cmd
	in  io.WriteCloser

	mu    sync.Mutex // guards state
	state crowdState
}

// startCrowd starts clients of users, dialling from an address of their own.
func startCrowd(app *App, endpoints []string, source string, receive int, users []string) (*crowd, error) {
	c := &crowd{n: len(users), cmd: exec.Command("/proc/self/exe")}
	c.cmd.Env = append(os.Environ(), crowdEnv+"=1")
	c.cmd.Stderr = os.Stderr
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := spawn(c.cmd); err != nil {
		return nil, err
	}
	go func() { // ends with the process
		for d := json.NewDecoder(bufio.NewReader(out)); ; {
			var s crowdState
			if d.Decode(&s) != nil {
				return
			}
			c.mu.Lock()
			c.state = s
			c.mu.Unlock()
		}
	}()
	return c, json.NewEncoder(c.in).Encode(crowdOrder{endpoints, source, app.ID, app.kid, app.secret, users, receive})
}

func (c *crowd) now() crowdState {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// stop ends the process.
func (c *crowd) stop() {
	c.cmd.Process.Kill()
	c.cmd.Wait()
}

// crowdMain is the child's side. It ends when its input does.
func crowdMain() int {
	var o crowdOrder
	in := json.NewDecoder(os.Stdin)
	if err := in.Decode(&o); err != nil {
		return 1
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { io.Copy(io.Discard, os.Stdin); cancel() }()
	m := &crowdMembers{o: o, app: &App{ID: o.App, kid: o.Kid, secret: o.Secret}, kinds: map[string]int64{}}
	for _, u := range o.Users {
		go m.member(ctx, u)
	}
	enc := json.NewEncoder(os.Stdout)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return 0
		case <-tick.C:
			if enc.Encode(m.report()) != nil {
				return 0
			}
		}
	}
}

type crowdMembers struct {
	o                             crowdOrder
	app                           *App
	up, sessions, failed, entries atomic.Int64
	next                          atomic.Int64
	firstLost, newest             atomic.Int64

	mu    sync.Mutex // guards what follows
	final string
	kinds map[string]int64
}

func (m *crowdMembers) report() crowdState {
	m.mu.Lock()
	defer m.mu.Unlock()
	kinds := map[string]int64{}
	for k, n := range m.kinds {
		kinds[k] = n
	}
	s := crowdState{Up: m.up.Load(), Sessions: m.sessions.Load(), Failed: m.failed.Load(), Entries: m.entries.Load(), Final: m.final, Kinds: kinds}
	if lost := m.firstLost.Load(); lost > 0 && m.newest.Load() > lost {
		s.Slowest = float64(m.newest.Load()-lost) / 1e6
	}
	return s
}

// member keeps one client connected, with the back-off of the SDKs
// (docs/sdk-spec.md §3): a random part of 500 ms · 2^attempt, at most 30 s.
func (m *crowdMembers) member(ctx context.Context, user string) {
	token, attempt, cursor := m.app.Token(user), 0, []byte(nil)
	// The first time they come one after the other, or the start is the storm.
	wait := time.Duration(rand.N(int64(len(m.o.Users)+1))) * time.Millisecond
	for ; pause(ctx, wait) == nil; wait = time.Duration(rand.Float64() * float64(min(30*time.Second, 500*time.Millisecond<<min(attempt, 10)))) {
		welcomed, next, err := m.session(ctx, user, token, cursor)
		if next != nil {
			cursor = next
		}
		if welcomed {
			m.up.Add(-1)
			m.firstLost.CompareAndSwap(0, time.Now().UnixNano())
			attempt = 0
			continue
		}
		attempt++
		m.failed.Add(1)
		m.mu.Lock()
		m.kinds[kindOf(err)]++
		var refused final
		if errors.As(err, &refused) {
			m.final = user + ": " + err.Error()
		}
		m.mu.Unlock()
	}
}

// final is a refusal that tells a client not to come back by itself.
type final struct{ error }

// kindOf sorts failed attempts.
func kindOf(err error) string {
	var e final
	var shake *ws.HandshakeError
	switch {
	case errors.As(err, &e):
		return "final"
	case errors.As(err, &shake):
		return "handshake"
	case errors.Is(err, unix.ECONNREFUSED):
		return "refused"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case strings.Contains(fmt.Sprint(err), "hello:"):
		return "asked to come later"
	}
	return "broke"
}

// session is one connection. welcomed tells whether it got as far as that.
func (m *crowdMembers) session(ctx context.Context, user, token string, cursor []byte) (welcomed bool, next []byte, err error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(m.o.Source)}, Control: func(_, _ string, c syscall.RawConn) error {
		if m.o.Receive == 0 {
			return nil
		}
		var refused error
		err := c.Control(func(fd uintptr) {
			refused = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, m.o.Receive)
		})
		return errors.Join(err, refused)
	}}
	dial, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	endpoint := m.o.Endpoints[int(m.next.Add(1))%len(m.o.Endpoints)]
	conn, err := ws.Dial(dial, "ws"+strings.TrimPrefix(endpoint, "http")+"/v1/socket",
		ws.DialOptions{Subprotocols: []string{"skein.v1.proto"}, NetDial: d.DialContext, Limits: ws.Limits{ReadLimit: 4 << 20}})
	if err != nil {
		return false, nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	defer conn.Close()
	if err := stuff(conn, &pb.ClientFrame{Ref: 1, Frame: &pb.ClientFrame_Hello{Hello: &pb.Hello{Protocol: 1, App: m.app.ID, Token: token,
		Device: "crowd", Platform: pb.Platform_PLATFORM_WEB, Sdk: "chaos", Sync: &pb.SyncRequest{Cursor: cursor, Entries: 5}}}}); err != nil {
		return false, nil, err
	}
	if err := conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return false, nil, err
	}
	pings := time.AfterFunc(0, func() {})
	defer pings.Stop()
	for {
		_, raw, err := conn.ReadMessage()
		if err != nil {
			return welcomed, next, err
		}
		var p pb.ServerPacket
		if err := proto.Unmarshal(raw, &p); err != nil {
			return welcomed, next, err
		}
		for _, f := range p.Frames {
			switch k := f.Frame.(type) {
			case *pb.ServerFrame_Welcome:
				welcomed = true
				next = k.Welcome.Sync.Cursor
				m.up.Add(1)
				m.sessions.Add(1)
				m.newest.Store(time.Now().UnixNano())
				if err := conn.SetReadDeadline(time.Time{}); err != nil {
					return true, next, err
				}
				pings = m.ping(conn)
				defer pings.Stop()
			case *pb.ServerFrame_Entry:
				m.entries.Add(1)
			case *pb.ServerFrame_Error:
				if !welcomed {
					err := fmt.Errorf("hello: %s %s", k.Error.Code, k.Error.Message)
					switch k.Error.Code {
					case pb.ErrorCode_ERROR_CODE_UNAVAILABLE, pb.ErrorCode_ERROR_CODE_RATE_LIMITED, pb.ErrorCode_ERROR_CODE_RESOURCE_EXHAUSTED, pb.ErrorCode_ERROR_CODE_INTERNAL:
						return false, nil, err
					}
					return false, nil, final{err}
				}
			}
		}
		if len(p.Cursor) > 0 {
			next = p.Cursor
		}
	}
}

// ping keeps a quiet connection alive.
func (m *crowdMembers) ping(conn *ws.Conn) *time.Timer {
	var t *time.Timer
	every := between(15*time.Second, 25*time.Second)
	t = time.AfterFunc(every, func() {
		if stuff(conn, &pb.ClientFrame{Ref: 2, Frame: &pb.ClientFrame_Ping{Ping: &pb.Ping{}}}) == nil {
			t.Reset(every)
		}
	})
	return t
}

// gather starts crowds of users, some thousand a process, each from a source
// address of its own, and waits until all are connected.
func gather(ctx context.Context, e *Env, c *Cluster, users []string, each, receive int) (all []*crowd, err error) {
	for i := 0; i*each < len(users); i++ {
		one, err := startCrowd(c.App(), c.Endpoints(), fmt.Sprintf("127.0.0.%d", 10+i), receive, users[i*each:min((i+1)*each, len(users))])
		if err != nil {
			return all, err
		}
		all = append(all, one)
	}
	if !until(ctx, 2*time.Minute, func() bool { return up(all) == int64(len(users)) }) {
		return all, fmt.Errorf("%d of %d clients are connected after two minutes: %+v", up(all), len(users), all[0].now())
	}
	e.Logf("%d clients are connected", up(all))
	return all, nil
}

func up(all []*crowd) (n int64) {
	for _, c := range all {
		n += c.now().Up
	}
	return n
}

// crowdGroups puts users into groups of so many, so that each sync has
// something to tell, and returns a load whose senders write to them.
func crowdGroups(ctx context.Context, l *Load, users []string, size int) (convs []*conv, err error) {
	for i := 0; i < len(users); i += size {
		id := fmt.Sprintf("crowd%05d", i)
		owner := "host" + id
		members := users[i:min(i+size, len(users))]
		if err := l.createGroup(ctx, id, owner, members); err != nil {
			return nil, err
		}
		convs = append(convs, &conv{id: id, reader: owner})
	}
	return convs, nil
}
