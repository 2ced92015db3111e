package auth

import (
	"context"
	"sync"
	"time"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// Bounds of a transaction that several sign-ins share.
const (
	// maxShares is how many at most, so that a message's commit need not wait
	// long behind them.
	maxShares = 16
	// shareTimeout bounds one such transaction.
	shareTimeout = 10 * time.Second
)

// together carries sign-ins that come at the same time out in one transaction:
// one sync of the disk for all, and on PostgreSQL none that is rolled back
// because of its neighbour. Sign-ins of different users insert next to each
// other into the same pages of the same indexes, which is enough for the
// engine to see a conflict: eight at a time gave up after twenty attempts each
// when thousands of new devices came at once.
//
// What comes while a transaction runs gathers for the next; one that comes
// alone waits for nobody.
type together struct {
	write func(ctx context.Context, fn func(db.Tx) error) error

	mu    sync.Mutex // guards the rest
	queue []*share
	busy  bool // a goroutine empties the queue
}

// share is one of the transactions that are carried out as one.
type share struct {
	fn   func(db.Tx) (refused, failed error)
	err  error
	done chan struct{} // closed when err is final
}

// do runs fn in a transaction and returns when that is committed. refused is
// fn's own answer, given before it has written anything: it is returned and
// spoils nothing for the others. failed ends the transaction. fn can run
// several times, also after ctx has ended; it may touch nothing of its
// caller's but what the caller reads after nil or refused.
func (t *together) do(ctx context.Context, fn func(db.Tx) (refused, failed error)) error {
	s := &share{fn: fn, done: make(chan struct{})}
	t.mu.Lock()
	t.queue = append(t.queue, s)
	start := !t.busy
	t.busy = true
	t.mu.Unlock()
	if start {
		go t.run(context.WithoutCancel(ctx)) // ends when nothing is queued
	}
	select {
	case <-s.done:
		return s.err
	case <-ctx.Done():
		return im.Errorf(im.Unavailable, "the call was given up before the database answered")
	}
}

func (t *together) run(ctx context.Context) {
	for {
		t.mu.Lock()
		n := min(len(t.queue), maxShares)
		if n == 0 {
			t.queue, t.busy = nil, false
			t.mu.Unlock()
			return
		}
		shares := t.queue[:n:n]
		t.queue = t.queue[n:]
		t.mu.Unlock()
		t.carry(ctx, shares)
	}
}

// carry runs one transaction. When something in it fails that is not the
// database's absence, each gets its own, so that one can not spoil it for the
// others.
func (t *together) carry(ctx context.Context, shares []*share) {
	call, cancel := context.WithTimeout(ctx, shareTimeout)
	defer cancel()
	err := t.write(call, func(tx db.Tx) error {
		for _, s := range shares {
			refused, failed := s.fn(tx)
			if failed != nil {
				return failed
			}
			s.err = refused
		}
		return nil
	})
	if err != nil && len(shares) > 1 && im.CodeOf(err) != im.Unavailable {
		for i := range shares {
			t.carry(ctx, shares[i:i+1])
		}
		return
	}
	for _, s := range shares {
		if err != nil {
			s.err = err
		}
		close(s.done)
	}
}
