package join

import (
	"context"
	"crypto/sha256"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// BanMember answers skein.v1.JoinService.BanMember. The row comes first, then
// the entry that takes the user out, or that has joins under way decided
// again: once it is answered nobody sees the group without the ban.
func (s *Service) BanMember(ctx context.Context, a im.Actor, r *skeinv1.BanMemberRequest) (*skeinv1.BanMemberResponse, error) {
	conv, user := im.ConvID(r.Conversation), im.UserID(r.User)
	client, ok := im.ParseClientID(r.ClientId)
	if !ok {
		return nil, im.Errorf(im.InvalidArgument, "client_id is a UUIDv7 of 16 bytes")
	}
	if err := checkUser(user); err != nil {
		return nil, err
	}
	if err := checkText("reason", r.Reason, maxText); err != nil {
		return nil, err
	}
	room, err := s.manager(ctx, a, conv, skeinv1.Grant_GRANT_REMOVE_MEMBERS)
	if err != nil {
		return nil, err
	}
	if err := s.mayBan(room, a, user); err != nil {
		return nil, err
	}
	fresh, err := s.putBan(ctx, a, conv, user, r.Reason)
	if err != nil {
		return nil, err
	}
	err = s.shut(ctx, a, conv, user, client, func(room *chat.Room) error {
		if err := s.needs(room, a, skeinv1.Grant_GRANT_REMOVE_MEMBERS); err != nil {
			return err
		}
		return s.mayBan(room, a, user)
	})
	switch {
	case err == nil:
		return &skeinv1.BanMemberResponse{}, s.banDone(ctx, a.App, conv, user)
	case definite(err) && fresh: // it lost the right to ban meanwhile
		if e := s.dropBan(ctx, a.App, conv, user); e != nil {
			s.Log.Warn("a ban that was refused stays", "err", e)
		}
	}
	return nil, err
}

// mayBan refuses a ban of oneself, of the owner, and of who is not below.
func (s *Service) mayBan(room *chat.Room, a im.Actor, user im.UserID) error {
	switch m, in := room.Member(user); {
	case user == a.User:
		return im.Errorf(im.InvalidArgument, "nobody bans themselves")
	case !in:
		return nil
	case m.Role == im.RoleOwner:
		return &im.Error{Code: im.PermissionDenied, Message: "the owner of a group is not banned from it", Hint: "hand the group over first"}
	case !a.Server && room.Rank(a.User) <= room.Rank(user):
		return im.Errorf(im.PermissionDenied, "your rank in the group is not above theirs")
	}
	return nil
}

// putBan writes the row, and takes the user's request to join away. fresh is
// false when the user was banned already.
func (s *Service) putBan(ctx context.Context, a im.Actor, conv im.ConvID, user im.UserID, reason string) (fresh bool, err error) {
	err = s.write(ctx, func(tx db.Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		n, err := tx.Exec(`INSERT INTO join_ban (app, conv, usr, by_usr, reason, created, done) VALUES ($1, $2, $3, $4, $5, $6, 0)
ON CONFLICT (app, conv, usr) DO NOTHING`, a.App, conv, user, a.User, reason, now)
		if err != nil {
			return err
		}
		fresh = n > 0
		if n, err = tx.Exec("DELETE FROM join_request WHERE app = $1 AND conv = $2 AND usr = $3", a.App, conv, user); err != nil || n == 0 {
			return err
		}
		return s.notify(tx, a.App, conv, user)
	})
	return fresh, err
}

// shut takes a user out of a group, or raises its version when they are not in.
func (s *Service) shut(ctx context.Context, a im.Actor, conv im.ConvID, user im.UserID, client im.ClientID, may func(*chat.Room) error) error {
	out := func(room *chat.Room) (chat.Change, error) {
		if err := may(room); err != nil {
			return chat.Change{}, err
		}
		if _, in := room.Member(user); !in {
			return chat.Change{}, chat.ErrNoChange
		}
		return chat.Change{Verb: chat.VerbMembers, Members: []journal.MemberChange{{User: user, Role: im.RoleNone}},
			Content: &skeinv1.Content{Kind: &skeinv1.Content_Members{Members: &skeinv1.MembersChange{Removed: []string{string(user)}}}}}, nil
	}
	// Whoever comes in between the two was let in before the ban, and is then
	// found by the second look.
	for range 4 {
		room, err := s.group(ctx, a.App, conv)
		if err != nil {
			return err
		}
		if _, in := room.Member(user); in {
			_, err = s.Chat.Change(ctx, a, conv, client, out)
			if err == nil || im.CodeOf(err) != im.AlreadyExists {
				return err
			}
		}
		if _, err = s.Chat.Fence(ctx, a, conv, also(client, "fence"), func(room *chat.Room) error {
			if _, in := room.Member(user); in {
				return chat.ErrNoChange // not by this way
			}
			return may(room)
		}); err == nil || im.CodeOf(err) != im.AlreadyExists {
			return err
		}
	}
	return im.Errorf(im.Unavailable, "the conversation keeps changing")
}

// also derives a second client id of a call from its first, with its time: a
// retry of the call makes the same two.
func also(id im.ClientID, what string) im.ClientID {
	sum := sha256.Sum256(append([]byte(what), id[:]...))
	copy(sum[:6], id[:6])
	sum[6], sum[8] = sum[6]&0x0f|0x70, sum[8]&0x3f|0x80
	return im.ClientID(sum[:16])
}

func (s *Service) banDone(ctx context.Context, app im.AppID, conv im.ConvID, user im.UserID) error {
	return s.DB.Write(ctx, func(tx db.Tx) error {
		_, err := tx.Exec("UPDATE join_ban SET done = 1 WHERE app = $1 AND conv = $2 AND usr = $3 AND done = 0", app, conv, user)
		return err
	})
}

func (s *Service) dropBan(ctx context.Context, app im.AppID, conv im.ConvID, user im.UserID) error {
	return s.DB.Write(ctx, func(tx db.Tx) error {
		_, err := tx.Exec("DELETE FROM join_ban WHERE app = $1 AND conv = $2 AND usr = $3 AND done = 0", app, conv, user)
		return err
	})
}

// UnbanMember answers skein.v1.JoinService.UnbanMember.
func (s *Service) UnbanMember(ctx context.Context, a im.Actor, r *skeinv1.UnbanMemberRequest) (*skeinv1.UnbanMemberResponse, error) {
	conv := im.ConvID(r.Conversation)
	if _, err := s.manager(ctx, a, conv, skeinv1.Grant_GRANT_REMOVE_MEMBERS); err != nil {
		return nil, err
	}
	err := s.DB.Write(ctx, func(tx db.Tx) error {
		n, err := tx.Exec("DELETE FROM join_ban WHERE app = $1 AND conv = $2 AND usr = $3", a.App, conv, r.User)
		if err == nil && n == 0 {
			err = im.ErrNotFound
		}
		return err
	})
	return &skeinv1.UnbanMemberResponse{}, err
}

// ListBans answers skein.v1.JoinService.ListBans.
func (s *Service) ListBans(ctx context.Context, a im.Actor, r *skeinv1.ListBansRequest) (*skeinv1.ListBansResponse, error) {
	conv := im.ConvID(r.Conversation)
	limit, err := pageSize(int(r.Limit), 50, 200)
	if err != nil {
		return nil, err
	}
	l := list{"bans", a, conv}
	_, after, err := s.openPage(l, r.Page)
	if err != nil {
		return nil, err
	}
	if _, err := s.manager(ctx, a, conv, skeinv1.Grant_GRANT_REMOVE_MEMBERS); err != nil {
		return nil, err
	}
	out := &skeinv1.ListBansResponse{}
	err = s.DB.Read(ctx, func(tx db.Tx) error {
		rows, err := tx.Query("SELECT usr, by_usr, reason, created FROM join_ban WHERE app = $1 AND conv = $2 AND usr > $3 ORDER BY usr LIMIT $4",
			a.App, conv, after, limit)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			b := &skeinv1.Ban{}
			if err := rows.Scan(&b.User, &b.By, &b.Reason, &b.CreatedUs); err != nil {
				return err
			}
			out.Bans = append(out.Bans, b)
		}
		return rows.Err()
	})
	if len(out.Bans) == limit {
		out.NextPage = s.sealPage(l, 0, out.Bans[limit-1].User)
	}
	return out, err
}
