package ws

import (
	"bytes"
	"errors"
	"io"
	"net"
	"runtime"
	"slices"
	"testing"
)

// tape is a connection that plays its input, in pieces of a given size, and
// keeps what is written.
type tape struct {
	net.Conn
	in    []byte
	piece int
	out   bytes.Buffer
}

func (t *tape) Read(p []byte) (int, error) {
	if len(t.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p, t.in[:min(len(t.in), t.piece)])
	t.in = t.in[n:]
	return n, nil
}

func (t *tape) Write(p []byte) (int, error) { return t.out.Write(p) }
func (t *tape) Close() error                { return nil }

type message struct {
	op      Op
	payload []byte
}

// play reads all messages that a server finds in the input, and how it ends.
func play(in []byte, piece int) (list []message, out []byte, end error) {
	tp := &tape{in: in, piece: piece}
	c := newConn(tp, Limits{ReadLimit: 1 << 20}, "")
	for {
		op, p, err := c.ReadMessage()
		if err != nil {
			return list, tp.out.Bytes(), err
		}
		list = append(list, message{op, bytes.Clone(p)})
	}
}

// allocated is how many bytes of heap reading the input takes, not counting
// what the test keeps of it.
func allocated(in []byte) uint64 {
	c := newConn(&tape{in: in, piece: len(in) + 1}, Limits{ReadLimit: 1 << 40}, "")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for {
		if _, _, err := c.ReadMessage(); err != nil {
			break
		}
	}
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// FuzzFrame feeds arbitrary bytes to a server. It must end with one of the
// documented errors, however the bytes are cut; allocate no more than they
// pay for; and read the messages that it accepted again when they are written
// anew.
func FuzzFrame(f *testing.F) {
	f.Add(fromClient(textBit, "hello"))
	f.Add(slices.Concat(fromClient(byte(OpText), "he"), fromClient(finBit|byte(opPing), "p"), fromClient(finBit, "llo")))
	f.Add(slices.Concat(fromClient(bytesBit, string(make([]byte, 5000))), fromClient(finBit|byte(opClose), "\x03\xe8bye")))
	f.Add(append(appendHeader(nil, header{op: OpBinary, fin: true, masked: true, length: 1 << 39}), "x"...))
	f.Add(slices.Concat(fromClient(byte(OpBinary), string(make([]byte, 3000))), fromClient(finBit, string(make([]byte, 70000)))))
	f.Add(rawFrame(textBit, 0, "unmasked"))
	f.Fuzz(func(t *testing.T, in []byte) {
		list, out, end := play(in, len(in)+1)
		var p *ProtocolError
		var closed *CloseError
		switch {
		case end == io.EOF, end == io.ErrUnexpectedEOF:
		case errors.As(end, &p):
			if p.CloseCode != CloseProtocol && p.CloseCode != CloseInvalidData && p.CloseCode != CloseTooBig {
				t.Errorf("broken protocol with code %d", p.CloseCode)
			}
		case errors.As(end, &closed):
		default:
			t.Errorf("ended with %v", end)
		}
		if cut, _, cutEnd := play(in, 1); !slices.EqualFunc(list, cut, same) || end.Error() != cutEnd.Error() {
			t.Errorf("in one piece: %d messages and %v; in bytes: %d messages and %v", len(list), end, len(cut), cutEnd)
		}
		if len(out) > len(in) {
			t.Errorf("%d bytes were answered with %d", len(in), len(out))
		}
		limit := uint64(10*len(in) + 64<<10)
		for try := 0; allocated(in) > limit; try++ { // another goroutine may have allocated meanwhile
			if try == 3 {
				t.Fatalf("%d bytes of input cost more than %d of memory", len(in), limit)
			}
		}
		again := &tape{piece: len(in) + 1}
		client := clientOf(again, Limits{})
		for _, m := range list {
			if err := client.WriteMessage(m.op, m.payload); err != nil {
				t.Fatal(err)
			}
		}
		if back, _, err := play(again.out.Bytes(), 7); err != io.EOF || !slices.EqualFunc(list, back, same) {
			t.Errorf("%d messages, written anew, came back as %d with %v", len(list), len(back), err)
		}
	})
}

func same(a, b message) bool { return a.op == b.op && bytes.Equal(a.payload, b.payload) }
