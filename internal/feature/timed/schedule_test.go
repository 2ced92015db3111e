package timed_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/feature/timed"
	"github.com/skein-im/skein/internal/gateway"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/pgtest"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is the package over a real journal, with a queue that only notes: a
// test runs the jobs itself.
type world struct {
	t     *testing.T
	d     *db.DB
	j     journal.Journal
	c     *chat.Service
	front *front
	kinds map[string]job.Kind
	run   job.Kind // of scheduled messages
	s     *timed.Service
	burns *timed.Burns
	clock *clock
	queue *queue
	shelf shelf
}

// clock is the machine's, moved by as much as a test says.
type clock struct{ shift atomic.Int64 }

func (c *clock) Now() time.Time { return time.Now().Add(time.Duration(c.shift.Load())) }

// front is the front door, whose answers can get lost.
type front struct {
	*chat.Service
	mu   sync.Mutex
	lose int // so many answers of sends into conversations of others
}

func (f *front) Send(ctx context.Context, a im.Actor, r chat.SendRequest) (journal.Result, error) {
	res, err := f.Service.Send(ctx, a, r)
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Key == "" && f.lose > 0 {
		f.lose--
		return journal.Result{}, im.Errorf(im.Unavailable, "the answer was lost")
	}
	return res, err
}

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
			w := &world{t: t, d: d, queue: &queue{}, kinds: map[string]job.Kind{}, clock: &clock{}, shelf: shelf{}}
			must(t, d.Migrate(t.Context(), "timed", timed.Migrations()))
			b := bus.NewLocal()
			w.j, err = journal.Open(t.Context(), d, journal.Options{Clock: im.SystemClock{}, Committed: b.Ring})
			must(t, err)
			t.Cleanup(func() {
				must(t, w.j.Close(context.Background()))
				b.Close()
				must(t, d.Close())
			})
			w.burns = timed.NewBurns(d, w.j, w.queue)
			w.front = &front{}
			w.front.Service = chat.New(chat.Deps{Journal: w.j, Signals: b, Limits: chat.DefaultLimits(), Clock: w.clock, Reading: w.burns.Reading,
				Log: slog.New(slog.DiscardHandler), CursorKey: []byte("0123456789abcdef")})
			w.c = w.front.Service
			w.s = timed.New(timed.Deps{DB: d, Chat: w.front, Queue: w.queue, Clock: w.clock, Entropy: im.SystemEntropy(),
				Log: slog.New(slog.DiscardHandler), Decode: gateway.DecodeSend, IDWindow: 30 * 24 * time.Hour, Files: w.shelf})
			for _, k := range timed.Kinds(func() *timed.Service { return w.s }, func() *timed.Burns { return w.burns }) {
				w.kinds[k.Name] = k
			}
			w.run = w.kinds["scheduled"]
			test(t, w)
		})
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

func user(name string) im.Actor {
	return im.Actor{App: "demo", User: im.UserID(name), Device: im.DeviceID(name + "-phone")}
}

var ann, bob, eve = user("ann"), user("bob"), user("eve")

func newID(t *testing.T) []byte {
	t.Helper()
	id, err := im.NewClientID(time.Now(), im.SystemEntropy())
	must(t, err)
	return id[:]
}

func in(d time.Duration) int64 { return time.Now().Add(d).UnixMicro() }

func request(conv im.ConvID, text string) *skeinv1.SendMessageRequest {
	return &skeinv1.SendMessageRequest{Conversation: string(conv), Body: &skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT,
		Content: &skeinv1.Content{Kind: &skeinv1.Content_Text{Text: &skeinv1.Text{Text: text}}}}}
}

func (w *world) schedule(a im.Actor, conv im.ConvID, text string) *skeinv1.Scheduled {
	w.t.Helper()
	r, err := w.s.ScheduleMessage(w.t.Context(), a, &skeinv1.ScheduleMessageRequest{Message: request(conv, text), SendAtUs: in(time.Hour), ClientId: newID(w.t)})
	must(w.t, err)
	return r.GetScheduled()
}

// due runs the newest job.
func (w *world) due(try int) error {
	w.t.Helper()
	w.queue.mu.Lock()
	s := w.queue.specs[len(w.queue.specs)-1]
	w.queue.mu.Unlock()
	return w.run.Run(w.t.Context(), job.Job{Kind: s.Kind, App: s.App, Key: s.Key, Try: try})
}

// texts are the messages of a conversation.
func (w *world) texts(a im.Actor, conv im.ConvID) string {
	w.t.Helper()
	p, err := w.c.History(w.t.Context(), a, chat.HistoryRequest{Conv: conv})
	must(w.t, err)
	var out []string
	for _, i := range p.GetItems() {
		if x := i.GetEntry().GetBody().GetContent().GetText(); x != nil {
			out = append(out, x.GetText())
		}
	}
	return strings.Join(out, " ")
}

func (w *world) list(a im.Actor) []*skeinv1.Scheduled {
	w.t.Helper()
	r, err := w.s.ListScheduled(w.t.Context(), a, &skeinv1.ListScheduledRequest{})
	must(w.t, err)
	return r.GetScheduled()
}

var ab = im.Direct("ann", "bob")

func TestAScheduledMessageIsSentOnceWhateverRunsTwice(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		w.schedule(ann, ab, "later")
		if l := w.list(ann); len(l) != 1 || l[0].GetMessage().GetBody().GetContent().GetText().GetText() != "later" ||
			l[0].GetState() != skeinv1.ScheduledState_SCHEDULED_STATE_WAITING {
			t.Fatalf("the list is %v", l)
		}
		// The node dies after the message was stored and before that is known,
		// twice; then two nodes run the job at once, and it runs once more.
		w.front.lose = 2
		for try := 1; try <= 2; try++ {
			w.want(im.Unavailable, w.due(try), "a run whose answer was lost")
			if l := w.list(ann); len(l) != 1 || l[0].GetState() != skeinv1.ScheduledState_SCHEDULED_STATE_SENDING {
				t.Fatalf("meanwhile the list is %v", l)
			}
		}
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() { w.want(0, w.due(3), "one of two nodes") })
		}
		wg.Wait()
		must(t, w.due(4))
		if got := w.texts(bob, ab); got != "later" {
			t.Errorf("bob has %q", got)
		}
		if l := w.list(ann); len(l) != 0 {
			t.Errorf("the list is %v", l)
		}
	})
}

func TestSendingNowAndTheMomentItselfSendOnce(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		for i := range 5 {
			m := w.schedule(ann, ab, fmt.Sprint("m", i))
			first := w.queue.specs[len(w.queue.specs)-1]
			var wg sync.WaitGroup
			var now *skeinv1.SendScheduledNowResponse
			var err error
			wg.Go(func() {
				now, err = w.s.SendScheduledNow(t.Context(), ann, &skeinv1.SendScheduledNowRequest{Id: m.GetId()})
			})
			wg.Go(func() {
				_ = w.run.Run(t.Context(), job.Job{Kind: first.Kind, App: first.App, Key: first.Key, Try: 1})
			})
			wg.Wait()
			must(t, err)
			again, err := w.s.SendScheduledNow(t.Context(), ann, &skeinv1.SendScheduledNowRequest{Id: m.GetId()})
			must(t, err)
			if again.GetEntry().GetSeq() != now.GetEntry().GetSeq() || now.GetEntry().GetSeq() == 0 {
				t.Errorf("sent as %v, and again as %v", now, again)
			}
		}
		if got := w.texts(bob, ab); got != "m0 m1 m2 m3 m4" {
			t.Errorf("bob has %q", got)
		}
	})
}

func TestWhatMayNotBeSentWhenItsTimeComesHasFailedVisibly(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		create := journal.Create{Kind: im.ConvGroup, Members: []journal.NewMember{{User: "bob", Role: im.RoleOwner}, {User: "ann", Role: im.RoleMember}}}
		cid, _ := im.ParseClientID(newID(t))
		_, err := w.c.Create(ctx, bob, "g1", cid, create, &skeinv1.Content{Kind: &skeinv1.Content_Members{Members: &skeinv1.MembersChange{}}})
		must(t, err)
		m := w.schedule(ann, "g1", "too late")
		members := func(role im.Role) {
			cid, _ := im.ParseClientID(newID(t))
			_, err := w.c.Change(ctx, bob, "g1", cid, func(*chat.Room) (chat.Change, error) {
				return chat.Change{Verb: chat.VerbMembers, Members: []journal.MemberChange{{User: "ann", Role: role}},
					Content: &skeinv1.Content{Kind: &skeinv1.Content_Members{Members: &skeinv1.MembersChange{}}}}, nil
			})
			must(t, err)
		}
		members(im.RoleNone)
		must(t, w.due(1))
		l := w.list(ann)
		if len(l) != 1 || l[0].GetState() != skeinv1.ScheduledState_SCHEDULED_STATE_FAILED || l[0].GetError().GetCode() != skeinv1.ErrorCode_ERROR_CODE_NOT_FOUND {
			t.Fatalf("the list is %v", l)
		}
		_, err = w.s.SendScheduledNow(ctx, ann, &skeinv1.SendScheduledNowRequest{Id: m.GetId()})
		w.want(im.NotFound, err, "now")
		members(im.RoleMember)
		_, err = w.s.UpdateScheduled(ctx, ann, &skeinv1.UpdateScheduledRequest{Id: m.GetId(), Message: request("g1", "in time"), SendAtUs: in(time.Minute)})
		must(t, err)
		must(t, w.due(1))
		if got := w.texts(bob, "g1"); got != "in time" {
			t.Errorf("bob has %q", got)
		}
	})
}

func TestAServerThatCannotSendGivesUpVisiblyAndOnceMoreIsTheSameMessage(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		m := w.schedule(ann, ab, "once")
		w.front.lose = 1
		must(t, w.due(w.run.Tries))
		if l := w.list(ann); len(l) != 1 || l[0].GetState() != skeinv1.ScheduledState_SCHEDULED_STATE_FAILED {
			t.Fatalf("the list is %v", l)
		}
		_, err := w.s.SendScheduledNow(t.Context(), ann, &skeinv1.SendScheduledNowRequest{Id: m.GetId()})
		must(t, err)
		if got := w.texts(bob, ab); got != "once" {
			t.Errorf("bob has %q", got)
		}
	})
}

func TestAChangedOrCancelledMessageIsNotSentByItsOldJob(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		m := w.schedule(ann, ab, "old")
		old := w.queue.specs[0]
		u, err := w.s.UpdateScheduled(ctx, ann, &skeinv1.UpdateScheduledRequest{Id: m.GetId(), Message: request(ab, "new"), Version: 1})
		must(t, err)
		if u.GetScheduled().GetVersion() != 2 || u.GetScheduled().GetSendAtUs() != m.GetSendAtUs() {
			t.Errorf("changed to %v", u)
		}
		_, err = w.s.UpdateScheduled(ctx, ann, &skeinv1.UpdateScheduledRequest{Id: m.GetId(), SendAtUs: in(time.Minute), Version: 1})
		w.want(im.FailedPrecondition, err, "a change of an old version")
		must(t, w.run.Run(ctx, job.Job{App: "demo", Key: old.Key, Try: 1}))
		if got := w.texts(bob, ab); got != "" {
			t.Errorf("the old job sent %q", got)
		}
		for range 2 {
			_, err = w.s.CancelScheduled(ctx, ann, &skeinv1.CancelScheduledRequest{Id: m.GetId()})
			w.want(0, err, "cancel")
		}
		must(t, w.due(1))
		if got := w.texts(bob, ab); got != "" || len(w.list(ann)) != 0 {
			t.Errorf("after the cancel: %q, %v", got, w.list(ann))
		}
		// A retry of the first call finds what became of it.
		_, err = w.s.ScheduleMessage(ctx, ann, &skeinv1.ScheduleMessageRequest{Message: request(ab, "old"), SendAtUs: m.GetSendAtUs(), ClientId: m.GetId()})
		w.want(0, err, "a retry")
		if len(w.list(ann)) != 0 {
			t.Error("a retry of what was cancelled waits again")
		}
	})
}

func TestWhatCannotBeScheduledChangesNothing(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		good := func() *skeinv1.ScheduleMessageRequest {
			return &skeinv1.ScheduleMessageRequest{Message: request(ab, "x"), SendAtUs: in(time.Hour), ClientId: newID(t)}
		}
		for name, c := range map[string]struct {
			actor  im.Actor
			change func(r *skeinv1.ScheduleMessageRequest)
			want   im.Code
		}{
			"the past":                 {ann, func(r *skeinv1.ScheduleMessageRequest) { r.SendAtUs = in(-time.Hour) }, im.InvalidArgument},
			"half a second":            {ann, func(r *skeinv1.ScheduleMessageRequest) { r.SendAtUs = in(time.Second / 2) }, im.InvalidArgument},
			"more than a year":         {ann, func(r *skeinv1.ScheduleMessageRequest) { r.SendAtUs = in(366 * 24 * time.Hour) }, im.InvalidArgument},
			"a time that overflows":    {ann, func(r *skeinv1.ScheduleMessageRequest) { r.SendAtUs = 1<<63 - 1 }, im.InvalidArgument},
			"no message":               {ann, func(r *skeinv1.ScheduleMessageRequest) { r.Message = nil }, im.InvalidArgument},
			"no body":                  {ann, func(r *skeinv1.ScheduleMessageRequest) { r.Message.Body = nil }, im.InvalidArgument},
			"an id that is none":       {ann, func(r *skeinv1.ScheduleMessageRequest) { r.ClientId = make([]byte, 16) }, im.InvalidArgument},
			"a key":                    {ann, func(r *skeinv1.ScheduleMessageRequest) { r.Message.Key = "k" }, im.InvalidArgument},
			"a conversation of others": {eve, func(*skeinv1.ScheduleMessageRequest) {}, im.NotFound},
			"a group that is not":      {ann, func(r *skeinv1.ScheduleMessageRequest) { r.Message.Conversation = "nothing" }, im.NotFound},
			"no conversation":          {ann, func(r *skeinv1.ScheduleMessageRequest) { r.Message.Conversation = "@" }, im.NotFound},
			"the back end":             {im.Actor{App: "demo", Server: true}, func(*skeinv1.ScheduleMessageRequest) {}, im.InvalidArgument},
		} {
			r := good()
			c.change(r)
			_, err := w.s.ScheduleMessage(ctx, c.actor, r)
			w.want(c.want, err, name)
		}
		if len(w.list(ann)) != 0 || len(w.queue.specs) != 0 {
			t.Error("something was stored")
		}
		m := w.schedule(ann, ab, "mine")
		again := &skeinv1.ScheduleMessageRequest{Message: request(ab, "another"), SendAtUs: m.GetSendAtUs(), ClientId: m.GetId()}
		_, err := w.s.ScheduleMessage(ctx, ann, again)
		w.want(im.ClientIDReused, err, "an id with another message")
		for name, fn := range map[string]func() error{
			"update": func() error {
				_, err := w.s.UpdateScheduled(ctx, eve, &skeinv1.UpdateScheduledRequest{Id: m.GetId(), SendAtUs: in(time.Minute)})
				return err
			},
			"cancel": func() error {
				_, err := w.s.CancelScheduled(ctx, eve, &skeinv1.CancelScheduledRequest{Id: m.GetId()})
				return err
			},
			"send": func() error {
				_, err := w.s.SendScheduledNow(ctx, eve, &skeinv1.SendScheduledNowRequest{Id: m.GetId()})
				return err
			},
		} {
			w.want(im.NotFound, fn(), name+" of another's")
		}
		_, err = w.s.UpdateScheduled(ctx, ann, &skeinv1.UpdateScheduledRequest{Id: m.GetId(), Message: request(im.Direct("ann", "eve"), "x")})
		w.want(im.InvalidArgument, err, "into another conversation")
		if l := w.list(ann); len(l) != 1 || l[0].GetVersion() != 1 || len(w.list(eve)) != 0 {
			t.Errorf("the list is %v", l)
		}
	})
}

func TestAUserKeepsAHundredMessagesForLaterAndNoMore(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		full := 0
		for range 4 {
			wg.Go(func() {
				for range 30 {
					id, err := im.NewClientID(time.Now(), im.SystemEntropy())
					if err == nil {
						_, err = w.s.ScheduleMessage(t.Context(), ann, &skeinv1.ScheduleMessageRequest{Message: request(ab, "x"), SendAtUs: in(time.Hour), ClientId: id[:]})
					}
					mu.Lock()
					var e *im.Error
					if errors.As(err, &e) && e.Code == im.ResourceExhausted {
						full++
					} else if err != nil {
						t.Error(err)
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if n := len(w.list(ann)); n != timed.MaxScheduled || full != 20 {
			t.Errorf("%d wait, %d were refused", n, full)
		}
		w.schedule(bob, ab, "mine") // the limit is each user's own
	})
}

func TestEveryDeviceHearsThatTheListHasChanged(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		heads := func() uint64 {
			c, err := w.c.Open(t.Context(), ann, im.Self("ann"))
			must(t, err)
			return c.GetHeadSeq()
		}
		before := heads()
		m := w.schedule(ann, ab, "x")
		if heads() != before+1 {
			t.Error("nothing was said of a new one")
		}
		must(t, w.due(1))
		if heads() != before+2 {
			t.Error("nothing was said when it was sent")
		}
		p, err := w.c.Sync(t.Context(), ann, chat.SyncRequest{})
		must(t, err)
		for _, c := range p.Page.GetConversations() {
			if c.GetConversation().GetId() == "~ann" && (len(c.GetKeyed()) != 1 || c.GetKeyed()[0].GetKey() != "scheduled") {
				t.Errorf("a device that was away gets %v", c.GetKeyed())
			}
		}
		if proto.Size(m) == 0 {
			t.Error("nothing was answered")
		}
	})
}
