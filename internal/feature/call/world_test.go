package call_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/feature/call"
	"github.com/skein-im/skein/internal/feature/call/calltest"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/page"
	"github.com/skein-im/skein/internal/pgtest"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) { http.DefaultClient.CloseIdleConnections() }))
}

// world is the package over a real journal and a strict media server, with a
// queue that only notes: a test runs the jobs itself.
type world struct {
	t     *testing.T
	d     *db.DB
	j     journal.Journal
	c     *chat.Service
	s     *call.Service
	media *calltest.Server
	deps  call.Deps
	kinds map[string]job.Kind
	queue *queue

	spool string // the folder of recordings
	ahead ahead  // the chat's clock

	mu    sync.Mutex // guards the rest
	files map[string]*skeinv1.File
	lost  error // of the store of files
	rings []call.Ring
	fail  error // of the next push
	deaf  error // of what the server writes into conversations
	then  func(call.Ring)
}

// ahead is a clock that is as much ahead as it says.
type ahead struct{ atomic.Int64 }

// Now implements im.Clock.
func (a *ahead) Now() time.Time { return time.Now().Add(time.Duration(a.Load())) }

// queue notes the jobs.
type queue struct {
	mu    sync.Mutex
	specs []job.Spec
}

func (q *queue) Enqueue(_ db.Tx, s job.Spec) (string, bool, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.specs = append(q.specs, s)
	return "", true, nil
}

func both(t *testing.T, test func(t *testing.T, w *world)) {
	for name, target := range map[string]func(t *testing.T) string{
		"SQLite":     func(t *testing.T) string { return t.TempDir() },
		"PostgreSQL": func(t *testing.T) string { return pgtest.DB(t) },
	} {
		t.Run(name, func(t *testing.T) {
			d, err := db.Open(t.Context(), target(t), db.Options{Conns: 8})
			must(t, err)
			w := &world{files: map[string]*skeinv1.File{}, spool: t.TempDir(), t: t, d: d, queue: &queue{}, kinds: map[string]job.Kind{}, media: calltest.New()}
			must(t, d.Migrate(t.Context(), "call", call.Migrations()))
			b := bus.NewLocal()
			w.j, err = journal.Open(t.Context(), d, journal.Options{Clock: im.SystemClock{}, Committed: b.Ring})
			must(t, err)
			w.c = chat.New(chat.Deps{Journal: w.j, Signals: b, Limits: chat.DefaultLimits(), Clock: &w.ahead, Policies: []chat.Policy{rules, w.hears},
				Log: slog.New(slog.DiscardHandler), CursorKey: []byte("0123456789abcdef")})
			w.deps = call.Deps{DB: d, Chat: w.c, Queue: w.queue, Pages: page.New([]byte("0123456789abcdef")), Clock: im.SystemClock{}, Entropy: im.SystemEntropy(),
				Log: slog.New(slog.DiscardHandler), Parties: 6, RingTime: time.Minute, Push: w.push,
				Media: &call.Media{URL: "ws://media.test", Where: call.At(w.media.HTTP.URL), Key: calltest.Key, Secret: calltest.Secret, Clock: im.SystemClock{}}}
			w.deps.Files, w.deps.Recordings = w, w.spool
			w.media.SetSpool(w.spool)
			w.s = call.New(w.deps)
			hook := httptest.NewServer(http.HandlerFunc(w.s.Webhook))
			w.media.SetHook(hook.URL)
			for _, k := range call.Kinds(func() *call.Service { return w.s }) {
				w.kinds[k.Name] = k
			}
			t.Cleanup(func() {
				for _, wrong := range w.media.Wrong() {
					t.Errorf("the media server's contract was broken: %s", wrong)
				}
				hook.Close()
				w.media.HTTP.Close()
				must(t, w.s.Close(context.Background()))
				must(t, w.j.Close(context.Background()))
				b.Close()
				must(t, d.Close())
			})
			test(t, w)
		})
	}
}

// rules stand for those of groups: who is muted or lacks the grant does not call.
func rules(_ context.Context, a *chat.Action) error {
	if a.Room.Kind != im.ConvGroup || a.Actor.Server {
		return nil
	}
	if need := chat.GrantsOf(a.Needs); !need.Within(a.Room.Grants(a.Actor.User, a.Now) | 1) {
		return im.Errorf(im.PermissionDenied, "no grant")
	}
	return nil
}

func (w *world) hears(_ context.Context, a *chat.Action) error {
	if !a.Actor.Server {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.deaf
}

func (w *world) push(_ context.Context, r call.Ring) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.fail; err != nil {
		w.fail = nil
		return err
	}
	w.rings = append(w.rings, r)
	if then := w.then; then != nil {
		w.mu.Unlock()
		defer w.mu.Lock()
		then(r)
	}
	return nil
}

// when does something once, while a user's devices are being told of a state.
func (w *world) when(a im.Actor, state string, do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.then = func(r call.Ring) {
		if r.User != a.User || r.Call.GetOwn().String() != "CALL_PARTY_STATE_"+state {
			return
		}
		w.mu.Lock()
		w.then = nil
		w.mu.Unlock()
		do()
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) want(code im.Code, err error, what string) {
	w.t.Helper()
	if im.CodeOf(err) != code {
		w.t.Errorf("%s: %v, want %v", what, err, code)
	}
}

func user(name, device string) im.Actor {
	return im.Actor{App: "demo", User: im.UserID(name), Device: im.DeviceID(device)}
}

var (
	ann, bob, cat = user("ann", "phone"), user("bob", "phone"), user("cat", "phone")
	eve           = user("eve", "phone")
	bobTablet     = user("bob", "tablet")
	ab            = im.Direct("ann", "bob")
	server        = im.Actor{App: "demo", Server: true}
)

func newID(t *testing.T) []byte {
	t.Helper()
	id, err := im.NewClientID(time.Now(), im.SystemEntropy())
	must(t, err)
	return id[:]
}

// group makes a group of ann, the owner, and others.
func (w *world) group(id im.ConvID, names ...im.UserID) {
	w.t.Helper()
	cid, _ := im.ParseClientID(newID(w.t))
	create := journal.Create{Kind: im.ConvGroup, Members: []journal.NewMember{{User: "ann", Role: im.RoleOwner}}}
	for _, n := range names {
		create.Members = append(create.Members, journal.NewMember{User: n, Role: im.RoleMember})
	}
	_, err := w.c.Create(w.t.Context(), ann, id, cid, create, &skeinv1.Content{Kind: &skeinv1.Content_Members{Members: &skeinv1.MembersChange{}}})
	must(w.t, err)
}

// member changes a member of a group, or takes them out.
func (w *world) member(conv im.ConvID, u im.UserID, role im.Role) {
	w.t.Helper()
	cid, _ := im.ParseClientID(newID(w.t))
	_, err := w.c.Change(w.t.Context(), ann, conv, cid, func(*chat.Room) (chat.Change, error) {
		return chat.Change{Verb: chat.VerbMembers, Members: []journal.MemberChange{{User: u, Role: role}},
			Content: &skeinv1.Content{Kind: &skeinv1.Content_Members{Members: &skeinv1.MembersChange{}}}}, nil
	})
	must(w.t, err)
}

func (w *world) start(a im.Actor, conv im.ConvID, users ...string) *skeinv1.StartCallResponse {
	w.t.Helper()
	r, err := w.s.StartCall(w.t.Context(), a, &skeinv1.StartCallRequest{Conversation: string(conv), ClientId: newID(w.t), Users: users})
	must(w.t, err)
	return r
}

func (w *world) join(a im.Actor, id string) *skeinv1.JoinCallResponse {
	w.t.Helper()
	r, err := w.s.JoinCall(w.t.Context(), a, &skeinv1.JoinCallRequest{Call: id})
	must(w.t, err)
	return r
}

func (w *world) tryJoin(a im.Actor, id string) error {
	_, err := w.s.JoinCall(w.t.Context(), a, &skeinv1.JoinCallRequest{Call: id})
	return err
}

func (w *world) decline(a im.Actor, id string) error {
	_, err := w.s.DeclineCall(w.t.Context(), a, &skeinv1.DeclineCallRequest{Call: id})
	return err
}

func (w *world) leave(a im.Actor, id string) {
	w.t.Helper()
	_, err := w.s.LeaveCall(w.t.Context(), a, &skeinv1.LeaveCallRequest{Call: id})
	must(w.t, err)
}

func (w *world) get(a im.Actor, id string) *skeinv1.Call {
	w.t.Helper()
	r, err := w.s.GetCall(w.t.Context(), a, &skeinv1.GetCallRequest{Call: id})
	must(w.t, err)
	return r.GetCall()
}

// parties is a call in words: "active ann=joined bob=ringing".
func (w *world) parties(id string) string {
	w.t.Helper()
	c := w.get(server, id)
	out := strings.ToLower(strings.TrimPrefix(c.GetState().String(), "CALL_STATE_"))
	if c.GetEnd() != 0 {
		out += "/" + strings.ToLower(strings.TrimPrefix(c.GetEnd().String(), "CALL_END_"))
	}
	for _, p := range c.GetParties() {
		out += " " + p.GetUser() + "=" + strings.ToLower(strings.TrimPrefix(p.GetState().String(), "CALL_PARTY_STATE_"))
	}
	return out
}

func (w *world) is(id, want, when string) {
	w.t.Helper()
	if got := w.parties(id); got != want {
		w.t.Errorf("%s the call is %q, want %q", when, got, want)
	}
}

// rung is what the devices of a user know of a call: what a device reads that
// connects now.
func (w *world) rung(a im.Actor, id string) string {
	w.t.Helper()
	var out string
	must(w.t, w.j.View(w.t.Context(), func(v journal.View) error {
		list, err := v.KeyedAt(a.App, im.Self(a.User), chat.CallsKey)
		for _, e := range list {
			p := chat.ProtoEntry(&e)
			for _, c := range p.GetBody().GetContent().GetCalls().GetCalls() {
				if c.GetCall() == id {
					out = strings.ToLower(strings.TrimPrefix(c.GetOwn().String(), "CALL_PARTY_STATE_"))
					if c.GetDevice() != "" {
						out += " by " + c.GetDevice()
					}
					if c.GetState() == skeinv1.CallState_CALL_STATE_ENDED {
						out += ", over"
					}
				}
			}
		}
		return err
	}))
	return out
}

// lines are the notices of a conversation.
func (w *world) lines(a im.Actor, conv im.ConvID) string {
	w.t.Helper()
	p, err := w.c.History(w.t.Context(), a, chat.HistoryRequest{Conv: conv})
	must(w.t, err)
	var out []string
	for _, i := range p.GetItems() {
		if n := i.GetEntry().GetBody().GetContent().GetNotice(); n != nil {
			out = append(out, n.GetCode()+": "+n.GetText())
		}
	}
	return strings.Join(out, " | ")
}

// due runs the newest job of a kind.
func (w *world) due(kind string) { w.t.Helper(); w.run(w.last(kind)) }

// last is the newest job of a kind.
func (w *world) last(kind string) (spec job.Spec) {
	w.queue.mu.Lock()
	defer w.queue.mu.Unlock()
	for _, s := range w.queue.specs {
		if s.Kind == kind {
			spec = s
		}
	}
	return spec
}

func (w *world) run(s job.Spec) {
	w.t.Helper()
	must(w.t, w.kinds[s.Kind].Run(w.t.Context(), job.Job{Kind: s.Kind, App: s.App, Key: s.Key, Body: s.Body, Try: 1}))
}

// age makes what is kept of a call's parties older.
func (w *world) age(by time.Duration) {
	w.t.Helper()
	must(w.t, w.d.Write(w.t.Context(), func(tx db.Tx) error {
		_, err := tx.Exec("UPDATE call_party SET ring = ring - $1, seen = seen - $1, joined = joined - CASE WHEN joined > 0 THEN $1 ELSE 0 END", by.Microseconds())
		if err == nil {
			_, err = tx.Exec("UPDATE call SET answered = answered - $1 WHERE answered > 0", by.Microseconds())
		}
		return err
	}))
}
