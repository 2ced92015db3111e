package chaos

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	skein "github.com/skein-im/skein/sdk/go"
	"github.com/skein-im/skein/test/history"
)

// watcher is a second device of a user, made of the Go SDK with a store of its
// own: it goes offline and comes back, shows what the SDK shows, and now and
// then sends.
type watcher struct {
	l     *Load
	user  string
	n     int
	hc    *history.Client
	store *skein.MemoryStore
	convs map[string]*conv
	sent  int
	last  *skein.Client // of the end

	mu    sync.Mutex // guards what follows
	ops   map[history.ID]int
	early map[history.ID]skein.Message // outcomes of sends that are not noted yet
}

func newWatcher(l *Load, user string, n int) *watcher {
	w := &watcher{l: l, user: user, n: n, hc: l.H.Client(user, "sdk"), store: skein.NewMemoryStore(), convs: map[string]*conv{},
		ops: map[history.ID]int{}, early: map[history.ID]skein.Message{}}
	w.hc.Sparse = true // an SDK that was away shows the newest and loads the rest when somebody looks
	for _, c := range l.convs {
		w.convs[c.id] = c
	}
	return w
}

// client makes a client on the store: the device after a restart of its app.
func (w *watcher) client() (*skein.Client, error) {
	var transport skein.Transport // nil is the SDK's own
	if w.l.o.DialAll {
		transport = dialled{w.l.o.Dial}
	}
	c, err := skein.New(skein.Options{Transport: transport, Endpoint: w.l.o.Endpoints[w.n%len(w.l.o.Endpoints)], AppID: w.l.o.App.ID, User: w.user, DeviceID: "sdk",
		Token: func(context.Context) (string, error) { return w.l.o.App.Token(w.user), nil }, Platform: skein.Server, Store: w.store, HTTPClient: w.l.http})
	if err != nil {
		return nil, err
	}
	c.OnMessage(func(e skein.MessageEvent) { w.show(e.Message) })
	c.OnMessageUpdated(func(e skein.MessageEvent) {
		if e.Message.Sender != w.user {
			return
		}
		w.outcome(e.Message)
		if e.Message.State == skein.Failed {
			_ = e.Conversation.Discard(context.Background(), e.Message) // a closed client keeps it; the next one says so again
		}
	})
	return c, nil
}

func (w *watcher) show(m skein.Message) {
	c := w.convs[m.Conversation]
	if c == nil {
		return // somebody's notes
	}
	kind, hash := messageOf(m)
	w.hc.Deliver(c.no, uint32(m.Seq), kind, m.Sender, idOf(m.ID), hash)
	if w.l.o.Foreign != "" && strings.Contains(m.Text, mark(w.l.o.Foreign)) {
		w.hc.Leak(c.no, uint32(m.Seq))
	}
}

// messageOf returns a message's kind and the hash of what it carries.
func messageOf(m skein.Message) (history.Kind, uint64) {
	switch m.Kind {
	case skein.KindText:
		return history.Message, history.Hash(m.Text)
	case skein.KindMembers:
		return history.Members, history.Hash(fmt.Sprint("+", m.Members.Added, "-", m.Members.Removed, "-", m.Members.Left))
	}
	return history.Other, 0
}

func idOf(uuid string) (id history.ID) {
	b, err := hex.DecodeString(strings.ReplaceAll(uuid, "-", ""))
	if err == nil {
		copy(id[:], b)
	}
	return id
}

// run connects, stays a while, sends now and then, and goes offline, until
// the load is quiet.
func (w *watcher) run(ctx context.Context) {
	for ctx.Err() == nil && !w.l.quiet.Load() {
		c, err := w.client()
		if err != nil {
			w.l.oddities.add("the SDK of %s: %v", w.user, err)
			return
		}
		w.online(ctx, c)
		c.Close()
		if pause(ctx, between(100*time.Millisecond, 1500*time.Millisecond)) != nil {
			return
		}
	}
}

func (w *watcher) online(ctx context.Context, c *skein.Client) {
	stay, cancel := context.WithTimeout(ctx, between(500*time.Millisecond, 4*time.Second))
	defer cancel()
	if c.Connect(stay) != nil {
		return
	}
	for stay.Err() == nil && !w.l.quiet.Load() {
		for _, conv := range c.Conversations() {
			if w.convs[conv.ID()] == nil {
				continue
			}
			if w.n%2 == 0 && w.l.o.Reads {
				_ = conv.ReadAll(stay) // what fails is tried again by the SDK
			}
			w.send(stay, conv)
		}
		if pause(stay, between(20*time.Millisecond, 300*time.Millisecond)) != nil {
			return
		}
	}
}

// send writes one message, and waits for its outcome as long as the device
// stays online. Closed in between, the SDK sends it again the next time.
func (w *watcher) send(ctx context.Context, conv *skein.Conversation) {
	if conv.Left() {
		return
	}
	w.sent++
	text := fmt.Sprintf("%s %d by the SDK of %s", mark(w.l.o.App.ID), w.sent, w.user)
	began := w.l.H.Now()
	m, err := conv.Enqueue(ctx, skein.Outgoing{Text: text})
	if err != nil {
		return
	}
	no := w.convs[conv.ID()].no
	op := w.hc.InvokeAt(began, no, history.Message, idOf(m.ID), history.Hash(text))
	// The SDK keeps to itself when an attempt was answered by an error, after
	// which a later message may overtake this one: its order is not judged.
	w.hc.Refuse(op)
	w.mu.Lock()
	w.ops[idOf(m.ID)] = op
	known, ok := w.early[idOf(m.ID)]
	delete(w.early, idOf(m.ID))
	w.mu.Unlock()
	if ok {
		w.outcome(known)
	}
}

// outcome notes what became of a send.
func (w *watcher) outcome(m skein.Message) {
	if m.State == skein.Sending {
		return
	}
	w.mu.Lock()
	op, ok := w.ops[idOf(m.ID)]
	if !ok {
		w.early[idOf(m.ID)] = m
	}
	w.mu.Unlock()
	switch {
	case !ok:
	case m.State == skein.Failed:
		w.hc.Fail(op)
	case m.Seq > 0:
		w.l.note(w.hc.Ack(op, uint32(m.Seq), uint32(m.Ord)))
		w.l.reached(w.convs[m.Conversation].no, uint32(m.Seq))
	}
}

// drain comes back once more, when no new messages are made, and returns when
// nothing is left to be sent.
func (w *watcher) drain(ctx context.Context) (err error) {
	if w.last, err = w.client(); err != nil {
		return err
	}
	if err := w.last.Connect(ctx); err != nil {
		return fmt.Errorf("the SDK of %s in the end: %w", w.user, err)
	}
	if !until(ctx, 20*time.Second, func() bool { return w.empty(ctx) }) {
		return fmt.Errorf("the SDK of %s has messages in its outbox 20 s after all was quiet", w.user)
	}
	return nil
}

// settle reads all that the device has, once nobody writes any more.
func (w *watcher) settle(ctx context.Context) error {
	c := w.last
	defer c.Close()
	// What it has is what is stored: its whole history, read as an app does.
	all := w.l.H.Client(w.user, "sdk-history")
	all.Fresh = true
	for _, conv := range c.Conversations() {
		at := w.convs[conv.ID()]
		if at == nil || conv.Left() {
			continue
		}
		var list []skein.Message
		for page, err := range conv.History(ctx, skein.HistoryOptions{}) {
			if err != nil {
				return fmt.Errorf("the SDK of %s reads %s: %w", w.user, conv.ID(), err)
			}
			list = append(list, page...)
		}
		for _, m := range sorted(list) {
			kind, hash := messageOf(m)
			all.Deliver(at.no, uint32(m.Seq), kind, m.Sender, idOf(m.ID), hash)
		}
	}
	return w.agrees(ctx, c, all)
}

// empty tells whether the SDK has nothing left to send.
func (w *watcher) empty(ctx context.Context) bool {
	saved, err := w.store.Load(ctx)
	return err == nil && len(saved.Outbox) == 0
}

// sorted orders messages by position.
func sorted(list []skein.Message) []skein.Message {
	slices.SortFunc(list, func(a, b skein.Message) int { return cmp.Compare(a.Seq, b.Seq) })
	return list
}

// agrees compares what the SDK shows of its conversations with what the
// server says, and notes the first as the device's inbox.
func (w *watcher) agrees(ctx context.Context, c *skein.Client, hc *history.Client) error {
	want, err := w.l.inbox(ctx, w.user, "sdk")
	if err != nil {
		return err
	}
	var got []history.Head
	same := until(ctx, 10*time.Second, func() bool {
		got = got[:0]
		for _, conv := range c.Conversations() {
			at := w.convs[conv.ID()]
			if at == nil || conv.Left() {
				continue
			}
			h, r := conv.Head(), conv.ReadPosition()
			got = append(got, history.Head{Conv: at.no, HeadSeq: uint32(h.Seq), HeadOrd: uint32(h.Ord), ReadSeq: uint32(r.Seq), ReadOrd: uint32(r.Ord)})
		}
		order(got)
		if slices.Equal(got, want) {
			return true
		}
		want, err = w.l.inbox(ctx, w.user, "sdk") // a marker of the SDK's may still have been under way
		return err != nil
	})
	hc.Final(got)
	if err != nil || same {
		return err
	}
	return fmt.Errorf("the SDK of %s shows %v, and the server says %v", w.user, got, want)
}

func order(hs []history.Head) {
	slices.SortFunc(hs, func(a, b history.Head) int { return cmp.Compare(a.Conv, b.Conv) })
}
