package profile

import (
	"context"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// Forget removes everything that this package knows of a user: the profile,
// the settings, the status, and who follows whom. It may be repeated.
func (s *Service) Forget(ctx context.Context, app im.AppID, user im.UserID) error {
	return s.DB.Write(ctx, func(tx db.Tx) error {
		for _, sql := range []string{
			"DELETE FROM profile_field WHERE app = $1 AND user_id = $2",
			"DELETE FROM profile WHERE app = $1 AND user_id = $2",
			"DELETE FROM user_status WHERE app = $1 AND user_id = $2",
			`UPDATE user_follow_count SET followers = followers - 1
				WHERE app = $1 AND user_id IN (SELECT followed FROM user_follow WHERE app = $1 AND user_id = $2)`,
			`UPDATE user_follow_count SET following = following - 1
				WHERE app = $1 AND user_id IN (SELECT user_id FROM user_follow WHERE app = $1 AND followed = $2)`,
			"DELETE FROM user_follow WHERE app = $1 AND (user_id = $2 OR followed = $2)",
			"DELETE FROM user_follow_count WHERE app = $1 AND user_id = $2",
		} {
			if _, err := tx.Exec(sql, app, user); err != nil {
				return err
			}
		}
		return nil
	})
}
