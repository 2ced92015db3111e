package chat

import (
	"context"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

// joinRetries is how often a join is decided again: many users may come at
// once, and each who comes in has the others decided again.
const joinRetries = 100

// Join lets the actor, who is no member, into a group: plan looks at the group
// as it is and says whether it may be (nobody else decides on who is not in),
// and is asked again when somebody else was faster. It returns what Change
// returns.
func (s *Service) Join(ctx context.Context, actor im.Actor, conv im.ConvID, id im.ClientID, plan func(*Room) (Change, error)) (journal.Result, error) {
	return s.applyUpTo(ctx, joinRetries, s.quota.Message, actor, conv, id, func(ctx context.Context, room *Room, a *journal.Append) error {
		a.Kind = im.KindMembers
		if room.Kind != im.ConvGroup {
			return im.ErrNotFound
		}
		c, err := plan(room)
		if err != nil {
			return err
		}
		if err := s.keepMutes(ctx, room, c.Members); err != nil {
			return err
		}
		a.Members, a.ToUsers, a.Body = c.Members, concerned(room, c.Members), encodeContent(c.Content)
		return s.ask(ctx, &Action{Verb: VerbJoin, Actor: actor, Room: room, Changes: c.Members})
	})
}

// fenceKey is the slot of the entries that Fence appends.
const fenceKey = "fence"

// Fence has every decision taken again that was taken on a group as it was
// before: what a feature keeps elsewhere has changed, and no join or removal
// that did not see it may commit any more. The entry says nothing and nobody
// reads it. may decides as the plan of Change does.
func (s *Service) Fence(ctx context.Context, actor im.Actor, conv im.ConvID, id im.ClientID, may func(*Room) error) (journal.Result, error) {
	return s.apply(ctx, actor, conv, id, func(_ context.Context, room *Room, a *journal.Append) error {
		a.Kind, a.Key, a.Effect, a.Raise = im.KindKeyed, fenceKey, journal.BlankKey, true
		if _, in := room.Member(actor.User); room.Kind != im.ConvGroup || !in && !actor.Server {
			return im.ErrNotFound
		}
		if may == nil {
			return nil
		}
		return may(room)
	})
}
