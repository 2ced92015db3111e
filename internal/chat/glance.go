package chat

import (
	"context"
	"slices"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

// Glance returns the messages at some places of a conversation, at most 500, as
// they are now, ascending. Those that the actor may not read at this moment,
// has deleted for themself, that are empty or are none are left out, and so is
// the whole conversation when it is not the actor's: who looks things up for a
// user (search, say) asks here.
func (s *Service) Glance(ctx context.Context, actor im.Actor, conv im.ConvID, seqs []im.Seq) ([]im.Entry, error) {
	var out []im.Entry
	err := s.readingShown(ctx, actor, conv, func(v journal.View, c *journal.Conv, self journal.Member, head im.Seq, hidden Hidden) (err error) {
		out, err = readable(v, actor, c, self, head, hidden, seqs)
		out = slices.DeleteFunc(out, func(e im.Entry) bool { return len(e.Body) == 0 })
		return err
	})
	if im.CodeOf(err) == im.NotFound {
		return nil, nil
	}
	return out, err
}

// Places returns the conversations that the actor is or was in.
func (s *Service) Places(ctx context.Context, actor im.Actor, limit int) (out []journal.Place, err error) {
	err = s.j.View(ctx, func(v journal.View) (err error) {
		out, err = v.Places(actor.App, actor.User, limit)
		return err
	})
	return out, err
}
