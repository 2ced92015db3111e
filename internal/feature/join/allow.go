package join

import (
	"context"
	"errors"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// SetAllowList answers skein.v1.JoinService.SetAllowList.
func (s *Service) SetAllowList(ctx context.Context, a im.Actor, r *skeinv1.SetAllowListRequest) (*skeinv1.SetAllowListResponse, error) {
	conv := im.ConvID(r.Conversation)
	size, err := s.changeList(ctx, a, conv, r.ClientId, r.Users, func(tx db.Tx) error {
		for _, u := range r.Users {
			if _, err := tx.Exec("INSERT INTO join_allowed (app, conv, usr) VALUES ($1, $2, $3) ON CONFLICT (app, conv, usr) DO NOTHING", a.App, conv, u); err != nil {
				return err
			}
		}
		on := 0
		if r.Enforced {
			on = 1
		}
		_, err := tx.Exec("INSERT INTO join_gate (app, conv, enforced) VALUES ($1, $2, $3) ON CONFLICT (app, conv) DO UPDATE SET enforced = excluded.enforced",
			a.App, conv, on)
		return err
	})
	return &skeinv1.SetAllowListResponse{Size: size}, err
}

// RemoveFromAllowList answers skein.v1.JoinService.RemoveFromAllowList.
func (s *Service) RemoveFromAllowList(ctx context.Context, a im.Actor, r *skeinv1.RemoveFromAllowListRequest) (*skeinv1.RemoveFromAllowListResponse, error) {
	conv := im.ConvID(r.Conversation)
	size, err := s.changeList(ctx, a, conv, r.ClientId, r.Users, func(tx db.Tx) error {
		for _, u := range r.Users {
			if _, err := tx.Exec("DELETE FROM join_allowed WHERE app = $1 AND conv = $2 AND usr = $3", a.App, conv, u); err != nil {
				return err
			}
		}
		return nil
	})
	return &skeinv1.RemoveFromAllowListResponse{Size: size}, err
}

// changeList changes a group's list, then has joins under way decided again.
func (s *Service) changeList(ctx context.Context, a im.Actor, conv im.ConvID, raw []byte, users []string, change func(db.Tx) error) (uint32, error) {
	client, ok := im.ParseClientID(raw)
	if !ok {
		return 0, im.Errorf(im.InvalidArgument, "client_id is a UUIDv7 of 16 bytes")
	}
	for _, u := range users {
		if err := checkUser(im.UserID(u)); err != nil {
			return 0, err
		}
	}
	if _, err := s.manager(ctx, a, conv, skeinv1.Grant_GRANT_MANAGE); err != nil {
		return 0, err
	}
	var size int64
	err := s.DB.Write(ctx, func(tx db.Tx) error {
		if err := change(tx); err != nil {
			return err
		}
		var err error
		if size, err = listed(tx, a.App, conv); err == nil && size > MaxAllowed {
			err = im.Errorf(im.TooLarge, "an allow list has at most %d users", MaxAllowed)
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	_, err = s.Chat.Fence(ctx, a, conv, client, nil)
	return uint32(size), err
}

func listed(tx db.Tx, app im.AppID, conv im.ConvID) (n int64, err error) {
	err = tx.QueryRow("SELECT count(*) FROM join_allowed WHERE app = $1 AND conv = $2", app, conv).Scan(&n)
	return n, err
}

// enforced tells whether a group's allow list is in force.
func enforced(tx db.Tx, app im.AppID, conv im.ConvID) (bool, error) {
	var on int64
	err := tx.QueryRow("SELECT enforced FROM join_gate WHERE app = $1 AND conv = $2", app, conv).Scan(&on)
	if errors.Is(err, db.ErrNoRows) {
		return false, nil
	}
	return on != 0, err
}

// ListAllowList answers skein.v1.JoinService.ListAllowList.
func (s *Service) ListAllowList(ctx context.Context, a im.Actor, r *skeinv1.ListAllowListRequest) (*skeinv1.ListAllowListResponse, error) {
	conv := im.ConvID(r.Conversation)
	limit, err := pageSize(int(r.Limit), 200, 1000)
	if err != nil {
		return nil, err
	}
	l := list{"allowed", a, conv}
	_, after, err := s.openPage(l, r.Page)
	if err != nil {
		return nil, err
	}
	if _, err := s.manager(ctx, a, conv, skeinv1.Grant_GRANT_MANAGE); err != nil {
		return nil, err
	}
	out := &skeinv1.ListAllowListResponse{}
	err = s.DB.Read(ctx, func(tx db.Tx) error {
		size, err := listed(tx, a.App, conv)
		if err != nil {
			return err
		}
		out.Size = uint32(size)
		if out.Enforced, err = enforced(tx, a.App, conv); err != nil {
			return err
		}
		rows, err := tx.Query("SELECT usr FROM join_allowed WHERE app = $1 AND conv = $2 AND usr > $3 ORDER BY usr LIMIT $4", a.App, conv, after, limit)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var u string
			if err := rows.Scan(&u); err != nil {
				return err
			}
			out.Users = append(out.Users, u)
		}
		return rows.Err()
	})
	if len(out.Users) == limit {
		out.NextPage = s.sealPage(l, 0, out.Users[limit-1])
	}
	return out, err
}
