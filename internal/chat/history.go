package chat

import (
	"context"
	"math"
	"sort"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Bounds of a history page.
const (
	defaultPage = 50
	maxPage     = 200
	// scanLimit bounds the rows a page looks at, so that thousands of
	// reactions in a row cost a short page rather than a slow one.
	scanLimit   = 1000
	maxReactors = 100
)

// HistoryRequest asks for a page on either side of a position. Both zero =
// the newest page.
type HistoryRequest struct {
	Conv   im.ConvID
	Before im.Seq
	After  im.Seq
	Limit  int // countable messages; 0 = 50, at most 200
}

// History returns a page: messages with their reactions and newest bodies.
// Edits, recalls and reactions within the range are folded into what they
// are about.
func (s *Service) History(ctx context.Context, actor im.Actor, r HistoryRequest) (*skeinv1.ListMessagesResponse, error) {
	if r.Before < 0 || r.After < 0 || r.Before > 0 && r.After > 0 {
		return nil, im.Errorf(im.InvalidArgument, "set before_seq or after_seq, not both")
	}
	if r.Limit == 0 {
		r.Limit = defaultPage
	}
	if r.Limit < 1 || r.Limit > maxPage {
		return nil, im.Errorf(im.InvalidArgument, "limit is 1 to %d", maxPage)
	}
	var out *skeinv1.ListMessagesResponse
	err := s.readingShown(ctx, actor, r.Conv, func(v journal.View, c *journal.Conv, self journal.Member, head im.Seq, hidden Hidden) error {
		out = &skeinv1.ListMessagesResponse{Incarnation: s.j.Incarnation()}
		return fillPage(v, actor, c, self, head, hidden, r, out)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func fillPage(v journal.View, actor im.Actor, c *journal.Conv, self journal.Member, head im.Seq, hidden Hidden, r HistoryRequest, out *skeinv1.ListMessagesResponse) error {
	low, high := max(self.From, 1), head
	backwards := r.After == 0
	if backwards && r.Before > 0 {
		high = min(head, r.Before-1)
	}
	if !backwards {
		low = max(low, r.After+1)
	}
	out.AsOfSeq = uint64(head)
	if low > high {
		out.AtStart, out.AtEnd = backwards || low == max(self.From, 1), !backwards || high == head
		return nil
	}
	es, err := readPage(v, c, low, high, r.Limit, backwards)
	if err != nil {
		return err
	}
	if len(es) == 0 {
		return nil
	}
	es, folded, err := foldPage(v, c, es, head, backwards)
	if err != nil {
		return err
	}
	from, to := es[0].Seq, es[len(es)-1].Seq
	out.FromSeq, out.ToSeq = uint64(from), uint64(to)
	out.AtStart, out.AtEnd = from == max(self.From, 1), to == head
	before, err := v.OrdAt(c.App, c.ID, from-1)
	if err != nil {
		return err
	}
	out.OrdBefore = uint64(before)
	for i := range es {
		e := &es[i]
		switch e.Kind {
		case im.KindEdit, im.KindRecall, im.KindReaction, im.KindExpire, im.KindVote, im.KindExtension:
			continue
		}
		if e.Withheld(actor.User, actor.Device) || hidden.Has(e.Seq) {
			continue
		}
		out.Items = append(out.Items, folded.item(e, actor.User))
	}
	return nil
}

// foldPage folds what there is about the entries of a page, and cuts the page
// while that is too much for one answer.
func foldPage(v journal.View, c *journal.Conv, es []im.Entry, head im.Seq, backwards bool) ([]im.Entry, *folds, error) {
	for {
		limit := foldLimit
		if len(es) == 1 {
			limit = foldOne
		}
		f, full, err := fold(v, c, es[0].Seq, es[len(es)-1].Seq, head, limit)
		if err != nil || !full || len(es) == 1 {
			return es, f, err
		}
		if half := len(es) / 2; backwards {
			es = es[half:]
		} else {
			es = es[:half]
		}
	}
}

// readPage reads the entries of a page: those that it will most likely have,
// and more while they hold too few messages, up to scanLimit.
func readPage(v journal.View, c *journal.Conv, low, high im.Seq, limit int, backwards bool) ([]im.Entry, error) {
	var es []im.Entry
	for n := limit; low <= high && len(es) < scanLimit; n *= 4 {
		more, err := entries(v, c.App, c.ID, low, high, min(n, scanLimit-len(es)), backwards)
		if err != nil {
			return nil, err
		}
		if len(more) == 0 {
			break
		}
		if backwards {
			es, high = append(more, es...), more[0].Seq-1
		} else {
			es, low = append(es, more...), more[len(more)-1].Seq+1
		}
		if page, full := cutPage(es, limit, backwards); full {
			return page, nil
		}
	}
	return es, nil
}

// cutPage keeps as many entries as hold limit countable messages, counted
// from the side that the page starts at, and at least one, but otherwise no
// more than about pageBytes. It reports whether the page is full.
func cutPage(es []im.Entry, limit int, backwards bool) (page []im.Entry, full bool) {
	n, size := 0, 0
	for k := range es {
		i := k
		if backwards {
			i = len(es) - 1 - k
		}
		size += len(es[i].Body) + len(es[i].Previous)
		large := size > pageBytes && k > 0
		// What was imported counts for nobody as unread, but fills a page.
		if es[i].Kind == im.KindMessage && (!es[i].Uncounted || es[i].Target == 0) && !large {
			n++
		}
		switch {
		case large && backwards:
			return es[i+1:], true
		case large:
			return es[:i], true
		case n == limit && backwards:
			return es[i:], true
		case n == limit:
			return es[:i+1], true
		}
	}
	return es, false
}

// foldReactions folds the reaction entries about the messages of [from, to] up
// to a head. full tells that there are more than limit.
func foldReactions(v journal.View, app im.AppID, conv im.ConvID, from, to, head im.Seq, limit int) (_ map[im.Seq]map[string]*reactors, full bool, err error) {
	es, err := v.Targeting(app, conv, from, to, limit+1, im.KindReaction)
	if im.CodeOf(err) == im.DataLoss { // reported; the messages are worth more than who liked them
		return nil, false, nil
	}
	if err != nil || len(es) > limit {
		return nil, len(es) > limit, err
	}
	out := make(map[im.Seq]map[string]*reactors)
	for i := range es {
		e := &es[i]
		r := contentOf(e.Body).GetReaction()
		if r == nil || e.Seq > head {
			continue // an opaque reaction: only its readers can fold it
		}
		byEmoji := out[e.Target]
		if byEmoji == nil {
			byEmoji = make(map[string]*reactors)
			out[e.Target] = byEmoji
		}
		rs := byEmoji[r.Emoji]
		if rs == nil {
			rs = &reactors{first: e.Seq}
			byEmoji[r.Emoji] = rs
		}
		rs.set(e.Sender, !r.Removed)
		if len(rs.users) == 0 {
			delete(byEmoji, r.Emoji)
		}
	}
	return out, false, nil
}

func (r *reactors) set(u im.UserID, on bool) {
	for i, have := range r.users {
		if have == u {
			if !on {
				r.users = append(r.users[:i], r.users[i+1:]...)
			}
			return
		}
	}
	if on {
		r.users = append(r.users, u)
	}
}

// summaries lists one message's reactions in the order of their first use.
func summaries(m map[string]*reactors, self im.UserID) []*skeinv1.ReactionSummary {
	out := make([]*skeinv1.ReactionSummary, 0, len(m))
	for emoji, rs := range m {
		sum := &skeinv1.ReactionSummary{Emoji: emoji, Count: uint32(min(len(rs.users), math.MaxInt32))}
		for i, u := range rs.users {
			if i < maxReactors {
				sum.Users = append(sum.Users, string(u))
			}
			sum.Mine = sum.Mine || u == self
		}
		out = append(out, sum)
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := m[out[i].Emoji].first, m[out[j].Emoji].first
		return a < b || a == b && out[i].Emoji < out[j].Emoji // a vote can choose several at once
	})
	return out
}

// Edits returns every body that a message has had, oldest first; none for a
// recalled one.
func (s *Service) Edits(ctx context.Context, actor im.Actor, conv im.ConvID, seq im.Seq) (*skeinv1.ListEditsResponse, error) {
	var out *skeinv1.ListEditsResponse
	err := s.reading(ctx, actor, conv, func(v journal.View, _ *Room, self journal.Member, head im.Seq) error {
		out = &skeinv1.ListEditsResponse{}
		if seq < max(self.From, 1) || seq > head {
			return im.ErrNotFound
		}
		es, err := v.Entries(actor.App, conv, seq, seq, 1, false)
		if err != nil || len(es) == 0 || es[0].Kind != im.KindMessage || es[0].Withheld(actor.User, actor.Device) {
			return orNotFound(err)
		}
		if es[0].Recalled || es[0].Expired {
			return nil
		}
		edits, err := v.Targeting(actor.App, conv, seq, seq, s.limits.Edits+1, im.KindEdit)
		if err != nil {
			return err
		}
		first := es[0].Body
		if len(edits) > 0 {
			first = edits[0].Previous
		}
		out.Revisions = append(out.Revisions, revision(first, es[0].Time, 0))
		for _, e := range edits {
			if e.Seq <= head {
				out.Revisions = append(out.Revisions, revision(e.Body, e.Time, e.Seq))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func orNotFound(err error) error {
	if err != nil {
		return err
	}
	return im.ErrNotFound
}

func revision(body []byte, at im.Micros, seq im.Seq) *skeinv1.Revision {
	b := new(skeinv1.Body)
	if proto.Unmarshal(body, b) != nil {
		b = nil
	}
	return &skeinv1.Revision{Body: b, TimeUs: int64(at), EditSeq: uint64(seq)}
}
