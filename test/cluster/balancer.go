package cluster

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Backend is one node as the balancer sees it.
type Backend struct {
	// Name is for people.
	Name string
	// Addr is where connections go.
	Addr string
	// Ready is the URL that answers 200 while the node takes connections.
	Ready string
}

// BalancerOptions say whom a balancer serves. Zero durations and numbers are
// the defaults that the fields name.
type BalancerOptions struct {
	Backends []Backend
	// Every is the pause between two questions whether a node is ready; 500 ms.
	Every time.Duration
	// Timeout bounds such a question, and a dial; 2 s.
	Timeout time.Duration
	// Linger is how long the second half of a connection may stay open after
	// the first was closed; 1 minute.
	Linger time.Duration
	// MaxConns bounds the connections at one time; one more is closed at once.
	// 8,000, which are 16,000 descriptors.
	MaxConns int
	// Log hears of nodes that come and go.
	Log *slog.Logger
}

// unanswered is after how many unanswered questions in a row a node counts as
// dead. It is then rid of its connections: a node that is frozen, or behind a
// cut cable, closes nothing by itself.
const unanswered = 3

// Balancer passes TCP connections on to nodes that are ready, one after the
// other. It looks at no byte of what it carries, so TLS, WebSockets and the
// Host header arrive as they were sent.
//
// A node that says that it is not ready gets no new connections and keeps those
// that it has, for it is about to send its clients away in its own words. One
// that does not answer at all loses them.
type Balancer struct {
	o    BalancerOptions
	ln   net.Listener
	http *http.Client
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu    sync.Mutex // guards the rest
	next  int
	nodes []*backend
	conns int
}

type backend struct {
	Backend
	ready  bool
	silent int // questions in a row without an answer
	conns  map[*pair]struct{}
}

// pair is one connection: from the client, and on to the node.
type pair struct{ client, node *net.TCPConn }

func (p *pair) close() {
	p.client.Close()
	p.node.Close()
}

// Balance listens on addr and asks every node once before it returns, so that
// the first connection finds those that are up.
func Balance(addr string, o BalancerOptions) (*Balancer, error) {
	if o.Every == 0 {
		o.Every = 500 * time.Millisecond
	}
	if o.Timeout == 0 {
		o.Timeout = 2 * time.Second
	}
	if o.Linger == 0 {
		o.Linger = time.Minute
	}
	if o.MaxConns == 0 {
		o.MaxConns = 8000
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	b := &Balancer{o: o, ln: ln, stop: stop, http: &http.Client{Timeout: o.Timeout, Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}}
	for _, n := range o.Backends {
		b.nodes = append(b.nodes, &backend{Backend: n, conns: map[*pair]struct{}{}})
	}
	var first sync.WaitGroup
	for _, n := range b.nodes {
		first.Add(1)
		b.wg.Add(1)
		go func() {
			defer b.wg.Done()
			b.ask(ctx, n)
			first.Done()
			b.watch(ctx, n)
		}()
	}
	first.Wait()
	b.wg.Add(1)
	go b.accept(ctx)
	return b, nil
}

// Addr is where it listens.
func (b *Balancer) Addr() string { return b.ln.Addr().String() }

// Close ends every connection and waits until nothing of the balancer runs.
func (b *Balancer) Close() error {
	b.stop()
	err := b.ln.Close()
	b.mu.Lock()
	for _, n := range b.nodes {
		n.end()
	}
	b.mu.Unlock()
	b.wg.Wait()
	return err
}

// end closes a node's connections; the caller holds the lock.
func (n *backend) end() {
	for p := range n.conns {
		p.close()
	}
}

// watch asks a node again and again until ctx ends.
func (b *Balancer) watch(ctx context.Context, n *backend) {
	tick := time.NewTicker(b.o.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			b.ask(ctx, n)
		}
	}
}

// ask asks a node once whether it is ready, and draws the consequence.
func (b *Balancer) ask(ctx context.Context, n *backend) {
	answered, ready := false, false
	if req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.Ready, nil); err == nil {
		if res, err := b.http.Do(req); err == nil {
			res.Body.Close()
			answered, ready = true, res.StatusCode == http.StatusOK
		}
	}
	if ctx.Err() != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if n.ready != ready {
		b.o.Log.Info("node", "name", n.Name, "ready", ready)
	}
	n.ready = ready
	if answered {
		n.silent = 0
		return
	}
	if n.silent++; n.silent == unanswered && len(n.conns) > 0 {
		b.o.Log.Warn("node does not answer; its connections end", "name", n.Name, "connections", len(n.conns))
		n.end()
	}
}

func (b *Balancer) accept(ctx context.Context) {
	defer b.wg.Done()
	for {
		c, err := b.ln.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // out of descriptors, or the client has gone already
			select {
			case <-ctx.Done():
				return
			case <-time.After(10 * time.Millisecond):
			}
			continue
		}
		b.mu.Lock()
		full := b.conns >= b.o.MaxConns
		if !full {
			b.conns++
		}
		b.mu.Unlock()
		if full {
			c.Close()
			continue
		}
		b.wg.Add(1)
		go func() {
			defer b.wg.Done()
			b.carry(ctx, c.(*net.TCPConn))
			b.mu.Lock()
			b.conns--
			b.mu.Unlock()
		}()
	}
}

// carry connects a client with a node and returns when both halves are closed.
func (b *Balancer) carry(ctx context.Context, client *net.TCPConn) {
	defer client.Close()
	n, node := b.dial(ctx)
	if node == nil {
		return
	}
	p := &pair{client, node}
	defer p.close()
	b.mu.Lock()
	n.conns[p] = struct{}{}
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		delete(n.conns, p)
		b.mu.Unlock()
	}()
	if ctx.Err() != nil {
		return // Close has seen the connections before this one was among them
	}
	var both sync.WaitGroup
	both.Add(2)
	go func() { defer both.Done(); b.half(p, client, node) }()
	go func() { defer both.Done(); b.half(p, node, client) }()
	both.Wait()
}

// half carries one direction. Its end is passed on as what it is: the reader
// at the other side sees the end and may still answer, for a while.
func (b *Balancer) half(p *pair, from, to *net.TCPConn) {
	_, err := io.Copy(to, from) // in the kernel, where it can
	if err != nil {
		p.close() // a reset, or a closed reader: the other direction has nobody either
		return
	}
	_ = to.CloseWrite()
	_ = to.SetReadDeadline(time.Now().Add(b.o.Linger))
}

// dial connects to the next node that is ready, or to the one after it.
func (b *Balancer) dial(ctx context.Context) (*backend, *net.TCPConn) {
	for range b.nodes {
		n := b.pick()
		if n == nil {
			return nil, nil
		}
		d := net.Dialer{Timeout: b.o.Timeout}
		c, err := d.DialContext(ctx, "tcp", n.Addr)
		if err == nil {
			return n, c.(*net.TCPConn)
		}
		b.mu.Lock()
		n.ready = false // until it says so itself
		b.mu.Unlock()
	}
	return nil, nil
}

// pick returns the next node that is ready, or nil.
func (b *Balancer) pick() *backend {
	b.mu.Lock()
	defer b.mu.Unlock()
	for range b.nodes {
		n := b.nodes[b.next%len(b.nodes)]
		b.next++
		if n.ready {
			return n
		}
	}
	return nil
}
