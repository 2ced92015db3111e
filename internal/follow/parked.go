package follow

import (
	"context"
	"errors"
	"fmt"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

// maxErrorBytes bounds the error text that is kept with a parked entry.
const maxErrorBytes = 2000

// Parked is an entry that a follower could not apply and went past. It waits
// for an operator: Replay when the cause is gone, Forget when it never matters.
type Parked struct {
	Follower string
	Shard    int
	Pos      im.Pos
	// App, Conv and Seq name the entry; empty when its row could not be read.
	App  im.AppID
	Conv im.ConvID
	Seq  im.Seq
	// Tries counts the failures, those of Replay included; Error is the last.
	Tries int
	Error string
	At    im.Micros // parked, by the database's clock
}

// Status is how far a follower is in a shard.
type Status struct {
	Follower string
	Shard    int
	Pos      im.Pos
	// Behind is how many entries are still to come.
	Behind int64
	// Held is whether a live node has it.
	Held   bool
	Parked int
}

// Status returns one row for each follower and shard that has ever run, by
// follower and shard.
func (r *Runner) Status(ctx context.Context) ([]Status, error) {
	heads, err := r.heads(ctx)
	if err != nil {
		return nil, fmt.Errorf("status of followers: %w", err)
	}
	var out []Status
	err = r.o.DB.Read(ctx, func(tx db.Tx) error {
		out = nil
		now, err := tx.Now()
		if err != nil {
			return err
		}
		cursors, err := readCursors(tx)
		if err != nil {
			return err
		}
		parked, err := countParked(tx)
		if err != nil {
			return err
		}
		for _, c := range cursors {
			s := Status{Follower: c.name, Shard: c.shard, Pos: c.pos, Held: c.owner != "" && c.until > now, Parked: parked[c.cursorKey]}
			if c.shard < len(heads) && c.incarnation == r.o.Journal.Incarnation() {
				s.Behind = max(0, int64(heads[c.shard]-c.pos))
			}
			out = append(out, s)
		}
		return nil
	})
	return out, err
}

func countParked(tx db.Tx) (map[cursorKey]int, error) {
	rows, err := tx.Query("SELECT name, shard, count(*) FROM parked_entry GROUP BY name, shard")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := make(map[cursorKey]int)
	for rows.Next() {
		var k cursorKey
		var n int
		if err := rows.Scan(&k.name, &k.shard, &n); err != nil {
			return nil, err
		}
		out[k] = n
	}
	return out, rows.Err()
}

// Parked lists parked entries by follower, shard and position: those after the
// given one (nil = from the first), at most limit.
func (r *Runner) Parked(ctx context.Context, after *Parked, limit int) ([]Parked, error) {
	if after == nil {
		after = &Parked{}
	}
	var out []Parked
	err := r.o.DB.Read(ctx, func(tx db.Tx) error {
		out = nil
		rows, err := tx.Query(`SELECT name, shard, pos, app, conv, seq, tries, error, parked_at FROM parked_entry
			WHERE (name, shard, pos) > ($1, $2, $3) ORDER BY name, shard, pos LIMIT $4`, after.Follower, after.Shard, after.Pos, limit)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var p Parked
			if err := rows.Scan(&p.Follower, &p.Shard, &p.Pos, &p.App, &p.Conv, &p.Seq, &p.Tries, &p.Error, &p.At); err != nil {
				return err
			}
			out = append(out, p)
		}
		return rows.Err()
	})
	return out, err
}

// Replay applies a parked entry and takes it off the list, in one transaction;
// it works while the follower runs, here or on another node. The entry comes
// out of order: what followed it has been applied before. Errors: NotFound
// when it is not parked (any more), else what Apply said, which is also noted
// with the entry.
func (r *Runner) Replay(ctx context.Context, follower string, shard int, pos im.Pos) error {
	f := r.follower(follower)
	if f == nil {
		return im.ErrNotFound
	}
	var entries []im.Entry
	err := r.o.Journal.View(ctx, func(v journal.View) (err error) {
		entries, err = v.Since(shard, pos-1, 1)
		return err
	})
	if err == nil && (len(entries) != 1 || entries[0].Pos != pos) {
		err = im.ErrNotFound
	}
	if err == nil {
		err = r.o.DB.Write(ctx, func(tx db.Tx) error {
			if err := forget(tx, follower, shard, pos); err != nil {
				return err
			}
			if f.Wants != nil && !f.Wants(&entries[0]) {
				return nil
			}
			return apply(ctx, f, tx, entries)
		})
	}
	if err != nil && !errors.Is(err, im.ErrNotFound) {
		err = errors.Join(err, r.noteFailure(ctx, follower, shard, pos, err))
	}
	return err
}

// Forget takes an entry off the list without applying it. NotFound when it is
// not there.
func (r *Runner) Forget(ctx context.Context, follower string, shard int, pos im.Pos) error {
	return r.o.DB.Write(ctx, func(tx db.Tx) error { return forget(tx, follower, shard, pos) })
}

func forget(tx db.Tx, follower string, shard int, pos im.Pos) error {
	n, err := tx.Exec("DELETE FROM parked_entry WHERE name = $1 AND shard = $2 AND pos = $3", follower, shard, pos)
	if err == nil && n == 0 {
		err = im.ErrNotFound
	}
	return err
}

// Rebuild starts a follower again from the first entry, on every node: Reset
// takes back what it has done, in the transaction that sets its cursors to 0.
// NotFound when there is no such follower, FailedPrecondition when it starts
// FromHead: what it told the outside must not be told again.
func (r *Runner) Rebuild(ctx context.Context, follower string) error {
	f := r.follower(follower)
	switch {
	case f == nil:
		return im.ErrNotFound
	case f.Origin != FromStart:
		return im.Errorf(im.FailedPrecondition, "follower %s speaks to the outside and can not be rebuilt", follower)
	}
	err := r.o.DB.Write(ctx, func(tx db.Tx) error {
		// The epoch throws out whoever holds it, also in the middle of a batch.
		_, err := tx.Exec("UPDATE follower SET pos = 0, incarnation = $2, epoch = epoch + 1, owner = '' WHERE name = $1",
			follower, r.o.Journal.Incarnation())
		for shard := 0; err == nil && shard < r.o.Journal.Shards(); shard++ {
			err = restart(ctx, tx, f, shard)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("rebuild %s: %w", follower, err)
	}
	r.leases()
	return nil
}

func (r *Runner) follower(name string) *Follower {
	for i := range r.followers {
		if r.followers[i].Name == name {
			return &r.followers[i]
		}
	}
	return nil
}

func clip(s string) string { return s[:min(len(s), maxErrorBytes)] }

func insertParked(tx db.Tx, p Parked) error {
	now, err := tx.Now()
	if err != nil {
		return err
	}
	_, err = tx.Exec(`INSERT INTO parked_entry (name, shard, pos, app, conv, seq, tries, error, parked_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, p.Follower, p.Shard, p.Pos, p.App, p.Conv, p.Seq, p.Tries, clip(p.Error), now)
	return err
}

func (r *Runner) noteFailure(ctx context.Context, follower string, shard int, pos im.Pos, cause error) error {
	return r.o.DB.Write(ctx, func(tx db.Tx) error {
		_, err := tx.Exec("UPDATE parked_entry SET tries = tries + 1, error = $4 WHERE name = $1 AND shard = $2 AND pos = $3",
			follower, shard, pos, clip(cause.Error()))
		return err
	})
}
