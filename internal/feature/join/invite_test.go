package join_test

import (
	"fmt"
	"testing"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

func TestAHundredWhoComeAtOnceByAnInvitationForOneToThreeNodesLetExactlyOneIn(t *testing.T) {
	both(t, 3, func(t *testing.T, w *world) {
		w.make("g", &skeinv1.GroupSettings{})
		_, code := w.invite("ann", "g", 1, false)
		got := map[im.Code]int{}
		for _, err := range together(100, func(i int) error {
			return w.nodes[i%3].byInvite(t.Context(), fmt.Sprint("u", i), code, w.cid())
		}) {
			got[im.CodeOf(err)]++
		}
		if got[0] != 1 || got[im.NotFound] != 99 || len(w.in("g")) != 3 {
			t.Errorf("answers %v, members %v", got, w.in("g"))
		}
	})
}

func TestAnInvitationForManyLetsExactlySoManyIn(t *testing.T) {
	both(t, 3, func(t *testing.T, w *world) {
		w.make("g", &skeinv1.GroupSettings{})
		id, code := w.invite("ann", "g", 7, false)
		_, open := w.invite("ann", "g", 0, false)
		got := map[im.Code]int{}
		for _, err := range together(40, func(i int) error {
			return w.nodes[i%3].byInvite(t.Context(), fmt.Sprint("u", i), code, w.cid())
		}) {
			got[im.CodeOf(err)]++
		}
		if got[0] != 7 || got[im.NotFound] != 33 || len(w.in("g")) != 9 {
			t.Errorf("answers %v, members %v", got, w.in("g"))
		}
		r, err := w.join.ListInvites(t.Context(), actor("ann"), &skeinv1.ListInvitesRequest{Conversation: "g"})
		must(t, err)
		for _, v := range r.Invites {
			if v.Id == id && (v.Uses != 7 || !v.Ended) {
				t.Errorf("after seven: %v", v)
			}
		}
		for _, err := range together(60, func(i int) error {
			return w.nodes[i%3].byInvite(t.Context(), fmt.Sprint("v", i), open, w.cid())
		}) {
			must(t, err)
		}
		if len(w.in("g")) != 69 {
			t.Errorf("%d are in after 60 more came by an invitation for any number", len(w.in("g")))
		}
	})
}

func TestANodeThatDiesWhileItLetsSomebodyInNeitherLosesTheUseNorLetsTwoIn(t *testing.T) {
	both(t, 2, func(t *testing.T, w *world) {
		w.make("g", &skeinv1.GroupSettings{})
		// It dies after it has written down who sets out, before the entry.
		_, code := w.invite("ann", "g", 1, false)
		lost := func(a *journal.Append) bool { return a.Kind == im.KindMembers && a.Sender == "bob" }
		w.before.Store(&lost)
		bobs := w.cid()
		if err := w.byInvite(t.Context(), "bob", code, bobs); im.CodeOf(err) != im.Unavailable {
			t.Fatalf("a node that dies: %v", err)
		}
		w.before.Store(nil)
		must(t, w.nodes[1].byInvite(t.Context(), "cid", code, w.cid()))
		w.refused("the use went to another", im.NotFound, func() error { return w.byInvite(t.Context(), "bob", code, bobs) })

		// It dies after the entry, before it has counted it.
		id, code := w.invite("ann", "g", 1, false)
		must(t, w.byInvite(t.Context(), "dan", code, w.cid()))
		w.exec("UPDATE join_invite SET uses = 0 WHERE id = $1", id)
		w.exec("UPDATE join_use SET counted = 0 WHERE invite = $1", id)
		w.refused("a use that nobody has counted", im.NotFound, func() error { return w.nodes[1].byInvite(t.Context(), "eve", code, w.cid()) })
		w.exec("UPDATE join_use SET at = 0")
		must(t, w.join.Tidy(t.Context()))
		if n := w.count("SELECT uses FROM join_invite WHERE id = $1", id); n != 1 {
			t.Errorf("the use that was not counted counts %d after Tidy", n)
		}
		must(t, w.join.Tidy(t.Context()))
		if n := w.count("SELECT uses FROM join_invite WHERE id = $1", id); n != 1 {
			t.Errorf("it counts %d after Tidy has run twice", n)
		}
	})
}

func TestARetryOfAJoinByInvitationUsesItOnce(t *testing.T) {
	both(t, 2, func(t *testing.T, w *world) {
		w.make("g", &skeinv1.GroupSettings{})
		id, code := w.invite("ann", "g", 2, false)
		mine := w.cid()
		for _, err := range together(10, func(i int) error { return w.nodes[i%2].byInvite(t.Context(), "bob", code, mine) }) {
			must(t, err)
		}
		must(t, w.byInvite(t.Context(), "bob", code, w.cid())) // is in: uses nothing up
		if n := w.count("SELECT uses FROM join_invite WHERE id = $1", id); n != 1 {
			t.Errorf("one user's retries are %d uses", n)
		}
		w.leave("g", "bob")
		must(t, w.byInvite(t.Context(), "bob", code, w.cid())) // comes again: another use
		w.leave("g", "bob")
		w.refused("coming back by what is used up", im.NotFound, func() error { return w.byInvite(t.Context(), "bob", code, w.cid()) })
		w.refused("who comes after", im.NotFound, func() error { return w.byInvite(t.Context(), "eve", code, w.cid()) })
	})
}

func TestEveryCodeThatOpensNothingAnswersAlike(t *testing.T) {
	both(t, 1, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.make("g", &skeinv1.GroupSettings{}, "mem")
		_, good := w.invite("adm", "g", 0, false)
		if r, err := w.join.GetInvite(ctx, actor("bob"), &skeinv1.GetInviteRequest{Code: good}); err != nil || r.Title != "The g" || r.MemberCount != 3 || r.Inviter != "adm" {
			t.Fatalf("%v, %v", r, err)
		}
		codes := map[string]string{"made up": "AAAAAAAAAAAAAAAAAAAAAAAA", "empty": "", "with NUL": "a\x00b", "turned": "\u202eabc", "a bit off": "A" + good[1:]}
		if codes["a bit off"] == good {
			codes["a bit off"] = "B" + good[1:]
		}
		revoked, code := w.invite("ann", "g", 0, false)
		_, err := w.join.RevokeInvite(ctx, actor("ann"), &skeinv1.RevokeInviteRequest{Conversation: "g", Invite: revoked, ClientId: w.cid()})
		must(t, err)
		codes["revoked"] = code
		_, codes["used up"] = w.invite("ann", "g", 1, false)
		must(t, w.byInvite(ctx, "first", codes["used up"], w.cid()))
		r, err := w.join.CreateInvite(ctx, actor("ann"), &skeinv1.CreateInviteRequest{Conversation: "g", ExpiresS: 60, ClientId: w.cid()})
		must(t, err)
		codes["expired"] = r.Code
		w.make("gone", &skeinv1.GroupSettings{})
		_, codes["of a maker who left"] = w.invite("adm", "gone", 0, false)
		w.leave("gone", "adm")
		w.exec("UPDATE join_invite SET expires = 1 WHERE id = $1", r.Invite.Id)
		for name, code := range codes {
			w.refused(name+": join", im.NotFound, func() error { return w.byInvite(ctx, "bob", code, w.cid()) })
			w.refused(name+": look", im.NotFound, func() error {
				_, err := w.join.GetInvite(ctx, actor("bob"), &skeinv1.GetInviteRequest{Code: code})
				if err != nil && err.Error() != im.ErrNotFound.Error() {
					t.Errorf("%s answers %q", name, err)
				}
				return err
			})
		}
		w.refused("of another app", im.NotFound, func() error { return w.byInvite(ctx, "other/bob", good, w.cid()) })
		w.refused("of another app: look", im.NotFound, func() error {
			_, err := w.join.GetInvite(ctx, actor("other/bob"), &skeinv1.GetInviteRequest{Code: good})
			return err
		})
		must(t, w.byInvite(ctx, "bob", good, w.cid()))
	})
}

func TestNobodyComesInByAnInvitationOnceItsEndIsAcknowledged(t *testing.T) {
	both(t, 2, func(t *testing.T, w *world) {
		w.make("g", &skeinv1.GroupSettings{})
		id, code := w.invite("ann", "g", 0, false)
		// bob's join is decided, and not yet appended, when ann revokes.
		held, goOn := make(chan struct{}), make(chan struct{})
		once := make(chan struct{}, 1)
		once <- struct{}{}
		hold := func(a *journal.Append) bool {
			if a.Kind == im.KindMembers && a.Sender == "bob" {
				select {
				case <-once:
					close(held)
					<-goOn
				default:
				}
			}
			return false
		}
		w.before.Store(&hold)
		joined := make(chan error, 1)
		go func() { joined <- w.nodes[1].byInvite(t.Context(), "bob", code, w.cid()) }()
		<-held
		_, err := w.join.RevokeInvite(t.Context(), actor("ann"), &skeinv1.RevokeInviteRequest{Conversation: "g", Invite: id, ClientId: w.cid()})
		must(t, err)
		close(goOn)
		if err := <-joined; im.CodeOf(err) != im.NotFound || w.isIn("g", "bob") {
			t.Errorf("%v; members %v", err, w.in("g"))
		}
	})
}

func TestWhoMakesSeesAndEndsInvitations(t *testing.T) {
	both(t, 1, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.make("g", &skeinv1.GroupSettings{Type: skeinv1.GroupType_GROUP_TYPE_PUBLIC}, "mem", "mel") // members of a public group may invite
		w.make("p", &skeinv1.GroupSettings{}, "mem")
		create := func(who, conv string) error {
			_, err := w.join.CreateInvite(ctx, actor(who), &skeinv1.CreateInviteRequest{Conversation: conv, ClientId: w.cid()})
			return err
		}
		w.refused("a member without the grant", im.PermissionDenied, func() error { return create("mem", "p") })
		w.refused("a stranger", im.NotFound, func() error { return create("eve", "p") })
		w.refused("no group", im.NotFound, func() error { return create("ann", "none") })
		w.refused("another app", im.NotFound, func() error { return create("other/ann", "p") })
		must(t, create("server", "p"))
		mems, code := w.invite("mem", "g", 0, false)
		if w.invite("ann", "g", 0, false); true {
			r, err := w.join.ListInvites(ctx, actor("mem"), &skeinv1.ListInvitesRequest{Conversation: "g"})
			must(t, err)
			if len(r.Invites) != 1 || r.Invites[0].Id != mems || !r.Invites[0].Approval {
				t.Errorf("a member of a group that wants to be asked sees %v", r.Invites)
			}
			r, err = w.join.ListInvites(ctx, actor("adm"), &skeinv1.ListInvitesRequest{Conversation: "g", Limit: 1})
			must(t, err)
			if len(r.Invites) != 1 || r.NextPage == "" {
				t.Errorf("page one: %v", r)
			}
			next := r.NextPage
			r, err = w.join.ListInvites(ctx, actor("adm"), &skeinv1.ListInvitesRequest{Conversation: "g", Limit: 1, Page: next})
			must(t, err)
			if len(r.Invites) != 1 || r.Invites[0].Id != mems {
				t.Errorf("page two: %v", r)
			}
			for who, conv := range map[string]string{"ann": "g", "other/adm": "g", "server": "p"} {
				w.refused("a page of another's by "+who, im.InvalidArgument, func() error {
					_, err := w.join.ListInvites(ctx, actor(who), &skeinv1.ListInvitesRequest{Conversation: conv, Page: next})
					return err
				})
			}
		}
		revoke := func(who string) error {
			_, err := w.join.RevokeInvite(ctx, actor(who), &skeinv1.RevokeInviteRequest{Conversation: "g", Invite: mems, ClientId: w.cid()})
			return err
		}
		w.refused("another member's", im.NotFound, func() error { return revoke("mel") })
		w.refused("a stranger revokes", im.NotFound, func() error { return revoke("eve") })
		if r, err := w.join.JoinByInvite(ctx, actor("new"), &skeinv1.JoinByInviteRequest{Code: code, ClientId: w.cid()}); err != nil ||
			r.Outcome != skeinv1.JoinOutcome_JOIN_OUTCOME_REQUESTED || r.Request.Inviter != "mem" {
			t.Errorf("by an invitation that asks: %v, %v", r, err)
		}
		must(t, revoke("mem"))
		must(t, revoke("adm"))
		for name, r := range map[string]*skeinv1.CreateInviteRequest{"a label with NUL": {Label: "a\x00"}, "a label that turns": {Label: "\u202ecod"},
			"a long label": {Label: string(make([]byte, 65))}, "no client id": {ClientId: []byte("x")}} {
			r.Conversation = "g"
			if r.ClientId == nil {
				r.ClientId = w.cid()
			}
			w.refused(name, im.InvalidArgument, func() error { _, err := w.join.CreateInvite(ctx, actor("ann"), r); return err })
		}
		w.refused("a limit of a billion", im.InvalidArgument, func() error {
			_, err := w.join.ListInvites(ctx, actor("ann"), &skeinv1.ListInvitesRequest{Conversation: "g", Limit: 1_000_000_000})
			return err
		})
	})
}

func TestARetryOfCreateInviteMakesNoSecondOneAndAnswersWithACodeThatWorks(t *testing.T) {
	both(t, 1, func(t *testing.T, w *world) {
		w.make("g", &skeinv1.GroupSettings{})
		ask := &skeinv1.CreateInviteRequest{Conversation: "g", MaxUses: 1, ClientId: w.cid()}
		first, err := w.join.CreateInvite(t.Context(), actor("ann"), ask)
		must(t, err)
		again, err := w.join.CreateInvite(t.Context(), actor("ann"), ask)
		must(t, err)
		if first.Invite.Id != again.Invite.Id || first.Code == again.Code || len(again.Code) != 24 {
			t.Errorf("%v, then %v", first, again)
		}
		w.refused("the first code", im.NotFound, func() error { return w.byInvite(t.Context(), "bob", first.Code, w.cid()) })
		must(t, w.byInvite(t.Context(), "bob", again.Code, w.cid()))
		w.refused("once it is used", im.AlreadyExists, func() error { _, err := w.join.CreateInvite(t.Context(), actor("ann"), ask); return err })
		ask.MaxUses = 2
		if n := w.count("SELECT count(*) FROM join_invite"); n != 1 {
			t.Errorf("%d invitations", n)
		}
	})
}

func TestAGroupHasAHundredInvitationsAtMost(t *testing.T) {
	both(t, 1, func(t *testing.T, w *world) {
		w.make("g", &skeinv1.GroupSettings{})
		id, _ := w.invite("ann", "g", 0, false)
		for range 99 {
			w.invite("ann", "g", 0, false)
		}
		more := func() error {
			_, err := w.join.CreateInvite(t.Context(), actor("ann"), &skeinv1.CreateInviteRequest{Conversation: "g", ClientId: w.cid()})
			return err
		}
		w.refused("one more", im.ResourceExhausted, more)
		_, err := w.join.RevokeInvite(t.Context(), actor("ann"), &skeinv1.RevokeInviteRequest{Conversation: "g", Invite: id, ClientId: w.cid()})
		must(t, err)
		must(t, more())
	})
}
