package gateway

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/turn"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// fanout delivers what is committed to the sessions of this node, each shard
// in the order of pos. It carries the lanes (lanes.go): the bus's hints bring
// entries, and what no hint brought is read.
type fanout struct {
	g     *Gateway
	heads atomic.Pointer[[]im.Pos] // delivered up to here; replaced, never changed
	off   func()
	hints chan bus.Event
	ended chan struct{}
	lanes *lanes // owned by run
	// locals are of the large conversations; owned by run.
	locals map[roomKey]*locals
	// Of what run has done since it last told: deliveries, and bytes queued.
	sent, queued int
}

func newFanout(ctx context.Context, g *Gateway) (*fanout, error) {
	f := &fanout{g: g, hints: make(chan bus.Event, 1024), ended: make(chan struct{}), locals: make(map[roomKey]*locals)}
	// Listening begins before the heads are read, so that nothing lies between.
	f.off = g.Bus.Listen(bus.Entries|bus.Activity, func(ev bus.Event) {
		turn.SendOr(g.tasks, f.hints, ev, g.ctx.Done())
	})
	heads, err := f.journalHeads(ctx)
	if err != nil {
		f.off()
		return nil, err
	}
	f.heads.Store(&heads)
	f.lanes = newLanes(heads)
	return f, nil
}

// Heads returns how far every shard was delivered; not to be changed.
func (f *fanout) Heads() []im.Pos { return *f.heads.Load() }

func (f *fanout) stop() {
	f.off()
	<-f.ended
}

// run handles hints until the gateway closes.
func (f *fanout) run() {
	defer close(f.ended)
	poll := turn.NewTicker(f.g.tasks, pollInterval)
	defer poll.Stop()
	due := turn.NewTimer(f.g.tasks, time.Hour)
	defer due.Stop()
	for {
		var hints <-chan bus.Event = f.hints
		polls, dues := poll.C, due.C
		turn.First(f.g.tasks, f.g.ctx, turn.In(&hints), turn.In(&polls), turn.In(&dues))
		var until time.Time
		select {
		case <-f.g.ctx.Done():
			return
		case ev := <-hints:
			until = f.hint(ev)
		case <-polls:
			until = f.look()
		case <-dues:
			until = f.drive(laneTick{})
		}
		if !until.IsZero() {
			due.Reset(max(until.Sub(f.g.Clock.Now()), time.Millisecond))
		}
	}
}

// hint takes what the bus says and returns when to come again.
func (f *fanout) hint(ev bus.Event) time.Time {
	switch {
	case ev.Lost:
		f.g.counts.lost.Inc()
		f.g.Chat.Forget()
		return f.look()
	case ev.Signal != nil:
		f.signal(ev.Signal)
		return time.Time{}
	}
	return f.drive(laneHint{ev.Entries, ev.Skips})
}

// look asks the journal how far it is, for what no hint told of.
func (f *fanout) look() time.Time {
	heads, err := f.journalHeads(f.g.ctx)
	if err != nil {
		if f.g.ctx.Err() == nil {
			f.g.Log.Error("look at the journal for delivery", "err", err)
		}
		return f.drive(laneTick{})
	}
	return f.drive(laneHeads{heads})
}

func (f *fanout) journalHeads(ctx context.Context) (heads []im.Pos, err error) {
	err = f.g.Journal.View(ctx, func(v journal.View) (err error) {
		heads, err = v.Heads()
		return err
	})
	return heads, err
}

// drive does what the lanes ask for until they wait, and returns until when.
func (f *fanout) drive(ev any) time.Time {
	if !f.g.Doorman.Valid() {
		f.g.tick() // ends every session; what comes is synced elsewhere
	}
	var last *im.Entry // that was delivered and not counted
	defer func() {
		if last != nil {
			f.delivered(last)
		}
	}()
	now := f.g.Clock.Now()
	for {
		a := f.lanes.step(ev, now)
		switch {
		case a.deliver != nil:
			ok := f.deliverTraced(a.deliver)
			last = a.deliver
			if !ok {
				if f.g.ctx.Err() != nil {
					return time.Time{}
				}
				now = f.g.Clock.Now()
			}
			ev = laneDelivered{a.deliver, ok}
		case a.fetch:
			f.publish()
			f.g.counts.gapReads.Inc()
			ev = f.fetch(a.shard, a.after)
			now = f.g.Clock.Now()
			if f.g.ctx.Err() != nil {
				return time.Time{}
			}
		default:
			f.publish()
			return a.until
		}
	}
}

// publish shows how far everything is delivered.
func (f *fanout) publish() {
	heads := f.lanes.heads()
	f.heads.Store(&heads)
}

// fetch reads what a shard has behind a position. A row that does not fit its
// hash, which the journal has reported, is passed over: its conversation's
// readers find the hole and are told that it is withheld.
func (f *fanout) fetch(shard int, after im.Pos) laneRead {
	out := laneRead{shard: shard, after: after}
	es, err := f.since(shard, after, catchUp)
	if im.CodeOf(err) == im.DataLoss {
		es, out.upTo, err = f.oneByOne(shard, after)
		out.more = true
	}
	if err != nil {
		if f.g.ctx.Err() == nil {
			f.g.Log.Error("read for delivery", "shard", shard, "err", err)
		}
		out.failed = true
		return out
	}
	out.entries = es
	out.more = out.more || len(es) == catchUp
	return out
}

// oneByOne reads a few entries and leaves out those that are damaged. It
// returns how far it has come.
func (f *fanout) oneByOne(shard int, after im.Pos) (out []im.Entry, upTo im.Pos, err error) {
	for upTo = after; upTo < after+catchUp/10; {
		es, err := f.since(shard, upTo, 1)
		switch {
		case im.CodeOf(err) == im.DataLoss:
			upTo++
		case err != nil || len(es) == 0:
			return out, upTo, err
		default:
			out = append(out, es[0])
			upTo = es[0].Pos
		}
	}
	return out, upTo, nil
}

func (f *fanout) since(shard int, after im.Pos, limit int) (es []im.Entry, err error) {
	err = f.g.Journal.View(f.g.ctx, func(v journal.View) (err error) {
		es, err = v.Since(shard, after, limit)
		return err
	})
	return es, err
}

// deliver gives an entry to every session of its audience on this node. It
// reports false when the audience is not known and the entry is to be tried
// again; nobody has got it then.
func (f *fanout) deliver(e *im.Entry) bool {
	e = f.g.Chat.Shown(e)
	var frame, hidden []byte
	added, _, _ := chat.Affected(e)
	slices.Sort(added)
	direct := e.Kind == im.KindMessage && e.Conv.Kind() == im.ConvDirect
	to, err := f.g.Chat.Audience(f.g.ctx, e)
	if err == nil && (e.Kind == im.KindMembers || e.Kind == im.KindConversation) {
		f.g.stage.changed(e.App, e.Conv, to.Room.Version)
	}
	if err == nil {
		f.here(&to, func(u im.UserID, s *session) {
			switch {
			case e.Session != 0 && e.Session == s.num:
				return // it gets the ack
			case e.Withheld(u, s.actor().Device):
				if hidden == nil {
					hidden = withheldFrame(e)
				}
				s.handle(event{kind: evNews, shard: e.Shard, pos: e.Pos, bytes: hidden})
				f.sent++
				return
			}
			if _, isNew := slices.BinarySearch(added, u); isNew {
				f.introduce(s, e)
			}
			if direct && u != e.Sender {
				s.give(e)
			}
			if frame == nil {
				frame = encodeEntry(e)
			}
			s.handle(event{kind: evNews, shard: e.Shard, pos: e.Pos, bytes: frame})
			f.sent++
			f.queuedBytes(len(frame))
		})
	}
	switch {
	case err == nil, im.CodeOf(err) == im.NotFound:
		return true
	case f.g.ctx.Err() != nil:
		return false
	}
	f.g.Log.Error("find the audience", "conv", e.Conv, "seq", int64(e.Seq), "err", err)
	return false
}

// introduce tells a session of a conversation that its user was just put
// into, before the entry that says so.
func (f *fanout) introduce(s *session, e *im.Entry) {
	c, err := f.g.Chat.Open(f.g.ctx, s.actor(), e.Conv)
	if err != nil {
		return // taken out again already: the entry about that follows
	}
	s.handle(event{kind: evNews, shard: e.Shard, pos: e.Pos,
		bytes: encodeFrame(&skeinv1.ServerFrame{Frame: &skeinv1.ServerFrame_Conversation{Conversation: c}})})
}

func withheldFrame(e *im.Entry) []byte {
	return encodeFrame(&skeinv1.ServerFrame{Frame: &skeinv1.ServerFrame_Withheld{Withheld: &skeinv1.Withheld{
		Conversation: string(e.Conv), FromSeq: uint64(e.Seq), ToSeq: uint64(e.Seq), Ord: uint64(e.Ord)}}})
}

// signal passes on what is not stored to the members that are here.
func (f *fanout) signal(sig bus.Signal) {
	switch m := sig.(type) {
	case bus.Typing:
		frame := encodeFrame(&skeinv1.ServerFrame{Frame: &skeinv1.ServerFrame_Typing{
			Typing: &skeinv1.Typing{Conversation: string(m.Conv), User: string(m.User), Stopped: m.Stopped}}})
		f.toMembers(m.App, m.Conv, frame, func(u im.UserID, _ im.DeviceID) bool { return u != m.User })
	case bus.Command:
		f.command(&m)
	case bus.Delivered:
		f.stored(&m)
	case bus.ReadMoved:
		frame := encodeFrame(&skeinv1.ServerFrame{Frame: &skeinv1.ServerFrame_ReadMarker{
			ReadMarker: &skeinv1.ReadMarker{Conversation: string(m.Conv), User: string(m.User), ReadSeq: uint64(m.Seq), ReadOrd: uint64(m.Ord)}}})
		f.toMembers(m.App, m.Conv, frame, func(u im.UserID, d im.DeviceID) bool {
			if m.Own {
				return u == m.User && d != m.Device
			}
			return u != m.User || d != m.Device
		})
	}
}

// stored tells a user's sessions that are here what the other one has got.
func (f *fanout) stored(d *bus.Delivered) {
	sessions := f.g.hub.of(d.App, d.Conv.Peer(d.User))
	if len(sessions) == 0 {
		return
	}
	frame := encodeFrame(&skeinv1.ServerFrame{Frame: &skeinv1.ServerFrame_Delivered{
		Delivered: &skeinv1.Delivered{Conversation: string(d.Conv), User: string(d.User), Seq: uint64(d.Seq)}}})
	for _, s := range sessions {
		s.handle(event{kind: evSignal, bytes: frame})
	}
}

func (f *fanout) toMembers(app im.AppID, conv im.ConvID, frame []byte, wants func(im.UserID, im.DeviceID) bool) {
	room, err := f.g.Chat.Room(f.g.ctx, app, conv)
	if err != nil || !f.g.Chat.Announces(room) {
		return
	}
	room.Each(func(u im.UserID) {
		for _, s := range f.g.hub.of(app, u) {
			if wants(u, s.actor().Device) {
				s.handle(event{kind: evSignal, bytes: frame})
			}
		}
	})
}

// command passes a command on to those it is for that are here.
func (f *fanout) command(c *bus.Command) {
	room, err := f.g.Chat.RoomAt(f.g.ctx, c.App, c.Conv, c.ACLVersion)
	if err != nil {
		return
	}
	var frame []byte
	tell := func(u im.UserID) {
		for _, s := range f.g.hub.of(c.App, u) {
			if u == c.User && s.actor().Device == c.Device {
				continue
			}
			if frame == nil {
				frame = encodeFrame(&skeinv1.ServerFrame{Frame: &skeinv1.ServerFrame_Command{
					Command: &skeinv1.Command{Conversation: string(c.Conv), Type: c.Type, Data: c.Data, User: string(c.User)}}})
			}
			s.handle(event{kind: evSignal, bytes: frame})
		}
	}
	if len(c.To) == 0 {
		room.Each(tell)
		return
	}
	for _, u := range c.To {
		if _, in := room.Member(u); in {
			tell(u)
		}
	}
}
