package chat

import (
	"context"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

// peerGroups bounds how many of the actor's newest groups are looked through
// for users who share no direct conversation with them.
const peerGroups = 200

// Peers returns those of the users who share a conversation with the actor:
// their presence may be shown. A direct conversation counts once it has a
// message, or when the two are contacts.
func (s *Service) Peers(ctx context.Context, actor im.Actor, users []im.UserID) ([]im.UserID, error) {
	var out, rest []im.UserID
	var groups []im.ConvID
	err := s.j.View(ctx, func(v journal.View) error {
		for _, u := range users {
			if u == actor.User {
				out = append(out, u)
				continue
			}
			c, err := v.Conv(actor.App, im.Direct(actor.User, u))
			switch {
			case err == nil && (c.HeadOrd > 0 || Relation(c.Bits)&AreContacts != 0): // a mere request lets nobody look
				out = append(out, u)
			case err == nil:
				rest = append(rest, u)
			case im.CodeOf(err) == im.NotFound:
				rest = append(rest, u)
			default:
				return err
			}
		}
		if len(rest) == 0 {
			return nil
		}
		rows, err := v.Changes(actor.App, actor.User, nil, nil, peerGroups)
		for _, r := range rows {
			if r.Conv.Kind == im.ConvGroup && r.Member.To == 0 {
				groups = append(groups, r.Conv.ID)
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		room, err := s.rooms.get(ctx, actor.App, g)
		if err != nil {
			continue // dissolved meanwhile
		}
		left := rest[:0]
		for _, u := range rest {
			if _, ok := room.Member(u); ok {
				out = append(out, u)
			} else {
				left = append(left, u)
			}
		}
		if rest = left; len(rest) == 0 {
			break
		}
	}
	return out, nil
}
