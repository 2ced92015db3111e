package relay

import (
	"encoding/binary"
	"log/slog"
	"net"
	"net/netip"
	"testing"

	"github.com/pion/turn/v5"

	"github.com/skein-im/skein/internal/im"
)

// stunRequest is a request with these attributes, each of a type and a value.
func stunRequest(method uint16, attrs ...any) []byte {
	b := make([]byte, 20)
	binary.BigEndian.PutUint16(b, method)
	binary.BigEndian.PutUint32(b[4:], 0x2112A442)
	copy(b[8:], "transaction!")
	for i := 0; i+1 < len(attrs); i += 2 {
		v := attrs[i+1].([]byte)
		b = binary.BigEndian.AppendUint16(b, uint16(attrs[i].(int)))
		b = binary.BigEndian.AppendUint16(b, uint16(len(v)))
		b = append(b, v...)
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)-20))
	return b
}

// wire is a socket without a network: what is put in is read, what is written
// comes out.
type wire struct {
	in, out chan []byte
	done    chan struct{}
}

var wireClient = &net.UDPAddr{IP: net.IPv4(198, 51, 100, 1).To4(), Port: 4000}

func (w *wire) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case p := <-w.in:
		return copy(b, p), wireClient, nil
	case <-w.done:
		return 0, nil, net.ErrClosed
	}
}

func (w *wire) WriteTo(b []byte, _ net.Addr) (int, error) {
	select {
	case w.out <- append([]byte(nil), b...):
	default: // nobody waits for it
	}
	return len(b), nil
}

// FuzzTURN throws at the server what a stranger can send, and expects that it
// still answers afterwards. CVE-2026-54909 was a panic at an empty
// XOR-MAPPED-ADDRESS.
func FuzzTURN(f *testing.F) {
	for _, method := range []uint16{0x0001, 0x0003, 0x0004, 0x0006, 0x0007, 0x0008, 0x0009, 0x0016, 0x000a, 0x000b, 0x0101, 0x0111} {
		f.Add(stunRequest(method))
		for _, attr := range []int{0x0020, 0x0012, 0x0016, 0x0001, 0x8023, 0x000d, 0x0019, 0x0018, 0x0022, 0x0017, 0x001a, 0x000c, 0x0013} {
			f.Add(stunRequest(method, attr, []byte{}))
			f.Add(stunRequest(method, attr, []byte{0, 1, 2}))
			f.Add(stunRequest(method, attr, []byte{0, 2, 0, 80, 1, 2, 3, 4}))
		}
	}
	f.Add([]byte{0x40, 0x00, 0xff, 0xff}) // ChannelData that claims more than there is
	f.Add([]byte{0x40, 0x00})
	f.Add(stunRequest(0x0003, 0x0006, []byte("9999999999:x"), 0x0014, []byte("skein"), 0x0015, []byte("nonce"), 0x0008, make([]byte, 20)))
	s := &Server{cfg: Config{Secret: secret, Realm: "skein", Media: func() []Media { return nil }, MaxPerUser: 1, MaxAllocations: 1, Clock: im.SystemClock{}, Entropy: im.SystemEntropy(),
		Log: slog.New(slog.DiscardHandler)}, users: map[string]int{}, allocated: map[netip.AddrPort]bool{}}
	w := &wire{in: make(chan []byte), out: make(chan []byte, 16), done: make(chan struct{})}
	server, err := turn.NewServer(turn.ServerConfig{
		PacketConnConfigs: []turn.PacketConnConfig{{PacketConn: packetConn{wire: w}, RelayAddressGenerator: generator{s}, PermissionHandler: s.permit}},
		Realm:             "skein", LoggerFactory: quiet{}, AuthHandler: s.authenticate, QuotaHandler: s.mayAllocate,
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { server.Close() })
	f.Fuzz(func(t *testing.T, p []byte) {
		w.in <- p
		w.in <- stunRequest(0x0001)
		for { // the answer to the Binding request, whatever comes before it
			if b := <-w.out; len(b) >= 20 && b[0] == 1 && b[1] == 1 && string(b[8:20]) == "transaction!" {
				break
			}
		}
		for len(w.out) > 0 {
			<-w.out
		}
		if s.n.granted.Load() != 0 {
			t.Fatal("a stranger was given an allocation")
		}
	})
}

// FuzzTURNUser holds the reader of user names to what it may say yes to.
func FuzzTURNUser(f *testing.F) {
	for _, u := range []string{"", ":", "1:", "x:y", "9999999999:ann", "-1:ann", "+1:a", "99999999999999999999:a", "9999999999:", "9999999999:a:b", "٩:ann"} {
		f.Add(u)
	}
	now := im.SystemClock{}.Now()
	f.Fuzz(func(t *testing.T, u string) {
		name, ok := check(u, now)
		if ok && (name == "" || len(u) > maxName || u[0] < '0' || u[0] > '9') {
			t.Fatalf("%q is let in as %q", u, name)
		}
	})
}

// packetConn makes a net.PacketConn of a wire.
type packetConn struct {
	net.PacketConn // for what nobody calls
	*wire
}

func (p packetConn) ReadFrom(b []byte) (int, net.Addr, error)   { return p.wire.ReadFrom(b) }
func (p packetConn) WriteTo(b []byte, to net.Addr) (int, error) { return p.wire.WriteTo(b, to) }
func (p packetConn) LocalAddr() net.Addr {
	return &net.UDPAddr{IP: net.IPv4(198, 51, 100, 2).To4(), Port: 3478}
}
func (p packetConn) Close() error { close(p.done); return nil }
