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
		ids, err := db.Column[string](tx, "SELECT id FROM scheduled WHERE app = $1 AND usr = $2 AND state IN (1, 2, 4)", app, user)
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
