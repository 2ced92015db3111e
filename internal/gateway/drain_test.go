package gateway

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// slowJournal holds the outcomes of appends back until it is told.
type slowJournal struct {
	journal.Journal
	open chan struct{}
}

func (j *slowJournal) Submit(a *journal.Append, done func(journal.Result, error)) {
	j.Journal.Submit(a, func(r journal.Result, err error) {
		go func() { // ends when the test opens it
			<-j.open
			done(r, err)
		}()
	})
}

func TestADrainAnswersWhatIsUnderWayBeforeItClosesAndTakesNothingMore(t *testing.T) {
	t.Parallel()
	slow := &slowJournal{open: make(chan struct{})}
	w := newWorld(t, func(s *setup) {
		s.journal = func(j journal.Journal) journal.Journal { slow.Journal = j; return slow }
	})
	ab := im.Direct("ann", "bob")
	ann, _ := w.connect("ann", "phone")
	first, second, late := ann.text(ab, "one"), ann.text(ab, "two"), ann.text(ab, "too late")
	ann.send(first, second)
	for ready := false; !ready; { // until both are under way
		s := w.session("ann")
		s.mu.Lock()
		ready = s.m.inFlight == 2
		s.mu.Unlock()
	}
	drained := make(chan struct{})
	go func() { defer close(drained); w.g.Drain(t.Context(), time.Second) }()
	ann.await("go_away", func(f *skeinv1.ServerFrame) bool { return f.GetGoAway() != nil })
	ann.send(late)
	select {
	case <-drained:
		t.Error("drained while sends had no answer")
	default:
	}
	close(slow.open)
	for range 2 {
		f := ann.await("an ack", func(f *skeinv1.ServerFrame) bool { return f.GetAck() != nil })
		if f.Ref != first.Ref && f.Ref != second.Ref {
			t.Errorf("an answer to %d", f.Ref)
		}
	}
	ann.endsWith(skeinv1.CloseCode_CLOSE_CODE_GOING_AWAY)
	for _, f := range ann.waiting {
		if f.Ref == late.Ref {
			t.Errorf("what came after the go_away was answered: %v", f)
		}
	}
	<-drained
}

func TestADrainSpreadsTheClosesAndTheReturns(t *testing.T) {
	t.Parallel()
	const crowd = 150
	w := newWorld(t)
	all := make([]*client, crowd)
	for i := range all {
		all[i], _ = w.connect(fmt.Sprint("u", i), "phone")
	}
	began := time.Now()
	done := make(chan time.Duration, 1)
	go func() { w.g.Drain(t.Context(), time.Minute); done <- time.Since(began) }()
	backs := map[uint32]bool{}
	for _, c := range all {
		f := c.await("go_away", func(f *skeinv1.ServerFrame) bool { return f.GetGoAway() != nil })
		backs[f.GetGoAway().RetryAfterMs] = true
		if f.GetGoAway().RetryAfterMs > 300 { // they are few: the spread of a minute is not for them
			t.Errorf("come back after %d ms", f.GetGoAway().RetryAfterMs)
		}
		c.endsWith(skeinv1.CloseCode_CLOSE_CODE_GOING_AWAY)
	}
	took := <-done
	if took < crowd*drainPace*8/10 || took > 15*time.Second {
		t.Errorf("%d sessions were sent away in %v", crowd, took)
	}
	if len(backs) < crowd/4 {
		t.Errorf("they come back at %d different times only", len(backs))
	}
}

func TestADrainEndsWhenItsTimeIsOver(t *testing.T) {
	t.Parallel()
	slow := &slowJournal{open: make(chan struct{})}
	w := newWorld(t, func(s *setup) {
		s.journal = func(j journal.Journal) journal.Journal { slow.Journal = j; return slow }
	})
	t.Cleanup(func() { close(slow.open) })
	ann, _ := w.connect("ann", "phone")
	ann.send(ann.text(im.Direct("ann", "bob"), "never answered"))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	w.g.Drain(ctx, 0)
	if ctx.Err() == nil && w.g.Sessions() > 0 {
		t.Error("it returned before its time, with a session left")
	}
}
