// Package bench measures a running server from outside: it speaks the wire
// as a client does, counts every message, and believes nothing that it has
// not seen arrive. Each kind of load reports its figures as one value that
// encodes to a flat JSON object; latencies are objects of percentiles in
// milliseconds.
//
// The load shares the machine with the server, so it is written to be cheap:
// frames are scanned by hand, nothing is allocated per message, and the
// goroutine that sees a slot become free sends the next message.
package bench

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/ws"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Target is the server under load.
type Target struct {
	URL   string // ws:// or wss:// of the socket
	TLS   *tls.Config
	App   im.AppID
	Token func(u im.UserID) (string, error)
	// PID is the server's process, whose CPU is counted with its children's;
	// 0 = unknown. Database is PostgreSQL's first process, likewise.
	PID, Database int
	// Loopback: the server is at 127.0.0.1, so that clients may come from other
	// addresses of 127.0.0.0/8.
	Loopback bool
}

// Percentiles are latencies in milliseconds.
type Percentiles struct {
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
}

// histogram counts durations in buckets of at most 3 % width, from 1 µs to
// over an hour. It may be written from any goroutine.
type histogram struct{ buckets [1024]atomic.Uint64 }

const subBits = 5 // 32 buckets for each power of two

func bucketOf(d time.Duration) int {
	us := uint64(max(d.Microseconds(), 0))
	if us < 1<<subBits {
		return int(us)
	}
	exp := bits.Len64(us) - subBits - 1
	return min((exp+1)<<subBits+int(us>>exp)-1<<subBits, 1023)
}

func (h *histogram) add(d time.Duration) { h.buckets[bucketOf(d)].Add(1) }

// percentiles returns the upper ends of the buckets that hold them.
func (h *histogram) percentiles() Percentiles {
	var total uint64
	for i := range h.buckets {
		total += h.buckets[i].Load()
	}
	at := func(q float64) float64 {
		want, seen := uint64(math.Ceil(q*float64(total))), uint64(0)
		for i := range h.buckets {
			if seen += h.buckets[i].Load(); seen >= want && want > 0 {
				return upper(i)
			}
		}
		return 0
	}
	return Percentiles{at(0.5), at(0.9), at(0.99), at(0.999)}
}

// upper is the largest duration of a bucket, in ms.
func upper(i int) float64 {
	if i < 1<<subBits {
		return float64(i+1) / 1000
	}
	exp := i>>subBits - 1
	base := uint64(i&(1<<subBits-1) | 1<<subBits)
	return float64((base+1)<<exp) / 1000
}

// client is one signed-in connection of the load.
type client struct {
	conn *ws.Conn
	user im.UserID
}

// greeting is what a client says at first, beside who it is.
type greeting struct {
	token  string // empty = a new one
	cursor []byte // where the device is; nil = it is new
	// conversations and entries bound the first page; 0 = the server's rule.
	conversations, entries uint32
	// from is the source address; nil = any.
	from net.IP
}

// dial connects, says hello, and returns after the welcome.
func dial(ctx context.Context, t *Target, user im.UserID) (*client, error) {
	c, _, err := greet(ctx, t, user, greeting{})
	return c, err
}

// greet is dial with more to say; it also returns the welcome.
func greet(ctx context.Context, t *Target, user im.UserID, g greeting) (*client, *skeinv1.Welcome, error) {
	if g.token == "" {
		var err error
		if g.token, err = t.Token(user); err != nil {
			return nil, nil, err
		}
	}
	o := ws.DialOptions{TLS: t.TLS, Subprotocols: []string{"skein.v1.proto"}, Limits: ws.Limits{ReadLimit: 4 << 20}}
	if g.from != nil {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: g.from}}
		o.NetDial = d.DialContext
	}
	conn, err := ws.Dial(ctx, t.URL, o)
	if err != nil {
		return nil, nil, err
	}
	hello, err := proto.Marshal(&skeinv1.ClientPacket{Frames: []*skeinv1.ClientFrame{{Ref: 1, Frame: &skeinv1.ClientFrame_Hello{
		Hello: &skeinv1.Hello{Protocol: 1, App: string(t.App), Token: g.token, Device: "bench", Platform: skeinv1.Platform_PLATFORM_DESKTOP, Sdk: "skein-bench",
			Sync: &skeinv1.SyncRequest{Cursor: g.cursor, Conversations: g.conversations, Entries: g.entries}}}}}})
	if err == nil {
		err = conn.WriteMessage(ws.OpBinary, hello)
	}
	var raw []byte
	if err == nil {
		_, raw, err = conn.ReadMessage()
	}
	if err != nil {
		conn.Close()
		return nil, nil, fmt.Errorf("hello of %s: %w", user, err)
	}
	var p skeinv1.ServerPacket
	if err := proto.Unmarshal(raw, &p); err != nil || len(p.Frames) == 0 || p.Frames[0].GetWelcome() == nil {
		conn.Close()
		return nil, nil, fmt.Errorf("hello of %s: got %v", user, p.Frames)
	}
	return &client{conn: conn, user: user}, p.Frames[0].GetWelcome(), nil
}

// Each runs fn for 0 … n-1, so many at once, and returns the first error.
func Each(n, atOnce int, fn func(i int) error) error {
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	for range min(n, atOnce) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && failed.Load() == nil; i = int(next.Add(1)) - 1 {
				if err := fn(i); err != nil {
					failed.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	wg.Wait()
	if e := failed.Load(); e != nil {
		return *e
	}
	return nil
}

// appendSend appends a send frame, as an element of ClientPacket.frames.
func appendSend(b []byte, ref uint32, conv string, id *im.ClientID, body []byte) []byte {
	send := 1 + protowire.SizeBytes(len(conv)) + 1 + protowire.SizeBytes(len(id)) + 1 + protowire.SizeBytes(len(body))
	frame := 1 + protowire.SizeVarint(uint64(ref)) + 1 + protowire.SizeBytes(send)
	b = protowire.AppendTag(b, 1, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(frame))
	b = protowire.AppendTag(b, 1, protowire.VarintType)
	b = protowire.AppendVarint(b, uint64(ref))
	b = protowire.AppendTag(b, 3, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(send))
	b = protowire.AppendTag(b, 1, protowire.BytesType)
	b = protowire.AppendString(b, conv)
	b = protowire.AppendTag(b, 2, protowire.BytesType)
	b = protowire.AppendBytes(b, id[:])
	b = protowire.AppendTag(b, 3, protowire.BytesType)
	return protowire.AppendBytes(b, body)
}

// TextBody encodes a text message.
func TextBody(text string) []byte {
	b, err := proto.Marshal(&skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT,
		Content: &skeinv1.Content{Kind: &skeinv1.Content_Text{Text: &skeinv1.Text{Text: text}}}})
	if err != nil {
		panic(err) // a constant of ours
	}
	return b
}

// clientID makes a UUIDv7 that carries which message it is.
func clientID(now time.Time, line, n uint32) (id im.ClientID) {
	binary.BigEndian.PutUint64(id[:8], uint64(now.UnixMilli())<<16|0x7000|uint64(n&0xfff))
	binary.BigEndian.PutUint32(id[8:12], 0x80000000|line)
	binary.BigEndian.PutUint32(id[12:16], n)
	return id
}

// ClientID makes an id for the n-th entry of a line.
func ClientID(line, n uint32) im.ClientID { return clientID(time.Now(), line, n) }

// whichOf reads back what clientID carries.
func whichOf(id []byte) (line, n uint32) {
	return binary.BigEndian.Uint32(id[8:12]) & 0x3fffffff, binary.BigEndian.Uint32(id[12:16])
}

// frame is what the load looks at in a server frame.
type frame struct {
	kind  protowire.Number // of the oneof
	id    []byte           // client id of an ack or entry
	seq   uint64
	inner []byte
}

// The fields of ServerFrame that the load tells apart.
const (
	kindAck   = 3
	kindError = 4
	kindEntry = 5
	kindPong  = 11
)

// scan calls fn for each frame of a packet; false when it is malformed.
func scan(packet []byte, fn func(f frame)) bool {
	for len(packet) > 0 {
		num, typ, n := protowire.ConsumeTag(packet)
		if n < 0 || typ != protowire.BytesType {
			return false
		}
		v, m := protowire.ConsumeBytes(packet[n:])
		if m < 0 {
			return false
		}
		packet = packet[n+m:]
		if num != 1 {
			continue
		}
		if f, ok := scanFrame(v); ok {
			fn(f)
		} else {
			return false
		}
	}
	return true
}

func scanFrame(b []byte) (f frame, ok bool) {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return f, false
		}
		b = b[n:]
		if typ != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
				return f, false
			}
			b = b[n:]
			continue
		}
		v, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return f, false
		}
		b = b[n:]
		f.kind, f.inner = num, v
		switch num {
		case kindAck:
			f.id, f.seq = idAndSeq(v, 5)
		case kindEntry:
			f.id, f.seq = idAndSeq(v, 7)
		}
	}
	return f, true
}

// idAndSeq finds the client id (field idField) and the seq (field 2).
func idAndSeq(b []byte, idField protowire.Number) (id []byte, seq uint64) {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return nil, 0
		}
		b = b[n:]
		switch {
		case num == 2 && typ == protowire.VarintType:
			if seq, n = protowire.ConsumeVarint(b); n < 0 {
				return nil, 0
			}
		case num == idField && typ == protowire.BytesType:
			v, m := protowire.ConsumeBytes(b)
			if m < 0 || len(v) != 16 {
				return nil, 0
			}
			return v, seq
		default:
			if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
				return nil, 0
			}
		}
		b = b[n:]
	}
	return nil, 0
}

// Login signs a user in and out, and returns how long the sign-in took.
func Login(ctx context.Context, t *Target, u im.UserID) (time.Duration, error) {
	began := time.Now()
	c, err := dial(ctx, t, u)
	if err != nil {
		return 0, err
	}
	defer c.conn.Close()
	return time.Since(began), nil
}
