package db

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A connection keeps what it has read: up to readerPragma's cache each, and
// more for the writer. That is worth it under load and a waste in a server
// that is silent, so it is given back when nobody needs it.
const (
	trimEvery = time.Second
	// busyUses is how many statements between two trims make a cache worth its
	// memory; calmTrims is how many trims in a row have to see fewer. fewUses
	// leave so little behind that it is not looked at again.
	busyUses  = 500
	calmTrims = 2
	fewUses   = 50
	// oldTrims is after how many trims a reader that nobody has used is closed.
	oldTrims = 5
)

// idleReaders are the open connections for reading that nobody uses. The one
// that was used last is used next, so that a load which needs two connections
// fills the caches of two.
type idleReaders struct {
	mu    sync.Mutex // guards the rest
	stack []idleReader
	round int // trims so far
	uses  int // statements since the last trim
}

type idleReader struct {
	c     *liteConn
	round int // when it was put here
}

// take returns the connection that was used last, or nil.
func (r *idleReaders) take() *liteConn {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.stack)
	if n == 0 {
		return nil
	}
	c := r.stack[n-1].c
	r.stack = r.stack[:n-1]
	return c
}

func (r *idleReaders) put(c *liteConn) {
	if c.broken { // database/sql has closed it
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.uses += c.uses
	c.uses = 0
	r.stack = append(r.stack, idleReader{c, r.round})
}

// all empties the stack.
func (r *idleReaders) all() (cs []*liteConn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, i := range r.stack {
		cs = append(cs, i.c)
	}
	r.stack = nil
	return cs
}

// unused takes out what was not used for oldTrims calls, and tells how many
// statements there were since the last.
func (r *idleReaders) unused() (cs []*liteConn, uses int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.round++
	r.stack = slices.DeleteFunc(r.stack, func(i idleReader) bool {
		old := i.round < r.round-oldTrims
		if old {
			cs = append(cs, i.c)
		}
		return old
	})
	uses, r.uses = r.uses, 0
	return cs, uses
}

// trims gives memory back until the database is closed: connections for reading
// that have not been used for a while are closed, in a calm all of them, and
// the writer's cache is emptied then.
func (l *lite) trims() {
	defer l.stopped.Done()
	t := time.NewTicker(trimEvery)
	defer t.Stop()
	readers, writer := calmer{}, calmer{}
	for {
		select {
		case <-l.stop:
			return
		case <-t.C:
		}
		closing, uses := l.idle.unused()
		if readers.now(uses) { // the next one opens anew, which takes a millisecond
			closing = append(closing, l.idle.all()...)
		}
		for _, c := range closing {
			_ = c.close() // it has only read
		}
		select {
		case <-l.wlock:
		default:
			continue // it is at work
		}
		if !l.closed && !l.writer.broken && writer.now(l.writer.uses) {
			l.writer.shrink()
		}
		l.writer.uses = 0
		l.unlock()
	}
}

// calmer tells when a cache is to be emptied: when there has been a calm for a
// while, once until it may have filled again.
type calmer struct {
	filled bool
	calm   int // trims in a row
}

func (c *calmer) now(uses int) bool {
	c.filled = c.filled || uses >= fewUses
	if c.calm++; uses >= busyUses {
		c.calm = 0
	}
	if !c.filled || c.calm < calmTrims {
		return false
	}
	c.filled, c.calm = false, 0
	return true
}

// shrink empties a connection's cache of pages.
func (c *liteConn) shrink() {
	_, _ = c.conn.ExecContext(context.Background(), "PRAGMA shrink_memory") // nothing depends on it
}
