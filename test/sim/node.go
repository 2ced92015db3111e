package sim

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/feature/group"
	"github.com/skein-im/skein/internal/follow"
	"github.com/skein-im/skein/internal/gateway"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/presence"
	"github.com/skein-im/skein/internal/rpc"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// app is the only tenant.
const app = im.AppID("demo")

// node is one server of a world, running or crashed.
type node struct {
	*proc    // of the run under way; nil before the first
	w        *world
	name     string
	boots    int
	up       bool // it takes connections
	bus      *nodeBus
	j        journal.Journal
	chat     *chat.Service
	gw       *gateway.Gateway
	rpc      http.Handler
	socks    []*conn
	draining bool          // it takes no connections any more
	apart    bool          // cut off from the store and from the fence log
	lease    time.Duration // it may serve until then
	fences   int           // how many it has applied
}

// leaseTime is how long a node may serve without having read the fence log.
const leaseTime = 5 * time.Second

// boot starts a node, as wire.go does.
func (w *world) boot(n *node) {
	if n.proc != nil && !n.dead {
		return // somebody was faster
	}
	n.boots++
	n.proc = &proc{s: &w.sched, name: n.name, epoch: w.epoch.Add(time.Duration(w.dice.IntN(200)-100) * time.Millisecond)}
	n.bus, n.up, n.draining, n.socks, n.apart = &nodeBus{n: n}, false, false, nil, false
	n.fences = len(w.fences)
	p, store := n.proc, w.store
	log := slog.New(&logs{w: w, who: n.name})
	w.trace(n.name, "boot %d", n.boots)
	w.spawn(p, func() {
		n.j = watched{w: w, Journal: store.OpenFaulty(journal.Options{Clock: p, Log: log, MaxBatch: 1 + w.batch, MaxQueue: 4096, Patience: w.patience, Committed: func(es []im.Entry) {
			w.committed(n, es)
			n.bus.Ring(es)
		}}, journal.Faults{
			Before: func(int) error { return w.beforeCommit(n) },
			After:  func(int) error { return w.afterCommit(n) },
			View:   func() error { return w.beforeView(n) },
		})}
		limits := chat.DefaultLimits()
		limits.ReceiptMembers = w.receipts
		n.chat = chat.New(chat.Deps{Journal: n.j, Signals: n.bus, Policies: []chat.Policy{group.Rules}, Limits: limits, Clock: p, Log: log,
			CursorKey: []byte("0123456789abcdef")})
		mirror := presence.New(n.name, n.bus, p)
		entropy := w.entropy(n.name)
		n.lease = w.now + leaseTime
		doorman := &porter{w: w, n: n}
		socket := gateway.DefaultLimits()
		socket.QueueBytes, socket.QueueFrames, socket.SendRate, socket.SendBurst = w.queueBytes, 256, 40, 60
		socket.Logins = w.logins
		var err error
		for n.gw == nil || err != nil {
			n.gw, err = gateway.New(context.Background(), gateway.Deps{Chat: n.chat, Journal: n.j, Bus: n.bus, Doorman: doorman, Presence: mirror,
				Limits: socket, Clock: p, Entropy: entropy, Log: log,
				Origin: func(*http.Request, string) bool { return true }, SameOrigin: func(*http.Request, string) bool { return true },
				Address: func(*http.Request) string { return "10.0.0.1" }, AllowHello: func(string) error { return nil }})
			if err != nil {
				p.sleep(time.Second) // the database is not there yet
			}
		}
		n.rpc, err = rpc.New(rpc.Deps{Caller: doorman.call, Allow: func(im.Actor) error { return nil },
			AllowStranger: func(string) error { return nil }, Address: func(*http.Request) string { return "10.0.0.1" },
			Origin: func(*http.Request, im.AppID, string) bool { return true }, Log: log, MaxBytes: 1 << 20, Timeout: time.Hour,
			Verbs: rpc.Verbs{Chat: n.chat, Groups: group.New(n.chat, 100, nil), Admin: noAdmin{}, Devices: doorman, Profiles: struct{ rpc.Profiles }{}, Contacts: struct{ rpc.Contacts }{}, SignIns: struct{ rpc.SignIns }{}, Timed: struct{ rpc.Timed }{},
				Joins: struct{ rpc.Joins }{}, Boards: struct{ rpc.Boards }{}, Rooms: struct{ rpc.Rooms }{},
				Presences: mirrored{mirror: mirror}, CheckSend: gateway.CheckSend}})
		if err != nil {
			panic(err)
		}
		n.follow(log, entropy)
		n.up = true
		w.trace(n.name, "up")
	})
	w.renewLease(n, p)
}

// watched is a node's journal, of which the judge knows what it refused.
type watched struct {
	journal.Journal
	w *world
}

// Submit implements journal.Journal.
func (j watched) Submit(a *journal.Append, done func(journal.Result, error)) {
	j.Journal.Submit(a, func(r journal.Result, err error) {
		if s := j.w.sends[textOf(a.Body)]; err != nil && s != nil {
			s.refused = true
		}
		done(r, err)
	})
}

// follow starts the node's followers.
func (n *node) follow(log *slog.Logger, entropy im.Entropy) {
	r, err := follow.New(follow.Options{DB: n.w.db, Journal: n.j, Bus: n.bus, Clock: n.proc, Entropy: entropy, Log: log}, n.w.followers()...)
	if err != nil {
		panic(err)
	}
	r.Start()
}

// renewLease reads the fence log about once a second, as long as the node can.
func (w *world) renewLease(n *node, p *proc) {
	if p.dead {
		return
	}
	if p.frozen {
		// it reads nothing, and finds its lease gone when it wakes up
	} else if !n.apart && n.up {
		for n.fences < len(w.fences) {
			f := w.fences[n.fences]
			n.gw.Apply(f)
			n.fences++
		}
		n.lease = w.now + leaseTime
	} else if !n.up {
		n.lease = w.now + leaseTime
	}
	w.after(time.Duration(500+w.dice.IntN(700))*time.Millisecond, func() { w.renewLease(n, p) })
}

// crash ends a node's process. Devices learn of it at once, or, when the whole
// machine is gone, not at all.
func (w *world) crash(n *node) {
	if n.proc == nil || n.dead {
		return
	}
	w.trace(n.name, "crash")
	quiet := w.chance(0.3)
	w.kill(n.proc)
	n.up, n.gw = false, nil
	for _, c := range n.socks {
		c.reset, c.quiet = true, quiet
	}
	w.after(0, func() {})
}

// balance chooses a node for a new connection or call.
func (w *world) balance() *node {
	var up []*node
	for _, n := range w.nodes {
		if n.up && !n.dead && !n.draining {
			up = append(up, n)
		}
	}
	if len(up) == 0 {
		return nil
	}
	return up[w.dice.IntN(len(up))]
}

// porter is a node's doorman: it knows tokens, sign-outs and the node's lease.
type porter struct {
	w *world
	n *node
}

// token is what the app's back end signs; nobody forges one here.
type token struct {
	Subject string  `json:"sub"`
	Expires float64 `json:"exp"`
	Device  string  `json:"dev"`
	Serial  int     `json:"serial"` // of the sign-in that it belongs to
}

// tokenTime is how long a token is good for.
const tokenTime = 3 * time.Minute

func (w *world) newToken(d *device) string {
	b, err := json.Marshal(token{Subject: d.user, Expires: float64(w.epoch.Add(w.now + tokenTime).Unix()), Device: d.id, Serial: w.serials[d.name]})
	if err != nil {
		panic(err)
	}
	return "x." + base64.RawURLEncoding.EncodeToString(b) + ".x"
}

func (p *porter) read(text string) (token, error) {
	var t token
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return t, im.Errorf(im.Unauthenticated, "no token")
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(b, &t) != nil {
		return t, im.Errorf(im.Unauthenticated, "no token")
	}
	switch {
	case time.Unix(int64(t.Expires), 0).Before(p.n.Now()):
		return t, im.Errorf(im.TokenExpired, "the token has expired")
	case p.w.signedOut[t.Device] >= t.Serial:
		return t, im.Errorf(im.SignedOut, "the device was signed out")
	case !p.Valid() || p.n.apart:
		return t, im.Errorf(im.Unavailable, "this node may not serve now")
	}
	return t, nil
}

// Authenticate implements gateway.Doorman.
func (p *porter) Authenticate(_ context.Context, app im.AppID, text string, d auth.DeviceInfo) (auth.Session, error) {
	t, err := p.read(text)
	if err == nil && t.Device != string(d.ID) {
		err = im.Errorf(im.Unauthenticated, "a token of another device")
	}
	return auth.Session{Actor: im.Actor{App: app, User: im.UserID(t.Subject), Device: d.ID}, Platform: d.Platform,
		// The serial travels where only this porter looks.
		Expires: time.Unix(int64(t.Expires), int64(t.Serial))}, err
}

// Refresh implements gateway.Doorman.
func (p *porter) Refresh(ctx context.Context, s auth.Session, text string) (auth.Session, error) {
	return p.Authenticate(ctx, s.Actor.App, text, auth.DeviceInfo{ID: s.Actor.Device})
}

// Confirm implements gateway.Doorman.
func (p *porter) Confirm(s auth.Session) error {
	if p.w.signedOut[string(s.Actor.Device)] >= s.Expires.Nanosecond() && p.n.fences == len(p.w.fences) {
		return im.Errorf(im.SignedOut, "the device was signed out")
	}
	return nil
}

// Valid implements gateway.Doorman.
func (p *porter) Valid() bool { return p.w.now < p.n.lease }

// AllowsOrigin implements gateway.Doorman.
func (p *porter) AllowsOrigin(context.Context, im.AppID, string) (bool, error) { return true, nil }

// AckCursor implements gateway.Doorman.
func (p *porter) AckCursor(im.Actor, []byte) {}

// Touch implements gateway.Doorman.
func (p *porter) Touch(im.Actor) {}

func (p *porter) call(_ context.Context, app im.AppID, text string, _ im.DeviceID) (im.Actor, error) {
	t, err := p.read(text)
	return im.Actor{App: app, User: im.UserID(t.Subject), Device: im.DeviceID(t.Device)}, err
}

// ListDevices implements rpc.Devices.
func (p *porter) ListDevices(_ context.Context, a im.Actor) (out []*skeinv1.Device, err error) {
	for _, d := range p.w.devices {
		if d.user == string(a.User) {
			out = append(out, &skeinv1.Device{Id: d.id, Current: d.id == string(a.Device)})
		}
	}
	return out, nil
}

// SignOutDevice implements rpc.Devices: it returns when every node has applied
// the fence, or may not serve any more.
func (p *porter) SignOutDevice(_ context.Context, a im.Actor, id im.DeviceID) error {
	w := p.w
	i := slices.IndexFunc(w.devices, func(d *device) bool { return d.user == string(a.User) && d.id == string(id) })
	if i < 0 {
		return im.ErrNotFound
	}
	w.signOut(w.devices[i])
	mine := len(w.fences)
	p.n.Wait(func() bool { return w.fencedEverywhere(mine) })
	return nil
}

// signOut raises a fence.
func (w *world) signOut(d *device) {
	w.signedOut[d.id] = w.serials[d.name]
	w.fences = append(w.fences, auth.Fence{ID: int64(len(w.fences) + 1), Kind: auth.FenceDevice, App: app, User: im.UserID(d.user), Device: im.DeviceID(d.id)})
	number := len(w.fences)
	w.trace(d.name, "signed out by fence %d", number)
	old := slices.Clone(w.socksOf(d))
	var acked func()
	acked = func() {
		if !w.fencedEverywhere(number) {
			w.after(100*time.Millisecond, acked)
			return
		}
		for _, c := range old { // from here on nothing may be written to them
			c.fenced = w.now
		}
	}
	acked()
}

func (w *world) fencedEverywhere(number int) bool {
	for _, n := range w.nodes {
		if n.proc != nil && !n.dead && n.up && n.fences < number && w.now < n.lease {
			return false
		}
	}
	return true
}

func (w *world) socksOf(d *device) (out []*conn) {
	for _, n := range w.nodes {
		for _, c := range n.socks {
			if c.d == d {
				out = append(out, c)
			}
		}
	}
	return out
}

// noAdmin is a server API that nobody calls here.
type noAdmin struct{}

func (noAdmin) GetApp(context.Context, im.Actor, *skeinv1.GetAppRequest) (*skeinv1.GetAppResponse, error) {
	return nil, im.ErrNotFound
}

func (noAdmin) UpdateApp(context.Context, im.Actor, *skeinv1.UpdateAppRequest) (*skeinv1.UpdateAppResponse, error) {
	return nil, im.ErrNotFound
}

func (noAdmin) RevokeUser(context.Context, im.Actor, *skeinv1.RevokeUserRequest) (*skeinv1.RevokeUserResponse, error) {
	return nil, im.ErrNotFound
}

// logs puts what the product logs into the trace.
type logs struct {
	w   *world
	who string
}

func (l *logs) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

func (l *logs) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "err" || a.Key == "error" || a.Key == "code" {
			text += " " + a.Value.String()
		}
		return true
	})
	l.w.trace(l.who, "log: %s", text)
	return nil
}

func (l *logs) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l *logs) WithGroup(string) slog.Handler      { return l }

// mirrored answers who is online.
type mirrored struct {
	rpc.Presences
	mirror *presence.Presence
}

// Get implements rpc.Presences.
func (m mirrored) Get(_ context.Context, a im.Actor, users []im.UserID) (out []*skeinv1.Presence, _ error) {
	for _, s := range m.mirror.Get(a.App, users...) {
		out = append(out, &skeinv1.Presence{User: string(s.User), Online: s.Online, LastSeenUs: int64(s.LastSeen)})
	}
	return out, nil
}
