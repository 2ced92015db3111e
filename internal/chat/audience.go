package chat

import (
	"context"
	"slices"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

// Audience is the users to whom one entry is delivered.
type Audience struct {
	// Room is the conversation as it was read for the entry, or later.
	Room *Room
	seq  im.Seq
	gone []journal.Member // memberships that have ended at the entry or behind it
}

// Audience finds the users to whom an entry is delivered: those who were
// members at its position. Who reads the log behind its head may not ask who
// is a member now, or somebody whom a later entry removes misses what came
// before the removal. An entry that changes the members also goes to those it
// takes out, whose membership ends behind it.
//
// Entries of a conversation must be passed in their order.
func (s *Service) Audience(ctx context.Context, e *im.Entry) (Audience, error) {
	if e.Kind == im.KindMembers || e.Kind == im.KindConversation {
		s.rooms.outdate(e.App, e.Conv, e.Seq)
	}
	room, err := s.rooms.get(ctx, e.App, e.Conv)
	if err != nil {
		return Audience{}, err
	}
	a := Audience{Room: room, seq: e.Seq}
	if room.Kind == im.ConvGroup && e.Seq <= room.head {
		a.gone, err = s.gone(ctx, room, e.Seq)
	}
	return a, err
}

// Has tells whether the entry is for a user who is a member now; Gone tells of
// the others.
func (a *Audience) Has(u im.UserID) bool {
	m, in := a.Room.Member(u)
	return in && a.seq >= m.From
}

// Everybody tells that the entry is for all who are members now: it is newer
// than what is known of them.
func (a *Audience) Everybody() bool { return a.seq > a.Room.head || a.Room.Kind != im.ConvGroup }

// Gone calls fn for those who get the entry although they are no members any
// more, or by a membership before the one that they have now.
func (a *Audience) Gone(fn func(u im.UserID)) {
	for _, m := range a.gone {
		if m.From <= a.seq && a.seq < m.To && !a.Has(m.User) {
			fn(m.User)
		}
	}
}

// Each calls fn for every user of the audience.
func (a *Audience) Each(fn func(u im.UserID)) {
	everybody := a.Everybody()
	a.Room.Each(func(u im.UserID) {
		if everybody || a.Has(u) {
			fn(u)
		}
	})
	a.Gone(fn)
}

// bygone is the memberships that ended between two positions: that of the
// oldest entry that was asked for, and the head that a room was read at.
type bygone struct {
	from    im.Seq
	members []journal.Member
}

// gone returns the memberships of a room that have ended at or behind an
// entry. They are found once for all entries between it and the room's head.
func (s *Service) gone(ctx context.Context, room *Room, seq im.Seq) ([]journal.Member, error) {
	if b := room.bygone.Load(); b != nil && b.from <= seq {
		return b.members, nil
	}
	b := &bygone{from: seq}
	err := s.j.View(ctx, func(v journal.View) error {
		var users []im.UserID
		for from := seq; from <= room.head; {
			es, err := entries(v, room.App, room.ID, from, room.head, 500, false)
			if err != nil {
				return err
			}
			if len(es) == 0 {
				break
			}
			for i := range es {
				_, ended, _ := Affected(&es[i])
				users = append(users, ended...)
			}
			from = es[len(es)-1].Seq + 1
		}
		slices.Sort(users)
		for _, u := range slices.Compact(users) {
			ms, err := v.Intervals(room.App, room.ID, u)
			if err != nil {
				return err
			}
			for _, m := range ms {
				if m.To > seq {
					b.members = append(b.members, m)
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	room.bygone.Store(b)
	return b.members, nil
}

// Room returns the members of a conversation as they are now, for signals.
func (s *Service) Room(ctx context.Context, app im.AppID, conv im.ConvID) (*Room, error) {
	return s.rooms.get(ctx, app, conv)
}

// RoomNow is Room as the journal has it at this moment, for answers to users
// who may be in it no longer, or never were.
func (s *Service) RoomNow(ctx context.Context, app im.AppID, conv im.ConvID) (*Room, error) {
	var at int64
	if err := s.j.View(ctx, func(v journal.View) error {
		c, err := v.Conv(app, conv)
		at = c.ACLVersion
		return err
	}); err != nil {
		return nil, err
	}
	return s.RoomAt(ctx, app, conv, at)
}

// RoomAt is Room that is not older than a version of the member list.
func (s *Service) RoomAt(ctx context.Context, app im.AppID, conv im.ConvID, version int64) (*Room, error) {
	room, err := s.rooms.get(ctx, app, conv)
	if err != nil || room.Version < 0 || room.Version >= version {
		return room, err
	}
	s.rooms.dropIf(room)
	return s.rooms.get(ctx, app, conv)
}

// Reach appends the users whom an entry is for (see Audience) to users. In a
// conversation of more than most members it appends nobody and returns large
// and the version of the member list that it saw. An append carries the version
// that it was decided on, so on the node that made the append that version is
// not older than the entry.
func (s *Service) Reach(ctx context.Context, e *im.Entry, most int, users []im.UserID) (_ []im.UserID, large bool, version int64, err error) {
	room, err := s.rooms.get(ctx, e.App, e.Conv)
	if err != nil {
		return users, false, 0, err
	}
	if room.Size() > most {
		return users, true, room.Version, nil
	}
	a, err := s.Audience(ctx, e)
	if err == nil {
		a.Each(func(u im.UserID) { users = append(users, u) })
	}
	return users, false, room.Version, err
}

// MembersAt appends the current members of a conversation to users, as of a
// version of the member list or a later one, and returns which. Of more than
// most members it appends nobody and returns large.
func (s *Service) MembersAt(ctx context.Context, app im.AppID, conv im.ConvID, version int64, most int, users []im.UserID) (_ []im.UserID, large bool, at int64, err error) {
	room, err := s.RoomAt(ctx, app, conv, version)
	if err != nil {
		return users, false, 0, err
	}
	if large = room.Size() > most; !large {
		room.Each(func(u im.UserID) { users = append(users, u) })
	}
	return users, large, room.Version, nil
}

// Meets returns the first of some users who is a member of a conversation, as
// of a version of the member list or a later one, "" = none of them is; and
// which version that is.
func (s *Service) Meets(ctx context.Context, app im.AppID, conv im.ConvID, version int64, users []im.UserID) (who im.UserID, at int64, err error) {
	room, err := s.RoomAt(ctx, app, conv, version)
	if err != nil {
		return "", 0, err
	}
	for _, u := range users {
		if _, in := room.Member(u); in {
			return u, room.Version, nil
		}
	}
	return "", room.Version, nil
}

// Forget drops every cached room: hints were lost, so that any of them may be
// out of date.
func (s *Service) Forget() { s.rooms.clear() }
