package chat

import (
	"context"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

// Read moves the actor's read marker forward, never back, and tells the
// others when the conversation is small enough. Reading is no entry: receipts
// must not fill the journal.
func (s *Service) Read(ctx context.Context, actor im.Actor, conv im.ConvID, seq im.Seq) (journal.Marker, error) {
	if seq < 1 {
		return journal.Marker{}, im.Errorf(im.InvalidArgument, "seq starts at 1")
	}
	room, err := s.rooms.get(ctx, actor.App, conv)
	if err != nil {
		return journal.Marker{}, err
	}
	if err := s.decide(ctx, &Action{Verb: VerbRead, Actor: actor, Room: room}); err != nil {
		return journal.Marker{}, err
	}
	if s.burning != nil && room.Kind == im.ConvDirect {
		if err := s.burning(ctx, actor.App, conv, actor.User, seq); err != nil {
			return journal.Marker{}, err
		}
	}
	m, err := s.j.Mark(ctx, actor.App, conv, actor.User, seq)
	if err != nil {
		return m, err
	}
	if m.Moved && s.Announces(room) {
		own, err := s.readsOwn(ctx, actor, room)
		if err != nil {
			return m, nil // it has moved; that is told with the next one, or when somebody asks
		}
		s.signals.Signal(bus.ReadMoved{App: actor.App, Conv: conv, User: actor.User, Device: actor.Device, Seq: m.Seq, Ord: m.Ord, Own: own})
	}
	return m, nil
}

// Announces tells whether read markers of a room are announced to its members.
func (s *Service) Announces(room *Room) bool { return room.Size() <= s.limits.ReceiptMembers }
