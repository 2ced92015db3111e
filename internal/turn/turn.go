// Package turn decides how the goroutines of a part are run: as the machine's,
// or one at a time and in a repeatable order, by whoever controls the clock.
//
// Everything that has a state is a step machine (docs/adr/0005); goroutines
// only carry events to it and effects away. But which of them runs first is
// the scheduler's choice, and so a defect in the carrying is found once in a
// million runs and never again. A clock that also implements Scheduler takes
// that choice over: the part's goroutines become its tasks, of which one runs
// at a time and none is interrupted except where it waits. Package test/sim
// has such a clock. With any other clock (Of returns nil) the functions here
// do what the go statement, a channel and a timer do.
//
// What a part has to keep to, to be run so: it starts goroutines with Go, it
// waits with the functions of this package, it holds no lock while it waits,
// and nothing that others see depends on the order of a map.
package turn

import (
	"context"
	"time"
)

// Scheduler runs tasks one at a time. Its methods are called by its own tasks
// and by the calls that it makes.
type Scheduler interface {
	// Go makes a task of fn and returns at once.
	Go(fn func())
	// Wait returns to the task that calls it once ready has been true. ready
	// is asked again after every task's turn, by the scheduler; it may take
	// what it finds (a value of a channel), because the task is the next to
	// run after it was true. It must not wait.
	Wait(ready func() bool)
	// AfterFunc makes a task of fn after d of the clock's time. stop prevents
	// that if it is not too late.
	AfterFunc(d time.Duration, fn func()) (stop func())
}

// Of returns a clock's scheduler; nil stands for the machine's.
func Of(clock any) Scheduler {
	s, _ := clock.(Scheduler)
	return s
}

// Go runs fn as a task or a goroutine.
func Go(s Scheduler, fn func()) {
	if s == nil {
		go fn()
		return
	}
	s.Go(fn)
}

// Receive waits for a value of ch; ok is false when it is closed.
func Receive[T any](s Scheduler, ch <-chan T) (v T, ok bool) {
	return ReceiveOr(s, ch, nil)
}

// ReceiveOr waits for a value of ch or the end of done, after which ok is
// false. Under a scheduler a value counts before the end.
func ReceiveOr[T any](s Scheduler, ch <-chan T, done <-chan struct{}) (v T, ok bool) {
	if s == nil {
		select {
		case v, ok = <-ch:
		case <-done:
		}
		return v, ok
	}
	s.Wait(func() bool {
		select {
		case v, ok = <-ch:
			return true
		default:
			return ended(done)
		}
	})
	return v, ok
}

// SendOr waits until ch has taken v, or for the end of done, after which it
// returns false.
func SendOr[T any](s Scheduler, ch chan<- T, v T, done <-chan struct{}) (sent bool) {
	if s == nil {
		select {
		case ch <- v:
			return true
		case <-done:
			return false
		}
	}
	s.Wait(func() bool {
		select {
		case ch <- v:
			sent = true
			return true
		default:
			return ended(done)
		}
	})
	return sent
}

func ended(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// Case is a channel of a select statement, for First.
type Case struct {
	ready func() bool
	hide  func()
}

// In is a case that receives from a buffered channel.
func In[T any](ch *<-chan T) Case {
	return Case{func() bool { return len(*ch) > 0 }, func() { *ch = nil }}
}

// Out is a case that sends to a buffered channel.
func Out[T any](ch *chan<- T) Case {
	return Case{func() bool { return *ch != nil && len(*ch) < cap(*ch) }, func() { *ch = nil }}
}

// First makes a select statement repeatable: under a scheduler it waits until
// one of the cases is ready or ctx has ended, and sets the channels of the
// others to nil, so that the statement behind it has one choice. Of several,
// the first counts; the end of ctx comes before all. Without a scheduler it
// does nothing.
//
//	hints, polls := f.hints, poll.C
//	turn.First(f.tasks, ctx, turn.In(&hints), turn.In(&polls))
//	select {
//	case <-ctx.Done():
//	case ev := <-hints:
//	case <-polls:
//	}
func First(s Scheduler, ctx context.Context, cases ...Case) {
	if s == nil {
		return
	}
	first := -1
	s.Wait(func() bool {
		if ctx.Err() != nil {
			return true
		}
		for i := range cases {
			if cases[i].ready() {
				first = i
				return true
			}
		}
		return false
	})
	for i := range cases {
		if i != first {
			cases[i].hide()
		}
	}
}
