package group_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/feature/group"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// world is the verbs on groups over a journal in memory; nodes share it.
type world struct {
	t *testing.T
	j journal.Journal
	c *chat.Service
	g *group.Service
}

const maxMembers = 12

func newWorld(t *testing.T) *world {
	t.Helper()
	m, err := journal.NewMemory(1, im.SystemEntropy())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, j: m.Open(journal.Options{})}
	t.Cleanup(func() { w.j.Close(context.Background()) })
	w.c, w.g = w.node()
	return w
}

// node is another front door over the same journal, which hears of nothing
// that happens at the others.
func (w *world) node() (*chat.Service, *group.Service) {
	b := bus.NewLocal()
	w.t.Cleanup(b.Close)
	c := chat.New(chat.Deps{Journal: w.j, Signals: b, Policies: []chat.Policy{group.Rules}, Limits: chat.DefaultLimits(), Clock: im.SystemClock{},
		CursorKey: []byte("0123456789abcdef")})
	return c, group.New(c, maxMembers, nil)
}

func actor(name string) im.Actor {
	if name == "server" {
		return im.Actor{App: "demo", Server: true}
	}
	return im.Actor{App: "demo", User: im.UserID(name), Device: "phone"}
}

func newID(t testing.TB) im.ClientID {
	id, err := im.NewClientID(im.SystemClock{}.Now(), im.SystemEntropy())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// make makes a group of an owner, an admin and members.
func (w *world) make(id im.ConvID, owner, admin string, members ...string) {
	w.t.Helper()
	ctx := context.Background()
	var us []im.UserID
	for _, m := range append(members, admin) {
		if m != "" {
			us = append(us, im.UserID(m))
		}
	}
	if _, err := w.g.Create(ctx, actor(owner), id, "title", us, nil, newID(w.t)); err != nil {
		w.t.Fatal(err)
	}
	if admin != "" {
		if _, err := w.g.SetRole(ctx, actor(owner), id, im.UserID(admin), im.RoleAdmin, newID(w.t)); err != nil {
			w.t.Fatal(err)
		}
	}
}

// members is who is in, "ann=owner bob=member", by name.
func (w *world) members(id im.ConvID) string {
	w.t.Helper()
	var out []string
	if err := w.j.View(context.Background(), func(v journal.View) error {
		ms, err := v.Members("demo", id, "", 500)
		for _, m := range ms {
			out = append(out, fmt.Sprintf("%s=%s", m.User, map[im.Role]string{im.RoleMember: "member", im.RoleAdmin: "admin", im.RoleOwner: "owner"}[m.Role]))
		}
		return err
	}); err != nil {
		w.t.Fatal(err)
	}
	return strings.Join(out, " ")
}

func TestWhatEachRoleMayDo(t *testing.T) {
	type verb func(g *group.Service, a im.Actor, id im.ConvID) error
	ctx := context.Background()
	done := func(_ *im.Entry, err error) error { return err }
	verbs := map[string]verb{
		"rename": func(g *group.Service, a im.Actor, id im.ConvID) error {
			return done(g.Update(ctx, a, id, "new", newID(t)))
		},
		"add": func(g *group.Service, a im.Actor, id im.ConvID) error {
			return done(g.Add(ctx, a, id, []im.UserID{"new"}, newID(t)))
		},
		"add one in": func(g *group.Service, a im.Actor, id im.ConvID) error {
			return done(g.Add(ctx, a, id, []im.UserID{"mem"}, newID(t)))
		},
		"leave": func(g *group.Service, a im.Actor, id im.ConvID) error { return done(g.Leave(ctx, a, id, newID(t))) },
	}
	for _, u := range []im.UserID{"own", "adm", "mem", "out"} {
		verbs["remove "+string(u)] = func(g *group.Service, a im.Actor, id im.ConvID) error { return done(g.Remove(ctx, a, id, u, newID(t))) }
		for r, name := range map[im.Role]string{im.RoleMember: "member", im.RoleAdmin: "admin", im.RoleOwner: "owner"} {
			verbs["make "+string(u)+" "+name] = func(g *group.Service, a im.Actor, id im.ConvID) error {
				return done(g.SetRole(ctx, a, id, u, r, newID(t)))
			}
		}
	}
	const (
		ok   = im.Code(0)
		no   = im.PermissionDenied
		none = im.NotFound
		not  = im.FailedPrecondition // a group has one owner
		bad  = im.InvalidArgument
	)
	who := []string{"own", "adm", "mem", "server"} // and who is not in
	table := map[string][4]im.Code{
		"rename": {ok, ok, no, ok}, "add": {ok, ok, no, ok}, "add one in": {ok, ok, no, ok}, "leave": {not, ok, ok, none},
		"remove own": {bad, no, no, not}, "remove adm": {ok, bad, no, ok}, "remove mem": {ok, ok, bad, ok}, "remove out": {none, none, none, none},
		"make own member": {not, no, no, not}, "make own admin": {not, no, no, not}, "make own owner": {ok, no, no, ok},
		"make adm member": {ok, no, no, ok}, "make adm admin": {ok, no, no, ok}, "make adm owner": {ok, no, no, ok},
		"make mem member": {ok, no, no, ok}, "make mem admin": {ok, no, no, ok}, "make mem owner": {ok, no, no, ok},
		"make out member": {none, none, none, none}, "make out admin": {none, none, none, none}, "make out owner": {none, none, none, none},
	}
	w, n := newWorld(t), 0
	for name, run := range verbs {
		want, ok := table[name]
		if !ok {
			t.Errorf("the table has no line for %q", name)
			continue
		}
		for i, role := range append(who, "gone", "stranger") {
			code := none // for whoever is not in, whatever they ask for
			if i < len(who) {
				code = want[i]
			}
			n++
			id := im.ConvID(fmt.Sprint("g", n))
			w.make(id, "own", "adm", "mem", "gone")
			if _, err := w.g.Leave(ctx, actor("gone"), id, newID(t)); err != nil {
				t.Fatal(err)
			}
			before := w.members(id)
			err := run(w.g, actor(role), id)
			if im.CodeOf(err) != code {
				t.Errorf("%s: %s: %v, want %v", role, name, err, code)
			}
			if err != nil && w.members(id) != before {
				t.Errorf("%s: %s was refused and changed %s into %s", role, name, before, w.members(id))
			}
			if owners := strings.Count(w.members(id), "=owner"); owners != 1 {
				t.Errorf("%s: %s leaves %d owners: %s", role, name, owners, w.members(id))
			}
		}
	}
	if n != len(table)*6 {
		t.Errorf("%d cases of %d", n, len(table)*6)
	}
}

func TestWhatARefusalSaysDoesNotTellWhetherTheGroupExists(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	w.make("g1", "own", "adm", "mem")
	eve := actor("eve")
	for name, run := range map[string]func(id im.ConvID) error{
		"rename": func(id im.ConvID) error { _, err := w.g.Update(ctx, eve, id, "x", newID(t)); return err },
		"add":    func(id im.ConvID) error { _, err := w.g.Add(ctx, eve, id, []im.UserID{"eve"}, newID(t)); return err },
		"remove": func(id im.ConvID) error { _, err := w.g.Remove(ctx, eve, id, "mem", newID(t)); return err },
		"leave":  func(id im.ConvID) error { _, err := w.g.Leave(ctx, eve, id, newID(t)); return err },
		"role": func(id im.ConvID) error {
			_, err := w.g.SetRole(ctx, eve, id, "mem", im.RoleAdmin, newID(t))
			return err
		},
	} {
		if there, not := run("g1"), run("g2"); im.CodeOf(there) != im.NotFound || there.Error() != not.Error() {
			t.Errorf("%s: %v and %v", name, there, not)
		}
	}
}

func TestHandingOverMakesTheOldOwnerAnAdmin(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	w.make("g1", "own", "adm", "mem")
	if _, err := w.g.SetRole(ctx, actor("own"), "g1", "mem", im.RoleOwner, newID(t)); err != nil {
		t.Fatal(err)
	}
	if got := w.members("g1"); got != "adm=admin mem=owner own=admin" {
		t.Error(got)
	}
	if _, err := w.g.Leave(ctx, actor("own"), "g1", newID(t)); err != nil {
		t.Errorf("the old owner leaves: %v", err)
	}
}

func TestTheLastOneLeavesAnEmptyGroupThatStaysEmpty(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	w.make("g1", "own", "")
	if _, err := w.g.Leave(ctx, actor("own"), "g1", newID(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.g.Add(ctx, actor("own"), "g1", []im.UserID{"own"}, newID(t)); im.CodeOf(err) != im.NotFound {
		t.Errorf("the last one comes back: %v", err)
	}
	// The back end sees it, and may not make it a group without an owner.
	for name, err := range map[string]error{
		"add": func() error { _, err := w.g.Add(ctx, actor("server"), "g1", []im.UserID{"mem"}, newID(t)); return err }(),
		"role": func() error {
			_, err := w.g.SetRole(ctx, actor("server"), "g1", "own", im.RoleOwner, newID(t))
			return err
		}(),
	} {
		if c := im.CodeOf(err); c != im.FailedPrecondition && c != im.NotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := w.members("g1"); got != "" {
		t.Errorf("there are %s", got)
	}
	if _, err := w.g.Create(ctx, actor("mem"), "g1", "mine", nil, nil, newID(t)); im.CodeOf(err) != im.AlreadyExists {
		t.Errorf("its id is used again: %v", err)
	}
}

func TestARetryHasNoSecondEffect(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	id := newID(t)
	first, err := w.g.Create(ctx, actor("own"), "", "title", []im.UserID{"mem", "mem", "own"}, nil, id)
	if err != nil {
		t.Fatal(err)
	}
	again, err := w.g.Create(ctx, actor("own"), "", "title", []im.UserID{"mem"}, nil, id)
	if err != nil || again.Id != first.Id || again.HeadSeq != 1 || again.MemberCount != 2 {
		t.Errorf("a second creation: %v %v", again, err)
	}
	conv, out := im.ConvID(first.Id), newID(t)
	a, err := w.g.Leave(ctx, actor("mem"), conv, out)
	if err != nil {
		t.Fatal(err)
	}
	b, err := w.g.Leave(ctx, actor("mem"), conv, out) // who is not in any more
	if err != nil || b.Seq != a.Seq {
		t.Errorf("a second leaving: %v %v", b, err)
	}
	if _, err := w.g.Leave(ctx, actor("mem"), conv, newID(t)); im.CodeOf(err) != im.NotFound {
		t.Errorf("leaving twice: %v", err)
	}
	if e, err := w.g.Add(ctx, actor("own"), conv, []im.UserID{"own"}, newID(t)); e != nil || err != nil {
		t.Errorf("adding who is in: %v %v", e, err)
	}
}

func TestWhatTheLogSaysOfAChange(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	w.make("g1", "own", "", "mem")
	for _, c := range []struct {
		do   func() (*im.Entry, error)
		want string
	}{
		{func() (*im.Entry, error) {
			return w.g.Add(ctx, actor("own"), "g1", []im.UserID{"z", "mem", "a", "z"}, newID(t))
		}, "added a z role member"},
		{func() (*im.Entry, error) { return w.g.SetRole(ctx, actor("own"), "g1", "a", im.RoleAdmin, newID(t)) }, "changed a role admin"},
		{func() (*im.Entry, error) { return w.g.Remove(ctx, actor("a"), "g1", "z", newID(t)) }, "removed z"},
		{func() (*im.Entry, error) { return w.g.Leave(ctx, actor("a"), "g1", newID(t)) }, "left a"},
		{func() (*im.Entry, error) { return w.g.Update(ctx, actor("own"), "g1", "new name", newID(t)) }, "title new name"},
	} {
		e, err := c.do()
		if err != nil {
			t.Fatal(err)
		}
		if got := said(t, e); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func said(t *testing.T, e *im.Entry) string {
	var b skeinv1.Body
	if err := proto.Unmarshal(e.Body, &b); err != nil {
		t.Fatal(err)
	}
	if c := b.GetContent().GetConversation(); c != nil {
		return "title " + c.Title
	}
	m := b.GetContent().GetMembers()
	var out []string
	for _, l := range []struct {
		word  string
		users []string
	}{{"added", m.GetAdded()}, {"removed", m.GetRemoved()}, {"left", m.GetLeft()}, {"changed", m.GetRoleChanged()}} {
		if len(l.users) > 0 {
			out = append(append(out, l.word), l.users...)
		}
	}
	if m.GetRole() != 0 {
		out = append(out, "role", strings.ToLower(strings.TrimPrefix(m.GetRole().String(), "ROLE_")))
	}
	return strings.Join(out, " ")
}

func TestTooManyMembersAndNamesThatAreNoneAreRefused(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	var many []im.UserID
	for i := range maxMembers {
		many = append(many, im.UserID(fmt.Sprint("u", i)))
	}
	for name, c := range map[string]struct {
		id    im.ConvID
		title string
		users []im.UserID
		want  im.Code
	}{
		"one too many":          {"g1", "", many, im.TooLarge},
		"exactly as many":       {"g2", "", many[1:], 0},
		"a user with a newline": {"g3", "", []im.UserID{"a\nb"}, im.InvalidArgument},
		"an empty user":         {"g4", "", []im.UserID{""}, im.InvalidArgument},
		"a title too long":      {"g5", strings.Repeat("x", 129), nil, im.InvalidArgument},
		"a title with a NUL":    {"g6", "a\x00b", nil, im.InvalidArgument},
		"an id of a direct one": {im.Direct("a", "b"), "", nil, im.InvalidArgument},
		"an id that is none":    {"g 7", "", nil, im.InvalidArgument},
	} {
		if _, err := w.g.Create(ctx, actor("own"), c.id, c.title, c.users, nil, newID(t)); im.CodeOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.g.Create(ctx, actor("server"), "g8", "", nil, nil, newID(t)); im.CodeOf(err) != im.InvalidArgument {
		t.Errorf("the back end creates: %v", err)
	}
	if _, err := w.g.CreateFor(ctx, actor("mem"), "own", "g8", "", nil, nil, newID(t)); im.CodeOf(err) != im.InvalidArgument {
		t.Errorf("a user creates for another: %v", err)
	}
	if _, err := w.g.CreateFor(ctx, actor("server"), "own", "g8", "", []im.UserID{"own", "mem"}, nil, newID(t)); err != nil || w.members("g8") != "mem=member own=owner" {
		t.Errorf("the back end creates for an owner: %v, %s", err, w.members("g8"))
	}
	if _, err := w.g.Add(ctx, actor("own"), im.Direct("own", "mem"), []im.UserID{"x"}, newID(t)); im.CodeOf(err) != im.FailedPrecondition {
		t.Errorf("a third one in a direct conversation: %v", err)
	}
	if _, err := w.g.Add(ctx, actor("own"), im.Direct("a", "b"), []im.UserID{"own"}, newID(t)); im.CodeOf(err) != im.NotFound {
		t.Errorf("oneself into the conversation of others: %v", err)
	}
}

// owners watches the group's members until stop is called: every snapshot has
// exactly one owner, or nobody at all.
func (w *world) owners(id im.ConvID) (stop func()) {
	quit := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			if got := w.members(id); got != "" && strings.Count(got, "=owner") != 1 {
				w.t.Errorf("a snapshot has %s", got)
			}
			select {
			case <-quit:
				return
			default:
			}
		}
	})
	return func() { close(quit); wg.Wait() }
}

// Whatever happens at the same time, on nodes that hear nothing of each other:
// handing over, demoting, removing, leaving, coming back. Whoever finds that
// they may not is refused, and the group has one owner at every moment.
func TestAGroupHasOneOwnerWhateverHappensAtOnce(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	names := []string{"u0", "u1", "u2", "u3", "u4", "u5"}
	w.make("g1", names[0], names[1], names[2:]...)
	stop := w.owners("g1")
	_, there := w.node()
	var wg sync.WaitGroup
	var mu sync.Mutex // guards handed
	handed := 0
	for i := range 12 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(7, uint64(i)))
			for range 120 {
				g := w.g
				if rng.IntN(2) == 0 {
					g = there
				}
				a, u := actor(names[rng.IntN(len(names))]), im.UserID(names[rng.IntN(len(names))])
				var err error
				switch rng.IntN(12) {
				case 0, 1, 2:
					if _, err = g.SetRole(ctx, a, "g1", u, im.RoleOwner, newID(t)); err == nil {
						mu.Lock()
						handed++
						mu.Unlock()
					}
				case 3, 4:
					_, err = g.SetRole(ctx, a, "g1", u, im.Role(1+rng.IntN(2)), newID(t))
				case 5:
					_, err = g.Remove(ctx, a, "g1", u, newID(t))
				case 6:
					_, err = g.Leave(ctx, a, "g1", newID(t))
				default: // the back end brings them back, or soon nobody is left
					_, err = g.Add(ctx, actor("server"), "g1", []im.UserID{u}, newID(t))
				}
				switch im.CodeOf(err) {
				case 0, im.PermissionDenied, im.NotFound, im.FailedPrecondition, im.InvalidArgument, im.Unavailable:
				default:
					t.Errorf("%v", err)
				}
			}
		})
	}
	wg.Wait()
	stop()
	if handed < 10 {
		t.Errorf("it was handed over only %d times", handed)
	}
	if got := w.members("g1"); strings.Count(got, "=owner") != 1 {
		t.Errorf("in the end: %q", got)
	}
}

func TestTwoWhoHandOverAtOnceLeaveOneOwner(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	_, there := w.node()
	for i := range 100 {
		id := im.ConvID(fmt.Sprint("g", i))
		w.make(id, "own", "adm", "mem")
		// The other node knows the roles of now, and will decide by them.
		if _, err := there.Add(ctx, actor("own"), id, []im.UserID{"mem"}, newID(t)); err != nil {
			t.Fatal(err)
		}
		results := make([]error, 3)
		var wg sync.WaitGroup
		for k, try := range []func() (*im.Entry, error){
			func() (*im.Entry, error) { return w.g.SetRole(ctx, actor("own"), id, "adm", im.RoleOwner, newID(t)) },
			func() (*im.Entry, error) { return there.SetRole(ctx, actor("own"), id, "mem", im.RoleOwner, newID(t)) },
			func() (*im.Entry, error) { return there.Remove(ctx, actor("own"), id, "adm", newID(t)) },
		} {
			wg.Go(func() { _, results[k] = try() })
		}
		wg.Wait()
		if got := w.members(id); strings.Count(got, "=owner") != 1 || strings.Contains(got, "own=owner") {
			t.Fatalf("after %v: %s", results, got)
		}
		if results[0] == nil && results[1] == nil {
			t.Fatalf("both handed over: %s", w.members(id))
		}
	}
}

func TestTheLastOwnerLeavesOrSomebodyJoinsAndNotBoth(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	_, there := w.node()
	for i := range 100 {
		id := im.ConvID(fmt.Sprint("g", i))
		w.make(id, "own", "")
		var left, joined error
		var wg sync.WaitGroup
		wg.Go(func() { _, left = w.g.Leave(ctx, actor("own"), id, newID(t)) })
		wg.Go(func() { _, joined = there.Add(ctx, actor("own"), id, []im.UserID{"mem"}, newID(t)) })
		wg.Wait()
		got := w.members(id)
		switch {
		case left == nil && joined != nil && got == "":
		case left != nil && joined == nil && got == "mem=member own=owner":
		default:
			t.Fatalf("left %v, joined %v: %s", left, joined, got)
		}
	}
}

func TestAGroupIsNeverFullerThanItsLimit(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	_, there := w.node()
	w.make("g1", "own", "adm")
	var wg sync.WaitGroup
	var mu sync.Mutex // guards full
	full := 0
	for i := range 40 {
		wg.Go(func() {
			g, a := w.g, actor("own")
			if i%2 == 0 {
				g, a = there, actor("adm")
			}
			if _, err := g.Add(ctx, a, "g1", []im.UserID{im.UserID(fmt.Sprint("u", i))}, newID(t)); im.CodeOf(err) == im.TooLarge {
				mu.Lock()
				full++
				mu.Unlock()
			} else if err != nil && im.CodeOf(err) != im.Unavailable {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(strings.Fields(w.members("g1"))); n > maxMembers || full == 0 {
		t.Errorf("%d members, %d were told that it is full", n, full)
	}
}

func TestOneOfTwoWhoMakeTheSameGroupGetsIt(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	_, there := w.node()
	for i := range 50 {
		id := im.ConvID(fmt.Sprint("g", i))
		errs := make([]error, 2)
		var wg sync.WaitGroup
		wg.Go(func() { _, errs[0] = w.g.Create(ctx, actor("ann"), id, "a", nil, nil, newID(t)) })
		wg.Go(func() { _, errs[1] = there.Create(ctx, actor("bob"), id, "b", nil, nil, newID(t)) })
		wg.Wait()
		codes := []im.Code{im.CodeOf(errs[0]), im.CodeOf(errs[1])}
		slices.Sort(codes)
		if codes[0] != 0 || codes[1] != im.AlreadyExists {
			t.Fatalf("%v", errs)
		}
	}
}
