package call_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// mute mutes a member of a group until a time, or the whole group; 0 ends it. The
// calls have not heard of it.
func (w *world) mute(conv im.ConvID, u im.UserID, until im.Micros) {
	w.t.Helper()
	cid, _ := im.ParseClientID(newID(w.t))
	change := chat.Change{Verb: chat.VerbMute, Content: &skeinv1.Content{Kind: &skeinv1.Content_Members{Members: &skeinv1.MembersChange{}}}}
	var attrs []byte
	var err error
	if u == "" {
		attrs, err = proto.Marshal(&skeinv1.GroupSettings{MutedUntilUs: int64(until)})
		change.Attrs = &attrs
		change.Content = &skeinv1.Content{Kind: &skeinv1.Content_Conversation{Conversation: &skeinv1.ConversationChange{}}}
	} else {
		attrs, err = proto.Marshal(&skeinv1.MemberAttrs{MutedUntilUs: int64(until)})
		change.Members = []journal.MemberChange{{User: u, Role: im.RoleMember, Attrs: &attrs}}
	}
	must(w.t, err)
	_, err = w.c.Change(w.t.Context(), server, conv, cid, func(*chat.Room) (chat.Change, error) { return change, nil })
	must(w.t, err)
}

// heard has the calls of a group follow it.
func (w *world) heard(conv im.ConvID) {
	w.t.Helper()
	w.follow(conv)
	w.due("call_check")
}

// speakers are those who may speak in a call, as its rows say.
func (w *world) speakers(id string) string {
	w.t.Helper()
	var out []string
	for _, p := range w.get(server, id).GetParties() {
		if p.GetState() == skeinv1.CallPartyState_CALL_PARTY_STATE_JOINED && p.GetRole() == skeinv1.CallRole_CALL_ROLE_PUBLISHER {
			out = append(out, p.GetUser())
		}
	}
	return strings.Join(out, " ")
}

func (w *world) speak(id, want, when string) {
	w.t.Helper()
	if got := w.speakers(id); got != want {
		w.t.Errorf("%s %q speak, want %q", when, got, want)
	}
}

// talks tells whether a client may publish, and whether anything of it is still
// in the room.
func (w *world) talks(token string, want bool, when string) {
	w.t.Helper()
	p, in := w.media.Get(token)
	if !in || p.Publish != want || !want && len(p.Tracks) > 0 {
		w.t.Errorf("%s they are in the room: %v, and it has them as %+v", when, in, p)
	}
}

func TestWhoIsMutedInTheGroupOnlyHearsUntilTheMuteEnds(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		w.group("g1", "bob", "cat")
		r := w.start(bob, "g1")
		id, host := r.GetCall().GetId(), r.GetAccess().GetToken()
		must(t, w.media.Connect(host, "AUDIO", "VIDEO"))
		guest := w.join(cat, id).GetAccess().GetToken()
		must(t, w.media.Connect(guest, "AUDIO"))
		w.speak(id, "bob cat", "at first")
		asked := w.media.Asked("UpdateParticipant")

		hour := w.c.Now() + im.Micros(time.Hour.Microseconds())
		w.mute("g1", "cat", hour)
		w.heard("g1")
		w.speak(id, "bob", "muted in the middle")
		w.talks(guest, false, "muted in the middle")
		w.talks(host, true, "beside who is muted")
		if n := w.media.Asked("UpdateParticipant") - asked; n != 1 {
			t.Errorf("the media server was asked %d times", n)
		}
		w.heard("g1") // hearing of it again changes nothing
		if n := w.media.Asked("UpdateParticipant") - asked; n != 1 {
			t.Errorf("the media server was asked %d times", n)
		}
		_, err := w.s.SetCallRole(t.Context(), bob, &skeinv1.SetCallRoleRequest{Call: id, User: "cat", Role: skeinv1.CallRole_CALL_ROLE_PUBLISHER})
		must(t, err)
		w.talks(guest, false, "when the host of the call gives them a role")
		w.leave(cat, id)
		guest = w.join(cat, id).GetAccess().GetToken()
		must(t, w.media.Connect(guest, "AUDIO"))
		w.talks(guest, false, "when they come again")
		must(t, w.media.Connect(w.join(cat, id).GetAccess().GetToken(), "AUDIO"))
		w.talks(guest, false, "when their device connects again")

		w.mute("g1", "cat", 0)
		w.heard("g1")
		w.speak(id, "bob cat", "when the mute is taken back")
		w.talks(guest, true, "when the mute is taken back")

		w.mute("g1", "", hour)
		w.heard("g1")
		w.speak(id, "", "when all are muted")
		w.talks(host, false, "when all are muted")
		w.mute("g1", "", 0)
		w.heard("g1")
		w.speak(id, "bob cat", "when all may speak again")
		w.talks(host, true, "when all may speak again")

		// A mute ends by itself.
		w.mute("g1", "cat", w.c.Now()+im.Micros(time.Hour.Microseconds()))
		w.heard("g1")
		w.talks(guest, false, "muted for an hour")
		w.queue.mu.Lock()
		last := w.queue.specs[len(w.queue.specs)-3:] // what follows from a change is done twice
		w.queue.mu.Unlock()
		if last[0].Kind != "call_check" || last[0].Delay > time.Hour || last[0].Delay < 50*time.Minute {
			t.Errorf("the end of the mute is looked at by %+v", last)
		}
		w.due("call_check")
		w.talks(guest, false, "before the hour is over")
		w.ahead.Store(int64(time.Hour))
		w.due("call_check")
		w.speak(id, "bob cat", "after the mute")
		w.talks(guest, true, "after the mute")

		// Also when its job ran by a clock that was ahead.
		w.mute("g1", "cat", w.c.Now()+im.Micros(time.Minute.Microseconds()))
		w.heard("g1")
		w.talks(guest, false, "muted for a minute")
		must(t, w.kinds["call_sweep"].Run(t.Context(), job.Job{}))
		w.talks(guest, false, "in a sweep before the minute is over")
		w.ahead.Add(int64(time.Minute))
		must(t, w.kinds["call_sweep"].Run(t.Context(), job.Job{}))
		w.talks(guest, true, "in a sweep after the minute")
	})
}

func TestAMuteThatTheMediaServerDidNotHearOfIsToldAgain(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		w.group("g1", "bob")
		r := w.start(bob, "g1")
		id, token := r.GetCall().GetId(), r.GetAccess().GetToken()
		must(t, w.media.Connect(token, "AUDIO"))
		w.mute("g1", "bob", w.c.Now()+im.Micros(time.Hour.Microseconds()))
		w.media.SetDown(true)
		w.heard("g1")
		w.media.SetDown(false)
		w.speak(id, "", "muted")
		w.talks(token, true, "while the media server is away")
		w.due("call_work")
		w.talks(token, false, "when it is back")

		// By a token of before, when the room was made anew.
		w.media.Crash()
		must(t, w.media.Connect(token, "AUDIO"))
		w.talks(token, false, "with a token of before the mute")
	})
}

func TestWhoJoinsWhileTheyAreRemovedOrMutedIsLookedAtAfterwards(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		w.group("g1", "bob", "cat")
		id := w.start(ann, "g1").GetCall().GetId()
		for _, a := range []im.Actor{bob, cat} {
			must(t, w.media.Connect(w.join(a, id).GetAccess().GetToken(), "AUDIO"))
		}
		// The follower has seen these before the two were in the call.
		w.mute("g1", "cat", w.c.Now()+im.Micros(time.Hour.Microseconds()))
		w.member("g1", "bob", im.RoleNone)
		w.queue.mu.Lock()
		checks := map[string]time.Duration{}
		for _, s := range w.queue.specs {
			if s.Kind == "call_check" {
				checks[s.Key] = s.Delay
			}
		}
		w.queue.mu.Unlock()
		if len(checks) == 0 || len(checks) > 2 { // three who come within a moment, which may be on either side of a border
			t.Errorf("the checks are %v", checks)
		}
		for key, delay := range checks {
			if !strings.HasPrefix(key, id+"/in/") || delay <= 0 {
				t.Errorf("a check %s after %v", key, delay)
			}
			must(t, w.kinds["call_check"].Run(t.Context(), job.Job{App: "demo", Key: key}))
		}
		w.is(id, "active ann=joined bob=removed cat=joined", "after the check")
		w.speak(id, "ann", "after the check")
	})
}
