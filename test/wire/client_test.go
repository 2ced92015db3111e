package wire_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/ws"
	pb "github.com/skein-im/skein/proto/skein/v1"
)

const (
	binaryProtocol = "skein.v1.proto"
	jsonProtocol   = "skein.v1.json"
)

// client is one socket. Nothing of it runs by itself: it reads when the test
// waits for something.
type client struct {
	t       testing.TB
	srv     *server
	conn    *ws.Conn
	user    string
	device  string
	json    bool
	ref     uint32
	waiting []*pb.ServerFrame // read, and not taken by the test yet
	cursor  []byte            // the newest that came
	welcome *pb.Welcome
	closed  ws.CloseCode // once it was read
	reason  string
	// mayBreak: an end without a close frame is one with code 1006.
	mayBreak bool
}

// option changes how a client connects.
type option func(*dialing)

type dialing struct {
	app      *app
	token    string
	header   http.Header
	protocol []string
	hello    *pb.Hello
	limits   ws.Limits
}

func asApp(a *app) option           { return func(d *dialing) { d.app = a } }
func withToken(token string) option { return func(d *dialing) { d.token = token } }
func asJSON(d *dialing)             { d.protocol = []string{jsonProtocol} }
func fromOrigin(o string) option {
	return func(d *dialing) { d.header = http.Header{"Origin": {o}} }
}
func onPlatform(p pb.Platform) option { return func(d *dialing) { d.hello.Platform = p } }
func resumeAt(cursor []byte) option   { return func(d *dialing) { d.hello.Sync.Cursor = cursor } }
func syncing(conversations, entries uint32) option {
	return func(d *dialing) { d.hello.Sync.Conversations, d.hello.Sync.Entries = conversations, entries }
}
func smallBuffers(n int) option { return func(d *dialing) { d.limits.SocketRead = n } }

// knock opens a socket and says nothing.
func knock(t testing.TB, s *server, options ...option) *client {
	t.Helper()
	c, _ := dial(t, s, "", "", options...)
	return c
}

func dial(t testing.TB, s *server, user, device string, options ...option) (*client, *dialing) {
	t.Helper()
	d := &dialing{app: s.app(), protocol: []string{binaryProtocol},
		hello: &pb.Hello{Protocol: 1, Device: device, Platform: pb.Platform_PLATFORM_WEB, Sync: &pb.SyncRequest{}}}
	for _, o := range options {
		o(d)
	}
	d.limits.ReadLimit = 64 << 20
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := ws.Dial(ctx, "ws"+strings.TrimPrefix(s.url, "http")+"/v1/socket",
		ws.DialOptions{Limits: d.limits, Subprotocols: d.protocol, Header: d.header})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &client{t: t, srv: s, conn: conn, user: user, device: device, json: conn.Subprotocol() == jsonProtocol}, d
}

// greet opens a socket and says hello, and leaves the answer to the caller.
func greet(t testing.TB, s *server, user, device string, options ...option) *client {
	t.Helper()
	c, d := dial(t, s, user, device, options...)
	d.hello.App = d.app.id
	if d.hello.Token = d.token; d.token == "" {
		d.hello.Token = d.app.token(t, user)
	}
	c.send(&pb.ClientFrame{Frame: &pb.ClientFrame_Hello{Hello: d.hello}})
	return c
}

// connect is greet with the welcome taken.
func connect(t testing.TB, s *server, user, device string, options ...option) *client {
	t.Helper()
	c := greet(t, s, user, device, options...)
	c.welcome = c.answer(c.ref).GetWelcome()
	if c.welcome == nil {
		t.Fatalf("%s/%s was not welcomed", user, device)
	}
	c.cursor = c.welcome.Sync.Cursor
	return c
}

// send writes frames as one packet; frames without a ref get the next one.
func (c *client) send(frames ...*pb.ClientFrame) {
	c.t.Helper()
	for _, f := range frames {
		if f.Ref == 0 {
			c.ref++
			f.Ref = c.ref
		}
	}
	p := &pb.ClientPacket{Frames: frames}
	var b []byte
	var err error
	op := ws.OpBinary
	if c.json {
		op = ws.OpText
		b, err = protojson.Marshal(p)
	} else {
		b, err = proto.Marshal(p)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	c.write(op, b)
}

// write sends bytes as one message.
func (c *client) write(op ws.Op, b []byte) {
	c.t.Helper()
	if err := c.conn.WriteMessage(op, b); err != nil {
		c.t.Fatalf("%s writes: %v", c.user, err)
	}
}

// raw writes bytes to the network, below the framing.
func (c *client) raw(b ...byte) {
	c.t.Helper()
	if _, err := c.conn.NetConn().Write(b); err != nil {
		c.t.Fatal(err)
	}
}

// read takes one packet from the socket; false when it was closed.
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
		c.closed, c.reason = closed.Code, closed.Reason
		c.conn.CloseWith(closed.Code, "")
		return false
	case err != nil && c.mayBreak && !errors.Is(err, os.ErrDeadlineExceeded):
		c.closed = broken
		return false
	case err != nil:
		c.t.Fatalf("%s/%s reads: %v", c.user, c.device, err)
	}
	p := new(pb.ServerPacket)
	if c.json {
		if err = protojson.Unmarshal(b, p); op != ws.OpText {
			c.t.Fatal("a binary message on the JSON subprotocol")
		}
	} else if err = proto.Unmarshal(b, p); op != ws.OpBinary {
		c.t.Fatal("a text message on the binary subprotocol")
	}
	if err != nil {
		c.t.Fatalf("%s got a packet that is none: %v", c.user, err)
	}
	c.waiting = append(c.waiting, p.Frames...)
	if len(p.Cursor) > 0 {
		c.cursor = p.Cursor
	}
	return true
}

// await returns the first frame that fits, and leaves the others for later.
func (c *client) await(what string, fits func(*pb.ServerFrame) bool) *pb.ServerFrame {
	c.t.Helper()
	for i := 0; ; i++ {
		for i == len(c.waiting) {
			if !c.read() {
				c.t.Fatalf("%s/%s waits for %s and is closed with %d %q; before that came %v", c.user, c.device, what, c.closed, c.reason, c.waiting)
			}
		}
		if f := c.waiting[i]; fits(f) {
			c.waiting = append(c.waiting[:i:i], c.waiting[i+1:]...)
			return f
		}
	}
}

// answer waits for the answer to a ref.
func (c *client) answer(ref uint32) *pb.ServerFrame {
	c.t.Helper()
	return c.await("an answer", func(f *pb.ServerFrame) bool { return f.Ref == ref })
}

// ask sends a frame and waits for its answer.
func (c *client) ask(f *pb.ClientFrame) *pb.ServerFrame {
	c.t.Helper()
	c.send(f)
	return c.answer(f.Ref)
}

// refused sends a frame and expects a typed error.
func (c *client) refused(f *pb.ClientFrame, want pb.ErrorCode) *pb.Error {
	c.t.Helper()
	got := c.ask(f)
	e := got.GetError()
	if e.GetCode() != want || e.GetMessage() == "" {
		c.t.Fatalf("%v for %.200v: want %v with a message", got, f, want)
	}
	return e
}

// say sends a text and returns its ack.
func (c *client) say(conv, s string) *pb.SendAck {
	c.t.Helper()
	return c.ack(c.ask(sendFrame(text(conv, s))))
}

func (c *client) ack(f *pb.ServerFrame) *pb.SendAck {
	c.t.Helper()
	if f.GetAck() == nil {
		c.t.Fatalf("%s wants an ack and got %v", c.user, f)
	}
	return f.GetAck()
}

// entry waits for the next entry or withheld range of a conversation.
func (c *client) news(conv string) *pb.ServerFrame {
	c.t.Helper()
	return c.await("news of "+conv, func(f *pb.ServerFrame) bool {
		return f.GetEntry().GetConversation() == conv || f.GetWithheld().GetConversation() == conv
	})
}

func (c *client) entry(conv string) *pb.Entry {
	c.t.Helper()
	f := c.news(conv)
	if f.GetEntry() == nil {
		c.t.Fatalf("%s wants an entry and got %v", c.user, f)
	}
	return f.GetEntry()
}

// hears waits for a text in a conversation.
func (c *client) hears(conv, s string) *pb.Entry {
	c.t.Helper()
	e := c.entry(conv)
	if textOf(e) != s {
		c.t.Fatalf("%s hears %q in %s, not %q", c.user, textOf(e), conv, s)
	}
	return e
}

// sees waits for a cursor that covers all that was read before, as one comes
// about a second after news.
func (c *client) sees() []byte {
	c.t.Helper()
	for old := string(c.cursor); string(c.cursor) == old; {
		if !c.read() {
			c.t.Fatalf("%s waits for a cursor and is closed with %d", c.user, c.closed)
		}
	}
	return c.cursor
}

// end reads until the socket is closed and returns the code; the frames before
// that are in waiting.
func (c *client) end() ws.CloseCode {
	c.t.Helper()
	for c.read() {
	}
	return c.closed
}

// broken is the code of a connection that ended without a close frame.
const broken ws.CloseCode = 1006

// endOrBreak is end for a connection that may be reset.
func (c *client) endOrBreak() ws.CloseCode {
	c.t.Helper()
	c.mayBreak = true
	return c.end()
}

// endsWith expects a close code.
func (c *client) endsWith(want pb.CloseCode) {
	c.t.Helper()
	if got := c.end(); got != ws.CloseCode(want) {
		c.t.Fatalf("%s/%s is closed with %d %q, not with %d", c.user, c.device, got, c.reason, want)
	}
}

// gone closes the socket and waits until the server has taken notice.
func (c *client) gone() {
	c.t.Helper()
	if err := c.conn.CloseWith(ws.CloseNormal, ""); err != nil {
		c.t.Fatal(err)
	}
}

func sendFrame(r *pb.SendMessageRequest) *pb.ClientFrame {
	return &pb.ClientFrame{Frame: &pb.ClientFrame_Send{Send: r}}
}

func ping() *pb.ClientFrame { return &pb.ClientFrame{Frame: &pb.ClientFrame_Ping{Ping: &pb.Ping{}}} }

func readFrame(conv string, seq uint64) *pb.ClientFrame {
	return &pb.ClientFrame{Frame: &pb.ClientFrame_Read{Read: &pb.ReadConversationRequest{Conversation: conv, Seq: seq}}}
}

func typingFrame(conv string) *pb.ClientFrame {
	return &pb.ClientFrame{Frame: &pb.ClientFrame_Typing{Typing: &pb.Typing{Conversation: conv}}}
}

func syncFrame(cursor []byte, entries uint32) *pb.ClientFrame {
	return &pb.ClientFrame{Frame: &pb.ClientFrame_Sync{Sync: &pb.SyncRequest{Cursor: cursor, Entries: entries}}}
}

// text is a message with a client id of this moment.
func text(conv, s string) *pb.SendMessageRequest {
	return &pb.SendMessageRequest{Conversation: conv, ClientId: newID(0), Body: textBody(s)}
}

func textBody(s string) *pb.Body {
	return &pb.Body{Scheme: pb.BodyScheme_BODY_SCHEME_CONTENT, Content: &pb.Content{Kind: &pb.Content_Text{Text: &pb.Text{Text: s}}}}
}

func textOf(e *pb.Entry) string { return e.GetBody().GetContent().GetText().GetText() }

// newID makes a client id whose time is off by d.
func newID(d time.Duration) []byte {
	id, err := im.NewClientID(time.Now().Add(d), im.SystemEntropy())
	if err != nil {
		panic(err) // the machine has no entropy
	}
	return id[:]
}

func direct(a, b string) string { return string(im.Direct(im.UserID(a), im.UserID(b))) }
