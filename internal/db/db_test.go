package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/pgtest"
)

func one(text string) fstest.MapFS { return fstest.MapFS{"0001_first.sql": {Data: []byte(text)}} }

const notes = `CREATE TABLE note (id {{bigint}} PRIMARY KEY, name {{text}} NOT NULL UNIQUE, body {{blob}}) {{strict}};
CREATE INDEX note_body ON note (body);`

func openTest(t *testing.T, dir string, o Options) *DB {
	t.Helper()
	d, err := Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// contract is what both engines do alike.
func contract(t *testing.T, d *DB) {
	ctx := t.Context()
	if err := d.Migrate(ctx, "test", one(notes)); err != nil {
		t.Fatal(err)
	}
	insert := func(id int, name im.UserID, body []byte) error {
		return d.Write(ctx, func(tx Tx) error {
			n, err := tx.Exec("INSERT INTO note (body, name, id) VALUES ($3, $2, $1)", id, name, body)
			if err == nil && n != 1 {
				t.Errorf("insert changed %d rows", n)
			}
			return err
		})
	}
	t.Run("parameters go by number and named types pass", func(t *testing.T) {
		if err := insert(1, "ann", []byte{0, 1}); err != nil {
			t.Fatal(err)
		}
		var name im.UserID
		var body []byte
		err := d.Read(ctx, func(tx Tx) error {
			return tx.QueryRow("SELECT name, body FROM note WHERE id = $2 AND name = $1", "ann", 1).Scan(&name, &body)
		})
		if err != nil || name != "ann" || len(body) != 2 {
			t.Fatal(name, body, err)
		}
	})
	t.Run("no row is ErrNoRows", func(t *testing.T) {
		err := d.Read(ctx, func(tx Tx) error { return tx.QueryRow("SELECT id FROM note WHERE id = $1", 99).Scan(new(int)) })
		if !errors.Is(err, ErrNoRows) {
			t.Fatal(err)
		}
	})
	t.Run("a duplicate is told from other errors and rolls everything back", func(t *testing.T) {
		err := d.Write(ctx, func(tx Tx) error {
			if _, err := tx.Exec("INSERT INTO note (id, name) VALUES (7, 'gone')"); err != nil {
				return err
			}
			_, err := tx.Exec("INSERT INTO note (id, name) VALUES (8, 'ann')")
			return err
		})
		if !IsDuplicate(err) || IsDuplicate(errors.New("other")) {
			t.Fatal(err)
		}
		if n := count(t, d); n != 1 {
			t.Fatalf("%d rows", n)
		}
	})
	t.Run("a panic rolls back and the database works on", func(t *testing.T) {
		func() {
			defer func() { _ = recover() }()
			_ = d.Write(ctx, func(tx Tx) error {
				_, _ = tx.Exec("INSERT INTO note (id, name) VALUES (9, 'panic')")
				panic("planned")
			})
		}()
		if n := count(t, d); n != 1 {
			t.Fatalf("%d rows", n)
		}
	})
	t.Run("a statement before the rows are closed is refused", func(t *testing.T) {
		err := d.Read(ctx, func(tx Tx) error {
			rows, err := tx.Query("SELECT id FROM note")
			if err != nil {
				return err
			}
			defer rows.Close()
			_, err = tx.Query("SELECT id FROM note")
			return err
		})
		if !errors.Is(err, errOpenRows) {
			t.Fatal(err)
		}
	})
	t.Run("a read sees one snapshot", func(t *testing.T) { snapshot(t, d, insert) })
	t.Run("racing increments are all counted", func(t *testing.T) { increments(t, d) })
	t.Run("a read cannot write", func(t *testing.T) {
		err := d.Read(ctx, func(tx Tx) error { _, err := tx.Exec("DELETE FROM note"); return err })
		if err == nil {
			t.Fatal("it did")
		}
	})
	t.Run("a cancelled call is Unavailable", func(t *testing.T) {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		if err := d.Write(ctx, func(Tx) error { return nil }); im.CodeOf(err) != im.Unavailable {
			t.Fatal(err)
		}
		if err := d.Read(ctx, func(Tx) error { return nil }); im.CodeOf(err) != im.Unavailable {
			t.Fatal(err)
		}
	})
	t.Run("it can be pinged and has a clock", func(t *testing.T) {
		if err := d.Ping(ctx); err != nil {
			t.Fatal(err)
		}
		now, err := d.Now(ctx)
		if err != nil || now < 1e15 {
			t.Fatal(now, err)
		}
		_ = d.Read(ctx, func(tx Tx) error {
			if again, err := tx.Now(); err != nil || again < now {
				t.Error(again, err)
			}
			return nil
		})
	})
	t.Run("migrations", func(t *testing.T) { migrations(t, d) })
}

func count(t *testing.T, d *DB) (n int) {
	t.Helper()
	err := d.Read(t.Context(), func(tx Tx) error { return tx.QueryRow("SELECT count(*) FROM note").Scan(&n) })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func snapshot(t *testing.T, d *DB, insert func(int, im.UserID, []byte) error) {
	err := d.Read(t.Context(), func(tx Tx) error {
		var before, after int
		if err := tx.QueryRow("SELECT count(*) FROM note").Scan(&before); err != nil {
			return err
		}
		if err := insert(20, "bob", nil); err != nil {
			return err
		}
		if err := tx.QueryRow("SELECT count(*) FROM note").Scan(&after); err != nil {
			return err
		}
		if before != after {
			t.Errorf("%d rows, then %d", before, after)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func increments(t *testing.T, d *DB) {
	ctx := t.Context()
	err := d.Write(ctx, func(tx Tx) error { _, err := tx.Exec("INSERT INTO note (id, name) VALUES (1000, '0')"); return err })
	if err != nil {
		t.Fatal(err)
	}
	var g sync.WaitGroup
	for range 8 {
		g.Go(func() {
			for range 5 {
				err := d.Write(ctx, func(tx Tx) error {
					var v string
					if err := tx.QueryRow("SELECT name FROM note WHERE id = 1000").Scan(&v); err != nil {
						return err
					}
					var n int
					if _, err := fmt.Sscan(v, &n); err != nil {
						return err
					}
					_, err := tx.Exec("UPDATE note SET name = $1 WHERE id = 1000", fmt.Sprint(n+1))
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	g.Wait()
	var v string
	_ = d.Read(ctx, func(tx Tx) error { return tx.QueryRow("SELECT name FROM note WHERE id = 1000").Scan(&v) })
	if v != "40" {
		t.Fatalf("counted %s of 40", v)
	}
}

func migrations(t *testing.T, d *DB) {
	ctx := t.Context()
	two := one(notes)
	two["0002_more.sql"] = &fstest.MapFile{Data: []byte("ALTER TABLE note ADD COLUMN extra {{bigint}} NOT NULL DEFAULT 5;")}
	var g sync.WaitGroup
	for range 4 { // as several nodes would
		g.Go(func() {
			if err := d.Migrate(ctx, "test", two); err != nil {
				t.Error(err)
			}
		})
	}
	g.Wait()
	if err := d.Migrate(ctx, "test", one(notes)); im.CodeOf(err) != im.FailedPrecondition {
		t.Fatalf("an older program: %v", err)
	}
	expanding(t, d)
	changed := one(notes + " ")
	changed["0002_more.sql"] = two["0002_more.sql"]
	if err := d.Migrate(ctx, "test", changed); im.CodeOf(err) != im.FailedPrecondition {
		t.Fatalf("a changed file: %v", err)
	}
	two["0003_bad.sql"] = &fstest.MapFile{Data: []byte("CREATE TABLE half (a {{bigint}}); CREATE TABLE note (a {{bigint}});")}
	if err := d.Migrate(ctx, "test", two); err == nil {
		t.Fatal("a failing file ran")
	}
	two["0003_bad.sql"] = &fstest.MapFile{Data: []byte("CREATE TABLE half (a {{bigint}});")}
	if err := d.Migrate(ctx, "test", two); err != nil {
		t.Fatalf("the failed file left something behind: %v", err)
	}
	gap := fstest.MapFS{"0002_x.sql": {Data: []byte("SELECT 1")}}
	if err := d.Migrate(ctx, "gap", gap); err == nil {
		t.Fatal("a missing number passed")
	}
	if err := d.Migrate(ctx, "no-name", one(notes)); err == nil {
		t.Fatal("a bad name passed")
	}
}

// expanding moves a schema forward by a file that older programs need not know
// and then by one that they have to.
func expanding(t *testing.T, d *DB) {
	ctx := t.Context()
	steps := fstest.MapFS{}
	add := func(name, text string) fstest.MapFS {
		steps[name] = &fstest.MapFile{Data: []byte(text)}
		return maps.Clone(steps)
	}
	v1 := add("0001_a.sql", "CREATE TABLE grown (a {{bigint}});")
	v2 := add("0002_b.sql", "-- expand: older programs do not name the column, and it has a default\nALTER TABLE grown ADD COLUMN b {{bigint}} NOT NULL DEFAULT 5;")
	v3 := add("0003_c.sql", "-- The versions before 2 read a.\nALTER TABLE grown DROP COLUMN a;")
	v4 := add("0004_d.sql", "-- expand: an index\nCREATE INDEX grown_b ON grown (b);")
	run := func(files fstest.MapFS, want im.Code) {
		t.Helper()
		if err := d.Migrate(ctx, "grown", files); im.CodeOf(err) != want {
			t.Fatalf("%d files: %v", len(files), err)
		}
	}
	for _, v := range []fstest.MapFS{v1, v2, v1, v2, v1} { // n, n+1, n, n+1, n
		run(v, 0)
	}
	if err := d.Write(ctx, func(tx Tx) error { _, err := tx.Exec("INSERT INTO grown (a) VALUES (1)"); return err }); err != nil {
		t.Fatalf("what an older program writes: %v", err)
	}
	run(v4, 0)
	run(v3, 0)
	run(v2, im.FailedPrecondition)
	run(v1, im.FailedPrecondition)
	run(v4, 0)
}

func TestALogOfMigrationsFromBeforeTheyCouldExpandIsTakenOver(t *testing.T) {
	for name, target := range map[string]string{"sqlite": t.TempDir(), "postgres": pgtest.DB(t)} {
		d := openTest(t, target, Options{})
		if err := d.Migrate(t.Context(), "test", one(notes)); err != nil {
			t.Fatal(name, err)
		}
		err := d.Write(t.Context(), func(tx Tx) error { _, err := tx.Exec("ALTER TABLE test_migration DROP COLUMN least"); return err })
		if err != nil {
			t.Fatal(name, err)
		}
		two := one(notes)
		two["0002_more.sql"] = &fstest.MapFile{Data: []byte("-- expand: a column\nALTER TABLE note ADD COLUMN extra {{bigint}} NOT NULL DEFAULT 5;")}
		for _, files := range []fstest.MapFS{one(notes), two, one(notes)} {
			if err := d.Migrate(t.Context(), "test", files); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestSQLiteKeepsTheContract(t *testing.T) { contract(t, openTest(t, t.TempDir(), Options{})) }

func TestRewriteNumbersParametersByTheirNumber(t *testing.T) {
	for _, c := range []struct {
		in, out string
		order   []int
	}{
		{"a = $1 AND b = $2", "a = ? AND b = ?", nil},
		{"SET a = $2 WHERE b = $1 OR c = $2", "SET a = ? WHERE b = ? OR c = ?", []int{1, 0, 1}},
		{"'$1' \"$2\" -- $3\n $1 /* $4 */", "'$1' \"$2\" -- $3\n ? /* $4 */", nil},
		{"'it''s $1' $10", "'it''s $1' ?", []int{9}},
		{"a > $2 LIMIT $1", "a > ? LIMIT 0+?", []int{1, 0}},
		{"no parameter $", "no parameter $", nil},
	} {
		out, order := rewrite(c.in)
		if out != c.out || fmt.Sprint(order) != fmt.Sprint(c.order) {
			t.Errorf("%q: %q %v", c.in, out, order)
		}
	}
	if got := List(3, 2); got != "$3, $4" {
		t.Error(got)
	}
}

func TestWriteAheadLogIsBoundedUnderConstantWritesAndReads(t *testing.T) {
	dir := t.TempDir()
	d := openTest(t, dir, Options{CheckpointPages: 256})
	if err := d.Migrate(t.Context(), "test", one(notes)); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, 8000)
	for i := range 4000 {
		err := d.Write(t.Context(), func(tx Tx) error {
			_, err := tx.Exec("INSERT INTO note (id, name, body) VALUES ($1, $2, $3)", i, fmt.Sprint(i), body)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if i%10 == 0 {
			_ = count(t, d)
		}
	}
	st, err := os.Stat(filepath.Join(dir, "skein.db-wal"))
	if err != nil {
		t.Fatal(err)
	}
	// 4,000 rows of 8 KB are 12,000 pages and more; without checkpoints all of
	// them would be in the log.
	if pages := st.Size() / litePage; pages > 6000 {
		t.Fatalf("the log has %d pages", pages)
	}
}

func TestFullDiskIsResourceExhaustedAndPasses(t *testing.T) {
	d := openTest(t, t.TempDir(), Options{})
	if err := d.Migrate(t.Context(), "test", one(notes)); err != nil {
		t.Fatal(err)
	}
	limit := func(n int) {
		err := d.Write(t.Context(), func(tx Tx) error {
			_, err := tx.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", n))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	fill := func(id int) error {
		return d.Write(t.Context(), func(tx Tx) error {
			_, err := tx.Exec("INSERT INTO note (id, name, body) VALUES ($1, $2, $3)", id, fmt.Sprint(id), make([]byte, 100_000))
			return err
		})
	}
	limit(20)
	if err := fill(1); im.CodeOf(err) != im.ResourceExhausted {
		t.Fatal(err)
	}
	if n := count(t, d); n != 0 {
		t.Fatalf("%d rows were stored", n)
	}
	limit(1 << 30)
	if err := fill(1); err != nil {
		t.Fatal(err)
	}
}

// TestHoldFolder is the other process of the test below.
func TestHoldFolder(t *testing.T) {
	dir := os.Getenv("SKEIN_TEST_FOLDER")
	if dir == "" {
		dir = t.TempDir()
	}
	d := openTest(t, dir, Options{})
	if err := d.Migrate(t.Context(), "test", one(notes)); err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		err := d.Write(t.Context(), func(tx Tx) error {
			_, err := tx.Exec("INSERT INTO note (id, name) VALUES ($1, $2)", os.Getpid()*1000+i, fmt.Sprint(os.Getpid(), i))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestTwoProcessesShareAFolder(t *testing.T) {
	dir := t.TempDir()
	d := openTest(t, dir, Options{})
	var g sync.WaitGroup
	for range 2 {
		g.Go(func() {
			c := exec.Command(os.Args[0], "-test.run=^TestHoldFolder$")
			c.Env = append(os.Environ(), "SKEIN_TEST_FOLDER="+dir)
			if out, err := c.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	if err := d.Migrate(t.Context(), "test", one(notes)); err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		err := d.Write(t.Context(), func(tx Tx) error {
			_, err := tx.Exec("INSERT INTO note (id, name) VALUES ($1, $2)", i, fmt.Sprint(i))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	g.Wait()
	if n := count(t, d); n != 150 {
		t.Fatalf("%d rows of 150", n)
	}
}

func TestClosedDatabaseIsUnavailableAndOpensAgain(t *testing.T) {
	dir := t.TempDir()
	d, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.Close(), d.Close()); err != nil {
		t.Fatal(err)
	}
	if err := d.Write(t.Context(), func(Tx) error { return nil }); im.CodeOf(err) != im.Unavailable {
		t.Fatal(err)
	}
	if err := d.Read(t.Context(), func(Tx) error { return nil }); im.CodeOf(err) != im.Unavailable {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "skein.db-wal")); !os.IsNotExist(err) {
		t.Fatalf("the log is still there: %v", err)
	}
	openTest(t, dir, Options{})
	st, err := os.Stat(filepath.Join(dir, "skein.db"))
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Fatal(st.Mode(), err)
	}
}

func TestNowOnSQLiteIsTheInjectedClock(t *testing.T) {
	want := time.Unix(1_900_000_000, 0)
	d := openTest(t, t.TempDir(), Options{Clock: fixed(want)})
	if now, err := d.Now(t.Context()); err != nil || now != im.MicrosOf(want) {
		t.Fatal(now, err)
	}
}

type fixed time.Time

func (f fixed) Now() time.Time { return time.Time(f) }

func TestBadURLDoesNotShowItsPassword(t *testing.T) {
	_, err := Open(t.Context(), "postgres://u:hush@[bad", Options{})
	if im.CodeOf(err) != im.InvalidArgument {
		t.Fatal(err)
	}
	if s := err.Error(); len(s) == 0 || strings.Contains(s, "hush") {
		t.Fatal(s)
	}
}

func openPostgresTest(t *testing.T) *DB { return openTest(t, pgtest.DB(t), Options{}) }

func TestPostgresKeepsTheContract(t *testing.T) { contract(t, openPostgresTest(t)) }

func TestAQueryThatIsPlannedAnewLeavesNoPlanBehind(t *testing.T) {
	for _, d := range []*DB{openTest(t, t.TempDir(), Options{}), openPostgresTest(t)} {
		err := d.Read(t.Context(), func(tx Tx) error {
			for i := range 3 {
				rows, err := QueryPlanned(tx, "SELECT CAST($2 AS BIGINT) - CAST($1 AS BIGINT)", 1, i+1)
				if err != nil {
					return err
				}
				var n int
				if !rows.Next() || rows.Scan(&n) != nil || n != i || rows.Next() {
					t.Errorf("%v: %d, want %d, %v", d.Dialect(), n, i, rows.Err())
				}
				rows.Close()
			}
			if d.Dialect() == SQLite {
				return nil
			}
			var kept, other int
			err := tx.QueryRow("SELECT count(*) FILTER (WHERE statement LIKE 'SELECT CAST($2%'), count(*) FROM pg_prepared_statements").Scan(&kept, &other)
			if kept != 0 || other == 0 {
				t.Errorf("%d plans are kept, and %d of other statements", kept, other)
			}
			return err
		})
		if err != nil {
			t.Errorf("%v: %v", d.Dialect(), err)
		}
	}
}

func TestTextComparesBytewiseOnBothEngines(t *testing.T) {
	for _, d := range []*DB{openTest(t, t.TempDir(), Options{}), openPostgresTest(t)} {
		if err := d.Migrate(t.Context(), "test", one(notes)); err != nil {
			t.Fatal(err)
		}
		var first, last string
		err := d.Write(t.Context(), func(tx Tx) error {
			if _, err := tx.Exec("INSERT INTO note (id, name) VALUES (1, 'a'), (2, 'B'), (3, 'ä')"); err != nil {
				return err
			}
			return tx.QueryRow("SELECT min(name), max(name) FROM note").Scan(&first, &last)
		})
		if err != nil || first != "B" || last != "ä" {
			t.Errorf("%v: %q to %q, %v", d.Dialect(), first, last, err)
		}
	}
}

func TestLostPostgresIsUnavailable(t *testing.T) {
	d := openPostgresTest(t)
	err := d.Write(t.Context(), func(tx Tx) error {
		_, err := tx.Exec("SELECT pg_terminate_backend(pg_backend_pid())")
		return err
	})
	if im.CodeOf(err) != im.Unavailable {
		t.Fatal(err)
	}
	if err := d.Ping(t.Context()); err != nil {
		t.Fatalf("it does not come back: %v", err)
	}
	gone := openGone(t)
	if im.CodeOf(gone) != im.Unavailable {
		t.Fatal(gone)
	}
}

// openGone opens a server that is not there.
func openGone(t *testing.T) error {
	d, err := Open(t.Context(), "postgres://nobody@/none?host="+t.TempDir(), Options{})
	if err == nil {
		_ = d.Close()
	}
	return err
}

func TestPostgresCommitsAreDurableWhateverTheServersDefault(t *testing.T) {
	url := pgtest.DB(t)
	d := openTest(t, url, Options{})
	var name string
	if err := d.Pool().QueryRow(t.Context(), "SELECT current_database()").Scan(&name); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Pool().Exec(t.Context(), "ALTER DATABASE "+name+" SET synchronous_commit = off"); err != nil {
		t.Fatal(err)
	}
	again := openTest(t, url, Options{})
	var level string
	if err := again.Pool().QueryRow(t.Context(), "SHOW synchronous_commit").Scan(&level); err != nil || level != "on" {
		t.Fatal(level, err)
	}
}

func TestErrorsOfTheEnginesGetTheirCodes(t *testing.T) {
	for code, want := range map[string]im.Code{"53100": im.ResourceExhausted, "57P01": im.Unavailable, "08006": im.Unavailable,
		"40001": im.Unavailable, "25006": im.Unavailable, "XX001": im.DataLoss, "42601": im.Internal} {
		if err := MapError(&pgconn.PgError{Code: code}); im.CodeOf(err) != want {
			t.Errorf("%s: %v", code, err)
		}
	}
	for err, want := range map[error]im.Code{io.ErrUnexpectedEOF: im.Unavailable, context.DeadlineExceeded: im.Unavailable,
		errors.New("other"): im.Internal, im.ErrNotFound: im.NotFound} {
		if got := im.CodeOf(MapError(err)); got != want {
			t.Errorf("%v: %v", err, got)
		}
	}
}

func TestExistingDatabaseIsNotMade(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	if _, err := Open(t.Context(), dir, Options{Existing: true}); im.CodeOf(err) != im.NotFound {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Fatalf("the folder was made: %v", err)
	}
	if err := openTest(t, dir, Options{}).Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := openTest(t, dir, Options{Existing: true}).Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestGoroutineThatEndsInATransactionHarmsNobody(t *testing.T) {
	d := openTest(t, t.TempDir(), Options{Conns: 1})
	if err := d.Migrate(t.Context(), "test", one(notes)); err != nil {
		t.Fatal(err)
	}
	for _, run := range []func(context.Context, func(Tx) error) error{d.Write, d.Read} {
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = run(t.Context(), func(tx Tx) error {
				_, _ = tx.Exec("INSERT INTO note (id, name) VALUES (1, 'gone')")
				runtime.Goexit()
				return nil
			})
		}()
		<-done
		if n := count(t, d); n != 0 {
			t.Fatalf("%d rows", n)
		}
		if err := d.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestColumnsAndVariablesOfSQLite(t *testing.T) {
	d := openTest(t, t.TempDir(), Options{})
	scan := func(query string, dest ...any) error {
		return d.Read(t.Context(), func(tx Tx) error { return tx.QueryRow(query).Scan(dest...) })
	}
	var (
		i   int
		i8  int8
		u   uint32
		b   bool
		f   float64
		s   string
		raw []byte
		u1  im.UserID
		seq im.Seq
		p   *int64
		ns  sql.NullString
		v   any
	)
	if err := scan("SELECT 1, -2, 3, 1, 2.5, 'x', x'00ff', 'ann', 9, 7, NULL, 'any'", &i, &i8, &u, &b, &f, &s, &raw, &u1, &seq, &p, &ns, &v); err != nil {
		t.Fatal(err)
	}
	if i != 1 || i8 != -2 || u != 3 || !b || f != 2.5 || s != "x" || string(raw) != "\x00\xff" || u1 != "ann" || seq != 9 || *p != 7 || ns.Valid || v != "any" {
		t.Fatal(i, i8, u, b, f, s, raw, u1, seq, *p, ns, v)
	}
	if err := scan("SELECT NULL, NULL, 5, '6', x'41'", &raw, &p, &s, &i, &u1); err != nil || raw != nil || p != nil || s != "5" || i != 6 || u1 != "A" {
		t.Fatal(raw, p, s, i, u1, err)
	}
	for query, dest := range map[string]any{"SELECT NULL": &i, "SELECT 300": &i8, "SELECT -1": &u, "SELECT 'x'": &seq, "SELECT 2": &b,
		"SELECT NULL ": &s, "SELECT 1": i} {
		if err := scan(query, dest); err == nil {
			t.Errorf("%s into %T passed", query, dest)
		}
	}
	if err := scan("SELECT 1, 2", &i); err == nil {
		t.Error("two columns into one variable passed")
	}
	err := d.Read(t.Context(), func(tx Tx) error { return tx.QueryRow("SELECT $1, $2", 1).Scan(&i, &i) })
	if err == nil {
		t.Error("a missing argument passed")
	}
}

func TestAURLOfAnotherDatabaseIsNoFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	d, err := Open(t.Context(), "mysql://skein:pw@host/skein", Options{})
	if d != nil || im.CodeOf(err) != im.InvalidArgument || strings.Contains(err.Error(), "pw") {
		t.Errorf("%v", err)
	}
	if there, err := os.ReadDir("."); err != nil || len(there) > 0 {
		t.Errorf("it has made %v, %v", there, err)
	}
}
