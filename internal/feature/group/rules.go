package group

import (
	"context"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
)

var errRole = im.Errorf(im.PermissionDenied, "your role in the group does not allow this")

// Rules is the policy on groups: what a role may do. Everything about other
// kinds of conversations passes.
func Rules(_ context.Context, a *chat.Action) error {
	if a.Room.Kind != im.ConvGroup || a.Actor.Server {
		return nil
	}
	switch a.Verb {
	case chat.VerbTitle:
		if a.Self.Role < im.RoleAdmin {
			return errRole
		}
	case chat.VerbMembers:
		return membersRule(a)
	}
	return nil
}

func membersRule(a *chat.Action) error {
	handOver := false
	for _, c := range a.Changes {
		if c.Role == im.RoleOwner {
			handOver = true
		}
	}
	for _, c := range a.Changes {
		m, in := a.Room.Member(c.User)
		switch {
		case !in: // a join
			if a.Self.Role < im.RoleAdmin || c.Role != im.RoleMember {
				return errRole
			}
		case c.Role == im.RoleNone && c.User == a.Actor.User: // leaving
			if m.Role == im.RoleOwner && a.Room.Size() > 1 {
				return errRole
			}
		case c.Role == im.RoleNone: // a removal
			if a.Self.Role < im.RoleAdmin || a.Self.Role <= m.Role {
				return errRole
			}
		default: // a role
			if a.Self.Role != im.RoleOwner || m.Role == im.RoleOwner && !handOver {
				return errRole
			}
		}
	}
	return nil
}
