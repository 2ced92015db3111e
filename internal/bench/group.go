package bench

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/ws"
)

// GroupOptions is a load of one group: one member sends, everybody else
// receives.
type GroupOptions struct {
	Conv    im.ConvID
	Members []im.UserID // the first one sends
	From    im.Seq      // the newest entry before the load
	// Window is how many messages are in flight. A slot is freed when the ack
	// and the deliveries to all other members have arrived.
	Window  int
	Seconds float64
}

// GroupResult is what came of it.
type GroupResult struct {
	DeliveriesPerS  float64     `json:"deliveries_per_s"`
	ServerCPU       float64     `json:"server_cpu_us_per_delivery"`   // the database's included
	DatabaseCPU     float64     `json:"database_cpu_us_per_delivery"` // of it, that of a PostgreSQL on this machine
	LoadCPU         float64     `json:"load_cpu_us_per_delivery"`     // of the load, which shares the machine
	Deliver         Percentiles `json:"deliver_ms"`                   // from the send to each receiver
	Ack             Percentiles `json:"ack_ms"`
	MessagesPerS    float64     `json:"messages_per_s"`
	EntriesPerFrame float64     `json:"deliveries_per_packet"` // how many the server put into one WebSocket message
	Sent            int64       `json:"sent"`
	Acked           int64       `json:"acked"`
	Deliveries      int64       `json:"deliveries"`
	Lost            int64       `json:"lost"`
	Duplicated      int64       `json:"duplicated"`
	Errors          int64       `json:"errors"`
	LoginsPerS      float64     `json:"logins_per_s"`
	SecondsMeasured float64     `json:"seconds"`
	RSS             int64       `json:"server_rss_bytes"`
}

// group is a load under way.
type group struct {
	o       GroupOptions
	body    []byte
	start   time.Time
	stop    atomic.Bool
	members []*client

	mu   sync.Mutex // guards buf and the order of sends
	buf  []byte
	next uint32

	// By message number modulo ring: when it was sent, and how many of its
	// ack and deliveries are still to come.
	sentAt [ring]atomic.Int64
	left   [ring]atomic.Int32

	sent, acked, deliveries, packets, done, errors, dup atomic.Int64
	ack, deliver                                        histogram
}

// Group runs the load. It returns when every message has been acknowledged
// and delivered to everybody, or 10 s after the last send.
func Group(ctx context.Context, t *Target, o GroupOptions) (GroupResult, error) {
	g := &group{o: o, body: TextBody(strings.Repeat("m", 96)), members: make([]*client, len(o.Members))}
	began := time.Now()
	err := Each(len(o.Members), 32, func(i int) (err error) {
		g.members[i], err = dial(ctx, t, o.Members[i])
		return err
	})
	defer g.close()
	if err != nil {
		return GroupResult{}, err
	}
	res := GroupResult{LoginsPerS: float64(len(o.Members)) / time.Since(began).Seconds()}
	g.start = time.Now()
	var readers sync.WaitGroup
	readers.Go(g.readSender)
	for _, c := range g.members[1:] {
		readers.Go(func() { g.readReceiver(c) })
	}
	cpu, database := t.CPU()
	own := cpuSelf()
	g.start = time.Now()
	g.send(o.Window)
	select {
	case <-ctx.Done():
	case <-time.After(time.Duration(o.Seconds * float64(time.Second))):
	}
	g.stop.Store(true)
	elapsed, delivered := time.Since(g.start), g.deliveries.Load()
	cpuAfter, databaseAfter := t.CPU()
	own = cpuSelf() - own
	res.MessagesPerS = float64(g.acked.Load()) / elapsed.Seconds()
	for range 1000 {
		if g.done.Load()+g.errors.Load() >= g.sent.Load() || ctx.Err() != nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	res.RSS = t.RSS()
	g.close()
	readers.Wait()

	res.SecondsMeasured, res.DeliveriesPerS = elapsed.Seconds(), float64(delivered)/elapsed.Seconds()
	if delivered > 0 {
		res.ServerCPU = float64((cpuAfter - cpu).Microseconds()) / float64(delivered)
		res.DatabaseCPU = float64((databaseAfter - database).Microseconds()) / float64(delivered)
		res.LoadCPU = float64(own.Microseconds()) / float64(delivered)
	}
	res.Ack, res.Deliver = g.ack.percentiles(), g.deliver.percentiles()
	res.Sent, res.Acked, res.Deliveries = g.sent.Load(), g.acked.Load(), g.deliveries.Load()
	res.Errors, res.Duplicated = g.errors.Load(), g.dup.Load()
	res.Lost = max(res.Acked*int64(len(o.Members)-1)-res.Deliveries, 0)
	if n := g.packets.Load(); n > 0 {
		res.EntriesPerFrame = float64(res.Deliveries) / float64(n)
	}
	return res, nil
}

func (g *group) close() {
	for _, c := range g.members {
		if c != nil {
			c.conn.Close()
		}
	}
}

// send sends k messages in one packet.
func (g *group) send(k int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stop.Load() {
		return
	}
	now := time.Now()
	g.buf = g.buf[:0]
	for range k {
		n := g.next
		g.next++
		g.left[n%ring].Store(int32(len(g.o.Members))) // M-1 deliveries and the ack
		g.sentAt[n%ring].Store(int64(now.Sub(g.start)))
		id := clientID(now, 0, n)
		g.buf = appendSend(g.buf, n+1, string(g.o.Conv), &id, g.body)
	}
	g.sent.Add(int64(k))
	if err := g.members[0].conn.WriteMessage(ws.OpBinary, g.buf); err != nil {
		g.errors.Add(int64(k))
	}
}

// arrived notes that an ack or a delivery has come, and returns 1 when it was
// the message's last.
func (g *group) arrived(id []byte, now time.Duration, h *histogram) int {
	if id == nil {
		g.errors.Add(1)
		return 0
	}
	_, n := whichOf(id)
	h.add(now - time.Duration(g.sentAt[n%ring].Load()))
	if g.left[n%ring].Add(-1) == 0 {
		g.done.Add(1)
		return 1
	}
	return 0
}

// readSender takes acks.
func (g *group) readSender() {
	for {
		_, raw, err := g.members[0].conn.ReadMessage()
		if err != nil {
			return
		}
		now, free := time.Since(g.start), 0
		ok := scan(raw, func(f frame) {
			switch f.kind {
			case kindAck:
				g.acked.Add(1)
				free += g.arrived(f.id, now, &g.ack)
			case kindEntry: // the sender gets the ack in place of its entry
				g.dup.Add(1)
			case kindError:
				g.errors.Add(1)
				free++
			}
		})
		g.after(ok, free)
	}
}

// readReceiver takes one member's deliveries: each has to be the next seq.
func (g *group) readReceiver(c *client) {
	seq := uint64(g.o.From)
	for {
		_, raw, err := c.conn.ReadMessage()
		if err != nil {
			return
		}
		now, free, n := time.Since(g.start), 0, int64(0)
		ok := scan(raw, func(f frame) {
			if f.kind != kindEntry {
				return
			}
			switch {
			case f.seq <= seq:
				g.dup.Add(1)
				return
			case f.seq > seq+1:
				g.errors.Add(1) // a hole; what is missing counts as lost
			}
			seq = f.seq
			n++
			free += g.arrived(f.id, now, &g.deliver)
		})
		if n > 0 {
			g.deliveries.Add(n)
			g.packets.Add(1)
		}
		g.after(ok, free)
	}
}

func (g *group) after(ok bool, free int) {
	if !ok {
		g.errors.Add(1)
	}
	if free > 0 {
		g.send(free)
	}
}
