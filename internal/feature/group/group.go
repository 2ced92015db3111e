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
	"fmt"
	"sort"
	"strconv"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Service is the verbs on groups.
type Service struct {
	chat  *chat.Service
	max   int // members
	later Later
}

// New returns the verbs on groups of at most max members. later is called
// before a large group is dissolved; it can be nil where a crash in the middle
// of that does not matter.
func New(c *chat.Service, max int, later Later) *Service {
	if later == nil {
		later = func(context.Context, im.AppID, im.ConvID) error { return nil }
	}
	return &Service{chat: c, max: max, later: later}
}

// titleBytes is the limit of a title.
const titleBytes = 128

// Create makes a group owned by the actor; settings can be nil. Errors: AlreadyExists, TooLarge,
// InvalidArgument, ResourceExhausted (the app may have no more groups).
func (s *Service) Create(ctx context.Context, a im.Actor, id im.ConvID, title string, members []im.UserID, settings *skeinv1.GroupSettings, client im.ClientID) (*skeinv1.Conversation, error) {
	return s.CreateFor(ctx, a, "", id, title, members, settings, client)
}

// CreateFor makes a group with an owner: the app's back end names one, and for
// a user it is "" or themselves. Errors as of Create.
func (s *Service) CreateFor(ctx context.Context, a im.Actor, owner im.UserID, id im.ConvID, title string, members []im.UserID, settings *skeinv1.GroupSettings, client im.ClientID) (*skeinv1.Conversation, error) {
	switch {
	case !a.Server && owner != "" && owner != a.User:
		return nil, im.Errorf(im.InvalidArgument, "only the app's back end names an owner")
	case !a.Server:
		owner = a.User
	case !im.ValidName(string(owner)):
		return nil, &im.Error{Code: im.InvalidArgument, Message: "a group is owned by a user", Hint: "name one in owner"}
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
	users, err := unique(members, owner)
	if err != nil {
		return nil, err
	}
	first, err := s.firstSettings(a, settings)
	if err != nil {
		return nil, err
	}
	if err := s.chat.CheckSize(a.App, settings.GetMaxMembers(), s.max, len(users)+1); err != nil {
		return nil, err
	}
	c := journal.Create{Kind: im.ConvGroup, Title: title, Attrs: first, Members: []journal.NewMember{{User: owner, Role: im.RoleOwner}}}
	change := &skeinv1.MembersChange{Added: []string{string(owner)}, Role: skeinv1.Role_ROLE_MEMBER}
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
	return s.change(ctx, a, id, client, ask("title", title), func(*chat.Room) (chat.Change, error) {
		return chat.Change{Verb: chat.VerbTitle, Title: &title,
			Content: &skeinv1.Content{Kind: &skeinv1.Content_Conversation{Conversation: &skeinv1.ConversationChange{Title: title}}}}, nil
	})
}

// addAtOnce is how many users one who is not the app's back end adds at once.
const addAtOnce = 100

// Add adds users; those who are in already are passed over, and nil is
// returned when all of them are.
func (s *Service) Add(ctx context.Context, a im.Actor, id im.ConvID, members []im.UserID, client im.ClientID) (*im.Entry, error) {
	users, err := unique(members, "")
	if err != nil {
		return nil, err
	}
	if len(users) > addAtOnce && !a.Server {
		return nil, im.Errorf(im.InvalidArgument, "at most %d users are added at once", addAtOnce)
	}
	return s.change(ctx, a, id, client, ask("add", names(users)...), func(room *chat.Room) (chat.Change, error) {
		c := &skeinv1.MembersChange{Role: skeinv1.Role_ROLE_MEMBER}
		var ms []journal.MemberChange
		for _, u := range users {
			if _, in := room.Member(u); !in {
				ms = append(ms, room.Joining(u))
				c.Added = append(c.Added, string(u))
			}
		}
		if room.Size() == 0 { // only the back end sees it: who comes first would have to own it
			return chat.Change{}, im.Errorf(im.FailedPrecondition, "everybody has left the group")
		}
		if err := s.chat.CheckSize(a.App, room.Settings.GetMaxMembers(), s.max, room.Size()+len(ms)); err != nil {
			return chat.Change{}, err
		}
		change := changeOf(ms, c)
		if len(ms) == 0 {
			change.Needs = skeinv1.Grant_GRANT_ADD_MEMBERS // as if it changed something
			return change, chat.ErrNoChange
		}
		return change, nil
	})
}

// Remove takes a user out. A strictly higher role than theirs is needed, and
// nobody, the back end included, takes out the owner.
func (s *Service) Remove(ctx context.Context, a im.Actor, id im.ConvID, user im.UserID, client im.ClientID) (*im.Entry, error) {
	return s.change(ctx, a, id, client, ask("remove", string(user)), func(room *chat.Room) (chat.Change, error) {
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
	return s.change(ctx, a, id, client, ask("leave"), func(room *chat.Room) (chat.Change, error) {
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
	return s.change(ctx, a, id, client, ask("role", string(user), strconv.Itoa(int(role))), func(room *chat.Room) (chat.Change, error) {
		m, in := room.Member(user)
		if !in {
			return chat.Change{}, im.ErrNotFound
		}
		if self, _ := room.Member(a.User); !a.Server && self.Role != im.RoleOwner {
			return chat.Change{}, errOwner()
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
}

// Transfer makes a member the owner, and the owner an admin.
func (s *Service) Transfer(ctx context.Context, a im.Actor, id im.ConvID, user im.UserID, client im.ClientID) (*im.Entry, error) {
	if user == a.User && !a.Server {
		return nil, im.Errorf(im.InvalidArgument, "a group is handed over to somebody else")
	}
	return s.SetRole(ctx, a, id, user, im.RoleOwner, client)
}

// firstSettings encodes what a group is like from its first moment.
func (s *Service) firstSettings(a im.Actor, g *skeinv1.GroupSettings) ([]byte, error) {
	if g == nil {
		return nil, nil
	}
	if len(g.Roles) > 0 || g.MutedUntilUs != 0 || g.Dissolved {
		return nil, im.Errorf(im.InvalidArgument, "roles, mutes and the end of a group have verbs of their own")
	}
	if err := s.checkSettings(a, g); err != nil {
		return nil, err
	}
	first := new(skeinv1.GroupSettings) // of what there is, what can be set
	for _, f := range settable() {
		if err := take(first, g, f); err != nil {
			return nil, err
		}
	}
	return encode(first), nil
}

func errOwned() error {
	return &im.Error{Code: im.FailedPrecondition, Message: "a group has an owner", Hint: "hand the group over with SetRole OWNER first"}
}

// change has a change decided and made. Its answer is nil when everything is
// as asked already.
func (s *Service) change(ctx context.Context, a im.Actor, id im.ConvID, client im.ClientID, asked []byte, plan func(*chat.Room) (chat.Change, error)) (*im.Entry, error) {
	res, err := s.chat.Change(ctx, a, id, client, func(room *chat.Room) (chat.Change, error) {
		c, err := plan(room)
		c.Request = asked
		return c, err
	})
	switch {
	case errors.Is(err, chat.ErrNoChange):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &res.Entry, nil
}

// ask is a digest of what a call asks for. It is kept with the entry, so that
// a retry is told from another call with the same client id also when the
// entry would be another one by now.
func ask(verb string, parts ...string) []byte {
	h := sha256.New()
	for _, p := range append([]string{verb}, parts...) {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return h.Sum(nil)[:8]
}

// changeOf is a change of members with what the log says about it.
func changeOf(ms []journal.MemberChange, c *skeinv1.MembersChange) chat.Change {
	return chat.Change{Verb: chat.VerbMembers, Members: ms, Content: &skeinv1.Content{Kind: &skeinv1.Content_Members{Members: c}}}
}

func names(users []im.UserID) []string {
	out := make([]string, len(users))
	for i, u := range users {
		out[i] = string(u)
	}
	return out
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
