//go:build unix

package ws

import (
	"io"
	"net"
	"os"
	"syscall"
)

// openRaw finds out whether the connection's descriptor can be read directly.
// Only the bare socket types qualify: a wrapper may count or change what
// passes.
func (c *Conn) openRaw() {
	var s syscall.Conn
	switch nc := c.nc.(type) {
	case *net.TCPConn:
		s = nc
	case *net.UnixConn:
		s = nc
	default:
		return
	}
	if raw, err := s.SyscallConn(); err == nil {
		c.raw, c.tryRead = raw, c.readReady
	}
}

// readReady reads once, without blocking. It takes a buffer for the attempt
// and gives it back when there is nothing: so a socket that stays silent is
// waited on without one.
func (c *Conn) readReady(fd uintptr) bool {
	if c.buf == nil {
		c.buf = takeSmall()
	}
	for {
		n, err := syscall.Read(int(fd), c.buf[c.w:])
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			if c.r == c.w {
				c.dropBuffer()
			}
			return false
		case err != nil:
			c.ioN, c.rerr = 0, os.NewSyscallError("read", err)
			return true
		case n == 0:
			c.ioN, c.rerr = 0, io.EOF
			return true
		default:
			c.ioN = int32(n)
			return true
		}
	}
}

// sendRaw writes o's bytes without a deadline as long as the socket has room,
// and arms o's timer when it has none.
func (o *out) sendRaw() error {
	if o.try == nil {
		o.try = o.writeReady
	}
	if err := o.conn.raw.Write(o.try); err != nil {
		return err
	}
	return o.err
}

func (o *out) writeReady(fd uintptr) bool {
	for len(o.rest) > 0 {
		n, err := syscall.Write(int(fd), o.rest)
		switch {
		case n > 0:
			o.rest = o.rest[n:]
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			o.arm()
			return false
		default:
			o.err = os.NewSyscallError("write", err)
			return true
		}
	}
	return true
}
