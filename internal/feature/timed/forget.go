package timed

import (
	"context"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// Forget removes what a user has scheduled; what is due later finds nothing to
// send. It may be repeated.
func (s *Service) Forget(ctx context.Context, app im.AppID, user im.UserID) error {
	return s.d.DB.Write(ctx, func(tx db.Tx) error {
		ids, err := waitingOf(tx, app, user)
		if err != nil {
			return err
		}
		for _, id := range ids {
			r := row{user: user, id: id}
			if err := s.d.Files.Release(tx, app, r.name()); err != nil {
				return err
			}
		}
		_, err = tx.Exec("DELETE FROM scheduled WHERE app = $1 AND usr = $2", app, user)
		return err
	})
}

// waitingOf are the ids of what a user has scheduled, and is not over.
func waitingOf(tx db.Tx, app im.AppID, user im.UserID) (ids []string, err error) {
	rows, err := tx.Query("SELECT id FROM scheduled WHERE app = $1 AND usr = $2 AND state IN (1, 2, 4)", app, user)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}
