package usage_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/feature/usage"
	"github.com/skein-im/skein/internal/follow"
	"github.com/skein-im/skein/internal/im"
	jobs "github.com/skein-im/skein/internal/job"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/metrics"
	"github.com/skein-im/skein/internal/pgtest"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a clock that a test moves.
type clock struct {
	mu  sync.Mutex // guards now
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// world is one database, on which nodes run.
type world struct {
	t     *testing.T
	d     *db.DB
	clock *clock

	mu      sync.Mutex // guards the rest
	quotas  map[im.AppID]*skeinv1.AppQuotas
	refused map[string]int
}

// node is one server on it, as far as it is about quotas.
type node struct {
	*world
	j     journal.Journal
	c     *chat.Service
	use   *usage.Service
	close func()
}

// counter counts refusals.
type counter struct {
	prometheus.Counter
	w    *world
	name string
}

// Inc implements prometheus.Counter.
func (c counter) Inc() {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	c.w.refused[c.name]++
}

func both(t *testing.T, test func(w *world)) {
	for name, target := range map[string]func(t *testing.T) string{
		"SQLite":     func(t *testing.T) string { return t.TempDir() },
		"PostgreSQL": func(t *testing.T) string { return pgtest.DB(t) },
	} {
		t.Run(name, func(t *testing.T) {
			d, err := db.Open(t.Context(), target(t), db.Options{Conns: 12})
			must(t, err)
			t.Cleanup(func() { must(t, d.Close()) })
			must(t, d.Migrate(t.Context(), "follow", follow.Migrations()))
			must(t, d.Migrate(t.Context(), "usage", usage.Migrations()))
			test(&world{t: t, d: d, clock: &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)},
				quotas: map[im.AppID]*skeinv1.AppQuotas{}, refused: map[string]int{}})
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// allow sets what the shop may use; the cafe has no quota.
func (w *world) allow(q *skeinv1.AppQuotas) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.quotas["shop"] = q
}

// node starts one.
func (w *world) node() *node {
	w.t.Helper()
	n := &node{world: w}
	b := bus.NewLocal()
	var err error
	n.j, err = journal.Open(w.t.Context(), w.d, journal.Options{Clock: w.clock, Committed: b.Ring})
	must(w.t, err)
	refused := metrics.Vec{}
	for _, name := range usage.Names() {
		refused[name] = counter{w: w, name: name}
	}
	n.use = usage.New(usage.Deps{DB: w.d, Clock: w.clock, Log: slog.New(slog.DiscardHandler), Refused: refused,
		Quotas: func(app im.AppID) *skeinv1.AppQuotas {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.quotas[app]
		},
		Users:  func(context.Context, im.AppID) (uint64, error) { return 3, nil },
		Online: func(im.AppID) int { return 2 }, Files: func(_ context.Context, _ im.AppID, use *skeinv1.AppUsage) error { use.StoredBytes = 77; return nil }})
	n.c = chat.New(chat.Deps{Journal: n.j, Signals: b, Limits: chat.DefaultLimits(), Clock: w.clock, Quota: n.use,
		Log: slog.New(slog.DiscardHandler), CursorKey: []byte("0123456789abcdef")})
	var once sync.Once
	n.close = func() {
		once.Do(func() {
			must(w.t, n.j.Close(context.Background()))
			must(w.t, n.use.Close(context.Background()))
			b.Close()
		})
	}
	w.t.Cleanup(n.close)
	return n
}

// settle runs the follower until it has seen all there is.
func (n *node) settle() {
	n.t.Helper()
	r, err := follow.New(follow.Options{DB: n.d, Journal: n.j, Clock: im.SystemClock{}, Entropy: im.SystemEntropy(),
		Log: slog.New(slog.NewTextHandler(n.t.Output(), nil))}, n.use.Follower())
	must(n.t, err)
	r.Start()
	defer func() { must(n.t, r.Close(context.Background())) }()
	deadline := time.After(20 * time.Second)
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		all, err := r.Status(n.t.Context())
		must(n.t, err)
		behind := len(all) < n.j.Shards()
		for _, s := range all {
			behind = behind || s.Behind > 0 || s.Parked > 0
		}
		if !behind {
			return
		}
		select {
		case <-again.C:
		case <-deadline:
			n.t.Fatalf("the follower is not there after 20 s: %+v", all)
		}
	}
}

func (w *world) id() im.ClientID {
	id, err := im.NewClientID(w.clock.Now(), im.SystemEntropy())
	must(w.t, err)
	return id
}

func text(s string) []byte {
	b, _ := proto.Marshal(&skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT,
		Content: &skeinv1.Content{Kind: &skeinv1.Content_Text{Text: &skeinv1.Text{Text: s}}}})
	return b
}

func ann(app im.AppID) im.Actor { return im.Actor{App: app, User: "ann", Device: "phone"} }

func (n *node) message() chat.SendRequest {
	return chat.SendRequest{Conv: im.Direct("ann", "bob"), ClientID: n.id(), Body: text("hello")}
}

func (n *node) send(app im.AppID) error {
	_, err := n.c.Send(n.t.Context(), ann(app), n.message())
	return err
}

// race has many do the same at once, and counts those who succeed; the others
// are refused by that code.
func (w *world) race(many int, code im.Code, do func(i int) error) (ok int) {
	w.t.Helper()
	errs := make([]error, many)
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() { errs[i] = do(i) })
	}
	wg.Wait()
	for _, err := range errs {
		if err == nil {
			ok++
		} else if im.CodeOf(err) != code {
			w.t.Errorf("refused by %v, want %v", err, code)
		}
	}
	return ok
}

// stored counts the messages of the shop, and its groups.
func (n *node) stored() (messages, groups int) {
	n.t.Helper()
	must(n.t, n.j.View(n.t.Context(), func(v journal.View) error {
		messages = 0
		for shard := range n.j.Shards() {
			es, err := v.Since(shard, 0, 1_000_000)
			if err != nil {
				return err
			}
			for i := range es {
				if es[i].App == "shop" && es[i].Kind == im.KindMessage {
					messages++
				}
			}
		}
		gs, err := v.Groups("shop", "", 1_000_000)
		groups = len(gs)
		return err
	}))
	return messages, groups
}

func refusal(t *testing.T, err error) *im.Error {
	t.Helper()
	var e *im.Error
	if !errors.As(err, &e) || e.Hint == "" {
		t.Fatalf("it says %v, and not what to do", err)
	}
	return e
}

func TestExactlyAsManyMessagesOfADayAreStoredAsThereIsRoom(t *testing.T) {
	for _, most := range []uint64{7, 4007} { // taken one by one, and four at a time
		both(t, func(w *world) {
			w.allow(&skeinv1.AppQuotas{MessagesPerDay: &most})
			nodes := []*node{w.node(), w.node()}
			for range most - 7 {
				if _, err := nodes[0].use.Message(w.t.Context(), "shop"); err != nil {
					w.t.Fatal(err)
				}
			}
			retried := nodes[0].message()
			first, err := nodes[0].c.Send(w.t.Context(), ann("shop"), retried)
			must(w.t, err)
			ok := w.race(100, im.ResourceExhausted, func(i int) error { return nodes[i%len(nodes)].send("shop") })
			if stored, _ := nodes[0].stored(); ok > 6 || ok < 6-3 || stored != ok+1 || most == 7 && ok != 6 {
				w.t.Errorf("of %d: %d sent and %d stored, where 6 had room", most, ok, stored)
			}
			if w.refused["app_messages_per_day"] != 100-ok {
				w.t.Errorf("counted as refused: %v", w.refused)
			}
			// A retry of what is stored is answered as that, on every node and by
			// every way, and another app sends on.
			for _, n := range nodes {
				again, err := n.c.Send(w.t.Context(), ann("shop"), retried)
				if err != nil || !again.Duplicate || again.Entry.Seq != first.Entry.Seq {
					w.t.Errorf("a retry: %v %v", again, err)
				}
				done := make(chan error, 1)
				n.c.NewPipe(ann("shop")).Submit(w.t.Context(), retried, func(_ journal.Result, err error) { done <- err })
				must(w.t, <-done)
				must(w.t, n.send("cafe"))
			}
			e := refusal(w.t, nodes[0].send("shop"))
			if e.Code != im.ResourceExhausted || e.RetryAfter != 10*time.Minute {
				w.t.Errorf("refused by %+v", e)
			}
			// Raised, it goes on at once; the next day all of it is there again.
			more := most + 2
			w.allow(&skeinv1.AppQuotas{MessagesPerDay: &more})
			must(w.t, nodes[1].send("shop"))
			w.allow(&skeinv1.AppQuotas{MessagesPerDay: proto.Uint64(2)})
			w.clock.advance(12 * time.Hour)
			if ok := w.race(20, im.ResourceExhausted, func(i int) error { return nodes[i%2].send("shop") }); ok != 2 {
				w.t.Errorf("on the next day %d were sent, want 2", ok)
			}
		})
	}
}

func TestWhatIsNoNewMessageOfTheDayIsFree(t *testing.T) {
	both(t, func(w *world) {
		w.allow(&skeinv1.AppQuotas{MessagesPerDay: proto.Uint64(3), MessagesPerSecond: proto.Float64(100)})
		n := w.node()
		r := n.message()
		sent, err := n.c.Send(w.t.Context(), ann("shop"), r)
		must(w.t, err)
		for range 10 { // retries, while there is room
			if again, err := n.c.Send(w.t.Context(), ann("shop"), r); err != nil || !again.Duplicate {
				w.t.Fatalf("a retry: %v %v", again, err)
			}
		}
		other := r
		other.Body = text("other")
		for range 10 { // what the journal refuses
			if _, err := n.c.Send(w.t.Context(), ann("shop"), other); im.CodeOf(err) != im.ClientIDReused {
				w.t.Fatalf("another message of the same id: %v", err)
			}
		}
		for i := range 5 { // what is about a message
			_, err := n.c.React(w.t.Context(), ann("shop"), r.Conv, sent.Entry.Seq, fmt.Sprint(i), false, n.id())
			must(w.t, err)
			_, err = n.c.Edit(w.t.Context(), ann("shop"), r.Conv, sent.Entry.Seq, text(fmt.Sprint(i)), n.id())
			must(w.t, err)
		}
		must(w.t, n.send("shop"))
		use, err := n.use.Usage(w.t.Context(), "shop")
		if err != nil || use.MessagesToday != 2 || use.Users != 3 || use.DevicesOnline != 2 {
			w.t.Errorf("used: %v %v", use, err)
		}
		// A message of another system is one of the day, and so is a reply in a thread.
		_, err = n.c.Import(w.t.Context(), im.Actor{App: "shop", Server: true}, r.Conv, n.id(), []*skeinv1.ImportedMessage{
			{ClientId: []byte("1"), Sender: "ann", TimeUs: 1, Body: &skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT,
				Content: &skeinv1.Content{Kind: &skeinv1.Content_Text{Text: &skeinv1.Text{Text: "old"}}}}}})
		must(w.t, err)
		reply := n.message()
		reply.Thread = sent.Entry.Seq
		if _, err := n.c.Send(w.t.Context(), ann("shop"), reply); im.CodeOf(err) != im.ResourceExhausted {
			w.t.Errorf("a reply in a thread when nothing is left: %v", err)
		}
	})
}

func TestWhatWasTakenOfADaySurvivesARestart(t *testing.T) {
	both(t, func(w *world) {
		w.allow(&skeinv1.AppQuotas{MessagesPerDay: proto.Uint64(5000)})
		n := w.node()
		for range 7 {
			must(w.t, n.send("shop"))
		}
		n.close()
		n = w.node()
		if use, err := n.use.Usage(w.t.Context(), "shop"); err != nil || use.MessagesToday != 7 {
			w.t.Errorf("after a restart: %v %v", use, err)
		}
		must(w.t, n.send("shop"))
		if use, err := n.use.Usage(w.t.Context(), "shop"); err != nil || use.MessagesToday != 8 {
			w.t.Errorf("after one more: %v %v", use, err)
		}
	})
}

func TestALowerQuotaHoldsAtOnceAlsoForWhatANodeHasTaken(t *testing.T) {
	both(t, func(w *world) {
		w.allow(&skeinv1.AppQuotas{MessagesPerDay: proto.Uint64(100_000)}) // a hundred at a time
		n := w.node()
		must(w.t, n.send("shop"))
		w.allow(&skeinv1.AppQuotas{MessagesPerDay: proto.Uint64(5)})
		if ok := w.race(20, im.ResourceExhausted, func(int) error { return n.send("shop") }); ok != 4 {
			w.t.Errorf("%d were sent, want 4", ok)
		}
		w.allow(&skeinv1.AppQuotas{MessagesPerDay: proto.Uint64(2)})
		if err := n.send("shop"); im.CodeOf(err) != im.ResourceExhausted {
			w.t.Errorf("below what was sent: %v", err)
		}
	})
}

// What was decided on a group that has changed meanwhile is decided again, and
// takes one place all the same.
func TestMessagesThatAreDecidedAgainCountOnce(t *testing.T) {
	both(t, func(w *world) {
		w.allow(&skeinv1.AppQuotas{MessagesPerDay: proto.Uint64(1000), MessagesPerSecond: proto.Float64(1000)})
		n := w.node()
		must(w.t, n.makeGroup("g", w.id()))
		pipe := n.c.NewPipe(ann("shop"))
		const many = 60
		done := make(chan error, many)
		for i := range many {
			r := n.message()
			r.Conv = "g"
			pipe.Submit(w.t.Context(), r, func(_ journal.Result, err error) { done <- err })
			if i%10 == 0 {
				title := fmt.Sprint("title ", i)
				_, err := n.c.Change(w.t.Context(), ann("shop"), "g", w.id(), func(*chat.Room) (chat.Change, error) {
					return chat.Change{Verb: chat.VerbTitle, Title: &title,
						Content: &skeinv1.Content{Kind: &skeinv1.Content_Conversation{Conversation: &skeinv1.ConversationChange{Title: title}}}}, nil
				})
				must(w.t, err)
			}
		}
		for range many {
			must(w.t, <-done)
		}
		stored, _ := n.stored()
		if use, err := n.use.Usage(w.t.Context(), "shop"); err != nil || stored != many || use.MessagesToday != many {
			w.t.Errorf("%d are stored and counted as %v, %v", stored, use, err)
		}
	})
}

func TestTheRateOfMessagesIsTheAppsAndNotItsNeighbours(t *testing.T) {
	both(t, func(w *world) {
		w.allow(&skeinv1.AppQuotas{MessagesPerSecond: proto.Float64(5), MessagesPerDay: proto.Uint64(1000)})
		n := w.node()
		pipe := n.c.NewPipe(ann("shop"))
		ok := w.race(100, im.RateLimited, func(i int) error {
			if i%2 == 0 {
				return n.send("shop")
			}
			done := make(chan error, 1)
			pipe.Submit(w.t.Context(), n.message(), func(_ journal.Result, err error) { done <- err })
			return <-done
		})
		if stored, _ := n.stored(); ok != 5 || stored != 5 {
			w.t.Errorf("%d were sent and %d stored, want 5", ok, stored)
		}
		if use, err := n.use.Usage(w.t.Context(), "shop"); err != nil || use.MessagesToday != 5 || use.StoredBytes != 77 {
			w.t.Errorf("of the day: %v %v", use, err)
		}
		if e := refusal(w.t, n.send("shop")); e.Code != im.RateLimited || e.RetryAfter != 200*time.Millisecond {
			w.t.Errorf("refused by %+v", e)
		}
		for range 20 {
			must(w.t, n.send("cafe"))
		}
		w.clock.advance(200 * time.Millisecond)
		must(w.t, n.send("shop"))
	})
}

// An app that goes on all the same: it is refused without a look at the
// database, and what that would have found is not said to be refused.
func TestRefusalsOfAnAppThatGoesOnCostTheOthersNoReads(t *testing.T) {
	both(t, func(w *world) {
		w.allow(&skeinv1.AppQuotas{MessagesPerSecond: proto.Float64(1)})
		n := w.node()
		stored := n.message()
		_, err := n.c.Send(w.t.Context(), ann("shop"), stored)
		must(w.t, err)
		codes := map[im.Code]int{}
		for range 700 {
			codes[im.CodeOf(n.send("shop"))]++
		}
		if codes[im.RateLimited] != 500 || codes[im.Unavailable] != 200 {
			w.t.Errorf("answered by %v", codes)
		}
		if _, err := n.c.Send(w.t.Context(), ann("shop"), stored); im.CodeOf(err) != im.Unavailable {
			w.t.Errorf("a retry meanwhile: %v", err)
		}
		must(w.t, n.send("cafe"))
		w.clock.advance(10 * time.Millisecond)
		if again, err := n.c.Send(w.t.Context(), ann("shop"), stored); err != nil || !again.Duplicate {
			w.t.Errorf("a retry later: %v %v", again, err)
		}
	})
}

func (n *node) makeGroup(id string, client im.ClientID) error {
	c := journal.Create{Kind: im.ConvGroup, Members: []journal.NewMember{{User: "ann", Role: im.RoleOwner}}}
	_, err := n.c.Create(n.t.Context(), ann("shop"), im.ConvID(id), client, c,
		&skeinv1.Content{Kind: &skeinv1.Content_Members{Members: &skeinv1.MembersChange{Added: []string{"ann"}}}})
	return err
}

// dissolve ends a group as feature/group does.
func (n *node) dissolve(id im.ConvID) error {
	attrs, err := proto.Marshal(&skeinv1.GroupSettings{Dissolved: true})
	must(n.t, err)
	_, err = n.c.Change(n.t.Context(), ann("shop"), id, n.id(), func(*chat.Room) (chat.Change, error) {
		return chat.Change{Verb: chat.VerbDissolve, Attrs: &attrs, Members: []journal.MemberChange{{User: "ann", Role: im.RoleNone}},
			Content: &skeinv1.Content{Kind: &skeinv1.Content_Members{Members: &skeinv1.MembersChange{Removed: []string{"ann"}}}, GroupChange: &skeinv1.GroupChange{Dissolved: true}}}, nil
	})
	return err
}

func TestExactlyAsManyGroupsAreMadeAsThereIsRoom(t *testing.T) {
	both(t, func(w *world) {
		nodes := []*node{w.node(), w.node()}
		kept := w.id()
		must(w.t, nodes[0].makeGroup("first", kept)) // without a quota
		nodes[0].settle()
		w.allow(&skeinv1.AppQuotas{Groups: proto.Uint64(6)})
		ok := w.race(60, im.ResourceExhausted, func(i int) error {
			return nodes[i%2].makeGroup(fmt.Sprint("g", i), w.id())
		})
		if _, groups := nodes[0].stored(); ok != 5 || groups != 6 || w.refused["app_groups"] != 55 {
			w.t.Errorf("%d were made and %d are there, %d were counted as refused", ok, groups, w.refused["app_groups"])
		}
		refusal(w.t, nodes[0].makeGroup("late", w.id()))
		must(w.t, nodes[1].makeGroup("first", kept)) // a retry
		nodes[0].settle()
		w.wantGroups(6)
		// The end of one is the place of another one, also for those that a
		// quota has not counted.
		must(w.t, nodes[0].dissolve("first"))
		nodes[0].settle()
		w.wantGroups(5)
		must(w.t, nodes[0].makeGroup("late", w.id()))
		must(w.t, nodes[1].makeGroup("first", kept)) // a retry of what is over takes nobody's place
		nodes[1].settle()
		w.wantGroups(6)
	})
}

// wantGroups compares the count with the places.
func (w *world) wantGroups(want uint64) {
	w.t.Helper()
	got, _, err := usage.Counts(w.t.Context(), w.d, "shop", 0)
	must(w.t, err)
	var rows uint64
	must(w.t, w.d.Read(w.t.Context(), func(tx db.Tx) error {
		return tx.QueryRow("SELECT count(*) FROM group_place WHERE app = 'shop'").Scan(&rows)
	}))
	if got != want || rows != want {
		w.t.Errorf("%d groups are counted and %d have a place, want %d", got, rows, want)
	}
}

func TestAGroupThatWasNotMadeGivesItsPlaceBack(t *testing.T) {
	both(t, func(w *world) {
		n := w.node()
		w.allow(&skeinv1.AppQuotas{Groups: proto.Uint64(2)})
		must(w.t, n.makeGroup("one", w.id()))
		if err := n.makeGroup("one", w.id()); im.CodeOf(err) != im.AlreadyExists {
			w.t.Errorf("a second group of the same id: %v", err)
		}
		n.settle()
		w.wantGroups(1)
		// Whoever took a place and died: it is given up after a while.
		_, err := n.use.Group(w.t.Context(), "shop", "never")
		must(w.t, err)
		if err := n.makeGroup("two", w.id()); im.CodeOf(err) != im.ResourceExhausted {
			w.t.Errorf("while it may still be made: %v", err)
		}
		w.clock.advance(5 * time.Minute)
		must(w.t, n.use.Kind().Run(w.t.Context(), jobs.Job{}))
		w.wantGroups(2)
		w.clock.advance(6 * time.Minute)
		must(w.t, n.use.Kind().Run(w.t.Context(), jobs.Job{}))
		w.wantGroups(1)
		must(w.t, n.makeGroup("two", w.id()))
		// Counted anew, it comes to the same.
		n.settle()
		r, err := follow.New(follow.Options{DB: n.d, Journal: n.j, Clock: im.SystemClock{}, Entropy: im.SystemEntropy(), Log: slog.New(slog.DiscardHandler)}, n.use.Follower())
		must(w.t, err)
		must(w.t, r.Rebuild(w.t.Context(), "groups"))
		must(w.t, r.Close(w.t.Context()))
		n.settle()
		w.wantGroups(2)
	})
}

func TestTheMembersOfAGroupAreThoseThatTheAppMayHave(t *testing.T) {
	both(t, func(w *world) {
		n := w.node()
		w.allow(&skeinv1.AppQuotas{GroupMembers: proto.Uint32(3)})
		for _, c := range []struct {
			app   im.AppID
			own   uint32 // what the group itself allows
			limit int    // the server's
			most  int
		}{{"shop", 0, 100, 3}, {"shop", 0, 2, 3}, {"shop", 2, 100, 2}, {"shop", 50, 100, 3}, {"cafe", 0, 100, 100}, {"cafe", 200, 100, 200}} {
			if err := n.c.CheckSize(c.app, c.own, c.limit, c.most); err != nil {
				w.t.Errorf("%+v: %v", c, err)
			}
			err := n.c.CheckSize(c.app, c.own, c.limit, c.most+1)
			if im.CodeOf(err) != im.TooLarge {
				w.t.Errorf("%+v: one more: %v", c, err)
			}
		}
		if w.refused["app_group_members"] != 3 {
			w.t.Errorf("refused %v", w.refused)
		}
		refusal(w.t, n.c.CheckSize("shop", 0, 100, 4))
		if n.c.MostMembers("shop", 100) != 3 || n.c.MostMembers("cafe", 100) != 100 {
			w.t.Error("what a group may be set to")
		}
	})
}

func TestTheCallsOfABackEndAreCountedOnlyWithAQuota(t *testing.T) {
	both(t, func(w *world) {
		n := w.node()
		if counted, err := n.use.Call("shop"); counted || err != nil {
			w.t.Errorf("without a quota: %v %v", counted, err)
		}
		w.allow(&skeinv1.AppQuotas{CallsPerSecond: proto.Float64(3)})
		ok := w.race(50, im.RateLimited, func(int) error { _, err := n.use.Call("shop"); return err })
		if ok != 3 || w.refused["app_calls_per_second"] != 47 {
			w.t.Errorf("%d calls, refused %v", ok, w.refused)
		}
		if counted, err := n.use.Call("cafe"); counted || err != nil {
			w.t.Errorf("another app: %v %v", counted, err)
		}
	})
}
