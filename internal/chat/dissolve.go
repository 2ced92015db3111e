package chat

import (
	"context"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// EndMembers takes up to most members out of a group that was dissolved, the
// owner after all others, by one entry with that client id, and returns how
// many are left. It asks for no room, because the room of a large group is
// large and would be read anew after each of many such steps. Whoever calls it
// at the same time as another one does no harm: one of them is overtaken and
// begins again.
//
// Errors: FailedPrecondition when the group was not dissolved.
func (s *Service) EndMembers(ctx context.Context, app im.AppID, conv im.ConvID, id im.ClientID, most int) (left int, err error) {
	for n := 0; ; n++ {
		a := &journal.Append{App: app, Conv: conv, Kind: im.KindMembers, ClientID: id}
		if left, err = s.planEnd(ctx, a, most); err != nil || len(a.Members) == 0 {
			return left, err
		}
		if _, err = s.wait(ctx, a); !isStale(err) || n == maxRetries {
			s.rooms.drop(app, conv)
			return left, err
		}
	}
}

// planEnd fills in the append that ends the next memberships.
func (s *Service) planEnd(ctx context.Context, a *journal.Append, most int) (left int, err error) {
	err = s.j.View(ctx, func(v journal.View) error {
		c, err := v.Conv(a.App, a.Conv)
		if err != nil {
			return err
		}
		if !DecodeSettings(c.Attrs).Dissolved {
			return im.Errorf(im.FailedPrecondition, "the group was not dissolved")
		}
		ms, err := v.Members(a.App, a.Conv, "", most+1)
		if err != nil {
			return err
		}
		said := &skeinv1.MembersChange{}
		for _, m := range ms {
			if len(a.Members) == most || m.Role == im.RoleOwner && len(ms) > 1 {
				continue
			}
			a.Members = append(a.Members, journal.MemberChange{User: m.User, Role: im.RoleNone})
			said.Removed = append(said.Removed, string(m.User))
			a.ToUsers = append(a.ToUsers, m.User) // the others have read that it is over
		}
		if c.Members > quietMembers { // the others learn of it by the entry that says so
			for _, m := range a.Members {
				a.ToUsers = append(a.ToUsers, m.User)
			}
		}
		a.ACLVersion, left = c.ACLVersion, c.Members-len(a.Members)
		a.Body = encodeContent(&skeinv1.Content{Kind: &skeinv1.Content_Members{Members: said}, GroupChange: &skeinv1.GroupChange{Dissolved: true}})
		return nil
	})
	return left, err
}
