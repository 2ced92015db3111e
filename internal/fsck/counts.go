package fsck

import (
	"context"
	"fmt"

	"github.com/skein-im/skein/internal/im"
)

// stores checks that every object's row names a place that is known, and one of
// its own app.
func (c *check) stores(context.Context) error {
	if ok, err := c.has("file_store"); err != nil || !ok {
		return err
	}
	for _, table := range []string{"file_bytes", "file_upload"} {
		if err := c.each(func(scan func(...any) error) error {
			var app im.AppID
			var n int64
			if err := scan(&app, &n); err != nil {
				return err
			}
			c.r.add(Finding{Check: "reference", App: app, Detail: fmt.Sprintf("app %s: %d rows of %s are in a store that there is not", app, n, table)})
			return nil
		}, "SELECT o.app, count(*) FROM "+table+" o LEFT JOIN file_store s ON s.id = o.store AND s.app = o.app WHERE o.store <> '' AND s.id IS NULL GROUP BY o.app"); err != nil {
			return err
		}
	}
	return nil
}

// previews checks that the smaller pictures are of bytes that are there.
func (c *check) previews(context.Context) error {
	for _, table := range []string{"file_preview", "file_media"} {
		if ok, err := c.has(table); err != nil || !ok {
			return err
		}
		if err := c.each(func(scan func(...any) error) error {
			var app im.AppID
			var n int64
			if err := scan(&app, &n); err != nil {
				return err
			}
			c.r.add(Finding{Check: "reference", App: app, Detail: fmt.Sprintf("app %s: %d rows of %s are of bytes that there are not", app, n, table)})
			return nil
		}, "SELECT p.app, count(*) FROM "+table+" p LEFT JOIN file_bytes b ON b.app = p.app AND b.sum = p.sum WHERE b.sum IS NULL GROUP BY p.app"); err != nil {
			return err
		}
	}
	return nil
}

// counts checks what is counted of apps against what is there: users, how often
// bytes are used and files are sent, and the groups that a follower has counted. A count of users that is
// too low can be left by an older program that ran beside a newer one; skein app
// quota counts them anew.
func (c *check) counts(context.Context) error {
	for _, k := range []struct{ table, query, what string }{
		{"app_count", `SELECT a.app, a.users, (SELECT count(*) FROM app_user u WHERE u.app = a.app) FROM app_count a`, "users"},
		{"group_count", `SELECT g.app, g.places, (SELECT count(*) FROM group_place p WHERE p.app = g.app) FROM group_count g`, "groups"},
		{"file_bytes", `SELECT b.app, CAST(sum(b.uses) AS BIGINT), (SELECT count(*) FROM file f WHERE f.app = b.app) FROM file_bytes b GROUP BY b.app`, "files of bytes"},
		{"file_app", `SELECT a.app, a.bytes, CAST(coalesce((SELECT sum(f.size) FROM file f WHERE f.app = a.app), 0) + coalesce((SELECT sum(u.size) FROM file_upload u WHERE u.app = a.app AND u.done = 0), 0) AS BIGINT)
			FROM file_app a`, "bytes of files"},
		{"file_user", `SELECT o.app, CAST(sum(o.bytes) AS BIGINT), CAST(coalesce((SELECT sum(f.size) FROM file f WHERE f.app = o.app AND f.owner <> ''), 0)
			+ coalesce((SELECT sum(u.size) FROM file_upload u WHERE u.app = o.app AND u.owner <> '' AND u.done = 0), 0) AS BIGINT) FROM file_user o GROUP BY o.app`, "bytes of users' files"},
		{"file_ref", `SELECT f.app, CAST(sum(f.refs) AS BIGINT), (SELECT count(*) FROM file_ref r JOIN file o ON o.app = r.app AND o.id = r.file WHERE r.app = f.app)
			FROM file f GROUP BY f.app`, "files of messages"},
	} {
		if ok, err := c.has(k.table); err != nil {
			return err
		} else if !ok {
			continue
		}
		if err := c.each(func(scan func(...any) error) error {
			var app im.AppID
			var counted, found int64
			if err := scan(&app, &counted, &found); err != nil {
				return err
			}
			if counted != found {
				c.r.add(Finding{Check: "count", App: app, Detail: fmt.Sprintf("app %s: %d %s are counted and %d are there", app, counted, k.what, found)})
			}
			return nil
		}, k.query); err != nil {
			return err
		}
	}
	return nil
}
