package relay

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/logging"
)

// front is a UDP socket that clients send to.
type front struct {
	*net.UDPConn
	s *Server
}

// ReadFrom drops what an address without an allocation sends too much of. It
// fails only when the socket is closed: its reader stops at the first error.
func (f *front) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := f.UDPConn.ReadFromUDPAddrPort(b)
		if err != nil {
			if f.s.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return 0, nil, err
			}
			continue
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		f.s.mu.Lock()
		known := f.s.allocated[from]
		f.s.mu.Unlock()
		if known || f.s.flood.allow(from.Addr()) {
			return n, net.UDPAddrFromAddrPort(from), nil
		}
		f.s.n.flooded.Add(1)
	}
}

// How long connections live without being of use, and how long one may take
// to take what is written to it.
const (
	firstLimit = 10 * time.Second // until there is an allocation
	idleLimit  = 5 * time.Minute  // clients refresh permissions within it
	writeLimit = 5 * time.Second
)

// listener accepts no more connections than there may be.
type listener struct {
	net.Listener
	s *Server
}

// Accept fails only when the listener is closed, as front.ReadFrom does.
func (l *listener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			if l.s.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil, err
			}
			// Out of descriptors, most likely: wait for some to come back.
			t := time.NewTimer(50 * time.Millisecond)
			select {
			case <-t.C:
			case <-l.s.ctx.Done():
			}
			t.Stop()
			continue
		}
		if c := l.s.admit(raw); c != nil {
			return c, nil
		}
		l.s.n.shut.Add(1)
		raw.Close() //nolint:errcheck // refused
	}
}

// admit counts a connection, unless there are too many.
func (s *Server) admit(raw net.Conn) *conn {
	t, ok := raw.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return nil
	}
	now := s.cfg.Clock.Now()
	c := &conn{Conn: raw, s: s, remote: t.AddrPort(), born: now}
	c.heard.Store(now.UnixNano())
	at := site(c.remote.Addr())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.conns) >= s.cfg.MaxConnections || s.from[at] >= s.cfg.MaxPerAddress {
		return nil
	}
	s.conns[c] = struct{}{}
	s.from[at]++
	return c
}

// conn is one TCP connection of a client, under TLS or not.
type conn struct {
	net.Conn
	s      *Server
	remote netip.AddrPort
	born   time.Time
	heard  atomic.Int64 // when something was last read, in ns
	good   atomic.Bool  // has an allocation
	once   sync.Once
}

// idle reports whether nothing good is to be expected any more.
func (c *conn) idle(now time.Time) bool {
	if !c.good.Load() && now.Sub(c.born) >= firstLimit {
		return true
	}
	return now.Sub(time.Unix(0, c.heard.Load())) >= idleLimit
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.heard.Store(c.s.cfg.Clock.Now().UnixNano())
	}
	return n, err
}

// Write gives up on a client that does not read.
func (c *conn) Write(b []byte) (int, error) {
	c.Conn.SetWriteDeadline(c.s.cfg.Clock.Now().Add(writeLimit)) //nolint:errcheck // the write says it
	n, err := c.Conn.Write(b)
	if err != nil {
		c.Close() //nolint:errcheck // the first error tells
	}
	return n, err
}

// Close takes the connection out of the account.
func (c *conn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		c.s.mu.Lock()
		defer c.s.mu.Unlock()
		delete(c.s.conns, c)
		at := site(c.remote.Addr())
		if c.s.from[at]--; c.s.from[at] <= 0 {
			delete(c.s.from, at)
		}
	})
	return err
}

// quiet drops what pion logs: it names clients' addresses line by line, and
// what an operator needs to know is in Counts.
type quiet struct{}

func (quiet) NewLogger(string) logging.LeveledLogger { return quiet{} }

func (quiet) Trace(string)          {}
func (quiet) Tracef(string, ...any) {}
func (quiet) Debug(string)          {}
func (quiet) Debugf(string, ...any) {}
func (quiet) Info(string)           {}
func (quiet) Infof(string, ...any)  {}
func (quiet) Warn(string)           {}
func (quiet) Warnf(string, ...any)  {}
func (quiet) Error(string)          {}
func (quiet) Errorf(string, ...any) {}
