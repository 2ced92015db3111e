package sim

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/skein-im/skein/internal/ws"
	skein "github.com/skein-im/skein/sdk/go"
)

// window is how many bytes a direction of a connection holds until its writer
// has to wait: the two kernels' buffers.
const window = 64 << 10

// pipe is one direction of a connection: packets in order, each with the time
// at which it can be read.
type pipe struct {
	items []packet
	bytes int
	last  time.Duration // when the newest can be read
}

type packet struct {
	at    time.Duration
	data  []byte
	close *skein.CloseError // the peer's farewell
}

// conn is a socket between a device and a node. What a cut of the network
// holds back is delivered when it is healed, unless the connection is reset.
type conn struct {
	w        *world
	number   int
	d        *device
	n        *node
	p        *proc // of the node's run
	up, down pipe  // to the node, to the device
	reset    bool  // both ends get an error, after what could be read
	quiet    bool  // the node has vanished without a word: the device learns nothing
	deadline time.Duration
	ended    [2]bool // closed by the device, by the node
	limit    int
	sends    map[uint32]string // texts of sends, by ref
	fenced   time.Duration     // when a sign-out of its device was acknowledged; 0 = not
}

var errReset = errors.New("the connection was reset")

// push puts a packet on its way.
func (c *conn) push(p *pipe, data []byte, bye *skein.CloseError) {
	at := max(c.w.now+c.w.latency(c.d), p.last)
	p.last = at
	p.items = append(p.items, packet{at, data, bye})
	p.bytes += len(data)
	c.w.at(at, func() {})
}

// readable tells whether there is something to read, and takes it.
func (c *conn) readable(p *pipe, blocked bool) (packet, bool) {
	if len(p.items) == 0 || p.items[0].at > c.w.now || blocked {
		return packet{}, false
	}
	x := p.items[0]
	p.items = p.items[1:]
	p.bytes -= len(x.data)
	return x, true
}

// abort ends the connection for both.
func (c *conn) abort() {
	c.reset = true
	c.w.after(0, func() {})
}

// nodeSide is gateway.Socket.
type nodeSide struct{ *conn }

func (c nodeSide) ReadMessage() (op ws.Op, data []byte, err error) {
	c.p.Wait(func() bool {
		if x, ok := c.readable(&c.up, c.w.cutUp[c.d.name] || c.d.cutOff); ok {
			op, data = ws.OpBinary, x.data
			if x.close != nil {
				err = &ws.CloseError{Code: ws.CloseCode(x.close.Code), Reason: x.close.Reason}
			} else if len(data) > c.limit {
				err = &ws.ProtocolError{CloseCode: 1009, Reason: "too large"}
			}
			return true
		}
		switch {
		case c.ended[1]:
			err = net.ErrClosed
		case c.reset:
			err = errReset
		case c.deadline > 0 && c.w.now >= c.deadline:
			err = os.ErrDeadlineExceeded
		}
		return err != nil
	})
	return op, data, err
}

func (c nodeSide) WriteMessage(op ws.Op, payload []byte) error {
	return c.WriteBuffers(op, [][]byte{payload})
}

func (c nodeSide) WriteBuffers(_ ws.Op, pieces [][]byte) error {
	data := bytes.Join(pieces, nil)
	c.p.Wait(func() bool { return c.down.bytes < window || c.ended[1] || c.reset })
	if c.ended[1] || c.reset {
		return net.ErrClosed
	}
	c.w.delivered(c.conn, data)
	c.push(&c.down, data, nil)
	return nil
}

func (c nodeSide) CloseWith(code ws.CloseCode, reason string) error {
	if !c.ended[1] {
		c.push(&c.down, nil, &skein.CloseError{Code: int(code), Reason: reason})
		c.ended[1] = true
	}
	return nil
}

func (c nodeSide) Close() error {
	if !c.ended[1] {
		c.ended[1] = true
		c.abort()
	}
	return nil
}

func (c nodeSide) SetReadDeadline(t time.Time) error {
	c.deadline = max(t.Sub(c.p.epoch), 1)
	c.w.at(c.deadline, func() {})
	return nil
}

func (c nodeSide) SetReadLimit(n int)  { c.limit = n }
func (c nodeSide) Subprotocol() string { return skein.Subprotocol }

// deviceSide is skein.Socket.
type deviceSide struct{ *conn }

func (c deviceSide) Read() (data []byte, err error) {
	c.d.proc.Wait(func() bool {
		if x, ok := c.readable(&c.down, c.w.cutDown[c.d.name] || c.d.cutOff || c.d.asleep); ok {
			data = x.data
			if x.close != nil {
				err = x.close
			}
			return true
		}
		switch {
		case c.ended[0]:
			err = net.ErrClosed
		case c.reset && !c.quiet:
			err = errReset
		}
		return err != nil
	})
	if err == nil {
		c.w.trace(c.d.name, "<- conn %d %d bytes %x", c.number, len(data), sum(data))
	}
	return data, err
}

func (c deviceSide) Write(data []byte) error {
	c.d.proc.Wait(func() bool { return c.up.bytes < window || c.ended[0] || c.reset && !c.quiet })
	if c.ended[0] || c.reset && !c.quiet {
		return net.ErrClosed
	}
	c.w.trace(c.d.name, "-> conn %d %d bytes %x", c.number, len(data), sum(data))
	c.w.asked(c.conn, data)
	c.push(&c.up, bytes.Clone(data), nil)
	return nil
}

func (c deviceSide) Close(code int, reason string) error {
	if !c.ended[0] {
		c.ended[0] = true
		c.push(&c.up, nil, &skein.CloseError{Code: code, Reason: reason})
	}
	return nil
}

// Dial implements skein.Transport: a balancer chooses the node.
func (d *device) Dial(ctx context.Context, _ string) (skein.Socket, error) {
	w := d.w
	d.proc.sleep(w.latency(d))
	n := w.balance()
	if n == nil || d.cutOff || w.cutUp[d.name] {
		until := w.now + 20*time.Second // a network that swallows the SYN
		if w.chance(0.5) {
			until = w.now
		}
		w.at(until, func() {})
		d.proc.Wait(func() bool { return w.now >= until || ctx.Err() != nil })
		return nil, errReset
	}
	w.conns++
	c := &conn{w: w, number: w.conns, d: d, n: n, p: n.proc, limit: 4 << 10, sends: map[uint32]string{}}
	n.socks = append(n.socks, c)
	w.trace(d.name, "conn %d to %s", c.number, n.name)
	n.gw.Attach(nodeSide{c}, d.name, "")
	d.proc.sleep(w.latency(d))
	return deviceSide{c}, nil
}

// callTime is how long a device waits for the answer of a call.
const callTime = 30 * time.Second

// RoundTrip implements http.RoundTripper: the product's own handlers answer.
func (d *device) RoundTrip(r *http.Request) (*http.Response, error) {
	w := d.w
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	deadline := w.now + callTime
	w.at(deadline, func() {})
	reachable := func() bool { return !d.cutOff && !w.cutUp[d.name] }
	d.proc.sleep(w.latency(d))
	d.proc.Wait(func() bool { return reachable() || w.now >= deadline })
	n := w.balance()
	if n == nil || w.now >= deadline || w.chance(w.faults.callLost) {
		return nil, errReset
	}
	request := httptest.NewRequest(r.Method, r.URL.Path, bytes.NewReader(body))
	request.Header = r.Header.Clone()
	request.RemoteAddr = "10.0.0.1:1"
	answer := httptest.NewRecorder()
	done := false
	w.spawn(n.proc, func() {
		n.rpc.ServeHTTP(answer, request)
		done = true
	})
	w.trace(d.name, "call %s %x at %s", r.URL.Path, sum(body), n.name)
	p := n.proc
	d.proc.Wait(func() bool { return done || p.dead || w.now >= deadline })
	if done {
		d.proc.sleep(w.latency(d))
		d.proc.Wait(func() bool { return !d.cutOff && !w.cutDown[d.name] || w.now >= deadline })
	}
	if !done || w.now >= deadline || w.chance(w.faults.callLost) {
		w.trace(d.name, "no answer to %s", r.URL.Path)
		return nil, errReset
	}
	w.trace(d.name, "answer %d %x", answer.Code, sum(answer.Body.Bytes()))
	return answer.Result(), nil
}
