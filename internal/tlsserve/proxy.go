package tlsserve

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// maxHops bounds how many entries of X-Forwarded-For are looked at.
const maxHops = 32

// Proxies are the reverse proxies whose headers are believed. What anybody
// else writes into X-Forwarded-For and X-Forwarded-Proto is ignored.
type Proxies struct{ nets []netip.Prefix }

// NewProxies reads networks (10.0.0.0/8) and single addresses (10.0.0.7).
func NewProxies(list []string) (*Proxies, error) {
	p := &Proxies{}
	for _, s := range list {
		if a, err := netip.ParseAddr(s); err == nil {
			p.nets = append(p.nets, netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()))
			continue
		}
		n, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, fmt.Errorf("proxies: %q is no address or network", s)
		}
		p.nets = append(p.nets, n.Masked())
	}
	return p, nil
}

// trusts tells whether an address is a proxy's.
func (p *Proxies) trusts(a netip.Addr) bool {
	for _, n := range p.nets {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// ClientAddr is the address that a request comes from: the connection's own,
// or, when that is a proxy's, the rightmost one in X-Forwarded-For that is no
// proxy's. Each proxy appends who spoke to it, so what stands left of that was
// written by the client and may be anything. The zero address stands for one
// that cannot be read.
func (p *Proxies) ClientAddr(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := ap.Addr().Unmap().WithZone("")
	if p == nil || !p.trusts(addr) {
		return addr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= max(0, len(hops)-maxHops); i-- {
		hop, ok := parseHop(hops[i])
		if !ok {
			return addr // the last one that could be read
		}
		if addr = hop; !p.trusts(addr) {
			return addr
		}
	}
	return addr
}

// parseHop reads an entry: an address, for some proxies with a port.
func parseHop(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return a.Unmap().WithZone(""), true
	}
	ap, err := netip.ParseAddrPort(s)
	return ap.Addr().Unmap().WithZone(""), err == nil
}

// Secure tells whether the client spoke TLS: to this server, or to a proxy
// that says so. Of several values the last one counts, which the nearest proxy
// wrote.
func (p *Proxies) Secure(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if p == nil || err != nil || !p.trusts(ap.Addr().Unmap().WithZone("")) {
		return false
	}
	values := strings.Split(strings.Join(r.Header.Values("X-Forwarded-Proto"), ","), ",")
	return strings.EqualFold(strings.TrimSpace(values[len(values)-1]), "https")
}

// Wrap sets r.URL.Scheme to "https" on requests that came over TLS to a proxy,
// so that a handler can compare a page's origin with its own.
func (p *Proxies) Wrap(next http.Handler) http.Handler {
	if len(p.nets) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil && p.Secure(r) {
			u := *r.URL
			u.Scheme = "https"
			r2 := *r
			r2.URL = &u
			r = &r2
		}
		next.ServeHTTP(w, r)
	})
}
