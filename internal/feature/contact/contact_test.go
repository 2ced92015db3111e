package contact_test

import (
	"context"
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
	"github.com/skein-im/skein/internal/feature/contact"
	"github.com/skein-im/skein/internal/follow"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/page"
	"github.com/skein-im/skein/internal/pgtest"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is the machine's clock, moved.
type clock struct{ ahead atomic.Int64 }

func (c *clock) Now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// world is contacts over a front door and a journal.
type world struct {
	t      *testing.T
	ctx    context.Context
	d      *db.DB
	j      journal.Journal
	b      *bus.Local
	c      *chat.Service
	s      *contact.Service
	clock  *clock
	policy skeinv1.ContactPolicy
	told   sync.Map // of Changed
}

// both runs a test on every engine.
func both(t *testing.T, test func(w *world)) {
	for name, target := range map[string]func(t *testing.T) string{
		"SQLite":     func(t *testing.T) string { return t.TempDir() },
		"PostgreSQL": func(t *testing.T) string { return pgtest.DB(t) },
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{t: t, ctx: context.Background(), clock: &clock{}, policy: skeinv1.ContactPolicy_CONTACT_POLICY_REQUEST, b: bus.NewLocal()}
			t.Cleanup(w.b.Close)
			var err error
			w.d, err = db.Open(t.Context(), target(t), db.Options{Conns: 8})
			w.must(err)
			t.Cleanup(func() { w.must(w.d.Close()) })
			w.j, err = journal.Open(t.Context(), w.d, journal.Options{Clock: w.clock, Entropy: im.SystemEntropy(), Committed: w.b.Ring})
			w.must(err)
			t.Cleanup(func() { w.must(w.j.Close(context.Background())) })
			w.must(w.d.Migrate(t.Context(), "follow", follow.Migrations()))
			w.must(w.d.Migrate(t.Context(), "job", job.Migrations()))
			w.c = chat.New(chat.Deps{Journal: w.j, Signals: w.b, Limits: chat.DefaultLimits(), Clock: w.clock, CursorKey: []byte("0123456789abcdef")})
			w.s = w.service(w.c)
			test(w)
		})
	}
}

func (w *world) service(c contact.Chat) *contact.Service {
	return contact.New(contact.Deps{Chat: c, Journal: w.j, Clock: w.clock, Pages: page.New([]byte("0123456789abcdef")),
		Policy:       func(context.Context, im.AppID, im.UserID) (skeinv1.ContactPolicy, error) { return w.policy, nil },
		AllowRequest: func(im.Actor) error { return nil },
		Changed:      func(_ im.AppID, a, b im.UserID) { w.told.Store(string(a)+" "+string(b), true) }})
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) want(err error, code im.Code, what string) {
	w.t.Helper()
	if im.CodeOf(err) != code {
		w.t.Fatalf("%s: %v, want %v", what, err, code)
	}
}

func actor(u string) im.Actor { return im.Actor{App: "demo", User: im.UserID(u), Device: "phone"} }

func (w *world) id() []byte {
	id, err := im.NewClientID(w.clock.Now(), im.SystemEntropy())
	w.must(err)
	return id[:]
}

func (w *world) ask(from, to, greeting string) (bool, error) {
	r, err := w.s.RequestContact(w.ctx, actor(from), &skeinv1.RequestContactRequest{User: to, Greeting: greeting, ClientId: w.id()})
	return r.GetAdded(), err
}

func (w *world) answer(who, whom string, accept bool) error {
	_, err := w.s.AnswerContactRequest(w.ctx, actor(who), &skeinv1.AnswerContactRequestRequest{User: whom, Accept: accept, ClientId: w.id()})
	return err
}

func (w *world) remove(who, whom string) error {
	_, err := w.s.RemoveContact(w.ctx, actor(who), &skeinv1.RemoveContactRequest{User: whom, ClientId: w.id()})
	return err
}

func (w *world) block(who, whom string) error {
	_, err := w.s.BlockUser(w.ctx, actor(who), &skeinv1.BlockUserRequest{User: whom, ClientId: w.id()})
	return err
}

func (w *world) unblock(who, whom string) error {
	_, err := w.s.UnblockUser(w.ctx, actor(who), &skeinv1.UnblockUserRequest{User: whom, ClientId: w.id()})
	return err
}

// lists is all that a user's lists say, in one line.
func (w *world) lists(user string) string {
	w.t.Helper()
	var out []string
	cs, err := w.s.ListContacts(w.ctx, actor(user), &skeinv1.ListContactsRequest{})
	w.must(err)
	for _, c := range cs.Contacts {
		out = append(out, "contact "+c.User)
	}
	rs, err := w.s.ListContactRequests(w.ctx, actor(user), &skeinv1.ListContactRequestsRequest{})
	w.must(err)
	for _, r := range rs.Requests {
		side, state := "from", ""
		if r.Outgoing {
			side = "to"
		}
		if r.State == skeinv1.ContactRequestState_CONTACT_REQUEST_STATE_DECLINED {
			state = " declined"
		}
		out = append(out, fmt.Sprintf("%s %s %q%s", side, r.User, r.Greeting, state))
	}
	bs, err := w.s.ListBlocked(w.ctx, actor(user), &skeinv1.ListBlockedRequest{})
	w.must(err)
	for _, b := range bs.Blocked {
		out = append(out, "blocks "+b.User)
	}
	return strings.Join(out, ", ")
}

func (w *world) expect(user, want string) {
	w.t.Helper()
	if got := w.lists(user); got != want {
		w.t.Fatalf("the lists of %s: %s; want: %s", user, got, want)
	}
}

// head is how far a conversation has come.
func (w *world) head(conv im.ConvID) (seq im.Seq) {
	w.must(w.j.View(w.ctx, func(v journal.View) error {
		c, err := v.Conv("demo", conv)
		if seq = c.HeadSeq; im.CodeOf(err) == im.NotFound {
			return nil
		}
		return err
	}))
	return seq
}

func (w *world) send(from, to, text string) error {
	body, err := proto.Marshal(&skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT,
		Content: &skeinv1.Content{Kind: &skeinv1.Content_Text{Text: &skeinv1.Text{Text: text}}}})
	w.must(err)
	id, _ := im.ParseClientID(w.id())
	_, err = w.c.Send(w.ctx, actor(from), chat.SendRequest{Conv: im.Direct(im.UserID(from), im.UserID(to)), ClientID: id, Body: body})
	return err
}

func TestARequestIsAskedAcceptedAndEnded(t *testing.T) {
	both(t, func(w *world) {
		added, err := w.ask("ann", "bob", "hello, it is ann")
		if w.must(err); added {
			t.Error("bob was added without being asked")
		}
		w.expect("ann", `to bob "hello, it is ann"`)
		w.expect("bob", `from ann "hello, it is ann"`)
		_, err = w.ask("ann", "bob", "again")
		w.want(err, im.AlreadyExists, "asking twice")
		w.want(w.answer("ann", "bob", true), im.NotFound, "accepting one's own request")
		w.want(w.answer("eve", "bob", true), im.NotFound, "accepting what was never asked")
		w.must(w.answer("bob", "ann", true))
		w.expect("ann", "contact bob")
		w.expect("bob", "contact ann")
		_, err = w.ask("bob", "ann", "")
		w.want(err, im.AlreadyExists, "asking a contact")
		w.must(w.remove("ann", "bob"))
		w.expect("ann", "")
		w.expect("bob", "")
		w.want(w.remove("bob", "ann"), im.NotFound, "removing who is gone")
		if _, told := w.told.Load("ann bob"); !told {
			t.Error("nobody was told")
		}
	})
}

func TestADeclinedOneAsksAgainAfterAPause(t *testing.T) {
	both(t, func(w *world) {
		_, err := w.ask("ann", "bob", "hi")
		w.must(err)
		w.must(w.answer("bob", "ann", false))
		w.expect("ann", `to bob "hi" declined`)
		w.expect("bob", "")
		_, err = w.ask("ann", "bob", "please")
		w.want(err, im.FailedPrecondition, "asking at once")
		w.clock.ahead.Store(int64(contact.Pause + time.Minute))
		_, err = w.ask("ann", "bob", "after a week")
		w.must(err)
		w.expect("bob", `from ann "after a week"`)
		w.expect("ann", `to bob "after a week"`)
		// Who was asked and has declined may ask themselves.
		w.must(w.answer("bob", "ann", false))
		added, err := w.ask("bob", "ann", "now I want to")
		if w.must(err); added {
			t.Error("a declined request counted as one that waits")
		}
	})
}

func TestRequestsThatCrossMakeContacts(t *testing.T) {
	both(t, func(w *world) {
		var wg sync.WaitGroup
		for _, pair := range [][2]string{{"ann", "bob"}, {"bob", "ann"}} {
			wg.Go(func() {
				if _, err := w.ask(pair[0], pair[1], "hi"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		w.expect("ann", "contact bob")
		w.expect("bob", "contact ann")
	})
}

func TestTheOtherOnesPolicyDecides(t *testing.T) {
	both(t, func(w *world) {
		w.policy = skeinv1.ContactPolicy_CONTACT_POLICY_ANYONE
		added, err := w.ask("ann", "bob", "")
		if w.must(err); !added {
			t.Error("not added at once")
		}
		w.expect("bob", "contact ann")
		w.policy = skeinv1.ContactPolicy_CONTACT_POLICY_NOBODY
		before := w.head(im.Direct("ann", "cid"))
		_, err = w.ask("ann", "cid", "")
		w.want(err, im.PermissionDenied, "asking who takes no requests")
		refusal := err.Error()
		w.policy = skeinv1.ContactPolicy_CONTACT_POLICY_REQUEST
		w.must(w.block("dan", "ann"))
		_, err = w.ask("ann", "dan", "")
		w.want(err, im.PermissionDenied, "asking who has blocked")
		if err.Error() != refusal {
			t.Errorf("a block shows: %q, not %q", err, refusal)
		}
		if w.head(im.Direct("ann", "cid")) != before {
			t.Error("a refused request left something")
		}
	})
}

func TestWhatABlockedOneSendsIsRefusedAndGroupsAreNotConcerned(t *testing.T) {
	both(t, func(w *world) {
		w.must(w.send("bob", "ann", "before"))
		_, err := w.ask("bob", "ann", "hi")
		w.must(err)
		w.must(w.answer("ann", "bob", true))
		w.must(w.block("ann", "bob"))
		w.must(w.block("ann", "bob"))
		w.expect("ann", "blocks bob")
		w.expect("bob", "")
		w.want(w.send("bob", "ann", "after"), im.PermissionDenied, "sending")
		id, _ := im.ParseClientID(w.id())
		_, err = w.c.Edit(w.ctx, actor("bob"), im.Direct("ann", "bob"), 1, []byte{8, 1, 18, 5, 10, 3, 10, 1, 'x'}, id)
		w.want(err, im.PermissionDenied, "editing what was sent before")
		w.want(w.answer("bob", "ann", true), im.NotFound, "answering")
		w.want(w.c.Typing(w.ctx, actor("bob"), im.Direct("ann", "bob"), false), im.PermissionDenied, "typing")
		w.want(w.c.Command(w.ctx, actor("bob"), chat.Command{Conv: im.Direct("ann", "bob"), Type: "ring"}), im.PermissionDenied, "a command")
		w.must(w.c.Typing(w.ctx, actor("ann"), im.Direct("ann", "bob"), false))
		w.must(w.send("ann", "bob", "the one who blocks may write"))
		w.want(w.unblock("bob", "ann"), im.NotFound, "taking back a block of somebody else")
		_, err = w.ask("ann", "bob", "")
		w.want(err, im.FailedPrecondition, "asking whom one blocks")
		w.must(w.unblock("ann", "bob"))
		w.expect("ann", "")
		w.must(w.send("bob", "ann", "again"))
		w.want(w.unblock("ann", "bob"), im.NotFound, "unblocking twice")
	})
}

// A block against a thousand sends: what was not acknowledged before the block
// was is not in the log behind it.
func TestNothingOfABlockedOneIsStoredBehindTheBlock(t *testing.T) {
	both(t, func(w *world) {
		const senders, before = 8, 125
		var sent, refused atomic.Int64
		var wg sync.WaitGroup
		started := make(chan struct{}, senders)
		for range senders {
			wg.Go(func() {
				for i := 0; ; i++ { // ends with the block
					if i == before {
						started <- struct{}{}
					}
					err := w.send("bob", "ann", "hello")
					if err == nil {
						sent.Add(1)
						continue
					}
					if refused.Add(1); im.CodeOf(err) != im.PermissionDenied {
						t.Error(err)
					}
					if i < before {
						started <- struct{}{}
					}
					return
				}
			})
		}
		for range senders {
			<-started
		}
		w.must(w.block("ann", "bob"))
		behind := w.head(im.Direct("ann", "bob"))
		wg.Wait()
		if got := w.head(im.Direct("ann", "bob")); got != behind {
			t.Errorf("the log went from %d to %d after the block was acknowledged", behind, got)
		}
		if refused.Load() != senders || sent.Load() < senders*before {
			t.Errorf("%d sent, %d refused", sent.Load(), refused.Load())
		}
		if int64(behind) != sent.Load()+1 {
			t.Errorf("%d entries, %d acknowledged and the block", behind, sent.Load())
		}
	})
}

func TestAGuestAnswersAndBeginsNothing(t *testing.T) {
	both(t, func(w *world) {
		guest := im.Actor{App: "demo", User: "guest-1", Device: "tab", Guest: true}
		body, err := proto.Marshal(&skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT,
			Content: &skeinv1.Content{Kind: &skeinv1.Content_Text{Text: &skeinv1.Text{Text: "hi"}}}})
		w.must(err)
		say := func() error {
			id, _ := im.ParseClientID(w.id())
			_, err := w.c.Send(w.ctx, guest, chat.SendRequest{Conv: im.Direct("ann", "guest-1"), ClientID: id, Body: body})
			return err
		}
		w.want(say(), im.PermissionDenied, "first words")
		if w.head(im.Direct("ann", "guest-1")) != 0 {
			t.Error("the refused words made a conversation")
		}
		w.must(w.send("ann", "guest-1", "may I help?"))
		w.must(say())
	})
}

func TestRemarksAndLabelsAreTheUsersOwn(t *testing.T) {
	both(t, func(w *world) {
		w.policy = skeinv1.ContactPolicy_CONTACT_POLICY_ANYONE
		for i := range 7 {
			_, err := w.ask("ann", fmt.Sprintf("u%d", i), "")
			w.must(err)
		}
		update := func(user, remark string, labels ...string) error {
			_, err := w.s.UpdateContact(w.ctx, actor("ann"), &skeinv1.UpdateContactRequest{
				Contact: &skeinv1.Contact{User: user, Remark: remark, Labels: labels}, ClientId: w.id()})
			return err
		}
		w.must(update("u0", "the tall one", "work", "friends", "work"))
		r, err := w.s.ListContacts(w.ctx, actor("ann"), &skeinv1.ListContactsRequest{Limit: 3})
		w.must(err)
		if c := r.Contacts[0]; c.Remark != "the tall one" || strings.Join(c.Labels, " ") != "friends work" || c.SinceUs == 0 {
			t.Errorf("%v", c)
		}
		if len(r.Contacts) != 3 || r.NextPage == "" {
			t.Errorf("%d contacts, page %q", len(r.Contacts), r.NextPage)
		}
		_, err = w.s.ListContacts(w.ctx, actor("u0"), &skeinv1.ListContactsRequest{Page: r.NextPage})
		w.want(err, im.InvalidArgument, "somebody else's page")
		_, err = w.s.ListBlocked(w.ctx, actor("ann"), &skeinv1.ListBlockedRequest{Page: r.NextPage})
		w.want(err, im.InvalidArgument, "a page of another list")
		seen := len(r.Contacts)
		for r.NextPage != "" {
			r, err = w.s.ListContacts(w.ctx, actor("ann"), &skeinv1.ListContactsRequest{Limit: 3, Page: r.NextPage})
			w.must(err)
			seen += len(r.Contacts)
		}
		if seen != 7 {
			t.Errorf("%d contacts in all", seen)
		}
		w.want(update("eve", "x"), im.NotFound, "a remark on no contact")
		w.want(update("u0", "two\nlines"), im.InvalidArgument, "a remark of two lines")
		w.want(update("u0", "", " "), im.InvalidArgument, "an empty label")
		w.want(update("u0", "", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"), im.InvalidArgument, "eleven labels")
		for i := 1; i < 6; i++ {
			var labels []string
			for k := range 10 {
				labels = append(labels, fmt.Sprintf("l%d-%d", i, k))
			}
			if i == 5 {
				w.want(update(fmt.Sprintf("u%d", i), "", labels...), im.ResourceExhausted, "52 labels")
				continue
			}
			w.must(update(fmt.Sprintf("u%d", i), "", labels...))
		}
		// The other one sees nothing of it.
		other, err := w.s.ListContacts(w.ctx, actor("u0"), &skeinv1.ListContactsRequest{})
		w.must(err)
		if c := other.Contacts[0]; c.Remark != "" || len(c.Labels) != 0 {
			t.Errorf("u0 sees %v", c)
		}
	})
}

// dying is a front door behind which the node dies before the lists are written.
type dying struct{ contact.Chat }

func (dying) SetKeyed(context.Context, im.Actor, im.ConvID, im.ClientID, func(journal.View, *chat.Room) (chat.Keyed, error)) (journal.Result, error) {
	return journal.Result{}, im.Errorf(im.Unavailable, "the node died")
}

func TestListsAreWrittenByTheFollowerWhenWhoCalledDied(t *testing.T) {
	both(t, func(w *world) {
		alive := w.s
		w.s = w.service(dying{w.c})
		_, err := w.ask("ann", "bob", "hi")
		w.must(err)
		w.must(w.answer("bob", "ann", true))
		w.must(w.block("eve", "ann"))
		w.expect("ann", "")
		w.s = alive
		done := make(chan string, 64)
		off := w.b.Listen(bus.Entries, func(e bus.Event) {
			for i := range e.Entries {
				if e.Entries[i].Key != "" {
					done <- string(e.Entries[i].Conv) + " " + e.Entries[i].Key
				}
			}
		})
		defer off()
		log := slog.New(slog.DiscardHandler)
		jobs, err := job.New(job.Options{DB: w.d, Clock: w.clock, Entropy: im.SystemEntropy(), Log: log}, contact.Jobs(func() *contact.Service { return w.s }))
		w.must(err)
		jobs.Start()
		r, err := follow.New(follow.Options{DB: w.d, Journal: w.j, Bus: w.b, Clock: w.clock, Entropy: im.SystemEntropy(), Log: log},
			contact.Follower(func(tx db.Tx, s job.Spec) error {
				_, _, err := jobs.Enqueue(tx, s)
				return err
			}))
		w.must(err)
		r.Start()
		missing := map[string]bool{"~ann contact/bob": true, "~bob contact/ann": true, "~eve block/ann": true}
		for len(missing) > 0 {
			delete(missing, <-done)
		}
		w.must(r.Close(w.ctx))
		w.must(jobs.Close(w.ctx))
		w.expect("ann", "contact bob")
		w.expect("bob", "contact ann")
		w.expect("eve", "blocks ann")
	})
}

func TestBadRequestsAreRefusedAndLeaveNothing(t *testing.T) {
	both(t, func(w *world) {
		server := im.Actor{App: "demo", Server: true}
		for name, try := range map[string]func() error{
			"oneself":       func() error { _, err := w.ask("ann", "ann", ""); return err },
			"nobody":        func() error { _, err := w.ask("ann", "", ""); return err },
			"a bad id":      func() error { _, err := w.ask("ann", "b\x00b", ""); return err },
			"a greeting":    func() error { _, err := w.ask("ann", "bob", strings.Repeat("x", 201)); return err },
			"block oneself": func() error { return w.block("ann", "ann") },
			"no client id": func() error {
				_, err := w.s.RequestContact(w.ctx, actor("ann"), &skeinv1.RequestContactRequest{User: "bob"})
				return err
			},
			"a back end": func() error {
				_, err := w.s.RequestContact(w.ctx, server, &skeinv1.RequestContactRequest{User: "bob", ClientId: w.id()})
				return err
			},
			"a limit": func() error {
				_, err := w.s.ListContacts(w.ctx, actor("ann"), &skeinv1.ListContactsRequest{Limit: 1e9})
				return err
			},
		} {
			if err := try(); im.CodeOf(err) != im.InvalidArgument {
				t.Errorf("%s: %v", name, err)
			}
		}
		if w.head(im.Direct("ann", "bob")) != 0 || w.head(im.Self("ann")) != 0 {
			t.Error("something was stored")
		}
		// No user writes the keys that stand for what others agreed to.
		body, err := proto.Marshal(&skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT, Content: &skeinv1.Content{Kind: &skeinv1.Content_Text{Text: &skeinv1.Text{Text: "x"}}}})
		w.must(err)
		for _, key := range []string{"contact/bob", "request/bob", "block/bob"} {
			id, _ := im.ParseClientID(w.id())
			_, err := w.c.Send(w.ctx, actor("ann"), chat.SendRequest{Conv: im.Self("ann"), ClientID: id, Key: key, Body: body})
			w.want(err, im.InvalidArgument, key)
		}
	})
}

func TestOpenRequestsAreBounded(t *testing.T) {
	both(t, func(w *world) {
		for i := range contact.MaxOpen {
			_, err := w.ask("ann", fmt.Sprintf("u%d", i), "")
			w.must(err)
		}
		_, err := w.ask("ann", "one-more", "")
		w.want(err, im.ResourceExhausted, "the 101st request")
		w.must(w.answer("u7", "ann", true))
		_, err = w.ask("ann", "one-more", "")
		w.must(err)
	})
}
