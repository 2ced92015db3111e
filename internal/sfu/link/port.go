package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/skein-im/skein/internal/im"
)

// Config is what a Port is made of. The zero value of a field stands for its
// default.
type Config struct {
	// Listen are the addresses of this machine to serve on. An unspecified
	// one (0.0.0.0, ::) stands for all of that family that are up, loopback
	// only when there is no other.
	Listen []netip.Addr
	// Port is of UDP and, when TCP is set, of ICE-TCP; 0 takes a free one.
	Port uint16
	// TCP also serves RFC 6544's passive candidates, for networks that let no
	// UDP through.
	TCP bool
	// Advertise replaces the addresses that clients are told: for a machine
	// whose public address is on none of its interfaces (1:1 NAT). Empty: the
	// addresses that are listened on. Port.Advertise changes it later.
	Advertise []netip.Addr
	// Readers is how many sockets share each UDP address; by default as many
	// as there are processors, at most 8. 1 where the system cannot share.
	Readers int
	// SocketBuffer is asked of the kernel for each socket, in bytes; 4 MiB by
	// default. The kernel may give less (net.core.rmem_max).
	SocketBuffer int

	Clock   im.Clock
	Entropy im.Entropy
	Log     *slog.Logger
}

// Port is what all links of a server share. Close ends it.
type Port struct {
	cfg     Config
	cert    certificate
	entropy io.Reader
	began   time.Time
	ctx     context.Context
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	socks   []*sock
	tcp     []net.Listener
	number  uint16

	mu        sync.RWMutex // guards the rest
	ufrags    map[string]*Link
	addrs     map[pathKey]*Link
	advertise []netip.Addr
}

// pathKey is where a client's packets come from and to.
type pathKey struct {
	local  uint16 // index of the local address; TCP connections have one each beyond it
	tcp    uint64 // of a TCP connection, 0 for UDP
	remote netip.AddrPort
}

// path is how to reach a client.
type path struct {
	sock *sock
	tcp  *tcpPath
	addr netip.AddrPort
	raw  rawAddr
}

func (p *path) key() pathKey {
	if p.tcp != nil {
		return pathKey{tcp: p.tcp.id, remote: p.addr}
	}
	return pathKey{local: p.sock.local, remote: p.addr}
}

// write sends one datagram, or drops it when the socket is full.
func (p *path) write(b []byte) {
	if p.tcp != nil {
		p.tcp.write(b)
		return
	}
	p.sock.conn.WriteToUDPAddrPort(b, p.addr) //nolint:errcheck // a datagram may be lost
}

// Candidate is an address of ours for the SDP.
type Candidate struct {
	Addr     netip.AddrPort
	TCP      bool
	Priority uint32
}

// Open listens.
func Open(cfg Config) (*Port, error) {
	if cfg.Readers <= 0 {
		cfg.Readers = min(runtime.GOMAXPROCS(0), 8)
	}
	if !canShare {
		cfg.Readers = 1
	}
	if cfg.SocketBuffer <= 0 {
		cfg.SocketBuffer = 4 << 20
	}
	now := cfg.Clock.Now()
	cert, err := newCertificate(now)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	p := &Port{cfg: cfg, cert: cert, entropy: cfg.Entropy, began: now, ufrags: map[string]*Link{}, addrs: map[pathKey]*Link{}, number: cfg.Port, advertise: cfg.Advertise}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	for try := 1; ; try++ {
		err := p.listen()
		if err == nil {
			break
		}
		p.shutSockets()
		// A free UDP port need not be free for TCP, nor on every address.
		if cfg.Port != 0 || try == 20 || !errors.Is(err, syscall.EADDRINUSE) {
			p.cancel()
			return nil, err
		}
	}
	for _, s := range p.socks {
		p.wg.Go(func() { p.read(s) })
	}
	for _, ln := range p.tcp {
		p.wg.Go(func() { p.accept(ln) })
	}
	return p, nil
}

func (p *Port) listen() error {
	addrs, err := localAddrs(p.cfg.Listen)
	if err != nil {
		return err
	}
	for i, a := range addrs {
		if p.cfg.Readers > 1 && p.number != 0 {
			// Sockets that may share a port also share it with another program's of this
			// user, and each would get half of the packets: one that shares nothing finds out.
			alone, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, p.number)))
			if err != nil {
				return fmt.Errorf("listen on %s: %w", netip.AddrPortFrom(a, p.number), err)
			}
			alone.Close() //nolint:errcheck // it was only asked
		}
		for range p.cfg.Readers {
			s, err := openSock(netip.AddrPortFrom(a, p.number), uint16(i), p.cfg)
			if err != nil {
				return fmt.Errorf("listen on %s: %w", netip.AddrPortFrom(a, p.number), err)
			}
			p.socks = append(p.socks, s)
			p.number = s.addr.Port()
		}
		if p.cfg.TCP {
			ln, err := net.Listen("tcp", netip.AddrPortFrom(a, p.number).String())
			if err != nil {
				return fmt.Errorf("listen: %w", err)
			}
			p.tcp = append(p.tcp, ln)
		}
	}
	return nil
}

// localAddrs writes out unspecified addresses.
func localAddrs(listen []netip.Addr) ([]netip.Addr, error) {
	var out, loopback []netip.Addr
	for _, a := range listen {
		if !a.IsUnspecified() {
			out = append(out, a.Unmap())
			continue
		}
		all, err := net.InterfaceAddrs()
		if err != nil {
			return nil, err
		}
		for _, x := range all {
			n, ok := x.(*net.IPNet)
			if !ok {
				continue
			}
			ip, ok := netip.AddrFromSlice(n.IP)
			ip = ip.Unmap()
			switch {
			case !ok || ip.Is4() != a.Is4() || ip.IsLinkLocalUnicast() || ip.IsMulticast():
			case ip.IsLoopback():
				loopback = append(loopback, ip)
			default:
				out = append(out, ip)
			}
		}
	}
	if len(out) == 0 {
		out = loopback
	}
	if len(out) == 0 {
		return nil, errors.New("there is no address to serve media on")
	}
	return out, nil
}

// Number is the port's number.
func (p *Port) Number() uint16 { return p.number }

// Fingerprint is of the certificate that all links show, as in the SDP.
func (p *Port) Fingerprint() string { return p.cert.fingerprint }

// Now is the time since the port was opened, in nanoseconds: the time of all
// calls of Handler.
func (p *Port) Now() int64 { return int64(p.cfg.Clock.Now().Sub(p.began)) }

// Wall converts the port's time.
func (p *Port) Wall(now int64) time.Time { return p.began.Add(time.Duration(now)) }

// Advertise changes the addresses that clients are told from now on; those who
// have a connection keep it.
func (p *Port) Advertise(addrs []netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.advertise = addrs
}

// Candidates are the addresses for the SDP, UDP before TCP.
func (p *Port) Candidates() []Candidate {
	p.mu.RLock()
	addrs := p.advertise
	p.mu.RUnlock()
	if len(addrs) == 0 {
		var last netip.Addr
		for _, s := range p.socks {
			if s.addr.Addr() != last {
				last = s.addr.Addr()
				addrs = append(addrs, last)
			}
		}
	}
	var out []Candidate
	for i, a := range addrs {
		// RFC 8445 §5.1.2: a host candidate, the address's rank, component 1.
		out = append(out, Candidate{Addr: netip.AddrPortFrom(a, p.number), Priority: 126<<24 | uint32(65535-i)<<8 | 255})
	}
	if p.cfg.TCP {
		for i, a := range addrs {
			out = append(out, Candidate{Addr: netip.AddrPortFrom(a, p.number), TCP: true, Priority: 90<<24 | uint32(65535-i)<<8 | 255})
		}
	}
	return out
}

// Close ends the port. Links must have been closed before.
func (p *Port) Close() {
	p.cancel()
	for _, s := range p.socks {
		s.conn.Close() //nolint:errcheck // nothing is left to lose
	}
	for _, ln := range p.tcp {
		ln.Close() //nolint:errcheck // nothing is left to lose
	}
	p.wg.Wait()
}

// shutSockets takes back what listen has opened.
func (p *Port) shutSockets() {
	for _, s := range p.socks {
		s.conn.Close() //nolint:errcheck // nothing is left to lose
	}
	for _, ln := range p.tcp {
		ln.Close() //nolint:errcheck // nothing is left to lose
	}
	p.socks, p.tcp, p.number = nil, nil, p.cfg.Port
}

func (p *Port) register(ufrag string, l *Link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ufrags[ufrag] = l
}

func (p *Port) forget(ufrag string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.ufrags, ufrag)
}

func (p *Port) byUfrag(ufrag string) *Link {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.ufrags[ufrag]
}

// bind lets packets of a path lead to a link; it reports whether they did.
func (p *Port) bind(at *path, l *Link) (before bool) {
	k := at.key()
	p.mu.RLock()
	before = p.addrs[k] == l
	p.mu.RUnlock()
	if before {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.addrs[k] = l
	return false
}

func (p *Port) unbind(k pathKey, l *Link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.addrs[k] == l {
		delete(p.addrs, k)
	}
}

func (p *Port) byPath(k pathKey) *Link {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.addrs[k]
}
