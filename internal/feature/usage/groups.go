package usage

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/follow"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

const (
	// unsettled is the shard of a place that was taken for a group of which the
	// journal has told nothing yet.
	unsettled = -1
	// settleIn is after how long such a place is given up: whoever took it has
	// died before the group was made. A retry takes another one.
	settleIn = 10 * time.Minute
)

// Group takes a place for a group that is to be made. back gives it back when
// the group was not made; nil = there is nothing to give back. A group that has
// a place, because it was made before or is being made, takes no second one.
// Errors: ResourceExhausted.
func (s *Service) Group(ctx context.Context, app im.AppID, conv im.ConvID) (back func(), err error) {
	most := s.Quotas(app).GetGroups()
	if most == 0 {
		return nil, nil // the follower counts it
	}
	var full, had bool
	err = s.DB.Write(ctx, func(tx db.Tx) error {
		full, had = false, false
		// It begins with the app's count, so that who else wants a place waits.
		places, err := count(tx, app, 0)
		if err != nil {
			return err
		}
		var n int64
		if err := tx.QueryRow("SELECT count(*) FROM group_place WHERE app = $1 AND conv = $2", app, conv).Scan(&n); err != nil {
			return err
		}
		if had = n > 0; had {
			return nil
		}
		if full = uint64(places) >= most; full {
			return nil
		}
		if _, err := tx.Exec("INSERT INTO group_place (app, conv, shard, since) VALUES ($1, $2, $3, $4)",
			app, conv, unsettled, im.MicrosOf(s.Clock.Now())); err != nil {
			return err
		}
		_, err = count(tx, app, 1)
		return err
	})
	switch {
	case err != nil || had:
		return nil, err
	case full:
		s.Refused[refusedGroups].Inc()
		e := im.Errorf(im.ResourceExhausted, "the app has all of the %d groups that it may have", most)
		e.Hint = hint
		return nil, e
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeTimeout)
		defer cancel()
		if err := s.DB.Write(ctx, func(tx db.Tx) error { return free(tx, app, conv, unsettled) }); err != nil {
			s.Log.Warn("the place of a group that was not made is given up later", "app", app, "err", err)
		}
	}, nil
}

// count adds to the groups of an app and returns how many they are then.
func count(tx db.Tx, app im.AppID, n int64) (places int64, err error) {
	err = tx.QueryRow(`INSERT INTO group_count (app, places) VALUES ($1, $2)
		ON CONFLICT (app) DO UPDATE SET places = group_count.places + excluded.places RETURNING places`, app, n).Scan(&places)
	return places, err
}

// free takes a group's place back: only one that was not settled, or any.
func free(tx db.Tx, app im.AppID, conv im.ConvID, shards ...int64) error {
	query, args := "DELETE FROM group_place WHERE app = $1 AND conv = $2", []any{app, conv}
	for _, shard := range shards {
		query, args = query+" AND shard = $3", append(args, shard)
	}
	n, err := tx.Exec(query, args...)
	if err == nil && n > 0 {
		_, err = count(tx, app, -1)
	}
	return err
}

// Follower counts the groups of the journal: it settles the place of each that
// is made, and frees that of each that is dissolved.
func (s *Service) Follower() follow.Follower {
	return follow.Follower{Name: "groups", Origin: follow.FromStart, Wants: ofGroups, Apply: s.apply, Reset: forget}
}

// ofGroups tells whether an entry is the first of a group, or its end.
func ofGroups(e *im.Entry) bool {
	return e.Kind == im.KindMembers && e.Conv.Kind() == im.ConvGroup && (e.Seq == 1 || dissolves(e))
}

func dissolves(e *im.Entry) bool {
	var b skeinv1.Body
	return proto.Unmarshal(e.Body, &b) == nil && b.GetContent().GetGroupChange().GetDissolved()
}

func (s *Service) apply(_ context.Context, tx db.Tx, entries []im.Entry) error {
	for i := range entries {
		e := &entries[i]
		if e.Seq > 1 {
			if err := free(tx, e.App, e.Conv); err != nil {
				return err
			}
			continue
		}
		n, err := tx.Exec("UPDATE group_place SET shard = $3, since = $4 WHERE app = $1 AND conv = $2", e.App, e.Conv, e.Shard, e.Time)
		if err == nil && n == 0 {
			if _, err = tx.Exec("INSERT INTO group_place (app, conv, shard, since) VALUES ($1, $2, $3, $4)", e.App, e.Conv, e.Shard, e.Time); err == nil {
				_, err = count(tx, e.App, 1)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// forget takes back what was counted of a shard.
func forget(_ context.Context, tx db.Tx, shard int) error {
	return drop(tx, "shard = $1", shard)
}

// drop takes places back, and counts.
func drop(tx db.Tx, where string, args ...any) error {
	if _, err := tx.Exec(`UPDATE group_count SET places = places - (SELECT count(*) FROM group_place p WHERE p.app = group_count.app AND p.`+where+`)
		WHERE app IN (SELECT p.app FROM group_place p WHERE p.`+where+`)`, args...); err != nil {
		return err
	}
	_, err := tx.Exec("DELETE FROM group_place WHERE "+where, args...)
	return err
}

// Kind is the kind of the job that gives up the places of groups that were
// never made.
func (s *Service) Kind() job.Kind {
	return job.Kind{Name: "settle_groups", Every: settleIn, Run: func(ctx context.Context, _ job.Job) error {
		before := im.MicrosOf(s.Clock.Now().Add(-settleIn))
		return s.DB.Write(ctx, func(tx db.Tx) error { return drop(tx, "shard = -1 AND since < $1", before) })
	}}
}
