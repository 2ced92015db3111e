package wire_test

import (
	"bytes"
	"testing"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

func TestACursorIsGoodForItsUserOnly(t *testing.T) {
	t.Parallel()
	w := watch(t, shared)
	ann, bob, conv := pair()
	a := connect(t, shared, ann, "phone")
	a.say(conv, "hello")
	mine := connect(t, shared, ann, "tablet").cursor
	theirs := connect(t, shared, bob, "phone").cursor
	// The same user of another app.
	elsewhere := connect(t, shared, ann, "phone", asApp(shared.apps["other"])).cursor
	bent := bytes.Clone(mine)
	bent[len(bent)/2] ^= 1
	for name, cursor := range map[string][]byte{
		"another user's": theirs, "another app's": elsewhere, "bent": bent, "cut short": mine[:len(mine)-1],
		"with a byte more": append(bytes.Clone(mine), 0), "noise": []byte("cursor"), "one byte": {1}, "1 KiB of zeros": make([]byte, 1024),
	} {
		const want = pb.ErrorCode_ERROR_CODE_CURSOR_INVALID
		if bytes.Equal(cursor, mine) {
			t.Fatalf("%s: not a test", name)
		}
		c := greet(t, shared, ann, "laptop", resumeAt(cursor))
		if e := c.answer(1).GetError(); e.GetCode() != want || e.GetHint() == "" {
			t.Errorf("%s, in a hello: %v", name, e)
		}
		c.endsWith(pb.CloseCode_CLOSE_CODE_UNAVAILABLE)
		c = connect(t, shared, ann, "laptop")
		c.refused(&pb.ClientFrame{Frame: &pb.ClientFrame_CursorAck{CursorAck: &pb.CursorAck{Cursor: cursor}}}, want)
		c.refused(syncFrame(cursor, 0), want)
		// The session goes on as it was, and may ask without a cursor.
		if page := c.ask(syncFrame(nil, 0)).GetSync(); !page.GetReset_() || len(page.GetConversations()) != 1 {
			t.Errorf("%s, then without one: %v", name, page)
		}
		as(t, shared, ann).refused(syncProcedure, &pb.SyncRequest{Cursor: cursor}, want)
	}
	if c := connect(t, shared, ann, "phone", resumeAt(mine)); c.welcome.Sync.Reset_ || len(c.welcome.Sync.Conversations) > 0 {
		t.Errorf("the good cursor: %v", c.welcome.Sync)
	}
	as(t, shared, ann).refused(syncProcedure, &pb.SyncRequest{Cursor: make([]byte, 1025)}, pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT)
	w.holds()
}

// A server whose journal is another one: restored, or made anew.
func TestACursorOfAnotherIncarnationStartsOver(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := serveOn(t, dir)
	ann, bob, conv := pair()
	a := connect(t, first, ann, "phone")
	for range 3 {
		a.say(conv, "in the first journal")
	}
	cursor := connect(t, first, bob, "phone").cursor
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	renewJournal(t, dir)
	second := first.again(t)
	b := connect(t, second, bob, "phone", resumeAt(cursor))
	page := b.welcome.Sync
	if !page.Reset_ || page.Incarnation == "" || len(page.Conversations) != 1 || len(page.Conversations[0].Entries) != 3 {
		t.Errorf("%v", page)
	}
	if page := connect(t, second, bob, "phone", resumeAt(b.cursor)).welcome.Sync; page.Reset_ || len(page.Conversations) != 0 {
		t.Errorf("the new cursor: %v", page)
	}
}

func TestPositionsFarOutsideAreAnsweredAndNothingElse(t *testing.T) {
	t.Parallel()
	w := watch(t, shared)
	ann, bob, conv := pair()
	a := as(t, shared, ann)
	a.say(conv, "one")
	a.say(conv, "two")
	b := as(t, shared, bob)
	invalid := pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT
	for _, r := range []*pb.ListMessagesRequest{{Limit: 201}, {Limit: 1e9}, {Limit: 1<<32 - 1}, {BeforeSeq: 1, AfterSeq: 1}, {BeforeSeq: 1 << 63, AfterSeq: 1 << 63}} {
		r.Conversation = conv
		b.refused(listMessages, r, invalid)
	}
	for _, c := range []struct {
		before, after  uint64
		items          int
		atStart, atEnd bool
	}{
		{before: 1 << 63, items: 2, atStart: true, atEnd: true},
		{before: 1<<64 - 1, items: 2, atStart: true, atEnd: true},
		{after: 1 << 63, items: 0, atEnd: true},
		{after: 1<<64 - 1, items: 0, atEnd: true},
		{before: 1, items: 0, atStart: true},
		{after: 2, items: 0, atEnd: true},
	} {
		p := must[pb.ListMessagesResponse](b, listMessages, &pb.ListMessagesRequest{Conversation: conv, BeforeSeq: c.before, AfterSeq: c.after})
		if len(p.Items) != c.items || p.AtStart != c.atStart || p.AtEnd != c.atEnd {
			t.Errorf("before %d after %d: %v", c.before, c.after, p)
		}
	}
	b.refused(readConversation, &pb.ReadConversationRequest{Conversation: conv}, invalid)
	s := connect(t, shared, bob, "phone")
	s.refused(readFrame(conv, 0), invalid)
	// Past the head counts as the head, over both ways.
	if m := s.ask(readFrame(conv, 1<<63)).GetReadMarker(); m.GetReadSeq() != 2 || m.GetReadOrd() != 2 {
		t.Errorf("%v", m)
	}
	if m := must[pb.ReadConversationResponse](b, readConversation, &pb.ReadConversationRequest{Conversation: conv, Seq: 1<<64 - 1}); m.ReadSeq != 2 {
		t.Errorf("%v", m)
	}
	s.refused(&pb.ClientFrame{Frame: &pb.ClientFrame_WatchPresence{WatchPresence: &pb.WatchPresence{Users: make([]string, 501)}}}, pb.ErrorCode_ERROR_CODE_TOO_LARGE)
	s.refused(&pb.ClientFrame{Frame: &pb.ClientFrame_WatchPresence{WatchPresence: &pb.WatchPresence{Users: []string{"\x00"}}}}, invalid)
	s.refused(&pb.ClientFrame{Frame: &pb.ClientFrame_Sync{Sync: &pb.SyncRequest{Entries: 201}}}, invalid)
	a.say(conv, "three")
	s.hears(conv, "three")
	w.holds()
}
