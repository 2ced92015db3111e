package fsck

import (
	"context"
	"fmt"

	"github.com/skein-im/skein/internal/im"
)

// counts checks what is counted of apps for their quotas against what is there:
// users, and the groups that a follower has counted. A count of users that is
// too low can be left by an older program that ran beside a newer one; skein app
// quota counts them anew.
func (c *check) counts(context.Context) error {
	for _, k := range []struct{ table, query, what string }{
		{"app_count", `SELECT a.app, a.users, (SELECT count(*) FROM app_user u WHERE u.app = a.app) FROM app_count a`, "users"},
		{"group_count", `SELECT g.app, g.places, (SELECT count(*) FROM group_place p WHERE p.app = g.app) FROM group_count g`, "groups"},
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
