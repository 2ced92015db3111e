package call

import skeinv1 "github.com/skein-im/skein/proto/skein/v1"

// state is how a user stands to a call; none = they have nothing to do with it.
type state int64

const (
	none     state = 0
	ringing        = state(skeinv1.CallPartyState_CALL_PARTY_STATE_RINGING)
	joined         = state(skeinv1.CallPartyState_CALL_PARTY_STATE_JOINED)
	declined       = state(skeinv1.CallPartyState_CALL_PARTY_STATE_DECLINED)
	missed         = state(skeinv1.CallPartyState_CALL_PARTY_STATE_MISSED)
	busy           = state(skeinv1.CallPartyState_CALL_PARTY_STATE_BUSY)
	left           = state(skeinv1.CallPartyState_CALL_PARTY_STATE_LEFT)
	removed        = state(skeinv1.CallPartyState_CALL_PARTY_STATE_REMOVED)
)

// event is what happens to a user in a call.
type event string

const (
	invite  event = "invite"  // they are to be rung
	engaged event = "engaged" // they are to be rung, and in another call
	join    event = "join"    // a device of theirs answers or joins
	decline event = "decline" // a device of theirs declines
	leave   event = "leave"   // they leave, or their connection is lost for good
	remove  event = "remove"  // the host takes them out, or they may be in it no more
	timeout event = "timeout" // the ring's time is up
	end     event = "end"     // the call ends
)

// table is what an event makes of a user's state. What is not in it is refused,
// or changes nothing. docs/guide/calls.md shows it; a test compares.
func table() map[state]map[event]state {
	again := map[event]state{invite: ringing, engaged: busy, join: joined}
	return map[state]map[event]state{
		none:     again,
		ringing:  {join: joined, decline: declined, remove: removed, timeout: missed, end: missed},
		joined:   {leave: left, remove: removed, end: left},
		declined: again,
		missed:   again,
		busy:     again,
		left:     {invite: ringing, engaged: busy, join: joined, remove: removed},
		removed:  {invite: ringing, engaged: busy},
	}
}

// next is the state after an event; ok is false when the table has none.
func (s state) next(e event) (to state, ok bool) {
	to, ok = table()[s][e]
	return to, ok
}

// The states of a call.
const (
	callRings  = int64(skeinv1.CallState_CALL_STATE_RINGING)
	callActive = int64(skeinv1.CallState_CALL_STATE_ACTIVE)
	callEnded  = int64(skeinv1.CallState_CALL_STATE_ENDED)
)

// settle moves a call to where its parties have brought it, and ends what has
// nobody left in it. It is run after every change, on all parties.
func (t *turn) settle() {
	c := t.c
	if c.state == callEnded {
		return
	}
	in, rings := t.count(joined), t.count(ringing)
	if in > 1 && c.answered == 0 {
		c.answered = t.now
	}
	switch {
	case c.direct() && c.answered == 0 && in == 1 && rings == 0:
		t.end(t.unanswered())
	case in == 0, c.direct() && c.answered != 0 && in < 2:
		t.end(0)
	case c.answered != 0 || rings == 0:
		c.state = callActive
	}
}

// unanswered is why a call in a direct conversation was not answered.
func (t *turn) unanswered() skeinv1.CallEnd {
	for _, p := range t.parties {
		switch p.state {
		case declined:
			return skeinv1.CallEnd_CALL_END_DECLINED
		case busy:
			return skeinv1.CallEnd_CALL_END_BUSY
		case missed:
			return skeinv1.CallEnd_CALL_END_NO_ANSWER
		}
	}
	return skeinv1.CallEnd_CALL_END_CANCELLED
}

// end ends a call for everybody; why = 0 is completed, or cancelled when nobody
// has answered.
func (t *turn) end(why skeinv1.CallEnd) {
	c := t.c
	if c.state == callEnded {
		return
	}
	if why == 0 {
		why = skeinv1.CallEnd_CALL_END_CANCELLED
		if c.answered != 0 {
			why = skeinv1.CallEnd_CALL_END_COMPLETED
		}
	}
	c.state, c.ending, c.ended = callEnded, int64(why), t.now
	for _, p := range t.parties {
		t.move(p, end)
	}
}

// move has an event happen to a party, if the table has it.
func (t *turn) move(p *party, e event) bool {
	to, ok := p.state.next(e)
	if !ok {
		return false
	}
	from := p.state
	p.state, p.changed, p.touched = to, t.now, true
	p.version++
	switch {
	case to == joined:
		p.joined, p.seen, p.gone = t.now, t.now, 0
	case from == joined:
		p.gone = t.now
		if e != end { // the room goes with the call
			p.evict = identity(p.user, p.device)
		}
	}
	return true
}

func (t *turn) count(s state) (n int) {
	for _, p := range t.parties {
		if p.state == s {
			n++
		}
	}
	return n
}
