package chat

import (
	"context"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// bitHidesReads of a self conversation: others do not learn how far its user
// has read. It is a bit of a row of the journal, so that whoever reads markers
// reads it on the same snapshot, and a marker that was moved after the setting
// is never shown without it.
//
// The markers themselves are kept as ever: the user's own devices count by
// them what is unread, and the app's back end sees them.
const bitHidesReads = uint64(1) << 9

// hidesReadsKey is the key of the entry that carries the bit. Its value is
// empty; the bit is the setting.
const hidesReadsKey = "privacy/reads"

// HidesReads tells whether others do not learn how far a user has read.
func (s *Service) HidesReads(ctx context.Context, app im.AppID, user im.UserID) (hides bool, err error) {
	err = s.j.View(ctx, func(v journal.View) error {
		m := markers{v: v, actor: im.Actor{App: app}}
		err := m.ask(user)
		hides = m.hides[user]
		return err
	})
	return hides, err
}

// HideReads sets it, for the actor. What others were told before stays with
// them, and once it is taken back they are told how far the actor is by then.
func (s *Service) HideReads(ctx context.Context, actor im.Actor, id im.ClientID, hide bool) error {
	now, err := s.HidesReads(ctx, actor.App, actor.User)
	if err != nil || now == hide {
		return err
	}
	k := Keyed{Verb: VerbSend, Key: hidesReadsKey, Content: &skeinv1.Content{Kind: &skeinv1.Content_Private{Private: &skeinv1.Private{}}}}
	if hide {
		k.Set = bitHidesReads
	} else {
		k.Clear = bitHidesReads
	}
	_, err = s.SetKeyed(ctx, actor, im.Self(actor.User), id, func(journal.View, *Room) (Keyed, error) { return k, nil })
	return err
}

// markers takes out of what a view shows the read markers that an actor is not
// to know: of whoever hides theirs, and in a direct conversation all of them
// when the actor does.
type markers struct {
	v     journal.View
	actor im.Actor
	hides map[im.UserID]bool // of those who were asked about
}

// ask looks up those of the users whom nobody has asked about before.
func (m *markers) ask(users ...im.UserID) error {
	var selves []im.ConvID
	for _, u := range users {
		if _, known := m.hides[u]; !known {
			selves = append(selves, im.Self(u))
		}
	}
	if len(selves) == 0 {
		return nil
	}
	bits, err := m.v.Bits(m.actor.App, selves...)
	if err != nil {
		return err
	}
	if m.hides == nil {
		m.hides = make(map[im.UserID]bool, len(selves))
	}
	for _, c := range selves {
		m.hides[c.Owner()] = bits[c]&bitHidesReads != 0
	}
	return nil
}

// mask takes the markers out of some members of a conversation.
func (m *markers) mask(kind im.ConvKind, ms []journal.Member) error {
	if m.actor.Server || kind == im.ConvSelf {
		return nil
	}
	var users []im.UserID
	for i := range ms {
		if ms[i].ReadSeq > 0 && ms[i].User != m.actor.User {
			users = append(users, ms[i].User)
		}
	}
	if len(users) == 0 {
		return nil
	}
	if kind == im.ConvDirect {
		users = append(users, m.actor.User)
	}
	if err := m.ask(users...); err != nil {
		return err
	}
	for i := range ms {
		if u := ms[i].User; u != m.actor.User && (m.hides[u] || kind == im.ConvDirect && m.hides[m.actor.User]) {
			ms[i].ReadSeq, ms[i].ReadOrd = 0, 0
		}
	}
	return nil
}

// readsOwn tells whether nobody but the actor's own devices is told of a read
// marker that moves.
func (s *Service) readsOwn(ctx context.Context, actor im.Actor, room *Room) (own bool, err error) {
	users := []im.UserID{actor.User}
	if room.Kind == im.ConvDirect {
		users = append(users, room.ID.Peer(actor.User))
	}
	err = s.j.View(ctx, func(v journal.View) error {
		m := markers{v: v, actor: actor}
		err := m.ask(users...)
		own = false
		for _, u := range users {
			own = own || m.hides[u]
		}
		return err
	})
	return own, err
}
