package chat_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

var carol = user("carol")

func (w *world) reply(a im.Actor, conv im.ConvID, root im.Seq, s string) (im.Entry, error) {
	w.t.Helper()
	r, err := w.c.Send(context.Background(), a, chat.SendRequest{Conv: conv, ClientID: w.id(), Body: text(s), Thread: root})
	return r.Entry, err
}

func (w *world) mustReply(a im.Actor, conv im.ConvID, root im.Seq, s string) im.Entry {
	w.t.Helper()
	e, err := w.reply(a, conv, root, s)
	if err != nil {
		w.t.Fatalf("%s replies %q: %v", a.User, s, err)
	}
	return e
}

// summary writes a thread's summary down.
func summary(it *skeinv1.HistoryItem) string {
	t := it.GetThread()
	return fmt.Sprintf("%d:%d@%d%v", it.GetEntry().GetSeq(), t.GetReplyCount(), t.GetLastSeq(), t.GetParticipants())
}

func TestRepliesHangBelowTheirRootAndCountThereAlone(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	w.group("team", alice, bob, carol)
	root := w.send(alice, "team", "who comes?") // 2
	other := w.send(bob, "team", "news")        // 3
	w.mustReply(bob, "team", root.Seq, "I do")  // 4
	w.mustReply(carol, "team", root.Seq, "me too")
	last := w.mustReply(bob, "team", root.Seq, "when?") // 6
	if last.Ord != other.Ord || !last.Uncounted || last.Target != root.Seq {
		t.Errorf("a reply: %+v", last)
	}
	p, err := w.c.History(ctx, alice, chat.HistoryRequest{Conv: "team", Limit: 2})
	if err != nil || len(p.Items) != 5 || summary(p.Items[0]) != "2:3@6[bob carol]" || p.Items[1].Thread != nil {
		t.Fatalf("history: %v %v", p, err)
	}
	r, err := w.c.Thread(ctx, carol, chat.ThreadRequest{Conv: "team", Root: root.Seq, Limit: 2})
	if err != nil || len(r.Items) != 2 || r.Items[1].Entry.Seq != 6 || r.AtStart || !r.AtEnd || summary(r.Root) != "2:3@6[bob carol]" {
		t.Errorf("newest page: %v %v", r, err)
	}
	r, err = w.c.Thread(ctx, carol, chat.ThreadRequest{Conv: "team", Root: root.Seq, Before: im.Seq(r.Items[0].Entry.Seq), Limit: 2})
	if err != nil || len(r.Items) != 1 || r.Items[0].Entry.Seq != 4 || !r.AtStart || r.AtEnd {
		t.Errorf("page before: %v %v", r, err)
	}
	r, err = w.c.Thread(ctx, carol, chat.ThreadRequest{Conv: "team", Root: root.Seq, After: 4, Limit: 2})
	if err != nil || len(r.Items) != 2 || r.AtStart || !r.AtEnd {
		t.Errorf("page after: %v %v", r, err)
	}
	w.mustReply(carol, "team", other.Seq, "what news?")
	l, err := w.c.Threads(ctx, bob, "team", 1, 0)
	if err != nil || len(l.Roots) != 1 || summary(l.Roots[0]) != "3:1@7[carol]" || l.NextBeforeSeq != 7 {
		t.Errorf("threads: %v %v", l, err)
	}
	l, err = w.c.Threads(ctx, bob, "team", 1, im.Seq(l.NextBeforeSeq))
	if err != nil || len(l.Roots) != 1 || summary(l.Roots[0]) != "2:3@6[bob carol]" {
		t.Errorf("more threads: %v %v", l, err)
	}
}

func TestAReplyNeedsARootThatTheSenderSees(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	w.group("team", alice, bob)
	root := w.send(alice, "team", "root")
	first := w.mustReply(bob, "team", root.Seq, "reply")
	gone := w.send(alice, "team", "gone")
	if _, err := w.c.Recall(ctx, alice, "team", gone.Seq, w.id()); err != nil {
		t.Fatal(err)
	}
	add := &skeinv1.Content{Kind: &skeinv1.Content_Members{Members: &skeinv1.MembersChange{Added: []string{"carol"}}}}
	if _, err := w.c.Change(ctx, alice, "team", w.id(), func(*chat.Room) (chat.Change, error) {
		return chat.Change{Verb: chat.VerbMembers, Members: []journal.MemberChange{{User: "carol", Role: im.RoleMember}}, Content: add}, nil
	}); err != nil {
		t.Fatal(err)
	}
	before, _ := w.c.History(ctx, alice, chat.HistoryRequest{Conv: "team"})
	for _, c := range []struct {
		what string
		who  im.Actor
		root im.Seq
		code im.Code
	}{
		{"a reply to a reply", alice, first.Seq, im.FailedPrecondition}, {"to a recalled one", bob, gone.Seq, im.FailedPrecondition},
		{"to a change of members", bob, 1, im.NotFound}, {"to nothing", bob, 99, im.NotFound},
		{"to what was said before one came", carol, root.Seq, im.NotFound}, {"by a stranger", eve, root.Seq, im.NotFound},
		{"to nothing at all", bob, -1, im.InvalidArgument},
	} {
		_, err := w.reply(c.who, "team", c.root, "x")
		w.want(c.code, err, c.what)
	}
	_, err := w.c.Send(ctx, bob, chat.SendRequest{Conv: "team", ClientID: w.id(), Body: text("x"), Thread: root.Seq, ToUsers: []im.UserID{"alice"}})
	w.want(im.InvalidArgument, err, "a reply to some")
	after, _ := w.c.History(ctx, alice, chat.HistoryRequest{Conv: "team"})
	if !proto.Equal(before, after) {
		t.Error("a refusal changed something")
	}
	for _, c := range []struct {
		who  im.Actor
		root im.Seq
		lim  int
		code im.Code
	}{{eve, root.Seq, 0, im.NotFound}, {carol, root.Seq, 0, im.NotFound}, {bob, first.Seq, 0, im.NotFound}, {bob, 77, 0, im.NotFound},
		{bob, root.Seq, 201, im.InvalidArgument}, {bob, root.Seq, -1, im.InvalidArgument}, {bob, -1, 0, im.InvalidArgument}} {
		_, err := w.c.Thread(ctx, c.who, chat.ThreadRequest{Conv: "team", Root: c.root, Limit: c.lim})
		w.want(c.code, err, fmt.Sprintf("%s reads thread %d limit %d", c.who.User, c.root, c.lim))
	}
	if l, err := w.c.Threads(ctx, carol, "team", 0, 0); err != nil || len(l.Roots) != 0 {
		t.Errorf("a newcomer sees %v %v", l, err)
	}
}

func pollBody(p *skeinv1.Poll) []byte {
	b, _ := proto.Marshal(&skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT, Content: &skeinv1.Content{Kind: &skeinv1.Content_Poll{Poll: p}}})
	return b
}

func options(ids ...string) (out []*skeinv1.PollOption) {
	for _, id := range ids {
		out = append(out, &skeinv1.PollOption{Id: id, Text: "option " + id})
	}
	return out
}

func (w *world) poll(a im.Actor, conv im.ConvID, p *skeinv1.Poll) im.Seq {
	w.t.Helper()
	r, err := w.c.Send(context.Background(), a, chat.SendRequest{Conv: conv, ClientID: w.id(), Body: pollBody(p)})
	if err != nil {
		w.t.Fatal(err)
	}
	return r.Entry.Seq
}

// tally writes the votes of a poll down as its reader sees them.
func (w *world) tally(a im.Actor, conv im.ConvID, seq im.Seq) string {
	w.t.Helper()
	p, err := w.c.History(context.Background(), a, chat.HistoryRequest{Conv: conv, Before: seq + 1, Limit: 1})
	if err != nil || len(p.Items) != 1 {
		w.t.Fatal(p, err)
	}
	var out []string
	for _, v := range p.Items[0].Votes {
		out = append(out, fmt.Sprintf("%s=%d%v%v", v.Emoji, v.Count, v.Users, v.Mine))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func TestAVoteTakesThePlaceOfTheOneBefore(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	seq := w.poll(alice, ab, &skeinv1.Poll{Question: "when?", Options: options("a", "b", "c"), MaxChoices: 2})
	vote := func(a im.Actor, choices ...string) im.Entry {
		t.Helper()
		r, err := w.c.Vote(ctx, a, ab, seq, choices, w.id())
		if err != nil {
			t.Fatal(err)
		}
		return r.Entry
	}
	vote(alice, "c", "a")
	if got := w.tally(bob, ab, seq); got != "a=1[alice]false c=1[alice]false" {
		t.Error(got)
	}
	vote(bob, "a")
	e := vote(alice, "b")
	if got := w.tally(alice, ab, seq); got != "a=1[bob]false b=1[alice]true" {
		t.Error(got)
	}
	var prev skeinv1.Body
	if err := proto.Unmarshal(e.Previous, &prev); err != nil || fmt.Sprint(prev.Content.GetVote().GetChoices()) != "[a c]" {
		t.Errorf("the entry has what was chosen before: %v %v", &prev, err)
	}
	id := w.id()
	for range 2 { // a retry is no second vote
		if _, err := w.c.Vote(ctx, alice, ab, seq, nil, id); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.tally(alice, ab, seq); got != "a=1[bob]false" {
		t.Error(got)
	}
	_, err := w.c.Vote(ctx, alice, ab, seq, []string{"a"}, id)
	w.want(im.ClientIDReused, err, "the same id with another vote")
}

func TestWhatIsNoVoteIsRefusedAndChangesNothing(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	open := w.poll(alice, ab, &skeinv1.Poll{Question: "?", Options: options("a", "b")})
	closed := w.poll(alice, ab, &skeinv1.Poll{Question: "?", Options: options("a", "b")})
	timed := w.poll(alice, ab, &skeinv1.Poll{Question: "?", Options: options("a", "b"), ClosesUs: int64(im.MicrosOf(w.clock.now.Add(time.Minute)))})
	plain := w.send(alice, ab, "plain").Seq
	if _, err := w.c.Vote(ctx, bob, ab, timed, []string{"a"}, w.id()); err != nil {
		t.Fatal(err)
	}
	_, err := w.c.ClosePoll(ctx, bob, ab, closed, w.id())
	w.want(im.PermissionDenied, err, "somebody else closes")
	id := w.id()
	for range 2 { // a retry gets its first answer
		if _, err := w.c.ClosePoll(ctx, alice, ab, closed, id); err != nil {
			t.Fatal(err)
		}
	}
	_, err = w.c.ClosePoll(ctx, alice, ab, closed, w.id())
	w.want(im.FailedPrecondition, err, "closed twice")
	w.clock.now = w.clock.now.Add(time.Minute)
	before, _ := w.c.History(ctx, alice, chat.HistoryRequest{Conv: ab})
	for _, c := range []struct {
		what    string
		who     im.Actor
		seq     im.Seq
		choices []string
		code    im.Code
	}{
		{"two choices", bob, open, []string{"a", "b"}, im.InvalidArgument}, {"an unknown one", bob, open, []string{"x"}, im.InvalidArgument},
		{"the same twice", bob, open, []string{"a", "a"}, im.InvalidArgument}, {"a closed poll", bob, closed, []string{"a"}, im.FailedPrecondition},
		{"after its time", bob, timed, []string{"b"}, im.FailedPrecondition}, {"taking back after its time", bob, timed, nil, im.FailedPrecondition},
		{"no poll", bob, plain, []string{"a"}, im.InvalidArgument}, {"a stranger", eve, open, []string{"a"}, im.NotFound},
		{"nothing there", bob, 99, []string{"a"}, im.NotFound}, {"nobody", im.Actor{App: "demo", Server: true}, open, []string{"a"}, im.InvalidArgument},
	} {
		_, err := w.c.Vote(ctx, c.who, ab, c.seq, c.choices, w.id())
		w.want(c.code, err, c.what)
	}
	for what, p := range map[string]*skeinv1.Poll{
		"one option": {Question: "?", Options: options("a")}, "21 options": {Question: "?", Options: options(strings.Split("abcdefghijklmnopqrstu", "")...)},
		"the same id twice": {Question: "?", Options: options("a", "a")}, "no question": {Options: options("a", "b")},
		"too many choices": {Question: "?", Options: options("a", "b"), MaxChoices: 3}, "closed already": {Question: "?", Options: options("a", "b"), Closed: true},
		"an empty option": {Question: "?", Options: []*skeinv1.PollOption{{Id: "a", Text: "x"}, {Id: "b"}}}, "a bad id": {Question: "?", Options: options("a", "b/c")},
		"a negative time": {Question: "?", Options: options("a", "b"), ClosesUs: -1},
	} {
		_, err := w.c.Send(ctx, alice, chat.SendRequest{Conv: ab, ClientID: w.id(), Body: pollBody(p)})
		w.want(im.InvalidArgument, err, what)
	}
	_, err = w.c.Edit(ctx, alice, ab, open, text("no poll any more"), w.id())
	w.want(im.FailedPrecondition, err, "editing a poll")
	_, err = w.c.Edit(ctx, alice, ab, plain, pollBody(&skeinv1.Poll{Question: "?", Options: options("a", "b")}), w.id())
	w.want(im.FailedPrecondition, err, "editing into a poll")
	after, _ := w.c.History(ctx, alice, chat.HistoryRequest{Conv: ab})
	if !proto.Equal(before, after) {
		t.Error("a refusal changed something")
	}
}

// A poll that is closed while others vote counts what came before, and no more.
func TestNoVoteIsCountedAfterThePollWasClosed(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	var voters []im.Actor
	for i := range 40 {
		voters = append(voters, user(fmt.Sprintf("v%02d", i)))
	}
	w.group("team", append([]im.Actor{alice}, voters...)...)
	seq := w.poll(alice, "team", &skeinv1.Poll{Question: "?", Options: options("a", "b")})
	ids := make([]im.ClientID, len(voters)+1)
	for i := range ids {
		ids[i] = w.id()
	}
	var g sync.WaitGroup
	for i, v := range voters {
		g.Go(func() { _, _ = w.c.Vote(ctx, v, "team", seq, []string{"a"}, ids[i]) })
	}
	g.Go(func() {
		if _, err := w.c.ClosePoll(ctx, alice, "team", seq, ids[len(voters)]); err != nil {
			t.Error(err)
		}
	})
	g.Wait()
	var closedAt im.Seq
	err := w.j.View(ctx, func(v journal.View) error {
		es, err := v.Targeting("demo", "team", seq, seq, 100, im.KindVote, im.KindEdit)
		for i := range es {
			switch {
			case es[i].Kind == im.KindEdit:
				closedAt = es[i].Seq
			case closedAt > 0:
				t.Errorf("a vote at %d, after the poll was closed at %d", es[i].Seq, closedAt)
			}
		}
		return err
	})
	if err != nil || closedAt == 0 {
		t.Fatal(closedAt, err)
	}
}

func TestAHundredMessagesArePinnedAndNoMoreWhoeverIsFaster(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	var seqs []im.Seq
	for i := range 104 {
		seqs = append(seqs, w.send(alice, ab, fmt.Sprint(i)).Seq)
	}
	for _, s := range seqs[:97] {
		if _, err := w.c.Pin(ctx, alice, ab, s, false, w.id()); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	won, ids := 0, []im.ClientID{w.id(), w.id(), w.id(), w.id(), w.id(), w.id(), w.id()}
	var g sync.WaitGroup
	for i, s := range seqs[97:] {
		g.Go(func() {
			_, err := w.c.Pin(ctx, bob, ab, s, false, ids[i])
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else {
				w.want(im.FailedPrecondition, err, "the hundred and first")
			}
		})
	}
	g.Wait()
	if l, err := w.c.Pins(ctx, bob, ab); won != 3 || err != nil || len(l.Pins) != 100 {
		t.Fatalf("%d were pinned: %d %v", won, len(l.GetPins()), err)
	}
	// What is recalled is pinned no more, and leaves room.
	if _, err := w.c.Recall(ctx, alice, ab, seqs[0], w.id()); err != nil {
		t.Fatal(err)
	}
	if l, err := w.c.Pins(ctx, bob, ab); err != nil || len(l.Pins) != 99 {
		t.Fatal(len(l.GetPins()), err)
	}
	late := w.send(bob, ab, "late").Seq
	id := w.id()
	for range 2 {
		if _, err := w.c.Pin(ctx, bob, ab, late, false, id); err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.c.Pin(ctx, bob, ab, w.send(bob, ab, "later").Seq, false, w.id())
	w.want(im.FailedPrecondition, err, "one too many")
	if e, err := w.c.Pin(ctx, alice, ab, late, false, w.id()); e != nil || err != nil {
		t.Error("pinned already:", e, err)
	}
	if e, err := w.c.Pin(ctx, alice, ab, late, true, w.id()); e == nil || err != nil {
		t.Error("taken down:", e, err)
	}
	if e, err := w.c.Pin(ctx, alice, ab, late, true, w.id()); e != nil || err != nil {
		t.Error("taken down already:", e, err)
	}
	l, err := w.c.Pins(ctx, alice, ab)
	if err != nil || len(l.Pins) != 99 || slices.ContainsFunc(l.Pins, func(p *skeinv1.PinnedMessage) bool { return im.Seq(p.Item.Entry.Seq) == late }) {
		t.Error(len(l.GetPins()), err)
	}
	_, err = w.c.Pin(ctx, eve, ab, late, false, w.id())
	w.want(im.NotFound, err, "a stranger pins")
	_, err = w.c.Pin(ctx, alice, ab, 9999, false, w.id())
	w.want(im.NotFound, err, "nothing is pinned")
	_, err = w.c.Pins(ctx, eve, ab)
	w.want(im.NotFound, err, "a stranger looks at pins")
	if s, err := w.c.Sync(ctx, alice, chat.SyncRequest{}); err != nil || len(s.Page.Conversations) != 1 || len(s.Page.Conversations[0].Keyed) != 100 {
		t.Errorf("a device gets the keys of the pins, and they are at most 100: %v", err)
	}
}

func TestAMessageHas256ExtensionsAndTheNewestValueOfEach(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	m := w.send(alice, ab, "hello").Seq
	set := func(a im.Actor, key, value string) error {
		_, err := w.c.Extend(ctx, a, ab, m, &skeinv1.Extension{Key: key, Value: []byte(value)}, w.id())
		return err
	}
	for i := range 250 {
		if err := set(alice, fmt.Sprintf("k%03d", i), "v"); err != nil {
			t.Fatal(err)
		}
	}
	var g sync.WaitGroup
	var mu sync.Mutex
	won, ids := 0, make([]im.ClientID, 12)
	for i := range ids {
		ids[i] = w.id()
	}
	for i, id := range ids {
		g.Go(func() {
			_, err := w.c.Extend(ctx, bob, ab, m, &skeinv1.Extension{Key: fmt.Sprint("race", i)}, id)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else if c := im.CodeOf(err); c != im.FailedPrecondition && c != im.Unavailable {
				t.Error(err)
			}
		})
	}
	g.Wait()
	for ; won < 6; won++ { // those that were overtaken too often try again
		if err := set(bob, fmt.Sprint("again", won), "v"); err != nil {
			t.Fatal(err)
		}
	}
	w.want(im.FailedPrecondition, set(bob, "one more", "v"), "key 257")
	if won != 6 {
		t.Errorf("%d of 6 places were given", won)
	}
	if err := set(bob, "k000", "newer"); err != nil {
		t.Fatal("a key that is there takes a value:", err)
	}
	if _, err := w.c.Extend(ctx, alice, ab, m, &skeinv1.Extension{Key: "k001", Removed: true}, w.id()); err != nil {
		t.Fatal(err)
	}
	l, err := w.c.Extensions(ctx, bob, ab, m)
	if err != nil || len(l.Extensions) != 255 || string(l.Extensions[slices.IndexFunc(l.Extensions, func(x *skeinv1.Extension) bool { return x.Key == "k000" })].Value) != "newer" {
		t.Error(len(l.GetExtensions()), err)
	}
	p, err := w.c.History(ctx, bob, chat.HistoryRequest{Conv: ab})
	if err != nil || len(p.Items) != 1 || len(p.Items[0].Extensions) != 255 {
		t.Error("history:", p.GetItems(), err)
	}
	for _, c := range []struct {
		what string
		who  im.Actor
		seq  im.Seq
		x    *skeinv1.Extension
		code im.Code
	}{
		{"no key", alice, m, &skeinv1.Extension{}, im.InvalidArgument}, {"a long key", alice, m, &skeinv1.Extension{Key: strings.Repeat("k", 65)}, im.InvalidArgument},
		{"a large value", alice, m, &skeinv1.Extension{Key: "k000", Value: make([]byte, 4097)}, im.TooLarge}, {"nothing", alice, m, nil, im.InvalidArgument},
		{"taking away what is not there", alice, m, &skeinv1.Extension{Key: "none", Removed: true}, im.FailedPrecondition},
		{"a stranger", eve, m, &skeinv1.Extension{Key: "k000"}, im.NotFound}, {"no message", alice, 9999, &skeinv1.Extension{Key: "k000"}, im.NotFound},
	} {
		_, err := w.c.Extend(ctx, c.who, ab, c.seq, c.x, w.id())
		w.want(c.code, err, c.what)
	}
	if _, err := w.c.Recall(ctx, alice, ab, m, w.id()); err != nil {
		t.Fatal(err)
	}
	w.want(im.FailedPrecondition, set(alice, "k000", "v"), "a recalled message")
	if l, err := w.c.Extensions(ctx, bob, ab, m); err != nil || len(l.Extensions) != 0 {
		t.Error("a recall takes them away:", l, err)
	}
	if err := w.j.View(ctx, func(v journal.View) error {
		es, err := v.Targeting("demo", ab, m, m, 1000, im.KindExtension)
		for i := range es {
			if len(es[i].Body) > 0 {
				t.Fatalf("a value is left in the journal at %d", es[i].Seq)
			}
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

// A message's reactions are folded as often as it is read: there is an end to
// how often they change, however few there are at a time.
func TestReactionsThatChangeWithoutEndAreRefused(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	m := w.send(alice, ab, "hello").Seq
	var g sync.WaitGroup
	body, err := proto.Marshal(&skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT, Content: &skeinv1.Content{Kind: &skeinv1.Content_Reaction{
		Reaction: &skeinv1.Reaction{Emoji: "x", Removed: true}}}})
	if err != nil {
		t.Fatal(err)
	}
	for range 20_000 { // as if by calls, which take longer
		g.Add(1)
		w.j.Submit(&journal.Append{App: "demo", Conv: ab, Kind: im.KindReaction, Sender: "bob", ClientID: w.id(), Target: m, Body: body, ACLVersion: -1},
			func(journal.Result, error) { g.Done() })
	}
	g.Wait()
	began := time.Now()
	for _, remove := range []bool{false, true} {
		_, err := w.c.React(ctx, bob, ab, m, "👍", remove, w.id())
		w.want(im.FailedPrecondition, err, "one more reaction")
	}
	t.Logf("refused in %s each", time.Since(began)/2)
	p, err := w.c.History(ctx, alice, chat.HistoryRequest{Conv: ab, Before: m + 1})
	if err != nil || len(p.Items) != 1 || len(p.Items[0].Reactions) != 0 {
		t.Error(p, err)
	}
}

// A page whose messages have more votes than one answer takes has fewer
// messages, and each of them whole.
func TestAPageWithVeryManyVotesIsCutAndWhole(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	var polls []im.Seq
	for range 6 {
		polls = append(polls, w.poll(alice, ab, &skeinv1.Poll{Question: "?", Options: options("a", "b")}))
	}
	body, err := proto.Marshal(&skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT, Content: &skeinv1.Content{Kind: &skeinv1.Content_Vote{
		Vote: &skeinv1.Vote{Choices: []string{"a"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	var g sync.WaitGroup
	for i := range 5000 {
		for _, seq := range polls {
			u := im.UserID(fmt.Sprintf("v%04d", i))
			g.Add(1)
			w.j.Submit(&journal.Append{App: "demo", Conv: ab, Kind: im.KindVote, Sender: u, ClientID: w.id(), Target: seq, Body: body, ACLVersion: -1,
				Key: fmt.Sprintf("!%016x/v/%s", seq, u), Effect: journal.FollowKey}, func(_ journal.Result, err error) {
				if err != nil {
					t.Error(err)
				}
				g.Done()
			})
		}
		if i%500 == 0 {
			g.Wait()
		}
	}
	g.Wait()
	seen, before := 0, im.Seq(7)
	for before > 1 {
		began := time.Now()
		p, err := w.c.History(ctx, alice, chat.HistoryRequest{Conv: ab, Before: before})
		if err != nil || len(p.Items) == 0 {
			t.Fatal(p, err)
		}
		t.Logf("%d polls of 5,000 voters in %s", len(p.Items), time.Since(began))
		for _, it := range p.Items {
			if seen++; len(it.Votes) != 1 || it.Votes[0].Count != 5000 || len(it.Votes[0].Users) != 100 {
				t.Errorf("poll %d: %v", it.Entry.Seq, len(it.Votes))
			}
		}
		before = im.Seq(p.FromSeq)
	}
	if seen != 6 {
		t.Errorf("%d polls were read", seen)
	}
}
