package call

import (
	"context"
	"errors"
	"slices"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// swept is how many calls are read at once by a sweep.
const swept = 1000

// undone is a call that is not over and done.
type undone struct {
	app  im.AppID
	id   string
	live bool
}

// sweep goes through the calls that are not over and done: what a webhook or a
// job should have told and did not, it finds. Those that its time is not enough for
// are the first of the next one.
func (s *Service) sweep(ctx context.Context) error {
	return errors.Join(s.sweepCalls(ctx, swept), s.sweepRecordings(ctx))
}

// sweepCalls goes on behind the call where this node's sweep before has ended.
func (s *Service) sweepCalls(ctx context.Context, most int) error {
	s.sweeping.Lock()
	defer s.sweeping.Unlock()
	list, err := s.undone(ctx, most)
	errs := []error{err}
	for _, n := range list {
		if ctx.Err() != nil {
			return errors.Join(errs...)
		}
		s.sweptTo = n
		if n.live {
			errs = append(errs, s.compare(ctx, n.app, n.id, false))
		}
		errs = append(errs, s.work(ctx, n.app, n.id))
	}
	if err == nil && len(list) < most {
		s.sweptTo = undone{} // all have been looked at
	}
	return errors.Join(errs...)
}

// undone are the next calls to be swept.
func (s *Service) undone(ctx context.Context, most int) (list []undone, err error) {
	err = s.d.DB.Read(ctx, func(tx db.Tx) error {
		list = nil
		return db.Each(tx, func(r db.Rows) error {
			var n undone
			var state int64
			err := r.Scan(&n.app, &n.id, &state)
			n.live = state != callEnded
			list = append(list, n)
			return err
		}, "SELECT app, id, state FROM call WHERE (state < 3 OR closed = 0 OR due > 0) AND (app, id) > ($1, $2) ORDER BY app, id LIMIT $3", s.sweptTo.app, s.sweptTo.id, most)
	})
	return list, err
}

// sweepRecordings does what is left to do for recordings.
func (s *Service) sweepRecordings(ctx context.Context) error {
	var calls []*call
	err := s.d.DB.Read(ctx, func(tx db.Tx) error {
		calls = nil
		return db.Each(tx, func(r db.Rows) error {
			c := new(call)
			err := c.scan(r)
			calls = append(calls, c)
			return err
		}, "SELECT "+callColumns+" FROM call WHERE (app, id) IN (SELECT app, call_id FROM call_recording WHERE state < 3 OR due > 0 ORDER BY app, id LIMIT $1)", swept)
	})
	errs := []error{err}
	for _, c := range calls {
		errs = append(errs, s.captured(ctx, c), s.recordings(ctx, c))
	}
	return errors.Join(errs...)
}

// compare holds a call to who is in its room. A media server that does not
// answer changes nothing. now: its room is said to have ended, which a room does
// when it was empty for a while; so who is absent is gone, and not only away. Who
// was seen more recently was in the room as it is now, and the one that has ended is
// another, which was left at a node that was cut off.
func (s *Service) compare(ctx context.Context, app im.AppID, id string, now bool) error {
	c, _, err := s.read(ctx, app, id)
	if err != nil || c.state == callEnded || s.d.Media == nil {
		return gone(err)
	}
	there, err := s.d.Media.list(ctx, c.room)
	if err != nil {
		return err
	}
	in := make(map[string]bool, len(there))
	for _, p := range there {
		in[p.Identity] = true
	}
	t, err := s.turn(ctx, app, id, func(t *turn) error {
		if t.c.state == callEnded {
			return nil
		}
		t.ringsOver()
		for _, p := range t.parties {
			if p.state != joined {
				continue
			}
			switch {
			case in[identity(p.user, p.device)]:
				if err := t.seen(p); err != nil {
					return err
				}
			case now && p.seen != p.joined && t.now-p.seen > emptied, t.now-p.seen > lost: // who has just joined is still connecting
				t.move(p, leave)
			}
		}
		return nil
	})
	if err != nil {
		return gone(err)
	}
	allowed := make(map[string]bool)
	for _, p := range t.parties {
		if p.state == joined {
			allowed[identity(p.user, p.device)] = true
		}
	}
	for who := range in {
		if !allowed[who] {
			err = errors.Join(err, s.d.Media.remove(ctx, t.c.room, who))
		}
	}
	if slices.ContainsFunc(t.parties, func(p *party) bool { return p.state == joined && p.hushed != 0 && p.hushed <= s.d.Chat.Now() }) {
		err = errors.Join(err, s.check(ctx, app, id)) // at its job's time another clock had not come to the end of the mute
	}
	return err
}

// seen writes down that somebody was in the room. It is news for nobody.
func (t *turn) seen(p *party) error {
	p.seen = t.now
	_, err := t.tx.Exec("UPDATE call_party SET seen = $4 WHERE app = $1 AND usr = $2 AND call_id = $3", t.c.app, p.user, t.c.id, t.now)
	return err
}
