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
