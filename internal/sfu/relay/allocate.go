package relay

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/turn/v5"

	"github.com/skein-im/skein/internal/im"
)

var (
	errQuota    = errors.New("there are too many allocations")
	errNoTCP    = errors.New("only UDP is relayed")
	errPort     = errors.New("a client does not choose its port")
	errNoFamily = errors.New("there is no media of this family of addresses")
	errNoPort   = errors.New("no port of the relay's range is free")
	errForeign  = errors.New("the peer is not one that is relayed to")
)

// generator makes the sockets of allocations.
type generator struct{ s *Server }

// Validate implements turn.RelayAddressGenerator.
func (generator) Validate() error { return nil }

// AllocateListener refuses to relay TCP (RFC 6062), which media does not use.
func (generator) AllocateListener(turn.AllocateListenerConfig) (net.Listener, net.Addr, error) {
	return nil, nil, errNoTCP
}

// AllocateConn refuses, as AllocateListener does.
func (generator) AllocateConn(turn.AllocateConnConfig) (net.Conn, error) { return nil, errNoTCP }

// AllocatePacketConn makes the socket of an allocation. The bounds are held
// here, where taking and counting are one: mayAllocate only finds the better
// answer for a client that is beyond them.
func (g generator) AllocatePacketConn(c turn.AllocateListenerConfig) (net.PacketConn, net.Addr, error) {
	if c.UserID == "" || c.RequestedPort != 0 { // EVEN-PORT and RESERVATION-TOKEN, for a pair of RTP and RTCP
		return nil, nil, errPort
	}
	v4 := c.Network == "udp4"
	var media Media
	for _, m := range g.s.cfg.Media() {
		if m.Told.Addr().Is4() == v4 {
			media = m
			break
		}
	}
	if !media.Told.IsValid() {
		return nil, nil, errNoFamily
	}
	r := &relayed{s: g.s, user: c.UserID, born: g.s.cfg.Clock.Now(), v4: v4}
	r.up.init(g.s.cfg.Clock, g.s.cfg.BytesPerSecond)
	r.down.init(g.s.cfg.Clock, g.s.cfg.BytesPerSecond)
	if !g.s.take(r) {
		g.s.n.quota.Add(1)
		return nil, nil, errQuota
	}
	var err error
	if r.UDPConn, err = g.s.open(c.Network, media.Local.Addr()); err != nil {
		g.s.give(r)
		return nil, nil, err
	}
	g.s.mu.Lock()
	closed := g.s.closed
	if !closed {
		g.s.relays[r] = struct{}{}
	}
	g.s.mu.Unlock()
	if closed {
		r.Close() //nolint:errcheck // nothing is left to lose
		return nil, nil, net.ErrClosed
	}
	g.s.n.granted.Add(1)
	// The SFU answers checks with the address that it sees. Were another one
	// told here, clients would take the way for a new one, of unknown kind.
	as := media.Local.Addr()
	if g.s.cfg.Public {
		as = media.Told.Addr()
	}
	return r, &net.UDPAddr{IP: as.AsSlice(), Port: r.UDPConn.LocalAddr().(*net.UDPAddr).Port}, nil
}

// open binds a socket beside the SFU's.
func (s *Server) open(network string, at netip.Addr) (*net.UDPConn, error) {
	if s.cfg.MinPort == 0 {
		return net.ListenUDP(network, net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 0)))
	}
	var b [4]byte
	if _, err := io.ReadFull(s.cfg.Entropy, b[:]); err != nil {
		return nil, err
	}
	n := uint32(s.cfg.MaxPort) - uint32(s.cfg.MinPort) + 1
	begin := binary.BigEndian.Uint32(b[:]) % n // unforeseeable, as RFC 6056 wants it
	for i := range min(n, 64) {
		port := s.cfg.MinPort + uint16((begin+i)%n)
		if c, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, port))); err == nil {
			return c, nil
		}
	}
	return nil, errNoPort
}

// take counts an allocation, unless there are too many.
func (s *Server) take(r *relayed) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.users[r.user] >= s.cfg.MaxPerUser || s.total >= s.cfg.MaxAllocations {
		return false
	}
	s.users[r.user]++
	s.total++
	return true
}

func (s *Server) give(r *relayed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.relays, r)
	s.total--
	if s.users[r.user]--; s.users[r.user] <= 0 {
		delete(s.users, r.user)
	}
}

// mayAllocate answers a client that is beyond its bound.
func (s *Server) mayAllocate(name, _ string, _ net.Addr) bool {
	s.mu.Lock()
	ok := s.users[name] < s.cfg.MaxPerUser
	s.mu.Unlock()
	if !ok {
		s.n.quota.Add(1)
	}
	return ok
}

// created and deleted keep account of who may send without being slowed down.
func (s *Server) created(src, _ net.Addr, _, _, _ string, _ net.Addr, _ int) {
	s.mark(src, true)
}

func (s *Server) deleted(src, _ net.Addr, _, _, _ string) { s.mark(src, false) }

func (s *Server) mark(src net.Addr, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch a := src.(type) {
	case *net.UDPAddr:
		if on {
			s.allocated[a.AddrPort()] = true
		} else {
			delete(s.allocated, a.AddrPort())
		}
	case *net.TCPAddr:
		for c := range s.conns {
			if c.remote == a.AddrPort() {
				c.good.Store(on)
			}
		}
	}
}

// relayed is the socket of one allocation: it sends to peers only, and puts
// the SFU's local address in the place of the one that clients know.
type relayed struct {
	*net.UDPConn
	s        *Server
	user     string
	born     time.Time
	v4       bool
	up, down bucket
	once     sync.Once
}

// WriteTo sends what the client has for a peer. An error is only logged by
// the caller, and the packet is lost.
func (r *relayed) WriteTo(b []byte, to net.Addr) (int, error) {
	u, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, errForeign
	}
	a, ok := peerAddr(u.IP)
	at := netip.AddrPortFrom(a, uint16(u.Port))
	if !ok {
		r.s.n.foreign.Add(1)
		return 0, errForeign
	}
	dest := netip.AddrPort{}
	for _, m := range r.s.cfg.Media() {
		if m.Told == at {
			dest = m.Local
		}
	}
	if !dest.IsValid() {
		if !r.s.mayPublic(a) {
			r.s.n.foreign.Add(1)
			return 0, errForeign
		}
		dest = at
	}
	if !r.up.take(len(b)) {
		r.s.n.throttled.Add(1)
		return len(b), nil
	}
	r.s.n.bytesIn.Add(int64(len(b)))
	return r.UDPConn.WriteToUDPAddrPort(b, dest)
}

// ReadFrom gives what a peer has sent, under the name that the client knows.
func (r *relayed) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := r.UDPConn.ReadFromUDPAddrPort(b)
		if err != nil {
			return 0, nil, err
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		told := netip.AddrPort{}
		for _, m := range r.s.cfg.Media() {
			if m.Local == from && m.Told.Addr().Is4() == r.v4 {
				told = m.Told
				break
			}
		}
		if !told.IsValid() {
			if !r.s.mayPublic(from.Addr()) {
				r.s.n.foreign.Add(1)
				continue
			}
			told = from
		}
		if !r.down.take(n) {
			r.s.n.throttled.Add(1)
			continue
		}
		r.s.n.bytesTo.Add(int64(n))
		return n, net.UDPAddrFromAddrPort(told), nil
	}
}

// Close ends the allocation.
func (r *relayed) Close() error {
	err := net.ErrClosed
	r.once.Do(func() {
		err = r.UDPConn.Close()
		r.s.give(r)
	})
	return err
}

// bucket lets so many bytes a second through, and a second's worth at once.
type bucket struct {
	clock im.Clock
	rate  float64
	mu    sync.Mutex
	left  float64
	at    time.Time
}

func (b *bucket) init(c im.Clock, rate int) {
	b.clock, b.rate, b.left, b.at = c, float64(rate), float64(rate), c.Now()
}

func (b *bucket) take(n int) bool {
	now := b.clock.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left = min(b.rate, b.left+max(0, now.Sub(b.at).Seconds())*b.rate)
	b.at = now
	if b.left < float64(n) {
		return false
	}
	b.left -= float64(n)
	return true
}

// flood bounds what addresses without an allocation may send: requests that
// have to be answered, and could carry somebody else's address.
type flood struct {
	clock im.Clock
	mu    sync.Mutex
	by    map[netip.Addr]*bucket
	full  atomic.Int64
}

const (
	floodRate  = 100   // packets a second, and as many at once, of an address
	floodAddrs = 65536 // addresses that are told apart; beyond, all start anew
)

func newFlood(c im.Clock) *flood { return &flood{clock: c, by: map[netip.Addr]*bucket{}} }

func (f *flood) allow(a netip.Addr) bool {
	a = site(a)
	f.mu.Lock()
	b := f.by[a]
	if b == nil {
		if len(f.by) >= floodAddrs {
			clear(f.by)
			f.full.Add(1)
		}
		b = new(bucket)
		b.init(f.clock, floodRate)
		f.by[a] = b
	}
	f.mu.Unlock()
	return b.take(1)
}

// sweep forgets those that have been quiet.
func (f *flood) sweep() {
	now := f.clock.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	for a, b := range f.by {
		b.mu.Lock()
		if now.Sub(b.at) > 2*time.Second {
			delete(f.by, a)
		}
		b.mu.Unlock()
	}
}

// site is what addresses are counted by: one of IPv4, a /64 of IPv6.
func site(a netip.Addr) netip.Addr {
	a = a.Unmap()
	if a.Is4() {
		return a
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return a
	}
	return p.Addr()
}
