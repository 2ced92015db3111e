package wire_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/db"
	pb "github.com/skein-im/skein/proto/skein/v1"
)

// damage changes the stored body of an entry behind the server's back, as a
// failing disk does; no server may run on the folder.
func damage(t *testing.T, dir, conv string, seq int64, body []byte) {
	t.Helper()
	d, err := openData(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	err = d.Write(t.Context(), func(tx db.Tx) error {
		n, err := tx.Exec("UPDATE entry SET body = $1 WHERE seq = $2 AND conv_no = (SELECT conv_no FROM conversation WHERE conv = $3)", body, seq, conv)
		if err == nil && n != 1 {
			err = fmt.Errorf("%d rows", n)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A damaged entry is reported and never served, and it is all that is lost:
// its reader signs in, and reads and writes everything around it.
func TestADamagedEntryIsReportedAndTheRestGoesOn(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ann, bob, conv := pair()
	a := connect(t, s, ann, "phone")
	frames := numbered(conv, 1, 6)
	a.send(frames...)
	for _, f := range frames {
		a.ack(a.answer(f.Ref))
	}
	other := direct(bob, someone("carol"))
	as(t, s, bob).say(other, "elsewhere")
	cursor := connect(t, s, bob, "tablet").cursor
	a.say(conv, "message 6")
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	damage(t, s.dir, conv, 3, encode(t, textBody("messagf 3")))
	if out, err := exec.Command(bin, "fsck", "--data", s.dir).CombinedOutput(); err == nil || !strings.Contains(string(out), conv) {
		t.Errorf("fsck: %v %s", err, out)
	}
	s = s.again(t)
	const lost = pb.ErrorCode_ERROR_CODE_DATA_LOSS
	// Its readers sign in; the position is there and holds nothing for them.
	b := connect(t, s, bob, "phone")
	for _, d := range b.welcome.Sync.Conversations {
		switch d.Conversation.Id {
		case conv:
			if d.Conversation.HeadSeq != 6 || len(d.Entries) != 5 || len(d.Withheld) != 1 || d.Withheld[0].FromSeq != 3 || d.Withheld[0].ToSeq != 3 || d.Gap {
				t.Errorf("%v", d)
			}
		case other:
			if len(d.Entries) != 1 || textOf(d.Entries[0]) != "elsewhere" {
				t.Errorf("%v", d)
			}
		}
	}
	if d := connect(t, s, bob, "tablet", resumeAt(cursor)).welcome.Sync.Conversations; len(d) != 1 || len(d[0].Entries) != 1 || textOf(d[0].Entries[0]) != "message 6" {
		t.Errorf("%v", d)
	}
	reader := as(t, s, bob)
	for _, r := range []*pb.ListMessagesRequest{{}, {BeforeSeq: 4}, {AfterSeq: 2}} {
		r.Conversation = conv
		page := must[pb.ListMessagesResponse](reader, listMessages, r)
		for _, it := range page.Items {
			if want := fmt.Sprint("message ", it.Entry.Seq); textOf(it.Entry) != want || it.Entry.Seq == 3 {
				t.Errorf("%v, not %q", it, want)
			}
		}
		if n := uint64(len(page.Items)); page.FromSeq > 3 || page.ToSeq < 3 || page.ToSeq-page.FromSeq != n {
			t.Errorf("%v: covers %d to %d with %d items", r, page.FromSeq, page.ToSeq, n)
		}
	}
	// Whoever asks for just this message is told what is wrong.
	reader.refused(listEdits, &pb.ListEditsRequest{Conversation: conv, Seq: 3}, lost)
	for p, r := range map[string]proto.Message{
		editMessage:    &pb.EditMessageRequest{Conversation: conv, Seq: 3, Body: textBody("x"), ClientId: newID(0)},
		recallMessage:  &pb.RecallMessageRequest{Conversation: conv, Seq: 3, ClientId: newID(0)},
		reactToMessage: &pb.ReactToMessageRequest{Conversation: conv, Seq: 3, Emoji: "x", ClientId: newID(0)},
	} {
		as(t, s, ann).refused(p, r, lost)
	}
	a = connect(t, s, ann, "phone")
	a.refused(sendFrame(frames[2].GetSend()), lost) // a retry of just that message
	if ack := a.ack(a.ask(sendFrame(frames[3].GetSend()))); ack.Seq != 4 {
		t.Errorf("%v", ack)
	}
	if ack := a.say(conv, "after the damage"); ack.Seq != 7 {
		t.Errorf("%v", ack)
	}
	b.hears(conv, "after the damage")
	if !strings.Contains(s.logs.String(), "level=ERROR") || strings.Contains(s.logs.String(), "messagf") {
		t.Errorf("the log: %s", s.logs)
	}
	s.alive(t)
}
