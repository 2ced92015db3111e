package board_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/feature/board"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/pgtest"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// world is boards over one journal: front doors that hear nothing of each
// other.
type world struct {
	t      *testing.T
	j      journal.Journal
	boards []*board.Service
	*board.Service
}

func both(t *testing.T, nodes int, test func(t *testing.T, w *world)) {
	for name, target := range map[string]func(*testing.T) string{"SQLite": func(t *testing.T) string { return t.TempDir() }, "PostgreSQL": func(t *testing.T) string { return pgtest.DB(t) }} {
		t.Run(name, func(t *testing.T) {
			d, err := db.Open(t.Context(), target(t), db.Options{})
			must(t, err)
			t.Cleanup(func() { must(t, d.Close()) })
			w := &world{t: t}
			w.j, err = journal.Open(t.Context(), d, journal.Options{})
			must(t, err)
			t.Cleanup(func() { must(t, w.j.Close(context.Background())) })
			var c *chat.Service
			for range nodes {
				hints := bus.NewLocal()
				t.Cleanup(hints.Close)
				c = chat.New(chat.Deps{Journal: w.j, Signals: hints, Limits: chat.DefaultLimits(), Clock: im.SystemClock{}, CursorKey: []byte("0123456789abcdef")})
				w.boards = append(w.boards, board.New(board.Deps{Chat: c, Journal: w.j, Clock: im.SystemClock{}}))
			}
			w.Service = w.boards[0]
			_, err = c.Create(t.Context(), actor("ann"), "g", w.id(), journal.Create{Kind: im.ConvGroup, Members: []journal.NewMember{
				{User: "ann", Role: im.RoleOwner}, {User: "adm", Role: im.RoleAdmin}, {User: "mem", Role: im.RoleMember}}}, nil)
			must(t, err)
			test(t, w)
		})
	}
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

// refused expects an error, and that nothing was appended.
func (w *world) refused(what string, want im.Code, call func() error) {
	w.t.Helper()
	head := func() (seq im.Seq) {
		must(w.t, w.j.View(w.t.Context(), func(v journal.View) error {
			c, err := v.Conv("demo", "g")
			seq = c.HeadSeq
			return err
		}))
		return seq
	}
	was := head()
	if err := call(); im.CodeOf(err) != want {
		w.t.Errorf("%s: %v, want %v", what, err, want)
	}
	if is := head(); is != was {
		w.t.Errorf("%s was refused, and the head went from %d to %d", what, was, is)
	}
}

func (w *world) count(node int, name string, delta int64, client []byte) (int64, error) {
	r, err := w.boards[node].IncrementCounter(w.t.Context(), actor("ann"), &skeinv1.IncrementCounterRequest{Conversation: "g", Name: name, Delta: delta, ClientId: client})
	return r.GetValue(), err
}

func (w *world) set(who, name, value string, version *uint64) (*skeinv1.GroupAttribute, error) {
	q := &skeinv1.SetGroupAttributeRequest{Conversation: "g", Name: name, Value: value, ClientId: w.cid()}
	if version != nil {
		q.Version = &skeinv1.AttributeVersion{Version: *version}
	}
	r, err := w.SetGroupAttribute(w.t.Context(), actor(who), q)
	return r.GetAttribute(), err
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

func TestACounterIsExactHoweverManyAddAtOnceAtThreeNodes(t *testing.T) {
	both(t, 3, func(t *testing.T, w *world) {
		var mu sync.Mutex
		var seen []int64
		for _, err := range together(45, func(i int) error {
			v, err := w.count(i%3, "views", 2, w.cid())
			mu.Lock()
			seen = append(seen, v)
			mu.Unlock()
			return err
		}) {
			must(t, err)
		}
		slices.Sort(seen)
		for i, v := range seen {
			if v != int64(2*(i+1)) {
				t.Fatalf("answers %v", seen)
			}
		}
		id := w.cid()
		for _, err := range together(6, func(i int) error { _, err := w.count(i%3, "views", 10, id); return err }) {
			must(t, err)
		}
		if v, err := w.count(0, "views", 0, w.cid()); err != nil || v != 100 {
			t.Errorf("after one retried change: %d, %v", v, err)
		}
		r, err := w.ListCounters(t.Context(), actor("mem"), &skeinv1.ListCountersRequest{Conversation: "g"})
		must(t, err)
		if len(r.Counters) != 1 || r.Counters[0].Value != 100 || r.Counters[0].Editor != "ann" {
			t.Errorf("%v", r.Counters)
		}
	})
}

func TestACounterKeepsItsBounds(t *testing.T) {
	both(t, 2, func(t *testing.T, w *world) {
		sold := 0
		for _, err := range together(20, func(i int) error {
			_, err := w.boards[i%2].IncrementCounter(t.Context(), actor("adm"), &skeinv1.IncrementCounterRequest{Conversation: "g", Name: "sold", Delta: 1,
				Max: &skeinv1.CounterBound{Value: 7}, ClientId: w.cid()})
			return err
		}) {
			switch im.CodeOf(err) {
			case 0:
				sold++
			case im.FailedPrecondition:
			default:
				t.Error(err)
			}
		}
		if sold != 7 {
			t.Errorf("%d of 7 were sold", sold)
		}
		w.refused("below the least", im.FailedPrecondition, func() error {
			_, err := w.IncrementCounter(t.Context(), actor("ann"), &skeinv1.IncrementCounterRequest{Conversation: "g", Name: "sold", Delta: -8, Min: &skeinv1.CounterBound{}, ClientId: w.cid()})
			return err
		})
		_, err := w.count(0, "big", math.MaxInt64, w.cid())
		must(t, err)
		w.refused("over 64 bits", im.FailedPrecondition, func() error { _, err := w.count(0, "big", 1, w.cid()); return err })
		_, err = w.count(0, "small", math.MinInt64, w.cid())
		must(t, err)
		w.refused("under 64 bits", im.FailedPrecondition, func() error { _, err := w.count(0, "small", -1, w.cid()); return err })
		for _, name := range []string{"", "a\x00", "\u202ea", strings.Repeat("x", 65), "\xff"} {
			w.refused(fmt.Sprintf("the name %q", name), im.InvalidArgument, func() error { _, err := w.count(0, name, 1, w.cid()); return err })
		}
	})
}

func TestPlacesAreLimitedAndUsedAgain(t *testing.T) {
	both(t, 2, func(t *testing.T, w *world) {
		ctx := t.Context()
		created := 0
		for _, err := range together(56, func(i int) error { _, err := w.count(i%2, fmt.Sprint("c", i), 1, w.cid()); return err }) {
			if im.CodeOf(err) == im.ResourceExhausted {
				continue
			}
			must(t, err)
			created++
		}
		if created != 50 {
			t.Errorf("%d of 50 counters were made", created)
		}
		r, err := w.ListCounters(ctx, actor("ann"), &skeinv1.ListCountersRequest{Conversation: "g"})
		must(t, err)
		for range 3 { // what is removed makes room, and no keys are left behind
			_, err = w.RemoveCounter(ctx, actor("ann"), &skeinv1.RemoveCounterRequest{Conversation: "g", Name: r.Counters[0].Name, ClientId: w.cid()})
			must(t, err)
			_, err = w.count(0, r.Counters[0].Name, 5, w.cid())
			must(t, err)
		}
		for i := range 100 {
			_, err := w.set("ann", fmt.Sprint("a", i), "v", nil)
			must(t, err)
		}
		w.refused("one attribute more", im.ResourceExhausted, func() error { _, err := w.set("ann", "more", "v", nil); return err })
		_, err = w.set("ann", "a7", "w", nil)
		must(t, err)
		must(t, w.j.View(ctx, func(v journal.View) error {
			es, err := v.Keyed("demo", "g")
			if len(es) != 150 {
				t.Errorf("%d keys", len(es))
			}
			return err
		}))
	})
}

func TestTwoWhoSetANewNameAtOnceMakeOneAttribute(t *testing.T) {
	both(t, 2, func(t *testing.T, w *world) {
		for i := range 10 {
			name := fmt.Sprint("n", i)
			for _, err := range together(2, func(i int) error {
				_, err := w.boards[i].SetGroupAttribute(t.Context(), actor("ann"), &skeinv1.SetGroupAttributeRequest{Conversation: "g", Name: name, Value: fmt.Sprint(i), ClientId: w.cid()})
				return err
			}) {
				must(t, err)
			}
		}
		r, err := w.ListGroupAttributes(t.Context(), actor("mem"), &skeinv1.ListGroupAttributesRequest{Conversation: "g"})
		must(t, err)
		if len(r.Attributes) != 10 || r.Attributes[3].Version != 2 {
			t.Errorf("%v", r.Attributes)
		}
	})
}

func TestAnAttributeIsChangedOnlyAtTheVersionThatIsAskedFor(t *testing.T) {
	both(t, 2, func(t *testing.T, w *world) {
		none, one, two := uint64(0), uint64(1), uint64(2)
		a, err := w.set("ann", "topic", "cats", &none)
		must(t, err)
		if a.Version != 1 || a.Value != "cats" || a.Editor != "ann" || a.UpdatedUs == 0 {
			t.Errorf("%v", a)
		}
		won := 0
		for _, err := range together(8, func(i int) error {
			_, err := w.boards[i%2].SetGroupAttribute(t.Context(), actor("adm"), &skeinv1.SetGroupAttributeRequest{Conversation: "g", Name: "topic", Value: fmt.Sprint(i),
				Version: &skeinv1.AttributeVersion{Version: 1}, ClientId: w.cid()})
			return err
		}) {
			if err == nil {
				won++
			} else if im.CodeOf(err) != im.FailedPrecondition {
				t.Error(err)
			}
		}
		if won != 1 {
			t.Errorf("%d of 8 changed version 1", won)
		}
		for name, v := range map[string]*uint64{"none": &none, "one": &one} {
			w.refused("at version "+name, im.FailedPrecondition, func() error { _, err := w.set("ann", "topic", "x", v); return err })
		}
		remove := func(v *uint64) error {
			q := &skeinv1.RemoveGroupAttributeRequest{Conversation: "g", Name: "topic", ClientId: w.cid()}
			if v != nil {
				q.Version = &skeinv1.AttributeVersion{Version: *v}
			}
			_, err := w.RemoveGroupAttribute(t.Context(), actor("ann"), q)
			return err
		}
		w.refused("removing version one", im.FailedPrecondition, func() error { return remove(&one) })
		must(t, remove(&two))
		w.refused("removing nothing", im.NotFound, func() error { return remove(nil) })
		if a, err := w.set("ann", "topic", "", &none); err != nil || a.Version != 1 {
			t.Errorf("made again: %v, %v", a, err)
		}
		w.refused("a long value", im.InvalidArgument, func() error { _, err := w.set("ann", "x", strings.Repeat("x", 4097), nil); return err })
		w.refused("NUL", im.InvalidArgument, func() error { _, err := w.set("ann", "x", "a\x00", nil); return err })
	})
}

func TestAnnouncementsAreHungUpChangedListedAndTakenDown(t *testing.T) {
	both(t, 1, func(t *testing.T, w *world) {
		ctx := t.Context()
		create := func(who, title, text string, pinned bool) (*skeinv1.Announcement, error) {
			r, err := w.CreateAnnouncement(ctx, actor(who), &skeinv1.CreateAnnouncementRequest{Conversation: "g", Title: title, Text: text, Pinned: pinned, ClientId: w.cid()})
			return r.GetAnnouncement(), err
		}
		first, err := create("ann", "One", "**bold**", true)
		must(t, err)
		second, err := create("adm", "Two", "", false)
		must(t, err)
		up, err := w.UpdateAnnouncement(ctx, actor("adm"), &skeinv1.UpdateAnnouncementRequest{Conversation: "g", Id: first.Id, Title: "Uno", Text: "x", Pinned: true, ClientId: w.cid()})
		must(t, err)
		if a := up.Announcement; a.Title != "Uno" || a.Creator != "ann" || a.CreatedUs != first.CreatedUs || a.CreatedUs == 0 || a.Editor != "adm" || a.UpdatedUs < first.UpdatedUs {
			t.Errorf("%v", a)
		}
		r, err := w.ListAnnouncements(ctx, actor("mem"), &skeinv1.ListAnnouncementsRequest{Conversation: "g"})
		must(t, err)
		if len(r.Announcements) != 2 || !proto.Equal(r.Announcements[0], up.Announcement) || r.Announcements[1].Id != second.Id {
			t.Errorf("%v", r.Announcements)
		}
		ask := &skeinv1.CreateAnnouncementRequest{Conversation: "g", Title: "Three", ClientId: w.cid()}
		one, err := w.CreateAnnouncement(ctx, actor("ann"), ask)
		must(t, err)
		again, err := w.CreateAnnouncement(ctx, actor("ann"), ask)
		must(t, err)
		if !proto.Equal(one, again) {
			t.Errorf("a retry: %v, then %v", one, again)
		}
		w.refused("its id for something else", im.ClientIDReused, func() error {
			_, err := w.SetGroupAttribute(ctx, actor("ann"), &skeinv1.SetGroupAttributeRequest{Conversation: "g", Name: "x", ClientId: ask.ClientId})
			return err
		})
		remove := func(id string) error {
			_, err := w.DeleteAnnouncement(ctx, actor("ann"), &skeinv1.DeleteAnnouncementRequest{Conversation: "g", Id: id, ClientId: w.cid()})
			return err
		}
		must(t, remove(second.Id))
		w.refused("taking it down twice", im.NotFound, func() error { return remove(second.Id) })
		w.refused("changing what is down", im.NotFound, func() error {
			_, err := w.UpdateAnnouncement(ctx, actor("ann"), &skeinv1.UpdateAnnouncementRequest{Conversation: "g", Id: second.Id, Title: "T", ClientId: w.cid()})
			return err
		})
		for name, q := range map[string][2]string{"no title": {"", ""}, "a long title": {strings.Repeat("x", 129), ""}, "NUL": {"a\x00", ""}, "a title that turns": {"\u202ea", ""},
			"a long text": {"t", strings.Repeat("x", 4097)}, "NUL in the text": {"t", "\x00"}} {
			w.refused(name, im.InvalidArgument, func() error { _, err := create("ann", q[0], q[1], false); return err })
		}
		w.refused("no client id", im.InvalidArgument, func() error {
			_, err := w.CreateAnnouncement(ctx, actor("ann"), &skeinv1.CreateAnnouncementRequest{Conversation: "g", Title: "t", ClientId: make([]byte, 16)})
			return err
		})
		for i := range 48 {
			if _, err := create("ann", fmt.Sprint("t", i), "", false); err != nil {
				t.Fatal(err)
			}
		}
		w.refused("the 51st", im.ResourceExhausted, func() error { _, err := create("ann", "t", "", false); return err })
	})
}

func TestWhoWritesAndReadsABoard(t *testing.T) {
	both(t, 1, func(t *testing.T, w *world) {
		ctx := t.Context()
		verbs := map[string]func(a im.Actor, conv string) error{
			"announce": func(a im.Actor, conv string) error {
				_, err := w.CreateAnnouncement(ctx, a, &skeinv1.CreateAnnouncementRequest{Conversation: conv, Title: "t", ClientId: w.cid()})
				return err
			},
			"set": func(a im.Actor, conv string) error {
				_, err := w.SetGroupAttribute(ctx, a, &skeinv1.SetGroupAttributeRequest{Conversation: conv, Name: "n", ClientId: w.cid()})
				return err
			},
			"count": func(a im.Actor, conv string) error {
				_, err := w.IncrementCounter(ctx, a, &skeinv1.IncrementCounterRequest{Conversation: conv, Name: "n", ClientId: w.cid()})
				return err
			},
			"read": func(a im.Actor, conv string) error {
				_, err := w.ListAnnouncements(ctx, a, &skeinv1.ListAnnouncementsRequest{Conversation: conv})
				return err
			},
		}
		for name, call := range verbs {
			for _, who := range []string{"ann", "adm", "server"} {
				if err := call(actor(who), "g"); err != nil {
					t.Errorf("%s: %s: %v", who, name, err)
				}
			}
			if name == "read" {
				must(t, call(actor("mem"), "g"))
			} else {
				w.refused("mem: "+name, im.PermissionDenied, func() error { return call(actor("mem"), "g") })
			}
			for _, who := range []string{"eve", "other/ann"} {
				w.refused(who+": "+name, im.NotFound, func() error { return call(actor(who), "g") })
			}
			for _, conv := range []string{"none", "~ann", "@3:adm:ann"} {
				w.refused(name+" in "+conv, im.NotFound, func() error { return call(actor("ann"), conv) })
			}
		}
	})
}
