package ws

import (
	"errors"
	"net"
	"time"
	"unicode/utf8"
)

// Close drops the connection at once, without a close frame: the peer sees
// 1006. Reads and writes under way end with net.ErrClosed. It never blocks.
func (c *Conn) Close() error { return bottom(c.nc).Close() }

// CloseWith ends the connection in the way of RFC 6455 §7: it sends a close
// frame, waits for the peer's at most Limits.Linger, and closes the socket. If
// the peer has closed first, only the last remains to be done. Linger also
// bounds the wait for a writer that is stuck.
//
// A code that may not be sent (0, 1005, ...) stands for a close frame without
// one. A reason longer than 123 bytes is cut. The result is nil when the peer
// has answered; any goroutine may call it, the reader's too.
func (c *Conn) CloseWith(code CloseCode, reason string) error {
	c.ended.Store(true)
	limit := time.AfterFunc(c.linger, func() { c.Close() }) //nolint:errcheck // nothing is left to lose
	defer limit.Stop()
	err := c.sendClose(code, reason)
	if err == nil {
		err = c.awaitClose()
	}
	return errors.Join(err, c.shut())
}

// shut closes the connection with TLS's own farewell. It may find that the
// time is over and the work done.
func (c *Conn) shut() error {
	if err := c.nc.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// sendClose sends the first close frame, if none has gone out.
func (c *Conn) sendClose(code CloseCode, reason string) error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	switch err := c.writable(); err {
	case ErrClosing:
		return nil
	case nil:
	default:
		return err
	}
	c.sent = true
	for len(reason) > maxControl-2 || !utf8.ValidString(reason) {
		reason = reason[:len(reason)-1]
	}
	var payload [maxControl]byte
	o := takeOut(c, smallSize)
	err := c.frame(o, opClose, appendClose(payload[:0], code, reason), nil)
	if err == nil {
		err = o.send()
	}
	return o.release(err)
}

// awaitClose reads until the peer has closed. When another goroutine is in
// ReadMessage, that one does it and this one waits for it.
func (c *Conn) awaitClose() error {
	c.rmu.Lock()
	defer c.rmu.Unlock()
	c.nc.SetReadDeadline(time.Time{}) //nolint:errcheck // the linger timer bounds the wait
	c.detach()
	var err error
	for err == nil {
		_, _, err = c.next()
	}
	var closed *CloseError
	var protocol *ProtocolError
	switch {
	case errors.As(err, &closed):
		if c.client { // the server closes first, so that it keeps the lingering socket state
			c.discard()
		}
		return nil
	case errors.As(err, &protocol):
		// The stream is beyond understanding. Closing with bytes unread would
		// reset the connection and could destroy our close frame on its way;
		// the end of our side makes the peer end its own.
		if h, ok := c.nc.(interface{ CloseWrite() error }); ok {
			h.CloseWrite() //nolint:errcheck // the socket is given up
		}
		c.discard()
		return nil
	}
	return err
}

// detach leaves to the caller of ReadMessage the memory that it may still be
// looking at, and goes on in other.
func (c *Conn) detach() {
	if c.buf != nil {
		fresh := takeSmall()
		n := copy(fresh[:], c.buf[c.r:c.w])
		c.buf, c.r, c.w = fresh, 0, int32(n)
	}
	if !c.midMessage() {
		c.msg = nil
	}
}

// discard reads until the peer's end or ours.
func (c *Conn) discard() {
	b := takeSmall()
	defer smallPool.Put(b)
	for {
		if _, err := c.nc.Read(b[:]); err != nil {
			return
		}
	}
}
