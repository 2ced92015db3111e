package netlab

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Packet is one of IPv4.
type Packet []byte

// good reports whether it is whole: what a kernel says of itself over IPv6 is
// not, nor are fragments, which nothing here puts together.
func (p Packet) good() bool {
	if len(p) < 20 || p[0]>>4 != 4 || len(p) < p.head() || int(binary.BigEndian.Uint16(p[2:])) != len(p) {
		return false
	}
	return binary.BigEndian.Uint16(p[6:])&0x3fff == 0 && (!p.ports() || len(p) >= p.head()+8)
}

func (p Packet) head() int { return int(p[0]&15) * 4 }

// Proto is what it carries (unix.IPPROTO_UDP and so on).
func (p Packet) Proto() int { return int(p[9]) }

// Src is where it comes from.
func (p Packet) Src() netip.Addr { return netip.AddrFrom4([4]byte(p[12:16])) }

// Dst is where it goes.
func (p Packet) Dst() netip.Addr { return netip.AddrFrom4([4]byte(p[16:20])) }

func (p Packet) ports() bool { return p.Proto() == unix.IPPROTO_UDP || p.Proto() == unix.IPPROTO_TCP }

// echo reports whether it is a question or an answer of ping.
func (p Packet) echo() bool {
	return p.Proto() == unix.IPPROTO_ICMP && len(p) >= p.head()+8 && (p[p.head()] == 0 || p[p.head()] == 8)
}

// From is address and port (or number of the ping) of its sender.
func (p Packet) From() netip.AddrPort {
	switch {
	case p.ports():
		return netip.AddrPortFrom(p.Src(), binary.BigEndian.Uint16(p[p.head():]))
	case p.echo():
		return netip.AddrPortFrom(p.Src(), binary.BigEndian.Uint16(p[p.head()+4:]))
	}
	return netip.AddrPortFrom(p.Src(), 0)
}

// To is address and port of whom it is for.
func (p Packet) To() netip.AddrPort {
	switch {
	case p.ports():
		return netip.AddrPortFrom(p.Dst(), binary.BigEndian.Uint16(p[p.head()+2:]))
	case p.echo():
		return netip.AddrPortFrom(p.Dst(), binary.BigEndian.Uint16(p[p.head()+4:]))
	}
	return netip.AddrPortFrom(p.Dst(), 0)
}

// setFrom writes another sender, and the checksums that follow from it.
func (p Packet) setFrom(a netip.AddrPort) { p.set(12, 0, a) }

// setTo is setFrom for the receiver.
func (p Packet) setTo(a netip.AddrPort) { p.set(16, 2, a) }

func (p Packet) set(addr, port int, a netip.AddrPort) {
	four := a.Addr().As4()
	copy(p[addr:], four[:])
	h := p.head()
	switch {
	case p.ports():
		binary.BigEndian.PutUint16(p[h+port:], a.Port())
	case p.echo():
		binary.BigEndian.PutUint16(p[h+4:], a.Port())
	}
	sum := func(at int, from uint32, b []byte) {
		p[at], p[at+1] = 0, 0
		s := ^fold(add(from, b))
		if s == 0 && p.Proto() == unix.IPPROTO_UDP && at != 10 {
			s = 0xffff // 0 says that there is none
		}
		binary.BigEndian.PutUint16(p[at:], s)
	}
	sum(10, 0, p[:h])
	pseudo := add(uint32(p.Proto())+uint32(len(p)-h), p[12:20])
	switch p.Proto() {
	case unix.IPPROTO_UDP:
		sum(h+6, pseudo, p[h:])
	case unix.IPPROTO_TCP:
		if len(p) >= h+18 {
			sum(h+16, pseudo, p[h:])
		}
	case unix.IPPROTO_ICMP:
		sum(h+2, 0, p[h:])
	}
}

// add sums up 16-bit words (RFC 1071).
func add(s uint32, b []byte) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		s += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	return s
}

func fold(s uint32) uint16 {
	for s>>16 != 0 {
		s = s&0xffff + s>>16
	}
	return uint16(s)
}
