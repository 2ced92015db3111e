package ws

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"unicode/utf8"
)

// ReadMessage waits for the next message. The payload is valid, and may be
// changed, until the next call: keep a copy, not the slice. Pings are answered
// and pongs counted on the way; several pings that arrive together get one
// pong, for the newest, as RFC 6455 §5.5.3 allows.
//
// Errors: *CloseError when the peer closed; *ProtocolError when it broke the
// rules or the limit; io.EOF when it left between two messages without a close
// frame, io.ErrUnexpectedEOF in the middle of one; net.ErrClosed (wrapped)
// after Close. All of these are final: later calls return the same. A passed
// read deadline is not.
//
// Once CloseWith has been called messages are dropped, and ReadMessage returns
// only errors.
func (c *Conn) ReadMessage() (Op, []byte, error) {
	c.rmu.Lock()
	defer c.rmu.Unlock()
	for {
		op, p, err := c.next()
		if err != nil || !c.ended.Load() {
			return op, p, err
		}
	}
}

// next is ReadMessage under rmu.
func (c *Conn) next() (Op, []byte, error) {
	if c.rerr != nil {
		return 0, nil, c.rerr
	}
	if c.msg != nil && !c.midMessage() {
		giveBack(c.msg)
		c.msg = nil
	}
	for {
		if !c.inFrame {
			if err := c.readHeader(); err != nil {
				return 0, nil, c.failed(err)
			}
		}
		op, p, err := c.readPayload()
		if err != nil {
			return 0, nil, c.failed(err)
		}
		if op != 0 {
			c.flushDue()
			return op, p, nil
		}
	}
}

// midMessage reports whether a message has begun and not ended.
func (c *Conn) midMessage() bool { return c.inFrame || c.msgOp != 0 }

// failed makes an error final, unless it is a passed deadline.
func (c *Conn) failed(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	if err == io.EOF && (c.midMessage() || c.r < c.w) {
		err = io.ErrUnexpectedEOF
	}
	c.rerr = err
	c.dropBuffer()
	giveBack(c.msg)
	c.msg = nil
	return err
}

// readHeader reads the next frame's header and judges it in its context.
func (c *Conn) readHeader() error {
	var h header
	for want := 2; ; {
		if err := c.need(want); err != nil {
			return err
		}
		var err error
		if h, want, err = parseHeader(c.buf[c.r:c.w]); err != nil {
			return err
		}
		if int(c.w-c.r) >= want {
			c.r += int32(want)
			break
		}
	}
	switch {
	case h.masked && c.client:
		return broken("masked frame from a server")
	case !h.masked && !c.client:
		return broken("unmasked frame from a client")
	case h.op == opContinuation && c.msgOp == 0:
		return broken("continuation of nothing")
	case h.op != opContinuation && h.op < opClose && c.msgOp != 0:
		return broken("new message within a fragmented one")
	case h.op < opClose && int64(h.length) > c.limit.Load()-int64(len(c.msg)):
		return tooBig()
	}
	c.frames.Add(1)
	c.inFrame, c.op, c.fin, c.key, c.left, c.start = true, h.op, h.fin, h.key, h.length, len(c.msg)
	return nil
}

// readPayload reads the current frame's payload. The op is 0 while there is
// no whole message to return.
func (c *Conn) readPayload() (Op, []byte, error) {
	if c.op >= opClose {
		p, err := c.takePayload()
		if err != nil {
			return 0, nil, err
		}
		return 0, nil, c.control(p)
	}
	var p []byte
	op := c.op
	if op != opContinuation && c.fin && c.left <= smallSize && c.msgOp == 0 {
		var err error
		if p, err = c.takePayload(); err != nil {
			return 0, nil, err
		}
	} else {
		if op != opContinuation {
			c.msgOp = op
		}
		if err := c.gather(); err != nil {
			return 0, nil, err
		}
		if !c.fin {
			return 0, nil, nil
		}
		op, p = c.msgOp, c.msg
		c.msgOp = 0
	}
	if op == OpText && !utf8.Valid(p) {
		return 0, nil, &ProtocolError{CloseCode: CloseInvalidData, Reason: "text is not UTF-8"}
	}
	return op, p, nil
}

// takePayload returns the current frame's payload where it lies in the buffer.
func (c *Conn) takePayload() ([]byte, error) {
	if c.left == 0 {
		c.inFrame = false
		return []byte{}, nil
	}
	if err := c.need(c.left); err != nil {
		return nil, err
	}
	end := c.r + int32(c.left)
	p := c.buf[c.r:end:end]
	if c.key != 0 {
		mask(p, p, c.key)
	}
	c.r, c.inFrame = end, false
	return p, nil
}

// gather appends the current frame's payload to msg.
func (c *Conn) gather() error {
	for c.left > 0 {
		c.msg = grown(c.msg)
		room := c.msg[len(c.msg):min(cap(c.msg), len(c.msg)+c.left)]
		var n int
		switch {
		case c.r < c.w:
			n = copy(room, c.buf[c.r:c.w])
			c.r += int32(n)
		case c.left < smallSize: // the frames behind it may come along
			if err := c.fill(); err != nil {
				return err
			}
		default:
			c.flushDue()
			var err error
			if n, err = c.nc.Read(room); n == 0 && err != nil {
				return err
			}
		}
		c.msg = c.msg[:len(c.msg)+n]
		c.left -= n
	}
	if c.key != 0 {
		mask(c.msg[c.start:], c.msg[c.start:], c.key)
	}
	c.inFrame = false
	return nil
}

// need waits until n <= smallSize bytes lie in the buffer in one piece.
func (c *Conn) need(n int) error {
	for int(c.w-c.r) < n {
		if int(c.r)+n > smallSize {
			c.w = int32(copy(c.buf[:], c.buf[c.r:c.w]))
			c.r = 0
		}
		if err := c.fill(); err != nil {
			return err
		}
	}
	return nil
}

// fill reads what the socket has, at least one byte. While it waits with
// nothing unread it holds no buffer.
func (c *Conn) fill() error {
	c.flushDue()
	if c.r == c.w {
		c.r, c.w = 0, 0
	}
	if c.raw != nil {
		if err := c.raw.Read(c.tryRead); err != nil {
			return err
		}
		c.w += c.ioN
		return c.rerr
	}
	if c.w == 0 {
		c.dropBuffer()
		n, err := c.nc.Read(c.peek[:])
		if n == 0 {
			return err
		}
		c.buf = takeSmall()
		c.w = int32(copy(c.buf[:], c.peek[:n]))
		return nil
	}
	n, err := c.nc.Read(c.buf[c.w:])
	c.w += int32(n)
	if n > 0 {
		return nil
	}
	return err
}

func (c *Conn) dropBuffer() {
	if c.buf != nil {
		smallPool.Put(c.buf)
		c.buf, c.r, c.w = nil, 0, 0
	}
}

// control acts on a control frame.
func (c *Conn) control(p []byte) error {
	switch c.op {
	case opPing:
		c.pmu.Lock()
		c.pong = append(c.pong[:0], p...)
		c.due.Store(c.due.Load() | duePong)
		c.pmu.Unlock()
	case opClose:
		closed := &CloseError{Code: CloseNoStatus}
		if len(p) == 1 {
			return broken("close frame with half a code")
		}
		if len(p) >= 2 {
			closed.Code, closed.Reason = CloseCode(binary.BigEndian.Uint16(p)), string(p[2:])
			if !closed.Code.sendable() {
				return broken("invalid close code")
			}
			if !utf8.ValidString(closed.Reason) {
				return &ProtocolError{CloseCode: CloseInvalidData, Reason: "close reason is not UTF-8"}
			}
		}
		c.pmu.Lock()
		c.echo = closed.Code
		c.due.Store(c.due.Load() | dueClose)
		c.pmu.Unlock()
		// Not as flushDue does: whoever is told of the end may close the socket at
		// once, and a writer that is at work would take the answer down with it.
		c.wmu.Lock()
		c.sendDue()
		c.wmu.Unlock()
		return closed
	}
	return nil
}
