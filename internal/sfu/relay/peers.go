package relay

import (
	"net"
	"net/netip"
)

// reserved are addresses that no peer on the internet has, beyond what netip
// tells by itself (RFC 6890 and its registries). Those of IPv6 that carry an
// address of IPv4 inside are among them: a gateway may unpack it.
var reserved = func() (out []netip.Prefix) {
	for _, s := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fec0::/10",
	} {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}()

// public reports whether an address is one of the internet's: not loopback,
// private, link-local, multicast, unspecified, carrier-grade NAT, or set apart
// for something else. An IPv4 address in IPv6's clothes never is.
func public(a netip.Addr) bool {
	if !a.IsValid() || a.Zone() != "" || !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, p := range reserved {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// peerAddr reads an address that a client has named. One that is IPv4 inside
// IPv6 is none: nobody needs to write it so, but to get past a check.
func peerAddr(ip net.IP) (netip.Addr, bool) {
	a, ok := netip.AddrFromSlice(ip)
	return a, ok && !a.Is4In6()
}

// permit decides on a permission or a channel, of which it sees the address
// only; relayed.WriteTo decides on the port.
func (s *Server) permit(_ net.Addr, ip net.IP) bool {
	a, ok := peerAddr(ip)
	if ok {
		for _, m := range s.cfg.Media() {
			if m.Told.Addr() == a {
				return true
			}
		}
		if s.mayPublic(a) {
			return true
		}
	}
	s.n.refusedPeers.Add(1)
	return false
}

// mayPublic decides on what is not the SFU.
func (s *Server) mayPublic(a netip.Addr) bool {
	if !s.cfg.Public || !public(a) {
		return false
	}
	for _, m := range s.cfg.Media() {
		if m.Told.Addr() == a || m.Local.Addr() == a {
			return false // another port of this machine
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.own[a]
}

// learnOwn reads the addresses of this machine, which may come and go.
func (s *Server) learnOwn() {
	own := map[netip.Addr]bool{}
	all, err := net.InterfaceAddrs()
	if err != nil {
		s.log.Warn("the addresses of this machine cannot be read", "error", err)
		return
	}
	for _, x := range all {
		if n, ok := x.(*net.IPNet); ok {
			if a, ok := netip.AddrFromSlice(n.IP); ok {
				own[a.Unmap()] = true
			}
		}
	}
	s.mu.Lock()
	s.own = own
	s.mu.Unlock()
}
