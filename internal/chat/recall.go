package chat

import (
	"context"
	"fmt"
	"time"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

// Recall empties a message for everybody, with every body that its edits
// had: the actor's own, or in a group, where its policy has allowed it,
// somebody else's.
// A sender may do so within the app's recall window, which binds neither an
// owner or admin of the group nor the app's back end.
func (s *Service) Recall(ctx context.Context, actor im.Actor, conv im.ConvID, seq im.Seq, id im.ClientID) (journal.Result, error) {
	return s.onTarget(ctx, actor, conv, seq, id, &Action{Verb: VerbRecall}, func(ctx context.Context, room *Room, t *im.Entry, a *journal.Append) error {
		a.Effect, a.TargetVersion = journal.BlankTarget, t.Version
		if t.Recalled {
			return im.Errorf(im.FailedPrecondition, "the message was recalled already")
		}
		if t.Expired {
			return errExpired()
		}
		if t.Sender == actor.User {
			return s.inWindow(room, actor, t, "recalled", s.settings(actor.App).GetRecallWindowS())
		}
		if !actor.Server && room.Kind != im.ConvGroup {
			return im.Errorf(im.PermissionDenied, "only the sender recalls a message")
		}
		return nil
	})
}

// runs tells whether a user is owner or admin of a group.
func runs(room *Room, u im.UserID) bool {
	self, ok := room.Member(u)
	return ok && room.Kind == im.ConvGroup && self.Role >= im.RoleAdmin
}

// inWindow refuses what a sender does to a message too late. seconds is the
// app's window, 0 = for ever.
func (s *Service) inWindow(room *Room, actor im.Actor, t *im.Entry, done string, seconds uint32) error {
	w := time.Duration(seconds) * time.Second
	if w == 0 || actor.Server || runs(room, actor.User) || s.clock.Now().Sub(t.Time.Time()) <= w {
		return nil
	}
	return &im.Error{Code: im.FailedPrecondition, Message: fmt.Sprintf("a message can be %s for %s after it was sent", done, w),
		Hint: "the app sets this window"}
}
