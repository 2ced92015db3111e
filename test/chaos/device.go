package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/ws"
	pb "github.com/skein-im/skein/proto/skein/v1"
	"github.com/skein-im/skein/test/history"
)

// Times of a device.
const (
	tickTime  = 50 * time.Millisecond
	pingTime  = 10 * time.Second
	deadTime  = 8 * time.Second        // with something under way and nothing heard
	againTime = 100 * time.Millisecond // after an error that asks to try again
	holeTime  = 3 * time.Second        // before a hole is filled from history
)

// Device is a client below the SDKs: cheap enough for a million messages, and
// strict. It keeps every message until its outcome is known, sends it again
// with the same id, merges answers, news and syncs into one view of each
// conversation, and leaves nothing out: what a sync leaves to history it reads
// from there before it goes on.
type Device struct {
	l     *Load
	user  string
	hc    *history.Client
	token string
	reads bool
	to    []*conv // whom it writes to

	// What follows belongs to the goroutine that reads the socket.
	cursor      []byte
	incarnation string
	since       int // messages applied since the last mark

	mu    sync.Mutex // guards the rest
	views map[string]*view
	refs  map[uint32]*pending
	conn  *ws.Conn
	ready bool // the welcome and its sync were applied
	// Of the connection: its number, and the node.
	sessionNo int
	endpoint  string
	ref       uint32
	pending   []*pending // in the order of their first attempt
	byID      map[history.ID]*pending
	marks     map[uint32]*history.Read // by ref
	heard     time.Time
	wrote     time.Time
	blocked   time.Time // do not begin anything before
	next      int
	serial    int
	budget    float64
}

// pending is a message whose outcome is not known.
type pending struct {
	id      history.ID
	op      int
	conv    *conv
	body    *pb.Body
	text    string
	began   time.Time
	sent    time.Time
	refused bool
	refs    []uint32 // of its attempts on this connection
}

// view is one conversation as the device shows it.
type view struct {
	no    uint32
	live  uint32 // written by the reading goroutine, under mu
	held  map[uint32]shown
	since time.Time // when the first of held came
}

// shown is what a device notes of an entry; to > seq is a withheld range.
type shown struct {
	seq, to uint32
	kind    history.Kind
	sender  string
	id      history.ID
	hash    uint64
	joined  bool // the entry takes this user in
	foreign bool
}

func newDevice(l *Load, user, name string, to []*conv) *Device {
	return &Device{l: l, user: user, hc: l.H.Client(user, name), token: l.o.App.Token(user), to: to,
		views: map[string]*view{}, byID: map[history.ID]*pending{}, refs: map[uint32]*pending{}, marks: map[uint32]*history.Read{}}
}

// mark is the text by which an app's messages are known.
func mark(app string) string { return "<" + app + ">" }

// run keeps the device connected until ctx ends.
func (d *Device) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go d.tick(ctx) // ends with ctx
	for n := 0; ctx.Err() == nil; n++ {
		err := d.session(ctx, d.l.o.Endpoints[n%len(d.l.o.Endpoints)])
		d.l.redialed.Add(1)
		var odd oddity
		if errors.As(err, &odd) {
			d.l.oddities.add("%s: %v", d.user, err)
		}
		if pause(ctx, between(10*time.Millisecond, 300*time.Millisecond)) != nil {
			return
		}
	}
}

// oddity is an error that a correct server does not cause.
type oddity struct{ error }

// session is one connection.
func (d *Device) session(ctx context.Context, endpoint string) error {
	dial, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := ws.Dial(dial, "ws"+strings.TrimPrefix(endpoint, "http")+"/v1/socket",
		ws.DialOptions{Subprotocols: []string{"skein.v1.proto"}, NetDial: d.l.o.Dial, Limits: ws.Limits{ReadLimit: 8 << 20}})
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	defer conn.Close()
	defer d.lost()
	if err := d.hello(conn, endpoint); err != nil {
		return err
	}
	for {
		_, raw, err := conn.ReadMessage()
		if err != nil {
			return err
		}
		var p pb.ServerPacket
		if err := proto.Unmarshal(raw, &p); err != nil {
			return oddity{fmt.Errorf("a packet that is none: %w", err)}
		}
		if err := d.packet(ctx, endpoint, conn, &p); err != nil {
			return err
		}
	}
}

func (d *Device) hello(conn *ws.Conn, endpoint string) error {
	d.mu.Lock()
	d.sessionNo++
	d.endpoint = endpoint
	d.conn, d.heard, d.wrote = conn, time.Now(), time.Now()
	d.mu.Unlock()
	raw, err := proto.Marshal(&pb.ClientPacket{Frames: []*pb.ClientFrame{{Ref: 1, Frame: &pb.ClientFrame_Hello{Hello: &pb.Hello{
		Protocol: 1, App: d.l.o.App.ID, Token: d.token, Device: d.hc.Device, Platform: pb.Platform_PLATFORM_DESKTOP, Sdk: "chaos",
		Sync: &pb.SyncRequest{Cursor: d.cursor, Entries: 200, Conversations: 500}}}}}})
	if err != nil {
		return err
	}
	return conn.WriteMessage(ws.OpBinary, raw)
}

// lost forgets the connection; what was under way has an unknown outcome.
func (d *Device) lost() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conn, d.ready = nil, false
	for _, r := range d.marks {
		d.hc.Marked(*r)
	}
	clear(d.marks)
	clear(d.refs)
	for _, p := range d.pending {
		p.refs = nil
	}
	for _, v := range d.views {
		clear(v.held)
	}
}

// packet applies one packet, and sends what it made room for.
func (d *Device) packet(ctx context.Context, endpoint string, conn *ws.Conn, p *pb.ServerPacket) error {
	d.mu.Lock()
	d.heard = time.Now()
	d.mu.Unlock()
	complete := false
	for _, f := range p.Frames {
		switch k := f.Frame.(type) {
		case *pb.ServerFrame_Welcome:
			if err := d.sync(ctx, endpoint, k.Welcome.Sync); err != nil {
				return err
			}
			complete = !k.Welcome.Sync.More
		case *pb.ServerFrame_Sync:
			if err := d.sync(ctx, endpoint, k.Sync); err != nil {
				return err
			}
			complete = !k.Sync.More
		case *pb.ServerFrame_Ack:
			d.acked(k.Ack)
		case *pb.ServerFrame_Error:
			if err := d.failed(f.Ref, k.Error); err != nil {
				return err
			}
		case *pb.ServerFrame_Entry:
			if id, ok := im.ParseClientID(k.Entry.ClientId); ok && f.Ref == 0 {
				d.l.delivery.add(time.Since(id.Time()))
			}
			d.position(d.view(k.Entry.Conversation), d.shown(k.Entry))
		case *pb.ServerFrame_Withheld:
			w := k.Withheld
			d.position(d.view(w.Conversation), shown{seq: uint32(w.FromSeq), to: uint32(w.ToSeq)})
		case *pb.ServerFrame_ReadMarker:
			d.marked(f.Ref, k.ReadMarker)
		case *pb.ServerFrame_Conversation:
			d.joined(k.Conversation)
		}
	}
	if len(p.Cursor) > 0 && !d.holes() {
		d.cursor = p.Cursor
	}
	if err := d.fillOld(ctx, endpoint); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if complete && !d.ready {
		d.ready = true
		if err := d.transmit(conn, d.pending); err != nil {
			return err
		}
	}
	return d.fill(conn)
}

// pending messages, in order: a reconnect repeats them all before anything new.
func (d *Device) transmit(conn *ws.Conn, list []*pending) error {
	var frames []*pb.ClientFrame
	now := time.Now()
	for _, p := range list {
		d.hc.Again(p.op)
		p.sent = now
		frames = append(frames, d.frame(p))
	}
	return d.write(conn, frames)
}

func (d *Device) frame(p *pending) *pb.ClientFrame {
	d.ref++
	d.refs[d.ref], p.refs = p, append(p.refs, d.ref)
	return &pb.ClientFrame{Ref: d.ref, Frame: &pb.ClientFrame_Send{Send: &pb.SendMessageRequest{Conversation: p.conv.id, ClientId: p.id[:], Body: p.body}}}
}

// write sends frames, at most 64 a packet. mu is held.
func (d *Device) write(conn *ws.Conn, frames []*pb.ClientFrame) error {
	for len(frames) > 0 {
		n := min(len(frames), 64)
		raw, err := proto.Marshal(&pb.ClientPacket{Frames: frames[:n]})
		if err != nil {
			return err
		}
		if err := conn.WriteMessage(ws.OpBinary, raw); err != nil {
			return err
		}
		d.wrote, frames = time.Now(), frames[n:]
	}
	return nil
}

// fill begins messages until the window is full. mu is held.
func (d *Device) fill(conn *ws.Conn) error {
	if !d.ready || len(d.to) == 0 || d.l.quiet.Load() || time.Now().Before(d.blocked) {
		return nil
	}
	var frames []*pb.ClientFrame
	for len(d.pending) < d.l.o.Window && (d.l.o.Rate == 0 || d.budget >= 1) {
		d.budget--
		frames = append(frames, d.frame(d.begin()))
	}
	return d.write(conn, frames)
}

// begin makes the next message.
func (d *Device) begin() *pending {
	c := d.to[d.next%len(d.to)]
	d.next++
	d.serial++
	now := time.Now()
	p := &pending{id: newID(), conv: c, began: now, sent: now,
		text: fmt.Sprintf("%s %s of %s to %s, and some more words, as people write them", mark(d.l.o.App.ID), fmt.Sprint(d.serial), d.user, c.id)}
	if n := d.l.o.Text - len(p.text); n > 0 {
		p.text += strings.Repeat(".", n)
	}
	p.body = textBody(p.text)
	p.op = d.hc.Invoke(c.no, history.Message, p.id, history.Hash(p.text))
	d.pending = append(d.pending, p)
	d.byID[p.id] = p
	d.l.sent.Add(1)
	return p
}

func textBody(text string) *pb.Body {
	return &pb.Body{Scheme: pb.BodyScheme_BODY_SCHEME_CONTENT, Content: &pb.Content{Kind: &pb.Content_Text{Text: &pb.Text{Text: text}}}}
}

// acked notes an acknowledgement and shows the message.
func (d *Device) acked(a *pb.SendAck) {
	d.mu.Lock()
	p := d.byID[history.ID(a.ClientId)]
	if p != nil {
		d.settle(p)
	}
	d.mu.Unlock()
	if p == nil {
		return // a second answer to a repeated send
	}
	d.l.note(d.hc.Ack(p.op, uint32(a.Seq), uint32(a.Ord)))
	d.l.acked.Add(1)
	d.l.lastAck.Store(d.l.H.Now())
	d.l.latency.add(time.Since(p.began))
	d.l.reached(p.conv.no, uint32(a.Seq))
	d.position(d.view(a.Conversation), shown{seq: uint32(a.Seq), kind: history.Message, sender: d.user, id: p.id, hash: history.Hash(p.text)})
}

// settle takes a message out. mu is held.
func (d *Device) settle(p *pending) {
	delete(d.byID, p.id)
	for _, ref := range p.refs {
		delete(d.refs, ref)
	}
	for i, q := range d.pending {
		if q == p {
			d.pending = append(d.pending[:i], d.pending[i+1:]...)
			return
		}
	}
}

// failed handles an error frame, which names the ref of what it is about.
func (d *Device) failed(ref uint32, e *pb.Error) error {
	code := im.Code(e.Code)
	d.l.codes[int(code)%len(d.l.codes)].Add(1)
	d.mu.Lock()
	defer d.mu.Unlock()
	if r := d.marks[ref]; r != nil {
		delete(d.marks, ref)
		r.Outcome, r.Return = history.Failed, d.l.H.Now()
		d.hc.Marked(*r)
		return nil
	}
	p := d.refs[ref]
	if p == nil {
		if code == im.CursorInvalid {
			d.cursor = nil
		}
		if !definitive(code) {
			return fmt.Errorf("the session was refused: %s %s", code, e.Message)
		}
		return oddity{fmt.Errorf("an error for nothing that is under way: %s %s", code, e.Message)}
	}
	delete(d.refs, ref)
	p.refs = slices.DeleteFunc(p.refs, func(r uint32) bool { return r == ref })
	if definitive(code) {
		// The outcome of this attempt. Another one that is under way on this
		// connection may be decided otherwise: a removed member can be back.
		// What was sent after it may then come before it.
		if len(p.refs) > 0 {
			d.hc.Refuse(p.op)
			return nil
		}
		d.settle(p)
		d.hc.Fail(p.op)
		d.blocked = time.Now().Add(againTime)
		return nil
	}
	if code == im.Internal {
		d.l.internal.Add(1)
		d.l.oddities.add("INTERNAL for a message: %s", e.Message)
	}
	d.l.refused.Add(1)
	d.hc.Refuse(p.op)
	p.refused = true
	d.blocked = time.Now().Add(max(againTime, time.Duration(e.RetryAfterMs)*time.Millisecond))
	return nil
}

// tick sends what waits for a time: repeats, pings, and a paced sender's next.
func (d *Device) tick(ctx context.Context) {
	t := time.NewTicker(tickTime)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		d.mu.Lock()
		if d.conn != nil {
			if err := d.ticked(d.conn); err != nil {
				d.conn.Close()
			}
		}
		d.mu.Unlock()
	}
}

func (d *Device) ticked(conn *ws.Conn) error {
	now := time.Now()
	d.budget = min(d.budget+d.l.o.Rate*tickTime.Seconds(), float64(d.l.o.Window))
	if now.Sub(d.heard) > deadTime && (!d.ready || len(d.pending) > 0) || now.Sub(d.heard) > 3*pingTime {
		return errors.New("nothing was heard")
	}
	if now.Sub(d.wrote) > pingTime {
		d.ref++
		if err := d.write(conn, []*pb.ClientFrame{{Ref: d.ref, Frame: &pb.ClientFrame_Ping{Ping: &pb.Ping{}}}}); err != nil {
			return err
		}
	}
	if !d.ready || now.Before(d.blocked) {
		return nil
	}
	// What was refused, or has no answer, is repeated from there on, in order.
	for i, p := range d.pending {
		if p.refused && now.Sub(p.sent) > againTime || now.Sub(p.sent) > d.l.o.AckTimeout {
			for _, q := range d.pending[i:] {
				q.refused = false
			}
			if err := d.transmit(conn, d.pending[i:]); err != nil {
				return err
			}
			break
		}
	}
	return d.fill(conn)
}
