package chat

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// pageBytes is about how large a page gets: a conversation's newest entries
// take at most half of it, and a page with more than half ends. Pages as large
// as a request allows could have gigabytes.
const pageBytes = 1 << 20

// SyncRequest asks what changed since a cursor.
type SyncRequest struct {
	Cursor        []byte
	Conversations int // a page; 0 = 100, at most 500
	Entries       int // newest a conversation; 0 = 50, at most 200
}

// SyncResult is a page, and where the reader stands after it.
type SyncResult struct {
	Page *skeinv1.SyncResponse
	// Heads is the snapshot that a page without More has brought the device
	// to: live entries with a larger pos come next.
	Heads []im.Pos
	More  bool
}

// Sync returns what changed since the cursor: its cost follows what changed.
//
// Several pages read one after the other see several snapshots. A
// conversation that moves to the top meanwhile would be passed over by the
// page key, so that the last page is followed by another round: what changed
// since the first snapshot, with entries from the original cursor on.
func (s *Service) Sync(ctx context.Context, actor im.Actor, r SyncRequest) (SyncResult, error) {
	if r.Conversations == 0 {
		r.Conversations = 100
	}
	if r.Entries == 0 {
		r.Entries = defaultPage
	}
	if r.Conversations < 1 || r.Conversations > 500 || r.Entries < 1 || r.Entries > maxPage {
		return SyncResult{}, im.Errorf(im.InvalidArgument, "a sync page has 1 to 500 conversations of 1 to %d entries", maxPage)
	}
	cur, known, err := s.cursors.open(actor, r.Cursor)
	if err != nil {
		return SyncResult{}, err
	}
	res := SyncResult{Page: &skeinv1.SyncResponse{Reset_: !known, Incarnation: s.j.Incarnation(), ServerTimeUs: int64(im.MicrosOf(s.clock.Now()))}}
	err = s.j.View(ctx, func(v journal.View) error {
		heads, err := v.Heads()
		if err != nil {
			return err
		}
		if !known {
			zero := make([]im.Pos, len(heads))
			cur = cursor{base: zero, since: zero, snap: heads}
		}
		if cur.key == nil {
			cur.snap = heads
		}
		if ahead(cur.base, heads) { // the journal lost what the device has seen: only a restored one can
			return &im.Error{Code: im.CursorInvalid, Message: "the cursor is ahead of the journal", Hint: "sync without a cursor"}
		}
		return s.fillSync(v, actor, r, cur, heads, &res)
	})
	return res, err
}

func ahead(a, b []im.Pos) bool {
	for i := range a {
		if a[i] > b[i] {
			return true
		}
	}
	return false
}

func (s *Service) fillSync(v journal.View, actor im.Actor, r SyncRequest, cur cursor, heads []im.Pos, res *SyncResult) error {
	fresh := res.Page.Reset_
	since := cur.since
	// The pages of a first sync begin at nothing as well. A cursor at rest that
	// stands at nothing is of a device that came before the first entry: it may
	// know a group by now, and has to learn that it was left.
	if fresh || cur.key != nil && isZero(since) {
		since = nil
	}
	rows, err := v.Changes(actor.App, actor.User, since, cur.key, r.Conversations)
	if err != nil {
		return err
	}
	told := len(rows)
	for i, size := 0, 0; i < len(rows); i++ {
		if size > pageBytes/2 {
			told = i
			break
		}
		if since == nil && rows[i].Member.To > 0 {
			continue // a new device does not learn of groups that were left
		}
		d, err := delta(v, actor, &rows[i], cur.base, r.Entries)
		if err != nil {
			return err
		}
		size += proto.Size(d)
		res.Page.Conversations = append(res.Page.Conversations, d)
	}
	switch {
	case told < len(rows) || len(rows) == r.Conversations:
		last := rows[told-1].Conv
		cur.key = &journal.PageKey{LastPos: last.LastPos, Conv: last.ID}
		res.More = true
	case cur.key != nil: // the last of several pages: one more round
		cur.key, cur.since = nil, cur.snap
		res.More = true
	default:
		cur = cursor{base: heads, since: heads, snap: heads}
		res.Heads = heads
	}
	res.Page.More = res.More
	res.Page.Cursor = s.cursors.seal(actor, cur)
	return nil
}

func isZero(ps []im.Pos) bool {
	for _, p := range ps {
		if p != 0 {
			return false
		}
	}
	return true
}

// delta is what one conversation has to tell a device that holds everything
// up to base: at most limit newest entries, contiguous up to the head.
func delta(v journal.View, actor im.Actor, row *journal.Changed, base []im.Pos, limit int) (*skeinv1.ConversationDelta, error) {
	c, self := &row.Conv, &row.Member
	pc, err := protoConv(v, c, self)
	if err != nil {
		return nil, err
	}
	d := &skeinv1.ConversationDelta{Conversation: pc}
	low, head := max(self.From, 1), c.HeadSeq
	if self.To > 0 {
		head = self.To - 1
	}
	if (c.Kind == im.ConvSelf || c.Bits&journal.BitKeyed != 0) && self.To == 0 {
		keyed, err := v.Keyed(c.App, c.ID)
		if err != nil && im.CodeOf(err) != im.DataLoss { // a damaged one was reported
			return nil, err
		}
		for i := range keyed {
			if keyed[i].Pos > base[c.Shard] {
				d.Keyed = append(d.Keyed, ProtoEntry(&keyed[i]))
			}
		}
	}
	if c.LastPos <= base[c.Shard] || low > head {
		return d, nil
	}
	es, err := newsOf(v, c, low, head, base[c.Shard], limit)
	if err != nil {
		return nil, err
	}
	if len(es) == 0 {
		return d, nil
	}
	held := len(es)
	es = newest(es, pageBytes/2)
	d.Gap = held > len(es) || held == limit && es[0].Seq > low
	for i := range es {
		e := &es[i]
		if !e.Withheld(actor.User, actor.Device) {
			d.Entries = append(d.Entries, ProtoEntry(e))
			continue
		}
		d.Withheld = appendWithheld(d.Withheld, e)
	}
	return d, nil
}

// firstNews is how many entries of a conversation a sync reads at first: most
// devices were away for a moment.
const firstNews = 8

// newsOf returns the newest entries of [low, head] past a position, at most
// limit. It reads backwards in growing steps until it meets what the device
// holds, so that the cost follows what changed.
func newsOf(v journal.View, c *journal.Conv, low, head im.Seq, base im.Pos, limit int) ([]im.Entry, error) {
	n := limit
	if base > 0 {
		n = min(limit, firstNews)
	}
	var es []im.Entry
	for low <= head && len(es) < limit {
		more, err := entries(v, c.App, c.ID, low, head, min(n, limit-len(es)), true)
		if err != nil {
			return nil, err
		}
		if len(more) == 0 {
			break
		}
		held := 0
		for held < len(more) && more[held].Pos <= base && more[held].Pos > 0 { // 0 = damaged, as all around it
			held++
		}
		head = more[0].Seq - 1
		es = append(more[held:], es...)
		if held > 0 {
			break
		}
		n *= 4
	}
	return es, nil
}

// newest returns the last of the entries that together have about max bytes,
// and at least one: a page that names no position up to the head would have
// the device give up all that it holds.
func newest(es []im.Entry, max int) []im.Entry {
	size := 0
	for i := len(es) - 1; i >= 0; i-- {
		if size += len(es[i].Body) + len(es[i].Previous) + 128; size > max && i < len(es)-1 {
			return es[i+1:]
		}
	}
	return es
}

// appendWithheld adds a position, to the last range when it follows it.
func appendWithheld(ws []*skeinv1.Withheld, e *im.Entry) []*skeinv1.Withheld {
	if n := len(ws); n > 0 && ws[n-1].ToSeq+1 == uint64(e.Seq) {
		ws[n-1].ToSeq, ws[n-1].Ord = uint64(e.Seq), uint64(e.Ord)
		return ws
	}
	return append(ws, &skeinv1.Withheld{Conversation: string(e.Conv), FromSeq: uint64(e.Seq), ToSeq: uint64(e.Seq), Ord: uint64(e.Ord)})
}

// CursorAt returns the cursor of a device that holds everything up to heads.
func (s *Service) CursorAt(actor im.Actor, heads []im.Pos) []byte {
	return s.cursors.sealHeads(actor, heads)
}

// CheckCursor tells whether a cursor is one that this user was given.
func (s *Service) CheckCursor(actor im.Actor, raw []byte) error {
	_, _, err := s.cursors.open(actor, raw)
	return err
}
