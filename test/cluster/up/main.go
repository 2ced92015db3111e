// Command up is `make cluster`: three nodes on one PostgreSQL behind a
// balancer, all on this machine and on loopback, with the demo app. It runs
// until Ctrl-C. Kill a node, and see that nobody loses anything.
//
//	up [--listen 127.0.0.1:8080] [--data ./data/cluster] [--nodes 3] [--skein bin/skein] [--again 2s] [-- OPTIONS OF EVERY NODE]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/skein-im/skein/test/cluster"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

func run() error {
	o := cluster.Options{Say: func(format string, args ...any) { fmt.Printf(format+"\n", args...) }}
	flag.StringVar(&o.Listen, "listen", "127.0.0.1:8080", "address of the balancer, on loopback")
	flag.StringVar(&o.Data, "data", "./data/cluster", "folder of everything that stays")
	flag.IntVar(&o.Nodes, "nodes", 3, "how many nodes")
	flag.StringVar(&o.Binary, "skein", "bin/skein", "the server")
	flag.DurationVar(&o.Again, "again", 2*time.Second, "after how long a node that was killed is started again; 0 is never")
	flag.Parse()
	// Dev mode hands tokens to every program of this machine, and the balancer
	// must not make it the whole network.
	if host, _, err := net.SplitHostPort(o.Listen); err != nil || !loopback(host) {
		return fmt.Errorf("--listen %s: the demo listens on loopback only, such as 127.0.0.1:8080", o.Listen)
	}
	o.Args = append([]string{"--dev"}, flag.Args()...)
	// Each node on this machine has a media server, on a port of its own.
	for _, d := range [][]string{{"--sfu", "process"}, {"--rtc-port", "0"}} {
		if !slices.Contains(o.Args, d[0]) {
			o.Args = append(o.Args, d...)
		}
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	c, err := cluster.Start(ctx, o)
	if err != nil {
		return err
	}
	for _, n := range c.Nodes() {
		o.Say("%s  http://%s  pid %d  log %s", n.Name, n.Addr(), n.Pid(), c.LogOf(n))
	}
	o.Say("database  %s", c.Database())
	o.Say("kill a node with kill -9 and its pid: it is back after %v; Ctrl-C ends all", o.Again)
	o.Say("cluster http://%s", c.Addr())
	select {
	case <-ctx.Done():
		o.Say("ending")
		return c.Stop()
	case <-c.Failed():
		return errors.Join(fmt.Errorf("PostgreSQL has ended; see %s/postgres/log", o.Data), c.Stop())
	}
}
