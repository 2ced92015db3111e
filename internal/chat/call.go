package chat

import (
	"context"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// CallsKey is the key of a user's self conversation under which their calls of
// now are, and CallKey that of a group under which its call is.
const (
	CallsKey = "calls"
	CallKey  = "call"
)

// MayCall says why an actor may not start a call in a conversation, nor invite
// to one, and returns the conversation when they may. Who may not write there
// may not call there; in a group a call takes the grant CALL beside.
func (s *Service) MayCall(ctx context.Context, actor im.Actor, conv im.ConvID) (*Room, error) {
	if k := conv.Kind(); k != im.ConvDirect && k != im.ConvGroup {
		return nil, im.ErrNotFound
	}
	room, err := s.callRoom(ctx, actor.App, conv)
	if err != nil {
		return nil, err
	}
	act := &Action{Verb: VerbSend, Actor: actor, Room: room, Demand: Demand{Needs: skeinv1.Grant_GRANT_CALL}}
	if err := s.decide(ctx, act); err != nil {
		return nil, err
	}
	if err := keeping(room); err != nil {
		return nil, &im.Error{Code: im.FailedPrecondition, Message: "there are no calls in a livestream"}
	}
	if err := s.notBlocked(ctx, actor, room); err != nil {
		return nil, err
	}
	return room, s.guestSends(ctx, actor, room)
}

// callRoom is a conversation as it is now. What a node remembers of a group will
// not do: a call begins, and lets somebody in, by nothing that is appended to the
// group, which would tell that its members have changed.
func (s *Service) callRoom(ctx context.Context, app im.AppID, conv im.ConvID) (*Room, error) {
	if conv.Kind() != im.ConvGroup {
		return s.rooms.get(ctx, app, conv)
	}
	return s.RoomNow(ctx, app, conv)
}

// MayHear says why an actor may not be in a call of a conversation, and returns
// the conversation when they may: its members may, in a direct conversation as
// long as neither has blocked the other.
func (s *Service) MayHear(ctx context.Context, actor im.Actor, conv im.ConvID) (*Room, error) {
	room, err := s.callRoom(ctx, actor.App, conv)
	if err != nil {
		return nil, err
	}
	if err := s.decide(ctx, &Action{Verb: VerbRead, Actor: actor, Room: room}); err != nil {
		return nil, err
	}
	if room.Kind == im.ConvGroup && room.Dissolved() {
		return nil, im.ErrNotFound
	}
	if room.Kind != im.ConvDirect {
		return room, nil
	}
	return room, s.j.View(ctx, func(v journal.View) error {
		c, err := v.Conv(actor.App, conv)
		switch {
		case im.CodeOf(err) == im.NotFound:
			return nil
		case err == nil && Relation(c.Bits)&(SmallerBlocks|LargerBlocks) != 0:
			return im.Errorf(im.PermissionDenied, "one of you has blocked the other")
		}
		return err
	})
}

// Refresh stores what a key of a conversation's keyed state is to be now, by a
// feature that keeps the truth elsewhere: now is asked after the key's newest
// entry was looked at, and asked again when another one came in between. So an
// older truth never takes the place of a newer one, whoever writes when. The
// conversation is a user's own, or the actor is the app's back end.
func (s *Service) Refresh(ctx context.Context, actor im.Actor, conv im.ConvID, key string, id im.ClientID,
	now func(ctx context.Context) (*skeinv1.Content, error)) error {
	_, err := s.apply(ctx, actor, conv, id, func(ctx context.Context, room *Room, a *journal.Append) error {
		a.Kind, a.Key, a.Effect, a.Create = im.KindKeyed, key, journal.BlankKey, create(room)
		var newest im.Seq
		err := s.j.View(ctx, func(v journal.View) error {
			list, err := v.KeyedAt(actor.App, conv, key)
			for _, e := range list {
				newest = e.Seq
			}
			return err
		})
		if err != nil {
			return err
		}
		content, err := now(ctx)
		if err != nil {
			return err
		}
		a.SlotSeq, a.Body = &newest, encodeContent(content)
		return s.decide(ctx, &Action{Verb: VerbBoard, Actor: actor, Room: room})
	})
	return err
}
