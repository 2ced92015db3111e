package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/ws"
	pb "github.com/skein-im/skein/proto/skein/v1"
	"github.com/skein-im/skein/test/history"
)

// revokeAnswer is how long a sign-out or a removal may take to be acknowledged
// while a node is cut off: the fence's lease, and a little.
const revokeAnswer = 6500 * time.Millisecond

// RevokeOptions say how often somebody is removed while a node is cut off.
type RevokeOptions struct {
	Seed   uint64
	Rounds int // of each kind of cut; 0 = 1
	// Each is how many devices are signed out, and how many members removed, a
	// round; 0 = 3.
	Each int
	// Hold is how long the cut lasts after the acknowledgement, and how long
	// everything is watched after it is healed; 0 = 4 s.
	Hold time.Duration
	// Few leaves out the cuts of one direction.
	Few bool
}

// revoke is one run.
type revoke struct {
	e   *Env
	o   RevokeOptions
	r   *Result
	s   *Spread
	l   *Load
	rng *rand.Rand

	mu              sync.Mutex // guards the rest, and r from now on
	n               int
	answers         latencies
	slowest         time.Duration
	after, attempts int64
}

// Revoke removes people while the node that they are connected to is cut off
// from the other nodes, or from the database, or both, in one direction or
// both: a device is signed out, a member is taken out of a group, each through
// another node. Once that is acknowledged, nothing that is committed later may
// reach the removed one, and nothing that it sends may be stored: not over the
// socket that it has, and not over new ones to any node.
func Revoke(ctx context.Context, e *Env, o RevokeOptions) (r *Result, err error) {
	o.Rounds, o.Each = max(o.Rounds, 1), max(o.Each, 1)
	if o.Hold == 0 {
		o.Hold = 4 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute+time.Duration(o.Rounds)*8*time.Minute)
	defer cancel()
	r = &Result{Proof: "sign-out and removal while a node is cut off", Engine: PostgreSQL.String(), Nodes: 3, Began: time.Now(),
		Command: fmt.Sprintf("go run ./test/chaos/run revoke --seed %d --rounds %d --each %d", o.Seed, o.Rounds, o.Each)}
	defer func() { r.Took = time.Since(r.Began) }()
	v := &revoke{e: e, o: o, r: r, rng: rand.New(rand.NewPCG(o.Seed, 2))}
	if v.s, err = e.StartSpread(ctx, o.Seed, "chaos"); err != nil {
		return r, err
	}
	defer v.s.Close()
	lo := spreadLoad(v.s, 5)
	lo.Pairs, lo.Groups, lo.Watchers, lo.Foreign, lo.CallTimeout = 5, 1, 2, "", 15*time.Second
	if v.l, err = StartLoad(ctx, lo); err != nil {
		return r, err
	}
	defer v.l.Close()
	w, c, rest, db, bad := v.s.Switch, v.s.Nodes[2:], v.s.Nodes[:2], []*Space{v.s.DB}, Link{Cut: true}
	cuts := []cut{
		{"the routes", func() { w.Both(c, rest, bad) }},
		{"the database", func() { w.Both(c, db, bad) }},
	}
	if !o.Few {
		cuts = append(cuts,
			cut{"the routes and the database", func() { w.Both(c, rest, bad); w.Both(c, db, bad) }},
			cut{"what the database says", func() { w.Set(db, c, bad) }},
			cut{"what the database hears", func() { w.Set(c, db, bad) }},
			cut{"what the others say", func() { w.Set(rest, c, bad) }},
			cut{"what the others hear", func() { w.Set(c, rest, bad) }})
	}
	for range o.Rounds {
		for _, c := range cuts {
			if err := v.round(ctx, c); err != nil {
				return r, fmt.Errorf("cut %s: %w", c.name, err)
			}
		}
	}
	r.Act("packets cut", w.Traffic().Cut)
	r.Act("messages sent after an acknowledgement to whom was removed", v.after)
	r.Act("attempts to connect and to send after it", v.attempts)
	p50, _ := v.answers.take(0.5)
	r.Measure("acknowledged p50", p50/1000, "s")
	r.Measure("acknowledged at most", v.slowest.Seconds(), "s")
	return r, conclude(ctx, e, r, v.s.Cluster, v.l)
}

// round removes some people during one cut.
func (v *revoke) round(ctx context.Context, c cut) error {
	ctx, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	var all []*removed
	for i := range 2 * v.o.Each {
		v.n++
		p := &removed{v: v, name: fmt.Sprintf("victim%d", v.n), group: fmt.Sprintf("rv%d", v.n), kick: i%2 == 1, heard: map[string]uint64{}, tried: map[history.ID]time.Time{}}
		p.token = v.l.o.App.tokenAged(p.name, time.Minute) // not the one of the user's other device
		if err := v.l.createGroup(ctx, p.group, "boss"+p.group, []string{p.name, "friend" + p.group}); err != nil {
			return err
		}
		all = append(all, p)
		wg.Add(2)
		go func() { defer wg.Done(); p.friend(ctx) }()
		go func() { defer wg.Done(); p.socket(ctx, v.s.Cluster.Nodes[2].URL()) }()
	}
	if !until(ctx, 20*time.Second, func() bool {
		for _, p := range all {
			if p.count() < 3 {
				return false
			}
		}
		return true
	}) {
		return errors.New("not everybody hears their friend, while all is well")
	}
	before := v.s.Switch.Traffic().Cut
	c.make()
	defer v.s.Switch.Heal()
	if err := pause(ctx, time.Duration(v.rng.Float64()*float64(2*time.Second))); err != nil {
		return err
	}
	errs := make(chan error)
	for _, p := range all {
		go func() { errs <- p.remove(ctx) }()
	}
	var err error
	for range all {
		err = errors.Join(err, <-errs)
	}
	if err != nil {
		return err
	}
	for _, p := range all {
		for _, n := range v.s.Cluster.Nodes {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for pause(ctx, 300*time.Millisecond) == nil {
					p.socket(ctx, n.URL())
				}
			}()
		}
	}
	if err := pause(ctx, v.o.Hold); err != nil {
		return err
	}
	v.s.Switch.Heal()
	if n := v.s.Switch.Traffic().Cut - before; n == 0 {
		v.r.Problem("cut %s: no packet was cut", c.name)
	}
	if err := pause(ctx, v.o.Hold); err != nil { // what was held up somewhere comes now
		return err
	}
	stop()
	wg.Wait()
	for _, p := range all {
		if err := p.judge(context.WithoutCancel(ctx), c.name); err != nil {
			return err
		}
	}
	v.e.Logf("cut %s: %d removed, acknowledged after at most %s; %d messages after it, %d attempts", c.name, len(all), v.slowest.Round(time.Millisecond), v.after, v.attempts)
	return nil
}

// removed is somebody who is removed, and all that they see and try.
type removed struct {
	v                  *revoke
	name, group, token string
	kick               bool // out of the group; else the device is signed out

	mu        sync.Mutex // guards the rest
	heard     map[string]uint64
	tried     map[history.ID]time.Time // own messages, by when they were sent
	welcomed  []time.Time              // when sockets were dialled that were let in
	dialled   []time.Time
	friends   []said
	acked     time.Time // the removal; zero before
	removedAt uint64    // the position of a kick
}

// said is a message of the friend.
type said struct {
	text  string
	began time.Time
}

func (p *removed) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.heard)
}

// friend writes to the group all the time, by way of the nodes that are not
// cut off.
func (p *removed) friend(ctx context.Context) {
	caller := p.v.l.caller("friend" + p.group)
	for n := 0; pause(ctx, 50*time.Millisecond) == nil; n++ {
		m, id := said{fmt.Sprintf("m %d of %s", n, p.group), time.Now()}, newID()
		for try := n; ctx.Err() == nil; try++ {
			if caller.Call(ctx, p.v.s.Cluster.Nodes[try%2].URL(), "MessageService/SendMessage", &pb.SendMessageRequest{Conversation: p.group, ClientId: id[:], Body: textBody(m.text)}, &pb.SendMessageResponse{}) == nil {
				p.mu.Lock()
				p.friends = append(p.friends, m)
				p.mu.Unlock()
				break
			}
			_ = pause(ctx, 20*time.Millisecond) // its end is seen above
		}
	}
}

// remove signs the device out, or takes the member out of the group, through
// the first node.
func (p *removed) remove(ctx context.Context) error {
	id, began := newID(), time.Now()
	var out pb.RemoveMemberResponse
	for {
		var err error
		if p.kick {
			err = p.v.l.caller("boss"+p.group).Call(ctx, p.v.s.Cluster.Nodes[0].URL(), "ConversationService/RemoveMember", &pb.RemoveMemberRequest{Conversation: p.group, User: p.name, ClientId: id[:]}, &out)
		} else {
			phone := p.v.l.caller(p.name)
			phone.Device = "phone"
			err = phone.Call(ctx, p.v.s.Cluster.Nodes[0].URL(), "DeviceService/SignOutDevice", &pb.SignOutDeviceRequest{Device: "tab"}, &pb.SignOutDeviceResponse{})
		}
		var e *im.Error
		if err == nil {
			break
		}
		if !errors.As(err, &e) || definitive(e.Code) || time.Since(began) > time.Minute {
			return fmt.Errorf("remove %s: %w", p.name, err)
		}
		_ = pause(ctx, 20*time.Millisecond) // ctx ends the call
	}
	took := time.Since(began)
	p.mu.Lock()
	p.acked, p.removedAt = time.Now(), out.GetEntry().GetSeq()
	p.mu.Unlock()
	p.v.mu.Lock()
	defer p.v.mu.Unlock()
	p.v.answers.add(took)
	p.v.slowest = max(p.v.slowest, took)
	if p.kick {
		p.v.r.add("members removed", 1)
	} else {
		p.v.r.add("devices signed out", 1)
	}
	if took > revokeAnswer {
		p.v.r.Problem("a removal was acknowledged after %s", took)
	}
	return nil
}

// socket is one connection of the removed one's device: it hears what it gets
// and sends all the time.
func (p *removed) socket(ctx context.Context, endpoint string) {
	began := time.Now()
	p.mu.Lock()
	p.dialled = append(p.dialled, began)
	p.mu.Unlock()
	dial, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := ws.Dial(dial, "ws"+strings.TrimPrefix(endpoint, "http")+"/v1/socket", ws.DialOptions{Subprotocols: []string{"skein.v1.proto"}, NetDial: p.v.s.Clients.Dial, Limits: ws.Limits{ReadLimit: 8 << 20}})
	if err != nil {
		return
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if stuff(conn, &pb.ClientFrame{Ref: 1, Frame: &pb.ClientFrame_Hello{Hello: &pb.Hello{Protocol: 1, App: p.v.l.o.App.ID, Token: p.token, Device: "tab",
		Platform: pb.Platform_PLATFORM_DESKTOP, Sdk: "chaos", Sync: &pb.SyncRequest{Entries: 200, Conversations: 100}}}}) != nil {
		return
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer conn.Close()
	for {
		_, raw, err := conn.ReadMessage()
		var packet pb.ServerPacket
		if err != nil || proto.Unmarshal(raw, &packet) != nil {
			return
		}
		for _, f := range packet.Frames {
			switch k := f.Frame.(type) {
			case *pb.ServerFrame_Welcome:
				p.mu.Lock()
				p.welcomed = append(p.welcomed, began)
				p.mu.Unlock()
				p.synced(k.Welcome.Sync)
				wg.Add(1)
				go func() { defer wg.Done(); p.send(ctx, conn) }()
			case *pb.ServerFrame_Sync:
				p.synced(k.Sync)
			case *pb.ServerFrame_Entry:
				p.hear(k.Entry)
			}
		}
	}
}

func (p *removed) synced(s *pb.SyncResponse) {
	for _, d := range s.GetConversations() {
		for _, e := range d.Entries {
			p.hear(e)
		}
	}
}

func (p *removed) hear(e *pb.Entry) {
	if e.Conversation != p.group {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard[e.GetBody().GetContent().GetText().GetText()] = e.Seq
}

// send tries to write to the group until the connection ends.
func (p *removed) send(ctx context.Context, conn *ws.Conn) {
	for ref := uint32(10); pause(ctx, 40*time.Millisecond) == nil; ref++ {
		id := newID()
		p.mu.Lock()
		p.tried[id] = time.Now()
		p.mu.Unlock()
		if stuff(conn, &pb.ClientFrame{Ref: ref, Frame: &pb.ClientFrame_Send{Send: &pb.SendMessageRequest{Conversation: p.group, ClientId: id[:], Body: textBody("of " + p.name)}}}) != nil {
			return
		}
	}
}

// judge compares what was seen and stored with the acknowledgement.
func (p *removed) judge(ctx context.Context, cut string) error {
	stored, err := p.stored(ctx)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.v.mu.Lock()
	defer p.v.mu.Unlock()
	r, what := p.v.r, fmt.Sprintf("cut %s, %s (kick %v)", cut, p.name, p.kick)
	after, attempts := 0, 0
	for _, m := range p.friends {
		if m.began.After(p.acked) {
			after++
			if seq, ok := p.heard[m.text]; ok {
				r.Problem("%s: got %q (%d), which was sent %s after the acknowledgement", what, m.text, seq, m.began.Sub(p.acked))
			}
		}
	}
	for _, at := range p.dialled {
		if at.After(p.acked) {
			attempts++
		}
	}
	for id, at := range p.tried {
		seq, ok := stored[id]
		if at.After(p.acked) {
			attempts++
			if ok {
				r.Problem("%s: a message that was sent %s after the acknowledgement is stored at %d", what, at.Sub(p.acked), seq)
			}
		}
		if p.kick && ok && seq > p.removedAt {
			r.Problem("%s: a message is stored at %d, behind the removal at %d", what, seq, p.removedAt)
		}
	}
	for text, seq := range p.heard {
		if p.kick && seq > p.removedAt {
			r.Problem("%s: got %q at %d, behind the removal at %d", what, text, seq, p.removedAt)
		}
	}
	for _, at := range p.welcomed {
		if !p.kick && at.After(p.acked) {
			r.Problem("%s: was let in %s after the acknowledgement", what, at.Sub(p.acked))
		}
	}
	if after == 0 || attempts == 0 {
		r.Problem("%s: %d messages and %d attempts after the acknowledgement prove nothing", what, after, attempts)
	}
	p.v.after += int64(after)
	p.v.attempts += int64(attempts)
	return nil
}

// stored reads the group to its end and returns the removed one's messages.
func (p *removed) stored(ctx context.Context) (map[history.ID]uint64, error) {
	own, boss := map[history.ID]uint64{}, p.v.l.caller("boss"+p.group)
	for after := uint64(0); ; {
		var page pb.ListMessagesResponse
		err := p.v.l.insist(ctx, func(base string) error {
			page.Reset()
			return boss.Call(ctx, base, "MessageService/ListMessages", pageAfter(p.group, uint32(after)), &page)
		})
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", p.group, err)
		}
		for _, it := range page.Items {
			if it.Entry.Sender == p.name {
				own[history.ID(it.Entry.ClientId)] = it.Entry.Seq
			}
		}
		if page.AtEnd || page.ToSeq <= after {
			return own, nil
		}
		after = page.ToSeq
	}
}
