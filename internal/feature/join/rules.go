package join

import (
	"context"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// Rules is the policy that nobody puts a banned user into a group, the app's
// back end included. It reads the table of bans, but only for an entry that
// lets somebody in.
type Rules struct{ db *db.DB }

// NewRules builds the policy.
func NewRules(d *db.DB) *Rules { return &Rules{d} }

// Policy is the chat.Policy.
func (r *Rules) Policy(ctx context.Context, a *chat.Action) error {
	if a.Room.Kind != im.ConvGroup || a.Verb == chat.VerbJoin { // who joins was looked at already
		return nil
	}
	var users []im.UserID
	for _, c := range a.Changes {
		if _, in := a.Room.Member(c.User); !in && c.Role != im.RoleNone {
			users = append(users, c.User)
		}
	}
	if len(users) == 0 {
		return nil
	}
	return r.db.Read(ctx, func(tx db.Tx) error {
		for len(users) > 0 {
			n := min(len(users), 100)
			out, err := banned(tx, a.Room.App, a.Room.ID, users[:n]...)
			switch {
			case err != nil:
				return err
			case out:
				return &im.Error{Code: im.FailedPrecondition, Message: "a user is banned from the group", Hint: "UnbanMember first"}
			}
			users = users[n:]
		}
		return nil
	})
}

// banned tells whether one of some users, at most 100, is kept out of a group.
func banned(tx db.Tx, app im.AppID, conv im.ConvID, users ...im.UserID) (bool, error) {
	args := []any{app, conv}
	for _, u := range users {
		args = append(args, u)
	}
	var n int64
	err := tx.QueryRow("SELECT count(*) FROM join_ban WHERE app = $1 AND conv = $2 AND usr IN ("+db.List(3, len(users))+")", args...).Scan(&n)
	return n > 0, err
}

// allowed tells whether a group's allow list lets a user join by themselves.
func allowed(tx db.Tx, app im.AppID, conv im.ConvID, user im.UserID) (bool, error) {
	enforced, err := enforced(tx, app, conv)
	if err != nil || !enforced {
		return err == nil, err
	}
	var n int64
	err = tx.QueryRow("SELECT count(*) FROM join_allowed WHERE app = $1 AND conv = $2 AND usr = $3", app, conv, user).Scan(&n)
	return n > 0, err
}

// gate says why a user may not come into a group by themselves, whichever way:
// nil, or the answer. The room must have been read before.
func gate(tx db.Tx, room *chat.Room, user im.UserID) error {
	if closed(room) {
		return im.ErrNotFound
	}
	out, err := banned(tx, room.App, room.ID, user)
	if err != nil {
		return err
	}
	if out {
		return im.ErrNotFound
	}
	ok, err := allowed(tx, room.App, room.ID, user)
	if err == nil && !ok {
		err = im.Errorf(im.PermissionDenied, "only those on the group's list may join")
	}
	return err
}
