package profile

import (
	"context"
	"errors"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// MaxFollowing is how many others a user follows at most.
const MaxFollowing = 3000

// Pages of follows.
const (
	defaultFollows = 100
	maxFollows     = 200
)

// FollowUser has the actor follow a user. Errors: InvalidArgument,
// PermissionDenied (blocked), ResourceExhausted.
func (s *Service) FollowUser(ctx context.Context, a im.Actor, r *skeinv1.FollowUserRequest) (*skeinv1.FollowUserResponse, error) {
	other, err := another(a, r.GetUser())
	if err != nil {
		return nil, err
	}
	blockers, err := s.Relations.Blockers(ctx, a.App, a.User, []im.UserID{other})
	if err != nil {
		return nil, err
	}
	if blockers[other] {
		return nil, im.Errorf(im.PermissionDenied, "the other user has blocked you")
	}
	err = s.DB.Write(ctx, func(tx db.Tx) error {
		n, err := tx.Exec(`INSERT INTO user_follow (app, user_id, followed, since_us) VALUES ($1, $2, $3, $4)
			ON CONFLICT (app, user_id, followed) DO NOTHING`, a.App, a.User, other, im.MicrosOf(s.Clock.Now()))
		if err != nil || n == 0 {
			return err
		}
		if err := count(tx, a.App, a.User, other, 1); err != nil {
			return err
		}
		var following int64
		err = tx.QueryRow("SELECT following FROM user_follow_count WHERE app = $1 AND user_id = $2", a.App, a.User).Scan(&following)
		if err == nil && following > MaxFollowing {
			return im.Errorf(im.ResourceExhausted, "a user follows at most %d others", MaxFollowing)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &skeinv1.FollowUserResponse{}, nil
}

// UnfollowUser takes it back. Errors: InvalidArgument, NotFound.
func (s *Service) UnfollowUser(ctx context.Context, a im.Actor, r *skeinv1.UnfollowUserRequest) (*skeinv1.UnfollowUserResponse, error) {
	other, err := another(a, r.GetUser())
	if err != nil {
		return nil, err
	}
	found := false
	err = s.DB.Write(ctx, func(tx db.Tx) (err error) {
		found, err = unfollow(tx, a.App, a.User, other)
		return err
	})
	if err == nil && !found {
		err = im.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &skeinv1.UnfollowUserResponse{}, nil
}

// Part ends the following between two users, in both directions: one has
// blocked the other. It may be repeated.
func (s *Service) Part(ctx context.Context, app im.AppID, a, b im.UserID) error {
	return s.DB.Write(ctx, func(tx db.Tx) error {
		_, err1 := unfollow(tx, app, a, b)
		_, err2 := unfollow(tx, app, b, a)
		return errors.Join(err1, err2)
	})
}

// another checks that a user names somebody else.
func another(a im.Actor, user string) (im.UserID, error) {
	switch {
	case a.Server:
		return "", im.Errorf(im.InvalidArgument, "a back end follows nobody")
	case !im.ValidName(user) || im.UserID(user) == a.User:
		return "", im.Errorf(im.InvalidArgument, "user is not the id of another user")
	}
	return im.UserID(user), nil
}

func unfollow(tx db.Tx, app im.AppID, user, other im.UserID) (bool, error) {
	n, err := tx.Exec("DELETE FROM user_follow WHERE app = $1 AND user_id = $2 AND followed = $3", app, user, other)
	if err != nil || n == 0 {
		return false, err
	}
	return true, count(tx, app, user, other, -1)
}

// count moves both counters, in the order of the ids: of two who follow each
// other at once, neither waits for the other for ever.
func count(tx db.Tx, app im.AppID, user, other im.UserID, by int) error {
	type move struct {
		user                 im.UserID
		followers, following int
	}
	moves := []move{{user, 0, by}, {other, by, 0}}
	if other < user {
		moves[0], moves[1] = moves[1], moves[0]
	}
	for _, m := range moves {
		_, err := tx.Exec(`INSERT INTO user_follow_count (app, user_id, followers, following) VALUES ($1, $2, $3, $4)
			ON CONFLICT (app, user_id) DO UPDATE SET followers = user_follow_count.followers + $3, following = user_follow_count.following + $4`,
			app, m.user, m.followers, m.following)
		if err != nil {
			return err
		}
	}
	return nil
}

// ListFollows pages through whom the actor follows, or who follows them.
// Errors: InvalidArgument.
func (s *Service) ListFollows(ctx context.Context, a im.Actor, r *skeinv1.ListFollowsRequest) (*skeinv1.ListFollowsResponse, error) {
	limit := int(r.Limit)
	if limit == 0 {
		limit = defaultFollows
	}
	switch {
	case a.Server:
		return nil, im.Errorf(im.InvalidArgument, "a back end follows nobody")
	case limit > maxFollows:
		return nil, im.Errorf(im.InvalidArgument, "limit is 1 to %d", maxFollows)
	}
	list, sql := "following", "SELECT followed, since_us FROM user_follow WHERE app = $1 AND user_id = $2 AND followed > $3 ORDER BY followed LIMIT $4"
	if r.Followers {
		list, sql = "followers", "SELECT user_id, since_us FROM user_follow WHERE app = $1 AND followed = $2 AND user_id > $3 ORDER BY user_id LIMIT $4"
	}
	after, err := s.Pages.Open(a, list, r.Page)
	if err != nil {
		return nil, err
	}
	out := &skeinv1.ListFollowsResponse{}
	err = s.DB.Read(ctx, func(tx db.Tx) error {
		out.Follows = nil
		rows, err := tx.Query(sql, a.App, a.User, after, limit+1)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			f := &skeinv1.Follow{}
			if err := rows.Scan(&f.User, &f.SinceUs); err != nil {
				return err
			}
			out.Follows = append(out.Follows, f)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, err
	}
	if len(out.Follows) > limit {
		out.Follows = out.Follows[:limit]
		out.NextPage = s.Pages.Seal(a, list, out.Follows[limit-1].User)
	}
	return out, nil
}

// GetFollows counts the followers of a user, and says how the actor stands to
// them. Errors: InvalidArgument.
func (s *Service) GetFollows(ctx context.Context, a im.Actor, r *skeinv1.GetFollowsRequest) (*skeinv1.GetFollowsResponse, error) {
	if !im.ValidName(r.GetUser()) {
		return nil, im.Errorf(im.InvalidArgument, "user is not a user id")
	}
	user := im.UserID(r.GetUser())
	out := &skeinv1.GetFollowsResponse{}
	err := s.DB.Read(ctx, func(tx db.Tx) error {
		var followers, following, byMe, ofMe int64
		err := tx.QueryRow("SELECT followers, following FROM user_follow_count WHERE app = $1 AND user_id = $2", a.App, user).Scan(&followers, &following)
		if err != nil && !errors.Is(err, db.ErrNoRows) {
			return err
		}
		err = tx.QueryRow(`SELECT (SELECT count(*) FROM user_follow WHERE app = $1 AND user_id = $2 AND followed = $3),
			(SELECT count(*) FROM user_follow WHERE app = $1 AND user_id = $3 AND followed = $2)`, a.App, a.User, user).Scan(&byMe, &ofMe)
		out.Followers, out.Following, out.ByMe, out.OfMe = uint32(followers), uint32(following), byMe > 0, ofMe > 0
		return err
	})
	return out, err
}
