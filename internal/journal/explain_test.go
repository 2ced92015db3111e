package journal

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/metrics"
	"github.com/skein-im/skein/internal/pgtest"
)

// explainTx fails the test for each query that would read a whole table.
type explainTx struct {
	db.Tx
	t    *testing.T
	n    int
	plan string // of the queries since it was cleared
}

func (x *explainTx) explain(query string, args []any) {
	x.t.Helper()
	x.n++
	prefix, bad := "EXPLAIN QUERY PLAN ", []string{"SCAN c", "SCAN e", "SCAN m", "SCAN x", "SCAN i"}
	if x.Dialect() == db.Postgres {
		prefix, bad = "EXPLAIN (COSTS OFF) ", []string{"Seq Scan on entry", "Seq Scan on conversation", "Seq Scan on membership", "Seq Scan on idempotency"}
	}
	rows, err := x.Tx.Query(prefix+query, args...)
	if err != nil {
		x.t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var line string
		if x.Dialect() == db.Postgres {
			err = rows.Scan(&line)
		} else {
			err = rows.Scan(new(int), new(int), new(int), &line)
		}
		if err != nil {
			x.t.Fatal(err)
		}
		plan = append(plan, line)
	}
	x.plan += strings.Join(plan, "\n") + "\n"
	for _, line := range plan {
		for _, b := range bad {
			// Scanning an index from one end to take its first row is fine,
			// but no plan here needs it.
			if strings.Contains(line+" ", b+" ") {
				x.t.Errorf("%s\nreads a whole table:\n%s", query, strings.Join(plan, "\n"))
			}
		}
	}
}

// Query implements db.Tx.
func (x *explainTx) Query(query string, args ...any) (db.Rows, error) {
	x.explain(query, args)
	return x.Tx.Query(query, args...)
}

// QueryRow implements db.Tx.
func (x *explainTx) QueryRow(query string, args ...any) db.Row {
	x.explain(query, args)
	return x.Tx.QueryRow(query, args...)
}

func TestNoReadScansAWholeTable(t *testing.T) {
	for _, target := range []string{t.TempDir(), pgtest.DB(t)} {
		d, err := db.Open(t.Context(), target, db.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = d.Close() }()
		j, err := Open(t.Context(), d, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = j.Close(context.Background()) }()
		fill(t, j)
		err = d.Read(t.Context(), func(tx db.Tx) error {
			if d.Dialect() == db.Postgres { // the tables are small: ask for what it would do if they were not
				if _, err := tx.Exec("SET LOCAL enable_seqscan = off"); err != nil {
					return err
				}
			}
			x := &explainTx{Tx: tx, t: t}
			v := &sqlView{tx: x, log: slog.New(slog.DiscardHandler), damaged: (*metrics.Set)(nil).Counter("damaged", "")}
			key := &PageKey{LastPos: 10, Conv: "g2"}
			for _, c := range []struct {
				index string
				call  func() error
			}{
				{"entry_seq", func() error { _, err := v.Conv("demo", "g1"); return err }},
				{"entry_seq", func() error { _, err := v.Groups("demo", "a", 5); return err }},
				{"entry_seq", func() error { _, err := v.Entries("demo", "g1", 1, 9, 5, false); return err }},
				{"entry_seq", func() error { _, err := v.Entries("demo", "g1", 1, 9, 5, true); return err }},
				{"entry_target", func() error {
					_, err := v.Targeting("demo", "g1", 1, 9, 5, im.KindEdit, im.KindReaction)
					return err
				}},
				{"entry_slot", func() error { _, err := v.Keyed("demo", "g1"); return err }},
				{"entry_slot", func() error {
					_, err := v.KeyedIn("demo", "g1", KeyRange{Prefix: "pin/", Limit: 5})
					return err
				}},
				{"entry_slot", func() error { _, err := v.KeyedAt("demo", "g1", "pin/a", "pin/b"); return err }},
				{"", func() error { _, err := v.Bits("demo", "g1", "~ann"); return err }},
				{"", func() error { _, err := v.Since(0, 3, 5); return err }},
				{"", func() error { _, err := v.Member("demo", "g1", "ann"); return err }},
				{"", func() error { _, err := v.Intervals("demo", "g1", "ann"); return err }},
				{"", func() error { _, err := v.Members("demo", "g1", "a", 5); return err }},
				{"membership_ended", func() error { _, err := v.MembersSince("demo", "g1", 3, 5); return err }},
				{"membership_mark", func() error { _, err := v.MembersSince("demo", "g1", 3, 5); return err }},
				{"membership_mark", func() error { _, err := v.Readers("demo", "g1", 5); return err }},
				{"membership_user", func() error { _, err := v.Changes("demo", "ann", nil, nil, 5); return err }},
				{"membership_user", func() error { _, err := v.Changes("demo", "ann", make([]im.Pos, 64), key, 5); return err }},
				{"entry_seq", func() error { _, err := v.OrdAt("demo", "g1", 3); return err }},
				{"entry_thread", func() error {
					_, err := v.Threads("demo", "g1", ThreadQuery{From: 1, To: 9, Head: 9, Limit: 5, Newest: true})
					return err
				}},
				{"entry_thread", func() error { _, err := v.Replies("demo", "g1", 1, 1, 9, 5, true); return err }},
				{"entry_seq", func() error { _, err := v.At("demo", "g1", []im.Seq{1, 3}); return err }},
				{"entry_slot", func() error { _, err := v.Slots("demo", "g1", "a", "b", 5); return err }},
				{"entry_slot", func() error { _, err := v.CountSlots("demo", "g1", "a", "b", 5); return err }},
				{"", func() error {
					if _, err := v.ByClientID("demo", "ann", im.ClientID{1}); im.CodeOf(err) != im.NotFound {
						return err
					}
					return nil
				}},
				{"entry_seq", func() error {
					return (&headRow{convNo: 1, row: row{Entry: im.Entry{Seq: 3}}, broken: im.ErrNotFound}).mend(x)
				}},
			} {
				x.plan = ""
				if err := c.call(); err != nil {
					return err
				}
				if !strings.Contains(x.plan, c.index) {
					t.Errorf("%v does not use %s:\n%s", d.Dialect(), c.index, x.plan)
				}
			}
			if d.Dialect() == db.SQLite { // what the writer looks up
				w := &liteTxn{tx: x}
				c := &convState{no: 1, people: map[im.UserID]*memberState{}}
				if err := w.people([]*convState{c}, []im.UserID{"ann"}); err != nil {
					return err
				}
				_, err1 := w.rows([]rowRef{{c, 1}})
				_, err2 := w.edits([]rowRef{{c, 1}})
				_, err3 := w.slots([]*convState{c}, []string{"k"})
				_, err4 := w.stored([]idemKey{{app: "demo"}})
				for _, err := range []error{err1, err2, err3, err4} {
					if err != nil {
						return err
					}
				}
			}
			if x.n < 15 {
				t.Errorf("%d queries were explained", x.n)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// The newest of a long conversation are read from the end of its index. As a
// join of the two tables PostgreSQL reads the whole range first, and sorts it.
func TestPostgresReadsNoMoreOfALongConversationThanItReturns(t *testing.T) {
	d, err := db.Open(t.Context(), pgtest.DB(t), db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	j, err := Open(t.Context(), d, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close(context.Background()) }()
	fill(t, j)
	const more = 5000
	done := make(chan error, more)
	for range more {
		id, err := im.NewClientID(im.SystemClock{}.Now(), im.SystemEntropy())
		if err != nil {
			t.Fatal(err)
		}
		j.Submit(&Append{App: "demo", Conv: "g1", Kind: im.KindMessage, Sender: "ann", ClientID: id, ACLVersion: -1, Body: make([]byte, 100)},
			func(_ Result, err error) { done <- err })
	}
	for range more {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Pool().Exec(t.Context(), "ANALYZE"); err != nil {
		t.Fatal(err)
	}
	err = d.Read(t.Context(), func(tx db.Tx) error {
		if _, err := tx.Exec("SET LOCAL enable_seqscan = off"); err != nil { // there are few conversations
			return err
		}
		x := &explainTx{Tx: tx, t: t}
		v := &sqlView{tx: x, log: slog.New(slog.DiscardHandler), damaged: (*metrics.Set)(nil).Counter("damaged", "")}
		for _, newest := range []bool{true, false} {
			if _, err := v.Entries("demo", "g1", 1, more, 50, newest); err != nil {
				return err
			}
		}
		if strings.Contains(x.plan, "Sort") || strings.Contains(x.plan, "Bitmap Heap Scan on entry") || !strings.Contains(x.plan, "using entry_seq") {
			t.Errorf("a page of a long conversation:\n%s", x.plan)
		}
		x.plan = ""
		if _, err := v.Since(shardOf("demo", "g1", j.Shards()), 10, 50); err != nil {
			return err
		}
		if strings.Contains(x.plan, "Sort") {
			t.Errorf("what a shard has behind a position:\n%s", x.plan)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func fill(t *testing.T, j Journal) {
	t.Helper()
	for i := range 30 {
		id, err := im.NewClientID(im.SystemClock{}.Now(), im.SystemEntropy())
		if err != nil {
			t.Fatal(err)
		}
		_, err = AppendWait(t.Context(), j, &Append{App: "demo", Conv: im.ConvID(fmt.Sprint("g", i%3)), Kind: im.KindMessage, Sender: "ann",
			ClientID: id, ACLVersion: -1, Create: &Create{Kind: im.ConvGroup, Members: []NewMember{{"ann", im.RoleOwner}, {"bob", im.RoleMember}}}})
		if err != nil {
			t.Fatal(err)
		}
	}
}
