package chat

import (
	"context"
	"slices"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

// Edit replaces the body of one of the actor's own messages, within the app's
// edit window; owners and admins of a group are not bound by it. The bodies
// that it had stay readable through Edits.
func (s *Service) Edit(ctx context.Context, actor im.Actor, conv im.ConvID, seq im.Seq, body []byte, id im.ClientID) (journal.Result, error) {
	content, err := s.checkBody(body)
	if err == nil {
		err = checkPrivate("", content)
	}
	if err != nil {
		return journal.Result{}, err
	}
	return s.onTarget(ctx, actor, conv, seq, id, &Action{Verb: VerbEdit, Content: content}, func(ctx context.Context, room *Room, t *im.Entry, a *journal.Append) error {
		a.Kind, a.Body, a.Effect, a.TargetVersion = im.KindEdit, body, journal.ReplaceTarget, t.Version
		if content != nil && content.ReplyToSeq > 0 {
			if _, err := s.answered(ctx, actor, room, content.ReplyToSeq); err != nil {
				return err
			}
		}
		switch {
		case t.Sender != actor.User:
			return im.Errorf(im.PermissionDenied, "only the sender edits a message")
		case t.Recalled:
			return im.Errorf(im.FailedPrecondition, "the message was recalled")
		case t.Expired:
			return errExpired()
		case int(t.Version) > s.limits.Edits:
			return im.Errorf(im.FailedPrecondition, "a message is edited at most %d times", s.limits.Edits)
		case hasVerbs(t.Body) || content.GetPoll() != nil:
			return im.Errorf(im.FailedPrecondition, "a poll or a topic is not edited; it has verbs of its own")
		case isForward(t.Body):
			return im.Errorf(im.FailedPrecondition, "what was forwarded is somebody else's and is not edited")
		case isImported(t.Body):
			return im.Errorf(im.FailedPrecondition, "what was imported stays as it came")
		}
		return s.inWindow(room, actor, t, "edited", s.settings(actor.App).GetEditWindowS())
	})
}

// onTarget is the shape of edit, recall and react: a message that the actor
// can read, a decision, an entry about it.
func (s *Service) onTarget(ctx context.Context, actor im.Actor, conv im.ConvID, seq im.Seq, id im.ClientID, act *Action,
	fill func(context.Context, *Room, *im.Entry, *journal.Append) error) (journal.Result, error) {
	return s.apply(ctx, actor, conv, id, func(ctx context.Context, room *Room, a *journal.Append) error {
		a.Target = seq
		a.Kind = kindOf(act.Verb) // known before anything can fail, so that a repeat is recognised
		t, err := s.target(ctx, actor, room, seq)
		if err != nil {
			return err
		}
		// Who may not read a message does not read what is said about it.
		a.ToUsers, a.ToDevices, a.Expires = about(&t), t.ToDevices, t.Expires
		action := *act
		action.Actor, action.Room, action.Target = actor, room, &t
		if err := s.decide(ctx, &action); err != nil {
			return err
		}
		return fill(ctx, room, &t, a)
	})
}

// kindOf is the kind of entry that a verb on a message appends.
func kindOf(v Verb) im.Kind {
	switch v {
	case VerbEdit, VerbClosePoll, VerbTopic:
		return im.KindEdit
	case VerbRecall:
		return im.KindRecall
	case VerbVote:
		return im.KindVote
	case VerbExtend:
		return im.KindExtension
	}
	return im.KindReaction
}

// about returns the readers of an entry about a message that is for some users.
func about(t *im.Entry) []im.UserID {
	if len(t.ToUsers) == 0 || slices.Contains(t.ToUsers, t.Sender) {
		return t.ToUsers
	}
	return append(slices.Clone(t.ToUsers), t.Sender)
}

// hasVerbs tells whether a message is of a kind that is changed by verbs of its
// own.
func hasVerbs(body []byte) bool {
	c := contentOf(body)
	return c.GetPoll() != nil || c.GetTopic() != nil
}

// target reads a message that the actor, a current member, may read;
// everything else is absent.
func (s *Service) target(ctx context.Context, actor im.Actor, room *Room, seq im.Seq) (im.Entry, error) {
	self, ok := room.Member(actor.User)
	if !ok && !actor.Server || seq < self.From {
		return im.Entry{}, im.ErrNotFound
	}
	var t im.Entry
	err := s.j.View(ctx, func(v journal.View) error {
		es, err := v.Entries(room.App, room.ID, seq, seq, 1, false)
		if err != nil {
			return err
		}
		if len(es) == 0 || es[0].Kind != im.KindMessage || es[0].Withheld(actor.User, actor.Device) {
			return im.ErrNotFound
		}
		t = es[0]
		return nil
	})
	return t, err
}
