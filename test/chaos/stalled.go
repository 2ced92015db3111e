package chaos

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// StalledOptions say how many readers stop.
type StalledOptions struct {
	Engine  Engine
	Readers int
	// Hold is how long they stand still; 0 = 30 s.
	Hold time.Duration
	// Strict also judges how the others fare, which needs a quiet machine.
	Strict bool
}

// stalledBytes is what a stopped reader may cost, in the server and in the
// kernel together.
const stalledBytes = 256 << 10

// Stalled stops the processes of many readers, whose groups others go on
// writing to: the server must neither keep for them more than it has room
// for, nor let the others wait; and when they wake they get everything.
func Stalled(ctx context.Context, e *Env, o StalledOptions) (r *Result, err error) {
	if o.Hold == 0 {
		o.Hold = 30 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, 8*time.Minute)
	defer cancel()
	r = &Result{Proof: fmt.Sprintf("%d stopped readers", o.Readers), Engine: o.Engine.String(), Nodes: 1, Began: time.Now(),
		Command: fmt.Sprintf("go run ./test/chaos/run stalled --db %s --readers %d", string(o.Engine), o.Readers)}
	defer func() { r.Took = time.Since(r.Began) }()
	// What readers hold is measured, not what garbage the server lets gather
	// before it looks: up to 64 MB, unless it is told otherwise.
	c, err := e.StartCluster(ctx, ClusterOptions{Engine: o.Engine, Env: []string{"GOGC=100"}})
	if err != nil {
		return r, err
	}
	defer c.Close()
	l, err := StartLoad(ctx, LoadOptions{Endpoints: c.Endpoints(), App: c.App(), Pairs: 20, Window: 4, Rate: 10, Reads: true})
	if err != nil {
		return r, err
	}
	defer l.Close()
	users := make([]string, o.Readers)
	for i := range users {
		users[i] = fmt.Sprintf("z%05d", i)
	}
	groups, err := crowdGroups(ctx, l, users, min(100, o.Readers))
	if err != nil {
		return r, err
	}
	hosts, err := StartLoad(ctx, LoadOptions{Endpoints: c.Endpoints(), App: c.App(), Window: 8, Rate: 20, Text: 2000, hosts: groups})
	if err != nil {
		return r, err
	}
	defer hosts.Close()
	// Small buffers on the readers' side: what is measured is the server's.
	crowds, err := gather(ctx, e, c, users, clientsAProcess, 4<<10)
	for _, one := range crowds {
		defer one.stop()
	}
	if err != nil {
		return r, err
	}
	if err := stall(ctx, e, r, c, l, crowds, o); err != nil {
		return r, err
	}
	hosts.Quiet()
	return r, conclude(ctx, e, r, c, l)
}

// stall measures with all reading, stops them, measures again, and wakes them.
func stall(ctx context.Context, e *Env, r *Result, c *Cluster, l *Load, crowds []*crowd, o StalledOptions) error {
	if err := pause(ctx, o.Hold/3); err != nil {
		return err
	}
	l.delivery.take(0.99)
	entries := heard(crowds)
	if err := pause(ctx, o.Hold); err != nil {
		return err
	}
	heard := heard(crowds) - entries
	before, n := l.delivery.take(0.99)
	rss, tcp := RSS(c.Nodes[0].PID()), tcpMemory()
	for _, one := range crowds {
		if err := one.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			return err
		}
	}
	wake := func() {
		for _, one := range crowds {
			one.cmd.Process.Signal(syscall.SIGCONT)
		}
	}
	defer wake()
	l.delivery.take(0.99)
	peak, inServer := int64(0), int64(0)
	end := time.Now().Add(o.Hold)
	until(ctx, 2*o.Hold, func() bool {
		mine, kernel := RSS(c.Nodes[0].PID()), tcpMemory()
		if mine+kernel > peak {
			peak, inServer = mine+kernel, mine
		}
		return time.Now().After(end)
	})
	after, m := l.delivery.take(0.99)
	each := (peak - rss - tcp) / int64(o.Readers)
	sessions := signins(crowds)
	wake()
	r.Act("readers stopped", int64(o.Readers))
	r.Act("entries that they had read in as much time before", heard)
	r.Measure("most that a stopped reader cost, server and kernel", float64(each)/1024, "KiB")
	r.Measure("of it in the server", float64(inServer-rss)/1024/float64(o.Readers), "KiB")
	r.Measure(fmt.Sprintf("delivery p99 of the others before (%d)", n), before, "ms")
	r.Measure(fmt.Sprintf("while they stood still (%d)", m), after, "ms")
	if each > stalledBytes {
		r.Problem("a stopped reader cost %d KiB", each>>10)
	}
	if m < n/2 {
		r.Problem("the others received %d messages, and %d before", m, n)
	}
	if o.Strict && after > 1.1*before+2 {
		r.Problem("the others' p99 went from %g to %g ms", before, after)
	}
	if !until(ctx, backTime, func() bool { return up(crowds) == int64(o.Readers) }) {
		r.Problem("%d of %d readers are connected a minute after they woke", up(crowds), o.Readers)
	}
	e.Logf("awake again, %d had to reconnect", signins(crowds)-sessions)
	return nil
}

func heard(all []*crowd) (n int64) {
	for _, c := range all {
		n += c.now().Entries
	}
	return n
}

// tcpMemory is what the kernel holds in sockets' buffers, both ends, of the
// whole machine.
func tcpMemory() int64 {
	raw, err := os.ReadFile("/proc/net/sockstat")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(raw)) {
		f := strings.Fields(line)
		for i := 1; i+1 < len(f) && f[0] == "TCP:"; i += 2 {
			if f[i] == "mem" {
				pages, _ := strconv.ParseInt(f[i+1], 10, 64)
				return pages * int64(os.Getpagesize())
			}
		}
	}
	return 0
}
