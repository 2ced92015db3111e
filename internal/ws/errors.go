package ws

import (
	"errors"
	"fmt"
	"net/http"
	"os"
)

// CloseCode says why a connection ends (RFC 6455 §7.4, and the IANA registry
// for what came later). An application's own codes are 4000 to 4999.
type CloseCode uint16

// The registered codes that this package sends or that servers commonly use.
const (
	CloseNormal      CloseCode = 1000
	CloseGoingAway   CloseCode = 1001
	CloseProtocol    CloseCode = 1002
	CloseUnsupported CloseCode = 1003
	CloseNoStatus    CloseCode = 1005 // never on the wire: a close frame came without a code
	CloseInvalidData CloseCode = 1007 // text that is not UTF-8
	ClosePolicy      CloseCode = 1008
	CloseTooBig      CloseCode = 1009
	CloseInternal    CloseCode = 1011
	CloseRestart     CloseCode = 1012
	CloseTryLater    CloseCode = 1013
)

// sendable reports whether a code may stand in a close frame.
func (c CloseCode) sendable() bool {
	switch {
	case c >= 3000:
		return c <= 4999
	case c >= 1007:
		return c <= 1014
	}
	return c >= 1000 && c <= 1003
}

// ProtocolError says that the peer sent what RFC 6455 or the read limit
// forbids. The stream cannot be read further: answer with
// CloseWith(e.CloseCode, e.Reason).
type ProtocolError struct {
	CloseCode CloseCode // CloseProtocol, CloseInvalidData or CloseTooBig
	Reason    string    // fit for the peer's eyes
}

func (e *ProtocolError) Error() string {
	return fmt.Sprintf("ws: peer broke the protocol: %s (%d)", e.Reason, e.CloseCode)
}

// CloseError is how ReadMessage reports the peer's close frame, which has
// been answered by then. What remains is Close or CloseWith.
type CloseError struct {
	Code   CloseCode // CloseNoStatus when the frame had none
	Reason string    // the peer's words: valid UTF-8, at most 123 bytes, not to be trusted
}

func (e *CloseError) Error() string {
	return fmt.Sprintf("ws: peer closed with %d %q", e.Code, e.Reason)
}

// HandshakeError is a handshake that did not become a WebSocket. Upgrade has
// already answered the request with it; Dial got it as an answer, Status being
// 0 when what came was no HTTP or a false 101.
type HandshakeError struct {
	Status int
	Reason string      // from Dial: the start of the body, or what was wrong
	Header http.Header // from Dial: of the response, for Retry-After and the like; else nil
}

func (e *HandshakeError) Error() string {
	return fmt.Sprintf("ws: handshake refused with status %d: %s", e.Status, e.Reason)
}

var (
	// ErrClosing is returned by every write after a close frame has gone out,
	// be it ours or the answer to the peer's.
	ErrClosing = errors.New("ws: write after the close frame")
	// ErrWriteTimeout is returned when the peer left no room in the socket for
	// Limits.WriteTimeout. The connection has been reset.
	ErrWriteTimeout = fmt.Errorf("ws: peer does not read: %w", os.ErrDeadlineExceeded)
)

func broken(reason string) error {
	return &ProtocolError{CloseCode: CloseProtocol, Reason: reason}
}

func tooBig() error {
	return &ProtocolError{CloseCode: CloseTooBig, Reason: "message too big"}
}
