package ws

import (
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"time"
)

// Bits of Conn.due.
const (
	duePong = 1 << iota
	dueClose
)

// WriteMessage sends one message of kind OpText or OpBinary and returns when
// the kernel has taken it. The payload is not kept and not changed; that a
// text is UTF-8 is the caller's business.
//
// Errors: ErrClosing, ErrWriteTimeout, or what the socket said. After the
// latter two no write can succeed.
func (c *Conn) WriteMessage(op Op, payload []byte) error {
	if err := checkKind(op); err != nil {
		return err
	}
	return c.write(op, payload, nil)
}

// WriteBuffers sends one message whose payload is all pieces put together.
func (c *Conn) WriteBuffers(op Op, pieces [][]byte) error {
	if err := checkKind(op); err != nil {
		return err
	}
	return c.write(op, nil, pieces)
}

// WriteMessages sends each of msgs as a message of its own, as many in one
// system call as fit into 32 KiB. To a crowd of readers the call is most of
// what a message costs.
func (c *Conn) WriteMessages(op Op, msgs [][]byte) error {
	if err := checkKind(op); err != nil {
		return err
	}
	total := 0
	for _, m := range msgs {
		total += maxHeader + len(m)
	}
	return c.locked(total, func(o *out) error {
		for _, m := range msgs {
			if err := c.frame(o, op, m, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// Ping sends a ping of at most 125 bytes. The answer shows in FramesRead.
func (c *Conn) Ping(data []byte) error {
	if len(data) > maxControl {
		return fmt.Errorf("ws: ping of %d bytes, at most %d", len(data), maxControl)
	}
	return c.write(opPing, data, nil)
}

// checkKind refuses the kinds of frame that are no messages.
func checkKind(op Op) error {
	if op != OpText && op != OpBinary {
		return fmt.Errorf("ws: kind %d is no message", op)
	}
	return nil
}

func (c *Conn) write(op Op, first []byte, rest [][]byte) error {
	total := maxHeader + len(first)
	for _, p := range rest {
		total += len(p)
	}
	return c.locked(total, func(o *out) error { return c.frame(o, op, first, rest) })
}

// locked runs fill with the write lock and a buffer, sends what fill left in
// it, and then what the reader left for us. total is an upper bound of the
// bytes to come, if they are to go out in one piece.
func (c *Conn) locked(total int, fill func(*out) error) error {
	c.wmu.Lock()
	err := c.writable()
	if err == nil {
		o := takeOut(c, total)
		if err = fill(o); err == nil {
			err = o.send()
		}
		err = o.release(err)
	}
	c.wmu.Unlock()
	c.flushDue()
	return err
}

// sendText writes what is no frame: the two halves of the handshake.
func (c *Conn) sendText(text []byte) error {
	return c.locked(len(text), func(o *out) error { return o.add(text, nil) })
}

// writable is called under wmu.
func (c *Conn) writable() error {
	if c.sent {
		return ErrClosing
	}
	return c.werr
}

// frame puts one frame into o, its payload being first and rest together. A
// client masks it in the course of the copy.
func (c *Conn) frame(o *out, op Op, first []byte, rest [][]byte) error {
	h := header{op: op, fin: true, masked: c.client, length: len(first)}
	for _, p := range rest {
		h.length += len(p)
	}
	if c.client {
		var err error
		if h.key, err = c.masks.next(); err != nil {
			return fmt.Errorf("ws: no entropy for a mask: %w", err)
		}
	}
	if len(o.b)+maxHeader > cap(o.b) {
		if err := o.send(); err != nil {
			return err
		}
	}
	o.b = appendHeader(o.b, h)
	var key *uint32
	if h.masked {
		key = &h.key
	}
	if err := o.add(first, key); err != nil {
		return err
	}
	for _, p := range rest {
		if err := o.add(p, key); err != nil {
			return err
		}
	}
	return nil
}

// flushDue sends what the reader owes the peer, if there is anything and no
// writer is at work; one that is comes here when it has finished. The order of
// the steps sees to it that one of the two does it: the reader sets due before
// it tries the lock, the writer gives the lock back before it looks at due.
func (c *Conn) flushDue() {
	for c.due.Load() != 0 && c.wmu.TryLock() {
		c.sendDue()
		c.wmu.Unlock()
	}
}

// sendDue is called under wmu. An error need not be returned: it is kept in
// werr for the next writer, and the reader meets the broken socket itself.
func (c *Conn) sendDue() {
	var pong, closing [maxControl]byte
	c.pmu.Lock()
	due := c.due.Swap(0)
	n := copy(pong[:], c.pong)
	code := c.echo
	c.pmu.Unlock()
	if c.writable() != nil {
		return
	}
	o := takeOut(c, smallSize)
	var err error
	if due&duePong != 0 {
		err = c.frame(o, opPong, pong[:n], nil)
	}
	if err == nil && due&dueClose != 0 {
		err = c.frame(o, opClose, appendClose(closing[:0], code, ""), nil)
		c.sent = true
	}
	if err == nil {
		err = o.send()
	}
	o.release(err) //nolint:errcheck // kept in werr
}

// appendClose writes the payload of a close frame.
func appendClose(b []byte, code CloseCode, reason string) []byte {
	if !code.sendable() {
		return b
	}
	return append(binary.BigEndian.AppendUint16(b, uint16(code)), reason...)
}

// out is one write in the making: a pooled buffer and what sends it.
type out struct {
	b     []byte // filled so far; its capacity is the room
	conn  *Conn
	armed bool   // conn.timer runs
	rest  []byte // what sendRaw has still to write
	err   error  // what sendRaw met
	try   func(fd uintptr) bool

	pair   [2][]byte // what add writes without copying, and
	vector net.Buffers
}

var (
	smallOuts = sync.Pool{New: func() any { return &out{b: make([]byte, 0, smallSize)} }}
	largeOuts = sync.Pool{New: func() any { return &out{b: make([]byte, 0, largeSize)} }}
)

func takeOut(c *Conn, total int) *out {
	pool := &smallOuts
	if total > smallSize {
		pool = &largeOuts
	}
	o := pool.Get().(*out)
	o.conn = c
	return o
}

// directSize is where copying a piece begins to cost more than the longer way
// of a vectored write: measured, 16 KiB is the first size that gains.
const directSize = 16 << 10

// add copies p, masked with key if there is one, sending whenever the buffer is
// full. A large piece goes out from where it lies.
func (o *out) add(p []byte, key *uint32) error {
	if len(p) >= directSize && key == nil && o.conn.raw != nil {
		o.arm()
		o.pair = [2][]byte{o.b, p}
		o.vector = o.pair[:]
		_, err := o.vector.WriteTo(o.conn.nc)
		o.b = o.b[:0]
		return err
	}
	for len(p) > 0 {
		if len(o.b) == cap(o.b) {
			if err := o.send(); err != nil {
				return err
			}
		}
		n := min(len(p), cap(o.b)-len(o.b))
		room := o.b[len(o.b) : len(o.b)+n]
		if key != nil {
			*key = mask(room, p[:n], *key)
		} else {
			copy(room, p)
		}
		o.b, p = o.b[:len(o.b)+n], p[n:]
	}
	return nil
}

// send writes what is in the buffer and empties it.
func (o *out) send() error {
	if len(o.b) == 0 {
		return nil
	}
	var err error
	if o.conn.raw != nil {
		o.rest = o.b
		err = o.sendRaw()
	} else {
		o.arm()
		_, err = o.conn.nc.Write(o.b)
	}
	o.b = o.b[:0]
	return err
}

// arm starts the time-out, once for all that o sends.
func (o *out) arm() {
	if o.armed {
		return
	}
	o.armed = true
	if c := o.conn; c.timer == nil {
		c.timer = time.AfterFunc(c.writeTimeout, c.reset)
	} else {
		c.timer.Reset(c.writeTimeout)
	}
}

// reset closes the connection so that the kernel does not go on holding what
// the peer will not read.
func (c *Conn) reset() {
	if s, ok := bottom(c.nc).(*net.TCPConn); ok {
		s.SetLinger(0) //nolint:errcheck // the socket is given up
	}
	c.Close() //nolint:errcheck // the socket is given up
}

// release ends the write, which met err, and returns the error to report. It
// is called under wmu.
func (o *out) release(err error) error {
	c := o.conn
	if o.armed && !c.timer.Stop() && err != nil {
		err = ErrWriteTimeout
	}
	if err != nil {
		c.werr = err
	}
	o.b, o.conn, o.armed, o.rest, o.err = o.b[:0], nil, false, nil, nil
	o.pair, o.vector = [2][]byte{}, nil
	if cap(o.b) == smallSize {
		smallOuts.Put(o)
	} else {
		largeOuts.Put(o)
	}
	return err
}
