package auth

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/skein-im/skein/internal/db"
)

func TestSignInsThatComeTogetherShareATransactionAndSpoilNothingForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refusal, failure := errors.New("refused"), errors.New("failed")
		begin := make(chan struct{})
		var sizes []int
		var now int
		w := &together{write: func(_ context.Context, fn func(db.Tx) error) error {
			<-begin
			now = 0
			err := fn(nil)
			sizes = append(sizes, now)
			return err
		}}
		answers := make([]error, 5)
		var wg sync.WaitGroup
		start := func(i int, refused, failed error) {
			wg.Go(func() {
				answers[i] = w.do(t.Context(), func(db.Tx) (error, error) { now++; return refused, failed })
			})
			synctest.Wait()
		}
		start(0, nil, nil) // alone; the others gather behind it
		start(1, nil, nil)
		start(2, refusal, nil)
		start(3, nil, failure)
		start(4, nil, nil)
		close(begin)
		wg.Wait()
		for i, want := range []error{nil, nil, refusal, failure, nil} {
			if !errors.Is(answers[i], want) {
				t.Errorf("%d: %v, want %v", i, answers[i], want)
			}
		}
		// The first alone, the batch up to what failed, then each by itself.
		if want := []int{1, 3, 1, 1, 1, 1}; len(sizes) != len(want) || sizes[0] != 1 || sizes[1] != 3 {
			t.Errorf("transactions of %v, want %v", sizes, want)
		}
	})
}

func TestWhoGivesUpWaitsNoLonger(t *testing.T) {
	begin := make(chan struct{})
	w := &together{write: func(_ context.Context, fn func(db.Tx) error) error { <-begin; return fn(nil) }}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.do(ctx, func(db.Tx) (error, error) { return nil, nil }); err == nil {
		t.Error("no error")
	}
	close(begin)
	if err := w.do(t.Context(), func(db.Tx) (error, error) { return nil, nil }); err != nil {
		t.Error(err)
	}
}
