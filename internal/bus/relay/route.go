package relay

import (
	"context"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/im"
)

// route is what run needs to work out who gets what; kept between rounds for
// its memory.
type route struct {
	all   builder
	peers []builder
	index map[string]int // of peers, by node
	convs map[convKey]*builder
	order []*builder // of convs, as they came
	marks []bool     // by peer: it gets the entry at hand
	users []im.UserID
	entry []byte // the entry at hand, encoded
}

// builder gathers what one subject gets.
type builder struct {
	subject string
	msg     []byte // whole batches and signals
	empty   int    // the length of msg with nothing in it
	batch   []byte // of the batch at hand
	run     skip   // of the batch at hand, not written yet; from = 0: none
}

func (b *builder) reset(subject string, head []byte, k known) {
	b.subject = subject
	b.msg = appendKnown(append(b.msg[:0], head...), k)
	b.empty = len(b.msg)
	b.batch, b.run = b.batch[:0], skip{}
}

// send says what has gathered. Signals go first: they are few, and somebody
// may be waiting for a fence.
func (r *Relay) send(w waiting) {
	r.prepare()
	for _, s := range w.signals {
		r.signal(s)
	}
	if len(w.signals) > 0 {
		r.flushAll()
	}
	for _, entries := range w.batches {
		if r.ctx.Err() != nil {
			return
		}
		ctx, cancel := context.WithTimeout(r.ctx, lookTimeout)
		for i := range entries {
			r.entry(ctx, &entries[i])
		}
		cancel()
		r.closeBatches()
	}
	r.flushAll()
}

// prepare finds out who is there.
func (r *Relay) prepare() {
	o := &r.out
	o.all.reset(r.allSubject(), r.head, known{})
	clear(o.index)
	clear(o.convs)
	o.order = o.order[:0]
	if o.index == nil {
		o.index, o.convs = make(map[string]int), make(map[convKey]*builder)
	}
	n := 0
	if r.o.Map != nil {
		r.o.Map.Peers(func(boot bus.Boot, version uint64) {
			if n == len(o.peers) {
				o.peers = append(o.peers, builder{})
			}
			k := known{boot.Started, version}
			if version == 0 {
				k = known{}
			}
			o.peers[n].reset(r.nodeSubject(boot.Node), r.head, k)
			o.index[boot.Node] = n
			n++
		})
	}
	o.peers = o.peers[:n]
	if cap(o.marks) < n {
		o.marks = make([]bool, n)
	}
	o.marks = o.marks[:n]
}

// mark notes the nodes of some users.
func (r *Relay) mark(app im.AppID, users []im.UserID) {
	clear(r.out.marks)
	r.o.Map.Spread(app, users, func(node string) {
		if i, ok := r.out.index[node]; ok {
			r.out.marks[i] = true
		}
	})
}

func (r *Relay) markAll() {
	for i := range r.out.marks {
		r.out.marks[i] = true
	}
}

func (r *Relay) conv(k convKey) *builder {
	b := r.out.convs[k]
	if b == nil {
		b = &builder{}
		b.reset(r.convSubject(k), r.head, known{})
		r.out.convs[k] = b
		r.out.order = append(r.out.order, b)
	}
	return b
}

// entry gives an entry to the nodes of its audience, and a skip to the others.
func (r *Relay) entry(ctx context.Context, e *im.Entry) {
	o := &r.out
	o.entry = o.entry[:0]
	encoded := func() []byte {
		if len(o.entry) == 0 {
			o.entry = appendEntry(o.entry, e)
		}
		return o.entry
	}
	if r.o.Map == nil {
		r.addEntry(&o.all, encoded(), e)
		return
	}
	if len(o.peers) == 0 {
		return
	}
	pass := skip{shard: e.Shard, from: e.Pos, to: e.Pos}
	switch large, version := r.reach(ctx, e); {
	case large:
		pass.app, pass.conv, pass.version = e.App, e.Conv, version
		if enc := encoded(); r.fits(enc) {
			r.addEntry(r.conv(convKey{e.App, e.Conv}), enc, e)
		} else {
			pass = skip{shard: e.Shard, from: e.Pos, to: e.Pos, read: true}
		}
	default:
		for i, marked := range o.marks {
			if marked {
				r.addEntry(&o.peers[i], encoded(), e)
			} else {
				r.addSkip(&o.peers[i], pass)
			}
		}
		return
	}
	for i := range o.peers {
		r.addSkip(&o.peers[i], pass)
	}
}

// reach marks the nodes that an entry goes to, or says that its conversation
// is large. What changes who is in a conversation goes to every node, so that
// none goes on with a list of members that is too old.
func (r *Relay) reach(ctx context.Context, e *im.Entry) (large bool, version int64) {
	if e.Kind == im.KindMembers || e.Kind == im.KindConversation {
		r.markAll()
		return false, 0
	}
	users, large, version, err := r.o.Rooms.Reach(ctx, e, LargeRoom, r.out.users[:0])
	r.out.users = users
	switch {
	case err != nil:
		r.markAll() // each node finds out by itself
	case !large:
		r.mark(e.App, users)
	}
	return large && err == nil, version
}

// fits tells whether an encoded entry can be a message.
func (r *Relay) fits(entry []byte) bool { return len(entry)+len(r.head)+128 <= r.o.Link.MaxMessage() }

func (r *Relay) addEntry(b *builder, entry []byte, e *im.Entry) {
	if !r.fits(entry) {
		r.addSkip(b, skip{shard: e.Shard, from: e.Pos, to: e.Pos, read: true})
		return
	}
	b.endRun()
	if n := len(b.msg) + len(b.batch); n > b.empty && n+len(entry) > min(maxChunk, r.o.Link.MaxMessage()-128) {
		r.flush(b)
	}
	b.batch = protowire.AppendBytes(protowire.AppendTag(b.batch, batchEntry, protowire.BytesType), entry)
}

// addSkip lengthens the run at hand, or begins another.
func (r *Relay) addSkip(b *builder, s skip) {
	last := &b.run
	if last.from != 0 && last.shard == s.shard && last.to+1 == s.from && last.read == s.read && last.app == s.app && last.conv == s.conv {
		last.to, last.version = s.to, max(last.version, s.version)
		return
	}
	b.endRun()
	if len(b.msg)+len(b.batch) > min(maxChunk, r.o.Link.MaxMessage()-512) {
		r.flush(b)
	}
	b.run = s
}

func (b *builder) endRun() {
	if b.run.from == 0 {
		return
	}
	var p [256]byte
	b.batch = protowire.AppendBytes(protowire.AppendTag(b.batch, batchSkip, protowire.BytesType), appendSkip(p[:0], &b.run))
	b.run = skip{}
}

func (b *builder) endBatch() {
	b.endRun()
	if len(b.batch) > 0 {
		b.msg = protowire.AppendBytes(protowire.AppendTag(b.msg, fieldBatch, protowire.BytesType), b.batch)
		b.batch = b.batch[:0]
	}
}

func (r *Relay) closeBatches() {
	r.out.all.endBatch()
	for _, b := range r.out.order {
		b.endBatch()
	}
	for i := range r.out.peers {
		r.out.peers[i].endBatch()
	}
}

// flushAll publishes everything. A conversation's own subject goes before the
// skips that refer to it.
func (r *Relay) flushAll() {
	r.flush(&r.out.all)
	for _, b := range r.out.order {
		r.flush(b)
	}
	for i := range r.out.peers {
		r.flush(&r.out.peers[i])
	}
}

func (r *Relay) flush(b *builder) {
	b.endBatch()
	if len(b.msg) == b.empty {
		return
	}
	r.seal.seal(b.msg)
	r.o.Link.Publish(b.subject, b.msg)
	r.sent.Add(1)
	r.sentBytes.Add(uint64(len(b.msg)))
	b.msg = b.msg[:b.empty]
	if cap(b.msg) > 4*maxChunk {
		b.msg = append([]byte(nil), b.msg...) // what one large entry needed is not kept
	}
}

// signal sends a signal to those whom its address names.
func (r *Relay) signal(s bus.Signal) {
	a := s.Address()
	o := &r.out
	switch {
	case r.o.Map == nil, a == (bus.Address{}):
		r.addSignal(&o.all, s)
		return
	case len(o.peers) == 0:
		return
	case a.Conv == "":
		o.users = append(o.users[:0], a.User)
	default:
		ctx, cancel := context.WithTimeout(r.ctx, lookTimeout)
		users, large, _, err := r.o.Rooms.MembersAt(ctx, a.App, a.Conv, 0, LargeRoom, o.users[:0])
		cancel()
		o.users = users
		if err != nil {
			return // it may be lost
		}
		if large {
			r.addSignal(r.conv(convKey{a.App, a.Conv}), s)
			return
		}
	}
	r.mark(a.App, o.users)
	for i, marked := range o.marks {
		if marked {
			r.addSignal(&o.peers[i], s)
		}
	}
}

func (r *Relay) addSignal(b *builder, s bus.Signal) {
	if len(b.msg) > min(maxChunk, r.o.Link.MaxMessage()/2) {
		r.flush(b)
	}
	b.msg = protowire.AppendBytes(protowire.AppendTag(b.msg, fieldSignal, protowire.BytesType), appendSignal(nil, s))
}
