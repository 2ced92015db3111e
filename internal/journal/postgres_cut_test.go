package journal_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/pgtest"
)

// cutNode is one of several nodes on one database, behind a network that cuts
// its connections.
type cutNode struct {
	j     journal.Journal
	proxy *pgtest.Proxy
}

// sent is a message with what its sender was told.
type sent struct {
	a        *journal.Append
	got      journal.Result
	attempts int
}

// Two nodes append to the same conversations, while connections are cut before
// requests reach the server and before answers come back. Whatever happens to
// a commit, each message is there once, under the number that was
// acknowledged, and no number is missing.
func TestCutsAtCommitTimeLeaveNoHoleAndNoDuplicate(t *testing.T) {
	duplicates := 0
	for seed := range uint64(2) {
		for name, patience := range map[string]time.Duration{"the journal tries again": time.Minute, "the sender tries again": -1} {
			t.Run(fmt.Sprint(name, ", seed ", seed), func(t *testing.T) { duplicates += cuts(t, seed, patience) })
		}
	}
	if duplicates == 0 {
		t.Error("no answer of a commit was ever cut")
	}
}

// cuts returns how many messages were found to be stored by an earlier attempt.
func cuts(t *testing.T, seed uint64, patience time.Duration) (duplicates int) {
	const convs, senders, each, shards = 6, 4, 40, 3
	url := pgtest.DB(t)
	var nodes []*cutNode
	for range 2 {
		n := &cutNode{proxy: pgtest.NewProxy(t, url)}
		n.j, _ = openAt(t, n.proxy.URL(), journal.Options{Shards: shards, Patience: patience})
		nodes = append(nodes, n)
	}
	for i, n := range nodes {
		n.proxy.Chaos(seed*2+uint64(i), 0.08)
	}
	var wg sync.WaitGroup
	all := make([][]*sent, convs*senders)
	for i := range all {
		wg.Go(func() { all[i] = nodes[i%2].send(t, i, i%convs, each, patience > 0) })
	}
	wg.Wait()
	var before, after int64
	for _, n := range nodes {
		n.proxy.Chaos(0, 0)
		before, after = before+n.proxy.CutBefore.Load(), after+n.proxy.CutAfter.Load()
	}
	j, _ := openAt(t, url, journal.Options{})
	retries := 0
	for _, list := range all {
		for _, s := range list {
			retries += s.attempts - 1
			if s.got.Duplicate {
				duplicates++
			}
		}
	}
	t.Logf("%d requests and %d answers were cut; %d retries by senders; %d messages were stored by an earlier attempt", before, after, retries, duplicates)
	if before == 0 || after == 0 {
		t.Error("nothing was cut at one of the two moments")
	}
	if patience < 0 && retries == 0 || patience > 0 && retries > 0 {
		t.Error("the wrong side has retried")
	}
	proveAcks(t, j, all, convs, shards)
	return duplicates
}

// send pipelines messages to a conversation; what the journal does not answer
// is sent again, in order, before anything else.
func (n *cutNode) send(t *testing.T, sender, conv, count int, ordered bool) []*sent {
	var list []*sent
	for i := range count {
		a := note(sender*1000+i, fmt.Sprint(sender, "/", i))
		a.Conv, a.Sender = im.ConvID(fmt.Sprint("g", conv)), im.UserID(fmt.Sprint("u", sender))
		a.MarkRead = false
		a.Create.Members = []journal.NewMember{{User: "ann", Role: im.RoleOwner}}
		list = append(list, &sent{a: a})
	}
	for open := list; len(open) > 0; {
		window := open[:min(8, len(open))]
		open = open[len(window):]
		var again []*sent
		var mu sync.Mutex // guards again
		var wg sync.WaitGroup
		for _, s := range window {
			wg.Add(1)
			s.attempts++
			n.j.Submit(s.a, func(r journal.Result, err error) {
				defer wg.Done()
				if err == nil {
					s.got = r
					return
				}
				if im.CodeOf(err) != im.Unavailable {
					t.Errorf("%s: %v", s.a.Body, err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				again = append(again, s)
			})
		}
		wg.Wait()
		open = append(again, open...)
	}
	for i := 1; ordered && i < len(list); i++ {
		if list[i].got.Entry.Seq <= list[i-1].got.Entry.Seq {
			t.Errorf("%s came before %s", list[i].a.Body, list[i-1].a.Body)
		}
	}
	return list
}

// proveAcks compares what is stored with what was acknowledged.
func proveAcks(t *testing.T, j journal.Journal, all [][]*sent, convs, shards int) {
	t.Helper()
	acked := map[im.ClientID]*sent{}
	for _, list := range all {
		for _, s := range list {
			acked[s.a.ClientID] = s
		}
	}
	err := j.View(context.Background(), func(v journal.View) error {
		found := 0
		for c := range convs {
			entries, err := v.Entries("demo", im.ConvID(fmt.Sprint("g", c)), 1, 1<<40, 1<<20, false)
			if err != nil {
				return err
			}
			for i, e := range entries {
				s := acked[e.ClientID]
				if e.Seq != im.Seq(i+1) {
					t.Fatalf("g%d: entry %d has seq %d", c, i+1, e.Seq)
				}
				if s == nil || s.got.Entry.Seq != e.Seq || s.got.Entry.Pos != e.Pos || string(s.a.Body) != string(e.Body) {
					t.Errorf("g%d/%d is %q, which was acknowledged as %+v", c, e.Seq, e.Body, s)
				}
				delete(acked, e.ClientID)
				found++
			}
		}
		heads, err := v.Heads()
		if err != nil {
			return err
		}
		for shard := range shards {
			entries, err := v.Since(shard, 0, 1<<20)
			if err != nil {
				return err
			}
			for i, e := range entries {
				if e.Pos != im.Pos(i+1) {
					t.Fatalf("shard %d: entry %d has pos %d", shard, i+1, e.Pos)
				}
			}
			if heads[shard] != im.Pos(len(entries)) {
				t.Errorf("shard %d has head %d and %d entries", shard, heads[shard], len(entries))
			}
		}
		t.Logf("%d entries", found)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(acked) > 0 {
		t.Errorf("%d acknowledged messages are gone or were there twice", len(acked))
	}
}

// Somebody holds the shard for longer than locks are waited for: the commit
// fails for certain, is tried again, and its sender never hears of it.
func TestACommitThatTimesOutIsTriedAgain(t *testing.T) {
	url := pgtest.DB(t)
	d, err := db.Open(t.Context(), url, db.Options{Postgres: db.PostgresOptions{LockTimeout: 50 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	j, err := journal.Open(t.Context(), d, journal.Options{Shards: 1, Patience: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close(context.Background()) }()
	mustAppend(t, j, note(0, "0"))
	got := make(chan journal.Result, 2)
	err = d.Write(t.Context(), func(tx db.Tx) error {
		if _, err := tx.Exec("UPDATE shard SET commits = commits WHERE shard = 0"); err != nil {
			return err
		}
		for i := range 2 {
			j.Submit(note(i+1, "x"), func(r journal.Result, err error) {
				if err != nil {
					t.Error(err)
				}
				got <- r
			})
		}
		// Two attempts at least have failed when a third one waits.
		for seen := map[int64]bool{}; len(seen) < 3; {
			var started int64
			err := d.Urgent().Read(t.Context(), func(tx db.Tx) error {
				return tx.QueryRow(`SELECT coalesce((SELECT date_part('epoch', query_start) * 1000000 FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND datname = current_database() LIMIT 1), 0)::bigint`).Scan(&started)
			})
			if err != nil {
				return err
			}
			if started != 0 {
				seen[started] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for want := im.Seq(2); want <= 3; want++ {
		if r := <-got; r.Entry.Seq != want || r.Duplicate {
			t.Errorf("%+v", r)
		}
	}
}

// What is in the primary's log alone is no answer to a retry: a failover would
// take it back.
func TestARetryWaitsForTheStandbyToo(t *testing.T) {
	primary, standby := pgtest.Pair(t)
	primary.Exec("CREATE DATABASE app")
	j, d := openAt(t, primary.URL("app"), journal.Options{Shards: 1, Patience: -1})
	mustAppend(t, j, note(0, "0"))
	standby.Pause()
	defer standby.Resume()
	got := make(chan error, 1)
	submit := func() { j.Submit(note(1, "1"), func(_ journal.Result, err error) { got <- err }) }
	waits := func() {
		t.Helper()
		for n := 0; n != 1; {
			if err := primary.Query("app", "SELECT count(*)::int FROM pg_stat_activity WHERE wait_event = 'SyncRep'", &n); err != nil {
				t.Fatal(err)
			}
		}
	}
	submit()
	waits()
	primary.Exec("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
	if err := <-got; im.CodeOf(err) != im.Unavailable {
		t.Fatalf("it is not on the standby, and the answer is %v", err)
	}
	err := d.Read(t.Context(), func(tx db.Tx) error { // it is there, for whoever looks
		return tx.QueryRow("SELECT seq FROM entry WHERE seq = 2").Scan(new(int))
	})
	if err != nil {
		t.Fatal(err)
	}
	submit()
	waits()
	select {
	case err := <-got:
		t.Fatalf("answered while the standby has nothing: %v", err)
	default:
	}
	standby.Resume()
	if err := <-got; err != nil {
		t.Fatal(err)
	}
	if r := mustAppend(t, j, note(1, "1")); !r.Duplicate || r.Entry.Seq != 2 {
		t.Fatalf("%+v", r)
	}
}

// A standby that lacks the newest commit is promoted, and another node commits
// until the shard's row looks as it did on the lost primary. What the first
// node remembers is wrong all the same.
func TestWhatIsRememberedOfALostPrimaryIsForgotten(t *testing.T) {
	primary, standby := pgtest.Pair(t)
	primary.Exec("CREATE DATABASE app")
	j, d := openAt(t, pgtest.URL("app", primary, standby), journal.Options{Shards: 1})
	mustAppend(t, j, note(0, "0"))
	primary.Exec("ALTER SYSTEM SET synchronous_standby_names = ''")
	primary.Exec("SELECT pg_reload_conf()")
	primary.Await("SELECT count(*) = 0 FROM pg_stat_replication WHERE sync_state = 'sync'")
	standby.Kill() // one that was only frozen would find the commit in its socket
	lost := note(1, "lost")
	lost.Kind = im.KindReaction // not counted
	if r := mustAppend(t, j, lost); r.Entry.Seq != 2 || r.Entry.Ord != 1 {
		t.Fatalf("%+v", r)
	}
	primary.Kill()
	standby.Start()
	standby.Promote()
	other, _ := openAt(t, standby.URL("app"), journal.Options{})
	if r := mustAppend(t, other, note(2, "in its place")); r.Entry.Seq != 2 || r.Entry.Ord != 2 {
		t.Fatalf("%+v", r)
	}
	d.Pool().Reset() // no commit fails on the way, which would make it forget by itself
	if r := mustAppend(t, j, note(3, "after it")); r.Entry.Seq != 3 || r.Entry.Ord != 3 {
		t.Fatalf("%+v", r)
	}
}
