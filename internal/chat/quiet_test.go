package chat_test

import (
	"context"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// crowded makes a group of so many, of whom alice is the owner and bob the
// first member.
func (w *world) crowded(id im.ConvID, n int) {
	w.t.Helper()
	c := journal.Create{Kind: im.ConvGroup, Members: []journal.NewMember{{User: "alice", Role: im.RoleOwner}, {User: "bob", Role: im.RoleMember}}}
	for i := len(c.Members); i < n; i++ {
		c.Members = append(c.Members, journal.NewMember{User: im.UserID(fmt.Sprintf("m%05d", i)), Role: im.RoleMember})
	}
	if _, err := w.c.Create(context.Background(), alice, id, w.id(), c, &skeinv1.Content{Kind: &skeinv1.Content_Members{Members: &skeinv1.MembersChange{}}}); err != nil {
		w.t.Fatal(err)
	}
}

func TestInALargeGroupJoinsAndLeavesAreEntriesForThoseConcernedAlone(t *testing.T) {
	w := newWorld(t)
	for _, n := range []int{1000, 1001} {
		id := im.ConvID(fmt.Sprint("g", n))
		w.crowded(id, n)
		for _, c := range []journal.MemberChange{{User: "new", Role: im.RoleMember}, {User: "new"}, {User: "m00007"}} {
			e := w.change(w.c, alice, id, c)
			for user, want := range map[im.UserID]bool{"bob": n > 1000, "alice": false, c.User: false} {
				if got := e.Withheld(user, "phone"); got != want {
					t.Errorf("%d members, %+v: withheld from %s is %v", n, c, user, got)
				}
			}
			n += map[bool]int{true: 1, false: -1}[c.Role != im.RoleNone]
		}
		if e := w.change(w.c, alice, id, journal.MemberChange{User: "bob", Role: im.RoleAdmin}); len(e.ToUsers) > 0 {
			t.Errorf("a role is told to %v alone", e.ToUsers)
		}
		// The number of members and the version of the list are there for all.
		c, err := w.c.Open(context.Background(), bob, id)
		if err != nil || int(c.MemberCount) != n || c.AclVersion < 5 {
			t.Errorf("bob sees %d members at version %d, want %d: %v", c.GetMemberCount(), c.GetAclVersion(), n, err)
		}
	}
}

func TestMembersAreFoundByNameNicknameAndRole(t *testing.T) {
	w := newWorld(t)
	w.crowded("g1", 700)
	nick, err := proto.Marshal(&skeinv1.MemberAttrs{Nickname: "Der Größte"})
	if err != nil {
		t.Fatal(err)
	}
	w.change(w.c, alice, "g1", journal.MemberChange{User: "m00009", Role: im.RoleAdmin, Attrs: &nick})
	find := func(r chat.MembersRequest) string {
		t.Helper()
		var out []string
		for more := true; more; {
			res, err := w.c.Members(context.Background(), bob, "g1", r)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range res.Members {
				out = append(out, m.User)
			}
			r.Page, more = res.NextPage, res.NextPage != ""
		}
		if len(out) > 12 {
			return fmt.Sprint(len(out))
		}
		return fmt.Sprint(out)
	}
	for _, c := range []struct {
		r    chat.MembersRequest
		want string
	}{
		{chat.MembersRequest{}, "700"},
		{chat.MembersRequest{Query: "m0000", Limit: 3}, "[m00002 m00003 m00004 m00005 m00006 m00007 m00008 m00009]"},
		{chat.MembersRequest{Query: "M0061", Limit: 200}, "[m00610 m00611 m00612 m00613 m00614 m00615 m00616 m00617 m00618 m00619]"},
		{chat.MembersRequest{Query: "größ"}, "[m00009]"},
		{chat.MembersRequest{Query: "61"}, "[]"},
		{chat.MembersRequest{Role: im.RoleOwner}, "[alice]"},
		{chat.MembersRequest{Role: im.RoleAdmin, Query: "m"}, "[m00009]"},
		{chat.MembersRequest{Role: im.RoleMember, Limit: 200}, "698"},
	} {
		if got := find(c.r); got != c.want {
			t.Errorf("%+v finds %s, want %s", c.r, got, c.want)
		}
	}
	for _, r := range []chat.MembersRequest{{Limit: 201}, {Limit: -1}, {Role: 9}, {Role: -1}, {Page: "\x00"}, {Query: string(make([]byte, 65))}} {
		_, err := w.c.Members(context.Background(), bob, "g1", r)
		w.want(im.InvalidArgument, err, fmt.Sprint(r))
	}
}
