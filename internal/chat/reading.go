package chat

import (
	"context"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

// reading runs fn for an actor who may read the conversation, with their
// place in it and the newest position that they may read (0 = none yet), on
// one snapshot. Membership is that of the snapshot: a cached room that is
// older is read anew, so that a member who was removed reads nothing that was
// committed later, on any node. fn can run more than once.
//
// A former member keeps the interval that was theirs. Everybody else gets
// im.ErrNotFound.
func (s *Service) reading(ctx context.Context, actor im.Actor, conv im.ConvID,
	fn func(v journal.View, room *Room, self journal.Member, head im.Seq) error) error {
	return s.readingConv(ctx, actor, conv, func(v journal.View, room *Room, _ *journal.Conv, self journal.Member, head im.Seq) error {
		return fn(v, room, self, head)
	})
}

// readingConv is reading with the conversation's row; one that has no entry
// yet has nothing but its name.
func (s *Service) readingConv(ctx context.Context, actor im.Actor, conv im.ConvID,
	fn func(v journal.View, room *Room, c *journal.Conv, self journal.Member, head im.Seq) error) error {
	for n := 0; ; n++ {
		room, err := s.rooms.get(ctx, actor.App, conv)
		if err != nil {
			return err
		}
		stale := false
		err = s.j.View(ctx, func(v journal.View) error {
			c, err := v.Conv(actor.App, conv)
			if im.CodeOf(err) == im.NotFound && room.Kind != im.ConvGroup {
				err, c = nil, journal.Conv{App: actor.App, ID: conv, Kind: room.Kind} // exists from the start, with nothing in it
			}
			if err != nil {
				return err
			}
			if stale = room.Kind == im.ConvGroup && c.ACLVersion != room.Version; stale {
				return nil
			}
			self, in := room.Member(actor.User)
			switch {
			case in:
				if err := s.decide(ctx, &Action{Verb: VerbRead, Actor: actor, Room: room}); err != nil {
					return err
				}
			case actor.Server:
				self = journal.Member{From: 1}
			default:
				if self, err = v.Member(actor.App, conv, actor.User); err != nil {
					return err
				}
			}
			head := c.HeadSeq
			if self.To > 0 {
				head = self.To - 1
			}
			return fn(v, room, &c, self, head)
		})
		if !stale || n == maxRetries {
			return err
		}
		s.rooms.dropIf(room)
	}
}
