package user_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/feature/user"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/pgtest"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// accounts suspends whoever a back end names.
type accounts struct {
	user.Accounts
	suspended []im.UserID
}

func (c *accounts) SuspendUser(_ context.Context, a im.Actor, u im.UserID) (int, error) {
	if !a.Server {
		return 0, im.ErrNotFound
	}
	c.suspended = append(c.suspended, u)
	return 0, nil
}

// front is the front door, which breaks off after some pages.
type front struct {
	*chat.Service
	pages int // that are left; < 0 = any number
}

func (f *front) EraseFrom(ctx context.Context, app im.AppID, conv im.ConvID, u im.UserID, after im.Seq, most int) (im.Seq, int, bool, error) {
	if f.pages == 0 {
		return after, 0, true, im.Errorf(im.Unavailable, "the node has died")
	}
	f.pages--
	return f.Service.EraseFrom(ctx, app, conv, u, after, min(most, 4))
}

// queue notes the jobs.
type queue struct {
	specs []job.Spec
	taken bool // the job before is still there
}

func (q *queue) Enqueue(_ db.Tx, s job.Spec) (string, bool, error) {
	q.specs = append(q.specs, s)
	return "", !q.taken, nil
}

type world struct {
	t         *testing.T
	ctx       context.Context
	d         *db.DB
	j         journal.Journal
	front     *front
	accounts  *accounts
	queue     *queue
	forgotten int
	s         *user.Service
	run       func(context.Context, job.Job) error
}

func both(t *testing.T, test func(w *world)) {
	for name, target := range map[string]func(t *testing.T) string{
		"SQLite":     func(t *testing.T) string { return t.TempDir() },
		"PostgreSQL": func(t *testing.T) string { return pgtest.DB(t) },
	} {
		t.Run(name, func(t *testing.T) {
			d, err := db.Open(t.Context(), target(t), db.Options{Conns: 8})
			must(t, err)
			must(t, d.Migrate(t.Context(), "user", user.Migrations()))
			b := bus.NewLocal()
			w := &world{t: t, d: d, ctx: t.Context(), accounts: &accounts{}, queue: &queue{}}
			w.j, err = journal.Open(t.Context(), d, journal.Options{Clock: im.SystemClock{}, Committed: b.Ring})
			must(t, err)
			t.Cleanup(func() {
				must(t, w.j.Close(context.Background()))
				b.Close()
				must(t, d.Close())
			})
			w.front = &front{pages: -1, Service: chat.New(chat.Deps{Journal: w.j, Signals: b, Limits: chat.DefaultLimits(), Clock: im.SystemClock{},
				Log: slog.New(slog.DiscardHandler), CursorKey: []byte("0123456789abcdef")})}
			w.s = user.New(user.Deps{Accounts: w.accounts, DB: d, Jobs: w.queue, Clock: im.SystemClock{}, Entropy: im.SystemEntropy(), Chat: w.front,
				Forget: []func(context.Context, im.AppID, im.UserID) error{func(context.Context, im.AppID, im.UserID) error { w.forgotten++; return nil }}})
			w.run = user.Kind(func() *user.Service { return w.s }).Run
			test(w)
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) send(u im.UserID, conv im.ConvID, key, words string) im.Seq {
	w.t.Helper()
	id, err := im.NewClientID(time.Now(), im.SystemEntropy())
	must(w.t, err)
	body, err := proto.Marshal(&skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT,
		Content: &skeinv1.Content{Kind: &skeinv1.Content_Text{Text: &skeinv1.Text{Text: words}}}})
	must(w.t, err)
	res, err := w.front.Send(w.ctx, im.Actor{App: "shop", User: u}, chat.SendRequest{Conv: conv, ClientID: id, Key: key, Body: body})
	must(w.t, err)
	return res.Entry.Seq
}

// bodies counts the entries of a user that still say something, and all
// entries of a conversation.
func (w *world) bodies(u im.UserID, conv im.ConvID) (full, all int) {
	w.t.Helper()
	must(w.t, w.j.View(w.ctx, func(v journal.View) error {
		es, err := v.Entries("shop", conv, 1, 1000, 1000, false)
		full, all = 0, len(es)
		for _, e := range es {
			if e.Sender == u && len(e.Body) > 0 {
				full++
			}
		}
		return err
	}))
	return full, all
}

func (w *world) erasure() *skeinv1.Erasure {
	w.t.Helper()
	got, err := w.s.GetErasure(w.ctx, server, &skeinv1.GetErasureRequest{Id: "ann"})
	must(w.t, err)
	return got.Erasure
}

var server = im.Actor{App: "shop", Server: true}

func TestAnErasureThatBreaksOffGoesOnWhereItWas(t *testing.T) {
	both(t, func(w *world) {
		self := im.Self("ann")
		peers := []im.UserID{"bob", "carol", "dora"}
		for _, p := range peers {
			for i := range 6 {
				w.send("ann", im.Direct("ann", p), "", fmt.Sprintf("secret %d", i))
				w.send(p, im.Direct("ann", p), "", "theirs")
			}
		}
		w.send("ann", self, "", "a note")
		w.send("ann", self, "draft", "a draft")

		begun, err := w.s.EraseUser(w.ctx, server, &skeinv1.EraseUserRequest{Id: "ann"})
		must(w.t, err)
		if len(w.accounts.suspended) != 1 || len(w.queue.specs) != 1 || begun.Erasure.State != skeinv1.ErasureState_ERASURE_STATE_RUNNING {
			w.t.Fatalf("begun: %v, %v, %v", w.accounts, w.queue, begun)
		}
		j := job.Job{App: "shop", Body: w.queue.specs[0].Body}
		var last uint64
		for breaks := 0; ; breaks++ {
			w.front.pages = 2
			if err := w.run(w.ctx, j); err == nil {
				break
			}
			e := w.erasure()
			if e.State != skeinv1.ErasureState_ERASURE_STATE_RUNNING || e.Messages < last || breaks > 20 {
				w.t.Fatalf("after %d breaks: %v, %d messages before", breaks, e, last)
			}
			last = e.Messages
		}
		e := w.erasure()
		if e.State != skeinv1.ErasureState_ERASURE_STATE_DONE || e.Messages != 19 || e.Conversations != 4 || e.FinishedUs == 0 || last == 0 {
			w.t.Errorf("done: %v", e)
		}
		for _, p := range peers {
			conv := im.Direct("ann", p)
			if full, all := w.bodies("ann", conv); full != 0 || all != 18 { // 12 messages, and one recall for each of ann's
				w.t.Errorf("%s: %d messages of hers still say something, of %d entries", conv, full, all)
			}
			if full, _ := w.bodies(p, conv); full != 6 {
				w.t.Errorf("%s has %d messages left", p, full)
			}
		}
		if full, _ := w.bodies("ann", self); full != 0 {
			w.t.Errorf("%d entries of her own conversation still say something", full)
		}
		// The job runs once more when its end was not written down.
		before := w.forgotten
		must(w.t, w.run(w.ctx, j))
		if w.forgotten != before {
			w.t.Error("what is done was done again")
		}
	})
}

func TestWhatAnErasedUserDidToMessagesIsTakenBackOnce(t *testing.T) {
	both(t, func(w *world) {
		conv := im.Direct("ann", "bob")
		id := func() im.ClientID {
			id, err := im.NewClientID(time.Now(), im.SystemEntropy())
			must(t, err)
			return id
		}
		for range 5 {
			seq := w.send("bob", conv, "", "theirs")
			for _, emoji := range []string{"👍", "🎉", "👍"} { // one of them twice
				_, err := w.front.React(w.ctx, im.Actor{App: "shop", User: "ann"}, conv, seq, emoji, false, id())
				must(w.t, err)
			}
			_, err := w.front.React(w.ctx, im.Actor{App: "shop", User: "ann"}, conv, seq, "🎉", true, id())
			must(w.t, err)
			_, err = w.front.Extend(w.ctx, im.Actor{App: "shop", User: "ann"}, conv, seq, &skeinv1.Extension{Key: "k", Value: []byte("v")}, id())
			must(w.t, err)
		}
		if _, err := w.s.EraseUser(w.ctx, server, &skeinv1.EraseUserRequest{Id: "ann"}); err != nil {
			w.t.Fatal(err)
		}
		for breaks := 0; ; breaks++ {
			w.front.pages = 1
			if err := w.run(w.ctx, job.Job{App: "shop", Body: []byte("ann")}); err == nil {
				break
			}
			if breaks > 50 {
				w.t.Fatal("it does not end")
			}
		}
		kinds := map[im.Kind]int{}
		must(w.t, w.j.View(w.ctx, func(v journal.View) error {
			es, err := v.Entries("shop", conv, 31, 1000, 1000, false)
			for _, e := range es {
				kinds[e.Kind]++
			}
			return err
		}))
		if len(kinds) != 2 || kinds[im.KindReaction] != 5 || kinds[im.KindExtension] != 5 {
			w.t.Errorf("taken back by %v", kinds)
		}
		page, err := w.front.History(w.ctx, im.Actor{App: "shop", User: "bob"}, chat.HistoryRequest{Conv: conv, Limit: 10})
		must(w.t, err)
		for _, it := range page.Items {
			if len(it.Reactions)+len(it.Extensions) > 0 {
				w.t.Errorf("left: %v", it)
			}
		}
	})
}

func TestAnErasureIsBegunByTheBackEndAloneAndOnceAtATime(t *testing.T) {
	both(t, func(w *world) {
		ann := im.Actor{App: "shop", User: "ann"}
		if _, err := w.s.EraseUser(w.ctx, ann, &skeinv1.EraseUserRequest{Id: "ann"}); im.CodeOf(err) != im.NotFound || len(w.queue.specs) != 0 {
			w.t.Errorf("by a user: %v, %v", err, w.queue)
		}
		if _, err := w.s.GetErasure(w.ctx, server, &skeinv1.GetErasureRequest{Id: "ann"}); im.CodeOf(err) != im.NotFound {
			w.t.Errorf("before there is one: %v", err)
		}
		first, err := w.s.EraseUser(w.ctx, server, &skeinv1.EraseUserRequest{Id: "ann"})
		must(w.t, err)
		w.queue.taken = true
		again, err := w.s.EraseUser(w.ctx, server, &skeinv1.EraseUserRequest{Id: "ann"})
		must(w.t, err)
		if !proto.Equal(first, again) {
			w.t.Errorf("%v, and again %v", first, again)
		}
		if _, err := w.s.GetErasure(w.ctx, ann, &skeinv1.GetErasureRequest{Id: "ann"}); im.CodeOf(err) != im.NotFound {
			w.t.Errorf("a user looks: %v", err)
		}
		if _, err := w.s.GetErasure(w.ctx, im.Actor{App: "cafe", Server: true}, &skeinv1.GetErasureRequest{Id: "ann"}); im.CodeOf(err) != im.NotFound {
			w.t.Errorf("another app looks: %v", err)
		}
		must(w.t, w.run(w.ctx, job.Job{App: "shop", Body: []byte("ann")}))
		if e, err := w.s.EraseUser(w.ctx, server, &skeinv1.EraseUserRequest{Id: "ann"}); err != nil || e.Erasure.State != skeinv1.ErasureState_ERASURE_STATE_DONE {
			w.t.Errorf("a retry of what has ended: %v %v", e, err)
		}
		must(w.t, w.d.Write(w.ctx, func(tx db.Tx) error {
			_, err := tx.Exec("UPDATE user_erasure SET finished = finished - $1", (2 * time.Minute).Microseconds())
			return err
		}))
		// The job is done and still there: a new erasure would have none.
		if _, err := w.s.EraseUser(w.ctx, server, &skeinv1.EraseUserRequest{Id: "ann"}); im.CodeOf(err) != im.Unavailable {
			w.t.Errorf("between two: %v", err)
		}
		w.queue.taken = false
		if _, err := w.s.EraseUser(w.ctx, server, &skeinv1.EraseUserRequest{Id: "ann"}); err != nil || w.erasure().State != skeinv1.ErasureState_ERASURE_STATE_RUNNING {
			w.t.Errorf("anew: %v", err)
		}
	})
}
