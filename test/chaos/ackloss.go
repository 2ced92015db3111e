package chaos

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

// lossy stands between clients and a node and loses acknowledgements: it
// reads the server's frames, takes some acks out, and now and then closes the
// connection with an ack under way. What clients send passes as it is.
type lossy struct {
	ln   net.Listener
	to   string
	loss float64
	cut  float64

	passed, lost, cuts atomic.Int64
}

// newLossy listens; it ends with ctx.
func newLossy(ctx context.Context, to string, loss, cut float64) (*lossy, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &lossy{ln: ln, to: to, loss: loss, cut: cut}
	context.AfterFunc(ctx, func() { ln.Close() })
	go func() { // ends with the listener
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go p.serve(ctx, c)
		}
	}()
	return p, nil
}

// dial is for LoadOptions.Dial: wherever a device wants to go, it passes here.
func (p *lossy) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, network, p.ln.Addr().String())
}

func (p *lossy) serve(ctx context.Context, client net.Conn) {
	defer client.Close()
	server, err := net.DialTimeout("tcp", p.to, 5*time.Second)
	if err != nil {
		return
	}
	defer server.Close()
	stop := context.AfterFunc(ctx, func() { client.Close(); server.Close() })
	defer stop()
	go func() { // ends with either connection
		io.Copy(server, client)
		server.Close()
	}()
	_ = p.fromServer(bufio.NewReaderSize(server, 64<<10), client) // whatever ends one side ends the other
}

// fromServer passes the handshake, then frame by frame (RFC 6455 §5.2; a
// server's frames have no mask).
func (p *lossy) fromServer(r *bufio.Reader, w io.Writer) error {
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return err
		}
		if _, err := w.Write(line); err != nil {
			return err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			break
		}
	}
	for {
		var head [2]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return err
		}
		size := uint64(head[1] & 0x7f)
		if size > 125 {
			long := make([]byte, map[uint64]int{126: 2, 127: 8}[size])
			if _, err := io.ReadFull(r, long); err != nil {
				return err
			}
			size = 0
			for _, b := range long {
				size = size<<8 | uint64(b)
			}
		}
		if size > 64<<20 {
			return errors.New("a frame of no server")
		}
		payload := make([]byte, size)
		if _, err := io.ReadFull(r, payload); err != nil {
			return err
		}
		if head[0] == 0x82 { // a whole binary message
			var err error
			if payload, err = p.thin(payload); err != nil {
				return err
			}
		}
		if err := writeFrame(w, head[0], payload); err != nil {
			return err
		}
	}
}

func writeFrame(w io.Writer, first byte, payload []byte) error {
	head := []byte{first, 127}
	switch n := len(payload); {
	case n < 126:
		head[1] = byte(n)
	case n < 1<<16:
		head[1] = 126
		head = binary.BigEndian.AppendUint16(head, uint16(n))
	default:
		head = binary.BigEndian.AppendUint64(head, uint64(n))
	}
	_, err := w.Write(append(head, payload...))
	return err
}

// thin takes acknowledgements out of a packet.
func (p *lossy) thin(raw []byte) ([]byte, error) {
	var packet pb.ServerPacket
	if err := proto.Unmarshal(raw, &packet); err != nil {
		return nil, err
	}
	cut := false
	n := len(packet.Frames)
	packet.Frames = slices.DeleteFunc(packet.Frames, func(f *pb.ServerFrame) bool {
		if f.GetAck() == nil {
			return false
		}
		cut = cut || rand.Float64() < p.cut
		if rand.Float64() >= p.loss {
			p.passed.Add(1)
			return false
		}
		p.lost.Add(1)
		return true
	})
	if cut {
		p.cuts.Add(1)
		return nil, errors.New("cut")
	}
	if len(packet.Frames) == n {
		return raw, nil
	}
	return proto.Marshal(&packet)
}

// AckLossOptions say how much to lose.
type AckLossOptions struct {
	Engine Engine
	Acks   int64   // messages at least
	Kills  int     // of the server, meanwhile
	Rate   float64 // messages a second of one sender; 0 = as fast as it goes
}

// AckLoss loses a fifth of all acknowledgements, and some connections with
// one under way, so that clients send again what is stored already, also to a
// server that was killed in between.
func AckLoss(ctx context.Context, e *Env, o AckLossOptions) (r *Result, err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Minute)
	defer cancel()
	r = &Result{Proof: "20 % of all acknowledgements lost", Engine: o.Engine.String(), Nodes: 1, Began: time.Now(),
		Command: fmt.Sprintf("go run ./test/chaos/run ackloss --db %s --kills %d --acks %d", string(o.Engine), o.Kills, o.Acks)}
	defer func() { r.Took = time.Since(r.Began) }()
	c, err := e.StartCluster(ctx, ClusterOptions{Engine: o.Engine})
	if err != nil {
		return r, err
	}
	defer c.Close()
	p, err := newLossy(ctx, c.Nodes[0].Addr(), 0.2, 0.002)
	if err != nil {
		return r, err
	}
	l, err := StartLoad(ctx, LoadOptions{Endpoints: c.Endpoints(), App: c.App(), Pairs: 30, Groups: 2, GroupSize: 8, GroupSenders: 3, Window: 8, Rate: o.Rate,
		AckTimeout: 300 * time.Millisecond, Reads: true, Dial: p.dial})
	if err != nil {
		return r, err
	}
	defer l.Close()
	for i := range o.Kills + 1 {
		if err := l.WaitAcked(ctx, o.Acks*int64(i+1)/int64(o.Kills+1), 10*time.Minute); err != nil {
			return r, err
		}
		if i == o.Kills {
			break
		}
		if !c.Nodes[0].Kill() {
			r.Problem("the server had ended by itself:\n%s", c.Nodes[0].LogTail(2000))
		}
		if err := c.Nodes[0].Start(ctx); err != nil {
			return r, err
		}
	}
	if err := conclude(ctx, e, r, c, l); err != nil {
		return r, err
	}
	r.Act("acknowledgements taken away", p.lost.Load())
	r.Act("connections cut with one under way", p.cuts.Load())
	if o.Kills > 0 {
		r.Act("kills", int64(o.Kills))
	}
	r.Measure("acknowledgements lost", 100*float64(p.lost.Load())/float64(p.lost.Load()+p.passed.Load()), "%")
	if r.Report != nil {
		r.Measure("messages sent more than once", float64(r.Report.Counts.Retried), "")
	}
	return r, nil
}
