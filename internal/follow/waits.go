package follow

import (
	"context"
	"fmt"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

// Waits returns the time of the oldest entry that a follower has not applied, be
// it still to come or parked; ok = false when there is none. It is for those who
// take something away that an entry might need: what is younger is not for them.
func Waits(ctx context.Context, d *db.DB, j journal.Journal, follower string) (at im.Micros, ok bool, err error) {
	after := make([]im.Pos, j.Shards()) // before the oldest of each shard
	err = d.Read(ctx, func(tx db.Tx) error {
		clear(after)
		cursors, err := readCursors(tx)
		for _, c := range cursors {
			if c.name == follower && c.shard < len(after) && c.incarnation == j.Incarnation() {
				after[c.shard] = c.pos
			}
		}
		if err != nil {
			return err
		}
		return db.Each(tx, func(r db.Rows) error {
			var shard int
			var pos im.Pos
			err := r.Scan(&shard, &pos)
			if err == nil && shard < len(after) {
				after[shard] = min(after[shard], pos-1)
			}
			return err
		}, "SELECT shard, min(pos) FROM parked_entry WHERE name = $1 GROUP BY shard", follower)
	})
	if err == nil {
		err = j.View(ctx, func(v journal.View) error {
			at, ok = 0, false
			for shard, pos := range after {
				es, err := v.Since(shard, pos, 1)
				if err != nil {
					return err
				}
				if len(es) > 0 && (!ok || es[0].Time < at) {
					at, ok = es[0].Time, true
				}
			}
			return nil
		})
	}
	if err != nil {
		err = fmt.Errorf("what waits for follower %s: %w", follower, err)
	}
	return at, ok, err
}
