package skein

import (
	"context"
	"errors"
	"net/http"

	"github.com/skein-im/skein/internal/ws"
)

// Subprotocol is the WebSocket subprotocol that the SDK speaks: one protobuf
// packet (skein.v1.ClientPacket, skein.v1.ServerPacket) a message.
const Subprotocol = "skein.v1.proto"

// maxServerPacket bounds what one message of the server may cost in memory,
// in bytes. A sync page of many long messages is the largest.
const maxServerPacket = 64 << 20

// Transport opens sockets. The default one speaks WebSocket; a test brings
// its own.
type Transport interface {
	// Dial opens a socket to a ws:// or wss:// address. ctx bounds the
	// opening, not the socket.
	Dial(ctx context.Context, address string) (Socket, error)
}

// Socket carries packets, in order. One goroutine reads and one writes.
type Socket interface {
	// Read waits for the next packet, which belongs to the caller. At the end
	// it returns a *CloseError when the peer said why, or any other error,
	// which counts as a lost connection.
	Read() ([]byte, error)
	// Write sends a packet and does not keep it.
	Write(packet []byte) error
	// Close ends the socket and a Read or Write under way. It may be called
	// by any goroutine and more than once; the first code counts.
	Close(code int, reason string) error
}

// CloseError is the end of a socket, as the peer told it.
type CloseError struct {
	Code   int
	Reason string
}

// Error implements error.
func (e *CloseError) Error() string {
	return "the server closed the connection: " + e.Reason
}

// webSocket is the default transport.
type webSocket struct{}

func (webSocket) Dial(ctx context.Context, address string) (Socket, error) {
	c, err := ws.Dial(ctx, address, ws.DialOptions{
		Limits:       ws.Limits{ReadLimit: maxServerPacket},
		Subprotocols: []string{Subprotocol},
		Header:       http.Header{},
	})
	if err != nil {
		return nil, err
	}
	return &webSocketConn{c}, nil
}

type webSocketConn struct{ conn *ws.Conn }

func (s *webSocketConn) Read() ([]byte, error) {
	_, p, err := s.conn.ReadMessage()
	var closed *ws.CloseError
	switch {
	case errors.As(err, &closed):
		return nil, &CloseError{Code: int(closed.Code), Reason: closed.Reason}
	case err != nil:
		return nil, err
	}
	return append([]byte(nil), p...), nil
}

func (s *webSocketConn) Write(p []byte) error { return s.conn.WriteMessage(ws.OpBinary, p) }

func (s *webSocketConn) Close(code int, reason string) error {
	return s.conn.CloseWith(ws.CloseCode(code), reason)
}
