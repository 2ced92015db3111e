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
	trimEvery = 4 * time.Second
	// busyUses is how many transactions between two trims make a connection
	// worth its cache, and fewUses how many leave too little in it to look at.
	busyUses = 200
	fewUses  = 16
)

// idleReaders are the open connections for reading that nobody uses. The one
// that was used last is used next, so that a load which needs two connections
// fills the caches of two.
type idleReaders struct {
	mu    sync.Mutex // guards the rest
	stack []idleReader
	round int // trims so far
	uses  int // since the last trim
}

type idleReader struct {
	c     *liteConn
	round int // when it was put here
}

// take returns the connection that was used last, or nil.
func (r *idleReaders) take() *liteConn {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.uses++
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

// unused takes out what was not used since the last call but one, and tells
// how many uses there were since the last.
func (r *idleReaders) unused() (cs []*liteConn, uses int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.round++
	r.stack = slices.DeleteFunc(r.stack, func(i idleReader) bool {
		old := i.round < r.round-1
		if old {
			cs = append(cs, i.c)
		}
		return old
	})
	uses, r.uses = r.uses, 0
	return cs, uses
}

// trims gives memory back until the database is closed: connections that have
// not been used for a while are closed, and in a calm the caches of the others
// are emptied, once until there is load again.
func (l *lite) trims() {
	defer l.stopped.Done()
	t := time.NewTicker(trimEvery)
	defer t.Stop()
	var commits uint
	readers, writer := calmer{}, calmer{}
	for {
		select {
		case <-l.stop:
			return
		case <-t.C:
		}
		closing, uses := l.idle.unused()
		for _, c := range closing {
			_ = c.close() // it has only read
		}
		if readers.now(uses) {
			if c := l.idle.take(); c != nil {
				c.shrink()
				l.idle.put(c)
			}
		}
		select {
		case <-l.wlock:
		default:
			continue // it is at work
		}
		if !l.closed && !l.writer.broken && writer.now(int(l.commits-commits)) {
			l.writer.shrink()
		}
		commits = l.commits
		l.unlock()
	}
}

// calmer tells when a cache is to be emptied: in a calm, unless that was done
// and next to nothing has happened since.
type calmer struct{ done bool }

func (c *calmer) now(uses int) bool {
	if uses >= busyUses {
		c.done = false
		return false
	}
	first := !c.done
	c.done = true
	return first || uses >= fewUses
}

// shrink empties a connection's cache of pages.
func (c *liteConn) shrink() {
	_, _ = c.conn.ExecContext(context.Background(), "PRAGMA shrink_memory") // nothing depends on it
}
