package skein

import (
	"cmp"
	"context"
	"iter"
	"strings"
	"time"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// HistoryOptions says what History shall read. The zero value is all of it,
// from the newest message backwards.
type HistoryOptions struct {
	// Before reads backwards from this seq (exclusive); 0 = from the newest.
	Before uint64
	// After, if not 0, reads forwards from this seq (exclusive). FromStart
	// reads forwards from the first message.
	After     uint64
	FromStart bool
	// Limit is how many messages a page has at most: 1 to 200, 0 = 50.
	Limit int
}

// History reads a conversation page by page, each oldest first: from the
// store what is current there, from the server the rest, which then is in the
// store. It never leaves anything out: where a gap can not be filled it ends
// with the error.
//
//	for page, err := range conversation.History(ctx, skein.HistoryOptions{}) {
//
// Errors: Unavailable without a network, NotFound, Aborted, Closed, Storage.
func (v *Conversation) History(ctx context.Context, o HistoryOptions) iter.Seq2[[]Message, error] {
	return func(yield func([]Message, error) bool) {
		id, err := v.key()
		if err != nil {
			yield(nil, err)
			return
		}
		r := &historyReader{c: v.c, conv: id, limit: min(cmp.Or(max(o.Limit, 0), 50), 200),
			forward: o.After > 0 || o.FromStart, at: o.Before}
		if r.forward {
			r.at = o.After
		}
		for {
			page, more, err := r.next(ctx)
			if err != nil {
				yield(nil, err)
				return
			}
			if len(page) > 0 && !yield(page, nil) || !more {
				return
			}
		}
	}
}

// historyReader walks in one direction. at is the exclusive start of the next
// page; 0 backwards is past the head.
type historyReader struct {
	c       *Client
	conv    string
	limit   int
	forward bool
	at      uint64
	tries   int // calls that brought nothing nearer
}

// next returns the next page, which may be empty, and whether there is more.
func (r *historyReader) next(ctx context.Context) (page []Message, more bool, err error) {
	for {
		var ask *skeinv1.ListMessagesRequest
		if err := r.c.do(ctx, func() { page, more, ask = r.local() }); err != nil {
			return nil, false, err
		}
		if ask == nil {
			return page, more, nil
		}
		if r.tries++; r.tries > 3 {
			return nil, false, errorf(Unavailable, nil, "the server's pages lag behind its news")
		}
		var resp skeinv1.ListMessagesResponse
		if err := r.c.rpc(ctx, "MessageService/ListMessages", ask, &resp); err != nil {
			return nil, false, err
		}
		ev := pageEvent{conv: r.conv, before: ask.GetBeforeSeq(), after: ask.GetAfterSeq(), asked: ask.GetAfterSeq() > 0, page: &resp}
		end := false
		if err := r.c.do(ctx, func() {
			r.c.apply(ev)
			cv := r.c.st.convs[r.conv] // nil: the page was of another incarnation, which does not know it
			end = resp.GetToSeq() == 0 && (cv == nil || cv.head.seq == 0)
		}); err != nil {
			return nil, false, err
		}
		if end {
			return nil, false, nil
		}
	}
}

// local reads what is current here, or says what to ask the server. It runs
// on the loop.
func (r *historyReader) local() (page []Message, more bool, ask *skeinv1.ListMessagesRequest) {
	cv := r.c.st.convs[r.conv]
	if cv == nil || cv.head.seq == 0 {
		return nil, false, r.request(0)
	}
	if r.forward {
		return r.up(cv)
	}
	pos := r.at
	if pos == 0 || pos > cv.head.seq+1 {
		pos = cv.head.seq + 1
	}
	if pos == 1 {
		return nil, false, nil
	}
	s, ok := cv.ranges.around(pos - 1)
	if !ok {
		if pos == cv.head.seq+1 {
			pos = 0
		}
		return nil, false, r.request(pos)
	}
	page = r.c.loaded(cv, s.from, pos-1, r.limit, true)
	r.at, r.tries = s.from, 0
	if len(page) == r.limit {
		r.at = page[0].Seq
	}
	return page, r.at > 1, nil
}

func (r *historyReader) up(cv *conv) (page []Message, more bool, ask *skeinv1.ListMessagesRequest) {
	if r.at >= cv.head.seq {
		return nil, false, nil
	}
	s, ok := cv.ranges.around(r.at + 1)
	if !ok {
		return nil, false, r.request(r.at)
	}
	page = r.c.loaded(cv, r.at+1, s.to, r.limit, false)
	r.at, r.tries = s.to, 0
	if len(page) == r.limit {
		r.at = page[len(page)-1].Seq
	}
	return page, r.at < cv.head.seq, nil
}

func (r *historyReader) request(at uint64) *skeinv1.ListMessagesRequest {
	q := &skeinv1.ListMessagesRequest{Conversation: r.conv, Limit: uint32(r.limit)}
	switch {
	case !r.forward:
		q.BeforeSeq = at
	case at > 0:
		q.AfterSeq = at
	default: // "after 0" would be the newest page
		q.BeforeSeq = uint64(r.limit) + 1
	}
	return q
}

// lookForHoles sees to it that what is missing is fetched, when it has been
// missing for a while: out of order is normal for a moment.
func (c *Client) lookForHoles() {
	if c.conn.state != Online {
		return // up looks at all conversations
	}
	for _, id := range sortedKeys(c.holes) {
		delete(c.holes, id)
		name := "hole/" + id
		if !c.st.holes[id] {
			c.stopTimer(name)
			continue
		}
		if c.timers[name] == nil && !c.repairing[id] {
			c.setTimer(name, repairDelay, func() { c.repair(id) })
		}
	}
}

// wideHole is how many positions are fetched one after the other; a wider
// hole is jumped over and becomes a gap.
const wideHole = 1000

// repair closes a hole by asking for what lies in it.
func (c *Client) repair(id string) {
	cv := c.st.convs[id]
	if cv == nil || c.conn.state != Online || c.repairing[id] {
		return
	}
	hole, ok := cv.hole()
	if !ok {
		return
	}
	q := &skeinv1.ListMessagesRequest{Conversation: id, AfterSeq: cv.live, Limit: 200}
	ev := pageEvent{conv: id, after: cv.live, asked: true, repair: true}
	if hole.to-hole.from >= wideHole || cv.live == 0 && hole.to > 200 {
		q.AfterSeq, q.Limit = 0, 50
		ev.after, ev.asked = 0, false
	} else if cv.live == 0 {
		q.BeforeSeq, q.AfterSeq = hole.to+1, 0 // "after 0" would be the newest page
		ev.before, ev.after, ev.asked = hole.to+1, 0, false
	}
	c.log.Info("closing a hole", "conversation", id, "from_seq", hole.from, "to_seq", hole.to)
	c.repairing[id] = true
	ev.page = &skeinv1.ListMessagesResponse{}
	c.call(func(ctx context.Context) error {
		return c.rpc(ctx, "MessageService/ListMessages", q, ev.page)
	}, func(err error) {
		delete(c.repairing, id)
		before := cv.live
		wait := time.Duration(0)
		switch {
		case err == nil:
			c.apply(ev)
			if cv.live == before {
				wait = 30 * time.Second // nothing came nearer
			}
		case asError(err).Code.definitive():
			c.log.Warn("a hole can not be closed", "conversation", id, "code", CodeOf(err))
			return // whatever comes next of this conversation tries again
		default:
			wait = time.Second + asError(err).RetryAfter
		}
		if c.st.holes[id] {
			c.setTimer("hole/"+id, wait, func() { c.repair(id) })
		}
	})
}

// SearchOptions narrows a search.
type SearchOptions struct {
	// Conversation to search in; nil: all.
	Conversation *Conversation
	// Limit is 1 to 1000; 0 = 50.
	Limit int
}

// Search finds messages that contain a text, whatever its case, newest first,
// in what this device holds. It does not ask the server.
//
// Errors: InvalidArgument (empty text), Storage, Aborted, Closed.
func (c *Client) Search(ctx context.Context, text string, o SearchOptions) ([]Message, error) {
	text = strings.ToLower(text)
	if text == "" {
		return nil, errorf(InvalidArgument, nil, "there is no text to search for")
	}
	conv := ""
	if o.Conversation != nil {
		var err error
		if conv, err = o.Conversation.key(); err != nil {
			return nil, err
		}
	}
	rows, err := c.opt.Store.Search(ctx, text, conv, min(cmp.Or(max(o.Limit, 0), 50), 1000))
	if err != nil {
		if ctx.Err() != nil {
			return nil, aborted(ctx.Err())
		}
		return nil, errorf(Storage, err, "the store could not be searched")
	}
	var out []Message
	err = c.do(ctx, func() {
		for _, row := range rows {
			cv := c.st.convs[row.Conversation]
			m, err := decodeMessage(row.Data)
			if cv == nil || err != nil {
				continue
			}
			out = append(out, c.st.viewMessage(cv, m))
		}
	})
	return out, err
}

// Search is Client.Search in this conversation.
func (v *Conversation) Search(ctx context.Context, text string, limit int) ([]Message, error) {
	return v.c.Search(ctx, text, SearchOptions{Conversation: v, Limit: limit})
}
