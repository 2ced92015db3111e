package db

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// A connection whose other end does not acknowledge is given up after
	// this time, whether there is something on its way or not. The kernel's
	// own defaults are two hours and a quarter of an hour.
	linkTimeout = 8 * time.Second
	// linkFarewell is how long a connection that is given up may take to say
	// goodbye.
	linkFarewell = 250 * time.Millisecond
)

// pgWarned is the key, in a connection's custom data, of the note that the
// server has warned of something (see warned).
const pgWarned = "skein.warned"

// errNoCancel is the answer to an attempt to cancel what a connection that is
// given up still does.
var errNoCancel = errors.New("db: what was asked for is not cancelled")

// link is a connection to a server.
type link struct {
	net.Conn
	lost func() // called when the other end is gone
	dead atomic.Bool
}

// Read implements net.Conn.
func (l *link) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	l.check(err)
	return n, err
}

// Write implements net.Conn.
func (l *link) Write(b []byte) (int, error) {
	n, err := l.Conn.Write(b)
	l.check(err)
	return n, err
}

// check tells a lost server from a deadline and a close of our own.
func (l *link) check(err error) {
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) || l.dead.Load() {
		return
	}
	go l.lost() // not under the locks of whoever reads
}

// giveUp ends the connection soon, although its owner would wait longer for
// the other end to agree: until then it takes a place in the pool.
func (l *link) giveUp() {
	if l.dead.CompareAndSwap(false, true) {
		time.AfterFunc(linkFarewell, func() { _ = l.Conn.Close() })
	}
}

// wireLink makes a connection's configuration dial a link.
//
// When a caller gives up, the driver opens a second connection to cancel what
// the first one does. It must not, for the sake of commits: one that waits for
// the synchronous standby and is cancelled is there, and visible to others,
// without being on the standby; a failover would take back what they have
// seen. So once a connection stands, it cannot be used to dial again. What a
// given-up statement holds is freed by statement_timeout, or by the server
// noticing that nobody is left to answer to.
func wireLink(c *pgconn.Config, reset func()) {
	var stands atomic.Pointer[link]
	dialer := &net.Dialer{Control: linkControl,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: linkTimeout / 2, Interval: linkTimeout / 4, Count: 2}}
	c.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if l := stands.Load(); l != nil {
			l.giveUp()
			return nil, errNoCancel
		}
		conn, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &link{Conn: conn, lost: reset}, nil
	}
	validate := c.ValidateConnect
	c.ValidateConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		if err := validate(ctx, conn); err != nil {
			return err
		}
		raw := conn.Conn()
		if t, ok := raw.(*tls.Conn); ok {
			raw = t.NetConn()
		}
		if l, ok := raw.(*link); ok {
			stands.Store(l)
		}
		return nil
	}
	onError := c.OnPgError
	c.OnPgError = func(conn *pgconn.PgConn, e *pgconn.PgError) bool {
		if deposed(e.Code) {
			go reset()
			return false // this one, too
		}
		return onError(conn, e)
	}
	c.OnNotice = func(conn *pgconn.PgConn, n *pgconn.Notice) {
		if n.Code == "01000" && (n.Routine == "SyncRepWaitForLSN" || n.Routine == "") {
			conn.CustomData()[pgWarned] = true
		}
	}
}

// deposed tells whether an error means that the server is not, or will soon no
// longer be, one that takes writes.
func deposed(code string) bool {
	switch code {
	case pgReadOnly, // a standby, or a primary that was demoted
		"57P01", "57P02", "57P03": // it is shut down, has crashed, is starting
		return true
	}
	return false
}

// warned tells whether the server has warned, over a connection, that it was
// "canceling wait for synchronous replication". It goes on to say that the
// commit has succeeded, but it is not on the standby, and may not be
// acknowledged. The text is in the server's language and the code that of any
// warning, such as one of a collation that has changed, so the name of the
// server's function tells.
func warned(c *pgconn.PgConn) bool { return c.CustomData()[pgWarned] != nil }
