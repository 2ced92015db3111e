package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// PartitionOptions say how the network between nodes breaks.
type PartitionOptions struct {
	Seed uint64
	// Hold is how long each kind of cut lasts; 0 = 8 s.
	Hold time.Duration
	// Cycles are cuts at random after those, each for a random part of Hold.
	Cycles int
	// Few leaves out most kinds of cuts that are named: the short form.
	Few  bool
	Rate float64 // messages a second of one sender; 0 = 20
}

// partition is one run.
type partition struct {
	e *Env
	o PartitionOptions
	r *Result
	s *Spread
	l *Load

	rng     *rand.Rand
	longest time.Duration // without an acknowledgement
	slowest float64       // from a message's first attempt to its acknowledgement, in ms
}

// cut is one way in which the network is broken.
type cut struct {
	name string
	make func()
}

// Partition cuts the networks between the nodes, and between them and the
// database, in every way and direction, loses and delays packets, and lets
// clients of all nodes write all the time, also into groups that lose and take
// in a member all the time.
func Partition(ctx context.Context, e *Env, o PartitionOptions) (r *Result, err error) {
	if o.Hold == 0 {
		o.Hold = 8 * time.Second
	}
	if o.Rate == 0 {
		o.Rate = 20
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute+time.Duration(12+o.Cycles)*(o.Hold+40*time.Second))
	defer cancel()
	r = &Result{Proof: "partitions, one-way cuts, loss and delay", Engine: PostgreSQL.String(), Nodes: 3, Began: time.Now(),
		Command: fmt.Sprintf("go run ./test/chaos/run partition --seed %d --cycles %d", o.Seed, o.Cycles)}
	defer func() { r.Took = time.Since(r.Began) }()
	p := &partition{e: e, o: o, r: r, rng: rand.New(rand.NewPCG(o.Seed, 1))}
	if p.s, err = e.StartSpread(ctx, o.Seed, "chaos", "other"); err != nil {
		return r, err
	}
	defer p.s.Close()
	if p.l, err = StartLoad(ctx, spreadLoad(p.s, o.Rate)); err != nil {
		return r, err
	}
	defer p.l.Close()
	for _, c := range p.cuts() {
		if err := p.suffer(ctx, c, o.Hold); err != nil {
			return r, err
		}
	}
	for range o.Cycles {
		if err := p.suffer(ctx, p.any(), time.Second+time.Duration(p.rng.Float64()*float64(o.Hold))); err != nil {
			return r, err
		}
	}
	n := p.s.Switch.Traffic()
	r.Act("packets cut", n.Cut)
	r.Act("packets lost", n.Lost)
	r.Act("packets delayed", n.Delayed)
	r.Act("packets passed", n.Passed)
	r.Measure("longest time without any acknowledgement", p.longest.Seconds(), "s")
	r.Measure("from a message's first attempt to its acknowledgement at most", p.slowest/1000, "s")
	r.Measure("reconnects of raw devices", float64(p.l.redialed.Load()), "")
	return r, conclude(ctx, e, r, p.s.Cluster, p.l)
}

// spreadLoad is a load from the clients' machine.
func spreadLoad(s *Spread, rate float64) LoadOptions {
	return LoadOptions{Endpoints: s.Endpoints(), App: s.App(), Foreign: "other", Pairs: 15, Groups: 3, GroupSize: 9, GroupSenders: 3, Churn: true,
		Watchers: 4, Window: 4, Rate: rate, Reads: true, Dial: s.Clients.Dial, DialAll: true, CallTimeout: 5 * time.Second}
}

// cuts are those that are named, of the second node.
func (p *partition) cuts() []cut {
	w, bad := p.s.Switch, Link{Cut: true}
	node, rest, db := p.s.Nodes[1:2], []*Space{p.s.Nodes[0], p.s.Nodes[2]}, []*Space{p.s.DB}
	weak := Link{Loss: 0.2, Delay: 50 * time.Millisecond, Jitter: 30 * time.Millisecond, Twice: 0.01}
	all := []cut{
		{"a node is cut off from the others", func() { w.Both(node, rest, bad) }},
		{"a node is cut off from the database", func() { w.Both(node, db, bad) }},
		{"20 % loss and 50 ms between nodes", func() { w.Both(p.s.Nodes, p.s.Nodes, weak) }},
	}
	if p.o.Few {
		return all
	}
	return append(all,
		cut{"a node is cut off from both", func() { w.Both(node, rest, bad); w.Both(node, db, bad) }},
		cut{"the others do not hear a node", func() { w.Set(node, rest, bad) }},
		cut{"a node does not hear the others", func() { w.Set(rest, node, bad) }},
		cut{"the database does not hear a node", func() { w.Set(node, db, bad) }},
		cut{"a node does not hear the database", func() { w.Set(db, node, bad) }},
		cut{"5 % loss and 10 ms to the database", func() {
			w.Both(p.s.Nodes, db, Link{Loss: 0.05, Delay: 10 * time.Millisecond, Jitter: 5 * time.Millisecond})
		}},
		cut{"every node is alone", func() { w.Both(p.s.Nodes, p.s.Nodes, bad) }},
	)
}

// any is a cut at random: each way between two machines that are not clients'
// breaks with one chance in four, and the others may be weak.
func (p *partition) any() cut {
	return cut{"a cut at random", func() {
		machines := append(append([]*Space{}, p.s.Nodes...), p.s.DB)
		for _, a := range machines {
			for _, b := range machines {
				l := Link{Cut: p.rng.IntN(4) == 0}
				if p.rng.IntN(3) == 0 {
					l.Loss, l.Delay, l.Jitter = 0.1*p.rng.Float64(), time.Duration(p.rng.IntN(30))*time.Millisecond, 5*time.Millisecond
				}
				p.s.Switch.Set([]*Space{a}, []*Space{b}, l)
			}
		}
	}}
}

// suffer breaks the network for a while and heals it, and waits until there
// are acknowledgements again.
func (p *partition) suffer(ctx context.Context, c cut, hold time.Duration) error {
	before, acked := p.s.Switch.Traffic(), p.l.Acked()
	longest := time.Duration(0)
	p.l.latency.take(1)
	c.make()
	state := p.s.Switch.String()
	end := time.Now().Add(hold)
	until(ctx, 2*hold, func() bool {
		longest = max(longest, p.l.SinceAck())
		return time.Now().After(end)
	})
	p.s.Switch.Heal()
	during := p.l.Acked() - acked
	if !until(ctx, time.Minute, func() bool {
		longest = max(longest, p.l.SinceAck())
		return p.l.Acked() > acked+during+100
	}) {
		return fmt.Errorf("%s: there are no acknowledgements a minute after it was healed (%s)", c.name, p.l.Stats())
	}
	slowest, _ := p.l.latency.take(1)
	p.slowest = max(p.slowest, slowest)
	n := p.s.Switch.Traffic()
	hurt := n.Cut - before.Cut + n.Lost - before.Lost + n.Delayed - before.Delayed
	p.e.Logf("%s for %s: %d packets cut, %d lost, %d delayed; %d acknowledgements meanwhile, none for at most %s, the slowest after %.0f ms",
		c.name, hold.Round(time.Millisecond), n.Cut-before.Cut, n.Lost-before.Lost, n.Delayed-before.Delayed, during, longest.Round(time.Millisecond), slowest)
	if hurt == 0 && state != "" {
		p.r.Problem("%s: the switch did nothing (%s)", c.name, state)
	}
	p.longest = max(p.longest, longest)
	p.r.add("cuts", 1)
	return nil
}
