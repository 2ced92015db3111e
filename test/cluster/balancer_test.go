package cluster

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// fake is a node that a test speaks for: every connection that reaches it.
type fake struct {
	name  string
	ready atomic.Int32 // status that it answers; 0 does not answer at all
	asked chan struct{}
	conns chan *net.TCPConn
	Backend
}

func newFake(t *testing.T, name string) *fake {
	f := &fake{name: name, asked: make(chan struct{}), conns: make(chan *net.TCPConn, 100)}
	f.ready.Store(http.StatusOK)
	end := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case f.asked <- struct{}{}:
		default:
		}
		status := f.ready.Load()
		if status == 0 {
			select {
			case <-r.Context().Done():
			case <-end:
			}
			return
		}
		w.WriteHeader(int(status))
	}))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			f.conns <- c.(*net.TCPConn)
		}
	}()
	t.Cleanup(func() {
		close(end)
		s.Close()
		ln.Close()
		<-done
	})
	f.Backend = Backend{Name: name, Addr: ln.Addr().String(), Ready: s.URL}
	return f
}

// knows waits until the balancer has asked and has had the answer.
func (f *fake) knows() {
	<-f.asked
	<-f.asked
}

func balance(t *testing.T, o BalancerOptions, nodes ...*fake) *Balancer {
	t.Helper()
	for _, n := range nodes {
		o.Backends = append(o.Backends, n.Backend)
	}
	o.Every, o.Timeout = 10*time.Millisecond, 100*time.Millisecond
	b, err := Balance("127.0.0.1:0", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func dial(t *testing.T, b *Balancer) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

// where returns the fake that the next connection reaches.
func where(t *testing.T, nodes ...*fake) (*fake, *net.TCPConn) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		for _, n := range nodes {
			select {
			case c := <-n.conns:
				t.Cleanup(func() { c.Close() })
				return n, c
			case <-time.After(time.Millisecond):
			}
		}
	}
	t.Fatal("the connection reached no node")
	return nil, nil
}

func ended(t *testing.T, c net.Conn) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, err := c.Read(make([]byte, 1))
	if timeout, ok := err.(net.Error); err == nil || ok && timeout.Timeout() {
		t.Fatalf("the connection is still there: %v", err)
	}
}

func says(t *testing.T, from, to net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(from, text); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(to, got); err != nil || string(got) != text {
		t.Fatalf("%q arrived, %v", got, err)
	}
}

func TestConnectionsGoToTheReadyNodesInTurn(t *testing.T) {
	a, b, c := newFake(t, "a"), newFake(t, "b"), newFake(t, "c")
	b.ready.Store(http.StatusServiceUnavailable)
	lb := balance(t, BalancerOptions{}, a, b, c)
	got := ""
	for range 4 {
		dial(t, lb)
		n, _ := where(t, a, b, c)
		got += n.name
	}
	if got != "acac" {
		t.Errorf("they went to %s", got)
	}
}

func TestANodeThatIsGoneIsPassedOverAtOnce(t *testing.T) {
	a, b := newFake(t, "a"), newFake(t, "b")
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	a.Addr = gone.Addr().String() // its health still answers
	lb := balance(t, BalancerOptions{}, a, b)
	c := dial(t, lb)
	_, s := where(t, b)
	says(t, c, s, "to b")
}

func TestBothSidesMayCloseTheirHalfFirstAndTheOtherStillSpeaks(t *testing.T) {
	a := newFake(t, "a")
	lb := balance(t, BalancerOptions{}, a)
	for _, clientFirst := range []bool{true, false} {
		c := dial(t, lb)
		_, s := where(t, a)
		says(t, c, s, "hello")
		first, second := c, s
		if !clientFirst {
			first, second = s, c
		}
		if err := first.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if rest, err := io.ReadAll(second); err != nil || len(rest) != 0 {
			t.Fatalf("after the half was closed: %q, %v", rest, err)
		}
		says(t, second, first, "and good-bye")
		second.Close()
		if rest, err := io.ReadAll(first); err != nil || len(rest) != 0 {
			t.Fatalf("at the end: %q, %v", rest, err)
		}
	}
}

func TestTheSecondHalfDoesNotStayForEver(t *testing.T) {
	a := newFake(t, "a")
	lb := balance(t, BalancerOptions{Linger: 50 * time.Millisecond}, a)
	c := dial(t, lb)
	_, s := where(t, a)
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	ended(t, c) // the node never closes
	s.Close()
}

func TestANodeThatIsNotReadyKeepsItsConnectionsAndGetsNoMore(t *testing.T) {
	a, b := newFake(t, "a"), newFake(t, "b")
	lb := balance(t, BalancerOptions{}, a, b)
	old := dial(t, lb)
	n, s := where(t, a, b)
	n.ready.Store(http.StatusServiceUnavailable)
	n.knows()
	for range 3 {
		dial(t, lb)
		if got, _ := where(t, a, b); got == n {
			t.Fatal("a new connection went to the node that is not ready")
		}
	}
	says(t, old, s, "still here")
	n.ready.Store(http.StatusOK)
	n.knows()
	for range 2 { // in turn: one of two is for it
		dial(t, lb)
		if got, _ := where(t, a, b); got == n {
			return
		}
	}
	t.Fatal("the node that is ready again gets no connection")
}

func TestANodeThatIsFrozenLosesItsConnections(t *testing.T) {
	a, b := newFake(t, "a"), newFake(t, "b")
	lb := balance(t, BalancerOptions{}, a, b)
	c := dial(t, lb)
	n, s := where(t, a, b)
	says(t, s, c, "before")
	n.ready.Store(0)
	ended(t, c)
	dial(t, lb)
	if got, _ := where(t, a, b); got == n {
		t.Error("a new connection went to the frozen node")
	}
}

func TestConnectionsAreBoundedAndComeFreeAgain(t *testing.T) {
	a := newFake(t, "a")
	lb := balance(t, BalancerOptions{MaxConns: 2}, a)
	one := dial(t, lb)
	_, first := where(t, a)
	dial(t, lb)
	where(t, a)
	ended(t, dial(t, lb))
	one.Close()
	first.Close()
	for { // until the balancer has noticed
		c, refused := dial(t, lb), make(chan struct{})
		go func() { _, _ = c.Read(make([]byte, 1)); close(refused) }()
		select {
		case s := <-a.conns:
			s.Close()
			<-refused
			return
		case <-refused:
			c.Close()
		}
	}
}

func TestAClosedBalancerLeavesNothingBehind(t *testing.T) {
	a := newFake(t, "a")
	before := goleak.IgnoreCurrent()
	b, err := Balance("127.0.0.1:0", BalancerOptions{Backends: []Backend{a.Backend}})
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, b)
	_, s := where(t, a)
	says(t, c, s, "hello")
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	ended(t, c)
	ended(t, s)
	goleak.VerifyNone(t, before)
}
