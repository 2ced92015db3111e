package call

import (
	"context"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// JoinCall answers a ring, joins, or comes back.
func (s *Service) JoinCall(ctx context.Context, a im.Actor, r *skeinv1.JoinCallRequest) (*skeinv1.JoinCallResponse, error) {
	if err := s.users(a); err != nil {
		return nil, err
	}
	fences := s.fenced.count()
	c, err := s.find(ctx, a, r.GetCall())
	if err != nil {
		return nil, err
	}
	room, err := s.d.Chat.MayHear(ctx, a, c.conv)
	if err != nil {
		return nil, err
	}
	if err := s.dropOwn(ctx, a, c.id, func(tx db.Tx, _ string) error {
		c, parties, err := loadAll(tx, a.App, c.id)
		if err != nil {
			return err
		}
		return (&turn{s: s, tx: tx, c: c, parties: parties}).admits(a, r.GetMove())
	}); err != nil {
		return nil, err
	}
	muted := s.mutedUntil(room, a.User)
	t, err := s.change(ctx, a.App, c.id, func(t *turn) error {
		if err := t.join(a, r.GetMove()); err != nil {
			return err
		}
		p := t.party(a.User)
		if err := t.hush(p, muted); err != nil {
			return err
		}
		if p.touched {
			p.allowed = p.acts() // as its token says
		}
		return t.checkSoon()
	})
	if err != nil {
		return nil, err
	}
	if err := s.signedIn(ctx, fences, a, c.id); err != nil {
		return nil, err
	}
	// Also where it is there already: the media server may have died with it.
	if err := s.d.Media.createRoom(ctx, t.c.room, s.d.Parties); err != nil {
		return nil, err // the next attempt of this device finds it in the call
	}
	access, err := s.d.Media.access(t.c, t.party(a.User))
	if err != nil {
		return nil, err
	}
	return &skeinv1.JoinCallResponse{Call: t.c.wire(t.parties, a, 0), Access: access}, nil
}

// admits says why a device of a user is not let in, whatever other call they are in.
func (t *turn) admits(a im.Actor, move bool) error {
	p := t.party(a.User)
	switch {
	case t.c.state == callEnded:
		return errOver()
	case p != nil && p.state == joined:
		if p.device == a.Device || move {
			return nil
		}
		return &im.Error{Code: im.FailedPrecondition, Message: "another device of yours is in the call", Hint: "send move to take it over"}
	case p != nil && p.state == removed:
		return &im.Error{Code: im.PermissionDenied, Message: "you were taken out of the call", Hint: "somebody has to invite you again"}
	case t.count(joined) >= t.s.d.Parties:
		return errFull(t.s.d.Parties)
	}
	return nil
}

// join lets a device of a user in: one of them, and the same one again.
func (t *turn) join(a im.Actor, move bool) error {
	if err := t.admits(a, move); err != nil {
		return err
	}
	p := t.add(a.User)
	if p.state == joined {
		if p.device == a.Device {
			return t.seen(p) // it comes back, and has as long to connect as at first
		}
		p.evict, p.device, p.seen, p.changed, p.touched = identity(p.user, p.device), a.Device, t.now, t.now, true
		p.version++
		return nil
	}
	other, _, err := elsewhere(t.tx, a.App, a.User, t.c.id)
	switch {
	case err != nil:
		return err
	case other != "":
		return errElsewhere()
	}
	t.move(p, join)
	if p.device = a.Device; p.evict == identity(p.user, p.device) {
		p.evict = ""
	}
	return nil
}

func errOver() error { return im.Errorf(im.FailedPrecondition, "the call is over") }

// find returns a call that the actor may know of: they were in it or invited, or
// are in its conversation. Errors: NotFound.
func (s *Service) find(ctx context.Context, a im.Actor, id string) (*call, error) {
	var c *call
	var party int64
	err := s.d.DB.Read(ctx, func(tx db.Tx) (err error) {
		if c, err = load(tx, a.App, id); err != nil {
			return err
		}
		return tx.QueryRow("SELECT count(*) FROM call_party WHERE app = $1 AND call_id = $2 AND usr = $3", a.App, id, a.User).Scan(&party)
	})
	if err != nil || party > 0 || a.Server {
		return c, err
	}
	if _, err := s.d.Chat.MayHear(ctx, a, c.conv); err != nil {
		return nil, err
	}
	return c, nil
}
