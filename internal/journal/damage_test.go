package journal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/pgtest"
)

// note is a message of ann to herself and others; n makes its client id.
func note(n int, body string) *journal.Append {
	id, _ := im.NewClientID(time.UnixMilli(1_800_000_000_000), sequence(n+1))
	return &journal.Append{App: "demo", Conv: "g1", Kind: im.KindMessage, Sender: "ann", ClientID: id, Body: []byte(body), ACLVersion: -1,
		MarkRead: true, Create: &journal.Create{Kind: im.ConvGroup, Members: []journal.NewMember{{User: "ann", Role: im.RoleOwner}, {User: "bob", Role: im.RoleMember}}}}
}

func mustAppend(t *testing.T, j journal.Journal, a *journal.Append) journal.Result {
	t.Helper()
	r, err := journal.AppendWait(t.Context(), j, a)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func execSQL(t *testing.T, d *db.DB, query string, args ...any) {
	t.Helper()
	err := d.Write(t.Context(), func(tx db.Tx) error {
		n, err := tx.Exec(query, args...)
		if err == nil && n == 0 {
			return errors.New("it changed nothing")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func engines(t *testing.T, run func(t *testing.T, target string)) {
	t.Run("SQLite", func(t *testing.T) { run(t, t.TempDir()) })
	t.Run("PostgreSQL", func(t *testing.T) { run(t, pgtest.DB(t)) })
}

func TestFlippedBitIsReportedAndNeverServed(t *testing.T) {
	engines(t, func(t *testing.T, target string) {
		var log bytes.Buffer
		o := journal.Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Shards: 1}
		j, d := openAt(t, target, o)
		for i := range 5 {
			mustAppend(t, j, note(i, fmt.Sprint("message ", i)))
		}
		execSQL(t, d, "UPDATE entry SET body = $1 WHERE seq = 2", []byte("message X"))
		loss := func(what string, err error) {
			t.Helper()
			if im.CodeOf(err) != im.DataLoss || !strings.Contains(err.Error(), "entry 2") || !strings.Contains(err.Error(), "g1") {
				t.Errorf("%s: %v", what, err)
			}
		}
		err := j.View(t.Context(), func(v journal.View) error {
			_, err := v.Entries("demo", "g1", 1, 5, 9, false)
			loss("Entries", err)
			_, err = v.Since(0, 0, 9)
			loss("Since", err)
			_, err = v.ByClientID("demo", "ann", note(1, "").ClientID)
			loss("ByClientID", err)
			_, err = v.OrdAt("demo", "g1", 2)
			loss("OrdAt", err)
			list, err := v.Entries("demo", "g1", 3, 5, 9, false)
			if err != nil || len(list) != 3 {
				t.Errorf("the others: %d, %v", len(list), err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(log.String(), "damaged entry") || strings.Contains(log.String(), "message X") {
			t.Errorf("the log: %s", log.String())
		}
		// Nor does a writer build on it.
		_, err = journal.AppendWait(t.Context(), j, note(1, "message 1"))
		loss("retry", err)
		for i, effect := range []journal.Effect{journal.ReplaceTarget, journal.BlankTarget} {
			a := note(10+i, "x")
			a.Kind, a.Effect, a.Target = im.KindEdit, effect, 2
			_, err = journal.AppendWait(t.Context(), j, a)
			loss("effect", err)
		}
		again, _ := openAt(t, target, o)
		_, err = again.Mark(t.Context(), "demo", "g1", "bob", 2)
		loss("mark", err)
		if r := mustAppend(t, j, note(20, "goes on")); r.Entry.Seq != 6 || r.Entry.Ord != 6 {
			t.Fatalf("%+v", r)
		}
	})
}

func TestDamagedNewestEntryDoesNotStopItsConversation(t *testing.T) {
	for _, damage := range []string{"UPDATE entry SET ord = 77 WHERE seq >= 4", "UPDATE entry SET time = time + 86400000000 WHERE seq >= 4",
		"UPDATE entry SET hash = hash + 1"} {
		engines(t, func(t *testing.T, target string) {
			j, d := openAt(t, target, journal.Options{})
			var last journal.Result
			for i := range 5 {
				last = mustAppend(t, j, note(i, "x"))
			}
			execSQL(t, d, damage)
			j, _ = openAt(t, target, journal.Options{})
			err := j.View(t.Context(), func(v journal.View) error {
				c, err := v.Conv("demo", "g1")
				if err != nil || c.HeadSeq != 5 || c.HeadOrd != 5 || c.LastPos != last.Entry.Pos {
					t.Errorf("%+v %v", c, err)
				}
				list, err := v.Changes("demo", "ann", nil, nil, 10)
				if err != nil || len(list) != 1 || list[0].Conv.HeadOrd != 5 {
					t.Errorf("%+v %v", list, err)
				}
				_, err = v.Entries("demo", "g1", 5, 5, 1, false)
				if im.CodeOf(err) != im.DataLoss {
					t.Errorf("the entry itself: %v", err)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			r := mustAppend(t, j, note(9, "on"))
			if r.Entry.Seq != 6 || r.Entry.Ord != 6 || r.Entry.Time > last.Entry.Time+im.Micros(time.Hour.Microseconds()) {
				t.Fatalf("%+v", r)
			}
		})
	}
}

func TestFullDiskRefusesStoresNothingAndRecovers(t *testing.T) {
	dir := t.TempDir()
	j, d := openAt(t, dir, journal.Options{})
	limit := func(pages int) {
		t.Helper()
		rule(t, d, fmt.Sprintf("PRAGMA max_page_count = %d", pages)) // of the writing connection
	}
	first := mustAppend(t, j, note(0, "before"))
	limit(1) // as many as there are
	var acked []int
	body := strings.Repeat("x", 2000)
	full := 0
	for i := 1; full < 20; i++ {
		r, err := journal.AppendWait(t.Context(), j, note(i, body))
		switch im.CodeOf(err) {
		case 0:
			if full > 0 {
				t.Fatalf("%d was stored on a full disk: %+v", i, r)
			}
			acked = append(acked, i)
		case im.ResourceExhausted:
			full++
		default:
			t.Fatal(err)
		}
		if i > 1000 {
			t.Fatal("the disk never fills")
		}
	}
	if _, err := j.Mark(t.Context(), "demo", "g1", "bob", 1); err != nil && im.CodeOf(err) != im.ResourceExhausted {
		t.Fatal(err)
	}
	if x, err := journal.AppendWait(t.Context(), j, note(0, "before")); err != nil || !x.Duplicate || x.Entry.Seq != first.Entry.Seq {
		t.Fatalf("a retry on a full disk: %+v %v", x, err)
	}
	limit(1 << 30)
	if r := mustAppend(t, j, note(5000, "after")); int(r.Entry.Seq) != len(acked)+2 {
		t.Fatalf("%+v after %d", r.Entry, len(acked))
	}
	again, _ := openAt(t, dir, journal.Options{})
	err := again.View(t.Context(), func(v journal.View) error {
		list, err := v.Entries("demo", "g1", 1, 1<<40, 1<<30, false)
		if len(list) != len(acked)+2 {
			t.Errorf("%d entries, %d acknowledged", len(list), len(acked)+2)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestUnforeseenErrorFailsOneEntryAndNotItsBatch(t *testing.T) {
	engines(t, func(t *testing.T, target string) {
		j, d := openAt(t, target, journal.Options{})
		mustAppend(t, j, note(0, "first"))
		// A rule that the journal does not know of.
		if d.Dialect() == db.SQLite {
			rule(t, d, `CREATE TRIGGER poison BEFORE INSERT ON entry WHEN new.device = 'poison' BEGIN SELECT raise(ABORT, 'planned'); END`)
		} else {
			rule(t, d, `ALTER TABLE entry ADD CONSTRAINT poison CHECK (device <> 'poison')`)
		}
		const n = 40
		type outcome struct {
			i   int
			r   journal.Result
			err error
		}
		ch := make(chan outcome, n)
		for i := range n {
			a := note(100+i, fmt.Sprint(i))
			if i%13 == 5 {
				a.Device = "poison"
			}
			j.Submit(a, func(r journal.Result, err error) { ch <- outcome{i, r, err} })
		}
		for range n {
			o := <-ch
			if want := o.i%13 == 5; (o.err != nil) != want {
				t.Errorf("%d: %v", o.i, o.err)
			}
			if o.err == nil && o.r.Entry.Seq != im.Seq(o.i+2-(o.i+7)/13) {
				t.Errorf("%d has seq %d", o.i, o.r.Entry.Seq)
			}
		}
	})
}

func rule(t *testing.T, d *db.DB, statement string) {
	t.Helper()
	if err := d.Write(t.Context(), func(tx db.Tx) error { _, err := tx.Exec(statement); return err }); err != nil {
		t.Fatal(err)
	}
}

// TestChildAppends is the process that the test below kills: it appends and
// prints the number of each acknowledged message.
func TestChildAppends(t *testing.T) {
	dir := os.Getenv("SKEIN_TEST_JOURNAL")
	count := 1 << 30
	if dir == "" { // on its own it is a small test
		dir, count = t.TempDir(), 20
	}
	j, _ := openAt(t, dir, journal.Options{})
	done := make(chan struct{}, 64)
	defer func() {
		for range cap(done) {
			done <- struct{}{}
		}
	}()
	for i := range count {
		done <- struct{}{}
		j.Submit(note(i, fmt.Sprint(i)), func(_ journal.Result, err error) {
			if err != nil {
				t.Error(err)
			} else if os.Getenv("SKEIN_TEST_JOURNAL") != "" {
				fmt.Println(i)
			}
			<-done
		})
	}
}

func TestKilledProcessLosesNothingAcknowledged(t *testing.T) {
	for round := range 3 {
		dir := t.TempDir()
		c := exec.Command(os.Args[0], "-test.run=^TestChildAppends$")
		c.Env = append(os.Environ(), "SKEIN_TEST_JOURNAL="+dir)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		acked := map[int]bool{}
		for want := 500 * (round + 1); len(acked) < want; {
			var i int
			if _, err := fmt.Fscanln(out, &i); err != nil {
				t.Fatal(err)
			}
			acked[i] = true
		}
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for {
			var i int
			if _, err := fmt.Fscanln(out, &i); err != nil {
				break
			}
			acked[i] = true
		}
		_ = c.Wait()
		j, _ := openAt(t, dir, journal.Options{})
		err = j.View(t.Context(), func(v journal.View) error {
			list, err := v.Entries("demo", "g1", 1, 1<<40, 1<<30, false)
			if err != nil {
				return err
			}
			if len(list) < len(acked) {
				t.Errorf("%d acknowledged, %d stored", len(acked), len(list))
			}
			for i, x := range list {
				if x.Seq != im.Seq(i+1) || string(x.Body) != fmt.Sprint(i) {
					t.Fatalf("entry %d is %q", x.Seq, x.Body)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for i := range acked { // a retry after the restart
			if r := mustAppend(t, j, note(i, fmt.Sprint(i))); !r.Duplicate || r.Entry.Seq != im.Seq(i+1) {
				t.Fatalf("%+v", r)
			}
			break
		}
	}
}

func TestLostPostgresIsUnavailableAndARetryFindsOut(t *testing.T) {
	j, d := openAt(t, pgtest.DB(t), journal.Options{Shards: 1, Patience: -1})
	mustAppend(t, j, note(0, "0"))
	// A connection that waits for the shard's row is cut.
	held, release := make(chan struct{}), make(chan struct{})
	var holder sync.WaitGroup
	defer holder.Wait()
	free := sync.OnceFunc(func() { close(release) })
	defer free()
	holder.Go(func() {
		_ = d.Write(context.Background(), func(tx db.Tx) error {
			if _, err := tx.Exec("UPDATE shard SET head = head WHERE shard = 0"); err != nil {
				t.Error(err)
			}
			close(held)
			<-release
			return nil
		})
	})
	<-held
	got := make(chan error, 1)
	j.Submit(note(1, "1"), func(_ journal.Result, err error) { got <- err })
	for cut := 0; cut == 0; {
		err := d.Pool().QueryRow(t.Context(), `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND datname = current_database()`).Scan(&cut)
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := <-got; im.CodeOf(err) != im.Unavailable {
		t.Fatal(err)
	}
	free()
	if r := mustAppend(t, j, note(1, "1")); r.Entry.Seq != 2 {
		t.Fatalf("%+v", r)
	}
}

func TestPurgeForgetsOldKeysAlone(t *testing.T) {
	engines(t, func(t *testing.T, target string) {
		j, _ := openAt(t, target, journal.Options{})
		mustAppend(t, j, note(0, "old"))
		later := note(1, "new")
		id, _ := im.NewClientID(time.UnixMilli(1_800_000_500_000), sequence(7))
		later.ClientID = id
		mustAppend(t, j, later)
		n, err := journal.PurgeIdempotency(t.Context(), j, im.MicrosOf(time.UnixMilli(1_800_000_400_000)))
		if err != nil || n != 1 {
			t.Fatal(n, err)
		}
		if r := mustAppend(t, j, later); !r.Duplicate {
			t.Fatal("a key within the window was forgotten")
		}
		if r := mustAppend(t, j, note(0, "old")); r.Duplicate {
			t.Fatal("the old key is still known")
		}
	})
}

func TestShardsOfAnExistingJournalStay(t *testing.T) {
	url := pgtest.DB(t)
	j, _ := openAt(t, url, journal.Options{Shards: 5})
	if j.Shards() != 5 {
		t.Fatal(j.Shards())
	}
	if j, _ = openAt(t, url, journal.Options{}); j.Shards() != 5 {
		t.Fatal(j.Shards())
	}
	if j, _ = openAt(t, pgtest.DB(t), journal.Options{}); j.Shards() != 64 {
		t.Fatal(j.Shards())
	}
	d, err := db.Open(t.Context(), t.TempDir(), db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	if _, err := journal.Open(t.Context(), d, journal.Options{Shards: 2}); im.CodeOf(err) != im.InvalidArgument {
		t.Fatal(err)
	}
}
