package netlab

import (
	"container/heap"
	"math/rand/v2"
	"sync"
	"time"
)

// Quality is what a link does to packets. The zero value passes all at once.
type Quality struct {
	Loss    float64 // share that is lost
	Twice   float64 // share that comes twice
	Reorder float64 // share that overtakes what is delayed
	// Delay is how long each takes; Jitter is added or taken away evenly,
	// without changing the order.
	Delay, Jitter time.Duration
	// Rate is in bits a second, headers of IP included; 0 is no bound. What
	// does not get through waits in a queue of so many bytes (64 KiB), and is
	// lost when that is full.
	Rate, Queue int
}

// Counts are what a link has done.
type Counts struct{ Sent, Bytes, Passed, Lost, Overflowed, Twice, Overtook int64 }

// Link is one direction of a cable.
type Link struct {
	mu      sync.Mutex // guards the rest
	rng     *rand.Rand
	q       Quality
	free    time.Time // when what was sent before is through
	last    time.Time // when what was sent before arrives
	waiting queue
	n       Counts
	seq     uint64
	closed  bool
	wake    chan struct{}
	done    chan struct{}
}

func newLink(rng *rand.Rand) *Link {
	l := &Link{rng: rng, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go l.run()
	return l
}

// Set changes what the link does; what is on its way keeps its time.
func (l *Link) Set(q Quality) {
	if q.Queue <= 0 {
		q.Queue = 64 << 10
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.q = q
}

// Counts of the moment.
func (l *Link) Counts() Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.n
}

// late is a packet on its way.
type late struct {
	due time.Time
	seq uint64
	p   Packet
	to  func(Packet)
}

// queue is a heap of what arrives next.
type queue []late

func (q queue) Len() int      { return len(q) }
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(late)) }
func (q queue) Less(i, j int) bool {
	if !q[i].due.Equal(q[j].due) {
		return q[i].due.Before(q[j].due)
	}
	return q[i].seq < q[j].seq
}
func (q *queue) Pop() any {
	old := *q
	x := old[len(old)-1]
	old[len(old)-1] = late{}
	*q = old[:len(old)-1]
	return x
}

// send passes a packet on, now, later, twice or not at all.
func (l *Link) send(p Packet, to func(Packet)) {
	now := time.Now()
	l.mu.Lock()
	l.n.Sent++
	l.n.Bytes += int64(len(p))
	// The dice are thrown for every packet, so that one kind of trouble does
	// not change when another comes.
	lost, twice, early := l.rng.Float64() < l.q.Loss, l.rng.Float64() < l.q.Twice, l.rng.Float64() < l.q.Reorder
	jitter := time.Duration((2*l.rng.Float64() - 1) * float64(l.q.Jitter))
	due := now
	if l.q.Rate > 0 && !lost {
		// The sum of what waits is known from when it will be through.
		if l.free.Before(now) {
			l.free = now
		}
		if int(l.free.Sub(now).Seconds()*float64(l.q.Rate)/8)+len(p) > l.q.Queue {
			l.n.Overflowed++
			l.mu.Unlock()
			return
		}
		l.free = l.free.Add(time.Duration(float64(len(p)*8) / float64(l.q.Rate) * float64(time.Second)))
		due = l.free
	}
	if lost {
		l.n.Lost++
		l.mu.Unlock()
		return
	}
	l.n.Passed++
	copies := 1
	if twice {
		l.n.Twice++
		copies = 2
	}
	if early && l.q.Delay > 0 {
		l.n.Overtook++
	} else {
		if due = due.Add(max(0, l.q.Delay+jitter)); due.Before(l.last) {
			due = l.last
		}
		l.last = due
	}
	if len(l.waiting) == 0 && !due.After(now) {
		l.mu.Unlock()
		for range copies {
			to(append(Packet(nil), p...))
		}
		return
	}
	for range copies {
		l.seq++
		heap.Push(&l.waiting, late{due, l.seq, append(Packet(nil), p...), to})
	}
	first := l.waiting[0].seq == l.seq
	l.mu.Unlock()
	if first {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// run lets arrive what is due.
func (l *Link) run() {
	defer close(l.done)
	t := time.NewTimer(time.Hour)
	defer t.Stop()
	for {
		l.mu.Lock()
		if l.closed {
			l.mu.Unlock()
			return
		}
		var ready []late
		wait := time.Hour
		now := time.Now()
		for len(l.waiting) > 0 {
			if wait = l.waiting[0].due.Sub(now); wait > 0 {
				break
			}
			ready = append(ready, heap.Pop(&l.waiting).(late))
			wait = time.Hour
		}
		l.mu.Unlock()
		for _, x := range ready {
			x.to(x.p)
		}
		if len(ready) > 0 {
			continue
		}
		t.Reset(wait)
		select {
		case <-t.C:
		case <-l.wake:
		}
	}
}

func (l *Link) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
	<-l.done
}
