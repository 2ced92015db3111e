package chat_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// node is another front door over the same journal that hears of nothing: a
// node whose hints are all lost.
func (w *world) node(policies ...chat.Policy) *chat.Service {
	return w.over(w.j, policies...)
}

func (w *world) over(j journal.Journal, policies ...chat.Policy) *chat.Service {
	b := bus.NewLocal()
	w.t.Cleanup(b.Close)
	return chat.New(chat.Deps{Journal: j, Signals: b, Policies: policies, Limits: chat.DefaultLimits(), Clock: w.clock,
		Log: slog.New(slog.DiscardHandler), CursorKey: []byte("0123456789abcdef")})
}

// change adds, removes or gives roles, as the group feature does.
func change(c *chat.Service, a im.Actor, conv im.ConvID, id im.ClientID, ms ...journal.MemberChange) (im.Entry, error) {
	r, err := c.Change(context.Background(), a, conv, id, func(room *chat.Room) (chat.Change, error) {
		m := &skeinv1.MembersChange{}
		for _, ch := range ms {
			switch _, in := room.Member(ch.User); {
			case ch.Role == im.RoleNone:
				m.Removed = append(m.Removed, string(ch.User))
			case !in:
				m.Added = append(m.Added, string(ch.User))
			default:
				m.RoleChanged = append(m.RoleChanged, string(ch.User))
			}
		}
		return chat.Change{Verb: chat.VerbMembers, Members: ms, Content: &skeinv1.Content{Kind: &skeinv1.Content_Members{Members: m}}}, nil
	})
	return r.Entry, err
}

func (w *world) change(c *chat.Service, a im.Actor, conv im.ConvID, ms ...journal.MemberChange) im.Entry {
	w.t.Helper()
	e, err := change(c, a, conv, w.id(), ms...)
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

func say(c *chat.Service, a im.Actor, conv im.ConvID, id im.ClientID, s string) (im.Entry, error) {
	r, err := c.Send(context.Background(), a, chat.SendRequest{Conv: conv, ClientID: id, Body: text(s)})
	return r.Entry, err
}

// audience is who gets an entry, sorted.
func (w *world) audience(c *chat.Service, e im.Entry) []im.UserID {
	w.t.Helper()
	var out []im.UserID
	a, err := c.Audience(context.Background(), &e)
	if err != nil {
		w.t.Fatal(err)
	}
	a.Each(func(u im.UserID) { out = append(out, u) })
	slices.Sort(out)
	return out
}

func TestARemovalHoldsOnANodeThatHasNotHeardOfIt(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	there := w.node()
	w.group("g1", alice, bob)
	own, err := say(there, bob, "g1", w.id(), "before") // the other node knows the members now
	if err != nil {
		t.Fatal(err)
	}
	w.change(w.c, alice, "g1", journal.MemberChange{User: "bob"}) // seq 3
	w.send(alice, "g1", "secret")                                 // seq 4

	_, err = say(there, bob, "g1", w.id(), "after")
	w.want(im.NotFound, err, "send")
	_, err = there.Edit(ctx, bob, "g1", own.Seq, text("changed"), w.id())
	w.want(im.NotFound, err, "edit")
	_, err = there.Recall(ctx, bob, "g1", own.Seq, w.id())
	w.want(im.NotFound, err, "recall")
	_, err = there.React(ctx, bob, "g1", own.Seq, "👍", false, w.id())
	w.want(im.NotFound, err, "react")
	_, err = there.Read(ctx, bob, "g1", 4)
	w.want(im.NotFound, err, "read marker")
	_, err = change(there, bob, "g1", w.id(), journal.MemberChange{User: "eve", Role: im.RoleMember})
	w.want(im.NotFound, err, "add somebody")
	_, err = there.Members(ctx, bob, "g1", chat.MembersRequest{})
	w.want(im.NotFound, err, "members")
	_, err = there.Edits(ctx, bob, "g1", 4)
	w.want(im.NotFound, err, "edits of what came later")
	p, err := there.History(ctx, bob, chat.HistoryRequest{Conv: "g1"})
	if err != nil || p.AsOfSeq != 3 || p.ToSeq != 3 {
		t.Errorf("history: %v %v", p, err)
	}
	if c, err := there.Open(ctx, bob, "g1"); err != nil || c.HeadSeq != 3 {
		t.Errorf("open: %v %v", c, err)
	}
	if l, err := there.List(ctx, bob, 0, ""); err != nil || len(l.Conversations) != 0 {
		t.Errorf("list: %v %v", l, err)
	}
	s, err := there.Sync(ctx, bob, chat.SyncRequest{Cursor: there.CursorAt(bob, []im.Pos{1})})
	if err != nil || len(s.Page.Conversations) != 1 {
		t.Fatal(s.Page, err)
	}
	for _, e := range s.Page.Conversations[0].Entries {
		if e.Seq > 3 {
			t.Errorf("sync has seq %d", e.Seq)
		}
	}
}

// Nothing is appended to a group by who starts or joins a call of it.
func TestWhoWasRemovedOrMutedIsNotInCallsOfANodeThatHasNotHeardOfIt(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	hears, calls := w.node(), w.node()
	w.group("g1", alice, bob, eve)
	may := func(a im.Actor, code im.Code, when string) {
		t.Helper()
		_, err := hears.MayHear(ctx, a, "g1")
		w.want(code, err, when+" to be in a call")
		_, err = calls.MayCall(ctx, a, "g1")
		w.want(code, err, when+" to start a call")
	}
	for _, a := range []im.Actor{alice, bob, eve} {
		may(a, 0, "as a member")
	}
	until := w.clock.Now().Add(time.Hour)
	attrs, err := proto.Marshal(&skeinv1.MemberAttrs{MutedUntilUs: int64(im.MicrosOf(until))})
	if err != nil {
		t.Fatal(err)
	}
	w.change(w.c, alice, "g1", journal.MemberChange{User: "eve", Role: im.RoleMember, Attrs: &attrs})
	for _, there := range []*chat.Service{hears, calls} {
		room, err := there.MayHear(ctx, eve, "g1")
		if err != nil || room.MutedUntil("eve") != im.MicrosOf(until) {
			t.Errorf("who was muted may speak in a call: %v", err)
		}
	}
	hears, calls = w.node(), w.node()
	may(bob, 0, "as a member")
	w.change(w.c, alice, "g1", journal.MemberChange{User: "bob"})
	may(bob, im.NotFound, "after the removal")
}

// A node that was told nothing still knows who is in: each verb on its own
// node, so that none is helped by what another one before it found out.
func TestEachVerbAloneHoldsOnANodeThatHasNotHeardOfARemoval(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	for name, verb := range map[string]func(c *chat.Service, conv im.ConvID) error{
		"send": func(c *chat.Service, conv im.ConvID) error { _, err := say(c, bob, conv, w.id(), "x"); return err },
		"edit": func(c *chat.Service, conv im.ConvID) error {
			_, err := c.Edit(ctx, bob, conv, 2, text("x"), w.id())
			return err
		},
		"recall": func(c *chat.Service, conv im.ConvID) error { _, err := c.Recall(ctx, bob, conv, 2, w.id()); return err },
		"react": func(c *chat.Service, conv im.ConvID) error {
			_, err := c.React(ctx, bob, conv, 2, "👍", false, w.id())
			return err
		},
		"read": func(c *chat.Service, conv im.ConvID) error { _, err := c.Read(ctx, bob, conv, 9); return err },
		"members": func(c *chat.Service, conv im.ConvID) error {
			_, err := c.Members(ctx, bob, conv, chat.MembersRequest{})
			return err
		},
		"edits": func(c *chat.Service, conv im.ConvID) error { _, err := c.Edits(ctx, bob, conv, 4); return err },
		"pipe": func(c *chat.Service, conv im.ConvID) error {
			done := make(chan error, 1)
			c.NewPipe(bob).Submit(ctx, chat.SendRequest{Conv: conv, ClientID: w.id(), Body: text("x")}, func(_ journal.Result, err error) { done <- err })
			return <-done
		},
	} {
		t.Run(name, func(t *testing.T) {
			conv, there := im.ConvID("g-"+name), w.node()
			w.group(conv, alice, bob)
			if _, err := say(there, bob, conv, w.id(), "before"); err != nil {
				t.Fatal(err)
			}
			w.change(w.c, alice, conv, journal.MemberChange{User: "bob"})
			w.send(alice, conv, "secret")
			if err := verb(there, conv); im.CodeOf(err) != im.NotFound {
				t.Errorf("%v, want NOT_FOUND", err)
			}
		})
	}
}

func TestWhoWasAddedActsAtOnceOnANodeThatHasNotHeardOfIt(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	there := w.node()
	w.group("g1", alice, bob)
	if _, err := say(there, bob, "g1", w.id(), "x"); err != nil {
		t.Fatal(err)
	}
	w.change(w.c, alice, "g1", journal.MemberChange{User: "eve", Role: im.RoleMember})
	if _, err := say(there, eve, "g1", w.id(), "hello"); err != nil {
		t.Errorf("send: %v", err)
	}
	w.change(w.c, alice, "g1", journal.MemberChange{User: "eve"})
	w.change(w.c, alice, "g1", journal.MemberChange{User: "eve", Role: im.RoleMember})
	if p, err := there.History(ctx, eve, chat.HistoryRequest{Conv: "g1"}); err != nil || p.AsOfSeq != 6 || p.FromSeq != 6 {
		t.Errorf("history after a return: %v %v", p, err)
	}
}

// All of the sends are decided on a version that is long gone, so that each of
// them comes back and is decided again.
func TestPipelinedSendsKeepTheirOrderOnANodeWithOldMembers(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	there := w.node()
	w.group("g1", alice, bob)
	if _, err := say(there, alice, "g1", w.id(), "warm"); err != nil {
		t.Fatal(err)
	}
	pipe := there.NewPipe(alice)
	const rounds, n = 6, 64
	var under sync.WaitGroup
	for round := range rounds {
		change := journal.MemberChange{User: "eve", Role: im.RoleMember}
		if round%2 == 1 {
			change.Role = im.RoleNone
		}
		w.change(w.c, alice, "g1", change)
		for i := range n {
			under.Add(1)
			pipe.Submit(ctx, chat.SendRequest{Conv: "g1", ClientID: w.id(), Body: text(fmt.Sprint(round*n + i))}, func(_ journal.Result, err error) {
				if err != nil {
					t.Errorf("send %d of round %d: %v", i, round, err)
				}
				under.Done()
			})
		}
		if round%2 == 0 { // the next change comes when all are stored, or while they are under way
			under.Wait()
		}
	}
	under.Wait()
	next := 0
	w.walk("g1", func(e *im.Entry) {
		if e.Kind != im.KindMessage || e.Seq < 3 {
			return
		}
		if s := textOf(e); s != fmt.Sprint(next) {
			t.Fatalf("seq %d holds %q, want %d", e.Seq, s, next)
		}
		next++
	})
	if next != rounds*n {
		t.Errorf("%d messages", next)
	}
}

func textOf(e *im.Entry) string {
	var b skeinv1.Body
	if proto.Unmarshal(e.Body, &b) != nil {
		return ""
	}
	return b.GetContent().GetText().GetText()
}

// walk reads a conversation from its start.
func (w *world) walk(conv im.ConvID, fn func(e *im.Entry)) {
	w.t.Helper()
	err := w.j.View(context.Background(), func(v journal.View) error {
		for from := im.Seq(1); ; {
			es, err := v.Entries("demo", conv, from, 1<<40, 500, false)
			if err != nil || len(es) == 0 {
				return err
			}
			for i := range es {
				fn(&es[i])
			}
			from = es[len(es)-1].Seq + 1
		}
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestAnEntryReachesWhoWasInWhenItWasWritten(t *testing.T) {
	w := newWorld(t)
	w.group("g1", alice, bob)
	early := w.send(alice, "g1", "bob is in") // 2
	out := w.change(w.c, alice, "g1", journal.MemberChange{User: "bob"})
	between := w.send(alice, "g1", "bob is out") // 4
	in := w.change(w.c, alice, "g1", journal.MemberChange{User: "bob", Role: im.RoleMember}, journal.MemberChange{User: "eve", Role: im.RoleMember})
	late := w.send(alice, "g1", "bob is back") // 6
	gone := w.change(w.c, alice, "g1", journal.MemberChange{User: "bob"}, journal.MemberChange{User: "eve"})
	last := w.send(alice, "g1", "alone") // 8
	for name, c := range map[string]*chat.Service{"the node itself": w.c, "a node that reads now": w.node()} {
		for _, step := range []struct {
			e    im.Entry
			want string
		}{{early, "[alice bob]"}, {out, "[alice bob]"}, {between, "[alice]"}, {in, "[alice bob eve]"}, {late, "[alice bob eve]"},
			{gone, "[alice bob eve]"}, {last, "[alice]"}} {
			if got := fmt.Sprint(w.audience(c, step.e)); got != step.want {
				t.Errorf("%s: seq %d reaches %s, want %s", name, step.e.Seq, got, step.want)
			}
		}
	}
}

// hooked lets something happen between the end of a read and its return.
type hooked struct {
	journal.Journal
	mu    sync.Mutex // guards after
	after func()
}

func (h *hooked) View(ctx context.Context, fn func(journal.View) error) error {
	err := h.Journal.View(ctx, fn)
	h.mu.Lock()
	after := h.after
	h.after = nil
	h.mu.Unlock()
	if after != nil {
		after()
	}
	return err
}

func TestMembersThatWereReadBeforeARemovalAreNotRememberedAfterIt(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	h := &hooked{Journal: w.j}
	here := w.over(h)
	w.group("g1", alice, bob)
	h.after = func() {
		out := w.change(w.node(), alice, "g1", journal.MemberChange{User: "bob"})
		w.audience(here, out) // the fan-out passes it while the read is on its way back
	}
	if _, err := here.Room(ctx, "demo", "g1"); err != nil {
		t.Fatal(err)
	}
	if h.after != nil {
		t.Fatal("nothing was read")
	}
	room, err := here.Room(ctx, "demo", "g1")
	if err != nil {
		t.Fatal(err)
	}
	if _, in := room.Member("bob"); in {
		t.Error("the removed one is remembered as a member")
	}
}

// Two nodes, one of which is never told anything; members come and go while
// everybody writes. What counts is the journal: nobody has an entry at a
// position where they were not a member.
func TestNobodyWritesOutsideTheirMembership(t *testing.T) {
	w := newWorld(t)
	there := w.node()
	users := []im.Actor{user("u0"), user("u1"), user("u2"), user("u3")}
	w.group("g1", append([]im.Actor{alice}, users...)...)
	var mu sync.Mutex // guards ids: the clock is not the machine's
	id := func() im.ClientID {
		mu.Lock()
		defer mu.Unlock()
		return w.id()
	}
	stop := make(chan struct{})
	var writers, changers sync.WaitGroup
	sent := make([]int, len(users))
	for i, u := range users {
		writers.Go(func() {
			for k := 0; ; k++ {
				select {
				case <-stop:
					return
				default:
				}
				c := w.c
				if k%2 == 0 {
					c = there
				}
				switch _, err := say(c, u, "g1", id(), "x"); im.CodeOf(err) {
				case 0:
					sent[i]++
				case im.NotFound, im.Unavailable:
				default:
					t.Errorf("%s: %v", u.User, err)
				}
			}
		})
	}
	for i, u := range users {
		changers.Go(func() {
			for k := range 12 {
				role := im.RoleNone
				if k%2 == 1 {
					role = im.RoleMember
				}
				c := w.c
				if (i+k)%2 == 0 {
					c = there
				}
				if _, err := change(c, alice, "g1", id(), journal.MemberChange{User: u.User, Role: role}); err != nil && im.CodeOf(err) != im.Unavailable {
					t.Errorf("change %s: %v", u.User, err)
				}
			}
		})
	}
	changers.Wait()
	close(stop)
	writers.Wait()
	intervals := map[im.UserID][]journal.Member{}
	if err := w.j.View(context.Background(), func(v journal.View) error {
		for _, u := range users {
			ms, err := v.Intervals("demo", "g1", u.User)
			if err != nil {
				return err
			}
			intervals[u.User] = ms
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	stored := map[im.UserID]int{}
	w.walk("g1", func(e *im.Entry) {
		if e.Kind != im.KindMessage {
			return
		}
		stored[e.Sender]++
		if !slices.ContainsFunc(intervals[e.Sender], func(m journal.Member) bool { return m.From <= e.Seq && (m.To == 0 || e.Seq < m.To) }) {
			t.Errorf("%s wrote seq %d and was a member in %v", e.Sender, e.Seq, intervals[e.Sender])
		}
	})
	for i, u := range users {
		if sent[i] == 0 || stored[u.User] < sent[i] {
			t.Errorf("%s: %d acknowledged, %d stored", u.User, sent[i], stored[u.User])
		}
	}
}
