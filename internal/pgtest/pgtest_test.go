package pgtest

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestDatabasesAreFreshAndComparedLinguisticallyByDefault(t *testing.T) {
	a, b := DB(t), DB(t)
	if a == b {
		t.Fatal("the same database twice")
	}
	ctx := context.Background()
	c, err := pgx.Connect(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(ctx) }()
	if _, err := c.Exec(ctx, "CREATE TABLE x (a TEXT, b TEXT COLLATE \"C\"); INSERT INTO x VALUES ('a', 'a'), ('B', 'B')"); err != nil {
		t.Fatal(err)
	}
	var linguistic, bytewise, fsync string
	if err := c.QueryRow(ctx, "SELECT min(a), min(b) FROM x").Scan(&linguistic, &bytewise); err != nil {
		t.Fatal(err)
	}
	if linguistic != "a" || bytewise != "B" {
		t.Errorf("min is %q, bytewise %q", linguistic, bytewise)
	}
	Durable(t, a)
	// Each connection hears of the new setting for itself, a moment later.
	for deadline := time.Now().Add(10 * time.Second); fsync != "on"; {
		if err := c.QueryRow(ctx, "SHOW fsync").Scan(&fsync); err != nil || time.Now().After(deadline) {
			t.Fatalf("fsync is %q, %v", fsync, err)
		}
	}
}

func TestDroppedWithTheTest(t *testing.T) {
	var url string
	t.Run("user", func(t *testing.T) { url = DB(t) })
	if c, err := pgx.Connect(context.Background(), url); err == nil {
		_ = c.Close(context.Background())
		t.Fatal("the database is still there")
	}
	if os.Getuid() == 0 {
		if as, err := owner(); err != nil || as == nil || as.Uid == 0 {
			t.Fatalf("it would run as root: %v %v", as, err)
		}
	}
}

func TestAServerOfOnesOwnKeepsItsDataAndIsFoundAgainAfterItsProgramWasKilled(t *testing.T) {
	ctx := t.Context()
	dir, err := os.MkdirTemp("", "skein-pgtest-own-") // t.TempDir is closed to the user postgres
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	query := func(s *Server, text string) (n int) {
		t.Helper()
		c, err := pgx.Connect(ctx, s.URL())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close(ctx) }()
		if err := c.QueryRow(ctx, text).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	first, err := Serve(ctx, dir+"/pg")
	if err != nil {
		t.Fatal(err)
	}
	c, err := pgx.Connect(ctx, first.URL())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Exec(ctx, "CREATE TABLE x AS SELECT 42 AS n"); err != nil {
		t.Fatal(err)
	}
	_ = c.Close(ctx)
	second, err := Serve(ctx, dir+"/pg") // the first program is gone, its server is not
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := second.Stop(); err != nil {
			t.Error(err)
		}
	}()
	_ = first.Stop() // has ended already
	if n := query(second, "SELECT n FROM x"); n != 42 {
		t.Errorf("n is %d", n)
	}
	if n := query(second, "SELECT count(*) FROM pg_settings WHERE name = 'fsync' AND setting = 'on'"); n != 1 {
		t.Error("it does not wait for the disk")
	}
}
