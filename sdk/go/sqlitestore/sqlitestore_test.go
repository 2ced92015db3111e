package sqlitestore_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	skein "github.com/skein-im/skein/sdk/go"
	"github.com/skein-im/skein/sdk/go/sqlitestore"
)

// Both stores keep the same contract.
func eachStore(t *testing.T, fn func(t *testing.T, s skein.Store, reopen func() skein.Store)) {
	t.Run("memory", func(t *testing.T) {
		s := skein.NewMemoryStore()
		fn(t, s, func() skein.Store { return s })
	})
	t.Run("sqlite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "a b ü%20?x#y.db") // what a URL would misread
		s, err := sqlitestore.Open(path)
		must(t, err)
		t.Cleanup(func() { s.Close() })
		if _, err := os.Stat(path); err != nil {
			t.Fatal(err)
		}
		fn(t, s, func() skein.Store {
			must(t, s.Close())
			s, err = sqlitestore.Open(path)
			must(t, err)
			return s
		})
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func message(conv string, seq uint64, text string) skein.SavedMessage {
	return skein.SavedMessage{Conversation: conv, Seq: seq, TimeUS: int64(1000 + seq), Text: text, Data: fmt.Appendf(nil, "%s/%d/%s", conv, seq, text)}
}

func seqs(list []skein.SavedMessage) []uint64 {
	out := []uint64{}
	for _, m := range list {
		out = append(out, m.Seq)
	}
	return out
}

func TestWhatWasAppliedIsThereAfterReopening(t *testing.T) {
	eachStore(t, func(t *testing.T, s skein.Store, reopen func() skein.Store) {
		ctx := context.Background()
		empty, err := s.Load(ctx)
		must(t, err)
		if !reflect.DeepEqual(empty, skein.Saved{}) {
			t.Errorf("an empty store holds %+v", empty)
		}
		meta := skein.Meta{Endpoint: "http://x", App: "demo", User: "alice", Device: "d", Incarnation: "i", Cursor: []byte{0, 1}}
		must(t, s.Apply(ctx, skein.Batch{Meta: &meta,
			Conversations: []skein.SavedConversation{{ID: "g2", Data: []byte("two")}, {ID: "g1", Data: []byte("one")}},
			Messages:      []skein.SavedMessage{message("g1", 1, "a"), message("g1", 2, "b"), message("g2", 1, "c")},
			Items:         []skein.SavedItem{{ID: "x", Order: 2, Data: []byte("x")}, {ID: "y", Order: 1, Data: []byte("y")}},
		}))
		s = reopen()
		got, err := s.Load(ctx)
		must(t, err)
		want := skein.Saved{Meta: meta,
			Conversations: []skein.SavedConversation{{ID: "g1", Data: []byte("one")}, {ID: "g2", Data: []byte("two")}},
			Outbox:        []skein.SavedItem{{ID: "y", Order: 1, Data: []byte("y")}, {ID: "x", Order: 2, Data: []byte("x")}}}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
		must(t, s.Apply(ctx, skein.Batch{Removed: []string{"g2"}, Dropped: []string{"y"},
			Items: []skein.SavedItem{{ID: "x", Order: 7, Data: []byte("X")}}}))
		s = reopen()
		got, err = s.Load(ctx)
		must(t, err)
		if got.Meta.User != "alice" || len(got.Conversations) != 1 || len(got.Outbox) != 1 || string(got.Outbox[0].Data) != "X" {
			t.Errorf("got %+v", got)
		}
		gone, err := s.Messages(ctx, "g2", 1, 10, 10, true)
		must(t, err)
		if len(gone) != 0 {
			t.Errorf("messages of a removed conversation: %v", gone)
		}
	})
}

func TestMessagesAreReadFromBothEnds(t *testing.T) {
	eachStore(t, func(t *testing.T, s skein.Store, _ func() skein.Store) {
		ctx := context.Background()
		var b skein.Batch
		for _, seq := range []uint64{5, 1, 9, 3, 7} {
			b.Messages = append(b.Messages, message("g", seq, "t"))
		}
		b.Messages = append(b.Messages, message("h", 4, "t"))
		must(t, s.Apply(ctx, b))
		for _, c := range []struct {
			from, to uint64
			limit    int
			newest   bool
			want     []uint64
		}{
			{1, 9, 10, true, []uint64{1, 3, 5, 7, 9}}, {1, 9, 2, true, []uint64{7, 9}}, {1, 9, 2, false, []uint64{1, 3}},
			{2, 8, 10, false, []uint64{3, 5, 7}}, {3, 3, 1, true, []uint64{3}}, {4, 4, 1, true, []uint64{}}, {8, 2, 5, true, []uint64{}},
			{1, 1<<53 - 1, 1, true, []uint64{9}},
		} {
			got, err := s.Messages(ctx, "g", c.from, c.to, c.limit, c.newest)
			must(t, err)
			if !slices.Equal(seqs(got), c.want) {
				t.Errorf("[%d, %d] %d %v: %v, want %v", c.from, c.to, c.limit, c.newest, seqs(got), c.want)
			}
		}
		// A clearing takes what the same batch does not put.
		must(t, s.Apply(ctx, skein.Batch{Cleared: []skein.Clearing{{Conversation: "g", From: 3, To: 7}}, Messages: []skein.SavedMessage{message("g", 5, "new")}}))
		got, err := s.Messages(ctx, "g", 1, 9, 10, true)
		must(t, err)
		if !slices.Equal(seqs(got), []uint64{1, 5, 9}) || got[1].Text != "new" {
			t.Errorf("after a clearing: %+v", got)
		}
	})
}

func TestSearchFindsTextAndNoPatterns(t *testing.T) {
	eachStore(t, func(t *testing.T, s skein.Store, _ func() skein.Store) {
		ctx := context.Background()
		must(t, s.Apply(ctx, skein.Batch{Messages: []skein.SavedMessage{
			message("g", 1, "50% off"), message("g", 2, "500 off"), message("h", 3, `a_b\c`), message("h", 4, "axbxc"), message("h", 5, ""), message("g", 6, "订单到了"),
		}}))
		for _, c := range []struct {
			text, conv string
			limit      int
			want       []uint64
		}{
			{"off", "", 10, []uint64{2, 1}}, {"off", "", 1, []uint64{2}}, {"0%", "", 10, []uint64{1}}, {"a_b", "", 10, []uint64{3}}, {`\`, "", 10, []uint64{3}},
			{"off", "h", 10, []uint64{}}, {"订单", "g", 10, []uint64{6}}, {"nothing", "", 10, []uint64{}},
		} {
			got, err := s.Search(ctx, c.text, c.conv, c.limit)
			must(t, err)
			if !slices.Equal(seqs(got), c.want) {
				t.Errorf("%q in %q: %v, want %v", c.text, c.conv, seqs(got), c.want)
			}
		}
	})
}

func TestABatchIsWholeOrNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	s, err := sqlitestore.Open(path)
	must(t, err)
	defer s.Close()
	ctx, cancel := context.WithCancel(context.Background())
	must(t, s.Apply(ctx, skein.Batch{Messages: []skein.SavedMessage{message("g", 1, "kept")}}))
	db, err := sql.Open("sqlite", path)
	must(t, err)
	defer db.Close()
	_, err = db.Exec("create trigger refuse before insert on outbox begin select raise(abort, 'no'); end")
	must(t, err)
	err = s.Apply(ctx, skein.Batch{Messages: []skein.SavedMessage{message("g", 2, "lost")}, Items: []skein.SavedItem{{ID: "x", Data: []byte("x")}},
		Cleared: []skein.Clearing{{Conversation: "g", From: 1, To: 9}}})
	if err == nil {
		t.Fatal("the batch was taken")
	}
	got, err := s.Messages(ctx, "g", 1, 9, 9, true)
	must(t, err)
	if !slices.Equal(seqs(got), []uint64{1}) {
		t.Errorf("after a refused batch: %v", seqs(got))
	}
	cancel()
	if err := s.Apply(ctx, skein.Batch{Messages: []skein.SavedMessage{message("g", 3, "late")}}); err == nil {
		t.Error("a batch was taken after the end")
	}
}

func TestAFileOfANewerVersionIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	s, err := sqlitestore.Open(path)
	must(t, err)
	must(t, s.Close())
	db, err := sql.Open("sqlite", path)
	must(t, err)
	_, err = db.Exec("pragma user_version = 99")
	must(t, err)
	must(t, db.Close())
	if _, err := sqlitestore.Open(path); err == nil || !strings.Contains(err.Error(), "99") {
		t.Errorf("opened: %v", err)
	}
	if _, err := sqlitestore.Open(filepath.Join(t.TempDir(), "no", "such", "folder")); err == nil {
		t.Error("a file in no folder was opened")
	}
}
