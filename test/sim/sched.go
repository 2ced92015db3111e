// Package sim runs whole worlds of the product in one thread: nodes with the
// product's journal (on its in-memory twin), front door, gateway and
// followers, and devices with the product's Go SDK, under a clock, a network,
// a store and dice that a seed decides. A world that breaks a promise prints
// its seed, and the seed repeats it, to the last byte of the trace.
//
// The product's parts start goroutines and wait through internal/turn; here
// its Scheduler is a queue of events in virtual time and a set of coroutines,
// of which the seed's dice choose the next to run (sched.go). The network
// (net.go) and the bus (bus.go) delay, lose, repeat, reorder and cut; nodes
// (node.go) and devices (device.go) crash and come back; the store fails,
// loses answers, is slow, and is restored from an old copy (trouble.go). At
// the end all is healed, and judge.go holds what every device was told to
// what is in the log.
package sim

import (
	"container/heap"
	"fmt"
	"iter"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"
)

// sched is the one thread of a world: coroutines, and events in the order of
// (virtual time, number).
type sched struct {
	now    time.Duration // since the world began
	queue  events
	number uint64
	tasks  []*task // in the order of their making
	dice   *rand.Rand
	turns  int
	still  int          // turns since time passed last
	beats  atomic.Int64 // turns and events, for who watches from outside
	panics []string     // of the product, with their stacks
}

// restless is how many turns one moment may have before a part is said to spin:
// it is ready again each time it has run, so time never passes. An honest
// moment has had some thousands.
const restless = 1_000_000

// event is something that happens at a time. fn must not wait.
type event struct {
	at     time.Duration
	number uint64
	fn     func()
}

type events []*event

// Len, Less, Swap, Push and Pop are container/heap's.
func (q events) Len() int { return len(q) }
func (q events) Less(i, k int) bool {
	return q[i].at < q[k].at || q[i].at == q[k].at && q[i].number < q[k].number
}
func (q events) Swap(i, k int) { q[i], q[k] = q[k], q[i] }
func (q *events) Push(x any)   { *q = append(*q, x.(*event)) }
func (q *events) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// task is a coroutine of a process. It runs until it waits.
type task struct {
	p     *proc
	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool
	ready func() bool // nil = it has not begun
}

// proc is a process: what crashes together. It is the clock and the scheduler
// of the product's parts in it.
type proc struct {
	s      *sched
	name   string
	epoch  time.Time // what its clock shows at the world's beginning
	dead   bool      // it has crashed
	frozen bool      // it gets no processor
	cur    *task     // of it, while one runs
}

// killed ends the coroutines of a process that has crashed.
type killed struct{}

// at schedules fn; a time that has passed counts as now.
func (s *sched) at(at time.Duration, fn func()) *event {
	s.number++
	e := &event{at: max(at, s.now), number: s.number, fn: fn}
	heap.Push(&s.queue, e)
	return e
}

// after schedules fn after d.
func (s *sched) after(d time.Duration, fn func()) *event { return s.at(s.now+max(d, 0), fn) }

// spawn makes a task of a process.
func (s *sched) spawn(p *proc, fn func()) {
	if p.dead {
		return
	}
	t := &task{p: p}
	t.next, t.stop = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		defer func() {
			switch r := recover(); r.(type) {
			case nil, killed:
			default:
				s.panics = append(s.panics, fmt.Sprintf("panic in %s: %v\n%s", p.name, r, debug.Stack()))
			}
		}()
		fn()
	})
	s.tasks = append(s.tasks, t)
}

// turn lets one task run that can; false when none can.
func (s *sched) turn() bool {
	n := len(s.tasks)
	if n == 0 {
		return false
	}
	first := s.dice.IntN(n)
	for i := range n {
		t := s.tasks[(first+i)%n]
		if t.p.frozen || t.ready != nil && !t.ready() {
			continue
		}
		s.turns++
		s.beats.Add(1)
		if s.still++; s.still > restless {
			s.panics = append(s.panics, t.p.name+" spins: its tasks are ready again each time they have run, and time stands still")
			return false
		}
		before := t.p.cur
		t.p.cur = t
		_, more := t.next()
		t.p.cur = before
		if !more {
			if k := slices.Index(s.tasks, t); k >= 0 {
				s.tasks = slices.Delete(s.tasks, k, k+1)
			}
		}
		return true
	}
	return false
}

// run lets time pass until a moment, or until stop says so.
func (s *sched) run(until time.Duration, stop func() bool) {
	for len(s.panics) == 0 {
		for s.turn() {
			if len(s.panics) > 0 {
				return
			}
		}
		if stop != nil && stop() {
			return
		}
		if len(s.queue) == 0 || s.queue[0].at > until {
			s.now = max(s.now, until)
			return
		}
		e := heap.Pop(&s.queue).(*event)
		if e.at > s.now {
			s.still = 0
		}
		s.now = e.at
		s.beats.Add(1)
		e.fn()
	}
}

// kill ends a process: its tasks stop where they wait, and what is in its
// memory is gone. It is called by an event, never by a task of the process.
func (s *sched) kill(p *proc) {
	if p.dead {
		return
	}
	p.dead = true
	var mine []*task
	s.tasks = slices.DeleteFunc(s.tasks, func(t *task) bool {
		if t.p == p {
			mine = append(mine, t)
		}
		return t.p == p
	})
	for _, t := range mine {
		t.stop()
	}
}

// Now implements the clocks of the server and of the SDK.
func (p *proc) Now() time.Time { return p.epoch.Add(p.s.now) }

// Go implements turn.Scheduler.
func (p *proc) Go(fn func()) { p.s.spawn(p, fn) }

// AfterFunc implements turn.Scheduler and the SDK's clock.
func (p *proc) AfterFunc(d time.Duration, fn func()) (stop func()) {
	stopped := false
	p.s.after(d, func() {
		if !stopped && !p.dead {
			p.s.spawn(p, fn)
		}
	})
	return func() { stopped = true }
}

// Wait implements turn.Scheduler.
func (p *proc) Wait(ready func() bool) {
	if p.dead {
		panic(killed{})
	}
	if ready() {
		return
	}
	t := p.cur
	if t == nil {
		panic("sim: " + p.name + " waits outside a task")
	}
	t.ready = ready
	if !t.yield(struct{}{}) {
		panic(killed{})
	}
}

// sleep lets a task of the process wait for a time.
func (p *proc) sleep(d time.Duration) {
	until := p.s.now + d
	p.s.at(until, func() {})
	p.Wait(func() bool { return p.s.now >= until })
}
