// Package natslink carries messages between nodes over NATS: over a server
// that runs inside this process and has routes to those of the other nodes
// (Embed), or over an external one (Dial).
//
// Only the core of NATS is used, which promises nothing, as the bus does: no
// JetStream, no stored message. The embedded server listens for the routes of
// other nodes, and on a free port of loopback that nobody uses; it has none of
// the listeners for WebSocket, MQTT, leaf nodes or monitoring.
//
// A link that has lost its server looks for it for ever. What is published
// meanwhile is dropped.
package natslink

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

const (
	// writeWait is how long a Publish may wait for a slow network.
	writeWait = time.Second
	// Bounds of what waits for a subscription's handler; beyond them NATS
	// drops, which the bus allows.
	pendingMessages = 65_536
	pendingBytes    = 64 << 20
	// reconnectWait is how often a lost server is looked for.
	reconnectWait = 500 * time.Millisecond
	// lookEvery is how often an external server that is not there is looked at.
	lookEvery = 2 * time.Second
)

// Link is a connection to the bus between nodes. Close ends it.
type Link struct {
	nc       *nats.Conn
	srv      *server.Server // nil with an external server
	restored chan struct{}
	quit     chan struct{}
	watched  chan struct{} // closed when watch or lookAfter has returned
	once     sync.Once
	log      *slog.Logger
}

// DialOptions say where an external server is.
type DialOptions struct {
	// URL is one or more addresses, with commas between: nats://a:4222,tls://b:4222.
	URL  string
	Name string // shown in the server's monitoring
	// User and Password, or the file Credentials (of nsc), or none of them.
	User, Password, Credentials string
	// CA is a file with the certificates, in PEM, that sign the server's;
	// empty: the system's.
	CA string
	// Cert and Key are files of this node's own certificate; can be empty.
	Cert, Key string
	Log       *slog.Logger
}

// Dial connects to an external server. It succeeds when the server is not
// there yet, and goes on looking for it.
func Dial(o DialOptions) (*Link, error) {
	options := []nats.Option{nats.Name(o.Name)}
	if o.User != "" {
		options = append(options, nats.UserInfo(o.User, o.Password))
	}
	if o.Credentials != "" {
		options = append(options, nats.UserCredentials(o.Credentials))
	}
	if o.CA != "" {
		options = append(options, nats.RootCAs(o.CA))
	}
	if o.Cert != "" {
		options = append(options, nats.ClientCert(o.Cert, o.Key))
	}
	l := &Link{restored: make(chan struct{}, 1), quit: make(chan struct{}), watched: make(chan struct{}), log: o.Log}
	if err := l.connect(o.URL, options); err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	go l.lookAfter()
	return l, nil
}

// lookAfter says why there is no connection, once for each reason. The client
// library tells of a connection that is lost, and not of one that never comes.
func (l *Link) lookAfter() {
	defer close(l.watched)
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	said := ""
	for {
		select {
		case <-l.quit:
			return
		case <-t.C:
		}
		why := ""
		if !l.nc.IsConnected() {
			why = "no server answers"
			if err := l.nc.LastError(); err != nil {
				why = err.Error()
			}
		}
		if why != "" && why != said {
			l.log.Warn("there is no connection to NATS: messages come by reading, up to 2 s later", "err", why)
		}
		said = why
	}
}

func (l *Link) connect(url string, options []nats.Option) (err error) {
	options = append(options,
		nats.NoEcho(), nats.MaxReconnects(-1), nats.ReconnectWait(reconnectWait), nats.RetryOnFailedConnect(true),
		nats.IgnoreAuthErrorAbort(), // a password that is refused twice may be right tomorrow, as when it is being changed
		nats.ReconnectBufSize(-1),   // what was said while nobody listened is old
		nats.FlusherTimeout(writeWait), nats.PingInterval(5*time.Second), nats.MaxPingsOutstanding(2), nats.Timeout(2*time.Second),
		nats.ConnectHandler(func(*nats.Conn) { l.restore() }),
		nats.ReconnectHandler(func(*nats.Conn) {
			l.log.Info("the bus between nodes is back")
			l.restore()
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			select {
			case <-l.quit:
			default:
				l.log.Warn("the bus between nodes is lost: messages come by reading, up to 2 s later", "err", err)
			}
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if errors.Is(err, nats.ErrSlowConsumer) {
				l.restore() // something was dropped here
			}
			l.log.Warn("bus between nodes", "err", err)
		}))
	l.nc, err = nats.Connect(url, options...)
	return err
}

// restore says that much may have been missed.
func (l *Link) restore() {
	select {
	case l.restored <- struct{}{}:
	default:
	}
}

// Restored implements relay.Link.
func (l *Link) Restored() <-chan struct{} { return l.restored }

// Publish implements relay.Link.
func (l *Link) Publish(subject string, message []byte) {
	// Its error says that there is no connection, or that the message is too
	// large; the link reports the first by itself, and the relay rules the
	// second out.
	_ = l.nc.Publish(subject, message)
}

// Subscribe implements relay.Link.
func (l *Link) Subscribe(subject string, fn func(message []byte)) (off func(), err error) {
	var mu sync.Mutex // held while fn runs; guards ended
	ended := false
	sub, err := l.nc.Subscribe(subject, func(m *nats.Msg) {
		mu.Lock()
		defer mu.Unlock()
		if !ended {
			fn(m.Data)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	if err := sub.SetPendingLimits(pendingMessages, pendingBytes); err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	return func() {
		_ = sub.Unsubscribe() // fails when the connection is closed, which ends it too
		mu.Lock()
		ended = true
		mu.Unlock()
	}, nil
}

// MaxMessage implements relay.Link.
func (l *Link) MaxMessage() int {
	if n := int(l.nc.MaxPayload()); n > 0 {
		return n
	}
	return 1 << 20 // until the server has said, which is its default
}

// State tells whether the link works now, and to how many other nodes the
// embedded server has routes (0 with an external server).
func (l *Link) State() (connected bool, routes int) {
	if l.srv != nil {
		routes = l.srv.NumRoutes()
	}
	return l.nc.IsConnected(), routes
}

// Subscriptions is how many subjects this process listens to.
func (l *Link) Subscriptions() int { return l.nc.NumSubscriptions() }

// Close ends the link, and the server if it is embedded.
func (l *Link) Close(context.Context) error {
	l.once.Do(func() {
		close(l.quit)
		_ = l.nc.FlushTimeout(writeWait) // fails when nobody is there to hear it
		l.nc.Close()
		<-l.watched
		if l.srv != nil {
			l.srv.Shutdown()
			l.srv.WaitForShutdown()
		}
	})
	return nil
}

// pool reads certificates from a PEM file.
func pool(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s has no certificate in PEM", file)
	}
	return p, nil
}

// mutual makes both ends of a route show a certificate of the CA. The files
// are read at each handshake, which is rare, so that they can be renewed.
func mutual(cert, key, ca string) (*tls.Config, error) {
	roots, err := pool(ca)
	if err != nil {
		return nil, err
	}
	load := func() (*tls.Certificate, error) {
		c, err := tls.LoadX509KeyPair(cert, key)
		return &c, err
	}
	if _, err := load(); err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots, ClientCAs: roots, ClientAuth: tls.RequireAndVerifyClientCert,
		GetCertificate:       func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return load() },
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }}, nil
}
