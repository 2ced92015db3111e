package auth

import (
	"context"
	"time"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// keepFences is how many rows of the log stay. A node that slept through more
// ends all its sessions instead of reading on.
const keepFences = 10_000

// insertFence appends a row to the log. The one row of fence_head gives the
// number: whoever holds it holds every later fence back, so numbers are in
// commit order and without a gap.
func (a *Auth) insertFence(tx db.Tx, f Fence) (Fence, error) {
	f.Time = a.now()
	if err := tx.QueryRow("UPDATE fence_head SET head = head + 1 WHERE id = 1 RETURNING head").Scan(&f.ID); err != nil {
		return Fence{}, err
	}
	_, err := tx.Exec("INSERT INTO fence (id, kind, app, user_id, device, kid, time) VALUES ($1, $2, $3, $4, $5, $6, $7)",
		f.ID, int64(f.Kind), f.App, f.User, f.Device, f.KID, f.Time)
	return f, err
}

// fenceHead returns the newest fence's id.
func fenceHead(tx db.Tx) (head int64, err error) {
	err = tx.QueryRow("SELECT head FROM fence_head WHERE id = 1").Scan(&head)
	return head, err
}

// fencesAfter returns the fences after a position, oldest first, at most 1,000.
// When some of them are no longer kept it returns one FenceAll that stands for
// all up to the head.
func (a *Auth) fencesAfter(ctx context.Context, after int64) ([]Fence, error) {
	var list []Fence
	err := a.urgent.Read(ctx, func(tx db.Tx) error {
		list = nil
		head, err := fenceHead(tx)
		if err != nil || head <= after {
			return err
		}
		err = db.Each(tx, func(r db.Rows) error {
			var f Fence
			var kind int64
			err := r.Scan(&f.ID, &kind, &f.App, &f.User, &f.Device, &f.KID, &f.Time)
			f.Kind = FenceKind(kind)
			list = append(list, f)
			return err
		}, "SELECT id, kind, app, user_id, device, kid, time FROM fence WHERE id > $1 ORDER BY id LIMIT 1000", after)
		if err == nil && (len(list) == 0 || list[0].ID != after+1) {
			list = []Fence{{ID: head, Kind: FenceAll}}
		}
		return err
	})
	return list, err
}

// renewLease prolongs this node's lease, unless the log has a fence that the
// node has not applied: then it returns false and the caller looks again.
//
// The update of fence_head changes nothing. It takes the row's lock, so that
// no fence can commit between the look at the head and the commit of the
// lease. Without it: the node looks (no fence), a sign-out commits and finds
// the node's old lease run out, so it is acknowledged, and then the node's new
// lease commits and the node serves on without having applied the fence.
func (a *Auth) renewLease(ctx context.Context, applied int64) (renewed bool, err error) {
	err = a.urgent.Write(ctx, func(tx db.Tx) error {
		renewed = false
		n, err := tx.Exec("UPDATE fence_head SET head = head WHERE id = 1 AND head = $1", applied)
		if err != nil || n == 0 {
			return err
		}
		now, err := tx.Now()
		if err != nil {
			return err
		}
		until := now + im.Micros(a.lease.Microseconds())
		n, err = tx.Exec("UPDATE node_lease SET applied = $3, lease_until = $4 WHERE node = $1 AND epoch = $2", a.node, a.epoch, applied, until)
		if err != nil {
			return err
		}
		if n == 0 {
			// The first lease of this process, or the row was cleared away
			// while the node was cut off for long. Under another epoch another
			// process has taken the name: the insert fails, which is right.
			if _, err := tx.Exec("INSERT INTO node_lease (node, epoch, applied, lease_until) VALUES ($1, $2, $3, $4)",
				a.node, a.epoch, applied, until); err != nil {
				return err
			}
		}
		renewed = true
		return nil
	})
	return renewed && err == nil, err
}

// takeName removes the lease that an earlier process left under this node's
// name (see Options.Node).
func (a *Auth) takeName(ctx context.Context) error {
	return a.db.Write(ctx, func(tx db.Tx) error {
		_, err := tx.Exec("DELETE FROM node_lease WHERE node = $1", a.node)
		return err
	})
}

// dropLease gives the lease back, so that nobody waits for a node that has
// stopped.
func (a *Auth) dropLease(ctx context.Context) error {
	return a.db.Write(ctx, func(tx db.Tx) error {
		_, err := tx.Exec("DELETE FROM node_lease WHERE node = $1 AND epoch = $2", a.node, a.epoch)
		return err
	})
}

// behind counts the nodes that may still serve without having applied a fence.
// The clock is read before the rows: a lease that is renewed in between was
// renewed by a node that has applied the fence.
func (a *Auth) behind(ctx context.Context, fence int64) (n int64, err error) {
	err = a.db.Read(ctx, func(tx db.Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		return tx.QueryRow("SELECT COUNT(*) FROM node_lease WHERE applied < $1 AND lease_until >= $2", fence, now).Scan(&n)
	})
	return n, err
}

// awaitFence returns when every node that lives has applied a fence, or its
// lease has run out: within Options.Lease. When it returns Unavailable the
// fence is stored and will be applied; only the confirmation is missing.
func (a *Auth) awaitFence(ctx context.Context, fence int64) error {
	ctx, cancel := context.WithTimeout(ctx, 3*max(a.lease, DefaultLease)) // a database that is away, too, is an answer
	defer cancel()
	a.nudge()
	a.raised(fence)
	pause := 5 * time.Millisecond
	for {
		a.mu.Lock()
		moved := a.moved
		a.mu.Unlock()
		n, err := a.behind(ctx, fence)
		if err == nil && n == 0 {
			return nil
		}
		if err != nil && ctx.Err() == nil && im.CodeOf(err) != im.Unavailable {
			return err
		}
		t := time.NewTimer(pause)
		select {
		case <-moved: // this node or another one has got further
		case <-t.C:
			pause = min(2*pause, 100*time.Millisecond)
		case <-ctx.Done():
			t.Stop()
			return &im.Error{Code: im.Unavailable, Message: "it is stored, but not yet confirmed by every node",
				Hint: "ask again; the answer comes within seconds"}
		}
		t.Stop()
	}
}

// Look tells that another node has raised a fence: this node reads the log now
// rather than with its next look.
func (a *Auth) Look() { a.nudge() }

// Recount tells that another node has applied fences: whoever waits for that
// here looks again now.
func (a *Auth) Recount() { a.announce() }

// nudge wakes the runner, so that it need not wait for its next look.
func (a *Auth) nudge() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// clean removes what nobody needs any more: fences that are far behind the
// head, and leases of nodes that were gone for an hour.
func (a *Auth) clean(ctx context.Context) error {
	return a.db.Write(ctx, func(tx db.Tx) error {
		head, err := fenceHead(tx)
		if err != nil {
			return err
		}
		if _, err := tx.Exec("DELETE FROM fence WHERE id <= $1", head-keepFences); err != nil {
			return err
		}
		now, err := tx.Now()
		if err != nil {
			return err
		}
		_, err = tx.Exec("DELETE FROM node_lease WHERE lease_until < $1", now-im.Micros(time.Hour.Microseconds()))
		return err
	})
}

// currentFence returns the newest fence's id.
func (a *Auth) currentFence(ctx context.Context) (head int64, err error) {
	err = a.db.Read(ctx, func(tx db.Tx) (err error) {
		head, err = fenceHead(tx)
		return err
	})
	return head, err
}
