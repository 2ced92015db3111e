package netlab

import (
	"net/netip"
	"sync"
)

// Rule is how much of the other side a NAT looks at (RFC 4787 §4.1 and §5),
// once for giving out ports and once for letting packets in.
type Rule int

const (
	// Any looks at nothing: one port for all ("full cone"), everybody may send.
	Any Rule = iota
	// PerAddress looks at the other's address.
	PerAddress
	// PerPort looks at the other's address and port; as a mapping that is a
	// symmetric NAT, through which nobody can be called.
	PerPort
)

// NAT translates between an inside and one public address.
type NAT struct {
	Public             netip.Addr
	Mapping, Filtering Rule
	// OneToOne gives the public address to this one inside, port by port, as
	// clouds do; the machine does not know it.
	OneToOne netip.Addr

	hosts map[netip.Addr]*Host // guarded by the lab's mu

	mu     sync.Mutex // guards the rest
	next   uint16
	byKey  map[mapping]uint16
	byPort map[hole]*state
	n      NATCounts
}

// NATCounts are what a NAT has done.
type NATCounts struct{ Out, In, Refused, Mappings int64 }

type mapping struct {
	proto  int
	inside netip.AddrPort
	other  netip.AddrPort // as far as the rule looks at it
}

type hole struct {
	proto int
	port  uint16
}

type state struct {
	inside netip.AddrPort
	seen   map[netip.AddrPort]bool // others, as far as the rule looks at them
}

// seen is what a rule sees of the other side.
func (r Rule) seen(a netip.AddrPort) netip.AddrPort {
	switch r {
	case Any:
		return netip.AddrPort{}
	case PerAddress:
		return netip.AddrPortFrom(a.Addr(), 0)
	}
	return a
}

// NAT puts a translator into the lab.
func (l *Lab) NAT(public string, m, f Rule) *NAT {
	n := &NAT{Public: netip.MustParseAddr(public), Mapping: m, Filtering: f, hosts: map[netip.Addr]*Host{}, byKey: map[mapping]uint16{}, byPort: map[hole]*state{}, next: 20000}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nats[n.Public] = n
	return n
}

// OneToOne puts a translator into the lab that gives a public address to one
// inside.
func (l *Lab) OneToOne(public, inside string) *NAT {
	n := l.NAT(public, Any, Any)
	n.OneToOne = netip.MustParseAddr(inside)
	return n
}

// Counts of the moment.
func (n *NAT) Counts() NATCounts {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.n
}

// out translates what leaves; it reports whether it may.
func (n *NAT) out(p Packet) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !p.ports() && !p.echo() {
		n.n.Refused++
		return false
	}
	n.n.Out++
	if n.OneToOne == p.Src() {
		p.setFrom(netip.AddrPortFrom(n.Public, p.From().Port()))
		return true
	}
	k := mapping{p.Proto(), p.From(), n.Mapping.seen(p.To())}
	port, ok := n.byKey[k]
	if !ok {
		port = n.next
		n.next++
		n.byKey[k] = port
		n.byPort[hole{p.Proto(), port}] = &state{inside: p.From(), seen: map[netip.AddrPort]bool{}}
		n.n.Mappings++
	}
	n.byPort[hole{p.Proto(), port}].seen[n.Filtering.seen(p.To())] = true
	p.setFrom(netip.AddrPortFrom(n.Public, port))
	return true
}

// in translates what arrives, and says for whom it is; nil refuses it.
func (n *NAT) in(p Packet) *Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.OneToOne.IsValid() && (p.ports() || p.echo()) {
		n.n.In++
		p.setTo(netip.AddrPortFrom(n.OneToOne, p.To().Port()))
		return n.hosts[n.OneToOne]
	}
	s := n.byPort[hole{p.Proto(), p.To().Port()}]
	if s == nil || !s.seen[n.Filtering.seen(p.From())] {
		n.n.Refused++
		return nil
	}
	n.n.In++
	p.setTo(s.inside)
	return n.hosts[s.inside.Addr()]
}
