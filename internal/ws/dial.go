package ws

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// DialOptions is the client's side of a handshake. The zero value connects
// over the default dialler and the system's roots.
type DialOptions struct {
	Limits
	// Subprotocols are offered in this order. The server may choose one of
	// them or none; the choice of another fails the handshake.
	Subprotocols []string
	// Header is added to the request (Origin, Authorization, Cookie ...). The
	// fields of the handshake itself may not be among it.
	Header http.Header
	// TLS is used for wss; nil stands for the zero tls.Config. ServerName is
	// taken from the address when it is empty.
	TLS *tls.Config
	// NetDial makes the connection; nil stands for a net.Dialer. The address
	// is host:port.
	NetDial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Entropy makes the handshake's key and the masks of frames; nil stands
	// for crypto/rand. RFC 6455 §5.3 asks for unpredictable masks where others
	// choose the payload. When connections share it, it must be safe for
	// concurrent use.
	Entropy io.Reader
}

// maxResponse bounds the header of the handshake's response in bytes.
const maxResponse = 64 << 10

// Dial connects to a ws:// or wss:// address. ctx bounds the connecting and
// the handshake, not the connection that comes of it.
//
// Errors: *HandshakeError when the server answered anything but a correct
// 101; ctx's own; or what the network said.
func Dial(ctx context.Context, address string, o DialOptions) (*Conn, error) {
	u, err := parseAddress(address)
	if err != nil {
		return nil, err
	}
	for field := range o.Header {
		switch f := http.CanonicalHeaderKey(field); {
		case f == "Host", f == "Connection", f == "Upgrade", strings.HasPrefix(f, "Sec-Websocket-"):
			return nil, fmt.Errorf("ws: %s is a field of the handshake itself", f)
		}
	}
	if o.Entropy == nil {
		o.Entropy = rand.Reader
	}
	nc, err := o.connect(ctx, u)
	if err != nil {
		return nil, fmt.Errorf("ws: dial %s: %w", u.Host, err)
	}
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) }) //nolint:errcheck // Dial sees ctx itself
	c, err := o.handshake(nc, u)
	if !stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		bottom(nc).Close() //nolint:errcheck // the first error is the one that tells
		var refused *HandshakeError
		if errors.As(err, &refused) {
			return nil, refused
		}
		return nil, fmt.Errorf("ws: handshake with %s: %w", u.Host, err)
	}
	return c, nil
}

func parseAddress(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return nil, fmt.Errorf("ws: %w", err)
	case u.Scheme != "ws" && u.Scheme != "wss":
		return nil, fmt.Errorf("ws: address begins with %q, not with ws:// or wss://", u.Scheme)
	case u.Host == "" || u.User != nil || u.Fragment != "":
		return nil, errors.New("ws: address must have a host, and neither a user nor a fragment")
	}
	return u, nil
}

// connect opens the socket, and TLS on it.
func (o *DialOptions) connect(ctx context.Context, u *url.URL) (net.Conn, error) {
	dial := o.NetDial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"ws": "80", "wss": "443"}[u.Scheme]
	}
	nc, err := dial(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return nil, err
	}
	err = o.size(nc)
	if err == nil && u.Scheme == "wss" {
		config := &tls.Config{} //nolint:gosec // the standard library's minimum is 1.2
		if o.TLS != nil {
			config = o.TLS.Clone()
		}
		if config.ServerName == "" {
			config.ServerName = u.Hostname()
		}
		config.NextProtos = []string{"http/1.1"}
		t := tls.Client(nc, config)
		if err = t.HandshakeContext(ctx); err == nil {
			return t, nil
		}
	}
	if err != nil {
		nc.Close() //nolint:errcheck // the first error is the one that tells
		return nil, err
	}
	return nc, nil
}

// handshake is RFC 6455 §4.1.
func (o *DialOptions) handshake(nc net.Conn, u *url.URL) (*Conn, error) {
	var nonce [16]byte
	if _, err := io.ReadFull(o.Entropy, nonce[:]); err != nil {
		return nil, err
	}
	key := base64.StdEncoding.EncodeToString(nonce[:])
	var b bytes.Buffer
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n",
		u.RequestURI(), u.Host, key)
	if len(o.Subprotocols) > 0 {
		fmt.Fprintf(&b, "Sec-WebSocket-Protocol: %s\r\n", strings.Join(o.Subprotocols, ", "))
	}
	o.Header.Write(&b) //nolint:errcheck // a Buffer does not fail
	b.WriteString("\r\n")
	if _, err := nc.Write(b.Bytes()); err != nil {
		return nil, err
	}
	br := bufio.NewReaderSize(io.LimitReader(nc, maxResponse), smallSize)
	resp, err := http.ReadResponse(br, &http.Request{Method: http.MethodGet}) //nolint:bodyclose // an upgrade has none; the socket goes on
	if err != nil {
		return nil, fmt.Errorf("no HTTP response: %w", err)
	}
	subprotocol, err := o.judge(resp, key)
	if err != nil {
		return nil, err
	}
	c := newConn(nc, o.Limits, subprotocol)
	c.client, c.masks = true, newMaskSource(o.Entropy)
	return c, c.preload(br)
}

// judge checks the response and returns the chosen subprotocol.
func (o *DialOptions) judge(resp *http.Response, key string) (string, error) {
	if resp.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 512))
		return "", &HandshakeError{Status: resp.StatusCode, Reason: strings.TrimSpace(string(body)), Header: resp.Header}
	}
	chosen := resp.Header.Get("Sec-WebSocket-Protocol")
	wrong := ""
	switch {
	case !hasToken(resp.Header, "Connection", "upgrade") || !hasToken(resp.Header, "Upgrade", "websocket"):
		wrong = "the 101 is for something else than WebSocket"
	case resp.Header.Get("Sec-WebSocket-Accept") != acceptKey(key):
		wrong = "Sec-WebSocket-Accept does not answer our key"
	case len(resp.Header["Sec-Websocket-Extensions"]) > 0:
		wrong = "the server chose an extension that was not offered"
	case chosen != "" && !slices.Contains(o.Subprotocols, chosen):
		wrong = "the server chose a subprotocol that was not offered"
	}
	if wrong != "" {
		return "", &HandshakeError{Reason: wrong, Header: resp.Header}
	}
	return chosen, nil
}
