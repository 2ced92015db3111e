package call

import (
	"context"

	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// DeclineCall stops the caller's ring.
func (s *Service) DeclineCall(ctx context.Context, a im.Actor, r *skeinv1.DeclineCallRequest) (*skeinv1.DeclineCallResponse, error) {
	t, err := s.byParty(ctx, a, r.GetCall(), func(t *turn, p *party) error {
		switch {
		case p.state == declined:
			return nil
		case t.c.state == callEnded:
			return errOver()
		case !t.move(p, decline):
			return im.Errorf(im.FailedPrecondition, "it does not ring: another device has answered, or nobody rang you")
		}
		p.device = a.Device
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &skeinv1.DeclineCallResponse{Call: t.c.wire(t.parties, a, 0)}, nil
}

// LeaveCall takes the caller out; who is rung declines by it.
func (s *Service) LeaveCall(ctx context.Context, a im.Actor, r *skeinv1.LeaveCallRequest) (*skeinv1.LeaveCallResponse, error) {
	t, err := s.byParty(ctx, a, r.GetCall(), func(t *turn, p *party) error {
		if p.state == ringing {
			t.move(p, decline)
			p.device = a.Device
			return nil
		}
		t.move(p, leave)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &skeinv1.LeaveCallResponse{Call: t.c.wire(t.parties, a, 0)}, nil
}

// EndCall ends a call for everybody.
func (s *Service) EndCall(ctx context.Context, a im.Actor, r *skeinv1.EndCallRequest) (*skeinv1.EndCallResponse, error) {
	c, err := s.find(ctx, a, r.GetCall())
	if err != nil {
		return nil, err
	}
	if err := s.host(ctx, a, c, skeinv1.Grant_GRANT_REMOVE_MEMBERS, ""); err != nil && !c.direct() {
		return nil, err
	}
	t, err := s.change(ctx, a.App, c.id, func(t *turn) error {
		t.end(0)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &skeinv1.EndCallResponse{Call: t.c.wire(t.parties, a, 0)}, nil
}

// byParty has one of a call's users change it. Errors: NotFound for who has
// nothing to do with it.
func (s *Service) byParty(ctx context.Context, a im.Actor, id string, fn func(t *turn, p *party) error) (*turn, error) {
	if a.Server {
		return nil, im.Errorf(im.InvalidArgument, "only users answer and leave")
	}
	return s.change(ctx, a.App, id, func(t *turn) error {
		p := t.party(a.User)
		if p == nil {
			return im.ErrNotFound
		}
		return fn(t, p)
	})
}

// drop has an event happen to those of a call's users whom which picks, if
// there are any.
func (s *Service) drop(ctx context.Context, app im.AppID, id string, which func(p *party) bool, e event) (*turn, error) {
	return s.change(ctx, app, id, func(t *turn) error {
		for _, p := range t.parties {
			if !which(p) || t.c.state == callEnded {
				continue
			}
			if p.state == ringing && e == leave {
				t.move(p, decline)
				continue
			}
			t.move(p, e)
		}
		return nil
	})
}
