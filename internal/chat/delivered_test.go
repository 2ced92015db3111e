package chat_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// told notes the signals that are sent.
type told struct{ said []string }

func (s *told) Signal(sig bus.Signal) {
	if d, ok := sig.(bus.Delivered); ok {
		s.said = append(s.said, fmt.Sprint(d.Conv, " ", d.User, " ", d.Seq))
	}
}

func TestTheOtherUserIsToldWhatADeviceHasStored(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	acks, heard := map[im.UserID][][]byte{}, &told{}
	c := chat.New(chat.Deps{Journal: w.j, Signals: heard, Limits: chat.DefaultLimits(), Clock: w.clock, Log: slog.New(slog.DiscardHandler),
		CursorKey: []byte("0123456789abcdef"), Cursors: func(context.Context, im.AppID, []im.UserID) (map[im.UserID][][]byte, error) { return acks, nil }})
	cursor := func() []byte {
		p, err := w.c.Sync(ctx, bob, chat.SyncRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return p.Page.Cursor
	}
	tell := func(what string, raw []byte, given []chat.Given, synced bool, rest int, want ...string) {
		t.Helper()
		heard.said = nil
		left, err := c.Delivered(ctx, bob, raw, given, synced)
		if err != nil || len(left) != rest || !slices.Equal(heard.said, want) {
			t.Errorf("%s: %q, %d left, %v; want %q, %d left", what, heard.said, len(left), err, want, rest)
		}
	}
	empty := cursor()
	w.group("g1", alice, bob)
	w.send(alice, "g1", "to all")
	w.send(alice, ab, "one")
	first := cursor()
	line := func(seq im.Seq) string { return fmt.Sprint(ab, " bob ", seq) }
	tell("a first sync", first, nil, true, 0, line(1))
	acks["bob"] = [][]byte{empty, first}
	tell("another device, with what the first one had", first, nil, true, 0)
	e := w.send(alice, ab, "two")
	given := []chat.Given{{Conv: ab, Shard: e.Shard, Pos: e.Pos, Seq: e.Seq}}
	tell("a cursor from before", first, given, false, 1)
	tell("a cursor behind it", cursor(), given, false, 0, line(2))
	tell("a sync with what has come", cursor(), nil, true, 0, line(2))
	tell("a sync of what has come as well", cursor(), given, true, 0, line(2))
	if _, err := c.Delivered(ctx, alice, first, given, true); im.CodeOf(err) != im.CursorInvalid {
		t.Errorf("another user's cursor: %v", err)
	}
	block(w, bob, "alice")
	tell("whom one has blocked", cursor(), given, false, 0)
	tell("whom one has blocked, by sync", cursor(), nil, true, 0)
	acks["bob"] = [][]byte{cursor()}
	if got, err := receipts(c, alice, ab, e.Seq, 0); err != nil || got != "bob=none" {
		t.Errorf("who is blocked asks: %q %v", got, err)
	}
}

// block makes an actor block a user.
func block(w *world, a im.Actor, u im.UserID) {
	w.t.Helper()
	_, err := w.c.Relate(context.Background(), a, u, w.id(), func(conv im.ConvID, _ chat.Relation) (chat.RelationChange, error) {
		return chat.RelationChange{Change: &skeinv1.ContactChange{}, Set: chat.Blocks(conv, a.User), Own: true}, nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}
