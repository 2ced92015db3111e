package call_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/feature/call"
	"github.com/skein-im/skein/internal/feature/call/calltest"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

func TestACallIsRungAnsweredTalkedAndLeft(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		r := w.start(ann, ab)
		id := r.GetCall().GetId()
		w.is(id, "ringing ann=joined bob=ringing", "at first")
		if got := w.rung(bob, id); got != "ringing" {
			t.Errorf("bob's devices know %q", got)
		}
		must(t, w.media.Connect(r.GetAccess().GetToken(), "AUDIO"))
		j := w.join(bob, id)
		must(t, w.media.Connect(j.GetAccess().GetToken(), "AUDIO"))
		w.is(id, "active ann=joined bob=joined", "answered")
		if got := w.rung(bob, id); got != "joined by phone" {
			t.Errorf("bob's other devices know %q", got)
		}
		if got := fmt.Sprint(w.media.In(r.GetAccess().GetToken())); got != "[ann/phone bob/phone]" {
			t.Errorf("in the room are %s", got)
		}
		w.want(im.FailedPrecondition, w.tryJoin(bobTablet, id), "a second device")
		w.age(192 * time.Second)
		w.leave(bob, id)
		w.is(id, "ended/completed ann=left bob=left", "left by one of two")
		if n := w.media.Rooms(); n != 0 {
			t.Errorf("%d rooms stay", n)
		}
		if got := w.lines(bob, ab); got != "call.ended: Voice call, 3:12" {
			t.Errorf("the conversation says %q", got)
		}
		if got := w.rung(ann, id); got != "left by phone, over" {
			t.Errorf("ann's devices know %q", got)
		}
		c, err := w.c.Open(t.Context(), bob, ab)
		must(t, err)
		if c.GetHeadOrd() != c.GetMembership().GetReadOrd() {
			t.Error("who was in the call has its end unread")
		}
		w.leave(bob, id) // once more
		w.want(im.FailedPrecondition, w.tryJoin(bob, id), "a call that is over")
	})
}

func TestNobodyAnswersInTime(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		id := w.start(ann, ab).GetCall().GetId()
		w.due("call_ring")
		w.is(id, "ringing ann=joined bob=ringing", "a job that comes early")
		w.age(61 * time.Second)
		w.due("call_ring")
		w.is(id, "ended/no_answer ann=left bob=missed", "after a minute")
		if got := w.lines(bob, ab); got != "call.missed: Missed voice call" {
			t.Errorf("the conversation says %q", got)
		}
		c, err := w.c.Open(t.Context(), bob, ab)
		must(t, err)
		if c.GetHeadOrd()-c.GetMembership().GetReadOrd() != 1 {
			t.Errorf("a missed call is not unread: %v", c)
		}
		if got := w.rung(bob, id); got != "missed, over" {
			t.Errorf("bob's devices know %q", got)
		}
		list, err := w.s.ListCalls(t.Context(), bob, &skeinv1.ListCallsRequest{Missed: true})
		must(t, err)
		if len(list.GetCalls()) != 1 || list.GetCalls()[0].GetId() != id {
			t.Errorf("bob has missed %v", list)
		}
		list, err = w.s.ListCalls(t.Context(), ann, &skeinv1.ListCallsRequest{Missed: true})
		must(t, err)
		if len(list.GetCalls()) != 0 {
			t.Error("ann has missed her own call")
		}
	})
}

func TestDeclinedCancelledAndBusy(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		w.group("g1", "bob", "cat")
		id := w.start(ann, ab).GetCall().GetId()
		must(t, w.decline(bobTablet, id))
		must(t, w.decline(bob, id)) // once more, on another device
		w.is(id, "ended/declined ann=left bob=declined", "declined")
		if got := w.rung(bob, id); got != "declined by tablet, over" {
			t.Errorf("bob's devices know %q", got)
		}
		w.want(im.NotFound, w.decline(eve, id), "declined by a stranger")

		id = w.start(ann, ab).GetCall().GetId()
		w.leave(ann, id)
		w.is(id, "ended/cancelled ann=left bob=missed", "cancelled")
		w.want(im.FailedPrecondition, w.decline(bob, id), "declined too late")
		w.want(im.FailedPrecondition, w.tryJoin(bob, id), "answered too late")

		bc := im.Direct("bob", "cat")
		talk := w.start(bob, bc).GetCall().GetId()
		w.join(cat, talk)
		r := w.start(ann, ab)
		w.is(r.GetCall().GetId(), "ended/busy ann=left bob=busy", "busy")
		if r.GetAccess() != nil {
			t.Error("there is access to a call that is over")
		}
		if got := w.rung(bob, r.GetCall().GetId()); got != "busy, over" {
			t.Errorf("bob's devices know %q", got)
		}
		id = w.start(ann, "g1").GetCall().GetId()
		w.is(id, "active ann=joined bob=busy cat=busy", "a group of whom all are busy")
		w.want(im.FailedPrecondition, w.tryJoin(bobTablet, id), "two calls at once")
		w.join(bob, id) // the phone that was in the other call
		w.is(talk, "ended/completed bob=left cat=left", "left for another call")
		if got := w.lines(bob, ab); got != "call.declined: Declined voice call | call.missed: Missed voice call | call.missed: Missed voice call" {
			t.Errorf("the conversation says %q", got)
		}
	})
}

func TestExactlyOneOfTwoDevicesAnswersOnTwoNodes(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		other := call.New(w.deps)
		defer other.Close(t.Context())
		for range 10 {
			id := w.start(ann, ab).GetCall().GetId()
			var wg sync.WaitGroup
			errs := make([]error, 2)
			for i, s := range []*call.Service{w.s, other} {
				wg.Go(func() {
					_, errs[i] = s.JoinCall(t.Context(), []im.Actor{bob, bobTablet}[i], &skeinv1.JoinCallRequest{Call: id})
				})
			}
			wg.Wait()
			if (errs[0] == nil) == (errs[1] == nil) {
				t.Fatalf("two devices answered: %v", errs)
			}
			w.want(im.FailedPrecondition, errors.Join(errs...), "the one that lost")
			w.is(id, "active ann=joined bob=joined", "answered")
			_, err := w.s.EndCall(t.Context(), bob, &skeinv1.EndCallRequest{Call: id})
			must(t, err)
		}
	})
}

func TestACallIsStartedOnceWhateverIsRepeated(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		req := &skeinv1.StartCallRequest{Conversation: string(ab), ClientId: newID(t), Video: true}
		w.media.SetDown(true)
		_, err := w.s.StartCall(t.Context(), ann, req)
		w.want(im.Unavailable, err, "without a room")
		_, err = w.s.StartCall(t.Context(), ann, req)
		w.want(im.Unavailable, err, "again")
		w.media.SetDown(false)
		if got := w.lines(bob, ab); got != "" {
			t.Errorf("a call that never was left %q", got)
		}
		req.ClientId = newID(t)
		var wg sync.WaitGroup
		ids := make([]string, 8)
		for i := range ids {
			wg.Go(func() {
				r, err := w.s.StartCall(t.Context(), ann, req)
				if err == nil && r.GetAccess() != nil {
					ids[i] = r.GetCall().GetId()
				}
			})
		}
		wg.Wait()
		for _, id := range ids {
			if id == "" {
				r, err := w.s.StartCall(t.Context(), ann, req) // it may have lost a race, and is repeated
				must(t, err)
				id = r.GetCall().GetId()
			}
			if id != fmt.Sprintf("%x", req.ClientId) {
				t.Errorf("a repetition started %q", id)
			}
		}
		list, err := w.s.ListCalls(t.Context(), ann, &skeinv1.ListCallsRequest{Live: true})
		must(t, err)
		if len(list.GetCalls()) != 1 {
			t.Errorf("%d calls are on", len(list.GetCalls()))
		}
		_, err = w.s.StartCall(t.Context(), ann, &skeinv1.StartCallRequest{Conversation: string(ab), ClientId: req.ClientId})
		w.want(im.ClientIDReused, err, "another call by the same id")
		_, err = w.s.StartCall(t.Context(), bob, &skeinv1.StartCallRequest{Conversation: string(ab), ClientId: newID(t)})
		w.want(im.AlreadyExists, err, "the other one calls at the same time")
	})
}

func TestAGroupCallsComesAndGoes(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		w.group("g1", "bob", "cat", "dan")
		r := w.start(ann, "g1", "bob")
		id := r.GetCall().GetId()
		w.is(id, "ringing ann=joined bob=ringing", "at first")
		must(t, w.decline(bob, id))
		w.is(id, "active ann=joined bob=declined", "declined by the only one")
		w.join(cat, id) // nobody rang her
		w.join(bob, id) // who has thought better of it
		dan := user("dan", "phone")
		_, err := w.s.InviteToCall(t.Context(), dan, &skeinv1.InviteToCallRequest{Call: id, Users: []string{"dan"}})
		w.want(im.PermissionDenied, err, "invited by who is not in it")
		_, err = w.s.InviteToCall(t.Context(), cat, &skeinv1.InviteToCallRequest{Call: id, Users: []string{"eve"}})
		w.want(im.NotFound, err, "a stranger invited")
		_, err = w.s.InviteToCall(t.Context(), cat, &skeinv1.InviteToCallRequest{Call: id, Users: []string{"dan", "bob", "dan"}})
		must(t, err)
		w.is(id, "active ann=joined bob=joined cat=joined dan=ringing", "invited")
		w.want(im.NotFound, w.tryJoin(eve, id), "a stranger")
		w.leave(ann, id)
		w.leave(bob, id)
		w.is(id, "active ann=left bob=left cat=joined dan=ringing", "without its starter")
		w.join(dan, id)
		w.leave(dan, id)
		w.leave(cat, id)
		w.is(id, "ended/completed ann=left bob=left cat=left dan=left", "after the last")
		if got := w.lines(bob, "g1"); got != "call.started: Started a voice call | call.ended: Voice call, 0:00" {
			t.Errorf("the group says %q", got)
		}
	})
}

func TestTheHostMutesRemovesAndGivesRoles(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		w.group("class", "bob", "cat", "dan")
		ctx := t.Context()
		teacher, err := w.s.StartCall(ctx, bob, &skeinv1.StartCallRequest{Conversation: "class", ClientId: newID(t), Video: true, Role: skeinv1.CallRole_CALL_ROLE_VIEWER})
		must(t, err)
		id := teacher.GetCall().GetId()
		must(t, w.media.Connect(teacher.GetAccess().GetToken(), "AUDIO", "VIDEO"))
		pupil := w.join(cat, id).GetAccess().GetToken()
		must(t, w.media.Connect(pupil, "AUDIO"))
		if p, _ := w.media.Get(pupil); p.Publish || len(p.Tracks) != 0 {
			t.Error("a viewer publishes")
		}
		role := func(a im.Actor, u string, r skeinv1.CallRole) error {
			_, err := w.s.SetCallRole(ctx, a, &skeinv1.SetCallRoleRequest{Call: id, User: u, Role: r})
			return err
		}
		mute := func(a im.Actor, u string) error {
			_, err := w.s.MuteInCall(ctx, a, &skeinv1.MuteInCallRequest{Call: id, User: u, Audio: true})
			return err
		}
		kick := func(a im.Actor, u string) error {
			_, err := w.s.RemoveFromCall(ctx, a, &skeinv1.RemoveFromCallRequest{Call: id, User: u})
			return err
		}
		w.want(im.PermissionDenied, role(cat, "cat", skeinv1.CallRole_CALL_ROLE_PUBLISHER), "a pupil raises herself")
		must(t, role(bob, "cat", skeinv1.CallRole_CALL_ROLE_PUBLISHER))
		if p, _ := w.media.Get(pupil); !p.Publish {
			t.Error("the new role did not arrive")
		}
		must(t, w.media.Connect(w.join(cat, id).GetAccess().GetToken(), "AUDIO", "VIDEO")) // she comes back with it
		w.want(im.PermissionDenied, mute(cat, "bob"), "a pupil mutes the teacher")
		must(t, mute(bob, "cat"))
		if p, _ := w.media.Get(pupil); len(p.Tracks) != 2 || !p.Tracks[0].Muted || p.Tracks[1].Muted {
			t.Errorf("her tracks are %+v", p.Tracks)
		}
		w.want(im.NotFound, mute(bob, "dan"), "who has not joined is muted")
		w.want(im.PermissionDenied, kick(cat, "dan"), "a pupil sends another away")
		must(t, kick(ann, "cat")) // the owner of the group
		if got := w.media.In(pupil); len(got) != 1 {
			t.Errorf("in the room are %v", got)
		}
		w.want(im.PermissionDenied, w.tryJoin(cat, id), "who was removed comes back")
		if err := w.media.Connect(pupil); err != nil { // by her old token
			t.Fatal(err)
		}
		if got := w.media.In(pupil); len(got) != 1 {
			t.Errorf("who was removed came back by an old token: %v", got)
		}
		_, err = w.s.InviteToCall(ctx, bob, &skeinv1.InviteToCallRequest{Call: id, Users: []string{"cat"}})
		must(t, err)
		w.join(cat, id)
		// Who has left at that very moment does not come back either.
		w.leave(cat, id)
		must(t, kick(bob, "cat"))
		w.want(im.PermissionDenied, w.tryJoin(cat, id), "who left before they were removed comes back")
		_, err = w.s.InviteToCall(ctx, bob, &skeinv1.InviteToCallRequest{Call: id, Users: []string{"cat"}})
		must(t, err)
		w.join(cat, id)
		// A role that the host gave is not changed by who only invites.
		must(t, role(bob, "cat", skeinv1.CallRole_CALL_ROLE_PUBLISHER))
		w.join(user("dan", "phone"), id)
		w.leave(cat, id)
		_, err = w.s.InviteToCall(ctx, user("dan", "phone"), &skeinv1.InviteToCallRequest{Call: id, Users: []string{"cat"}, Role: skeinv1.CallRole_CALL_ROLE_VIEWER})
		must(t, err)
		w.join(cat, id)
		w.speak(id, "bob cat", "invited again")
		w.leave(user("dan", "phone"), id)
		_, err = w.s.EndCall(ctx, cat, &skeinv1.EndCallRequest{Call: id})
		w.want(im.PermissionDenied, err, "a pupil ends the lesson")
		must(t, kick(ann, "bob"))
		_, err = w.s.EndCall(ctx, bob, &skeinv1.EndCallRequest{Call: id})
		w.want(im.PermissionDenied, err, "who was taken out of their own call ends it")
		w.want(im.PermissionDenied, kick(bob, "cat"), "who was taken out of their own call sends others away")
		_, err = w.s.EndCall(ctx, server, &skeinv1.EndCallRequest{Call: id})
		must(t, err)
		w.is(id, "ended/completed bob=removed ann=missed cat=left dan=left", "ended by the back end")
	})
}

func TestWhoMayNotWriteThereDoesNotCallThere(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		start := func(a im.Actor, conv im.ConvID) error {
			_, err := w.s.StartCall(ctx, a, &skeinv1.StartCallRequest{Conversation: string(conv), ClientId: newID(t)})
			return err
		}
		w.group("g1", "bob")
		w.want(im.NotFound, start(eve, "g1"), "a stranger")
		w.want(im.NotFound, start(eve, ab), "somebody else's conversation")
		w.want(im.NotFound, start(ann, im.Self("ann")), "oneself")
		w.want(im.NotFound, start(ann, "nowhere"), "no conversation")
		w.want(im.InvalidArgument, start(server, ab), "the back end")
		guest := ann
		guest.Guest = true
		w.want(im.PermissionDenied, start(guest, im.Direct("ann", "zed")), "the first word of a guest")
		block := func(on bool) {
			cid, _ := im.ParseClientID(newID(t))
			_, err := w.c.Relate(ctx, bob, "ann", cid, func(conv im.ConvID, _ chat.Relation) (chat.RelationChange, error) {
				c := chat.RelationChange{Change: &skeinv1.ContactChange{}, Own: true}
				if on {
					c.Set = chat.Blocks(conv, "bob")
				} else {
					c.Clear = chat.Blocks(conv, "bob")
				}
				return c, nil
			})
			must(t, err)
		}
		block(true)
		w.want(im.PermissionDenied, start(ann, ab), "who was blocked")
		block(false)
		r := w.start(ann, ab)
		w.join(bob, r.GetCall().GetId())
		block(true)
		w.follow(ab)
		w.due("call_check")
		w.is(r.GetCall().GetId(), "ended/completed ann=removed bob=removed", "blocked in the middle")
		old := newID(t)
		for i := range 6 {
			old[i] = 1
		}
		_, err := w.s.StartCall(ctx, ann, &skeinv1.StartCallRequest{Conversation: "g1", ClientId: old})
		w.want(im.ClockSkew, err, "an id of long ago")
	})
}

// follow has the follower see a conversation's entries.
func (w *world) follow(conv im.ConvID) {
	w.t.Helper()
	p, err := w.c.History(w.t.Context(), ann, chat.HistoryRequest{Conv: conv})
	must(w.t, err)
	f := call.Follower(func(tx db.Tx, s job.Spec) error {
		_, _, err := w.queue.Enqueue(tx, s)
		return err
	})
	entries := []im.Entry{{App: "demo", Conv: conv, Seq: im.Seq(len(p.GetItems()) + 1), Kind: im.KindMembers}}
	if !f.Wants(&entries[0]) {
		w.t.Fatal("the follower wants no changes of members")
	}
	must(w.t, w.d.Write(w.t.Context(), func(tx db.Tx) error { return f.Apply(w.t.Context(), tx, entries) }))
}

func TestWhoLeavesTheGroupSignsOutOrIsErasedLeavesTheRoom(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		w.group("g1", "bob", "cat", "dan")
		r := w.start(ann, "g1")
		id, token := r.GetCall().GetId(), r.GetAccess().GetToken()
		must(t, w.media.Connect(token))
		for _, a := range []im.Actor{bob, cat, user("dan", "phone")} {
			must(t, w.media.Connect(w.join(a, id).GetAccess().GetToken()))
		}
		w.member("g1", "bob", im.RoleNone)
		w.follow("g1")
		w.due("call_check")
		w.is(id, "active ann=joined bob=removed cat=joined dan=joined", "after a removal")
		w.want(im.NotFound, w.tryJoin(bob, id), "a former member")

		w.s.SignedOut("demo", "cat", "tablet", false) // another device than the one that talks
		w.s.SignedOut("demo", "cat", "phone", false)
		w.until("a sign-out", func() bool { return len(w.media.In(token)) == 2 })
		w.is(id, "active ann=joined bob=removed cat=left dan=joined", "after a sign-out")

		must(t, w.s.Forget(t.Context(), "demo", "ann"))
		must(t, w.s.Forget(t.Context(), "demo", "ann"))
		if got := fmt.Sprint(w.media.In(token)); got != "[dan/phone]" {
			t.Errorf("in the room are %s", got)
		}
		if c := w.get(user("dan", "phone"), id); c.GetStarter() != "" || len(c.GetParties()) != 3 || c.GetParties()[0].GetInvitedBy() != "" {
			t.Errorf("of who was erased is kept: %v", c)
		}
		w.leave(user("dan", "phone"), id)
		w.is(id, "ended/completed bob=removed cat=left dan=left", "at last")
	})
}

func TestTheCallsOfAnAppThatIsSuspendedEnd(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		w.group("g1", "cat", "dan")
		r := w.start(ann, ab)
		must(t, w.media.Connect(r.GetAccess().GetToken()))
		must(t, w.media.Connect(w.join(bob, r.GetCall().GetId()).GetAccess().GetToken()))
		rings := w.start(cat, "g1").GetCall().GetId()
		w.s.Suspended("other")
		w.s.Suspended("demo")
		w.until("the end of the rooms", func() bool { return w.media.Rooms() == 0 })
		w.is(r.GetCall().GetId(), "ended/completed ann=left bob=left", "after the suspension")
		w.is(rings, "ended/cancelled cat=left ann=busy dan=missed", "after the suspension")
	})
}

// until waits for what another goroutine does.
func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); {
		if time.Now().After(end) {
			w.t.Fatalf("waited in vain for %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func TestACallSurvivesTheNodeThatRangIt(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		// The node dies after the commit: nobody was told.
		w.fail = errors.New("the node died")
		id := w.start(ann, ab).GetCall().GetId()
		fresh := call.New(w.deps)
		must(t, w.s.Close(t.Context()))
		w.s = fresh
		w.due("call_work")
		if got := w.rung(bob, id); got != "ringing" {
			t.Errorf("bob's devices know %q", got)
		}
		w.mu.Lock()
		var told []string
		for _, r := range w.rings {
			if r.User == "bob" {
				told = append(told, r.Call.GetOwn().String())
			}
		}
		w.mu.Unlock()
		if len(told) != 1 || told[0] != "CALL_PARTY_STATE_RINGING" {
			t.Errorf("pushed were %v", told)
		}
		w.age(2 * time.Minute)
		w.due("call_ring")
		w.is(id, "ended/no_answer ann=left bob=missed", "by the node that lives")
		w.due("call_work") // a job that comes twice
		if got := w.lines(ann, ab); got != "call.missed: Missed voice call" {
			t.Errorf("the conversation says %q", got)
		}
	})
}

func TestACallGoesOnWhereverItsRoomIsMadeAnew(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		r := w.start(ann, ab)
		id, token := r.GetCall().GetId(), r.GetAccess().GetToken()
		must(t, w.media.Connect(token))
		peer := w.join(bob, id).GetAccess().GetToken()
		must(t, w.media.Connect(peer))
		goesOn := func(when string) {
			t.Helper()
			w.is(id, "active ann=joined bob=joined", when)
		}
		p, _ := w.media.Get(peer)
		room := w.room(id)

		must(t, w.media.Shut())
		goesOn("after everybody was sent elsewhere")
		must(t, w.kinds["call_sweep"].Run(t.Context(), job.Job{}))
		goesOn("after a sweep, before anybody is there")
		must(t, w.media.Tell("room_finished", room, nil))
		goesOn("after late news of the old room's end")
		must(t, w.media.Connect(token))
		must(t, w.media.Connect(peer))
		if got := w.media.Most(token); got != 6 {
			t.Errorf("the room that a client made has a bound of %d", got)
		}
		must(t, w.media.Tell("participant_left", room, &p))
		goesOn("after late news of who left the old one")
		w.age(time.Minute)
		must(t, w.media.Tell("room_finished", room, nil))
		goesOn("after late news, with everybody in the new one")

		// A token is older than what its bearer may do now.
		_, err := w.s.SetCallRole(t.Context(), server, &skeinv1.SetCallRoleRequest{Call: id, User: "bob", Role: skeinv1.CallRole_CALL_ROLE_VIEWER})
		must(t, err)
		w.media.Crash()
		must(t, w.media.Connect(token))
		must(t, w.media.Connect(peer, "AUDIO"))
		if p, ok := w.media.Get(peer); !ok || p.Publish || len(p.Tracks) > 0 {
			t.Errorf("who may only listen is there as %+v, %v", p, ok)
		}
		// And who was taken out does not come back by it.
		w.leave(bob, id)
		if err := w.media.Connect(peer); err != nil {
			t.Fatal(err)
		}
		if in := w.media.In(token); len(in) > 0 {
			t.Errorf("after the end there are %v", in)
		}
	})
}

func (w *world) room(id string) (room string) {
	w.t.Helper()
	must(w.t, w.d.Read(w.t.Context(), func(tx db.Tx) error {
		return tx.QueryRow("SELECT room FROM call WHERE id = $1", id).Scan(&room)
	}))
	return room
}

func TestAnotherDeviceTakesTheCallOver(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		r := w.start(ann, ab)
		id, token := r.GetCall().GetId(), r.GetAccess().GetToken()
		must(t, w.media.Connect(token))
		must(t, w.media.Connect(w.join(bob, id).GetAccess().GetToken()))
		m, err := w.s.JoinCall(t.Context(), bobTablet, &skeinv1.JoinCallRequest{Call: id, Move: true})
		must(t, err)
		must(t, w.media.Connect(m.GetAccess().GetToken()))
		if got := fmt.Sprint(w.media.In(token)); got != "[ann/phone bob/tablet]" {
			t.Errorf("in the room are %s", got)
		}
		w.is(id, "active ann=joined bob=joined", "moved")
	})
}

func TestACallHasNoMoreUsersThanItMay(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		names := []im.UserID{"u1", "u2", "u3", "u4", "u5", "u6"}
		w.group("big", names...)
		ctx := t.Context()
		_, err := w.s.StartCall(ctx, ann, &skeinv1.StartCallRequest{Conversation: "big", ClientId: newID(t)})
		w.want(im.ResourceExhausted, err, "seven of six")
		r, err := w.s.StartCall(ctx, ann, &skeinv1.StartCallRequest{Conversation: "big", ClientId: newID(t), Quiet: true})
		must(t, err)
		id := r.GetCall().GetId()
		w.is(id, "active ann=joined", "quiet")
		var wg sync.WaitGroup
		errs := make([]error, len(names))
		for i, n := range names {
			wg.Go(func() { errs[i] = w.tryJoin(user(string(n), "phone"), id) })
		}
		wg.Wait()
		full := 0
		for _, err := range errs {
			if err != nil {
				w.want(im.ResourceExhausted, err, "one too many")
				full++
			}
		}
		if c := w.get(ann, id); full != 1 || c.GetJoinedCount() != 6 {
			t.Errorf("%d were refused, %d are in it", full, c.GetJoinedCount())
		}
	})
}

func TestTheCallThatOneIsInIsKnownHoweverManyOthersCall(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		id := w.start(ann, ab).GetCall().GetId()
		w.join(bob, id)
		var last string
		for i := range call.MaxOwn + 1 { // each of them finds bob engaged
			caller := user(fmt.Sprintf("caller%02d", i), "phone")
			last = w.start(caller, im.Direct(caller.User, "bob")).GetCall().GetId()
		}
		if got := w.rung(bob, id); got != "joined by phone" {
			t.Errorf("of the call that bob is in his devices know %q", got)
		}
		if got := w.rung(bob, last); got != "busy, over" {
			t.Errorf("of the newest call bob's devices know %q", got)
		}
	})
}

func TestWhoIsRefusedByACallStaysInTheirOwn(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		w.group("g1", "bob", "cat")
		meeting := w.start(cat, "g1").GetCall().GetId()
		_, err := w.s.RemoveFromCall(t.Context(), cat, &skeinv1.RemoveFromCallRequest{Call: meeting, User: "ann"})
		must(t, err)
		talk := w.start(ann, ab).GetCall().GetId()
		w.join(bob, talk)
		stays := func(when string) {
			t.Helper()
			w.is(talk, "active ann=joined bob=joined", when)
		}
		start := func(a im.Actor, conv im.ConvID) error {
			_, err := w.s.StartCall(t.Context(), a, &skeinv1.StartCallRequest{Conversation: string(conv), ClientId: newID(t), Quiet: conv == "g1"})
			return err
		}
		w.want(im.PermissionDenied, w.tryJoin(ann, meeting), "who was taken out")
		stays("after an attempt to come back into another one")
		w.want(im.AlreadyExists, start(bob, "g1"), "a second call of the group")
		stays("after a call that was not")
		w.leave(cat, meeting)
		w.want(im.FailedPrecondition, w.tryJoin(ann, meeting), "a call that is over")
		stays("after the look at one that is over")

		meeting = w.start(cat, "g1").GetCall().GetId()
		w.join(ann, meeting)
		w.is(talk, "ended/completed ann=left bob=left", "left for the meeting")
		w.want(im.AlreadyExists, start(ann, "g1"), "a call of the group that one is in with others")
		w.is(meeting, "active cat=joined ann=joined bob=busy", "after that")

		// Who is alone in a call and starts it once more, as after a crash of the app, has another one.
		w.leave(cat, meeting)
		must(t, start(ann, "g1"))
		w.is(meeting, "ended/completed cat=left ann=left bob=busy", "in favour of the next one")
	})
}

func TestCallsAreListedNewestFirstInPages(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		w.group("g1", "bob")
		var want []string
		for i := range 5 {
			conv := ab
			if i%2 == 1 {
				conv = "g1"
			}
			id := w.start(ann, conv).GetCall().GetId()
			w.leave(ann, id)
			want = append([]string{id}, want...)
		}
		for _, a := range []im.Actor{bob, server} {
			var got []string
			for page := ""; ; {
				r, err := w.s.ListCalls(t.Context(), a, &skeinv1.ListCallsRequest{Limit: 2, Page: page})
				must(t, err)
				for _, c := range r.GetCalls() {
					got = append(got, c.GetId())
				}
				if page = r.GetNextPage(); page == "" {
					break
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("listed are %v, want %v", got, want)
			}
		}
		r, err := w.s.ListCalls(t.Context(), bob, &skeinv1.ListCallsRequest{Conversation: "g1", Limit: 1})
		must(t, err)
		if len(r.GetCalls()) != 1 || r.GetCalls()[0].GetConversation() != "g1" {
			t.Errorf("of the group are listed %v", r)
		}
		_, err = w.s.ListCalls(t.Context(), ann, &skeinv1.ListCallsRequest{Conversation: "g1", Page: r.GetNextPage()})
		w.want(im.InvalidArgument, err, "a page of somebody else's")
		_, err = w.s.ListCalls(t.Context(), bob, &skeinv1.ListCallsRequest{User: "ann"})
		w.want(im.PermissionDenied, err, "the calls of somebody else")
		_, err = w.s.GetCall(t.Context(), eve, &skeinv1.GetCallRequest{Call: want[0]})
		w.want(im.NotFound, err, "a stranger's look")
		_, err = w.s.GetCall(t.Context(), im.Actor{App: "other", Server: true}, &skeinv1.GetCallRequest{Call: want[0]})
		w.want(im.NotFound, err, "another app's look")
	})
}

func TestOnlyTheMediaServersWordCounts(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		r := w.start(ann, ab)
		must(t, w.media.Connect(r.GetAccess().GetToken()))
		body := []byte(`{"event":"room_finished","room":{"name":"` + w.room(r.GetCall().GetId()) + `"}}`)
		hook := httptest.NewServer(http.HandlerFunc(w.s.Webhook))
		defer hook.Close()
		w.media.SetHook(hook.URL)
		for what, token := range map[string]string{"none": "", "of another body": calltest.Hook([]byte("{}")), "a user's": r.GetAccess().GetToken(), "cut off": calltest.Hook(body)[:40]} {
			if err := w.media.Post(body, token); err == nil || err.Error()[:3] != "401" {
				t.Errorf("a webhook with a token that is %s: %v", what, err)
			}
		}
		w.is(r.GetCall().GetId(), "ringing ann=joined bob=ringing", "after forged news")
		must(t, w.media.Post(body, calltest.Hook(body)))
		w.is(r.GetCall().GetId(), "ringing ann=joined bob=ringing", "after news that is not so: she is in the room")
		w.media.Crash()
		must(t, w.media.Post(body, calltest.Hook(body)))
		w.is(r.GetCall().GetId(), "ringing ann=joined bob=ringing", "after news of another room: hers was not empty for long enough to end")
		w.age(30 * time.Second)
		must(t, w.media.Post(body, calltest.Hook(body)))
		w.is(r.GetCall().GetId(), "ended/cancelled ann=left bob=missed", "after true news")
	})
}
