package chat

import (
	"context"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/im"
)

// Bounds of a command.
const (
	MaxCommandBytes   = 4 << 10 // its data
	MaxCommandMembers = 1000    // of a conversation whose every member gets it
)

// Command is something for the apps of members that are online now.
type Command struct {
	Conv im.ConvID
	Type string // the app's name for it
	Data []byte
	To   []im.UserID // empty = every member
}

// Command passes a command on to the online devices of members, but the
// actor's own. It is never stored, and may get lost. Who may send there may
// say it.
func (s *Service) Command(ctx context.Context, actor im.Actor, c Command) error {
	switch {
	case !validCode(c.Type):
		return im.Errorf(im.InvalidArgument, "a command has a type of 1 to 64 bytes of a-z A-Z 0-9 . _ -")
	case len(c.Data) > MaxCommandBytes:
		return im.Errorf(im.TooLarge, "a command's data has at most %d bytes", MaxCommandBytes)
	case len(c.To) > MaxToUsers:
		return im.Errorf(im.InvalidArgument, "to_users has at most %d users", MaxToUsers)
	}
	room, err := s.rooms.get(ctx, actor.App, c.Conv)
	if err != nil {
		return err
	}
	if err := s.decide(ctx, &Action{Verb: VerbSend, Actor: actor, Room: room}); err != nil {
		return err
	}
	if err := s.notBlocked(ctx, actor, room); err != nil {
		return err
	}
	for _, u := range c.To {
		if _, in := room.Member(u); !in {
			return im.Errorf(im.NotFound, "to_users names somebody who is not in the conversation")
		}
	}
	if len(c.To) == 0 && room.Size() > MaxCommandMembers {
		return &im.Error{Code: im.FailedPrecondition, Message: "the conversation has too many members for a command to all", Hint: "name whom it is for"}
	}
	s.signals.Signal(bus.Command{App: actor.App, Conv: c.Conv, User: actor.User, Device: actor.Device, ACLVersion: room.Version,
		Type: c.Type, Data: c.Data, To: c.To})
	return nil
}
