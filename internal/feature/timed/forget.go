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
		_, err := tx.Exec("DELETE FROM scheduled WHERE app = $1 AND usr = $2", app, user)
		return err
	})
}
