package skein

import (
	"fmt"
	"testing"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

func ranges(pairs ...uint64) (out []*skeinv1.SeqRange) {
	for i := 0; i+1 < len(pairs); i += 2 {
		out = append(out, &skeinv1.SeqRange{FromSeq: pairs[i], ToSeq: pairs[i+1]})
	}
	return out
}

func TestHiddenPositionsBecomeRanges(t *testing.T) {
	for _, c := range []struct {
		upTo   uint64
		ranges []*skeinv1.SeqRange
		want   string
	}{
		{0, ranges(4, 4, 9, 9, 5, 5, 6, 6), "0 [4-6 9-9]"},
		{3, ranges(4, 4, 2, 2, 6, 6), "4 [6-6]"},
		{9, ranges(4, 4), "9 []"},
		{0, ranges(1, 1, 2, 2), "2 []"},
		{0, ranges(5, 9, 6, 7), "0 [5-9]"},
	} {
		h := joinHidden(c.upTo, c.ranges)
		var list []string
		for _, r := range h.Ranges {
			list = append(list, fmt.Sprintf("%d-%d", r.FromSeq, r.ToSeq))
		}
		if got := fmt.Sprint(h.UpToSeq, " ", list); got != c.want {
			t.Errorf("%v: %s, want %s", c.ranges, got, c.want)
		}
	}
}

func TestWhatIsShownAgainIsFound(t *testing.T) {
	some := &skeinv1.PrivateHidden{Ranges: ranges(4, 6, 9, 9)}
	for _, c := range []struct {
		before, now *skeinv1.PrivateHidden
		want        uint64
	}{
		{nil, some, 0},
		{some, some, 0},
		{some, &skeinv1.PrivateHidden{Ranges: ranges(9, 9)}, 6},
		{some, &skeinv1.PrivateHidden{UpToSeq: 12}, 0},
		{&skeinv1.PrivateHidden{UpToSeq: 8}, some, 8},
		{some, nil, 9},
	} {
		if got := uncovered(c.before, c.now); got != c.want {
			t.Errorf("%v then %v: %d, want %d", c.before, c.now, got, c.want)
		}
	}
}

// What is hidden is gone from memory at once, also of a conversation that is
// shown, and what is hidden no more is asked for again.
func TestAHiddenValueTakesMessagesOutAndLetsThemComeBack(t *testing.T) {
	st := newState("alice")
	entry := func(conv string, seq uint64, key string, h *skeinv1.PrivateHidden) *skeinv1.Entry {
		e := &skeinv1.Entry{Conversation: conv, Seq: seq, Ord: seq, Kind: skeinv1.EntryKind_ENTRY_KIND_MESSAGE, Sender: "bob", ClientId: idBytes(fmt.Sprintf("00000000-0000-7000-8000-%012d", seq))}
		if key != "" {
			e.Kind, e.Key, e.Ord, e.Sender = skeinv1.EntryKind_ENTRY_KIND_KEYED, key, 0, "alice"
			e.Body = &skeinv1.Body{Content: &skeinv1.Content{Kind: &skeinv1.Content_Private{Private: &skeinv1.Private{Value: &skeinv1.Private_Hidden{Hidden: h}}}}}
		}
		return e
	}
	news := func(e *skeinv1.Entry) []change {
		changes, _ := reduce(st, packetEvent{&skeinv1.ServerPacket{Frames: []*skeinv1.ServerFrame{{Frame: &skeinv1.ServerFrame_Entry{Entry: e}}}}})
		return changes
	}
	for seq := uint64(1); seq <= 4; seq++ {
		news(entry("@5:alice:bob", seq, "", nil))
	}
	news(entry("~alice", 1, "hidden/@5:alice:bob", &skeinv1.PrivateHidden{Ranges: ranges(2, 3, 9, 12)}))
	c := st.convs["@5:alice:bob"]
	if got := fmt.Sprint(c.seqs()); got != "[1 4]" || len(st.holes) != 0 {
		t.Errorf("it has %s, holes %v", got, st.holes)
	}
	gap := false
	for _, ch := range news(entry("~alice", 2, "hidden/@5:alice:bob", &skeinv1.PrivateHidden{Ranges: ranges(3, 3)})) {
		gap = gap || ch.kind == changeGap
	}
	if !gap || c.ranges.has(2) {
		t.Errorf("2 is still held to be nothing: %v", c.ranges)
	}
}
