package file

import (
	"context"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// erased is the time that a file of an erased user was touched: before any
// other. It goes with the last message that it is in, and is not kept for a while.
const erased im.Micros = 0

// Forget gives up what a user who is erased has on its way, and takes the files
// of theirs that are in no message. The others are nobody's from now on: what
// somebody else has forwarded stays with that message. It may be repeated.
func (s *Service) Forget(ctx context.Context, app im.AppID, user im.UserID) error {
	if user == "" {
		return nil // those of the app's back end
	}
	var open []string
	err := s.d.DB.Read(ctx, func(tx db.Tx) error {
		open = nil
		rows, err := tx.Query("SELECT id FROM file_upload WHERE app = $1 AND owner = $2 AND done = 0", app, user)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				return err
			}
			open = append(open, id)
		}
		return rows.Err()
	})
	for _, id := range open {
		if err == nil {
			err = s.Terminate(ctx, im.Actor{App: app, User: user}, id)
		}
		// It was completed meanwhile, or is gone.
		if code := im.CodeOf(err); code == im.FailedPrecondition || code == im.NotFound {
			err = nil
		}
	}
	if err != nil {
		return err
	}
	return s.d.DB.Write(ctx, func(tx db.Tx) error {
		if _, err := tx.Exec("DELETE FROM file_upload WHERE app = $1 AND owner = $2 AND done = 1", app, user); err != nil {
			return err
		}
		if _, err := tx.Exec("UPDATE file SET owner = '', touched = $3 WHERE app = $1 AND owner = $2", app, user, erased); err != nil {
			return err
		}
		if err := dropUnused(tx, erased+1); err != nil {
			return err
		}
		// What stays is the app's alone, as what its back end has brought.
		_, err := tx.Exec("DELETE FROM file_user WHERE app = $1 AND owner = $2", app, user)
		return err
	})
}
