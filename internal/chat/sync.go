package chat

import (
	"context"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// pageBytes is about how large a page gets: a conversation's newest entries
// take at most half of it, and a page with more than half ends. Pages as large
// as a request allows could have gigabytes.
const pageBytes = 1 << 20

// followBytes is about how large the pages get that follow each other by
// themselves: the reader takes one apart while the next is read.
const followBytes = 128 << 10

// followRows is how many conversations are looked up at once for such pages.
const followRows = 2000

// SyncRequest asks what changed since a cursor.
type SyncRequest struct {
	Cursor        []byte
	Conversations int // a page; 0 = 100, at most 500. Pages that follow are bounded by their bytes alone.
	Entries       int // newest a conversation; 0 = 50, at most 200
	// Follow: the pages are for SyncPages, which goes on by itself.
	Follow bool
}

// SyncResult is a page, and where the reader stands after it.
type SyncResult struct {
	// Page of SyncPages has its conversations in encoded form, as fields that
	// the message does not know, which it passes on when it is encoded itself.
	Page *skeinv1.SyncResponse
	// Heads is the snapshot that a page without More has brought the device
	// to: live entries with a larger pos come next.
	Heads []im.Pos
	More  bool
}

// Sync returns a page of what changed since the cursor.
func (s *Service) Sync(ctx context.Context, actor im.Actor, r SyncRequest) (res SyncResult, err error) {
	r.Follow = false
	if err = s.SyncPages(ctx, actor, r, func(p SyncResult) bool { res = p; return false }); err != nil {
		return SyncResult{}, err
	}
	raw := res.Page.ProtoReflect().GetUnknown()
	res.Page.ProtoReflect().SetUnknown(nil)
	return res, (proto.UnmarshalOptions{Merge: true}).Unmarshal(raw, res.Page)
}

// SyncPages calls page with what changed since the cursor, in pages of one
// snapshot, until it returns false, or this reading is at its end. A page with
// More that was the last has the cursor to go on from. Its cost follows what
// changed. page must not wait: a snapshot is open.
//
// Pages that are read from several snapshots can miss something: a conversation
// that moves to the top meanwhile would be passed over by the page key. So the
// last of those is followed by another round: what changed since the first
// snapshot, with entries from the original cursor on.
func (s *Service) SyncPages(ctx context.Context, actor im.Actor, r SyncRequest, page func(SyncResult) bool) error {
	if r.Conversations == 0 {
		r.Conversations = 100
	}
	if r.Entries == 0 {
		r.Entries = defaultPage
	}
	if r.Conversations < 1 || r.Conversations > 500 || r.Entries < 1 || r.Entries > maxPage {
		return im.Errorf(im.InvalidArgument, "a sync page has 1 to 500 conversations of 1 to %d entries", maxPage)
	}
	cur, known, err := s.cursors.open(actor, r.Cursor)
	if err != nil {
		return err
	}
	return s.j.View(ctx, func(v journal.View) error {
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
		return s.syncPages(v, actor, r, cur, !known, heads, page)
	})
}

func ahead(a, b []im.Pos) bool {
	for i := range a {
		if a[i] > b[i] {
			return true
		}
	}
	return false
}

func (s *Service) syncPages(v journal.View, actor im.Actor, r SyncRequest, cur cursor, fresh bool, heads []im.Pos, page func(SyncResult) bool) error {
	since, limit, most := cur.since, r.Conversations, pageBytes/2
	if r.Follow {
		limit, most = followRows, followBytes
	}
	// The pages of a first sync begin at nothing as well. A cursor at rest that
	// stands at nothing is of a device that came before the first entry: it may
	// know a group by now, and has to learn that it was left.
	if fresh || cur.key != nil && isZero(since) {
		since = nil
	}
	rows, err := v.Changes(actor.App, actor.User, since, cur.key, limit)
	if err != nil {
		return err
	}
	hidden, err := hiddenOf(v, actor, rows, cur.base)
	if err != nil {
		return err
	}
	shown := &markers{v: v, actor: actor}
	resumed := cur.key != nil // the pages before were of another snapshot
	// Of the row at told, the keyed state was told up to this key.
	after := ""
	if len(rows) > 0 && cur.part != nil && cur.part.of == partOf(rows[0].Conv.ID) {
		after = cur.part.after
	}
	for told := 0; ; {
		res := SyncResult{Page: &skeinv1.SyncResponse{Reset_: fresh && told == 0, Incarnation: s.j.Incarnation(), ServerTimeUs: int64(im.MicrosOf(s.clock.Now()))}}
		var raw []byte
		for ; told < len(rows) && len(raw) <= most; told++ {
			if since == nil && rows[told].Member.To > 0 {
				continue // a new device does not learn of groups that were left
			}
			d := delta{actor: actor, shown: shown, row: &rows[told], base: cur.base, limit: r.Entries, hidden: hidden[rows[told].Conv.ID], after: after, most: most}
			if raw, after, err = d.append(raw, v); err != nil {
				return err
			}
			if after != "" {
				break
			}
		}
		cur.part = nil
		switch {
		case told < len(rows) || len(rows) == limit:
			if told > 0 {
				last := rows[told-1].Conv
				cur.key = &journal.PageKey{LastPos: last.LastPos, Conv: last.ID}
			} else if cur.key == nil {
				cur.key = &journal.PageKey{LastPos: math.MaxInt64} // before all
			}
			if after != "" {
				cur.part = &part{of: partOf(rows[told].Conv.ID), after: after}
			}
			res.More = true
		case resumed: // the last of several pages: one more round
			cur.key, cur.since = nil, cur.snap
			res.More = true
		default:
			cur = cursor{base: heads, since: heads, snap: heads}
			res.Heads = heads
		}
		res.Page.More, res.Page.Follows = res.More, res.More && r.Follow
		res.Page.Cursor = s.cursors.seal(actor, cur)
		res.Page.ProtoReflect().SetUnknown(raw)
		if !page(res) || told == len(rows) {
			return nil
		}
	}
}

func isZero(ps []im.Pos) bool {
	for _, p := range ps {
		if p != 0 {
			return false
		}
	}
	return true
}

// The fields that delta.append writes; a test holds them to the descriptors.
const (
	fieldSyncConversations = 1

	fieldDeltaConversation = 1
	fieldDeltaEntries      = 2
	fieldDeltaWithheld     = 3
	fieldDeltaGap          = 4
	fieldDeltaKeyed        = 5
)

// hiddenOf returns what the reader has hidden of the conversations that have
// entries to tell.
func hiddenOf(v journal.View, actor im.Actor, rows []journal.Changed, base []im.Pos) (map[im.ConvID]Hidden, error) {
	var convs []im.ConvID
	for i := range rows {
		if c := &rows[i].Conv; c.LastPos > base[c.Shard] && c.Kind != im.ConvSelf {
			convs = append(convs, c.ID)
		}
	}
	return HiddenIn(v, actor.App, actor.User, convs...)
}

// delta is what one conversation has to tell a device that holds everything up
// to base.
type delta struct {
	actor  im.Actor
	shown  *markers
	row    *journal.Changed
	base   []im.Pos
	limit  int // newest entries
	hidden Hidden
	after  string // the keyed state was told up to this key
	most   int    // bytes after which keyed state goes on in another page
}

// append appends the delta as an element of SyncResponse.conversations: at
// most limit newest entries, contiguous up to the head. Entries are written as
// they are, because a device that was away for long gets thousands of them.
// after is not empty when keyed values are left: those past that key.
func (x *delta) append(raw []byte, v journal.View) (out []byte, after string, err error) {
	c, self := &x.row.Conv, &x.row.Member
	pc, err := protoConv(v, x.shown, c, self)
	if err != nil {
		return raw, "", err
	}
	d, err := appendMessage(nil, fieldDeltaConversation, pc)
	if err != nil {
		return raw, "", err
	}
	if d, after, err = x.appendKeyed(d, v, x.most-len(raw)); err != nil {
		return raw, "", err
	}
	if d, err = x.appendEntries(d, v); err != nil {
		return raw, "", err
	}
	return protowire.AppendBytes(protowire.AppendTag(raw, fieldSyncConversations, protowire.BytesType), d), after, nil
}

// keyedRows is how many keyed values are read at once.
const keyedRows = 64

// appendKeyed appends the keyed values that changed, until they have room
// bytes, at least one.
func (x *delta) appendKeyed(d []byte, v journal.View, room int) (out []byte, after string, err error) {
	c := &x.row.Conv
	if c.Kind != im.ConvSelf && c.Bits&journal.BitKeyed == 0 || x.row.Member.To > 0 {
		return d, "", nil
	}
	since, err := x.keyedSince(v)
	if err != nil {
		return d, "", err
	}
	var one []byte
	after = x.after
	for start := len(d); ; {
		keyed, err := v.KeyedIn(c.App, c.ID, journal.KeyRange{After: after, Since: since, Limit: keyedRows})
		if err != nil && im.CodeOf(err) != im.DataLoss { // a damaged one was reported
			return d, "", err
		}
		for i := range keyed {
			if len(d) > start && len(d)-start > room {
				return d, after, nil
			}
			after = keyed[i].Key
			if len(keyed[i].Body) == 0 { // a fence says nothing
				continue
			}
			one = AppendEntry(one[:0], &keyed[i])
			d = protowire.AppendBytes(protowire.AppendTag(d, fieldDeltaKeyed, protowire.BytesType), one)
		}
		if len(keyed) < keyedRows {
			return d, "", nil
		}
	}
}

// keyedSince is the position after which a keyed value is news: the cursor's,
// but whoever joined since then has none of them.
func (x *delta) keyedSince(v journal.View) (im.Pos, error) {
	c, self, base := &x.row.Conv, &x.row.Member, x.base[x.row.Conv.Shard]
	if base == 0 || c.Kind == im.ConvSelf || self.Joined <= 1 || self.Changed <= base {
		return base, nil
	}
	es, err := entries(v, c.App, c.ID, self.Joined, self.Joined, 1, false)
	if err != nil || len(es) == 0 || es[0].Pos <= base {
		return base, err
	}
	return 0, nil
}

// appendEntries appends the newest entries, those that the reader may not or
// does not want to see as withheld.
func (x *delta) appendEntries(d []byte, v journal.View) ([]byte, error) {
	c, self, actor, limit := &x.row.Conv, &x.row.Member, x.actor, x.limit
	low, head := max(self.From, x.hidden.UpTo()+1, 1), c.HeadSeq
	if self.To > 0 {
		head = self.To - 1
	}
	var one []byte
	var es []im.Entry
	var err error
	if c.LastPos > x.base[c.Shard] && low <= head {
		if es, err = newsOf(v, c, low, head, x.base[c.Shard], limit); err != nil {
			return d, err
		}
	}
	held := len(es)
	es = newest(es, pageBytes/2)
	var withheld []*skeinv1.Withheld
	for i := range es {
		e := &es[i]
		if e.Withheld(actor.User, actor.Device) || x.hidden.Has(e.Seq) {
			withheld = appendWithheld(withheld, e)
			continue
		}
		one = AppendEntry(one[:0], e)
		d = protowire.AppendBytes(protowire.AppendTag(d, fieldDeltaEntries, protowire.BytesType), one)
	}
	for _, w := range withheld {
		if d, err = appendMessage(d, fieldDeltaWithheld, w); err != nil {
			return d, err
		}
	}
	if held > len(es) || held == limit && len(es) > 0 && es[0].Seq > low {
		d = appendUint(d, fieldDeltaGap, 1)
	}
	return d, nil
}

func appendMessage(b []byte, n protowire.Number, m proto.Message) ([]byte, error) {
	size := proto.Size(m)
	b = protowire.AppendVarint(protowire.AppendTag(b, n, protowire.BytesType), uint64(size))
	return proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(b, m)
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
		n *= 16
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
