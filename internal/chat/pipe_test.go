package chat_test

import (
	"context"
	"sync"
	"testing"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

// slowFirst holds the first append back until it is told to go on.
type slowFirst struct {
	journal.Journal
	once sync.Once
	gate chan struct{}
}

func (s *slowFirst) Submit(a *journal.Append, done func(journal.Result, error)) {
	first := false
	s.once.Do(func() { first = true })
	if !first {
		s.Journal.Submit(a, done)
		return
	}
	go func() {
		<-s.gate
		s.Journal.Submit(a, done)
	}()
}

type outcome struct {
	res journal.Result
	err error
}

// send submits a message of eve and returns where its outcome comes.
func send(p *chat.Pipe, id im.ClientID) chan outcome {
	got := make(chan outcome, 1)
	p.Submit(context.Background(), chat.SendRequest{Conv: "g1", ClientID: id, Body: text("x")},
		func(r journal.Result, err error) { got <- outcome{r, err} })
	return got
}

// Eve's message is on its way into the journal, where it will come back as
// stale. She is removed, sends it again, and is added again. The repetition
// may not be refused for good while the first attempt can still be stored.
func TestARepetitionIsNotRefusedBeforeItsFirstAttemptIsDecided(t *testing.T) {
	w := newWorld(t)
	slow := &slowFirst{Journal: w.j, gate: make(chan struct{})}
	there := w.over(slow)
	w.group("g1", alice, bob, eve)
	pipe, id := there.NewPipe(eve), w.id()
	first := send(pipe, id)
	w.change(w.c, alice, "g1", journal.MemberChange{User: "eve"})
	if _, err := say(there, eve, "g1", w.id(), "another"); im.CodeOf(err) != im.NotFound { // and now the node knows
		t.Fatal(err)
	}
	second := send(pipe, id)
	select {
	case o := <-second:
		t.Fatalf("answered with %v while the first attempt is under way", o.err)
	default:
	}
	w.change(w.c, alice, "g1", journal.MemberChange{User: "eve", Role: im.RoleMember})
	close(slow.gate)
	a, b := <-first, <-second
	if a.err != nil || b.err != nil || a.res.Entry.Seq != b.res.Entry.Seq || !b.res.Duplicate {
		t.Errorf("%+v, then %+v", a, b)
	}
}

// A session that has ended decides nothing again: its client sends anew on
// another one, and may have been refused there.
func TestAClosedPipeSendsNothingAgain(t *testing.T) {
	w := newWorld(t)
	slow := &slowFirst{Journal: w.j, gate: make(chan struct{})}
	there := w.over(slow)
	w.group("g1", alice, bob)
	pipe := there.NewPipe(alice)
	got := send(pipe, w.id())
	w.change(w.c, alice, "g1", journal.MemberChange{User: "eve", Role: im.RoleMember}) // so that it is stale
	pipe.Close()
	close(slow.gate)
	if o := <-got; im.CodeOf(o.err) != im.Unavailable {
		t.Errorf("%+v", o)
	}
}
