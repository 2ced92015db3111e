package turn_test

import (
	"context"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/turn"
)

// inline is a scheduler for a test of one task: time passes when it waits.
type inline struct {
	t    *testing.T
	late []func()
}

func (s *inline) Now() time.Time { return time.Unix(0, 0) }
func (s *inline) Go(fn func())   { fn() }

func (s *inline) Wait(ready func() bool) {
	for !ready() {
		if len(s.late) == 0 {
			s.t.Fatal("nothing will ever be ready")
		}
		fn := s.late[0]
		s.late = s.late[1:]
		fn()
	}
}

func (s *inline) AfterFunc(_ time.Duration, fn func()) func() {
	stopped := false
	s.late = append(s.late, func() {
		if !stopped {
			fn()
		}
	})
	return func() { stopped = true }
}

func TestASchedulerOfAClockIsFound(t *testing.T) {
	if s := turn.Of(&inline{t: t}); s == nil {
		t.Error("the clock's scheduler was not found")
	}
	if s := turn.Of(struct{}{}); s != nil {
		t.Error("a clock without a scheduler has one")
	}
}

func TestWaitingDoesTheSameWithAndWithoutAScheduler(t *testing.T) {
	for name, s := range map[string]turn.Scheduler{"goroutines": nil, "scheduler": &inline{t: t}} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			ch := make(chan int, 1)
			turn.Go(s, func() { turn.SendOr(s, ch, 7, ctx.Done()) })
			if v, ok := turn.Receive(s, ch); v != 7 || !ok {
				t.Fatal("received", v, ok)
			}
			cancel()
			if _, ok := turn.ReceiveOr(s, ch, ctx.Done()); ok {
				t.Error("received a value that nobody sent")
			}
			ch <- 1
			if turn.SendOr(s, ch, 2, ctx.Done()) {
				t.Error("sent into a full channel")
			}
			close(ch)
			<-ch
			if _, ok := turn.Receive(s, ch); ok {
				t.Error("received from a closed channel")
			}
		})
	}
}

func TestTimersAndTickersOfASchedulerFireThroughTheirChannels(t *testing.T) {
	s := &inline{t: t}
	timer := turn.NewTimer(s, time.Hour)
	timer.Reset(time.Minute)
	turn.Receive(s, timer.C)
	timer.Reset(time.Minute)
	timer.Stop()
	ticker := turn.NewTicker(s, time.Second)
	turn.Receive(s, ticker.C)
	turn.Receive(s, ticker.C)
	ticker.Stop()
	if len(timer.C) != 0 {
		t.Error("a timer that was stopped has fired")
	}
	for _, real := range []<-chan time.Time{turn.NewTimer(nil, 1).C, turn.NewTicker(nil, 1).C} {
		<-real
	}
}

func TestFirstLeavesTheFirstReadyCaseAlone(t *testing.T) {
	s := &inline{t: t}
	a, b, c := make(chan int, 1), make(chan int, 1), make(chan int, 1)
	b <- 2
	c <- 3
	var in1, in2 <-chan int = a, c
	var out chan<- int = b
	turn.First(s, t.Context(), turn.In(&in1), turn.Out(&out), turn.In(&in2))
	if in1 != nil || out != nil || in2 == nil {
		t.Error("not the third case:", in1, out, in2)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	turn.First(s, ended, turn.In(&in2))
	if in2 != nil {
		t.Error("a case was chosen after the end")
	}
	in1 = a
	turn.First(nil, t.Context(), turn.In(&in1))
	if in1 == nil {
		t.Error("a case was hidden without a scheduler")
	}
}
