// Package group is conversations of many: who may be in them, and who may say
// so. It decides by roles (rules.go) and speaks through chat's front door.
//
// A group has exactly one owner, any number of admins, and members. The owner
// hands over or stays: a group without an owner cannot come about, also when
// two calls race, because every decision carries the room's version.
package group

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"sort"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Service is the verbs on groups.
type Service struct {
	chat *chat.Service
	max  int // members
}

// New returns the verbs on groups of at most max members.
func New(c *chat.Service, max int) *Service {
	return &Service{chat: c, max: max}
}

// titleBytes is the limit of a title.
const titleBytes = 128

// Create makes a group owned by the actor. Errors: AlreadyExists, TooLarge,
// InvalidArgument.
func (s *Service) Create(ctx context.Context, a im.Actor, id im.ConvID, title string, members []im.UserID, client im.ClientID) (*skeinv1.Conversation, error) {
	if a.User == "" {
		return nil, im.Errorf(im.InvalidArgument, "a group is created by a user")
	}
	if id == "" {
		// From app, user and client id, so that a retry makes no second
		// group; nobody else can take it, because it can not be guessed.
		id = im.ConvID("g-" + deriveID(a, client))
	}
	if id.Kind() != im.ConvGroup {
		return nil, im.Errorf(im.InvalidArgument, "a group id is 1 to 64 of a-z A-Z 0-9 _ -, starting with a letter or a digit")
	}
	if err := checkTitle(title); err != nil {
		return nil, err
	}
	users, err := unique(members, a.User)
	if err != nil {
		return nil, err
	}
	if len(users)+1 > s.max {
		return nil, im.Errorf(im.TooLarge, "a group has at most %d members", s.max)
	}
	c := journal.Create{Kind: im.ConvGroup, Title: title, Members: []journal.NewMember{{User: a.User, Role: im.RoleOwner}}}
	change := &skeinv1.MembersChange{Added: []string{string(a.User)}, Role: skeinv1.Role_ROLE_MEMBER}
	for _, u := range users {
		c.Members = append(c.Members, journal.NewMember{User: u, Role: im.RoleMember})
		change.Added = append(change.Added, string(u))
	}
	if _, err := s.chat.Create(ctx, a, id, client, c, &skeinv1.Content{Kind: &skeinv1.Content_Members{Members: change}}); err != nil {
		return nil, err
	}
	return s.chat.Open(ctx, a, id)
}

// Update changes the title. Owner and admins only.
func (s *Service) Update(ctx context.Context, a im.Actor, id im.ConvID, title string, client im.ClientID) (*im.Entry, error) {
	if err := checkTitle(title); err != nil {
		return nil, err
	}
	return s.change(ctx, a, id, client, func(*chat.Room) (chat.Change, error) {
		return chat.Change{Verb: chat.VerbTitle, Title: &title,
			Content: &skeinv1.Content{Kind: &skeinv1.Content_Conversation{Conversation: &skeinv1.ConversationChange{Title: title}}}}, nil
	})
}

// Add adds users; those who are in already are passed over, and nil is
// returned when all of them are.
func (s *Service) Add(ctx context.Context, a im.Actor, id im.ConvID, members []im.UserID, client im.ClientID) (*im.Entry, error) {
	users, err := unique(members, "")
	if err != nil {
		return nil, err
	}
	e, err := s.change(ctx, a, id, client, func(room *chat.Room) (chat.Change, error) {
		c := &skeinv1.MembersChange{Role: skeinv1.Role_ROLE_MEMBER}
		var ms []journal.MemberChange
		for _, u := range users {
			if _, in := room.Member(u); !in {
				ms = append(ms, journal.MemberChange{User: u, Role: im.RoleMember})
				c.Added = append(c.Added, string(u))
			}
		}
		if room.Size() == 0 { // only the back end sees it: who comes first would have to own it
			return chat.Change{}, im.Errorf(im.FailedPrecondition, "everybody has left the group")
		}
		if room.Size()+len(ms) > s.max {
			return chat.Change{}, im.Errorf(im.TooLarge, "a group has at most %d members", s.max)
		}
		if len(ms) == 0 {
			return chat.Change{}, mayAdd(room, a)
		}
		return changeOf(ms, c), nil
	})
	if errors.Is(err, chat.ErrNoChange) {
		return nil, nil
	}
	return e, err
}

// mayAdd answers a call that would change nothing as one that would.
func mayAdd(room *chat.Room, a im.Actor) error {
	if self, _ := room.Member(a.User); !a.Server && self.Role < im.RoleAdmin {
		return errRole
	}
	return chat.ErrNoChange
}

// Remove takes a user out. A strictly higher role than theirs is needed, and
// nobody, the back end included, takes out the owner.
func (s *Service) Remove(ctx context.Context, a im.Actor, id im.ConvID, user im.UserID, client im.ClientID) (*im.Entry, error) {
	return s.change(ctx, a, id, client, func(room *chat.Room) (chat.Change, error) {
		if user == a.User {
			return chat.Change{}, im.Errorf(im.InvalidArgument, "to go oneself is LeaveGroup")
		}
		m, in := room.Member(user)
		if !in {
			return chat.Change{}, im.ErrNotFound
		}
		if m.Role == im.RoleOwner && a.Server { // for a user the rules say no
			return chat.Change{}, errOwned()
		}
		return changeOf([]journal.MemberChange{{User: user, Role: im.RoleNone}}, &skeinv1.MembersChange{Removed: []string{string(user)}}), nil
	})
}

// Leave ends the actor's membership. The owner hands over first, unless they
// are the last one.
func (s *Service) Leave(ctx context.Context, a im.Actor, id im.ConvID, client im.ClientID) (*im.Entry, error) {
	return s.change(ctx, a, id, client, func(room *chat.Room) (chat.Change, error) {
		if _, in := room.Member(a.User); !in { // the app's back end is in no group
			return chat.Change{}, im.ErrNotFound
		}
		if room.Owner() == a.User && room.Size() > 1 {
			return chat.Change{}, &im.Error{Code: im.FailedPrecondition, Message: "the owner can not leave", Hint: "hand the group over with SetRole OWNER first"}
		}
		return changeOf([]journal.MemberChange{{User: a.User, Role: im.RoleNone}}, &skeinv1.MembersChange{Left: []string{string(a.User)}}), nil
	})
}

// SetRole changes a member's role; only the owner may. RoleOwner hands the
// group over and makes the actor an admin.
func (s *Service) SetRole(ctx context.Context, a im.Actor, id im.ConvID, user im.UserID, role im.Role, client im.ClientID) (*im.Entry, error) {
	if role < im.RoleMember || role > im.RoleOwner {
		return nil, im.Errorf(im.InvalidArgument, "role is MEMBER, ADMIN or OWNER")
	}
	e, err := s.change(ctx, a, id, client, func(room *chat.Room) (chat.Change, error) {
		m, in := room.Member(user)
		if !in {
			return chat.Change{}, im.ErrNotFound
		}
		if self, _ := room.Member(a.User); !a.Server && self.Role != im.RoleOwner {
			return chat.Change{}, errRole
		}
		if m.Role == im.RoleOwner && role != im.RoleOwner {
			return chat.Change{}, errOwned()
		}
		ms := []journal.MemberChange{{User: user, Role: role}}
		if role == im.RoleOwner && m.Role != im.RoleOwner {
			ms = append(ms, journal.MemberChange{User: room.Owner(), Role: im.RoleAdmin})
		}
		return changeOf(ms, &skeinv1.MembersChange{RoleChanged: []string{string(user)}, Role: skeinv1.Role(role)}), nil
	})
	return e, err
}

func errOwned() error {
	return &im.Error{Code: im.FailedPrecondition, Message: "a group has an owner", Hint: "hand the group over with SetRole OWNER first"}
}

func (s *Service) change(ctx context.Context, a im.Actor, id im.ConvID, client im.ClientID, plan func(*chat.Room) (chat.Change, error)) (*im.Entry, error) {
	res, err := s.chat.Change(ctx, a, id, client, plan)
	if err != nil {
		return nil, err
	}
	return &res.Entry, nil
}

// changeOf is a change of members with what the log says about it.
func changeOf(ms []journal.MemberChange, c *skeinv1.MembersChange) chat.Change {
	return chat.Change{Verb: chat.VerbMembers, Members: ms, Content: &skeinv1.Content{Kind: &skeinv1.Content_Members{Members: c}}}
}

func deriveID(a im.Actor, client im.ClientID) string {
	sum := sha256.Sum256([]byte(string(a.App) + "\x00" + string(a.User) + "\x00" + string(client[:])))
	return hex.EncodeToString(sum[:12])
}

func checkTitle(title string) error {
	if title != "" && (len(title) > titleBytes || !im.ValidKey(title)) {
		return im.Errorf(im.InvalidArgument, "a title has at most %d bytes and no control characters", titleBytes)
	}
	return nil
}

// unique checks and sorts user ids, without duplicates and without one of them.
func unique(users []im.UserID, without im.UserID) ([]im.UserID, error) {
	seen := make(map[im.UserID]bool, len(users))
	var out []im.UserID
	for _, u := range users {
		if !im.ValidName(string(u)) {
			return nil, im.Errorf(im.InvalidArgument, "members has an invalid user id")
		}
		if u != without && !seen[u] {
			seen[u] = true
			out = append(out, u)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i] < out[j] })
	return out, nil
}
