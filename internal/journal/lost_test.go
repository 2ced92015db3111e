package journal_test

import (
	"context"
	"testing"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

func TestWhatIsQueuedBehindALostBatchIsLostWithItAndItsRetriesKeepTheOrder(t *testing.T) {
	m, err := journal.NewMemory(1, im.SystemEntropy())
	if err != nil {
		t.Fatal(err)
	}
	begun, fail := make(chan struct{}), make(chan struct{})
	away := true // owned by the committing goroutine
	j := m.OpenFaulty(journal.Options{Patience: -1}, journal.Faults{Before: func(int) error {
		if !away {
			return nil
		}
		away = false
		close(begun)
		<-fail
		return im.Errorf(im.Unavailable, "the connection was cut")
	}})
	defer func() { _ = j.Close(context.Background()) }()
	answers := make(chan int, 3)
	submit := func(n int) {
		j.Submit(note(n, "x"), func(_ journal.Result, err error) {
			if im.CodeOf(err) != im.Unavailable {
				t.Errorf("message %d, behind or in the lost batch: %v", n, err)
			}
			answers <- n
		})
	}
	submit(0)
	<-begun
	submit(1)
	submit(2)
	close(fail)
	for want := range 3 {
		if n := <-answers; n != want {
			t.Errorf("answer %d is for message %d", want, n)
		}
	}
	for n := range 3 {
		if r := mustAppend(t, j, note(n, "x")); r.Duplicate || r.Entry.Seq != im.Seq(n+1) {
			t.Errorf("message %d, sent again: %+v", n, r)
		}
	}
}
