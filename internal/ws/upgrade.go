package ws

import (
	"bufio"
	"bytes"
	"crypto/sha1" //nolint:gosec // RFC 6455 §4.2.2 asks for it; nothing is secured by it
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// UpgradeOptions is the server's side of a handshake. The zero value accepts
// any client of the same origin.
type UpgradeOptions struct {
	Limits
	// Subprotocols are those the server speaks, the best first; the first one
	// that the client offers is agreed on. A client that offers others only is
	// refused; one that offers none gets none, and Subprotocol returns "".
	Subprotocols []string
	// CheckOrigin decides whether a page may open this socket; a browser sends
	// its cookies along and asks nobody, so the answer must not be true for
	// all. When nil, Origin must be absent (no browser) or name the request's
	// own host.
	CheckOrigin func(r *http.Request) bool
	// Header is added to the 101 response.
	Header http.Header
}

// Upgrade makes a WebSocket of a request, or answers it with a status and a
// line that says what was wrong, and returns that as *HandshakeError.
//
// Return from the handler soon and serve the Conn on another goroutine: until
// then the request and net/http's two 4 KiB buffers stay in memory, and the
// handler's goroutine has a stack that has grown. On an HTTP/2 request there
// is nothing to upgrade; it is refused.
func Upgrade(w http.ResponseWriter, r *http.Request, o UpgradeOptions) (*Conn, error) {
	subprotocol, refused := o.check(w, r)
	if refused == nil {
		nc, buffered, err := http.NewResponseController(w).Hijack()
		if err == nil {
			return o.accept(newConn(nc, o.Limits, subprotocol), buffered.Reader, r)
		}
		refused = &HandshakeError{Status: http.StatusInternalServerError, Reason: "this listener cannot hand over its connection"}
	}
	http.Error(w, refused.Reason, refused.Status)
	return nil, refused
}

// check judges the request (RFC 6455 §4.2.1) and chooses the subprotocol.
func (o *UpgradeOptions) check(w http.ResponseWriter, r *http.Request) (string, *HandshakeError) {
	refuse := func(status int, reason string) (string, *HandshakeError) {
		return "", &HandshakeError{Status: status, Reason: reason}
	}
	switch {
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		return refuse(http.StatusMethodNotAllowed, "a WebSocket handshake is a GET")
	case r.ProtoMajor != 1 || r.ProtoMinor < 1:
		return refuse(http.StatusHTTPVersionNotSupported, "a WebSocket handshake needs HTTP/1.1")
	case !hasToken(r.Header, "Connection", "upgrade") || !hasToken(r.Header, "Upgrade", "websocket"):
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "websocket")
		return refuse(http.StatusUpgradeRequired, "this address speaks WebSocket: send Connection: Upgrade and Upgrade: websocket")
	case len(r.Header["Sec-Websocket-Version"]) != 1 || r.Header["Sec-Websocket-Version"][0] != "13":
		w.Header().Set("Sec-WebSocket-Version", "13")
		return refuse(http.StatusUpgradeRequired, "only WebSocket version 13 is spoken here")
	case len(r.Header["Sec-Websocket-Key"]) != 1 || !validKey(r.Header["Sec-Websocket-Key"][0]):
		return refuse(http.StatusBadRequest, "Sec-WebSocket-Key is not 16 bytes in base64")
	case r.ContentLength != 0:
		return refuse(http.StatusBadRequest, "a WebSocket handshake has no body")
	}
	allowed := o.CheckOrigin
	if allowed == nil {
		allowed = sameOrigin
	}
	if !allowed(r) {
		return refuse(http.StatusForbidden, "pages of this origin may not connect here")
	}
	offered := tokens(r.Header, "Sec-Websocket-Protocol")
	for _, p := range o.Subprotocols {
		if slices.Contains(offered, p) {
			return p, nil
		}
	}
	if len(offered) > 0 && len(o.Subprotocols) > 0 {
		return refuse(http.StatusBadRequest, "none of the offered subprotocols is spoken here, but "+strings.Join(o.Subprotocols, ", "))
	}
	return "", nil
}

// accept sends the 101 and takes over what net/http had read already.
func (o *UpgradeOptions) accept(c *Conn, buffered *bufio.Reader, r *http.Request) (*Conn, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n",
		acceptKey(r.Header.Get("Sec-WebSocket-Key")))
	if c.subprotocol != "" {
		fmt.Fprintf(&b, "Sec-WebSocket-Protocol: %s\r\n", c.subprotocol)
	}
	o.Header.Write(&b) //nolint:errcheck // a Buffer does not fail
	b.WriteString("\r\n")
	err := o.size(c.nc)
	if err == nil {
		err = c.preload(buffered)
	}
	if err == nil {
		err = c.sendText(b.Bytes())
	}
	if err != nil {
		c.Close() //nolint:errcheck // the first error is the one that tells
		return nil, fmt.Errorf("ws: upgrade %s: %w", c.RemoteAddr(), err)
	}
	return c, nil
}

// acceptKey proves that the server has read the key (RFC 6455 §4.2.2).
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // see the import
	return base64.StdEncoding.EncodeToString(sum[:])
}

func validKey(key string) bool {
	b, err := base64.StdEncoding.DecodeString(key)
	return err == nil && len(b) == 16
}

// sameOrigin is the check for callers that have none.
func sameOrigin(r *http.Request) bool {
	origins := r.Header["Origin"]
	if len(origins) == 0 {
		return true
	}
	u, err := url.Parse(origins[0])
	return err == nil && len(origins) == 1 && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}

// tokens splits a comma-separated header field, which may also stand in
// several lines.
func tokens(h http.Header, canonical string) (list []string) {
	for _, line := range h[canonical] {
		for t := range strings.SplitSeq(line, ",") {
			if t = strings.TrimSpace(t); t != "" {
				list = append(list, t)
			}
		}
	}
	return list
}

func hasToken(h http.Header, canonical, token string) bool {
	return slices.ContainsFunc(tokens(h, canonical), func(t string) bool { return strings.EqualFold(t, token) })
}
