package netlab

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func lab(t *testing.T) *Lab {
	t.Helper()
	if err := May(); err != nil {
		t.Skip("no network namespaces here: ", err)
	}
	l := New(42)
	t.Cleanup(l.Close)
	return l
}

func host(t *testing.T, l *Lab, name, addr string, behind *NAT) *Host {
	t.Helper()
	h, err := l.Host(name, addr, behind)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func udp(t *testing.T, h *Host, port int) *net.UDPConn {
	t.Helper()
	c, err := h.ListenUDP(port)
	if err != nil {
		t.Fatal(err)
	}
	c.SetReadBuffer(4 << 20)
	t.Cleanup(func() { c.Close() })
	return c
}

// get reads one datagram, or says that none came.
func get(t *testing.T, c *net.UDPConn, limit time.Duration) (string, netip.AddrPort) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(limit))
	b := make([]byte, 2000)
	n, from, err := c.ReadFromUDPAddrPort(b)
	if err != nil {
		return "", netip.AddrPort{}
	}
	return string(b[:n]), netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
}

func put(t *testing.T, c *net.UDPConn, what string, to netip.AddrPort) {
	t.Helper()
	if _, err := c.WriteToUDPAddrPort([]byte(what), to); err != nil {
		t.Fatal(err)
	}
}

func at(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

const (
	soon  = 3 * time.Second
	never = 150 * time.Millisecond
)

// numbered sends datagrams with numbers at a pace, and gives the numbers and
// times of those that arrive within a while after the last.
func numbered(t *testing.T, from, to *net.UDPConn, dest netip.AddrPort, n, size int, every time.Duration) (got []uint32, when []time.Time) {
	t.Helper()
	go func() {
		b := make([]byte, size)
		next := time.Now()
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for i := range n {
			for ; time.Now().Before(next); <-tick.C {
			}
			next = next.Add(every)
			binary.BigEndian.PutUint32(b, uint32(i))
			from.WriteToUDPAddrPort(b, dest)
		}
	}()
	b := make([]byte, 2000)
	for len(got) < n {
		to.SetReadDeadline(time.Now().Add(400 * time.Millisecond))
		k, _, err := to.ReadFromUDPAddrPort(b)
		if err != nil {
			break
		}
		if k != size {
			t.Fatalf("a datagram of %d bytes arrived", k)
		}
		got, when = append(got, binary.BigEndian.Uint32(b)), append(when, time.Now())
	}
	return got, when
}

func TestALinkLosesWhatItIsToldTo(t *testing.T) {
	for _, loss := range []float64{0, 0.01, 0.1, 0.2} {
		t.Run(fmt.Sprint(loss), func(t *testing.T) {
			l := lab(t)
			a, b := host(t, l, "a", "198.51.100.1", nil), host(t, l, "b", "198.51.100.2", nil)
			a.Up.Set(Quality{Loss: loss})
			from, to := udp(t, a, 0), udp(t, b, 9000)
			got, _ := numbered(t, from, to, at("198.51.100.2:9000"), 4000, 100, 100*time.Microsecond)
			share := 1 - float64(len(got))/4000
			if d := 4 * math.Sqrt(loss*(1-loss)/4000); math.Abs(share-loss) > d+0.0001 {
				t.Errorf("%.4f of the packets were lost", share)
			}
			if n := a.Up.Counts(); n.Lost != int64(4000-len(got)) || n.Sent != 4000 {
				t.Errorf("counts are %+v; %d arrived", n, len(got))
			}
		})
	}
}

func TestTheSameSeedLosesTheSamePackets(t *testing.T) {
	var before []uint32
	for range 2 {
		l := lab(t)
		a, b := host(t, l, "a", "198.51.100.1", nil), host(t, l, "b", "198.51.100.2", nil)
		a.Up.Set(Quality{Loss: 0.3, Delay: time.Millisecond})
		got, _ := numbered(t, udp(t, a, 0), udp(t, b, 9000), at("198.51.100.2:9000"), 500, 100, 50*time.Microsecond)
		if before != nil && fmt.Sprint(before) != fmt.Sprint(got) {
			t.Error("another run lost others")
		}
		before = got
	}
}

func TestALinkIsAsFastAsItsRate(t *testing.T) {
	for _, rate := range []int{3_000_000, 300_000} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			l := lab(t)
			a, b := host(t, l, "a", "198.51.100.1", nil), host(t, l, "b", "198.51.100.2", nil)
			a.Up.Set(Quality{Rate: rate, Queue: 20_000})
			const size = 1000
			// Twice as much as goes through, for two seconds.
			every := time.Duration(float64(size*8) / float64(2*rate) * float64(time.Second))
			n := int(2 * time.Second / every)
			got, when := numbered(t, udp(t, a, 0), udp(t, b, 9000), at("198.51.100.2:9000"), n, size, every)
			took := when[len(when)-1].Sub(when[0])
			if r := float64((len(got)-1)*(size+28)*8) / took.Seconds(); math.Abs(r/float64(rate)-1) > 0.05 {
				t.Errorf("%.0f bit/s went through", r)
			}
			if c := a.Up.Counts(); c.Overflowed == 0 || c.Overflowed+c.Passed != c.Sent {
				t.Errorf("counts are %+v", c)
			}
		})
	}
}

func TestALinkDelaysAndReorders(t *testing.T) {
	l := lab(t)
	a, b := host(t, l, "a", "198.51.100.1", nil), host(t, l, "b", "198.51.100.2", nil)
	from, to := udp(t, a, 0), udp(t, b, 9000)
	a.Up.Set(Quality{Delay: 60 * time.Millisecond, Jitter: 20 * time.Millisecond})
	b.Up.Set(Quality{Delay: 40 * time.Millisecond})
	began := time.Now()
	put(t, from, "ping", at("198.51.100.2:9000"))
	_, back := get(t, to, soon)
	there := time.Since(began)
	put(t, to, "pong", back)
	if s, _ := get(t, from, soon); s != "pong" {
		t.Fatalf("got %q", s)
	}
	if d := time.Since(began); there < 40*time.Millisecond || d < 80*time.Millisecond || d > 400*time.Millisecond {
		t.Errorf("there took %v, there and back %v", there, d)
	}
	inOrder := func(got []uint32) bool {
		for i := 1; i < len(got); i++ {
			if got[i] < got[i-1] {
				return false
			}
		}
		return len(got) == 300
	}
	if got, _ := numbered(t, from, to, at("198.51.100.2:9000"), 300, 100, time.Millisecond); !inOrder(got) {
		t.Error("jitter has changed the order")
	}
	a.Up.Set(Quality{Delay: 20 * time.Millisecond, Reorder: 0.1, Twice: 0.05})
	got, _ := numbered(t, from, to, at("198.51.100.2:9000"), 300, 100, time.Millisecond)
	if n := a.Up.Counts(); inOrder(got) || n.Overtook < 10 || n.Twice == 0 {
		t.Errorf("counts are %+v", n)
	}
}

func TestNATsMapAndFilterAsTheyAreTold(t *testing.T) {
	for _, c := range []struct {
		name            string
		m, f            Rule
		samePort        bool // for two others
		address, anyone bool // may another port of whom it has sent to, may a stranger send
	}{
		{"full cone", Any, Any, true, true, true},
		{"address-dependent filtering", Any, PerAddress, true, true, false},
		{"port-dependent filtering", Any, PerPort, true, false, false},
		{"symmetric", PerPort, PerPort, false, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := lab(t)
			nat := l.NAT("203.0.113.1", c.m, c.f)
			inside := host(t, l, "inside", "192.168.1.2", nat)
			one, two := host(t, l, "one", "198.51.100.1", nil), host(t, l, "two", "198.51.100.2", nil)
			from, a, b, other := udp(t, inside, 0), udp(t, one, 9000), udp(t, two, 9000), udp(t, one, 9001)
			put(t, from, "hello", at("198.51.100.1:9000"))
			s, seen := get(t, a, soon)
			if s != "hello" || seen.Addr() != nat.Public {
				t.Fatalf("%q came from %s", s, seen)
			}
			put(t, a, "back", seen)
			if s, who := get(t, from, soon); s != "back" || who != at("198.51.100.1:9000") {
				t.Fatalf("%q came back from %s", s, who)
			}
			put(t, other, "another port", seen)
			if s, _ := get(t, from, never); (s != "") != c.address {
				t.Errorf("from another port of a known address: %q", s)
			}
			put(t, b, "a stranger", seen)
			if s, _ := get(t, from, never); (s != "") != c.anyone {
				t.Errorf("from a stranger: %q", s)
			}
			put(t, from, "hello", at("198.51.100.2:9000"))
			if _, again := get(t, b, soon); (again == seen) != c.samePort {
				t.Errorf("it is %s for one and %s for the other", seen, again)
			}
		})
	}
}

func TestAServerBehindAOneToOneNATIsReachedAtAnAddressItDoesNotHave(t *testing.T) {
	l := lab(t)
	cloud := l.OneToOne("203.0.113.10", "10.0.0.5")
	server := host(t, l, "server", "10.0.0.5", cloud)
	home := l.NAT("203.0.113.20", Any, PerAddress)
	client, near := host(t, l, "client", "192.168.1.2", home), host(t, l, "near", "192.168.1.3", home)
	s, c := udp(t, server, 7882), udp(t, client, 0)
	put(t, c, "hello", at("203.0.113.10:7882"))
	got, from := get(t, s, soon)
	if got != "hello" || from.Addr() != home.Public {
		t.Fatalf("%q came from %s", got, from)
	}
	put(t, s, "back", from)
	if got, from := get(t, c, soon); got != "back" || from != at("203.0.113.10:7882") {
		t.Errorf("%q came from %s", got, from)
	}
	// Neighbours reach one another directly; the inside of others is nowhere.
	n := udp(t, near, 5000)
	put(t, c, "neighbour", at("192.168.1.3:5000"))
	if got, from := get(t, n, soon); got != "neighbour" || from.Addr() != client.Addr {
		t.Errorf("%q came from %s", got, from)
	}
	put(t, c, "inside", at("10.0.0.5:7882"))
	if got, _ := get(t, s, never); got != "" || l.Nowhere() == 0 {
		t.Errorf("the inside of another NAT was reached: %q", got)
	}
	var pub error
	server.Do(func() { _, pub = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(at("203.0.113.10:0"))) })
	if pub == nil {
		t.Error("the server has the public address")
	}
}

func TestTCPGoesThroughNATsLossAndBlockedUDP(t *testing.T) {
	l := lab(t)
	server := host(t, l, "server", "10.0.0.5", l.OneToOne("203.0.113.10", "10.0.0.5"))
	client := host(t, l, "client", "192.168.1.2", l.NAT("203.0.113.20", PerPort, PerPort))
	client.Block(UDP)
	client.Down.Set(Quality{Loss: 0.02, Delay: 5 * time.Millisecond})
	ln, err := server.ListenTCP(443)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<14)
	go func() {
		c, err := ln.Accept()
		if err == nil {
			c.Write(sent)
			c.Close()
		}
	}()
	c, err := client.DialTCP(at("203.0.113.10:443"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(30 * time.Second))
	if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes came, %v", len(got), err)
	}
	if client.Down.Counts().Lost == 0 {
		t.Error("nothing was lost")
	}
	u := udp(t, client, 0)
	put(t, u, "x", at("203.0.113.10:7882"))
	eventually(t, func() bool { return client.Blocked() == 1 })
}

func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	limit, tick := time.After(soon), time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("it does not happen")
		}
	}
}

func TestProcessesRunOnHosts(t *testing.T) {
	l := lab(t)
	h := host(t, l, "h", "198.51.100.7", nil)
	cmd := exec.Command("cat", "/proc/self/net/fib_trie")
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := h.Start(cmd); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || !strings.Contains(out.String(), "198.51.100.7") {
		t.Errorf("%v: %s", err, out.String())
	}
}
