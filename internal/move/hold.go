package move

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// holdLock is the PostgreSQL advisory lock that a copy holds on its target as
// long as it lives ("move" in ASCII).
const holdLock = 0x6d6f7665

// Hold tells others that a copy into d is under way, until release is called
// or this process ends. On SQLite the lock of the data folder does that, which
// is the caller's: Hold does nothing there. FailedPrecondition when another
// copy is under way.
func Hold(ctx context.Context, d *db.DB) (release func(), err error) {
	if d.Dialect() != db.Postgres {
		return func() {}, nil
	}
	c, err := d.Pool().Acquire(ctx)
	if err != nil {
		return nil, db.MapError(err)
	}
	var got bool
	if err := c.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", holdLock).Scan(&got); err != nil || !got {
		c.Release()
		if err == nil {
			err = im.Errorf(im.FailedPrecondition, "another copy into this database is under way")
		}
		return nil, db.MapError(err)
	}
	return func() { drop(c) }, nil
}

// drop closes the session, and with it the lock.
func drop(c *pgxpool.Conn) {
	_ = c.Hijack().Close(context.Background())
}

// Held tells whether a copy into d is under way now.
func Held(ctx context.Context, d *db.DB) (held bool, err error) {
	if d.Dialect() != db.Postgres {
		return false, nil
	}
	err = d.Read(ctx, func(tx db.Tx) error {
		var free bool
		err := tx.QueryRow("SELECT pg_try_advisory_xact_lock($1)", holdLock).Scan(&free)
		held = !free
		return err
	})
	return held, err
}

// Nodes counts the servers that hold a lease on a database.
func Nodes(ctx context.Context, d *db.DB) (n int, err error) {
	err = d.Read(ctx, func(tx db.Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		return tx.QueryRow("SELECT count(*) FROM node_lease WHERE lease_until >= $1", now).Scan(&n)
	})
	return n, err
}
