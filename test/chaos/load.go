package chaos

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skein-im/skein/internal/im"
	pb "github.com/skein-im/skein/proto/skein/v1"
	"github.com/skein-im/skein/test/history"
)

// LoadOptions say who writes to whom.
type LoadOptions struct {
	// Endpoints are the nodes as http://host:port; a device takes the next one
	// when it loses its connection.
	Endpoints []string
	App       *App
	// Foreign is the id of another app that is used at the same time; nothing
	// that carries its mark may ever be delivered.
	Foreign string

	// Pairs are direct conversations, in each of which both users send.
	Pairs int
	// Groups of GroupSize users, of whom GroupSenders send.
	Groups, GroupSize, GroupSenders int
	// Churn lets the owner of each group take one member out and in again all
	// the time; that member sends as well, and is refused while outside.
	Churn bool
	// Watchers are users of pairs and groups who have a second device of the
	// Go SDK, which goes offline and comes back all the time, and now and then
	// sends; every other one reads everything it gets.
	Watchers int
	// Verbs are groups whose owners do everything else that can be done to
	// messages and groups.
	Verbs int
	// Window is how many messages a sender has in flight.
	Window int
	// Rate bounds the messages a second of one sender; 0 = as the window allows.
	Rate float64
	// Text is how long a message is at least, in bytes.
	Text int
	// hosts are groups that are there, whose owners write to them.
	hosts []*conv
	// Reads lets every receiver move its read marker.
	Reads bool
	// AckTimeout is after how long a message without an answer is sent again
	// on the same connection; 0 = 2 s.
	AckTimeout time.Duration
	// Dial replaces the net.Dialer of raw devices; nil dials directly.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// DialAll uses Dial for calls and for the SDK's devices too.
	DialAll bool
	// CallTimeout bounds a call, before the next node is asked; 0 = 30 s.
	CallTimeout time.Duration
}

// Load is users who write to each other and note everything. Start it, do
// harm, Finish it.
type Load struct {
	H *history.History
	o LoadOptions

	http     *http.Client
	devices  []*Device
	watchers []*watcher
	verbs    []*verbs
	convs    []*conv
	stop     context.CancelFunc
	quiet    atomic.Bool // no new messages
	wg       sync.WaitGroup

	acked, sent, refused, repaired, redialed, internal atomic.Int64
	lastAck                                            atomic.Int64
	codes                                              [64]atomic.Int64 // answers, by error code
	busy                                               atomic.Int64     // churns and watchers that run
	latency, delivery                                  latencies        // send to ack; send to the other's device
	oddities                                           oddities
	heads                                              []atomic.Uint32 // by conversation: highest position acknowledged
}

// conv is one conversation of the load.
type conv struct {
	id     string
	no     uint32
	first  []uint32
	reader string // a user who may read it from 1 on
	churn  string // who is taken out and in
}

// oddities keeps the first few things that should not have happened and break
// no invariant by themselves.
type oddities struct {
	mu   sync.Mutex
	list []string
	n    int
}

func (o *oddities) add(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.n++; len(o.list) < 20 {
		o.list = append(o.list, fmt.Sprintf(format, args...))
	}
}

// StartLoad makes the groups, connects everybody and starts to send. The nodes
// must be up; from then on they may fail.
func StartLoad(ctx context.Context, o LoadOptions) (*Load, error) {
	o.Window = max(o.Window, 1)
	if o.AckTimeout == 0 {
		o.AckTimeout = 2 * time.Second
	}
	ctx, stop := context.WithCancel(ctx)
	call := o.Dial
	if call == nil || !o.DialAll {
		call = (&net.Dialer{Timeout: 5 * time.Second}).DialContext
	}
	l := &Load{H: history.New(o.App.ID), o: o, stop: stop, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DialContext: call}}}
	if err := l.people(ctx); err != nil {
		l.Close()
		return nil, err
	}
	l.heads = make([]atomic.Uint32, len(l.convs))
	for _, d := range l.devices {
		l.wg.Add(1)
		go func() { defer l.wg.Done(); d.run(ctx) }()
	}
	for _, w := range l.watchers {
		l.wg.Add(1)
		l.busy.Add(1)
		go func() { defer l.wg.Done(); defer l.busy.Add(-1); w.run(ctx) }()
	}
	for _, v := range l.verbs {
		l.wg.Add(1)
		l.busy.Add(1)
		go func() { defer l.wg.Done(); defer l.busy.Add(-1); v.run(ctx) }()
	}
	for _, c := range l.convs {
		if c.churn != "" {
			l.wg.Add(1)
			l.busy.Add(1)
			go func() { defer l.wg.Done(); defer l.busy.Add(-1); l.churn(ctx, c) }()
		}
	}
	return l, nil
}

// people makes users, groups and devices.
func (l *Load) people(ctx context.Context) error {
	for i := range l.o.Pairs {
		a, b := fmt.Sprintf("p%05da", i), fmt.Sprintf("p%05db", i)
		c := l.conv(string(im.Direct(im.UserID(a), im.UserID(b))), a)
		c.first = []uint32{l.H.User(a), l.H.User(b)}
		for _, u := range []string{a, b} {
			l.device(u, []*conv{c})
		}
	}
	for i := range l.o.Groups {
		id := fmt.Sprintf("g%04d", i)
		owner := fmt.Sprintf("%s-u0", id)
		var others []string
		for j := 1; j < l.o.GroupSize; j++ {
			others = append(others, fmt.Sprintf("%s-u%d", id, j))
		}
		if err := l.createGroup(ctx, id, owner, others); err != nil {
			return err
		}
		c := l.conv(id, owner)
		for j, u := range append([]string{owner}, others...) {
			var to []*conv
			if j < l.o.GroupSenders {
				to = []*conv{c}
			}
			if l.o.Churn && j == len(others) && j > 0 {
				c.churn, to = u, []*conv{c}
			}
			l.device(u, to)
		}
	}
	for _, h := range l.o.hosts {
		l.device(h.reader, []*conv{l.conv(h.id, h.reader)})
	}
	for i := range l.o.Verbs {
		v, err := newVerbs(ctx, l, i)
		if err != nil {
			return err
		}
		l.verbs = append(l.verbs, v)
	}
	for i := range min(l.o.Watchers, len(l.devices)) {
		d := l.devices[i*len(l.devices)/l.o.Watchers]
		l.watchers = append(l.watchers, newWatcher(l, d.user, i))
	}
	return nil
}

func (l *Load) conv(id, reader string) *conv {
	c := &conv{id: id, no: l.H.Conv(id), reader: reader}
	l.convs = append(l.convs, c)
	return c
}

func (l *Load) device(user string, to []*conv) *Device {
	d := newDevice(l, user, "raw", to)
	d.reads = l.o.Reads && len(l.devices)%2 == 1
	l.devices = append(l.devices, d)
	return d
}

// caller makes calls for a user.
func (l *Load) caller(user string) *Caller {
	return &Caller{HTTP: l.http, App: l.o.App, Token: l.o.App.Token(user), Timeout: l.o.CallTimeout}
}

// insist makes a call until it has a definitive answer; the endpoints take
// turns. The error is definitive or ctx's.
func (l *Load) insist(ctx context.Context, try func(base string) error) error {
	for n := 0; ; n++ {
		err := try(l.o.Endpoints[n%len(l.o.Endpoints)])
		var e *im.Error
		if err == nil || errors.As(err, &e) && definitive(e.Code) {
			return err
		}
		if e == nil {
			l.oddities.add("a call: %v", err)
		} else if e.Code == im.Internal {
			l.internal.Add(1)
			l.oddities.add("a call: %v", err)
		}
		if err := pause(ctx, between(20*time.Millisecond, 200*time.Millisecond)); err != nil {
			return err
		}
	}
}

func newID() history.ID {
	id, err := im.NewClientID(time.Now(), im.SystemEntropy())
	if err != nil {
		panic(err) // the kernel has no random bytes
	}
	return history.ID(id)
}

func (l *Load) createGroup(ctx context.Context, id, owner string, others []string) error {
	cid := newID()
	c := l.caller(owner)
	err := l.insist(ctx, func(base string) error {
		return c.Call(ctx, base, "ConversationService/CreateGroup", &pb.CreateGroupRequest{Id: id, Title: id, Members: others, ClientId: cid[:]}, &pb.CreateGroupResponse{})
	})
	if err != nil {
		return fmt.Errorf("make the group %s: %w", id, err)
	}
	return nil
}

// churn takes one member out and in again until the load is quiet.
func (l *Load) churn(ctx context.Context, c *conv) {
	hc := l.H.Client(c.reader, "admin")
	hc.Ended = true // it looks at nothing
	caller := l.caller(c.reader)
	for in := true; !l.quiet.Load() || !in; in = !in {
		id := newID()
		change := pb.MembersChange{Removed: []string{c.churn}}
		if !in {
			change = pb.MembersChange{Added: []string{c.churn}}
		}
		op := hc.Invoke(c.no, history.Members, id, hashMembers(&change))
		var entry *pb.Entry
		first := true
		err := l.insist(ctx, func(base string) error {
			if !first {
				hc.Again(op)
			}
			first = false
			if in {
				var r pb.RemoveMemberResponse
				err := caller.Call(ctx, base, "ConversationService/RemoveMember", &pb.RemoveMemberRequest{Conversation: c.id, User: c.churn, ClientId: id[:]}, &r)
				entry = r.Entry
				return err
			}
			var r pb.AddMembersResponse
			err := caller.Call(ctx, base, "ConversationService/AddMembers", &pb.AddMembersRequest{Conversation: c.id, Users: []string{c.churn}, ClientId: id[:]}, &r)
			entry = r.Entry
			return err
		})
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			hc.Fail(op)
			l.oddities.add("a change of members: %v", err)
		case entry == nil:
			l.oddities.add("a change of members by its only admin changed nothing")
		default:
			l.note(hc.Ack(op, uint32(entry.Seq), uint32(entry.Ord)))
			l.reached(c.no, uint32(entry.Seq))
		}
		if pause(ctx, between(50*time.Millisecond, 400*time.Millisecond)) != nil {
			return
		}
	}
}

// note keeps what a recorder complained of; the checker finds it too.
func (l *Load) note(err error) {
	if err != nil {
		l.oddities.add("%v", err)
	}
}

// reached notes a position that was acknowledged.
func (l *Load) reached(conv, seq uint32) {
	if l.heads == nil {
		return
	}
	for {
		was := l.heads[conv].Load()
		if seq <= was || l.heads[conv].CompareAndSwap(was, seq) {
			return
		}
	}
}

// Acked is how many messages of raw devices were acknowledged so far.
func (l *Load) Acked() int64 { return l.acked.Load() }

// SinceAck is how long ago the last acknowledgement came.
func (l *Load) SinceAck() time.Duration {
	return time.Duration(l.H.Now() - l.lastAck.Load())
}

// WaitAcked waits until so many messages were acknowledged.
func (l *Load) WaitAcked(ctx context.Context, n int64, limit time.Duration) error {
	if !until(ctx, limit, func() bool { return l.Acked() >= n }) {
		return fmt.Errorf("%d messages were acknowledged within %s, not %d (%s)", l.Acked(), limit, n, l.Stats())
	}
	return nil
}

// Stats are counters for a log.
func (l *Load) Stats() string {
	l.oddities.mu.Lock()
	defer l.oddities.mu.Unlock()
	return fmt.Sprintf("%d sent, %d acknowledged, %d refused for now, %d reconnects, %d holes filled, %d odd %q",
		l.sent.Load(), l.acked.Load(), l.refused.Load(), l.redialed.Load(), l.repaired.Load(), l.oddities.n, l.oddities.list)
}

// Refused is how many answers asked to try again (full disk, overload).
func (l *Load) Refused() int64 { return l.refused.Load() }

// answers counts the answers to messages and hellos that carried a code.
func (l *Load) answers(c im.Code) int64 { return l.codes[int(c)%len(l.codes)].Load() }

// Quiet stops new messages; what is under way goes on until it is answered.
func (l *Load) Quiet() { l.quiet.Store(true) }

// Close ends everything at once.
func (l *Load) Close() {
	l.stop()
	l.wg.Wait()
	l.http.CloseIdleConnections()
}
