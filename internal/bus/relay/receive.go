package relay

import (
	"context"
	"time"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/im"
)

type convKey struct {
	app  im.AppID
	conv im.ConvID
}

// interest is what is remembered of a large conversation.
type interest struct {
	came    uint64    // the roster's version that it was decided on
	version int64     // the member list's
	wanted  bool      // somebody who is online here is a member
	witness im.UserID // who that was, of a conversation that is very large
	since   time.Time // last wanted
	off     func()    // nil = not subscribed
}

// receiver makes the handler of a subscription. Each has its own sealer,
// because subscriptions are served at the same time.
func (r *Relay) receiver() func([]byte) {
	s := newSealer(r.o.Key)
	return func(message []byte) { r.receive(s, message) }
}

func (r *Relay) receive(s *sealer, message []byte) {
	r.received.Add(1)
	r.receivedBytes.Add(uint64(len(message)))
	body, err := s.open(message)
	var e envelope
	if err == nil {
		e, err = decode(body, r.o.Shards)
	}
	if err != nil {
		r.rejected.Add(1)
		if !r.warned.Swap(true) {
			r.o.Log.Warn("a message on the bus is not of this cluster: nodes of one cluster need the same secret_key, and other clusters another cluster.name")
		}
		return
	}
	if e.boot.Node == r.o.Boot.Node {
		return
	}
	for _, sig := range e.signals {
		r.o.Bus.Deliver(bus.Event{Signal: sig})
	}
	if e.incarnation != r.o.Incarnation {
		return // its positions are of another journal
	}
	for i := range e.batches {
		b := &e.batches[i]
		ev := bus.Event{Entries: b.entries}
		for j := range b.skips {
			sk := &b.skips[j]
			ev.Skips = append(ev.Skips, bus.Skip{Shard: sk.shard, From: sk.from, To: sk.to, Why: r.why(sk, e.known)})
		}
		r.o.Bus.Deliver(ev)
	}
}

// why decides whether a skip can be believed.
func (r *Relay) why(s *skip, k known) bus.Reason {
	switch {
	case s.read || r.o.Map == nil:
		return bus.MustRead
	case s.conv != "":
		return r.large(s)
	}
	came := r.o.Map.Came()
	if came == 0 || k.started == r.o.Boot.Started && k.version >= came {
		return bus.NobodyHere
	}
	return bus.MustRead
}

// large decides what a skip of a large conversation means here, and subscribes
// when its subject is needed.
func (r *Relay) large(s *skip) bus.Reason {
	k := convKey{s.app, s.conv}
	// Read before the members are: who comes later has a sync that begins
	// later still.
	came := r.o.Map.Came()
	r.convMu.Lock()
	it := r.convs[k]
	fresh := it != nil && it.came == came && it.version >= s.version
	if fresh {
		defer r.convMu.Unlock()
		return it.reason()
	}
	witness := im.UserID("")
	if it != nil {
		witness = it.witness
	}
	r.convMu.Unlock()
	wanted, witness, version, err := r.wanted(k, s.version, witness)
	if err != nil {
		return bus.MustRead // the fan-out looks again, and waits for the database
	}
	r.convMu.Lock()
	defer r.convMu.Unlock()
	it = r.remember(k)
	it.came, it.version, it.wanted, it.witness = came, version, wanted, witness
	why := it.reason()
	if wanted {
		it.since = r.o.Clock.Now()
		r.subscribe(k, it)
	}
	return why
}

func (it *interest) reason() bus.Reason {
	switch {
	case !it.wanted:
		return bus.NobodyHere
	case it.off != nil:
		return bus.ComesApart
	}
	return bus.MustRead
}

// veryLarge is from how many members on a conversation is not gone through:
// the users who are online here are, unless one is known to be a member.
const veryLarge = 2000

// wanted tells whether a member of a conversation is online here. witness was
// one when it was looked at last.
func (r *Relay) wanted(k convKey, version int64, witness im.UserID) (bool, im.UserID, int64, error) {
	ctx, cancel := context.WithTimeout(r.ctx, lookTimeout)
	defer cancel()
	users, large, at, err := r.o.Rooms.MembersAt(ctx, k.app, k.conv, version, veryLarge, nil)
	if err != nil {
		return false, "", 0, err
	}
	if !large {
		return r.o.Map.Here(k.app, users), "", at, nil
	}
	if one := []im.UserID{witness}; witness != "" && r.o.Map.Here(k.app, one) {
		if who, at, err := r.o.Rooms.Meets(ctx, k.app, k.conv, version, one); err != nil || who != "" {
			return who != "", who, at, err
		}
	}
	who, at, err := r.o.Rooms.Meets(ctx, k.app, k.conv, version, r.o.Map.Users(k.app, nil))
	return who != "", who, at, err
}

// remember returns the memo of a conversation, under convMu. Memos of
// conversations without a subscription can be made again at the price of one
// look, so any of them gives way.
func (r *Relay) remember(k convKey) *interest {
	it := r.convs[k]
	if it != nil {
		return it
	}
	if len(r.convs) >= maxMemos {
		for old, memo := range r.convs {
			if memo.off == nil {
				delete(r.convs, old)
				break
			}
		}
	}
	it = &interest{}
	r.convs[k] = it
	return it
}

// subscribe subscribes to a conversation's subject, under convMu.
func (r *Relay) subscribe(k convKey, it *interest) {
	if it.off != nil || r.ctx.Err() != nil {
		return
	}
	off, err := r.o.Link.Subscribe(r.convSubject(k), r.receiver())
	if err != nil {
		r.o.Log.Warn("subscribe to a conversation", "conv", k.conv, "err", err) // its entries are read
		return
	}
	it.off = off
}

// sweep gives up subscriptions that nobody here has needed for a while.
func (r *Relay) sweep() {
	type item struct {
		k       convKey
		version int64
		witness im.UserID
	}
	var all []item
	r.convMu.Lock()
	for k, it := range r.convs {
		if it.off != nil {
			all = append(all, item{k, it.version, it.witness})
		}
	}
	r.convMu.Unlock()
	now := r.o.Clock.Now()
	for _, x := range all {
		came := r.o.Map.Came()
		wanted, witness, version, err := r.wanted(x.k, x.version, x.witness)
		if err != nil {
			continue
		}
		r.convMu.Lock()
		it := r.convs[x.k]
		var off func()
		if it != nil && it.off != nil {
			switch it.came, it.version = came, version; {
			case wanted:
				it.wanted, it.witness, it.since = true, witness, now
			case now.Sub(it.since) >= idleAfter:
				off = it.off
				delete(r.convs, x.k)
			}
		}
		r.convMu.Unlock()
		if off != nil {
			off() // waits for its handler, which may want convMu
		}
	}
}
