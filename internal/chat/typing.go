package chat

import (
	"context"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/im"
)

// Typing tells the others that the actor writes. It is never stored.
func (s *Service) Typing(ctx context.Context, actor im.Actor, conv im.ConvID, stopped bool) error {
	room, err := s.rooms.get(ctx, actor.App, conv)
	if err != nil {
		return err
	}
	if err := s.decide(ctx, &Action{Verb: VerbSend, Actor: actor, Room: room}); err != nil {
		return err
	}
	if err := s.notBlocked(ctx, actor, room); err != nil {
		return err
	}
	s.signals.Signal(bus.Typing{App: actor.App, Conv: conv, User: actor.User, Device: actor.Device, Stopped: stopped})
	return nil
}
