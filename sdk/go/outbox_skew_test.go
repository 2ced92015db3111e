package skein

import "testing"

// A send that was rate-limited first, and then turns out to have an id of a
// clock that is ahead, was never stored: it gets a new id at once, and does
// not wait until the server's clock has come that far.
func TestASendThatWasOnlyRateLimitedGetsANewIDForAWrongClock(t *testing.T) {
	m := newOutbox(func() float64 { return 0 })
	has := func(out []outEffect, want string) bool {
		for _, e := range out {
			if e.Type == want {
				return true
			}
		}
		return false
	}
	m.step(0, outEvent{Type: "up", MaxInFlight: 10, OffsetMS: 3_600_000})
	m.step(0, outEvent{Type: "add", ID: "a", Conversation: "g", Op: "send", IDMS: 3_600_000})
	m.step(10, outEvent{Type: "error", ID: "a", Error: RateLimited})
	out := m.step(20, outEvent{Type: "timer"})
	if !has(out, "transmit") && m.byID["a"].attempts != 2 {
		t.Fatal("not sent again:", out)
	}
	if out = m.step(30, outEvent{Type: "error", ID: "a", Error: ClockSkew, ServerTimeMS: 30}); !has(out, "renew") {
		t.Error("the id is kept:", out)
	}
	// An attempt whose outcome is unknown keeps its id: it may have arrived.
	m.step(40, outEvent{Type: "add", ID: "b", Conversation: "h", Op: "send", IDMS: 3_600_000, Attempts: 1, FirstMS: 20})
	m.step(50, outEvent{Type: "networkError", ID: "b"})
	m.step(60, outEvent{Type: "timer"})
	if out = m.step(70, outEvent{Type: "error", ID: "b", Error: ClockSkew, ServerTimeMS: 70}); has(out, "renew") {
		t.Error("the id of an attempt that may have arrived is given up:", out)
	}
}

// An operation that was written before the server's time was known, by a clock
// far ahead, is not tried with the id of that clock: when the answer to such an
// attempt is lost, or says "unavailable", the id has to be kept, and waits
// until the server's clock has come that far, which may be an hour.
func TestAnIDOfAClockFarAheadIsReplacedBeforeItIsTried(t *testing.T) {
	m := newOutbox(func() float64 { return 0 })
	m.step(0, outEvent{Type: "add", ID: "r", Conversation: "g", Op: "call", IDMS: 3_600_000})
	out := m.step(10, outEvent{Type: "up", MaxInFlight: 10})
	if len(out) != 1 || out[0].Type != "renew" || out[0].ID != "r" {
		t.Fatal("the id is tried:", out)
	}
	out = m.step(10, outEvent{Type: "renewed", ID: "r", NewID: "r2", IDMS: 10})
	if len(out) != 1 || out[0].Type != "transmit" || out[0].ID != "r2" {
		t.Error("it does not go out with its new id:", out)
	}
}
