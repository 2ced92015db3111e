package journal

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/skein-im/skein/internal/im"
)

func TestAJournalWhoseCommitsFailSaysSoUntilOneSucceedsOrAWhileHasPassed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &engine{opts: Options{Clock: im.SystemClock{}}}
		j.counts = newCounts(nil, j)
		w := &writer{j: j}
		j.writers = []*writer{w, {j: j}}
		now := func() time.Time { return j.opts.Clock.Now() }
		if err := Failing(j); err != nil {
			t.Error(err)
		}
		w.note(now(), 3, 0, im.Errorf(im.Unavailable, "the database is away"))
		if im.CodeOf(Failing(j)) != im.Unavailable {
			t.Errorf("after a failure: %v", Failing(j))
		}
		w.note(now(), 3, 3, nil)
		if err := Failing(j); err != nil {
			t.Errorf("after a commit: %v", err)
		}
		w.note(now(), 1, 0, im.Errorf(im.ResourceExhausted, "the disk is full"))
		if Failing(j) == nil {
			t.Error("a full disk is no failure")
		}
		<-time.After(failureHolds)
		if err := Failing(j); err != nil {
			t.Errorf("%v later, with nothing to commit: %v", failureHolds, err)
		}
		w.note(now(), 1, 0, im.Errorf(im.InvalidArgument, "one entry that can not be stored"))
		if err := Failing(j); err != nil {
			t.Errorf("one bad entry makes the node unready: %v", err)
		}
	})
}
