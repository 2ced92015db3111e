package ws

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

func sizeName(n int) string { return fmt.Sprintf("%dB", n) }

func TestWhatTheProtocolForbidsIsATypedError(t *testing.T) {
	hello := fromClient(textBit, "hello")
	long := func(b0 byte, length ...byte) []byte { return append(append([]byte{b0}, length...), 1, 2, 3, 4) }
	closing := func(payload string) []byte { return fromClient(finBit|byte(opClose), payload) }
	tests := []struct {
		name   string
		sent   []byte
		code   CloseCode
		says   string
		before string // a message that is good
	}{
		{"RSV1 set", fromClient(textBit|0x40, "hello"), CloseProtocol, "reserved bit", ""},
		{"RSV2 set", fromClient(textBit|0x20, "hello"), CloseProtocol, "reserved bit", ""},
		{"RSV3 set on a control frame", fromClient(finBit|byte(opPing)|0x10, ""), CloseProtocol, "reserved bit", ""},
		{"opcode 3", fromClient(finBit|3, ""), CloseProtocol, "unknown opcode", ""},
		{"opcode 7", fromClient(finBit|7, ""), CloseProtocol, "unknown opcode", ""},
		{"opcode 11", fromClient(finBit|11, ""), CloseProtocol, "unknown opcode", ""},
		{"opcode 15", fromClient(finBit|15, ""), CloseProtocol, "unknown opcode", ""},
		{"a frame without a mask", rawFrame(textBit, 0, "hello"), CloseProtocol, "unmasked", ""},
		{"a ping of 126 bytes", fromClient(finBit|byte(opPing), strings.Repeat("x", 126)), CloseProtocol, "over 125", ""},
		{"a close of 70,000 bytes", fromClient(finBit|byte(opClose), strings.Repeat("x", 70000)), CloseProtocol, "over 125", ""},
		{"a ping in fragments", fromClient(byte(opPing), ""), CloseProtocol, "fragmented control", ""},
		{"a close in fragments", fromClient(byte(opClose), ""), CloseProtocol, "fragmented control", ""},
		{"a continuation of nothing", fromClient(finBit, "x"), CloseProtocol, "continuation of nothing", ""},
		{"a continuation after a finished message", slices.Concat(fromClient(byte(OpText), "a"), fromClient(finBit, "b"), fromClient(finBit, "c")), CloseProtocol, "continuation of nothing", "ab"},
		{"a new message within a fragmented one", append(fromClient(byte(OpText), "a"), hello...), CloseProtocol, "within a fragmented", ""},
		{"the same with a fragment", append(fromClient(byte(OpText), "a"), fromClient(byte(OpBinary), "b")...), CloseProtocol, "within a fragmented", ""},
		{"16 bits for 125", long(bytesBit, 0x80|126, 0, 125), CloseProtocol, "shortest form", ""},
		{"64 bits for 65535", long(bytesBit, 0x80|127, 0, 0, 0, 0, 0, 0, 0xff, 0xff), CloseProtocol, "shortest form", ""},
		{"64 bits for 5", long(bytesBit, 0x80|127, 0, 0, 0, 0, 0, 0, 0, 5), CloseProtocol, "shortest form", ""},
		{"a length of 2^63", long(bytesBit, 0x80|127, 0x80, 0, 0, 0, 0, 0, 0, 0), CloseProtocol, "highest bit", ""},
		{"a length of 2^63-1", long(bytesBit, 0x80|127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), CloseTooBig, "too big", ""},
		{"a message of 4097 bytes", fromClient(bytesBit, strings.Repeat("x", 4097)), CloseTooBig, "too big", ""},
		{"fragments of 4097 bytes together", append(fromClient(byte(OpBinary), strings.Repeat("x", 4000)), fromClient(0, strings.Repeat("x", 97))...), CloseTooBig, "too big", ""},
		{"a close with half a code", closing("\x03"), CloseProtocol, "half a code", ""},
		{"text that is not UTF-8", fromClient(textBit, "caf\xe9"), CloseInvalidData, "not UTF-8", ""},
		{"text cut within a rune", fromClient(textBit, "caf\xc3"), CloseInvalidData, "not UTF-8", ""},
		{"text with a surrogate", fromClient(textBit, "\xed\xa0\x80"), CloseInvalidData, "not UTF-8", ""},
		{"fragmented text that is not UTF-8", append(fromClient(byte(OpText), "caf\xc3"), fromClient(finBit, "x")...), CloseInvalidData, "not UTF-8", ""},
		{"a close reason that is not UTF-8", closing("\x03\xe8caf\xe9"), CloseInvalidData, "not UTF-8", ""},
	}
	for _, code := range []CloseCode{0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		payload := string([]byte{byte(code >> 8), byte(code)})
		test := tests[0]
		test.name, test.sent, test.says = fmt.Sprintf("close code %d", code), closing(payload), "invalid close code"
		tests = append(tests, test)
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			overBoth(t, Limits{}, func(t *testing.T, peer net.Conn, c *Conn) {
				send(t, peer, hello, test.sent)
				wantMessage(t, c, OpText, "hello")
				if test.before != "" {
					wantMessage(t, c, OpText, test.before)
				}
				wantFinal(t, c, func(err error) bool {
					var p *ProtocolError
					return errors.As(err, &p) && p.CloseCode == test.code && strings.Contains(p.Reason, test.says) &&
						strings.Contains(p.Error(), p.Reason)
				})
				c.Close()
			})
		})
	}
}

func TestAClientRefusesAMaskedFrame(t *testing.T) {
	peer, nc := tcpPair(t)
	send(t, peer, rawFrame(textBit, 0, "plain"), fromClient(textBit, "masked"))
	c := clientOf(nc, Limits{})
	wantMessage(t, c, OpText, "plain")
	wantFinal(t, c, func(err error) bool {
		var p *ProtocolError
		return errors.As(err, &p) && strings.Contains(p.Reason, "masked frame from a server")
	})
}

func TestEveryRegisteredCloseCodeIsAcceptedAndEchoed(t *testing.T) {
	for _, code := range []CloseCode{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			peer, nc := tcpPair(t)
			payload := string([]byte{byte(code >> 8), byte(code)})
			send(t, peer, fromClient(finBit|byte(opClose), payload+"bye"))
			c := newConn(nc, Limits{}, "")
			wantFinal(t, c, func(err error) bool {
				var closed *CloseError
				return errors.As(err, &closed) && *closed == CloseError{code, "bye"}
			})
			wantBytes(t, peer, rawFrame(finBit|byte(opClose), 0, payload))
		})
	}
}

func TestACloseWithoutACodeIsEchoedWithoutOne(t *testing.T) {
	overBoth(t, Limits{}, func(t *testing.T, peer net.Conn, c *Conn) {
		send(t, peer, fromClient(finBit|byte(opClose), ""))
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			wantBytes(t, peer, []byte{0x88, 0})
		}()
		wantFinal(t, c, func(err error) bool {
			var closed *CloseError
			return errors.As(err, &closed) && *closed == CloseError{Code: CloseNoStatus}
		})
		<-answered
	})
}

func TestAMessageInFragmentsOfOneByteIsPutTogether(t *testing.T) {
	overBoth(t, Limits{ReadLimit: 1 << 20}, func(t *testing.T, peer net.Conn, c *Conn) {
		want := strings.Repeat("aé漢😀", 1000)
		frames := fromClient(byte(OpText), want[:1])
		for i := 1; i < len(want); i++ {
			frames = append(frames, fromClient(0, want[i:i+1])...)
		}
		frames = append(frames, fromClient(finBit, "")...)
		send(t, peer, frames, fromClient(bytesBit, "next"))
		wantMessage(t, c, OpText, want)
		wantMessage(t, c, OpBinary, "next")
	})
}

func TestBytesMayTrickleInOneByOne(t *testing.T) {
	overBoth(t, Limits{ReadLimit: 1 << 20}, func(t *testing.T, peer net.Conn, c *Conn) {
		want := strings.Repeat("x", 300)
		stream := append(fromClient(byte(OpBinary), want), fromClient(finBit, want)...)
		stream = append(stream, fromClient(textBit, "short")...)
		chunks := make([][]byte, len(stream))
		for i := range stream {
			chunks[i] = stream[i : i+1]
		}
		send(t, peer, chunks...)
		wantMessage(t, c, OpBinary, want+want)
		wantMessage(t, c, OpText, "short")
	})
}

func TestControlFramesBetweenFragmentsAreAnsweredAndLeaveTheMessageWhole(t *testing.T) {
	three := strings.Repeat("three", 2000)
	overBoth(t, Limits{ReadLimit: 20000}, func(t *testing.T, peer net.Conn, c *Conn) {
		ping := fromClient(finBit|byte(opPing), "are you there")
		pong := fromClient(finBit|byte(opPong), "unasked")
		go func() {
			peer.Write(fromClient(byte(OpText), "one "))
			peer.Write(ping)
			wantBytes(t, peer, rawFrame(finBit|byte(opPong), 0, "are you there"))
			peer.Write(fromClient(0, "two "))
			peer.Write(pong)
			big := fromClient(finBit, three)
			peer.Write(append(ping, big[:8]...)) // the header alone: the pong must not wait for the payload
			wantBytes(t, peer, rawFrame(finBit|byte(opPong), 0, "are you there"))
			peer.Write(big[8:])
		}()
		wantMessage(t, c, OpText, "one two "+three)
		if n := c.FramesRead(); n != 6 {
			t.Errorf("%d frames counted, want 6", n)
		}
	})
}

func TestPingsThatArriveTogetherGetOnePongForTheNewest(t *testing.T) {
	overBoth(t, Limits{}, func(t *testing.T, peer net.Conn, c *Conn) {
		var flood []byte
		for i := range 200 {
			flood = append(flood, fromClient(finBit|byte(opPing), fmt.Sprint(i))...)
		}
		flood = append(flood, fromClient(textBit, "done")...)
		if len(flood) > smallSize {
			t.Fatal("the flood must fit into one read")
		}
		answers := make(chan []byte)
		send(t, peer, flood)
		go func() {
			b, _ := io.ReadAll(peer)
			answers <- b
		}()
		wantMessage(t, c, OpText, "done")
		c.Close()
		got := <-answers
		if want := rawFrame(finBit|byte(opPong), 0, "199"); !bytes.HasSuffix(got, want) || len(got) > 10*len(want) {
			t.Errorf("got % x; want % x, with few or none before it", got, want)
		}
	})
}

func TestMessagesOfEverySizeArrive(t *testing.T) {
	sizes := []int{0, 1, 125, 126, smallSize - 15, smallSize - 14, smallSize - 1, smallSize, smallSize + 1, 2 * smallSize,
		largeSize - 1, largeSize, largeSize + 1, 65535, 65536, 3 * largeSize, 1 << 20}
	for name, pair := range transports {
		t.Run(name, func(t *testing.T) {
			a, b := pair(t)
			a.SetDeadline(time.Time{})
			limits := Limits{ReadLimit: 1 << 20}
			client, server := clientOf(a, limits), newConn(b, limits, "")
			for _, pieces := range []int{1, 3} {
				for _, size := range sizes {
					payload := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
					cut := size / pieces
					go func() {
						if pieces == 1 {
							client.WriteMessage(OpBinary, payload)
						} else {
							client.WriteBuffers(OpBinary, [][]byte{payload[:cut], nil, payload[cut:]})
						}
					}()
					wantMessage(t, server, OpBinary, string(payload))
					go func() {
						if pieces == 1 {
							server.WriteMessage(OpText, payload)
						} else {
							server.WriteBuffers(OpText, [][]byte{payload[:cut], nil, payload[cut:]})
						}
					}()
					wantMessage(t, client, OpText, string(payload))
				}
			}
		})
	}
}

func TestTheReadLimitChangesOnARunningConnection(t *testing.T) {
	overBoth(t, Limits{}, func(t *testing.T, peer net.Conn, c *Conn) {
		big := strings.Repeat("x", 10000)
		send(t, peer, fromClient(bytesBit, big[:4096]), fromClient(bytesBit, big), fromClient(bytesBit, big[:101]))
		wantMessage(t, c, OpBinary, big[:4096])
		c.SetReadLimit(10000)
		wantMessage(t, c, OpBinary, big)
		c.SetReadLimit(100)
		wantFinal(t, c, func(err error) bool {
			var p *ProtocolError
			return errors.As(err, &p) && p.CloseCode == CloseTooBig
		})
		c.Close()
	})
}

func TestADeclaredLengthAllocatesNothing(t *testing.T) {
	peer, nc := tcpPair(t)
	c := newConn(nc, Limits{ReadLimit: 1 << 40}, "")
	head := appendHeader(nil, header{op: OpBinary, fin: true, masked: true, key: 1, length: 1 << 39})
	send(t, peer, append(head, "a few bytes"...))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c.SetReadDeadline(time.Now().Add(time.Millisecond))
	for c.left != 1<<39-len("a few bytes") { // the deadline may pass before the bytes come
		if _, _, err := c.ReadMessage(); !isTimeout(err) {
			t.Fatalf("got %v, want a passed deadline", err)
		}
		c.SetReadDeadline(time.Now().Add(time.Millisecond))
	}
	runtime.ReadMemStats(&after)
	if grew := after.TotalAlloc - before.TotalAlloc; grew > 64<<10 {
		t.Errorf("%d bytes were allocated for 11 received", grew)
	}
}

func TestAReadGoesOnAfterAPassedDeadlineWhereItStopped(t *testing.T) {
	overBoth(t, Limits{ReadLimit: 1 << 20}, func(t *testing.T, peer net.Conn, c *Conn) {
		want := strings.Repeat("0123456789", 2000)
		stream := fromClient(byte(OpBinary), want[:50])
		stream = append(stream, fromClient(0, want[50:9000])...)
		stream = append(stream, fromClient(finBit|byte(opPing), "hi")...)
		stream = append(stream, fromClient(finBit, want[9000:])...)
		go io.Copy(io.Discard, peer)
		for len(stream) > 0 {
			c.SetReadDeadline(time.Now().Add(-time.Second))
			if _, _, err := c.ReadMessage(); !isTimeout(err) {
				t.Fatalf("got %v, want a passed deadline", err)
			}
			n := min(len(stream), 997)
			wrote := make(chan struct{})
			go func() {
				peer.Write(stream[:n])
				close(wrote)
			}()
			if n == len(stream) {
				c.SetReadDeadline(time.Now().Add(patience))
				wantMessage(t, c, OpBinary, want)
				return
			}
			for all := false; !all; {
				select {
				case <-wrote:
					all = true
				default:
				}
				c.SetReadDeadline(time.Now().Add(time.Millisecond))
				if _, _, err := c.ReadMessage(); !isTimeout(err) {
					t.Fatalf("got %v, want a passed deadline", err)
				}
			}
			stream = stream[n:]
		}
	})
}

func TestAnIdleConnectionHoldsNoBuffer(t *testing.T) {
	overBoth(t, Limits{ReadLimit: 1 << 20}, func(t *testing.T, peer net.Conn, c *Conn) {
		big := strings.Repeat("x", 100000)
		send(t, peer, fromClient(textBit, "small"), fromClient(bytesBit, big))
		wantMessage(t, c, OpText, "small")
		wantMessage(t, c, OpBinary, big)
		c.SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, _, err := c.ReadMessage(); !isTimeout(err) {
			t.Fatalf("got %v, want a passed deadline", err)
		}
		if c.buf != nil || c.msg != nil {
			t.Errorf("an idle connection holds a read buffer (%t) or a message of %d bytes", c.buf != nil, cap(c.msg))
		}
	})
}

func TestAPeerThatVanishesIsTheEndOfTheStream(t *testing.T) {
	half := fromClient(textBit, "hello")
	for name, test := range map[string]struct {
		sent []byte
		want error
	}{
		"before any byte":     {nil, io.EOF},
		"between messages":    {half, io.EOF},
		"within a header":     {slices.Concat(half, half[:1]), io.ErrUnexpectedEOF},
		"within a mask":       {slices.Concat(half, half[:4]), io.ErrUnexpectedEOF},
		"within a payload":    {slices.Concat(half, half[:8]), io.ErrUnexpectedEOF},
		"between fragments":   {slices.Concat(half, fromClient(byte(OpText), "x")), io.ErrUnexpectedEOF},
		"within a big frame":  {slices.Concat(half, fromClient(bytesBit, strings.Repeat("x", 20000))[:9000]), io.ErrUnexpectedEOF},
		"within a ping frame": {slices.Concat(half, fromClient(finBit|byte(opPing), "ping")[:8]), io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			overBoth(t, Limits{ReadLimit: 1 << 20}, func(t *testing.T, peer net.Conn, c *Conn) {
				go func() {
					peer.Write(test.sent)
					peer.Close()
				}()
				if test.sent != nil {
					wantMessage(t, c, OpText, "hello")
				}
				wantFinal(t, c, func(err error) bool { return err == test.want })
			})
		})
	}
}

func TestAHalfOpenPeerStillGetsItsAnswer(t *testing.T) {
	peer, nc := tcpPair(t)
	c := newConn(nc, Limits{}, "")
	send(t, peer, fromClient(textBit, "last words"))
	wantMessage(t, c, OpText, "last words")
	if err := peer.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	wantFinal(t, c, func(err error) bool { return err == io.EOF })
	if err := c.WriteMessage(OpText, []byte("heard")); err != nil {
		t.Fatal(err)
	}
	wantBytes(t, peer, rawFrame(textBit, 0, "heard"))
}

func TestCloseEndsAReadAndAWriteUnderWay(t *testing.T) {
	overBoth(t, Limits{}, func(t *testing.T, peer net.Conn, c *Conn) {
		errs := make(chan error, 2)
		go func() {
			_, _, err := c.ReadMessage()
			errs <- err
		}()
		go func() {
			var err error
			for err == nil {
				err = c.WriteMessage(OpBinary, make([]byte, 1<<20))
			}
			errs <- err
		}()
		if _, err := peer.Read(make([]byte, 1)); err != nil { // the writer is at work
			t.Fatal(err)
		}
		c.Close()
		for range 2 {
			if err := <-errs; !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("got %v, want an error that says closed", err)
			}
		}
	})
}

func TestReadingAndWritingDoNotAllocate(t *testing.T) {
	a, b := tcpPair(t)
	client, server := clientOf(a, Limits{}), newConn(b, Limits{}, "")
	payload := bytes.Repeat([]byte("x"), 100)
	pieces := [][]byte{payload, payload}
	round := func() {
		if err := client.WriteMessage(OpBinary, payload); err != nil {
			t.Fatal(err)
		}
		_, p, err := server.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		if err := server.WriteBuffers(OpBinary, append(pieces[:0], p, payload)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := client.ReadMessage(); err != nil {
			t.Fatal(err)
		}
	}
	round()
	if allowed := 0.5; testing.AllocsPerRun(1000, round) > allowed && !raceEnabled { // pools may be emptied by a collection
		t.Errorf("%v allocations for a message each way, want none", testing.AllocsPerRun(1000, round))
	}
}
