// Package cluster runs several nodes on this machine: on one PostgreSQL, behind
// a plain TCP balancer, as they run on several machines. `make cluster` shows
// it to people (the program is in the folder up), the behaviour scripts and the
// browser tests run on it.
//
// Nothing of it is special: the nodes are `skein serve` with the options that
// the operator's guide names, PostgreSQL is the one that is installed, and the
// balancer knows nothing of the product but the URL that tells whether a node
// is ready.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/skein-im/skein/internal/pgtest"
)

// Options say what Start starts.
type Options struct {
	// Binary is the program of the nodes.
	Binary string
	// Data is the folder of everything that stays: PostgreSQL's folder, the
	// nodes' logs, the key that they share.
	Data string
	// DB is the URL of a database to use; empty is a PostgreSQL of the
	// cluster's own in Data.
	DB string
	// Listen is the balancer's address.
	Listen string
	// Nodes is how many; 0 is 3.
	Nodes int
	// Args are further options of every node.
	Args []string
	// Again is after how long a node that ended by itself is started again; 0
	// leaves it to the caller.
	Again time.Duration
	// Say tells people what happens, a line at a time; can be nil.
	Say func(format string, args ...any)
}

// Cluster is what Start has started.
type Cluster struct {
	o        Options
	db       string
	postgres *pgtest.Server // nil when the database is somebody else's
	nodes    []*Node
	logs     []*os.File
	balancer *Balancer
	stop     context.CancelFunc
	watchers sync.WaitGroup
}

// Start starts the database, the nodes all at once, and the balancer, and
// returns when the first connection would be answered.
func Start(ctx context.Context, o Options) (_ *Cluster, err error) {
	if o.Nodes == 0 {
		o.Nodes = 3
	}
	if o.Say == nil {
		o.Say = func(string, ...any) {}
	}
	c := &Cluster{o: o, db: o.DB}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Stop())
		}
	}()
	if err := os.MkdirAll(o.Data, 0o711); err != nil {
		return nil, err
	}
	if c.db == "" {
		if c.postgres, err = pgtest.Serve(ctx, filepath.Join(o.Data, "postgres")); err != nil {
			return nil, err
		}
		c.db = c.postgres.URL()
	}
	if c.nodes, err = Nodes(o.Nodes, o.Binary, append([]string{"--data", o.Data, "--db", c.db}, o.Args...)); err != nil {
		return nil, err
	}
	for _, n := range c.nodes {
		f, err := os.OpenFile(c.LogOf(n), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, err
		}
		c.logs = append(c.logs, f)
		n.Log = f
	}
	if err := each(c.nodes, (*Node).Start); err != nil {
		for _, n := range c.nodes {
			text, _ := os.ReadFile(c.LogOf(n)) // the folder may be gone before anybody looks
			err = fmt.Errorf("%w\n%s said: %s", err, n.Name, text[max(0, len(text)-2000):])
		}
		return nil, err
	}
	b := BalancerOptions{}
	for _, n := range c.nodes {
		b.Backends = append(b.Backends, Backend{Name: n.Name, Addr: n.Addr(), Ready: n.Ready()})
	}
	if c.balancer, err = Balance(o.Listen, b); err != nil {
		return nil, err
	}
	watching, stop := context.WithCancel(context.Background())
	c.stop = stop
	if o.Again > 0 {
		for _, n := range c.nodes {
			c.watchers.Add(1)
			go func() { defer c.watchers.Done(); c.watch(watching, n) }()
		}
	}
	return c, nil
}

// watch starts a node again whenever it has ended.
func (c *Cluster) watch(ctx context.Context, n *Node) {
	for {
		ended := make(chan error, 1)
		go func() { ended <- n.Wait() }() // ends with the node, which Stop ends
		select {
		case <-ctx.Done():
			return
		case err := <-ended:
			if ctx.Err() != nil {
				return
			}
			c.o.Say("%s has ended (%s) and is started again", n.Name, how(err))
		}
		for again := false; !again; {
			select {
			case <-ctx.Done():
				return
			case <-time.After(c.o.Again):
			}
			if err := n.Start(); err != nil {
				c.o.Say("%s: %v; see %s", n.Name, err, c.LogOf(n))
			} else {
				c.o.Say("%s  http://%s  pid %d", n.Name, n.Addr(), n.Pid())
				again = true
			}
		}
	}
}

func how(err error) string {
	if err == nil {
		return "in order"
	}
	return err.Error()
}

// Addr is where clients connect.
func (c *Cluster) Addr() string { return c.balancer.Addr() }

// Nodes are the cluster's, in the order of their names.
func (c *Cluster) Nodes() []*Node { return c.nodes }

// Database is the URL of the database that the nodes share.
func (c *Cluster) Database() string { return c.db }

// Failed is closed when the cluster's own PostgreSQL has ended by itself; nil
// when the database is somebody else's.
func (c *Cluster) Failed() <-chan struct{} {
	if c.postgres == nil {
		return nil
	}
	return c.postgres.Ended()
}

// LogOf is the file of a node's log.
func (c *Cluster) LogOf(n *Node) string {
	return filepath.Join(c.o.Data, strings.ReplaceAll(n.Name, " ", "-")+".log")
}

// Stop ends all of it in order: first nobody is started again, then the nodes
// say good-bye to their clients, then the way to them closes, and last the
// database, when nobody needs it any more.
func (c *Cluster) Stop() error {
	if c.stop != nil {
		c.stop()
		c.watchers.Wait()
	}
	errs := []error{each(c.nodes, func(n *Node) error { return n.Stop(syscall.SIGTERM) })}
	if c.balancer != nil {
		errs = append(errs, c.balancer.Close())
	}
	if c.postgres != nil {
		errs = append(errs, c.postgres.Stop())
	}
	for _, f := range c.logs {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// NoBus among the options of nodes leaves them without a bus.
const NoBus = "no bus"

// Nodes lays out n nodes that belong together, none of them started: each has
// an address of its own on loopback, and knows the others: they speak over
// embedded NATS servers, unless args name another bus. args are the options that
// all have.
func Nodes(n int, binary string, args []string) ([]*Node, error) {
	nodes, routes := make([]*Node, n), make([]string, n)
	for i := range routes {
		var err error
		if routes[i], err = freeAddr(); err != nil {
			return nil, err
		}
	}
	own := !slices.ContainsFunc(args, func(a string) bool { return a == NoBus || strings.HasPrefix(a, "--nats-url") })
	args = slices.DeleteFunc(slices.Clone(args), func(a string) bool { return a == NoBus })
	for i := range nodes {
		listen, err := freeAddr()
		if err != nil {
			return nil, err
		}
		nodes[i] = &Node{Name: fmt.Sprintf("node %d", i+1), Binary: binary, Listen: listen, Args: slices.Clone(args)}
		if own {
			nodes[i].Args = append(nodes[i].Args, "--cluster-listen", routes[i], "--cluster-peers", strings.Join(routes, ","))
		}
	}
	return nodes, nil
}

// each calls fn for every node at once.
func each(nodes []*Node, fn func(*Node) error) error {
	errs := make([]error, len(nodes))
	var all sync.WaitGroup
	for i, n := range nodes {
		all.Add(1)
		go func() { defer all.Done(); errs[i] = fn(n) }()
	}
	all.Wait()
	return errors.Join(errs...)
}
