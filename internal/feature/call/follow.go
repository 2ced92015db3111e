package call

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/follow"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
)

// Follower has calls looked at when somebody may be in one no more, or speak in
// it: who was removed from the group, left it, was blocked or muted, or whose
// group was dissolved or muted as a whole.
func Follower(enqueue func(tx db.Tx, s job.Spec) error) follow.Follower {
	return follow.Follower{Name: "calls", Origin: follow.FromHead,
		Wants: func(e *im.Entry) bool {
			return e.Kind == im.KindMembers || e.Kind == im.KindContact || e.Kind == im.KindConversation
		},
		Apply: func(_ context.Context, tx db.Tx, entries []im.Entry) error {
			for i := range entries {
				e := &entries[i]
				var id string
				err := tx.QueryRow("SELECT id FROM call WHERE app = $1 AND conv = $2 AND state < 3", e.App, e.Conv).Scan(&id)
				if errors.Is(err, db.ErrNoRows) {
					continue
				}
				if err == nil {
					err = enqueue(tx, job.Spec{Kind: checkKind, App: e.App, Key: id + "/" + strconv.FormatInt(int64(e.Seq), 10)})
				}
				if err != nil {
					return err
				}
			}
			return nil
		}}
}

// runCheck looks at a call after a change of its group, or at the end of a mute.
func (s *Service) runCheck(ctx context.Context, j job.Job) error {
	id, _, _ := strings.Cut(j.Key, "/")
	return s.check(ctx, j.App, id)
}

// check takes out of a call who may not be in it any more, and has those who are
// in it speak or not as the group has it now.
func (s *Service) check(ctx context.Context, app im.AppID, id string) error {
	c, parties, err := s.read(ctx, app, id)
	if err != nil || c.state == callEnded {
		return gone(err)
	}
	out := make(map[im.UserID]bool)
	muted := make(map[im.UserID]im.Micros)
	hush := false
	for _, p := range parties {
		if p.state != joined && p.state != ringing {
			continue
		}
		room, err := s.d.Chat.MayHear(ctx, im.Actor{App: c.app, User: p.user}, c.conv)
		switch im.CodeOf(err) {
		case 0:
			if p.state == joined {
				muted[p.user] = s.mutedUntil(room, p.user)
				hush = hush || muted[p.user] != p.hushed
			}
		case im.NotFound, im.PermissionDenied, im.FailedPrecondition:
			out[p.user] = true
		default:
			return err
		}
	}
	if len(out) > 0 {
		_, err = s.drop(ctx, c.app, c.id, func(p *party) bool { return out[p.user] }, remove)
	}
	if gone(err) != nil || !hush {
		return gone(err)
	}
	_, err = s.change(ctx, c.app, c.id, func(t *turn) error {
		for _, p := range t.parties {
			if until, looked := muted[p.user]; looked && p.state == joined {
				if err := t.hush(p, until); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return gone(err)
}

// mutedUntil is until when a group keeps a user from speaking; 0 = it does not.
func (s *Service) mutedUntil(room *chat.Room, u im.UserID) im.Micros {
	if until := room.MutedUntil(u); until > s.d.Chat.Now() {
		return until
	}
	return 0
}

// hush has a party speak no more until a time; 0 = they may. When the time has
// come they are looked at again.
func (t *turn) hush(p *party, until im.Micros) error {
	if p.hushed == until {
		return nil
	}
	before := p.acts()
	p.hushed, p.touched = until, true
	if p.acts() != before {
		p.version++
		p.changed = t.now
	}
	if until == 0 {
		return nil
	}
	return t.check("until/"+strconv.FormatInt(int64(until), 10), time.Duration(until-t.now)*time.Microsecond)
}

// checkSoon has the call looked at when everything that was done before this
// turn is seen: who joined may have been removed or muted between the question
// whether they may and its answer. Those who join at once are looked at once.
func (t *turn) checkSoon() error {
	slot := int64(t.now) / soon.Microseconds()
	return t.check("in/"+strconv.FormatInt(slot, 10), soon)
}

// soon is how long after somebody has joined it is looked at whether they may.
const soon = 3 * time.Second

func (t *turn) check(key string, delay time.Duration) error {
	_, _, err := t.s.d.Queue.Enqueue(t.tx, job.Spec{Kind: checkKind, App: t.c.app, Key: t.c.id + "/" + key, Delay: max(delay, 0)})
	return err
}

// fence is somebody who was signed out, with one device or with all; without a
// user it is everybody of an app.
type fence struct {
	app    im.AppID
	user   im.UserID
	device im.DeviceID
	all    bool
}

// SignedOut takes a user's device out of the call that it is in; all = whichever
// it is. It does not wait: every node hears of it and does the same.
func (s *Service) SignedOut(app im.AppID, user im.UserID, device im.DeviceID, all bool) {
	s.fence(fence{app, user, device, all})
}

// Suspended ends all calls of an app, whose users were signed out. It does not wait
// either.
func (s *Service) Suspended(app im.AppID) { s.fence(fence{app: app, all: true}) }

func (s *Service) fence(f fence) {
	s.fenced.add(f)
	select {
	case s.fences <- f:
	default:
		s.d.Log.Warn("a signed-out device may stay in its call: too many at once", "app", f.app)
	}
}

// keptFences bounds what a fenceLog remembers.
const keptFences = 1024

// fenceLog is the newest fences, for who is let into a call while they are signed
// out: a fence takes those out who are in one when it comes.
type fenceLog struct {
	mu   sync.Mutex // guards the rest
	n    int        // how many there were
	last []fence    // the newest of them
}

func (l *fenceLog) add(f fence) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n++; len(l.last) == 2*keptFences {
		l.last = slices.Delete(l.last, 0, keptFences)
	}
	l.last = append(l.last, f)
}

func (l *fenceLog) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.n
}

// ended tells whether a fence behind the first n has signed an actor out.
func (l *fenceLog) ended(n int, a im.Actor) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.last[max(0, len(l.last)-(l.n-n)):], func(f fence) bool {
		return f.app == a.App && (f.user == "" || f.user == a.User && (f.all || f.device == a.Device))
	})
}

// signedIn takes a device out of a call again that was signed out while it was let
// in; n is the count of fences from before.
func (s *Service) signedIn(ctx context.Context, n int, a im.Actor, id string) error {
	if !s.fenced.ended(n, a) {
		return nil
	}
	_, err := s.drop(ctx, a.App, id, func(p *party) bool { return p.user == a.User && p.device == a.Device }, leave)
	if err == nil {
		err = im.Errorf(im.SignedOut, "the device was signed out")
	}
	return err
}

// hear applies fences until ctx ends.
func (s *Service) hear(ctx context.Context) {
	defer close(s.done)
	for {
		select {
		case <-ctx.Done():
			return
		case f := <-s.fences:
			if err := s.signedOut(ctx, f); err != nil && ctx.Err() == nil {
				s.d.Log.Warn("a signed-out device stays in its call", "app", f.app, "err", err)
			}
		}
	}
}

func (s *Service) signedOut(ctx context.Context, f fence) error {
	if f.user == "" {
		return s.endAll(ctx, f.app)
	}
	var id string
	var device im.DeviceID
	err := s.d.DB.Read(ctx, func(tx db.Tx) (err error) {
		id, device, err = elsewhere(tx, f.app, f.user, "")
		return err
	})
	if err != nil || id == "" || !f.all && device != f.device {
		return err
	}
	_, err = s.drop(ctx, f.app, id, func(p *party) bool { return p.user == f.user && p.device == device }, leave)
	return gone(err)
}

// endAll ends the calls of an app.
func (s *Service) endAll(ctx context.Context, app im.AppID) error {
	var ids []string
	err := s.d.DB.Read(ctx, func(tx db.Tx) (err error) {
		ids, err = db.Column[string](tx, "SELECT id FROM call WHERE app = $1 AND state < 3", app)
		return err
	})
	errs := []error{err}
	for _, id := range ids {
		_, err := s.change(ctx, app, id, func(t *turn) error {
			t.end(0)
			return nil
		})
		errs = append(errs, gone(err))
	}
	return errors.Join(errs...)
}

// Forget takes a user out of every call and removes what is kept of them. It
// may be repeated.
func (s *Service) Forget(ctx context.Context, app im.AppID, user im.UserID) error {
	live, ids, err := s.callsOf(ctx, app, user)
	if err != nil {
		return err
	}
	for _, id := range live {
		_, err := s.drop(ctx, app, id, func(p *party) bool { return p.user == user }, leave)
		if gone(err) != nil {
			return err
		}
	}
	for _, id := range ids {
		err := s.d.DB.Write(ctx, func(tx db.Tx) error {
			for _, q := range []string{"DELETE FROM call_party WHERE app = $1 AND call_id = $2 AND usr = $3",
				"UPDATE call_party SET inviter = '' WHERE app = $1 AND call_id = $2 AND inviter = $3",
				"UPDATE call SET starter = '' WHERE app = $1 AND id = $2 AND starter = $3",
				"UPDATE call SET recorder = '' WHERE app = $1 AND id = $2 AND recorder = $3",
				"UPDATE call_track SET usr = '' WHERE app = $1 AND usr = $3 AND recording IN (SELECT id FROM call_recording WHERE app = $1 AND call_id = $2)",
				"UPDATE call_recording SET recorder = '' WHERE app = $1 AND call_id = $2 AND recorder = $3"} {
				if _, err := tx.Exec(q, app, id, user); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// callsOf are a user's calls: those that they are in or that ring, and all.
func (s *Service) callsOf(ctx context.Context, app im.AppID, user im.UserID) (live, all []string, err error) {
	err = s.d.DB.Read(ctx, func(tx db.Tx) (err error) {
		if live, err = db.Column[string](tx, "SELECT call_id FROM call_party WHERE app = $1 AND usr = $2 AND state IN (1, 2)", app, user); err != nil {
			return err
		}
		all, err = db.Column[string](tx, "SELECT call_id FROM call_party WHERE app = $1 AND usr = $2", app, user)
		return err
	})
	return live, all, err
}
