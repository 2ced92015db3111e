package search_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/feature/search"
	"github.com/skein-im/skein/internal/follow"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/page"
	"github.com/skein-im/skein/internal/pgtest"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a front door with its index, on one engine.
type world struct {
	t       *testing.T
	chat    *chat.Service
	search  *search.Service
	runner  *follow.Runner
	journal journal.Journal
	clock   *clock
	db      *db.DB
}

type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

var engines = map[string]func(t *testing.T) string{
	"SQLite":     func(t *testing.T) string { return t.TempDir() },
	"PostgreSQL": func(t *testing.T) string { return pgtest.DB(t) },
}

func newWorld(t *testing.T, engine string) *world {
	t.Helper()
	ctx := context.Background()
	d, err := db.Open(ctx, engines[engine](t), db.Options{Conns: 8})
	must(t, err)
	w := &world{t: t, db: d, clock: &clock{time.UnixMilli(1_790_000_000_000)}}
	must(t, d.Migrate(ctx, "follow", follow.Migrations()))
	must(t, d.Migrate(ctx, "search", search.Migrations()))
	b := bus.NewLocal()
	w.journal, err = journal.Open(ctx, d, journal.Options{Clock: w.clock, Committed: b.Ring})
	must(t, err)
	w.chat = chat.New(chat.Deps{Journal: w.journal, Signals: b, Limits: chat.DefaultLimits(), Clock: w.clock,
		Log: slog.New(slog.DiscardHandler), CursorKey: []byte("0123456789abcdef")})
	w.search = search.New(w.chat, d, page.New([]byte("0123456789abcdef")))
	w.runner, err = follow.New(follow.Options{DB: d, Journal: w.journal, Bus: b, Clock: im.SystemClock{}, Entropy: im.SystemEntropy(),
		Log: slog.New(slog.DiscardHandler)}, search.Index())
	must(t, err)
	w.runner.Start()
	t.Cleanup(func() {
		must(t, w.runner.Close(ctx))
		must(t, w.journal.Close(ctx))
		b.Close()
		must(t, d.Close())
	})
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func actor(name string) im.Actor {
	return im.Actor{App: "demo", User: im.UserID(name), Device: "phone"}
}

func (w *world) id() im.ClientID {
	id, err := im.NewClientID(w.clock.now, im.SystemEntropy())
	must(w.t, err)
	return id
}

func body(s string) []byte {
	b, _ := proto.Marshal(&skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT,
		Content: &skeinv1.Content{Kind: &skeinv1.Content_Text{Text: &skeinv1.Text{Text: s}}}})
	return b
}

func (w *world) say(by string, conv im.ConvID, s string) im.Entry {
	w.t.Helper()
	w.clock.now = w.clock.now.Add(time.Second)
	r, err := w.chat.Send(w.t.Context(), actor(by), chat.SendRequest{Conv: conv, ClientID: w.id(), Body: body(s)})
	must(w.t, err)
	return r.Entry
}

func (w *world) group(conv im.ConvID, members ...string) {
	w.t.Helper()
	c := journal.Create{Kind: im.ConvGroup}
	for i, m := range members {
		role := im.RoleMember
		if i == 0 {
			role = im.RoleOwner
		}
		c.Members = append(c.Members, journal.NewMember{User: im.UserID(m), Role: role})
	}
	_, err := w.chat.Create(w.t.Context(), actor(members[0]), conv, w.id(), c, &skeinv1.Content{Kind: &skeinv1.Content_Members{Members: &skeinv1.MembersChange{}}})
	must(w.t, err)
}

// caughtUp waits until the index holds what the journal has.
func (w *world) caughtUp() {
	w.t.Helper()
	for range 2000 {
		list, err := w.runner.Status(w.t.Context())
		must(w.t, err)
		behind := int64(0)
		for _, s := range list {
			behind += s.Behind
		}
		if len(list) == w.journal.Shards() && behind == 0 {
			return
		}
		<-time.After(5 * time.Millisecond)
	}
	w.t.Fatal("the index does not catch up")
}

// find returns the texts of the hits, newest first.
func (w *world) find(a im.Actor, r *skeinv1.SearchMessagesRequest) []string {
	w.t.Helper()
	res, err := w.search.Search(w.t.Context(), a, r)
	must(w.t, err)
	var out []string
	for _, h := range res.Hits {
		out = append(out, h.Entry.Body.Content.GetText().GetText())
	}
	return out
}

func both(t *testing.T, test func(w *world)) {
	for name := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(newWorld(t, name))
		})
	}
}

func TestOnlyWhatTheAskerMayReadIsFound(t *testing.T) {
	both(t, func(w *world) {
		w.group("g1", "ann", "bob")
		w.say("ann", "g1", "the secret plan")
		w.say("ann", im.Self("ann"), "secret notes")
		w.say("bob", im.Direct("bob", "cid"), "secret talk")
		_, err := w.chat.Change(w.t.Context(), actor("ann"), "g1", w.id(), func(*chat.Room) (chat.Change, error) {
			return chat.Change{Verb: chat.VerbMembers, Members: []journal.MemberChange{{User: "bob"}},
				Content: &skeinv1.Content{Kind: &skeinv1.Content_Members{Members: &skeinv1.MembersChange{Removed: []string{"bob"}}}}}, nil
		})
		must(w.t, err)
		w.say("ann", "g1", "the secret after bob")
		w.caughtUp()
		q := &skeinv1.SearchMessagesRequest{Query: "secret"}
		for who, want := range map[string]string{
			"ann": "the secret after bob|secret notes|the secret plan", "bob": "secret talk|the secret plan", "cid": "secret talk", "eve": "",
		} {
			if got := strings.Join(w.find(actor(who), q), "|"); got != want {
				w.t.Errorf("%s finds %q, want %q", who, got, want)
			}
		}
		twin := 0 // an app whose words stand beside this one's
		for search.Scope(im.AppID(fmt.Sprint("app", twin))) != search.Scope("demo") {
			twin++
		}
		for _, app := range []im.AppID{"other", im.AppID(fmt.Sprint("app", twin))} {
			if got := append(w.find(im.Actor{App: app, User: "ann"}, q), w.find(im.Actor{App: app, Server: true}, q)...); len(got) > 0 {
				w.t.Errorf("app %s finds %q", app, got)
			}
		}
		if got := w.find(im.Actor{App: "demo", Server: true}, q); len(got) != 4 {
			w.t.Errorf("the back end finds %q", got)
		}
		targeted := chat.SendRequest{Conv: "g1", ClientID: w.id(), Body: body("secret for nobody else"), ToDevices: []im.DeviceID{"tablet"}}
		_, err = w.chat.Send(w.t.Context(), actor("ann"), targeted)
		must(w.t, err)
		w.caughtUp()
		if got := w.find(actor("ann"), &skeinv1.SearchMessagesRequest{Query: "nobody"}); len(got) > 0 {
			w.t.Errorf("a device finds what is for another: %q", got)
		}
	})
}

func TestEditsAndRecallsAreReflected(t *testing.T) {
	both(t, func(w *world) {
		conv := im.Direct("ann", "bob")
		a := w.say("ann", conv, "the old words")
		b := w.say("bob", conv, "words to recall")
		w.caughtUp()
		_, err := w.chat.Edit(w.t.Context(), actor("ann"), conv, a.Seq, body("全新的内容"), w.id())
		must(w.t, err)
		_, err = w.chat.Recall(w.t.Context(), actor("bob"), conv, b.Seq, w.id())
		must(w.t, err)
		ask := func(q string) string {
			return strings.Join(w.find(actor("bob"), &skeinv1.SearchMessagesRequest{Query: q}), "|")
		}
		if got := ask("words"); got != "" { // even before the index knows
			w.t.Errorf("what was said is found: %q", got)
		}
		w.caughtUp()
		if got := ask("words") + ask("新的内容"); got != "全新的内容" {
			w.t.Errorf("got %q", got)
		}
		must(w.t, w.runner.Rebuild(w.t.Context(), "search"))
		w.caughtUp()
		if got := ask("words") + ask("新的"); got != "全新的内容" {
			w.t.Errorf("built again: %q", got)
		}
	})
}

func TestAnIndexOfAnotherFormIsMadeAnew(t *testing.T) {
	both(t, func(w *world) {
		w.say("ann", im.Direct("ann", "bob"), "some words")
		w.caughtUp()
		outdated := func() bool {
			old, err := w.search.Outdated(w.t.Context(), w.journal.Shards())
			must(w.t, err)
			return old
		}
		if !outdated() {
			w.t.Error("an index of unknown form is up to date")
		}
		must(w.t, w.db.Write(w.t.Context(), func(tx db.Tx) error {
			_, err := tx.Exec("UPDATE search_doc SET conv = 'lost'")
			return err
		}))
		must(w.t, w.runner.Rebuild(w.t.Context(), "search"))
		w.caughtUp()
		if got := w.find(actor("bob"), &skeinv1.SearchMessagesRequest{Query: "so"}); len(got) != 1 || outdated() {
			w.t.Errorf("found %q; outdated: %v", got, outdated())
		}
	})
}

func TestBadQueriesAndForeignPagesAreRefused(t *testing.T) {
	both(t, func(w *world) {
		conv := im.Direct("ann", "bob")
		for i := range 5 {
			w.say("ann", conv, fmt.Sprint("number ", i))
		}
		w.caughtUp()
		ask := func(a im.Actor, r *skeinv1.SearchMessagesRequest) (*skeinv1.SearchMessagesResponse, im.Code) {
			res, err := w.search.Search(w.t.Context(), a, r)
			return res, im.CodeOf(err)
		}
		first, code := ask(actor("ann"), &skeinv1.SearchMessagesRequest{Query: "number", Limit: 2})
		if code != 0 || len(first.Hits) != 2 || first.NextPage == "" {
			w.t.Fatal(code, first)
		}
		page := first.NextPage
		for name, c := range map[string]struct {
			who  im.Actor
			r    *skeinv1.SearchMessagesRequest
			want im.Code
		}{
			"nothing":              {actor("ann"), &skeinv1.SearchMessagesRequest{}, im.InvalidArgument},
			"spaces":               {actor("ann"), &skeinv1.SearchMessagesRequest{Query: "  "}, im.InvalidArgument},
			"signs":                {actor("ann"), &skeinv1.SearchMessagesRequest{Query: "🎉 ' OR 1=1 --"[:4]}, 0},
			"quotes":               {actor("ann"), &skeinv1.SearchMessagesRequest{Query: `" OR "x"* NEAR(`}, 0},
			"an operator":          {actor("ann"), &skeinv1.SearchMessagesRequest{Query: "number AND NOT tokens:x & | ! :*"}, 0},
			"a NUL":                {actor("ann"), &skeinv1.SearchMessagesRequest{Query: "number\x00"}, 0},
			"many words":           {actor("ann"), &skeinv1.SearchMessagesRequest{Query: strings.Repeat("a ", 17)}, im.InvalidArgument},
			"a long query":         {actor("ann"), &skeinv1.SearchMessagesRequest{Query: strings.Repeat("a", 257)}, im.InvalidArgument},
			"a limit":              {actor("ann"), &skeinv1.SearchMessagesRequest{Query: "a", Limit: 1e9}, im.InvalidArgument},
			"a time below 0":       {actor("ann"), &skeinv1.SearchMessagesRequest{Query: "a", AfterUs: -1}, im.InvalidArgument},
			"the end of time":      {actor("ann"), &skeinv1.SearchMessagesRequest{Query: "a", AfterUs: 1<<63 - 1, BeforeUs: 1<<63 - 1}, 0},
			"no conversation's id": {actor("ann"), &skeinv1.SearchMessagesRequest{Query: "number", Conversation: "@x"}, 0},
			"the other's page":     {actor("bob"), &skeinv1.SearchMessagesRequest{Query: "number", Page: page}, im.InvalidArgument},
			"another app's page":   {im.Actor{App: "other", User: "ann"}, &skeinv1.SearchMessagesRequest{Query: "number", Page: page}, im.InvalidArgument},
			"another query's page": {actor("ann"), &skeinv1.SearchMessagesRequest{Query: "numbers", Page: page}, im.InvalidArgument},
			"a forged page":        {actor("ann"), &skeinv1.SearchMessagesRequest{Query: "number", Page: page[:len(page)-1] + "A"}, im.InvalidArgument},
		} {
			res, code := ask(c.who, c.r)
			if code != c.want && !(name == "a forged page" && strings.HasSuffix(page, "A")) {
				w.t.Errorf("%s: %v, want %v", name, code, c.want)
			}
			if c.want == 0 && len(res.Hits) > 0 && name != "a NUL" {
				w.t.Errorf("%s finds %v", name, res.Hits)
			}
		}
		var got []string
		for r := (&skeinv1.SearchMessagesRequest{Query: "number", Limit: 2}); ; {
			res, code := ask(actor("ann"), r)
			if code != 0 {
				w.t.Fatal(code)
			}
			for _, h := range res.Hits {
				got = append(got, h.Entry.Body.Content.GetText().GetText())
			}
			if r.Page = res.NextPage; r.Page == "" {
				break
			}
		}
		if strings.Join(got, "|") != "number 4|number 3|number 2|number 1|number 0" {
			w.t.Errorf("pages: %q", got)
		}
	})
}

// Both engines give what a plain look at every message gives.
func TestBothEnginesFindTheSameAndAllOfIt(t *testing.T) {
	vocabulary := strings.Fields("北京 大学 北 京大 学生 会议 下午 三点 report Report report's meeting MEETING Café cafe go1 go 26 上海 海上 上 海 déjà")
	queries := []string{"北京", "北京大学", "大学", "会", "report", "rep", "meeting 下午", "cafe", "go", "go ", "m", "meeti", "meetin 下", "上海", "海上 report", "学生会", "deja", "26", "三点 北"}
	type said struct {
		by, conv, text string
		at             int64
	}
	var worlds []*world
	for _, name := range []string{"SQLite", "PostgreSQL"} {
		worlds = append(worlds, newWorld(t, name))
	}
	random := rand.New(rand.NewPCG(7, 7))
	people := []string{"ann", "bob", "cid"}
	for _, w := range worlds {
		w.group("g1", "ann", "bob")
		w.group("g2", "ann", "cid")
	}
	var log []said
	for range 400 {
		conv, by := "g1", people[random.IntN(2)]
		if random.IntN(2) == 0 {
			conv, by = "g2", people[random.IntN(2)*2]
		}
		var words []string
		for range 1 + random.IntN(6) {
			words = append(words, vocabulary[random.IntN(len(vocabulary))])
		}
		text := strings.Join(words, []string{" ", "", "，"}[random.IntN(3)])
		var at im.Micros
		for _, w := range worlds {
			at = w.say(by, im.ConvID(conv), text).Time
		}
		log = append(log, said{by, conv, text, int64(at)})
	}
	for _, w := range worlds {
		w.caughtUp()
	}
	all := 0
	for _, who := range people {
		for _, q := range queries {
			for _, r := range []*skeinv1.SearchMessagesRequest{{Query: q, Limit: 50}, {Query: q, Limit: 50, Conversation: "g1"}, {Query: q, Limit: 50, Sender: "ann"},
				{Query: q, Limit: 50, AfterUs: log[100].at, BeforeUs: log[300].at}, {Query: q, Limit: 50, Kind: skeinv1.SearchKind_SEARCH_KIND_TEXT}} {
				var want []string
				for _, s := range slices.Backward(log) {
					in := s.conv == "g1" && who != "cid" || s.conv == "g2" && who != "bob"
					if in && (r.Conversation == "" || r.Conversation == s.conv) && (r.Sender == "" || r.Sender == s.by) &&
						(r.AfterUs == 0 || s.at >= r.AfterUs && s.at < r.BeforeUs) && search.Matches(s.text, q) && len(want) < 50 {
						want = append(want, s.text)
					}
				}
				all += len(want)
				for i, w := range worlds {
					if got := w.find(actor(who), r); !slices.Equal(got, want) {
						t.Errorf("engine %d: %s searches %v: %d hits, want %d\n%q\n%q", i, who, r, len(got), len(want), got, want)
					}
				}
			}
		}
	}
	if all < 500 {
		t.Errorf("only %d hits: the test says little", all)
	}
}

func TestOnesOwnIsFoundBehindManyOfOthers(t *testing.T) {
	both(t, func(w *world) {
		for i := range 5 {
			w.say([]string{"cid", "dan"}[i%2], im.Direct("cid", "dan"), fmt.Sprint("common ", i))
		}
		w.group("g1", "ann", "bob")
		for i := range 900 {
			w.say("ann", "g1", fmt.Sprint("common talk ", i))
		}
		w.caughtUp()
		if got := w.find(actor("cid"), &skeinv1.SearchMessagesRequest{Query: "common"}); strings.Join(got, "|") != "common 4|common 3|common 2|common 1|common 0" {
			w.t.Errorf("found %q", got)
		}
		if got := w.find(actor("bob"), &skeinv1.SearchMessagesRequest{Query: "common", Limit: 50}); len(got) != 50 || got[49] != "common talk 850" {
			w.t.Errorf("found %d, the last %q", len(got), got[len(got)-1])
		}
	})
}
