package join

import (
	"context"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// Forget removes what a user who is erased has written here: their requests to
// join, and the labels of the invitations that they made. Who is banned stays
// so. It may be repeated.
func (s *Service) Forget(ctx context.Context, app im.AppID, user im.UserID) error {
	return s.write(ctx, func(tx db.Tx) error {
		groups, err := db.Column[im.ConvID](tx, "SELECT conv FROM join_request WHERE app = $1 AND usr = $2", app, user)
		if err != nil {
			return err
		}
		for _, sql := range []string{
			"DELETE FROM join_request WHERE app = $1 AND usr = $2",
			"UPDATE join_invite SET label = '' WHERE app = $1 AND creator = $2",
		} {
			if _, err := tx.Exec(sql, app, user); err != nil {
				return err
			}
		}
		for _, conv := range groups {
			if err := s.notify(tx, app, conv, ""); err != nil { // the user is told of nothing any more
				return err
			}
		}
		return nil
	})
}
