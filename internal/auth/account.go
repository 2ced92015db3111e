package auth

import (
	"context"
	"errors"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// Account is a user as the app's back end sees them.
type Account struct {
	ID      im.UserID
	Created im.Micros
	// Suspended is since when the user is refused; 0 = is not.
	Suspended im.Micros
	Bot       bool
}

// AccountChange makes a user, or changes one.
type AccountChange struct {
	ID  im.UserID
	Bot *bool // nil = unchanged; a new user is none
}

// PutAccounts makes users and changes those that are there; for the app's back
// end only (NotFound for everybody else). It tells which of them are new.
// Errors: InvalidArgument for an id that nobody can have, and then nothing is
// changed.
func (a *Auth) PutAccounts(ctx context.Context, actor im.Actor, list []AccountChange) (created []bool, err error) {
	if !actor.Server {
		return nil, im.ErrNotFound
	}
	for _, c := range list {
		if !im.ValidName(string(c.ID)) {
			return nil, errUserID()
		}
	}
	most := a.Quotas(actor.App).GetUsers()
	err = a.in(ctx, a.adding, func(tx db.Tx) error {
		// First of all: who else adds users waits, rather than have this
		// transaction rolled back at its end.
		if _, err := addUsers(tx, actor.App, 0, 0); err != nil {
			return err
		}
		created = make([]bool, len(list))
		added, now := 0, a.now()
		for i, c := range list {
			n, err := tx.Exec(`INSERT INTO app_user (app, id, created, tokens_valid_from, seen_iat) VALUES ($1, $2, $3, 0, 0)
				ON CONFLICT (app, id) DO NOTHING`, actor.App, c.ID, now)
			if err != nil {
				return err
			}
			if created[i] = n == 1; created[i] {
				added++
			}
			if c.Bot == nil {
				continue
			}
			bot := int64(0)
			if *c.Bot {
				bot = 1
			}
			if _, err := tx.Exec("UPDATE app_user SET bot = $3 WHERE app = $1 AND id = $2", actor.App, c.ID, bot); err != nil {
				return err
			}
		}
		if added == 0 {
			return nil
		}
		full, err := addUsers(tx, actor.App, added, most)
		if full {
			err = errTooManyUsers
		}
		return err
	})
	if errors.Is(err, errTooManyUsers) {
		err = a.errUsers(most)
	}
	return created, err
}

// GetAccount returns one user; for the app's back end only. Errors: NotFound.
func (a *Auth) GetAccount(ctx context.Context, actor im.Actor, user im.UserID) (Account, error) {
	list, err := a.accounts(ctx, actor, "SELECT id, created, suspended, bot FROM app_user WHERE app = $1 AND id = $2", user)
	if err == nil && len(list) == 0 {
		err = im.ErrNotFound
	}
	if err != nil {
		return Account{}, err
	}
	return list[0], nil
}

// ListAccounts returns the users after an id ("" = from the first), ordered by
// the bytes of their ids, at most limit; for the app's back end only. Errors: NotFound.
func (a *Auth) ListAccounts(ctx context.Context, actor im.Actor, after im.UserID, limit int) ([]Account, error) {
	return a.accounts(ctx, actor, "SELECT id, created, suspended, bot FROM app_user WHERE app = $1 AND id > $2 ORDER BY id LIMIT $3", after, limit)
}

func (a *Auth) accounts(ctx context.Context, actor im.Actor, sql string, args ...any) ([]Account, error) {
	if !actor.Server {
		return nil, im.ErrNotFound
	}
	var list []Account
	err := a.db.Read(ctx, func(tx db.Tx) error {
		list = nil
		return db.Each(tx, func(r db.Rows) error {
			var c Account
			var bot int64
			err := r.Scan(&c.ID, &c.Created, &c.Suspended, &bot)
			c.Bot = bot > 0
			list = append(list, c)
			return err
		}, sql, append([]any{actor.App}, args...)...)
	})
	return list, err
}

// SuspendUser does what RevokeUser does, and refuses the user's tokens,
// PermissionDenied, until UnsuspendUser. Since when a user is suspended stays
// when they are suspended again. Errors: as RevokeUser's.
func (a *Auth) SuspendUser(ctx context.Context, actor im.Actor, user im.UserID) (devices int, err error) {
	return a.cutUser(ctx, actor, user, true)
}

// UnsuspendUser lets a user in again, with tokens that were issued after the
// suspension; for the app's back end only. A user who is not suspended is no
// error. Errors: NotFound.
func (a *Auth) UnsuspendUser(ctx context.Context, actor im.Actor, user im.UserID) error {
	if !actor.Server {
		return im.ErrNotFound
	}
	return a.write(ctx, func(tx db.Tx) error {
		// No fence: of a suspended user nothing is remembered that would have
		// to be forgotten.
		n, err := tx.Exec("UPDATE app_user SET suspended = 0 WHERE app = $1 AND id = $2", actor.App, user)
		if err == nil && n == 0 {
			err = im.ErrNotFound
		}
		return err
	})
}

// ForgetDevices removes what is known of a user's devices. The user must have
// been revoked: tokens from before are refused because of that alone.
func (a *Auth) ForgetDevices(ctx context.Context, app im.AppID, user im.UserID) error {
	return a.write(ctx, func(tx db.Tx) error {
		if _, err := tx.Exec("DELETE FROM device_token WHERE app = $1 AND user_id = $2", app, user); err != nil {
			return err
		}
		_, err := tx.Exec("DELETE FROM device WHERE app = $1 AND user_id = $2", app, user)
		return err
	})
}

func errUserID() error {
	return im.Errorf(im.InvalidArgument, "a user id is 1 to %d bytes of UTF-8 without control characters", im.MaxIDBytes)
}
