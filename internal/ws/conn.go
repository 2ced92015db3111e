// Package ws speaks WebSocket (RFC 6455) over a hijacked net/http connection
// or a dialled one. It knows frames and messages and nothing of what is in
// them.
//
// It exists because a server of a hundred thousand mostly silent sockets pays
// for each of them in memory (docs/adr/0003-websocket.md). What follows from
// that shapes the package:
//
//   - An idle connection holds no buffer. A plain TCP socket is waited on
//     without one; the first readable byte brings a pooled 4 KiB buffer, which
//     goes back when it has been emptied. The same buffer is the message that
//     the caller sees, so a small message is never copied; in return its
//     payload is valid only until the next ReadMessage.
//   - net/http's reader, writer and request die with the handler: take the
//     Conn out of the handler and serve it on a goroutine of your own, whose
//     stack has never grown.
//   - A message that fits goes out in one Write, headers and pieces copied
//     together, without an allocation. The write time-out costs nothing unless
//     a socket really is full, so every write has one.
//   - Memory follows the bytes that arrived, never the length that a frame
//     declares.
//
// One goroutine at a time may read. Any number may write; messages do not
// interleave. Extensions are never negotiated: with context takeover a
// compressor costs more than a megabyte a connection.
//
// The package starts no goroutine that outlives the call, and reads no clock:
// read deadlines are the caller's, other bounds are timers.
package ws

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Op is the kind of a message or frame (RFC 6455 §5.2).
type Op byte

// What ReadMessage returns and WriteMessage takes is OpText or OpBinary; the
// other kinds are handled inside the package.
const (
	opContinuation Op = 0
	OpText         Op = 1 // valid UTF-8, checked on read
	OpBinary       Op = 2
	opClose        Op = 8
	opPing         Op = 9
	opPong         Op = 10
)

// Limits bounds what one connection may cost. A zero field stands for its
// default.
type Limits struct {
	// ReadLimit is the largest payload of a message in bytes, all fragments
	// together; 4 KiB by default. SetReadLimit changes it on a running
	// connection.
	ReadLimit int
	// WriteTimeout is how long a message may wait for room in the socket; 10
	// s by default. When it has passed the connection is reset, because a
	// frame that was written in part cannot be taken back.
	WriteTimeout time.Duration
	// Linger bounds CloseWith: how long the peer has to answer a close frame;
	// 1 s by default.
	Linger time.Duration
	// SocketRead and SocketWrite set the kernel's buffers in bytes; the
	// kernel's own rule by default, which lets a peer that has stopped
	// reading swallow 4 MB. 64 to 256 KiB suits a server.
	SocketRead, SocketWrite int
}

const (
	defaultReadLimit    = 4 << 10
	defaultWriteTimeout = 10 * time.Second
	defaultLinger       = time.Second
)

// Conn is one WebSocket connection, made by Upgrade or Dial.
type Conn struct {
	nc  net.Conn
	raw syscall.RawConn // nil when nc can only be read with a buffer in hand

	// rmu is held by whoever reads the stream: ReadMessage, and CloseWith
	// when it waits for the peer's answer. It guards everything up to fin.
	rmu     sync.Mutex
	rerr    error            // why no message will ever come again
	buf     *[smallSize]byte // bytes received; nil while there are none
	r, w    int32            // buf[r:w] is unread
	tryRead func(fd uintptr) bool
	ioN     int32  // what tryRead got
	key     uint32 // mask of the current frame, 0 for none
	msg     []byte // payload of a message that does not lie in buf whole
	start   int    // where in msg the current frame's payload begins
	left    int    // bytes of the current frame still to come
	peek    [14]byte
	inFrame bool // a header has been read, its payload not yet
	op      Op   // of the current frame
	msgOp   Op   // of the fragmented message under way, 0 for none
	fin     bool // the current frame ends its message

	client bool        // masks what it sends, refuses what is masked
	sent   bool        // a close frame has been written; guarded by wmu
	echo   CloseCode   // answers the peer's close frame; guarded by pmu
	ended  atomic.Bool // CloseWith has begun: messages go nowhere

	// wmu is held while bytes of a frame go out.
	wmu   sync.Mutex
	werr  error       // why nothing can be written any more; guarded by wmu
	masks *maskSource // nil on a server; guarded by wmu
	timer *time.Timer // of the write under way, nil until one had to wait; guarded by wmu

	// The reader leaves its answers here when a writer is at work, and that
	// writer sends them: a reader never waits for a writer.
	pmu  sync.Mutex // guards pong, echo and changes of due
	pong []byte     // payload of the newest ping not yet answered
	due  atomic.Uint32

	limit        atomic.Int64
	frames       atomic.Uint64
	writeTimeout time.Duration
	linger       time.Duration
	subprotocol  string
}

func newConn(nc net.Conn, l Limits, subprotocol string) *Conn {
	c := &Conn{nc: nc, subprotocol: subprotocol, writeTimeout: defaultWriteTimeout, linger: defaultLinger}
	c.openRaw()
	c.limit.Store(defaultReadLimit)
	if l.ReadLimit > 0 {
		c.limit.Store(int64(l.ReadLimit))
	}
	if l.WriteTimeout > 0 {
		c.writeTimeout = l.WriteTimeout
	}
	if l.Linger > 0 {
		c.linger = l.Linger
	}
	return c
}

// size sets the kernel's buffers of the socket under nc.
func (l Limits) size(nc net.Conn) error {
	s, ok := bottom(nc).(interface {
		SetReadBuffer(int) error
		SetWriteBuffer(int) error
	})
	if !ok {
		return nil
	}
	if l.SocketRead > 0 {
		if err := s.SetReadBuffer(l.SocketRead); err != nil {
			return err
		}
	}
	if l.SocketWrite > 0 {
		return s.SetWriteBuffer(l.SocketWrite)
	}
	return nil
}

// bottom is the connection under TLS.
func bottom(nc net.Conn) net.Conn {
	if t, ok := nc.(*tls.Conn); ok {
		return t.NetConn()
	}
	return nc
}

// preload takes over what another reader has buffered.
func (c *Conn) preload(br *bufio.Reader) error {
	n := br.Buffered()
	if n == 0 {
		return nil
	}
	if n > smallSize {
		return fmt.Errorf("%d bytes came ahead of the handshake, at most %d", n, smallSize)
	}
	c.buf, c.w = takeSmall(), int32(n)
	_, err := io.ReadFull(br, c.buf[:n])
	return err
}

// Subprotocol is the agreed one, or "".
func (c *Conn) Subprotocol() string { return c.subprotocol }

// NetConn is the connection underneath (a *tls.Conn where there is TLS), for
// its addresses and its TLS state. Reading or writing it breaks the stream.
func (c *Conn) NetConn() net.Conn { return c.nc }

// RemoteAddr is the peer's address as the socket knows it.
func (c *Conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }

// SetReadDeadline ends a ReadMessage at t with an error for which
// errors.Is(err, os.ErrDeadlineExceeded) holds; the zero time waits for ever.
// The connection stays good: a later ReadMessage goes on where this one
// stopped, in the middle of a frame if need be.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.nc.SetReadDeadline(t) }

// SetReadLimit changes the largest message in bytes, from the next frame on:
// small before the peer has said who it is, larger afterwards. Any goroutine
// may call it.
func (c *Conn) SetReadLimit(n int) { c.limit.Store(int64(n)) }

// FramesRead counts the frames received so far, pings and pongs included. Any
// goroutine may read it. A change since the last look says that the peer is
// alive; a jump says that it floods, also when it sends nothing but pings,
// which ReadMessage never returns.
func (c *Conn) FramesRead() uint64 { return c.frames.Load() }
