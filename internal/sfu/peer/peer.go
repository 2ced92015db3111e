// Package peer is how the nodes of a cluster reach each other's SFU, which
// listens on loopback alone: each node has a listener of its own for the others,
// and passes on what comes there.
//
// Who may speak there is who has the cluster's secret key. A key pair (Ed25519)
// follows from it, the same one on all nodes, and both sides of a connection
// (TLS 1.3) prove that they have it; nobody's certificate is asked about names or
// dates. So nothing has to be set up, and whoever can reach the port without that
// key gets no further than the handshake. The tokens that are spoken of inside are
// checked besides, by the SFU.
package peer

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"time"
)

// How long things may take between nodes.
const (
	dialTime   = 2 * time.Second
	answerTime = 5 * time.Second
	idleTime   = time.Minute
)

// Keys are what the nodes of a cluster know each other by.
type Keys struct {
	cert   tls.Certificate
	public ed25519.PublicKey
}

// New makes the keys that follow from a seed of 32 bytes, which is secret.
func New(seed []byte) (*Keys, error) {
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("a seed has %d bytes, not %d", ed25519.SeedSize, len(seed))
	}
	private := ed25519.NewKeyFromSeed(seed)
	public := private.Public().(ed25519.PublicKey)
	// What is in it is looked at by nobody but the key.
	form := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<37, 0)}
	// Ed25519 signs without randomness.
	der, err := x509.CreateCertificate(bytes.NewReader(nil), form, form, crypto.PublicKey(public), private)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	return &Keys{cert: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, public: public}, nil
}

var errStranger = errors.New("the other side is no node of this cluster")

// verify accepts who has the key, which the handshake has proven.
func (k *Keys) verify(s tls.ConnectionState) error {
	if len(s.PeerCertificates) == 0 {
		return errStranger
	}
	if key, ok := s.PeerCertificates[0].PublicKey.(ed25519.PublicKey); !ok || !key.Equal(k.public) {
		return errStranger
	}
	return nil
}

// config is both sides' TLS. HTTP/2 is left out: WebSockets go through here.
func (k *Keys) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{k.cert}, NextProtos: []string{"http/1.1"},
		ClientAuth: tls.RequireAnyClientCert, VerifyConnection: k.verify,
		InsecureSkipVerify: true} //nolint:gosec // verify does it
}

// Transport reaches other nodes by https URLs, and plain http ones, such as this
// node's own SFU, as they are.
func (k *Keys) Transport() *http.Transport {
	return &http.Transport{DialContext: (&net.Dialer{Timeout: dialTime}).DialContext, TLSClientConfig: k.config(), TLSHandshakeTimeout: dialTime,
		ResponseHeaderTimeout: answerTime, DisableCompression: true, MaxIdleConnsPerHost: 8, IdleConnTimeout: idleTime}
}

// Listener is where the other nodes reach this one.
type Listener struct {
	http *http.Server
	url  string
	done chan struct{}
}

// Listen serves the other nodes on an address, HOST:PORT, of which the host is what
// they dial; port 0 is a free one.
func (k *Keys) Listen(addr string, h http.Handler, log *slog.Logger) (*Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		ln.Close() //nolint:errcheck // the first error tells
		return nil, err
	}
	l := &Listener{url: (&url.URL{Scheme: "https", Host: net.JoinHostPort(host, port)}).String(), done: make(chan struct{}),
		http: &http.Server{Handler: h, ReadHeaderTimeout: answerTime, IdleTimeout: 2 * idleTime, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}}
	go func() { // ends with Close
		defer close(l.done)
		if err := l.http.Serve(tls.NewListener(ln, k.config())); !errors.Is(err, http.ErrServerClosed) {
			log.Error("other nodes do not reach this one's media server any more", "err", err)
		}
	}()
	return l, nil
}

// URL is what the other nodes dial.
func (l *Listener) URL() string { return l.url }

// Close ends it; requests that run have until ctx ends. WebSockets are of whoever
// serves them.
func (l *Listener) Close(ctx context.Context) error {
	err := l.http.Shutdown(ctx)
	if err != nil {
		err = l.http.Close()
	}
	<-l.done
	return err
}
