package file

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/skein-im/skein/internal/blob"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// copyRate is how fast the bytes of a file are copied at the least, in bytes a
// second, when something has to be taken out of them.
const copyRate = 10 << 20

// finish makes the file of an upload that is whole. It may be repeated, until
// the row says that it is done.
func (s *Service) finish(c *claim, store blob.Store, sum []byte) error {
	u := c.upload
	ctx, cancel := context.WithTimeout(c.ctx, writeTimeout+time.Duration(u.size/copyRate)*time.Second)
	defer cancel()
	if len(u.sum) > 0 && !bytes.Equal(u.sum, sum) {
		if err := s.giveUp(ctx, c); err != nil {
			return err
		}
		return im.Errorf(im.InvalidArgument, "the bytes are not those of the sha256 that was told; the upload is gone")
	}
	current, err := s.d.Stores.current(ctx, u.app)
	if err != nil {
		return err
	}
	// What the app has elsewhere than where its files go now is moved there by
	// whoever brings it again: so a bucket that was left empties, and what was
	// stored before encryption does not stay as it was for ever.
	moves := u.store == current
	f, err := s.known(ctx, u, sum, moves)
	if err != nil {
		return err
	}
	had := f != nil
	if !had {
		if err := store.Complete(ctx, u.blob()); err != nil {
			return err
		}
		if f, err = s.make(ctx, u, store, sum); err != nil {
			return err
		}
	}
	var spare []string
	err = s.d.DB.Write(ctx, func(tx db.Tx) error {
		var key, where string
		var uses int64
		spare = nil
		err := tx.QueryRow(`INSERT INTO file_bytes (app, sum, size, key, store, uses) VALUES ($1, $2, $3, $4, $5, 1)
			ON CONFLICT (app, sum) DO UPDATE SET uses = file_bytes.uses + 1 RETURNING key, store, uses`, u.app, f.sum, f.size, f.key, u.store).Scan(&key, &where, &uses)
		switch {
		case err != nil:
			return err
		case uses == 1 && had:
			return errGone
		case uses == 1:
			err = f.keep(tx, u.app)
		case moves && !had && where != u.store:
			key = f.key
			if err = f.move(tx, u); err == nil {
				err = f.keep(tx, u.app)
			}
		default:
			spare = f.reserved // somebody else brought the same
		}
		if err == nil && key != u.key() {
			err = trash(tx, u.key(), u.place, u.store)
		}
		if err != nil {
			return err
		}
		if err := f.insert(tx, c); err != nil {
			return err
		}
		if key != u.key() {
			spare = append(spare, u.key())
		}
		return nil
	})
	if err != nil {
		return err
	}
	u.done = true
	for _, key := range spare {
		place := ""
		if key == u.key() {
			place = u.place
		}
		if err := s.empty(ctx, key, place, u.store); err != nil {
			s.d.Log.Debug("bytes that are there twice are deleted later", "err", err)
		}
	}
	return nil
}

// insert writes down the file, and that the upload is done.
func (f *stored) insert(tx db.Tx, c *claim) error {
	u := c.upload
	now, err := tx.Now()
	if err != nil {
		return err
	}
	if _, err := tx.Exec("INSERT INTO file (app, id, owner, sum, size, name, mime, shown, created, touched, refs) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, 0)",
		u.app, u.id, u.owner, f.sum, f.size, u.name, f.mime, number(f.shown), now); err != nil {
		return err
	}
	// What was taken out of it takes no room.
	if err := resize(tx, u.app, u.owner, f.size-u.size); err != nil {
		return err
	}
	n, err := tx.Exec("UPDATE file_upload SET done = 1 WHERE app = $1 AND id = $2 AND holder = $3 AND done = 0", u.app, u.id, c.holder)
	if err == nil && n == 0 {
		err = errLost
	}
	return err
}

// errGone says that bytes which were there a moment ago are not any more.
var errGone = im.Errorf(im.Unavailable, "the file could not be made, come back")

// number is a flag as both engines store it.
func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// trash notes that what lies under a key is to be deleted: with a place the
// upload, and what it may have become.
func trash(tx db.Tx, key, place, store string) error {
	now, err := tx.Now()
	if err != nil {
		return err
	}
	_, err = tx.Exec("INSERT INTO file_trash (key, place, store, since) VALUES ($1, $2, $3, $4) ON CONFLICT (key) DO NOTHING", key, place, store, now)
	return err
}

// empty deletes what was noted.
func (s *Service) empty(ctx context.Context, key, place, id string) error {
	store, err := s.d.Stores.At(ctx, id)
	if err != nil {
		return err
	}
	if err := errors.Join(store.Abort(ctx, blob.Upload{Key: key, ID: place}), store.Delete(ctx, key)); err != nil {
		return err
	}
	return s.d.DB.Write(ctx, func(tx db.Tx) error {
		_, err := tx.Exec("DELETE FROM file_trash WHERE key = $1", key)
		return err
	})
}

// collectTimeout bounds one run of Collect.
const collectTimeout = 5 * time.Minute

// sure is how long before a message is stored its files were touched at the
// most, and some more for clocks that differ: a file that was touched before is
// in no message but those that were counted.
const sure = touchEvery + 15*time.Minute

// Collect forgets uploads that nothing came for, files that are in no message,
// and what is left of both in the store. Of messages that were not counted yet,
// because the follower is behind, it takes no file.
func (s *Service) Collect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, collectTimeout)
	defer cancel()
	type item struct{ key, place, store string }
	var items []item
	uncounted, some, err := s.d.Uncounted(ctx)
	if err != nil {
		return err
	}
	err = s.d.DB.Write(ctx, func(tx db.Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		before := now - im.Micros(max(s.d.Limits.Keep, sure).Microseconds())
		if some {
			before = min(before, uncounted-im.Micros(sure.Microseconds()))
		}
		return errors.Join(expireUploads(tx, now), dropUnused(tx, before))
	})
	if err == nil {
		err = s.d.DB.Read(ctx, func(tx db.Tx) error {
			items = items[:0]
			now, err := tx.Now()
			if err != nil {
				return err
			}
			rows, err := tx.Query("SELECT key, place, store FROM file_trash WHERE since <= $1 ORDER BY since LIMIT 1000", now)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var i item
				if err := rows.Scan(&i.key, &i.place, &i.store); err != nil {
					return err
				}
				items = append(items, i)
			}
			return rows.Err()
		})
	}
	// A store that does not answer holds the others up no longer than once: what
	// it has goes to the end of the line.
	bad := map[string]bool{}
	for _, i := range items {
		if !bad[i.store] {
			lost := s.empty(ctx, i.key, i.place, i.store)
			bad[i.store], err = lost != nil, errors.Join(err, lost)
		}
		if bad[i.store] {
			err = errors.Join(err, s.later(ctx, i.key))
		}
	}
	return err
}

// later has something deleted after everything else that is noted.
func (s *Service) later(ctx context.Context, key string) error {
	return s.d.DB.Write(ctx, func(tx db.Tx) error {
		now, err := tx.Now()
		if err == nil {
			_, err = tx.Exec("UPDATE file_trash SET since = $2 WHERE key = $1", key, now)
		}
		return err
	})
}

// expireUploads moves uploads that nothing came for into the trash.
func expireUploads(tx db.Tx, now im.Micros) error {
	const which = " FROM file_upload WHERE expires < $1 AND held < $1"
	if _, err := tx.Exec("INSERT INTO file_trash (key, place, store, since) SELECT 'files/' || substr(id, 1, 2) || '/' || id, place, store, $1"+which+" AND done = 0 ON CONFLICT (key) DO NOTHING", now); err != nil {
		return err
	}
	f := freed{}
	if err := f.gather(tx, "DELETE"+which+" RETURNING app, owner, size, at, day, done", now); err != nil {
		return err
	}
	return f.count(tx)
}

// dropUnused takes the bytes from files that are in no message.
func dropUnused(tx db.Tx, before im.Micros) error {
	for _, q := range []string{
		// From those that are unused to their bytes. The order and its end, which is
		// none, have SQLite take the index of those that are unused; it would go
		// through all files for the grouping.
		`UPDATE file_bytes SET uses = uses - gone.n FROM (SELECT app, sum, count(*) AS n
			FROM (SELECT app, sum FROM file WHERE refs = 0 AND touched < $1 ORDER BY touched LIMIT 1000000000) AS unused GROUP BY app, sum) AS gone
			WHERE file_bytes.app = gone.app AND file_bytes.sum = gone.sum`,
		"INSERT INTO file_trash (key, place, store, since) SELECT key, '', store, $1 FROM file_bytes WHERE uses = 0 ON CONFLICT (key) DO NOTHING",
	} {
		if _, err := tx.Exec(q, before); err != nil {
			return err
		}
	}
	if err := dropMedia(tx, before); err != nil {
		return err
	}
	if _, err := tx.Exec("DELETE FROM file_bytes WHERE uses = 0"); err != nil {
		return err
	}
	f := freed{}
	if err := f.gather(tx, "DELETE FROM file WHERE refs = 0 AND touched < $1 RETURNING app, owner, size, size, 0, 2", before); err != nil {
		return err
	}
	return f.count(tx)
}
