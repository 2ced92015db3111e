package wire_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

// drain takes what still comes from a socket whose server may be dead, and
// returns the acks by client id.
func (c *client) drain() map[string]*pb.SendAck {
	c.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		_, b, err := c.conn.ReadMessage()
		if err != nil {
			break
		}
		p := new(pb.ServerPacket)
		if err := proto.Unmarshal(b, p); err != nil {
			c.t.Fatal(err)
		}
		c.waiting = append(c.waiting, p.Frames...)
	}
	acks := map[string]*pb.SendAck{}
	for _, f := range c.waiting {
		if a := f.GetAck(); a != nil {
			acks[string(a.ClientId)] = a
		}
	}
	return acks
}

// numbered makes sends with the texts from to to-1.
func numbered(conv string, from, to int) []*pb.ClientFrame {
	var out []*pb.ClientFrame
	for i := from; i < to; i++ {
		out = append(out, sendFrame(text(conv, fmt.Sprint("message ", i))))
	}
	return out
}

// again makes the same sends as frames of a new connection.
func sameAgain(frames []*pb.ClientFrame) []*pb.ClientFrame {
	out := make([]*pb.ClientFrame, len(frames))
	for i, f := range frames {
		out[i] = sendFrame(f.GetSend())
	}
	return out
}

// D1 and D2: the server is killed with 64 sends on their way, at different
// moments; what it had acknowledged is there, and a retry of everything puts
// each message in exactly once, in order, those that were acknowledged with
// the numbers that they had.
func TestKillNineAmongPipelinedSendsLosesNothingAndDoublesNothing(t *testing.T) {
	t.Parallel()
	const depth = 64
	s := serve(t)
	ann, bob, conv := pair()
	total := 0
	for round, wait := range []int{0, 1, 17, 40, 63} {
		c := connect(t, s, ann, "phone")
		frames := numbered(conv, total, total+depth)
		half := depth / 2
		c.send(frames[:half]...)
		c.send(frames[half:]...)
		for i := range wait {
			c.waiting = append(c.waiting, c.answer(frames[i].Ref))
		}
		s.kill()
		acked := c.drain()
		if len(acked) < wait {
			t.Fatalf("round %d: %d acks", round, len(acked))
		}
		s = s.again(t)
		// What was acknowledged is stored before anybody retries.
		stored := map[string]*pb.Entry{}
		for _, e := range as(t, s, bob).history(conv) {
			stored[string(e.ClientId)] = e
		}
		for id, a := range acked {
			if e := stored[id]; e == nil || e.Seq != a.Seq || e.Ord != a.Ord || e.TimeUs != a.TimeUs {
				t.Fatalf("round %d: acknowledged %v, stored %v", round, a, e)
			}
		}
		c = connect(t, s, ann, "phone")
		retry := sameAgain(frames)
		c.send(retry...)
		for i, f := range retry {
			a := c.ack(c.answer(f.Ref))
			if a.Seq != uint64(total+i+1) {
				t.Fatalf("round %d: message %d has seq %d", round, i, a.Seq)
			}
			if was := acked[string(a.ClientId)]; was != nil && !proto.Equal(was, a) {
				t.Fatalf("round %d: acknowledged %v, then %v", round, was, a)
			}
		}
		total += depth
	}
	h := as(t, s, bob).history(conv)
	if len(h) != total {
		t.Fatalf("%d of %d messages", len(h), total)
	}
	for i, e := range h {
		if e.Seq != uint64(i+1) || e.Ord != uint64(i+1) || textOf(e) != fmt.Sprint("message ", i) {
			t.Fatalf("position %d holds %v", i+1, e)
		}
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	s.fsck(t)
}

// D2 and D8: the connection is lost before any answer: what happened is not
// known. A retry with the same ids finds out, over the socket or over HTTP.
func TestASendWithoutAnAnswerIsRetriedWithTheSameEffect(t *testing.T) {
	t.Parallel()
	ann, bob, conv := pair()
	c := connect(t, shared, ann, "phone")
	frames := numbered(conv, 0, 64)
	c.send(frames...)
	c.conn.Close()
	first := frames[0].GetSend()
	e := must[pb.SendMessageResponse](as(t, shared, ann), sendMessage, first).Entry
	d := connect(t, shared, ann, "phone")
	retry := sameAgain(frames)
	d.send(retry...)
	var seqs []uint64
	for _, f := range retry {
		seqs = append(seqs, d.ack(d.answer(f.Ref)).Seq)
	}
	if seqs[0] != e.Seq {
		t.Errorf("seq %d over HTTP, %d over the socket", e.Seq, seqs[0])
	}
	h := as(t, shared, bob).history(conv)
	if len(h) != 64 {
		t.Fatalf("%d of 64 messages", len(h))
	}
	byID := map[string]uint64{}
	for i, e := range h {
		if e.Seq != uint64(i+1) {
			t.Errorf("position %d has seq %d", i, e.Seq)
		}
		byID[string(e.ClientId)] = e.Seq
	}
	for i, f := range retry {
		if byID[string(f.GetSend().ClientId)] != seqs[i] {
			t.Errorf("message %d: acknowledged as %d, stored as %d", i, seqs[i], byID[string(f.GetSend().ClientId)])
		}
	}
}

// D8: a server that stands still gives no answer, and no error either.
func TestAServerThatStandsStillAnswersWhenItGoesOn(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ann, bob, conv := pair()
	c := connect(t, s, ann, "phone")
	c.say(conv, "before")
	if err := s.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	until(t, "the server stands still", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
		return err == nil && bytes.Contains(stat, []byte(") T "))
	})
	frames := numbered(conv, 0, 32)
	c.send(frames...)
	c.conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	for {
		_, b, err := c.conn.ReadMessage()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break // no answer, and no error either
		}
		p := new(pb.ServerPacket)
		if err != nil || proto.Unmarshal(b, p) != nil || len(p.Frames) > 0 {
			t.Fatalf("a server that stands still has answered: %v %v", p, err)
		}
	}
	if err := s.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	// Another connection of the same device retries all.
	d := connect(t, s, ann, "phone")
	retry := sameAgain(frames)
	d.send(retry...)
	for i, f := range retry {
		if a := d.ack(d.answer(f.Ref)); a.Seq != uint64(i+2) {
			t.Errorf("message %d has seq %d", i, a.Seq)
		}
	}
	if h := as(t, s, bob).history(conv); len(h) != 33 {
		t.Errorf("%d messages", len(h))
	}
}

// D2 for the verbs that are not sends: a retry finds the first answer, also
// when the caller could not do it any more.
func TestEveryVerbThatAppendsMayBeRetried(t *testing.T) {
	t.Parallel()
	ann, bob, carol := someone("ann"), someone("bob"), someone("carol")
	a, b := as(t, shared, ann), as(t, shared, bob)
	create := &pb.CreateGroupRequest{Members: []string{bob}, ClientId: newID(0)}
	conv := must[pb.CreateGroupResponse](a, createGroup, create).Conversation.Id
	if again := must[pb.CreateGroupResponse](a, createGroup, create).Conversation; again.Id != conv || again.HeadSeq != 1 {
		t.Errorf("a second group: %v", again)
	}
	a.say(conv, "mine")  // 2
	b.say(conv, "bob's") // 3
	for i, step := range []struct {
		who       *caller
		procedure string
		request   proto.Message
	}{
		{a, editMessage, &pb.EditMessageRequest{Conversation: conv, Seq: 2, Body: textBody("edited"), ClientId: newID(0)}},
		{b, reactToMessage, &pb.ReactToMessageRequest{Conversation: conv, Seq: 2, Emoji: "x", ClientId: newID(0)}},
		{a, recallMessage, &pb.RecallMessageRequest{Conversation: conv, Seq: 3, ClientId: newID(0)}},
		{a, addMembers, &pb.AddMembersRequest{Conversation: conv, Users: []string{carol}, ClientId: newID(0)}},
		{a, updateGroup, &pb.UpdateGroupRequest{Conversation: conv, Title: "title", ClientId: newID(0)}},
		{a, setRole, &pb.SetRoleRequest{Conversation: conv, User: carol, Role: pb.Role_ROLE_ADMIN, ClientId: newID(0)}},
		{a, removeMember, &pb.RemoveMemberRequest{Conversation: conv, User: carol, ClientId: newID(0)}},
		{b, leaveGroup, &pb.LeaveGroupRequest{Conversation: conv, ClientId: newID(0)}},
	} {
		first := step.who.call(step.procedure, step.request)
		if first.status != 200 {
			t.Fatalf("%s: %s", step.procedure, first.body)
		}
		second := step.who.call(step.procedure, step.request)
		if !bytes.Equal(first.body, second.body) {
			t.Errorf("%s: %q, retried %q", step.procedure, first.body, second.body)
		}
		if head := must[pb.GetConversationResponse](a, getConversation, &pb.GetConversationRequest{Conversation: conv}).Conversation.HeadSeq; head != uint64(4+i) {
			t.Errorf("%s: the head is %d, not %d", step.procedure, head, 4+i)
		}
	}
}
