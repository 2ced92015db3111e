package skein

import (
	"math"
	"slices"
)

// Constants of the outbox, in milliseconds (docs/sdk-spec.md §4).
const (
	maxAge         = 29 * 24 * 3600_000 // a send older than this is reported, not sent
	skewAhead      = 10 * 60_000        // how far ahead of the server an id may be
	stallTime      = 30_000             // without an answer on a live socket
	keyTime        = 1_000              // between two writes of a key
	maxCalls       = 4                  // RPCs at a time
	maxInternal    = 3                  // internal errors before an item fails
	longestWaitMS  = 60_000             // what is told to wait for longer, because there is no room, is given up
	defaultFlights = 64
)

// outEvent is something that happened to the outbox.
type outEvent struct {
	Type         string `json:"type"`
	ID           string `json:"id,omitempty"`
	NewID        string `json:"newId,omitempty"`
	Conversation string `json:"conversation,omitempty"`
	Op           string `json:"op,omitempty"` // "send" or one that is an RPC
	Target       string `json:"target,omitempty"`
	Key          string `json:"key,omitempty"`
	IDMS         int64  `json:"idMs,omitempty"`
	Attempts     int    `json:"attempts,omitempty"`
	FirstMS      int64  `json:"firstAttemptMs,omitempty"`
	MaxInFlight  int    `json:"maxInFlight,omitempty"`
	OffsetMS     int64  `json:"offsetMs,omitempty"`
	Error        Code   `json:"error,omitempty"`
	RetryAfterMS int64  `json:"retryAfterMs,omitempty"`
	ServerTimeMS int64  `json:"serverTimeMs,omitempty"`
}

// outEffect is something the driver has to do.
type outEffect struct {
	Type    string `json:"type"` // transmit, fail, renew, timer, cancel, stalled
	ID      string `json:"id,omitempty"`
	Error   Code   `json:"error,omitempty"`
	InMS    *int64 `json:"inMs,omitempty"`
	FirstMS int64  `json:"firstAttemptMs,omitempty"` // of transmit
}

// outItem is what the machine keeps of an item.
type outItem struct {
	id, conv, target, key string
	call                  bool
	idMS                  int64
	attempts              int
	turnedAway            int   // of the attempts: answered with rate_limited; since the process began
	first                 int64 // server time of the first attempt
	notBefore             int64 // local time
	inFlight              bool
	since                 int64
	internal              int
}

// outboxMachine decides what is transmitted when.
type outboxMachine struct {
	random func() float64

	items    []*outItem // in order
	byID     map[string]*outItem
	up       bool
	flights  int // how many may be in flight
	flying   int // how many are, RPCs included
	calling  int // how many RPCs are
	offset   int64
	lastKeys map[string]int64 // when a key was written last, by conversation and key
	timerAt  int64            // 0 = none

	now    int64
	out    []outEffect
	renews []string // items to be renewed at the end of this step
}

func newOutbox(random func() float64) *outboxMachine {
	return &outboxMachine{random: random, flights: defaultFlights, lastKeys: map[string]int64{}, byID: map[string]*outItem{}}
}

// step takes an event at a local time in milliseconds and returns what has to
// be done, in order.
func (m *outboxMachine) step(now int64, ev outEvent) []outEffect {
	m.now, m.out, m.renews = now, nil, nil
	it := m.byID[ev.ID]
	switch ev.Type {
	case "add":
		if it == nil {
			it = &outItem{id: ev.ID, conv: ev.Conversation, target: ev.Target, key: ev.Key,
				call: ev.Op != "send", idMS: ev.IDMS, attempts: ev.Attempts, first: ev.FirstMS}
			m.items, m.byID[it.id] = append(m.items, it), it
		}
	case "up":
		m.up, m.offset = true, ev.OffsetMS
		m.flights = defaultFlights
		if ev.MaxInFlight > 0 {
			m.flights = ev.MaxInFlight
		}
		for _, it := range m.items {
			m.land(it)
			it.notBefore = 0
		}
	case "down":
		m.up = false
		for _, it := range m.items {
			m.land(it)
		}
		m.cancel()
	case "timer":
		m.timerAt = 0
		for _, it := range m.items {
			if it.inFlight && !it.call && now-it.since >= stallTime {
				m.out = append(m.out, outEffect{Type: "stalled"})
				return m.out
			}
		}
	}
	if it != nil {
		m.item(it, ev)
	}
	m.pump()
	// Last, because the driver answers each with an event of its own, whose
	// timer is newer than this step's.
	for _, id := range m.renews {
		m.out = append(m.out, outEffect{Type: "renew", ID: id})
	}
	return m.out
}

// item takes an event about one item.
func (m *outboxMachine) item(it *outItem, ev outEvent) {
	switch ev.Type {
	case "ack", "discard":
		m.remove(it)
	case "networkError":
		if it.inFlight {
			m.land(it)
			it.notBefore = m.now + m.backoff(it)
		}
	case "error":
		if it.inFlight {
			m.land(it)
			m.refused(it, ev)
		}
	case "renewed":
		for _, op := range m.items {
			if op.target == it.id {
				op.target = ev.NewID
			}
		}
		m.land(it)
		delete(m.byID, it.id)
		it.id, it.idMS = ev.NewID, ev.IDMS
		m.byID[it.id] = it
		it.attempts, it.turnedAway, it.first, it.notBefore = 0, 0, 0, 0
	}
}

// refused takes the server's error (docs/sdk-spec.md §4).
func (m *outboxMachine) refused(it *outItem, ev outEvent) {
	switch ev.Error {
	case RateLimited, Unavailable, ResourceExhausted:
		if ev.Error == ResourceExhausted && ev.RetryAfterMS > longestWaitMS {
			m.fail(it, ev.Error) // a quota that is used up: the user decides
			return
		}
		if ev.Error == RateLimited {
			it.turnedAway++ // before anybody looked at it: nothing was stored
		}
		it.notBefore = m.now + ev.RetryAfterMS + m.backoff(it)
	case Internal:
		if it.internal++; it.internal >= maxInternal {
			m.fail(it, Internal)
			return
		}
		it.notBefore = m.now + ev.RetryAfterMS + m.backoff(it)
	case ClockSkew:
		m.offset = ev.ServerTimeMS - m.now
		if it.attempts == it.turnedAway+1 {
			m.renew(it)
			return
		}
		it.notBefore = m.now + max(m.backoff(it), it.idMS-skewAhead-ev.ServerTimeMS)
	case Unauthenticated, TokenExpired:
		it.notBefore = m.now + m.backoff(it)
	case SignedOut:
		it.notBefore = math.MaxInt64 // until the session is up again
	default:
		m.fail(it, ev.Error)
	}
}

// fail gives an item up, and what waits for it.
func (m *outboxMachine) fail(it *outItem, why Code) {
	m.remove(it)
	m.out = append(m.out, outEffect{Type: "fail", ID: it.id, Error: why})
	for i := 0; i < len(m.items); {
		if op := m.items[i]; op.target == it.id {
			m.remove(op)
			m.out = append(m.out, outEffect{Type: "fail", ID: op.id, Error: FailedPrecondition})
			continue
		}
		i++
	}
}

// pump transmits what may go, in order, and sets the timer for the rest. It
// looks no further than it has to: behind the last item in flight nothing
// moves when no more may be.
func (m *outboxMachine) pump() {
	if !m.up {
		return
	}
	stopped := map[string]bool{} // conversations whose sends wait
	called := map[string]bool{}  // conversations with an earlier op
	wake := int64(math.MaxInt64)
	seen := 0 // items in flight passed so far
	for i := 0; i < len(m.items) && (m.flying < m.flights || seen < m.flying); {
		it := m.items[i]
		if !it.inFlight && it.first != 0 && m.now+m.offset-it.first > maxAge {
			m.fail(it, Expired)
			continue
		}
		if !it.inFlight && it.attempts == it.turnedAway && it.notBefore != math.MaxInt64 && it.idMS-skewAhead > m.now+m.offset {
			m.renew(it) // the server would refuse it, and after one lost answer for good
		}
		if it.call {
			free := !called[it.conv] && m.byID[it.target] == nil && m.calling < maxCalls
			called[it.conv] = true
			if !it.inFlight && free && m.due(it.notBefore, &wake) && m.flying < m.flights {
				m.transmit(it)
			}
		} else if !it.inFlight && !stopped[it.conv] {
			switch {
			case !m.due(it.notBefore, &wake):
				stopped[it.conv] = true
			case it.key != "" && !m.due(m.nextWrite(it), &wake):
			case m.flying < m.flights:
				m.transmit(it)
			}
		}
		if it.inFlight {
			seen++
			if !it.call {
				wake = min(wake, it.since+stallTime)
			}
		}
		i++
	}
	m.wakeAt(wake)
}

// renew asks for a new id for an item of which nothing can be stored.
func (m *outboxMachine) renew(it *outItem) {
	it.notBefore = math.MaxInt64 // until it is renewed
	m.renews = append(m.renews, it.id)
}

func (it *outItem) keyName() string { return it.conv + "\x00" + it.key }

// nextWrite is when a key may be written again; 0 = now.
func (m *outboxMachine) nextWrite(it *outItem) int64 {
	last, ok := m.lastKeys[it.keyName()]
	if !ok {
		return 0
	}
	return last + keyTime
}

// due tells whether an item's time has come, else lowers wake to it.
func (m *outboxMachine) due(at int64, wake *int64) bool {
	if at > m.now {
		*wake = min(*wake, at)
		return false
	}
	return true
}

func (m *outboxMachine) transmit(it *outItem) {
	it.attempts++
	if it.first == 0 {
		it.first = m.now + m.offset
	}
	it.inFlight, it.since = true, m.now
	m.flying++
	if it.call {
		m.calling++
	}
	if it.key != "" {
		for k, at := range m.lastKeys {
			if at+keyTime <= m.now {
				delete(m.lastKeys, k)
			}
		}
		m.lastKeys[it.keyName()] = m.now
	}
	m.out = append(m.out, outEffect{Type: "transmit", ID: it.id, FirstMS: it.first})
}

// wakeAt sets the one timer, or cancels it.
func (m *outboxMachine) wakeAt(at int64) {
	if at == math.MaxInt64 {
		m.cancel()
		return
	}
	if at != m.timerAt {
		m.timerAt = at
		in := max(0, at-m.now)
		m.out = append(m.out, outEffect{Type: "timer", InMS: &in})
	}
}

func (m *outboxMachine) cancel() {
	if m.timerAt != 0 {
		m.timerAt = 0
		m.out = append(m.out, outEffect{Type: "cancel"})
	}
}

func (m *outboxMachine) backoff(it *outItem) int64 {
	return int64(m.random() * math.Min(backoffCap, backoffBase*math.Pow(2, float64(it.attempts))))
}

// land takes an item out of flight.
func (m *outboxMachine) land(it *outItem) {
	if !it.inFlight {
		return
	}
	it.inFlight = false
	m.flying--
	if it.call {
		m.calling--
	}
}

func (m *outboxMachine) remove(it *outItem) {
	m.land(it)
	delete(m.byID, it.id)
	if i := slices.Index(m.items, it); i >= 0 {
		m.items = slices.Delete(m.items, i, i+1)
	}
}
