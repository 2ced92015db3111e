package gateway

import (
	"cmp"
	"time"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// phase is where a session is. It only moves forward, but for syncing and
// live, which alternate.
//
//	hello ──hello frame──► signingIn ──ok──► syncing ──last page──► live
//	  │                        │                ▲                    │
//	  └────────any refusal─────┴──► over        └────sync frame──────┘
type phase uint8

const (
	phaseHello phase = iota
	phaseSigningIn
	phaseSyncing
	phaseLive
	phaseOver
)

type eventKind uint8

// What can happen to a session.
const (
	evPacket    eventKind = iota + 1 // frames of a packet
	evBad                            // a packet that is none
	evSignedIn                       // outcome of fxSignIn
	evSynced                         // outcome of fxSync
	evAppended                       // outcome of fxSubmit
	evAnswer                         // outcome of everything else: a frame, or an error
	evNews                           // an entry of the fan-out, encoded
	evSignal                         // something that is not stored, encoded
	evTick                           // about once a second
	evFenced                         // signed out, revoked, suspended
	evReplaced                       // the device has another connection
	evElsewhere                      // the device has come online at another node
	evDrain                          // the node is going away
	evFull                           // the output queue is full
	evGone                           // the socket has ended
)

// event is one of them; only the fields of its kind are set.
type event struct {
	kind   eventKind
	now    time.Time
	frames []clientFrame
	ref    uint32
	id     auth.Session
	sync   chat.SyncResult
	err    error
	frame  *skeinv1.ServerFrame
	bytes  []byte // evNews, evSignal, evAppended: an encoded frame
	shard  int
	pos    im.Pos
	holds  bool          // evTick: this node may still serve
	heads  []im.Pos      // evTick: how far the fan-out is
	spread time.Duration // evDrain: when to come back
	last   bool          // evDrain: close at once, whatever is under way
}

type effectKind uint8

// What a session asks its carrier to do.
const (
	fxOut    effectKind = iota + 1 // queue an encoded frame
	fxSignIn                       // ask the doorman
	fxSync                         // read a page
	fxSubmit                       // append a message
	fxCall                         // any other verb
	fxClose                        // close with a code
	fxCursor                       // queue the cursor of everything queued so far
)

type effect struct {
	kind   effectKind
	bytes  []byte
	frame  *clientFrame
	ref    uint32
	code   skeinv1.CloseCode
	reason string
	now    bool // fxClose: drop what is queued
	// limited: fxOut refuses a frame because of a limit.
	limited bool
}

// news is an entry that waits for the end of a sync.
type news struct {
	shard int
	pos   im.Pos
	bytes []byte
}

// machine is a session's state. step has no goroutine, clock or I/O inside.
type machine struct {
	limits   *Limits
	phase    phase
	welcomed bool
	dirty    bool // news went out since the last cursor
	wasLive  bool // when the sync under way was asked for
	leaving  bool // go_away was said: what is under way is answered, then comes the close
	id       auth.Session
	session  string
	hello    *skeinv1.Hello
	helloRef uint32
	inFlight int
	waiting  []clientFrame // came behind the hello
	held     []news        // came during a sync
	heldSize int
	floor    []im.Pos // what the last sync told of, while the fan-out is not past it
	tokens   float64  // of the send rate
	filled   time.Time
	since    im.Micros // of the sign-in
	members  int       // most of a group, as the welcome tells; 0 = limits say it
}

// elsewhereAge is how old a session has to be before the news that its device
// is online at another node ends it. Such news can be late, of a connection
// that this one has come after; the bus is never that late. A younger session
// whose device has really gone ends by its silence.
const elsewhereAge = 5 * time.Second

// step moves the machine and appends what is to be done to out.
func (m *machine) step(ev *event, out []effect) []effect {
	out = m.take(ev, out)
	if m.leaving && m.inFlight == 0 && m.phase != phaseOver {
		out = m.close(out, skeinv1.CloseCode_CLOSE_CODE_GOING_AWAY, "the server is going away", false)
	}
	return out
}

func (m *machine) take(ev *event, out []effect) []effect {
	if m.phase == phaseOver {
		return out
	}
	switch ev.kind {
	case evNews:
		return m.onNews(ev, out)
	case evSignal:
		if m.phase == phaseLive || m.phase == phaseSyncing && m.welcomed {
			out = append(out, effect{kind: fxOut, bytes: ev.bytes})
		}
		return out
	case evAppended:
		m.inFlight--
		if ev.err != nil {
			return append(out, effect{kind: fxOut, bytes: errorFrame(ev.ref, ev.err)})
		}
		m.dirty = true // the cursor may pass the entry: should the ack get lost, the client sends again
		return append(out, effect{kind: fxOut, bytes: ev.bytes})
	case evAnswer:
		return m.onAnswer(ev, out)
	case evPacket:
		return m.onPacket(ev, out)
	case evSignedIn:
		return m.onSignedIn(ev, out)
	case evSynced:
		return m.onSynced(ev, out)
	case evTick:
		return m.onTick(ev, out)
	case evBad:
		return m.close(out, skeinv1.CloseCode_CLOSE_CODE_BAD_PACKET, "the packet is not one of the protocol", false)
	case evFenced:
		return m.close(out, skeinv1.CloseCode_CLOSE_CODE_SIGNED_OUT, "signed out", true)
	case evElsewhere:
		if m.since == 0 || im.MicrosOf(ev.now)-m.since < im.Micros(elsewhereAge.Microseconds()) {
			return out
		}
		return m.close(out, skeinv1.CloseCode_CLOSE_CODE_REPLACED, "the device has another connection", true)
	case evReplaced:
		return m.close(out, skeinv1.CloseCode_CLOSE_CODE_REPLACED, "the device has another connection", true)
	case evFull:
		return m.close(out, skeinv1.CloseCode_CLOSE_CODE_SLOW_READER, "too much is waiting to be read", true)
	case evDrain:
		return m.onDrain(ev, out)
	case evGone:
		m.phase = phaseOver
	}
	return out
}

// onDrain says go_away and takes no more frames; step closes as soon as none is
// without its answer. What the client sends meanwhile it sends again, elsewhere.
func (m *machine) onDrain(ev *event, out []effect) []effect {
	if !m.leaving {
		m.leaving = true
		out = append(out, effect{kind: fxOut, bytes: encodeFrame(&skeinv1.ServerFrame{Frame: &skeinv1.ServerFrame_GoAway{
			GoAway: &skeinv1.GoAway{Reason: "the server is going away", RetryAfterMs: uint32(ev.spread.Milliseconds())}}})})
	}
	if ev.last || m.phase < phaseSyncing || !m.welcomed {
		return m.close(out, skeinv1.CloseCode_CLOSE_CODE_GOING_AWAY, "the server is going away", false)
	}
	return out
}

// close ends the session; at once, or after what is queued has gone out.
func (m *machine) close(out []effect, code skeinv1.CloseCode, reason string, now bool) []effect {
	m.phase = phaseOver
	m.held, m.waiting = nil, nil
	return append(out, effect{kind: fxClose, code: code, reason: reason, now: now})
}

// refuse answers a hello with its error and closes.
func (m *machine) refuse(out []effect, ref uint32, err error) []effect {
	out = append(out, effect{kind: fxOut, bytes: errorFrame(ref, err)})
	code := skeinv1.CloseCode_CLOSE_CODE_UNAVAILABLE
	switch im.CodeOf(err) {
	case im.Unauthenticated, im.NotFound, im.PermissionDenied:
		code = skeinv1.CloseCode_CLOSE_CODE_UNAUTHENTICATED
	case im.InvalidArgument: // no new token would help
		code = skeinv1.CloseCode_CLOSE_CODE_BAD_PACKET
	case im.TokenExpired:
		code = skeinv1.CloseCode_CLOSE_CODE_TOKEN_EXPIRED
	case im.SignedOut:
		code = skeinv1.CloseCode_CLOSE_CODE_SIGNED_OUT
	case im.Unsupported:
		code = skeinv1.CloseCode_CLOSE_CODE_UNSUPPORTED
	case im.RateLimited:
		code = skeinv1.CloseCode_CLOSE_CODE_RATE_LIMITED
	}
	return m.close(out, code, im.CodeOf(err).String(), false)
}

func (m *machine) onPacket(ev *event, out []effect) []effect {
	if m.leaving {
		return out
	}
	for i := range ev.frames {
		f := &ev.frames[i]
		switch m.phase {
		case phaseHello:
			out = m.onHello(f, out)
		case phaseSigningIn:
			m.waiting = append(m.waiting, *f)
		case phaseOver:
			return out
		default:
			if !m.welcomed {
				m.waiting = append(m.waiting, *f)
				continue
			}
			out = m.onFrame(f, ev.now, out)
		}
	}
	return out
}

func (m *machine) onHello(f *clientFrame, out []effect) []effect {
	h := f.msg.GetHello()
	if h == nil {
		out = append(out, effect{kind: fxOut, bytes: errorFrame(f.ref, im.Errorf(im.FailedPrecondition, "the first frame is hello"))})
		return m.close(out, skeinv1.CloseCode_CLOSE_CODE_HELLO_EXPECTED, "the first frame is hello", false)
	}
	if h.Protocol != 1 {
		return m.refuse(out, f.ref, im.Errorf(im.Unsupported, "protocol 1 is spoken here"))
	}
	if !im.ValidName(h.Device) || len(h.DeviceName) > im.MaxIDBytes || !im.ValidToken(h.App) {
		return m.refuse(out, f.ref, im.Errorf(im.InvalidArgument, "hello has no valid app, device or device name"))
	}
	m.phase, m.hello, m.helloRef = phaseSigningIn, h, f.ref
	return append(out, effect{kind: fxSignIn})
}

func (m *machine) onSignedIn(ev *event, out []effect) []effect {
	if ev.err != nil {
		return m.refuse(out, m.helloRef, ev.err)
	}
	m.id, m.phase, m.filled, m.tokens = ev.id, phaseSyncing, ev.now, float64(m.limits.SendBurst)
	m.since = im.MicrosOf(ev.now)
	return append(out, effect{kind: fxSync, ref: m.helloRef, frame: &clientFrame{ref: m.helloRef,
		msg: &skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_Sync{Sync: m.hello.GetSync()}}}})
}

// onSynced answers the hello or a sync with its page; after the last page
// comes what was held back.
func (m *machine) onSynced(ev *event, out []effect) []effect {
	if ev.err != nil {
		if !m.welcomed {
			return m.refuse(out, ev.ref, ev.err)
		}
		m.inFlight--
		out = append(out, effect{kind: fxOut, bytes: errorFrame(ev.ref, ev.err)})
		if c := im.CodeOf(ev.err); c != im.CursorInvalid && c != im.InvalidArgument {
			return m.close(out, skeinv1.CloseCode_CLOSE_CODE_UNAVAILABLE, "sync failed", false)
		}
		if m.wasLive { // the request was wrong and nothing was read: as before
			out = m.goLive(nil, out)
		}
		return out
	}
	frame := &skeinv1.ServerFrame{Ref: ev.ref}
	follows := ev.sync.Page.Follows // then the request has no last answer yet
	switch {
	case m.welcomed && !follows:
		m.inFlight--
	case !m.welcomed && follows:
		m.inFlight++
	}
	if m.welcomed {
		frame.Frame = &skeinv1.ServerFrame_Sync{Sync: ev.sync.Page}
	} else {
		frame.Frame = &skeinv1.ServerFrame_Welcome{Welcome: &skeinv1.Welcome{
			Session: m.session, User: string(m.id.Actor.User), ServerTimeUs: ev.sync.Page.ServerTimeUs,
			TokenExpiresUs: m.id.Expires.UnixMicro(), PingIntervalMs: uint32(m.limits.PingInterval.Milliseconds()), Sync: ev.sync.Page,
			Limits: &skeinv1.Limits{MaxTextBytes: uint32(m.limits.TextBytes), MaxBodyBytes: uint32(m.limits.BodyBytes),
				MaxPacketBytes: uint32(m.limits.PacketBytes), MaxInFlight: uint32(m.limits.InFlight), MaxGroupMembers: uint32(cmp.Or(m.members, m.limits.GroupMembers))}}}
	}
	out = append(out, effect{kind: fxOut, bytes: encodeFrame(frame)})
	if !ev.sync.More {
		out = m.goLive(ev.sync.Heads, out)
	}
	if !m.welcomed {
		m.welcomed, m.hello = true, nil
		waiting := m.waiting
		m.waiting = nil
		for i := range waiting {
			out = m.onFrame(&waiting[i], ev.now, out)
		}
	}
	return out
}

// goLive ends a sync: what was held back and lies past heads goes out, with
// heads nil all of it.
func (m *machine) goLive(heads []im.Pos, out []effect) []effect {
	m.phase, m.wasLive = phaseLive, false
	if heads != nil {
		m.floor = heads
	}
	for _, n := range m.held {
		if heads == nil || n.pos > heads[n.shard] {
			out = append(out, effect{kind: fxOut, bytes: n.bytes})
			m.dirty = true
		}
	}
	m.held, m.heldSize = nil, 0
	return out
}

func (m *machine) onNews(ev *event, out []effect) []effect {
	switch m.phase {
	case phaseLive:
		if m.floor != nil && ev.pos <= m.floor[ev.shard] {
			return out // the fan-out was behind what the sync has read
		}
		m.dirty = true
		return append(out, effect{kind: fxOut, bytes: ev.bytes})
	case phaseSyncing:
		m.held = append(m.held, news{ev.shard, ev.pos, ev.bytes})
		if m.heldSize += len(ev.bytes); m.heldSize > m.limits.QueueBytes || len(m.held) > m.limits.QueueFrames {
			return m.close(out, skeinv1.CloseCode_CLOSE_CODE_SLOW_READER, "too much happened during the sync", true)
		}
	}
	return out
}

func (m *machine) onAnswer(ev *event, out []effect) []effect {
	m.inFlight--
	if !ev.id.Expires.IsZero() {
		m.id = ev.id
	}
	switch {
	case ev.err != nil:
		return append(out, effect{kind: fxOut, bytes: errorFrame(ev.ref, ev.err)})
	case ev.ref == 0 || ev.frame == nil:
		return out
	}
	ev.frame.Ref = ev.ref
	return append(out, effect{kind: fxOut, bytes: encodeFrame(ev.frame)})
}

func (m *machine) onTick(ev *event, out []effect) []effect {
	if len(ev.heads) == len(m.floor) && !behind(ev.heads, m.floor) {
		m.floor = nil
	}
	switch {
	case m.phase < phaseSyncing:
	case !m.id.Expires.IsZero() && ev.now.After(m.id.Expires.Add(auth.Leeway)):
		return m.close(out, skeinv1.CloseCode_CLOSE_CODE_TOKEN_EXPIRED, "the token has expired", false)
	case !ev.holds:
		return m.close(out, skeinv1.CloseCode_CLOSE_CODE_UNAVAILABLE, "this node may not serve now", true)
	case m.phase == phaseLive && m.dirty:
		m.dirty = false
		return append(out, effect{kind: fxCursor})
	}
	return out
}

// behind tells whether one of the positions is smaller than the other's.
func behind(heads, floor []im.Pos) bool {
	for i := range floor {
		if heads[i] < floor[i] {
			return true
		}
	}
	return false
}

// onFrame takes one frame of a session that was welcomed.
func (m *machine) onFrame(f *clientFrame, now time.Time, out []effect) []effect {
	if f.err == nil {
		f.err = m.admit(f, now)
	}
	if f.err != nil {
		return append(out, effect{kind: fxOut, bytes: errorFrame(f.ref, f.err), limited: im.CodeOf(f.err) == im.RateLimited})
	}
	if f.send != nil {
		m.inFlight++
		return append(out, effect{kind: fxSubmit, frame: f, ref: f.ref})
	}
	switch f.msg.GetFrame().(type) {
	case *skeinv1.ClientFrame_Ping:
		return append(out, effect{kind: fxOut, bytes: encodeFrame(&skeinv1.ServerFrame{Ref: f.ref,
			Frame: &skeinv1.ServerFrame_Pong{Pong: &skeinv1.Pong{ServerTimeUs: now.UnixMicro()}}})})
	case *skeinv1.ClientFrame_Sync:
		m.inFlight++
		m.wasLive = m.wasLive || m.phase == phaseLive
		m.phase = phaseSyncing
		return append(out, effect{kind: fxSync, frame: f, ref: f.ref})
	case *skeinv1.ClientFrame_Hello:
		return append(out, effect{kind: fxOut, bytes: errorFrame(f.ref, im.Errorf(im.FailedPrecondition, "hello is said once"))})
	case nil:
		return append(out, effect{kind: fxOut, bytes: errorFrame(f.ref, im.Errorf(im.Unsupported, "this server does not know the frame"))})
	}
	m.inFlight++
	return append(out, effect{kind: fxCall, frame: f, ref: f.ref})
}

// admit holds a frame to the session's rates.
func (m *machine) admit(f *clientFrame, now time.Time) error {
	if m.inFlight >= m.limits.InFlight {
		return &im.Error{Code: im.RateLimited, Message: "too many frames wait for their answers", Hint: "wait for answers before sending more",
			RetryAfter: 100 * time.Millisecond}
	}
	if _, command := f.msg.GetFrame().(*skeinv1.ClientFrame_Command); f.send == nil && !command {
		return nil
	}
	if d := now.Sub(m.filled); d > 0 {
		m.tokens = min(float64(m.limits.SendBurst), m.tokens+d.Seconds()*m.limits.SendRate)
		m.filled = now
	}
	if m.tokens < 1 {
		return &im.Error{Code: im.RateLimited, Message: "too many messages and commands a second",
			RetryAfter: time.Duration(float64(time.Second) / m.limits.SendRate * (1 - m.tokens))}
	}
	m.tokens--
	return nil
}

func errorFrame(ref uint32, err error) []byte {
	return encodeFrame(&skeinv1.ServerFrame{Ref: ref, Frame: &skeinv1.ServerFrame_Error{Error: chat.ProtoError(err)}})
}
