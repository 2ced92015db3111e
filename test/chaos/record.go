package chaos

import (
	"context"
	"errors"
	"time"
)

// Record makes a small history of a server that is killed a few times, and
// writes it to a file: what the checker's own test mutates.
func Record(ctx context.Context, e *Env, name string) error {
	c, err := e.StartCluster(ctx, ClusterOptions{Engine: SQLite})
	if err != nil {
		return err
	}
	defer c.Close()
	l, err := StartLoad(ctx, LoadOptions{Endpoints: c.Endpoints(), App: c.App(), Pairs: 2, Groups: 1, GroupSize: 4, GroupSenders: 2,
		Churn: true, Watchers: 2, Window: 4, Rate: 15, Reads: true})
	if err != nil {
		return err
	}
	defer l.Close()
	for range 4 {
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
		c.Nodes[0].Kill()
		if err := c.Nodes[0].Start(ctx); err != nil {
			return err
		}
	}
	report, err := l.Finish(ctx, FinishOptions{})
	if err != nil {
		return err
	}
	if !report.OK() {
		return errors.New(report.String())
	}
	e.Logf("%s", report)
	return l.H.Save(name)
}
