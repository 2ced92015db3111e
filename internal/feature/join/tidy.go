package join

import (
	"context"
	"time"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
	"github.com/skein-im/skein/internal/journal"
)

// Kinds are the jobs that the queue has to run, of a service that there is by
// the time it starts.
func Kinds(of func() *Service) []job.Kind {
	return []job.Kind{
		{Name: noticeJob, PerTarget: 1, Run: func(ctx context.Context, j job.Job) error { return of().tell(ctx, j) }},
		{Name: tidyJob, Every: time.Minute, Timeout: 5 * time.Minute, Run: func(ctx context.Context, _ job.Job) error { return of().Tidy(ctx) }},
	}
}

// tidyStep is how many rows Tidy takes at once.
const tidyStep = 200

// settleAfter is how old a row is before Tidy takes its call for dead.
const settleAfter = time.Minute

// Tidy finishes what nodes that died have left, and removes what is over. It
// runs every minute, on one node.
func (s *Service) Tidy(ctx context.Context) error {
	for _, step := range []func(context.Context) error{s.finishBans, s.countUses, s.purge, s.recount} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// before is the time that rows of calls under way are younger than.
func before(tx db.Tx, d time.Duration) (im.Micros, error) {
	now, err := tx.Now()
	return now - im.Micros(d.Microseconds()), err
}

// finishBans takes out who was banned by a node that died before it did.
func (s *Service) finishBans(ctx context.Context) error {
	type ban struct {
		app  im.AppID
		conv im.ConvID
		user im.UserID
	}
	var open []ban
	err := s.DB.Read(ctx, func(tx db.Tx) error {
		at, err := before(tx, settleAfter)
		if err != nil {
			return err
		}
		rows, err := tx.Query("SELECT app, conv, usr FROM join_ban WHERE done = 0 AND created < $1 ORDER BY created LIMIT $2", at, tidyStep)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var b ban
			if err := rows.Scan(&b.app, &b.conv, &b.user); err != nil {
				return err
			}
			open = append(open, b)
		}
		return rows.Err()
	})
	if err != nil {
		return err
	}
	for _, b := range open {
		id, err := im.NewClientID(s.Clock.Now(), s.Entropy)
		if err != nil {
			return err
		}
		server := im.Actor{App: b.app, Server: true}
		if err := s.shut(ctx, server, b.conv, b.user, id, func(room *chat.Room) error { return s.mayBan(room, server, b.user) }); err != nil && im.CodeOf(err) != im.NotFound {
			s.Log.Warn("a ban is not finished", "err", err)
			continue
		}
		if err := s.banDone(ctx, b.app, b.conv, b.user); err != nil {
			return err
		}
	}
	return nil
}

// countUses counts the uses whose entry is in the journal and whose node died
// before it could. Rows without an entry stay as long as their invitation:
// their entry may, however late, still be on its way.
func (s *Service) countUses(ctx context.Context) error {
	type row struct {
		invite invite
		use
	}
	var after row
	for {
		var rows []row
		err := s.DB.Read(ctx, func(tx db.Tx) error {
			at, err := before(tx, settleAfter)
			if err != nil {
				return err
			}
			rs, err := tx.Query(`SELECT u.app, u.invite, u.usr, u.client_id, i.conv FROM join_use u JOIN join_invite i ON i.app = u.app AND i.id = u.invite
WHERE u.counted = 0 AND u.at < $1 AND (u.app > $2 OR u.app = $2 AND (u.invite > $3 OR u.invite = $3 AND (u.usr > $4 OR u.usr = $4 AND u.client_id > $5)))
ORDER BY u.app, u.invite, u.usr, u.client_id LIMIT $6`, at, after.invite.app, after.invite.id, after.user, after.client[:], tidyStep)
			if err != nil {
				return err
			}
			defer rs.Close()
			for rs.Next() {
				var r row
				var raw []byte
				if err := rs.Scan(&r.invite.app, &r.invite.id, &r.user, &raw, &r.invite.conv); err != nil {
					return err
				}
				copy(r.client[:], raw)
				rows = append(rows, r)
			}
			return rs.Err()
		})
		if err != nil || len(rows) == 0 {
			return err
		}
		for i := range rows {
			r := &rows[i]
			in, err := s.came(ctx, &r.invite, r.use)
			if err == nil && in {
				err = s.count(ctx, &r.invite, r.user, r.client)
			}
			if err != nil {
				return err
			}
		}
		after = rows[len(rows)-1]
	}
}

// came tells whether the entry of a use is in the journal.
func (s *Service) came(ctx context.Context, v *invite, u use) (in bool, err error) {
	err = s.Journal.View(ctx, func(view journal.View) error {
		in, err = entered(view, v, u)
		return err
	})
	return in, err
}

// purge removes invitations that ended long ago, and requests that are over.
func (s *Service) purge(ctx context.Context) error {
	return s.DB.Write(ctx, func(tx db.Tx) error {
		old, err := before(tx, keepEnded)
		if err != nil {
			return err
		}
		const gone = "(SELECT id FROM join_invite WHERE app = join_use.app AND id = join_use.invite AND (ended > 0 AND ended < $1 OR expires > 0 AND expires < $1))"
		if _, err := tx.Exec("DELETE FROM join_use WHERE EXISTS "+gone, old); err != nil {
			return err
		}
		if _, err := tx.Exec("DELETE FROM join_invite WHERE ended > 0 AND ended < $1 OR expires > 0 AND expires < $1", old); err != nil {
			return err
		}
		now, err := before(tx, 0)
		if err != nil {
			return err
		}
		_, err = tx.Exec("DELETE FROM join_request WHERE expires < $1", now)
		return err
	})
}
