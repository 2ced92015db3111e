package ws

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestASmallMessageGoesOutInOneWrite(t *testing.T) {
	rec := &recorder{}
	server := newConn(rec, Limits{}, "")
	if err := server.WriteBuffers(OpBinary, [][]byte{[]byte("one "), []byte("two "), bytes.Repeat([]byte("x"), 4000)}); err != nil {
		t.Fatal(err)
	}
	if len(rec.writes) != 1 || !bytes.HasPrefix(rec.writes[0], []byte("\x82\x7e\x0f\xa8one two xxx")) {
		t.Fatalf("%d writes, the first one % .20x", len(rec.writes), rec.writes[0])
	}
}

func TestSeveralMessagesGoOutInOneWriteAndStaySeparate(t *testing.T) {
	rec := &recorder{}
	if err := newConn(rec, Limits{}, "").WriteMessages(OpText, [][]byte{[]byte("a"), nil, []byte("bc")}); err != nil {
		t.Fatal(err)
	}
	if got, want := bytes.Join(rec.writes, []byte("|")), []byte("\x81\x01a\x81\x00\x81\x02bc"); !bytes.Equal(got, want) {
		t.Errorf("got % x, want % x", got, want)
	}
	a, b := tcpPair(t)
	client, server := clientOf(a, Limits{}), newConn(b, Limits{}, "")
	var msgs [][]byte
	for i := range 2000 {
		msgs = append(msgs, bytes.Repeat([]byte{byte(i)}, i))
	}
	go client.WriteMessages(OpBinary, msgs)
	for i, m := range msgs {
		if _, p, err := server.ReadMessage(); err != nil || !bytes.Equal(p, m) {
			t.Fatalf("message %d: %d bytes, error %v", i, len(p), err)
		}
	}
}

func TestAClientMasksWithItsEntropyAndLeavesThePayloadAlone(t *testing.T) {
	rec := &recorder{}
	payload := []byte("hello world")
	if err := clientOf(rec, Limits{}).WriteMessage(OpText, payload); err != nil {
		t.Fatal(err)
	}
	if want := rawFrame(textBit, 0x03020100, "hello world"); !bytes.Equal(rec.writes[0], want) {
		t.Errorf("got % x, want % x", rec.writes[0], want)
	}
	if string(payload) != "hello world" {
		t.Errorf("the caller's payload became %q", payload)
	}
}

func TestWithoutEntropyNothingIsSent(t *testing.T) {
	rec := &recorder{}
	c := clientOf(rec, Limits{})
	c.masks.entropy = strings.NewReader("short")
	if err := c.WriteMessage(OpText, nil); !errors.Is(err, io.ErrUnexpectedEOF) || len(rec.writes) != 0 {
		t.Errorf("got %v and %d writes", err, len(rec.writes))
	}
}

func TestOnlyMessagesAndShortPingsCanBeWritten(t *testing.T) {
	rec := &recorder{}
	c := newConn(rec, Limits{}, "")
	for _, op := range []Op{opContinuation, 3, opClose, opPing, opPong, 15} {
		for _, err := range []error{c.WriteMessage(op, nil), c.WriteBuffers(op, nil), c.WriteMessages(op, [][]byte{nil})} {
			if err == nil {
				t.Errorf("a message of kind %d was sent", op)
			}
		}
	}
	if err := c.Ping(make([]byte, 126)); err == nil {
		t.Error("a ping of 126 bytes was sent")
	}
	if len(rec.writes) != 0 {
		t.Errorf("refused messages left % x on the wire", rec.writes)
	}
	if err := c.Ping([]byte("hi")); err != nil || !bytes.Equal(rec.writes[0], []byte("\x89\x02hi")) {
		t.Errorf("a good ping: % x, error %v", rec.writes, err)
	}
}

func TestMessagesOfManyWritersDoNotInterleave(t *testing.T) {
	a, b := tcpPair(t)
	a.SetDeadline(time.Time{})
	client, server := clientOf(a, Limits{}), newConn(b, Limits{ReadLimit: 1 << 20}, "")
	const writers, each = 4, 50
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				size := []int{10, 5000, 40000}[i%3]
				p := bytes.Repeat([]byte{byte(w)}, size)
				binary.BigEndian.PutUint32(p, uint32(i))
				if err := client.WriteMessage(OpBinary, p); err != nil {
					t.Error(err)
				}
				if err := client.Ping(nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	var next [writers]uint32
	for range writers * each {
		_, p, err := server.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		w, i := p[len(p)-1], binary.BigEndian.Uint32(p)
		if next[w] != i || bytes.Count(p[4:], []byte{w}) != len(p)-4 {
			t.Fatalf("writer %d: message %d of %d bytes is torn or out of turn", w, i, len(p))
		}
		next[w]++
	}
	wg.Wait()
}

func TestAPeerThatDoesNotReadIsCutOffAfterTheWriteTimeout(t *testing.T) {
	for name, pair := range transports {
		t.Run(name, func(t *testing.T) {
			_, nc := pair(t)
			limits := Limits{WriteTimeout: 20 * time.Millisecond, SocketWrite: 64 << 10}
			if err := limits.size(nc); err != nil {
				t.Fatal(err)
			}
			c := newConn(nc, limits, "")
			var err error
			for err == nil {
				err = c.WriteMessage(OpBinary, make([]byte, 1000))
			}
			if !errors.Is(err, ErrWriteTimeout) || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("got %v, want a write time-out", err)
			}
			if again := c.WriteMessage(OpText, nil); again != err {
				t.Errorf("a later write says %v", again)
			}
			if _, _, err := c.ReadMessage(); !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("a read after it says %v", err)
			}
		})
	}
}

func TestASlowPeerGetsTheWholeOfAMessageWithinTheTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peer, nc := net.Pipe()
		c := newConn(nc, Limits{WriteTimeout: 10 * time.Second}, "")
		errs := make(chan error)
		message := func(n int) { go func() { errs <- c.WriteMessage(OpBinary, make([]byte, n)) }() }
		slowly := func(pause time.Duration, n int) {
			for range n {
				time.Sleep(pause)
				peer.Read(make([]byte, 1000))
			}
		}
		message(7996) // 8000 with its header
		slowly(time.Second, 8)
		if err := <-errs; err != nil {
			t.Errorf("8 reads in 8 s: %v", err)
		}
		message(7996)
		slowly(2*time.Second, 4)
		time.Sleep(2*time.Second + 1)
		if err := <-errs; err != ErrWriteTimeout {
			t.Errorf("4 reads in 10 s: got %v, want a time-out", err)
		}
		peer.Close()
	})
}

func TestAReaderIsNotHeldUpByAStuckWriterAndTheWriterSendsItsPong(t *testing.T) {
	peer, nc := net.Pipe()
	defer peer.Close()
	c := newConn(nc, Limits{}, "")
	written := make(chan error)
	go func() { written <- c.WriteMessage(OpText, []byte("slow")) }()
	first := make([]byte, 1)
	if _, err := peer.Read(first); err != nil { // the writer is within its frame
		t.Fatal(err)
	}
	go func() {
		peer.Write(fromClient(finBit|byte(opPing), "1"))
		peer.Write(fromClient(finBit|byte(opPing), "2"))
		peer.Write(fromClient(textBit, "still reading"))
	}()
	wantMessage(t, c, OpText, "still reading")
	wantBytes(t, peer, []byte("\x04slow"))
	wantBytes(t, peer, []byte("\x8a\x012"))
	if err := <-written; err != nil {
		t.Fatal(err)
	}
}

// recorder is a connection that keeps what is written to it.
type recorder struct {
	net.Conn
	writes [][]byte
}

func (r *recorder) Write(p []byte) (int, error) {
	r.writes = append(r.writes, bytes.Clone(p))
	return len(p), nil
}

func (r *recorder) Close() error { return nil }

// BenchmarkWrite shows where copying pieces together stops to pay.
func BenchmarkWrite(b *testing.B) {
	for _, size := range []int{100, 1000, 4000, 8 << 10, 16 << 10, 64 << 10, 256 << 10} {
		for _, pieces := range []int{1, 8} {
			b.Run(fmt.Sprintf("%s/pieces=%d", sizeName(size), pieces), func(b *testing.B) {
				peer, nc := tcpPair(b)
				peer.SetDeadline(time.Time{})
				go io.Copy(io.Discard, struct{ io.Reader }{peer})
				c := newConn(nc, Limits{}, "")
				list := make([][]byte, pieces)
				for i := range list {
					list[i] = make([]byte, size/pieces)
				}
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					if err := c.WriteBuffers(OpBinary, list); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
