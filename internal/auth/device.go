package auth

import (
	"cmp"
	"context"
	"errors"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// ListDevices returns the caller's devices that are signed in, the one seen
// last first. The app's back end has none: NotFound.
func (a *Auth) ListDevices(ctx context.Context, actor im.Actor) ([]Device, error) {
	if actor.User == "" {
		return nil, im.ErrNotFound
	}
	var list []Device
	err := a.db.Read(ctx, func(tx db.Tx) error {
		list = nil
		return db.Each(tx, func(r db.Rows) error {
			var d Device
			var platform int64
			err := r.Scan(&d.ID, &platform, &d.Name, &d.Created, &d.LastSeen)
			d.Platform = Platform(platform)
			list = append(list, d)
			return err
		}, `SELECT id, platform, name, created, last_seen FROM device
			WHERE app = $1 AND user_id = $2 AND revoked = 0 ORDER BY last_seen DESC, id`, actor.App, actor.User)
	})
	return list, err
}

// SignOutDevice signs one of the caller's devices out. When it returns nil, the
// device's sessions are closed on every node, nothing that is committed later
// reaches them, and no token that was issued up to now works for the device,
// nor one that it has shown for another name. A device that was signed out
// already is no error. Errors: NotFound, Unavailable (see awaitFence).
func (a *Auth) SignOutDevice(ctx context.Context, actor im.Actor, device im.DeviceID) error {
	if actor.User == "" {
		return im.ErrNotFound
	}
	var fence int64
	err := a.writeFence(ctx, func(tx db.Tx) error {
		var revoked, seenIAT im.Micros
		found, err := one(tx.QueryRow(`SELECT d.revoked, d.fence, u.seen_iat FROM device d, app_user u
			WHERE d.app = $1 AND d.user_id = $2 AND d.id = $3 AND u.app = d.app AND u.id = d.user_id`, actor.App, actor.User, device),
			&revoked, &fence, &seenIAT)
		if err != nil {
			return err
		}
		if !found {
			return im.ErrNotFound
		}
		if revoked > 0 {
			return nil // by a call whose answer was lost, perhaps: wait for the same fence
		}
		cut := max(a.now(), seenIAT)
		f, err := a.signOut(tx, deviceKey{actor.App, actor.User, device}, cut, cut)
		fence = f.ID
		return err
	})
	if err != nil {
		return err
	}
	return a.awaitFence(ctx, fence)
}

// RevokeUser signs out every device of a user and refuses every token issued
// up to now, also to a user who has never been here; for the app's back end
// only (NotFound for everybody else). It returns how many devices were signed in.
// Errors: ResourceExhausted for a user who has never been here, when the app has
// no room for another one.
func (a *Auth) RevokeUser(ctx context.Context, actor im.Actor, user im.UserID) (devices int, err error) {
	return a.cutUser(ctx, actor, user, false)
}

// cutUser ends every session of a user, and suspends the user if that is asked.
func (a *Auth) cutUser(ctx context.Context, actor im.Actor, user im.UserID, suspend bool) (devices int, err error) {
	if !actor.Server {
		return 0, im.ErrNotFound
	}
	if !im.ValidName(string(user)) {
		return 0, errUserID()
	}
	most := a.Quotas(actor.App).GetUsers()
	var fence Fence
	err = a.writeFence(ctx, func(tx db.Tx) error {
		now := a.now()
		var seenIAT im.Micros
		found, err := one(tx.QueryRow("SELECT seen_iat FROM app_user WHERE app = $1 AND id = $2", actor.App, user), &seenIAT)
		if err != nil {
			return err
		}
		if !found {
			// Were they let in here, an app could have any number of users. Who
			// is not there can not come in while there is no room, either.
			if full, err := addUsers(tx, actor.App, 1, most); err != nil || full {
				return cmp.Or(err, errTooManyUsers)
			}
			if _, err := tx.Exec("INSERT INTO app_user (app, id, created, tokens_valid_from, seen_iat) VALUES ($1, $2, $3, 0, 0)",
				actor.App, user, now); err != nil {
				return err
			}
		}
		if fence, err = a.insertFence(tx, Fence{Kind: FenceUser, App: actor.App, User: user}); err != nil {
			return err
		}
		cut := max(now, seenIAT)
		if _, err := tx.Exec("UPDATE app_user SET tokens_valid_from = $3 WHERE app = $1 AND id = $2", actor.App, user, cut); err != nil {
			return err
		}
		if suspend {
			if _, err := tx.Exec("UPDATE app_user SET suspended = $3 WHERE app = $1 AND id = $2 AND suspended = 0", actor.App, user, now); err != nil {
				return err
			}
		}
		n, err := tx.Exec(`UPDATE device SET revoked = $3, token_valid_from = $4, fence = $5
			WHERE app = $1 AND user_id = $2 AND revoked = 0`, actor.App, user, now, cut, fence.ID)
		devices = int(n)
		return err
	})
	if errors.Is(err, errTooManyUsers) {
		err = a.errUsers(most)
	}
	if err != nil {
		return 0, err
	}
	return devices, a.awaitFence(ctx, fence.ID)
}
