// Package link is the wire of the SFU: one UDP port (and one TCP port) that
// all clients share, and on it one Link a peer connection, which does ICE,
// DTLS, SRTP and SCTP and knows nothing of rooms or tracks.
//
// It is built on pion's protocol packages but not on pion/webrtc, for what
// forwarding costs there (docs/adr/0013-forwarding-media.md has the figures):
//
//   - A server has a known address, so that ICE-lite (RFC 8445 §2.5) is all of
//     ICE that it needs: it answers checks and sends none. There is no agent,
//     no timer and no goroutine for it, and media flows as soon as the first
//     check that nominates has come.
//   - One goroutine a socket reads; it decrypts and hands on what it read,
//     and its caller forwards on the same goroutine, without a queue or a
//     wake-up between. Several sockets share the port (SO_REUSEPORT), so that
//     the kernel spreads clients over processors, and one client's packets
//     stay in order.
//   - What goes to one client at one moment leaves in one system call, and
//     equal packets of it in one buffer that the kernel cuts up (UDP GSO).
//
// Locks: Link.mu guards everything that is sent. A caller that takes several
// links' locks does so one after another, never nested.
package link

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/pion/dtls/v3"
	"github.com/pion/rtp"
	"github.com/pion/sctp"
	"github.com/pion/srtp/v3"
)

// Handler is what a Link's owner does with what arrives. RTP, RTCP and Flush
// are called on the goroutine that reads the socket: they must not block, and
// must not call Close of any Link (Fail does what they need).
type Handler interface {
	// RTP takes a decrypted packet, and the buffer that it lies in, for good.
	RTP(now int64, b *Buffer)
	// Flush comes after all packets of one read. It returns true to be called
	// again within HoldTime, with last set, unless packets come before.
	Flush(now int64, out *Batch, last bool) (hold bool)
	// RTCP takes a decrypted compound packet, valid during the call.
	RTCP(now int64, p []byte, out *Batch)
	// Ready says, once, that media can be sent.
	Ready()
	// ChannelOpen says that a data channel is open.
	ChannelOpen(c *Channel)
	// Data takes one message of a data channel, valid during the call.
	Data(c *Channel, p []byte)
	// Closed says, once, that the link is dead, unless Close was called first.
	Closed(err error)
}

// What ends a link.
var (
	ErrSilent = errors.New("the client has not been heard for too long")
	ErrClosed = errors.New("the link is closed")
)

// Credentials are ICE's user name and password of one side.
type Credentials struct{ Ufrag, Pwd string }

// Link is one peer connection.
type Link struct {
	port    *Port
	handler Handler

	// recvMu guards what decrypts. Its holder may be any reader.
	recvMu sync.Mutex
	recv   *srtp.Context
	header rtp.Header

	// mu guards what is sent, and the owner's own state of sending.
	mu     sync.Mutex
	send   *srtp.Context
	closed bool
	// sent counts for the owner's accounts; guarded by mu.
	SentPackets, SentBytes uint64
	sink                   func([]byte) // of Loose; nil otherwise

	selected  atomic.Pointer[path]
	nominated atomic.Bool // the client has chosen a path
	remote    atomic.Pointer[Credentials]
	lastHeard atomic.Int64 // when the last good check came
	ready     atomic.Bool

	// stateMu guards the rest.
	stateMu  sync.Mutex
	local    []Credentials // the newest last; two while ICE restarts
	paths    []pathKey     // addresses that lead here
	started  bool
	asClient bool // in DTLS
	done     bool
	conn     *dtls.Conn
	assoc    *sctp.Association
	waiting  []func(*sctp.Association) // channels to open when there is one
	pipe     *pipe
	cancel   context.CancelFunc
	wg       sync.WaitGroup
}

// New makes a link; it waits for a client that knows its Credentials. Close
// must be called in the end.
func (p *Port) New(h Handler) (*Link, error) {
	l := &Link{port: p, handler: h}
	l.lastHeard.Store(p.Now())
	if _, err := l.RestartICE(); err != nil {
		return nil, err
	}
	return l, nil
}

// RestartICE makes new credentials; the ones before stay good until the
// client has used the new ones.
func (l *Link) RestartICE() (Credentials, error) {
	var b [24]byte
	if _, err := io.ReadFull(l.port.entropy, b[:]); err != nil {
		return Credentials{}, err
	}
	c := Credentials{Ufrag: iceString(b[:6]), Pwd: iceString(b[6:])}
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	if l.done {
		return Credentials{}, ErrClosed
	}
	if len(l.local) > 1 {
		l.port.forget(l.local[0].Ufrag)
		l.local = l.local[1:]
	}
	l.local = append(l.local, c)
	l.port.register(c.Ufrag, l)
	return c, nil
}

// Local are the newest credentials.
func (l *Link) Local() Credentials {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	return l.local[len(l.local)-1]
}

// iceString writes bytes in ICE's alphabet (RFC 8839 §5.4).
func iceString(b []byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	out := make([]byte, 0, len(b)*4/3+1)
	var acc, bits uint
	for _, x := range b {
		acc, bits = acc<<8|uint(x), bits+8
		for bits >= 6 {
			bits -= 6
			out = append(out, alphabet[acc>>bits&63])
		}
	}
	return string(out)
}

// Connected reports whether media can be sent.
func (l *Link) Connected() bool { return l.ready.Load() }

// LastHeard is when the client last proved that it is there, in the port's time.
func (l *Link) LastHeard() int64 { return l.lastHeard.Load() }

// Now is the port's time.
func (l *Link) Now() int64 { return l.port.Now() }

// Remote is the client's address, and whether it came over TCP; the zero
// address before there is one.
func (l *Link) Remote() (netip.AddrPort, bool) {
	p := l.selected.Load()
	if p == nil {
		return netip.AddrPort{}, false
	}
	return p.addr, p.tcp != nil
}

// heard notes a check with good integrity.
func (l *Link) heard(p *path, ufrag string, nominated bool, now int64) bool {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	if l.done {
		return false
	}
	l.lastHeard.Store(now)
	if len(l.local) > 1 && ufrag == l.local[1].Ufrag && nominated {
		l.port.forget(l.local[0].Ufrag)
		l.local = l.local[1:]
	}
	if !l.port.bind(p, l) {
		if len(l.paths) >= maxPaths {
			old := l.paths[0]
			l.paths = l.paths[1:]
			l.port.unbind(old, l)
		}
		l.paths = append(l.paths, p.key())
	}
	if nominated {
		l.nominated.Store(true)
	}
	if cur := l.selected.Load(); cur == nil || (nominated && cur.key() != p.key()) {
		l.selected.Store(p)
	}
	return true
}

// maxPaths bounds the addresses of one client: interfaces, families, a NAT
// that changes its mind.
const maxPaths = 8

// SetRemote tells the client's own credentials; they change when it restarts ICE.
func (l *Link) SetRemote(c Credentials) {
	l.remote.Store(&c)
}

// Start gives the link what the client said of itself and lets DTLS begin; it
// may be called again, which changes nothing. fingerprint is the attribute's
// value ("sha-256 AB:CD…"); asClient is set when the client wants to be the
// server; data is set when there will be data channels.
func (l *Link) Start(fingerprint string, asClient, data bool) error {
	check, err := verifier(fingerprint)
	if err != nil {
		return err
	}
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	if l.done {
		return ErrClosed
	}
	if l.started {
		return nil
	}
	l.started, l.asClient = true, asClient
	if l.pipe == nil {
		l.pipe = newPipe(l)
	}
	ctx, cancel := context.WithCancel(l.port.ctx)
	l.cancel = cancel
	l.wg.Go(func() { l.run(ctx, check, asClient, data) })
	return nil
}

// Lock takes the lock of sending; the owner guards with it what it decides a
// packet's header by.
func (l *Link) Lock() { l.mu.Lock() }

// Unlock gives it back.
func (l *Link) Unlock() { l.mu.Unlock() }

// Close ends the link and waits for its goroutines. It is not for the
// goroutine that reads a socket.
func (l *Link) Close() {
	l.shut(nil)
	l.wg.Wait()
}

// Fail ends the link without waiting, and tells its owner why.
func (l *Link) Fail(err error) { l.shut(err) }

func (l *Link) shut(err error) {
	l.stateMu.Lock()
	if l.done {
		l.stateMu.Unlock()
		return
	}
	l.done = true
	for _, c := range l.local {
		l.port.forget(c.Ufrag)
	}
	for _, k := range l.paths {
		l.port.unbind(k, l)
	}
	conn, assoc, pipe, cancel := l.conn, l.assoc, l.pipe, l.cancel
	l.stateMu.Unlock()
	l.ready.Store(false)
	l.mu.Lock()
	l.closed = true
	l.send = nil
	l.mu.Unlock()
	if cancel != nil {
		cancel()
	}
	// The farewells wait for locks and for the wire: not here.
	l.wg.Go(func() {
		if assoc != nil {
			assoc.Close() //nolint:errcheck // nothing is left to lose
		}
		if conn != nil {
			conn.Close() //nolint:errcheck // nothing is left to lose
		}
		if pipe != nil {
			pipe.Close() //nolint:errcheck // it does not fail
		}
		if p := l.selected.Load(); p != nil && p.tcp != nil {
			p.tcp.close()
		}
	})
	if err != nil {
		l.wg.Go(func() { l.handler.Closed(err) })
	}
}

// certificate is what all links of a port show; clients know it by the
// fingerprint in the SDP.
type certificate struct {
	tls         tls.Certificate
	fingerprint string
}
