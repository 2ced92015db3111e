package tlsserve

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
)

// handshakes is a listener whose connections have their TLS handshake behind
// them. It works on a bounded number at the same time: a handshake is a
// signature and tens of KiB, so ten thousand clients that come back at once
// would take the processors and the memory from those who are connected. The
// others wait in the kernel's queue, which Go makes as long as the system
// allows (net.core.somaxconn).
type handshakes struct {
	net.Listener
	config *tls.Config
	log    *slog.Logger
	slots  chan struct{} // a token for each handshake under way
	done   chan net.Conn
	closed chan struct{} // closed when Accept has failed for good
	err    error         // of Accept; read after closed
	once   sync.Once
	ctx    context.Context
	cancel context.CancelFunc
}

func newHandshakes(l net.Listener, config *tls.Config, most int, log *slog.Logger) *handshakes {
	if most <= 0 {
		most = DefaultHandshakes
	}
	h := &handshakes{Listener: l, config: config, log: log, slots: make(chan struct{}, most), done: make(chan net.Conn), closed: make(chan struct{})}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	go h.accept()
	return h
}

// accept takes connections while there are slots, until the listener closes.
func (h *handshakes) accept() {
	for {
		select {
		case h.slots <- struct{}{}:
		case <-h.ctx.Done():
			h.end(net.ErrClosed)
			return
		}
		c, err := h.Listener.Accept()
		if err != nil {
			<-h.slots
			h.end(err)
			return
		}
		go func() { // ends with the handshake, in headerTimeout at most
			conn := tls.Server(c, h.config)
			ctx, cancel := context.WithTimeout(h.ctx, headerTimeout)
			err := conn.HandshakeContext(ctx)
			cancel()
			<-h.slots
			if err != nil {
				h.failed(c, err)
				return
			}
			select {
			case h.done <- conn:
			case <-h.closed:
				c.Close()
			}
		}()
	}
}

// failed ends a connection; one that speaks plain HTTP is told so.
func (h *handshakes) failed(c net.Conn, err error) {
	h.log.Debug("TLS handshake", "addr", c.RemoteAddr().String(), "err", err)
	var plain tls.RecordHeaderError
	if errors.As(err, &plain) && plain.Conn != nil && looksLikeHTTP(plain.RecordHeader) {
		io.WriteString(plain.Conn, "HTTP/1.0 400 Bad Request\r\n\r\nThis address speaks HTTPS.\n") //nolint:errcheck // a courtesy
	}
	c.Close()
}

func looksLikeHTTP(header [5]byte) bool {
	for _, method := range []string{"GET /", "HEAD ", "POST ", "PUT /", "OPTIO"} {
		if strings.HasPrefix(string(header[:]), method) {
			return true
		}
	}
	return false
}

func (h *handshakes) end(err error) {
	h.once.Do(func() {
		h.err = err
		close(h.closed)
	})
}

// Accept implements net.Listener.
func (h *handshakes) Accept() (net.Conn, error) {
	select {
	case c := <-h.done:
		return c, nil
	case <-h.closed:
		return nil, h.err
	}
}

// Close implements net.Listener.
func (h *handshakes) Close() error {
	h.cancel()
	return h.Listener.Close()
}
