package skein

import "math"

// State is the connection's state as the app sees it.
type State string

// The states of a client. The last three are final until Connect is called.
const (
	Idle       State = "idle"       // Connect was not called
	Connecting State = "connecting" // a token is fetched, a socket opened, hello sent
	Syncing    State = "syncing"    // what was missed is coming
	Online     State = "online"     // everything that was missed is here
	Waiting    State = "waiting"    // until the next attempt; StateEvent.RetryAt says when
	SignedOff  State = "signedOut"  // this device was signed out, or its tokens are refused
	Replaced   State = "replaced"   // the same device opened another connection
	Ended      State = "closed"     // Close was called, or the server can not talk to this SDK
)

// Constants of the connection, in milliseconds (docs/sdk-spec.md §3.1).
const (
	backoffBase   = 500
	backoffCap    = 30_000
	helloWait     = 10_000
	pongWait      = 10_000
	probeWait     = 3_000
	stableTime    = 10_000
	goAwayGrace   = 5_000
	cursorAckTime = 2_000
	refreshRetry  = 30_000
	refreshLeast  = 1_000
	tokenMargin   = 30_000
	rateFloor     = 5_000
)

// Close codes of the protocol that the machine tells apart.
const (
	closeNormal          = 1000
	closeHelloExpected   = 4400
	closeUnauthenticated = 4401
	closeTokenExpired    = 4402
	closeSignedOut       = 4403
	closeBadPacket       = 4404
	closeReplaced        = 4405
	closeUnsupported     = 4406
	closeGoingAway       = 4500
	closeRateLimited     = 4504
)

// connEvent is something that happened to the connection. Fields beside Type
// are those of docs/sdk-spec.md §3.2.
type connEvent struct {
	Type           string `json:"type"`
	Socket         int    `json:"socket,omitempty"`
	Name           string `json:"name,omitempty"` // of a timer
	Code           int    `json:"code,omitempty"` // of a close
	Error          Code   `json:"error,omitempty"`
	RetryAfterMS   int64  `json:"retryAfterMs,omitempty"`
	ServerTimeMS   int64  `json:"serverTimeMs,omitempty"`
	ExpiresMS      int64  `json:"expiresMs,omitempty"`
	PingIntervalMS int64  `json:"pingIntervalMs,omitempty"`
	More           bool   `json:"more,omitempty"`
	Follows        bool   `json:"follows,omitempty"` // more is on its way
}

// connEffect is something the driver has to do.
type connEffect struct {
	Type      string `json:"type"`
	Socket    int    `json:"socket,omitempty"`
	Code      int    `json:"code,omitempty"`
	Name      string `json:"name,omitempty"`
	InMS      *int64 `json:"inMs,omitempty"`
	State     State  `json:"state,omitempty"`
	Error     Code   `json:"error,omitempty"`
	RetryInMS *int64 `json:"retryInMs,omitempty"`
}

// phase divides connecting.
type phase int

const (
	phaseNone phase = iota
	phaseToken
	phaseDial
	phaseHello
)

// connection is the connection's step machine. It starts no goroutine, reads
// no clock and rolls no dice, so that a simulation repeats exactly.
type connection struct {
	random func() float64 // in [0, 1); called once a back-off

	state         State
	phase         phase
	socket        int // number of the newest one
	open          bool
	token, fresh  bool
	expires       int64 // server ms, 0 = unknown
	offset        int64 // server - local, ms
	attempt       int
	refusals      int
	floor         int64
	pingInterval  int64
	lastSent      int64
	awaitingPong  bool
	ackPending    bool
	cursorDropped bool

	now int64
	out []connEffect
}

func newConnection(random func() float64) *connection {
	return &connection{random: random, state: Idle}
}

// step takes an event at a local time in milliseconds and returns what has to
// be done, in order.
func (m *connection) step(now int64, ev connEvent) []connEffect {
	m.now, m.out = now, nil
	if ev.Socket != 0 && (ev.Socket != m.socket || !m.open) {
		return nil
	}
	switch ev.Type {
	case "connect":
		m.connect()
	case "close":
		if m.state != Ended {
			m.stop(Ended, "")
		}
	case "online":
		if m.state == Waiting {
			m.attempt = 0
			m.restart()
		} else {
			m.probe()
		}
	case "offline":
		m.probe()
	case "token":
		m.gotToken(ev)
	case "tokenFailed":
		m.noToken(ev)
	case "timer":
		m.timer(ev.Name)
	case "sent":
		m.lastSent = now
	case "closed":
		m.closed(ev.Code)
	default:
		m.connected(ev)
	}
	return m.out
}

// connected takes the events that a socket's frames make.
func (m *connection) connected(ev connEvent) {
	switch {
	case m.state == Connecting && ev.Type == "opened" && m.phase == phaseDial:
		m.phase = phaseHello
		m.send("hello")
	case m.state == Connecting && ev.Type == "dialFailed" && m.phase == phaseDial:
		m.open = false
		m.lose(Unavailable, 0)
	case m.state == Connecting && ev.Type == "welcome" && m.phase == phaseHello:
		m.welcome(ev)
	case m.state == Connecting && ev.Type == "helloError" && m.phase == phaseHello:
		m.shut()
		m.refused(ev)
	case m.state == Syncing && ev.Type == "sync" && ev.More && ev.Follows:
	case m.state == Syncing && ev.Type == "sync" && ev.More:
		m.send("sync")
	case m.state == Syncing && ev.Type == "sync":
		m.goOnline()
	case m.state == Syncing && ev.Type == "syncError":
		m.syncFailed(ev)
	case m.state != Syncing && m.state != Online:
	case ev.Type == "received" && m.awaitingPong:
		m.awaitingPong = false
		m.out = append(m.out, connEffect{Type: "cancel", Name: "pong"})
	case ev.Type == "goAway":
		m.floor = ev.RetryAfterMS
		m.set("goAway", goAwayGrace)
	case ev.Type == "refreshError" && ev.Error == SignedOut:
		m.stop(SignedOff, SignedOut)
	case ev.Type == "refreshError":
		m.token = false
		m.out = append(m.out, connEffect{Type: "error", Error: ev.Error})
		m.set("refresh", refreshRetry)
	case ev.Type == "cursor" && !m.ackPending:
		m.ackPending = true
		m.set("cursorAck", cursorAckTime)
	}
}

func (m *connection) connect() {
	switch m.state {
	case Waiting:
		m.attempt = 0
		m.restart()
	case Idle, SignedOff, Replaced, Ended:
		m.attempt, m.refusals, m.token, m.cursorDropped = 0, 0, false, false
		m.begin()
	}
}

// begin starts an attempt: with the token that is held if it will live, else
// with a new one.
func (m *connection) begin() {
	m.setState(Connecting, "", nil)
	if m.token && (m.expires == 0 || m.expires-(m.now+m.offset) > tokenMargin) {
		m.fresh = false
		m.dial()
		return
	}
	m.token = false
	m.phase = phaseToken
	m.out = append(m.out, connEffect{Type: "getToken"})
}

func (m *connection) restart() {
	m.out = append(m.out, connEffect{Type: "cancelAll"})
	m.begin()
}

func (m *connection) dial() {
	m.socket++
	m.open = true
	m.phase = phaseDial
	m.out = append(m.out, connEffect{Type: "dial", Socket: m.socket})
	m.set("hello", helloWait)
}

func (m *connection) gotToken(ev connEvent) {
	switch {
	case m.state == Connecting && m.phase == phaseToken:
		m.token, m.fresh, m.expires = true, true, ev.ExpiresMS
		m.dial()
	case m.state == Syncing || m.state == Online:
		m.token, m.expires = true, ev.ExpiresMS
		m.send("refresh")
		m.setRefresh()
	}
}

func (m *connection) noToken(ev connEvent) {
	switch {
	case m.state == Connecting && m.phase == phaseToken:
		m.lose(ev.Error, 0)
	case m.state == Syncing || m.state == Online:
		m.out = append(m.out, connEffect{Type: "error", Error: ev.Error})
		m.set("refresh", refreshRetry)
	}
}

func (m *connection) welcome(ev connEvent) {
	m.offset = ev.ServerTimeMS - m.now
	m.expires = ev.ExpiresMS
	m.pingInterval = max(ev.PingIntervalMS, 1000)
	m.refusals, m.fresh, m.cursorDropped = 0, false, false
	m.phase = phaseNone
	m.out = append(m.out, connEffect{Type: "cancelAll"})
	m.set("ping", m.pingInterval)
	m.setRefresh()
	m.set("stable", stableTime)
	if ev.More {
		m.setState(Syncing, "", nil)
		if !ev.Follows {
			m.send("sync")
		}
		return
	}
	m.goOnline()
}

func (m *connection) goOnline() {
	m.setState(Online, "", nil)
	m.out = append(m.out, connEffect{Type: "flush"})
}

func (m *connection) timer(name string) {
	live := m.state == Syncing || m.state == Online
	switch {
	case name == "retry" && m.state == Waiting:
		m.begin()
	case name == "hello" && m.state == Connecting && m.phase != phaseToken:
		m.shut()
		m.lose(Unavailable, 0)
	case !live:
	case name == "ping":
		if idle := m.now - m.lastSent; idle < m.pingInterval {
			m.set("ping", m.pingInterval-idle)
			return
		}
		m.ping(pongWait)
	case name == "pong" && m.awaitingPong, name == "goAway":
		m.shut()
		m.lose(Unavailable, m.floor)
	case name == "refresh":
		m.out = append(m.out, connEffect{Type: "getToken"})
	case name == "stable":
		m.attempt = 0
	case name == "cursorAck":
		m.ackPending = false
		m.send("cursorAck")
	}
}

// ping asks for a sign of life and sets the timer for the next one.
func (m *connection) ping(wait int64) {
	m.send("ping")
	m.set("ping", m.pingInterval)
	if !m.awaitingPong {
		m.awaitingPong = true
		m.set("pong", wait)
	}
}

// probe finds out at once whether the socket still lives.
func (m *connection) probe() {
	if (m.state == Syncing || m.state == Online) && !m.awaitingPong {
		m.ping(probeWait)
	}
}

func (m *connection) syncFailed(ev connEvent) {
	if ev.Error == CursorInvalid && !m.cursorDropped {
		m.cursorDropped = true
		m.out = append(m.out, connEffect{Type: "dropCursor"})
		m.send("sync")
		return
	}
	m.shut()
	m.lose(ev.Error, ev.RetryAfterMS)
}

// closed takes a close of the current socket (docs/sdk-spec.md §3.4).
func (m *connection) closed(code int) {
	m.open = false
	switch code {
	case closeUnauthenticated:
		m.badToken(Unauthenticated)
	case closeTokenExpired:
		m.badToken(TokenExpired)
	case closeSignedOut:
		m.stop(SignedOff, SignedOut)
	case closeReplaced:
		m.stop(Replaced, FailedPrecondition)
	case closeHelloExpected, closeBadPacket:
		m.stop(Ended, InvalidArgument)
	case closeUnsupported:
		m.stop(Ended, Unsupported)
	case closeRateLimited:
		m.lose(RateLimited, max(m.floor, rateFloor))
	default:
		m.lose(Unavailable, m.floor)
	}
}

// refused takes an error in answer to hello.
func (m *connection) refused(ev connEvent) {
	switch ev.Error {
	case Unauthenticated, TokenExpired:
		m.badToken(ev.Error)
	case SignedOut:
		m.stop(SignedOff, SignedOut)
	case CursorInvalid:
		if m.cursorDropped {
			m.lose(CursorInvalid, 0)
			return
		}
		m.cursorDropped = true
		m.out = append(m.out, connEffect{Type: "dropCursor"})
		m.restart()
	case RateLimited, Unavailable, ResourceExhausted, Internal:
		m.lose(ev.Error, ev.RetryAfterMS)
	default:
		m.stop(Ended, ev.Error)
	}
}

// badToken gets another token: not at all when two fresh ones were refused;
// at once when hello was refused (so at most twice) or when the session had
// been a stable one; else with back-off, so that a server that welcomes and
// then refuses is not asked in a loop.
func (m *connection) badToken(why Code) {
	m.token = false
	if m.fresh {
		m.refusals++
	}
	switch {
	case m.refusals >= 2:
		m.stop(SignedOff, Unauthenticated)
	case m.phase == phaseHello || m.attempt == 0:
		m.attempt = max(m.attempt, 1)
		m.leave()
		m.restart()
	default:
		m.lose(why, 0)
	}
}

// lose ends an attempt or a session and waits for the next one.
func (m *connection) lose(why Code, floor int64) {
	m.leave()
	limit := math.Min(backoffCap, backoffBase*math.Pow(2, float64(m.attempt)))
	delay := floor + int64(m.random()*limit)
	m.attempt = min(m.attempt+1, 30)
	m.out = append(m.out, connEffect{Type: "cancelAll"})
	m.setState(Waiting, why, &delay)
	m.set("retry", delay)
}

// stop ends everything until the app connects again.
func (m *connection) stop(s State, why Code) {
	m.shut()
	m.leave()
	m.out = append(m.out, connEffect{Type: "cancelAll"})
	m.setState(s, why, nil)
}

// shut closes the socket if it is open.
func (m *connection) shut() {
	if m.open {
		m.open = false
		m.out = append(m.out, connEffect{Type: "closeSocket", Socket: m.socket, Code: closeNormal})
	}
}

func (m *connection) leave() {
	m.phase, m.fresh = phaseNone, false
	m.awaitingPong, m.ackPending, m.floor = false, false, 0
}

// send asks the driver for a frame on the current socket. Only a ping counts
// as sent at once: the driver reports the others.
func (m *connection) send(what string) {
	if what == "ping" {
		m.lastSent = m.now
	}
	m.out = append(m.out, connEffect{Type: what, Socket: m.socket})
}

func (m *connection) set(name string, in int64) {
	m.out = append(m.out, connEffect{Type: "timer", Name: name, InMS: &in})
}

// setRefresh gets a new token when 80 % of the remaining life is over.
func (m *connection) setRefresh() {
	if m.expires > 0 {
		left := m.expires - (m.now + m.offset)
		m.set("refresh", max(refreshLeast, int64(math.Floor(float64(left)*0.8))))
	}
}

func (m *connection) setState(s State, why Code, retry *int64) {
	m.state = s
	m.out = append(m.out, connEffect{Type: "state", State: s, Error: why, RetryInMS: retry})
}
