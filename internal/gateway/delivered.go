package gateway

import (
	"context"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
)

// maxGot bounds the direct conversations whose messages a session remembers
// until its device acknowledges them; the oldest is forgotten. The state of
// what is forgotten is derived when somebody asks for it.
const maxGot = 50

// give notes that a message of a direct conversation is on its way to the
// session, so that its sender can be told once the device has stored it.
func (s *session) give(e *im.Entry) {
	s.gotMu.Lock()
	defer s.gotMu.Unlock()
	g := chat.Given{Conv: e.Conv, Shard: e.Shard, Pos: e.Pos, Seq: e.Seq}
	for i := range s.got {
		if s.got[i].Conv == e.Conv {
			s.got[i] = g
			return
		}
	}
	if len(s.got) == maxGot {
		s.got = append(s.got[:0], s.got[1:]...)
	}
	s.got = append(s.got, g)
}

// forgetTold notes that a sync may bring what no entry brought.
func (s *session) forgetTold() {
	s.gotMu.Lock()
	defer s.gotMu.Unlock()
	s.told = false
}

// acknowledge takes the cursor that the device has stored everything up to,
// and tells the senders of what it got. That they hear of it is a hint: what
// goes wrong there fails no acknowledgement.
func (s *session) acknowledge(ctx context.Context, cursor []byte) error {
	if err := s.g.Chat.CheckCursor(s.actor(), cursor); err != nil {
		return err
	}
	s.gotMu.Lock()
	got, told := s.got, s.told
	s.got, s.told = nil, true
	s.gotMu.Unlock()
	rest, err := s.g.Chat.Delivered(ctx, s.actor(), cursor, got, !told)
	s.g.Doorman.AckCursor(s.actor(), cursor)
	if err != nil && ctx.Err() == nil {
		s.g.Log.Warn("tell what was delivered", "session", s.num, "err", err)
	}
	s.keep(rest)
	return nil
}

// keep puts back what was not acknowledged yet, under what has come since.
func (s *session) keep(rest []chat.Given) {
	if len(rest) == 0 {
		return
	}
	s.gotMu.Lock()
	defer s.gotMu.Unlock()
	newer := make(map[im.ConvID]bool, len(s.got))
	for _, g := range s.got {
		newer[g.Conv] = true
	}
	var kept []chat.Given
	for _, g := range rest {
		if !newer[g.Conv] && len(kept)+len(s.got) < maxGot {
			kept = append(kept, g)
		}
	}
	s.got = append(kept, s.got...)
}
