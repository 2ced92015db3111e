package auth

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// Bounds of what waits to be stored.
const (
	notesEarly = 5_000  // so many are stored before their time
	notesMax   = 50_000 // what comes on top is dropped: they are hints
	notesBatch = 200    // a transaction, so that a message's commit need not wait long
)

// deviceKey names a device.
type deviceKey struct {
	app    im.AppID
	user   im.UserID
	device im.DeviceID
}

// note is what is to be stored about a device.
type note struct {
	seen   im.Micros
	cursor []byte    // nil = unchanged
	acked  im.Micros // when the cursor came
}

// under merges it with an older one.
func (x note) under(old note) note {
	x.seen = max(x.seen, old.seen)
	if x.cursor == nil {
		x.cursor, x.acked = old.cursor, old.acked
	}
	return x
}

// notes gathers when devices were seen and how far they are, so that the
// database hears of it now and then instead of at each packet.
type notes struct {
	full chan struct{} // signalled when there are many

	mu      sync.Mutex // guards pending
	pending map[deviceKey]note
}

func newNotes() *notes {
	return &notes{full: make(chan struct{}, 1), pending: map[deviceKey]note{}}
}

// add merges a note with what is known of the device.
func (n *notes) add(k deviceKey, x note) {
	n.mu.Lock()
	defer n.mu.Unlock()
	old, ok := n.pending[k]
	if !ok && len(n.pending) >= notesMax {
		return
	}
	n.pending[k] = x.under(old)
	if len(n.pending) == notesEarly {
		select {
		case n.full <- struct{}{}:
		default:
		}
	}
}

// flush stores everything; now is by the clock of the notes. What could not be
// stored waits for the next time.
func (n *notes) flush(ctx context.Context, d *db.DB, now im.Micros) error {
	n.mu.Lock()
	batch := n.pending
	n.pending = map[deviceKey]note{}
	n.mu.Unlock()
	for keys := range slices.Chunk(slices.Collect(maps.Keys(batch)), notesBatch) {
		err := d.Write(ctx, func(tx db.Tx) error {
			at, err := tx.Now()
			if err != nil {
				return err
			}
			for _, k := range keys {
				if err := batch[k].store(tx, k, at-now); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			n.giveBack(batch)
			return err
		}
		for _, k := range keys {
			delete(batch, k)
		}
	}
	return nil
}

// giveBack puts notes back, under what has come since.
func (n *notes) giveBack(batch map[deviceKey]note) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for k, old := range batch {
		x, ok := n.pending[k]
		if !ok && len(n.pending) >= notesMax {
			continue
		}
		n.pending[k] = x.under(old)
	}
}

// store writes a note; ahead is by how much the database's clock is ahead of the
// note's. A device that was signed out meanwhile keeps its row as it was, and one
// that has acknowledged more since, at another node, the later cursor.
func (x note) store(tx db.Tx, k deviceKey, ahead im.Micros) error {
	_, err := tx.Exec("UPDATE device SET last_seen = $4 WHERE app = $1 AND user_id = $2 AND id = $3 AND revoked = 0 AND last_seen < $4",
		k.app, k.user, k.device, x.seen)
	if err != nil || x.cursor == nil {
		return err
	}
	_, err = tx.Exec("UPDATE device SET cursor_ack = $4, cursor_at = $5 WHERE app = $1 AND user_id = $2 AND id = $3 AND revoked = 0 AND (cursor_at IS NULL OR cursor_at <= $5)",
		k.app, k.user, k.device, x.cursor, x.acked+ahead)
	return err
}

// Touch notes that a device is there. It costs a map entry and is stored
// within seconds. Call it when a session ends and every few minutes while it
// lasts, not at each message: who is online now is presence's to know.
func (a *Auth) Touch(actor im.Actor) {
	if actor.Device != "" {
		a.notes.add(deviceKey{actor.App, actor.User, actor.Device}, note{seen: a.now()})
	}
}

// MaxCursorBytes bounds a device's cursor.
const MaxCursorBytes = 1024

// AckCursor notes how far a device has stored what it was sent. It is stored
// within seconds; a later one replaces an earlier one. A cursor over
// MaxCursorBytes is ignored.
func (a *Auth) AckCursor(actor im.Actor, cursor []byte) {
	if actor.Device != "" && len(cursor) > 0 && len(cursor) <= MaxCursorBytes {
		now := a.now()
		a.notes.add(deviceKey{actor.App, actor.User, actor.Device}, note{seen: now, cursor: slices.Clone(cursor), acked: now})
	}
}

// Cursor returns the cursor that a device acknowledged last (nil = none), as
// it is stored: some seconds old. Errors: NotFound.
func (a *Auth) Cursor(ctx context.Context, actor im.Actor) ([]byte, error) {
	var cursor []byte
	err := a.db.Read(ctx, func(tx db.Tx) error {
		found, err := one(tx.QueryRow("SELECT cursor_ack FROM device WHERE app = $1 AND user_id = $2 AND id = $3 AND revoked = 0",
			actor.App, actor.User, actor.Device), &cursor)
		if err == nil && !found {
			return im.ErrNotFound
		}
		return err
	})
	return cursor, err
}

// Cursors returns what the devices of users have acknowledged last: as it is
// stored, and what this node has heard since. What other nodes have heard in
// the last seconds is missing.
func (a *Auth) Cursors(ctx context.Context, app im.AppID, users []im.UserID) (map[im.UserID][][]byte, error) {
	if len(users) == 0 {
		return nil, nil
	}
	out := make(map[im.UserID][][]byte)
	args := []any{app}
	asked := make(map[im.UserID]bool, len(users))
	for _, u := range users {
		args = append(args, u)
		asked[u] = true
	}
	err := a.db.Read(ctx, func(tx db.Tx) error {
		clear(out)
		return db.Each(tx, func(r db.Rows) error {
			var u im.UserID
			var cursor []byte
			err := r.Scan(&u, &cursor)
			out[u] = append(out[u], cursor)
			return err
		}, "SELECT user_id, cursor_ack FROM device WHERE app = $1 AND user_id IN ("+db.List(2, len(users))+") AND revoked = 0 AND cursor_ack IS NOT NULL", args...)
	})
	if err != nil {
		return nil, err
	}
	a.notes.mu.Lock()
	defer a.notes.mu.Unlock()
	for k, n := range a.notes.pending {
		if k.app == app && n.cursor != nil && asked[k.user] {
			out[k.user] = append(out[k.user], n.cursor)
		}
	}
	return out, nil
}
