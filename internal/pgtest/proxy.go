package pgtest

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

// Proxy stands between a program and a server and does what networks do: it
// cuts connections at the worst moment, and stops to carry anything without
// closing anything. It ends with the test.
type Proxy struct {
	listener net.Listener
	target   string // a Unix socket, or an address
	network  string
	url      url.URL

	// What it has done, so that a test can show that it did.
	CutBefore atomic.Int64 // requests that never reached the server
	CutAfter  atomic.Int64 // answers that never reached the program

	mu     sync.Mutex // guards the rest
	frozen chan struct{}
	chaos  *rand.Rand // nil = cut nothing
	rate   float64
	open   map[net.Conn]bool
	closed bool
	wg     sync.WaitGroup
}

// NewProxy makes a proxy to the server of an URL that DB or Node.URL returned.
func NewProxy(t testing.TB, to string) *Proxy {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{url: *u, open: map[net.Conn]bool{}, network: "tcp", target: u.Host}
	if dir := u.Query().Get("host"); dir != "" {
		p.network, p.target = "unix", filepath.Join(dir, ".s.PGSQL.5432")
	}
	if p.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		_ = p.listener.Close()
		p.Thaw()
		p.Cut()
		p.wg.Wait()
	})
	return p
}

// URL leads through the proxy.
func (p *Proxy) URL() string {
	u, q := p.url, p.url.Query()
	q.Del("host")
	u.User, u.Host = url.User("postgres"), p.listener.Addr().String()
	q.Del("user")
	u.RawQuery = q.Encode()
	return u.String()
}

// Freeze stops to carry anything, over old and new connections. The kernel
// goes on to acknowledge what is sent, as that of a machine with a frozen
// server does.
func (p *Proxy) Freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen == nil {
		p.frozen = make(chan struct{})
	}
}

// Thaw carries on, with what was held back too.
func (p *Proxy) Thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen != nil {
		close(p.frozen)
		p.frozen = nil
	}
}

// Cut closes every connection there is.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		_ = c.Close()
	}
}

// Chaos cuts connections from now on: at a request with probability rate, half
// of them before the server gets it, the others after the server has answered
// and before the answer arrives. Rate 0 ends it.
func (p *Proxy) Chaos(seed uint64, rate float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.chaos, p.rate = rand.New(rand.NewPCG(seed, 1)), rate
}

// fate says what becomes of a request.
func (p *Proxy) fate() (before, after bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.chaos == nil || p.chaos.Float64() >= p.rate {
		return false, false
	}
	before = p.chaos.IntN(2) == 0
	return before, !before
}

func (p *Proxy) accept() {
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return
		}
		if !p.add(in) {
			return
		}
		p.wg.Go(func() { p.serve(in) })
	}
}

func (p *Proxy) add(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = c.Close()
		return false
	}
	p.open[c] = true
	return true
}

func (p *Proxy) drop(c net.Conn) {
	_ = c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
}

// wait returns when the proxy is not frozen.
func (p *Proxy) wait() {
	for {
		p.mu.Lock()
		frozen := p.frozen
		p.mu.Unlock()
		if frozen == nil {
			return
		}
		<-frozen
	}
}

func (p *Proxy) serve(in net.Conn) {
	defer p.drop(in)
	p.wait()
	out, err := net.Dial(p.network, p.target)
	if err != nil || !p.add(out) {
		return
	}
	defer p.drop(out)
	var doomed atomic.Bool // the next answer does not arrive
	p.wg.Go(func() {
		defer func() { _, _ = in.Close(), out.Close() }()
		_ = p.carry(in, out, func() bool {
			if doomed.Load() {
				p.CutAfter.Add(1)
			}
			return !doomed.Load()
		})
	})
	_ = p.carry(out, in, func() bool {
		before, after := p.fate()
		if before {
			p.CutBefore.Add(1)
		}
		if after {
			doomed.Store(true)
		}
		return !before
	})
	_, _ = in.Close(), out.Close()
}

var errCut = errors.New("cut")

// carry copies until an end or until pass says no.
func (p *Proxy) carry(to, from net.Conn, pass func() bool) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return err
		}
		p.wait()
		if !pass() {
			return errCut
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return err
		}
	}
}
