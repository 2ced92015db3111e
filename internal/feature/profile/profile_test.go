package profile_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/feature/profile"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/page"
	"github.com/skein-im/skein/internal/pgtest"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// relations are pairs, "ann bob".
type relations struct{ contacts, blocks map[string]bool }

func (r relations) Contacts(_ context.Context, _ im.AppID, user im.UserID, others []im.UserID) (map[im.UserID]bool, error) {
	out := map[im.UserID]bool{}
	for _, o := range others {
		out[o] = r.contacts[string(user)+" "+string(o)] || r.contacts[string(o)+" "+string(user)]
	}
	return out, nil
}

func (r relations) Blockers(_ context.Context, _ im.AppID, user im.UserID, others []im.UserID) (map[im.UserID]bool, error) {
	out := map[im.UserID]bool{}
	for _, o := range others {
		out[o] = r.blocks[string(o)+" "+string(user)]
	}
	return out, nil
}

// reads are the users who hide how far they have read.
type reads map[im.UserID]bool

func (r reads) HidesReads(_ context.Context, _ im.AppID, user im.UserID) (bool, error) {
	return r[user], nil
}

func (r reads) HideReads(_ context.Context, a im.Actor, hide bool) error {
	r[a.User] = hide
	return nil
}

type world struct {
	t        *testing.T
	ctx      context.Context
	s        *profile.Service
	rel      relations
	searches int
	allow    error
}

func both(t *testing.T, test func(w *world)) {
	for name, target := range map[string]func(t *testing.T) string{
		"SQLite":     func(t *testing.T) string { return t.TempDir() },
		"PostgreSQL": func(t *testing.T) string { return pgtest.DB(t) },
	} {
		t.Run(name, func(t *testing.T) {
			d, err := db.Open(t.Context(), target(t), db.Options{Conns: 4})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { d.Close() })
			if err := d.Migrate(t.Context(), "profile", profile.Migrations()); err != nil {
				t.Fatal(err)
			}
			w := &world{t: t, ctx: t.Context(), rel: relations{map[string]bool{"ann bob": true}, map[string]bool{}}}
			settings := &skeinv1.AppSettings{ContactPolicy: skeinv1.ContactPolicy_CONTACT_POLICY_ANYONE.Enum(), DirectoryFields: &skeinv1.DirectoryFields{Names: []string{"phone"}}}
			w.s = profile.New(profile.Deps{DB: d, Clock: im.SystemClock{}, Relations: w.rel, Reads: reads{}, Pages: page.New([]byte("0123456789abcdef")),
				Exists:      func(_ context.Context, _ im.AppID, u im.UserID) (bool, error) { return u != "nobody", nil },
				Settings:    func(im.AppID) *skeinv1.AppSettings { return settings },
				AllowSearch: func(im.Actor) error { w.searches++; return w.allow }})
			test(w)
		})
	}
}

func actor(u string) im.Actor {
	if u == "server" {
		return im.Actor{App: "demo", Server: true}
	}
	return im.Actor{App: "demo", User: im.UserID(u)}
}

func (w *world) update(who string, p *skeinv1.Profile, fields ...string) error {
	_, err := w.s.UpdateProfile(w.ctx, actor(who), &skeinv1.UpdateProfileRequest{Profile: p, Fields: fields})
	return err
}

func (w *world) privacy(who string, p *skeinv1.Privacy) {
	w.t.Helper()
	_, err := w.s.UpdatePrivacy(w.ctx, actor(who), &skeinv1.UpdatePrivacyRequest{Privacy: p})
	w.must(err)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// see is what one sees of another, in one line.
func (w *world) see(who, whom string) string {
	w.t.Helper()
	r, err := w.s.GetProfiles(w.ctx, actor(who), &skeinv1.GetProfilesRequest{Users: []string{whom}})
	w.must(err)
	if len(r.Profiles) == 0 {
		return "nothing"
	}
	return line(r.Profiles[0])
}

func line(p *skeinv1.Profile) string {
	out := []string{p.Name, p.AvatarUrl, p.Bio, p.Gender, p.Birthday, p.Language}
	for _, c := range p.Custom {
		out = append(out, c.Name+"="+c.Value)
	}
	return strings.Join(out, "|")
}

func whole() *skeinv1.Profile {
	return &skeinv1.Profile{Name: "Ann Lee", AvatarUrl: "https://example.com/a.png", Bio: "two\nlines", Gender: "f", Birthday: "1990-02-28", Language: "zh-CN",
		Custom: []*skeinv1.ProfileField{{Name: "title", Value: "CTO"}, {Name: "phone", Value: "123"}}}
}

var all = []string{"name", "avatar_url", "bio", "gender", "birthday", "language", "custom"}

func TestEachPartIsSeenByWhomItIsFor(t *testing.T) {
	both(t, func(w *world) {
		w.must(w.update("ann", whole(), all...))
		full := "Ann Lee|https://example.com/a.png|two\nlines|f|1990-02-28|zh-CN|phone=123|title=CTO"
		for who, want := range map[string]string{"ann": full, "server": full, "bob": full, "eve": "Ann Lee|https://example.com/a.png|two\nlines|||zh-CN|phone=123|title=CTO"} {
			if got := w.see(who, "ann"); got != want {
				t.Errorf("%s sees %q", who, got)
			}
		}
		w.privacy("ann", &skeinv1.Privacy{Name: skeinv1.Visibility_VISIBILITY_CONTACTS, Custom: skeinv1.Visibility_VISIBILITY_NOBODY})
		if got := w.see("bob", "ann"); got != "Ann Lee|https://example.com/a.png|two\nlines|f|1990-02-28|zh-CN" {
			t.Errorf("bob sees %q", got)
		}
		if got := w.see("eve", "ann"); got != "|https://example.com/a.png|two\nlines|||zh-CN" {
			t.Errorf("eve sees %q", got)
		}
		hidden := skeinv1.Visibility_VISIBILITY_NOBODY
		w.privacy("ann", &skeinv1.Privacy{Name: hidden, AvatarUrl: hidden, Bio: hidden, Gender: hidden, Birthday: hidden, Language: hidden})
		if a, b := w.see("eve", "ann"), w.see("eve", "nobody"); a != "nothing" || a != b {
			t.Errorf("one who hides all shows %q, one who is not there %q", a, b)
		}
		if w.see("ann", "ann") != full {
			t.Error("ann does not see herself")
		}
	})
}

func TestOnlyWhatIsNamedChangesAndOnlyByWhoMay(t *testing.T) {
	both(t, func(w *world) {
		w.must(w.update("ann", whole(), all...))
		w.must(w.update("ann", &skeinv1.Profile{Bio: ""}, "bio"))
		w.must(w.update("server", &skeinv1.Profile{User: "ann", Name: "Ann"}, "name"))
		if got := w.see("ann", "ann"); got != "Ann|https://example.com/a.png||f|1990-02-28|zh-CN|phone=123|title=CTO" {
			t.Errorf("%q", got)
		}
		if err := w.update("eve", &skeinv1.Profile{User: "ann", Name: "x"}, "name"); im.CodeOf(err) != im.NotFound {
			t.Errorf("eve changed ann: %v", err)
		}
		if err := w.update("server", &skeinv1.Profile{Name: "x"}, "name"); im.CodeOf(err) != im.InvalidArgument {
			t.Errorf("a back end without a user: %v", err)
		}
	})
}

func TestBadValuesAreRefusedAndChangeNothing(t *testing.T) {
	both(t, func(w *world) {
		w.must(w.update("ann", whole(), all...))
		before := w.see("ann", "ann")
		many := make([]*skeinv1.ProfileField, 21)
		for i := range many {
			many[i] = &skeinv1.ProfileField{Name: fmt.Sprint("f", i), Value: "v"}
		}
		for name, c := range map[string]struct {
			p     *skeinv1.Profile
			field string
			code  im.Code
		}{
			"a long name":        {&skeinv1.Profile{Name: strings.Repeat("名", 65)}, "name", im.InvalidArgument},
			"a name of two":      {&skeinv1.Profile{Name: "a\nb"}, "name", im.InvalidArgument},
			"a turned name":      {&skeinv1.Profile{Name: "a\u202eb"}, "name", im.InvalidArgument},
			"a space before":     {&skeinv1.Profile{Name: " a"}, "name", im.InvalidArgument},
			"broken UTF-8":       {&skeinv1.Profile{Name: "\xff"}, "name", im.InvalidArgument},
			"http":               {&skeinv1.Profile{AvatarUrl: "http://example.com/a.png"}, "avatar_url", im.InvalidArgument},
			"javascript":         {&skeinv1.Profile{AvatarUrl: "javascript:alert(1)"}, "avatar_url", im.InvalidArgument},
			"a password":         {&skeinv1.Profile{AvatarUrl: "https://u:p@example.com/"}, "avatar_url", im.InvalidArgument},
			"a long bio":         {&skeinv1.Profile{Bio: strings.Repeat("x", 501)}, "bio", im.InvalidArgument},
			"no day":             {&skeinv1.Profile{Birthday: "1990-02-30"}, "birthday", im.InvalidArgument},
			"a day to come":      {&skeinv1.Profile{Birthday: "2990-01-01"}, "birthday", im.InvalidArgument},
			"21 fields":          {&skeinv1.Profile{Custom: many}, "custom", im.TooLarge},
			"a large field":      {&skeinv1.Profile{Custom: []*skeinv1.ProfileField{{Name: "f", Value: strings.Repeat("x", 1025)}}}, "custom", im.TooLarge},
			"a field twice":      {&skeinv1.Profile{Custom: []*skeinv1.ProfileField{{Name: "f"}, {Name: "f"}}}, "custom", im.InvalidArgument},
			"a field of no name": {&skeinv1.Profile{Custom: []*skeinv1.ProfileField{{Value: "x"}}}, "custom", im.InvalidArgument},
			"an unknown field":   {&skeinv1.Profile{}, "shoe_size", im.InvalidArgument},
		} {
			if err := w.update("ann", c.p, c.field); im.CodeOf(err) != c.code {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := w.update("ann", &skeinv1.Profile{Name: "x"}); im.CodeOf(err) != im.InvalidArgument {
			t.Errorf("no field: %v", err)
		}
		if got := w.see("ann", "ann"); got != before {
			t.Errorf("changed to %q", got)
		}
	})
}

func TestAVersionStandsForWhatItsReaderSees(t *testing.T) {
	both(t, func(w *world) {
		w.must(w.update("ann", whole(), all...))
		get := func(who string, known ...*skeinv1.KnownProfile) *skeinv1.GetProfilesResponse {
			r, err := w.s.GetProfiles(w.ctx, actor(who), &skeinv1.GetProfilesRequest{Users: []string{"ann", "nobody"}, Known: known})
			w.must(err)
			return r
		}
		eve, bob := get("eve").Profiles[0], get("bob").Profiles[0]
		if eve.Version == bob.Version {
			t.Error("two views have one version")
		}
		have := &skeinv1.KnownProfile{User: "ann", Version: eve.Version}
		if r := get("eve", have); len(r.Profiles) != 0 || strings.Join(r.Unchanged, " ") != "ann" {
			t.Errorf("unchanged: %v", r)
		}
		w.must(w.update("ann", &skeinv1.Profile{Gender: "x"}, "gender"))
		if r := get("eve", have); len(r.Unchanged) != 1 {
			t.Error("a change that eve does not see shows")
		}
		w.must(w.update("ann", &skeinv1.Profile{Name: "A."}, "name"))
		if r := get("eve", have); len(r.Profiles) != 1 || r.Profiles[0].Name != "A." {
			t.Errorf("changed: %v", r)
		}
	})
}

func (w *world) search(who string, r *skeinv1.SearchDirectoryRequest) string {
	w.t.Helper()
	got, err := w.s.SearchDirectory(w.ctx, actor(who), r)
	w.must(err)
	var out []string
	for _, p := range got.Profiles {
		out = append(out, p.User)
	}
	return strings.Join(out, " ")
}

func TestTheDirectoryFindsWhoWantsToBeFound(t *testing.T) {
	both(t, func(w *world) {
		nobody, contacts := skeinv1.Visibility_VISIBILITY_NOBODY, skeinv1.Visibility_VISIBILITY_CONTACTS
		w.must(w.update("ann", whole(), all...))
		w.must(w.update("amy", &skeinv1.Profile{Name: "ANNE  b"}, "name"))
		w.must(w.update("hid", &skeinv1.Profile{Name: "Anna", Custom: []*skeinv1.ProfileField{{Name: "phone", Value: "123"}}}, "name", "custom"))
		w.must(w.update("wang", &skeinv1.Profile{Name: "王小明"}, "name"))
		w.must(w.update("pct", &skeinv1.Profile{Name: "100% real_"}, "name"))
		w.privacy("hid", &skeinv1.Privacy{Findable: nobody})
		name := func(q string) *skeinv1.SearchDirectoryRequest { return &skeinv1.SearchDirectoryRequest{Name: q} }
		for q, want := range map[string]string{"ann": "ann amy", "ANN": "ann amy", "ann lee": "ann", "anne b": "amy", "王": "wang", "100%": "pct", "%%": "", "__": "", "nn": ""} {
			if got := w.search("eve", name(q)); got != want {
				t.Errorf("%q found %q, want %q", q, got, want)
			}
		}
		if got := w.search("eve", &skeinv1.SearchDirectoryRequest{Field: &skeinv1.ProfileField{Name: "phone", Value: "123"}}); got != "ann" {
			t.Errorf("by phone: %q", got)
		}
		for user, want := range map[string]string{"ann": "ann", "hid": "", "nobody": "", "new": "new"} {
			if got := w.search("eve", &skeinv1.SearchDirectoryRequest{User: user}); got != want {
				t.Errorf("by id %s: %q", user, got)
			}
		}
		w.privacy("ann", &skeinv1.Privacy{Findable: contacts})
		if a, b := w.search("eve", name("ann")), w.search("bob", name("ann")); a != "amy" || b != "ann amy" {
			t.Errorf("for contacts only: %q and %q", a, b)
		}
		w.rel.blocks["amy eve"] = true
		if got := w.search("eve", name("ann")); got != "" {
			t.Errorf("who has blocked eve is found by eve: %q", got)
		}
		w.privacy("ann", &skeinv1.Privacy{Findable: skeinv1.Visibility_VISIBILITY_EVERYBODY, Name: contacts, Custom: contacts})
		if a, b := w.search("bob", name("ann")), w.search("eve", &skeinv1.SearchDirectoryRequest{Field: &skeinv1.ProfileField{Name: "phone", Value: "123"}}); a != "amy" || b != "" {
			t.Errorf("by what not everybody sees: %q and %q", a, b)
		}
	})
}

func TestTheDirectoryIsPagedAndLimited(t *testing.T) {
	both(t, func(w *world) {
		for i := range 7 {
			w.must(w.update(fmt.Sprint("u", i), &skeinv1.Profile{Name: "Same Name"}, "name"))
		}
		var seen []string
		r := &skeinv1.SearchDirectoryRequest{Name: "same", Limit: 3}
		for pages := 0; pages < 5; pages++ {
			got, err := w.s.SearchDirectory(w.ctx, actor("eve"), r)
			w.must(err)
			for _, p := range got.Profiles {
				seen = append(seen, p.User)
			}
			if r.Page = got.NextPage; r.Page == "" {
				break
			}
		}
		if got := strings.Join(seen, " "); got != "u0 u1 u2 u3 u4 u5 u6" {
			t.Errorf("pages give %s", got)
		}
		first, err := w.s.SearchDirectory(w.ctx, actor("eve"), &skeinv1.SearchDirectoryRequest{Name: "same", Limit: 3})
		w.must(err)
		for name, bad := range map[string]struct {
			who string
			r   *skeinv1.SearchDirectoryRequest
		}{
			"another user's page":   {"bob", &skeinv1.SearchDirectoryRequest{Name: "same", Page: first.NextPage}},
			"another name's page":   {"eve", &skeinv1.SearchDirectoryRequest{Name: "other", Page: first.NextPage}},
			"a limit of 10^9":       {"eve", &skeinv1.SearchDirectoryRequest{Name: "same", Limit: 1e9}},
			"one letter":            {"eve", &skeinv1.SearchDirectoryRequest{Name: "s"}},
			"nothing":               {"eve", &skeinv1.SearchDirectoryRequest{}},
			"two questions":         {"eve", &skeinv1.SearchDirectoryRequest{Name: "same", User: "ann"}},
			"a field not looked up": {"eve", &skeinv1.SearchDirectoryRequest{Field: &skeinv1.ProfileField{Name: "title", Value: "CTO"}}},
		} {
			if _, err := w.s.SearchDirectory(w.ctx, actor(bad.who), bad.r); im.CodeOf(err) != im.InvalidArgument {
				t.Errorf("%s: %v", name, err)
			}
		}
		w.allow = im.Errorf(im.RateLimited, "too many")
		if _, err := w.s.SearchDirectory(w.ctx, actor("eve"), &skeinv1.SearchDirectoryRequest{User: "ann"}); im.CodeOf(err) != im.RateLimited {
			t.Errorf("past the limit: %v", err)
		}
	})
}

func TestWhoHidesTheirPresenceDoesNotSeeThatOfOthers(t *testing.T) {
	both(t, func(w *world) {
		sees := func(who string) string {
			got, err := w.s.SeesLastSeen(w.ctx, actor(who), []im.UserID{"ann", "bob", "eve"})
			w.must(err)
			var out []string
			for _, u := range got {
				out = append(out, string(u))
			}
			return strings.Join(out, " ")
		}
		if got := sees("eve"); got != "ann bob eve" {
			t.Errorf("by default eve sees %s", got)
		}
		w.privacy("ann", &skeinv1.Privacy{LastSeen: skeinv1.Visibility_VISIBILITY_CONTACTS})
		for who, want := range map[string]string{"ann": "ann bob", "bob": "ann bob eve", "eve": "bob eve"} {
			if got := sees(who); got != want {
				t.Errorf("%s sees %s, want %s", who, got, want)
			}
		}
		w.rel.blocks["bob ann"] = true
		if got := sees("ann"); got != "ann" {
			t.Errorf("who is blocked sees %s", got)
		}
		w.privacy("ann", &skeinv1.Privacy{ReadReceipts: skeinv1.ReadReceipts_READ_RECEIPTS_HIDE})
		w.privacy("ann", &skeinv1.Privacy{LastSeen: skeinv1.Visibility_VISIBILITY_NOBODY}) // which leaves it
		if p, err := w.s.GetPrivacy(w.ctx, actor("ann"), nil); err != nil || p.Privacy.ReadReceipts != skeinv1.ReadReceipts_READ_RECEIPTS_HIDE {
			w.t.Fatal(p, err)
		}
		p, err := w.s.GetPrivacy(w.ctx, actor("eve"), nil)
		w.must(err)
		if v := p.Privacy; v.ContactPolicy != skeinv1.ContactPolicy_CONTACT_POLICY_ANYONE || v.Birthday != skeinv1.Visibility_VISIBILITY_CONTACTS || v.LastSeen != skeinv1.Visibility_VISIBILITY_EVERYBODY || v.ReadReceipts != skeinv1.ReadReceipts_READ_RECEIPTS_SEND {
			t.Errorf("defaults: %v", v)
		}
	})
}

func TestTheBackEndPutsProfilesEachForItself(t *testing.T) {
	both(t, func(w *world) {
		own := im.Actor{App: "shop", Server: true}
		change := func(user, name, avatar string, fields ...string) *skeinv1.UpdateProfileRequest {
			return &skeinv1.UpdateProfileRequest{Profile: &skeinv1.Profile{User: user, Name: name, AvatarUrl: avatar}, Fields: fields}
		}
		refused, err := w.s.Put(w.ctx, own, []*skeinv1.UpdateProfileRequest{
			change("eve", "Eve", "https://shop.example/e.png", "name", "avatar_url"),
			change("mel", "Mel", "ftp://shop.example/m.png", "name", "avatar_url"),
			change("eve", "Eva", "", "name"), // the avatar stays
			change("zed", "", ""),
			change("", "Nobody", "", "name"),
		})
		if err != nil {
			w.t.Fatal(err)
		}
		for i, want := range []im.Code{0, im.InvalidArgument, 0, 0, im.InvalidArgument} {
			if got := refused[i]; (got == nil) != (want == 0) || got != nil && im.CodeOf(got) != want {
				w.t.Errorf("change %d: %v", i, got)
			}
		}
		got, err := w.s.GetProfiles(w.ctx, own, &skeinv1.GetProfilesRequest{Users: []string{"eve", "mel", "zed"}})
		if err != nil || len(got.Profiles) != 1 || got.Profiles[0].Name != "Eva" || got.Profiles[0].AvatarUrl == "" {
			w.t.Errorf("there are %v, %v", got, err)
		}
		if _, err := w.s.Put(w.ctx, im.Actor{App: "shop", User: "ann"}, nil); im.CodeOf(err) != im.NotFound {
			w.t.Errorf("a user: %v", err)
		}
	})
}

func TestOfAForgottenUserNothingIsLeft(t *testing.T) {
	both(t, func(w *world) {
		own := im.Actor{App: "shop", Server: true}
		if _, err := w.s.Put(w.ctx, own, []*skeinv1.UpdateProfileRequest{{Profile: &skeinv1.Profile{User: "eve", Name: "Eve",
			Custom: []*skeinv1.ProfileField{{Name: "phone", Value: "5551234"}}}, Fields: []string{"name", "custom"}}}); err != nil {
			w.t.Fatal(err)
		}
		follow := func(who, whom string) {
			w.t.Helper()
			if _, err := w.s.FollowUser(w.ctx, im.Actor{App: "shop", User: im.UserID(who)}, &skeinv1.FollowUserRequest{User: whom}); err != nil {
				w.t.Fatal(err)
			}
		}
		follow("eve", "bob")
		follow("zed", "eve")
		follow("zed", "bob")
		for range 2 {
			if err := w.s.Forget(w.ctx, "shop", "eve"); err != nil {
				w.t.Fatal(err)
			}
		}
		if got, err := w.s.GetProfiles(w.ctx, own, &skeinv1.GetProfilesRequest{Users: []string{"eve"}}); err != nil || len(got.Profiles) > 0 {
			w.t.Errorf("her profile: %v, %v", got, err)
		}
		for who, want := range map[string][2]uint32{"bob": {1, 0}, "zed": {0, 1}, "eve": {0, 0}} {
			got, err := w.s.GetFollows(w.ctx, im.Actor{App: "shop", User: im.UserID(who)}, &skeinv1.GetFollowsRequest{User: who})
			if err != nil || got.Followers != want[0] || got.Following != want[1] {
				w.t.Errorf("%s has %v, %v", who, got, err)
			}
		}
	})
}
