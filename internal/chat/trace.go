package chat

import (
	"context"
	"math"
	"slices"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// isTrace tells whether an entry says something that goes when a user is
// erased: what they have said, done to messages, or were called.
func isTrace(e *im.Entry, user im.UserID) bool {
	if e.Damaged || e.Recalled || e.Expired || len(e.Body) == 0 {
		return false
	}
	if e.Kind == im.KindMembers {
		named := contentOf(e.Body).GetGroupChange()
		return named.GetUser() == string(user) && named.GetAttrs().GetNickname() != ""
	}
	if e.Sender != user {
		return false
	}
	switch e.Kind {
	case im.KindMessage:
		return true
	case im.KindContact:
		return contentOf(e.Body).GetContactChange().GetGreeting() != ""
	case im.KindReaction:
		r := contentOf(e.Body).GetReaction()
		return r != nil && !r.Removed
	case im.KindVote:
		return len(contentOf(e.Body).GetVote().GetChoices()) > 0
	case im.KindExtension:
		x := contentOf(e.Body).GetExtension()
		return x != nil && !x.Removed
	}
	return false
}

// eraseTrace empties what isTrace has found, as the app's back end would recall
// it, or takes it back, as the user would have: whoever shows it counts one
// less.
func (s *Service) eraseTrace(ctx context.Context, app im.AppID, conv im.ConvID, user im.UserID, e *im.Entry) error {
	switch e.Kind {
	case im.KindReaction:
		return s.takeBack(ctx, e, func(v journal.View, a *journal.Append) error {
			r := contentOf(e.Body).GetReaction()
			// Of more than can be folded nobody is shown any.
			all, _, err := foldReactions(v, app, conv, e.Target, e.Target, math.MaxInt64, reactionLimit)
			if err != nil {
				return err
			}
			if by := all[e.Target][r.Emoji]; by == nil || !slices.Contains(by.users, user) {
				return errOver
			}
			a.Body = encodeContent(&skeinv1.Content{Kind: &skeinv1.Content_Reaction{Reaction: &skeinv1.Reaction{Emoji: r.Emoji, Removed: true}}})
			return nil
		})
	case im.KindVote: // also when the poll is closed
		return s.takeBack(ctx, e, func(v journal.View, a *journal.Append) error {
			a.Effect = journal.FollowKey
			a.Body = encodeContent(&skeinv1.Content{Kind: &skeinv1.Content_Vote{Vote: &skeinv1.Vote{}}})
			return newestOf(v, e, a)
		})
	case im.KindExtension:
		return s.takeBack(ctx, e, func(v journal.View, a *journal.Append) error {
			a.Effect = journal.BlankKey
			a.Body = encodeContent(&skeinv1.Content{Kind: &skeinv1.Content_Extension{Extension: &skeinv1.Extension{
				Key: contentOf(e.Body).GetExtension().GetKey(), Removed: true}}})
			return newestOf(v, e, a)
		})
	}
	return s.empty(ctx, app, conv, e.Seq, emptying{why: "erase", of: e.Kind, by: im.KindRecall, effect: journal.BlankTarget})
}

// newestOf has an append follow an entry that is the newest of its key; errOver
// when there is a newer one.
func newestOf(v journal.View, e *im.Entry, a *journal.Append) error {
	newest, err := v.Slots(e.App, e.Conv, e.Key, e.Key+"\x01", 1)
	if err == nil && (len(newest) == 0 || newest[0].Seq != e.Seq) {
		err = errOver
	}
	a.Key, a.SlotSeq = e.Key, &e.Seq
	return err
}

// takeBack appends, in the name of its sender, the entry that undoes one about
// a message; nothing where the message is gone, and with it what was done to it.
func (s *Service) takeBack(ctx context.Context, e *im.Entry, fill func(v journal.View, a *journal.Append) error) error {
	actor := im.Actor{App: e.App, Server: true}
	_, err := s.apply(ctx, actor, e.Conv, s.ownID("erase", e.App, e.Conv, e.Seq), func(ctx context.Context, _ *Room, a *journal.Append) error {
		a.Kind, a.Target, a.Sender = e.Kind, e.Target, e.Sender
		return s.stored.View(ctx, func(v journal.View) error {
			es, err := v.Entries(e.App, e.Conv, e.Target, e.Target, 1, false)
			if err != nil {
				return err
			}
			if len(es) == 0 || es[0].Recalled || es[0].Expired {
				return errOver
			}
			t := &es[0]
			a.TargetVersion, a.ToUsers, a.ToDevices, a.Expires = t.Version, about(t), t.ToDevices, t.Expires
			return fill(v, a)
		})
	})
	if err == errOver {
		return nil
	}
	return err
}
