// Package relay joins the local buses of a cluster's nodes: what a node says
// on its own bus is carried to those nodes that have somebody to hear it, and
// comes out of their buses there, marked as remote.
//
// It decides who gets what, and how it is written down (envelope.go). What
// carries the bytes is a Link; package natslink has the real one.
//
// Routing is by node (docs/adr/0009). Every node knows from presence who is
// online where. For each committed batch the relay works out which of the
// other nodes have somebody in an entry's audience; these get the entry. All
// others get a skip: "positions 7 to 9 of shard 3: nothing for you". So
// positions stay contiguous at every node, and a message that the network
// loses is found by the gap that it leaves.
//
// A skip rests on what its sender knew of the receiver's users. Somebody may
// have come online there a moment ago. So a skip carries the version of the
// receiver's roster that it is based on, and the receiver believes it only
// when nobody has come online since; else it reads those positions from the
// journal. A session learns of everything up to its first sync from that sync,
// which begins after its user counts as online; so nothing falls between.
//
// An entry of a conversation of more than LargeRoom members is published once,
// on the conversation's own subject. The other nodes get a skip that names the
// conversation, and each looks by itself whether a member is online there; if
// so it subscribes. Subscriptions are therefore two a node and one for each
// large conversation in use there.
package relay

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/im"
)

// LargeRoom is up to how many members a conversation is routed by who is
// online where. Working that out costs the sender a look-up a member, the
// alternative costs every node a subscription.
const LargeRoom = 200

// The relay's bounds.
const (
	// maxChunk is how large a message grows before another is begun, unless
	// one entry alone is larger.
	maxChunk = 256 << 10
	// maxWaiting and maxWaitingBytes bound what waits for the network; what
	// comes on top is dropped, and the other nodes find the gap.
	maxWaiting      = 8192
	maxWaitingBytes = 32 << 20
	// lookTimeout bounds one look at who is in a conversation.
	lookTimeout = 5 * time.Second
	// sweepEvery is how often subscriptions are looked at, and idleAfter how
	// long one stays that nobody here needs any more.
	sweepEvery = 30 * time.Second
	idleAfter  = 2 * time.Minute
	// maxMemos bounds the large conversations without a member here that are
	// remembered as such.
	maxMemos = 20_000
)

// Link carries messages between nodes: all that subscribed to a subject get
// what is published to it, but for the publisher. It may lose, repeat and
// reorder. Its methods may be called from any goroutine.
type Link interface {
	// Publish does not keep the message. It may wait for a moment (a second,
	// not more) when the network is slow, and drops when there is none.
	Publish(subject string, message []byte)
	// Subscribe calls fn with each message, one at a time, until off is
	// called. The message is fn's own.
	Subscribe(subject string, fn func(message []byte)) (off func(), err error)
	// MaxMessage is the size of the largest message, in bytes.
	MaxMessage() int
	// Restored yields a token when the link works again after a pause or
	// reaches more nodes than before: much may have been missed.
	Restored() <-chan struct{}
}

// Map tells where users are online; *presence.Presence.
type Map interface {
	// Peers calls fn for every other live node. known is the version of its
	// roster that is mirrored here in full, 0 when none is.
	Peers(fn func(boot bus.Boot, known uint64))
	// Spread calls fn for every node, this one included, at which one of the
	// users has a device; more than once for the same node perhaps. fn must
	// not call back.
	Spread(app im.AppID, users []im.UserID, fn func(node string))
	// Came is the version of this node's roster at which a user came online
	// here last; 0 = never.
	Came() uint64
	// Here tells whether one of the users has a device at this node.
	Here(app im.AppID, users []im.UserID) bool
	// Users appends the users of an app who have a device at this node.
	Users(app im.AppID, users []im.UserID) []im.UserID
}

// Rooms tells who is in conversations; *chat.Service.
type Rooms interface {
	// Reach appends the users whom an entry is for. In a conversation of more
	// than most members it appends nobody and returns large and a version of
	// the member list that is not older than the entry.
	Reach(ctx context.Context, e *im.Entry, most int, users []im.UserID) (_ []im.UserID, large bool, version int64, err error)
	// MembersAt appends the current members of a conversation as of a version
	// or a later one, and returns which. In one of more than most members it
	// appends nobody and returns large.
	MembersAt(ctx context.Context, app im.AppID, conv im.ConvID, version int64, most int, users []im.UserID) (_ []im.UserID, large bool, at int64, err error)
	// Meets returns the first of some users who is a member of a conversation
	// as of a version or a later one, "" = none; and which version that is.
	Meets(ctx context.Context, app im.AppID, conv im.ConvID, version int64, users []im.UserID) (who im.UserID, at int64, err error)
}

// Options of a Relay; all are needed but Map and Rooms, which are nil together:
// then every node gets everything.
type Options struct {
	Bus         *bus.Local
	Link        Link
	Prefix      string // of every subject
	Key         []byte // that all nodes of the cluster share; it signs messages
	Incarnation string // of the journal: positions of another one mean nothing
	Shards      int
	Boot        bus.Boot // this node, as its presence announces it
	Map         Map
	Rooms       Rooms
	Clock       im.Clock
	Log         *slog.Logger
}

// Stats are counts since the start.
type Stats struct {
	Sent, SentBytes         uint64 // messages to other nodes
	Received, ReceivedBytes uint64
	Rejected                uint64 // messages of no node of this cluster
	Dropped                 uint64 // hints of this node that the network was too slow for
	Subscriptions           int
}

// Relay joins a node's bus to the others'.
type Relay struct {
	o      Options
	ctx    context.Context // ends with Close; bounds looks at conversations
	cancel context.CancelFunc
	offs   []func()
	wake   chan struct{} // holds a token when there is something to send
	quit   chan struct{} // closed by Close: send what waits, and end
	done   chan struct{} // closed when run has returned
	seal   *sealer       // owned by run
	head   []byte        // tagBytes of room, and how every envelope of this node begins

	out route // owned by run

	sent, sentBytes, received, receivedBytes, rejected, dropped atomic.Uint64

	mu      sync.Mutex // guards waiting
	waiting waiting

	convMu sync.Mutex // guards convs
	convs  map[convKey]*interest

	closing sync.Once

	warned atomic.Bool // that another cluster speaks on the same subjects
}

// waiting is what run has not taken yet.
type waiting struct {
	batches [][]im.Entry
	signals []bus.Signal
	bytes   int
}

// New starts a relay. It subscribes to what concerns this node and runs one
// goroutine until Close. Everybody on the local bus is told that hints were
// missed until now, so that presence introduces this node to the others.
func New(ctx context.Context, o Options) (*Relay, error) {
	r := &Relay{o: o, wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}), seal: newSealer(o.Key), convs: make(map[convKey]*interest)}
	r.head = appendHead(make([]byte, tagBytes), o.Incarnation, o.Boot)
	r.ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	for _, subject := range []string{r.allSubject(), r.nodeSubject(o.Boot.Node)} {
		off, err := o.Link.Subscribe(subject, r.receiver())
		if err != nil {
			r.unsubscribe()
			r.cancel()
			return nil, err
		}
		r.offs = append(r.offs, off)
	}
	r.offs = append(r.offs, o.Bus.Listen(bus.Everything|bus.Own, r.hear))
	go r.run()
	o.Bus.Deliver(bus.Event{Lost: true})
	return r, nil
}

// Close says what this node has said until now, as long as ctx lasts, and ends
// the relay. Nothing comes in any more when it returns. A second call does
// nothing.
func (r *Relay) Close(ctx context.Context) error {
	r.closing.Do(func() { r.close(ctx) })
	return nil
}

func (r *Relay) close(ctx context.Context) {
	r.o.Bus.Settle(ctx)
	r.unsubscribe()
	stop := context.AfterFunc(ctx, r.cancel)
	defer stop()
	close(r.quit)
	<-r.done
	r.cancel()
	var offs []func()
	r.convMu.Lock()
	for _, it := range r.convs {
		if it.off != nil {
			offs = append(offs, it.off)
		}
	}
	clear(r.convs)
	r.convMu.Unlock()
	for _, off := range offs {
		off() // waits for its handler, which may want convMu
	}
}

func (r *Relay) unsubscribe() {
	for _, off := range r.offs {
		off()
	}
	r.offs = nil
}

// Stats returns the counts.
func (r *Relay) Stats() Stats {
	s := Stats{Sent: r.sent.Load(), SentBytes: r.sentBytes.Load(), Received: r.received.Load(), ReceivedBytes: r.receivedBytes.Load(),
		Rejected: r.rejected.Load(), Dropped: r.dropped.Load(), Subscriptions: 2}
	r.convMu.Lock()
	defer r.convMu.Unlock()
	for _, it := range r.convs {
		if it.off != nil {
			s.Subscriptions++
		}
	}
	return s
}

func (r *Relay) allSubject() string { return r.o.Prefix + ".all" }

func (r *Relay) nodeSubject(node string) string { return r.o.Prefix + ".node." + node }

// convSubject is of a group: its id and the app's are tokens.
func (r *Relay) convSubject(k convKey) string {
	return r.o.Prefix + ".conv." + string(k.app) + "." + string(k.conv)
}

// hear takes what this node says. It waits for nothing.
func (r *Relay) hear(e bus.Event) {
	if e.Lost {
		r.dropped.Add(1) // the others find out by themselves
		return
	}
	size := 0
	for i := range e.Entries {
		size += len(e.Entries[i].Body) + 256
	}
	r.mu.Lock()
	w := &r.waiting
	if len(w.batches)+len(w.signals) >= maxWaiting || w.bytes > 0 && w.bytes+size > maxWaitingBytes {
		r.mu.Unlock()
		r.dropped.Add(1)
		return
	}
	if e.Signal != nil {
		w.signals = append(w.signals, e.Signal)
	} else {
		w.batches = append(w.batches, e.Entries)
		w.bytes += size
	}
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// run sends what has gathered while the last messages went out.
func (r *Relay) run() {
	defer close(r.done)
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-r.o.Link.Restored():
			r.o.Bus.Deliver(bus.Event{Lost: true})
		case <-sweep.C:
			r.sweep()
		case <-r.wake:
			r.send(r.take())
		case <-r.quit:
			r.send(r.take())
			return
		}
	}
}

func (r *Relay) take() waiting {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.waiting
	r.waiting = waiting{}
	return w
}
