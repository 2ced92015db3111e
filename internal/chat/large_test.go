package chat_test

import (
	"context"
	"log/slog"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// A server can be configured to take bodies that alone fill a page.
func TestAMessageLargerThanAPageIsStillTheLastOfItsSync(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	b := bus.NewLocal()
	t.Cleanup(b.Close)
	limits := chat.DefaultLimits()
	limits.BodyBytes = 2 << 20
	c := chat.New(chat.Deps{Journal: w.j, Signals: b, Limits: limits, Clock: w.clock, Log: slog.New(slog.DiscardHandler), CursorKey: []byte("0123456789abcdef")})
	large, err := proto.Marshal(&skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_OPAQUE, Opaque: make([]byte, 3<<19)})
	if err != nil {
		t.Fatal(err)
	}
	before := w.send(alice, ab, "before")
	cursor := c.CursorAt(bob, []im.Pos{before.Pos})
	for range 2 {
		if _, err := c.Send(ctx, alice, chat.SendRequest{Conv: ab, ClientID: w.id(), Body: large}); err != nil {
			t.Fatal(err)
		}
	}
	res, err := c.Sync(ctx, bob, chat.SyncRequest{Cursor: cursor})
	if err != nil || len(res.Page.Conversations) != 1 {
		t.Fatal(res.Page.GetConversations(), err)
	}
	d := res.Page.Conversations[0]
	if len(d.Entries) != 1 || d.Entries[0].Seq != 3 || !d.Gap {
		t.Errorf("%d entries, gap %v", len(d.Entries), d.Gap)
	}
	p, err := c.History(ctx, bob, chat.HistoryRequest{Conv: ab, Before: 3})
	if err != nil || len(p.Items) != 1 || p.Items[0].Entry.Seq != 2 {
		t.Errorf("the one before it: from %d to %d, %v", p.GetFromSeq(), p.GetToSeq(), err)
	}
}
