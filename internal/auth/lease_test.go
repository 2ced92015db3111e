package auth

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/skein-im/skein/internal/im"
)

// byHand is a node whose machine the test turns: one that does not turn is
// frozen.
type byHand struct {
	a       *Auth
	s       leaseState
	applied []Fence
}

func (w *world) byHand(a *Auth) *byHand {
	h := &byHand{a: a, s: leaseState{lease: a.lease, applied: must(a.currentFence(w.ctx))(w.t)}}
	h.turn(w.ctx)
	return h
}

// turn lets the node go on until it has nothing to do.
func (h *byHand) turn(ctx context.Context) {
	var effects []any
	for next := any(leaseWake{}); ; {
		h.s, effects = h.s.step(next, h.a.clock.Now())
		for _, e := range effects {
			if _, ok := e.(leaseSleep); ok {
				return
			}
			next = h.a.carry(ctx, e, func(f Fence) { h.applied = append(h.applied, f) })
		}
	}
}

func TestASignOutWaitsForEveryNodeThatLives(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.run(w.open(func(o *Options) { o.Lease = time.Minute }))
		other := w.byHand(w.open(func(o *Options) { o.Lease = time.Minute }))
		s := w.mustSignIn(other.a, w.token("ann"), "phone", 0)
		done := make(chan error, 1)
		go func() { done <- a.SignOutDevice(w.ctx, s.Actor, "phone") }()
		w.nextFence(FenceDevice)               // this node has closed its sessions
		for must(a.behind(w.ctx, 1))(t) != 1 { // until it has said so
			runtime.Gosched()
		}
		select {
		case err := <-done:
			t.Fatalf("acknowledged (%v) while the other node still serves", err)
		default:
		}
		other.turn(w.ctx)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if len(other.applied) != 1 || !other.applied[0].Ends(s) {
			t.Errorf("the other node has applied %+v", other.applied)
		}
		wantCode(t, "on the other node", other.a.Confirm(s), im.SignedOut)
	})
}

func TestAFrozenNodeStopsServingBeforeItsSignOutIsAcknowledged(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		frozen := w.byHand(w.open(func(o *Options) { o.Lease = 400 * time.Millisecond }))
		s, err := w.signIn(frozen.a, w.token("ann"), "phone", 0)
		for im.CodeOf(err) == im.Unavailable && w.ctx.Err() == nil { // a busy machine: the lease is short
			frozen.turn(w.ctx)
			s, err = w.signIn(frozen.a, w.token("ann"), "phone", 0)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := a.SignOutDevice(w.ctx, s.Actor, "phone"); err != nil {
			t.Fatal(err)
		}
		if frozen.a.Valid() {
			t.Fatal("acknowledged while the frozen node may still deliver")
		}
		wantCode(t, "the frozen node", frozen.a.Confirm(s), im.Unavailable)
		_, err = w.signIn(frozen.a, w.token("ann"), "phone", 0)
		wantCode(t, "a hello on the frozen node", err, im.Unavailable)
		frozen.turn(w.ctx) // thawed: first the fence, then the lease
		if len(frozen.applied) != 1 || !frozen.applied[0].Ends(s) || frozen.a.known.good(s) {
			t.Fatalf("thawed: applied %+v", frozen.applied)
		}
	})
}

// Between the look at the log and the renewal a fence commits: the renewal has
// to fail, or the node would serve on without it.
func TestALeaseIsNotRenewedPastAFenceThatWasNotApplied(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		node := w.open(func(o *Options) { o.Lease = time.Minute })
		if ok := must(node.renewLease(w.ctx, 0))(t); !ok {
			t.Fatal("not renewed with nothing to apply")
		}
		w.unconfirmed(func(ctx context.Context) error { return w.auth.SuspendApp(ctx, "shop") })
		if ok := must(node.renewLease(w.ctx, 0))(t); ok {
			t.Fatal("renewed without having applied the fence")
		}
		if ok := must(node.renewLease(w.ctx, 1))(t); !ok {
			t.Fatal("not renewed after the fence was applied")
		}
	})
}

func TestASignOutOnASingleNodeIsFast(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		best := time.Hour // of five, because the machine may be busy
		for i := range 5 {
			d := im.DeviceID(fmt.Sprint("d", i))
			s := w.mustSignIn(a, w.token("ann"), d, 0)
			start := time.Now()
			if err := a.SignOutDevice(w.ctx, s.Actor, d); err != nil {
				t.Fatal(err)
			}
			best = min(best, time.Since(start))
		}
		if t.Logf("the fastest took %v", best); best > time.Second {
			t.Error("that is more than a second")
		}
	})
}

func TestANodeThatStopsIsNotWaitedFor(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		s := w.mustSignIn(a, w.token("ann"), "phone", 0)
		ctx, cancel := context.WithCancel(w.ctx)
		stopped := make(chan error, 1)
		other := w.open(func(o *Options) { o.Lease = time.Hour })
		go func() { stopped <- other.Run(ctx, nil) }()
		if err := other.WaitValid(w.ctx); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := <-stopped; err != nil {
			t.Fatal(err)
		}
		if other.Valid() {
			t.Error("it may still serve")
		}
		if err := a.SignOutDevice(w.ctx, s.Actor, "phone"); err != nil { // would wait for an hour
			t.Fatal(err)
		}
	})
}

func TestANameTakesTheLeaseOfTheDeadProcessOver(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		name := func(o *Options) { o.Node, o.Lease = "one", time.Hour }
		crashed := w.byHand(w.open(name))
		s := w.mustSignIn(crashed.a, w.token("ann"), "phone", 0)
		a := w.run(w.open(name))
		if err := a.SignOutDevice(w.ctx, s.Actor, "phone"); err != nil { // would wait for an hour
			t.Fatal(err)
		}
		if _, err := crashed.a.renewLease(w.ctx, must(a.currentFence(w.ctx))(t)); err == nil {
			t.Error("the earlier process got its lease back under the later one's name")
		}
	})
}

func TestANodeThatMissedTooManyFencesEndsAllSessions(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		behind := w.byHand(w.open(nil))
		s := w.mustSignIn(behind.a, w.token("ann"), "phone", 0)
		for range 2 {
			w.unconfirmed(func(ctx context.Context) error {
				_, err := a.UpdateApp(ctx, server(), AppUpdate{LoginPolicy: PolicyNone})
				return err
			})
		}
		if err := w.db.Write(w.ctx, deleteFirstFence); err != nil {
			t.Fatal(err)
		}
		behind.turn(w.ctx)
		if len(behind.applied) != 1 || behind.applied[0].Kind != FenceAll || !behind.applied[0].Ends(s) {
			t.Fatalf("applied %+v", behind.applied)
		}
		w.mustSignIn(behind.a, w.token("ann"), "phone", 0)
	})
}

func TestOldFencesAndLeasesAreCleared(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.byHand(w.open(func(o *Options) { o.Lease = time.Millisecond }))
		if err := w.auth.clean(w.ctx); err != nil {
			t.Fatal(err)
		}
		if err := w.db.Write(w.ctx, makeOld); err != nil {
			t.Fatal(err)
		}
		if err := w.auth.clean(w.ctx); err != nil {
			t.Fatal(err)
		}
		if n := must(countLeases(w))(t); n != 0 {
			t.Errorf("%d leases are left", n)
		}
		if list := must(w.auth.fencesAfter(w.ctx, 0))(t); len(list) != 1 || list[0].Kind != FenceAll {
			t.Errorf("got %d fences", len(list))
		}
	})
}

func TestTheLeaseIsCountedByBothClocksAndEndsEarly(t *testing.T) {
	now := time.Now()
	c := &settable{now: now}
	v := newValidity(c, 4*time.Second)
	if ok, _ := v.now(); ok {
		t.Error("valid before the first lease")
	}
	v.hold(now)
	for _, at := range []struct {
		what string
		now  time.Time
		want bool
	}{
		{"just before the end", now.Add(4*time.Second - 1), true},
		{"at the end", now.Add(4 * time.Second), false},
		{"the wall clock jumped ahead, as after a pause of the machine", now.Round(0).Add(5 * time.Second), false},
		{"in time again", now.Add(time.Second), true},
	} {
		c.now = at.now
		if ok, _ := v.now(); ok != at.want {
			t.Errorf("%s: valid %v, want %v", at.what, ok, at.want)
		}
	}
	v.drop()
	if ok, _ := v.now(); ok {
		t.Error("valid after the lease was given back")
	}
}

type settable struct{ now time.Time }

func (c *settable) Now() time.Time { return c.now }

// simNode is a node in the simulation: the machine, and what it waits for.
type simNode struct {
	s       leaseState
	valid   validity
	clock   *settable
	wants   any   // the effect under way
	answer  any   // its answer, on the way back
	applied int64 // what a gateway behind it has seen
}

// The machines of several nodes, with requests that take any time, are lost or
// answered late, and nodes that freeze at any point: whenever a fence counts
// as acknowledged, no node that may serve has not applied it.
func TestNoNodeServesPastAnAcknowledgedFence(t *testing.T) {
	const lease = 5 * time.Second
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(1_800_000_000, 0)
		type row struct {
			applied int64
			until   time.Time
		}
		var head, acked int64
		nodes := make([]*simNode, rapid.IntRange(1, 4).Draw(t, "nodes"))
		rows := make([]row, len(nodes))
		for i := range nodes {
			c := &settable{now}
			nodes[i] = &simNode{s: leaseState{lease: lease}, clock: c, valid: newValidity(c, lease*4/5), answer: leaseTick{}}
		}
		feed := func(n *simNode) {
			var effects []any
			n.s, effects = n.s.step(n.answer, now)
			n.answer, n.wants = nil, nil
			for _, e := range effects {
				switch e := e.(type) {
				case leaseHold:
					n.valid.hold(e.start)
				default:
					n.wants = e
				}
			}
		}
		serve := func(i int) { // the request reaches the database
			n := nodes[i]
			switch e := n.wants.(type) {
			case leaseLook:
				var list []Fence
				for id := e.after + 1; id <= head; id++ {
					list = append(list, Fence{ID: id})
				}
				n.answer = leaseLooked{fences: list}
			case leaseApply:
				n.applied = e.fences[len(e.fences)-1].ID
				n.answer = leaseApplied{n.applied}
			case leaseRenew:
				ok := e.applied == head
				if ok {
					rows[i] = row{e.applied, now.Add(lease)}
				}
				n.answer = leaseRenewed{start: e.start, ok: ok}
			case leaseSleep:
				if now.Before(e.until) {
					return
				}
				n.answer = leaseTick{}
			}
			n.wants = nil
		}
		for range rapid.IntRange(20, 200).Draw(t, "steps") {
			i := rapid.IntRange(0, len(nodes)-1).Draw(t, "node")
			switch n := nodes[i]; rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				now = now.Add(time.Duration(rapid.IntRange(1, 6000).Draw(t, "ms")) * time.Millisecond)
			case 1:
				head++
			case 2: // lost: the node hears nothing, the database may have served it
				if _, ok := n.wants.(leaseRenew); ok {
					if rapid.Bool().Draw(t, "served") {
						serve(i)
					}
					n.wants, n.answer = nil, leaseRenewed{err: context.DeadlineExceeded}
				}
			case 3, 4, 5:
				now = now.Add(time.Duration(rapid.IntRange(0, 400).Draw(t, "ms")) * time.Millisecond)
				serve(i)
			default:
				if n.answer != nil {
					feed(n)
				} else {
					serve(i)
				}
			}
			for acked < head { // what awaitFence does
				waits := false
				for _, r := range rows {
					waits = waits || r.applied < acked+1 && !r.until.Before(now)
				}
				if waits {
					break
				}
				acked++
			}
			for i, n := range nodes {
				n.clock.now = now
				if ok, _ := n.valid.now(); ok && n.applied < acked {
					t.Fatalf("node %d serves with %d applied, and %d is acknowledged", i, n.applied, acked)
				}
			}
		}
	})
}
