package gateway

import (
	"context"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/turn"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// The output that may wait for a reader whose sync goes on by itself.
const (
	// syncAhead: with more than this the reading of pages pauses.
	syncAhead = 1 << 20
	// syncResume: with less than this it goes on.
	syncResume = 256 << 10
)

// sync answers a sync, or the one of the hello: with a page, or, when the
// client asked for that, with all of them, as fast as it takes them.
func (s *session) sync(f *clientFrame, ref uint32) {
	r := f.msg.GetSync()
	s.forgetTold()
	cursor := r.GetCursor()
	for more := true; more; {
		more = false
		began := s.g.Clock.Now()
		err := s.pages(r, cursor, func(res chat.SyncResult) bool {
			s.handle(event{kind: evSynced, now: s.g.Clock.Now(), ref: ref, sync: res})
			cursor, more = res.Page.Cursor, res.Page.Follows
			return more && s.waiting() < min(syncAhead, s.g.Limits.QueueBytes/2)
		})
		now := s.g.Clock.Now()
		s.g.counts.syncs.Observe(now.Sub(began).Seconds())
		if err != nil {
			s.handle(event{kind: evSynced, now: now, ref: ref, err: s.internal("sync", err)})
			return
		}
		more = more && s.settle()
	}
	if r.GetFollow() && s.who.Load() != nil { // nothing was read meanwhile, which is no silence
		s.conn.SetReadDeadline(s.g.Clock.Now().Add(silentIntervals * s.g.Limits.PingInterval))
	}
}

// pages waits for its turn and reads pages of a sync.
func (s *session) pages(r *skeinv1.SyncRequest, cursor []byte, page func(chat.SyncResult) bool) error {
	ctx, cancel := context.WithTimeout(s.g.ctx, callTimeout)
	defer cancel()
	if !s.g.gate.enter(ctx, true) {
		return s.g.errBusy()
	}
	defer s.g.gate.leave()
	return s.g.Chat.SyncPages(ctx, s.actor(), chat.SyncRequest{Cursor: cursor, Conversations: int(r.GetConversations()),
		Entries: int(r.GetEntries()), Follow: r.GetFollow()}, page)
}

// waiting is how many bytes of output wait for the reader.
func (s *session) waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.outSize + s.flying
}

// over tells whether the session has ended.
func (s *session) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m.phase == phaseOver
}

// settle waits until little output waits for the reader; false when the session
// ends. A reader that takes nothing ends it, by the time limit of a write.
func (s *session) settle() bool {
	for {
		s.mu.Lock()
		switch {
		case s.closing || s.failed || s.m.phase == phaseOver:
			s.mu.Unlock()
			return false
		case s.outSize+s.flying <= min(syncResume, s.g.Limits.QueueBytes/4):
			s.mu.Unlock()
			return true
		}
		spare := make(chan struct{}, 1)
		s.spare = spare
		s.mu.Unlock()
		if _, ok := turn.ReceiveOr(s.g.tasks, spare, s.g.ctx.Done()); !ok {
			return false
		}
	}
}

// shorter tells who waits that output has gone out, under mu.
func (s *session) shorter() {
	if s.spare != nil {
		s.spare <- struct{}{} // there is room for one
		s.spare = nil
	}
}
