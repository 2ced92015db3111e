package chat

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

// TestSeatsAreWhatAMapWouldBe changes seats at random and holds each of them to
// a map, the older ones too: they are shared and may not change.
func TestSeatsAreWhatAMapWouldBe(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	type version struct {
		s    *seats
		want map[im.UserID]journal.Member
	}
	one := version{newSeats(nil), map[im.UserID]journal.Member{}}
	versions := []version{one}
	for n := range 3000 {
		next := version{want: maps.Clone(one.want)}
		var changed []journal.Member
		for range 1 + r.IntN(3) {
			u := im.UserID(fmt.Sprint("u", r.IntN(900)))
			if slices.ContainsFunc(changed, func(m journal.Member) bool { return m.User == u }) {
				continue
			}
			m := journal.Member{User: u, Role: im.RoleMember, From: im.Seq(n)}
			if _, in := next.want[u]; in && r.IntN(3) == 0 || r.IntN(20) == 0 {
				m.To = im.Seq(n + 1)
				delete(next.want, u)
			} else {
				next.want[u] = m
			}
			changed = append(changed, m)
		}
		next.s, _ = one.s.with(changed)
		if one = next; n%100 == 0 {
			versions = append(versions, one)
		}
	}
	for i, v := range append(versions, one) {
		got := map[im.UserID]journal.Member{}
		var last im.UserID
		v.s.each("", func(s *seat) bool {
			if s.user <= last {
				t.Errorf("%s comes behind %s", s.user, last)
			}
			last = s.user
			got[s.user] = s.member()
			return true
		})
		if fmt.Sprint(got) != fmt.Sprint(v.want) || v.s.n != len(v.want) {
			t.Fatalf("version %d: %d of %d seats: %v, want %v", i, v.s.n, len(v.want), got, v.want)
		}
		for n := range 900 {
			u := im.UserID(fmt.Sprint("u", n))
			_, want := v.want[u]
			if s := v.s.get(u); (s != nil) != want {
				t.Fatalf("version %d: %s is %v, want %v", i, u, s, want)
			}
		}
	}
}

func TestTheOwnerIsKnownThroughAHandOver(t *testing.T) {
	s := newSeats([]seat{{user: "a", role: im.RoleOwner}, {user: "b", role: im.RoleMember}, {user: "c", role: im.RoleMember}})
	for _, to := range []im.UserID{"b", "a", "c"} { // to who is named before the old one, and behind
		s, _ = s.with([]journal.Member{{User: to, Role: im.RoleOwner}, {User: s.owner, Role: im.RoleAdmin}})
		if s.owner != to {
			t.Errorf("the owner is %q, want %s", s.owner, to)
		}
	}
	if s, _ = s.with([]journal.Member{{User: "c", Role: im.RoleOwner, To: 9}}); s.owner != "" || s.n != 2 {
		t.Errorf("the owner of %d is %q", s.n, s.owner)
	}
}

// TestARoomThatFollowsIsTheOneThatIsRead churns a group and holds what the
// cache makes of changes to a reading of all, and what it says of them.
func TestARoomThatFollowsIsTheOneThatIsRead(t *testing.T) {
	m, err := journal.NewMemory(1, im.SystemEntropy())
	if err != nil {
		t.Fatal(err)
	}
	j := m.Open(journal.Options{})
	t.Cleanup(func() { j.Close(context.Background()) })
	r := rand.New(rand.NewPCG(3, 4))
	cached, ctx := newRooms(j, 10, 1000), context.Background()
	submit := func(a *journal.Append) {
		t.Helper()
		id, err := im.NewClientID(im.SystemClock{}.Now(), im.SystemEntropy())
		if err != nil {
			t.Fatal(err)
		}
		a.App, a.Conv, a.Kind, a.Sender, a.ClientID, a.ACLVersion, a.Body = "demo", "g1", im.KindMembers, "own", id, -1, []byte("x")
		done := make(chan error, 1)
		j.Submit(a, func(_ journal.Result, err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	submit(&journal.Append{Create: &journal.Create{Kind: im.ConvGroup, Members: []journal.NewMember{{User: "own", Role: im.RoleOwner}}}})
	before, err := cached.get(ctx, "demo", "g1")
	if err != nil {
		t.Fatal(err)
	}
	for n := range 400 {
		a := &journal.Append{}
		for range r.IntN(4) {
			a.Members = append(a.Members, journal.MemberChange{User: im.UserID(fmt.Sprint("u", r.IntN(60))), Role: im.Role(r.IntN(3))})
		}
		submit(a)
		if r.IntN(3) == 0 {
			continue // two changes in one step
		}
		cached.drop("demo", "g1")
		now, err := cached.get(ctx, "demo", "g1")
		if err != nil {
			t.Fatal(err)
		}
		whole, err := cached.read(ctx, "demo", "g1", nil)
		if err != nil {
			t.Fatal(err)
		}
		var got, want []seat
		now.seats.each("", func(s *seat) bool { got = append(got, *s); return true })
		whole.seats.each("", func(s *seat) bool { want = append(want, *s); return true })
		if fmt.Sprint(got) != fmt.Sprint(want) || now.Version != whole.Version || now.head != whole.head || now.Owner() != "own" {
			t.Fatalf("step %d: followed to %v at %d, read %v at %d", n, got, now.Version, want, whole.Version)
		}
		users, ok := now.ChangedSince(before.Version)
		if !ok {
			t.Fatalf("step %d: what changed from %d to %d is not known", n, before.Version, now.Version)
		}
		for i := range 60 {
			u := im.UserID(fmt.Sprint("u", i))
			was, wasIn := before.Member(u)
			is, isIn := now.Member(u)
			if changed := wasIn != isIn || fmt.Sprint(was) != fmt.Sprint(is); changed && !slices.Contains(users, u) {
				t.Fatalf("step %d: %s is not among those who changed: %v", n, u, users)
			}
		}
		before = now
	}
	if _, ok := before.ChangedSince(1); ok {
		t.Error("four hundred changes are remembered")
	}
}

// TestARoomOfAnotherPastIsNotFollowed: a database that was put back has other
// entries at the same positions.
func TestARoomOfAnotherPastIsNotFollowed(t *testing.T) {
	var rs []*rooms
	for _, users := range [][]im.UserID{{"own", "ann"}, {"own", "bob"}} {
		m, err := journal.NewMemory(1, im.SystemEntropy())
		if err != nil {
			t.Fatal(err)
		}
		j := m.Open(journal.Options{})
		t.Cleanup(func() { j.Close(context.Background()) })
		for n := range 2 {
			id, err := im.NewClientID(im.SystemClock{}.Now(), im.SystemEntropy())
			if err != nil {
				t.Fatal(err)
			}
			a := &journal.Append{App: "demo", Conv: "g1", Kind: im.KindMembers, Sender: "own", ClientID: id, ACLVersion: -1, Body: []byte("x"),
				Create: &journal.Create{Kind: im.ConvGroup, Members: []journal.NewMember{{User: users[0], Role: im.RoleOwner}}}}
			if n == 1 {
				a.Members = []journal.MemberChange{{User: users[1], Role: im.RoleMember}}
			}
			done := make(chan error, 1)
			j.Submit(a, func(_ journal.Result, err error) { done <- err })
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		rs = append(rs, newRooms(j, 10, 1000))
	}
	old, err := rs[0].get(context.Background(), "demo", "g1")
	if err != nil {
		t.Fatal(err)
	}
	r, err := rs[1].read(context.Background(), "demo", "g1", old)
	if err != nil {
		t.Fatal(err)
	}
	if _, in := r.Member("ann"); in || r.Size() != 2 {
		t.Error("a member of another past is in")
	}
}
