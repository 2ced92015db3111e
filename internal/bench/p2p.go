package bench

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/ws"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// P2POptions is a load of pairs: one user of each sends, the other receives.
type P2POptions struct {
	Pairs  int
	Window int // messages in flight a sender (closed loop)
	// Rate, if > 0, is the total a second over all pairs (open loop); Window
	// is then not kept to.
	Rate    float64
	Reads   bool // the receiver marks every delivery read
	Seconds float64
}

// P2PResult is what came of it.
type P2PResult struct {
	DeliveredPerS   float64     `json:"delivered_per_s"`
	Ack             Percentiles `json:"ack_ms"`
	Deliver         Percentiles `json:"deliver_ms"`
	ServerCPU       float64     `json:"server_cpu_us_per_message"`   // the database's included
	DatabaseCPU     float64     `json:"database_cpu_us_per_message"` // of it, that of a PostgreSQL on this machine
	Sent            int64       `json:"sent"`
	Acked           int64       `json:"acked"`
	Delivered       int64       `json:"delivered"`
	Errors          int64       `json:"errors"`
	Lost            int64       `json:"lost"`
	Duplicated      int64       `json:"duplicated"`
	LoginsPerS      float64     `json:"logins_per_s"`
	SecondsMeasured float64     `json:"seconds"`
	RSS             int64       `json:"server_rss_bytes"`
}

// The states of a message.
const (
	stateAcked     = 1
	stateDelivered = 2
)

// pair is one sender and one receiver.
type pair struct {
	p        *p2p
	line     uint32
	from, to *client
	conv     string

	mu   sync.Mutex // guards buf and the order of sends
	buf  []byte
	next uint32 // messages sent

	// state and sentAt are by message number modulo ring; a number is used
	// again only after its message was acked and delivered.
	state  []atomic.Uint32
	sentAt []atomic.Int64
	number []atomic.Uint32
}

const ring = 1 << 12

type p2p struct {
	o                                         P2POptions
	body                                      []byte
	start                                     time.Time
	stop                                      atomic.Bool
	sent, acked, delivered, both, errors, dup atomic.Int64
	ack, deliver                              histogram
}

// P2P runs the load. It returns when every message has been acknowledged and
// delivered, or 10 s after the last send.
func P2P(ctx context.Context, t *Target, o P2POptions) (P2PResult, error) {
	p := &p2p{o: o, body: TextBody(strings.Repeat("m", 96))}
	began := time.Now()
	pairs, err := p.connect(ctx, t)
	defer func() {
		for _, x := range pairs {
			for _, c := range []*client{x.from, x.to} {
				if c != nil {
					c.conn.Close()
				}
			}
		}
	}()
	if err != nil {
		return P2PResult{}, err
	}
	res := P2PResult{LoginsPerS: float64(2*o.Pairs) / time.Since(began).Seconds()}
	var readers sync.WaitGroup
	for _, x := range pairs {
		readers.Add(2)
		go func() { defer readers.Done(); x.readSender() }()
		go func() { defer readers.Done(); x.readReceiver() }()
	}
	cpu, database := t.CPU()
	p.start = time.Now()
	p.load(ctx, pairs)
	elapsed := time.Since(p.start)
	delivered := p.delivered.Load()
	cpuAfter, databaseAfter := t.CPU()
	p.settle(ctx)
	res.RSS = t.RSS()
	for _, x := range pairs {
		x.from.conn.Close()
		x.to.conn.Close()
	}
	readers.Wait()

	res.DeliveredPerS = float64(delivered) / elapsed.Seconds()
	res.SecondsMeasured = elapsed.Seconds()
	res.Ack, res.Deliver = p.ack.percentiles(), p.deliver.percentiles()
	if delivered > 0 {
		res.ServerCPU = float64((cpuAfter - cpu).Microseconds()) / float64(delivered)
		res.DatabaseCPU = float64((databaseAfter - database).Microseconds()) / float64(delivered)
	}
	res.Sent, res.Acked, res.Delivered = p.sent.Load(), p.acked.Load(), p.delivered.Load()
	res.Errors, res.Duplicated = p.errors.Load(), p.dup.Load()
	res.Lost = max(res.Acked-p.both.Load(), 0)
	return res, nil
}

// connect signs everybody in, 32 at a time.
func (p *p2p) connect(ctx context.Context, t *Target) ([]*pair, error) {
	pairs := make([]*pair, p.o.Pairs)
	for i := range pairs {
		pairs[i] = &pair{p: p, line: uint32(i), state: make([]atomic.Uint32, ring), sentAt: make([]atomic.Int64, ring), number: make([]atomic.Uint32, ring)}
	}
	err := Each(2*p.o.Pairs, 32, func(i int) error {
		x, side := pairs[i/2], "s"
		if i%2 == 1 {
			side = "r"
		}
		c, err := dial(ctx, t, im.UserID(fmt.Sprintf("%s%05d", side, i/2)))
		if side == "s" {
			x.from = c
		} else {
			x.to = c
		}
		return err
	})
	if err != nil {
		return pairs, err
	}
	for _, x := range pairs {
		x.conv = string(im.Direct(x.from.user, x.to.user))
	}
	return pairs, nil
}

// load sends for the given time: the window at once and then as slots become
// free, or evenly at the rate.
func (p *p2p) load(ctx context.Context, pairs []*pair) {
	end := time.NewTimer(time.Duration(p.o.Seconds * float64(time.Second)))
	defer end.Stop()
	if p.o.Rate <= 0 {
		for _, x := range pairs {
			x.send(p.o.Window)
		}
		select {
		case <-ctx.Done():
		case <-end.C:
		}
		p.stop.Store(true)
		return
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for n := 0; ; {
		select {
		case <-ctx.Done():
			p.stop.Store(true)
			return
		case <-end.C:
			p.stop.Store(true)
			return
		case <-tick.C:
			for due := int(time.Since(p.start).Seconds() * p.o.Rate); n < due; n++ {
				pairs[n%len(pairs)].send(1)
			}
		}
	}
}

// settle waits until all is acked and delivered, at most 10 s.
func (p *p2p) settle(ctx context.Context) {
	for range 1000 {
		if p.both.Load()+p.errors.Load() >= p.sent.Load() || ctx.Err() != nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// send sends k messages in one packet.
func (x *pair) send(k int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.p.stop.Load() {
		return
	}
	now := time.Now()
	x.buf = x.buf[:0]
	for range k {
		n := x.next
		x.next++
		x.state[n%ring].Store(0)
		x.number[n%ring].Store(n)
		x.sentAt[n%ring].Store(int64(now.Sub(x.p.start)))
		id := clientID(now, x.line, n)
		x.buf = appendSend(x.buf, n+1, x.conv, &id, x.p.body)
	}
	x.p.sent.Add(int64(k))
	if err := x.from.conn.WriteMessage(ws.OpBinary, x.buf); err != nil {
		x.p.errors.Add(int64(k))
	}
}

// mark notes that a message was acked or delivered, and returns 1 when both.
func (x *pair) mark(id []byte, what uint32, now time.Duration, h *histogram) int {
	if id == nil {
		x.p.errors.Add(1)
		return 0
	}
	line, n := whichOf(id)
	if line != x.line || x.number[n%ring].Load() != n {
		x.p.dup.Add(1) // of a message that is over, or never was ours
		return 0
	}
	old := x.state[n%ring].Or(what)
	if old&what != 0 {
		x.p.dup.Add(1)
		return 0
	}
	h.add(now - time.Duration(x.sentAt[n%ring].Load()))
	if old|what == stateAcked|stateDelivered {
		x.p.both.Add(1)
		return 1
	}
	return 0
}

// readSender takes acks, and sends again when a slot is free.
func (x *pair) readSender() {
	for {
		_, raw, err := x.from.conn.ReadMessage()
		if err != nil {
			return
		}
		now, free := time.Since(x.p.start), 0
		ok := scan(raw, func(f frame) {
			switch f.kind {
			case kindAck:
				x.p.acked.Add(1)
				free += x.mark(f.id, stateAcked, now, &x.p.ack)
			case kindError:
				x.p.errors.Add(1)
				if !x.p.stop.Load() {
					free++
				}
			}
		})
		x.after(ok, free)
	}
}

// readReceiver takes deliveries, checks their order, and sends again too.
func (x *pair) readReceiver() {
	var seq uint64
	for {
		_, raw, err := x.to.conn.ReadMessage()
		if err != nil {
			return
		}
		now, free := time.Since(x.p.start), 0
		ok := scan(raw, func(f frame) {
			if f.kind != kindEntry {
				return
			}
			if f.seq != seq+1 && seq != 0 {
				x.p.errors.Add(1)
			}
			seq = f.seq
			x.p.delivered.Add(1)
			free += x.mark(f.id, stateDelivered, now, &x.p.deliver)
		})
		if x.p.o.Reads && seq > 0 {
			x.read(seq)
		}
		x.after(ok, free)
	}
}

func (x *pair) after(ok bool, free int) {
	if !ok {
		x.p.errors.Add(1)
	}
	if free > 0 && x.p.o.Rate <= 0 {
		x.send(free)
	}
}

// read marks everything up to seq read, without waiting for the answer.
func (x *pair) read(seq uint64) {
	b, err := proto.Marshal(&skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_Read{Read: &skeinv1.ReadConversationRequest{Conversation: x.conv, Seq: seq}}})
	if err != nil {
		return
	}
	if x.to.conn.WriteMessage(ws.OpBinary, protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), b)) != nil {
		x.p.errors.Add(1)
	}
}
