package chat_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

func TestAFlippedBitIsWithheldAndKeepsNobodyOut(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	for i := range 5 {
		w.send(alice, ab, fmt.Sprint("m", i))
	}
	if err := w.d.Write(ctx, func(tx db.Tx) error {
		n, err := tx.Exec("UPDATE entry SET body = $1 WHERE seq = 3", text("forged"))
		if n != 1 {
			t.Errorf("damaged %d rows", n)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	res, err := w.c.Sync(ctx, bob, chat.SyncRequest{})
	if err != nil {
		t.Fatal(err)
	}
	d := res.Page.Conversations[0]
	if len(d.Entries) != 4 || len(d.Withheld) != 1 || d.Withheld[0].FromSeq != 3 || d.Withheld[0].ToSeq != 3 {
		t.Errorf("sync gave %v", d)
	}
	p, err := w.c.History(ctx, bob, chat.HistoryRequest{Conv: ab})
	if err != nil || len(p.Items) != 4 || p.FromSeq != 1 || p.ToSeq != 5 {
		t.Errorf("history gave %v %v", p, err)
	}
	es, err := w.c.Glance(ctx, bob, ab, []im.Seq{4, 3, 2})
	if err != nil || len(es) != 2 || es[0].Seq != 2 || es[1].Seq != 4 {
		t.Errorf("a look at some gave %v %v", es, err)
	}
	_, err = w.c.Edits(ctx, bob, ab, 3)
	w.want(im.DataLoss, err, "the damaged one itself")
	w.send(bob, ab, "life goes on")
}
