package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Engine is where the nodes keep their data.
type Engine string

// The engines.
const (
	SQLite     Engine = "sqlite"
	PostgreSQL Engine = "postgres"
)

// String is the engine's name in a document.
func (e Engine) String() string {
	if e == SQLite {
		return "SQLite"
	}
	return "PostgreSQL"
}

// ClusterOptions say what to start.
type ClusterOptions struct {
	Engine Engine
	Nodes  int    // more than one needs PostgreSQL
	Dir    string // of data, empty: a folder of the run's
	Bin    string // empty: the run's
	Args   []string
	Env    []string // of the nodes, beside the environment
	// Strict leaves the limits on one address as they are by default.
	Strict bool
	Apps   []string // ids of apps to make; empty: one, "chaos"
	// NATS are the URLs of a NATS that is there, for several nodes; empty: they
	// have their own inside.
	NATS string
	// Postgres is a database that is there; nil starts one in Dir.
	Postgres *Postgres
}

// Cluster is nodes on one store.
type Cluster struct {
	Nodes    []*Node
	Apps     map[string]*App
	Postgres *Postgres // nil with SQLite
	Dir      string
	own      bool // Postgres was started here
}

// roomy lifts the limits that a load from one address would run into.
var (
	roomy = []string{"--limits-call-rate", "1000000", "--limits-call-burst", "1000000", "--limits-send-rate", "1000000", "--limits-send-burst", "1000000",
		"--log-level", "warn"}
	roomyHello = []string{"--limits-hello-rate", "1000000", "--limits-hello-burst", "1000000"}
)

// StartCluster starts nodes and makes the apps.
func (e *Env) StartCluster(ctx context.Context, o ClusterOptions) (*Cluster, error) {
	var err error
	if o.Nodes == 0 {
		o.Nodes = 1
	}
	if o.Nodes > 1 && o.Engine == SQLite {
		return nil, errors.New("SQLite has one node")
	}
	if o.Bin == "" {
		o.Bin = e.Bin
	}
	if o.Dir == "" {
		if o.Dir, err = e.Folder("cluster"); err != nil {
			return nil, err
		}
	}
	if len(o.Apps) == 0 {
		o.Apps = []string{"chaos"}
	}
	if err := os.MkdirAll(o.Dir, 0o711); err != nil { // PostgreSQL runs as somebody else
		return nil, err
	}
	c := &Cluster{Apps: map[string]*App{}, Postgres: o.Postgres, Dir: o.Dir}
	if err := e.start(ctx, c, o); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (e *Env) start(ctx context.Context, c *Cluster, o ClusterOptions) (err error) {
	if o.Engine == PostgreSQL && c.Postgres == nil {
		if c.Postgres, err = StartPostgres(ctx, filepath.Join(o.Dir, "pg")); err != nil {
			return err
		}
		c.own = true
	}
	if err := c.nodes(e, o); err != nil {
		return err
	}
	for _, id := range o.Apps {
		if c.Apps[id], err = CreateApp(ctx, c.Nodes[0], id); err != nil {
			return err
		}
	}
	for _, n := range c.Nodes {
		if err := n.Start(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) nodes(e *Env, o ClusterOptions) error {
	var peers []string
	for range o.Nodes {
		addr, err := FreeAddress()
		if err != nil {
			return err
		}
		peers = append(peers, addr)
	}
	for i := range o.Nodes {
		// Nodes of a cluster share the key file, as they share the key in
		// production: the folder holds nothing else with PostgreSQL.
		store := []string{"--data", filepath.Join(o.Dir, "data")}
		args := append(append([]string{}, roomy...), o.Args...)
		if !o.Strict {
			args = append(args, roomyHello...)
		}
		if c.Postgres != nil {
			store = append(store, "--db", c.Postgres.URL())
		}
		switch {
		case o.NATS != "":
			args = append(args, "--nats-url", o.NATS)
		case o.Nodes > 1:
			args = append(args, clusterArgs(i, peers)...)
		}
		n, err := NewNode(NodeOptions{Bin: o.Bin, Store: store, Args: args, Env: o.Env, Log: e.path(fmt.Sprintf("%s-node%d.log", filepath.Base(o.Dir), i))})
		if err != nil {
			return err
		}
		c.Nodes = append(c.Nodes, n)
	}
	return nil
}

// clusterArgs are the options that make a node one of several: its own address
// for the other nodes, and theirs.
func clusterArgs(i int, peers []string) []string {
	return []string{"--cluster-listen", peers[i], "--cluster-peers", strings.Join(peers, ",")}
}

// Endpoints are the nodes' addresses for a load.
func (c *Cluster) Endpoints() (all []string) {
	for _, n := range c.Nodes {
		all = append(all, n.URL())
	}
	return all
}

// App is the first app.
func (c *Cluster) App() *App { return c.Apps["chaos"] }

// Close ends everything that was started.
func (c *Cluster) Close() error {
	var errs []error
	for _, n := range c.Nodes {
		n.Kill()
	}
	if c.own && c.Postgres != nil {
		errs = append(errs, c.Postgres.Stop())
	}
	return errors.Join(errs...)
}

// Fsck stops the nodes in order and proves what is stored.
func (c *Cluster) Fsck(ctx context.Context) error {
	for _, n := range c.Nodes {
		if err := n.Stop(); err != nil {
			return err
		}
	}
	_, err := c.Nodes[0].Tool(ctx, "fsck")
	return err
}
