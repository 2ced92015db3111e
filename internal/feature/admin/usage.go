package admin

import (
	"context"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/follow"
	"github.com/skein-im/skein/internal/im"
)

// dayMicros is a day of the table usage_day.
const dayMicros = 24 * 60 * 60 * 1_000_000

// Usage returns the follower that counts the messages of each app and day. It
// counts what raises a conversation's ord, each entry once, because a count
// and the follower's cursor change in one transaction: the sum over an app is
// the sum of the ords of its conversations' heads, as far as it has come.
func (s *Service) Usage() follow.Follower {
	return follow.Follower{Name: "usage", Apply: count, Reset: reset, Origin: follow.FromStart,
		Wants: func(e *im.Entry) bool { return e.Countable() }}
}

// Messages returns how many messages of an app were counted so far.
func (s *Service) Messages(ctx context.Context, app im.AppID) (n int64, err error) {
	err = s.db.Read(ctx, func(tx db.Tx) error {
		return tx.QueryRow("SELECT CAST(coalesce(sum(messages), 0) AS BIGINT) FROM usage_day WHERE app = $1", app).Scan(&n)
	})
	return n, err
}

// count adds a batch: one statement for each app and day in it.
func count(_ context.Context, tx db.Tx, entries []im.Entry) error {
	type day struct {
		app im.AppID
		day im.Micros
	}
	counts := make(map[day]int64, 1)
	for i := range entries {
		counts[day{entries[i].App, entries[i].Time / dayMicros}]++
	}
	for d, n := range counts {
		_, err := tx.Exec(`INSERT INTO usage_day (app, day, shard, messages) VALUES ($1, $2, $3, $4)
			ON CONFLICT (app, day, shard) DO UPDATE SET messages = usage_day.messages + excluded.messages`,
			d.app, d.day, entries[0].Shard, n)
		if err != nil {
			return err
		}
	}
	return nil
}

func reset(_ context.Context, tx db.Tx, shard int) error {
	_, err := tx.Exec("DELETE FROM usage_day WHERE shard = $1", shard)
	return err
}
