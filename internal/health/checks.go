package health

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the tables of this package, for db.Migrate under the
// name "health".
func Migrations() fs.FS { return db.Migrations(migrations) }

// probeBytes is the size of what is written to find out: larger than the
// leftovers of a page, so that it needs room as a message does.
const probeBytes = 3000

// keepProbes is how long the row of a node that is no more stays.
const keepProbes = im.Micros(24 * time.Hour / time.Microsecond)

// Database writes a row, durably, in the name of the node. Its Run is not to
// be called twice at once.
func Database(d *db.DB, node string) Check {
	filler, cleaned := make([]byte, probeBytes), false
	return Check{Name: "database", Run: func(ctx context.Context) error {
		err := d.Write(ctx, func(tx db.Tx) error {
			now, err := tx.Now()
			if err == nil && !cleaned {
				_, err = tx.Exec("DELETE FROM health_probe WHERE at < $1", now-keepProbes)
			}
			if err == nil {
				filler[0]++ // or the engine could find that nothing has changed
				_, err = tx.Exec(`INSERT INTO health_probe (node, at, filler) VALUES ($1, $2, $3)
					ON CONFLICT (node) DO UPDATE SET at = excluded.at, filler = excluded.filler`, node, now, filler)
			}
			return err
		})
		cleaned = cleaned || err == nil
		return explain(err)
	}}
}

// explain says what is wrong without what is not for everybody, such as the
// database's address, which is in the log.
func explain(err error) error {
	var e *im.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		return fmt.Errorf("the database takes no write: %s", e.Message)
	case errors.Is(err, context.DeadlineExceeded):
		return errors.New("the database takes no write in time")
	}
	return errors.New("the database takes no write")
}

// Lease asks whether this node may serve: it holds the lease on the fence log.
func Lease(valid func() bool) Check {
	return Check{Name: "lease", Run: func(context.Context) error {
		if !valid() {
			return errors.New("the lease on the fence log has run out: the database was not reached in time")
		}
		return nil
	}}
}

// Disk fails when the file system of a folder is used by percent or more, as
// df counts it; 0 checks nothing.
func Disk(folder string, percent int) Check {
	return Check{Name: "disk", Run: func(context.Context) error {
		if percent <= 0 {
			return nil
		}
		used, err := Used(folder)
		if err != nil {
			return fmt.Errorf("the disk can not be looked at: %w", err)
		}
		if used*100 >= float64(percent) {
			return fmt.Errorf("the disk of the data folder is %.1f %% full; from %d %% on nothing more is sent here", used*100, percent)
		}
		return nil
	}}
}

// Func is a check that asks somebody else.
func Func(name string, ask func() error) Check {
	return Check{Name: name, Run: func(context.Context) error { return ask() }}
}
