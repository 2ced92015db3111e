package chat_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

func reply(to im.Seq, to64 ...uint64) []byte {
	c := &skeinv1.Content{Kind: markdown("quoting you", 0).Kind, ReplyToSeq: uint64(to)}
	if len(to64) > 0 {
		c.ReplyToSeq = to64[0]
	}
	return body(c)
}

func TestOnlyWhatTheSenderSeesIsQuoted(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	carol := user("carol")
	w.group("team", alice, bob)
	early := w.send(alice, "team", "before carol")
	if _, err := w.c.Change(ctx, alice, "team", w.id(), joins("carol")); err != nil {
		t.Fatal(err)
	}
	secret, err := w.c.Send(ctx, alice, chat.SendRequest{Conv: "team", ClientID: w.id(), Body: text("for bob"), ToUsers: []im.UserID{"bob"}})
	if err != nil {
		t.Fatal(err)
	}
	mine := w.send(carol, "team", "mine")
	for name, seq := range map[string]uint64{"before the joining": uint64(early.Seq), "for somebody else": uint64(secret.Entry.Seq), "the group's making": 1,
		"past the head": 99, "seq -1": 1<<64 - 1} {
		_, err := w.c.Send(ctx, carol, chat.SendRequest{Conv: "team", ClientID: w.id(), Body: reply(0, seq)})
		w.want(im.NotFound, err, "quote "+name)
		_, err = w.c.Edit(ctx, carol, "team", mine.Seq, reply(0, seq), w.id())
		w.want(im.NotFound, err, "edit into a quote of "+name)
	}
	if _, err := w.c.Send(ctx, bob, chat.SendRequest{Conv: "team", ClientID: w.id(), Body: reply(early.Seq)}); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsForSomeStaysTheirs(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	carol := user("carol")
	w.group("team", alice, bob, carol)
	root, err := w.c.Send(ctx, alice, chat.SendRequest{Conv: "team", ClientID: w.id(), Body: text("for bob"), ToUsers: []im.UserID{"bob"}})
	if err != nil {
		t.Fatal(err)
	}
	seq := root.Entry.Seq
	answer, err := w.c.Send(ctx, bob, chat.SendRequest{Conv: "team", ClientID: w.id(), Body: reply(seq)})
	if err != nil || !slices.Equal(answer.Entry.ToUsers, []im.UserID{"bob", "alice"}) {
		t.Fatalf("the answer is for %v, %v", answer.Entry.ToUsers, err)
	}
	_, err = w.c.Send(ctx, bob, chat.SendRequest{Conv: "team", ClientID: w.id(), Body: reply(seq), ToUsers: []im.UserID{"alice", "carol"}})
	w.want(im.PermissionDenied, err, "answer somebody else, too")
	if _, err = w.c.React(ctx, bob, "team", seq, "👍", false, w.id()); err != nil {
		t.Fatal(err)
	}
	if _, err = w.c.Edit(ctx, alice, "team", seq, text("for bob alone"), w.id()); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		actor im.Actor
		want  int
	}{{alice, 3}, {bob, 3}, {carol, 1}} { // the making of the group, the message and its answer
		page, err := w.c.History(ctx, x.actor, chat.HistoryRequest{Conv: "team"})
		if err != nil || len(page.Items) != x.want {
			t.Errorf("%s sees %d items, %v", x.actor.User, len(page.Items), err)
		}
		synced, err := w.c.Sync(ctx, x.actor, chat.SyncRequest{})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range synced.Page.Conversations[0].Entries {
			if x.actor.User == "carol" && e.Seq >= uint64(seq) {
				t.Errorf("carol's sync has %v", e)
			}
		}
	}
	_, err = w.c.Send(ctx, alice, chat.SendRequest{Conv: "team", ClientID: w.id(), Body: text("x"), ToUsers: []im.UserID{"eve"}})
	w.want(im.NotFound, err, "to somebody who is not in")
	_, err = w.c.Send(ctx, eve, chat.SendRequest{Conv: "team", ClientID: w.id(), Body: text("x"), ToUsers: []im.UserID{"eve"}})
	if err == nil || err.Error() != im.ErrNotFound.Error() {
		t.Errorf("a stranger hears %v", err)
	}
	_, err = w.c.Send(ctx, alice, chat.SendRequest{Conv: "team", ClientID: w.id(), Body: text("x"), ToUsers: make([]im.UserID, 101)})
	w.want(im.InvalidArgument, err, "to 101")
	_, err = w.c.Send(ctx, alice, chat.SendRequest{Conv: im.Self("alice"), ClientID: w.id(), Body: text("x"), ToUsers: []im.UserID{"alice"}})
	w.want(im.NotFound, err, "in the self conversation")
}

// heard is a bus of one signal.
type heard struct{ signals []bus.Signal }

func (h *heard) Signal(s bus.Signal) { h.signals = append(h.signals, s) }

func TestACommandGoesToMembersAndIsStoredNowhere(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	w.group("team", alice, bob)
	h := &heard{}
	c := w.service(h)
	for name, tc := range map[string]struct {
		actor im.Actor
		c     chat.Command
		code  im.Code
	}{
		"to all":            {alice, chat.Command{Conv: "team", Type: "slide", Data: []byte("4")}, 0},
		"to one":            {alice, chat.Command{Conv: "team", Type: "slide", To: []im.UserID{"bob"}}, 0},
		"in a direct one":   {alice, chat.Command{Conv: ab, Type: "ring"}, 0},
		"of a stranger":     {eve, chat.Command{Conv: "team", Type: "slide"}, im.NotFound},
		"to a stranger":     {alice, chat.Command{Conv: "team", Type: "slide", To: []im.UserID{"eve"}}, im.NotFound},
		"of no type":        {alice, chat.Command{Conv: "team"}, im.InvalidArgument},
		"of a bad type":     {alice, chat.Command{Conv: "team", Type: "a b"}, im.InvalidArgument},
		"with 4 KiB and 1":  {alice, chat.Command{Conv: "team", Type: "slide", Data: make([]byte, 4097)}, im.TooLarge},
		"to 101":            {alice, chat.Command{Conv: "team", Type: "slide", To: make([]im.UserID, 101)}, im.InvalidArgument},
		"to no group":       {alice, chat.Command{Conv: "nowhere", Type: "slide"}, im.NotFound},
		"to somebody's own": {alice, chat.Command{Conv: im.Self("bob"), Type: "slide"}, im.NotFound},
	} {
		before := len(h.signals)
		w.want(tc.code, c.Command(ctx, tc.actor, tc.c), name)
		if said := len(h.signals) > before; said != (tc.code == 0) {
			t.Errorf("%s: passed on: %v", name, said)
		}
	}
	page, err := w.c.History(ctx, bob, chat.HistoryRequest{Conv: "team"})
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("something was stored: %v, %v", page.Items, err)
	}
}

func TestMentionsOfManyAreForGroups(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	w.group("team", alice, bob)
	roles := func(n int, id string) (out []string) {
		for range n {
			out = append(out, id)
		}
		return out
	}
	for name, tc := range map[string]struct {
		conv im.ConvID
		c    *skeinv1.Content
		code im.Code
	}{
		"all":                {"team", &skeinv1.Content{MentionAll: true}, 0},
		"here and roles":     {"team", &skeinv1.Content{MentionHere: true, MentionRoles: []string{"admin", "cooks"}}, 0},
		"11 roles":           {"team", &skeinv1.Content{MentionRoles: roles(11, "x")}, im.InvalidArgument},
		"a bad role":         {"team", &skeinv1.Content{MentionRoles: []string{"a b"}}, im.InvalidArgument},
		"an empty role":      {"team", &skeinv1.Content{MentionRoles: []string{""}}, im.InvalidArgument},
		"all in a direct":    {ab, &skeinv1.Content{MentionAll: true}, im.InvalidArgument},
		"101 users":          {"team", &skeinv1.Content{Mentions: roles(101, "bob")}, im.InvalidArgument},
		"100 users, unknown": {"team", &skeinv1.Content{Mentions: roles(100, "nobody")}, 0},
	} {
		tc.c.Kind = markdown("hey", 0).Kind
		_, err := w.c.Send(ctx, alice, chat.SendRequest{Conv: tc.conv, ClientID: w.id(), Body: body(tc.c)})
		w.want(tc.code, err, name)
	}
}

// joins has somebody join.
func joins(name im.UserID) func(*chat.Room) (chat.Change, error) {
	return func(*chat.Room) (chat.Change, error) {
		return chat.Change{Verb: chat.VerbMembers, Members: []journal.MemberChange{{User: name, Role: im.RoleMember}},
			Content: &skeinv1.Content{Kind: &skeinv1.Content_Members{Members: &skeinv1.MembersChange{Added: []string{string(name)}}}}}, nil
	}
}

// service is another front door of the world's journal, which signals to s.
func (w *world) service(s chat.Signaller) *chat.Service {
	return chat.New(chat.Deps{Journal: w.j, Signals: s, Limits: chat.DefaultLimits(), Clock: w.clock,
		Log: slog.New(slog.DiscardHandler), CursorKey: []byte("0123456789abcdef")})
}
