package link

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// How ICE-TCP connections are bounded.
const (
	tcpQueue     = 512 // packets that wait for a slow connection; more are lost
	tcpFirst     = 10 * time.Second
	tcpIdle      = 60 * time.Second
	tcpMaxOpen   = 10_000 // connections at once
	tcpMaxFrames = 1500
)

// tcpPath is one TCP connection, framed as in RFC 4571.
type tcpPath struct {
	id   uint64
	conn net.Conn
	out  chan []byte
	done chan struct{}
	once sync.Once
}

func (t *tcpPath) close() {
	t.once.Do(func() {
		close(t.done)
		t.conn.Close() //nolint:errcheck // nothing is left to lose
	})
}

// write queues a packet, or loses it when the connection is slow: media that
// is late is worth nothing, and the reader that forwards must not wait.
func (t *tcpPath) write(b []byte) {
	frame := make([]byte, 2+len(b))
	binary.BigEndian.PutUint16(frame, uint16(len(b)))
	copy(frame[2:], b)
	select {
	case t.out <- frame:
	default:
	}
}

func (t *tcpPath) writer() {
	var pending net.Buffers
	for {
		select {
		case <-t.done:
			return
		case b := <-t.out:
			pending = append(pending[:0], b)
		}
		for more := true; more && len(pending) < 64; {
			select {
			case b := <-t.out:
				pending = append(pending, b)
			default:
				more = false
			}
		}
		if _, err := pending.WriteTo(t.conn); err != nil {
			t.close()
			return
		}
	}
}

// accept serves one TCP listener until it is closed.
func (port *Port) accept(ln net.Listener) {
	var next, open atomic.Uint64
	base := uint64(slices.Index(port.tcp, ln)+1) << 48
	for {
		conn, err := ln.Accept()
		if err != nil {
			if port.ctx.Err() != nil {
				return
			}
			continue
		}
		if open.Load() >= tcpMaxOpen {
			conn.Close() //nolint:errcheck // refused
			continue
		}
		open.Add(1)
		id := base | next.Add(1)
		port.wg.Go(func() {
			defer func() { open.Add(^uint64(0)) }()
			port.serveTCP(conn, id)
		})
	}
}

// serveTCP reads one connection. Until a check with good credentials has
// come, it may send nothing else and has little time.
func (port *Port) serveTCP(conn net.Conn, id uint64) {
	t := &tcpPath{id: id, conn: conn, out: make(chan []byte, tcpQueue), done: make(chan struct{})}
	defer t.close()
	stop := make(chan struct{})
	defer close(stop)
	port.wg.Go(func() {
		select {
		case <-port.ctx.Done():
			t.close()
		case <-stop:
		}
	})
	port.wg.Go(t.writer)
	remote, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return
	}
	p := &path{tcp: t, addr: netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port())}
	var in inbox
	var size [2]byte
	limit := tcpFirst
	for {
		conn.SetReadDeadline(port.cfg.Clock.Now().Add(limit)) //nolint:errcheck // the read says it
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		n := int(binary.BigEndian.Uint16(size[:]))
		if n < 12 || n > tcpMaxFrames {
			return
		}
		b := NewBuffer()
		b.B = b.B[:n]
		if _, err := io.ReadFull(conn, b.B); err != nil {
			b.Release()
			return
		}
		if !port.dispatchTCP(p, b, &in) {
			return
		}
		limit = tcpIdle
	}
}

func (port *Port) dispatchTCP(p *path, b *Buffer, in *inbox) bool {
	now := port.Now()
	first := b.B[0]
	if isSTUN(first) {
		err := port.answerCheck(p, b.B, now)
		b.Release()
		return err == nil || port.byPath(p.key()) != nil
	}
	l := port.byPath(p.key())
	if l == nil {
		b.Release()
		return false
	}
	switch {
	case isRTP(first) && !isRTCP(b.B):
		if l.takeRTP(b, now) {
			l.handler.Flush(now, &in.out, true)
		}
		return true
	case isRTP(first):
		l.takeRTCP(b.B, now, &in.out)
	case isDTLS(first):
		l.toDTLS(b.B)
	}
	b.Release()
	return true
}
