package ws

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"
)

// isClosed reports whether err is the peer's close frame with this content.
func isClosed(err error, code CloseCode, reason string) bool {
	var closed *CloseError
	return errors.As(err, &closed) && *closed == CloseError{code, reason}
}

func TestACloseHandshakeIsCleanWhoeverBeginsIt(t *testing.T) {
	for name, pair := range transports {
		for _, clientBegins := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, client begins: %t", name, clientBegins), func(t *testing.T) {
				a, b := pair(t)
				begins, answers := clientOf(a, Limits{Linger: patience}), newConn(b, Limits{Linger: patience}, "")
				if !clientBegins {
					begins, answers = newConn(a, Limits{Linger: patience}, ""), clientOf(b, Limits{Linger: patience})
				}
				done := make(chan error, 1)
				go func() { done <- begins.CloseWith(4001, "signed out") }()
				wantFinal(t, answers, func(err error) bool { return isClosed(err, 4001, "signed out") })
				if err := answers.WriteMessage(OpText, nil); err != ErrClosing {
					t.Errorf("a write after the close handshake says %v", err)
				}
				if err := answers.CloseWith(CloseInternal, "not sent any more"); err != nil {
					t.Errorf("closing the answering side: %v", err)
				}
				if err := <-done; err != nil {
					t.Errorf("closing the beginning side: %v", err)
				}
				wantFinal(t, begins, func(err error) bool { return isClosed(err, 4001, "") })
			})
		}
	}
}

func TestCloseHandshakesMayCross(t *testing.T) {
	a, b := tcpPair(t)
	client, server := clientOf(a, Limits{Linger: patience}), newConn(b, Limits{Linger: patience}, "")
	done := make(chan error, 1)
	go func() { done <- client.CloseWith(CloseGoingAway, "") }()
	if err := server.CloseWith(CloseRestart, ""); err != nil {
		t.Errorf("server: %v", err)
	}
	if err := <-done; err != nil {
		t.Errorf("client: %v", err)
	}
}

func TestAPeerThatClosesIsAnsweredAlsoWhenAWriterIsAtWorkAndTheReaderCloses(t *testing.T) {
	overBoth(t, Limits{}, func(t *testing.T, peer net.Conn, c *Conn) {
		big := make([]byte, 8<<20)
		written := make(chan error, 1)
		go func() { written <- c.WriteMessage(OpBinary, big) }()
		head := rawFrame(finBit|byte(OpBinary), 0, string(big))[:10]
		wantBytes(t, peer, head) // the writer is within its frame, and waits for the peer to read
		send(t, peer, fromClient(finBit|byte(opClose), "\x03\xe8"))
		go func() {
			c.ReadMessage()
			c.Close()
		}()
		if n, err := io.CopyN(io.Discard, peer, int64(len(big))); err != nil {
			t.Fatalf("the peer got %d bytes of the frame: %v", n, err)
		}
		wantBytes(t, peer, rawFrame(finBit|byte(opClose), 0, "\x03\xe8"))
		if err := <-written; err != nil {
			t.Errorf("the writer: %v", err)
		}
	})
}

func TestCloseWithDropsMessagesAndEndsAReaderThatIsAtWork(t *testing.T) {
	overBoth(t, Limits{Linger: patience}, func(t *testing.T, peer net.Conn, c *Conn) {
		read := make(chan error, 1)
		go func() {
			_, p, err := c.ReadMessage()
			if err == nil {
				err = fmt.Errorf("got a message %q", p)
			}
			read <- err
		}()
		done := make(chan error, 1)
		go func() { done <- c.CloseWith(ClosePolicy, "kicked") }()
		wantBytes(t, peer, rawFrame(finBit|byte(opClose), 0, "\x03\xf0kicked"))
		send(t, peer, fromClient(textBit, "too late"), fromClient(textBit, "again"), fromClient(finBit|byte(opClose), "\x03\xf0"))
		if err := <-read; !isClosed(err, ClosePolicy, "") {
			t.Errorf("the reader got %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("CloseWith: %v", err)
		}
		if _, err := peer.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the peer sees %v, want the end", err)
		}
	})
}

func TestCloseWithLeavesTheReaderThePayloadThatItIsLookingAt(t *testing.T) {
	for _, big := range []bool{false, true} {
		overBoth(t, Limits{Linger: patience, ReadLimit: 1 << 20}, func(t *testing.T, peer net.Conn, c *Conn) {
			want, other := "mine", "other"
			if big {
				want, other = strings.Repeat("mine", 5000), strings.Repeat("others", 5000)
			}
			send(t, peer, append(fromClient(textBit, want), fromClient(textBit, other)[:3]...))
			_, p, err := c.ReadMessage()
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- c.CloseWith(CloseNormal, "") }()
			wantBytes(t, peer, rawFrame(finBit|byte(opClose), 0, "\x03\xe8"))
			send(t, peer, fromClient(textBit, other)[3:], fromClient(textBit, other), fromClient(finBit|byte(opClose), ""))
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if string(p) != want {
				t.Errorf("the payload became %.40q...", p)
			}
		})
	}
}

func TestASilentPeerIsWaitedForNoLongerThanLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peer, nc := net.Pipe()
		c := newConn(nc, Limits{Linger: 3 * time.Second}, "")
		go io.Copy(io.Discard, peer)
		began := time.Now()
		if err := c.CloseWith(CloseNormal, ""); err == nil {
			t.Error("CloseWith says that the peer has answered")
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("it took %v, want 3 s", took)
		}
		peer.Close()
	})
}

func TestLingerAlsoEndsAStuckWriter(t *testing.T) {
	overBoth(t, Limits{Linger: 10 * time.Millisecond, WriteTimeout: time.Hour}, func(t *testing.T, peer net.Conn, c *Conn) {
		written := make(chan error, 1)
		go func() { written <- c.WriteMessage(OpBinary, make([]byte, 64<<20)) }()
		if _, err := peer.Read(make([]byte, 1)); err != nil { // the writer is within its frame
			t.Fatal(err)
		}
		if err := c.CloseWith(CloseNormal, ""); err == nil {
			t.Error("CloseWith says that the peer has answered")
		}
		if err := <-written; err == nil {
			t.Error("the writer says that the peer took 64 MiB")
		}
	})
}

func TestAfterABrokenProtocolThePeerLearnsTheCodeBeforeTheEnd(t *testing.T) {
	a, b := tcpPair(t)
	client, server := clientOf(a, Limits{Linger: patience}), newConn(b, Limits{Linger: patience}, "")
	written := make(chan error, 1)
	// More than the sockets hold. An end with bytes unread would be a reset,
	// which fails the write and may destroy the close frame on its way.
	go func() { written <- client.WriteMessage(OpBinary, make([]byte, 32<<20)) }()
	_, _, err := server.ReadMessage()
	var p *ProtocolError
	if !errors.As(err, &p) {
		t.Fatalf("got %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- server.CloseWith(p.CloseCode, p.Reason) }()
	if err := <-written; err != nil {
		t.Errorf("the client's write: %v", err)
	}
	wantFinal(t, client, func(err error) bool { return isClosed(err, CloseTooBig, "message too big") })
	client.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestACloseFrameSaysWhatFits(t *testing.T) {
	for _, test := range []struct {
		code     CloseCode
		reason   string
		wantCode CloseCode
		want     string
	}{
		{CloseNormal, strings.Repeat("x", 123), CloseNormal, strings.Repeat("x", 123)},
		{CloseNormal, strings.Repeat("x", 124), CloseNormal, strings.Repeat("x", 123)},
		{CloseNormal, strings.Repeat("漢", 42), CloseNormal, strings.Repeat("漢", 41)},
		{CloseNormal, "caf\xe9", CloseNormal, "caf"},
		{0, "without a code there is no reason", CloseNoStatus, ""},
		{CloseNoStatus, "", CloseNoStatus, ""},
		{1006, "", CloseNoStatus, ""},
		{5000, "", CloseNoStatus, ""},
	} {
		a, b := tcpPair(t)
		client, server := clientOf(a, Limits{Linger: patience}), newConn(b, Limits{}, "")
		go func() {
			client.CloseWith(test.code, test.reason)
		}()
		_, _, err := server.ReadMessage()
		if !isClosed(err, test.wantCode, test.want) || !utf8.ValidString(err.Error()) {
			t.Errorf("%d %.30q: got %v", test.code, test.reason, err)
		}
		server.Close()
	}
}

func TestTheServersEndComesFirst(t *testing.T) {
	a, b := tcpPair(t)
	client, server := clientOf(a, Limits{Linger: patience}), newConn(b, Limits{}, "")
	done := make(chan error, 1)
	go func() { done <- client.CloseWith(CloseNormal, "") }()
	wantFinal(t, server, func(err error) bool { return isClosed(err, CloseNormal, "") })
	b.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
	if _, err := b.Read(make([]byte, 1)); !isTimeout(err) {
		t.Errorf("the client, which has its answer, did not wait for our end: %v", err)
	}
	server.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
