// Package gateway holds the sockets: it frames, answers, and delivers what
// the journal commits to whoever is online. It knows no SQL and decides no
// permission.
//
// A session is a step machine (machine.go) that goroutines only carry events
// to: one reads the socket, the journal brings outcomes, the fan-out brings
// entries. Its output is a bounded queue; a goroutine writes it out only
// while there is something to write, so that an idle connection costs one
// parked reader and no buffer.
//
// The fan-out (fanout.go) reads the shards in the order of pos. Hints from
// the bus carry the entries, but what they leave out is read from the
// journal; so a session sees every entry once and in order, and its cursor is
// simply how far the fan-out has come.
package gateway

import (
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/metrics"
	"github.com/skein-im/skein/internal/presence"
	"github.com/skein-im/skein/internal/quota"
	"github.com/skein-im/skein/internal/trace"
	"github.com/skein-im/skein/internal/turn"
	"github.com/skein-im/skein/internal/ws"
)

// Doorman signs devices in and says when they are out; *auth.Auth.
type Doorman interface {
	Authenticate(ctx context.Context, app im.AppID, token string, d auth.DeviceInfo) (auth.Session, error)
	Refresh(ctx context.Context, s auth.Session, token string) (auth.Session, error)
	// Confirm is asked once a session can be found by Apply, so that a
	// sign-out can not fall between the two.
	Confirm(s auth.Session) error
	// Valid is asked before this node accepts or delivers anything.
	Valid() bool
	AllowsOrigin(ctx context.Context, app im.AppID, origin string) (bool, error)
	AckCursor(a im.Actor, cursor []byte)
	Touch(a im.Actor)
}

// Quota is what the operator allows an app.
type Quota interface {
	// Devices is how many devices of the app may be online, 0 = any number.
	Devices(app im.AppID) uint64
	// NoDevice is the answer to one that finds no place.
	NoDevice(most uint64) error
	// Members is how many members a group of the app may have, 0 = as many as
	// Limits.GroupMembers.
	Members(app im.AppID) int
}

// Limits of a socket; docs/reference/limits.md has the table.
type Limits struct {
	HelloBytes   int           // first packets, before the sign-in
	PacketBytes  int           // a packet afterwards
	Frames       int           // frames a packet
	InFlight     int           // frames without an answer
	HelloTimeout time.Duration // from the upgrade to the hello
	PingInterval time.Duration // told to the client; three times that of silence ends the session
	QueueBytes   int           // output that waits for a slow reader
	QueueFrames  int
	Watch        int // users whose presence a session watches
	SocketBuffer int // kernel buffer each way, bytes
	TextBytes    int // told to the client
	BodyBytes    int
	GroupMembers int
	SendRate     float64 // sends a second a session, refilled
	SendBurst    int
	Connections  int // sockets of this node
	// QueueTotalBytes is the output that waits for all slow readers of this
	// node; beyond it those with the most are closed.
	QueueTotalBytes int
	LoginRate       float64 // new connections a second of this node, refilled
	LoginBurst      int
	Logins          int // sign-ins and syncs at once; 0 = by the number of processors
	LoginQueue      int // sign-ins that wait for one of these
	RoomWrites      int // a second, to viewers of livestreams; 0 = by the number of processors
}

// DefaultLimits are the documented ones.
func DefaultLimits() Limits {
	return Limits{HelloBytes: 4 << 10, PacketBytes: 256 << 10, Frames: 256, InFlight: 64, HelloTimeout: 5 * time.Second,
		PingInterval: 25 * time.Second, QueueBytes: 2 << 20, QueueFrames: 8192, Watch: 500, SocketBuffer: 96 << 10,
		TextBytes: 16 << 10, BodyBytes: 32 << 10, GroupMembers: 5000, SendRate: 1000, SendBurst: 2000, Connections: 100_000, QueueTotalBytes: 512 << 20,
		LoginRate: 5000, LoginBurst: 20_000, LoginQueue: 10_000}
}

// Deps are what a Gateway is made of.
type Deps struct {
	Chat     *chat.Service
	Journal  journal.Journal
	Bus      bus.Bus
	Doorman  Doorman
	Presence *presence.Presence
	// Sight says what of others' presence users may see; nil = all of it.
	Sight   Sight
	Limits  Limits
	Clock   im.Clock // one that is a turn.Scheduler runs the gateway's goroutines
	Entropy im.Entropy
	Log     *slog.Logger
	Metrics *metrics.Set  // nil = counted for nobody
	Trace   *trace.Tracer // nil = nothing is traced
	// Origin tells whether a page of that origin may open a socket here at
	// all; which app it may speak for is asked at the hello. SameOrigin tells
	// whether it is the server's own page, which may speak for every app.
	Origin     func(r *http.Request, origin string) bool
	SameOrigin func(r *http.Request, origin string) bool
	// Address returns the client's address behind trusted proxies.
	Address func(r *http.Request) string
	// Quota is what the operator allows an app; nil = any number of devices.
	Quota Quota
	// AllowHello tells whether an address may say hello now.
	AllowHello func(address string) error
}

// Gateway is the sockets of one node.
type Gateway struct {
	Deps
	tasks turn.Scheduler // nil = goroutines
	hub   *hub
	fan   *fanout
	stage *stage
	// offMoves ends the listener to devices that come online elsewhere.
	offMoves func()
	nextID   atomic.Uint64
	open     atomic.Int64
	ctx      context.Context // ends when the gateway closes; bounds look-ups of sessions
	cancel   context.CancelFunc
	wg       sync.WaitGroup // sessions and the fan-out
	drain    atomic.Bool
	gate     *gate
	doors    *quota.Set[struct{}] // one bucket: new connections of this node
	counts   *counts
	// scratch lends effects to whoever steps a machine: []effect that every
	// session kept for itself would be memory of idle connections.
	scratch sync.Pool
}

// New starts a gateway: it listens to the bus from the journal's present
// heads on. Close ends it.
func New(ctx context.Context, d Deps) (*Gateway, error) {
	tasks := turn.Of(d.Clock)
	if d.Limits.RoomWrites <= 0 {
		d.Limits.RoomWrites = 4000 * runtime.GOMAXPROCS(0)
	}
	g := &Gateway{Deps: d, tasks: tasks, hub: newHub(tasks != nil), gate: newGate(tasks, d.Limits.Logins, d.Limits.LoginQueue),
		doors: quota.New[struct{}](quota.Limit{Rate: d.Limits.LoginRate, Burst: d.Limits.LoginBurst}, 1, d.Clock)}
	g.counts = newCounts(d.Metrics, g)
	// An entry names the session that sent it, on whatever node that is: no two
	// sessions of a cluster may have the same number.
	var first [8]byte
	if _, err := io.ReadFull(d.Entropy, first[:]); err != nil {
		return nil, err
	}
	g.nextID.Store(binary.BigEndian.Uint64(first[:]))
	g.ctx, g.cancel = context.WithCancel(context.WithoutCancel(ctx))
	var err error
	if g.fan, err = newFanout(ctx, g); err != nil {
		g.cancel()
		return nil, err
	}
	g.offMoves = g.Bus.Listen(bus.Presence, g.elsewhere)
	g.stage = newStage(g)
	g.wg.Add(3)
	turn.Go(g.tasks, func() { defer g.wg.Done(); g.stage.run() })
	turn.Go(g.tasks, func() { defer g.wg.Done(); g.fan.run() })
	turn.Go(g.tasks, func() { defer g.wg.Done(); g.sweep() })
	return g, nil
}

// Connections is the number of open sockets, signed in or not.
func (g *Gateway) Connections() int { return int(g.open.Load()) }

// Sessions is the number of signed-in sessions.
func (g *Gateway) Sessions() int { return g.hub.size() }

// The subprotocols that a client may choose.
const (
	protoBinary = "skein.v1.proto"
	protoJSON   = "skein.v1.json"
)

// ServeHTTP upgrades a request to a socket.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	address := g.Address(r)
	reason := g.refusal()
	if reason == "" && g.AllowHello(address) != nil {
		reason = refusedAddress
	}
	if reason == "" {
		if _, ok := g.doors.Take(struct{}{}, 1); !ok {
			reason = refusedRate
		}
	}
	if reason != "" {
		g.refuse(w, reason)
		return
	}
	conn, err := ws.Upgrade(w, r, ws.UpgradeOptions{
		Limits:       ws.Limits{ReadLimit: g.Limits.HelloBytes, SocketRead: g.Limits.SocketBuffer, SocketWrite: g.Limits.SocketBuffer},
		Subprotocols: []string{protoBinary, protoJSON},
		CheckOrigin: func(r *http.Request) bool {
			o := r.Header.Get("Origin")
			return o == "" || g.Origin(r, o)
		},
	})
	if err != nil {
		return // answered, and the client's fault
	}
	origin := r.Header.Get("Origin")
	if origin != "" && g.SameOrigin(r, origin) {
		origin = ""
	}
	g.Attach(conn, address, strings.Clone(origin))
}

// Attach begins a session on an open socket, from which the limits of a first
// packet are enforced, and returns at once. origin is that of a page that is
// not the server's own, or "". ServeHTTP does so after the upgrade; a
// simulation brings its own socket.
func (g *Gateway) Attach(conn Socket, address, origin string) {
	g.open.Add(1)
	g.wg.Add(1)
	s := newSession(g, conn, address)
	s.origin = origin
	turn.Go(g.tasks, s.serve)
}

// refuse sends a client away before it costs anything: it is told when to come
// back, each at another time, and its TCP connection is closed.
func (g *Gateway) refuse(w http.ResponseWriter, reason string) {
	g.counts.refused.Inc(reason)
	status := http.StatusServiceUnavailable
	if reason == refusedAddress {
		status = http.StatusTooManyRequests
	}
	w.Header().Set("Retry-After", strconv.Itoa(int(g.comeBack().Seconds())))
	w.Header().Set("Connection", "close")
	http.Error(w, refusedError(reason).Error(), status)
}

// sweep looks after what time alone changes: expired tokens, and a node that
// has lost its right to deliver.
func (g *Gateway) sweep() {
	t := turn.NewTicker(g.tasks, time.Second)
	defer t.Stop()
	for {
		ticks := t.C
		turn.First(g.tasks, g.ctx, turn.In(&ticks))
		select {
		case <-g.ctx.Done():
			return
		case <-ticks:
		}
		g.tick()
	}
}

func (g *Gateway) tick() {
	now, valid, heads := g.Clock.Now(), g.Doorman.Valid(), g.fan.Heads()
	g.hub.each(func(s *session) { s.handle(event{kind: evTick, now: now, holds: valid, heads: heads}) })
	g.shed()
}

// Apply ends the sessions that a fence ends, before it returns: nothing is
// written to their sockets afterwards.
func (g *Gateway) Apply(f auth.Fence) {
	if f.Kind == auth.FenceViewer {
		g.stage.fenced(f.App, im.ConvID(f.KID), f.User, f.Device != "")
		return
	}
	g.hub.match(f.App, f.User, f.Device, func(s *session) {
		if f.Ends(s.signedIn()) {
			s.handle(event{kind: evFenced})
		}
	})
}

// elsewhere ends the session of a device that has come online at another node:
// it has one connection at a time, and the old one is dead or forgotten.
func (g *Gateway) elsewhere(ev bus.Event) {
	if m, ok := ev.Signal.(bus.DeviceMoved); ok && ev.Remote && m.Online {
		now := g.Clock.Now()
		g.hub.match(m.App, m.User, m.Device, func(s *session) { s.handle(event{kind: evElsewhere, now: now}) })
	}
}

// Close ends every session and goroutine, and waits for them.
func (g *Gateway) Close(ctx context.Context) error {
	g.drain.Store(true)
	g.hub.each(func(s *session) { s.handle(event{kind: evDrain, last: true}) })
	g.cancel()
	g.offMoves()
	g.stage.off()
	g.fan.stop()
	done := make(chan struct{})
	go func() { g.wg.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		g.hub.each(func(s *session) { s.conn.Close() })
		<-done
		return ctx.Err()
	}
}
