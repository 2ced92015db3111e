package chat_test

import (
	"context"
	"testing"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

func TestWhoJoinsWhileADeviceIsAwayGetsTheGroupsStateFromBefore(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	w.group("g1", alice, bob)
	m := w.send(alice, "g1", "to be pinned").Seq
	if _, err := w.c.Pin(ctx, alice, "g1", m, false, w.id()); err != nil {
		t.Fatal(err)
	}
	w.send(eve, im.Direct("eve", "bob"), "so that eve has a cursor")
	first, err := w.c.Sync(ctx, eve, chat.SyncRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.c.Change(ctx, alice, "g1", w.id(), func(r *chat.Room) (chat.Change, error) {
		return chat.Change{Verb: chat.VerbMembers, Members: []journal.MemberChange{r.Joining("eve")},
			Content: &skeinv1.Content{Kind: &skeinv1.Content_Members{Members: &skeinv1.MembersChange{Added: []string{"eve"}}}}}, nil
	}); err != nil {
		t.Fatal(err)
	}
	keys := func(cursor []byte) (n int, next []byte) {
		s, err := w.c.Sync(ctx, eve, chat.SyncRequest{Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range s.Page.Conversations {
			if d.Conversation.Id == "g1" {
				n += len(d.Keyed)
			}
		}
		return n, s.Page.Cursor
	}
	n, next := keys(first.Page.Cursor)
	if n != 1 {
		t.Errorf("%d keys came with the group", n)
	}
	w.send(alice, "g1", "news")
	if n, _ := keys(next); n != 0 {
		t.Errorf("%d keys came again", n)
	}
}
