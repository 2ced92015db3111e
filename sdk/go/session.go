package skein

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/turn"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

const (
	inQueue       = 64  // packets read and not yet taken by the loop
	outQueue      = 256 // packets taken by the loop and not yet written; full = the peer reads no more
	maxFrames     = 256 // frames a packet
	packetTarget  = 128 << 10
	defaultPacket = 256 << 10
)

// session is one socket: a goroutine that opens and then reads it, and one
// that writes. Both end with end.
type session struct {
	n      int
	ctx    context.Context
	cancel context.CancelFunc
	in     chan inbound
	out    chan []byte
	once   sync.Once
	code   atomic.Int32 // of our close
}

// inbound is a packet, or how the socket ended.
type inbound struct {
	n      int
	packet *skeinv1.ServerPacket
	err    error
}

// end closes the socket with a code.
func (s *session) end(code int) {
	s.once.Do(func() {
		s.code.Store(int32(code))
		s.cancel()
	})
}

// dial opens a session. Its goroutines report to the loop.
func (c *Client) dial(n int) {
	ctx, cancel := context.WithCancel(c.ctx)
	s := &session{n: n, ctx: ctx, cancel: cancel, in: make(chan inbound, inQueue), out: make(chan []byte, outQueue)}
	c.sess = s
	c.abandon()
	c.frames = nil
	c.start(func() { c.serve(s) })
}

// serve opens the socket and reads it to its end.
func (c *Client) serve(s *session) {
	defer s.cancel()
	sock, err := c.opt.Transport.Dial(s.ctx, c.opt.socketAddress())
	if err != nil {
		c.post(func() {
			if c.sess == s {
				c.cause = errorf(Unavailable, err, "the server can not be reached")
				c.step(connEvent{Type: "dialFailed", Socket: s.n, Error: Unavailable})
			}
		})
		return
	}
	if !c.start(func() { write(c.tasks, s, sock) }) {
		_ = sock.Close(closeNormal, "")
		return
	}
	c.post(func() {
		if c.sess == s {
			c.step(connEvent{Type: "opened", Socket: s.n})
		}
	})
	for {
		b, err := sock.Read()
		in := inbound{n: s.n, err: err}
		if err == nil {
			in.packet = &skeinv1.ServerPacket{}
			if err := proto.Unmarshal(b, in.packet); err != nil {
				in = inbound{n: s.n, err: errorf(Internal, err, "the server sent what is no packet")}
			}
		}
		if !turn.SendOr(c.tasks, s.in, in, s.ctx.Done()) {
			return
		}
		if in.err != nil {
			return
		}
	}
}

// write sends what the loop gives, and closes the socket when the session
// ends: the reader then ends too.
func write(tasks turn.Scheduler, s *session, sock Socket) {
	for {
		var out <-chan []byte = s.out
		turn.First(tasks, s.ctx, turn.In(&out))
		select {
		case b := <-out:
			if err := sock.Write(b); err != nil {
				_ = sock.Close(closeNormal, "") // the reader reports the end
				return
			}
		case <-s.ctx.Done():
			_ = sock.Close(max(int(s.code.Load()), closeNormal), "")
			return
		}
	}
}

// send queues a frame; kind is what an answer will be taken for, "" = none.
func (c *Client) send(f *skeinv1.ClientFrame, a awaited) {
	if c.sess == nil {
		return
	}
	if a.kind != "" {
		if c.ref++; c.ref == 0 {
			c.ref = 1
		}
		f.Ref = c.ref
		c.refs[c.ref] = a
	}
	c.frames = append(c.frames, f)
}

// sendFrames packs what was queued into packets and hands them to the writer.
func (c *Client) sendFrames() {
	if c.sess == nil || len(c.frames) == 0 {
		return
	}
	frames := c.frames
	c.frames = nil
	for len(frames) > 0 {
		n, size := 0, 0
		for n < len(frames) && n < maxFrames && size < packetTarget {
			size += proto.Size(frames[n])
			n++
		}
		b, err := proto.Marshal(&skeinv1.ClientPacket{Frames: frames[:n]})
		if err != nil {
			c.log.Error("a packet can not be encoded", "error", err)
			return
		}
		c.showFrames(frames[:n])
		frames = frames[n:]
		select {
		case c.sess.out <- b:
			c.step(connEvent{Type: "sent", Socket: c.sess.n})
		default: // the peer takes nothing: come back, and sync repairs
			c.lost(c.sess.n, nil)
			c.flush()
			return
		}
	}
}

// lost reports that a session is over.
func (c *Client) lost(n int, err error) {
	code := 1006
	var closed *CloseError
	if errors.As(err, &closed) {
		code = closed.Code
	}
	c.cause = errorf(Unavailable, err, "the connection was lost")
	if c.sess != nil && c.sess.n == n {
		c.sess.end(closeNormal)
		c.sess = nil
	}
	c.abandon()
	c.step(connEvent{Type: "closed", Socket: n, Code: code})
}

// inbound takes a packet, or the end of the socket.
func (c *Client) inbound(in inbound) {
	if c.sess == nil || in.n != c.sess.n {
		return
	}
	if in.err != nil {
		c.lost(in.n, in.err)
		return
	}
	c.step(connEvent{Type: "received", Socket: in.n})
	c.showPacket(in.packet)
	for _, f := range in.packet.GetFrames() {
		if w := f.GetWelcome(); w != nil && !c.signedIn(w.GetUser()) {
			return
		}
	}
	c.apply(packetEvent{in.packet})
	for _, f := range in.packet.GetFrames() {
		c.frame(in.n, f)
	}
}

// frame takes what a frame says beside the state.
func (c *Client) frame(n int, f *skeinv1.ServerFrame) {
	asked, ok := c.refs[f.GetRef()]
	if ok && f.GetRef() != 0 {
		delete(c.refs, f.GetRef())
	}
	switch f := f.GetFrame().(type) {
	case *skeinv1.ServerFrame_Welcome:
		c.welcomed(n, f.Welcome)
	case *skeinv1.ServerFrame_Sync:
		c.synchronised(n, f.Sync)
	case *skeinv1.ServerFrame_Error:
		c.refused(n, asked, f.Error)
	case *skeinv1.ServerFrame_Typing:
		c.typed(f.Typing)
	case *skeinv1.ServerFrame_Delivered:
		c.wasDelivered(f.Delivered)
	case *skeinv1.ServerFrame_Presence:
		c.present(f.Presence)
	case *skeinv1.ServerFrame_GoAway:
		c.log.Info("the server is going away", "retry_after_ms", f.GoAway.GetRetryAfterMs())
		c.step(connEvent{Type: "goAway", Socket: n, RetryAfterMS: int64(f.GoAway.GetRetryAfterMs())})
	case *skeinv1.ServerFrame_Done:
		switch asked.kind {
		case "refresh":
			c.step(connEvent{Type: "refreshed", Socket: n})
		case "command":
			asked.done <- outcome{}
		}
	case *skeinv1.ServerFrame_Command:
		c.commanded(f.Command)
	case *skeinv1.ServerFrame_RoomMessage:
		c.roomSaid(f.RoomMessage)
	case *skeinv1.ServerFrame_RoomState:
		c.roomTold(f.RoomState)
		if asked.kind == "command" {
			asked.done <- outcome{}
		}
	}
}

// welcomed goes on when the welcome's sync page is stored.
func (c *Client) welcomed(n int, w *skeinv1.Welcome) {
	c.mu.Lock()
	c.limits = w.GetLimits()
	c.offsetMS = w.GetServerTimeUs()/1000 - c.now()
	c.mu.Unlock()
	c.synced = len(w.GetSync().GetConversations())
	c.after(func() {
		emit(c, &c.on.sync, SyncEvent{Done: c.synced, More: w.GetSync().GetMore()})
		c.step(connEvent{Type: "welcome", Socket: n, ServerTimeMS: w.GetServerTimeUs() / 1000, ExpiresMS: w.GetTokenExpiresUs() / 1000,
			PingIntervalMS: int64(w.GetPingIntervalMs()), More: w.GetSync().GetMore(), Follows: w.GetSync().GetFollows()})
		c.step(connEvent{Type: "cursor"}) // that of the welcome: it was stored before there was a session to acknowledge it in
	})
}

func (c *Client) synchronised(n int, s *skeinv1.SyncResponse) {
	c.synced += len(s.GetConversations())
	c.after(func() {
		emit(c, &c.on.sync, SyncEvent{Done: c.synced, More: s.GetMore()})
		if c.conn.state == Online && s.GetMore() && !s.GetFollows() { // asked for outside the connecting
			c.send(c.syncFrame(), awaited{kind: "sync"})
			return
		}
		c.step(connEvent{Type: "sync", Socket: n, More: s.GetMore(), Follows: s.GetFollows()})
	})
}

// refused takes an error frame: it concerns the frame that it answers.
func (c *Client) refused(n int, asked awaited, e *skeinv1.Error) {
	err := fromWire(e)
	ev := connEvent{Socket: n, Error: err.Code, RetryAfterMS: err.RetryAfter.Milliseconds()}
	switch asked.kind {
	case "hello":
		c.cause, ev.Type = err, "helloError"
		c.step(ev)
	case "sync":
		c.cause, ev.Type = err, "syncError"
		c.step(ev)
	case "refresh":
		c.cause, ev.Type = err, "refreshError"
		c.step(ev)
	case "send":
		c.itemRefused(asked.id, err)
	case "command":
		asked.done <- outcome{err: err}
	case "room": // not open to the user any more
		c.roomTold(&skeinv1.RoomState{Conversation: asked.conv, Ended: skeinv1.RoomEnd_ROOM_END_CLOSED})
	case "read":
		c.log.Warn("a read marker was refused", "conversation", asked.conv, "code", err.Code)
	default:
		c.cause = err
		emit(c, &c.on.errors, ErrorEvent{err})
	}
}

// step feeds the connection machine and does what it says.
func (c *Client) step(ev connEvent) {
	for _, e := range c.conn.step(c.now(), ev) {
		c.effect(e)
	}
}

func (c *Client) effect(e connEffect) {
	switch e.Type {
	case "getToken":
		c.getToken()
	case "dial":
		c.dial(e.Socket)
	case "hello":
		c.send(&skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_Hello{Hello: &skeinv1.Hello{
			Protocol: 1, App: c.opt.AppID, Token: c.tokens.held(), Device: c.device, Platform: c.opt.Platform.wire(),
			DeviceName: c.opt.DeviceName, Sync: c.syncRequest(), Sdk: "skein-go/" + Version,
		}}}, awaited{kind: "hello"})
	case "sync":
		c.send(c.syncFrame(), awaited{kind: "sync"})
	case "ping":
		c.send(&skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_Ping{Ping: &skeinv1.Ping{}}}, awaited{kind: "ping"})
	case "refresh":
		c.send(&skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_RefreshToken{RefreshToken: &skeinv1.RefreshToken{Token: c.tokens.held()}}}, awaited{kind: "refresh"})
	case "cursorAck":
		if len(c.st.cursor) > 0 {
			c.send(&skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_CursorAck{CursorAck: &skeinv1.CursorAck{Cursor: c.st.cursor}}}, awaited{})
		}
	case "closeSocket":
		if c.sess != nil && c.sess.n == e.Socket {
			c.sess.end(e.Code)
			c.sess = nil
		}
	case "dropCursor":
		c.mu.Lock()
		c.st.cursor = nil
		c.mu.Unlock()
		c.dirty.cursor = true
	case "flush":
		c.up()
	case "timer":
		c.setTimer("conn/"+e.Name, time.Duration(*e.InMS)*time.Millisecond, func() { c.step(connEvent{Type: "timer", Name: e.Name}) })
	case "cancel":
		c.stopTimer("conn/" + e.Name)
	case "cancelAll":
		for _, name := range sortedKeys(c.timers) {
			if len(name) > 5 && name[:5] == "conn/" {
				c.stopTimer(name)
			}
		}
	case "state":
		c.newState(e)
	case "error":
		emit(c, &c.on.errors, ErrorEvent{c.because(e.Error)})
	}
}

func (c *Client) syncFrame() *skeinv1.ClientFrame {
	return &skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_Sync{Sync: c.syncRequest()}}
}

func (c *Client) syncRequest() *skeinv1.SyncRequest {
	return &skeinv1.SyncRequest{Cursor: c.st.cursor, Follow: true}
}

// because returns what is known of the last failure, if it is of that code.
func (c *Client) because(code Code) *Error {
	if code == "" {
		return nil
	}
	if c.cause != nil && c.cause.Code == code {
		return c.cause
	}
	err := &Error{Code: code}
	switch code {
	case SignedOut:
		err.Message, err.Hint = "this device was signed out", "sign in again and call Connect"
	case Unauthenticated:
		err.Message, err.Hint = "the server refuses the tokens", "see that the back end signs for this app, with a secret that is valid"
	case TokenExpired:
		err.Message = "the token has expired"
	case FailedPrecondition:
		err.Message, err.Hint = "this device opened another connection", "use one client for each device id"
	case Unavailable:
		err.Message = "the server can not be reached"
	case InvalidArgument, Unsupported:
		err.Message, err.Hint = "the server does not understand this SDK", "update the SDK or the server"
	}
	return err
}

func (c *Client) newState(e connEffect) {
	before := c.status
	err := c.because(e.Error)
	ev := StateEvent{State: e.State, Err: err}
	if e.RetryInMS != nil {
		ev.RetryAt = c.opt.Clock.Now().Add(time.Duration(*e.RetryInMS) * time.Millisecond)
	}
	c.mu.Lock()
	c.status = e.State
	if e.State == Online && before != Online {
		c.onlineSince = time.UnixMilli(c.serverNow())
	}
	c.mu.Unlock()
	if before == Online && e.State != Online {
		c.down()
	}
	if before == e.State && err == nil {
		return
	}
	c.log.Info("connection", "state", e.State, "code", e.Error)
	emit(c, &c.on.state, ev)
	switch e.State {
	case Online:
		c.rejoin()
		c.resolveConnect(nil)
	case SignedOff, Replaced, Ended:
		if err == nil {
			err = errClosed()
		}
		c.resolveConnect(err)
	}
}

// getToken asks the app for a token.
func (c *Client) getToken() {
	var token string
	c.call(func(ctx context.Context) (err error) {
		token, err = c.tokens.fresh(ctx)
		return err
	}, func(err error) {
		if err != nil {
			c.cause = &Error{Code: Unavailable, Message: "the token supplier failed", Hint: "see its error", Cause: err}
			c.step(connEvent{Type: "tokenFailed", Error: Unavailable})
			return
		}
		cl := readClaims(token)
		if cl.Subject != "" && !c.signedIn(cl.Subject) {
			return
		}
		c.step(connEvent{Type: "token", ExpiresMS: cl.expiresMS()})
	})
}

// signedIn learns who the user is. A store is never mixed: another user than
// the one whose data is here ends the client.
func (c *Client) signedIn(user string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.st.user {
	case user:
		return true
	case "":
		c.st.user = user
		c.dirty.reset = true
		for peer, v := range c.waiting {
			id := idFor(user, peer)
			if c.values[id] == nil {
				c.values[id] = v
			}
			v.id = id
		}
		clear(c.waiting)
		return true
	}
	err := otherUser(c.st.user)
	c.late = append(c.late, func() { c.fail(err) })
	return false
}

// showFrames and showPacket let a developer see what goes over the socket.
func (c *Client) showFrames(frames []*skeinv1.ClientFrame) {
	if !c.on.frames.some() {
		return
	}
	for _, f := range frames {
		f = proto.CloneOf(f)
		if h := f.GetHello(); h != nil {
			h.Token = ""
		}
		if r := f.GetRefreshToken(); r != nil {
			r.Token = ""
		}
		if b, err := protojson.Marshal(f); err == nil {
			emit(c, &c.on.frames, FrameEvent{Sent: true, JSON: b})
		}
	}
}

func (c *Client) showPacket(p *skeinv1.ServerPacket) {
	if !c.on.frames.some() {
		return
	}
	for _, f := range p.GetFrames() {
		if b, err := protojson.Marshal(f); err == nil {
			emit(c, &c.on.frames, FrameEvent{JSON: b})
		}
	}
}
