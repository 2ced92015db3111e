// Package relay is the TURN server (RFC 8656) of the SFU, for clients whose
// network lets nothing through but TCP or TLS, or UDP to one port only. It is
// built on pion/turn, and adds what makes a relay safe to leave open to the
// internet:
//
//   - It relays to the SFU and to nothing else, unless Config.Public is set.
//     A relay that sends where its clients ask is a way into the network that
//     it stands in (cloud metadata, databases, its own other ports). TURN's
//     permissions know addresses only, so that the port is checked again for
//     each packet.
//   - What is for the SFU's public address goes to the local one that stands
//     behind it, and back, so that a machine behind a 1:1 NAT need not reach
//     itself from outside, and no port range has to be opened in a firewall.
//   - Credentials are short-lived and made of a shared secret (the "TURN REST"
//     scheme): nothing is stored, and what leaks is worth nothing soon.
//   - Everything a client can take is bounded: allocations of a user and in
//     all, their age, their bytes a second, connections, and the packets of
//     an address that has no allocation.
package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/turn/v5"

	"github.com/skein-im/skein/internal/im"
)

// Media is an address that the SFU takes media on.
type Media struct {
	// Told is what clients are told, and so what they ask to be relayed to.
	Told netip.AddrPort
	// Local is where the SFU listens; the same as Told where there is no NAT.
	Local netip.AddrPort
}

// Config is what a Server is made of. The zero value of a bound stands for
// its default.
type Config struct {
	// Secret is shared with whoever makes credentials; at least 16 bytes.
	Secret string
	// Realm is shown to clients; "skein" when empty.
	Realm string
	// UDP, TCP and TLS are the addresses to listen on; port 0 takes a free
	// one. At least one of all; TLS needs TLSConfig.
	UDP, TCP, TLS []netip.AddrPort
	TLSConfig     *tls.Config
	// Media gives the SFU's addresses of the moment. It is asked for each
	// allocation and permission, and must not block.
	Media func() []Media
	// Public also relays to addresses of the public internet that are not
	// this machine's. A call needs it only when its media is on a machine
	// that this one does not know of.
	Public bool
	// MinPort and MaxPort bound the ports that relayed media leaves from; 0
	// lets the system choose. They need to be reachable only with Public.
	MinPort, MaxPort uint16
	// MaxAllocations bounds all allocations (4096), MaxPerUser those of one
	// name (8: a few devices, each over two ways and two families at once).
	MaxAllocations, MaxPerUser int
	// MaxConnections bounds TCP connections (4096), MaxPerAddress those from
	// one address, or /64 of IPv6 (256: an office behind one NAT).
	MaxConnections, MaxPerAddress int
	// BytesPerSecond bounds what one allocation relays in each direction;
	// more is lost (4,000,000: twenty videos at their best).
	BytesPerSecond int
	// MaxAge ends an allocation, however often it is refreshed (24 h).
	MaxAge time.Duration

	Clock   im.Clock
	Entropy im.Entropy
	Log     *slog.Logger
}

func (c *Config) fill() error {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&c.MaxAllocations, 4096)
	def(&c.MaxPerUser, 8)
	def(&c.MaxConnections, 4096)
	def(&c.MaxPerAddress, 256)
	def(&c.BytesPerSecond, 4_000_000)
	if c.MaxAge <= 0 {
		c.MaxAge = 24 * time.Hour
	}
	if c.Realm == "" {
		c.Realm = "skein"
	}
	switch {
	case len(c.Secret) < 16:
		return errors.New("the secret of TURN needs at least 16 characters")
	case len(c.UDP)+len(c.TCP)+len(c.TLS) == 0:
		return errors.New("TURN has no address to listen on")
	case len(c.TLS) > 0 && c.TLSConfig == nil:
		return errors.New("TURN over TLS needs a certificate")
	case c.MinPort > c.MaxPort || (c.MinPort == 0) != (c.MaxPort == 0):
		return fmt.Errorf("the relay's ports %d to %d are no range", c.MinPort, c.MaxPort)
	case c.Media == nil:
		return errors.New("TURN does not know where media is")
	}
	return nil
}

// Counts are what a supervisor may want to know. All but the first only grow.
type Counts struct {
	Allocations      int64 // at the moment
	Granted          int64 // allocations made
	Quota            int64 // allocations refused by a bound
	BadCredentials   int64 // forged or expired
	RefusedPeers     int64 // permissions refused
	ForeignPackets   int64 // packets to or from what is not a peer, or of another port of one
	Throttled        int64 // packets lost to BytesPerSecond
	Flooded          int64 // packets of addresses without an allocation, beyond what these may send
	Connections      int64 // TCP and TLS, at the moment
	ConnectionsShut  int64 // connections that were refused, or sent nothing good in time
	BytesIn, BytesTo int64 // from clients, to clients
}

type counters struct {
	granted, quota, badCredentials, refusedPeers, foreign, throttled, flooded, shut, bytesIn, bytesTo atomic.Int64
}

// Server is one TURN server. New starts it, Close ends it.
type Server struct {
	cfg   Config
	log   *slog.Logger
	turn  *turn.Server
	n     counters
	flood *flood

	// What is listened on, for the URLs.
	udp, tcp, tls []netip.AddrPort

	cancel context.CancelFunc
	ctx    context.Context
	wg     sync.WaitGroup

	mu        sync.Mutex              // guards the rest
	allocated map[netip.AddrPort]bool // clients with an allocation, over UDP
	users     map[string]int          // allocations by name
	total     int                     // and of all
	relays    map[*relayed]struct{}
	conns     map[*conn]struct{}
	from      map[netip.Addr]int // connections by address
	own       map[netip.Addr]bool
	closed    bool
}

// New listens and serves until Close.
func New(cfg Config) (*Server, error) {
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, log: cfg.Log, flood: newFlood(cfg.Clock), allocated: map[netip.AddrPort]bool{}, users: map[string]int{},
		relays: map[*relayed]struct{}{}, conns: map[*conn]struct{}{}, from: map[netip.Addr]int{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.learnOwn()
	packets, listeners, err := s.listen()
	if err == nil {
		s.turn, err = turn.NewServer(turn.ServerConfig{
			PacketConnConfigs: packets, ListenerConfigs: listeners, Realm: cfg.Realm, LoggerFactory: quiet{},
			AuthHandler: s.authenticate, QuotaHandler: s.mayAllocate,
			EventHandler: turn.EventHandler{OnAllocationCreated: s.created, OnAllocationDeleted: s.deleted},
		})
	}
	if err != nil {
		s.cancel()
		for _, p := range packets {
			p.PacketConn.Close() //nolint:errcheck // the first error tells
		}
		for _, l := range listeners {
			l.Listener.Close() //nolint:errcheck // the first error tells
		}
		return nil, err
	}
	s.wg.Go(s.tend)
	return s, nil
}

// listen opens all sockets; what it opened before an error is returned too.
func (s *Server) listen() (packets []turn.PacketConnConfig, listeners []turn.ListenerConfig, err error) {
	for _, a := range s.cfg.UDP {
		pc, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(a))
		if err != nil {
			return packets, listeners, fmt.Errorf("TURN: %w", err)
		}
		s.udp = append(s.udp, pc.LocalAddr().(*net.UDPAddr).AddrPort())
		packets = append(packets, turn.PacketConnConfig{PacketConn: &front{UDPConn: pc, s: s}, RelayAddressGenerator: generator{s}, PermissionHandler: s.permit})
	}
	for i, a := range append(append([]netip.AddrPort(nil), s.cfg.TCP...), s.cfg.TLS...) {
		raw, err := net.Listen("tcp", a.String())
		if err != nil {
			return packets, listeners, fmt.Errorf("TURN: %w", err)
		}
		at := raw.Addr().(*net.TCPAddr).AddrPort()
		var ln net.Listener = &listener{Listener: raw, s: s}
		if i < len(s.cfg.TCP) {
			s.tcp = append(s.tcp, at)
		} else {
			s.tls = append(s.tls, at)
			ln = tls.NewListener(ln, s.cfg.TLSConfig)
		}
		listeners = append(listeners, turn.ListenerConfig{Listener: ln, RelayAddressGenerator: generator{s}, PermissionHandler: s.permit})
	}
	return packets, listeners, nil
}

// UDP, TCP and TLS are the addresses that are listened on.
func (s *Server) UDP() []netip.AddrPort { return s.udp }

// TCP is said with UDP.
func (s *Server) TCP() []netip.AddrPort { return s.tcp }

// TLS is said with UDP.
func (s *Server) TLS() []netip.AddrPort { return s.tls }

// URLs are those of this server (RFC 7065) as clients reach it: at the given
// addresses over UDP and TCP, and at domain over TLS, which needs a name for
// its certificate. UDP is first: clients try them in this order of liking.
func (s *Server) URLs(domain string, told ...netip.Addr) (urls []string) {
	for _, kind := range []struct {
		scheme, transport string
		at                []netip.AddrPort
	}{{"turn", "udp", s.udp}, {"turn", "tcp", s.tcp}} {
		seen := map[string]bool{}
		for _, a := range kind.at {
			for _, t := range told {
				u := fmt.Sprintf("%s:%s?transport=%s", kind.scheme, netip.AddrPortFrom(t, a.Port()), kind.transport)
				if t.Is4() != a.Addr().Unmap().Is4() && !a.Addr().IsUnspecified() || seen[u] {
					continue
				}
				seen[u] = true
				urls = append(urls, u)
			}
		}
	}
	for i, a := range s.tls {
		if domain != "" && (i == 0 || a.Port() != s.tls[i-1].Port()) {
			urls = append(urls, fmt.Sprintf("turns:%s:%d?transport=tcp", domain, a.Port()))
		}
	}
	return urls
}

// Counts of the moment.
func (s *Server) Counts() Counts {
	s.mu.Lock()
	relays, conns := len(s.relays), len(s.conns)
	s.mu.Unlock()
	return Counts{
		Allocations: int64(relays), Granted: s.n.granted.Load(), Quota: s.n.quota.Load(), BadCredentials: s.n.badCredentials.Load(),
		RefusedPeers: s.n.refusedPeers.Load(), ForeignPackets: s.n.foreign.Load(), Throttled: s.n.throttled.Load(), Flooded: s.n.flooded.Load(),
		Connections: int64(conns), ConnectionsShut: s.n.shut.Load(), BytesIn: s.n.bytesIn.Load(), BytesTo: s.n.bytesTo.Load(),
	}
}

// Close ends all allocations and connections. Clients notice by silence, as
// TURN has no word for it.
func (s *Server) Close() error {
	s.cancel()
	s.mu.Lock()
	s.closed = true
	relays, conns := s.relays, s.conns
	s.relays, s.conns = map[*relayed]struct{}{}, map[*conn]struct{}{}
	s.mu.Unlock()
	err := s.turn.Close()
	for c := range conns {
		c.Conn.Close() //nolint:errcheck // nothing is left to lose
	}
	for r := range relays {
		r.UDPConn.Close() //nolint:errcheck // nothing is left to lose
	}
	s.wg.Wait()
	return err
}

// tendEvery is how often what is too old is looked for.
const tendEvery = 2 * time.Second

// tend ends what is too old or too quiet.
func (s *Server) tend() {
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	for rounds := 1; ; rounds++ {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
		if rounds%15 == 0 {
			s.learnOwn()
		}
		s.sweep()
	}
}

func (s *Server) sweep() {
	now := s.cfg.Clock.Now()
	s.flood.sweep()
	s.mu.Lock()
	var conns []*conn
	var old []*relayed
	for c := range s.conns {
		if c.idle(now) {
			conns = append(conns, c)
		}
	}
	for r := range s.relays {
		if now.Sub(r.born) >= s.cfg.MaxAge {
			old = append(old, r)
		}
	}
	s.mu.Unlock()
	for _, c := range conns {
		s.n.shut.Add(1)
		c.Close() //nolint:errcheck // nothing is left to lose
	}
	for _, r := range old {
		r.Close() //nolint:errcheck // the allocation notices
	}
}
