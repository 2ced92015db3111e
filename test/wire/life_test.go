package wire_test

import (
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

func TestASilentSocketIsClosedAndOneThatPingsIsNot(t *testing.T) {
	t.Parallel()
	s := serve(t, "--limits-ping-interval", "1s")
	silent, awake := connect(t, s, "ann", "phone"), connect(t, s, "bob", "phone")
	if ms := silent.welcome.PingIntervalMs; ms != 1000 {
		t.Errorf("ping_interval_ms %d", ms)
	}
	over := make(chan time.Duration, 1)
	begin := time.Now()
	go func() {
		silent.end()
		over <- time.Since(begin)
	}()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if awake.ask(ping()).GetPong().GetServerTimeUs() == 0 {
				t.Error("a pong without the time")
			}
		case took := <-over:
			silent.endsWith(pb.CloseCode_CLOSE_CODE_IDLE)
			if took < 1500*time.Millisecond || took > 6*time.Second {
				t.Errorf("closed after %s", took)
			}
			if awake.ask(ping()).GetPong() == nil {
				t.Error("no pong")
			}
			return
		}
	}
}

func TestAServerThatEndsSaysSoAndKeepsWhatItAcknowledged(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ann, bob, conv := pair()
	c := connect(t, s, ann, "phone")
	knocked := knock(t, s)
	frames := numbered(conv, 0, 64)
	c.send(frames...)
	c.ack(c.answer(frames[0].Ref))
	begin := time.Now()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	goAway := c.await("go_away", func(f *pb.ServerFrame) bool { return f.GetGoAway() != nil }).GetGoAway()
	if goAway.Reason == "" || goAway.RetryAfterMs > 60_000 {
		t.Errorf("%v", goAway)
	}
	c.endsWith(pb.CloseCode_CLOSE_CODE_GOING_AWAY)
	knocked.endsWith(pb.CloseCode_CLOSE_CODE_GOING_AWAY)
	acked := map[string]uint64{string(frames[0].GetSend().ClientId): 1}
	for _, f := range c.waiting {
		if a := f.GetAck(); a != nil {
			acked[string(a.ClientId)] = a.Seq
		}
	}
	<-s.exited
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("it took %s to end", took)
	}
	s = s.again(t)
	for _, e := range as(t, s, bob).history(conv) {
		if seq := acked[string(e.ClientId)]; seq != 0 && seq != e.Seq {
			t.Errorf("acknowledged as %d, stored as %d", seq, e.Seq)
		}
		delete(acked, string(e.ClientId))
	}
	if len(acked) > 0 {
		t.Errorf("%d acknowledged messages are gone", len(acked))
	}
}

// With ref 0 nothing comes back but an error, and what was asked for itself.
func TestAFrameWithoutARefIsAnsweredWhenItHasTo(t *testing.T) {
	t.Parallel()
	ann, _, conv := pair()
	c := connect(t, shared, ann, "phone")
	write := func(f *pb.ClientFrame) { c.write(2, packet(t, &pb.ClientFrame{Frame: f.Frame})) }
	write(sendFrame(text(conv, "one")))
	if f := c.await("an ack", func(f *pb.ServerFrame) bool { return f.GetAck() != nil }); f.Ref != 0 || f.GetAck().Seq != 1 {
		t.Errorf("%v", f)
	}
	write(typingFrame(conv))
	write(readFrame(conv, 1))
	write(typingFrame("nowhere"))
	if f := c.await("an error", func(f *pb.ServerFrame) bool { return f.GetError() != nil }); f.Ref != 0 {
		t.Errorf("%v", f)
	}
	write(syncFrame(nil, 0))
	c.await("a page", func(f *pb.ServerFrame) bool { return f.GetSync() != nil && f.Ref == 0 })
	write(ping())
	c.await("a pong", func(f *pb.ServerFrame) bool { return f.GetPong() != nil && f.Ref == 0 })
	c.ask(readFrame(conv, 1)) // calls of a session are answered in any order, but this one is behind
	for _, f := range c.waiting {
		if f.GetDone() != nil || f.GetReadMarker() != nil {
			t.Errorf("an answer that nobody asked for: %v", f)
		}
	}
}

// What docs/protocol.md says of edit, recall, reaction, reply and read.
func TestVerbsOnMessagesDoWhatTheProtocolSays(t *testing.T) {
	t.Parallel()
	ann, bob, conv := pair()
	a, b := as(t, shared, ann), as(t, shared, bob)
	live := connect(t, shared, bob, "phone")
	first := a.say(conv, "helo") // 1
	live.hears(conv, "helo")
	reply := content(&pb.Content{Kind: textBody("which?").Content.Kind, ReplyToSeq: 1})
	must[pb.SendMessageResponse](b, sendMessage, &pb.SendMessageRequest{Conversation: conv, ClientId: newID(0), Body: reply}) // 2
	if e := live.entry(conv); e.Seq != 2 || e.Body.Content.ReplyToSeq != 1 {
		t.Errorf("%v", e)
	}
	edit := func(s string) *pb.Entry {
		return must[pb.EditMessageResponse](a, editMessage, &pb.EditMessageRequest{Conversation: conv, Seq: 1, Body: textBody(s), ClientId: newID(0)}).Entry
	}
	// The first edit brings along what it replaced, later ones need not.
	if e := edit("hello"); e.Kind != pb.EntryKind_ENTRY_KIND_EDIT || e.Seq != 3 || e.Ord != 2 || e.TargetSeq != 1 || textOf(e) != "hello" || e.PreviousBody.GetContent().GetText().GetText() != "helo" {
		t.Errorf("%v", e)
	}
	if e := edit("hello!"); e.Seq != 4 || e.PreviousBody != nil {
		t.Errorf("%v", e)
	}
	b.refused(editMessage, &pb.EditMessageRequest{Conversation: conv, Seq: 1, Body: textBody("x"), ClientId: newID(0)}, pb.ErrorCode_ERROR_CODE_PERMISSION_DENIED)
	react := func(c *caller, emoji string, remove bool) {
		must[pb.ReactToMessageResponse](c, reactToMessage, &pb.ReactToMessageRequest{Conversation: conv, Seq: 1, Emoji: emoji, Remove: remove, ClientId: newID(0)})
	}
	react(a, "👍", false) // 5
	react(b, "👍", false) // 6
	react(b, "🎉", false) // 7
	react(b, "🎉", true)  // 8
	// History has the message as it is now, with its reactions; what changed it is folded in.
	page := must[pb.ListMessagesResponse](b, listMessages, &pb.ListMessagesRequest{Conversation: conv})
	if len(page.Items) != 2 || page.ToSeq != 8 || page.AsOfSeq != 8 {
		t.Fatalf("%v", page)
	}
	m := page.Items[0]
	if textOf(m.Entry) != "hello!" || m.Entry.Version != 3 || !proto.Equal(&pb.Entry{Seq: first.Seq, TimeUs: first.TimeUs, Sender: first.Sender},
		&pb.Entry{Seq: m.Entry.Seq, TimeUs: m.Entry.TimeUs, Sender: m.Entry.Sender}) {
		t.Errorf("%v", m)
	}
	if r := m.Reactions; len(r) != 1 || r[0].Emoji != "👍" || r[0].Count != 2 || len(r[0].Users) != 2 || !r[0].Mine {
		t.Errorf("%v", m.Reactions)
	}
	revisions := must[pb.ListEditsResponse](b, listEdits, &pb.ListEditsRequest{Conversation: conv, Seq: 1}).Revisions
	if len(revisions) != 3 || revisions[0].EditSeq != 0 || revisions[0].Body.Content.GetText().Text != "helo" || revisions[2].EditSeq != 4 {
		t.Errorf("%v", revisions)
	}
	// Unread: what was sent after one's own last message or read marker.
	unread := func(c *caller) uint64 {
		x := must[pb.GetConversationResponse](c, getConversation, &pb.GetConversationRequest{Conversation: conv}).Conversation
		return x.HeadOrd - x.Membership.ReadOrd
	}
	if unread(a) != 1 || unread(b) != 0 {
		t.Errorf("unread %d and %d", unread(a), unread(b))
	}
	if r := must[pb.ReadConversationResponse](a, readConversation, &pb.ReadConversationRequest{Conversation: conv, Seq: 2}); r.ReadSeq != 2 || unread(a) != 0 {
		t.Errorf("%v, unread %d", r, unread(a))
	}
	if r := must[pb.ReadConversationResponse](a, readConversation, &pb.ReadConversationRequest{Conversation: conv, Seq: 1}); r.ReadSeq != 2 {
		t.Errorf("a marker went back: %v", r)
	}
	// A recall takes the body from everywhere, the edits included.
	recall := must[pb.RecallMessageResponse](a, recallMessage, &pb.RecallMessageRequest{Conversation: conv, Seq: 1, ClientId: newID(0)}).Entry
	if recall.Kind != pb.EntryKind_ENTRY_KIND_RECALL || recall.Body != nil || recall.TargetSeq != 1 || recall.Seq != 9 {
		t.Errorf("%v", recall)
	}
	for _, r := range []struct {
		p   string
		req proto.Message
	}{
		{editMessage, &pb.EditMessageRequest{Conversation: conv, Seq: 1, Body: textBody("x"), ClientId: newID(0)}},
		{recallMessage, &pb.RecallMessageRequest{Conversation: conv, Seq: 1, ClientId: newID(0)}},
		{reactToMessage, &pb.ReactToMessageRequest{Conversation: conv, Seq: 1, Emoji: "x", ClientId: newID(0)}},
	} {
		a.refused(r.p, r.req, pb.ErrorCode_ERROR_CODE_FAILED_PRECONDITION)
	}
	if m = must[pb.ListMessagesResponse](b, listMessages, &pb.ListMessagesRequest{Conversation: conv}).Items[0]; m.Entry.Body != nil || !m.Entry.Recalled || m.Entry.Seq != 1 {
		t.Errorf("%v", m)
	}
	if r := must[pb.ListEditsResponse](b, listEdits, &pb.ListEditsRequest{Conversation: conv, Seq: 1}).Revisions; len(r) != 0 {
		t.Errorf("%v", r)
	}
	for _, e := range connect(t, shared, bob, "tablet").welcome.Sync.Conversations[0].Entries {
		if s := e.String(); e.TargetSeq == 1 && e.Kind != pb.EntryKind_ENTRY_KIND_REACTION && (e.Body != nil || e.PreviousBody != nil) {
			t.Errorf("recalled and still there: %s", s)
		}
	}
	// Live, all of it came in order.
	for seq := uint64(3); seq <= 9; seq++ {
		if e := live.entry(conv); e.Seq != seq {
			t.Errorf("%d where %d is next", e.Seq, seq)
		}
	}
}

func TestWhoeverIsAddedIsIntroducedBeforeTheFirstEntry(t *testing.T) {
	t.Parallel()
	ann, bob := someone("ann"), someone("bob")
	a := as(t, shared, ann)
	conv := must[pb.CreateGroupResponse](a, createGroup, &pb.CreateGroupRequest{Title: "Team", Members: []string{someone("carol")}, ClientId: newID(0)}).Conversation.Id
	a.say(conv, "before bob")
	b := connect(t, shared, bob, "phone")
	added := must[pb.AddMembersResponse](a, addMembers, &pb.AddMembersRequest{Conversation: conv, Users: []string{bob}, ClientId: newID(0)}).Entry
	a.say(conv, "after")
	f := b.await("anything", func(*pb.ServerFrame) bool { return true })
	if c := f.GetConversation(); c.GetId() != conv || c.Title != "Team" || c.Membership.FromSeq != added.Seq || c.MemberCount != 3 {
		t.Errorf("first came %v", f)
	}
	if e := b.entry(conv); e.Seq != added.Seq || e.Kind != pb.EntryKind_ENTRY_KIND_MEMBERS || e.Body.Content.GetMembers().Added[0] != bob {
		t.Errorf("%v", e)
	}
	b.hears(conv, "after")
	if h := must[pb.ListMessagesResponse](as(t, shared, bob), listMessages, &pb.ListMessagesRequest{Conversation: conv}); h.FromSeq != added.Seq || len(h.Items) != 2 {
		t.Errorf("%v", h)
	}
	if r := must[pb.AddMembersResponse](a, addMembers, &pb.AddMembersRequest{Conversation: conv, Users: []string{bob}, ClientId: newID(0)}); r.Entry != nil {
		t.Errorf("added again: %v", r)
	}
}
