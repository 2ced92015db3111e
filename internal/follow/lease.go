package follow

import (
	"context"
	"errors"
	"time"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

// leases asks the runner to look at the leases now.
func (r *Runner) leases() {
	select {
	case r.renew <- struct{}{}:
	default:
	}
}

// cursor is a row of the table follower with the end of its owner's lease.
type cursor struct {
	cursorKey
	incarnation string
	pos         im.Pos
	epoch       int64
	owner       string
	until       im.Micros
}

type cursorKey struct {
	name  string
	shard int
}

func (t *task) key() cursorKey { return cursorKey{t.f.Name, t.shard} }

// lease renews this runner's lease, takes what is free, and tells the tasks
// how they stand. It returns when it should be called again.
func (r *Runner) lease(ctx context.Context) time.Duration {
	rows, now, err := r.renewAndClaim(ctx)
	if err != nil {
		// Nobody is told anything: who has lost its lease finds out by its epoch.
		if ctx.Err() == nil {
			r.o.Log.Warn("followers' leases were not renewed", "err", err)
		}
		return time.Second
	}
	next := renewEvery
	for _, t := range r.tasks {
		c, ok := rows[t.key()]
		if ok && c.owner == r.owner {
			t.leased(event{kind: granted, epoch: c.epoch, pos: c.pos})
			continue
		}
		t.leased(event{kind: revoked})
		if t.free > 0 {
			next = min(next, time.Second) // another one's share, as it seems
			continue
		}
		if left := time.Duration(c.until-now)*time.Microsecond + time.Millisecond; left < next {
			next = max(left, 100*time.Millisecond) // it may be free then
		}
	}
	return next
}

func (r *Runner) renewAndClaim(ctx context.Context) (rows map[cursorKey]cursor, now im.Micros, err error) {
	err = r.o.DB.Write(ctx, func(tx db.Tx) (err error) {
		if now, err = tx.Now(); err != nil {
			return err
		}
		_, err = tx.Exec(`INSERT INTO follower_owner (owner, lease_until) VALUES ($1, $2)
			ON CONFLICT (owner) DO UPDATE SET lease_until = excluded.lease_until`, r.owner, now+im.Micros(Lease/time.Microsecond))
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	if rows, err = r.cursors(ctx); err != nil {
		return nil, 0, err
	}
	free, stale := r.free(rows, now)
	runners, err := r.live(ctx, now)
	if err != nil {
		return nil, 0, err
	}
	take, give := r.share(rows, free, runners, now)
	if len(take) == 0 && len(give) == 0 && len(stale) == 0 {
		return rows, now, nil
	}
	heads, err := r.heads(ctx)
	if err != nil {
		return nil, 0, err
	}
	err = r.o.DB.Write(ctx, func(tx db.Tx) error {
		if err := r.giveUp(tx, give); err != nil {
			return err
		}
		for _, t := range take {
			if err := r.acquire(ctx, tx, t, rows[t.key()], now, heads[t.shard]); err != nil {
				return err
			}
		}
		for _, c := range stale {
			if err := r.drop(ctx, tx, c); err != nil {
				return err
			}
		}
		_, err := tx.Exec("DELETE FROM follower_owner WHERE lease_until < $1", now-im.Micros(24*time.Hour/time.Microsecond))
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	rows, err = r.cursors(ctx)
	return rows, now, err
}

// free returns the tasks that nobody holds, or that this runner holds in a
// journal that is no more, and the cursors of shards that there are no more.
func (r *Runner) free(rows map[cursorKey]cursor, now im.Micros) (free []*task, stale []cursor) {
	incarnation := r.o.Journal.Incarnation()
	for _, t := range r.tasks {
		c := rows[t.key()] // zero when there is none: free
		if c.until <= now || c.owner == r.owner && c.incarnation != incarnation {
			free = append(free, t)
		}
	}
	for _, c := range rows {
		if c.shard >= r.o.Journal.Shards() && c.incarnation != incarnation && c.until <= now && r.follower(c.name) != nil {
			stale = append(stale, c)
		}
	}
	return free, stale
}

// acquire takes a row that was free as of c. Somebody may have been faster;
// then nothing happens. When the row counts in a journal that is no more, it
// starts again by the follower's rule.
func (r *Runner) acquire(ctx context.Context, tx db.Tx, t *task, c cursor, now im.Micros, head im.Pos) error {
	incarnation := r.o.Journal.Incarnation()
	start := im.Pos(0)
	if t.f.Origin == FromHead {
		start = head
	}
	if c.name == "" {
		_, err := tx.Exec(`INSERT INTO follower (name, shard, incarnation, pos, epoch, owner) VALUES ($1, $2, $3, $4, 1, $5)
			ON CONFLICT (name, shard) DO NOTHING`, t.f.Name, t.shard, incarnation, start, r.owner)
		return err
	}
	if c.owner != r.owner {
		var until im.Micros
		err := tx.QueryRow("SELECT lease_until FROM follower_owner WHERE owner = $1", c.owner).Scan(&until)
		if err != nil && !errors.Is(err, db.ErrNoRows) {
			return err
		}
		if until > now {
			return nil // it has renewed meanwhile
		}
	}
	n, err := tx.Exec("UPDATE follower SET owner = $1, epoch = epoch + 1 WHERE name = $2 AND shard = $3 AND epoch = $4",
		r.owner, c.name, c.shard, c.epoch)
	if err != nil || n == 0 || c.incarnation == incarnation {
		return err
	}
	r.o.Log.Warn("a follower starts again: the journal has another incarnation", "follower", c.name, "shard", c.shard, "pos", c.pos)
	if err := restart(ctx, tx, t.f, t.shard); err != nil {
		return err
	}
	_, err = tx.Exec("UPDATE follower SET incarnation = $1, pos = $2 WHERE name = $3 AND shard = $4", incarnation, start, c.name, c.shard)
	return err
}

// drop removes the cursor of a shard that a journal of fewer shards has left
// behind, and what was done for it.
func (r *Runner) drop(ctx context.Context, tx db.Tx, c cursor) error {
	n, err := tx.Exec("DELETE FROM follower WHERE name = $1 AND shard = $2 AND epoch = $3", c.name, c.shard, c.epoch)
	if err != nil || n == 0 {
		return err
	}
	return restart(ctx, tx, r.follower(c.name), c.shard)
}

// restart takes back what a follower has done in a shard. What it had parked
// there names positions that mean nothing any more, or that come by again.
func restart(ctx context.Context, tx db.Tx, f *Follower, shard int) error {
	if _, err := tx.Exec("DELETE FROM parked_entry WHERE name = $1 AND shard = $2", f.Name, shard); err != nil {
		return err
	}
	if f.Origin == FromStart && f.Reset != nil {
		return f.Reset(ctx, tx, shard)
	}
	return nil
}

// release gives up everything, so that the next runner need not wait for the
// end of the lease.
func (r *Runner) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err := r.o.DB.Write(ctx, func(tx db.Tx) error {
		_, err := tx.Exec("DELETE FROM follower_owner WHERE owner = $1", r.owner)
		return err
	})
	if err != nil {
		r.o.Log.Warn("followers' lease was not given up; it ends by itself", "after", Lease, "err", err)
	}
}

// heads returns the newest position of each shard.
func (r *Runner) heads(ctx context.Context) (heads []im.Pos, err error) {
	err = r.o.Journal.View(ctx, func(v journal.View) (err error) {
		heads, err = v.Heads()
		return err
	})
	return heads, err
}

// cursors reads the table on a snapshot of its own: in the transaction of a
// writer, reading every row would make it collide with every cursor that moves.
func (r *Runner) cursors(ctx context.Context) (out map[cursorKey]cursor, err error) {
	err = r.o.DB.Read(ctx, func(tx db.Tx) error {
		list, err := readCursors(tx)
		out = make(map[cursorKey]cursor, len(list))
		for _, c := range list {
			out[c.cursorKey] = c
		}
		return err
	})
	return out, err
}

func readCursors(tx db.Tx) ([]cursor, error) {
	rows, err := tx.Query(`SELECT f.name, f.shard, f.incarnation, f.pos, f.epoch, f.owner, coalesce(o.lease_until, 0)
		FROM follower f LEFT JOIN follower_owner o ON o.owner = f.owner ORDER BY f.name, f.shard`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []cursor
	for rows.Next() {
		var c cursor
		if err := rows.Scan(&c.name, &c.shard, &c.incarnation, &c.pos, &c.epoch, &c.owner, &c.until); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, rows.Err()
}
