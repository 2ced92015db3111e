package chaos

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

// PowerOptions say how often to cut the power.
type PowerOptions struct {
	Engine Engine
	Cuts   int
	// Apart is the longest time between a start and the next cut; 0 = 1.5 s.
	Apart time.Duration
	Rate  float64 // messages a second of one sender; 0 = as fast as it goes
	Bin   string  // another server than the run's: a broken one
	Limit time.Duration
}

// Power cuts the power of the machine that holds the data, under load:
// everything that runs on it stands still, its file system stops where it is,
// all is killed, and the disk is mounted again with what had really reached it.
func Power(ctx context.Context, e *Env, o PowerOptions) (r *Result, err error) {
	if o.Apart == 0 {
		o.Apart = 1500 * time.Millisecond
	}
	if o.Limit == 0 {
		o.Limit = 40 * time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, o.Limit)
	defer cancel()
	r = &Result{Proof: "power cut", Engine: o.Engine.String(), Nodes: 1, Began: time.Now(),
		Command: fmt.Sprintf("go run ./test/chaos/run power --db %s --cuts %d", string(o.Engine), o.Cuts)}
	defer func() { r.Took = time.Since(r.Began) }()
	disk, err := NewDisk(ctx, e, 3<<30)
	if err != nil {
		return r, err
	}
	defer disk.Close()
	c, err := e.StartCluster(ctx, ClusterOptions{Engine: o.Engine, Dir: filepath.Join(disk.Dir(), "c"), Bin: o.Bin, Apps: []string{"chaos", "other"}})
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

	cuts, busy, before := 0, 0, int64(0)
	for cuts < o.Cuts {
		if err := pause(ctx, between(50*time.Millisecond, o.Apart)); err != nil {
			return r, fmt.Errorf("after %d cuts: %w", cuts, err)
		}
		if err := freeze(ctx, c.processes()...); err != nil {
			return r, err
		}
		if err := disk.Cut(); err != nil {
			return r, err
		}
		if !disk.Off() {
			r.Problem("the disk works after cut %d", cuts+1)
			break
		}
		acked := l.Acked()
		c.Nodes[0].Kill()
		if c.Postgres != nil {
			c.Postgres.Kill()
		}
		if cuts++; acked > before {
			busy++
		}
		before = acked
		if err := disk.Again(ctx); err != nil {
			return r, err
		}
		if c.Postgres != nil {
			if err := c.Postgres.Start(ctx); err != nil {
				return r, err
			}
		}
		if err := c.Nodes[0].Start(ctx); err != nil {
			return r, err
		}
		if cuts%10 == 0 {
			e.Logf("%d cuts, %s", cuts, l.Stats())
		}
	}
	r.Act("cuts", int64(cuts))
	r.Act("of them with acknowledgements since the one before", int64(busy))
	return r, conclude(ctx, e, r, c, l, other)
}
