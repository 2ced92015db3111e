package group_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/feature/group"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/pgtest"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// engines runs a test over each journal that the server can have.
func engines(t *testing.T, test func(t *testing.T, w *world)) {
	t.Run("memory", func(t *testing.T) { test(t, newWorld(t)) })
	for name, target := range map[string]func(*testing.T) string{"SQLite": func(t *testing.T) string { return t.TempDir() }, "PostgreSQL": func(t *testing.T) string { return pgtest.DB(t) }} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			d, err := db.Open(ctx, target(t), db.Options{Clock: im.SystemClock{}, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { d.Close() })
			j, err := journal.Open(ctx, d, journal.Options{Clock: im.SystemClock{}, Entropy: im.SystemEntropy(), Shards: 1, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			w := &world{t: t, j: j}
			t.Cleanup(func() { j.Close(ctx) })
			w.c, w.g = w.node()
			test(t, w)
		})
	}
}

func text(s string) []byte {
	b, err := proto.Marshal(&skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT,
		Content: &skeinv1.Content{Kind: &skeinv1.Content_Text{Text: &skeinv1.Text{Text: s}}}})
	if err != nil {
		panic(err)
	}
	return b
}

func (w *world) say(c *chat.Service, who string, id im.ConvID, s string) (im.Seq, error) {
	r, err := c.Send(context.Background(), actor(who), chat.SendRequest{Conv: id, ClientID: newID(w.t), Body: text(s)})
	return r.Entry.Seq, err
}

func (w *world) head(id im.ConvID) im.Seq {
	w.t.Helper()
	var seq im.Seq
	if err := w.j.View(context.Background(), func(v journal.View) error {
		c, err := v.Conv("demo", id)
		seq = c.HeadSeq
		return err
	}); err != nil {
		w.t.Fatal(err)
	}
	return seq
}

func TestNobodyRaisesThemselvesOrTakesTheOwnersPlace(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		w.make("g1", "own", "adm", "mem", "mod")
		_, role, err := w.g.PutRole(ctx, actor("own"), "g1", &skeinv1.GroupRole{Name: "mod", Rank: 50,
			Grants: uint64(chat.GrantsOf(skeinv1.Grant_GRANT_MANAGE_ROLES, skeinv1.Grant_GRANT_MUTE, skeinv1.Grant_GRANT_MANAGE))}, newID(t))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.g.SetMemberRoles(ctx, actor("own"), "g1", "mod", []string{role}, newID(t)); err != nil {
			t.Fatal(err)
		}
		all := uint64(chat.AllGrants())
		before, head := w.members("g1"), w.head("g1")
		done := func(_ *im.Entry, err error) error { return err }
		put := func(who string, r *skeinv1.GroupRole) error {
			_, _, err := w.g.PutRole(ctx, actor(who), "g1", r, newID(t))
			return err
		}
		update := func(who string, s *skeinv1.GroupSettings, f string) error {
			return done(w.g.UpdateSettings(ctx, actor(who), "g1", s, []string{f}, newID(t)))
		}
		const no, not = im.PermissionDenied, im.FailedPrecondition
		for name, c := range map[string]struct {
			err  error
			want im.Code
		}{
			"a member makes themself admin":        {done(w.g.SetRole(ctx, actor("mem"), "g1", "mem", im.RoleAdmin, newID(t))), no},
			"an admin makes themself owner":        {done(w.g.SetRole(ctx, actor("adm"), "g1", "adm", im.RoleOwner, newID(t))), no},
			"an admin hands the group over":        {done(w.g.Transfer(ctx, actor("adm"), "g1", "mem", newID(t))), no},
			"the last owner is demoted":            {done(w.g.SetRole(ctx, actor("own"), "g1", "own", im.RoleMember, newID(t))), not},
			"the back end demotes the last owner":  {done(w.g.SetRole(ctx, actor("server"), "g1", "own", im.RoleAdmin, newID(t))), not},
			"an admin kicks the owner":             {done(w.g.Remove(ctx, actor("adm"), "g1", "own", newID(t))), no},
			"an admin mutes the owner":             {done(w.g.MuteMember(ctx, actor("adm"), "g1", "own", time.Hour, newID(t))), no},
			"an admin renames the owner":           {done(w.g.SetNickname(ctx, actor("adm"), "g1", "own", "x", newID(t))), no},
			"an admin dissolves":                   {done(w.g.Dissolve(ctx, actor("adm"), "g1", newID(t))), no},
			"a moderator makes a role as high":     {put("mod", &skeinv1.GroupRole{Name: "x", Rank: 50}), no},
			"a moderator gives grants they lack":   {put("mod", &skeinv1.GroupRole{Name: "x", Rank: 10, Grants: all}), no},
			"a moderator changes their own role":   {put("mod", &skeinv1.GroupRole{Id: role, Name: "mod", Rank: 50, Grants: all}), no},
			"a moderator gives themself a role":    {done(w.g.SetMemberRoles(ctx, actor("mod"), "g1", "mod", []string{role, role}, newID(t))), 0},
			"a member takes a role":                {done(w.g.SetMemberRoles(ctx, actor("mem"), "g1", "mem", []string{role}, newID(t))), no},
			"a moderator gives their role away":    {done(w.g.SetMemberRoles(ctx, actor("mod"), "g1", "mem", []string{role}, newID(t))), no},
			"a moderator lets members do more":     {update("mod", &skeinv1.GroupSettings{MemberGrants: &skeinv1.GrantSet{Bits: all}}, "member_grants"), no},
			"a moderator lets admins do less":      {update("mod", &skeinv1.GroupSettings{AdminGrants: &skeinv1.GrantSet{}}, "admin_grants"), no},
			"an admin changes the type":            {update("adm", &skeinv1.GroupSettings{Type: skeinv1.GroupType_GROUP_TYPE_PUBLIC}, "type"), no},
			"a moderator mutes everybody":          {done(w.g.MuteGroup(ctx, actor("mod"), "g1", time.Hour, newID(t))), no},
			"a role that there is not":             {done(w.g.SetMemberRoles(ctx, actor("own"), "g1", "mem", []string{"nope"}, newID(t))), im.NotFound},
			"a setting that there is not":          {update("own", &skeinv1.GroupSettings{}, "dissolved"), im.InvalidArgument},
			"grants that there are not":            {update("own", &skeinv1.GroupSettings{MemberGrants: &skeinv1.GrantSet{Bits: 1 << 60}}, "member_grants"), im.InvalidArgument},
			"an avatar that is a script":           {update("own", &skeinv1.GroupSettings{AvatarUrl: "javascript:alert(1)"}, "avatar_url"), im.InvalidArgument},
			"an avatar with a password":            {update("own", &skeinv1.GroupSettings{AvatarUrl: "https://u:p@x/y"}, "avatar_url"), im.InvalidArgument},
			"a nickname that turns round":          {done(w.g.SetNickname(ctx, actor("mem"), "g1", "mem", "a\u202eb", newID(t))), im.InvalidArgument},
			"a role's name with a line break":      {put("own", &skeinv1.GroupRole{Name: "a\nb", Rank: 1}), im.InvalidArgument},
			"a livestream out of what is none":     {update("own", &skeinv1.GroupSettings{Type: skeinv1.GroupType_GROUP_TYPE_LIVESTREAM}, "type"), not},
			"a mute of ten years":                  {done(w.g.MuteGroup(ctx, actor("own"), "g1", 10*365*24*time.Hour, newID(t))), im.InvalidArgument},
			"more members than the server lets be": {update("own", &skeinv1.GroupSettings{MaxMembers: 99_999}, "max_members"), im.InvalidArgument},
		} {
			if im.CodeOf(c.err) != c.want {
				t.Errorf("%s: %v, want %v", name, c.err, c.want)
			}
		}
		if got := w.members("g1"); got != before || w.head("g1") != head {
			t.Errorf("something changed: %s, head %d → %d", got, head, w.head("g1"))
		}
	})
}

// Two admins take each other's rank at once; two who were owners one after the
// other hand over at once. There is one owner at every moment, and who was
// demoted acts no more.
func TestWhoIsOvertakenIsRefused(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		_, there := w.node()
		for i := range 10 {
			id := im.ConvID(fmt.Sprint("g", i))
			w.make(id, "own", "adm", "mem")
			stop := w.owners(id)
			errs := make([]error, 4)
			var wg sync.WaitGroup
			wg.Go(func() { _, errs[0] = w.g.Transfer(ctx, actor("own"), id, "adm", newID(t)) })
			wg.Go(func() { _, errs[1] = there.SetRole(ctx, actor("own"), id, "adm", im.RoleMember, newID(t)) })
			wg.Go(func() { _, errs[2] = there.SetRole(ctx, actor("adm"), id, "own", im.RoleMember, newID(t)) })
			wg.Go(func() { _, errs[3] = w.g.MuteMember(ctx, actor("adm"), id, "mem", time.Hour, newID(t)) })
			wg.Wait()
			stop()
			got := w.members(id)
			if errs[0] == nil && !strings.Contains(got, "adm=owner") || errs[0] != nil && !strings.Contains(got, "own=owner") {
				t.Fatalf("%v: %s", errs, got)
			}
			if strings.Contains(got, "adm=member") && errs[1] != nil {
				t.Fatalf("demoted without a demotion: %v: %s", errs, got)
			}
		}
	})
}

// What is said at the moment of a mute, of the loss of a role, or of the end
// commits before it or not at all.
func TestNothingIsSaidAfterAMuteALostRoleOrTheEnd(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		there, groups := w.node()
		for i, stop := range []func(g *group.Service, id im.ConvID) (*im.Entry, error){
			func(g *group.Service, id im.ConvID) (*im.Entry, error) {
				return g.MuteMember(ctx, actor("own"), id, "mem", time.Hour, newID(t))
			},
			func(g *group.Service, id im.ConvID) (*im.Entry, error) {
				return g.MuteGroup(ctx, actor("own"), id, time.Hour, newID(t))
			},
			func(g *group.Service, id im.ConvID) (*im.Entry, error) {
				return g.Dissolve(ctx, actor("own"), id, newID(t))
			},
			func(g *group.Service, id im.ConvID) (*im.Entry, error) {
				return g.UpdateSettings(ctx, actor("own"), id, &skeinv1.GroupSettings{MemberGrants: &skeinv1.GrantSet{}}, []string{"member_grants"}, newID(t))
			},
		} {
			id := im.ConvID(fmt.Sprint("g", i))
			w.make(id, "own", "", "mem")
			var wg sync.WaitGroup
			said := make([][]im.Seq, 2)
			for k, c := range []*chat.Service{w.c, there} {
				wg.Go(func() {
					for range 400 {
						seq, err := w.say(c, "mem", id, "x")
						if err != nil {
							if code := im.CodeOf(err); code != im.PermissionDenied && code != im.NotFound && code != im.FailedPrecondition {
								t.Errorf("%v", err)
							}
							return
						}
						said[k] = append(said[k], seq)
					}
					t.Errorf("%d: nothing stopped them", i)
				})
			}
			e, err := stop(groups, id)
			if err != nil {
				t.Fatal(err)
			}
			wg.Wait()
			for _, list := range said {
				if n := len(list); n > 0 && list[n-1] > e.Seq {
					t.Errorf("%d: something was said at %d, behind %d", i, list[n-1], e.Seq)
				}
			}
		}
	})
}

func TestAMuteEndsByItselfAndLeavesReadingAndRecallAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, ctx := newWorld(t), context.Background()
		defer func() { w.j.Close(ctx) }()
		w.make("g1", "own", "adm", "mem")
		seq, err := w.say(w.c, "mem", "g1", "mine")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.g.MuteMember(ctx, actor("adm"), "g1", "mem", time.Hour, newID(t)); err != nil {
			t.Fatal(err)
		}
		_, err = w.say(w.c, "mem", "g1", "no")
		e, ok := err.(*im.Error)
		if !ok || e.Code != im.PermissionDenied || e.RetryAfter <= 59*time.Minute || e.RetryAfter > time.Hour {
			t.Errorf("%#v", err)
		}
		if _, err := w.c.Edit(ctx, actor("mem"), "g1", seq, text("edited"), newID(t)); im.CodeOf(err) != im.PermissionDenied {
			t.Errorf("an edit: %v", err)
		}
		if _, err := w.c.React(ctx, actor("mem"), "g1", seq, "👍", false, newID(t)); im.CodeOf(err) != im.PermissionDenied {
			t.Errorf("a reaction: %v", err)
		}
		if _, err := w.c.History(ctx, actor("mem"), chat.HistoryRequest{Conv: "g1"}); err != nil {
			t.Errorf("reading: %v", err)
		}
		if _, err := w.c.Recall(ctx, actor("mem"), "g1", seq, newID(t)); err != nil {
			t.Errorf("recall of one's own: %v", err)
		}
		if _, err := w.g.Leave(ctx, actor("mem"), "g1", newID(t)); err != nil {
			t.Fatal(err)
		}
		if _, err := w.g.Add(ctx, actor("adm"), "g1", []im.UserID{"mem"}, newID(t)); err != nil {
			t.Fatal(err)
		}
		if _, err := w.say(w.c, "mem", "g1", "back"); im.CodeOf(err) != im.PermissionDenied {
			t.Errorf("who left and came back: %v", err)
		}
		time.Sleep(time.Hour)
		if _, err := w.say(w.c, "mem", "g1", "again"); err != nil {
			t.Errorf("after an hour: %v", err)
		}
	})
}

func TestSlowModeLetsNobodySpeakTwiceAtOnce(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		there, _ := w.node()
		w.make("g1", "own", "adm", "mem")
		if _, err := w.g.UpdateSettings(ctx, actor("adm"), "g1", &skeinv1.GroupSettings{SlowModeS: 3600}, []string{"slow_mode_s"}, newID(t)); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			wg.Go(func() { _, errs[i] = w.say([]*chat.Service{w.c, there}[i%2], "mem", "g1", "x") })
		}
		wg.Wait()
		ok := 0
		for _, err := range errs {
			if e, limited := err.(*im.Error); err == nil {
				ok++
			} else if !limited || e.Code != im.RateLimited || e.RetryAfter <= 0 {
				t.Errorf("%#v", err)
			}
		}
		if ok != 1 {
			t.Errorf("%d of %d were said", ok, len(errs))
		}
		for range 3 {
			if _, err := w.say(w.c, "adm", "g1", "an admin"); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestARetryOfAChangeGetsItsFirstAnswerAndAnotherCallDoesNot(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	w.make("g1", "own", "", "mem")
	id := newID(t)
	first, err := w.g.MuteMember(ctx, actor("own"), "g1", "mem", time.Hour, id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.g.SetNickname(ctx, actor("mem"), "g1", "mem", "M", newID(t)); err != nil {
		t.Fatal(err)
	}
	again, err := w.g.MuteMember(ctx, actor("own"), "g1", "mem", time.Hour, id)
	if err != nil || again.Seq != first.Seq {
		t.Errorf("%v %v", again, err)
	}
	if _, err := w.g.MuteMember(ctx, actor("own"), "g1", "mem", 2*time.Hour, id); im.CodeOf(err) != im.ClientIDReused {
		t.Errorf("another mute with the same id: %v", err)
	}
	_, role, err := w.g.PutRole(ctx, actor("own"), "g1", &skeinv1.GroupRole{Name: "r", Rank: 1}, id)
	if im.CodeOf(err) != im.ClientIDReused {
		t.Errorf("a role with the same id: %q %v", role, err)
	}
	made := newID(t)
	_, a, err := w.g.PutRole(ctx, actor("own"), "g1", &skeinv1.GroupRole{Name: "r", Rank: 1}, made)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.g.SetNickname(ctx, actor("mem"), "g1", "mem", "N", newID(t)); err != nil {
		t.Fatal(err)
	}
	if _, b, err := w.g.PutRole(ctx, actor("own"), "g1", &skeinv1.GroupRole{Name: "r", Rank: 1}, made); err != nil || a != b {
		t.Errorf("%q %q %v", a, b, err)
	}
}

// endings is a world whose groups may be large, and what a crash leaves of the
// end of one.
func TestTheEndOfALargeGroupIsCompletedAfterACrash(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	asked := 0
	b := bus.NewLocal()
	t.Cleanup(b.Close)
	c := chat.New(chat.Deps{Journal: w.j, Signals: b, Policies: []chat.Policy{group.Rules}, Limits: chat.DefaultLimits(), Clock: im.SystemClock{},
		CursorKey: []byte("0123456789abcdef")})
	dying, die := context.WithCancel(ctx)
	g := group.New(c, 5000, func(context.Context, im.AppID, im.ConvID) error {
		asked++
		return nil
	})
	var us []im.UserID
	for i := range 1100 {
		us = append(us, im.UserID(fmt.Sprintf("u%04d", i)))
	}
	if _, err := g.Create(ctx, actor("own"), "big", "big", us, nil, newID(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Dissolve(ctx, actor("u0001"), "big", newID(t)); im.CodeOf(err) != im.PermissionDenied || asked != 0 {
		t.Errorf("%v, and %d jobs", err, asked)
	}
	// The node dies behind the first entry: only the job knows.
	id := newID(t)
	end := group.EndKind(func() *chat.Service { return c })
	watch := make(chan struct{})
	go func() {
		defer close(watch)
		for w.head("big") < 2 {
		}
		die()
	}()
	first, err := g.Dissolve(dying, actor("own"), "big", id)
	<-watch
	if err != nil {
		t.Logf("the call was cut off: %v", err)
	} else if first.Kind != im.KindMembers {
		t.Errorf("%v", first)
	}
	if asked != 1 {
		t.Errorf("%d jobs", asked)
	}
	if _, err := w.say(c, "u1099", "big", "still here?"); im.CodeOf(err) != im.FailedPrecondition && im.CodeOf(err) != im.NotFound {
		t.Errorf("said in a dissolved group: %v", err)
	}
	var told []im.Entry
	if err := w.j.View(ctx, func(v journal.View) (err error) {
		told, err = v.Entries("demo", "big", 2, 2, 1, false)
		return err
	}); err != nil || len(told) != 1 || len(told[0].ToUsers) != 0 {
		t.Errorf("the end is not told to all: %v %v", told, err)
	}
	spec := group.EndJob("demo", "big")
	if err := end.Run(ctx, job.Job{App: spec.App, Body: spec.Body, Created: c.Now()}); err != nil {
		t.Fatal(err)
	}
	if got := w.members("big"); got != "" {
		t.Errorf("left: %.80s", got)
	}
	if err := end.Run(ctx, job.Job{App: spec.App, Body: spec.Body, Created: c.Now()}); err != nil {
		t.Errorf("once more: %v", err)
	}
	if _, err := g.Add(ctx, actor("server"), "big", []im.UserID{"new"}, newID(t)); im.CodeOf(err) != im.FailedPrecondition {
		t.Errorf("the back end brings it back: %v", err)
	}
	if _, err := g.Create(ctx, actor("u0001"), "big", "mine", nil, nil, newID(t)); im.CodeOf(err) != im.AlreadyExists {
		t.Errorf("its id is used again: %v", err)
	}
}
