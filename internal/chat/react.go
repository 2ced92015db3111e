package chat

import (
	"context"
	"unicode/utf8"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// React adds the actor's reaction to a message or takes it back. Doing what
// is done already is no error: it appends nothing new for the readers' eyes,
// but it is an entry, so that a retry finds it.
func (s *Service) React(ctx context.Context, actor im.Actor, conv im.ConvID, seq im.Seq, emoji string, remove bool, id im.ClientID) (journal.Result, error) {
	if len(emoji) == 0 || len(emoji) > 32 || !utf8.ValidString(emoji) {
		return journal.Result{}, im.Errorf(im.InvalidArgument, "a reaction is an emoji of 1 to 32 bytes")
	}
	return s.onTarget(ctx, actor, conv, seq, id, &Action{Verb: VerbReact}, func(ctx context.Context, room *Room, t *im.Entry, a *journal.Append) error {
		a.Body = encodeContent(&skeinv1.Content{Kind: &skeinv1.Content_Reaction{Reaction: &skeinv1.Reaction{Emoji: emoji, Removed: remove}}})
		// A concurrent edit does not matter, a concurrent recall does; both
		// raise the version, and deciding again is cheap.
		a.TargetVersion = t.Version
		if t.Recalled {
			return im.Errorf(im.FailedPrecondition, "the message was recalled")
		}
		if t.Expired {
			return errExpired()
		}
		used, full, err := s.reactions(ctx, actor.App, conv, seq)
		if err != nil {
			return err
		}
		if full { // more could not be folded, nor limited
			return im.Errorf(im.FailedPrecondition, "the reactions to this message have changed too often")
		}
		if remove {
			return nil
		}
		if _, known := used[seq][emoji]; !known && len(used[seq]) >= s.limits.Emoji {
			return im.Errorf(im.FailedPrecondition, "a message has at most %d different reactions", s.limits.Emoji)
		}
		return nil
	})
}

// reactors are the users of one emoji in the order in which they reacted.
type reactors struct {
	users []im.UserID
	first im.Seq
}

// reactions folds the reaction entries about a message. full tells that it
// takes no more of them.
func (s *Service) reactions(ctx context.Context, app im.AppID, conv im.ConvID, seq im.Seq) (out map[im.Seq]map[string]*reactors, full bool, err error) {
	err = s.j.View(ctx, func(v journal.View) (err error) {
		out, full, err = foldReactions(v, app, conv, seq, seq, 1<<62, reactionLimit-1)
		return err
	})
	return out, full, err
}
