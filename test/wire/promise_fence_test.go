package wire_test

import (
	"fmt"
	"testing"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

// told lists what a client was told of a conversation, as seq numbers in the
// order in which they came, from frames that were read already.
func (c *client) told(conv string) (seqs []uint64) {
	for _, f := range c.waiting {
		if e := f.GetEntry(); e.GetConversation() == conv {
			seqs = append(seqs, e.Seq)
		}
		if w := f.GetWithheld(); w.GetConversation() == conv {
			seqs = append(seqs, w.ToSeq)
		}
	}
	return seqs
}

// D6: while a member is removed, everybody writes. On the open sockets of the
// removed one the removal is the last thing that arrives; what was committed
// later reaches neither them, nor sync, nor history.
func TestNothingCommittedAfterARemovalReachesTheRemoved(t *testing.T) {
	t.Parallel()
	ann, bob, carol := someone("ann"), someone("bob"), someone("carol")
	conv := as(t, shared, ann).group(bob, carol)
	a, c := connect(t, shared, ann, "phone"), connect(t, shared, carol, "phone")
	b, b2 := connect(t, shared, bob, "phone"), connect(t, shared, bob, "tablet")
	offline := connect(t, shared, bob, "laptop")
	offline.gone()
	c.send(numbered(conv, 0, 60)...)
	removal := must[pb.RemoveMemberResponse](as(t, shared, ann), removeMember, &pb.RemoveMemberRequest{Conversation: conv, User: bob, ClientId: newID(0)}).Entry
	for i := range 60 {
		c.ack(c.answer(uint32(2 + i)))
	}
	last := c.say(conv, "without bob").Seq
	c.ask(typingFrame(conv))
	a.ask(readFrame(conv, last))
	// What ann tells bob now was committed after all that.
	whisper := direct(ann, bob)
	a.say(whisper, "you are out")
	for _, dev := range []*client{b, b2} {
		dev.hears(whisper, "you are out")
		seqs := dev.told(conv)
		for i, seq := range seqs {
			if i > 0 && seq <= seqs[i-1] {
				t.Errorf("%s was told %d after %d", dev.device, seq, seqs[i-1])
			}
		}
		if n := len(seqs); n == 0 || seqs[n-1] != removal.Seq {
			t.Errorf("%s was told %v; the removal is %d", dev.device, seqs, removal.Seq)
		}
		for _, f := range dev.waiting {
			if f.GetTyping().GetConversation() == conv || f.GetReadMarker().GetConversation() == conv {
				t.Errorf("%s was told after the removal: %v", dev.device, f)
			}
		}
	}
	// A device that was away learns of the removal, as the last entry.
	back := connect(t, shared, bob, "laptop", resumeAt(offline.cursor), syncing(0, 200))
	for _, d := range back.welcome.Sync.Conversations {
		if d.Conversation.Id != conv {
			continue
		}
		n := len(d.Entries)
		if d.Conversation.Membership.ToSeq != removal.Seq+1 || d.Conversation.HeadSeq != removal.Seq || n == 0 || d.Entries[n-1].Seq != removal.Seq {
			t.Errorf("sync: %v", d)
		}
	}
	if h := as(t, shared, bob).history(conv); len(h) == 0 || h[len(h)-1].Seq != removal.Seq {
		t.Errorf("history: %d entries", len(h))
	}
	p := must[pb.ListMessagesResponse](as(t, shared, bob), listMessages, &pb.ListMessagesRequest{Conversation: conv, AfterSeq: removal.Seq})
	if len(p.Items) > 0 || !p.AtEnd {
		t.Errorf("after the removal: %v", p)
	}
	b.refused(sendFrame(text(conv, "still here?")), pb.ErrorCode_ERROR_CODE_NOT_FOUND)
	b.refused(typingFrame(conv), pb.ErrorCode_ERROR_CODE_NOT_FOUND)
	as(t, shared, bob).refused(listMembers, &pb.ListMembersRequest{Conversation: conv}, pb.ErrorCode_ERROR_CODE_NOT_FOUND)
	// A new device of theirs does not learn of a group that is over.
	for _, d := range connect(t, shared, bob, "new").welcome.Sync.Conversations {
		if d.Conversation.Id == conv {
			t.Errorf("a new device: %v", d)
		}
	}
	// Let in again, they read from there on.
	must[pb.AddMembersResponse](as(t, shared, ann), addMembers, &pb.AddMembersRequest{Conversation: conv, Users: []string{bob}, ClientId: newID(0)})
	f := b.await("the conversation", func(f *pb.ServerFrame) bool { return f.GetConversation().GetId() == conv })
	from := f.GetConversation().Membership.FromSeq
	if from != last+1 {
		t.Errorf("reads from %d, and the last before was %d", from, last)
	}
	c.say(conv, "welcome back")
	b.waiting = nil
	p = must[pb.ListMessagesResponse](as(t, shared, bob), listMessages, &pb.ListMessagesRequest{Conversation: conv})
	if p.FromSeq != from || !p.AtStart {
		t.Errorf("history after the return: %v", p)
	}
}

// D6, seen from the one who is removed: no message of theirs commits after
// the removal, and one that was acknowledged stays.
func TestARemovedMembersMessagesEndAtTheRemoval(t *testing.T) {
	t.Parallel()
	ann, bob := someone("ann"), someone("bob")
	conv := as(t, shared, ann).group(bob)
	b := connect(t, shared, bob, "phone")
	a := as(t, shared, ann)
	frames := numbered(conv, 0, 50)
	b.send(frames[:25]...)
	removed := make(chan *pb.Entry, 1)
	go func() {
		removed <- must[pb.RemoveMemberResponse](a, removeMember, &pb.RemoveMemberRequest{Conversation: conv, User: bob, ClientId: newID(0)}).Entry
	}()
	for _, f := range frames[25:] {
		b.send(f)
	}
	removal := <-removed
	stored := map[string]*pb.Entry{}
	for _, e := range a.history(conv) {
		stored[string(e.ClientId)] = e
		if e.Sender == bob && e.Seq > removal.Seq {
			t.Errorf("seq %d of the removed one lies behind the removal at %d", e.Seq, removal.Seq)
		}
	}
	refused := false
	for i, f := range frames {
		switch got := b.answer(f.Ref); {
		case got.GetAck() != nil:
			if e := stored[string(f.GetSend().ClientId)]; e.GetSeq() != got.GetAck().Seq || refused {
				t.Errorf("message %d is acknowledged as %d and stored as %v", i, got.GetAck().Seq, e)
			}
		case got.GetError().GetCode() == pb.ErrorCode_ERROR_CODE_NOT_FOUND:
			refused = true
			if stored[string(f.GetSend().ClientId)] != nil {
				t.Errorf("message %d was refused and is stored", i)
			}
		default:
			t.Errorf("message %d: %v", i, got)
		}
	}
	// A retry of what was acknowledged gets its ack, out or not.
	if stored[string(frames[0].GetSend().ClientId)] != nil {
		b.ack(b.ask(sendFrame(frames[0].GetSend())))
	}
}

// D6 for one who leaves.
func TestNothingCommittedAfterLeavingReachesWhoLeft(t *testing.T) {
	t.Parallel()
	ann, bob := someone("ann"), someone("bob")
	conv := as(t, shared, ann).group(bob)
	a, b := connect(t, shared, ann, "phone"), connect(t, shared, bob, "phone")
	a.say(conv, "one")
	left := must[pb.LeaveGroupResponse](as(t, shared, bob), leaveGroup, &pb.LeaveGroupRequest{Conversation: conv, ClientId: newID(0)}).Entry
	a.say(conv, "two")
	a.say(direct(ann, bob), "bye")
	b.hears(direct(ann, bob), "bye")
	if seqs := b.told(conv); fmt.Sprint(seqs) != fmt.Sprint([]uint64{2, left.Seq}) {
		t.Errorf("told %v; left at %d", seqs, left.Seq)
	}
}

// D7: typing, presence and read markers are news that may be lost; none of
// them takes a position, is stored as an entry, or counts as unread.
func TestTypingPresenceAndReadingNeverTouchTheLog(t *testing.T) {
	t.Parallel()
	ann, bob, conv := pair()
	a, b := connect(t, shared, ann, "phone"), connect(t, shared, bob, "phone")
	tab := connect(t, shared, ann, "tablet")
	a.say(conv, "one")
	b.hears(conv, "one")
	head := func() string {
		c := must[pb.GetConversationResponse](as(t, shared, ann), getConversation, &pb.GetConversationRequest{Conversation: conv}).Conversation
		return fmt.Sprint(c.HeadSeq, c.HeadOrd, c.AclVersion)
	}
	before := head()
	// Typing reaches the others, not the typist's own devices.
	if a.ask(typingFrame(conv)).GetDone() == nil {
		t.Error("no answer to typing")
	}
	typing := b.await("typing", func(f *pb.ServerFrame) bool { return f.GetTyping() != nil }).GetTyping()
	if typing.User != ann || typing.Conversation != conv || typing.Stopped {
		t.Errorf("%v", typing)
	}
	a.send(&pb.ClientFrame{Frame: &pb.ClientFrame_Typing{Typing: &pb.Typing{Conversation: conv, Stopped: true, User: "root"}}})
	if typing = b.await("typing", func(f *pb.ServerFrame) bool { return f.GetTyping() != nil }).GetTyping(); typing.User != ann || !typing.Stopped {
		t.Errorf("%v", typing)
	}
	// Reading is told to the others and to one's own other devices.
	if m := b.ask(readFrame(conv, 1)).GetReadMarker(); m.GetReadSeq() != 1 || m.GetReadOrd() != 1 || m.GetUser() != bob {
		t.Errorf("%v", m)
	}
	for _, c := range []*client{a, tab} {
		m := c.await("a read marker", func(f *pb.ServerFrame) bool { return f.GetReadMarker() != nil }).GetReadMarker()
		if m.User != bob || m.ReadSeq != 1 || m.Conversation != conv {
			t.Errorf("%v", m)
		}
	}
	// Presence is told to who watches.
	a.ask(&pb.ClientFrame{Frame: &pb.ClientFrame_WatchPresence{WatchPresence: &pb.WatchPresence{Users: []string{bob}}}})
	online := func(want bool) {
		t.Helper()
		a.await("presence", func(f *pb.ServerFrame) bool {
			return f.GetPresence().GetUser() == bob && f.GetPresence().Online == want
		})
	}
	online(true)
	b.gone()
	online(false)
	connect(t, shared, bob, "phone")
	online(true)
	if now := head(); now != before {
		t.Errorf("the head was %s and is %s", before, now)
	}
	if h := as(t, shared, bob).history(conv); len(h) != 1 {
		t.Errorf("%v", h)
	}
	for _, f := range tab.waiting {
		if f.GetTyping() != nil {
			t.Errorf("the typist's own tablet was told: %v", f)
		}
	}
	if ack := a.say(conv, "two"); ack.Seq != 2 || ack.Ord != 2 {
		t.Errorf("%v", ack)
	}
}
