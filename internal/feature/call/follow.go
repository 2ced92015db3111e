package call

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/follow"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
)

// Follower has calls looked at when somebody may be in one no more: who was
// removed from the group, left it, was blocked, or whose group was dissolved.
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

// runCheck takes out of a call who may not be in it any more.
func (s *Service) runCheck(ctx context.Context, j job.Job) error {
	id, _, _ := strings.Cut(j.Key, "/")
	c, parties, err := s.read(ctx, j.App, id)
	if err != nil || c.state == callEnded {
		return gone(err)
	}
	out := make(map[im.UserID]bool)
	for _, p := range parties {
		if p.state != joined && p.state != ringing {
			continue
		}
		_, err := s.d.Chat.MayHear(ctx, im.Actor{App: c.app, User: p.user}, c.conv)
		switch im.CodeOf(err) {
		case 0:
		case im.NotFound, im.PermissionDenied, im.FailedPrecondition:
			out[p.user] = true
		default:
			return err
		}
	}
	if len(out) == 0 {
		return nil
	}
	_, err = s.drop(ctx, c.app, c.id, func(p *party) bool { return out[p.user] }, remove)
	return gone(err)
}

// fence is somebody who was signed out: with one device, or with all.
type fence struct {
	app    im.AppID
	user   im.UserID
	device im.DeviceID
	all    bool
}

// SignedOut takes a user's device out of the call that it is in; all = whichever
// it is. It does not wait: every node hears of it and does the same.
func (s *Service) SignedOut(app im.AppID, user im.UserID, device im.DeviceID, all bool) {
	select {
	case s.fences <- fence{app, user, device, all}:
	default:
		s.d.Log.Warn("a signed-out device may stay in its call: too many at once", "app", app)
	}
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

// Forget takes a user out of every call and removes what is kept of them. It
// may be repeated.
func (s *Service) Forget(ctx context.Context, app im.AppID, user im.UserID) error {
	ids, err := s.callsOf(ctx, app, user)
	if err != nil {
		return err
	}
	for _, id := range ids {
		_, err := s.drop(ctx, app, id, func(p *party) bool { return p.user == user && (p.state == joined || p.state == ringing) }, leave)
		if gone(err) != nil {
			return err
		}
		err = s.d.DB.Write(ctx, func(tx db.Tx) error {
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

func (s *Service) callsOf(ctx context.Context, app im.AppID, user im.UserID) (ids []string, err error) {
	err = s.d.DB.Read(ctx, func(tx db.Tx) (err error) {
		ids, err = db.Column[string](tx, "SELECT call_id FROM call_party WHERE app = $1 AND usr = $2", app, user)
		return err
	})
	return ids, err
}
