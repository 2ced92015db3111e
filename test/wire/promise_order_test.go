package wire_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

// D3: four connections pipeline into one conversation, three readers look on.
func TestEverybodySeesOneOrderWithoutAGap(t *testing.T) {
	t.Parallel()
	const writers, each = 4, 150
	var names []string
	for i := range writers {
		names = append(names, someone(fmt.Sprint("writer-", i, "-")))
	}
	reader := someone("reader")
	conv := as(t, shared, names[0]).group(append(names[1:], reader)...)
	readers := []*client{connect(t, shared, reader, "phone"), connect(t, shared, reader, "tablet", asJSON), connect(t, shared, names[0], "other device")}
	done := make(chan map[string]uint64, writers)
	for w, name := range names {
		go func() {
			acked := map[string]uint64{}
			defer func() { done <- acked }()
			c := connect(t, shared, name, "phone")
			var flying []*pb.ClientFrame
			for i := range each {
				f := sendFrame(text(conv, fmt.Sprint(w, " ", i)))
				c.send(f)
				if flying = append(flying, f); len(flying) == 40 || i == each-1 {
					for _, f := range flying {
						a := c.ack(c.answer(f.Ref))
						acked[string(a.ClientId)] = a.Seq
					}
					flying = nil
				}
			}
		}()
	}
	acked := map[string]uint64{}
	for range writers {
		for id, seq := range <-done {
			acked[id] = seq
		}
	}
	if len(acked) != writers*each {
		t.Fatalf("%d of %d acknowledged", len(acked), writers*each)
	}
	truth := as(t, shared, reader).history(conv)[1:] // without the group's first entry
	next := make([]int, writers)
	for i, e := range truth {
		if e.Seq != uint64(i+2) || e.Ord != uint64(i+1) {
			t.Fatalf("position %d: seq %d, ord %d", i, e.Seq, e.Ord)
		}
		if acked[string(e.ClientId)] != e.Seq {
			t.Fatalf("seq %d was acknowledged as %d", e.Seq, acked[string(e.ClientId)])
		}
		var w, n int
		fmt.Sscan(textOf(e), &w, &n)
		if n != next[w] {
			t.Fatalf("writer %d: %d where %d is next", w, n, next[w])
		}
		next[w]++
		if i > 0 && e.TimeUs < truth[i-1].TimeUs {
			t.Fatalf("the time of %d is before its predecessor's", e.Seq)
		}
	}
	for _, r := range readers {
		for _, want := range truth {
			if r.user == names[0] && want.Sender == r.user {
				// The other device of a sender gets the entry as everybody does.
				if e := r.entry(conv); !proto.Equal(e, want) {
					t.Fatalf("%s/%s sees %v, not %v", r.user, r.device, e, want)
				}
				continue
			}
			if e := r.entry(conv); !proto.Equal(e, want) {
				t.Fatalf("%s/%s sees %v, not %v", r.user, r.device, e, want)
			}
		}
	}
}

// D4: a position whose content a device does not get is told as a position:
// live, in a sync, and in history.
func TestWhatADeviceMayNotReadIsWithheldAndNeverMissing(t *testing.T) {
	t.Parallel()
	ann, bob, conv := pair()
	a := connect(t, shared, ann, "phone")
	phone, tablet := connect(t, shared, bob, "bob-phone"), connect(t, shared, bob, "bob-tablet")
	secret := func() *pb.SendMessageRequest {
		r := text(conv, "for the phone")
		r.ToDevices, r.Handshake = []string{"bob-phone", "phone"}, true
		return r
	}
	a.say(conv, "one")                                                                                // 1
	ack := a.ack(a.ask(sendFrame(secret())))                                                          // 2
	if again := a.ack(a.ask(sendFrame(secret()))); ack.Ord != 1 || again.Ord != 1 || again.Seq != 3 { // 3
		t.Errorf("a message to devices counts as unread for others: %v %v", ack, again)
	}
	a.say(conv, "four") // 4
	phone.hears(conv, "one")
	for range 2 {
		if e := phone.hears(conv, "for the phone"); !e.Handshake || len(e.ToDevices) != 2 {
			t.Errorf("%v", e)
		}
	}
	phone.hears(conv, "four")
	tablet.hears(conv, "one")
	for seq := uint64(2); seq <= 3; seq++ {
		if w := tablet.news(conv).GetWithheld(); w.GetFromSeq() != seq || w.GetToSeq() != seq || w.GetOrd() != 1 {
			t.Errorf("live: %v", w)
		}
	}
	tablet.hears(conv, "four")
	// A sync joins what belongs together.
	d := connect(t, shared, bob, "bob-watch").welcome.Sync.Conversations[0]
	if len(d.Entries) != 2 || len(d.Withheld) != 1 || d.Withheld[0].FromSeq != 2 || d.Withheld[0].ToSeq != 3 || d.Entries[1].Seq != 4 || d.Gap {
		t.Errorf("sync: %v", d)
	}
	if d := connect(t, shared, bob, "bob-phone").welcome.Sync.Conversations[0]; len(d.Entries) != 4 || len(d.Withheld) != 0 {
		t.Errorf("sync of the phone: %v", d)
	}
	// History covers the positions without their contents.
	for device, items := range map[string]int{"bob-phone": 4, "bob-tablet": 2, "": 2} {
		p := must[pb.ListMessagesResponse](as(t, shared, bob).on(device), listMessages, &pb.ListMessagesRequest{Conversation: conv})
		if len(p.Items) != items || p.FromSeq != 1 || p.ToSeq != 4 || strings.Contains(p.String(), "for the phone") != (items == 4) {
			t.Errorf("history of %q: %v", device, p)
		}
	}
	if c := must[pb.GetConversationResponse](as(t, shared, bob), getConversation, &pb.GetConversationRequest{Conversation: conv}).Conversation; c.HeadSeq != 4 || c.HeadOrd != 2 {
		t.Errorf("%v", c)
	}
}

// D4 in the notes: of the values of a key only the newest is kept, and the
// positions of the older ones are withheld.
func TestOlderValuesOfAKeyAreWithheld(t *testing.T) {
	t.Parallel()
	ann := someone("ann")
	notes := "~" + ann
	a, other := connect(t, shared, ann, "phone"), connect(t, shared, ann, "tablet")
	draft := func(s string) *pb.SendMessageRequest {
		r := text(notes, s)
		r.Key = "draft/g1"
		return r
	}
	a.ack(a.ask(sendFrame(draft("h"))))     // 1
	a.ack(a.ask(sendFrame(draft("hel"))))   // 2
	a.say(notes, "a note")                  // 3
	a.ack(a.ask(sendFrame(draft("hello")))) // 4
	for i, want := range []string{"h", "hel", "a note", "hello"} {
		// Live, a value that is old already may have been emptied before it went out.
		if f := other.news(notes); textOf(f.GetEntry()) != want && f.GetWithheld().GetFromSeq() != uint64(i+1) {
			t.Errorf("position %d: %v", i+1, f)
		}
	}
	d := connect(t, shared, ann, "laptop").welcome.Sync.Conversations[0]
	if len(d.Keyed) != 1 || d.Keyed[0].Key != "draft/g1" || textOf(d.Keyed[0]) != "hello" {
		t.Errorf("keyed: %v", d.Keyed)
	}
	if len(d.Withheld) != 1 || d.Withheld[0].FromSeq != 1 || d.Withheld[0].ToSeq != 2 || len(d.Entries) != 2 || d.Conversation.HeadOrd != 1 {
		t.Errorf("sync: %v", d)
	}
}

// D5: a device that was away asks once, with its cursor, and gets what
// changed since and nothing else.
func TestResumeBringsWhatChangedSinceTheCursorAndNoMore(t *testing.T) {
	t.Parallel()
	ann := someone("ann")
	a := connect(t, shared, ann, "phone")
	var convs []string
	for i := range 20 {
		conv := direct(ann, fmt.Sprint("peer-", i))
		convs = append(convs, conv)
		a.say(conv, "old")
		a.say(conv, "older than the cursor")
	}
	away := connect(t, shared, ann, "tablet")
	if n := len(away.welcome.Sync.Conversations); n != 20 || !away.welcome.Sync.Reset_ || away.welcome.Sync.More {
		t.Fatalf("%d conversations at first", n)
	}
	cursor := away.cursor
	away.gone()
	quiet := connect(t, shared, ann, "tablet", resumeAt(cursor))
	if p := quiet.welcome.Sync; len(p.Conversations) != 0 || p.Reset_ || p.More {
		t.Errorf("nothing changed, and the page is %v", p)
	}
	quiet.gone()
	a.say(convs[3], "one")
	a.say(convs[3], "two")
	a.say(convs[7], "three")
	must[pb.EditMessageResponse](as(t, shared, ann), editMessage, &pb.EditMessageRequest{Conversation: convs[9], Seq: 1, Body: textBody("new"), ClientId: newID(0)})
	must[pb.ReadConversationResponse](as(t, shared, "peer-11"), readConversation, &pb.ReadConversationRequest{Conversation: convs[11], Seq: 2})
	back := connect(t, shared, ann, "tablet", resumeAt(cursor))
	page := back.welcome.Sync
	got := map[string]*pb.ConversationDelta{}
	for _, d := range page.Conversations {
		got[d.Conversation.Id] = d
		if d.Gap {
			t.Errorf("a gap in %v", d)
		}
	}
	if len(got) != 4 || page.More || page.Reset_ {
		t.Fatalf("%v", page)
	}
	if page.Conversations[0].Conversation.Id != convs[9] {
		t.Errorf("the newest activity is not first: %v", page)
	}
	if d := got[convs[3]]; len(d.Entries) != 2 || textOf(d.Entries[0]) != "one" || d.Entries[0].Seq != 3 {
		t.Errorf("%v", d)
	}
	if d := got[convs[7]]; len(d.Entries) != 1 || textOf(d.Entries[0]) != "three" {
		t.Errorf("%v", d)
	}
	if d := got[convs[9]]; len(d.Entries) != 1 || d.Entries[0].Kind != pb.EntryKind_ENTRY_KIND_EDIT || d.Entries[0].TargetSeq != 1 {
		t.Errorf("%v", d)
	}
	if d := got[convs[11]]; len(d.Entries) != 0 || len(d.Conversation.ReadMarkers) != 1 || d.Conversation.ReadMarkers[0].ReadSeq != 2 {
		t.Errorf("%v", d)
	}
	// A device that is too far behind gets the newest, and is told of the gap.
	for range 30 {
		a.say(convs[0], "much")
	}
	var far []*pb.ConversationDelta
	for _, d := range connect(t, shared, ann, "tablet", resumeAt(back.cursor), syncing(0, 10)).welcome.Sync.Conversations {
		// A marker that moved right before the cursor may be told again.
		if d.Conversation.Id != convs[11] || len(d.Entries) > 0 {
			far = append(far, d)
		}
	}
	if len(far) != 1 || len(far[0].Entries) != 10 || !far[0].Gap || far[0].Entries[9].Seq != 32 {
		t.Errorf("%v", far)
	}
}

// D5 for a device that is online: about a second after news there is a cursor
// that covers it, so that a crash costs no second reading.
func TestLiveNewsBringACursorThatCoversThem(t *testing.T) {
	t.Parallel()
	ann, bob, conv := pair()
	a, b := connect(t, shared, ann, "phone"), connect(t, shared, bob, "phone")
	a.say(conv, "one")
	b.hears(conv, "one")
	cursor := b.sees()
	a.say(conv, "two")
	b.gone()
	page := connect(t, shared, bob, "phone", resumeAt(cursor)).welcome.Sync
	if len(page.Conversations) != 1 || len(page.Conversations[0].Entries) != 1 || textOf(page.Conversations[0].Entries[0]) != "two" {
		t.Errorf("%v", page)
	}
}

// D5: many conversations come page by page; what moves meanwhile is not lost.
func TestPagesOfASyncMissNothingThatMovesMeanwhile(t *testing.T) {
	t.Parallel()
	ann := someone("ann")
	a := connect(t, shared, ann, "phone")
	want := map[string]uint64{}
	for i := range 30 {
		conv := direct(ann, fmt.Sprint("peer-", i))
		want[conv] = a.say(conv, "first").Seq
	}
	d := connect(t, shared, ann, "tablet", syncing(7, 0))
	got := map[string]uint64{}
	take := func(p *pb.SyncResponse) {
		for _, x := range p.Conversations {
			for _, e := range x.Entries {
				got[x.Conversation.Id] = max(got[x.Conversation.Id], e.Seq)
			}
		}
	}
	page := d.welcome.Sync
	for n := 0; ; n++ {
		take(page)
		if !page.More {
			break
		}
		// Between two pages the last conversation of the list moves to its top.
		if n < 5 {
			conv := direct(ann, fmt.Sprint("peer-", n))
			want[conv] = a.say(conv, "moved").Seq
		}
		frame := syncFrame(page.Cursor, 0)
		frame.GetSync().Conversations = 7
		page = d.ask(frame).GetSync()
	}
	a.say(direct(ann, "peer-29"), "live")
	want[direct(ann, "peer-29")] = 2
	d.hears(direct(ann, "peer-29"), "live")
	got[direct(ann, "peer-29")] = 2
	for conv, seq := range want {
		if got[conv] != seq {
			t.Errorf("%s: told up to %d of %d", conv, got[conv], seq)
		}
	}
}
