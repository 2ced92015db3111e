//go:build linux && (amd64 || arm64)

package link

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"unsafe"

	"github.com/pion/rtp"
	"golang.org/x/sys/unix"
)

// canShare says that several sockets can serve one address.
const canShare = true

// readBatch is how many datagrams one system call takes.
const readBatch = 32

// sock is one UDP socket.
type sock struct {
	conn  *net.UDPConn
	rc    syscall.RawConn
	addr  netip.AddrPort
	local uint16 // index of its address
	v6    bool
	noGSO atomic.Bool // the way out cannot cut segments
}

func openSock(at netip.AddrPort, local uint16, cfg Config) (*sock, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if ctl := c.Control(func(fd uintptr) {
			if cfg.Readers > 1 {
				err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
			}
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, cfg.SocketBuffer)      //nolint:errcheck // as much as there is
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF, cfg.SocketBuffer)      //nolint:errcheck // as much as there is
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, cfg.SocketBuffer) //nolint:errcheck // root may have more
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, cfg.SocketBuffer) //nolint:errcheck // root may have more
		}); ctl != nil {
			return ctl
		}
		return err
	}}
	pc, err := lc.ListenPacket(context.Background(), "udp", at.String())
	if err != nil {
		return nil, err
	}
	conn := pc.(*net.UDPConn)
	rc, err := conn.SyscallConn()
	if err != nil {
		conn.Close() //nolint:errcheck // the first error tells
		return nil, err
	}
	addr := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	return &sock{conn: conn, rc: rc, addr: netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port()), local: local, v6: !at.Addr().Is4()}, nil
}

// rawAddr is an address as the kernel reads it.
type rawAddr struct {
	b [unix.SizeofSockaddrInet6]byte
	n uint32
}

func rawOf(a netip.AddrPort, v6 bool) (r rawAddr) {
	if !v6 {
		binary.NativeEndian.PutUint16(r.b[:], unix.AF_INET)
		binary.BigEndian.PutUint16(r.b[2:], a.Port())
		ip := a.Addr().Unmap().As4()
		copy(r.b[4:], ip[:])
		r.n = unix.SizeofSockaddrInet4
		return r
	}
	binary.NativeEndian.PutUint16(r.b[:], unix.AF_INET6)
	binary.BigEndian.PutUint16(r.b[2:], a.Port())
	ip := a.Addr().As16()
	copy(r.b[8:], ip[:])
	r.n = unix.SizeofSockaddrInet6
	return r
}

// mmsghdr is struct mmsghdr of sendmmsg(2) on 64-bit systems.
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
	_   [4]byte
}

// receiver is what one goroutine reads into.
type receiver struct {
	msgs  [readBatch]mmsghdr
	iovs  [readBatch]unix.Iovec
	names [readBatch][unix.SizeofSockaddrInet6]byte
	bufs  [readBatch]*Buffer
	count int
	errno syscall.Errno
	try   func(fd uintptr) bool
}

func newReceiver() *receiver {
	r := &receiver{}
	for i := range r.bufs {
		r.arm(i)
	}
	r.try = func(fd uintptr) bool {
		n, _, errno := syscall.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&r.msgs[0])), readBatch, unix.MSG_DONTWAIT, 0, 0)
		r.count, r.errno = int(n), errno
		return errno != syscall.EAGAIN
	}
	return r
}

func (r *receiver) arm(i int) {
	if r.bufs[i] == nil {
		r.bufs[i] = NewBuffer()
	}
	r.iovs[i].Base = &r.bufs[i].room[0]
	r.iovs[i].SetLen(bufferSize)
	r.msgs[i].hdr = unix.Msghdr{Name: &r.names[i][0], Namelen: unix.SizeofSockaddrInet6, Iov: &r.iovs[i]}
	r.msgs[i].hdr.SetIovlen(1)
}

func (r *receiver) release() {
	for _, b := range r.bufs {
		b.Release()
	}
}

// receive waits for packets; errors are those of the socket.
func (s *sock) receive(r *receiver) (int, error) {
	for i := range r.count {
		r.arm(i)
	}
	r.count = 0
	if err := s.rc.Read(r.try); err != nil {
		r.count = 0
		return 0, err
	}
	if r.errno != 0 {
		r.count = 0
		return 0, r.errno
	}
	return r.count, nil
}

// packet is datagram i and where it came from.
func (r *receiver) packet(i int) ([]byte, netip.AddrPort) {
	b := r.bufs[i].room[:r.msgs[i].n]
	name := &r.names[i]
	port := binary.BigEndian.Uint16(name[2:])
	if binary.NativeEndian.Uint16(name[:]) == unix.AF_INET {
		return b, netip.AddrPortFrom(netip.AddrFrom4([4]byte(name[4:8])), port)
	}
	return b, netip.AddrPortFrom(netip.AddrFrom16([16]byte(name[8:24])).Unmap(), port)
}

// take hands datagram i over with its buffer.
func (r *receiver) take(i int) *Buffer {
	b := r.bufs[i]
	b.B = b.room[:r.msgs[i].n]
	r.bufs[i] = nil
	return b
}

// maxMessages bounds one sendmmsg, maxSegments one buffer that is cut.
const (
	maxMessages = 16
	maxSegments = 64
)

type headerScratch struct{ rtp rtp.Header }

// gsoScratch is the kernel's view of a batch.
type gsoScratch struct {
	msgs [maxMessages]mmsghdr
	iovs [maxMessages]unix.Iovec
	ctl  [maxMessages][24]byte // one control message: the size of a segment
	from [maxMessages]int      // first packet of each message
	n    int
	sent int
	err  syscall.Errno
	call func(fd uintptr)
}

// sendBatch sends packets in as few system calls as it takes: a run of equal
// ones, of which the last may be smaller, is one message (UDP_SEGMENT).
func (s *sock) sendBatch(to *path, b *Batch) {
	g := &b.gso
	if g.call == nil {
		g.call = func(fd uintptr) {
			n, _, errno := syscall.RawSyscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&g.msgs[0])), uintptr(g.n), unix.MSG_DONTWAIT, 0, 0)
			g.sent, g.err = int(n), errno
		}
	}
	for i := 0; i < len(b.ends); {
		i = s.fill(g, to, b, i)
		s.rc.Control(g.call) //nolint:errcheck // a closed socket sends nothing
		switch {
		case g.err == 0 && g.sent < g.n:
			i = g.from[g.sent] // the rest, or why not
		case (g.err == syscall.EIO || g.err == syscall.EINVAL) && !s.noGSO.Swap(true):
			i = g.from[0] // again, packet by packet
		case g.err != 0:
			return
		}
	}
}

// fill makes messages from packet i on, and returns the first that is left.
func (s *sock) fill(g *gsoScratch, to *path, b *Batch, i int) int {
	segments := maxSegments
	if s.noGSO.Load() {
		segments = 1
	}
	for g.n = 0; g.n < maxMessages && i < len(b.ends); g.n++ {
		start := 0
		if i > 0 {
			start = b.ends[i-1]
		}
		size := b.ends[i] - start
		last := i
		for last+1 < len(b.ends) && last+1-i < segments {
			next := b.ends[last+1] - b.ends[last]
			if next > size {
				break
			}
			last++
			if next < size {
				break
			}
		}
		m := &g.msgs[g.n]
		g.from[g.n] = i
		g.iovs[g.n].Base = &b.buf[start]
		g.iovs[g.n].SetLen(b.ends[last] - start)
		m.hdr = unix.Msghdr{Name: &to.raw.b[0], Namelen: to.raw.n, Iov: &g.iovs[g.n]}
		m.hdr.SetIovlen(1)
		if last > i {
			c := &g.ctl[g.n]
			binary.NativeEndian.PutUint64(c[0:], unix.SizeofCmsghdr+2)
			binary.NativeEndian.PutUint32(c[8:], unix.IPPROTO_UDP)
			binary.NativeEndian.PutUint32(c[12:], unix.UDP_SEGMENT)
			binary.NativeEndian.PutUint16(c[16:], uint16(size))
			m.hdr.Control = &c[0]
			m.hdr.SetControllen(len(c))
		}
		i = last + 1
	}
	return i
}
