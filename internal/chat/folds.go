package chat

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Bounds of what is folded into the messages of one answer.
const (
	// reactionLimit is how many entries a message's reactions may have: as many
	// are folded, and no more are taken.
	reactionLimit = 20_000
	// foldLimit is how many entries are folded for a page of several messages.
	// A page that needs more is cut.
	foldLimit = 20_000
	// foldOne is how many for a page of one message.
	foldOne = 200_000
	// foldBytes is about how large the extensions of a page are.
	foldBytes = 2 << 20
	// foldNear is how many entries between messages that are far apart are
	// looked at before each message is asked for by itself.
	foldNear = 2000
)

// The last part of a folded key (journal.FoldedKey) after the message that it
// belongs to: what it is.
const (
	foldVote      = "v"
	foldExtension = "x"
)

// foldPrefix begins the keys of what is folded into a message.
func foldPrefix(seq im.Seq) string { return fmt.Sprintf("%s%016x/", journal.FoldedKey, uint64(seq)) }

// foldKey is the key of one thing that is folded into a message: of a user's
// vote, or of an extension.
func foldKey(seq im.Seq, what, name string) string { return foldPrefix(seq) + what + "/" + name }

// past is the first key behind all that begin with prefix.
func past(prefix string) string { return prefix[:len(prefix)-1] + string(prefix[len(prefix)-1]+1) }

// foldTarget is the message that a folded key belongs to, and what it is.
func foldTarget(key string) (seq im.Seq, what string) {
	var n uint64
	if _, err := fmt.Sscanf(key, journal.FoldedKey+"%16x/", &n); err != nil || len(key) < 20 {
		return 0, ""
	}
	return im.Seq(n), key[18:19]
}

// folds is what later entries say about messages.
type folds struct {
	head       im.Seq // as of
	reactions  map[im.Seq]map[string]*reactors
	votes      map[im.Seq]map[string]*reactors
	extensions map[im.Seq][]*skeinv1.Extension
	threads    map[im.Seq]*skeinv1.ThreadSummary
	bytes      int // of the extensions
}

// item is a message with what is folded into it.
func (f *folds) item(e *im.Entry, user im.UserID) *skeinv1.HistoryItem {
	it := &skeinv1.HistoryItem{Entry: ProtoEntry(e), Reactions: summaries(f.reactions[e.Seq], user), Votes: summaries(f.votes[e.Seq], user),
		Thread: f.threads[e.Seq]}
	if !e.Recalled && !e.Expired {
		it.Extensions = f.extensions[e.Seq]
	}
	return it
}

// fold folds what there is about the messages of [from, to] up to a head. full
// tells that it is more than limit entries, or than foldBytes: what was folded
// is not whole then.
//
// It costs a query for the reactions, and one each for keyed entries and for
// threads in conversations that have had some.
func fold(v journal.View, c *journal.Conv, from, to, head im.Seq, limit int) (f *folds, full bool, err error) {
	f = &folds{head: head}
	if f.reactions, full, err = foldReactions(v, c.App, c.ID, from, to, head, limit); err != nil || full {
		return f, full, err
	}
	if c.Bits&journal.BitKeyed != 0 {
		if full, err = f.slots(v, c, from, to, limit); err != nil || full {
			return f, full, err
		}
	}
	if c.Bits&journal.BitThreads != 0 {
		err = f.threadsOf(v, c, from, to)
	}
	return f, false, err
}

// threadsOf adds the summaries of the threads below the messages of a range.
func (f *folds) threadsOf(v journal.View, c *journal.Conv, from, to im.Seq) error {
	list, err := v.Threads(c.App, c.ID, journal.ThreadQuery{From: from, To: to, Head: f.head, Limit: scanLimit})
	f.threads = make(map[im.Seq]*skeinv1.ThreadSummary, len(list))
	for i := range list {
		f.threads[list[i].Root] = protoThread(&list[i])
	}
	return err
}

func protoThread(t *journal.Thread) *skeinv1.ThreadSummary {
	s := &skeinv1.ThreadSummary{ReplyCount: uint32(t.Replies), LastSeq: uint64(t.Last), LastTimeUs: int64(t.Time)}
	for _, u := range t.Senders {
		s.Participants = append(s.Participants, string(u))
	}
	return s
}

// slots folds votes and extensions, a step at a time, so that what is large is
// found out early.
func (f *folds) slots(v journal.View, c *journal.Conv, from, to im.Seq, limit int) (full bool, err error) {
	const step = 1000
	at, end := foldPrefix(from), past(foldPrefix(to))
	for read := 0; ; {
		es, err := v.Slots(c.App, c.ID, at, end, step)
		if im.CodeOf(err) == im.DataLoss { // reported; the messages are worth more
			return false, nil
		}
		if err != nil {
			return false, err
		}
		for i := range es {
			f.slot(&es[i])
		}
		read += len(es)
		if len(es) < step {
			return false, nil
		}
		if read >= limit || f.bytes > foldBytes && from < to {
			return true, nil
		}
		at = es[len(es)-1].Key + "\x01" // below what any key continues with
	}
}

// slot folds one vote or extension.
func (f *folds) slot(e *im.Entry) {
	seq, what := foldTarget(e.Key)
	if e.Seq > f.head {
		return // not for who has left before
	}
	switch c := contentOf(e.Body); what {
	case foldVote:
		byOption := f.votes[seq]
		if byOption == nil {
			byOption = make(map[string]*reactors)
			if f.votes == nil {
				f.votes = make(map[im.Seq]map[string]*reactors)
			}
			f.votes[seq] = byOption
		}
		for _, id := range c.GetVote().GetChoices() {
			rs := byOption[id]
			if rs == nil {
				rs = &reactors{first: e.Seq}
				byOption[id] = rs
			}
			rs.first = min(rs.first, e.Seq)
			rs.users = append(rs.users, e.Sender) // one entry a voter
		}
	case foldExtension:
		x := c.GetExtension()
		if x == nil || x.Removed {
			return
		}
		if f.extensions == nil {
			f.extensions = make(map[im.Seq][]*skeinv1.Extension)
		}
		f.extensions[seq] = append(f.extensions[seq], x)
		f.bytes += len(x.Key) + len(x.Value)
	}
}

// foldAt folds what there is about some messages, ascending, that may be far
// apart: what lies between them is read along when it is little.
func foldAt(v journal.View, c *journal.Conv, seqs []im.Seq, head im.Seq) (*folds, error) {
	if len(seqs) == 0 {
		return &folds{head: head}, nil
	}
	if f, full, err := fold(v, c, seqs[0], seqs[len(seqs)-1], head, foldNear); err != nil || !full {
		return f, err
	}
	all := &folds{head: head, reactions: map[im.Seq]map[string]*reactors{}, votes: map[im.Seq]map[string]*reactors{},
		extensions: map[im.Seq][]*skeinv1.Extension{}, threads: map[im.Seq]*skeinv1.ThreadSummary{}}
	for _, seq := range seqs {
		f, _, err := fold(v, c, seq, seq, head, foldOne)
		if err != nil {
			return nil, err
		}
		if r := f.reactions[seq]; r != nil {
			all.reactions[seq] = r
		}
		if r := f.votes[seq]; r != nil {
			all.votes[seq] = r
		}
		if t := f.threads[seq]; t != nil {
			all.threads[seq] = t
		}
		if x := f.extensions[seq]; x != nil && all.bytes+f.bytes <= 2*foldBytes { // the rest is read by ListExtensions
			all.extensions[seq] = x
			all.bytes += f.bytes
		}
	}
	return all, nil
}

// contentOf is the content of a readable body, nil of any other.
func contentOf(body []byte) *skeinv1.Content {
	if len(body) == 0 {
		return nil
	}
	var b skeinv1.Body
	if proto.Unmarshal(body, &b) != nil {
		return nil
	}
	return b.Content
}
