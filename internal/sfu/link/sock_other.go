//go:build !linux || !(amd64 || arm64)

package link

import (
	"net"
	"net/netip"

	"github.com/pion/rtp"
)

// canShare says that several sockets can serve one address.
const canShare = false

// sock is one UDP socket.
type sock struct {
	conn  *net.UDPConn
	addr  netip.AddrPort
	local uint16
	v6    bool
}

func openSock(at netip.AddrPort, local uint16, cfg Config) (*sock, error) {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, err
	}
	conn.SetReadBuffer(cfg.SocketBuffer)  //nolint:errcheck // as much as there is
	conn.SetWriteBuffer(cfg.SocketBuffer) //nolint:errcheck // as much as there is
	addr := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	return &sock{conn: conn, addr: netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port()), local: local, v6: !at.Addr().Is4()}, nil
}

type rawAddr struct{}

func rawOf(netip.AddrPort, bool) rawAddr { return rawAddr{} }

// receiver is what one goroutine reads into: one packet at a time.
type receiver struct {
	buf  *Buffer
	from netip.AddrPort
	n    int
}

func newReceiver() *receiver { return &receiver{buf: NewBuffer()} }

func (r *receiver) release() { r.buf.Release() }

func (s *sock) receive(r *receiver) (int, error) {
	if r.buf == nil {
		r.buf = NewBuffer()
	}
	n, from, err := s.conn.ReadFromUDPAddrPort(r.buf.room[:])
	if err != nil {
		return 0, err
	}
	r.n, r.from = n, netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	return 1, nil
}

func (r *receiver) packet(int) ([]byte, netip.AddrPort) { return r.buf.room[:r.n], r.from }

func (r *receiver) take(int) *Buffer {
	b := r.buf
	b.B = b.room[:r.n]
	r.buf = nil
	return b
}

type headerScratch struct{ rtp rtp.Header }

type gsoScratch struct{}

// sendBatch sends packet by packet.
func (s *sock) sendBatch(to *path, b *Batch) {
	start := 0
	for _, end := range b.ends {
		s.conn.WriteToUDPAddrPort(b.buf[start:end], to.addr) //nolint:errcheck // a datagram may be lost
		start = end
	}
}
