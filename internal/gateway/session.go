package gateway

import (
	"context"
	"errors"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/presence"
	"github.com/skein-im/skein/internal/turn"
	"github.com/skein-im/skein/internal/ws"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Socket is what a session reads and writes: a *ws.Conn, or a simulation's.
// Its methods do what those of *ws.Conn say.
type Socket interface {
	ReadMessage() (ws.Op, []byte, error)
	WriteBuffers(op ws.Op, pieces [][]byte) error
	WriteMessage(op ws.Op, payload []byte) error
	CloseWith(code ws.CloseCode, reason string) error
	Close() error
	SetReadDeadline(t time.Time) error
	SetReadLimit(bytes int)
	Subprotocol() string
}

// session carries events to its machine and does what the machine asks.
type session struct {
	g       *Gateway
	conn    Socket
	address string
	origin  string // of a page that is not the server's own
	num     uint64
	who     atomic.Pointer[im.Actor] // nil before the sign-in
	pipe    *chat.Pipe               // nil before the first send; owned by the reading goroutine
	lastID  string                   // of a conversation; owned by the reading goroutine
	heard   time.Time                // to a second; owned by the reading goroutine
	recent  uint8                    // packets since heard, to calm; owned by it too

	mu      sync.Mutex // guards the rest
	m       machine
	out     [][]byte // elements of packets to come
	outSize int
	flying  int  // bytes that the writing goroutine has taken
	writing bool // a goroutine writes out what is queued
	closing bool
	failed  bool          // a write has failed
	spare   chan struct{} // somebody waits for the queue to get shorter; nil = nobody
	code    ws.CloseCode
	reason  string

	watchMu    sync.Mutex // guards the two below; never taken under mu
	watching   *presence.Watch
	watchEnded bool
	lookMu     sync.Mutex                            // guards the two below; nothing is taken under it
	toLook     []im.UserID                           // of whom it has to be decided anew what is seen; "" = of all
	looking    bool                                  // a task does
	statusMu   sync.Mutex                            // guards statuses; nothing is taken under it
	statuses   map[im.UserID]*skeinv1.PresenceStatus // of the watched
	gotMu      sync.Mutex                            // guards the two below; nothing is taken under it
	got        []chat.Given                          // of direct conversations, not acknowledged yet; the newest of each
	told       bool                                  // what came by sync was acknowledged
}

// silentIntervals is after how many ping intervals without a word a session
// ends. Browsers run the timers of a hidden page once a minute: two intervals
// of 25 s would end its session again and again.
const silentIntervals = 3

func newSession(g *Gateway, conn Socket, address string) *session {
	s := &session{g: g, conn: conn, address: address, num: g.nextID.Add(1)}
	s.m = machine{limits: &g.Limits, session: strconv.FormatUint(s.num, 36)}
	return s
}

// actor is who the session belongs to; zero before the sign-in.
func (s *session) actor() im.Actor {
	if a := s.who.Load(); a != nil {
		return *a
	}
	return im.Actor{}
}

// serve reads the socket until it ends.
func (s *session) serve() {
	defer s.g.wg.Done()
	defer s.g.open.Add(-1)
	s.heard = s.g.Clock.Now()
	s.conn.SetReadDeadline(s.heard.Add(s.g.Limits.HelloTimeout))
	// Draining finds sessions by their users; one without is woken up so.
	past := s.heard
	noWait := context.AfterFunc(s.g.ctx, func() { s.conn.SetReadDeadline(past) })
	for s.read() {
		if noWait != nil && s.who.Load() != nil {
			noWait()
			noWait = nil
		}
	}
	if noWait != nil {
		noWait()
	}
	s.end()
}

// calm is how many packets a second are handled away from the reading
// goroutine. A goroutine that has only ever waited keeps the 2 KiB that it was
// born with; handling one packet on it would grow them to 8 for good. For a
// socket that carries much, the change of goroutines would cost more.
const calm = 8

// read takes one packet; false when the session is over. Its frame lies on the
// stack of every idle connection, so that what it calls is kept out of it.
func (s *session) read() bool {
	op, raw, err := s.conn.ReadMessage()
	if err != nil {
		return s.unreadable(err)
	}
	if s.recent > calm {
		return s.packet(op, raw)
	}
	s.recent++
	return s.packetAside(op, raw)
}

//go:noinline
func (s *session) packetAside(op ws.Op, raw []byte) (more bool) {
	s.aside(func() { more = s.packet(op, raw) })
	return more
}

// unreadable ends a session whose socket has ended, or has been silent.
//
//go:noinline
func (s *session) unreadable(err error) (more bool) {
	var bad *ws.ProtocolError
	var closed *ws.CloseError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		// Also before the hello: a network that holds it up for five seconds is
		// no defect of the client's, which has to come back.
		code, reason := skeinv1.CloseCode_CLOSE_CODE_IDLE, "nothing was heard"
		if s.g.ctx.Err() != nil {
			code, reason = skeinv1.CloseCode_CLOSE_CODE_GOING_AWAY, "the server is going away"
		}
		s.mu.Lock()
		s.apply(s.m.close(nil, code, reason, false))
		s.mu.Unlock()
		return s.linger()
	case errors.As(err, &closed): // the answer to it may have been left to a writer at work
		s.conn.CloseWith(ws.CloseNormal, "")
	case errors.As(err, &bad):
		s.mu.Lock()
		s.apply(s.m.step(&event{kind: evGone}, nil))
		s.shut(skeinv1.CloseCode(bad.CloseCode), bad.Reason, true)
		s.mu.Unlock()
	}
	return false
}

// packet takes what was read.
//
//go:noinline
func (s *session) packet(op ws.Op, raw []byte) (more bool) {
	now := s.g.Clock.Now()
	if s.who.Load() != nil && now.Sub(s.heard) > time.Second {
		s.heard = now
		s.conn.SetReadDeadline(now.Add(silentIntervals * s.g.Limits.PingInterval))
	}
	var err error
	if op == ws.OpText {
		if s.conn.Subprotocol() != protoJSON {
			err = errBadPacket
		} else {
			raw, err = decodeJSON(raw)
		}
	} else if s.conn.Subprotocol() == protoJSON {
		err = errBadPacket
	}
	var frames []clientFrame
	if err == nil {
		frames, err = decodePacket(raw, s.g.Limits.Frames, s.intern, nil)
	}
	if err != nil {
		s.handle(event{kind: evBad})
	} else {
		s.handle(event{kind: evPacket, now: now, frames: frames})
	}
	return s.linger()
}

// linger tells whether to go on reading: after a close of ours the peer's
// close frame is awaited by the writer, and nothing is read any more.
func (s *session) linger() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.closing
}

// intern returns the conversation's id without an allocation while a client
// keeps writing into the same one.
func (s *session) intern(b []byte) string {
	if string(b) != s.lastID {
		s.lastID = string(b)
	}
	return s.lastID
}

// end takes the session out of everything once its socket is done.
func (s *session) end() {
	s.mu.Lock()
	s.m.step(&event{kind: evGone}, nil)
	s.endSends()
	closing := s.closing
	if !closing { // else what is queued is the last word, such as why a hello was refused
		s.out, s.outSize = nil, 0
	}
	s.mu.Unlock()
	if a := s.who.Load(); a != nil {
		s.g.hub.remove(s, *a)
		s.unwatch()
		s.g.stage.leave(s, "")
		s.g.Presence.Offline(*a)
		s.g.Doorman.Touch(*a)
	}
	if !closing { // else the writer closes it, after the close frame
		s.conn.Close()
	}
}

// endSends lets nothing be sent again for this session; the caller holds mu.
func (s *session) endSends() {
	if s.pipe != nil {
		s.pipe.Close()
	}
}

// handle moves the machine and does what it asks for.
func (s *session) handle(ev event) {
	scratch, _ := s.g.scratch.Get().(*[]effect)
	if scratch == nil {
		scratch = new([]effect)
	}
	s.mu.Lock()
	fx := s.m.step(&ev, (*scratch)[:0])
	later := s.apply(fx)
	s.mu.Unlock()
	if cap(fx) <= 64 {
		clear(fx)
		*scratch = fx[:0]
		s.g.scratch.Put(scratch)
	}
	for i := range later {
		s.do(&later[i])
	}
}

// signedIn is the accepted token.
func (s *session) signedIn() auth.Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m.id
}

// apply queues output, under the lock, and returns copies of the effects that
// must run without it.
func (s *session) apply(fx []effect) (later []effect) {
	for i := range fx {
		switch fx[i].kind {
		case fxOut:
			if fx[i].limited {
				s.g.counts.limited.Inc()
			}
			s.queue(fx[i].bytes)
		case fxCursor:
			s.queue(s.cursor())
		case fxClose:
			s.shut(fx[i].code, fx[i].reason, fx[i].now)
		default:
			if later == nil {
				later = make([]effect, 0, len(fx)-i)
			}
			later = append(later, fx[i])
		}
	}
	return later
}

// queue appends an element to the output and sees that somebody writes it.
func (s *session) queue(b []byte) {
	if s.closing || len(b) == 0 {
		return
	}
	if len(s.out) > 0 && (s.outSize+len(b) > s.g.Limits.QueueBytes || len(s.out) == s.g.Limits.QueueFrames) {
		s.apply(s.m.step(&event{kind: evFull}, nil))
		return
	}
	s.out = append(s.out, b) // a large frame alone is no sign of a slow reader
	s.outSize += len(b)
	s.wake()
}

// wake starts the writing goroutine unless it runs.
func (s *session) wake() {
	if !s.writing {
		s.writing = true
		s.g.wg.Add(1)
		turn.Go(s.g.tasks, s.write)
	}
}

// shut stops the output: now, or after what is queued.
func (s *session) shut(code skeinv1.CloseCode, reason string, now bool) {
	if s.closing {
		return
	}
	s.closing, s.code, s.reason = true, ws.CloseCode(code), reason
	s.endSends()
	s.g.counts.closedWith(code)
	if now {
		s.out, s.outSize = nil, 0
		if s.writing { // and maybe stuck, for as long as the write's own time-out
			s.g.wg.Add(1)
			turn.Go(s.g.tasks, func() {
				defer s.g.wg.Done()
				s.conn.CloseWith(ws.CloseCode(code), reason)
			})
			return
		}
	}
	s.wake()
}

// write writes out what is queued, then ends.
func (s *session) write() {
	defer s.g.wg.Done()
	for {
		s.mu.Lock()
		batch, closing := s.out, s.closing
		s.flying = s.outSize
		s.shorter()
		s.out, s.outSize = nil, 0
		if len(batch) == 0 {
			s.writing = false
			s.mu.Unlock()
			if closing {
				s.conn.CloseWith(s.code, s.reason)
			}
			return
		}
		s.mu.Unlock()
		if err := s.send(batch); err != nil {
			s.mu.Lock()
			s.failed = true
			s.mu.Unlock()
			s.conn.Close() // the reader sees it and ends the session
		}
	}
}

// send writes elements as packets of at most Limits.PacketBytes.
func (s *session) send(batch [][]byte) error {
	for len(batch) > 0 {
		n, size := 0, 0
		for n < len(batch) && (n == 0 || size+len(batch[n]) <= s.g.Limits.PacketBytes) {
			size += len(batch[n])
			n++
		}
		if err := s.sendPacket(batch[:n]); err != nil {
			return err
		}
		batch = batch[n:]
	}
	return nil
}

func (s *session) sendPacket(elements [][]byte) error {
	if s.conn.Subprotocol() != protoJSON {
		return s.conn.WriteBuffers(ws.OpBinary, elements)
	}
	var all []byte
	for _, e := range elements {
		all = append(all, e...)
	}
	text, err := encodeJSON(all)
	if err != nil {
		return err
	}
	return s.conn.WriteMessage(ws.OpText, text)
}

// cursor encodes the cursor of everything queued so far, under the lock: the
// fan-out moves its heads only after it has queued their entries. Where it is
// still behind the last sync, that one counts, so that no cursor goes back.
func (s *session) cursor() []byte {
	heads := s.g.fan.Heads()
	if s.m.floor != nil && behind(heads, s.m.floor) {
		heads = slices.Clone(heads)
		for i, p := range s.m.floor {
			heads[i] = max(heads[i], p)
		}
	}
	c := s.g.Chat.CursorAt(s.actor(), heads)
	b := protowire.AppendTag(make([]byte, 0, len(c)+4), fieldPacketCursor, protowire.BytesType)
	return protowire.AppendBytes(b, c)
}

// do runs an effect that takes time. Sign-in and sync hold up the reading
// goroutine, so that what was pipelined behind them keeps its order; they run
// on goroutines of their own so that this one keeps its small stack.
func (s *session) do(fx *effect) {
	switch fx.kind {
	case fxSubmit:
		ref := fx.ref
		if !s.g.Doorman.Valid() {
			s.handle(event{kind: evAppended, ref: ref, err: &im.Error{Code: im.Unavailable, Message: "this node may not serve now"}})
			return
		}
		r := *fx.frame.send
		r.Session = s.num
		if s.pipe == nil {
			s.pipe = s.g.Chat.NewPipe(s.actor())
		}
		done := func(res journal.Result, err error) {
			ev := event{kind: evAppended, ref: ref}
			if err != nil {
				ev.err = s.internal("send", err)
			} else {
				ev.bytes = encodeAck(ref, &res.Entry)
			}
			s.handle(ev)
		}
		if ref%ackEvery == 0 {
			done = s.timed(done)
		}
		if r.Trace = s.g.Trace.Root("gateway.send"); r.Trace != nil {
			done = traced(r.Trace, len(r.Body), done)
		}
		s.pipe.Submit(s.g.ctx, r, done)
	case fxSignIn:
		s.aside(s.signIn)
	case fxSync:
		s.aside(func() { s.sync(fx.frame, fx.ref) })
	case fxCall:
		f := fx.frame
		s.g.wg.Add(1)
		turn.Go(s.g.tasks, func() {
			defer s.g.wg.Done()
			s.call(f)
		})
	}
}

// aside runs fn on a goroutine of its own and waits for it.
func (s *session) aside(fn func()) {
	if s.g.tasks != nil {
		fn()
		return
	}
	done := make(chan struct{})
	go func() { defer close(done); fn() }()
	<-done
}

// callTimeout bounds whatever a session asks of the platform.
const callTimeout = 15 * time.Second

func (s *session) signIn() {
	s.mu.Lock()
	h := s.m.hello
	s.mu.Unlock()
	if h == nil {
		return
	}
	began := s.g.Clock.Now()
	id, err := s.register(h)
	err = s.internal("sign in", err)
	s.g.counts.logins.Inc(result(err))
	now := s.g.Clock.Now()
	if err == nil {
		s.g.counts.login.Observe(now.Sub(began).Seconds())
	}
	s.handle(event{kind: evSignedIn, now: now, id: id, err: err})
}

// register waits for its turn, signs in and makes the session findable.
func (s *session) register(h *skeinv1.Hello) (auth.Session, error) {
	ctx, cancel := context.WithTimeout(s.g.ctx, callTimeout)
	defer cancel()
	turn, stop := context.WithTimeout(ctx, loginWait)
	defer stop()
	if !s.g.gate.enter(turn, false) {
		return auth.Session{}, s.g.errBusy()
	}
	defer s.g.gate.leave()
	id, reserved, err := s.admit(ctx, h)
	if err == nil {
		who := id.Actor // without the rest of id, which would stay with it
		s.who.Store(&who)
		s.mu.Lock()
		s.m.id = id // what Apply looks at, before the session can be found
		if s.g.Quota != nil {
			s.m.members = s.g.Quota.Members(id.Actor.App)
		}
		s.mu.Unlock()
		s.conn.SetReadLimit(s.g.Limits.PacketBytes)
		s.conn.SetReadDeadline(s.g.Clock.Now().Add(silentIntervals * s.g.Limits.PingInterval))
		if old := s.g.hub.add(s, id.Actor); old != nil {
			old.handle(event{kind: evReplaced})
		}
		if reserved {
			s.g.Presence.Arrive(id.Actor)
		} else {
			s.g.Presence.Online(id.Actor)
		}
		if err = s.g.Doorman.Confirm(id); err == nil && s.g.drain.Load() {
			// Drain may have looked for sessions already.
			err = &im.Error{Code: im.Unavailable, Message: "the server is going away", RetryAfter: drainBack + s.g.jitter(drainBack)}
		}
	}
	return id, err
}

// admit asks the doorman, and whether the page may speak for the app. reserved
// tells that the device has a place among those of its app (Presence.Reserve).
func (s *session) admit(ctx context.Context, h *skeinv1.Hello) (id auth.Session, reserved bool, err error) {
	if s.origin != "" {
		ok, err := s.g.Doorman.AllowsOrigin(ctx, im.AppID(h.App), s.origin)
		if err != nil {
			return auth.Session{}, false, err
		}
		if !ok {
			return auth.Session{}, false, &im.Error{Code: im.PermissionDenied, Message: "pages of this origin may not speak for the app",
				Hint: "add the origin to the app's allowed origins"}
		}
	}
	d := auth.DeviceInfo{ID: im.DeviceID(h.Device), Platform: auth.Platform(h.Platform), Name: h.DeviceName}
	if s.g.Quota != nil {
		d.Admit = func(a im.Actor) error {
			most := s.g.Quota.Devices(a.App)
			if most == 0 {
				return nil
			}
			var ok bool
			if reserved, ok = s.g.Presence.Reserve(a, most); !ok {
				return s.g.Quota.NoDevice(most)
			}
			return nil
		}
	}
	id, err = s.g.Doorman.Authenticate(ctx, im.AppID(h.App), h.Token, d)
	if err != nil && reserved {
		s.g.Presence.Release(im.AppID(h.App))
	}
	return id, reserved, err
}

// internal logs an error that is not for the client's eyes, once, and
// replaces it.
func (s *session) internal(what string, err error) error {
	if err == nil || im.CodeOf(err) != im.Internal || s.g.ctx.Err() != nil {
		return err
	}
	s.g.Log.Error(what, "session", s.num, "err", err)
	return &im.Error{Code: im.Internal, Message: "internal error in session " + strconv.FormatUint(s.num, 36)}
}
