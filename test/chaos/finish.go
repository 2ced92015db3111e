package chaos

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	pb "github.com/skein-im/skein/proto/skein/v1"
	"github.com/skein-im/skein/test/history"
)

// FinishOptions bound the end of a load.
type FinishOptions struct {
	// Settle is how long what is under way may take to get an answer, and the
	// devices to show everything; 0 = 60 s.
	Settle time.Duration
	// Fresh is how many users begin anew on a device without a cursor; 0 = 20.
	Fresh int
}

// Finish ends the load once the harm is healed: it stops new messages, waits
// for the outcome of those under way, reads every conversation from its
// beginning, waits until every device shows it to its end, asks each for all
// of its conversations, and lets some users begin anew. Then it checks. The
// error is about getting so far, not about what was found.
func (l *Load) Finish(ctx context.Context, o FinishOptions) (*history.Report, error) {
	if o.Settle == 0 {
		o.Settle = time.Minute
	}
	if o.Fresh == 0 {
		o.Fresh = 20
	}
	defer l.Close()
	l.Quiet()
	var problems []error
	if !until(ctx, o.Settle, func() bool { return l.underWay() == 0 && l.busy.Load() == 0 }) {
		problems = append(problems, fmt.Errorf("%d messages have no answer %s after all was healed", l.underWay(), o.Settle))
	}
	if err := l.each(len(l.watchers), func(i int) error { return l.watchers[i].drain(ctx) }); err != nil {
		return nil, errors.Join(append(problems, err)...)
	}
	if err := l.each(len(l.watchers), func(i int) error { return l.watchers[i].settle(ctx) }); err != nil {
		problems = append(problems, err)
	}
	if err := l.each(len(l.convs), func(i int) error { return l.readLog(ctx, l.convs[i]) }); err != nil {
		return nil, err
	}
	l.awaitViews(ctx, o.Settle)
	if err := l.each(len(l.devices), func(i int) error {
		heads, err := l.inbox(ctx, l.devices[i].user, l.devices[i].hc.Device)
		l.devices[i].hc.Final(heads)
		return err
	}); err != nil {
		return nil, err
	}
	if err := l.fresh(ctx, o); err != nil {
		problems = append(problems, err)
	}
	for _, v := range l.verbs {
		problems = append(problems, v.finish(ctx)...)
	}
	l.Close() // nothing is recorded any more
	return history.Check(l.H), errors.Join(problems...)
}

// each runs a function for 0 to n - 1, some at a time.
func (l *Load) each(n int, fn func(i int) error) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var first error
	limit := make(chan struct{}, 8)
	for i := range n {
		limit <- struct{}{}
		wg.Add(1)
		go func() {
			defer func() { <-limit; wg.Done() }()
			if err := fn(i); err != nil {
				mu.Lock()
				first = errors.Join(first, err)
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
	return first
}

func (l *Load) underWay() (n int) {
	for _, d := range l.devices {
		n += d.underWay()
	}
	return n
}

// readLog reads a conversation from its first position, as somebody who has
// been in it from the beginning.
func (l *Load) readLog(ctx context.Context, c *conv) error {
	log := &history.Log{Conv: c.no, First: c.first}
	caller := l.caller(c.reader)
	ord := uint32(0)
	for after := uint64(0); ; {
		var page pb.ListMessagesResponse
		err := l.insist(ctx, func(base string) error {
			page.Reset()
			return caller.Call(ctx, base, "MessageService/ListMessages", pageAfter(c.id, uint32(after)), &page)
		})
		if err != nil {
			return fmt.Errorf("read %s from its beginning: %w", c.id, err)
		}
		for _, it := range page.Items {
			e := it.Entry
			l.lose(log, uint32(e.Seq)-1, ord)
			ord = uint32(e.Ord)
			kind, hash := payload(e)
			log.Entries = append(log.Entries, history.Entry{ID: history.ID(e.ClientId), Hash: hash, Seq: uint32(e.Seq), Ord: ord, Sender: l.H.User(e.Sender), Kind: kind})
			if m := e.GetBody().GetContent().GetMembers(); kind == history.Members {
				log.Changes = append(log.Changes, history.Change{Seq: uint32(e.Seq), Added: l.users(m.Added), Ended: append(l.users(m.Removed), l.users(m.Left)...)})
			}
		}
		l.lose(log, uint32(page.ToSeq), ord)
		if page.AtEnd || page.ToSeq <= after {
			break
		}
		after = page.ToSeq
	}
	l.H.SetLog(log)
	return nil
}

// pageAfter asks for the positions behind one. After 0 means the newest page
// to the server, so that the first page is asked for from its end.
func pageAfter(conv string, after uint32) *pb.ListMessagesRequest {
	if after == 0 {
		return &pb.ListMessagesRequest{Conversation: conv, BeforeSeq: 101, Limit: 200}
	}
	return &pb.ListMessagesRequest{Conversation: conv, AfterSeq: uint64(after), Limit: 200}
}

// lose notes positions that a page covers and has nothing at.
func (l *Load) lose(log *history.Log, to, ord uint32) {
	for n := uint32(len(log.Entries)); n < to; n++ {
		log.Entries = append(log.Entries, history.Entry{Seq: n + 1, Ord: ord, Kind: history.Lost})
	}
}

func (l *Load) users(names []string) []uint32 {
	var out []uint32
	for _, n := range names {
		out = append(out, l.H.User(n))
	}
	return out
}

// awaitViews waits until every device shows every conversation to its end. A
// device that hears nothing more is severed once: its sync must bring the
// rest. What is missing then is for the checker.
func (l *Load) awaitViews(ctx context.Context, limit time.Duration) {
	behind := func() (list []*Device) {
		for _, d := range l.devices {
			for conv, v := range d.positions() {
				if log := l.H.Logs[l.H.Conv(conv)]; log != nil && int(v) < len(log.Entries) {
					list = append(list, d)
					break
				}
			}
		}
		return list
	}
	if until(ctx, limit/4, func() bool { return len(behind()) == 0 }) {
		return
	}
	for _, d := range behind() {
		l.oddities.add("%s heard nothing more and is behind", d.user)
		d.sever()
	}
	until(ctx, limit/2, func() bool { return len(behind()) == 0 })
}

// inbox asks for all of a user's conversations, as a device without a cursor.
func (l *Load) inbox(ctx context.Context, user, device string) ([]history.Head, error) {
	caller := l.caller(user)
	caller.Device = device
	heads := []history.Head{}
	at := map[string]int{}
	req := &pb.SyncRequest{Conversations: 500, Entries: 1}
	for {
		var page pb.SyncResponse
		err := l.insist(ctx, func(base string) error {
			page.Reset()
			return caller.Call(ctx, base, "SyncService/Sync", req, &page)
		})
		if err != nil {
			return nil, fmt.Errorf("the inbox of %s: %w", user, err)
		}
		for _, d := range page.Conversations {
			if d.Conversation.Membership.GetToSeq() != 0 || d.Conversation.Kind == pb.ConversationKind_CONVERSATION_KIND_SELF {
				continue
			}
			h := headOf(l.H.Conv(d.Conversation.Id), d.Conversation)
			if i, ok := at[d.Conversation.Id]; ok {
				heads[i] = h
				continue
			}
			at[d.Conversation.Id] = len(heads)
			heads = append(heads, h)
		}
		if !page.More {
			order(heads)
			return heads, nil
		}
		req.Cursor = page.Cursor
	}
}

// fresh lets some users begin anew, and waits until they show everything.
func (l *Load) fresh(ctx context.Context, o FinishOptions) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	var all []*Device
	step := max(len(l.devices)/o.Fresh, 1)
	for i := 0; i < len(l.devices); i += step {
		d := newDevice(l, l.devices[i].user, "fresh", nil)
		d.hc.Fresh = true
		d.hc.Final(l.devices[i].hc.Inbox)
		all = append(all, d)
		wg.Add(1)
		go func() { defer wg.Done(); d.run(ctx) }()
	}
	behind := func() (n int) {
		for _, d := range all {
			for _, h := range d.hc.Inbox {
				if d.at(l.H.Convs[h.Conv]) < h.HeadSeq {
					n++
				}
			}
		}
		return n
	}
	if !until(ctx, 4*o.Settle, func() bool { return behind() == 0 }) {
		return fmt.Errorf("devices that began anew miss the end of %d conversations", behind())
	}
	return nil
}
