package chat_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

func (w *world) hideReads(c *chat.Service, a im.Actor, hide bool) {
	w.t.Helper()
	if err := c.HideReads(context.Background(), a, w.id(), hide); err != nil {
		w.t.Fatal(err)
	}
}

// seen are the read markers of somebody that an actor is shown, by every way there is.
func (w *world) seen(c *chat.Service, a im.Actor, conv im.ConvID, of im.UserID) map[string]uint64 {
	w.t.Helper()
	ctx, out := context.Background(), map[string]uint64{}
	must := func(err error) {
		if err != nil {
			w.t.Fatal(err)
		}
	}
	take := func(way string, c *skeinv1.Conversation) {
		for _, m := range c.GetReadMarkers() {
			if c.GetId() == string(conv) && m.GetUser() == string(of) {
				out[way] = m.GetReadSeq()
			}
		}
		if m := c.GetMembership(); c.GetId() == string(conv) && a.User == of {
			out[way] = m.GetReadSeq()
		}
	}
	open, err := c.Open(ctx, a, conv)
	must(err)
	take("open", open)
	list, err := c.List(ctx, a, 0, "")
	must(err)
	for _, x := range list.GetConversations() {
		take("list", x)
	}
	sync, err := c.Sync(ctx, a, chat.SyncRequest{})
	must(err)
	for _, d := range sync.Page.GetConversations() {
		take("sync", d.GetConversation())
	}
	members, err := c.Members(ctx, a, conv, chat.MembersRequest{})
	must(err)
	found, err := c.Members(ctx, a, conv, chat.MembersRequest{Query: string(of)})
	must(err)
	for way, list := range map[string]*skeinv1.ListMembersResponse{"members": members, "member search": found} {
		for _, m := range list.GetMembers() {
			if m.GetUser() == string(of) && m.GetReadSeq() > 0 {
				out[way] = m.GetReadSeq()
			}
		}
	}
	return out
}

func TestWhoHidesHowFarTheyHaveReadIsShownToNobodyButThemselvesAndTheBackEnd(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	var signals heard
	c := chat.New(chat.Deps{Journal: w.j, Signals: &signals, Limits: chat.DefaultLimits(), Clock: w.clock, Log: slog.New(slog.DiscardHandler),
		CursorKey: []byte("0123456789abcdef")})
	carol := user("carol")
	w.group("g1", alice, bob, carol)
	m := w.send(alice, "g1", "hello")
	w.hideReads(c, bob, true)
	w.hideReads(c, bob, true) // once more changes nothing
	for _, who := range []im.Actor{bob, carol} {
		if _, err := c.Read(ctx, who, "g1", m.Seq); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.seen(c, alice, "g1", "bob"); len(got) != 0 {
		t.Errorf("bob's marker is shown by %v", got)
	}
	if got := w.seen(c, alice, "g1", "carol"); len(got) != 5 {
		t.Errorf("carol's marker is shown by %v alone", got)
	}
	if got := w.seen(c, bob, "g1", "bob"); len(got) != 5 || got["sync"] != uint64(m.Seq) {
		t.Errorf("bob himself sees %v", got)
	}
	if got := w.seen(c, bob, "g1", "carol"); len(got) != 5 {
		t.Errorf("in a group bob sees carol by %v alone", got)
	}
	if got, err := receipts(c, alice, "g1", m.Seq, 0); err != nil || got != "bob=none carol=read" {
		t.Errorf("%q %v", got, err)
	}
	if got, err := receipts(c, alice, "g1", m.Seq, skeinv1.ReceiptState_RECEIPT_STATE_NONE); err != nil || got != "bob=none" {
		t.Errorf("%q %v", got, err)
	}
	if got, err := receipts(c, im.Actor{App: "demo", Server: true}, "g1", m.Seq, 0); err != nil || got != "bob=read carol=read" {
		t.Errorf("the back end sees %q %v", got, err)
	}
	var own []bool
	for _, s := range signals.signals {
		if r, ok := s.(bus.ReadMoved); ok {
			own = append(own, r.Own)
		}
	}
	if len(own) != 2 || !own[0] || own[1] {
		t.Errorf("told to own devices alone: %v", own)
	}
	w.hideReads(c, bob, false)
	if got := w.seen(c, alice, "g1", "bob"); len(got) != 5 {
		t.Errorf("taken back, bob's marker is shown by %v alone", got)
	}
}

func TestWhoHidesHowFarTheyHaveReadSeesNobodysInDirectConversations(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	var signals heard
	c := chat.New(chat.Deps{Journal: w.j, Signals: &signals, Limits: chat.DefaultLimits(), Clock: w.clock, Log: slog.New(slog.DiscardHandler),
		CursorKey: []byte("0123456789abcdef")})
	m := w.send(bob, ab, "hello")
	w.hideReads(c, bob, true)
	if _, err := c.Read(ctx, alice, ab, m.Seq); err != nil {
		t.Fatal(err)
	}
	if got := w.seen(c, bob, ab, "alice"); len(got) != 0 {
		t.Errorf("alice's marker is shown by %v", got)
	}
	if got, err := receipts(c, bob, ab, m.Seq, 0); err != nil || got != "alice=none" {
		t.Errorf("%q %v", got, err)
	}
	if r, ok := signals.signals[len(signals.signals)-1].(bus.ReadMoved); !ok || !r.Own {
		t.Errorf("told %+v", signals.signals)
	}
	if got := w.seen(c, alice, ab, "bob"); len(got) != 0 {
		t.Errorf("bob's marker, which his message has moved, is shown by %v", got)
	}
}

func TestNobodyWritesTheKeyOfTheSettingThemselves(t *testing.T) {
	w := newWorld(t)
	_, err := w.c.Send(context.Background(), bob, chat.SendRequest{Conv: im.Self("bob"), ClientID: w.id(), Key: "privacy/reads", Body: text("x")})
	w.want(im.InvalidArgument, err, "the key is the server's")
	if hides, err := w.c.HidesReads(context.Background(), "demo", "bob"); err != nil || hides {
		t.Fatal(hides, err)
	}
}
