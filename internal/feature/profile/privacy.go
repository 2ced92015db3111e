package profile

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

var errNoUser = im.Errorf(im.InvalidArgument, "a back end has no privacy settings of its own")

// GetPrivacy returns the actor's settings.
func (s *Service) GetPrivacy(ctx context.Context, a im.Actor, _ *skeinv1.GetPrivacyRequest) (*skeinv1.GetPrivacyResponse, error) {
	if a.Server {
		return nil, errNoUser
	}
	p, err := s.Privacy(ctx, a.App, a.User)
	if err != nil {
		return nil, err
	}
	return &skeinv1.GetPrivacyResponse{Privacy: p}, nil
}

// Privacy returns a user's settings, with the defaults filled in.
func (s *Service) Privacy(ctx context.Context, app im.AppID, user im.UserID) (*skeinv1.Privacy, error) {
	rows, err := s.rows(ctx, app, []im.UserID{user})
	if err != nil {
		return nil, err
	}
	p := rows[0].privacy
	s.fillPolicy(app, p)
	return p, s.fillReads(ctx, app, user, p)
}

// fillReads adds the setting that is not kept here.
func (s *Service) fillReads(ctx context.Context, app im.AppID, user im.UserID, p *skeinv1.Privacy) error {
	hides, err := s.Reads.HidesReads(ctx, app, user)
	if p.ReadReceipts = skeinv1.ReadReceipts_READ_RECEIPTS_SEND; hides {
		p.ReadReceipts = skeinv1.ReadReceipts_READ_RECEIPTS_HIDE
	}
	return err
}

// fillPolicy lets the app's policy stand where the user has none.
func (s *Service) fillPolicy(app im.AppID, p *skeinv1.Privacy) {
	if p.ContactPolicy == 0 {
		p.ContactPolicy = s.Settings(app).GetContactPolicy()
	}
}

// UpdatePrivacy changes the settings that the request names. Errors:
// InvalidArgument.
func (s *Service) UpdatePrivacy(ctx context.Context, a im.Actor, r *skeinv1.UpdatePrivacyRequest) (*skeinv1.UpdatePrivacyResponse, error) {
	if a.Server {
		return nil, errNoUser
	}
	if r.GetPrivacy() == nil {
		return nil, im.Errorf(im.InvalidArgument, "an update has settings")
	}
	if set := r.Privacy.ReadReceipts; set != 0 {
		if err := s.Reads.HideReads(ctx, a, set == skeinv1.ReadReceipts_READ_RECEIPTS_HIDE); err != nil {
			return nil, err
		}
	}
	var out *skeinv1.Privacy
	err := s.change(ctx, a.App, a.User, func(have *row) error {
		proto.Merge(have.privacy, r.Privacy) // 0 leaves a field as it is
		have.privacy.ReadReceipts = 0
		out = proto.CloneOf(have.privacy)
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.fillPolicy(a.App, out)
	if err := s.fillReads(ctx, a.App, a.User, out); err != nil {
		return nil, err
	}
	if s.Changed != nil {
		s.Changed(a.App, a.User)
	}
	return &skeinv1.UpdatePrivacyResponse{Privacy: out}, nil
}

// SeesLastSeen returns those of the users whose presence the actor may see:
// who allow it, whom the actor allows to see theirs, and who have not blocked
// the actor. The actor always sees their own.
func (s *Service) SeesLastSeen(ctx context.Context, a im.Actor, users []im.UserID) ([]im.UserID, error) {
	if a.Server || len(users) == 0 {
		return users, nil
	}
	rows, err := s.rows(ctx, a.App, append([]im.UserID{a.User}, users...))
	if err != nil {
		return nil, err
	}
	mine, rows := rows[0].privacy.LastSeen, rows[1:]
	var ask []im.UserID
	for _, r := range rows {
		if v := skeinv1.Visibility_VISIBILITY_CONTACTS; r.user != a.User && (mine == v || r.privacy.LastSeen == v) {
			ask = append(ask, r.user)
		}
	}
	near := map[im.UserID]bool{}
	if len(ask) > 0 {
		if near, err = s.Relations.Contacts(ctx, a.App, a.User, ask); err != nil {
			return nil, err
		}
	}
	blockers, err := s.Relations.Blockers(ctx, a.App, a.User, users)
	if err != nil {
		return nil, err
	}
	var out []im.UserID
	for _, r := range rows {
		see := stranger
		if near[r.user] {
			see = contact
		}
		if r.user == a.User || !blockers[r.user] && see.allows(r.privacy.LastSeen) && see.allows(mine) {
			out = append(out, r.user)
		}
	}
	return out, nil
}
