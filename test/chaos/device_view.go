package chaos

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skein-im/skein/internal/ws"
	pb "github.com/skein-im/skein/proto/skein/v1"
	"github.com/skein-im/skein/test/history"
	"google.golang.org/protobuf/proto"
)

// view returns the device's view of a conversation.
func (d *Device) view(conv string) *view {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := d.views[conv]
	if v == nil {
		v = &view{no: d.l.H.Conv(conv), held: map[uint32]shown{}}
		d.views[conv] = v
	}
	return v
}

// shown reads of an entry what a device notes.
func (d *Device) shown(e *pb.Entry) shown {
	s := shown{seq: uint32(e.Seq), to: uint32(e.Seq), sender: e.Sender, id: history.ID(e.ClientId)}
	s.kind, s.hash = payload(e)
	text := e.GetBody().GetContent().GetText().GetText()
	s.foreign = d.l.o.Foreign != "" && strings.Contains(text, mark(d.l.o.Foreign))
	s.joined = slices.Contains(e.GetBody().GetContent().GetMembers().GetAdded(), d.user)
	return s
}

// payload returns an entry's kind and the hash of what it carries.
func payload(e *pb.Entry) (history.Kind, uint64) {
	c := e.GetBody().GetContent()
	switch e.Kind {
	case pb.EntryKind_ENTRY_KIND_MESSAGE:
		return history.Message, history.Hash(c.GetText().GetText())
	case pb.EntryKind_ENTRY_KIND_MEMBERS:
		return history.Members, hashMembers(c.GetMembers())
	}
	return history.Other, 0
}

func hashMembers(m *pb.MembersChange) uint64 {
	return history.Hash(fmt.Sprint("+", m.GetAdded(), "-", m.GetRemoved(), "-", m.GetLeft()))
}

// position takes what came for a position: shown at once when it is the next
// one, held back while something before it is missing, dropped when it was
// shown already.
func (d *Device) position(v *view, s shown) {
	s.to = max(s.to, s.seq)
	if s.joined && s.seq > v.live+1 {
		d.move(v, s.seq-1) // what lies before the membership is not this user's
	}
	if s.to <= v.live {
		return
	}
	if s.seq > v.live+1 {
		if len(v.held) == 0 {
			v.since = time.Now()
		}
		v.held[s.seq] = s
		return
	}
	d.show(v, s)
	for {
		next, ok := v.held[v.live+1]
		if !ok {
			break
		}
		delete(v.held, next.seq)
		d.show(v, next)
	}
	v.since = time.Now()
	for seq, s := range v.held {
		if s.to <= v.live {
			delete(v.held, seq)
		}
	}
}

// move sets how far a view is; the end of a run looks at it.
func (d *Device) move(v *view, to uint32) {
	d.mu.Lock()
	v.live = to
	d.mu.Unlock()
}

func (d *Device) show(v *view, s shown) {
	if s.sender == "" { // withheld
		d.hc.Withhold(v.no, max(s.seq, v.live+1), s.to)
	} else {
		d.hc.Deliver(v.no, s.seq, s.kind, s.sender, s.id, s.hash)
		if s.foreign {
			d.hc.Leak(v.no, s.seq)
		}
	}
	d.move(v, s.to)
	if d.since++; d.reads && d.since >= 20 && s.kind == history.Message {
		d.since = 0
		d.read(v, s.seq)
	}
}

// joined applies a conversation's state: the reader's membership may begin
// behind what was shown.
func (d *Device) joined(c *pb.Conversation) {
	v := d.view(c.Id)
	if m := c.Membership; m != nil && m.FromSeq > uint64(v.live)+1 {
		d.move(v, uint32(m.FromSeq)-1)
		if next, ok := v.held[v.live+1]; ok {
			delete(v.held, next.seq)
			d.position(v, next)
		}
	}
}

// holes tells whether something is held back.
func (d *Device) holes() bool {
	for _, v := range d.views {
		if len(v.held) > 0 {
			return true
		}
	}
	return false
}

// sync applies one page. What it leaves to history is read from there first,
// so that the view has no hole; if that fails, the connection is given up and
// the next one begins from the cursor before this page.
func (d *Device) sync(ctx context.Context, endpoint string, s *pb.SyncResponse) error {
	if d.incarnation != "" && s.Incarnation != d.incarnation {
		for _, v := range d.views { // a restored journal: what was shown may not be there
			d.hc.Restart(v.no)
			d.move(v, 0)
			clear(v.held)
		}
	}
	d.incarnation = s.Incarnation
	for _, delta := range s.Conversations {
		c := delta.Conversation
		v := d.view(c.Id)
		if c.Membership.GetToSeq() == 0 {
			d.hc.Synced(headOf(v.no, c))
		}
		d.joined(c)
		first := uint32(c.HeadSeq) + 1
		for _, e := range delta.Entries {
			first = min(first, uint32(e.Seq))
		}
		for _, w := range delta.Withheld {
			first = min(first, uint32(w.FromSeq))
		}
		if first > v.live+1 {
			if err := d.old(ctx, endpoint, c.Id, v, first-1); err != nil {
				return err
			}
		}
		for _, e := range delta.Entries {
			d.position(v, d.shown(e))
		}
		for _, w := range delta.Withheld {
			d.position(v, shown{seq: uint32(w.FromSeq), to: uint32(w.ToSeq)})
		}
		if v.live < uint32(c.HeadSeq) && c.Membership.GetToSeq() == 0 {
			return oddity{fmt.Errorf("a sync of %s up to %d leaves the view at %d", c.Id, c.HeadSeq, v.live)}
		}
	}
	d.cursor = s.Cursor
	if !s.More {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ref++
	return d.write(d.conn, []*pb.ClientFrame{{Ref: d.ref, Frame: &pb.ClientFrame_Sync{Sync: &pb.SyncRequest{Cursor: d.cursor, Entries: 200, Conversations: 500}}}})
}

func headOf(no uint32, c *pb.Conversation) history.Head {
	return history.Head{Conv: no, HeadSeq: uint32(c.HeadSeq), HeadOrd: uint32(c.HeadOrd),
		ReadSeq: uint32(c.GetMembership().GetReadSeq()), ReadOrd: uint32(c.GetMembership().GetReadOrd())}
}

// old reads positions from history up to one.
func (d *Device) old(ctx context.Context, endpoint, conv string, v *view, to uint32) error {
	caller := &Caller{HTTP: d.l.http, App: d.l.o.App, Token: d.token, Device: d.hc.Device}
	for v.live < to {
		var page pb.ListMessagesResponse
		err := caller.Call(ctx, endpoint, "MessageService/ListMessages", pageAfter(conv, v.live), &page)
		if err != nil {
			return fmt.Errorf("history of %s: %w", conv, err)
		}
		if page.ToSeq <= uint64(v.live) {
			return oddity{fmt.Errorf("history of %s after %d ends, and %d is wanted", conv, v.live, to)}
		}
		for _, it := range page.Items {
			d.gap(v, uint32(it.Entry.Seq)-1)
			d.position(v, d.shown(it.Entry))
		}
		d.gap(v, uint32(page.ToSeq))
	}
	return nil
}

// gap closes positions that a page covers and has nothing at.
func (d *Device) gap(v *view, to uint32) {
	if to > v.live {
		d.position(v, shown{seq: v.live + 1, to: to})
	}
}

// fillOld reads from history what was missing for too long. The server owes
// every position, so that it is counted.
func (d *Device) fillOld(ctx context.Context, endpoint string) error {
	for conv, v := range d.views {
		if len(v.held) == 0 || time.Since(v.since) < holeTime {
			continue
		}
		lowest := ^uint32(0)
		for seq := range v.held {
			lowest = min(lowest, seq)
		}
		d.l.repaired.Add(1)
		if err := d.old(ctx, endpoint, conv, v, lowest-1); err != nil {
			return err
		}
		v.since = time.Now()
	}
	return nil
}

// read moves the user's marker.
func (d *Device) read(v *view, seq uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn == nil || !d.ready {
		return
	}
	d.ref++
	conv := d.l.H.Convs[v.no]
	d.marks[d.ref] = &history.Read{Conv: v.no, Asked: seq, Invoke: d.l.H.Now()}
	_ = d.write(d.conn, []*pb.ClientFrame{{Ref: d.ref, Frame: &pb.ClientFrame_Read{Read: &pb.ReadConversationRequest{Conversation: conv, Seq: uint64(seq)}}}}) // a lost connection is noticed by the reader
}

// marked takes the answer to a mark.
func (d *Device) marked(ref uint32, m *pb.ReadMarker) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.marks[ref]
	if r == nil {
		return
	}
	delete(d.marks, ref)
	r.Seq, r.Ord, r.Return, r.Outcome = uint32(m.ReadSeq), uint32(m.ReadOrd), d.l.H.Now(), history.Acked
	d.hc.Marked(*r)
}

// at is how far the device has shown a conversation.
func (d *Device) at(conv string) uint32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if v := d.views[conv]; v != nil {
		return v.live
	}
	return 0
}

// underWay is how many messages have no outcome yet.
func (d *Device) underWay() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.pending)
}

// sever closes the connection, if there is one; the device comes back.
func (d *Device) sever() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn != nil {
		d.conn.Close()
	}
}

// stuff writes raw frames, for nemeses that play a client.
func stuff(conn *ws.Conn, frames ...*pb.ClientFrame) error {
	raw, err := proto.Marshal(&pb.ClientPacket{Frames: frames})
	if err != nil {
		return err
	}
	return conn.WriteMessage(ws.OpBinary, raw)
}

// positions is how far the device has shown each conversation it knows.
func (d *Device) positions() map[string]uint32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make(map[string]uint32, len(d.views))
	for conv, v := range d.views {
		all[conv] = v.live
	}
	return all
}
