package call

import (
	"context"
	"errors"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// host says why an actor may not manage a call: its host is who started it and was
// not taken out of it, members of the group with a grant, and the app's back end.
// A member acts on nobody who is not below them.
func (s *Service) host(ctx context.Context, a im.Actor, c *call, grant skeinv1.Grant, target im.UserID) error {
	if a.Server {
		return nil
	}
	room, err := s.d.Chat.MayHear(ctx, a, c.conv)
	if err != nil {
		return err
	}
	starts := c.starter == a.User
	if starts {
		if starts, err = s.stays(ctx, c, a.User); err != nil {
			return err
		}
	}
	switch {
	case starts:
		return nil
	case c.direct() || !room.Grants(a.User, s.d.Chat.Now()).Has(grant):
		return im.Errorf(im.PermissionDenied, "only the host of the call may do this")
	case target != "" && room.Rank(a.User) <= room.Rank(target):
		return im.Errorf(im.PermissionDenied, "a higher rank in the group is needed for this")
	}
	return nil
}

// stays tells that somebody of a call was not taken out of it.
func (s *Service) stays(ctx context.Context, c *call, u im.UserID) (bool, error) {
	var n int64
	err := s.d.DB.Read(ctx, func(tx db.Tx) error {
		return tx.QueryRow("SELECT count(*) FROM call_party WHERE app = $1 AND usr = $2 AND call_id = $3 AND state <> 7", c.app, u, c.id).Scan(&n)
	})
	return n > 0, err
}

// InviteToCall rings more members.
func (s *Service) InviteToCall(ctx context.Context, a im.Actor, r *skeinv1.InviteToCallRequest) (*skeinv1.InviteToCallResponse, error) {
	if err := s.users(a); err != nil {
		return nil, err
	}
	c, err := s.find(ctx, a, r.GetCall())
	if err != nil {
		return nil, err
	}
	if c.direct() {
		return nil, im.Errorf(im.FailedPrecondition, "a call of two stays one: call in a group")
	}
	room, err := s.d.Chat.MayCall(ctx, a, c.conv)
	if err != nil {
		return nil, err
	}
	users, err := members(a, room, r.GetUsers(), s.d.Parties-1)
	if err != nil {
		return nil, err
	}
	host := s.host(ctx, a, c, skeinv1.Grant_GRANT_REMOVE_MEMBERS, "") == nil
	role := int64(r.GetRole())
	if !host {
		if role != 0 && role != c.role {
			return nil, im.Errorf(im.PermissionDenied, "only the host of the call gives another role")
		}
		role = 0 // who was in it before has the role that the host gave them
	}
	if err := s.allowRing(a); err != nil {
		return nil, err
	}
	t, err := s.change(ctx, a.App, c.id, func(t *turn) error {
		if t.c.state == callEnded {
			return errOver()
		}
		if p := t.party(a.User); p == nil || p.state != joined {
			return im.Errorf(im.PermissionDenied, "who is in the call invites to it")
		}
		for _, u := range users {
			if p := t.party(u); p != nil && p.state == removed && !host {
				return im.Errorf(im.PermissionDenied, "only the host of the call brings back who was taken out")
			}
		}
		if err := t.ring(a.User, users, role); err != nil {
			return err
		}
		if t.count(joined)+t.count(ringing) > s.d.Parties {
			return errFull(s.d.Parties)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &skeinv1.InviteToCallResponse{Call: t.c.wire(t.parties, a, 0)}, nil
}

// inside returns a call that goes on and somebody in it, for its host.
func (s *Service) inside(ctx context.Context, a im.Actor, id string, user im.UserID, grant skeinv1.Grant) (*call, *party, error) {
	c, err := s.find(ctx, a, id)
	if err != nil {
		return nil, nil, err
	}
	if err := s.host(ctx, a, c, grant, user); err != nil {
		return nil, nil, err
	}
	c, parties, err := s.read(ctx, a.App, id)
	if err != nil {
		return nil, nil, err
	}
	if c.state == callEnded {
		return nil, nil, errOver()
	}
	for _, p := range parties {
		if p.user == user {
			return c, p, nil
		}
	}
	return nil, nil, errAbsent()
}

func errAbsent() error { return im.Errorf(im.NotFound, "the user is not in the call") }

// MuteInCall switches a user's tracks off.
func (s *Service) MuteInCall(ctx context.Context, a im.Actor, r *skeinv1.MuteInCallRequest) (*skeinv1.MuteInCallResponse, error) {
	if s.d.Media == nil {
		return nil, errNone()
	}
	if !r.GetAudio() && !r.GetVideo() {
		return nil, im.Errorf(im.InvalidArgument, "say whether audio or video is to be switched off")
	}
	c, p, err := s.inside(ctx, a, r.GetCall(), im.UserID(r.GetUser()), skeinv1.Grant_GRANT_MUTE)
	if err != nil {
		return nil, err
	}
	if p.state != joined {
		return nil, errAbsent()
	}
	who := identity(p.user, p.device)
	there, err := s.d.Media.get(ctx, c.room, who)
	if im.CodeOf(err) == im.NotFound {
		return nil, errAbsent()
	}
	for _, tr := range there.Tracks {
		audio := tr.Type == "" || tr.Type == "AUDIO"
		if !tr.Muted && (audio && r.GetAudio() || tr.Type == "VIDEO" && r.GetVideo()) {
			err = errors.Join(err, gone(s.d.Media.mute(ctx, c.room, who, tr.SID)))
		}
	}
	if err != nil {
		return nil, err
	}
	return &skeinv1.MuteInCallResponse{}, nil
}

// RemoveFromCall takes a user out, or stops their ring.
func (s *Service) RemoveFromCall(ctx context.Context, a im.Actor, r *skeinv1.RemoveFromCallRequest) (*skeinv1.RemoveFromCallResponse, error) {
	user := im.UserID(r.GetUser())
	if user == a.User {
		return nil, im.Errorf(im.InvalidArgument, "one leaves by LeaveCall")
	}
	c, _, err := s.inside(ctx, a, r.GetCall(), user, skeinv1.Grant_GRANT_REMOVE_MEMBERS)
	if err != nil {
		return nil, err
	}
	t, err := s.drop(ctx, a.App, c.id, func(p *party) bool { return p.user == user }, remove)
	if err != nil {
		return nil, err
	}
	return &skeinv1.RemoveFromCallResponse{Call: t.c.wire(t.parties, a, 0)}, nil
}

// SetCallRole says whether a user only hears and sees.
func (s *Service) SetCallRole(ctx context.Context, a im.Actor, r *skeinv1.SetCallRoleRequest) (*skeinv1.SetCallRoleResponse, error) {
	if s.d.Media == nil {
		return nil, errNone()
	}
	user := im.UserID(r.GetUser())
	c, _, err := s.inside(ctx, a, r.GetCall(), user, skeinv1.Grant_GRANT_MUTE)
	if err != nil {
		return nil, err
	}
	t, err := s.change(ctx, a.App, c.id, func(t *turn) error {
		p := t.party(user)
		if p == nil {
			return errAbsent()
		}
		if p.role != int64(r.GetRole()) {
			p.role, p.changed, p.touched = int64(r.GetRole()), t.now, true
			p.version++
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	// What could not be done at once is the caller's to know.
	c, parties, err := s.read(ctx, a.App, c.id)
	if err == nil {
		err = s.permit(ctx, c, parties)
	}
	if err != nil {
		return nil, err
	}
	return &skeinv1.SetCallRoleResponse{Call: t.c.wire(t.parties, a, 0)}, nil
}
