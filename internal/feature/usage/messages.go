package usage

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/quota"
)

const (
	// share is the part of a day's messages that a node takes at a time: so
	// many parts has a day.
	share = 1000
	// takeTimeout bounds the transaction that takes a part.
	takeTimeout = 5 * time.Second
	// askAgain is how soon a node asks again when nothing was left: others may
	// have given something back.
	askAgain = time.Second
	// dayBack is the longest that a client is told to wait for the next day: the
	// operator may raise the quota before.
	dayBack = 10 * time.Minute
	// deviceBack is when a device that found no place tries again.
	deviceBack = 10 * time.Second
	// lookRate bounds the reads a second for what an app was refused.
	lookRate = 500
	// keepDays is for how long what was taken of a day is kept.
	keepDays = 7
)

// tally is what is counted of an app in memory.
type tally struct {
	second quota.Meter // messages
	calls  quota.Meter
	looks  quota.Meter          // reads for what was refused
	part   atomic.Pointer[part] // of the day of the newest message; nil = none yet
	asking atomic.Int64         // how many wait for turn
	turn   chan struct{}        // a token for who takes the next part, and owns the rest
	none   int64                // the quota of which nothing was left
	until  time.Time            // when to ask again while it is the quota
}

// part is what this node holds of an app's messages of a day.
type part struct {
	day  int64
	most int64 // the quota that it was taken of
	left atomic.Int64
}

// take takes one message of the part; false when none is left of it, or the
// quota is another one by now.
func (p *part) take(day, most int64) bool {
	if p == nil || p.day != day || p.most != most {
		return false
	}
	if p.left.Add(-1) >= 0 {
		return true
	}
	p.left.Add(1)
	return false
}

// holds is how many messages of a day this node has taken and not used.
func (t *tally) holds(day int64) int64 {
	if p := t.part.Load(); p != nil && p.day == day {
		return max(p.left.Load(), 0)
	}
	return 0
}

// today is the day, in UTC, since 1970-01-01.
func (s *Service) today() int64 { return DayOf(s.Clock.Now()) }

// DayOf is the number of a day, in UTC, since 1970-01-01.
func DayOf(now time.Time) int64 { return now.Unix() / 86_400 }

// Message takes a place for a message that is to be stored; see chat.Quota. An
// app without such a quota costs a look at its quotas.
func (s *Service) Message(ctx context.Context, app im.AppID) (back func(), err error) {
	q := s.Quotas(app)
	rate, most := q.GetMessagesPerSecond(), q.GetMessagesPerDay()
	if rate <= 0 {
		if most == 0 {
			return nil, nil
		}
		return s.ofToday(ctx, app, most)
	}
	t := s.tally(app)
	if wait, ok := t.second.Take(s.Clock.Now(), rate); !ok {
		s.Refused[refusedSecond].Inc()
		e := im.Errorf(im.RateLimited, "the app sends more messages than the %g a second that it may send", rate)
		e.Hint, e.RetryAfter = hint, wait
		return nil, e
	}
	if most == 0 {
		return func() { t.second.Back(rate) }, nil
	}
	day, err := s.ofToday(ctx, app, most)
	if err != nil {
		t.second.Back(rate)
		return nil, err
	}
	return func() { day(); t.second.Back(rate) }, nil
}

// Imported takes a place for a message of another system: one of the day's,
// and of no rate, because nobody is told of it. See chat.Quota.
func (s *Service) Imported(ctx context.Context, app im.AppID) (back func(), err error) {
	most := s.Quotas(app).GetMessagesPerDay()
	if most == 0 {
		return nil, nil
	}
	return s.ofToday(ctx, app, most)
}

// Look tells whether it may be looked for what a message that found no place has
// stored before, as an error; nil = it may. Each refusal is such a read: those of
// an app that goes on all the same must not take the database from the others.
// See chat.Quota.
func (s *Service) Look(app im.AppID) error {
	wait, ok := s.tally(app).looks.Take(s.Clock.Now(), lookRate)
	if ok {
		return nil
	}
	return &im.Error{Code: im.Unavailable, Message: "the app goes on far beyond its quota", Hint: hint, RetryAfter: max(wait, askAgain)}
}

// ofToday takes one of the day's messages.
func (s *Service) ofToday(ctx context.Context, app im.AppID, most uint64) (back func(), err error) {
	t, day := s.tally(app), s.today()
	if !t.part.Load().take(day, int64(most)) {
		if err := s.takePart(ctx, t, app, day, int64(most)); err != nil {
			return nil, err
		}
	}
	return func() {
		if p := t.part.Load(); p.day == day { // else it is nobody's any more
			p.left.Add(1)
		}
	}, nil
}

// takePart takes the next part of the day, and one message of it. Those who
// wait meanwhile find theirs in it.
func (s *Service) takePart(ctx context.Context, t *tally, app im.AppID, day, most int64) error {
	ctx, cancel := context.WithTimeout(ctx, takeTimeout)
	defer cancel()
	t.asking.Add(1)
	defer t.asking.Add(-1)
	select {
	case t.turn <- struct{}{}:
	case <-ctx.Done():
		return im.Errorf(im.Unavailable, "the app's messages of the day could not be counted")
	}
	defer func() { <-t.turn }()
	p := t.part.Load()
	if p.take(day, most) {
		return nil
	}
	if p != nil && p.day == day && p.most != most { // a part of a larger quota could be more than the new one allows
		if err := s.giveBack(ctx, app, p); err != nil {
			return err
		}
	}
	now := s.Clock.Now()
	if t.none == most && now.Before(t.until) {
		return s.errDay(most, now)
	}
	n, err := s.fetch(ctx, app, day, most, max(most/share, t.asking.Load()))
	if err != nil {
		return err
	}
	if n == 0 {
		t.none, t.until = most, now.Add(askAgain)
		return s.errDay(most, now)
	}
	t.none = 0
	if p != nil && p.day == day && p.most == most {
		p.left.Add(n - 1)
		return nil
	}
	p = &part{day: day, most: most}
	p.left.Store(n - 1)
	t.part.Store(p)
	return nil
}

// giveBack returns what is left of a part.
func (s *Service) giveBack(ctx context.Context, app im.AppID, p *part) error {
	n := p.left.Swap(0)
	if n <= 0 {
		return nil
	}
	return s.DB.Write(ctx, func(tx db.Tx) error {
		_, err := tx.Exec("UPDATE quota_day SET taken = taken - $3 WHERE app = $1 AND day = $2", app, p.day, n)
		return err
	})
}

// fetch takes up to n messages of a day from what is left of it.
func (s *Service) fetch(ctx context.Context, app im.AppID, day, most, n int64) (got int64, err error) {
	err = s.DB.Write(ctx, func(tx db.Tx) error {
		first, err := tx.Exec("INSERT INTO quota_day (app, day, taken) VALUES ($1, $2, 0) ON CONFLICT (app, day) DO NOTHING", app, day)
		if err == nil && first > 0 {
			_, err = tx.Exec("DELETE FROM quota_day WHERE app = $1 AND day < $2", app, day-keepDays)
		}
		if err != nil {
			return err
		}
		var taken int64
		if err := tx.QueryRow("SELECT taken FROM quota_day WHERE app = $1 AND day = $2", app, day).Scan(&taken); err != nil {
			return err
		}
		if got = min(n, most-taken); got <= 0 {
			got = 0
			return nil
		}
		_, err = tx.Exec("UPDATE quota_day SET taken = taken + $3 WHERE app = $1 AND day = $2", app, day, got)
		return err
	})
	return got, err
}

// errDay answers who comes when the day's messages are gone.
func (s *Service) errDay(most int64, now time.Time) error {
	s.Refused[refusedDay].Inc()
	e := im.Errorf(im.ResourceExhausted, "the app has sent all of the %d messages that it may send in a day; the next one begins at 00:00 UTC", most)
	e.Hint = hint
	e.RetryAfter = min(time.Unix((DayOf(now)+1)*86_400, 0).Sub(now), dayBack)
	return e
}

// Close gives back what this node has taken and not used. Nobody may send any
// more.
func (s *Service) Close(ctx context.Context) error {
	var errs []error
	s.tallies.Range(func(app, t any) bool {
		if p := t.(*tally).part.Load(); p != nil {
			errs = append(errs, s.giveBack(ctx, app.(im.AppID), p))
		}
		return true
	})
	return errors.Join(errs...)
}
