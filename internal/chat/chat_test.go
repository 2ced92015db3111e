package chat_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// world is a front door over a real SQLite journal.
type world struct {
	t     *testing.T
	j     journal.Journal
	d     *db.DB
	c     *chat.Service
	clock *clock
}

type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func newWorld(t *testing.T, policies ...chat.Policy) *world {
	t.Helper()
	ctx := context.Background()
	d, err := db.Open(ctx, t.TempDir(), db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, d: d, clock: &clock{time.Now()}}
	b := bus.NewLocal()
	w.j, err = journal.Open(ctx, d, journal.Options{Clock: w.clock, Committed: b.Ring})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.j.Close(ctx); b.Close(); d.Close() })
	w.c = chat.New(chat.Deps{Journal: w.j, Signals: b, Policies: policies, Limits: chat.DefaultLimits(), Clock: w.clock,
		Log: slog.New(slog.DiscardHandler), CursorKey: []byte("0123456789abcdef")})
	return w
}

func user(name string) im.Actor {
	return im.Actor{App: "demo", User: im.UserID(name), Device: im.DeviceID(name + "-phone")}
}

var (
	alice, bob, eve = user("alice"), user("bob"), user("eve")
	ab              = im.Direct("alice", "bob")
)

func (w *world) id() im.ClientID {
	id, err := im.NewClientID(w.clock.now, im.SystemEntropy())
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

func text(s string) []byte {
	b, _ := proto.Marshal(&skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT,
		Content: &skeinv1.Content{Kind: &skeinv1.Content_Text{Text: &skeinv1.Text{Text: s}}}})
	return b
}

func (w *world) send(a im.Actor, conv im.ConvID, s string) im.Entry {
	w.t.Helper()
	r, err := w.c.Send(context.Background(), a, chat.SendRequest{Conv: conv, ClientID: w.id(), Body: text(s)})
	if err != nil {
		w.t.Fatalf("%s sends %q: %v", a.User, s, err)
	}
	return r.Entry
}

func (w *world) group(id im.ConvID, members ...im.Actor) {
	w.t.Helper()
	c := journal.Create{Kind: im.ConvGroup, Title: string(id)}
	for i, m := range members {
		role := im.RoleMember
		if i == 0 {
			role = im.RoleOwner
		}
		c.Members = append(c.Members, journal.NewMember{User: m.User, Role: role})
	}
	if _, err := w.c.Create(context.Background(), members[0], id, w.id(), c, &skeinv1.Content{Kind: &skeinv1.Content_Members{Members: &skeinv1.MembersChange{}}}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) want(code im.Code, err error, what string) {
	w.t.Helper()
	if im.CodeOf(err) != code {
		w.t.Errorf("%s: %v, want %v", what, err, code)
	}
}

func TestAMessageIsStoredOnceAndReadByBoth(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	r := chat.SendRequest{Conv: ab, ClientID: w.id(), Body: text("hello")}
	first, err := w.c.Send(ctx, alice, r)
	if err != nil {
		t.Fatal(err)
	}
	again, err := w.c.Send(ctx, alice, r)
	if err != nil || !again.Duplicate || again.Entry.Seq != first.Entry.Seq {
		t.Errorf("a retry: %+v %v", again, err)
	}
	r.Body = text("other")
	_, err = w.c.Send(ctx, alice, r)
	w.want(im.ClientIDReused, err, "the same id with other content")
	for _, a := range []im.Actor{alice, bob} {
		p, err := w.c.History(ctx, a, chat.HistoryRequest{Conv: ab})
		if err != nil || len(p.Items) != 1 || p.Items[0].Entry.Body.Content.GetText().Text != "hello" || !p.AtStart || !p.AtEnd {
			t.Errorf("%s reads %v %v", a.User, p, err)
		}
	}
	_, err = w.c.History(ctx, eve, chat.HistoryRequest{Conv: ab})
	w.want(im.NotFound, err, "eve reads")
	_, err = w.c.Send(ctx, eve, chat.SendRequest{Conv: ab, ClientID: w.id(), Body: text("x")})
	w.want(im.NotFound, err, "eve writes")
}

func TestAnEditKeepsItsHistoryAndARecallEndsIt(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	m := w.send(alice, ab, "one")
	for _, s := range []string{"two", "three"} {
		if _, err := w.c.Edit(ctx, alice, ab, m.Seq, text(s), w.id()); err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.c.Edit(ctx, bob, ab, m.Seq, text("mine"), w.id())
	w.want(im.PermissionDenied, err, "bob edits")
	_, err = w.c.Edit(ctx, alice, ab, 99, text("none"), w.id())
	w.want(im.NotFound, err, "edit nothing")
	es, err := w.c.Edits(ctx, bob, ab, m.Seq)
	if err != nil || len(es.Revisions) != 3 {
		t.Fatal(es, err)
	}
	for i, want := range []string{"one", "two", "three"} {
		if got := es.Revisions[i].Body.Content.GetText().GetText(); got != want {
			t.Errorf("revision %d is %q, want %q", i, got, want)
		}
	}
	if _, err := w.c.Recall(ctx, alice, ab, m.Seq, w.id()); err != nil {
		t.Fatal(err)
	}
	p, err := w.c.History(ctx, bob, chat.HistoryRequest{Conv: ab})
	if err != nil || len(p.Items) != 1 || !p.Items[0].Entry.Recalled || p.Items[0].Entry.Body != nil {
		t.Errorf("after the recall: %v %v", p, err)
	}
	if es, err := w.c.Edits(ctx, bob, ab, m.Seq); err != nil || len(es.Revisions) != 0 {
		t.Errorf("revisions after the recall: %v %v", es, err)
	}
	res, err := w.c.Sync(ctx, bob, chat.SyncRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range res.Page.Conversations[0].Entries {
		if e.Body != nil || e.PreviousBody != nil {
			t.Errorf("sync still has a body: %v", e)
		}
	}
	_, err = w.c.React(ctx, bob, ab, m.Seq, "👍", false, w.id())
	w.want(im.FailedPrecondition, err, "react to a recalled message")
}

func TestReactionsAreFoldedIntoHistory(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	m := w.send(alice, ab, "one")
	for _, r := range []struct {
		a      im.Actor
		emoji  string
		remove bool
	}{{alice, "👍", false}, {bob, "👍", false}, {bob, "❤️", false}, {bob, "❤️", true}, {bob, "👍", false}} {
		if _, err := w.c.React(ctx, r.a, ab, m.Seq, r.emoji, r.remove, w.id()); err != nil {
			t.Fatal(err)
		}
	}
	p, err := w.c.History(ctx, bob, chat.HistoryRequest{Conv: ab})
	if err != nil || len(p.Items) != 1 || len(p.Items[0].Reactions) != 1 {
		t.Fatal(p, err)
	}
	if r := p.Items[0].Reactions[0]; r.Emoji != "👍" || r.Count != 2 || !r.Mine || len(r.Users) != 2 {
		t.Errorf("got %v", r)
	}
	for i := range 49 {
		if _, err := w.c.React(ctx, bob, ab, m.Seq, fmt.Sprint("e", i), false, w.id()); err != nil {
			t.Fatal(i, err)
		}
	}
	_, err = w.c.React(ctx, bob, ab, m.Seq, "one too many", false, w.id())
	w.want(im.FailedPrecondition, err, "the 51st emoji")
}

func TestSyncTellsWhatChangedAndNothingElse(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	for i := range 3 {
		w.send(alice, ab, fmt.Sprint("m", i))
	}
	w.send(alice, im.Direct("alice", "carol"), "hi carol")
	first, err := w.c.Sync(ctx, bob, chat.SyncRequest{})
	if err != nil || !first.Page.Reset_ || len(first.Page.Conversations) != 1 || len(first.Page.Conversations[0].Entries) != 3 {
		t.Fatal(first.Page, err)
	}
	quiet, err := w.c.Sync(ctx, bob, chat.SyncRequest{Cursor: first.Page.Cursor})
	if err != nil || quiet.Page.Reset_ || len(quiet.Page.Conversations) != 0 {
		t.Errorf("nothing changed: %v %v", quiet.Page, err)
	}
	w.send(alice, ab, "m3")
	news, err := w.c.Sync(ctx, bob, chat.SyncRequest{Cursor: quiet.Page.Cursor})
	if err != nil || len(news.Page.Conversations) != 1 || len(news.Page.Conversations[0].Entries) != 1 || news.Page.Conversations[0].Gap {
		t.Errorf("one message: %v %v", news.Page, err)
	}
	if _, err := w.c.Read(ctx, bob, ab, 3); err != nil {
		t.Fatal(err)
	}
	marked, err := w.c.Sync(ctx, alice, chat.SyncRequest{Cursor: w.c.CursorAt(alice, news.Heads)})
	if err != nil || len(marked.Page.Conversations) != 1 || len(marked.Page.Conversations[0].Conversation.ReadMarkers) != 1 ||
		marked.Page.Conversations[0].Conversation.ReadMarkers[0].ReadSeq != 3 {
		t.Errorf("bob's marker: %v %v", marked.Page, err)
	}
	_, err = w.c.Sync(ctx, alice, chat.SyncRequest{Cursor: first.Page.Cursor})
	w.want(im.CursorInvalid, err, "bob's cursor in alice's hands")
}

func TestADeviceOlderThanTheFirstEntryLearnsThatItsUserLeft(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	empty, err := w.c.Sync(ctx, bob, chat.SyncRequest{})
	if err != nil {
		t.Fatal(err)
	}
	w.group("g1", alice, bob) // told to the device, which goes away before it has a cursor for that
	if _, err := w.c.Change(ctx, alice, "g1", w.id(), func(*chat.Room) (chat.Change, error) {
		return chat.Change{Verb: chat.VerbMembers, Members: []journal.MemberChange{{User: "bob"}},
			Content: &skeinv1.Content{Kind: &skeinv1.Content_Members{Members: &skeinv1.MembersChange{Removed: []string{"bob"}}}}}, nil
	}); err != nil {
		t.Fatal(err)
	}
	res, err := w.c.Sync(ctx, bob, chat.SyncRequest{Cursor: empty.Page.Cursor})
	if err != nil || len(res.Page.Conversations) != 1 || res.Page.Conversations[0].Conversation.Membership.ToSeq != 3 {
		t.Errorf("the removed one is told %v %v", res.Page, err)
	}
	res, err = w.c.Sync(ctx, bob, chat.SyncRequest{})
	if err != nil || len(res.Page.Conversations) != 0 {
		t.Errorf("a new device is told %v %v", res.Page, err)
	}
}

func TestASyncOfManyPagesTellsEveryConversationOnce(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	for i := range 25 {
		w.send(user(fmt.Sprint("u", i)), im.Direct("bob", im.UserID(fmt.Sprint("u", i))), "hi")
	}
	seen := map[string]int{}
	r := chat.SyncRequest{Conversations: 10}
	for n := 0; ; n++ {
		res, err := w.c.Sync(ctx, bob, r)
		if err != nil || n > 10 {
			t.Fatal(n, err)
		}
		for _, d := range res.Page.Conversations {
			seen[d.Conversation.Id]++
		}
		if n == 0 { // meanwhile an old one becomes the newest
			w.send(user("u0"), im.Direct("bob", "u0"), "again")
		}
		if r.Cursor = res.Page.Cursor; !res.More {
			break
		}
	}
	if len(seen) != 25 {
		t.Errorf("told of %d conversations, want 25", len(seen))
	}
}

func TestTargetedEntriesAreWithheldFromOtherDevices(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	w.send(alice, ab, "one")
	if _, err := w.c.Send(ctx, alice, chat.SendRequest{Conv: ab, ClientID: w.id(), Body: text("keys"), ToDevices: []im.DeviceID{"bob-tablet"}, Handshake: true}); err != nil {
		t.Fatal(err)
	}
	res, err := w.c.Sync(ctx, bob, chat.SyncRequest{})
	if err != nil {
		t.Fatal(err)
	}
	d := res.Page.Conversations[0]
	if len(d.Entries) != 1 || len(d.Withheld) != 1 || d.Withheld[0].FromSeq != 2 || d.Conversation.HeadOrd != 1 {
		t.Errorf("bob's phone: %v", d)
	}
	tablet := bob
	tablet.Device = "bob-tablet"
	res, err = w.c.Sync(ctx, tablet, chat.SyncRequest{})
	if err != nil || len(res.Page.Conversations[0].Entries) != 2 || !res.Page.Conversations[0].Entries[1].Handshake {
		t.Errorf("bob's tablet: %v %v", res.Page, err)
	}
}

func TestTheNewestOfAKeyIsKept(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	self := im.Self("alice")
	for _, s := range []string{"v1", "v2"} {
		if _, err := w.c.Send(ctx, alice, chat.SendRequest{Conv: self, ClientID: w.id(), Body: text(s), Key: "draft/x"}); err != nil {
			t.Fatal(err)
		}
	}
	res, err := w.c.Sync(ctx, alice, chat.SyncRequest{})
	if err != nil {
		t.Fatal(err)
	}
	d := res.Page.Conversations[0]
	if len(d.Keyed) != 1 || d.Keyed[0].Body.Content.GetText().Text != "v2" || len(d.Withheld) != 1 {
		t.Errorf("got %v", d)
	}
	_, err = w.c.Send(ctx, bob, chat.SendRequest{Conv: self, ClientID: w.id(), Body: text("x"), Key: "k"})
	w.want(im.NotFound, err, "bob writes alice's key")
	_, err = w.c.Send(ctx, alice, chat.SendRequest{Conv: ab, ClientID: w.id(), Body: text("x"), Key: "k"})
	w.want(im.InvalidArgument, err, "a key in a direct conversation")
}

func TestAClientIDFromAnotherTimeGetsTheServersClock(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	for _, d := range []time.Duration{time.Hour, -31 * 24 * time.Hour} {
		id, _ := im.NewClientID(w.clock.now.Add(d), im.SystemEntropy())
		_, err := w.c.Send(ctx, alice, chat.SendRequest{Conv: ab, ClientID: id, Body: text("x")})
		e, ok := err.(*im.Error)
		if !ok || e.Code != im.ClockSkew || e.ServerTime == 0 {
			t.Errorf("%v: %v", d, err)
		}
	}
}

func TestARemovedMemberCanNeitherWriteNorReadWhatCameLater(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	w.group("g1", alice, bob)
	w.send(bob, "g1", "before") // seq 2; also fills the cache of members
	if _, err := w.c.Change(ctx, alice, "g1", w.id(), func(*chat.Room) (chat.Change, error) {
		return chat.Change{Verb: chat.VerbMembers, Members: []journal.MemberChange{{User: "bob"}},
			Content: &skeinv1.Content{Kind: &skeinv1.Content_Members{Members: &skeinv1.MembersChange{Removed: []string{"bob"}}}}}, nil
	}); err != nil {
		t.Fatal(err)
	}
	_, err := w.c.Send(ctx, bob, chat.SendRequest{Conv: "g1", ClientID: w.id(), Body: text("after")})
	w.want(im.NotFound, err, "the removed one writes")
	w.send(alice, "g1", "secret")
	p, err := w.c.History(ctx, bob, chat.HistoryRequest{Conv: "g1"})
	if err != nil || len(p.Items) != 3 || p.ToSeq != 3 || p.AsOfSeq != 3 {
		t.Errorf("the removed one reads %v %v", p, err)
	}
	_, err = w.c.Edits(ctx, bob, "g1", 4)
	w.want(im.NotFound, err, "edits of what came later")
	if c, err := w.c.Open(ctx, bob, "g1"); err != nil || c.HeadSeq != 3 || c.Membership.ToSeq != 4 {
		t.Errorf("the removed one opens %v %v", c, err)
	}
}

func TestPipelinedSendsKeepTheirOrderWhenTheMembersChange(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	w.group("g1", alice, bob)
	w.send(alice, "g1", "warm")
	pipe := w.c.NewPipe(alice)
	const n = 300
	got := make(chan im.Entry, n)
	for i := range n {
		if i%50 == 10 { // from the side, so that the pipe's room is stale
			u := im.UserID(fmt.Sprint("new", i))
			if _, err := w.c.Change(ctx, alice, "g1", w.id(), func(*chat.Room) (chat.Change, error) {
				return chat.Change{Verb: chat.VerbMembers, Members: []journal.MemberChange{{User: u, Role: im.RoleMember}},
					Content: &skeinv1.Content{Kind: &skeinv1.Content_Members{Members: &skeinv1.MembersChange{Added: []string{string(u)}}}}}, nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		pipe.Submit(ctx, chat.SendRequest{Conv: "g1", ClientID: w.id(), Body: text(fmt.Sprint(i))}, func(r journal.Result, err error) {
			if err != nil {
				t.Errorf("send %d: %v", i, err)
			}
			got <- r.Entry
		})
	}
	bySeq := map[im.Seq]string{}
	var last im.Seq
	for range n {
		e := <-got
		var b skeinv1.Body
		proto.Unmarshal(e.Body, &b)
		bySeq[e.Seq] = b.Content.GetText().GetText()
		last = max(last, e.Seq)
	}
	next := 0
	for s := im.Seq(1); s <= last; s++ {
		if txt, ok := bySeq[s]; ok {
			if txt != fmt.Sprint(next) {
				t.Fatalf("seq %d holds %q, want %d", s, txt, next)
			}
			next++
		}
	}
}
