package chaos

import (
	"testing"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

func TestWhatWasDoneToAMessageIsComparedWithWhatIsThere(t *testing.T) {
	list := func(of string, n uint32) []*pb.ReactionSummary { return []*pb.ReactionSummary{{Emoji: of, Count: n}} }
	item := func(change func(it *pb.HistoryItem)) *pb.HistoryItem {
		it := &pb.HistoryItem{Entry: &pb.Entry{Seq: 3, Body: textBody("said")}, Reactions: list("🎉", 1)}
		change(it)
		return it
	}
	kept := &subject{seq: 3, text: "said", reactions: map[string]bool{"🎉": true, "👍": false}}
	for _, c := range []struct {
		what   string
		s      *subject
		change func(it *pb.HistoryItem)
		same   bool
	}{
		{"as it was left", kept, func(*pb.HistoryItem) {}, true},
		{"an edit is gone", kept, func(it *pb.HistoryItem) { it.Entry.Body = textBody("before") }, false},
		{"a reaction is gone", kept, func(it *pb.HistoryItem) { it.Reactions = nil }, false},
		{"a reaction was counted twice", kept, func(it *pb.HistoryItem) { it.Reactions[0].Count = 2 }, false},
		{"a reaction was taken back and is there", kept, func(it *pb.HistoryItem) { it.Reactions = append(it.Reactions, list("👍", 1)...) }, false},
		{"nobody voted", kept, func(it *pb.HistoryItem) { it.Votes = list("1", 1) }, false},
		{"recalled", &subject{seq: 3, text: "said", recalled: true}, func(it *pb.HistoryItem) { it.Entry.Recalled, it.Entry.Body = true, nil }, true},
		{"recalled and still there", &subject{seq: 3, text: "said", recalled: true}, func(it *pb.HistoryItem) { it.Entry.Recalled = true }, false},
	} {
		if why := c.s.differs(item(c.change)); (why == "") != c.same {
			t.Errorf("%s: %q", c.what, why)
		}
	}
}
