package placement

import (
	"context"
	"errors"
	"time"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// micros is a duration in the unit of the tables.
func micros(d time.Duration) im.Micros { return im.Micros(d.Microseconds()) }

// where reads a room's place. until is when the lease of that place ends, 0 for
// a room that is nowhere.
func where(tx db.Tx, room string) (p place, until im.Micros, err error) {
	err = tx.QueryRow(`SELECT n.node, n.incarnation, n.url, n.lease_until FROM sfu_room r
		JOIN sfu_node n ON n.node = r.node AND n.incarnation = r.incarnation WHERE r.room = $1`, room).Scan(&p.node, &p.incarnation, &p.url, &until)
	if errors.Is(err, db.ErrNoRows) {
		return place{}, 0, nil
	}
	return p, until, err
}

// writeDown writes a room's place, in place of the one before.
func writeDown(tx db.Tx, room string, p place, now im.Micros) error {
	_, err := tx.Exec(`INSERT INTO sfu_room (room, node, incarnation, placed) VALUES ($1, $2, $3, $4)
		ON CONFLICT (room) DO UPDATE SET node = excluded.node, incarnation = excluded.incarnation, placed = excluded.placed`, room, p.node, p.incarnation, now)
	return err
}

// read reads a room's place, and remembers one that counts.
func (r *Register) read(ctx context.Context, room string) (p place, until, now im.Micros, err error) {
	asked := r.o.Clock.Now()
	err = r.o.DB.Read(ctx, func(tx db.Tx) error {
		if now, err = tx.Now(); err != nil {
			return err
		}
		p, until, err = where(tx, room)
		return err
	})
	if err == nil && until > now {
		r.remember(room, p, asked, time.Duration(until-now)*time.Microsecond)
	}
	return p, until, now, err
}

// errNobody is returned by choose when no node takes a room.
var errNobody = errors.New("no node has a media server")

// find returns where a room is; one that is nowhere is placed. It waits for a
// moment when no node takes it: the only one may be about to start its SFU.
func (r *Register) find(ctx context.Context, room string) (place, error) {
	ctx, cancel := context.WithTimeout(ctx, Lease)
	defer cancel()
	for {
		p, err := r.put(ctx, room)
		if !errors.Is(err, errNobody) {
			return p, err
		}
		r.mu.Lock()
		closed := r.closed
		r.mu.Unlock()
		t := time.NewTimer(100 * time.Millisecond)
		select {
		case <-t.C:
		case <-ctx.Done():
			closed = true
		}
		t.Stop()
		if closed {
			return place{}, &im.Error{Code: im.Unavailable, Message: "no server has a media server for calls that runs at the moment", Hint: "try again"}
		}
	}
}

// put is one attempt of find.
func (r *Register) put(ctx context.Context, room string) (place, error) {
	p, until, now, err := r.read(ctx, room)
	if err != nil || until > now {
		return p, err
	}
	asked := r.o.Clock.Now()
	err = r.o.DB.Write(ctx, func(tx db.Tx) (err error) {
		if now, err = tx.Now(); err != nil {
			return err
		}
		if p, until, err = where(tx, room); err != nil || until > now {
			return err
		}
		if p, until, err = r.choose(tx, now); err != nil {
			return err
		}
		return writeDown(tx, room, p, now)
	})
	if err != nil {
		return place{}, err
	}
	r.remember(room, p, asked, time.Duration(until-now)*time.Microsecond)
	return p, nil
}

// choose returns the node that has the least to do; of several the one that
// asks, which saves the way to another.
func (r *Register) choose(tx db.Tx, now im.Micros) (p place, until im.Micros, err error) {
	err = tx.QueryRow(`SELECT node, incarnation, url, lease_until FROM (
		SELECT n.node, n.incarnation, n.url, n.lease_until, CASE WHEN n.node = $2 THEN 0 ELSE 1 END AS far,
			n.load + $4 * (SELECT count(*) FROM sfu_room r WHERE r.node = n.node AND r.incarnation = n.incarnation AND r.placed > $3) AS work
		FROM sfu_node n WHERE n.lease_until > $1 AND n.open = 1) x ORDER BY work, far, node LIMIT 1`,
		now, r.o.Node, now-micros(fresh), int64(freshLoad)).Scan(&p.node, &p.incarnation, &p.url, &until)
	if errors.Is(err, db.ErrNoRows) {
		return place{}, 0, errNobody
	}
	return p, until, err
}
