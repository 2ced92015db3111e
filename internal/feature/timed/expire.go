package timed

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/follow"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
	"github.com/skein-im/skein/internal/journal"
)

// How a reader is noticed whom Reading has not told of.
const (
	// lookAfter is when a message that burns is looked at again: somebody may
	// have read it before it was known here.
	lookAfter = time.Second
	// sweepEvery is how often all are looked at: an answer moves the reader's
	// marker as well, and tells nobody.
	sweepEvery = 30 * time.Second
	// sweepConvs bounds the conversations of one sweep; the next one goes on.
	sweepConvs = 1000
)

// Burns knows which messages end by the clock. A message with a time to live
// has a job from the moment that the follower sees it. One that burns after
// reading is a row until its reader has read it, and then a job: the row
// becomes the job before the reader's marker moves, so that no crash lies
// between what the reader has seen and its end.
type Burns struct {
	db    *db.DB
	j     journal.Journal
	queue Queue
	at    chan burnAt // holds where the last sweep of this node has ended
}

// burnAt is a conversation in the order of the table.
type burnAt struct {
	app  im.AppID
	conv im.ConvID
}

// NewBurns returns the keeper. The tables must have been migrated, and the
// queue must have the kinds of this package.
func NewBurns(d *db.DB, j journal.Journal, q Queue) *Burns {
	b := &Burns{db: d, j: j, queue: q, at: make(chan burnAt, 1)}
	b.at <- burnAt{}
	return b
}

// Reading starts the time of what a reader of a direct conversation has read,
// up to seq. It is quick when nothing burns there.
func (b *Burns) Reading(ctx context.Context, app im.AppID, conv im.ConvID, reader im.UserID, seq im.Seq) error {
	var rows []burnRow
	err := b.db.Read(ctx, func(tx db.Tx) (err error) {
		rows, err = unread(tx, app, conv, reader, seq)
		return err
	})
	if err != nil || len(rows) == 0 {
		return err
	}
	return b.db.Write(ctx, func(tx db.Tx) error {
		rows, err := unread(tx, app, conv, reader, seq)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if err := plan(tx, b.queue, app, conv, r.seq, "burn", time.Duration(r.burn)*time.Second); err != nil {
				return err
			}
		}
		_, err = tx.Exec("DELETE FROM burning WHERE app = $1 AND conv = $2 AND reader = $3 AND seq <= $4", app, conv, reader, seq)
		return err
	})
}

type burnRow struct {
	seq  im.Seq
	burn int64
}

func unread(tx db.Tx, app im.AppID, conv im.ConvID, reader im.UserID, seq im.Seq) ([]burnRow, error) {
	rows, err := tx.Query("SELECT seq, burn FROM burning WHERE app = $1 AND conv = $2 AND seq <= $3 AND reader = $4 ORDER BY seq", app, conv, seq, reader)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []burnRow
	for rows.Next() {
		var r burnRow
		if err := rows.Scan(&r.seq, &r.burn); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// plan has a message expire after a while. why tells a time to live from
// burning: the earlier of the two ends it.
func plan(tx db.Tx, q Queue, app im.AppID, conv im.ConvID, seq im.Seq, why string, in time.Duration) error {
	_, _, err := q.Enqueue(tx, job.Spec{Kind: expireKind, App: app, Key: keyOf(conv, seq) + "/" + why, Delay: max(0, in)})
	return err
}

func keyOf(conv im.ConvID, seq im.Seq) string {
	return string(conv) + "/" + strconv.FormatInt(int64(seq), 10)
}

// Follower returns the durable reader that finds messages with an end.
func (b *Burns) Follower() follow.Follower {
	return follow.Follower{Name: "timed", Origin: follow.FromStart, Apply: b.apply, Wants: func(e *im.Entry) bool {
		return e.Kind == im.KindMessage && (e.Expires > 0 || e.Burn > 0) && !e.Expired && !e.Recalled
	}}
}

func (b *Burns) apply(_ context.Context, tx db.Tx, entries []im.Entry) error {
	now, err := tx.Now()
	if err != nil {
		return err
	}
	for i := range entries {
		e := &entries[i]
		if e.Expires > 0 {
			if err := plan(tx, b.queue, e.App, e.Conv, e.Seq, "ttl", time.Duration(e.Expires-now)*time.Microsecond); err != nil {
				return err
			}
		}
		reader := e.Conv.Peer(e.Sender)
		if e.Burn <= 0 || reader == "" {
			continue
		}
		if _, err := tx.Exec("INSERT INTO burning (app, conv, seq, reader, burn) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (app, conv, seq) DO NOTHING",
			e.App, e.Conv, e.Seq, reader, int64(e.Burn)); err != nil {
			return err
		}
		if _, _, err := b.queue.Enqueue(tx, job.Spec{Kind: lookKind, App: e.App, Key: keyOf(e.Conv, e.Seq), Delay: lookAfter}); err != nil {
			return err
		}
	}
	return nil
}

// look notices a reader who was faster than the follower.
func (b *Burns) look(ctx context.Context, j job.Job) error {
	conv, _, ok := cutLast(j.Key)
	if !ok {
		return job.Permanent(errors.New("the job's key is not one of a message"))
	}
	return b.catchUp(ctx, j.App, im.ConvID(conv))
}

// catchUp starts the time of what both users of a conversation have read.
func (b *Burns) catchUp(ctx context.Context, app im.AppID, conv im.ConvID) error {
	x, y := conv.Pair()
	for _, u := range []im.UserID{x, y} {
		var m journal.Member
		err := b.j.View(ctx, func(v journal.View) (err error) {
			m, err = v.Member(app, conv, u)
			return err
		})
		if im.CodeOf(err) == im.NotFound || err == nil && m.ReadSeq == 0 {
			continue
		}
		if err == nil {
			err = b.Reading(ctx, app, conv, u, m.ReadSeq)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// sweep looks at the conversations in which something waits to be read, the
// next ones each time.
func (b *Burns) sweep(ctx context.Context, _ job.Job) error {
	at := <-b.at
	defer func() { b.at <- at }()
	var found []burnAt
	err := b.db.Read(ctx, func(tx db.Tx) error {
		found = nil
		rows, err := tx.Query(`SELECT DISTINCT app, conv FROM burning WHERE app > $1 OR app = $1 AND conv > $2 ORDER BY app, conv LIMIT $3`,
			at.app, at.conv, int64(sweepConvs))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var c burnAt
			if err := rows.Scan(&c.app, &c.conv); err != nil {
				return err
			}
			found = append(found, c)
		}
		return rows.Err()
	})
	for _, c := range found {
		if err = b.catchUp(ctx, c.app, c.conv); err != nil {
			return err
		}
		at = c
	}
	if len(found) < sweepConvs {
		at = burnAt{}
	}
	return err
}

// runExpire empties a message whose time is up.
func (s *Service) runExpire(ctx context.Context, j job.Job) error {
	rest, _, ok := cutLast(j.Key)
	conv, number, ok2 := cutLast(rest)
	seq, err := strconv.ParseInt(number, 10, 64)
	if !ok || !ok2 || err != nil {
		return job.Permanent(errors.New("the job's key is not one of a message"))
	}
	err = s.d.Chat.Expire(ctx, j.App, im.ConvID(conv), im.Seq(seq))
	if im.CodeOf(err) == im.NotFound { // a journal that was restored may not have it
		return nil
	}
	return err
}
