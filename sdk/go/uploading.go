package skein

import (
	"context"
	"math"
	"slices"
	"time"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

const (
	maxUploads  = 3 // files at a time
	maxBlunders = 8 // internal errors in a row before an upload fails
	tellEvery   = 500 * time.Millisecond
	doubtTime   = 5 * time.Second // without a byte on a connection that may be lost
)

// uploading is what the loop owns of the files that are on their way.
type uploading struct {
	waiting  []*item // messages whose files are not all there, oldest first
	bringing int     // attempts that are under way
	wakeAt   int64   // of the timer, local milliseconds; 0 = none
}

// pumpUploads sees to the messages whose files are not there: it begins what
// may begin, ends what was paused or taken back, and gives to the outbox what is
// whole. It is run whenever something may have changed.
func (c *Client) pumpUploads() {
	u := &c.uploading
	if len(u.waiting) == 0 {
		return
	}
	u.waiting = slices.DeleteFunc(u.waiting, func(it *item) bool {
		_, kept := c.st.itemByID(it.id)
		switch {
		case kept != it:
			c.dropUpload(it)
		case it.state != Sending:
			c.stopParts(it)
		default:
			return it.files.ready
		}
		return true
	})
	wake := int64(math.MaxInt64)
	for _, it := range slices.Clone(u.waiting) {
		if it.files.paused {
			c.stopParts(it)
		} else if c.pumpParts(it, &wake) {
			c.uploaded(it)
		}
	}
	switch {
	case wake == math.MaxInt64:
		u.wakeAt = 0
		c.stopTimer("uploads")
	case wake != u.wakeAt:
		u.wakeAt = wake
		c.setTimer("uploads", time.Duration(wake-c.now())*time.Millisecond, func() { u.wakeAt = 0 }) // the loop pumps after it
	}
	if u.bringing > 0 && c.timers["uploads/pace"] == nil {
		c.setTimer("uploads/pace", tellEvery, c.tellPace)
	}
}

// pumpParts begins what may begin of one message, and tells whether all is there.
func (c *Client) pumpParts(it *item, wake *int64) (whole bool) {
	whole = true
	for _, p := range it.files.parts {
		if p.whole != nil {
			continue
		}
		whole = false
		switch {
		case p.stop != nil || c.conn.state != Online || c.uploading.bringing >= maxUploads:
		case p.notBefore > c.now():
			*wake = min(*wake, p.notBefore)
		default:
			c.startPart(it, p)
		}
	}
	return whole
}

// startPart makes an attempt on a goroutine of its own.
func (c *Client) startPart(it *item, p *part) {
	ctx, cancel := context.WithCancel(c.ctx)
	c.mu.Lock()
	p.stop = cancel
	c.mu.Unlock()
	c.uploading.bringing++
	c.tellUpload(it)
	c.start(func() {
		f, err := c.bring(ctx, p, func(id string, sum []byte) error {
			return c.do(ctx, func() {
				c.mu.Lock()
				p.id, p.sum = id, sum
				c.mu.Unlock()
				c.dirty.outbox[it.id] = true
			})
		})
		cancel()
		c.post(func() { c.brought(it, p, f, err) })
	})
}

// brought takes what became of an attempt.
func (c *Client) brought(it *item, p *part, f *skeinv1.File, err error) {
	c.uploading.bringing--
	c.mu.Lock()
	p.stop = nil
	if err == nil {
		p.whole = f
	}
	c.mu.Unlock()
	_, kept := c.st.itemByID(it.id)
	switch {
	case kept != it:
		c.giveUpPart(p)
	case err == nil:
		p.fails, p.internal = 0, 0
		c.dirty.outbox[it.id] = true
	case it.state != Sending || it.files.paused:
		// It was stopped.
	default:
		again, final := c.afterFailure(p, asError(err))
		if final != nil {
			c.failUpload(it, final)
			return
		}
		p.notBefore = c.now() + again.Milliseconds()
	}
	c.tellUpload(it)
}

// afterFailure tells how long to wait after an attempt that failed; final says
// that another one can not help.
func (c *Client) afterFailure(p *part, err *Error) (again time.Duration, final *Error) {
	if at := p.progress.at.Load(); at > p.lastAt {
		p.fails, p.internal, p.lastAt = 0, 0, at
	}
	switch err.Code {
	case Aborted, Closed:
		return 0, nil
	case ResourceExhausted:
		if err.RetryAfter == 0 || err.RetryAfter > longestWaitMS*time.Millisecond {
			return 0, err // a quota that is used up: the user decides
		}
	case Internal:
		if p.internal++; p.internal >= maxBlunders {
			return 0, err
		}
	case Unavailable, RateLimited, Unauthenticated, TokenExpired, SignedOut:
	case InvalidArgument: // bytes that are not those of the hash, too: what came of them is gone
		c.mu.Lock()
		p.id, p.sum = "", nil
		c.mu.Unlock()
		return 0, err
	default:
		return 0, err
	}
	p.fails++
	backoff := c.box.random() * math.Min(backoffCap, backoffBase*math.Pow(2, float64(p.fails)))
	return err.RetryAfter + time.Duration(backoff)*time.Millisecond, nil
}

// uploaded gives a message to the outbox, whose files are there.
func (c *Client) uploaded(it *item) {
	c.mu.Lock()
	it.body, it.files.ready = withFiles(it.body, it.files.parts), true
	c.mu.Unlock()
	c.dirty.outbox[it.id] = true
	c.changes = append(c.changes, change{kind: changeMessageUpdated, conv: it.conv, id: it.id})
	c.putBack(it)
	for _, op := range c.about(it) {
		c.putBack(op)
	}
	c.tellUpload(it)
}

// about are the operations that wait for an item.
func (c *Client) about(it *item) (ops []*item) {
	for _, op := range c.st.outbox {
		if op.op != opSend && op.targetID == it.id {
			ops = append(ops, op)
		}
	}
	return ops
}

// failUpload gives a message up whose files can not be brought, and what waits
// for it.
func (c *Client) failUpload(it *item, err *Error) {
	c.apply(failedEvent{it.id, err})
	c.failAbout(it)
}

func (c *Client) failAbout(it *item) {
	for _, op := range c.about(it) {
		c.failItem(op.id, FailedPrecondition)
	}
}

// recheck looks once more whether the files of a message that was refused are
// there: the server forgets what no message has for long. It tells whether that
// may be why.
func (c *Client) recheck(it *item) bool {
	if it == nil || it.files == nil || it.files.rechecked {
		return false
	}
	it.files.rechecked = true
	for _, x := range append(c.about(it), it) {
		c.outbox(outEvent{Type: "discard", ID: x.id})
	}
	c.unready(it)
	c.putBack(it)
	return true
}

// unready has the files of a message looked at again.
func (c *Client) unready(it *item) {
	c.mu.Lock()
	it.files.ready, it.files.paused = false, false
	for _, p := range it.files.parts {
		p.whole = nil
	}
	c.mu.Unlock()
	for _, p := range it.files.parts {
		p.fails, p.internal, p.notBefore = 0, 0, 0
		p.progress.anew.Store(0)
	}
	c.dirty.outbox[it.id] = true
}

// stopParts ends the attempts of a message.
func (c *Client) stopParts(it *item) {
	for _, p := range it.files.parts {
		if p.stop != nil {
			p.stop()
		}
	}
}

// dropUpload ends what is under way of a message that is not to be sent any
// more.
func (c *Client) dropUpload(it *item) {
	for _, p := range it.files.parts {
		if p.stop != nil {
			p.stop()
		} else {
			c.giveUpPart(p)
		}
	}
	c.failAbout(it)
}

func (c *Client) giveUpPart(p *part) {
	if p.id != "" && p.whole == nil {
		c.giveUp(p.id)
	}
}

// wakeUploads has all that wait try again at once: there is a connection, or
// none. What was under way over the connection before may wait for an answer
// that never comes: where nothing moves, it begins anew.
func (c *Client) wakeUploads(up bool) {
	at := map[*part]int64{}
	for _, it := range c.uploading.waiting {
		for _, p := range it.files.parts {
			if p.notBefore = 0; p.stop != nil {
				at[p] = p.progress.at.Load()
			}
		}
		c.tellUpload(it)
	}
	if !up || len(at) == 0 {
		return
	}
	c.setTimer("uploads/doubt", doubtTime, func() {
		for p, was := range at {
			if p.stop != nil && p.progress.at.Load() == was {
				p.stop()
			}
		}
	})
}

// tellPace tells how far the uploads are, from time to time.
func (c *Client) tellPace() {
	for _, it := range c.uploading.waiting {
		if slices.ContainsFunc(it.files.parts, func(p *part) bool { return p.stop != nil }) {
			c.tellUpload(it)
		}
	}
}

// tellUpload tells of a message's files.
func (c *Client) tellUpload(it *item) {
	c.mu.Lock()
	it.files.pace.note(c.now(), it.files.sent())
	t := c.transferOf(it)
	c.mu.Unlock()
	emit(c, &c.on.upload, UploadEvent{t})
	if fn := it.files.onProgress; fn != nil {
		c.queue = append(c.queue, func() { fn(t) })
	}
}
