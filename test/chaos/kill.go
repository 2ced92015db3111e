package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

func splitFields(raw []byte) []string { return strings.Fields(string(raw)) }

// KillOptions say how often to kill.
type KillOptions struct {
	Engine Engine
	Nodes  int
	Kills  int   // at least
	Acks   int64 // at least
	// Apart is the longest time between a start and the next kill; 0 = 1.5 s.
	Apart time.Duration
	// Rate bounds the messages a second of one sender; 0 = as fast as it goes.
	Rate float64
	// Limit bounds the run; 0 = 40 min.
	Limit time.Duration
}

// Kill kills one node after the other with SIGKILL, at random moments, under
// load, and starts it again. Every acknowledged message must be there once.
func Kill(ctx context.Context, e *Env, o KillOptions) (r *Result, err error) {
	o.Nodes = max(o.Nodes, 1)
	if o.Apart == 0 {
		o.Apart = 1500 * time.Millisecond
	}
	if o.Limit == 0 {
		o.Limit = 40 * time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, o.Limit)
	defer cancel()
	r = &Result{Proof: "kill -9", Engine: o.Engine.String(), Nodes: o.Nodes, Began: time.Now(),
		Command: fmt.Sprintf("go run ./test/chaos/run kill --db %s --nodes %d --kills %d --acks %d", string(o.Engine), o.Nodes, o.Kills, o.Acks)}
	defer func() { r.Took = time.Since(r.Began) }()
	c, err := e.StartCluster(ctx, ClusterOptions{Engine: o.Engine, Nodes: o.Nodes, Apps: []string{"chaos", "other"}})
	if err != nil {
		return r, err
	}
	defer c.Close()
	l, other, err := twoApps(ctx, c, o.Rate)
	if err != nil {
		return r, err
	}
	defer l.Close()
	defer other.Close()

	kills, busy, before := 0, 0, int64(0)
	var starts []time.Duration
	for kills < o.Kills || l.Acked() < o.Acks {
		if err := pause(ctx, between(50*time.Millisecond, o.Apart)); err != nil {
			return r, fmt.Errorf("after %d kills and %d acknowledgements: %w", kills, l.Acked(), err)
		}
		n := c.Nodes[rand.IntN(len(c.Nodes))]
		acked := l.Acked()
		if !n.Kill() {
			r.Problem("a node had ended by itself:\n%s", n.LogTail(2000))
			break
		}
		if kills++; acked > before {
			busy++ // it was at work since the last time
		}
		before = acked
		began := time.Now()
		if err := n.Start(ctx); err != nil {
			return r, err
		}
		starts = append(starts, time.Since(began))
		if kills%20 == 0 {
			e.Logf("%d kills, %s", kills, l.Stats())
		}
	}
	r.Act("kills", int64(kills))
	r.Act("of them with acknowledgements since the one before", int64(busy))
	slices.Sort(starts)
	if len(starts) > 0 {
		r.Measure("start p50", ms(starts[len(starts)/2]), "ms")
		r.Measure("start p99", ms(starts[len(starts)*99/100]), "ms")
	}
	return r, conclude(ctx, e, r, c, l, other)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// twoApps puts a load on the app and a small one on another app whose users
// and groups have the same names.
func twoApps(ctx context.Context, c *Cluster, rate float64) (l, other *Load, err error) {
	l, err = StartLoad(ctx, LoadOptions{Endpoints: c.Endpoints(), App: c.Apps["chaos"], Foreign: "other",
		Pairs: 40, Groups: 4, GroupSize: 12, GroupSenders: 3, Churn: true, Watchers: 10, Verbs: 2, Window: 16, Rate: rate, Reads: true})
	if err != nil {
		return nil, nil, err
	}
	other, err = StartLoad(ctx, LoadOptions{Endpoints: c.Endpoints(), App: c.Apps["other"], Foreign: "chaos",
		Pairs: 4, Groups: 2, GroupSize: 4, GroupSenders: 2, Churn: true, Watchers: 2, Window: 2, Rate: 20, Reads: true})
	if err != nil {
		l.Close()
		return nil, nil, err
	}
	return l, other, nil
}

// conclude ends the loads, checks them, and proves the store.
func conclude(ctx context.Context, e *Env, r *Result, c *Cluster, l *Load, others ...*Load) error {
	e.Logf("healed; %s", l.Stats())
	for _, o := range others {
		o.Quiet()
	}
	report, err := l.Finish(ctx, FinishOptions{})
	r.Report = report
	if err != nil {
		r.Problem("%v", err)
	}
	for _, o := range others {
		report, err := o.Finish(ctx, FinishOptions{})
		if err != nil {
			r.Problem("the other app: %v", err)
		}
		if report != nil && !report.OK() {
			r.Problem("the other app: %s", report)
		}
	}
	e.Logf("read everything; %s", l.Stats())
	// A database whose disk fails has errors that nobody knows the names of; who
	// sent is told INTERNAL then, and tries again.
	if n := l.internal.Load(); n > 0 && r.brokenDisk {
		r.Measure("answers INTERNAL", float64(n), "")
	} else if n > 0 {
		r.Problem("%d answers were INTERNAL: %s", n, l.Stats())
	}
	if len(l.verbs) > 0 {
		n := 0
		for _, v := range l.verbs {
			n += v.done
		}
		r.Act("edits, recalls, reactions, votes, pins, invitations, messages for later", int64(n))
	}
	if n := l.repaired.Load(); n > 0 {
		r.Measure("holes filled from history", float64(n), "")
	}
	if err := c.Fsck(ctx); err != nil {
		r.Problem("%v", err)
	}
	return nil
}
