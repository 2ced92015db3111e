package follow

import (
	"context"
	"hash/fnv"
	"slices"
	"time"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// Every runner takes its fair share of the shards' followers, as many as there
// are divided by the runners that live, rounded up, and gives up what it has on
// top when another runner comes. It is about speed only: what is right is
// decided by epochs.

// A task that has been free for freeRounds rounds is taken whatever the share:
// the other runners do not know its follower, as during an upgrade that brings
// a new one. It is kept for keepExtra then, so that it does not go round.
const (
	freeRounds = 2
	keepExtra  = 5 * time.Minute
)

// live counts the runners whose leases last.
func (r *Runner) live(ctx context.Context, now im.Micros) (n int, err error) {
	err = r.o.DB.Read(ctx, func(tx db.Tx) error {
		return tx.QueryRow("SELECT COUNT(*) FROM follower_owner WHERE lease_until > $1", now).Scan(&n)
	})
	return max(n, 1), err
}

// share decides which of the free tasks to take, and which of its own to give
// up.
func (r *Runner) share(rows map[cursorKey]cursor, free []*task, runners int, now im.Micros) (take []*task, give []cursor) {
	quota := (len(r.tasks) + runners - 1) / runners
	incarnation := r.o.Journal.Incarnation()
	mine := 0
	for _, t := range r.tasks {
		c := rows[t.key()]
		held := c.owner == r.owner && c.until > now
		if held {
			mine++
		}
		if held || c.until > now {
			t.free = 0
		}
	}
	// Runners that look at the same time begin at different places.
	h := fnv.New32a()
	h.Write([]byte(r.owner))
	start := int(h.Sum32() % uint32(max(len(free), 1)))
	for _, t := range slices.Concat(free[start:], free[:start]) {
		c := rows[t.key()]
		switch t.free++; {
		case c.owner == r.owner && c.until > now && c.incarnation != incarnation: // it is ours already
			take = append(take, t)
		case mine < quota:
			take = append(take, t)
			mine++
		case t.free > freeRounds:
			take = append(take, t)
			t.extra = now + im.Micros(keepExtra/time.Microsecond)
		}
	}
	for i := len(r.tasks) - 1; i >= 0 && mine > quota; i-- {
		t := r.tasks[i]
		if c := rows[t.key()]; c.owner == r.owner && c.until > now && t.extra <= now && !slices.Contains(take, t) {
			give = append(give, c)
			mine--
		}
	}
	return take, give
}

// giveUp makes rows free that this runner holds, for another one. What its
// tasks are doing at that moment may still succeed: their epoch ends when
// somebody takes the row.
func (r *Runner) giveUp(tx db.Tx, give []cursor) error {
	for _, c := range give {
		if _, err := tx.Exec("UPDATE follower SET owner = '' WHERE name = $1 AND shard = $2 AND epoch = $3", c.name, c.shard, c.epoch); err != nil {
			return err
		}
	}
	return nil
}
