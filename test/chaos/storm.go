package chaos

import (
	"context"
	"fmt"
	"time"
)

// StormOptions say how large the storm is.
type StormOptions struct {
	Engine  Engine
	Clients int
	// Kills is how often the server is killed; 0 = 1.
	Kills int
}

// clientsAProcess keeps a crowd below the limit of 20,000 descriptors, and its
// garbage collector calm.
const clientsAProcess = 2500

// backTime is how long a storm may take.
const backTime = time.Minute

// Storm kills a server to which many clients are connected, and starts it at
// once: all of them come back at the same time, by the back-off of the SDKs.
// The crowds dial the node directly, from several addresses.
func Storm(ctx context.Context, e *Env, o StormOptions) (r *Result, err error) {
	o.Kills = max(o.Kills, 1)
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	r = &Result{Proof: fmt.Sprintf("%d clients reconnect at once", o.Clients), Engine: o.Engine.String(), Nodes: 1, Began: time.Now(),
		Command: fmt.Sprintf("go run ./test/chaos/run storm --db %s --clients %d", string(o.Engine), o.Clients)}
	defer func() { r.Took = time.Since(r.Began) }()
	// The limits on connections of one address are those of a server as it
	// comes: the crowds have several addresses.
	c, err := e.StartCluster(ctx, ClusterOptions{Engine: o.Engine, Strict: true})
	if err != nil {
		return r, err
	}
	defer c.Close()
	// Some people write to each other all the time: what they notice counts.
	l, err := StartLoad(ctx, LoadOptions{Endpoints: c.Endpoints(), App: c.App(), Pairs: 10, Window: 2, Rate: 5, Reads: true})
	if err != nil {
		return r, err
	}
	defer l.Close()
	users := make([]string, o.Clients)
	for i := range users {
		users[i] = fmt.Sprintf("w%05d", i)
	}
	if _, err := crowdGroups(ctx, l, users, 200); err != nil {
		return r, err
	}
	crowds, err := gather(ctx, e, c, users, clientsAProcess, 0)
	for _, one := range crowds {
		defer one.stop()
	}
	if err != nil {
		return r, err
	}
	r.Measure("server with all connected", float64(RSS(c.Nodes[0].PID()))/(1<<20), "MiB")
	for range o.Kills {
		if err := storm(ctx, e, r, c, l, crowds, o.Clients); err != nil {
			return r, err
		}
	}
	return r, conclude(ctx, e, r, c, l)
}

// storm is one kill, and the way back.
func storm(ctx context.Context, e *Env, r *Result, c *Cluster, l *Load, crowds []*crowd, clients int) error {
	n := c.Nodes[0]
	sessions := signins(crowds)
	if !n.Kill() {
		r.Problem("the server had ended by itself:\n%s", n.LogTail(2000))
		return nil
	}
	began := time.Now()
	if err := n.Start(ctx); err != nil {
		return err
	}
	started, peak, half := time.Since(began), int64(0), time.Duration(0)
	back := until(ctx, 2*backTime, func() bool {
		peak = max(peak, RSS(n.PID()))
		came := signins(crowds) - sessions
		if half == 0 && came >= int64(clients)/2 {
			half = time.Since(began)
		}
		return came >= int64(clients) && up(crowds) == int64(clients)
	})
	took := time.Since(began)
	kinds := map[string]int64{}
	for _, one := range crowds {
		s := one.now()
		for k, n := range s.Kinds {
			kinds[k] += n
		}
		if s.Final != "" {
			r.Problem("a client was told not to come back: %s", s.Final)
		}
	}
	r.Act("clients that lost their connection and came back", signins(crowds)-sessions)
	r.Measure("server listens after", ms(started), "ms")
	r.Measure("half are back after", half.Seconds(), "s")
	r.Measure("all are back after", took.Seconds(), "s")
	r.Measure("server's peak", float64(peak)/(1<<20), "MiB")
	r.Measure("attempts that failed on the way", float64(kinds["refused"]+kinds["broke"]+kinds["timeout"]+kinds["handshake"]+kinds["asked to come later"]), fmt.Sprint(kinds))
	switch {
	case !back:
		r.Problem("%d of %d clients are back after %s", up(crowds), clients, 2*backTime)
	case took > backTime:
		r.Problem("it took %s until all were back", took)
	}
	if peak > 2<<30 {
		r.Problem("the server took %d MiB", peak>>20)
	}
	e.Logf("%d clients are back after %s; %v", up(crowds), took, kinds)
	return l.WaitAcked(ctx, l.Acked()+50, time.Minute)
}

func signins(all []*crowd) (n int64) {
	for _, c := range all {
		n += c.now().Sessions
	}
	return n
}
