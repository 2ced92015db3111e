package chat_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

func contentOf(t *testing.T, e *im.Entry) *skeinv1.Content {
	t.Helper()
	var b skeinv1.Body
	if err := proto.Unmarshal(e.Body, &b); err != nil {
		t.Fatal(err)
	}
	return b.GetContent()
}

func (w *world) sendContent(a im.Actor, conv im.ConvID, c *skeinv1.Content) im.Entry {
	w.t.Helper()
	r, err := w.c.Send(context.Background(), a, chat.SendRequest{Conv: conv, ClientID: w.id(), Body: body(c)})
	if err != nil {
		w.t.Fatal(err)
	}
	return r.Entry
}

func (w *world) forward(a im.Actor, r chat.ForwardRequest) ([]*skeinv1.Content, error) {
	w.t.Helper()
	if r.ClientID == (im.ClientID{}) {
		r.ClientID = w.id()
	}
	res, err := w.c.Forward(context.Background(), a, r)
	var out []*skeinv1.Content
	for i := range res {
		out = append(out, contentOf(w.t, &res[i].Entry))
	}
	return out, err
}

func TestAForwardSaysWhoSpokeFirstAndLeavesTheRestBehind(t *testing.T) {
	w := newWorld(t)
	w.group("team", alice, bob)
	first := w.sendContent(alice, "team", &skeinv1.Content{Kind: markdown("*look*", 0).Kind, Format: skeinv1.TextFormat_TEXT_FORMAT_MARKDOWN, Mentions: []string{"bob"}})
	answer := w.sendContent(bob, "team", &skeinv1.Content{Kind: markdown("ok", 0).Kind, ReplyToSeq: uint64(first.Seq)})
	be := im.Direct("bob", "eve")
	got, err := w.forward(bob, chat.ForwardRequest{From: "team", Seqs: []im.Seq{answer.Seq, first.Seq}, To: be, Comment: "see?"})
	if err != nil || len(got) != 3 {
		t.Fatalf("%v, %v", got, err)
	}
	c := got[0]
	if c.GetText().GetText() != "*look*" || c.Format != skeinv1.TextFormat_TEXT_FORMAT_MARKDOWN || len(c.Mentions) != 0 ||
		c.Forwarded.GetSender() != "alice" || c.Forwarded.GetTimeUs() != int64(first.Time) {
		t.Errorf("the first: %v", c)
	}
	if got[1].ReplyToSeq != 0 || got[1].Forwarded.GetSender() != "bob" || got[2].GetText().GetText() != "see?" || got[2].Forwarded != nil {
		t.Errorf("the others: %v %v", got[1], got[2])
	}
	// On and on: it stays alice's.
	again, err := w.forward(eve, chat.ForwardRequest{From: be, Seqs: []im.Seq{1}, To: im.Direct("carol", "eve")})
	if err != nil || again[0].Forwarded.GetSender() != "alice" || again[0].Forwarded.GetTimeUs() != int64(first.Time) {
		t.Errorf("forwarded again: %v, %v", again, err)
	}
	_, err = w.c.Edit(context.Background(), bob, be, 1, text("I said so"), w.id())
	w.want(im.FailedPrecondition, err, "edit what somebody else said")
}

func TestAMergedForwardIsOneMessageAndOneLevelDeep(t *testing.T) {
	w := newWorld(t)
	w.group("team", alice, bob)
	w.send(alice, "team", "one")
	w.send(bob, "team", "two")
	seqs := []im.Seq{2, 3}
	got, err := w.forward(bob, chat.ForwardRequest{From: "team", Seqs: seqs, To: im.Direct("bob", "eve"), Merged: true, Title: "The team"})
	if err != nil || len(got) != 1 {
		t.Fatalf("%v, %v", got, err)
	}
	m := got[0].GetMerged()
	if m.GetTitle() != "The team" || m.GetCount() != 2 || len(m.Items) != 2 || m.Items[0].Sender != "alice" || m.Items[1].Content.GetText().GetText() != "two" {
		t.Fatalf("merged: %v", m)
	}
	got, err = w.forward(eve, chat.ForwardRequest{From: im.Direct("bob", "eve"), Seqs: []im.Seq{1}, To: im.Self("eve"), Merged: true})
	if err != nil {
		t.Fatal(err)
	}
	if inner := got[0].GetMerged().Items[0].Content.GetMerged(); inner.GetTitle() != "The team" || inner.GetCount() != 2 || len(inner.Items) != 0 {
		t.Fatalf("merged in merged: %v", got[0])
	}
}

func TestNothingIsForwardedThatTheCallerDoesNotSeeOrThatShallGoAway(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	w.group("team", alice, bob)
	options := func(change func(*chat.SendRequest)) im.Seq {
		r := chat.SendRequest{Conv: "team", ClientID: w.id(), Body: text("secret")}
		change(&r)
		res, err := w.c.Send(ctx, alice, r)
		if err != nil {
			t.Fatal(err)
		}
		return res.Entry.Seq
	}
	plain := options(func(*chat.SendRequest) {})
	recalled := options(func(*chat.SendRequest) {})
	if _, err := w.c.Recall(ctx, alice, "team", recalled, w.id()); err != nil {
		t.Fatal(err)
	}
	burning := options(func(r *chat.SendRequest) { r.Conv, r.Burn = ab, 5 })
	dying := options(func(r *chat.SendRequest) { r.TTL = time.Hour })
	mine := options(func(r *chat.SendRequest) { r.ToUsers = []im.UserID{"alice"} })
	forBob := options(func(r *chat.SendRequest) { r.ToUsers = []im.UserID{"bob"} })
	opaque := options(func(r *chat.SendRequest) {
		r.Body, _ = proto.Marshal(&skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_OPAQUE, Opaque: []byte("x")})
	})
	notice, err := w.c.Send(ctx, im.Actor{App: "demo", User: "shop", Server: true}, chat.SendRequest{Conv: "team", ClientID: w.id(), Body: body(notice("a", "b"))})
	if err != nil {
		t.Fatal(err)
	}
	to := im.Direct("bob", "eve")
	for name, tc := range map[string]struct {
		actor im.Actor
		r     chat.ForwardRequest
		code  im.Code
	}{
		"a stranger":             {eve, chat.ForwardRequest{From: "team", Seqs: []im.Seq{plain}, To: to}, im.NotFound},
		"to where one is not":    {bob, chat.ForwardRequest{From: "team", Seqs: []im.Seq{plain}, To: im.Direct("alice", "eve")}, im.NotFound},
		"to no group":            {bob, chat.ForwardRequest{From: "team", Seqs: []im.Seq{plain}, To: "nowhere"}, im.NotFound},
		"past the head":          {bob, chat.ForwardRequest{From: "team", Seqs: []im.Seq{plain, 1 << 62}, To: to}, im.NotFound},
		"the group's making":     {bob, chat.ForwardRequest{From: "team", Seqs: []im.Seq{1}, To: to}, im.NotFound},
		"for somebody else":      {bob, chat.ForwardRequest{From: "team", Seqs: []im.Seq{plain, mine}, To: to}, im.NotFound},
		"for some":               {bob, chat.ForwardRequest{From: "team", Seqs: []im.Seq{forBob}, To: to}, im.FailedPrecondition},
		"recalled":               {bob, chat.ForwardRequest{From: "team", Seqs: []im.Seq{recalled}, To: to}, im.FailedPrecondition},
		"burning":                {bob, chat.ForwardRequest{From: ab, Seqs: []im.Seq{burning}, To: to}, im.FailedPrecondition},
		"expiring":               {bob, chat.ForwardRequest{From: "team", Seqs: []im.Seq{dying}, To: to}, im.FailedPrecondition},
		"opaque":                 {bob, chat.ForwardRequest{From: "team", Seqs: []im.Seq{opaque}, To: to}, im.FailedPrecondition},
		"a notice":               {bob, chat.ForwardRequest{From: "team", Seqs: []im.Seq{notice.Entry.Seq}, To: to}, im.FailedPrecondition},
		"none":                   {bob, chat.ForwardRequest{From: "team", To: to}, im.InvalidArgument},
		"seq 0":                  {bob, chat.ForwardRequest{From: "team", Seqs: []im.Seq{0}, To: to}, im.InvalidArgument},
		"twice":                  {bob, chat.ForwardRequest{From: "team", Seqs: []im.Seq{plain, plain}, To: to}, im.InvalidArgument},
		"21 by themselves":       {bob, chat.ForwardRequest{From: "team", Seqs: make([]im.Seq, 21), To: to}, im.InvalidArgument},
		"101 merged":             {bob, chat.ForwardRequest{From: "team", Seqs: make([]im.Seq, 101), To: to, Merged: true}, im.InvalidArgument},
		"a title without merge":  {bob, chat.ForwardRequest{From: "team", Seqs: []im.Seq{plain}, To: to, Title: "x"}, im.InvalidArgument},
		"a title with a break":   {bob, chat.ForwardRequest{From: "team", Seqs: []im.Seq{plain}, To: to, Title: "x\ny", Merged: true}, im.InvalidArgument},
		"a comment that is long": {bob, chat.ForwardRequest{From: "team", Seqs: []im.Seq{plain}, To: to, Comment: strings.Repeat("x", 16385)}, im.TooLarge},
	} {
		_, err := w.forward(tc.actor, tc.r)
		w.want(tc.code, err, name)
	}
	page, err := w.c.History(ctx, bob, chat.HistoryRequest{Conv: to})
	if err != nil || len(page.Items) != 0 {
		t.Fatalf("something was sent: %v, %v", page.Items, err)
	}
}

func TestAMergedForwardIsBoundedLikeEveryBody(t *testing.T) {
	w := newWorld(t)
	w.group("team", alice, bob)
	for range 3 {
		w.send(alice, "team", strings.Repeat("x", 12<<10))
	}
	_, err := w.forward(bob, chat.ForwardRequest{From: "team", Seqs: []im.Seq{2, 3, 4}, To: ab, Merged: true})
	w.want(im.TooLarge, err, "36 KiB in one")
	if _, err = w.forward(bob, chat.ForwardRequest{From: "team", Seqs: []im.Seq{2, 3}, To: ab, Merged: true}); err != nil {
		t.Fatal(err)
	}
}

func TestARetriedForwardSendsNothingTwice(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	w.group("team", alice, bob)
	one, two := w.send(alice, "team", "one"), w.send(alice, "team", "two")
	r := chat.ForwardRequest{From: "team", Seqs: []im.Seq{one.Seq, two.Seq}, To: ab, Comment: "!", ClientID: w.id()}
	for i, change := range []func(){
		func() {},
		func() {},
		func() {
			if _, err := w.c.Edit(ctx, alice, "team", one.Seq, text("one, edited"), w.id()); err != nil {
				t.Fatal(err)
			}
		},
		func() {
			if _, err := w.c.Recall(ctx, alice, "team", two.Seq, w.id()); err != nil {
				t.Fatal(err)
			}
		},
	} {
		change()
		got, err := w.forward(bob, r)
		if err != nil || len(got) != 3 || got[0].GetText().GetText() != "one" || got[2].GetText().GetText() != "!" {
			t.Fatalf("attempt %d: %v, %v", i, got, err)
		}
	}
	page, err := w.c.History(ctx, bob, chat.HistoryRequest{Conv: ab})
	if err != nil || len(page.Items) != 3 {
		t.Fatalf("%d messages, %v", len(page.Items), err)
	}
	// The id of something else is no forward's.
	sent := w.send(bob, ab, "mine")
	r.ClientID = sent.ClientID
	_, err = w.forward(bob, r)
	w.want(im.FailedPrecondition, err, "an id that was used for a text")
}

func TestAPollGoesOnAsItsTextAndWhatWasDeletedForOneselfDoesNot(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	w.group("team", alice, bob)
	poll := w.sendContent(alice, "team", &skeinv1.Content{Kind: &skeinv1.Content_Poll{Poll: &skeinv1.Poll{Question: "Lunch?",
		Options: []*skeinv1.PollOption{{Id: "1", Text: "noodles"}, {Id: "2", Text: "soup"}}}}})
	got, err := w.forward(bob, chat.ForwardRequest{From: "team", Seqs: []im.Seq{poll.Seq}, To: ab})
	if err != nil || got[0].GetText().GetText() != "Lunch?\n• noodles\n• soup" || got[0].Forwarded.GetSender() != "alice" {
		t.Fatalf("%v, %v", got, err)
	}
	gone := w.send(alice, "team", "not for bob's eyes any more")
	value, err := proto.Marshal(&skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT, Content: &skeinv1.Content{Kind: &skeinv1.Content_Private{
		Private: &skeinv1.Private{Value: &skeinv1.Private_Hidden{Hidden: &skeinv1.PrivateHidden{UpToSeq: uint64(gone.Seq)}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.c.Send(ctx, bob, chat.SendRequest{Conv: im.Self("bob"), ClientID: w.id(), Key: "hidden/team", Body: value}); err != nil {
		t.Fatal(err)
	}
	_, err = w.forward(bob, chat.ForwardRequest{From: "team", Seqs: []im.Seq{gone.Seq}, To: ab})
	w.want(im.NotFound, err, "forward what one has deleted for oneself")
	_, err = w.c.Send(ctx, bob, chat.SendRequest{Conv: "team", ClientID: w.id(), Body: reply(gone.Seq)})
	w.want(im.NotFound, err, "quote it")
}
