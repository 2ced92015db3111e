package chaos_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/pgtest"
	"github.com/skein-im/skein/test/chaos"
)

// maxOutage is how long nobody may get an acknowledgement when the primary is
// killed and the standby promoted.
const maxOutage = 15 * time.Second

// The short form fails over once. SKEIN_CHAOS_LONG=1 does it ten times: each
// time the old primary is rewound, becomes the standby, and is promoted next.
func TestNothingAcknowledgedIsLostWhenPostgresFailsOver(t *testing.T) {
	rounds, work, stuck := 1, 2*time.Second, 1500*time.Millisecond
	if os.Getenv("SKEIN_CHAOS_LONG") != "" {
		rounds, work, stuck = 10, 10*time.Second, 10*time.Second
	}
	ctx := bounded(t, time.Duration(rounds)*2*time.Minute)
	r := &chaos.Result{Proof: "PostgreSQL failover, synchronous standby", Engine: "PostgreSQL", Nodes: 1, Began: time.Now(),
		Command: "SKEIN_CHAOS_LONG=1 go test ./test/chaos -run FailsOver -v"}
	f := newFailover(t, ctx)
	var killed, refused, promotions int
	var worst time.Duration
	for round := range rounds {
		f.works(work)
		f.stuck(stuck)
		f.works(work)
		outage, pids := f.failOver()
		t.Logf("round %d: killed the %s, processes %v; the %s is primary on timeline %d; no acknowledgement for %v",
			round+1, f.standby.Name(), pids, f.primary.Name(), f.primary.Timeline(), outage.Round(time.Millisecond))
		if outage > maxOutage {
			r.Problem("round %d: no acknowledgement for %v", round+1, outage)
		}
		worst, killed, promotions = max(worst, outage), killed+len(pids), promotions+1
		refused += f.oldPrimaryComesBack(r, work)
		if round+1 < rounds {
			f.standby.Rejoin(f.primary)
		}
	}
	r.Act("promotions", int64(promotions))
	r.Act("processes killed", int64(killed))
	r.Act("standbys frozen", int64(rounds))
	r.Act("old primaries started again beside the new one", int64(refused))
	r.Measure("write outage at most", worst.Seconds(), "s")
	f.finish(r)
	r.Took = time.Since(r.Began)
	prove(t, r, nil)
}

// failover is a node with both servers in its URL, and a load on it.
type failover struct {
	t                *testing.T
	ctx              context.Context
	primary, standby *pgtest.Node // as they are now
	node             *chaos.Node
	load             *chaos.Load
}

func newFailover(t *testing.T, ctx context.Context) *failover {
	t.Helper()
	f := &failover{t: t, ctx: ctx}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	f.primary, f.standby = pgtest.Pair(t)
	f.primary.Exec("CREATE DATABASE skein")
	f.standby.Await("SELECT count(*) = 1 FROM pg_database WHERE datname = 'skein'")
	dir, err := env.Folder("failover")
	must(err)
	f.node, err = chaos.NewNode(chaos.NodeOptions{Bin: env.Bin, Log: filepath.Join(dir, "log"),
		Store: []string{"--data", filepath.Join(dir, "data"), "--db", pgtest.URL("skein", f.primary, f.standby)},
		Args: []string{"--limits-call-rate", "1000000", "--limits-call-burst", "1000000", "--limits-hello-rate", "1000000",
			"--limits-hello-burst", "1000000", "--log-level", "warn"}})
	must(err)
	app, err := chaos.CreateApp(ctx, f.node, "chaos")
	must(err)
	must(f.node.Start(ctx))
	t.Cleanup(func() { f.node.Kill() })
	f.load, err = chaos.StartLoad(ctx, chaos.LoadOptions{Endpoints: []string{f.node.URL()}, App: app, Pairs: 20, Groups: 2, GroupSize: 6,
		GroupSenders: 3, Churn: true, Watchers: 4, Window: 8, Rate: 40, Reads: true})
	must(err)
	t.Cleanup(f.load.Close)
	return f
}

// works waits until the load was served for a while.
func (f *failover) works(d time.Duration) {
	f.t.Helper()
	end := time.Now().Add(d)
	for n := f.load.Acked(); time.Now().Before(end); n = f.load.Acked() {
		if err := f.load.WaitAcked(f.ctx, n+50, maxOutage); err != nil {
			f.t.Fatalf("%v\n%s", err, f.node.LogTail(3000))
		}
	}
}

// stuck freezes the standby: every write waits, none is answered, and all go
// on when it is back.
func (f *failover) stuck(d time.Duration) {
	f.t.Helper()
	pids := f.standby.Pause()
	waiting := 0
	for waiting == 0 { // what was on its way to the standby is answered
		if err := f.primary.Query("skein", "SELECT count(*)::int FROM pg_stat_activity WHERE wait_event = 'SyncRep'", &waiting); err != nil {
			f.t.Fatal(err)
		}
	}
	before := f.load.Acked()
	for end := time.Now().Add(d); time.Now().Before(end); {
		if err := f.primary.Query("skein", "SELECT count(*)::int FROM pg_stat_activity WHERE wait_event = 'SyncRep'", &waiting); err != nil {
			f.t.Fatal(err)
		}
	}
	after := f.load.Acked()
	f.standby.Resume()
	f.t.Logf("froze the %s, processes %v: %d acknowledgements in %v, while %d commits waited", f.standby.Name(), pids, after-before, d, waiting)
	// A shard whose commit had been answered before may still tell its callers.
	if waiting == 0 || after-before > 200 {
		f.t.Errorf("%d commits waited, %d messages were acknowledged", waiting, after-before)
	}
}

// failOver kills the primary and promotes the standby, under load.
func (f *failover) failOver() (outage time.Duration, killed []int) {
	f.t.Helper()
	began := time.Now()
	killed = f.primary.Kill()
	acked := f.load.Acked()
	f.standby.Promote()
	f.primary, f.standby = f.standby, f.primary
	if err := f.load.WaitAcked(f.ctx, acked+200, time.Minute); err != nil {
		f.t.Fatalf("after the promotion: %v\n%s", err, f.node.LogTail(3000))
	}
	return time.Since(began), killed
}

// oldPrimaryComesBack starts the old primary as what it was, so that there are
// two servers that take writes. Nothing may be written to it.
func (f *failover) oldPrimaryComesBack(r *chaos.Result, d time.Duration) int {
	f.t.Helper()
	old := f.standby
	old.Start()
	entries := func() (n int) {
		f.t.Helper()
		if err := old.Query("skein", "SELECT count(*)::int FROM entry", &n); err != nil {
			f.t.Fatal(err)
		}
		return n
	}
	before, readOnly := entries(), ""
	if err := old.Query("skein", "SHOW transaction_read_only", &readOnly); err != nil || readOnly != "off" {
		f.t.Fatalf("the old primary takes no writes: %q, %v", readOnly, err)
	}
	// The node's connections are gone: it has to make new ones, and the old
	// primary is one of the servers in its URL.
	f.primary.Exec("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'skein'")
	f.works(d)
	var sessions int
	if err := old.Query("skein", "SELECT count(*)::int FROM pg_stat_activity WHERE application_name = 'skein' AND xact_start IS NOT NULL", &sessions); err != nil {
		f.t.Fatal(err)
	}
	if n := entries(); n != before || sessions > 0 {
		r.Problem("the old primary has %d entries more, and %d transactions of the node", n-before, sessions)
	}
	f.t.Logf("the old primary was up on timeline %d with %d entries, and got none", old.Timeline(), before)
	old.Kill()
	return 1
}

// finish checks the history and the store.
func (f *failover) finish(r *chaos.Result) {
	f.t.Helper()
	report, err := f.load.Finish(f.ctx, chaos.FinishOptions{})
	if r.Report = report; err != nil {
		r.Problem("%v", err)
	}
	f.t.Log(f.load.Stats())
	if err := f.node.Stop(); err != nil {
		r.Problem("%v", err)
	}
	out, err := f.node.Tool(f.ctx, "fsck")
	if err != nil {
		r.Problem("%v", err)
	}
	f.t.Log(fmt.Sprint("fsck: ", out))
}
