package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/presence"
	"github.com/skein-im/skein/internal/ws"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// TestMain also looks for goroutines that outlived the tests.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait for something that has to come.
const patience = 20 * time.Second

// porter is a doorman who lets everybody in as the user that the token names.
type porter struct {
	invalid atomic.Bool
	admit   func(auth.Session) error // nil = yes; asked by Authenticate
	confirm func(auth.Session) error // nil = yes
}

func (p *porter) Authenticate(_ context.Context, app im.AppID, token string, d auth.DeviceInfo) (auth.Session, error) {
	s := auth.Session{Actor: im.Actor{App: app, User: im.UserID(token), Device: d.ID}, Platform: d.Platform, Expires: time.Now().Add(time.Hour)}
	if d.Admit != nil {
		if err := d.Admit(s.Actor); err != nil {
			return auth.Session{}, err
		}
	}
	if p.admit != nil {
		return s, p.admit(s)
	}
	return s, nil
}

func (p *porter) Refresh(_ context.Context, s auth.Session, token string) (auth.Session, error) {
	if token != string(s.Actor.User) {
		return s, im.Errorf(im.Unauthenticated, "a token of somebody else")
	}
	s.Expires = s.Expires.Add(time.Hour)
	return s, nil
}

func (p *porter) Confirm(s auth.Session) error {
	if p.confirm != nil {
		return p.confirm(s)
	}
	return nil
}

func (p *porter) Valid() bool                                                  { return !p.invalid.Load() }
func (p *porter) AllowsOrigin(context.Context, im.AppID, string) (bool, error) { return true, nil }
func (p *porter) AckCursor(im.Actor, []byte)                                   {}
func (p *porter) Touch(im.Actor)                                               {}

// world is a journal on SQLite and the nodes over it.
type world struct {
	t      *testing.T
	d      *db.DB
	j      journal.Journal
	bus    *bus.Local
	porter *porter
	log    *errorLog
	c      *chat.Service // of the first node
	g      *Gateway      // the first node
	url    string
}

// errorLog counts what is logged as an error.
type errorLog struct {
	slog.Handler
	mu   sync.Mutex // guards said
	said []string
}

func (l *errorLog) Enabled(context.Context, slog.Level) bool { return true }

func (l *errorLog) Handle(_ context.Context, r slog.Record) error {
	if r.Level >= slog.LevelError {
		l.mu.Lock()
		l.said = append(l.said, r.Message)
		l.mu.Unlock()
	}
	return nil
}

// option changes a world before its first node is made.
type option func(*setup)

type setup struct {
	limits  Limits
	bus     func(bus.Bus) bus.Bus                 // what the gateway listens to
	journal func(journal.Journal) journal.Journal // what the gateway reads
	join    func(*chat.Service, *presence.Presence)
	quota   Quota // nil = none
}

// newWorld makes a journal, a bus and one node.
func newWorld(t *testing.T, options ...option) *world {
	t.Helper()
	ctx := context.Background()
	d, err := db.Open(ctx, t.TempDir(), db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, d: d, bus: bus.NewLocal(), porter: &porter{}, log: &errorLog{Handler: slog.DiscardHandler}}
	if w.j, err = journal.Open(ctx, d, journal.Options{Committed: w.bus.Ring}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.j.Close(ctx); w.bus.Close(); d.Close() })
	w.c, w.g, w.url = w.node("n1", options...)
	return w
}

// node adds a node over the same journal.
func (w *world) node(name string, options ...option) (*chat.Service, *Gateway, string) {
	w.t.Helper()
	ctx := context.Background()
	o := setup{limits: DefaultLimits(), bus: func(b bus.Bus) bus.Bus { return b }, journal: func(j journal.Journal) journal.Journal { return j }}
	for _, set := range options {
		set(&o)
	}
	j, log := o.journal(w.j), slog.New(w.log)
	c := chat.New(chat.Deps{Journal: j, Signals: w.bus, Limits: chat.DefaultLimits(), Clock: im.SystemClock{}, Log: log, CursorKey: []byte("0123456789abcdef")})
	p := presence.New(name, w.bus, im.SystemClock{})
	g, err := New(ctx, Deps{Chat: c, Journal: j, Bus: o.bus(w.bus), Doorman: w.porter, Presence: p, Limits: o.limits, Clock: im.SystemClock{},
		Entropy: im.SystemEntropy(), Log: log, Origin: func(*http.Request, string) bool { return true }, SameOrigin: func(*http.Request, string) bool { return true },
		Address: func(r *http.Request) string { return r.RemoteAddr }, AllowHello: func(string) error { return nil }, Quota: o.quota})
	if err != nil {
		w.t.Fatal(err)
	}
	if o.join != nil {
		o.join(c, p)
	}
	srv := httptest.NewServer(g)
	w.t.Cleanup(func() {
		closing, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if err := g.Close(closing); err != nil {
			w.t.Error("close the gateway:", err)
		}
		p.Close(ctx)
		srv.Close()
	})
	return c, g, "ws" + strings.TrimPrefix(srv.URL, "http")
}

func actor(name string) im.Actor {
	return im.Actor{App: "demo", User: im.UserID(name), Device: im.DeviceID(name + "-elsewhere")}
}

func newID(t testing.TB) im.ClientID {
	id, err := im.NewClientID(time.Now(), im.SystemEntropy())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func textBytes(t testing.TB, s string) []byte {
	b, err := proto.Marshal(textBody(s))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// say sends a text, not through a socket, and returns its entry.
func (w *world) say(from string, conv im.ConvID, s string) im.Entry {
	w.t.Helper()
	r, err := w.c.Send(context.Background(), actor(from), chat.SendRequest{Conv: conv, ClientID: newID(w.t), Body: textBytes(w.t, s)})
	if err != nil {
		w.t.Fatal(err)
	}
	return r.Entry
}

// group makes a group of the first user.
func (w *world) group(id im.ConvID, users ...string) {
	w.t.Helper()
	c, m := journal.Create{Kind: im.ConvGroup}, &skeinv1.MembersChange{}
	for i, u := range users {
		role := im.RoleMember
		if i == 0 {
			role = im.RoleOwner
		}
		c.Members = append(c.Members, journal.NewMember{User: im.UserID(u), Role: role})
		m.Added = append(m.Added, u)
	}
	if _, err := w.c.Create(context.Background(), actor(users[0]), id, newID(w.t), c, &skeinv1.Content{Kind: &skeinv1.Content_Members{Members: m}}); err != nil {
		w.t.Fatal(err)
	}
}

// member adds a user to a group, or removes one.
func (w *world) member(owner string, id im.ConvID, u string, role im.Role) im.Entry {
	w.t.Helper()
	m := &skeinv1.MembersChange{Added: []string{u}}
	if role == im.RoleNone {
		m = &skeinv1.MembersChange{Removed: []string{u}}
	}
	r, err := w.c.Change(context.Background(), actor(owner), id, newID(w.t), func(*chat.Room) (chat.Change, error) {
		return chat.Change{Verb: chat.VerbMembers, Members: []journal.MemberChange{{User: im.UserID(u), Role: role}},
			Content: &skeinv1.Content{Kind: &skeinv1.Content_Members{Members: m}}}, nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return r.Entry
}

// client is one socket. It reads when the test waits for something.
type client struct {
	t       testing.TB
	conn    *ws.Conn
	name    string
	ref     uint32
	waiting []*skeinv1.ServerFrame
	cursor  []byte
	seen    func(*skeinv1.ServerPacket) // nil = nobody; each packet as it comes
	bytes   int                         // read so far
	closed  ws.CloseCode
}

// dial opens a socket and says nothing.
func dial(t testing.TB, url, protocol string, l ws.Limits) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	l.ReadLimit = 64 << 20
	conn, err := ws.Dial(ctx, url, ws.DialOptions{Limits: l, Subprotocols: []string{protocol}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &client{t: t, conn: conn}
}

// greeting is a hello.
func greeting(user, device string, sync *skeinv1.SyncRequest) *skeinv1.ClientFrame {
	if sync == nil {
		sync = &skeinv1.SyncRequest{}
	}
	return &skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_Hello{Hello: &skeinv1.Hello{Protocol: 1, App: "demo", Token: user, Device: device, Sync: sync}}}
}

// connect opens a socket, says hello and takes the welcome.
func (w *world) connect(user, device string) (*client, *skeinv1.Welcome) {
	w.t.Helper()
	return connectTo(w.t, w.url, user, device, nil)
}

func connectTo(t testing.TB, url, user, device string, sync *skeinv1.SyncRequest) (*client, *skeinv1.Welcome) {
	t.Helper()
	c := dial(t, url, protoBinary, ws.Limits{})
	c.name = user + "/" + device
	f := c.ask(greeting(user, device, sync))
	if f.GetWelcome() == nil {
		t.Fatalf("%s was not welcomed: %v", c.name, f)
	}
	c.cursor = f.GetWelcome().GetSync().GetCursor()
	return c, f.GetWelcome()
}

// send writes frames as one packet; each gets the next ref.
func (c *client) send(frames ...*skeinv1.ClientFrame) {
	c.t.Helper()
	for _, f := range frames {
		c.ref++
		f.Ref = c.ref
	}
	p := &skeinv1.ClientPacket{Frames: frames}
	op := ws.OpBinary
	var b []byte
	var err error
	if c.conn.Subprotocol() == protoJSON {
		op = ws.OpText
		b, err = protojson.Marshal(p)
	} else {
		b, err = proto.Marshal(p)
	}
	if err == nil {
		err = c.conn.WriteMessage(op, b)
	}
	if err != nil {
		c.t.Fatalf("%s writes: %v", c.name, err)
	}
}

// read takes one packet; false when the server has closed.
func (c *client) read() bool {
	c.t.Helper()
	if c.closed != 0 {
		return false
	}
	c.conn.SetReadDeadline(time.Now().Add(patience))
	op, b, err := c.conn.ReadMessage()
	var closed *ws.CloseError
	switch {
	case errors.As(err, &closed):
		c.closed = closed.Code
		c.conn.CloseWith(closed.Code, "")
		return false
	case err != nil:
		c.t.Fatalf("%s reads: %v", c.name, err)
	}
	p := new(skeinv1.ServerPacket)
	if c.conn.Subprotocol() == protoJSON {
		err = protojson.Unmarshal(b, p)
		if op != ws.OpText {
			c.t.Fatal("a binary message on the JSON subprotocol")
		}
	} else {
		err = proto.Unmarshal(b, p)
	}
	if err != nil {
		c.t.Fatalf("%s got a packet that is none: %v", c.name, err)
	}
	c.bytes += len(b)
	c.waiting = append(c.waiting, p.Frames...)
	if len(p.Cursor) > 0 {
		c.cursor = p.Cursor
	}
	if c.seen != nil {
		c.seen(p)
	}
	return true
}

// await returns the first frame that fits and leaves the others.
func (c *client) await(what string, fits func(*skeinv1.ServerFrame) bool) *skeinv1.ServerFrame {
	c.t.Helper()
	for i := 0; ; i++ {
		for i == len(c.waiting) {
			if !c.read() {
				c.t.Fatalf("%s waits for %s and is closed with %d; before that came %v", c.name, what, c.closed, c.waiting)
			}
		}
		if f := c.waiting[i]; fits(f) {
			c.waiting = append(c.waiting[:i:i], c.waiting[i+1:]...)
			return f
		}
	}
}

// ask sends a frame and waits for its answer.
func (c *client) ask(f *skeinv1.ClientFrame) *skeinv1.ServerFrame {
	c.t.Helper()
	c.send(f)
	return c.await("an answer", func(s *skeinv1.ServerFrame) bool { return s.Ref == f.Ref })
}

// end reads until the server closes.
func (c *client) end() ws.CloseCode {
	c.t.Helper()
	for c.read() {
	}
	return c.closed
}

func (c *client) endsWith(want skeinv1.CloseCode) {
	c.t.Helper()
	if got := c.end(); got != ws.CloseCode(want) {
		c.t.Errorf("%s is closed with %d, not with %d", c.name, got, want)
	}
}

// entry waits for the next entry of a conversation.
func (c *client) entry(conv im.ConvID) *skeinv1.Entry {
	c.t.Helper()
	return c.await("an entry of "+string(conv), func(f *skeinv1.ServerFrame) bool { return f.GetEntry().GetConversation() == string(conv) }).GetEntry()
}

func (c *client) hears(conv im.ConvID, s string) *skeinv1.Entry {
	c.t.Helper()
	e := c.entry(conv)
	if got := e.GetBody().GetContent().GetText().GetText(); got != s {
		c.t.Fatalf("%s hears %q in %s, not %q", c.name, got, conv, s)
	}
	return e
}

// text is a frame that sends a text.
func (c *client) text(conv im.ConvID, s string) *skeinv1.ClientFrame {
	id := newID(c.t)
	return sendFrame(0, &skeinv1.SendMessageRequest{Conversation: string(conv), ClientId: id[:], Body: textBody(s)})
}

// says sends a text through the socket and returns its ack.
func (c *client) says(conv im.ConvID, s string) *skeinv1.SendAck {
	c.t.Helper()
	f := c.ask(c.text(conv, s))
	if f.GetAck() == nil {
		c.t.Fatalf("%s wants an ack and got %v", c.name, f)
	}
	return f.GetAck()
}

// session is the server's side of a user's only session.
func (w *world) session(user string) *session {
	w.t.Helper()
	list := w.g.hub.of("demo", im.UserID(user))
	if len(list) != 1 {
		w.t.Fatalf("%s has %d sessions", user, len(list))
	}
	return list[0]
}
