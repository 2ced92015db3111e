package gateway

import (
	"context"
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
// in the order of pos. The bus's hints carry the entries; a hint that is not
// the next position only says that there is something to read.
type fanout struct {
	g     *Gateway
	heads atomic.Pointer[[]im.Pos] // delivered up to here; replaced, never changed
	off   func()
	hints chan bus.Event
	ended chan struct{}
	stuck stuck
	// Of what run has done since it last told: deliveries, and bytes queued.
	sent, queued int
}

// stuck is an entry whose audience could not be found; owned by run.
type stuck struct {
	shard int
	pos   im.Pos
	since time.Time
}

// maxStuck is how long an entry is tried before it is passed over: a database
// that is away for a moment must not cost an entry, and one entry must not
// hold up a shard for ever. Who misses it finds the hole with the next one.
const maxStuck = 10 * time.Second

// pollInterval is how soon a hint that vanished without a trace is made good.
const pollInterval = 2 * time.Second

// catchUp is how many entries are read at once when hints were missed.
const catchUp = 500

func newFanout(ctx context.Context, g *Gateway) (*fanout, error) {
	f := &fanout{g: g, hints: make(chan bus.Event, 1024), ended: make(chan struct{})}
	// Listening begins before the heads are read, so that nothing lies between.
	f.off = g.Bus.Listen(bus.Entries|bus.Activity, func(ev bus.Event) {
		turn.SendOr(g.tasks, f.hints, ev, g.ctx.Done())
	})
	err := g.Journal.View(ctx, func(v journal.View) error {
		heads, err := v.Heads()
		f.heads.Store(&heads)
		return err
	})
	if err != nil {
		f.off()
	}
	return f, err
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
	for {
		var hints <-chan bus.Event = f.hints
		polls := poll.C
		turn.First(f.g.tasks, f.g.ctx, turn.In(&hints), turn.In(&polls))
		select {
		case <-f.g.ctx.Done():
			return
		case ev := <-hints:
			f.hint(ev)
		case <-polls:
			f.read()
		}
	}
}

func (f *fanout) hint(ev bus.Event) {
	switch {
	case ev.Lost:
		f.g.counts.lost.Inc()
		f.g.Chat.Forget()
		f.read()
	case ev.Signal != nil:
		f.signal(ev.Signal)
	case len(ev.Entries) > 0:
		f.entries(ev.Entries)
	}
}

// entries delivers a batch: positions seen before are passed over, and one
// that is ahead has the journal read up to it first.
func (f *fanout) entries(es []im.Entry) {
	if !f.g.Doorman.Valid() {
		f.g.tick() // ends every session; what comes is synced elsewhere
	}
	heads := append([]im.Pos(nil), f.Heads()...)
	defer f.delivered(&es[len(es)-1])
	for i := range es {
		e := &es[i]
		switch next := heads[e.Shard] + 1; {
		case e.Pos < next:
		case e.Pos == next:
			if !f.deliver(e) {
				f.heads.Store(&heads)
				return // what follows is read with it
			}
			heads[e.Shard] = e.Pos
		default:
			f.heads.Store(&heads)
			f.g.counts.gapReads.Inc()
			f.read()
			heads = append([]im.Pos(nil), f.Heads()...)
		}
	}
	f.heads.Store(&heads)
}

// read delivers what the journal has and no hint brought.
func (f *fanout) read() {
	for shard := range f.Heads() {
		for f.readShard(shard) {
		}
	}
}

// readShard delivers the next entries of a shard. A row that does not fit its
// hash, which the journal has reported, is passed over: its conversation's
// readers find the hole and are told that it is withheld.
func (f *fanout) readShard(shard int) (more bool) {
	es, err := f.since(shard, catchUp)
	if im.CodeOf(err) == im.DataLoss {
		if es, err = f.since(shard, 1); im.CodeOf(err) == im.DataLoss {
			heads := append([]im.Pos(nil), f.Heads()...)
			heads[shard]++
			f.heads.Store(&heads)
			return true
		}
		defer func() { more = err == nil && len(es) > 0 }()
	}
	if err != nil {
		if f.g.ctx.Err() == nil {
			f.g.Log.Error("read for delivery", "shard", shard, "err", err)
		}
		return false
	}
	if len(es) == 0 {
		return false
	}
	heads := append([]im.Pos(nil), f.Heads()...)
	defer f.delivered(&es[len(es)-1])
	for i := range es {
		if es[i].Pos > heads[shard] {
			if !f.deliver(&es[i]) {
				f.heads.Store(&heads)
				return false
			}
			heads[shard] = es[i].Pos
		}
	}
	f.heads.Store(&heads)
	return len(es) == catchUp
}

func (f *fanout) since(shard, limit int) (es []im.Entry, err error) {
	err = f.g.Journal.View(f.g.ctx, func(v journal.View) (err error) {
		es, err = v.Since(shard, f.Heads()[shard], limit)
		return err
	})
	return es, err
}

// deliver gives an entry to every session of its audience on this node. It
// reports false when the audience is not known and the entry is to be tried
// again; nobody has got it then.
func (f *fanout) deliver(e *im.Entry) bool {
	var frame, hidden []byte
	added, _, _ := chat.Affected(e)
	err := f.g.Chat.Audience(f.g.ctx, e, func(u im.UserID) {
		for _, s := range f.g.hub.of(e.App, u) {
			if e.Session != 0 && e.Session == s.num {
				continue // it gets the ack
			}
			if e.Withheld(s.actor().Device) {
				if hidden == nil {
					hidden = withheldFrame(e)
				}
				f.sent++
				s.handle(event{kind: evNews, shard: e.Shard, pos: e.Pos, bytes: hidden})
				continue
			}
			if isNew(added, u) {
				f.introduce(s, e)
			}
			if frame == nil {
				frame = encodeEntry(e)
			}
			f.sent++
			f.queuedBytes(len(frame))
			s.handle(event{kind: evNews, shard: e.Shard, pos: e.Pos, bytes: frame})
		}
	})
	switch {
	case err == nil, im.CodeOf(err) == im.NotFound:
		return true
	case f.g.ctx.Err() != nil:
		return false
	}
	f.g.Log.Error("find the audience", "conv", e.Conv, "seq", int64(e.Seq), "err", err)
	now := f.g.Clock.Now()
	if f.stuck.shard != e.Shard || f.stuck.pos != e.Pos {
		f.stuck = stuck{e.Shard, e.Pos, now}
	}
	return now.Sub(f.stuck.since) >= maxStuck
}

func isNew(added []im.UserID, u im.UserID) bool {
	for _, a := range added {
		if a == u {
			return true
		}
	}
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
	case bus.ReadMoved:
		frame := encodeFrame(&skeinv1.ServerFrame{Frame: &skeinv1.ServerFrame_ReadMarker{
			ReadMarker: &skeinv1.ReadMarker{Conversation: string(m.Conv), User: string(m.User), ReadSeq: uint64(m.Seq), ReadOrd: uint64(m.Ord)}}})
		f.toMembers(m.App, m.Conv, frame, func(u im.UserID, d im.DeviceID) bool { return u != m.User || d != m.Device })
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
