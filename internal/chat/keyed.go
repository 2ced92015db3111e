package chat

import (
	"context"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Keyed is a value of a conversation's keyed state: only the newest of a key
// is kept, members get it like any entry, and who was away gets the map.
type Keyed struct {
	Verb Verb   // for the policies
	Key  string // such as "pin/17"; at most 200 bytes
	// Content of the value. There is no removal: a value that is gone says so.
	Content *skeinv1.Content
	// Newest, if not nil, must still be the seq of the key's newest entry, 0 =
	// none; else the plan is asked again.
	Newest *im.Seq
	// Raise has every decision that was taken meanwhile taken again, so that
	// what a plan counted is exact.
	Raise bool
	// Set and Clear are bits of the conversation's row that change with it.
	Set, Clear uint64
}

// SetKeyed stores a value in the keyed state of a conversation. plan looks at
// the conversation as it is and says what to store; it is asked again when
// somebody else was faster, and can run several times. Users set the values of
// their self conversation by Send; every other value is set by a feature, here.
func (s *Service) SetKeyed(ctx context.Context, actor im.Actor, conv im.ConvID, id im.ClientID,
	plan func(v journal.View, room *Room) (Keyed, error)) (journal.Result, error) {
	return s.apply(ctx, actor, conv, id, func(ctx context.Context, room *Room, a *journal.Append) error {
		a.Kind, a.Effect, a.Create = im.KindKeyed, journal.BlankKey, create(room)
		if _, in := room.Member(actor.User); !in && !actor.Server {
			return im.ErrNotFound
		}
		var k Keyed
		err := s.j.View(ctx, func(v journal.View) (err error) {
			if room.Version < 0 { // nobody looked it up; what plan counts holds for one version
				if a.ACLVersion, err = aclVersion(v, actor.App, conv); err != nil {
					return err
				}
			}
			k, err = plan(v, room)
			return err
		})
		if err != nil {
			return err
		}
		if !im.ValidKey(k.Key) {
			return im.Errorf(im.InvalidArgument, "a key has 1 to 200 bytes without control characters")
		}
		a.Key, a.SlotSeq, a.Raise, a.Body = k.Key, k.Newest, k.Raise, encodeContent(k.Content)
		a.SetBits, a.ClearBits = k.Set, k.Clear
		return s.decide(ctx, &Action{Verb: k.Verb, Actor: actor, Room: room, Content: k.Content})
	})
}

// aclVersion is the version of a conversation's rules; 0 when it is not there
// yet.
func aclVersion(v journal.View, app im.AppID, conv im.ConvID) (int64, error) {
	c, err := v.Conv(app, conv)
	if im.CodeOf(err) == im.NotFound {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return c.ACLVersion, nil
}
