package call_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/feature/call"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

func TestWhoComesBackAtOnceStays(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		w.group("g1", "bob", "cat")
		r := w.start(ann, "g1")
		id, token := r.GetCall().GetId(), r.GetAccess().GetToken()
		must(t, w.media.Connect(token))
		first := w.join(bob, id).GetAccess().GetToken()
		must(t, w.media.Connect(first))
		two := "[ann/phone bob/phone]"

		// While bob's devices are still being told that he has left.
		w.when(bob, "LEFT", func() { must(t, w.media.Connect(w.join(bob, id).GetAccess().GetToken())) })
		w.leave(bob, id)
		if got := fmt.Sprint(w.media.In(token)); got != two {
			t.Errorf("who left and came back is sent away: in the room are %s", got)
		}

		// Before the media server says that he had left.
		old, _ := w.media.Get(first)
		w.leave(bob, id)
		again := w.join(bob, id).GetAccess().GetToken()
		must(t, w.media.Tell("participant_left", w.room(id), &old))
		must(t, w.media.Connect(again))
		if got := fmt.Sprint(w.media.In(token)); got != two {
			t.Errorf("by late news in the room are %s", got)
		}

		// Who does not come although they were let in is out in time.
		w.leave(bob, id)
		w.join(bob, id)
		must(t, w.media.Tell("participant_connection_aborted", w.room(id), &old))
		w.is(id, "active ann=joined bob=joined cat=ringing", "while he may still come")
		w.due("call_away")
		w.is(id, "active ann=joined bob=left cat=ringing", "when he could have come")

		// The device before is sent away also when another one comes meanwhile.
		must(t, w.media.Connect(w.join(bob, id).GetAccess().GetToken()))
		w.media.SetDown(true)
		w.leave(bob, id)
		w.media.SetDown(false)
		must(t, w.media.Connect(w.join(bobTablet, id).GetAccess().GetToken()))
		if got := fmt.Sprint(w.media.In(token)); got != "[ann/phone bob/tablet]" {
			t.Errorf("after another device came in the room are %s", got)
		}
	})
}

func TestAPageThatIsBackInTimeIsWaitedFor(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		id, _, peer := w.talk()
		must(t, w.media.Break(peer))
		w.join(bob, id) // and is about to connect
		w.due("call_away")
		w.is(id, "active ann=joined bob=joined", "when the page has a token")
	})
}

func TestAPageThatIsClosedIsOutOfTheCallWhenItCouldBeBack(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		id, _, peer := w.talk()
		must(t, w.media.Break(peer))
		first := w.last("call_away")
		if first.Delay < 10*time.Second || first.Delay > 30*time.Second {
			t.Errorf("a page has %v", first.Delay)
		}
		must(t, w.media.Connect(peer))
		w.run(first)
		w.is(id, "active ann=joined bob=joined", "after a page was loaded anew")
		must(t, w.media.Break(peer))
		w.run(first)
		w.is(id, "active ann=joined bob=joined", "while it is loaded anew for the second time")
		w.due("call_away")
		w.is(id, "ended/completed ann=left bob=left", "when it is not back")
		w.due("call_away")
	})
}

func TestWhoVanishesIsFoundOut(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		id, token, peer := w.talk()
		sweep := func() { must(t, w.kinds["call_sweep"].Run(t.Context(), job.Job{})) }
		w.media.Crash() // and is back at once: clients come back by themselves
		sweep()
		w.is(id, "active ann=joined bob=joined", "just after a crash")
		must(t, w.media.Connect(token))
		must(t, w.media.Connect(peer))
		w.age(2 * time.Minute)
		sweep()
		w.is(id, "active ann=joined bob=joined", "while both are there")
		w.media.SetDown(true)
		w.age(2 * time.Minute)
		if err := w.kinds["call_sweep"].Run(t.Context(), job.Job{}); err == nil {
			t.Error("a media server that is away is not reported")
		}
		w.is(id, "active ann=joined bob=joined", "while nobody can know")
		w.media.SetDown(false)
		w.media.Vanish(peer)
		sweep()
		w.is(id, "ended/completed ann=left bob=left", "after one is away for long")

		// By webhook it is known at once; one that comes late says nothing.
		id, _, peer = w.talk()
		p, _ := w.media.Get(peer)
		must(t, w.media.Tell("participant_left", w.room(id), &p))
		w.is(id, "active ann=joined bob=joined", "after news of what is no more so")
		// A page that is loaded anew is about to come back; what does not, is gone in time.
		must(t, w.media.Break(peer))
		sweep()
		w.is(id, "active ann=joined bob=joined", "while a page is loaded anew")
		must(t, w.media.Connect(peer))
		must(t, w.media.Disconnect(peer))
		w.is(id, "ended/completed ann=left bob=left", "after one has gone")
	})
}

func TestEveryCallIsSweptHoweverManyGoOn(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		const calls = 5
		var ids, callees []string
		for i := range calls {
			caller, callee := user(fmt.Sprintf("caller%d", i), "phone"), user(fmt.Sprintf("callee%d", i), "phone")
			r := w.start(caller, im.Direct(caller.User, callee.User))
			ids = append(ids, r.GetCall().GetId())
			must(t, w.media.Connect(r.GetAccess().GetToken()))
			callees = append(callees, w.join(callee, ids[i]).GetAccess().GetToken())
			must(t, w.media.Connect(callees[i]))
		}
		for _, i := range []int{0, calls - 1} {
			w.media.Vanish(callees[i])
		}
		w.age(2 * time.Minute)
		for range calls/2 + 1 {
			must(t, w.s.SweepCalls(t.Context(), 2))
		}
		for i, id := range ids {
			want := fmt.Sprintf("active caller%d=joined callee%d=joined", i, i)
			if i == 0 || i == calls-1 {
				want = fmt.Sprintf("ended/completed caller%d=left callee%d=left", i, i)
			}
			w.is(id, want, "after sweeps of two calls each")
		}
		w.media.Vanish(callees[1])
		w.age(2 * time.Minute)
		must(t, w.s.SweepCalls(t.Context(), 2))
		w.is(ids[1], "ended/completed caller1=left callee1=left", "after the sweep that begins anew")
	})
}

// asked is a chat that does something when it is asked who may call.
type asked struct {
	call.Chat
	then func(a im.Actor)
}

func (c *asked) MayCall(ctx context.Context, a im.Actor, conv im.ConvID) (*chat.Room, error) {
	c.then(a)
	return c.Chat.MayCall(ctx, a, conv)
}

func (c *asked) MayHear(ctx context.Context, a im.Actor, conv im.ConvID) (*chat.Room, error) {
	c.then(a)
	return c.Chat.MayHear(ctx, a, conv)
}

func TestWhoIsSignedOutWhileTheyAreLetInIsOut(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		id := w.start(ann, ab).GetCall().GetId()
		slow := &asked{Chat: w.c}
		deps := w.deps
		deps.Chat = slow
		s := call.New(deps)
		defer s.Close(t.Context())
		slow.then = func(a im.Actor) {
			if a.User != "bob" {
				return
			}
			other := w.start(eve, im.Direct("eve", "zoe")).GetCall().GetId() // its end shows that the fence before it was applied
			s.SignedOut("demo", "bob", "phone", false)
			s.SignedOut("demo", "eve", "", true)
			w.until("the fences", func() bool { return w.get(server, other).GetState() == skeinv1.CallState_CALL_STATE_ENDED })
		}
		_, err := s.JoinCall(t.Context(), bob, &skeinv1.JoinCallRequest{Call: id})
		w.want(im.SignedOut, err, "an answer of who is signed out meanwhile")
		w.is(id, "ended/completed ann=left bob=left", "after that")
		_, err = s.StartCall(t.Context(), bob, &skeinv1.StartCallRequest{Conversation: string(im.Direct("bob", "cat")), ClientId: newID(t)})
		w.want(im.SignedOut, err, "a call of who is signed out meanwhile")
		list, err := w.s.ListCalls(t.Context(), server, &skeinv1.ListCallsRequest{Live: true})
		must(t, err)
		if len(list.GetCalls()) > 0 {
			t.Errorf("calls go on: %v", list)
		}
		slow.then = func(im.Actor) {}
		_, err = s.StartCall(t.Context(), bob, &skeinv1.StartCallRequest{Conversation: string(ab), ClientId: newID(t)})
		w.want(0, err, "a call of who has signed in again")
	})
}
