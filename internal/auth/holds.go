package auth

import (
	"context"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// Holds tells whether what a caller was given at a time may still be used:
// nothing that was written down since has signed them out, revoked or suspended
// them or their app. It is asked of the database each time. Errors: SignedOut,
// Unavailable.
func (a *Auth) Holds(ctx context.Context, actor im.Actor, since im.Micros) error {
	if !a.Valid() {
		return errNotValid()
	}
	var suspended, refused int64
	var from im.Micros
	var found bool
	err := a.db.Read(ctx, func(tx db.Tx) (err error) {
		found, err = one(tx.QueryRow("SELECT a.suspended, u.tokens_valid_from, u.suspended FROM app a, app_user u WHERE a.id = $1 AND u.app = a.id AND u.id = $2",
			actor.App, actor.User), &suspended, &from, &refused)
		if err != nil || !found || actor.Device == "" {
			return err
		}
		var revoked int64
		var device im.Micros
		found, err = one(tx.QueryRow("SELECT revoked, token_valid_from FROM device WHERE app = $1 AND user_id = $2 AND id = $3", actor.App, actor.User, actor.Device), &revoked, &device)
		refused, from = max(refused, revoked), max(from, device)
		return err
	})
	if err != nil {
		return err
	}
	if !found || suspended > 0 || refused > 0 || since <= from {
		return errSignedOut()
	}
	return nil
}
