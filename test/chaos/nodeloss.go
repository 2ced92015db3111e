package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	pb "github.com/skein-im/skein/proto/skein/v1"
	skein "github.com/skein-im/skein/sdk/go"
	"github.com/skein-im/skein/test/cluster"
)

// What node loss may cost.
const (
	lossBack  = 10 * time.Second // p99 until a user of the lost node is back and current
	lossOther = time.Second      // p99 from send to delivery for everybody else meanwhile
)

// lossGroups is how many groups every watched user is in: conversations of
// several shards.
const lossGroups = 4

// LossOptions say how often a node is lost, and who notices.
type LossOptions struct {
	// Kills and Freezes are how many times a node is ended by SIGKILL, and
	// stopped by SIGSTOP for Frozen (0 = 20 s).
	Kills, Freezes int
	Frozen         time.Duration
	// Watch is how long the others are watched after a loss; 0 = 10 s.
	Watch time.Duration
	// Users are clients of the Go SDK behind a balancer, with the SDK's own
	// back-off; 0 = 60.
	Users int
	// Rate is of the raw senders beside them; 0 = 10 a second.
	Rate float64
}

// loss is one run.
type loss struct {
	e      *Env
	o      LossOptions
	r      *Result
	c      *Cluster
	l      *Load
	users  []*lossUser
	out    atomic.Int32 // the node that is away; -1 = none
	beacon atomic.Int64 // sent and acknowledged

	back, raw, frozen, others, calm []time.Duration
}

// lossUser is one client of the SDK, and what it has heard.
type lossUser struct {
	name string
	c    *skein.Client

	mu    sync.Mutex           // guards the rest
	left  time.Time            // when it was last not online
	first map[string]time.Time // by group: when it heard the first message that was sent after the loss
	since time.Time            // the loss
	took  []lossDelivery
}

// lossDelivery is one message that reached one user.
type lossDelivery struct{ sent, came time.Time }

// NodeLoss takes one node of three away, by SIGKILL or frozen, under load, and
// measures two things: when each of its users is back, which means online and
// with a message in every conversation that was sent after the loss; and how
// long messages take meanwhile to reach the users of the other nodes.
func NodeLoss(ctx context.Context, e *Env, o LossOptions) (r *Result, err error) {
	o.Users, o.Kills = max(o.Users, 6), max(o.Kills, 1)
	if o.Frozen == 0 {
		o.Frozen = 20 * time.Second
	}
	if o.Watch == 0 {
		o.Watch = lossBack
	}
	if o.Rate == 0 {
		o.Rate = 10
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute+time.Duration(o.Kills)*time.Minute+time.Duration(o.Freezes)*(time.Minute+o.Frozen))
	defer cancel()
	r = &Result{Proof: "loss of one node of three", Engine: PostgreSQL.String(), Nodes: 3, Began: time.Now(),
		Command: fmt.Sprintf("go run ./test/chaos/run nodeloss --kills %d --freezes %d --users %d", o.Kills, o.Freezes, o.Users)}
	defer func() { r.Took = time.Since(r.Began) }()
	f := &loss{e: e, o: o, r: r}
	f.out.Store(-1)
	if f.c, err = e.StartCluster(ctx, ClusterOptions{Engine: PostgreSQL, Nodes: 3}); err != nil {
		return r, err
	}
	defer f.c.Close()
	var backends []cluster.Backend
	for i, n := range f.c.Nodes {
		backends = append(backends, cluster.Backend{Name: fmt.Sprintf("node %d", i+1), Addr: n.Addr(), Ready: n.URL() + "/healthz"})
	}
	b, err := cluster.Balance("127.0.0.1:0", cluster.BalancerOptions{Backends: backends})
	if err != nil {
		return r, err
	}
	defer b.Close()
	f.l, err = StartLoad(ctx, LoadOptions{Endpoints: f.c.Endpoints(), App: f.c.App(), Pairs: 20, Groups: 2, GroupSize: 8, GroupSenders: 2,
		Churn: true, Watchers: 4, Window: 4, Rate: o.Rate, Reads: true})
	if err != nil {
		return r, err
	}
	defer f.l.Close()
	if err := f.gather(ctx, "http://"+b.Addr()); err != nil {
		return r, err
	}
	defer f.close()
	stop := f.beacons(ctx)
	defer stop()
	for i := range o.Kills + o.Freezes {
		if err := f.lose(ctx, i%3, i >= o.Kills); err != nil {
			return r, err
		}
	}
	stop()
	f.conclude()
	return r, conclude(ctx, e, r, f.c, f.l)
}

// gather connects the users and makes their groups.
func (f *loss) gather(ctx context.Context, endpoint string) error {
	var names []string
	for i := range f.o.Users {
		names = append(names, fmt.Sprintf("loss%03d", i))
	}
	for g := range lossGroups {
		if err := f.l.createGroup(ctx, fmt.Sprint("beacons", g), "beacon", names); err != nil {
			return err
		}
	}
	for _, name := range names {
		u := &lossUser{name: name, first: map[string]time.Time{}}
		var err error
		u.c, err = skein.New(skein.Options{Endpoint: endpoint, AppID: f.l.o.App.ID, User: name, DeviceID: "loss", HTTPClient: f.l.http,
			Token: func(context.Context) (string, error) { return f.l.o.App.Token(name), nil }})
		if err != nil {
			return err
		}
		f.users = append(f.users, u)
		u.c.OnMessage(func(e skein.MessageEvent) { u.heard(e.Message) })
		u.c.OnState(func(e skein.StateEvent) {
			if e.State != skein.Online {
				u.mu.Lock()
				u.left = time.Now()
				u.mu.Unlock()
			}
		})
	}
	return f.l.each(len(f.users), func(i int) error { return f.users[i].c.Connect(ctx) })
}

func (f *loss) close() {
	for _, u := range f.users {
		u.c.Close()
	}
}

// heard notes a beacon, whose text is the time when it was sent.
func (u *lossUser) heard(m skein.Message) {
	var nano int64
	if _, err := fmt.Sscanf(m.Text, "beacon %d", &nano); err != nil {
		return
	}
	d := lossDelivery{time.Unix(0, nano), time.Now()}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.took = append(u.took, d)
	if !u.since.IsZero() && d.sent.After(u.since) && u.first[m.Conversation].IsZero() {
		u.first[m.Conversation] = d.came
	}
}

// beacons sends to every group five times a second, by way of the nodes that
// are there.
func (f *loss) beacons(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for g := range lossGroups {
		wg.Add(1)
		go func() {
			defer wg.Done()
			caller := f.l.caller("beacon")
			for n := g; pause(ctx, 200*time.Millisecond) == nil; n++ {
				id := newID()
				body := textBody(fmt.Sprint("beacon ", time.Now().UnixNano()))
				for try := n; ctx.Err() == nil; try++ {
					at := try % len(f.c.Nodes)
					if int32(at) == f.out.Load() {
						continue
					}
					if caller.Call(ctx, f.c.Nodes[at].URL(), "MessageService/SendMessage", &pb.SendMessageRequest{Conversation: fmt.Sprint("beacons", g), ClientId: id[:], Body: body}, &pb.SendMessageResponse{}) == nil {
						f.beacon.Add(1)
						break
					}
					_ = pause(ctx, 20*time.Millisecond) // its end is seen above
				}
			}
		}()
	}
	return func() { cancel(); wg.Wait() }
}

// lose takes one node away and brings it back.
func (f *loss) lose(ctx context.Context, victim int, freeze bool) error {
	if err := f.quietly(ctx); err != nil {
		return err
	}
	n := f.c.Nodes[victim]
	here, elsewhere := f.split(n.URL())
	sent := f.beacon.Load()
	f.out.Store(int32(victim)) // the beacons' back end is a user of the other nodes
	began := time.Now()
	for _, u := range f.users {
		u.mu.Lock()
		u.since, u.took = began, nil
		clear(u.first)
		u.mu.Unlock()
	}
	if freeze {
		if err := n.Signal(syscall.SIGSTOP); err != nil {
			return err
		}
		defer n.Signal(syscall.SIGCONT) // whatever happens
	} else if !n.Kill() {
		return fmt.Errorf("a node had ended by itself:\n%s", n.LogTail(2000))
	}
	var wg sync.WaitGroup
	if !freeze { // a raw device that only listens takes half a minute to notice silence
		wg.Add(1)
		go func() { defer wg.Done(); f.rawBack(ctx, here, began) }()
	}
	until(ctx, 3*lossBack, func() bool { return time.Since(began) > f.o.Watch && len(f.away()) == 0 })
	wg.Wait()
	lost := f.judge(began, freeze)
	for _, d := range elsewhere {
		if d.session != d.d.sessions() && !freeze { // a frozen node may hold what others wait for
			f.r.Problem("a device of another node lost its connection when a node was killed")
		}
	}
	f.e.Logf("lost node %d (frozen %v): %d users of the SDK and %d raw devices lost their connection; %d messages sent meanwhile", victim, freeze, lost, len(here), f.beacon.Load()-sent)
	name := "kills"
	if freeze {
		name = "freezes"
		if err := pause(ctx, time.Until(began.Add(f.o.Frozen))); err != nil {
			return err
		}
		if err := n.Signal(syscall.SIGCONT); err != nil {
			return err
		}
	} else if err := n.Start(ctx); err != nil {
		return err
	}
	f.r.add(name, 1)
	f.r.add("users of lost nodes", int64(lost))
	f.r.add("raw devices of lost nodes", int64(len(here)))
	f.out.Store(-1)
	return nil
}

// add sums up harm of several rounds.
func (r *Result) add(name string, n int64) {
	for i := range r.Acted {
		if r.Acted[i].Name == name {
			r.Acted[i].Value += float64(n)
			return
		}
	}
	r.Act(name, n)
}

// quietly waits until everybody is online and the last message is there, and
// notes what messages take while nothing is wrong.
func (f *loss) quietly(ctx context.Context) error {
	begin := time.Now()
	for _, u := range f.users {
		u.mu.Lock()
		u.since, u.took = begin, nil
		clear(u.first)
		u.mu.Unlock()
	}
	if !until(ctx, time.Minute, func() bool { return time.Since(begin) > 2*time.Second && len(f.away()) == 0 }) {
		return fmt.Errorf("%v are not online and current a minute after all nodes are there", f.away())
	}
	for _, u := range f.users {
		u.mu.Lock()
		for _, d := range u.took {
			f.calm = append(f.calm, d.came.Sub(d.sent))
		}
		u.mu.Unlock()
	}
	return nil
}

// away are the users that are not back: not online, or without a message that
// was sent after the loss in one of the groups.
func (f *loss) away() (names []string) {
	for _, u := range f.users {
		u.mu.Lock()
		n := len(u.first)
		u.mu.Unlock()
		if u.c.State() != skein.Online || n < lossGroups {
			names = append(names, u.name)
		}
	}
	return names
}

// judge tells what the loss was to each user.
func (f *loss) judge(began time.Time, freeze bool) (lost int) {
	for _, u := range f.users {
		u.mu.Lock()
		gone, last := u.left.After(began), began
		for _, at := range u.first {
			if at.After(last) {
				last = at
			}
		}
		complete, took := len(u.first) == lossGroups, u.took
		u.mu.Unlock()
		switch {
		case !complete:
			f.r.Problem("%s was not back %s after the loss", u.name, 3*lossBack)
		case gone && freeze:
			f.frozen = append(f.frozen, last.Sub(began))
		case gone:
			f.back = append(f.back, last.Sub(began))
		default:
			for _, d := range took {
				if d.sent.After(began) && d.sent.Before(began.Add(f.o.Watch)) {
					f.others = append(f.others, d.came.Sub(d.sent))
				}
			}
		}
		if gone {
			lost++
		}
	}
	return lost
}

// lossDevice is a raw device and the connection that it had.
type lossDevice struct {
	d       *Device
	session int
}

// split sorts the raw devices by whether they are connected to a node.
func (f *loss) split(endpoint string) (here, elsewhere []lossDevice) {
	for _, d := range f.l.devices {
		d.mu.Lock()
		one, at, ready := lossDevice{d, d.sessionNo}, d.endpoint, d.ready
		d.mu.Unlock()
		switch {
		case ready && at == endpoint:
			here = append(here, one)
		case ready:
			elsewhere = append(elsewhere, one)
		}
	}
	return here, elsewhere
}

// sessions is how many connections the device has begun.
func (d *Device) sessions() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sessionNo
}

// rawBack measures when each raw device has a connection again whose sync is
// complete.
func (f *loss) rawBack(ctx context.Context, here []lossDevice, began time.Time) {
	took := make([]time.Duration, len(here))
	until(ctx, 3*lossBack, func() bool {
		all := true
		for i, one := range here {
			one.d.mu.Lock()
			if took[i] == 0 && one.d.sessionNo > one.session && one.d.ready {
				took[i] = time.Since(began)
			}
			one.d.mu.Unlock()
			all = all && took[i] > 0
		}
		return all
	})
	for i, t := range took {
		if t == 0 {
			f.r.Problem("the raw device of %s was not back %s after the loss", here[i].d.user, 3*lossBack)
		}
	}
	f.raw = append(f.raw, took...)
}

// conclude holds the figures against the limits.
func (f *loss) conclude() {
	f.r.Act("messages sent by way of the other nodes", f.beacon.Load())
	for _, m := range []struct {
		what  string
		list  []time.Duration
		limit time.Duration
	}{{"send to delivery while nothing was lost", f.calm, 0}, {"users back and current after a kill", f.back, lossBack},
		{"users back and current after a freeze", f.frozen, lossBack}, {"raw devices back after a kill", f.raw, lossBack},
		{"send to delivery for the others after a loss", f.others, lossOther}} {
		if len(m.list) == 0 {
			continue
		}
		slices.Sort(m.list)
		p99 := m.list[len(m.list)*99/100]
		f.r.Measure(m.what+" p99", ms(p99), fmt.Sprintf("ms (p50 %.0f, at most %.0f, of %d)", ms(m.list[len(m.list)/2]), ms(m.list[len(m.list)-1]), len(m.list)))
		if m.limit > 0 && p99 > m.limit {
			f.r.Problem("%s: p99 is %s, more than %s", m.what, p99, m.limit)
		}
	}
	if err := errors.Join(need("users of a killed node", f.back), need("deliveries to others", f.others)); err != nil {
		f.r.Problem("%v", err)
	}
}

func need(what string, list []time.Duration) error {
	if len(list) == 0 {
		return fmt.Errorf("there were no %s", what)
	}
	return nil
}
