package chat

import (
	"context"

	"github.com/skein-im/skein/internal/im"
)

// Audience calls fn for every user to whom an entry is delivered, in the
// order of the log: an entry that changes the members is delivered to those
// it adds and to those it takes out, and the ones after it only to who is in.
// Entries of a conversation must be passed in their order.
func (s *Service) Audience(ctx context.Context, e *im.Entry, fn func(u im.UserID)) error {
	if e.Kind == im.KindMembers || e.Kind == im.KindConversation {
		s.rooms.drop(e.App, e.Conv)
	}
	room, err := s.rooms.get(ctx, e.App, e.Conv)
	if err != nil {
		return err
	}
	_, ended, _ := Affected(e)
	for _, u := range ended {
		if _, in := room.Member(u); !in {
			fn(u)
		}
	}
	room.Each(func(u im.UserID) {
		if m, _ := room.Member(u); e.Seq >= m.From {
			fn(u)
		}
	})
	return nil
}

// Room returns the members of a conversation as they are now, for signals.
func (s *Service) Room(ctx context.Context, app im.AppID, conv im.ConvID) (*Room, error) {
	return s.rooms.get(ctx, app, conv)
}

// Forget drops every cached room: hints were lost, so that any of them may be
// out of date.
func (s *Service) Forget() { s.rooms.clear() }
