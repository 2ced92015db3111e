package link

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"go.uber.org/goleak"

	"github.com/skein-im/skein/internal/im"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// quiet is a handler that nothing is to happen to.
type quiet struct{}

func (quiet) RTP(_ int64, b *Buffer)         { b.Release() }
func (quiet) Flush(int64, *Batch, bool) bool { return false }
func (quiet) RTCP(int64, []byte, *Batch)     {}
func (quiet) Ready()                         {}
func (quiet) ChannelOpen(*Channel)           {}
func (quiet) Data(*Channel, []byte)          {}
func (quiet) Closed(error)                   {}

func open(t testing.TB) *Port {
	t.Helper()
	p, err := Open(Config{Listen: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, TCP: true, Clock: im.SystemClock{}, Entropy: im.SystemEntropy(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func TestAPortThatAnotherProgramHasIsAnErrorThoughSocketsShareIt(t *testing.T) {
	cfg := Config{Listen: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, Readers: 2, Clock: im.SystemClock{}, Entropy: im.SystemEntropy(), Log: slog.New(slog.DiscardHandler)}
	first, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Port = first.Number()
	if p, err := Open(cfg); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got %v, %v", p, err)
	}
	first.Close()
	again, err := Open(cfg)
	if err != nil {
		t.Fatalf("after its end: %v", err)
	}
	again.Close()
}

// check makes a binding request of a client.
func check(t *testing.T, user, pwd string, more ...stun.Setter) []byte {
	t.Helper()
	set := append([]stun.Setter{stun.TransactionID, stun.BindingRequest, stun.NewUsername(user)}, more...)
	m, err := stun.Build(append(set, stun.NewShortTermIntegrity(pwd), stun.Fingerprint)...)
	if err != nil {
		t.Fatal(err)
	}
	return m.Raw
}

func TestOnlyACheckWithALinksOwnCredentialsIsAnswered(t *testing.T) {
	port := open(t)
	l, err := port.New(quiet{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := l.Local()
	conn, err := net.DialUDP("udp4", nil, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(port.Number())})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	nominate := stun.RawAttribute{Type: stun.AttrUseCandidate}
	b := make([]byte, 1500)
	ask := func(raw []byte) (*stun.Message, error) {
		if _, err := conn.Write(raw); err != nil {
			t.Fatal(err)
		}
		// What is not answered is followed by what is: silence needs no waiting for.
		good := check(t, c.Ufrag+":x", c.Pwd, nominate)
		if _, err := conn.Write(good); err != nil {
			t.Fatal(err)
		}
		conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		n, err := conn.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		m := &stun.Message{Raw: slices.Clone(b[:n])}
		if err := m.Decode(); err != nil {
			t.Fatal(err)
		}
		if slices.Equal(m.TransactionID[:], raw[8:20]) {
			if _, err := conn.Read(b); err != nil { // the answer to the good one
				t.Fatal(err)
			}
			return m, nil
		}
		return nil, errors.New("no answer")
	}
	for name, raw := range map[string][]byte{
		"a wrong password":  check(t, c.Ufrag+":x", "another password of that length"),
		"an unknown name":   check(t, "nobody:x", c.Pwd),
		"no name":           slices.Concat([]byte{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42}, make([]byte, 12)),
		"an answer":         slices.Concat([]byte{1, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42}, make([]byte, 12)),
		"a length too long": slices.Concat([]byte{0, 1, 0xff, 0xfc, 0x21, 0x12, 0xa4, 0x42}, make([]byte, 12)),
	} {
		if m, err := ask(raw); err == nil {
			t.Errorf("%s was answered by %v", name, m)
		}
	}
	m, err := ask(check(t, c.Ufrag+":x", c.Pwd, nominate))
	if err != nil {
		t.Fatal(err)
	}
	var mapped stun.XORMappedAddress
	if err := mapped.GetFrom(m); err != nil || mapped.Port != conn.LocalAddr().(*net.UDPAddr).Port || stun.NewShortTermIntegrity(c.Pwd).Check(m) != nil {
		t.Errorf("the answer is %v, %v", m, err)
	}
	if at, tcp := l.Remote(); at != conn.LocalAddr().(*net.UDPAddr).AddrPort() || tcp {
		t.Errorf("the client is at %v", at)
	}

	// After a restart of ICE both are good, until the new ones are used.
	fresh, err := l.RestartICE()
	if err != nil {
		t.Fatal(err)
	}
	if port.byUfrag(c.Ufrag) == nil {
		t.Error("the credentials of before the restart are gone too soon")
	}
	old := c
	c = fresh
	if _, err := ask(check(t, c.Ufrag+":x", c.Pwd, nominate)); err != nil {
		t.Error("the new credentials are not good")
	}
	if port.byUfrag(old.Ufrag) != nil {
		t.Error("the credentials of before the restart are still good")
	}
	l.Close()
	if port.byUfrag(c.Ufrag) != nil || len(port.addrs) != 0 {
		t.Error("a closed link is still found")
	}
	if _, err := l.RestartICE(); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed link restarts: %v", err)
	}
}

func TestABatchArrivesPacketByPacketWhateverItsSizes(t *testing.T) {
	port := open(t)
	to, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	at := to.LocalAddr().(*net.UDPAddr).AddrPort()
	s := port.socks[0]
	for _, cut := range []bool{true, false} {
		l := &Link{port: port}
		l.selected.Store(&path{sock: s, addr: at, raw: rawOf(at, s.v6)})
		setCuts(s, cut)
		var b Batch
		var want []int
		for i, size := range slices.Concat(slices.Repeat([]int{1200}, 20), []int{300, 1100, 1100, 1101, 1101, 40, 1, 1}, slices.Repeat([]int{90, 100}, 15)) {
			b.buf = append(b.buf, slices.Repeat([]byte{byte(i)}, size)...)
			b.ends = append(b.ends, len(b.buf))
			want = append(want, size)
		}
		b.Send(l)
		if !b.Empty() {
			t.Error("the batch was not emptied")
		}
		got := make([]byte, 2000)
		for i, size := range want {
			to.SetReadDeadline(time.Now().Add(10 * time.Second))
			n, err := to.Read(got)
			if err != nil || n != size || got[0] != byte(i) || got[n-1] != byte(i) {
				t.Fatalf("cut by the kernel: %t; packet %d has %d bytes of %d, want %d of %d; %v", cut, i, n, got[0], size, byte(i), err)
			}
		}
	}
}

func TestACertificateIsComparedWithItsFingerprint(t *testing.T) {
	port := open(t)
	der := port.cert.tls.Certificate[0]
	for name, test := range map[string]struct {
		fingerprint string
		good        bool
	}{
		"its own":            {port.Fingerprint(), true},
		"in small letters":   {strings.ToLower(port.Fingerprint()), true},
		"another's":          {"sha-256 " + strings.Repeat("AA:", 31) + "AA", false},
		"a part of it":       {port.Fingerprint()[:30], false},
		"none":               {"", false},
		"a broken algorithm": {"sha-1 AA", false},
	} {
		check, err := verifier(test.fingerprint)
		if err == nil {
			err = check([][]byte{der}, nil)
		}
		if (err == nil) != test.good {
			t.Errorf("%s: %v", name, err)
		}
		if check != nil && check(nil, nil) == nil {
			t.Errorf("%s: no certificate at all is good", name)
		}
	}
}

// FuzzCheck feeds the port what anybody may send it.
func FuzzCheck(f *testing.F) {
	port := open(f)
	l, err := port.New(quiet{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(l.Close)
	m, err := stun.Build(stun.TransactionID, stun.BindingRequest, stun.NewUsername(l.Local().Ufrag+":x"), stun.Fingerprint)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(m.Raw)
	f.Add([]byte{0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0x20, 0, 0}) // a mapped address without one
	s := port.socks[0]
	from := netip.MustParseAddrPort("127.0.0.1:9")
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > bufferSize {
			return
		}
		if err := port.answerCheck(&path{sock: s, addr: from, raw: rawOf(from, false)}, b, 1); err == nil {
			t.Error("a check without the password was answered")
		}
	})
}
