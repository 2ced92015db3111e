package join_test

import (
	"fmt"
	"testing"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

func (w *world) ban(who, conv, user string) error {
	_, err := w.join.BanMember(w.t.Context(), actor(who), &skeinv1.BanMemberRequest{Conversation: conv, User: user, Reason: "spam", ClientId: w.cid()})
	return err
}

// add is what AddMembers does.
func (w *world) add(who, conv, user string) error {
	_, err := w.chat.Change(w.t.Context(), actor(who), im.ConvID(conv), w.id(), func(*chat.Room) (chat.Change, error) {
		return chat.Change{Verb: chat.VerbMembers, Members: []journal.MemberChange{{User: im.UserID(user), Role: im.RoleMember}}, Content: members(&skeinv1.MembersChange{Added: []string{user}})}, nil
	})
	return err
}

func TestABannedUserIsOutAndStaysOutByEveryWay(t *testing.T) {
	both(t, 1, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.make("g", public(skeinv1.JoinMode_JOIN_MODE_OPEN), "bob")
		_, code := w.invite("ann", "g", 0, false)
		_, asking := w.invite("ann", "g", 0, true)
		_, bobs := w.invite("bob", "g", 0, false)
		must(t, w.ban("adm", "g", "bob"))
		must(t, w.ban("ann", "g", "eve")) // never was in
		if w.isIn("g", "bob") {
			t.Fatal("bob is still in")
		}
		for _, user := range []string{"bob", "eve"} {
			w.refused(user+" joins", im.NotFound, func() error { _, err := w.joinGroup(ctx, user, "g", w.cid()); return err })
			w.refused(user+" by invitation", im.NotFound, func() error { return w.byInvite(ctx, user, code, w.cid()) })
			w.refused(user+" asks by invitation", im.NotFound, func() error { return w.byInvite(ctx, user, asking, w.cid()) })
			w.refused(user+" looks at an invitation", im.NotFound, func() error {
				_, err := w.join.GetInvite(ctx, actor(user), &skeinv1.GetInviteRequest{Code: code})
				return err
			})
			for _, who := range []string{"ann", "server"} {
				w.refused(who+" adds "+user, im.FailedPrecondition, func() error { return w.add(who, "g", user) })
			}
		}
		w.refused("by an invitation of who was banned", im.NotFound, func() error { return w.byInvite(ctx, "new", bobs, w.cid()) })
		r, err := w.join.ListBans(ctx, actor("adm"), &skeinv1.ListBansRequest{Conversation: "g", Limit: 1})
		must(t, err)
		if len(r.Bans) != 1 || r.Bans[0].User != "bob" || r.Bans[0].By != "adm" || r.Bans[0].Reason != "spam" {
			t.Errorf("page one: %v", r)
		}
		r, err = w.join.ListBans(ctx, actor("adm"), &skeinv1.ListBansRequest{Conversation: "g", Limit: 1, Page: r.NextPage})
		must(t, err)
		if len(r.Bans) != 1 || r.Bans[0].User != "eve" || r.Bans[0].By != "ann" {
			t.Errorf("page two: %v", r)
		}
		_, err = w.join.UnbanMember(ctx, actor("adm"), &skeinv1.UnbanMemberRequest{Conversation: "g", User: "bob"})
		must(t, err)
		if out, err := w.joinGroup(ctx, "bob", "g", w.cid()); err != nil || out != joined {
			t.Errorf("after the ban was lifted: %v, %v", out, err)
		}
	})
}

func TestWhoMayBanWhom(t *testing.T) {
	both(t, 1, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.make("g", public(skeinv1.JoinMode_JOIN_MODE_OPEN), "mem", "mel")
		for _, c := range []struct {
			who, user string
			want      im.Code
		}{{"mem", "mel", im.PermissionDenied}, {"mem", "ann", im.PermissionDenied}, {"adm", "ann", im.PermissionDenied}, {"adm", "adm", im.InvalidArgument},
			{"server", "ann", im.PermissionDenied}, {"eve", "mem", im.NotFound}, {"other/ann", "mem", im.NotFound}, {"ann", "a\x00", im.InvalidArgument}, {"ann", "\u202ea", im.InvalidArgument}} {
			w.refused(c.who+" bans "+c.user, c.want, func() error { return w.ban(c.who, "g", c.user) })
		}
		for _, who := range []string{"mem", "eve"} {
			want := map[string]im.Code{"mem": im.PermissionDenied, "eve": im.NotFound}[who]
			w.refused(who+" lists", want, func() error {
				_, err := w.join.ListBans(ctx, actor(who), &skeinv1.ListBansRequest{Conversation: "g"})
				return err
			})
			w.refused(who+" unbans", want, func() error {
				_, err := w.join.UnbanMember(ctx, actor(who), &skeinv1.UnbanMemberRequest{Conversation: "g", User: "x"})
				return err
			})
		}
		w.refused("nobody's ban", im.NotFound, func() error {
			_, err := w.join.UnbanMember(ctx, actor("ann"), &skeinv1.UnbanMemberRequest{Conversation: "g", User: "x"})
			return err
		})
		must(t, w.ban("server", "g", "adm"))
		if w.isIn("g", "adm") || w.count("SELECT count(*) FROM join_ban WHERE done = 1") != 1 {
			t.Errorf("the back end's ban: %v", w.in("g"))
		}
	})
}

func TestNobodyIsInOnceTheirBanIsAcknowledgedWhateverTheyWereDoing(t *testing.T) {
	both(t, 3, func(t *testing.T, w *world) {
		w.make("g", public(skeinv1.JoinMode_JOIN_MODE_OPEN))
		for i := range 20 {
			user := fmt.Sprint("u", i)
			errs := together(2, func(i int) error {
				if i == 0 {
					return w.ban("ann", "g", user)
				}
				_, err := w.nodes[1+i%2].joinGroup(t.Context(), user, "g", w.cid())
				return err
			})
			if errs[0] != nil || w.isIn("g", user) {
				t.Errorf("%s is in %v after the ban (%v); the join said %v", user, w.isIn("g", user), errs[0], errs[1])
			}
		}
	})
}

func TestARetryOfABanSucceedsAndOneThatANodeLeftUnfinishedIsFinished(t *testing.T) {
	both(t, 1, func(t *testing.T, w *world) {
		w.make("g", public(skeinv1.JoinMode_JOIN_MODE_OPEN), "bob", "cid")
		r := &skeinv1.BanMemberRequest{Conversation: "g", User: "bob", ClientId: w.cid()}
		for range 3 {
			_, err := w.join.BanMember(t.Context(), actor("ann"), r)
			must(t, err)
		}
		lost := func(*journal.Append) bool { return true }
		w.before.Store(&lost)
		if err := w.ban("ann", "g", "cid"); im.CodeOf(err) != im.Unavailable {
			t.Fatalf("a node that dies: %v", err)
		}
		w.before.Store(nil)
		w.exec("UPDATE join_ban SET created = 0")
		must(t, w.join.Tidy(t.Context()))
		if w.isIn("g", "cid") || w.count("SELECT count(*) FROM join_ban WHERE done = 1") != 2 {
			t.Errorf("in are %v", w.in("g"))
		}
	})
}

func TestOnlyThoseOnAnAllowListInForceJoinByThemselves(t *testing.T) {
	both(t, 1, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.make("g", public(skeinv1.JoinMode_JOIN_MODE_OPEN), "mem")
		_, code := w.invite("ann", "g", 0, false)
		set := func(who string, on bool, users ...string) error {
			_, err := w.join.SetAllowList(ctx, actor(who), &skeinv1.SetAllowListRequest{Conversation: "g", Users: users, Enforced: on, ClientId: w.cid()})
			return err
		}
		must(t, set("ann", true, "bob", "cid"))
		w.refused("who is not on it", im.PermissionDenied, func() error { _, err := w.joinGroup(ctx, "eve", "g", w.cid()); return err })
		w.refused("who is not on it, by invitation", im.PermissionDenied, func() error { return w.byInvite(ctx, "eve", code, w.cid()) })
		_, err := w.joinGroup(ctx, "bob", "g", w.cid())
		must(t, err)
		must(t, w.add("ann", "g", "zoe")) // a member adds whom they like
		_, err = w.join.RemoveFromAllowList(ctx, actor("adm"), &skeinv1.RemoveFromAllowListRequest{Conversation: "g", Users: []string{"cid"}, ClientId: w.cid()})
		must(t, err)
		w.refused("who was taken off", im.PermissionDenied, func() error { _, err := w.joinGroup(ctx, "cid", "g", w.cid()); return err })
		r, err := w.join.ListAllowList(ctx, actor("adm"), &skeinv1.ListAllowListRequest{Conversation: "g"})
		must(t, err)
		if len(r.Users) != 1 || r.Users[0] != "bob" || !r.Enforced || r.Size != 1 {
			t.Errorf("%v", r)
		}
		w.refused("a member sets it", im.PermissionDenied, func() error { return set("mem", false) })
		w.refused("a stranger sets it", im.NotFound, func() error { return set("eve", false) })
		w.refused("no user", im.InvalidArgument, func() error { return set("ann", false, "a\x00") })
		var many []string
		for i := range 1000 {
			many = append(many, fmt.Sprint("u", i))
		}
		for i := range 10 {
			for k := range many {
				many[k] = fmt.Sprint("u", i, "-", k)
			}
			if err := set("ann", true, many...); i < 9 && err != nil || i == 9 && im.CodeOf(err) != im.TooLarge {
				t.Errorf("%d users: %v", (i+1)*1000+1, err)
			}
		}
		must(t, set("ann", false))
		_, err = w.joinGroup(ctx, "eve", "g", w.cid())
		must(t, err)
	})
}
