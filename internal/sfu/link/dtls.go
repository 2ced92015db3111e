package link

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strings"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/logging"
	"github.com/pion/srtp/v3"
	"github.com/pion/transport/v4/packetio"
)

// How DTLS is spoken.
const (
	handshakeLimit = 30 * time.Second
	flightInterval = 100 * time.Millisecond // before a lost flight is sent again
	dtlsMTU        = 1200
	// pipeLimit bounds what waits for DTLS to read, in bytes.
	pipeLimit = 256 << 10
)

// profiles are SRTP's ciphers, the cheapest first: with AES-NI, GCM costs a
// fifth of AES-CM with SHA-1.
func profiles() []dtls.SRTPProtectionProfile {
	return []dtls.SRTPProtectionProfile{dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80}
}

// newCertificate makes the port's own, good for a long time: clients compare
// its hash and never its dates.
func newCertificate(now time.Time) (certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return certificate{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "media"},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.AddDate(10, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return certificate{}, err
	}
	sum := sha256.Sum256(der)
	return certificate{
		tls:         tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		fingerprint: "sha-256 " + colons(sum[:]),
	}, nil
}

func colons(sum []byte) string {
	h := strings.ToUpper(hex.EncodeToString(sum))
	var b strings.Builder
	for i := 0; i < len(h); i += 2 {
		if i > 0 {
			b.WriteByte(':')
		}
		b.WriteString(h[i : i+2])
	}
	return b.String()
}

// verifier makes the check of a client's certificate against the fingerprint
// that came over signalling (RFC 8122).
func verifier(fingerprint string) (func([][]byte, [][]*x509.Certificate) error, error) {
	algorithm, value, ok := strings.Cut(strings.TrimSpace(fingerprint), " ")
	want, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(value), ":", ""))
	if !ok || err != nil {
		return nil, errors.New("the fingerprint cannot be read")
	}
	var sum func([]byte) []byte
	switch strings.ToLower(algorithm) {
	case "sha-256":
		sum = func(b []byte) []byte { s := sha256.Sum256(b); return s[:] }
	case "sha-384":
		sum = func(b []byte) []byte { s := sha512.Sum384(b); return s[:] }
	case "sha-512":
		sum = func(b []byte) []byte { s := sha512.Sum512(b); return s[:] }
	default:
		return nil, fmt.Errorf("a fingerprint by %.20q is not accepted", algorithm)
	}
	return func(raw [][]byte, _ [][]*x509.Certificate) error {
		if len(raw) == 0 || !bytes.Equal(sum(raw[0]), want) {
			return errors.New("the certificate is not the one of the fingerprint")
		}
		return nil
	}, nil
}

// pipe is the packet connection that DTLS sees: what the readers sort out for
// this link, and the link's selected path.
type pipe struct {
	link *Link
	in   *packetio.Buffer
}

func newPipe(l *Link) *pipe {
	p := &pipe{link: l, in: packetio.NewBuffer()}
	p.in.SetLimitSize(pipeLimit)
	return p
}

func (p *pipe) ReadFrom(b []byte) (int, net.Addr, error) {
	n, err := p.in.Read(b)
	return n, p.LocalAddr(), err
}

func (p *pipe) WriteTo(b []byte, _ net.Addr) (int, error) {
	if to := p.link.selected.Load(); to != nil {
		to.write(b)
	}
	return len(b), nil
}

func (p *pipe) Close() error                       { return p.in.Close() }
func (p *pipe) LocalAddr() net.Addr                { return &net.UDPAddr{} }
func (p *pipe) SetDeadline(t time.Time) error      { return p.in.SetReadDeadline(t) }
func (p *pipe) SetReadDeadline(t time.Time) error  { return p.in.SetReadDeadline(t) }
func (p *pipe) SetWriteDeadline(_ time.Time) error { return nil }

// run does the handshake and then serves SCTP; it ends with the link.
func (l *Link) run(ctx context.Context, check func([][]byte, [][]*x509.Certificate) error, asClient, data bool) {
	conn, err := l.handshake(ctx, check, asClient)
	if err != nil {
		l.shut(fmt.Errorf("DTLS: %w", err))
		return
	}
	l.stateMu.Lock()
	if l.done {
		l.stateMu.Unlock()
		conn.Close() //nolint:errcheck // the link is gone
		return
	}
	l.conn = conn
	l.stateMu.Unlock()
	if err := l.keys(conn); err != nil {
		l.shut(fmt.Errorf("SRTP: %w", err))
		return
	}
	l.ready.Store(true)
	l.handler.Ready()
	if data {
		l.shut(l.serveData(conn))
		return
	}
	// Nothing but the farewell is expected.
	b := make([]byte, 1500)
	for {
		if _, err := conn.Read(b); err != nil {
			l.shut(err)
			return
		}
	}
}

func (l *Link) handshake(ctx context.Context, check func([][]byte, [][]*x509.Certificate) error, asClient bool) (*dtls.Conn, error) {
	quiet := &logging.DefaultLoggerFactory{DefaultLogLevel: logging.LogLevelDisabled, ScopeLevels: map[string]logging.LogLevel{}}
	shared := []dtls.Option{
		dtls.WithCertificates(l.port.cert.tls),
		dtls.WithSRTPProtectionProfiles(profiles()...),
		dtls.WithExtendedMasterSecret(dtls.RequireExtendedMasterSecret),
		dtls.WithFlightInterval(flightInterval),
		dtls.WithMTU(dtlsMTU),
		dtls.WithInsecureSkipVerify(true), // no authority signs these; the fingerprint is the proof
		dtls.WithVerifyPeerCertificate(check),
		dtls.WithLoggerFactory(quiet),
	}
	var conn *dtls.Conn
	var err error
	if asClient {
		opts := make([]dtls.ClientOption, 0, len(shared))
		for _, o := range shared {
			opts = append(opts, o)
		}
		conn, err = dtls.ClientWithOptions(l.pipe, l.pipe.LocalAddr(), opts...)
	} else {
		opts := []dtls.ServerOption{
			dtls.WithClientAuth(dtls.RequireAnyClientCert),
			dtls.WithInsecureSkipVerifyHello(true), // ICE has proved the address
		}
		for _, o := range shared {
			opts = append(opts, o)
		}
		conn, err = dtls.ServerWithOptions(l.pipe, l.pipe.LocalAddr(), opts...)
	}
	if err != nil {
		return nil, err
	}
	limit, stop := context.WithTimeout(ctx, handshakeLimit)
	defer stop()
	if err := conn.HandshakeContext(limit); err != nil {
		conn.Close() //nolint:errcheck // the first error tells
		return nil, err
	}
	return conn, nil
}

// keys makes the SRTP contexts from the handshake (RFC 5764).
func (l *Link) keys(conn *dtls.Conn) error {
	agreed, ok := conn.SelectedSRTPProtectionProfile()
	if !ok {
		return errors.New("no cipher was agreed on")
	}
	state, ok := conn.ConnectionState()
	if !ok {
		return errors.New("the handshake left no state")
	}
	c := srtp.Config{}
	switch agreed {
	case dtls.SRTP_AEAD_AES_128_GCM:
		c.Profile = srtp.ProtectionProfileAeadAes128Gcm
	case dtls.SRTP_AEAD_AES_256_GCM:
		c.Profile = srtp.ProtectionProfileAeadAes256Gcm
	default:
		c.Profile = srtp.ProtectionProfileAes128CmHmacSha1_80
	}
	if err := c.ExtractSessionKeysFromDTLS(&state, l.isClient()); err != nil {
		return err
	}
	send, err := srtp.CreateContext(c.Keys.LocalMasterKey, c.Keys.LocalMasterSalt, c.Profile)
	if err != nil {
		return err
	}
	recv, err := srtp.CreateContext(c.Keys.RemoteMasterKey, c.Keys.RemoteMasterSalt, c.Profile,
		srtp.SRTPReplayProtection(1024), srtp.SRTCPReplayProtection(256))
	if err != nil {
		return err
	}
	l.recvMu.Lock()
	l.recv = recv
	l.recvMu.Unlock()
	l.mu.Lock()
	if !l.closed {
		l.send = send
	}
	l.mu.Unlock()
	return nil
}

func (l *Link) isClient() bool {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	return l.asClient
}
