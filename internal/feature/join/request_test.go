package join_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

const (
	joined    = skeinv1.JoinOutcome_JOIN_OUTCOME_JOINED
	requested = skeinv1.JoinOutcome_JOIN_OUTCOME_REQUESTED
)

func TestWhatJoiningAGroupComesTo(t *testing.T) {
	both(t, 1, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.make("open", public(skeinv1.JoinMode_JOIN_MODE_OPEN))
		w.make("ask", public(skeinv1.JoinMode_JOIN_MODE_APPROVAL))
		w.make("closed", public(skeinv1.JoinMode_JOIN_MODE_INVITE))
		w.make("secret", &skeinv1.GroupSettings{JoinMode: skeinv1.JoinMode_JOIN_MODE_OPEN})
		w.make("over", &skeinv1.GroupSettings{Type: skeinv1.GroupType_GROUP_TYPE_PUBLIC, JoinMode: skeinv1.JoinMode_JOIN_MODE_OPEN, Dissolved: true})
		w.make("full", &skeinv1.GroupSettings{Type: skeinv1.GroupType_GROUP_TYPE_PUBLIC, JoinMode: skeinv1.JoinMode_JOIN_MODE_OPEN, MaxMembers: 2})
		id := w.cid()
		for range 2 { // a retry gets the first answer
			if out, err := w.joinGroup(ctx, "bob", "open", id); err != nil || out != joined {
				t.Errorf("an open group: %v, %v", out, err)
			}
		}
		if out, err := w.joinGroup(ctx, "bob", "ask", w.cid()); err != nil || out != requested || w.isIn("ask", "bob") {
			t.Errorf("a group that wants to be asked: %v, %v", out, err)
		}
		for _, c := range []struct {
			name, conv string
			want       im.Code
		}{{"bob", "closed", im.PermissionDenied}, {"bob", "secret", im.NotFound}, {"bob", "none", im.NotFound}, {"bob", "over", im.NotFound},
			{"bob", "full", im.TooLarge}, {"other/bob", "open", im.NotFound}, {"server", "open", im.InvalidArgument}, {"bob", "~ann", im.NotFound}, {"bob", "@3:ann:bob", im.NotFound}} {
			w.refused(c.name+" joins "+c.conv, c.want, func() error { _, err := w.joinGroup(ctx, c.name, c.conv, w.cid()); return err })
		}
		for name, r := range map[string]*skeinv1.JoinGroupRequest{"NUL": {Message: "a\x00"}, "turned": {Message: "\u202e"}, "long": {Message: strings.Repeat("x", 257)},
			"no UTF-8": {Message: "\xff"}, "no id": {ClientId: make([]byte, 16)}} {
			r.Conversation = "open"
			if r.ClientId == nil {
				r.ClientId = w.cid()
			}
			w.refused(name, im.InvalidArgument, func() error { _, err := w.join.JoinGroup(ctx, actor("eve"), r); return err })
		}
	})
}

func TestManyWhoJoinAnOpenGroupAtOnceAllGetIn(t *testing.T) {
	both(t, 3, func(t *testing.T, w *world) {
		w.make("g", public(skeinv1.JoinMode_JOIN_MODE_OPEN))
		for _, err := range together(60, func(i int) error {
			_, err := w.nodes[i%3].joinGroup(t.Context(), fmt.Sprint("u", i), "g", w.cid())
			return err
		}) {
			must(t, err)
		}
		if n := len(w.in("g")); n != 62 {
			t.Errorf("%d are in", n)
		}
	})
}

func TestARequestIsFiledListedAnsweredAndCancelled(t *testing.T) {
	both(t, 1, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.make("g", public(skeinv1.JoinMode_JOIN_MODE_APPROVAL), "mem")
		ask := func(who string) *skeinv1.JoinRequest {
			r, err := w.join.JoinGroup(ctx, actor(who), &skeinv1.JoinGroupRequest{Conversation: "g", Message: who + " wants in", ClientId: w.cid()})
			must(t, err)
			return r.Request
		}
		answer := func(who, user string, yes bool) error {
			_, err := w.join.AnswerJoinRequest(ctx, actor(who), &skeinv1.AnswerJoinRequestRequest{Conversation: "g", User: user, Accept: yes, ClientId: w.cid()})
			return err
		}
		first := ask("bob")
		if again := ask("bob"); !proto.Equal(first, again) {
			t.Errorf("asking twice: %v, then %v", first, again)
		}
		for _, u := range []string{"cid", "dan", "eve"} {
			ask(u)
		}
		r, err := w.join.ListJoinRequests(ctx, actor("adm"), &skeinv1.ListJoinRequestsRequest{Conversation: "g", Limit: 3})
		must(t, err)
		if len(r.Requests) != 3 || r.Open != 4 || r.Requests[0].User != "bob" || r.Requests[0].Message != "bob wants in" {
			t.Errorf("page one: %v", r)
		}
		next := r.NextPage
		r, err = w.join.ListJoinRequests(ctx, actor("adm"), &skeinv1.ListJoinRequestsRequest{Conversation: "g", Limit: 3, Page: next})
		must(t, err)
		if len(r.Requests) != 1 || r.Requests[0].User != "eve" || r.NextPage != "" {
			t.Errorf("page two: %v", r)
		}
		list := func(who, page string, limit uint32) func() error {
			return func() error {
				_, err := w.join.ListJoinRequests(ctx, actor(who), &skeinv1.ListJoinRequestsRequest{Conversation: "g", Limit: limit, Page: page})
				return err
			}
		}
		w.refused("a member lists", im.PermissionDenied, list("mem", "", 1))
		w.refused("a stranger lists", im.NotFound, list("bob", "", 1))
		w.refused("another's page", im.InvalidArgument, list("ann", next, 1))
		w.refused("a made-up page", im.InvalidArgument, list("ann", "AAAA", 1))
		w.refused("a billion", im.InvalidArgument, list("ann", "", 1_000_000_000))
		w.refused("a member answers", im.PermissionDenied, func() error { return answer("mem", "bob", true) })
		w.refused("one's own", im.NotFound, func() error { return answer("bob", "bob", true) })
		w.refused("who did not ask", im.NotFound, func() error { return answer("adm", "zoe", true) })

		must(t, answer("adm", "bob", true))
		must(t, answer("ann", "cid", false))
		w.refused("one that was declined", im.NotFound, func() error { return answer("ann", "cid", true) })
		_, err = w.join.CancelJoinRequest(ctx, actor("dan"), &skeinv1.CancelJoinRequestRequest{Conversation: "g"})
		must(t, err)
		w.refused("one that was cancelled", im.NotFound, func() error { return answer("ann", "dan", true) })
		if !w.isIn("g", "bob") || w.isIn("g", "cid") || w.isIn("g", "dan") {
			t.Errorf("in are %v", w.in("g"))
		}
		for who, want := range map[string]string{"bob": "", "cid": "DECLINED", "dan": "", "eve": "OPEN"} {
			r, err := w.join.ListMyJoinRequests(ctx, actor(who), nil)
			must(t, err)
			got := ""
			for _, q := range r.Requests {
				got += strings.TrimPrefix(q.State.String(), "JOIN_REQUEST_STATE_")
			}
			if got != want {
				t.Errorf("%s has %q, want %q", who, got, want)
			}
		}
		if again := ask("cid"); again.State != skeinv1.JoinRequestState_JOIN_REQUEST_STATE_OPEN {
			t.Errorf("asking again after a no: %v", again)
		}
		w.exec("UPDATE join_request SET expires = 1 WHERE usr = 'eve'")
		w.refused("one that has expired", im.NotFound, func() error { return answer("ann", "eve", true) })
	})
}

func TestOfTwoAnswersToARequestOneCounts(t *testing.T) {
	both(t, 2, func(t *testing.T, w *world) {
		w.make("g", public(skeinv1.JoinMode_JOIN_MODE_APPROVAL))
		for i := range 10 {
			user := fmt.Sprint("u", i)
			_, err := w.joinGroup(t.Context(), user, "g", w.cid())
			must(t, err)
			errs := together(2, func(i int) error {
				_, err := w.nodes[i].join.AnswerJoinRequest(t.Context(), actor([]string{"ann", "adm"}[i]), &skeinv1.AnswerJoinRequestRequest{Conversation: "g",
					User: user, Accept: i == 0, ClientId: w.cid()})
				return err
			})
			if (errs[0] == nil) == (errs[1] == nil) || w.isIn("g", user) != (errs[0] == nil) {
				t.Errorf("accepted: %v, declined: %v, in: %v", errs[0], errs[1], w.isIn("g", user))
			}
		}
	})
}

func TestAUserHasFiftyOpenRequestsAtMost(t *testing.T) {
	both(t, 1, func(t *testing.T, w *world) {
		for i := range 51 {
			w.make(fmt.Sprint("g", i), public(skeinv1.JoinMode_JOIN_MODE_APPROVAL))
		}
		for i := range 50 {
			_, err := w.joinGroup(t.Context(), "bob", fmt.Sprint("g", i), w.cid())
			must(t, err)
		}
		w.refused("one more", im.ResourceExhausted, func() error { _, err := w.joinGroup(t.Context(), "bob", "g50", w.cid()); return err })
		_, err := w.join.CancelJoinRequest(t.Context(), actor("bob"), &skeinv1.CancelJoinRequestRequest{Conversation: "g7"})
		must(t, err)
		_, err = w.joinGroup(t.Context(), "bob", "g50", w.cid())
		must(t, err)
	})
}

// told waits until a value of a user's own map says what it should.
func (w *world) told(user, key string, ok func(*skeinv1.JoinState) bool) {
	w.t.Helper()
	deadline, again := time.After(20*time.Second), time.NewTicker(5*time.Millisecond)
	defer again.Stop()
	for ctx := w.t.Context(); ; {
		var last *skeinv1.JoinState
		must(w.t, w.j.View(ctx, func(v journal.View) error {
			es, err := v.Keyed("demo", im.Self(im.UserID(user)))
			for _, e := range es {
				if e.Key == key {
					var b skeinv1.Body
					must(w.t, proto.Unmarshal(e.Body, &b))
					last = b.Content.GetJoin()
				}
			}
			if im.CodeOf(err) == im.NotFound {
				err = nil
			}
			return err
		}))
		if last != nil && ok(last) {
			return
		}
		select {
		case <-again.C:
		case <-deadline:
			w.t.Fatalf("%s's %s says %v", user, key, last)
		}
	}
}

func TestThoseWhoMayAnswerAndWhoAskedAreTold(t *testing.T) {
	both(t, 1, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.jobs.Start()
		t.Cleanup(func() { must(t, w.jobs.Close(context.Background())) })
		w.make("g", public(skeinv1.JoinMode_JOIN_MODE_APPROVAL), "mem")
		_, err := w.joinGroup(ctx, "bob", "g", w.cid())
		must(t, err)
		for _, who := range []string{"ann", "adm"} {
			w.told(who, "join/g", func(s *skeinv1.JoinState) bool { return s.Open == 1 && s.Conversation == "g" && s.NewestUs > 0 })
		}
		w.told("bob", "join", func(s *skeinv1.JoinState) bool { return len(s.Requests) == 1 && s.Requests[0].Conversation == "g" })
		_, err = w.join.AnswerJoinRequest(ctx, actor("ann"), &skeinv1.AnswerJoinRequestRequest{Conversation: "g", User: "bob", ClientId: w.cid()})
		must(t, err)
		w.told("adm", "join/g", func(s *skeinv1.JoinState) bool { return s.Open == 0 })
		w.told("bob", "join", func(s *skeinv1.JoinState) bool {
			return len(s.Requests) == 1 && s.Requests[0].State == skeinv1.JoinRequestState_JOIN_REQUEST_STATE_DECLINED
		})
		must(t, w.j.View(ctx, func(v journal.View) error {
			if es, _ := v.Keyed("demo", im.Self("mem")); len(es) > 0 {
				t.Errorf("a member who may not answer is told of requests")
			}
			return nil
		}))
	})
}

func TestWhoMayNoLongerAnswerIsToldOfNoRequests(t *testing.T) {
	both(t, 1, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.jobs.Start()
		t.Cleanup(func() { must(t, w.jobs.Close(context.Background())) })
		w.make("g", public(skeinv1.JoinMode_JOIN_MODE_APPROVAL))
		_, err := w.joinGroup(ctx, "bob", "g", w.cid())
		must(t, err)
		w.told("adm", "join/g", func(s *skeinv1.JoinState) bool { return s.Open == 1 })
		w.leave("g", "adm")
		must(t, w.join.Tidy(ctx))
		w.told("adm", "join/g", func(s *skeinv1.JoinState) bool { return s.Open == 0 })
		w.told("ann", "join/g", func(s *skeinv1.JoinState) bool { return s.Open == 1 })
		w.exec("UPDATE join_request SET expires = 1")
		must(t, w.join.Tidy(ctx))
		w.told("ann", "join/g", func(s *skeinv1.JoinState) bool { return s.Open == 0 })
	})
}
