package link

import (
	"errors"
	"os"
	"slices"
	"sync"
	"time"
)

// HoldTime is how long packets of a frame may wait for the rest of it, so
// that a frame goes to each receiver in one system call. It is the most that
// this adds to the delay, and only when a frame's end does not come.
const HoldTime = time.Millisecond

// bufferSize holds any datagram that a path of 1,500 bytes lets through.
const bufferSize = 1500

// Buffer is one packet; B is it, in memory that Release gives back.
type Buffer struct {
	B    []byte
	room [bufferSize]byte
}

var buffers = sync.Pool{New: func() any { return new(Buffer) }} // a cache: nothing can be told from what is in it

// NewBuffer takes an empty one with B at its full size.
func NewBuffer() *Buffer {
	b := buffers.Get().(*Buffer)
	b.B = b.room[:]
	return b
}

// Release gives it back; nobody may look at B any more.
func (b *Buffer) Release() { buffers.Put(b) }

// inbox is what one goroutine reads into, and where it keeps who has packets
// to flush.
type inbox struct {
	out   Batch
	dirty []*Link // got packets in this read
	held  []*Link // have asked to wait
	until int64   // when the held ones must go
}

// read serves one socket until it is closed.
func (port *Port) read(s *sock) {
	var in inbox
	r := newReceiver()
	defer r.release()
	waiting := false
	for {
		if hold := len(in.held) > 0; hold != waiting || hold {
			var at time.Time
			if hold {
				at = port.Wall(in.until)
			}
			s.conn.SetReadDeadline(at) //nolint:errcheck // a closed socket says so below
			waiting = hold
		}
		n, err := s.receive(r)
		now := port.Now()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
		case err != nil:
			if port.ctx.Err() != nil {
				return
			}
			continue // an ICMP error of some client; the socket is good
		}
		for i := range n {
			port.dispatchUDP(s, r, i, now, &in)
		}
		in.flush(now)
	}
}

// flush lets those go on whose packets came, and those who have waited.
func (in *inbox) flush(now int64) {
	for _, l := range in.dirty {
		if l.handler.Flush(now, &in.out, false) {
			if !slices.Contains(in.held, l) {
				if len(in.held) == 0 {
					in.until = now + int64(HoldTime)
				}
				in.held = append(in.held, l)
			}
		} else if i := slices.Index(in.held, l); i >= 0 {
			in.held = slices.Delete(in.held, i, i+1)
		}
	}
	in.dirty = in.dirty[:0]
	if len(in.held) > 0 && now >= in.until {
		for _, l := range in.held {
			l.handler.Flush(now, &in.out, true)
		}
		clear(in.held)
		in.held = in.held[:0]
	}
}

// kinds of packets share a port and differ in their first byte (RFC 7983).
func isSTUN(b byte) bool { return b <= 3 }
func isDTLS(b byte) bool { return b >= 20 && b <= 63 }
func isRTP(b byte) bool  { return b >= 128 && b <= 191 }

// isRTCP tells RTCP from RTP by its second byte (RFC 5761).
func isRTCP(p []byte) bool { return p[1] >= 192 && p[1] <= 223 }

// dispatchUDP sorts packet i of a read.
func (port *Port) dispatchUDP(s *sock, r *receiver, i int, now int64, in *inbox) {
	b, from := r.packet(i)
	if len(b) < 12 {
		return
	}
	switch {
	case isSTUN(b[0]):
		port.answerCheck(&path{sock: s, addr: from, raw: rawOf(from, s.v6)}, b, now) //nolint:errcheck // what is no check gets no answer
	case isDTLS(b[0]):
		if l := port.byPath(pathKey{local: s.local, remote: from}); l != nil {
			l.toDTLS(b)
		}
	case isRTP(b[0]):
		if l := port.byPath(pathKey{local: s.local, remote: from}); l != nil {
			if isRTCP(b) {
				l.takeRTCP(b, now, &in.out)
			} else if l.takeRTP(r.take(i), now) {
				if !slices.Contains(in.dirty, l) {
					in.dirty = append(in.dirty, l)
				}
			}
		}
	}
}

func (l *Link) toDTLS(b []byte) {
	l.stateMu.Lock()
	if l.pipe == nil && !l.done {
		l.pipe = newPipe(l) // the client is ahead of its description
	}
	p := l.pipe
	l.stateMu.Unlock()
	if p != nil {
		p.in.Write(b) //nolint:errcheck // full: as good as lost
	}
}

// takeRTP decrypts in place and hands on; it owns b.
func (l *Link) takeRTP(b *Buffer, now int64) bool {
	l.recvMu.Lock()
	if l.recv == nil {
		l.recvMu.Unlock()
		b.Release()
		return false
	}
	p, err := l.recv.DecryptRTP(b.B[:0], b.B, &l.header)
	l.recvMu.Unlock()
	if err != nil || len(p) > len(b.room) {
		b.Release()
		return false
	}
	if &p[0] != &b.room[0] {
		copy(b.room[:], p)
	}
	b.B = b.room[:len(p)]
	l.handler.RTP(now, b)
	return true
}

func (l *Link) takeRTCP(b []byte, now int64, out *Batch) {
	l.recvMu.Lock()
	var p []byte
	var err error = ErrClosed
	if l.recv != nil {
		p, err = l.recv.DecryptRTCP(nil, b, nil)
	}
	l.recvMu.Unlock()
	if err == nil {
		l.handler.RTCP(now, p, out)
	}
}
