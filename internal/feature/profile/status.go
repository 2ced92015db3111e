package profile

import (
	"context"
	"errors"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Limits of a status, in bytes.
const (
	MaxStatus = 128
	MaxEmoji  = 32
)

// SetStatus says something of the actor beside being online; an empty one
// takes it back. Who watches their presence is told. Errors: InvalidArgument.
func (s *Service) SetStatus(ctx context.Context, a im.Actor, r *skeinv1.SetStatusRequest) (*skeinv1.SetStatusResponse, error) {
	st, now := r.GetStatus(), im.MicrosOf(s.Clock.Now())
	switch {
	case a.Server:
		return nil, errNoUser
	case !line(st.GetText(), MaxStatus) || len(st.GetText()) > MaxStatus || !line(st.GetEmoji(), MaxEmoji) || len(st.GetEmoji()) > MaxEmoji:
		return nil, im.Errorf(im.InvalidArgument, "a status is a line of at most %d bytes and an emoji of at most %d", MaxStatus, MaxEmoji)
	case st.GetUntilUs() < 0 || st.GetUntilUs() > 0 && im.Micros(st.GetUntilUs()) <= now:
		return nil, im.Errorf(im.InvalidArgument, "until_us lies in the future, or is 0")
	}
	err := s.DB.Write(ctx, func(tx db.Tx) error {
		if st.GetText() == "" && st.GetEmoji() == "" {
			_, err := tx.Exec("DELETE FROM user_status WHERE app = $1 AND user_id = $2", a.App, a.User)
			return err
		}
		_, err := tx.Exec(`INSERT INTO user_status (app, user_id, text, emoji, until_us) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (app, user_id) DO UPDATE SET text = $3, emoji = $4, until_us = $5`, a.App, a.User, st.GetText(), st.GetEmoji(), st.GetUntilUs())
		return err
	})
	if err != nil {
		return nil, err
	}
	if s.Changed != nil {
		s.Changed(a.App, a.User)
	}
	return &skeinv1.SetStatusResponse{}, nil
}

// Statuses returns what users say of themselves; who says nothing, or nothing
// any more, is left out.
func (s *Service) Statuses(ctx context.Context, app im.AppID, users []im.UserID) (map[im.UserID]*skeinv1.PresenceStatus, error) {
	out := make(map[im.UserID]*skeinv1.PresenceStatus)
	now := int64(im.MicrosOf(s.Clock.Now()))
	err := s.DB.Read(ctx, func(tx db.Tx) error {
		clear(out)
		for _, u := range users {
			st := &skeinv1.PresenceStatus{}
			err := tx.QueryRow("SELECT text, emoji, until_us FROM user_status WHERE app = $1 AND user_id = $2", app, u).Scan(&st.Text, &st.Emoji, &st.UntilUs)
			switch {
			case errors.Is(err, db.ErrNoRows):
			case err != nil:
				return err
			case st.UntilUs == 0 || st.UntilUs > now:
				out[u] = st
			}
		}
		return nil
	})
	return out, err
}
