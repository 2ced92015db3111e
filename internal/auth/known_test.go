package auth

import (
	"fmt"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/im"
)

func TestRecallIsBoundedAndKeepsWhatIsUsed(t *testing.T) {
	r := newRecall[int, int](100)
	for i := range 10_000 {
		r.put(i, i)
		if _, ok := r.get(0); !ok {
			t.Fatalf("forgot at %d what is used all the time", i)
		}
		if n := len(r.young) + len(r.old); n > 101 {
			t.Fatalf("remembers %d", n)
		}
	}
	if _, ok := r.get(1); ok {
		t.Error("remembers what nobody used")
	}
	r.forget(func(v int) bool { return true })
	if len(r.young)+len(r.old) != 0 {
		t.Error("did not forget")
	}
}

// What was read before a fence and comes to be remembered after it would
// outlive it.
func TestNothingThatAFenceConcernsIsRememberedBehindIt(t *testing.T) {
	ann := Session{Actor: im.Actor{App: "shop", User: "ann", Device: "d"}, kid: "k", fence: 4}
	for _, c := range []struct {
		f             Fence
		call, secret  bool // are remembered
		origin, alive bool
	}{
		{Fence{Kind: FenceDevice, App: "shop", User: "ann", Device: "d"}, false, true, true, false},
		{Fence{Kind: FenceDevice, App: "shop", User: "ann", Device: "x"}, false, true, true, true},
		{Fence{Kind: FenceDevice, App: "shop", User: "bob", Device: "d"}, true, true, true, true},
		{Fence{Kind: FenceDevice, App: "other", User: "ann", Device: "d"}, true, true, true, true},
		{Fence{Kind: FenceUser, App: "shop", User: "ann"}, false, true, true, false},
		{Fence{Kind: FenceApp, App: "shop"}, false, false, true, false},
		{Fence{Kind: FenceApp, App: "other"}, true, true, true, true},
		{Fence{Kind: FenceSecret, App: "shop", KID: "k"}, false, false, true, false},
		{Fence{Kind: FenceSecret, App: "shop", KID: "k2"}, true, false, true, true},
		{Fence{Kind: FenceSettings, App: "shop"}, true, false, false, true},
		{Fence{Kind: FenceAll}, false, false, false, false},
	} {
		c.f.ID = 5
		k := newKnown()
		k.apply(c.f)
		k.keepCall(callKey{1}, ann)
		k.keepSecret(verifyKey{kid: "k", app: "shop"}, 4)
		k.keepOrigin(originKey{"shop", "o"}, true, 4)
		_, call := k.call(callKey{1})
		_, secret := k.secret("k")
		_, origin := k.origin(originKey{"shop", "o"})
		if call != c.call || secret != c.secret || origin != c.origin || k.good(ann) != c.alive {
			t.Errorf("after %+v: call %v, secret %v, origin %v, alive %v", c.f, call, secret, origin, k.good(ann))
		}
		// Read after the fence, all of it is remembered and good.
		later := ann
		later.fence = 5
		k.keepCall(callKey{2}, later)
		k.keepSecret(verifyKey{kid: "k3", app: "shop"}, 5)
		_, call = k.call(callKey{2})
		_, secret = k.secret("k3")
		if !call || !secret || !k.good(later) {
			t.Errorf("after %+v, what was read later: call %v, secret %v, good %v", c.f, call, secret, k.good(later))
		}
	}
}

func TestAFenceForgetsWhatItConcerns(t *testing.T) {
	k := newKnown()
	for i, actor := range []im.Actor{{App: "shop", User: "ann", Device: "d"}, {App: "shop", User: "ann"}, {App: "shop", User: "bob", Device: "d"}, {App: "shop", Server: true}} {
		k.keepCall(callKey{byte(i)}, Session{Actor: actor, kid: "k"})
	}
	left := func() (s string) {
		for i := range 4 {
			if _, ok := k.call(callKey{byte(i)}); ok {
				s += fmt.Sprint(i)
			}
		}
		return s
	}
	for i, c := range []struct {
		f    Fence
		left string
	}{
		{Fence{Kind: FenceDevice, App: "shop", User: "ann", Device: "d"}, "23"},
		{Fence{Kind: FenceUser, App: "shop", User: "bob"}, "3"},
		{Fence{Kind: FenceSettings, App: "shop"}, "3"},
		{Fence{Kind: FenceSecret, App: "shop", KID: "k"}, ""},
	} {
		c.f.ID = int64(i + 1)
		if k.apply(c.f); left() != c.left {
			t.Errorf("after %+v: left %q, want %q", c.f, left(), c.left)
		}
	}
}

// A call's session from memory was looked at by every fence since; it is as
// new as the last of them, however long ago it was accepted.
func TestACallFromMemoryIsGoodAfterManyFences(t *testing.T) {
	k := newKnown()
	s := Session{Actor: im.Actor{App: "shop", User: "ann", Device: "d"}, Expires: time.Now()}
	k.keepCall(callKey{1}, s)
	for i := range 3 * maxRecent {
		k.apply(Fence{ID: int64(i + 1), Kind: FenceUser, App: "shop", User: "bob"})
	}
	if k.good(s) {
		t.Error("a session from before all the fences that are remembered counts as good")
	}
	if s, ok := k.call(callKey{1}); !ok || !k.good(s) {
		t.Error("the call's session counts as ended")
	}
	if len(k.recent) != maxRecent {
		t.Errorf("remembers %d fences", len(k.recent))
	}
}
