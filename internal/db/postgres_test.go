package db

import (
	"context"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/pgtest"
)

// withHosts puts hosts before the one of a URL.
func withHosts(t *testing.T, to string, before ...string) string {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = strings.Join(append(before, u.Host), ",")
	return u.String()
}

func TestASilentOrAbsentFirstHostCostsSecondsAtMost(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never says a word
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	absent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	absent.Close()
	good := pgtest.NewProxy(t, pgtest.DB(t)).URL()
	for name, first := range map[string]string{"silent": silent.Addr().String(), "absent": absent.Addr().String()} {
		start := time.Now()
		d := openTest(t, withHosts(t, good, first), Options{Postgres: PostgresOptions{ConnectTimeout: 500 * time.Millisecond}})
		if err := d.Ping(t.Context()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		took := time.Since(start)
		if t.Logf("%s: open after %v", name, took); took > 8*time.Second {
			t.Errorf("%s: it took %v", name, took)
		}
	}
}

// hold occupies n connections of a pool until the returned function is called.
func hold(t *testing.T, d *DB, n int) (release func()) {
	t.Helper()
	held, done := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			err := d.Read(t.Context(), func(tx Tx) error {
				err := tx.QueryRow("SELECT 1").Scan(new(int))
				held <- struct{}{}
				<-done
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	for range n {
		<-held
	}
	return func() { close(done); wg.Wait() }
}

func TestABusyPoolAnswersInTimeAndUrgentWorkGoesPast(t *testing.T) {
	// Long enough that a busy machine answers, and all four wait at once.
	d := openTest(t, pgtest.DB(t), Options{Conns: 3, Postgres: PostgresOptions{WaitTimeout: time.Second}})
	release := hold(t, d, 3)
	start := time.Now()
	var wg sync.WaitGroup
	for what, call := range map[string]func() error{
		"write": func() error { return d.Write(t.Context(), func(Tx) error { return nil }) },
		"read":  func() error { return d.Read(t.Context(), func(Tx) error { return nil }) },
		"ping":  func() error { return d.Ping(t.Context()) },
		"now":   func() error { _, err := d.Now(t.Context()); return err },
	} {
		wg.Go(func() {
			if err := call(); im.CodeOf(err) != im.Unavailable || !strings.Contains(err.Error(), "in use") {
				t.Errorf("%s: %v", what, err)
			}
		})
	}
	wg.Wait()
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("four refusals took %v", took)
	}
	u := d.Urgent()
	if err := u.Write(t.Context(), func(tx Tx) error { return tx.QueryRow("SELECT 1").Scan(new(int)) }); err != nil {
		t.Errorf("urgent: %v", err)
	}
	if err := u.Ping(t.Context()); err != nil {
		t.Errorf("urgent: %v", err)
	}
	release()
	if err := d.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestStatementsAndLocksEndInTimeAndNothingOfThemStays(t *testing.T) {
	to := pgtest.DB(t)
	d := openTest(t, to, Options{Postgres: PostgresOptions{StatementTimeout: 300 * time.Millisecond, LockTimeout: 150 * time.Millisecond}})
	if err := d.Migrate(t.Context(), "test", one(notes)); err != nil {
		t.Fatal(err)
	}
	insert := func(tx Tx, id int, name string) error {
		_, err := tx.Exec("INSERT INTO note (id, name) VALUES ($1, $2)", id, name)
		return err
	}
	if err := d.Write(t.Context(), func(tx Tx) error { return insert(tx, 1, "ann") }); err != nil {
		t.Fatal(err)
	}
	err := d.Write(t.Context(), func(tx Tx) error {
		if err := insert(tx, 2, "gone"); err != nil {
			return err
		}
		_, err := tx.Exec("SELECT pg_sleep(60)")
		return err
	})
	if im.CodeOf(err) != im.Unavailable || !strings.Contains(err.Error(), "57014") {
		t.Errorf("a statement that takes too long: %v", err)
	}
	err = d.Write(t.Context(), func(outer Tx) error {
		if _, err := outer.Exec("UPDATE note SET body = NULL WHERE id = 1"); err != nil {
			return err
		}
		return d.Write(t.Context(), func(tx Tx) error {
			if err := insert(tx, 3, "gone too"); err != nil {
				return err
			}
			_, err := tx.Exec("UPDATE note SET body = NULL WHERE id = 1")
			return err
		})
	})
	if im.CodeOf(err) != im.Unavailable || !strings.Contains(err.Error(), "55P03") {
		t.Errorf("a row that stays locked: %v", err)
	}
	if n := count(t, d); n != 1 {
		t.Errorf("%d notes", n)
	}
	patient := openTest(t, to, Options{Postgres: PostgresOptions{StatementTimeout: -1}})
	if err := patient.Read(t.Context(), func(tx Tx) error { _, err := tx.Exec("SELECT pg_sleep(0.5)"); return err }); err != nil {
		t.Errorf("a program without a bound: %v", err)
	}
	given := openTest(t, to+"&statement_timeout=12345", Options{})
	var text string
	if err := given.ask(t.Context(), "SHOW statement_timeout", &text); err != nil || text != "12345ms" {
		t.Errorf("what the URL says goes first: %q, %v", text, err)
	}
}

func TestAServerThatStopsAnsweringIsGivenUpInTime(t *testing.T) {
	proxy := pgtest.NewProxy(t, pgtest.DB(t))
	d := openTest(t, proxy.URL(), Options{Conns: 2, Postgres: PostgresOptions{StatementTimeout: 200 * time.Millisecond, ConnectTimeout: 300 * time.Millisecond}})
	release := hold(t, d, 2) // two connections that are there
	release()
	proxy.Freeze()
	start := time.Now()
	for range 3 {
		if err := d.Ping(t.Context()); im.CodeOf(err) != im.Unavailable {
			t.Fatal(err)
		}
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("three answers took %v", took)
	}
	proxy.Thaw()
	eventually(t, 10*time.Second, func() error { return d.Ping(t.Context()) })
}

func TestWhatAVanishedNodeHasLockedIsFreeSoon(t *testing.T) {
	url := pgtest.DB(t)
	proxy := pgtest.NewProxy(t, url)
	gone, here := openTest(t, proxy.URL(), Options{Conns: 1}), openTest(t, url, Options{Conns: 1})
	if err := here.Migrate(t.Context(), "test", one(notes)); err != nil {
		t.Fatal(err)
	}
	update := func(tx Tx) error {
		_, err := tx.Exec("UPDATE note SET name = 'bob' WHERE id = 1")
		return err
	}
	if err := here.Write(t.Context(), func(tx Tx) error {
		_, err := tx.Exec("INSERT INTO note (id, name) VALUES (1, 'ann')")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	// Its machine loses power in the middle: nothing is closed, nothing comes.
	locked, end, ended := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		ended <- gone.Write(t.Context(), func(tx Tx) error {
			if err := update(tx); err != nil {
				return err
			}
			close(locked)
			<-end
			return nil
		})
	}()
	<-locked
	proxy.Freeze()
	start := time.Now()
	if err := here.Write(t.Context(), update); err != nil {
		t.Errorf("a row that it had locked: %v", err)
	}
	if took := time.Since(start); took < time.Second || took > 8*time.Second {
		t.Errorf("it took %v until the row was free", took)
	}
	proxy.Cut()
	proxy.Thaw()
	close(end)
	if err := <-ended; err == nil {
		t.Error("the transaction was committed after all")
	}
}

// eventually calls until there is no error, and returns how long it took.
func eventually(t *testing.T, patience time.Duration, call func() error) time.Duration {
	t.Helper()
	start := time.Now()
	for {
		err := call()
		if took := time.Since(start); err == nil {
			return took
		} else if took > patience {
			t.Fatalf("after %v: %v", took, err)
		}
	}
}

func TestAConnectionToAReadOnlyServerIsNotUsedAgain(t *testing.T) {
	d := openTest(t, pgtest.DB(t), Options{Conns: 1})
	if err := d.Migrate(t.Context(), "test", one(notes)); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Pool().Exec(t.Context(), "SET default_transaction_read_only = on"); err != nil { // as after a demotion
		t.Fatal(err)
	}
	write := func() error {
		return d.Write(t.Context(), func(tx Tx) error {
			_, err := tx.Exec("INSERT INTO note (id, name) VALUES (1, 'ann')")
			return err
		})
	}
	if err := write(); im.CodeOf(err) != im.Unavailable {
		t.Fatal(err)
	}
	if err := write(); err != nil {
		t.Fatalf("the next connection: %v", err)
	}
}

func TestAWarningAboutSomethingElseIsNoUnknownOutcome(t *testing.T) {
	d := openTest(t, pgtest.DB(t), Options{Conns: 1})
	if err := d.Migrate(t.Context(), "test", one(notes)); err != nil {
		t.Fatal(err)
	}
	err := d.Write(t.Context(), func(tx Tx) error {
		if _, err := tx.Exec("DO $$ BEGIN RAISE WARNING 'the collation has changed'; END $$"); err != nil {
			return err
		}
		_, err := tx.Exec("INSERT INTO note (id, name) VALUES (1, 'ann')")
		return err
	})
	if n := count(t, d); err != nil || n != 1 {
		t.Errorf("%d notes, %v", n, err)
	}
}

func TestPostgresFailsOver(t *testing.T) {
	primary, standby := pgtest.Pair(t)
	primary.Exec("CREATE DATABASE app")
	standby.Await("SELECT count(*) = 1 FROM pg_database WHERE datname = 'app'")
	both := pgtest.URL("app", primary, standby)
	d := openTest(t, both, Options{})
	if err := d.Migrate(t.Context(), "test", one(notes)); err != nil {
		t.Fatal(err)
	}
	port := func(d *DB) (n int, err error) {
		err = d.ask(t.Context(), "SELECT inet_server_port()", &n)
		return n, err
	}
	insert := func(ctx context.Context, id int, name string) error {
		return d.Write(ctx, func(tx Tx) error {
			_, err := tx.Exec("INSERT INTO note (id, name) VALUES ($1, $2)", id, name)
			return err
		})
	}
	want, err := port(d)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("a standby is never asked, whatever the URL says", func(t *testing.T) {
		for _, attrs := range []string{"", "&target_session_attrs=any", "&target_session_attrs=prefer-standby", "&target_session_attrs=read-only"} {
			other := openTest(t, pgtest.URL("app", standby, primary)+attrs, Options{})
			if got, err := port(other); err != nil || got != want {
				t.Errorf("%q: port %d, %v, want %d", attrs, got, err, want)
			}
		}
		if _, err := Open(t.Context(), standby.URL("app")+"&target_session_attrs=any", Options{}); im.CodeOf(err) != im.Unavailable {
			t.Errorf("the standby alone: %v", err)
		}
	})
	t.Run("what waits for the standby is neither acknowledged nor seen when the wait is cancelled or given up", func(t *testing.T) {
		standbyStuck(t, d, primary, standby, insert)
	})
	if err := insert(t.Context(), 100, "before"); err != nil {
		t.Fatal(err)
	}
	t.Run("the pool moves to the promoted standby", func(t *testing.T) {
		hold(t, d, 24)()
		killed := primary.Kill()
		start := time.Now()
		standby.Promote()
		promoted := time.Since(start)
		took := eventually(t, 15*time.Second, func() error { return insert(t.Context(), 101, "after") })
		t.Logf("killed %v; promoted after %v, the first write %v later, timeline %d", killed, promoted, took, standby.Timeline())
		if took > 5*time.Second {
			t.Errorf("the first write came %v after the promotion", took)
		}
	})
	t.Run("the old primary, started as what it was, is not used", func(t *testing.T) {
		primary.Start()
		fresh := openTest(t, both, Options{}) // which names it first
		for name, x := range map[string]*DB{"the old pool": d, "a process that starts now": fresh} {
			x.Pool().Reset()
			got, err := port(x)
			if err != nil || got == want {
				t.Errorf("%s: port %d, %v", name, got, err)
			}
		}
		if n := count(t, fresh); n != 5 {
			t.Errorf("%d notes", n)
		}
	})
	t.Run("who knows the old primary alone gets nothing acknowledged by it", func(t *testing.T) {
		alone := openTest(t, primary.URL("app"), Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := alone.Write(ctx, func(tx Tx) error {
			_, err := tx.Exec("INSERT INTO note (id, name) VALUES (200, 'to the wrong one')")
			return err
		})
		if im.CodeOf(err) != im.Unavailable {
			t.Errorf("it was acknowledged: %v", err)
		}
	})
}

// standbyStuck freezes the standby: commits wait for it.
func standbyStuck(t *testing.T, d *DB, primary, standby *pgtest.Node, insert func(context.Context, int, string) error) {
	waiting := func(want int) {
		t.Helper()
		eventually(t, 10*time.Second, func() error {
			var n int
			err := primary.Query("app", "SELECT count(*)::int FROM pg_stat_activity WHERE wait_event = 'SyncRep'", &n)
			if err == nil && n != want {
				err = im.Errorf(im.Unavailable, "%d transactions wait", n)
			}
			return err
		})
	}
	standby.Pause()
	defer standby.Resume()
	cancelled := make(chan error, 1)
	go func() { cancelled <- insert(context.Background(), 1, "cancelled by an operator") }()
	waiting(1)
	var n int
	if err := primary.Query("app", "SELECT count(pg_cancel_backend(pid))::int FROM pg_stat_activity WHERE wait_event = 'SyncRep'", &n); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	if err := <-cancelled; im.CodeOf(err) != im.Unavailable {
		t.Fatalf("it is not on the standby, and the answer is %v", err)
	}
	before := count(t, d)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	given := make(chan error, 1)
	go func() { given <- insert(ctx, 2, "given up by its caller") }()
	waiting(1)
	cancel()
	if err := <-given; im.CodeOf(err) != im.Unavailable {
		t.Fatal(err)
	}
	// Its connection is closed from this side by now, or will be in a moment.
	ctx, cancel = context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	go func() { given <- insert(ctx, 3, "another") }()
	waiting(2) // the one that was given up still waits
	if n := count(t, d); n != before {
		t.Errorf("%d notes can be seen, there were %d", n, before)
	}
	standby.Resume()
	if err := <-given; err != nil {
		t.Error(err)
	}
	eventually(t, 10*time.Second, func() error {
		if n := count(t, d); n != before+2 {
			return im.Errorf(im.Unavailable, "%d notes", n)
		}
		return nil
	})
}
