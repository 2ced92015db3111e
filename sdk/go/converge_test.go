package skein

import (
	"fmt"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// TestAnyDeliveryConvergesToTheOrderOfTheLog: whatever order, repetition, loss
// and lateness the deliveries, pages and repairs have, once the holes are
// closed and history is read the state is the one of a client that got every
// entry once and in order.
func TestAnyDeliveryConvergesToTheOrderOfTheLog(t *testing.T) {
	for range 5 { // 100 runs each
		rapid.Check(t, converge)
	}
}

func converge(r *rapid.T) {
	d := &deliveries{t: r, s: newFake(), st: newState("alice")}
	r.Repeat(map[string]func(*rapid.T){
		"":        d.check,
		"commit":  d.commit,
		"commit2": d.commit,
		"commit3": d.commit,
		"deliver": d.deliver,
		"again":   d.deliver,
		"drop":    d.drop,
		"ask":     d.ask,
		"answer":  d.answer,
		"sync":    d.sync,
		"restart": func(*rapid.T) { reduce(d.st, restartEvent{}) },
	})
	d.settle(r)
	d.compare(r)
}

// deliveries is a client's state and everything that is on its way to it.
type deliveries struct {
	t       *rapid.T
	s       *fakeServer
	st      *state
	news    []*skeinv1.Entry // committed and not delivered
	old     []*skeinv1.Entry // delivered at least once
	pages   []pageEvent      // asked for and not answered
	largest uint64           // last position shown in order, for check
}

func (d *deliveries) log() *fakeConv { return d.s.conv(ab) }

func (d *deliveries) commit(r *rapid.T) {
	c := d.log()
	var shown []uint64
	for _, e := range c.entries {
		if e.GetKind() == skeinv1.EntryKind_ENTRY_KIND_MESSAGE && !e.GetRecalled() {
			shown = append(shown, e.GetSeq())
		}
	}
	user := rapid.SampledFrom([]string{"alice", "bob"}).Draw(r, "user")
	what := 0
	if len(shown) > 0 {
		what = rapid.IntRange(0, 5).Draw(r, "what")
	}
	var e *skeinv1.Entry
	if what < 3 {
		e = d.s.say(ab, user, fmt.Sprint("m", len(c.entries)+1))
	} else {
		target := rapid.SampledFrom(shown).Draw(r, "target")
		switch what {
		case 3:
			e = d.s.about(ab, user, skeinv1.EntryKind_ENTRY_KIND_EDIT, target, textBody(fmt.Sprint("edit", len(c.entries)+1)))
		case 4:
			emoji := rapid.SampledFrom([]string{"👍", "🎉"}).Draw(r, "emoji")
			e = d.s.about(ab, user, skeinv1.EntryKind_ENTRY_KIND_REACTION, target, reactionBody(emoji, rapid.Bool().Draw(r, "removed")))
		case 5:
			e = d.s.about(ab, user, skeinv1.EntryKind_ENTRY_KIND_RECALL, target, nil)
		}
	}
	d.news = append(d.news, proto.CloneOf(e))
}

// deliver brings any entry that is on its way, or one again: the row as it was
// written or as it is now.
func (d *deliveries) deliver(r *rapid.T) {
	if len(d.news)+len(d.old) == 0 {
		return
	}
	i := rapid.IntRange(0, len(d.news)+len(d.old)-1).Draw(r, "which")
	var e *skeinv1.Entry
	if i < len(d.news) {
		e = d.news[i]
		d.news = slices.Delete(d.news, i, i+1)
		d.old = append(d.old, e)
	} else {
		e = d.old[i-len(d.news)]
	}
	if rapid.Bool().Draw(r, "as it is now") {
		e = d.log().entries[e.GetSeq()-1]
	}
	d.reduce(packetEvent{&skeinv1.ServerPacket{Frames: []*skeinv1.ServerFrame{{Frame: &skeinv1.ServerFrame_Entry{Entry: proto.CloneOf(e)}}}}})
}

func (d *deliveries) drop(r *rapid.T) {
	if len(d.news) > 0 {
		i := rapid.IntRange(0, len(d.news)-1).Draw(r, "which")
		d.news = slices.Delete(d.news, i, i+1)
	}
}

// ask takes a page as it is now; it arrives later, or never.
func (d *deliveries) ask(r *rapid.T) {
	q := &skeinv1.ListMessagesRequest{Conversation: ab, Limit: uint32(rapid.IntRange(1, 5).Draw(r, "limit"))}
	ev := pageEvent{conv: ab}
	head := uint64(len(d.log().entries))
	switch rapid.IntRange(0, 3).Draw(r, "kind") {
	case 0:
		q.BeforeSeq = rapid.Uint64Range(1, head+2).Draw(r, "before")
	case 1:
		q.AfterSeq = rapid.Uint64Range(1, head+1).Draw(r, "after")
	case 2: // newest page
	case 3:
		q, ev.repair = d.repairOf()
		if q == nil {
			return
		}
	}
	d.pages = append(d.pages, d.paged(ev, q))
}

func (d *deliveries) paged(ev pageEvent, q *skeinv1.ListMessagesRequest) pageEvent {
	ev.before, ev.after, ev.asked = q.GetBeforeSeq(), q.GetAfterSeq(), q.GetAfterSeq() > 0
	ev.page = proto.CloneOf(d.s.list("alice", q))
	return ev
}

// repairOf is what the client asks to close its hole.
func (d *deliveries) repairOf() (*skeinv1.ListMessagesRequest, bool) {
	c := d.st.convs[ab]
	if c == nil {
		return nil, false
	}
	hole, ok := c.hole()
	switch {
	case !ok:
		return nil, false
	case c.live == 0:
		return &skeinv1.ListMessagesRequest{Conversation: ab, BeforeSeq: hole.to + 1, Limit: 200}, true
	}
	return &skeinv1.ListMessagesRequest{Conversation: ab, AfterSeq: c.live, Limit: 3}, true
}

func (d *deliveries) answer(r *rapid.T) {
	if len(d.pages) == 0 {
		return
	}
	i := rapid.IntRange(0, len(d.pages)-1).Draw(r, "which")
	d.reduce(d.pages[i])
	if rapid.Bool().Draw(r, "for good") {
		d.pages = slices.Delete(d.pages, i, i+1)
	}
}

// sync is a new session: what was on its way in the old one is lost.
func (d *deliveries) sync(r *rapid.T) {
	d.s.syncEntries = rapid.IntRange(1, 6).Draw(r, "entries")
	f := &fakeSocket{s: d.s, user: "alice"}
	page := proto.CloneOf(d.s.sync(f, &skeinv1.SyncRequest{Cursor: d.st.cursor}))
	d.reduce(packetEvent{&skeinv1.ServerPacket{Frames: []*skeinv1.ServerFrame{{Frame: &skeinv1.ServerFrame_Sync{Sync: page}}}}})
	d.news = nil
}

func (d *deliveries) reduce(ev event) {
	changes, _ := reduce(d.st, ev)
	for _, ch := range changes {
		if ch.kind != changeMessage {
			continue
		}
		if ch.seq <= d.largest {
			d.t.Fatalf("message %d was announced after message %d", ch.seq, d.largest)
		}
		d.largest = ch.seq
	}
}

// check holds at any moment: what is current is as the log had it, and no
// position is shown past a hole.
func (d *deliveries) check(r *rapid.T) {
	c := d.st.convs[ab]
	if c == nil {
		return
	}
	for i, s := range c.ranges {
		if s.from > s.to || i > 0 && c.ranges[i-1].to+1 >= s.from {
			r.Fatalf("ranges %v are not sorted, disjoint and merged", c.ranges)
		}
		if s.to > uint64(len(d.log().entries)) {
			r.Fatalf("ranges %v reach past the log's end %d", c.ranges, len(d.log().entries))
		}
		for seq := s.from; seq <= s.to; seq++ {
			e := d.log().entries[seq-1]
			if m := c.msgs[seq]; isShown(e.GetKind()) && (m == nil || idText(m.entry.GetClientId()) != idText(e.GetClientId())) {
				r.Fatalf("position %d is current and its message is not here", seq)
			}
		}
	}
	if c.live > uint64(len(d.log().entries)) {
		r.Fatalf("live is %d, the log has %d", c.live, len(d.log().entries))
	}
}

// settle brings what a client fetches when it is left alone: the newest
// entries by a sync, what is missing by repairs, the rest by history.
func (d *deliveries) settle(r *rapid.T) {
	d.sync(r)
	for range 1000 {
		q, ok := d.repairOf()
		if !ok {
			break
		}
		d.reduce(d.paged(pageEvent{conv: ab, repair: true}, q))
	}
	c := d.st.convs[ab]
	if c == nil {
		return
	}
	for range 1000 {
		if c.head.seq == 0 || c.ranges.covers(1, c.head.seq) {
			return
		}
		missing := c.head.seq
		for c.ranges.has(missing) {
			missing--
		}
		d.reduce(d.paged(pageEvent{conv: ab}, &skeinv1.ListMessagesRequest{Conversation: ab, BeforeSeq: missing + 1, Limit: 4}))
	}
	r.Fatalf("history does not fill: ranges %v, head %v, floor %d", c.ranges, c.head, c.floor)
}

// compare looks at the state beside the one of a client that got every entry
// when it was written.
func (d *deliveries) compare(r *rapid.T) {
	want := newState("alice")
	for _, e := range d.log().entries {
		row := proto.CloneOf(e)
		if isShown(e.GetKind()) { // as it was when it was written
			row.Version, row.Recalled, row.Body = 1, false, textBody(fmt.Sprint("m", e.GetSeq()))
		}
		reduce(want, packetEvent{&skeinv1.ServerPacket{Frames: []*skeinv1.ServerFrame{{Frame: &skeinv1.ServerFrame_Entry{Entry: row}}}}})
	}
	got, ref := d.st.convs[ab], want.convs[ab]
	if ref == nil {
		return
	}
	if got == nil {
		r.Fatalf("the conversation is not here")
	}
	if got.head != ref.head || got.live != ref.live || got.read != ref.read || got.markers["bob"] != ref.markers["bob"] ||
		!slices.Equal(got.ranges, ref.ranges) {
		r.Fatalf("head %v live %d read %v bob %v ranges %v, want %v %d %v %v %v", got.head, got.live, got.read, got.markers["bob"], got.ranges,
			ref.head, ref.live, ref.read, ref.markers["bob"], ref.ranges)
	}
	if !slices.Equal(got.seqs(), ref.seqs()) {
		r.Fatalf("messages %v, want %v", got.seqs(), ref.seqs())
	}
	for _, seq := range ref.seqs() {
		a, b := d.st.viewMessage(got, got.msgs[seq]), want.viewMessage(ref, ref.msgs[seq])
		if x, y := fmt.Sprintf("%+v", a), fmt.Sprintf("%+v", b); x != y || got.msgs[seq].entry.GetVersion() != ref.msgs[seq].entry.GetVersion() {
			r.Fatalf("message %d (version %d) is\n%s\nwant (version %d)\n%s", seq, got.msgs[seq].entry.GetVersion(), x, ref.msgs[seq].entry.GetVersion(), y)
		}
	}
}
