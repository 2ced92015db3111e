package join

import (
	"context"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

// How uses are counted. Three steps: (1) a row of join_use says who sets out,
// with which client id; (2) the entry is appended, on the version of the group
// that it was decided on; (3) the row is counted. A node may die after each.
//
//	after 1: there is no entry, so the row is no use; it costs a look at it
//	after 2: the entry is in the journal, so the row is a use; who comes next
//	         finds it by its client id, and Tidy counts it
//
// Whoever decides (between 1 and 2) reads the group's version first. Another
// join raises the version, so of two that saw the last use free one is decided
// again and sees the other's entry.

// setOut writes the row of a join by invitation. ok is false when the uses are
// gone for certain, and this user has not set out with this client id before.
func (s *Service) setOut(ctx context.Context, a im.Actor, v *invite, client im.ClientID) (ok bool, err error) {
	err = s.DB.Write(ctx, func(tx db.Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		var fresh invite
		if err := tx.QueryRow("SELECT "+inviteColumns+" FROM join_invite WHERE app = $1 AND id = $2", v.app, v.id).Scan(fresh.dest()...); err != nil {
			return err
		}
		var mine int64
		if err := tx.QueryRow("SELECT count(*) FROM join_use WHERE app = $1 AND invite = $2 AND usr = $3 AND client_id = $4",
			v.app, v.id, a.User, client[:]).Scan(&mine); err != nil {
			return err
		}
		if ok = mine > 0 || !fresh.over(now); !ok || mine > 0 {
			return nil
		}
		_, err = tx.Exec("INSERT INTO join_use (app, invite, usr, client_id, at, counted) VALUES ($1, $2, $3, $4, $5, 0)", v.app, v.id, a.User, client[:], now)
		return err
	})
	return ok, err
}

// enterBy joins by an invitation.
func (s *Service) enterBy(ctx context.Context, a im.Actor, v *invite, client im.ClientID) error {
	room, err := s.group(ctx, a.App, v.conv)
	if err != nil {
		return err
	}
	if _, in := room.Member(a.User); in {
		return nil
	}
	ok, err := s.setOut(ctx, a, v, client)
	if err != nil {
		return err
	}
	if !ok {
		return im.ErrNotFound
	}
	err = s.enter(ctx, a, v.conv, client, func(room *chat.Room) error {
		if v.orphan(room) {
			return im.ErrNotFound
		}
		var pending []use
		err := s.DB.Read(ctx, func(tx db.Tx) (err error) {
			pending, err = s.mayUse(tx, room, a, v, client)
			return err
		})
		if err != nil {
			return err
		}
		return s.roomFor(ctx, v, pending)
	})
	switch {
	case err == nil:
		// Whoever comes next sees it when this fails, and Tidy counts it.
		if e := s.count(ctx, v, a.User, client); e != nil {
			s.Log.Warn("a use of an invitation is not counted yet", "err", e)
		}
	case definite(err):
		if e := s.turnBack(ctx, v, a.User, client); e != nil {
			s.Log.Warn("a row of who did not join stays", "err", e)
		}
	}
	return err
}

// use is a row of join_use that is not counted.
type use struct {
	user   im.UserID
	client im.ClientID
}

// mayUse decides what the tables decide, and returns who has set out beside
// this one and is not counted; nil when that does not matter.
func (s *Service) mayUse(tx db.Tx, room *chat.Room, a im.Actor, v *invite, client im.ClientID) ([]use, error) {
	if err := gate(tx, room, a.User); err != nil {
		return nil, err
	}
	now, err := tx.Now()
	if err != nil {
		return nil, err
	}
	if err := tx.QueryRow("SELECT "+inviteColumns+" FROM join_invite WHERE app = $1 AND id = $2", v.app, v.id).Scan(v.dest()...); err != nil {
		return nil, err
	}
	if v.over(now) {
		return nil, im.ErrNotFound
	}
	if v.maxUses == 0 {
		return nil, nil
	}
	rows, err := tx.Query("SELECT usr, client_id FROM join_use WHERE app = $1 AND invite = $2 AND counted = 0 AND NOT (usr = $3 AND client_id = $4)",
		v.app, v.id, a.User, client[:])
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []use
	for rows.Next() {
		var u use
		var raw []byte
		if err := rows.Scan(&u.user, &raw); err != nil {
			return nil, err
		}
		copy(u.client[:], raw)
		out = append(out, u)
	}
	return out, rows.Err()
}

// roomFor tells whether a use is left: those counted, and those whose entry is
// in the journal.
func (s *Service) roomFor(ctx context.Context, v *invite, pending []use) error {
	uses := v.uses
	if len(pending) == 0 || uses+int64(len(pending)) < v.maxUses {
		return nil
	}
	return s.Journal.View(ctx, func(view journal.View) error {
		for _, u := range pending {
			in, err := entered(view, v, u)
			if err != nil {
				return err
			}
			if in {
				uses++
			}
			if uses >= v.maxUses {
				return im.ErrNotFound
			}
		}
		return nil
	})
}

// entered tells whether the entry of a use is in the journal.
func entered(view journal.View, v *invite, u use) (bool, error) {
	e, err := view.ByClientID(v.app, u.user, u.client)
	if im.CodeOf(err) == im.NotFound {
		return false, nil
	}
	return err == nil && e.Conv == v.conv && e.Kind == im.KindMembers, err
}

// count counts a use whose entry is in the journal, once.
func (s *Service) count(ctx context.Context, v *invite, user im.UserID, client im.ClientID) error {
	return s.DB.Write(ctx, func(tx db.Tx) error {
		n, err := tx.Exec("UPDATE join_use SET counted = 1 WHERE app = $1 AND invite = $2 AND usr = $3 AND client_id = $4 AND counted = 0",
			v.app, v.id, user, client[:])
		if err == nil && n > 0 {
			_, err = tx.Exec("UPDATE join_invite SET uses = uses + 1 WHERE app = $1 AND id = $2", v.app, v.id)
		}
		return err
	})
}

// turnBack takes the row of who did not get in away.
func (s *Service) turnBack(ctx context.Context, v *invite, user im.UserID, client im.ClientID) error {
	return s.DB.Write(ctx, func(tx db.Tx) error {
		_, err := tx.Exec("DELETE FROM join_use WHERE app = $1 AND invite = $2 AND usr = $3 AND client_id = $4 AND counted = 0", v.app, v.id, user, client[:])
		return err
	})
}

// takeUse counts a request that is filed by an invitation.
func takeUse(tx db.Tx, v *invite, now im.Micros) error {
	if err := tx.QueryRow("SELECT "+inviteColumns+" FROM join_invite WHERE app = $1 AND id = $2", v.app, v.id).Scan(v.dest()...); err != nil {
		return err
	}
	if v.over(now) {
		return im.ErrNotFound
	}
	_, err := tx.Exec("UPDATE join_invite SET uses = uses + 1 WHERE app = $1 AND id = $2", v.app, v.id)
	return err
}
