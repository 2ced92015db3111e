package chat

import (
	"context"
	"slices"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

// checkReaders holds a send to what it may be about and whom it may be for. A
// plain message costs nothing here.
//
// Who answers a message must see it. What answers a message for some users is
// for those and its sender alone, or for some of them: an answer, which often
// quotes, would else tell everybody what it was about.
func (s *Service) checkReaders(ctx context.Context, actor im.Actor, room *Room, r *SendRequest, a *journal.Append) error {
	for _, u := range r.ToUsers {
		if _, in := room.Member(u); !in || room.Kind == im.ConvSelf {
			return im.Errorf(im.NotFound, "to_users names somebody who is not in the conversation")
		}
	}
	if r.content == nil || r.content.ReplyToSeq == 0 {
		return nil
	}
	t, err := s.answered(ctx, actor, room, r.content.ReplyToSeq)
	if err != nil || len(t.ToUsers) == 0 {
		return err
	}
	readers := about(&t)
	if len(r.ToUsers) == 0 {
		a.ToUsers = readers
		return nil
	}
	for _, u := range r.ToUsers {
		if !slices.Contains(readers, u) {
			return im.Errorf(im.PermissionDenied, "what answers a message for some users is for those alone")
		}
	}
	return nil
}

// answered reads the message that another one answers. One that the actor has
// deleted for themself is absent, as it is in history.
func (s *Service) answered(ctx context.Context, actor im.Actor, room *Room, seq uint64) (im.Entry, error) {
	if seq > 1<<62 {
		return im.Entry{}, im.ErrNotFound
	}
	t, err := s.target(ctx, actor, room, im.Seq(seq))
	if err != nil {
		return t, err
	}
	return t, s.j.View(ctx, func(v journal.View) error {
		hidden, err := HiddenIn(v, actor.App, actor.User, room.ID)
		if err == nil && hidden[room.ID].Has(t.Seq) {
			err = im.ErrNotFound
		}
		return err
	})
}
