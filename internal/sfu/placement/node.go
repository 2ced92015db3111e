package placement

import (
	"context"
	"time"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// maxSilent is after how many questions in a row without an answer an SFU
// counts as gone, although its process runs.
const maxSilent = 3

// run keeps the lease until ctx ends.
func (r *Register) run(ctx context.Context) {
	defer close(r.done)
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		gap, err := r.beat(ctx)
		if err != nil && ctx.Err() == nil && !r.failed {
			r.o.Log.Warn("this node's calls may be taken over by others: its lease was not renewed", "err", err, "node", r.o.Node)
		}
		if r.failed && err == nil {
			r.o.Log.Info("this node's calls are its own again", "gap", gap, "node", r.o.Node)
		}
		r.failed = err != nil
		if now := r.o.Clock.Now(); err == nil && (gap || now.Sub(r.looked) >= lookEvery) {
			r.looked = now
			if err := r.look(ctx); err != nil && ctx.Err() == nil {
				r.o.Log.Warn("rooms were not compared with where they should be", "err", err, "node", r.o.Node)
			}
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		case <-r.kick:
		}
	}
}

// beat says that this node's SFU is alive, how much it has to do, or that there
// is none. gap: the lease had ended before, so others may have taken rooms.
func (r *Register) beat(ctx context.Context) (gap bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, Lease/2)
	defer cancel()
	_, incarnation := r.o.SFU.Current()
	if incarnation != "" {
		incarnation = r.weigh(ctx, incarnation)
	}
	r.mu.Lock()
	open := int64(1)
	if r.closed {
		open = 0
	}
	r.mu.Unlock()
	err = r.urgent.Write(ctx, func(tx db.Tx) error {
		gap = false
		now, err := tx.Now()
		if err != nil {
			return err
		}
		if incarnation == "" {
			// It has ended now and not long ago: those rows are removed, also before
			// the others have heard of it.
			_, err := tx.Exec("UPDATE sfu_node SET lease_until = $2 WHERE node = $1 AND lease_until > $2", r.o.Node, now)
			return err
		}
		until := now + micros(Lease)
		n, err := tx.Exec("UPDATE sfu_node SET load = $4, open = $5, lease_until = $6 WHERE node = $1 AND incarnation = $2 AND lease_until > $3",
			r.o.Node, incarnation, now, r.load, open, until)
		if err != nil || n == 1 {
			return err
		}
		gap = true
		_, err = tx.Exec(`INSERT INTO sfu_node (node, incarnation, url, load, open, lease_until) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (node) DO UPDATE SET incarnation = excluded.incarnation, url = excluded.url, load = excluded.load, open = excluded.open, lease_until = excluded.lease_until`,
			r.o.Node, incarnation, r.o.URL, r.load, open, until)
		return err
	})
	if err != nil {
		return false, err
	}
	// Apart from the write, or two nodes that do this at once would be in each
	// other's way.
	var dead []string
	err = r.urgent.Read(ctx, func(tx db.Tx) (err error) {
		dead, err = ended(tx, r.o.Node)
		return err
	})
	if err == nil {
		r.bury(dead)
	}
	return gap, err
}

// ended returns the URLs of other nodes whose lease has ended. A node that was
// started anew has another name and may have the URL of the one before, whose row
// stays for a while.
func ended(tx db.Tx, node string) (urls []string, err error) {
	now, err := tx.Now()
	if err != nil {
		return nil, err
	}
	return db.Column[string](tx, "SELECT DISTINCT url FROM sfu_node WHERE lease_until <= $1 AND node <> $2 AND url NOT IN (SELECT url FROM sfu_node WHERE lease_until > $1)", now, node)
}

// bury tells once of each node whose lease has ended.
func (r *Register) bury(urls []string) {
	dead := make(map[string]bool, len(urls))
	for _, url := range urls {
		if dead[url] = true; !r.dead[url] {
			r.o.Gone(url)
		}
	}
	r.dead = dead
}

// weigh asks the SFU how much it has to do. One that does not answer again and
// again is none.
func (r *Register) weigh(ctx context.Context, incarnation string) string {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	rooms, err := r.o.SFU.Rooms(ctx)
	if err != nil {
		if r.silent++; r.silent >= maxSilent {
			return ""
		}
		return incarnation
	}
	r.silent, r.load = 0, 0
	for _, n := range rooms {
		r.load += int64(n)
	}
	return incarnation
}

// look compares the rooms of this node's SFU with the table: who is in a room
// that is elsewhere by now is sent there, a room that nobody has placed is
// this node's, and rows of rooms that are no more go.
func (r *Register) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, Lease)
	defer cancel()
	_, incarnation := r.o.SFU.Current()
	if incarnation == "" {
		return nil
	}
	rooms, err := r.o.SFU.Rooms(ctx)
	if err != nil {
		return err
	}
	mine, over, err := r.mine(ctx, incarnation, rooms)
	if err != nil {
		return err
	}
	if len(over) > 0 {
		for _, room := range over {
			r.drop(room)
		}
		if rooms, err = r.o.SFU.Rooms(ctx); err != nil { // somebody may have come back into one meanwhile
			return err
		}
	}
	for room := range rooms {
		if mine[room] {
			continue
		}
		r.drop(room)
		ok, err := r.claim(ctx, room, incarnation)
		if err != nil {
			return err
		}
		if !ok {
			r.o.Log.Info("a call goes on at another node; who is here is sent there", "node", r.o.Node)
			if err := r.o.SFU.Release(ctx, room); err != nil {
				return err
			}
		}
	}
	return nil
}

// mine returns the rooms that the table has on this node, and those that have
// ended, whose rows it removes together with those of nodes that are long gone.
func (r *Register) mine(ctx context.Context, incarnation string, rooms map[string]int) (mine map[string]bool, over []string, err error) {
	err = r.o.DB.Write(ctx, func(tx db.Tx) error {
		mine, over = make(map[string]bool), nil
		now, err := tx.Now()
		if err != nil {
			return err
		}
		err = db.Each(tx, func(row db.Rows) error {
			var room string
			var placed im.Micros
			err := row.Scan(&room, &placed)
			if _, there := rooms[room]; !there && placed < now-micros(settle) {
				over = append(over, room)
			} else {
				mine[room] = true
			}
			return err
		}, "SELECT room, placed FROM sfu_room WHERE node = $1 AND incarnation = $2", r.o.Node, incarnation)
		if err != nil {
			return err
		}
		for _, room := range over {
			if _, err := tx.Exec("DELETE FROM sfu_room WHERE room = $1", room); err != nil {
				return err
			}
		}
		if _, err := tx.Exec("DELETE FROM sfu_node WHERE lease_until < $1", now-micros(keepDead)); err != nil {
			return err
		}
		_, err = tx.Exec(`DELETE FROM sfu_room WHERE placed < $1 AND NOT EXISTS
			(SELECT 1 FROM sfu_node n WHERE n.node = sfu_room.node AND n.incarnation = sfu_room.incarnation)`, now-micros(keepDead))
		return err
	})
	return mine, over, err
}

// claim writes down that a room is here which is nowhere; false: it is on
// another node that lives, or this one takes no rooms any more.
func (r *Register) claim(ctx context.Context, room, incarnation string) (ok bool, err error) {
	err = r.o.DB.Write(ctx, func(tx db.Tx) error {
		ok = false
		now, err := tx.Now()
		if err != nil {
			return err
		}
		p, until, err := where(tx, room)
		if err != nil {
			return err
		}
		if until > now {
			ok = p.node == r.o.Node && p.incarnation == incarnation
			return nil
		}
		r.mu.Lock()
		closed := r.closed
		r.mu.Unlock()
		if closed {
			return nil
		}
		ok = true
		return writeDown(tx, room, place{node: r.o.Node, incarnation: incarnation}, now)
	})
	return ok, err
}
