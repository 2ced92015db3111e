package group

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Limits of roles.
const (
	MaxRoles       = 50 // of a group
	MaxMemberRoles = 10 // of a member
	roleNameBytes  = 64
	topRank        = 99
)

// PutRole makes a role (without an id) or changes one, and returns its id.
func (s *Service) PutRole(ctx context.Context, a im.Actor, id im.ConvID, role *skeinv1.GroupRole, client im.ClientID) (*im.Entry, string, error) {
	switch {
	case role.GetName() == "" || len(role.Name) > roleNameBytes || !plainText(role.Name, false):
		return nil, "", im.Errorf(im.InvalidArgument, "a role has a name of 1 to %d bytes without control characters", roleNameBytes)
	case role.Rank < 1 || role.Rank > topRank:
		return nil, "", im.Errorf(im.InvalidArgument, "a role's rank is 1 to %d", topRank)
	case role.Color > 0xffffff:
		return nil, "", im.Errorf(im.InvalidArgument, "a colour is 0xRRGGBB")
	case !known(role.Grants):
		return nil, "", im.Errorf(im.InvalidArgument, "there are grants that this server does not know")
	}
	asked := ask("role", string(encode(role)))
	role = proto.CloneOf(role)
	made := role.Id == ""
	if made { // never used twice: who had a role that was deleted must not have one that is made later
		sum := sha256.Sum256([]byte(string(a.App) + "\x00" + string(id) + "\x00" + string(a.User) + "\x00" + string(client[:])))
		role.Id = "r" + hex.EncodeToString(sum[:8])
	}
	e, err := s.change(ctx, a, id, client, asked, func(room *chat.Room) (chat.Change, error) {
		after := stored(room)
		i := slices.IndexFunc(after.Roles, func(r *skeinv1.GroupRole) bool { return r.Id == role.Id })
		over, hands := int(role.Rank), chat.Grants(role.Grants)
		switch {
		case i >= 0:
			over, hands = max(over, int(after.Roles[i].Rank)), chat.Grants(after.Roles[i].Grants^role.Grants)
			after.Roles[i] = role
		case !made:
			return roleChange(room, after, over, hands), im.ErrNotFound
		case len(after.Roles) >= MaxRoles:
			return roleChange(room, after, over, hands), im.Errorf(im.TooLarge, "a group has at most %d roles", MaxRoles)
		default:
			after.Roles = append(after.Roles, role)
		}
		c := roleChange(room, after, over, hands)
		if proto.Equal(after, stored(room)) {
			return c, chat.ErrNoChange
		}
		return c, nil
	})
	if err != nil {
		return nil, "", err
	}
	return e, role.Id, nil
}

// roleChange is a change of the group's roles by somebody who must be over a
// rank and have the grants that they hand out or take.
func roleChange(room *chat.Room, after *skeinv1.GroupSettings, above int, hands chat.Grants) chat.Change {
	c := settingsChange(room, after, "roles")
	c.Verb, c.Above, c.Hands = chat.VerbRoles, above, hands
	return c
}

// DeleteRole takes a role away from everybody who has it.
func (s *Service) DeleteRole(ctx context.Context, a im.Actor, id im.ConvID, role string, client im.ClientID) (*im.Entry, error) {
	return s.change(ctx, a, id, client, ask("delete role", role), func(room *chat.Room) (chat.Change, error) {
		after := stored(room)
		i := slices.IndexFunc(after.Roles, func(r *skeinv1.GroupRole) bool { return r.Id == role })
		if i < 0 {
			return roleChange(room, after, 0, 0), im.ErrNotFound
		}
		over := int(after.Roles[i].Rank)
		after.Roles = slices.Delete(after.Roles, i, i+1)
		return roleChange(room, after, over, 0), nil
	})
}

// SetMemberRoles says which of the group's roles a member has.
func (s *Service) SetMemberRoles(ctx context.Context, a im.Actor, id im.ConvID, user im.UserID, roles []string, client im.ClientID) (*im.Entry, error) {
	if len(roles) > MaxMemberRoles {
		return nil, im.Errorf(im.InvalidArgument, "a member has at most %d roles", MaxMemberRoles)
	}
	roles = slices.Compact(slices.Sorted(slices.Values(roles)))
	return s.changeMember(ctx, a, id, user, client, ask("member roles", append([]string{string(user)}, roles...)...), func(room *chat.Room, m *skeinv1.MemberAttrs) (chat.Change, error) {
		c := chat.Change{Verb: chat.VerbMemberRoles}
		had := m.RoleIds
		m.RoleIds = nil
		missing := false
		for _, r := range roles {
			i := slices.IndexFunc(room.Settings.Roles, func(x *skeinv1.GroupRole) bool { return x.Id == r })
			if i < 0 {
				missing = true
				continue
			}
			m.RoleIds = append(m.RoleIds, r)
			if !slices.Contains(had, r) {
				c.Hands |= chat.Grants(room.Settings.Roles[i].Grants)
				c.Above = max(c.Above, int(room.Settings.Roles[i].Rank))
			}
		}
		for _, r := range room.Settings.Roles { // a role that is taken from others must be below, too
			if user != a.User && slices.Contains(had, r.Id) && !slices.Contains(m.RoleIds, r.Id) {
				c.Above = max(c.Above, int(r.Rank))
			}
		}
		if missing {
			return c, im.ErrNotFound
		}
		return c, nil
	})
}
