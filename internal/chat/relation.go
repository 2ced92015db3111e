package chat

import (
	"context"
	"strings"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Relation is what the two users of a direct conversation are to each other.
// It is kept in the bits of the conversation's row, so that whoever writes
// there is held to it under the shard's lock, without another look.
type Relation uint64

// The flags of a Relation. Smaller and Larger are the two users by the order
// of their ids. The values are stored.
const (
	SmallerBlocks Relation = 1 << 0 // the smaller one has blocked the larger
	LargerBlocks  Relation = 1 << 1
	AreContacts   Relation = 1 << 2
	SmallerAsks   Relation = 1 << 3 // a request of the smaller one waits
	LargerAsks    Relation = 1 << 4
)

// Blocks is the flag that says that user has blocked the other one.
func Blocks(conv im.ConvID, user im.UserID) Relation {
	if a, _ := conv.Pair(); a == user {
		return SmallerBlocks
	}
	return LargerBlocks
}

// Asks is the flag that says that a request of user waits.
func Asks(conv im.ConvID, user im.UserID) Relation {
	if a, _ := conv.Pair(); a == user {
		return SmallerAsks
	}
	return LargerAsks
}

// denyOf are the bits that refuse what an actor writes into a room: in a
// direct conversation, the other's block.
func denyOf(room *Room, actor im.Actor) uint64 {
	if room.Kind != im.ConvDirect || actor.User == "" {
		return 0
	}
	return uint64(Blocks(room.ID, room.ID.Peer(actor.User)))
}

// notBlocked refuses what is not stored, and so is checked by no append: in a
// direct conversation, by whom the other has blocked.
func (s *Service) notBlocked(ctx context.Context, actor im.Actor, room *Room) error {
	deny := denyOf(room, actor)
	if deny == 0 {
		return nil
	}
	return s.j.View(ctx, func(v journal.View) error {
		c, err := v.Conv(actor.App, room.ID)
		switch {
		case im.CodeOf(err) == im.NotFound:
			return nil
		case err == nil && c.Bits&deny != 0:
			return im.Errorf(im.PermissionDenied, "the other user has blocked you")
		}
		return err
	})
}

// guestSends refuses the first words of a guest to somebody: guests answer.
func (s *Service) guestSends(ctx context.Context, actor im.Actor, room *Room) error {
	if !actor.Guest || room.Kind != im.ConvDirect {
		return nil
	}
	return s.j.View(ctx, func(v journal.View) error {
		c, err := v.Conv(actor.App, room.ID)
		if im.CodeOf(err) == im.NotFound || err == nil && c.HeadOrd == 0 {
			return im.Errorf(im.PermissionDenied, "guests begin no conversations")
		}
		return err
	})
}

// RelationChange is a CONTACT entry and what it changes.
type RelationChange struct {
	Change     *skeinv1.ContactChange
	Set, Clear Relation
	// Own: only the actor reads the entry.
	Own bool
}

// Relate appends a CONTACT entry to the direct conversation of the actor and
// another user. plan is told what they are to each other now and says what
// changes; it is asked again when somebody else was faster. A change by whom
// the other has blocked is refused with PermissionDenied, but for those that
// plan marks as the actor's own.
func (s *Service) Relate(ctx context.Context, actor im.Actor, peer im.UserID, id im.ClientID,
	plan func(conv im.ConvID, now Relation) (RelationChange, error)) (journal.Result, error) {
	if !im.ValidName(string(peer)) || peer == actor.User || actor.User == "" {
		return journal.Result{}, im.Errorf(im.InvalidArgument, "user is not the id of another user")
	}
	conv := im.Direct(actor.User, peer)
	return s.apply(ctx, actor, conv, id, func(ctx context.Context, room *Room, a *journal.Append) error {
		a.Kind, a.Create = im.KindContact, create(room)
		var now Relation
		err := s.j.View(ctx, func(v journal.View) error {
			c, err := v.Conv(actor.App, conv)
			if im.CodeOf(err) == im.NotFound {
				a.ACLVersion = 0
				return nil
			}
			a.ACLVersion, now = c.ACLVersion, Relation(c.Bits)
			return err
		})
		if err != nil {
			return err
		}
		if err := s.decide(ctx, &Action{Verb: VerbRelate, Actor: actor, Room: room}); err != nil {
			return err
		}
		r, err := plan(conv, now)
		if err != nil {
			return err
		}
		if r.Own {
			a.ToUsers, a.Deny = []im.UserID{actor.User}, 0
		}
		a.Body = encodeContent(&skeinv1.Content{Kind: &skeinv1.Content_ContactChange{ContactChange: r.Change}})
		a.SetBits, a.ClearBits = uint64(r.Set), uint64(r.Clear)
		return nil
	})
}

// Relations returns what a user and each of some others are to each other;
// those who have nothing to do with each other are left out.
func (s *Service) Relations(ctx context.Context, app im.AppID, user im.UserID, others []im.UserID) (map[im.UserID]Relation, error) {
	out := make(map[im.UserID]Relation)
	err := s.j.View(ctx, func(v journal.View) error {
		clear(out)
		for _, u := range others {
			if u == user || user == "" {
				continue
			}
			c, err := v.Conv(app, im.Direct(user, u))
			switch {
			case err == nil:
				out[u] = Relation(c.Bits)
			case im.CodeOf(err) != im.NotFound:
				return err
			}
		}
		return nil
	})
	return out, err
}

// reservedKey tells whether a key stands for what two users have agreed on, or
// for a setting: the server writes those, no user does.
func reservedKey(key string) bool {
	if key == CallsKey {
		return true
	}
	for _, p := range [...]string{"contact/", "request/", "block/", hidesReadsKey} {
		if strings.HasPrefix(key, p) {
			return true
		}
	}
	return false
}
