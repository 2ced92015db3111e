package chat

import (
	"context"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

// Recall empties a message for everybody, with every body that its edits
// had: the actor's own, or anybody's for an owner or admin of the group.
func (s *Service) Recall(ctx context.Context, actor im.Actor, conv im.ConvID, seq im.Seq, id im.ClientID) (journal.Result, error) {
	return s.onTarget(ctx, actor, conv, seq, id, VerbRecall, func(ctx context.Context, room *Room, t *im.Entry, a *journal.Append) error {
		a.Effect, a.TargetVersion = journal.BlankTarget, t.Version
		if t.Recalled {
			return im.Errorf(im.FailedPrecondition, "the message was recalled already")
		}
		if t.Sender == actor.User {
			if w := s.limits.RecallWindow; w > 0 && s.clock.Now().Sub(t.Time.Time()) > w {
				return im.Errorf(im.FailedPrecondition, "a message can be recalled for %s", w)
			}
			return nil
		}
		if self, ok := room.Member(actor.User); !actor.Server && (!ok || room.Kind != im.ConvGroup || self.Role < im.RoleAdmin) {
			return im.Errorf(im.PermissionDenied, "only the sender, or an admin of the group, recalls a message")
		}
		return nil
	})
}
