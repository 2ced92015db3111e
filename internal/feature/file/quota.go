package file

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// The refusals of this package as its metrics call them.
const (
	refusedApp  = "app_stored_bytes"
	refusedUser = "user_stored_bytes"
	refusedDay  = "user_uploaded_bytes_per_day"
)

// Refusals are the names of what Deps.Refused counts.
func Refusals() []string { return []string{refusedApp, refusedUser, refusedDay} }

// dayBack is the longest that a client is told to wait for the next day: the
// operator may raise the quota before.
const dayBack = 10 * time.Minute

// errOver ends a transaction that would go over a quota.
type errOver struct {
	quota string
	most  uint64
}

func (e errOver) Error() string { return e.quota }

// charge counts an upload that begins, by the size that it will have, when there
// is room for it. It locks the app's count, then the user's, as everything here
// does, until the transaction ends: two can not take the same last byte.
func (s *Service) charge(tx db.Tx, u *upload, now im.Micros) error {
	q := s.d.Quotas(u.app)
	u.day = now.Time().Unix() / 86_400
	bytes, err := add(tx, u.app, u.size)
	if err != nil {
		return err
	}
	if most := q.GetStoredBytes(); over(bytes, most) {
		return errOver{refusedApp, most}
	}
	if u.owner == "" {
		return nil
	}
	var today int64
	err = tx.QueryRow(`INSERT INTO file_user (app, owner, bytes, day, today) VALUES ($1, $2, $3, $4, $3) ON CONFLICT (app, owner) DO UPDATE SET
		bytes = file_user.bytes + excluded.bytes, today = excluded.today + CASE WHEN file_user.day = excluded.day THEN file_user.today ELSE 0 END, day = excluded.day
		RETURNING bytes, today`, u.app, u.owner, u.size, u.day).Scan(&bytes, &today)
	if err != nil {
		return err
	}
	if most := q.GetUserStoredBytes(); over(bytes, most) {
		return errOver{refusedUser, most}
	}
	if most := q.GetUserUploadedBytesPerDay(); over(today, most) {
		return errOver{refusedDay, most}
	}
	return nil
}

// over tells whether a count is beyond a quota. One that an older program has
// left too low can be negative.
func over(n int64, most uint64) bool { return most > 0 && n > 0 && uint64(n) > most }

// refuse makes the answer of an errOver, and counts it; another error stays.
func (s *Service) refuse(err error, size int64) error {
	var over errOver
	if !errors.As(err, &over) {
		return err
	}
	s.d.Refused.Inc(over.quota)
	e := &im.Error{Code: im.ResourceExhausted, Hint: "the operator of the server raises the quota; see " + auth.QuotasDoc}
	switch over.quota {
	case refusedApp:
		e.Message = fmt.Sprintf("the app has no room for it in the %d bytes of files that it may have", over.most)
	case refusedUser:
		e.Message = fmt.Sprintf("you have no room for it in the %d bytes of files that a user may have", over.most)
		e.Hint = "recall messages with files of yours, or " + e.Hint
	case refusedDay:
		e.Message = fmt.Sprintf("you have uploaded all of the %d bytes that a user may upload in a day, or it would be more; the next one begins at 00:00 UTC", over.most)
		now := s.d.Clock.Now()
		e.RetryAfter = min(now.Truncate(24*time.Hour).Add(24*time.Hour).Sub(now), dayBack)
	}
	if uint64(size) > over.most { // to wait does not help
		e.Code, e.RetryAfter = im.TooLarge, 0
	}
	return e
}

// add changes the count of an app and returns it.
func add(tx db.Tx, app im.AppID, n int64) (bytes int64, err error) {
	err = tx.QueryRow(`INSERT INTO file_app (app, bytes) VALUES ($1, $2)
		ON CONFLICT (app) DO UPDATE SET bytes = file_app.bytes + excluded.bytes RETURNING bytes`, app, n).Scan(&bytes)
	return bytes, err
}

// resize counts that a file became n bytes longer than its upload was.
func resize(tx db.Tx, app im.AppID, owner im.UserID, n int64) error {
	if n == 0 {
		return nil
	}
	if _, err := add(tx, app, n); err != nil || owner == "" {
		return err
	}
	_, err := tx.Exec("UPDATE file_user SET bytes = bytes + $3 WHERE app = $1 AND owner = $2", app, owner, n)
	return err
}

// freed gathers what is not stored any more.
type freed map[whose]*lost

// whose is a user of an app.
type whose struct {
	app   im.AppID
	owner im.UserID
}

// lost is what a user has less.
type lost struct {
	bytes int64
	days  map[int64]int64 // bytes that were counted for a day and did not come
}

func (f freed) of(app im.AppID, owner im.UserID) *lost {
	w := whose{app, owner}
	if f[w] == nil {
		f[w] = &lost{days: map[int64]int64{}}
	}
	return f[w]
}

// upload notes an upload that is gone: what of it did not come is given back for
// its day as well.
func (f freed) upload(app im.AppID, owner im.UserID, size, at, day int64) {
	l := f.of(app, owner)
	l.bytes += size
	l.days[day] += size - at
}

// count takes back what was gathered, in one order: an app, then its users.
func (f freed) count(tx db.Tx) error {
	order := slices.SortedFunc(maps.Keys(f), func(a, b whose) int {
		return cmp.Or(cmp.Compare(a.app, b.app), cmp.Compare(a.owner, b.owner))
	})
	apps := map[im.AppID]int64{}
	for w, l := range f {
		apps[w.app] += l.bytes
	}
	for i, w := range order {
		if i == 0 || order[i-1].app != w.app {
			if _, err := add(tx, w.app, -apps[w.app]); err != nil {
				return err
			}
		}
		if w.owner == "" {
			continue
		}
		if _, err := tx.Exec("UPDATE file_user SET bytes = bytes - $3 WHERE app = $1 AND owner = $2", w.app, w.owner, f[w].bytes); err != nil {
			return err
		}
		for day, n := range f[w].days {
			if _, err := tx.Exec("UPDATE file_user SET today = today - $4 WHERE app = $1 AND owner = $2 AND day = $3", w.app, w.owner, day, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// gather runs a query that deletes, and notes each row that it returns: app,
// owner, size, at, day, and whether it was an upload that is no file yet.
func (f freed) gather(tx db.Tx, query string, args ...any) error {
	rows, err := tx.Query(query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var w whose
		var size, at, day, kind int64
		if err := rows.Scan(&w.app, &w.owner, &size, &at, &day, &kind); err != nil {
			return err
		}
		switch kind {
		case wasFile:
			f.of(w.app, w.owner).bytes += size
		case wasOpen:
			f.upload(w.app, w.owner, size, at, day)
		}
	}
	return rows.Err()
}

// What a row that is deleted was; an upload that became a file counts nothing.
const (
	wasOpen = 0
	wasDone = 1
	wasFile = 2
)

// Usage sets what an app uses that is about files: how many bytes of them it has,
// open uploads included, and where new ones go.
func Usage(ctx context.Context, d *db.DB, app im.AppID, use *skeinv1.AppUsage) error {
	return d.Read(ctx, func(tx db.Tx) error {
		return tx.QueryRow(`SELECT coalesce((SELECT bytes FROM file_app WHERE app = $1 AND bytes > 0), 0),
			coalesce((SELECT url FROM file_store WHERE app = $1 AND current = 1), '')`, app).Scan(&use.StoredBytes, &use.Bucket)
	})
}

// Recount counts the bytes of an app and of its users anew, for when an older
// program has run beside. Days are not counted anew.
func Recount(ctx context.Context, d *db.DB, app im.AppID) error {
	const there = "(SELECT app, owner, size FROM file WHERE app = $1 UNION ALL SELECT app, owner, size FROM file_upload WHERE app = $1 AND done = 0) o"
	return d.Write(ctx, func(tx db.Tx) error {
		// It begins with the app's count, so that whoever begins an upload waits.
		if _, err := add(tx, app, 0); err != nil {
			return err
		}
		for _, query := range []string{
			"UPDATE file_app SET bytes = (SELECT CAST(coalesce(sum(o.size), 0) AS BIGINT) FROM " + there + ") WHERE app = $1",
			"UPDATE file_user SET bytes = 0 WHERE app = $1",
			`INSERT INTO file_user (app, owner, bytes, day, today) SELECT o.app, o.owner, CAST(sum(o.size) AS BIGINT), 0, 0 FROM ` + there + `
				WHERE o.owner <> '' GROUP BY o.app, o.owner ON CONFLICT (app, owner) DO UPDATE SET bytes = excluded.bytes`,
		} {
			if _, err := tx.Exec(query, app); err != nil {
				return err
			}
		}
		return nil
	})
}
