package journal_test

import (
	"context"
	"errors"
	"testing"

	"go.uber.org/goleak"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
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

func TestCloseFinishesWhatIsQueuedAndLeavesNothingRunning(t *testing.T) {
	before := goleak.IgnoreCurrent()
	d, err := db.Open(context.Background(), t.TempDir(), db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(context.Background(), d, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	const n = 500
	done := make(chan error, n)
	for i := range n {
		j.Submit(note(i, "x"), func(_ journal.Result, err error) { done <- err })
	}
	if err := errors.Join(j.Close(context.Background()), j.Close(context.Background()), d.Close()); err != nil {
		t.Fatal(err)
	}
	for range n {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	goleak.VerifyNone(t, before)
}

func TestCloseThatIsCutShortAnswersEverybody(t *testing.T) {
	_, d := openAt(t, t.TempDir(), journal.Options{})
	entered, gate := make(chan struct{}, 8), make(chan struct{})
	j, err := journal.Open(t.Context(), d, journal.Options{MaxBatch: 1, Committed: func([]im.Entry) {
		entered <- struct{}{}
		<-gate
	}})
	if err != nil {
		t.Fatal(err)
	}
	const n = 50
	done := make(chan error, n)
	for i := range n {
		j.Submit(note(i, "x"), func(_ journal.Result, err error) { done <- err })
	}
	<-entered
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	closed := make(chan error, 1)
	go func() { closed <- j.Close(ctx) }()
	// Close gives up at once; the announcement that holds everything up ends
	// some time later.
	close(gate)
	err = <-closed
	failed := 0
	for range n {
		switch e := <-done; im.CodeOf(e) {
		case 0:
		case im.Unavailable:
			failed++
		default:
			t.Error(e)
		}
	}
	if failed > 0 && im.CodeOf(err) != im.Unavailable {
		t.Fatalf("%d were not stored, and Close says %v", failed, err)
	}
}
