package chat

import (
	"context"
	"slices"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Bounds of one call for receipts.
const (
	receiptMembers = 200  // looked at together
	receiptScan    = 2000 // looked at in a call; the next one goes on behind them
)

// Cursors returns the cursors that devices of users have acknowledged, as far
// as they are known.
type Cursors func(ctx context.Context, app im.AppID, users []im.UserID) (map[im.UserID][][]byte, error)

// Receipts tells how far a message has come with those who are members now and
// were when it was sent, by user id. Nothing is stored for it: who has read it
// tell the markers, who has it the cursors of their devices.
func (s *Service) Receipts(ctx context.Context, actor im.Actor, r *skeinv1.ListReceiptsRequest) (*skeinv1.ListReceiptsResponse, error) {
	limit := int(r.GetLimit())
	if limit == 0 {
		limit = 100
	}
	page := im.UserID(r.GetPage())
	if limit < 1 || limit > maxPage || page != "" && !im.ValidName(string(page)) {
		return nil, im.Errorf(im.InvalidArgument, "limit is 1 to %d, page what the list gave", maxPage)
	}
	out := &skeinv1.ListReceiptsResponse{}
	for scanned := 0; ; scanned += receiptMembers {
		var e im.Entry
		var members []journal.Member
		var blocked bool
		err := s.reading(ctx, actor, im.ConvID(r.GetConversation()), func(v journal.View, room *Room, self journal.Member, head im.Seq) (err error) {
			e, members, err = presentAt(v, actor, room, self, head, im.Seq(r.GetSeq()), page)
			if err == nil {
				err = (&markers{v: v, actor: actor}).mask(room.Kind, members)
			}
			if err == nil && room.Kind == im.ConvDirect {
				var c journal.Conv
				c, err = v.Conv(actor.App, room.ID)
				blocked = c.Bits&denyOf(room, actor) != 0
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		states, err := s.receiptsOf(ctx, &e, members, !blocked)
		if err != nil {
			return nil, err
		}
		for i, m := range members {
			page = m.User
			if states[i] == 0 || r.GetState() != 0 && states[i] != r.GetState() {
				continue
			}
			out.Receipts = append(out.Receipts, &skeinv1.Receipt{User: string(m.User), State: states[i]})
			if len(out.Receipts) == limit {
				out.NextPage = string(page)
				return out, nil
			}
		}
		if len(members) < receiptMembers {
			return out, nil
		}
		if scanned >= receiptScan {
			out.NextPage = string(page)
			return out, nil
		}
	}
}

// presentAt reads a message and members behind a user id. What the actor may
// not read is absent, and who is in now is not a former member's to know.
func presentAt(v journal.View, actor im.Actor, room *Room, self journal.Member, head, seq im.Seq, page im.UserID) (e im.Entry, ms []journal.Member, err error) {
	if self.To > 0 || seq < max(self.From, 1) || seq > head {
		return e, nil, im.ErrNotFound
	}
	es, err := v.Entries(room.App, room.ID, seq, seq, 1, false)
	if err != nil || len(es) == 0 || es[0].Kind != im.KindMessage || es[0].Withheld(actor.User, actor.Device) {
		return e, nil, orNotFound(err)
	}
	if room.Kind == im.ConvGroup {
		ms, err = v.Members(room.App, room.ID, page, receiptMembers)
		return es[0], ms, err
	}
	room.Each(func(u im.UserID) {
		if err != nil || u <= page {
			return
		}
		var m journal.Member
		if m, err = v.Member(room.App, room.ID, u); im.CodeOf(err) == im.NotFound {
			m, err = journal.Member{User: u, From: 1}, nil
		}
		ms = append(ms, m)
	})
	slices.SortFunc(ms, func(a, b journal.Member) int {
		if a.User < b.User {
			return -1
		}
		return 1
	})
	return es[0], ms, err
}

// receiptsOf returns the state of each member; 0 = the message was not for them.
// Without devices nobody's devices are asked: what they have got is not told.
func (s *Service) receiptsOf(ctx context.Context, e *im.Entry, ms []journal.Member, devices bool) ([]skeinv1.ReceiptState, error) {
	states := make([]skeinv1.ReceiptState, len(ms))
	var ask []im.UserID
	for i, m := range ms {
		switch {
		case m.User == e.Sender || m.From > e.Seq || len(e.ToUsers) > 0 && !slices.Contains(e.ToUsers, m.User):
		case m.ReadSeq >= e.Seq:
			states[i] = skeinv1.ReceiptState_RECEIPT_STATE_READ
		default:
			states[i] = skeinv1.ReceiptState_RECEIPT_STATE_NONE
			ask = append(ask, m.User)
		}
	}
	if len(ask) == 0 || s.acknowledged == nil || !devices {
		return states, nil
	}
	known, err := s.acknowledged(ctx, e.App, ask)
	if err != nil {
		return nil, err
	}
	for i, m := range ms {
		if states[i] == skeinv1.ReceiptState_RECEIPT_STATE_NONE && s.passed(e, m.User, known[m.User]) {
			states[i] = skeinv1.ReceiptState_RECEIPT_STATE_DELIVERED
		}
	}
	return states, nil
}

// passed tells whether one of a user's cursors lies at or behind an entry.
func (s *Service) passed(e *im.Entry, u im.UserID, cursors [][]byte) bool {
	for _, raw := range cursors {
		cur, ok, err := s.cursors.open(im.Actor{App: e.App, User: u}, raw)
		if err == nil && ok && e.Shard < len(cur.base) && cur.base[e.Shard] >= e.Pos {
			return true
		}
	}
	return false
}
