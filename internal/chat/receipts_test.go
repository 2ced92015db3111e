package chat_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// acknowledging is a front door that knows what devices have acknowledged.
func (w *world) acknowledging(acks map[im.UserID][][]byte) *chat.Service {
	b := bus.NewLocal()
	w.t.Cleanup(b.Close)
	return chat.New(chat.Deps{Journal: w.j, Signals: b, Limits: chat.DefaultLimits(), Clock: w.clock, Log: slog.New(slog.DiscardHandler),
		CursorKey: []byte("0123456789abcdef"), Cursors: func(_ context.Context, _ im.AppID, users []im.UserID) (map[im.UserID][][]byte, error) {
			return acks, nil
		}})
}

func receipts(c *chat.Service, a im.Actor, conv im.ConvID, seq im.Seq, state skeinv1.ReceiptState) (string, error) {
	var out []string
	for page := ""; ; {
		r, err := c.Receipts(context.Background(), a, &skeinv1.ListReceiptsRequest{Conversation: string(conv), Seq: uint64(seq), State: state, Limit: 2, Page: page})
		if err != nil {
			return "", err
		}
		for _, x := range r.GetReceipts() {
			out = append(out, x.GetUser()+"="+strings.ToLower(strings.TrimPrefix(x.GetState().String(), "RECEIPT_STATE_")))
		}
		if page = r.GetNextPage(); page == "" {
			return strings.Join(out, " "), nil
		}
	}
}

func TestReceiptsTellWhoHasAMessageAndWhoHasReadIt(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	carol, dan := user("carol"), user("dan")
	acks := map[im.UserID][][]byte{}
	c := w.acknowledging(acks)
	w.group("g1", alice, bob, carol, dan)
	first := w.send(alice, "g1", "first")
	sync, err := w.c.Sync(ctx, bob, chat.SyncRequest{})
	if err != nil {
		t.Fatal(err)
	}
	acks["bob"] = [][]byte{[]byte("forged"), sync.Page.Cursor}
	acks["dan"] = [][]byte{sync.Page.Cursor} // another user's
	second := w.send(alice, "g1", "second")
	if _, err := w.c.Read(ctx, carol, "g1", first.Seq); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		seq   im.Seq
		state skeinv1.ReceiptState
		want  string
	}{
		{first.Seq, 0, "bob=delivered carol=read dan=none"},
		{second.Seq, 0, "bob=none carol=none dan=none"},
		{first.Seq, skeinv1.ReceiptState_RECEIPT_STATE_READ, "carol=read"},
		{first.Seq, skeinv1.ReceiptState_RECEIPT_STATE_NONE, "dan=none"},
	} {
		if got, err := receipts(c, bob, "g1", tc.seq, tc.state); err != nil || got != tc.want {
			t.Errorf("%d %v: %q %v, want %q", tc.seq, tc.state, got, err, tc.want)
		}
	}
	d := w.send(alice, ab, "hello")
	if got, err := receipts(c, alice, ab, d.Seq, 0); err != nil || got != "bob=none" {
		t.Errorf("between two: %q %v", got, err)
	}
	if _, err := w.c.Read(ctx, bob, ab, d.Seq); err != nil {
		t.Fatal(err)
	}
	if got, err := receipts(c, alice, ab, d.Seq, 0); err != nil || got != "bob=read" {
		t.Errorf("between two: %q %v", got, err)
	}
}

func TestReceiptsAreForThoseWhoReadTheMessage(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	carol := user("carol")
	w.group("g1", alice, bob)
	early := w.send(alice, "g1", "early")
	w.change(w.c, alice, "g1", journal.MemberChange{User: "carol", Role: im.RoleMember})
	r, err := w.c.Send(ctx, alice, chat.SendRequest{Conv: "g1", ClientID: w.id(), Body: text("for bob"), ToUsers: []im.UserID{"bob"}})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := receipts(w.c, alice, "g1", early.Seq, 0); err != nil || got != "bob=none" {
		t.Errorf("who came later is in it: %q %v", got, err)
	}
	if got, err := receipts(w.c, alice, "g1", r.Entry.Seq, 0); err != nil || got != "bob=none" {
		t.Errorf("for bob: %q %v", got, err)
	}
	for name, tc := range map[string]struct {
		actor im.Actor
		conv  im.ConvID
		seq   im.Seq
	}{
		"a stranger": {eve, "g1", early.Seq}, "no group": {alice, "g2", 1}, "past the head": {alice, "g1", 99}, "seq 0": {alice, "g1", 0},
		"what is no message": {alice, "g1", 1}, "from before one's time": {carol, "g1", early.Seq}, "for somebody else": {carol, "g1", r.Entry.Seq},
	} {
		_, err := receipts(w.c, tc.actor, tc.conv, tc.seq, 0)
		w.want(im.NotFound, err, name)
	}
	w.change(w.c, alice, "g1", journal.MemberChange{User: "bob", Role: im.RoleNone})
	_, err = receipts(w.c, bob, "g1", early.Seq, 0)
	w.want(im.NotFound, err, "who has left")
	_, err = w.c.Receipts(ctx, alice, &skeinv1.ListReceiptsRequest{Conversation: "g1", Seq: uint64(early.Seq), Limit: 1 << 30})
	w.want(im.InvalidArgument, err, "a page of a billion")
}

func TestReceiptsOfALargeGroupComeInPages(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	create := journal.Create{Kind: im.ConvGroup}
	for i := range 900 {
		role := im.RoleMember
		if i == 0 {
			role = im.RoleOwner
		}
		create.Members = append(create.Members, journal.NewMember{User: im.UserID(fmt.Sprintf("u%04d", i)), Role: role})
	}
	first := user("u0000")
	if _, err := w.c.Create(ctx, first, "big", w.id(), create, &skeinv1.Content{Kind: &skeinv1.Content_Members{Members: &skeinv1.MembersChange{}}}); err != nil {
		t.Fatal(err)
	}
	m := w.send(first, "big", "hello")
	if _, err := w.c.Read(ctx, user("u0777"), "big", m.Seq); err != nil {
		t.Fatal(err)
	}
	if got, err := receipts(w.c, first, "big", m.Seq, skeinv1.ReceiptState_RECEIPT_STATE_READ); err != nil || got != "u0777=read" {
		t.Errorf("%q %v", got, err)
	}
	got, err := receipts(w.c, first, "big", m.Seq, 0)
	if n := len(strings.Fields(got)); err != nil || n != 899 {
		t.Errorf("%d of 899, %v", n, err)
	}
}
