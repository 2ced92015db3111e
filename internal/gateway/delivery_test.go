package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/bus/bustest"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// overBus makes the gateway listen to a bus with faults.
func overBus(f bustest.Faults) option {
	return func(s *setup) { s.bus = func(b bus.Bus) bus.Bus { return bustest.Lossy(b, f) } }
}

// watcher is a client that writes down what it hears, and fails on the first
// entry that is not the next one of its conversation.
type watcher struct {
	*client
	user    string
	last    map[im.ConvID]im.Seq
	heard   map[im.ConvID][]im.Seq
	acked   map[im.ConvID][]im.Seq
	strict  bool // else it sends itself, and its acks may pass the entries before them
	cursors []atCursor
}

// atCursor is what a session had been sent when a cursor came.
type atCursor struct {
	cursor []byte
	last   map[im.ConvID]im.Seq
}

func (w *world) watch(user, device string, strict bool) *watcher {
	w.t.Helper()
	c, welcome := w.connect(user, device)
	x := &watcher{client: c, user: user, strict: strict, last: map[im.ConvID]im.Seq{}, heard: map[im.ConvID][]im.Seq{}, acked: map[im.ConvID][]im.Seq{}}
	for _, d := range welcome.Sync.Conversations {
		x.last[im.ConvID(d.Conversation.Id)] = im.Seq(d.Conversation.HeadSeq)
	}
	c.seen = x.packet
	return x
}

func (x *watcher) packet(p *skeinv1.ServerPacket) {
	for _, f := range p.Frames {
		switch {
		case f.GetEntry() != nil:
			e := f.GetEntry()
			x.position(im.ConvID(e.Conversation), im.Seq(e.Seq), slices.Contains(e.GetBody().GetContent().GetMembers().GetAdded(), x.user))
		case f.GetWithheld() != nil:
			for seq := f.GetWithheld().FromSeq; seq <= f.GetWithheld().ToSeq; seq++ {
				x.position(im.ConvID(f.GetWithheld().Conversation), im.Seq(seq), false)
			}
		case f.GetAck() != nil:
			conv := im.ConvID(f.GetAck().Conversation)
			x.acked[conv] = append(x.acked[conv], im.Seq(f.GetAck().Seq))
		}
	}
	if len(p.Cursor) > 0 {
		at := atCursor{cursor: bytes.Clone(p.Cursor), last: map[im.ConvID]im.Seq{}}
		for conv, seq := range x.last {
			at.last[conv] = seq
		}
		x.cursors = append(x.cursors, at)
	}
}

func (x *watcher) position(conv im.ConvID, seq im.Seq, joins bool) {
	if last, known := x.last[conv]; x.strict && known && !joins && seq != last+1 || seq <= x.last[conv] {
		x.t.Errorf("%s hears seq %d of %s after %d", x.name, seq, conv, last)
	}
	x.last[conv] = seq
	x.heard[conv] = append(x.heard[conv], seq)
}

// until reads until the session was sent a position.
func (x *watcher) until(conv im.ConvID, seq im.Seq) {
	x.t.Helper()
	for !slices.Contains(x.heard[conv], seq) && !slices.Contains(x.acked[conv], seq) {
		if !x.read() {
			x.t.Fatalf("%s waits for seq %d of %s and is closed with %d", x.name, seq, conv, x.closed)
		}
	}
	x.waiting = nil
}

// positions is what a user may be sent of a conversation behind a position.
func (w *world) positions(user string, conv im.ConvID, after im.Seq) (out []im.Seq) {
	w.t.Helper()
	err := w.j.View(context.Background(), func(v journal.View) error {
		c, err := v.Conv("demo", conv)
		if err != nil {
			return err
		}
		ms, err := v.Intervals("demo", conv, im.UserID(user))
		for _, m := range ms {
			end := m.To
			if end == 0 {
				end = c.HeadSeq + 1
			}
			for seq := max(m.From, after+1); seq < end; seq++ {
				out = append(out, seq)
			}
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func TestEverySessionHearsEachEntryOnceAndInOrderWhateverTheBusLoses(t *testing.T) {
	for name, c := range map[string]struct {
		bustest.Faults
		members int
	}{
		"a good bus":             {},
		"a bad bus":              {bustest.Faults{Seed: 1, Drop: 0.4, Repeat: 0.3, Swap: 0.5}, 4},
		"everything twice":       {bustest.Faults{Seed: 2, Repeat: 1}, 4},
		"everything displaced":   {bustest.Faults{Seed: 3, Swap: 1}, 4},
		"nothing arrives":        {bustest.Faults{Seed: 4, Drop: 1}, 4},
		"a large group":          {bustest.Faults{}, localsFrom + 50},
		"a large group, unheard": {bustest.Faults{Seed: 4, Drop: 1}, localsFrom + 50},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, overBus(c.Faults))
			g1, ab := im.ConvID("g1"), im.Direct("ann", "bob")
			w.group(g1, crowd(c.members, "ann", "bob", "cid", "dan")...)
			w.say("ann", ab, "start")
			phone, tablet, cid, dan := w.watch("bob", "phone", true), w.watch("bob", "tablet", true), w.watch("cid", "phone", true), w.watch("dan", "phone", true)
			ann := w.watch("ann", "phone", false)
			const n = 240
			sent := 0
			for i := range n {
				switch {
				case i%60 == 40:
					w.member("ann", g1, "dan", im.RoleNone)
				case i%60 == 50 && i < n-60:
					w.member("ann", g1, "dan", im.RoleMember)
				case i%3 == 0:
					for sent-len(ann.acked[g1])-len(ann.acked[ab]) > 40 { // at most 64 may wait for their answers
						ann.read()
					}
					ann.send(ann.text(g1, fmt.Sprint(i)), ann.text(ab, fmt.Sprint(i)))
					sent += 2
				case i%3 == 1:
					w.say("cid", g1, fmt.Sprint(i))
				default:
					w.say("bob", ab, fmt.Sprint(i))
				}
				if i%20 == 0 {
					w.g.tick() // a cursor in the middle of everything
				}
			}
			for len(ann.acked[g1])+len(ann.acked[ab]) < sent {
				ann.read()
			}
			ends := map[im.ConvID]im.Seq{g1: w.say("cid", g1, "end").Seq, ab: w.say("bob", ab, "end").Seq}
			for _, x := range []*watcher{phone, tablet, ann} {
				x.until(ab, ends[ab])
			}
			for _, x := range []*watcher{phone, tablet, cid, ann} {
				x.until(g1, ends[g1])
			}
			mine := w.positions("dan", g1, 1)
			dan.until(g1, mine[len(mine)-1])
			w.g.tick() // and one in the end
			for _, x := range []*watcher{phone, tablet, cid, dan, ann} {
				x.ask(&skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_Ping{Ping: &skeinv1.Ping{}}})
				for conv := range ends {
					x.hasAll(w, conv)
				}
				x.canResume(w)
			}
		})
	}
}

// hasAll checks that a session has every position of its user once.
func (x *watcher) hasAll(w *world, conv im.ConvID) {
	x.t.Helper()
	if conv.Kind() == im.ConvDirect && conv.Peer(im.UserID(x.user)) == "" {
		if len(x.heard[conv]) > 0 {
			x.t.Errorf("%s hears of %s", x.name, conv)
		}
		return
	}
	got := slices.Concat(x.heard[conv], x.acked[conv])
	slices.Sort(got)
	if !x.strict { // an entry that no hint brought does not say who sent it
		got = slices.Compact(got)
	}
	if want := w.positions(x.user, conv, 1); !slices.Equal(got, want) {
		i := 0
		for i < min(len(got), len(want)) && got[i] == want[i] {
			i++
		}
		x.t.Errorf("%s of %s has, after %d that are right, %v, want %v", x.name, conv, i, got[i:min(i+10, len(got))], want[i:min(i+10, len(want))])
	}
}

// canResume checks of every cursor that a device which comes back with it is
// told of all that its session had not been sent when the cursor came.
func (x *watcher) canResume(w *world) {
	x.t.Helper()
	if len(x.cursors) == 0 && x.strict {
		x.t.Errorf("%s was sent no cursor", x.name)
	}
	for _, at := range x.cursors {
		res, err := w.c.Sync(context.Background(), im.Actor{App: "demo", User: im.UserID(x.user), Device: "later"}, chat.SyncRequest{Cursor: at.cursor, Entries: 200})
		if err != nil || res.More {
			x.t.Fatal(res.More, err)
		}
		told := map[im.ConvID]im.Seq{} // the lowest position
		for _, d := range res.Page.Conversations {
			if len(d.Entries) > 0 && !d.Gap {
				told[im.ConvID(d.Conversation.Id)] = im.Seq(d.Entries[0].Seq)
			}
		}
		for conv, last := range at.last {
			if !x.strict {
				continue // what it was acknowledged counts too, and is not in last
			}
			rest := w.positions(x.user, conv, last)
			if len(rest) == 0 {
				continue
			}
			// Of who came and went, a sync tells the newest membership.
			want := rest[0]
			for i := range rest[1:] {
				if rest[i+1] != rest[i]+1 {
					want = rest[i+1]
				}
			}
			if first, ok := told[conv]; !ok || first > want {
				x.t.Errorf("%s resumes %s behind %d and is told from %d on, not from %d", x.name, conv, last, first, want)
			}
		}
	}
}

func TestNewsBetweenThePagesOfASyncComeOnceAndInOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const n = 30
	conv := func(i int) im.ConvID { return im.Direct("bob", im.UserID(fmt.Sprint("u", i))) }
	say := func(i int) { w.say(fmt.Sprint("u", i), conv(i), "hi") }
	for i := range n {
		for range i%3 + 1 {
			say(i)
		}
	}
	c, welcome := connectTo(t, w.url, "bob", "phone", &skeinv1.SyncRequest{Conversations: 7})
	have := map[string]uint64{}
	page := func(p *skeinv1.SyncResponse) {
		for _, d := range p.Conversations {
			id := d.Conversation.Id
			for _, e := range d.Entries {
				if e.Seq > have[id]+1 {
					t.Errorf("a page has seq %d of %s after %d", e.Seq, id, have[id])
				}
				have[id] = max(have[id], e.Seq)
			}
		}
	}
	p := welcome.Sync
	for k := 0; ; k++ {
		page(p)
		if !p.More {
			break
		}
		if k > 40 {
			t.Fatal("the sync does not end")
		}
		if k < 8 {
			say(k)         // among those told first or last
			say(n - 1 - k) // and at the other end
		}
		if len(c.waiting) > 0 {
			t.Fatalf("news between two pages: %v", c.waiting)
		}
		p = c.ask(&skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_Sync{Sync: &skeinv1.SyncRequest{Cursor: p.Cursor, Conversations: 7}}}).GetSync()
	}
	for i := range n {
		say(i)
	}
	for i := range n {
		id := string(conv(i))
		for head := w.positions("bob", conv(i), 0); have[id] < uint64(len(head)); {
			e := c.entry(conv(i))
			if e.Seq != have[id]+1 {
				t.Fatalf("news: seq %d of %s after %d", e.Seq, id, have[id])
			}
			have[id] = e.Seq
		}
	}
}

func TestTheSendersOtherDevicesHearAndTheSenderIsAcknowledged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ab := im.Direct("ann", "bob")
	phone, _ := w.connect("ann", "phone")
	tablet, _ := w.connect("ann", "tablet")
	bob, _ := w.connect("bob", "phone")
	ack := phone.says(ab, "hello")
	for _, c := range []*client{tablet, bob} {
		if e := c.hears(ab, "hello"); e.Seq != ack.Seq || e.Sender != "ann" {
			t.Errorf("%s: %v", c.name, e)
		}
	}
	w.say("bob", ab, "answer")
	if e := phone.hears(ab, "answer"); e.Seq != 2 {
		t.Errorf("the sender hears %v", e)
	}
	if len(phone.waiting) > 0 {
		t.Errorf("the sender also got %v", phone.waiting)
	}
}

// All of it goes through another node, so that the one with the session has
// only the log to learn from.
func TestWhoIsRemovedIsToldSoAndHearsNothingAfter(t *testing.T) {
	for _, members := range []int{3, localsFrom + 50} {
		t.Run(fmt.Sprint(members), func(t *testing.T) { t.Parallel(); removed(t, members) })
	}
}

func removed(t *testing.T, members int) {
	w := newWorld(t)
	ab := im.Direct("ann", "bob")
	w.group("g1", crowd(members, "ann", "bob", "cid")...)
	bob, _ := w.connect("bob", "phone")
	cid, _ := w.connect("cid", "phone")
	w.say("ann", "g1", "open")
	bob.hears("g1", "open") // the members are remembered here
	w.c, _, _ = w.node("n2")
	out := w.member("ann", "g1", "bob", im.RoleNone)
	for range 20 {
		w.say("ann", "g1", "closed")
	}
	for _, err := range []error{w.c.Typing(t.Context(), actor("ann"), "g1", false), func() error { _, err := w.c.Read(t.Context(), actor("cid"), "g1", 5); return err }()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	w.say("ann", ab, "sorry") // behind all of that
	if e := bob.entry("g1"); e.Seq != uint64(out.Seq) {
		t.Errorf("bob is told %v", e)
	}
	bob.hears(ab, "sorry")
	if len(bob.waiting) > 0 {
		t.Errorf("bob also got %v", bob.waiting)
	}
	cid.hears("g1", "open")
	cid.entry("g1")
	cid.hears("g1", "closed")
}

func TestWhoIsAddedLearnsOfTheGroupBeforeItsFirstEntry(t *testing.T) {
	for _, members := range []int{1, localsFrom + 50} {
		t.Run(fmt.Sprint(members), func(t *testing.T) { t.Parallel(); isAdded(t, members) })
	}
}

func isAdded(t *testing.T, members int) {
	w := newWorld(t)
	w.group("g1", crowd(members, "ann")...)
	w.say("ann", "g1", "old")
	bob, _ := w.connect("bob", "phone")
	in := w.member("ann", "g1", "bob", im.RoleMember)
	w.say("ann", "g1", "new")
	f := bob.await("anything", func(*skeinv1.ServerFrame) bool { return true })
	if c := f.GetConversation(); c.GetId() != "g1" || c.GetMembership().GetFromSeq() != uint64(in.Seq) {
		t.Errorf("first came %v", f)
	}
	if e := bob.entry("g1"); e.Seq != uint64(in.Seq) {
		t.Errorf("then came %v", e)
	}
	bob.hears("g1", "new")
}

func TestASessionOfAnotherNodeIsNotTakenForTheSender(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, _, url := w.node("n2")
	ab := im.Direct("ann", "bob")
	// Both nodes count their sessions: the n-th of each.
	for i := range 5 {
		ann, _ := w.connect("ann", fmt.Sprint("phone", i))
		bob, _ := connectTo(t, url, "bob", fmt.Sprint("phone", i), nil)
		ann.says(ab, fmt.Sprint("hello ", i))
		bob.hears(ab, fmt.Sprint("hello ", i))
	}
}

// unsteady is a journal whose reads fail, or wait, when a test wants them to.
type unsteady struct {
	journal.Journal
	gate  sync.RWMutex // held by a test that lets nobody read
	mu    sync.Mutex   // guards fails
	fails int          // of the next reads
}

func (u *unsteady) View(ctx context.Context, fn func(journal.View) error) error {
	u.gate.RLock()
	defer u.gate.RUnlock()
	u.mu.Lock()
	fail := u.fails > 0
	if fail {
		u.fails--
	}
	u.mu.Unlock()
	if fail {
		return errors.New("the disk is away for a moment")
	}
	return u.Journal.View(ctx, fn)
}

func newUnsteady(t *testing.T, more ...option) (*world, *unsteady, *chat.Service) {
	t.Helper()
	u := &unsteady{}
	w := newWorld(t, append(more, func(s *setup) {
		s.journal = func(j journal.Journal) journal.Journal { u.Journal = j; return u }
	})...)
	steady := chat.New(chat.Deps{Journal: w.j, Signals: w.bus, Limits: chat.DefaultLimits(), Clock: im.SystemClock{}, CursorKey: []byte("0123456789abcdef")})
	return w, u, steady
}

func TestAnEntryWhoseReadersCannotBeFoundIsNotSkipped(t *testing.T) {
	t.Parallel()
	w, u, steady := newUnsteady(t)
	w.group("g1", "ann", "bob")
	bob := w.watch("bob", "phone", true)
	w.c.Forget()
	u.mu.Lock()
	u.fails = 2
	u.mu.Unlock()
	for _, s := range []string{"one", "two"} {
		if _, err := steady.Send(context.Background(), actor("ann"), chat.SendRequest{Conv: "g1", ClientID: newID(t), Body: textBytes(t, s)}); err != nil {
			t.Fatal(err)
		}
	}
	bob.until("g1", 3)
	bob.hasAll(w, "g1")
	w.g.tick()
	for len(bob.cursors) == 0 {
		bob.read()
	}
	bob.canResume(w)
}

func TestADamagedEntryHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	w, u, steady := newUnsteady(t, overBus(bustest.Faults{Drop: 1}))
	bob, _ := w.connect("bob", "phone")
	ab, cb := im.Direct("ann", "bob"), im.Direct("bob", "cid")
	send := func(from string, conv im.ConvID, s string) im.Entry {
		r, err := steady.Send(context.Background(), actor(from), chat.SendRequest{Conv: conv, ClientID: newID(t), Body: textBytes(t, s)})
		if err != nil {
			t.Fatal(err)
		}
		return r.Entry
	}
	u.gate.Lock()
	send("ann", ab, "before")
	hurt := send("ann", ab, "to be damaged")
	err := w.d.Write(context.Background(), func(tx db.Tx) error {
		_, err := tx.Exec("UPDATE entry SET body = $1 WHERE pos = $2", []byte("flipped"), hurt.Pos)
		return err
	})
	send("ann", ab, "after")
	send("cid", cb, "from cid")
	u.gate.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	bob.hears(ab, "before")
	bob.hears(cb, "from cid")
	bob.hears(ab, "after")
}
