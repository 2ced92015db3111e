package chat

import (
	"context"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// EraseFrom empties, for everybody, what a user has said in a conversation: of
// the next most entries behind a position, the user's messages with every body
// that their edits had, their greetings, and what names them in the group; it
// takes back their reactions, votes and extensions. It is the server's own doing: nobody is asked, and no
// window binds it. It returns the position that it has come to, how many
// messages it has emptied, and whether there is more. What is empty already
// stays as it is, so it may be repeated.
func (s *Service) EraseFrom(ctx context.Context, app im.AppID, conv im.ConvID, user im.UserID, after im.Seq, most int) (next im.Seq, emptied int, more bool, err error) {
	var theirs []im.Entry
	err = s.stored.View(ctx, func(v journal.View) error {
		theirs, next, more = nil, after, false
		c, err := v.Conv(app, conv)
		if err != nil || after >= c.HeadSeq {
			return err
		}
		es, err := entries(v, app, conv, after+1, c.HeadSeq, most, false)
		for i := range es {
			next = es[i].Seq
			if isTrace(&es[i], user) {
				theirs = append(theirs, es[i])
			}
		}
		more = len(es) > 0 && next < c.HeadSeq
		return err
	})
	if im.CodeOf(err) == im.NotFound {
		return after, 0, false, nil
	}
	for i := 0; err == nil && i < len(theirs); i++ {
		e := &theirs[i]
		if err = s.eraseTrace(ctx, app, conv, user, e); err == nil && e.Kind == im.KindMessage {
			emptied++
		}
	}
	if err != nil {
		return after, emptied, true, err
	}
	return next, emptied, more, nil
}

// EraseValues empties the values that a user keeps in their own conversation:
// drafts, folders, remarks. It may be repeated.
func (s *Service) EraseValues(ctx context.Context, app im.AppID, user im.UserID) error {
	conv, blank := im.Self(user), encodeContent(&skeinv1.Content{})
	var values []im.Entry
	err := s.stored.View(ctx, func(v journal.View) (err error) {
		values, err = v.Keyed(app, conv)
		return err
	})
	if im.CodeOf(err) == im.NotFound {
		return nil
	}
	for i := 0; err == nil && i < len(values); i++ {
		e := &values[i]
		if string(e.Body) == string(blank) {
			continue
		}
		_, err = s.apply(ctx, im.Actor{App: app, Server: true}, conv, s.ownID("value", app, conv, e.Seq), func(_ context.Context, _ *Room, a *journal.Append) error {
			a.Kind, a.Key, a.Effect, a.Body = im.KindKeyed, e.Key, journal.BlankKey, blank
			return nil
		})
	}
	return err
}
