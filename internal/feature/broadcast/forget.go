package broadcast

import (
	"context"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// Forget ends the broadcasts that run in the name of a user who is erased, and
// empties what they, and those before them, say. It may be repeated.
func (s *Service) Forget(ctx context.Context, app im.AppID, user im.UserID) error {
	return s.d.DB.Write(ctx, func(tx db.Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		ids, err := db.Column[string](tx, "SELECT id FROM broadcast WHERE app = $1 AND sender = $2 AND state = $3", app, user, running)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := s.d.Files.Release(tx, app, heldBy(id)); err != nil {
				return err
			}
		}
		if _, err := tx.Exec("UPDATE broadcast SET state = $3, finished = $4 WHERE app = $1 AND sender = $2 AND state = $5", app, user, cancelled, now, running); err != nil {
			return err
		}
		_, err = tx.Exec("UPDATE broadcast SET body = $3 WHERE app = $1 AND sender = $2", app, user, []byte{})
		return err
	})
}
