package gateway

import (
	"container/list"
	"context"
	"encoding/binary"
	"io"
	"runtime"
	"sync"
	"time"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/turn"
)

// loginWait is how long a sign-in waits for its turn. Clients give a hello up
// after 10 s (docs/sdk-spec.md): what is answered later is work for nobody.
const loginWait = 5 * time.Second

// When those who were refused shall come back: at a time of their own within
// this, so that they do not come back together.
const (
	comeBackAfter  = time.Second
	comeBackWithin = 9 * time.Second
)

// gate bounds the sign-ins and syncs that run at the same time. They are the
// dear part of a connection: each reads the database and builds a page, so a
// node that lost and regains ten thousand clients would need all of its memory
// and processors for them, and those who are connected would wait. With a bound
// the storm passes at the speed of the database, whatever that is, and nothing
// has to be tuned to it.
//
// A sync goes before a sign-in: it belongs to a session that has been let in.
type gate struct {
	tasks    turn.Scheduler
	limit    int
	maxQueue int // sign-ins that wait

	mu      sync.Mutex // guards the rest
	running int
	syncs   list.List // of chan struct{}, in the order in which they came
	logins  list.List
}

func newGate(tasks turn.Scheduler, limit, maxQueue int) *gate {
	if limit <= 0 {
		limit = 8*runtime.GOMAXPROCS(0) + 16
	}
	return &gate{tasks: tasks, limit: limit, maxQueue: max(maxQueue, 1)}
}

// enter waits for a turn until ctx ends; leave gives it back. It reports false
// when there is none to be had.
func (g *gate) enter(ctx context.Context, sync bool) bool {
	g.mu.Lock()
	if g.running < g.limit {
		g.running++
		g.mu.Unlock()
		return true
	}
	queue := &g.logins
	if sync {
		queue = &g.syncs
	} else if queue.Len() >= g.maxQueue {
		g.mu.Unlock()
		return false
	}
	mine := make(chan struct{}, 1)
	place := queue.PushBack(mine)
	g.mu.Unlock()
	if _, ok := turn.ReceiveOr(g.tasks, mine, ctx.Done()); ok {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-mine: // it came at the same moment
		return true
	default:
		queue.Remove(place)
		return false
	}
}

// leave ends a turn: the one that waits longest has the next.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, queue := range []*list.List{&g.syncs, &g.logins} {
		if first := queue.Front(); first != nil {
			queue.Remove(first).(chan struct{}) <- struct{}{} // there is room for one
			return
		}
	}
	g.running--
}

// full tells whether a sign-in would be refused now.
func (g *gate) full() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.running >= g.limit && g.logins.Len() >= g.maxQueue
}

// waiting is how many sign-ins and syncs wait.
func (g *gate) waiting() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.logins.Len() + g.syncs.Len()
}

// errBusy is the answer to who would have to wait too long.
func (g *Gateway) errBusy() error {
	return &im.Error{Code: im.Unavailable, Message: "too many sign in at the moment", Hint: "come back when the answer says",
		RetryAfter: g.comeBack()}
}

// comeBack is when somebody who is refused shall try again.
func (g *Gateway) comeBack() time.Duration { return comeBackAfter + g.jitter(comeBackWithin) }

// jitter is a random time below most.
func (g *Gateway) jitter(most time.Duration) time.Duration {
	var b [8]byte
	if _, err := io.ReadFull(g.Entropy, b[:]); err != nil || most <= 0 {
		return 0
	}
	return time.Duration(binary.BigEndian.Uint64(b[:]) % uint64(most))
}
