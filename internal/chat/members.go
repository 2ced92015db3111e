package chat

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// MembersRequest asks for a page of a conversation's members, by user id.
type MembersRequest struct {
	Limit int    // 1 to 200; 0 = 100
	Page  string // what the page before gave; empty = the first
	// Query: only who has a user id that begins with it, or a nickname that has
	// it somewhere, in any case of letters.
	Query string
	Role  im.Role // only who has it; RoleNone = all
}

// Members pages through the current members by user id.
func (s *Service) Members(ctx context.Context, actor im.Actor, conv im.ConvID, r MembersRequest) (*skeinv1.ListMembersResponse, error) {
	if r.Limit == 0 {
		r.Limit = 100
	}
	if r.Limit < 1 || r.Limit > maxPage || r.Page != "" && !im.ValidName(r.Page) {
		return nil, im.Errorf(im.InvalidArgument, "limit is 1 to %d, page what the list gave", maxPage)
	}
	if len(r.Query) > im.MaxIDBytes || r.Role < im.RoleNone || r.Role > im.RoleOwner {
		return nil, im.Errorf(im.InvalidArgument, "query has at most %d bytes, role is MEMBER, ADMIN or OWNER", im.MaxIDBytes)
	}
	var out *skeinv1.ListMembersResponse
	err := s.reading(ctx, actor, conv, func(v journal.View, room *Room, self journal.Member, _ im.Seq) error {
		out = &skeinv1.ListMembersResponse{}
		if self.To > 0 { // who is in now is not theirs to know any more
			return im.ErrNotFound
		}
		ms, err := pageOfMembers(v, room, r)
		if err == nil {
			err = (&markers{v: v, actor: actor}).mask(room.Kind, ms)
		}
		for _, m := range ms {
			out.Members = append(out.Members, protoMember(m))
		}
		if len(ms) == r.Limit {
			out.NextPage = string(ms[r.Limit-1].User)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// pageOfMembers reads a page. Who is looked for is found among the members that
// the room has in memory, which are those of the snapshot.
func pageOfMembers(v journal.View, room *Room, r MembersRequest) (ms []journal.Member, err error) {
	after := im.UserID(r.Page)
	if room.Kind == im.ConvGroup && r.Query == "" && r.Role == im.RoleNone {
		return v.Members(room.App, room.ID, after, r.Limit)
	}
	query := strings.ToLower(r.Query)
	wanted := func(m *journal.Member) bool {
		return (r.Role == im.RoleNone || m.Role == r.Role) && (query == "" || strings.HasPrefix(strings.ToLower(string(m.User)), query) ||
			strings.Contains(strings.ToLower(DecodeMember(m.Attrs).GetNickname()), query))
	}
	if room.Kind != im.ConvGroup {
		room.Each(func(u im.UserID) {
			if m, _ := room.Member(u); u > after && wanted(&m) && len(ms) < r.Limit {
				ms = append(ms, m)
			}
		})
		return ms, nil
	}
	room.seats.each(after, func(s *seat) bool {
		m := s.member()
		if !wanted(&m) {
			return true
		}
		if m, err = v.Member(room.App, room.ID, s.user); err != nil { // with its read marker
			return false
		}
		ms = append(ms, m)
		return len(ms) < r.Limit
	})
	return ms, err
}

// quietMembers is from how many members on nobody but those concerned is told
// who comes and goes.
const quietMembers = 1000

// concerned returns who alone reads the entry of a change of members; nil =
// everybody. In a large group joins and leaves change the number of members
// and the version of the list: as entries for all they would be most of what a
// member gets. What members may do is for all to know.
func concerned(room *Room, changes []journal.MemberChange) (users []im.UserID) {
	if room.Size() <= quietMembers {
		return nil
	}
	for _, c := range changes {
		if _, in := room.Member(c.User); in && c.Role != im.RoleNone {
			return nil
		}
		users = append(users, c.User)
	}
	return users
}

// Change is a change of members or attributes, as a feature asks for it.
type Change struct {
	Verb    Verb // for the policies: VerbMembers, or a verb on attributes
	Members []journal.MemberChange
	Title   *string
	Attrs   *[]byte // the group's attributes
	// Raise has decisions that were taken meanwhile taken again, though nothing
	// else changed (journal.Append.Raise).
	Raise   bool
	Content *skeinv1.Content // what the log says about it
	// Request, if not nil, is a digest of what was asked for. With it a retry
	// gets its first answer also when its entry would be another one by now;
	// without, that is im.ClientIDReused.
	Request []byte
	Demand
}

// ErrNoChange is returned by a plan when everything is as asked already.
var ErrNoChange = im.Errorf(im.AlreadyExists, "nothing to change")

// Change changes a group: plan looks at the room as it is and says what to
// do, and is asked again when somebody else was faster. It is how features
// speak through the front door. A plan that fails may return the change that
// it would have been: who may not make that learns nothing but that.
func (s *Service) Change(ctx context.Context, actor im.Actor, conv im.ConvID, id im.ClientID, plan func(*Room) (Change, error)) (journal.Result, error) {
	var last *journal.Append
	res, err := s.apply(ctx, actor, conv, id, func(ctx context.Context, room *Room, a *journal.Append) error {
		last, a.Kind = a, im.KindMembers
		if room.Kind != im.ConvGroup {
			if _, ok := room.Member(actor.User); !ok {
				return im.ErrNotFound
			}
			return im.Errorf(im.FailedPrecondition, "only groups have members that change")
		}
		if _, ok := room.Member(actor.User); !ok && !actor.Server {
			return im.ErrNotFound
		}
		c, err := plan(room)
		if c.Content == nil {
			return err
		}
		if c.Content.GetMembers() == nil {
			a.Kind = im.KindConversation
		}
		c.Content.Request = c.Request
		a.Members, a.Title, a.Attrs, a.Raise, a.Body = c.Members, c.Title, c.Attrs, c.Raise, encodeContent(c.Content)
		if err := s.keepMutes(ctx, room, c.Members); err != nil {
			return err
		}
		s.keepOnlyMutes(room, c.Members)
		if c.Content.GroupChange == nil { // the end of a group, and what it keeps of members, is for all to know
			a.ToUsers = concerned(room, c.Members)
		}
		if err := s.decide(ctx, &Action{Verb: c.Verb, Actor: actor, Room: room, Changes: c.Members, Demand: c.Demand}); err != nil {
			return err
		}
		return err
	})
	if im.CodeOf(err) == im.ClientIDReused && last != nil {
		if done, ok := s.repeated(ctx, last); ok && sameRequest(done.Entry.Body, last.Body) {
			return done, nil
		}
	}
	return res, err
}

// keepMutes has who comes back muted as long as they were when they went: to
// leave and to join again is no way out.
func (s *Service) keepMutes(ctx context.Context, room *Room, changes []journal.MemberChange) error {
	joins := slices.DeleteFunc(slices.Clone(changes), func(c journal.MemberChange) bool {
		_, in := room.Member(c.User)
		return in || c.Role == im.RoleNone || c.Attrs != nil
	})
	if len(joins) == 0 {
		return nil
	}
	muted := make(map[im.UserID][]byte)
	if err := s.j.View(ctx, func(v journal.View) error {
		clear(muted)
		for _, c := range joins {
			m, err := v.Member(room.App, room.ID, c.User)
			switch until := DecodeMember(m.Attrs).GetMutedUntilUs(); {
			case im.CodeOf(err) == im.NotFound: // they were never in
			case err != nil:
				return err
			case im.Micros(until) > s.Now():
				muted[c.User] = encodeAttrs(&skeinv1.MemberAttrs{MutedUntilUs: until})
			}
		}
		return nil
	}); err != nil {
		return err
	}
	for i := range changes {
		if attrs, ok := muted[changes[i].User]; ok {
			changes[i].Attrs = &attrs
		}
	}
	return nil
}

// keepOnlyMutes has nothing stay of what a group keeps of a member who goes,
// their nickname above all, but until when they are muted.
func (s *Service) keepOnlyMutes(room *Room, changes []journal.MemberChange) {
	for i := range changes {
		c := &changes[i]
		m, in := room.Member(c.User)
		if !in || c.Role != im.RoleNone || c.Attrs != nil || len(m.Attrs) == 0 {
			continue
		}
		stay := new(skeinv1.MemberAttrs)
		if until := DecodeMember(m.Attrs).GetMutedUntilUs(); im.Micros(until) > s.Now() {
			stay.MutedUntilUs = until
		}
		attrs := encodeAttrs(stay)
		c.Attrs = &attrs
	}
}

// encodeAttrs writes what a group keeps of a member.
func encodeAttrs(m *skeinv1.MemberAttrs) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil { // only invalid UTF-8 can do that, and every text was checked
		return nil
	}
	return b
}

// sameRequest tells whether two entries were made by the same call.
func sameRequest(a, b []byte) bool {
	var x, y skeinv1.Body
	if proto.Unmarshal(a, &x) != nil || proto.Unmarshal(b, &y) != nil {
		return false
	}
	r := x.GetContent().GetRequest()
	return len(r) > 0 && bytes.Equal(r, y.GetContent().GetRequest())
}

// Create makes a group with its first entry. The caller has decided that it
// may be. Errors: AlreadyExists when the id is taken and this is no retry,
// ResourceExhausted when the app may have no more groups.
func (s *Service) Create(ctx context.Context, actor im.Actor, conv im.ConvID, id im.ClientID, c journal.Create, content *skeinv1.Content) (journal.Result, error) {
	if err := s.checkID(id); err != nil {
		return journal.Result{}, err
	}
	a := &journal.Append{App: actor.App, Conv: conv, Kind: im.KindMembers, Sender: actor.User, Device: actor.Device, ClientID: id,
		ACLVersion: 0, Create: &c, Body: encodeContent(content), MarkRead: true}
	back, err := s.quota.Group(ctx, actor.App, conv)
	if err != nil {
		return s.refuse(ctx, a, err)
	}
	res, err := s.wait(ctx, a)
	settle(back, &res, err)
	if isStale(err) {
		if done, ok := s.repeated(ctx, a); ok {
			return done, nil
		}
		return res, im.Errorf(im.AlreadyExists, "the group id is taken")
	}
	return res, err
}
