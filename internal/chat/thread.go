package chat

import (
	"context"
	"slices"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// community tells whether a room is a group whose talks are held in topics.
func community(room *Room) bool {
	return room.Kind == im.ConvGroup && room.Settings.GetType() == skeinv1.GroupType_GROUP_TYPE_COMMUNITY
}

// fillReply decides what a message in a thread takes beside any message: a root
// that the sender can see, that is no reply itself and was not recalled. Replies
// count as unread in communities alone, where a topic is a conversation's flow;
// elsewhere they are unread in their thread.
func (s *Service) fillReply(ctx context.Context, act *Action, r *SendRequest, a *journal.Append) error {
	if _, ok := act.Room.Member(act.Actor.User); !ok && !act.Actor.Server {
		return im.ErrNotFound
	}
	if !community(act.Room) {
		a.Uncounted, a.MarkRead = true, false
	}
	root, err := s.target(ctx, act.Actor, act.Room, r.Thread)
	if err != nil {
		return err
	}
	act.Target = &root
	switch topic := contentOf(root.Body).GetTopic(); {
	case root.Recalled || root.Expired:
		return im.Errorf(im.FailedPrecondition, "the thread's root is gone")
	case root.Target > 0:
		return im.Errorf(im.FailedPrecondition, "a reply in a thread has no thread of its own")
	case len(root.ToUsers)+len(root.ToDevices) > 0:
		return im.Errorf(im.FailedPrecondition, "a message to some has no thread")
	case topic.GetClosed():
		may := *act
		may.Verb, may.Content = VerbTopic, &skeinv1.Content{} // with content: also its creator needs the grant
		if err := s.decide(ctx, &may); err != nil {
			return im.Errorf(im.FailedPrecondition, "the topic is closed")
		}
		fallthrough
	case topic != nil:
		if act.Room.Kind == im.ConvGroup { // its closing must not be overtaken
			a.TargetVersion = root.Version
		}
		return nil
	}
	return s.j.View(ctx, func(v journal.View) error {
		first, err := v.Replies(act.Room.App, act.Room.ID, root.Seq, root.Seq+1, 1<<62, 1, false)
		if len(first) == 0 {
			act.Needs = skeinv1.Grant_GRANT_CREATE_THREAD
		}
		return err
	})
}

// ThreadRequest asks for a page of the replies below a message, on either side
// of a position. Both zero = the newest page.
type ThreadRequest struct {
	Conv   im.ConvID
	Root   im.Seq
	Before im.Seq
	After  im.Seq
	Limit  int // 0 = 50, at most 200
}

// Thread returns the root of a thread with a page of its replies. The root must
// be a message that the actor may read; it may have been recalled.
func (s *Service) Thread(ctx context.Context, actor im.Actor, r ThreadRequest) (*skeinv1.ListThreadResponse, error) {
	if r.Before < 0 || r.After < 0 || r.Before > 0 && r.After > 0 || r.Root < 1 {
		return nil, im.Errorf(im.InvalidArgument, "name a root, and set before_seq or after_seq, not both")
	}
	if r.Limit == 0 {
		r.Limit = defaultPage
	}
	if r.Limit < 1 || r.Limit > maxPage {
		return nil, im.Errorf(im.InvalidArgument, "limit is 1 to %d", maxPage)
	}
	var out *skeinv1.ListThreadResponse
	err := s.readingShown(ctx, actor, r.Conv, func(v journal.View, c *journal.Conv, self journal.Member, head im.Seq, hidden Hidden) error {
		out = &skeinv1.ListThreadResponse{Incarnation: s.j.Incarnation(), AsOfSeq: uint64(head)}
		return fillThread(v, actor, c, self, head, hidden, r, out)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// readingShown is readingConv without what the actor has cleared, which is as if
// they had joined after it, and with what else they have hidden.
func (s *Service) readingShown(ctx context.Context, actor im.Actor, conv im.ConvID,
	fn func(v journal.View, c *journal.Conv, self journal.Member, head im.Seq, hidden Hidden) error) error {
	return s.readingConv(ctx, actor, conv, func(v journal.View, _ *Room, c *journal.Conv, self journal.Member, head im.Seq) error {
		hidden, err := HiddenIn(v, actor.App, actor.User, conv)
		if err != nil {
			return err
		}
		if up := hidden[conv].UpTo(); up > 0 {
			self.From = min(max(self.From, up+1), head+1)
		}
		return fn(v, c, self, head, hidden[conv])
	})
}

// fillThread reads the root and the replies of a page.
func fillThread(v journal.View, actor im.Actor, c *journal.Conv, self journal.Member, head im.Seq, hidden Hidden, r ThreadRequest, out *skeinv1.ListThreadResponse) error {
	roots, err := readable(v, actor, c, self, head, hidden, []im.Seq{r.Root})
	if err != nil || len(roots) == 0 || roots[0].Target > 0 {
		return orNotFound(err)
	}
	low, high := max(r.After, r.Root)+1, head
	if r.Before > 0 {
		high = min(high, r.Before-1)
	}
	backwards := r.After == 0
	es, err := v.Replies(c.App, c.ID, r.Root, low, high, r.Limit+1, backwards)
	if err != nil {
		return err
	}
	page, _ := cutReplies(es, r.Limit, backwards)
	if more := len(page) < len(es); backwards {
		out.AtStart, out.AtEnd = !more, high == head
	} else {
		out.AtStart, out.AtEnd = low == r.Root+1, !more
	}
	root, err := fold1(v, c, r.Root, head)
	if err != nil {
		return err
	}
	out.Root = root.item(&roots[0], actor.User)
	items, err := itemsOf(v, actor, c, page, head, hidden)
	out.Items = items
	return err
}

// cutReplies keeps at most limit entries, of about pageBytes.
func cutReplies(es []im.Entry, limit int, backwards bool) (page []im.Entry, cut bool) {
	size, n := 0, 0
	for k := range es {
		i := k
		if backwards {
			i = len(es) - 1 - k
		}
		if size += len(es[i].Body); n == limit || n > 0 && size > pageBytes {
			break
		}
		n++
	}
	if backwards {
		return es[len(es)-n:], n < len(es)
	}
	return es[:n], n < len(es)
}

// fold1 folds what there is about one message.
func fold1(v journal.View, c *journal.Conv, seq, head im.Seq) (*folds, error) {
	f, _, err := fold(v, c, seq, seq, head, foldOne)
	return f, err
}

// itemsOf makes items of entries, ascending by seq, leaving out those that the
// actor may not read.
func itemsOf(v journal.View, actor im.Actor, c *journal.Conv, es []im.Entry, head im.Seq, hidden Hidden) ([]*skeinv1.HistoryItem, error) {
	seqs := make([]im.Seq, 0, len(es))
	for i := range es {
		seqs = append(seqs, es[i].Seq)
	}
	f, err := foldAt(v, c, seqs, head)
	if err != nil {
		return nil, err
	}
	var out []*skeinv1.HistoryItem
	for i := range es {
		if !es[i].Withheld(actor.User, actor.Device) && !hidden.Has(es[i].Seq) {
			out = append(out, f.item(&es[i], actor.User))
		}
	}
	return out, nil
}

// readable returns those of the messages at some positions that the actor may
// read, ascending.
func readable(v journal.View, actor im.Actor, c *journal.Conv, self journal.Member, head im.Seq, hidden Hidden, seqs []im.Seq) ([]im.Entry, error) {
	seqs = slices.DeleteFunc(slices.Clone(seqs), func(seq im.Seq) bool { return seq < max(self.From, 1) || seq > head || hidden.Has(seq) })
	es, err := at(v, c.App, c.ID, seqs)
	return slices.DeleteFunc(es, func(e im.Entry) bool {
		return e.Kind != im.KindMessage || e.Withheld(actor.User, actor.Device)
	}), err
}

// Bounds of a page of threads.
const (
	defaultThreads = 30
	maxThreads     = 100
)

// Threads pages through the threads of a conversation, newest reply first;
// before, if > 0, is next_before_seq of the page before.
func (s *Service) Threads(ctx context.Context, actor im.Actor, conv im.ConvID, limit int, before im.Seq) (*skeinv1.ListThreadsResponse, error) {
	if limit == 0 {
		limit = defaultThreads
	}
	if limit < 1 || limit > maxThreads || before < 0 {
		return nil, im.Errorf(im.InvalidArgument, "limit is 1 to %d", maxThreads)
	}
	var out *skeinv1.ListThreadsResponse
	err := s.readingShown(ctx, actor, conv, func(v journal.View, c *journal.Conv, self journal.Member, head im.Seq, hidden Hidden) error {
		out = &skeinv1.ListThreadsResponse{Incarnation: s.j.Incarnation(), AsOfSeq: uint64(head)}
		if c.Bits&journal.BitThreads == 0 {
			return nil
		}
		list, err := v.Threads(c.App, c.ID, journal.ThreadQuery{From: max(self.From, 1), To: head, Head: head, Before: before, Limit: limit, Newest: true})
		if err != nil {
			return err
		}
		if len(list) == limit {
			out.NextBeforeSeq = uint64(list[limit-1].Last)
		}
		var seqs []im.Seq
		for i := range list {
			seqs = append(seqs, list[i].Root)
		}
		slices.Sort(seqs)
		es, err := readable(v, actor, c, self, head, hidden, seqs)
		if err != nil {
			return err
		}
		items, err := itemsOf(v, actor, c, es, head, hidden)
		slices.SortFunc(items, func(a, b *skeinv1.HistoryItem) int {
			return int(b.GetThread().GetLastSeq()) - int(a.GetThread().GetLastSeq())
		})
		out.Roots = items
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
