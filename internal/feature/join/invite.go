package join

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"io"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// codeBytes is how many random bytes a code is made of: 24 characters.
const codeBytes = 18

// maxLife is how many seconds an invitation may last that ends by itself.
const maxLife = 365 * 24 * 60 * 60

// invite is a row of join_invite.
type invite struct {
	app       im.AppID
	id        string
	conv      im.ConvID
	creator   im.UserID
	label     string
	created   im.Micros
	expires   im.Micros
	maxUses   int64
	uses      int64
	approval  int64
	endedFrom im.Micros // 0 = it was not revoked
}

const inviteColumns = "app, id, conv, creator, label, created, expires, max_uses, uses, approval, ended"

func (v *invite) dest() []any {
	return []any{&v.app, &v.id, &v.conv, &v.creator, &v.label, &v.created, &v.expires, &v.maxUses, &v.uses, &v.approval, &v.endedFrom}
}

// over tells whether nobody comes in by it any more, whoever is in the group.
func (v *invite) over(now im.Micros) bool {
	return v.endedFrom > 0 || v.expires > 0 && v.expires <= now || v.usedUp()
}

func (v *invite) usedUp() bool { return v.maxUses > 0 && v.uses >= v.maxUses }

// orphan tells whether whoever invites has left the group: what they promised
// is then no longer theirs to give.
func (v *invite) orphan(room *chat.Room) bool {
	_, in := room.Member(v.creator)
	return v.creator != "" && !in
}

func (v *invite) wire(room *chat.Room, now im.Micros) *skeinv1.Invite {
	return &skeinv1.Invite{Id: v.id, Conversation: string(v.conv), Creator: string(v.creator), Label: v.label, CreatedUs: int64(v.created),
		ExpiresUs: int64(v.expires), MaxUses: uint32(v.maxUses), Uses: uint32(v.uses), Approval: v.approval != 0, Ended: v.over(now) || v.orphan(room)}
}

// hashCode is what is kept of a code: it says nothing of the code, and a code
// of another app has another one.
func hashCode(app im.AppID, code string) []byte {
	sum := sha256.Sum256([]byte("skein invite\x00" + string(app) + "\x00" + code))
	return sum[:]
}

// random returns n random bytes as text.
func (s *Service) random(n int) (string, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(s.Entropy, b); err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

// CreateInvite answers skein.v1.JoinService.CreateInvite.
func (s *Service) CreateInvite(ctx context.Context, a im.Actor, r *skeinv1.CreateInviteRequest) (*skeinv1.CreateInviteResponse, error) {
	client, ok := im.ParseClientID(r.ClientId)
	if !ok {
		return nil, im.Errorf(im.InvalidArgument, "client_id is a UUIDv7 of 16 bytes")
	}
	if err := checkText("label", r.Label, maxLabel); err != nil {
		return nil, err
	}
	if r.MaxUses > MaxUses || r.ExpiresS > maxLife {
		return nil, im.Errorf(im.InvalidArgument, "an invitation has at most %d uses and lasts a year at most", MaxUses)
	}
	room, err := s.manager(ctx, a, im.ConvID(r.Conversation), skeinv1.Grant_GRANT_INVITE)
	if err != nil {
		return nil, err
	}
	if closed(room) {
		return nil, im.Errorf(im.FailedPrecondition, "nobody joins this group any more")
	}
	v := invite{app: a.App, conv: room.ID, creator: a.User, label: r.Label, maxUses: int64(r.MaxUses)}
	byAsking := room.Settings.GetJoinMode() == skeinv1.JoinMode_JOIN_MODE_APPROVAL && s.needs(room, a, skeinv1.Grant_GRANT_ADD_MEMBERS) != nil
	if r.Approval || byAsking {
		v.approval = 1
	}
	code, err := s.random(codeBytes)
	if err != nil {
		return nil, err
	}
	if v.id, err = s.random(16); err != nil {
		return nil, err
	}
	var now im.Micros
	err = s.DB.Write(ctx, func(tx db.Tx) (err error) {
		if now, err = tx.Now(); err != nil {
			return err
		}
		v.created = now
		if r.ExpiresS > 0 {
			v.expires = now + im.Micros(r.ExpiresS)*1_000_000
		}
		return store(tx, &v, client, hashCode(a.App, code))
	})
	if err != nil {
		return nil, err
	}
	return &skeinv1.CreateInviteResponse{Invite: v.wire(room, now), Code: code}, nil
}

// store inserts an invitation. A retry, whose first answer may be lost, and
// with it the code, gives the same one another code, unless somebody has used
// it.
func store(tx db.Tx, v *invite, client im.ClientID, hash []byte) error {
	var id string
	var uses int64
	err := tx.QueryRow("SELECT id, uses FROM join_invite WHERE app = $1 AND creator = $2 AND client_id = $3", v.app, v.creator, client[:]).Scan(&id, &uses)
	switch {
	case err == nil:
		var begun int64
		if err := tx.QueryRow("SELECT count(*) FROM join_use WHERE app = $1 AND invite = $2", v.app, id).Scan(&begun); err != nil {
			return err
		}
		if uses+begun > 0 {
			return im.Errorf(im.AlreadyExists, "the invitation was made, and used, before")
		}
		v.id = id
		n, err := tx.Exec(`UPDATE join_invite SET hash = $1 WHERE app = $2 AND id = $3 AND conv = $4 AND label = $5 AND max_uses = $6 AND approval = $7 AND ended = 0`,
			hash, v.app, id, v.conv, v.label, v.maxUses, v.approval)
		if err == nil && n == 0 {
			err = im.Errorf(im.ClientIDReused, "the client id made another invitation")
		}
		return err
	case !errors.Is(err, db.ErrNoRows):
		return err
	}
	var open int64
	if err := tx.QueryRow(`SELECT count(*) FROM join_invite WHERE app = $1 AND conv = $2 AND ended = 0 AND (expires = 0 OR expires > $3)
AND (max_uses = 0 OR uses < max_uses)`, v.app, v.conv, v.created).Scan(&open); err != nil {
		return err
	}
	if open >= MaxInvites {
		return &im.Error{Code: im.ResourceExhausted, Message: "the group has too many invitations", Hint: "revoke one first"}
	}
	_, err = tx.Exec("INSERT INTO join_invite ("+inviteColumns+", client_id, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
		v.app, v.id, v.conv, v.creator, v.label, v.created, v.expires, v.maxUses, v.uses, v.approval, v.endedFrom, client[:], hash)
	return err
}

// ListInvites answers skein.v1.JoinService.ListInvites.
func (s *Service) ListInvites(ctx context.Context, a im.Actor, r *skeinv1.ListInvitesRequest) (*skeinv1.ListInvitesResponse, error) {
	conv := im.ConvID(r.Conversation)
	limit, err := pageSize(int(r.Limit), 50, 200)
	if err != nil {
		return nil, err
	}
	l := list{"invites", a, conv}
	before, id, err := s.openPage(l, r.Page)
	if err != nil {
		return nil, err
	}
	if r.Page == "" {
		before = 1 << 62
	}
	room, err := s.manager(ctx, a, conv, skeinv1.Grant_GRANT_INVITE)
	if err != nil {
		return nil, err
	}
	whose, args := "", []any{a.App, conv, before, id, limit}
	if s.needs(room, a, skeinv1.Grant_GRANT_ADD_MEMBERS) != nil {
		whose, args = " AND creator = $6", append(args, a.User)
	}
	out := &skeinv1.ListInvitesResponse{}
	var last invite
	err = s.DB.Read(ctx, func(tx db.Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		rows, err := tx.Query("SELECT "+inviteColumns+` FROM join_invite WHERE app = $1 AND conv = $2
AND (created < $3 OR created = $3 AND id < $4)`+whose+" ORDER BY created DESC, id DESC LIMIT $5", args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			last = invite{}
			if err := rows.Scan(last.dest()...); err != nil {
				return err
			}
			out.Invites = append(out.Invites, last.wire(room, now))
		}
		return rows.Err()
	})
	if len(out.Invites) == limit {
		out.NextPage = s.sealPage(l, last.created, last.id)
	}
	return out, err
}

// RevokeInvite answers skein.v1.JoinService.RevokeInvite: the row ends first,
// then joins under way are decided again.
func (s *Service) RevokeInvite(ctx context.Context, a im.Actor, r *skeinv1.RevokeInviteRequest) (*skeinv1.RevokeInviteResponse, error) {
	conv := im.ConvID(r.Conversation)
	client, ok := im.ParseClientID(r.ClientId)
	if !ok {
		return nil, im.Errorf(im.InvalidArgument, "client_id is a UUIDv7 of 16 bytes")
	}
	room, err := s.manager(ctx, a, conv, skeinv1.Grant_GRANT_INVITE)
	all := err == nil && s.needs(room, a, skeinv1.Grant_GRANT_ADD_MEMBERS) == nil
	if im.CodeOf(err) == im.PermissionDenied { // one's own goes with no grant at all
		err = nil
	}
	if err != nil {
		return nil, err
	}
	err = s.DB.Write(ctx, func(tx db.Tx) error {
		var creator im.UserID
		err := tx.QueryRow("SELECT creator FROM join_invite WHERE app = $1 AND conv = $2 AND id = $3", a.App, conv, r.Invite).Scan(&creator)
		if errors.Is(err, db.ErrNoRows) || err == nil && !all && creator != a.User {
			return im.ErrNotFound
		}
		if err != nil {
			return err
		}
		now, err := tx.Now()
		if err != nil {
			return err
		}
		_, err = tx.Exec("UPDATE join_invite SET ended = $1 WHERE app = $2 AND id = $3 AND ended = 0", now, a.App, r.Invite)
		return err
	})
	if err != nil {
		return nil, err
	}
	_, err = s.Chat.Fence(ctx, a, conv, client, nil)
	return &skeinv1.RevokeInviteResponse{}, err
}

// find looks a code up. Whatever is wrong with it is NotFound.
func (s *Service) find(tx db.Tx, app im.AppID, code string) (*invite, error) {
	hash := hashCode(app, code)
	var v invite
	var found []byte
	err := tx.QueryRow("SELECT hash, "+inviteColumns+" FROM join_invite WHERE hash = $1", hash).Scan(append([]any{&found}, v.dest()...)...)
	if errors.Is(err, db.ErrNoRows) || err == nil && (subtle.ConstantTimeCompare(found, hash) != 1 || v.app != app) {
		return nil, im.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &v, nil
}

// lookUp finds what a code opens to an actor, as GetInvite and JoinByInvite
// may tell them. A room that is over, a ban, a maker who has left: NotFound.
func (s *Service) lookUp(ctx context.Context, a im.Actor, code string) (v *invite, room *chat.Room, over bool, err error) {
	if a.Server {
		return nil, nil, false, im.Errorf(im.InvalidArgument, "a user is invited")
	}
	if err := s.AllowLookup(a); err != nil {
		return nil, nil, false, err
	}
	err = s.DB.Read(ctx, func(tx db.Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		if v, err = s.find(tx, a.App, code); err == nil {
			over = v.over(now)
		}
		return err
	})
	if err != nil {
		return nil, nil, false, err
	}
	room, err = s.group(ctx, a.App, v.conv)
	return v, room, over, err
}

// GetInvite answers skein.v1.JoinService.GetInvite.
func (s *Service) GetInvite(ctx context.Context, a im.Actor, r *skeinv1.GetInviteRequest) (*skeinv1.GetInviteResponse, error) {
	v, room, over, err := s.lookUp(ctx, a, r.Code)
	if err != nil {
		return nil, err
	}
	if over || closed(room) || v.orphan(room) {
		return nil, im.ErrNotFound
	}
	if err := s.DB.Read(ctx, func(tx db.Tx) error {
		out, err := banned(tx, a.App, v.conv, a.User)
		if err == nil && out {
			err = im.ErrNotFound
		}
		return err
	}); err != nil {
		return nil, err
	}
	return &skeinv1.GetInviteResponse{Title: room.Title, AvatarUrl: room.Settings.GetAvatarUrl(), MemberCount: uint32(room.Size()),
		Inviter: string(v.creator), Approval: v.approval != 0}, nil
}

// JoinByInvite answers skein.v1.JoinService.JoinByInvite.
func (s *Service) JoinByInvite(ctx context.Context, a im.Actor, r *skeinv1.JoinByInviteRequest) (*skeinv1.JoinByInviteResponse, error) {
	client, err := s.checkJoin(a, r.Message, r.ClientId)
	if err != nil {
		return nil, err
	}
	v, room, _, err := s.lookUp(ctx, a, r.Code)
	if err != nil {
		return nil, err
	}
	if _, in := room.Member(a.User); !in && v.approval != 0 {
		q, err := s.askBy(ctx, a, v, room, r.Message)
		return &skeinv1.JoinByInviteResponse{Outcome: skeinv1.JoinOutcome_JOIN_OUTCOME_REQUESTED, Request: q}, err
	}
	if err := s.enterBy(ctx, a, v, client); err != nil {
		return nil, err
	}
	c, err := s.conversation(ctx, a, v.conv)
	return &skeinv1.JoinByInviteResponse{Outcome: skeinv1.JoinOutcome_JOIN_OUTCOME_JOINED, Conversation: c}, err
}

// askBy files a request by an invitation that asks for approval.
func (s *Service) askBy(ctx context.Context, a im.Actor, v *invite, room *chat.Room, message string) (*skeinv1.JoinRequest, error) {
	if v.orphan(room) {
		return nil, im.ErrNotFound
	}
	if err := s.DB.Read(ctx, func(tx db.Tx) error { return gate(tx, room, a.User) }); err != nil {
		return nil, err
	}
	return s.file(ctx, a, v.conv, message, v)
}
