package ws

import (
	"bytes"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for what must happen at once. It is only
// ever used up by a failure.
const patience = 20 * time.Second

// rawFrame writes a frame with any first byte, right or wrong, masked with key
// unless it is 0.
func rawFrame(b0 byte, key uint32, payload string) []byte {
	h := header{length: len(payload), masked: key != 0, key: key}
	b := appendHeader(nil, h)
	b[0] = b0
	at := len(b)
	b = append(b, payload...)
	mask(b[at:], b[at:], key)
	return b
}

// fromClient is a frame that a server accepts, if b0 is right.
func fromClient(b0 byte, payload string) []byte { return rawFrame(b0, 0x04030201, payload) }

const (
	finBit   = 0x80
	textBit  = finBit | byte(OpText)
	bytesBit = finBit | byte(OpBinary)
)

// tcpPair is a connected pair of loopback sockets.
func tcpPair(t testing.TB) (a, b net.Conn) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if a, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	a.SetDeadline(time.Now().Add(patience))
	return a, b
}

// transports are the two ways in which a Conn reads: a descriptor of its own,
// and any net.Conn.
var transports = map[string]func(testing.TB) (net.Conn, net.Conn){
	"socket": tcpPair,
	"pipe": func(t testing.TB) (net.Conn, net.Conn) {
		a, b := net.Pipe()
		t.Cleanup(func() { a.Close(); b.Close() })
		a.SetDeadline(time.Now().Add(patience))
		return a, b
	},
}

// overBoth runs a test with a server-side Conn and the bare other end of it.
func overBoth(t *testing.T, l Limits, test func(t *testing.T, peer net.Conn, c *Conn)) {
	for name, pair := range transports {
		t.Run(name, func(t *testing.T) {
			peer, nc := pair(t)
			c := newConn(nc, l, "")
			if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			test(t, peer, c)
		})
	}
}

// clientOf is a Conn that acts as the client.
func clientOf(nc net.Conn, l Limits) *Conn {
	c := newConn(nc, l, "")
	c.client, c.masks = true, newMaskSource(zeroes{})
	return c
}

// zeroes is entropy that shows what it masks: masks of 0 1 2 3 repeated.
type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(i % 4)
	}
	return len(p), nil
}

// send writes from another goroutine, because a pipe has no room of its own.
func send(t testing.TB, to net.Conn, chunks ...[]byte) {
	var wg sync.WaitGroup
	wg.Go(func() {
		for _, b := range chunks {
			if _, err := to.Write(b); err != nil && !errors.Is(err, io.ErrClosedPipe) && !errors.Is(err, net.ErrClosed) {
				return // the reading side tells what is wrong
			}
		}
	})
	t.Cleanup(wg.Wait)
}

// wantMessage reads one message.
func wantMessage(t testing.TB, c *Conn, op Op, payload string) {
	t.Helper()
	got, p, err := c.ReadMessage()
	if err != nil || got != op || string(p) != payload {
		t.Fatalf("got kind %d, %d bytes %.80q, error %v; want kind %d, %d bytes %.80q", got, len(p), p, err, op, len(payload), payload)
	}
}

// wantBytes reads exactly want from the bare end.
func wantBytes(t testing.TB, from net.Conn, want []byte) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(from, got); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("got % x, error %v; want % x", got, err, want)
	}
}

// wantFinal expects the same error now and ever after.
func wantFinal(t testing.TB, c *Conn, ok func(error) bool) {
	t.Helper()
	_, _, err := c.ReadMessage()
	if !ok(err) {
		t.Fatalf("got error %v (%T)", err, err)
	}
	if _, _, again := c.ReadMessage(); again != err {
		t.Fatalf("a second read says %v, the first said %v", again, err)
	}
}

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// serve starts an HTTP server that upgrades every request and hands the result
// over.
func serve(t testing.TB, o UpgradeOptions, withTLS bool) (address string, conns <-chan *Conn) {
	ch := make(chan *Conn, 1)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := Upgrade(w, r, o); err == nil {
			ch <- c
		}
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // a refused certificate is reported there
	t.Cleanup(s.Close)
	if withTLS {
		s.StartTLS()
		return "wss" + strings.TrimPrefix(s.URL, "https"), ch
	}
	s.Start()
	return "ws" + strings.TrimPrefix(s.URL, "http"), ch
}

// echoServer answers every message with itself, on a goroutine that is not the
// handler's, as a gateway would.
func echoServer(tb testing.TB, withTLS bool) string {
	address, conns := serve(tb, UpgradeOptions{Limits: Limits{ReadLimit: 1 << 20}}, withTLS)
	done := make(chan struct{})
	tb.Cleanup(func() { close(done) })
	go func() {
		for {
			select {
			case c := <-conns:
				go echoLoop(c)
			case <-done:
				return
			}
		}
	}()
	return address
}

func echoLoop(c *Conn) {
	defer c.Close()
	for {
		op, p, err := c.ReadMessage()
		if err != nil || c.WriteMessage(op, p) != nil {
			return
		}
	}
}
