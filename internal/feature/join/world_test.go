package join_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/feature/join"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/page"
	"github.com/skein-im/skein/internal/pgtest"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// node is one front door: it hears nothing of what happens at the others.
type node struct {
	chat *chat.Service
	join *join.Service
	jobs *job.Queue
}

// world is nodes over one database.
type world struct {
	t     *testing.T
	d     *db.DB
	j     journal.Journal
	nodes []*node
	*node // the first
	// before, when set, is called by the journal before each append is
	// submitted, and says whether it is to be lost.
	before atomic.Pointer[func(a *journal.Append) (lose bool)]
}

// tapped is a journal whose appends a test can look at, stop or lose.
type tapped struct {
	journal.Journal
	w *world
}

func (t tapped) Submit(a *journal.Append, done func(journal.Result, error)) {
	if f := t.w.before.Load(); f != nil && (*f)(a) {
		done(journal.Result{}, im.Errorf(im.Unavailable, "the node died"))
		return
	}
	t.Journal.Submit(a, done)
}

const maxMembers = 300

// both runs a test on both engines.
func both(t *testing.T, nodes int, test func(t *testing.T, w *world)) {
	for name, target := range map[string]func(*testing.T) string{"SQLite": func(t *testing.T) string { return t.TempDir() }, "PostgreSQL": func(t *testing.T) string { return pgtest.DB(t) }} {
		t.Run(name, func(t *testing.T) { test(t, open(t, target(t), nodes)) })
	}
}

func open(t *testing.T, target string, nodes int) *world {
	w := &world{t: t}
	d, err := db.Open(t.Context(), target, db.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, d.Close()) })
	must(t, d.Migrate(t.Context(), "job", job.Migrations()))
	must(t, d.Migrate(t.Context(), "join", join.Migrations()))
	w.d = d
	if w.j, err = journal.Open(t.Context(), d, journal.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { must(t, w.j.Close(context.Background())) })
	for range nodes {
		w.nodes = append(w.nodes, w.newNode())
	}
	w.node = w.nodes[0]
	return w
}

func (w *world) newNode() *node {
	hints := bus.NewLocal()
	w.t.Cleanup(hints.Close)
	n := &node{}
	n.chat = chat.New(chat.Deps{Journal: tapped{w.j, w}, Signals: hints, Policies: []chat.Policy{join.NewRules(w.d).Policy}, Limits: chat.DefaultLimits(),
		Clock: im.SystemClock{}, CursorKey: []byte("0123456789abcdef")})
	log := slog.New(slog.DiscardHandler)
	var err error
	if n.jobs, err = job.New(job.Options{DB: w.d, Clock: im.SystemClock{}, Entropy: im.SystemEntropy(), Log: log}, join.Kinds(func() *join.Service { return n.join })...); err != nil {
		w.t.Fatal(err)
	}
	n.join = join.New(join.Deps{DB: w.d, Journal: w.j, Chat: n.chat, Jobs: n.jobs, Clock: im.SystemClock{}, Entropy: im.SystemEntropy(), Log: log, Members: maxMembers,
		AllowLookup: func(im.Actor) error { return nil }, Pages: page.New([]byte("0123456789abcdef"))})
	return n
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func actor(name string) im.Actor {
	switch {
	case name == "server":
		return im.Actor{App: "demo", Server: true}
	case strings.HasPrefix(name, "other/"):
		return im.Actor{App: "other", User: im.UserID(name[len("other/"):]), Device: "phone"}
	}
	return im.Actor{App: "demo", User: im.UserID(name), Device: "phone"}
}

func (w *world) id() im.ClientID {
	id, err := im.NewClientID(im.SystemClock{}.Now(), im.SystemEntropy())
	must(w.t, err)
	return id
}

func (w *world) cid() []byte { id := w.id(); return id[:] }

// make makes a group of ann, who owns it, adm, an admin, and members.
func (w *world) make(conv string, s *skeinv1.GroupSettings, members ...string) string {
	w.t.Helper()
	attrs, err := proto.Marshal(s)
	must(w.t, err)
	c := journal.Create{Kind: im.ConvGroup, Title: "The " + conv, Attrs: attrs,
		Members: []journal.NewMember{{User: "ann", Role: im.RoleOwner}, {User: "adm", Role: im.RoleAdmin}}}
	for _, m := range members {
		c.Members = append(c.Members, journal.NewMember{User: im.UserID(m), Role: im.RoleMember})
	}
	_, err = w.chat.Create(w.t.Context(), actor("ann"), im.ConvID(conv), w.id(), c, nil)
	must(w.t, err)
	return conv
}

func public(mode skeinv1.JoinMode) *skeinv1.GroupSettings {
	return &skeinv1.GroupSettings{Type: skeinv1.GroupType_GROUP_TYPE_PUBLIC, JoinMode: mode}
}

// in tells who is in a group, by what the journal says.
func (w *world) in(conv string) (out []string) {
	w.t.Helper()
	must(w.t, w.j.View(w.t.Context(), func(v journal.View) error {
		ms, err := v.Members("demo", im.ConvID(conv), "", 500)
		for _, m := range ms {
			out = append(out, string(m.User))
		}
		return err
	}))
	return out
}

func (w *world) isIn(conv, user string) bool {
	w.t.Helper()
	for _, u := range w.in(conv) {
		if u == user {
			return true
		}
	}
	return false
}

// heads is every head of the journal: what a refused call leaves as it was.
func (w *world) heads() string {
	w.t.Helper()
	var out string
	must(w.t, w.j.View(w.t.Context(), func(v journal.View) error {
		h, err := v.Heads()
		out = fmt.Sprint(h)
		return err
	}))
	return out
}

// refused expects an error, and that nothing was appended.
func (w *world) refused(what string, want im.Code, call func() error) {
	w.t.Helper()
	was := w.heads()
	if err := call(); im.CodeOf(err) != want {
		w.t.Errorf("%s: %v, want %v", what, err, want)
	}
	if is := w.heads(); is != was {
		w.t.Errorf("%s was refused and appended: heads %s, then %s", what, was, is)
	}
}

func (n *node) joinGroup(ctx context.Context, name, conv string, client []byte) (skeinv1.JoinOutcome, error) {
	r, err := n.join.JoinGroup(ctx, actor(name), &skeinv1.JoinGroupRequest{Conversation: conv, ClientId: client})
	return r.GetOutcome(), err
}

func (n *node) byInvite(ctx context.Context, name, code string, client []byte) error {
	_, err := n.join.JoinByInvite(ctx, actor(name), &skeinv1.JoinByInviteRequest{Code: code, ClientId: client})
	return err
}

// invite makes an invitation and returns its id and code.
func (w *world) invite(who, conv string, uses uint32, approval bool) (id, code string) {
	w.t.Helper()
	r, err := w.join.CreateInvite(w.t.Context(), actor(who), &skeinv1.CreateInviteRequest{Conversation: conv, MaxUses: uses, Approval: approval, ClientId: w.cid()})
	must(w.t, err)
	return r.Invite.Id, r.Code
}

// together runs calls at once and returns their errors.
func together(n int, call func(i int) error) []error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Add(1)
		go func() {
			defer wg.Done()
			<-start
			errs[i] = call(i)
		}()
	}
	close(start)
	wg.Wait()
	return errs
}

// exec changes the tables behind the service's back, as a crash would have
// left them.
func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	must(w.t, w.d.Write(w.t.Context(), func(tx db.Tx) error {
		_, err := tx.Exec(sql, args...)
		return err
	}))
}

func (w *world) count(sql string, args ...any) (n int64) {
	w.t.Helper()
	must(w.t, w.d.Read(w.t.Context(), func(tx db.Tx) error { return tx.QueryRow(sql, args...).Scan(&n) }))
	return n
}

func (w *world) leave(conv, user string) {
	w.t.Helper()
	_, err := w.chat.Change(w.t.Context(), actor(user), im.ConvID(conv), w.id(), func(*chat.Room) (chat.Change, error) {
		return chat.Change{Verb: chat.VerbMembers, Members: []journal.MemberChange{{User: im.UserID(user), Role: im.RoleNone}}, Content: members(&skeinv1.MembersChange{Left: []string{user}})}, nil
	})
	must(w.t, err)
}

func members(c *skeinv1.MembersChange) *skeinv1.Content {
	return &skeinv1.Content{Kind: &skeinv1.Content_Members{Members: c}}
}
