package relay

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/turn/v5"
	"go.uber.org/goleak"

	"github.com/skein-im/skein/internal/im"
)

const secret = "a secret of the relay's tests"

// clock is the machine's, set forward by what a test says.
type clock struct {
	mu sync.Mutex
	by time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return im.SystemClock{}.Now().Add(c.by)
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.by += d
}

// sfu is a socket that answers what it gets, behind an address that is told to
// clients and is not its own.
func sfu(t testing.TB) (m Media, seen chan netip.AddrPort) {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	seen = make(chan netip.AddrPort, 64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 2000)
		for {
			n, from, err := c.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			select {
			case seen <- from:
			default:
			}
			c.WriteToUDPAddrPort(append([]byte("re: "), b[:n]...), from)
		}
	}()
	t.Cleanup(func() { c.Close(); <-done })
	at := c.LocalAddr().(*net.UDPAddr).AddrPort()
	return Media{Told: netip.MustParseAddrPort("203.0.113.9:7882"), Local: at}, seen
}

var loopback = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}

func start(t testing.TB, m Media, change func(*Config)) *Server {
	t.Helper()
	cert, _ := certificate(t)
	cfg := Config{
		Secret: secret, UDP: loopback, TCP: loopback, TLS: loopback, TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}},
		Media: func() []Media { return []Media{m} }, Clock: im.SystemClock{}, Entropy: im.SystemEntropy(), Log: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func certificate(t testing.TB) (tls.Certificate, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := im.SystemClock{}.Now()
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "turn.test"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, c
}

// client is one of pion's over udp, tcp or tls.
func client(t testing.TB, s *Server, over, user, pass string) *turn.Client {
	t.Helper()
	var conn net.PacketConn
	var at string
	switch over {
	case "udp":
		c, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		conn, at = c, s.UDP()[0].String()
	case "tcp":
		at = s.TCP()[0].String()
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		conn = turn.NewSTUNConn(c)
	case "tls":
		at = s.TLS()[0].String()
		c, err := tls.Dial("tcp", at, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // the test's own certificate
		if err != nil {
			t.Fatal(err)
		}
		conn = turn.NewSTUNConn(c)
	}
	c, err := turn.NewClient(&turn.ClientConfig{STUNServerAddr: at, TURNServerAddr: at, Conn: conn, Username: user, Password: pass, Realm: "skein", LoggerFactory: quiet{}, RTO: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); conn.Close() })
	return c
}

func fresh(name string) (string, string) {
	return Credentials(secret, name, im.SystemClock{}.Now().Add(time.Minute))
}

func allocate(t testing.TB, s *Server, over, name string) (net.PacketConn, error) {
	t.Helper()
	user, pass := fresh(name)
	relay, err := client(t, s, over, user, pass).Allocate()
	if err == nil {
		t.Cleanup(func() { relay.Close() })
	}
	return relay, err
}

func TestMediaIsRelayedOverUDPTCPAndTLS(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("all", func(t *testing.T) {
		m, seen := sfu(t)
		s := start(t, m, nil)
		for _, over := range []string{"udp", "tcp", "tls"} {
			relay, err := allocate(t, s, over, "ann")
			if err != nil {
				t.Fatalf("%s: %v", over, err)
			}
			at := relay.LocalAddr().(*net.UDPAddr).AddrPort()
			// Many packets, so that the client binds a channel on the way.
			for i := range 50 {
				msg := fmt.Sprintf("%s %d %s", over, i, strings.Repeat("x", 20*i))
				if _, err := relay.WriteTo([]byte(msg), net.UDPAddrFromAddrPort(m.Told)); err != nil {
					t.Fatalf("%s: %v", over, err)
				}
				relay.SetReadDeadline(im.SystemClock{}.Now().Add(5 * time.Second))
				b := make([]byte, 2000)
				n, from, err := relay.ReadFrom(b)
				if err != nil {
					t.Fatalf("%s: packet %d: %v", over, i, err)
				}
				if got := string(b[:n]); got != "re: "+msg || from.String() != m.Told.String() {
					t.Fatalf("%s: got %q from %s", over, got, from)
				}
			}
			if from := <-seen; from.Addr() != netip.MustParseAddr("127.0.0.1") || from != at {
				t.Errorf("%s: the SFU saw %s, the client was told %s: what is for it should not leave the machine", over, from, at)
			}
			for len(seen) > 0 {
				<-seen
			}
		}
		if n := s.Counts(); n.Granted != 3 || n.Allocations != 3 || n.Connections != 2 || n.BytesIn == 0 || n.BytesTo == 0 {
			t.Errorf("counts are %+v", n)
		}
	})
}

func TestIPv6IsRelayed(t *testing.T) {
	at := netip.MustParseAddrPort("[::1]:0")
	c, err := net.ListenUDP("udp6", net.UDPAddrFromAddrPort(at))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	told := netip.MustParseAddrPort("[2001:db8::9]:7882")
	s := start(t, Media{Told: told, Local: c.LocalAddr().(*net.UDPAddr).AddrPort()}, func(c *Config) { c.UDP = []netip.AddrPort{at} })
	user, pass := fresh("ann")
	pc, err := net.ListenPacket("udp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	cl, err := turn.NewClient(&turn.ClientConfig{TURNServerAddr: s.UDP()[0].String(), Conn: pc, Username: user, Password: pass, Realm: "skein", LoggerFactory: quiet{}, RequestedAddressFamily: turn.RequestedAddressFamilyIPv6})
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.Listen(); err != nil {
		t.Fatal(err)
	}
	relay, err := cl.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	defer relay.Close()
	if _, err := relay.WriteTo([]byte("hello"), net.UDPAddrFromAddrPort(told)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	c.SetReadDeadline(im.SystemClock{}.Now().Add(5 * time.Second))
	if n, _, err := c.ReadFrom(b); err != nil || string(b[:n]) != "hello" {
		t.Errorf("the SFU got %q, %v", b[:n], err)
	}
}

// refusedPeers are what a relay may never send to, whoever asks.
var refusedPeers = []string{
	"127.0.0.1", "127.8.9.10", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "169.254.0.1",
	"100.64.0.1", "100.127.255.254", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.7", "203.0.113.10", "192.88.99.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
	"::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::1",
	"3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "ff0e::1",
}

func TestOnlyTheSFUIsAPeer(t *testing.T) {
	m, _ := sfu(t)
	for _, public := range []bool{false, true} {
		s := start(t, m, func(c *Config) { c.Public = public })
		for _, p := range refusedPeers {
			if s.permit(nil, netip.MustParseAddr(p).AsSlice()) {
				t.Errorf("public %t: %s may be a peer", public, p)
			}
			a := netip.MustParseAddr(p)
			r := &relayed{s: s}
			if _, err := r.WriteTo([]byte("x"), &net.UDPAddr{IP: a.AsSlice(), Port: 80}); err == nil {
				t.Errorf("public %t: a packet left for %s", public, p)
			}
		}
		for _, p := range []string{"8.8.8.8", "1.1.1.1", "2606:4700::1111", "2a00:1450::1"} {
			if got := s.permit(nil, netip.MustParseAddr(p).AsSlice()); got != public {
				t.Errorf("public %t: %s may be a peer: %t", public, p, got)
			}
		}
		if !s.permit(nil, m.Told.Addr().AsSlice()) {
			t.Errorf("public %t: the SFU may not be a peer", public)
		}
		for _, bad := range []net.IP{nil, {}, {1}, {1, 2, 3}, make(net.IP, 5), make(net.IP, 17)} {
			if s.permit(nil, bad) {
				t.Errorf("public %t: %v may be a peer", public, []byte(bad))
			}
		}
		s.mu.Lock()
		s.own[netip.MustParseAddr("9.9.9.9")] = true
		s.mu.Unlock()
		if s.permit(nil, net.IPv4(9, 9, 9, 9).To4()) {
			t.Errorf("public %t: an address of this machine may be a peer", public)
		}
	}
}

func TestAClientCanNotReachOtherPortsOfTheSFU(t *testing.T) {
	m, seen := sfu(t)
	// A service of the same machine, on the address that media is told at.
	other, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	m.Told = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), m.Local.Port())
	s := start(t, m, nil)
	for _, over := range []string{"udp", "tcp"} {
		relay, err := allocate(t, s, over, "ann")
		if err != nil {
			t.Fatal(err)
		}
		before := s.Counts().ForeignPackets
		if _, err := relay.WriteTo([]byte("to the database"), other.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		if _, err := relay.WriteTo([]byte("to the SFU"), net.UDPAddrFromAddrPort(m.Told)); err != nil {
			t.Fatal(err)
		}
		<-seen // what was sent after has come, so what was sent before was dropped
		if got := s.Counts().ForeignPackets; got <= before {
			t.Errorf("%s: a packet to another port was not dropped", over)
		}
		// Nor may others send in.
		to := relay.LocalAddr().(*net.UDPAddr)
		other.WriteTo([]byte("from the database"), to)
		relay.SetReadDeadline(im.SystemClock{}.Now().Add(5 * time.Second))
		b := make([]byte, 100)
		n, _, err := relay.ReadFrom(b)
		if err != nil || !bytes.HasPrefix(b[:n], []byte("re: ")) {
			t.Errorf("%s: got %q, %v", over, b[:n], err)
		}
	}
	other.SetReadDeadline(im.SystemClock{}.Now().Add(50 * time.Millisecond))
	if n, _, err := other.ReadFrom(make([]byte, 100)); err == nil {
		t.Errorf("a service beside the SFU got %d bytes", n)
	}
}

func TestARefusedPeerIsAnErrorForTheClient(t *testing.T) {
	m, _ := sfu(t)
	s := start(t, m, nil)
	relay, err := allocate(t, s, "udp", "ann")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"127.0.0.1:53", "10.0.0.1:80", "169.254.169.254:80", "8.8.8.8:53"} {
		if _, err := relay.WriteTo([]byte("x"), net.UDPAddrFromAddrPort(netip.MustParseAddrPort(p))); err == nil || !strings.Contains(err.Error(), "403") {
			t.Errorf("%s: %v", p, err)
		}
	}
	if s.Counts().RefusedPeers < 4 {
		t.Errorf("counts are %+v", s.Counts())
	}
}

func TestCredentialsThatAreForgedOrExpiredAreRefused(t *testing.T) {
	m, _ := sfu(t)
	s := start(t, m, nil)
	now := im.SystemClock{}.Now()
	good, pass := Credentials(secret, "ann", now.Add(time.Minute))
	old, oldPass := Credentials(secret, "ann", now.Add(-time.Second))
	_, others := Credentials("the secret of somebody else", "ann", now.Add(time.Minute))
	for name, c := range map[string][2]string{
		"expired":              {old, oldPass},
		"of another secret":    {good, others},
		"no password":          {good, "x"},
		"a longer life":        {strings.Replace(good, good[:10], "9999999999", 1), pass},
		"another name":         {good + "e", pass},
		"no time":              {"ann", sign(secret, "ann")},
		"no name":              {good[:11], sign(secret, good[:11])},
		"a time that is none":  {"1e12:ann", sign(secret, "1e12:ann")},
		"a time with a sign":   {"+9999999999:ann", sign(secret, "+9999999999:ann")},
		"a time beyond 64 bit": {"99999999999999999999:ann", sign(secret, "99999999999999999999:ann")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := client(t, s, "udp", c[0], c[1]).Allocate(); err == nil {
				t.Error("was let in")
			}
		})
	}
	t.Run("the good ones", func(t *testing.T) {
		t.Parallel()
		if _, err := client(t, s, "udp", good, pass).Allocate(); err != nil {
			t.Error(err)
		}
	})
}

func TestAllocationsAreBoundedForAUserAndInAll(t *testing.T) {
	m, _ := sfu(t)
	s := start(t, m, func(c *Config) { c.MaxPerUser, c.MaxAllocations = 3, 5 })
	var held []net.PacketConn
	for i, want := range []bool{true, true, true, false, false} {
		r, err := allocate(t, s, "udp", "ann")
		if (err == nil) != want {
			t.Fatalf("allocation %d of ann: %v", i, err)
		}
		if err == nil {
			held = append(held, r)
		} else if !strings.Contains(err.Error(), "486") {
			t.Errorf("the answer is %v", err)
		}
	}
	for i, want := range []bool{true, true, false} {
		if _, err := allocate(t, s, "tcp", fmt.Sprint("ben", i)); (err == nil) != want {
			t.Fatalf("allocation of ben%d: %v", i, err)
		}
	}
	if n := s.Counts(); n.Allocations != 5 || n.Quota < 3 {
		t.Errorf("counts are %+v", n)
	}
	held[0].Close() // gives it back, with a Refresh of lifetime 0
	eventually(t, "a place is free again", func() bool { return s.Counts().Allocations == 4 })
	if _, err := allocate(t, s, "udp", "cleo"); err != nil {
		t.Errorf("after one was given back: %v", err)
	}
}

func TestAFloodOfAllocationsTakesNoMoreThanIsAllowed(t *testing.T) {
	m, _ := sfu(t)
	s := start(t, m, func(c *Config) { c.MaxAllocations, c.MaxPerUser = 20, 1000 })
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			user, pass := fresh(fmt.Sprint("mallory", i%7))
			r, err := client(t, s, []string{"tcp", "tls"}[i%2], user, pass).Allocate()
			if err == nil {
				t.Cleanup(func() { r.Close() })
			}
		})
	}
	wg.Wait()
	if n := s.Counts(); n.Allocations != 20 || n.Granted != 20 {
		t.Errorf("counts are %+v", n)
	}
}

func TestWhoHasNoAllocationMaySendLittle(t *testing.T) {
	m, _ := sfu(t)
	s := start(t, m, nil)
	c, err := net.Dial("udp4", s.UDP()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	request := stunRequest(0x0003) // Allocate, without credentials
	var in, out int
	for range 2000 {
		n, err := c.Write(request)
		if err != nil {
			t.Fatal(err)
		}
		out += n
	}
	b := make([]byte, 2000)
	for {
		c.SetReadDeadline(im.SystemClock{}.Now().Add(300 * time.Millisecond))
		n, err := c.Read(b)
		if err != nil {
			break
		}
		in += n
	}
	if s.Counts().Flooded == 0 || in == 0 || in > out {
		t.Errorf("%d bytes were answered with %d; counts are %+v", out, in, s.Counts())
	}
}

func TestConnectionsWithoutAnAllocationEndSoon(t *testing.T) {
	m, _ := sfu(t)
	k := &clock{}
	s := start(t, m, func(c *Config) { c.Clock, c.MaxPerAddress = k, 3 })
	relay, err := allocate(t, s, "tcp", "ann")
	if err != nil {
		t.Fatal(err)
	}
	var silent []net.Conn
	for _, at := range []netip.AddrPort{s.TCP()[0], s.TLS()[0]} {
		c, err := net.Dial("tcp", at.String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		silent = append(silent, c)
	}
	eventually(t, "three connections", func() bool { return s.Counts().Connections == 3 })
	one, err := net.Dial("tcp", s.TCP()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	if _, err := one.Read(make([]byte, 1)); err != io.EOF && !strings.Contains(fmt.Sprint(err), "reset") {
		t.Errorf("the fourth connection of an address ended with %v", err)
	}
	k.forward(firstLimit)
	s.sweep()
	for _, c := range silent {
		c.SetReadDeadline(im.SystemClock{}.Now().Add(5 * time.Second))
		if _, err := c.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
			t.Errorf("a silent connection is still there: %v", err)
		}
	}
	if _, err := relay.WriteTo([]byte("still here"), net.UDPAddrFromAddrPort(m.Told)); err != nil {
		t.Errorf("the connection with an allocation: %v", err)
	}
	if n := s.Counts(); n.Connections != 1 {
		t.Errorf("counts are %+v", n)
	}
}

func TestAnAllocationEndsAtItsGreatestAge(t *testing.T) {
	m, _ := sfu(t)
	k := &clock{}
	s := start(t, m, func(c *Config) { c.Clock, c.MaxAge = k, time.Hour })
	if _, err := allocate(t, s, "udp", "ann"); err != nil {
		t.Fatal(err)
	}
	k.forward(59 * time.Minute)
	s.sweep()
	if s.Counts().Allocations != 1 {
		t.Error("the allocation ended too early")
	}
	k.forward(time.Minute)
	s.sweep()
	if s.Counts().Allocations != 0 {
		t.Error("the allocation is still there")
	}
	eventually(t, "the client is a stranger again", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.allocated) == 0 })
}

func TestMoreThanTheBandwidthIsLost(t *testing.T) {
	m, seen := sfu(t)
	s := start(t, m, func(c *Config) { c.BytesPerSecond = 10_000 })
	relay, err := allocate(t, s, "udp", "ann")
	if err != nil {
		t.Fatal(err)
	}
	for range 40 {
		if _, err := relay.WriteTo(make([]byte, 1000), net.UDPAddrFromAddrPort(m.Told)); err != nil {
			t.Fatal(err)
		}
	}
	<-seen
	eventually(t, "the rest is lost", func() bool { n := s.Counts(); return n.Throttled > 0 && n.BytesIn >= 8_000 && n.BytesIn <= 20_000 })
}

func TestURLsNameWhatIsServed(t *testing.T) {
	s := &Server{udp: addrs("10.0.0.5:3478", "[2001:db8::5]:3478"), tcp: addrs("0.0.0.0:3478"), tls: addrs("10.0.0.5:5349", "[2001:db8::5]:5349")}
	v4, v6 := netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("2001:db8::5")
	got := strings.Join(s.URLs("turn.example.org", v4, v6), " ")
	want := "turn:203.0.113.9:3478?transport=udp turn:[2001:db8::5]:3478?transport=udp turn:203.0.113.9:3478?transport=tcp turn:[2001:db8::5]:3478?transport=tcp turns:turn.example.org:5349?transport=tcp"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func addrs(list ...string) (out []netip.AddrPort) {
	for _, a := range list {
		out = append(out, netip.MustParseAddrPort(a))
	}
	return out
}

func TestPortsStayInTheirRange(t *testing.T) {
	m, _ := sfu(t)
	s := start(t, m, func(c *Config) { c.MinPort, c.MaxPort = 31200, 31203 })
	got := map[int]bool{}
	for i := range 6 {
		r, err := allocate(t, s, "udp", fmt.Sprint("u", i))
		if err != nil {
			if i < 3 { // one may be somebody else's
				t.Fatal(err)
			}
			continue
		}
		got[r.LocalAddr().(*net.UDPAddr).Port] = true
	}
	for p := range got {
		if p < 31200 || p > 31203 {
			t.Errorf("port %d is outside of the range", p)
		}
	}
	if len(got) < 3 || len(got) > 4 || s.Counts().Allocations != int64(len(got)) {
		t.Errorf("ports %v, counts %+v", got, s.Counts())
	}
}

func TestAConfigurationThatCanNotServeIsAnError(t *testing.T) {
	m := func() []Media { return nil }
	for name, c := range map[string]Config{
		"no secret":     {UDP: loopback, Media: m},
		"no address":    {Secret: secret, Media: m},
		"no media":      {Secret: secret, UDP: loopback},
		"no cert":       {Secret: secret, TLS: loopback, Media: m},
		"half a range":  {Secret: secret, UDP: loopback, Media: m, MinPort: 5},
		"a taken port":  {Secret: secret, Media: m, TCP: []netip.AddrPort{taken(t)}, UDP: loopback},
		"a wrong range": {Secret: secret, UDP: loopback, Media: m, MinPort: 9, MaxPort: 8},
	} {
		c.Clock, c.Entropy, c.Log = im.SystemClock{}, im.SystemEntropy(), slog.New(slog.DiscardHandler)
		if s, err := New(c); err == nil {
			s.Close()
			t.Errorf("%s: no error", name)
		}
	}
}

func taken(t *testing.T) netip.AddrPort {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln.Addr().(*net.TCPAddr).AddrPort()
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	limit := time.NewTimer(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}
