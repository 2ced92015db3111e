package job

import (
	"context"
	"errors"
	"time"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// Dead is a job that failed for good. It waits for an operator: Replay when
// the cause is gone, Discard when it does not matter.
type Dead struct {
	Job             // Try is how often it was run
	At    im.Micros // when it died
	Error string    // of the last run
}

// Dead lists the dead jobs of an app ("" = of all), by id: those after the
// given one, at most limit.
func (q *Queue) Dead(ctx context.Context, app im.AppID, after string, limit int) (out []Dead, err error) {
	err = q.o.DB.Read(ctx, func(tx db.Tx) error {
		out = nil
		rows, err := tx.Query(`SELECT id, kind, app, target, coalesce(key, ''), body, tries, created, finished, error FROM job
			WHERE state = 3 AND id > $1 AND ($2 = '' OR app = $2) ORDER BY id LIMIT $3`, after, app, limit)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var d Dead
			err := rows.Scan(&d.ID, &d.Kind, &d.App, &d.Target, &d.Key, &d.Body, &d.Try, &d.Created, &d.At, &d.Error)
			if err != nil {
				return err
			}
			out = append(out, d)
		}
		return rows.Err()
	})
	return out, err
}

// Replay lets a dead job of an app ("" = of any) run again, with all its
// tries, and lifts this node's suspicion of its lane. NotFound when there is
// no such dead job.
func (q *Queue) Replay(ctx context.Context, app im.AppID, id string) error {
	var l lane
	err := q.o.DB.Write(ctx, func(tx db.Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		err = tx.QueryRow("SELECT kind, lane FROM job WHERE state = 3 AND id = $1", id).Scan(&l.kind, &l.name)
		if errors.Is(err, db.ErrNoRows) {
			err = im.ErrNotFound
		}
		if err != nil {
			return err
		}
		return one(tx.Exec("UPDATE job SET state = 0, tries = 0, finished = 0, run_at = $3 WHERE state = 3 AND id = $1 AND ($2 = '' OR app = $2)",
			id, app, now))
	})
	if err == nil {
		q.forgive(l)
		q.Wake()
	}
	return err
}

func (q *Queue) forgive(l lane) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.started { // else nobody would take it
		q.forgiven = append(q.forgiven, l)
	}
}

func (q *Queue) takeForgiven() []lane {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := q.forgiven
	q.forgiven = nil
	return out
}

// Discard removes a dead job of an app ("" = of any). NotFound when there is
// no such dead job.
func (q *Queue) Discard(ctx context.Context, app im.AppID, id string) error {
	return q.o.DB.Write(ctx, func(tx db.Tx) error {
		return one(tx.Exec("DELETE FROM job WHERE state = 3 AND id = $1 AND ($2 = '' OR app = $2)", id, app))
	})
}

// one turns "no row" into NotFound.
func one(n int64, err error) error {
	if err == nil && n == 0 {
		return im.ErrNotFound
	}
	return err
}

const (
	purgeKind  = "job.purge"
	purgeEvery = 10 * time.Minute
	// purgeBatch is how many rows one transaction removes: others want to
	// write between two.
	purgeBatch = 1000
)

// purge removes what is done or dead and was kept long enough, of the kinds
// that this node knows.
func (q *Queue) purge(ctx context.Context, _ Job) error {
	for i := range q.kinds {
		k := &q.kinds[i]
		if err := q.purgeRows(ctx, purgeDone, k.Name, k.Keep); err != nil {
			return err
		}
		if err := q.purgeRows(ctx, purgeDead, k.Name, k.KeepDead); err != nil {
			return err
		}
	}
	return nil
}

const (
	purgeDone = "DELETE FROM job WHERE id IN (SELECT id FROM job WHERE state = 2 AND kind = $1 AND finished <= $2 ORDER BY finished LIMIT $3)"
	purgeDead = "DELETE FROM job WHERE id IN (SELECT id FROM job WHERE state = 3 AND kind = $1 AND finished <= $2 ORDER BY finished LIMIT $3)"
)

func (q *Queue) purgeRows(ctx context.Context, sql, kind string, keep time.Duration) error {
	for {
		var n int64
		err := q.o.DB.Write(ctx, func(tx db.Tx) error {
			now, err := tx.Now()
			if err == nil {
				n, err = tx.Exec(sql, kind, now-micros(keep), purgeBatch)
			}
			return err
		})
		if err != nil || n < purgeBatch {
			return err
		}
	}
}
