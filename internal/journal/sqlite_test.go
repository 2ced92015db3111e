package journal_test

import (
	"context"
	"testing"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/journal/journaltest"
)

func openAt(t *testing.T, target string, o journal.Options) (journal.Journal, *db.DB) {
	t.Helper()
	d, err := db.Open(t.Context(), target, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	j, err := journal.Open(t.Context(), d, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close(context.Background()) })
	return j, d
}

func TestSQLiteKeepsTheContract(t *testing.T) {
	journaltest.Run(t, func(t *testing.T, o journal.Options) (journal.Journal, func() journal.Journal) {
		dir := t.TempDir()
		j, _ := openAt(t, dir, o)
		// The one before is left open and never closed, like a process that was
		// stopped: only what it has stored counts.
		return j, func() journal.Journal {
			j, _ := openAt(t, dir, o)
			return j
		}
	})
}
