package relay_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/bus/bustest"
	"github.com/skein-im/skein/internal/bus/relay"
	"github.com/skein-im/skein/internal/im"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var key = []byte("a key of thirty-two bytes, or so")

// join makes n nodes over a network that broadcast to each other.
func join(t *testing.T, network *bustest.Network, n int) []bus.Bus {
	out := make([]bus.Bus, n)
	for i := range out {
		out[i] = node(t, network, relay.Options{Boot: bus.Boot{Node: fmt.Sprint("n", i), Started: 1}}).local
	}
	return out
}

type member struct {
	local *bus.Local
	relay *relay.Relay
}

func node(t *testing.T, network *bustest.Network, o relay.Options) member {
	t.Helper()
	o.Bus, o.Link, o.Clock, o.Log = bus.NewLocal(), network.Link(), im.SystemClock{}, slog.New(slog.DiscardHandler)
	if o.Key == nil {
		o.Key = key
	}
	if o.Incarnation == "" {
		o.Incarnation = "i1"
	}
	o.Prefix, o.Shards = "skein.test", 4
	r, err := relay.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Close(context.Background())
		o.Bus.Close()
	})
	return member{o.Bus, r}
}

func TestARelayKeepsTheContract(t *testing.T) {
	bustest.Run(t, func(t *testing.T, n int) []bus.Bus { return join(t, bustest.NewNetwork(), n) })
}

func TestARelayOverABadNetworkKeepsTheContract(t *testing.T) {
	for seed := range uint64(3) {
		bustest.Run(t, func(t *testing.T, n int) []bus.Bus {
			network := bustest.NewNetwork()
			network.Spoil(bustest.Faults{Seed: seed, Drop: 0.3, Repeat: 0.3, Swap: 0.3})
			return join(t, network, n)
		})
	}
}

// town is a map and the rooms of a cluster, as the test says.
type town struct {
	mu     sync.Mutex // guards the rest
	self   string
	peers  map[string]uint64 // the version that is known
	places map[im.UserID]string
	came   uint64
	rooms  map[im.ConvID][]im.UserID
	looks  int // at MembersAt
	asked  int // users, at Meets
}

func (w *town) Peers(fn func(bus.Boot, uint64)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, version := range w.peers {
		fn(bus.Boot{Node: name, Started: 1}, version)
	}
}

func (w *town) Spread(_ im.AppID, users []im.UserID, fn func(string)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, u := range users {
		if at := w.places[u]; at != "" {
			fn(at)
		}
	}
}

func (w *town) Came() uint64 { w.mu.Lock(); defer w.mu.Unlock(); return w.came }

func (w *town) Here(_ im.AppID, users []im.UserID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(users, func(u im.UserID) bool { return w.places[u] == w.self })
}

func (w *town) Reach(_ context.Context, e *im.Entry, most int, users []im.UserID) ([]im.UserID, bool, int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	room, ok := w.rooms[e.Conv]
	if !ok {
		return users, false, 0, im.ErrNotFound
	}
	if len(room) > most {
		return users, true, 1, nil
	}
	return append(users, room...), false, 0, nil
}

func (w *town) MembersAt(_ context.Context, _ im.AppID, conv im.ConvID, _ int64, most int, users []im.UserID) ([]im.UserID, bool, int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looks++
	if len(w.rooms[conv]) > most {
		return users, true, 1, nil
	}
	return append(users, w.rooms[conv]...), false, 1, nil
}

func (w *town) Meets(_ context.Context, _ im.AppID, conv im.ConvID, _ int64, users []im.UserID) (im.UserID, int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked += len(users)
	for _, u := range users {
		if slices.Contains(w.rooms[conv], u) {
			return u, 1, nil
		}
	}
	return "", 1, nil
}

func (w *town) Users(_ im.AppID, users []im.UserID) []im.UserID {
	w.mu.Lock()
	defer w.mu.Unlock()
	for u, at := range w.places {
		if at == w.self {
			users = append(users, u)
		}
	}
	return users
}

// pair is node a, which speaks, and node b, whose bus is listened to.
func pair(t *testing.T, places map[im.UserID]string, rooms map[im.ConvID][]im.UserID) (a, b *town, from, to member, heard chan bus.Event, n *bustest.Network) {
	n = bustest.NewNetwork()
	a = &town{self: "a", peers: map[string]uint64{"b": 1}, places: places, came: 1, rooms: rooms}
	b = &town{self: "b", peers: map[string]uint64{"a": 1}, places: places, came: 1, rooms: rooms}
	from = node(t, n, relay.Options{Boot: bus.Boot{Node: "a", Started: 1}, Map: a, Rooms: a})
	to = node(t, n, relay.Options{Boot: bus.Boot{Node: "b", Started: 1}, Map: b, Rooms: b})
	heard = make(chan bus.Event, 1000)
	to.local.Listen(bus.Everything, func(e bus.Event) {
		if !e.Lost {
			heard <- e
		}
	})
	return a, b, from, to, heard, n
}

func next(t *testing.T, heard chan bus.Event) bus.Event {
	t.Helper()
	select {
	case e := <-heard:
		return e
	case <-time.After(10 * time.Second):
		t.Fatal("nothing was heard")
		return bus.Event{}
	}
}

func entry(conv im.ConvID, pos im.Pos) im.Entry {
	e := bustest.Batch(pos, 1)[0]
	e.Conv = conv
	return e
}

func crowd(n int) []im.UserID {
	out := make([]im.UserID, n)
	for i := range out {
		out[i] = im.UserID(fmt.Sprint("u", i))
	}
	return out
}

func TestANodeGetsTheEntriesOfItsUsersAndASkipForTheRest(t *testing.T) {
	_, _, from, _, heard, _ := pair(t, map[im.UserID]string{"ann": "a", "bob": "b"}, map[im.ConvID][]im.UserID{"here": {"ann", "bob"}, "away": {"ann"}})
	from.local.Ring([]im.Entry{entry("away", 1), entry("away", 2), entry("here", 3), entry("away", 4)})
	e := next(t, heard)
	if len(e.Entries) != 1 || e.Entries[0].Pos != 3 || !e.Remote {
		t.Errorf("heard %+v", e.Entries)
	}
	if want := []bus.Skip{{From: 1, To: 2}, {From: 4, To: 4}}; !slices.Equal(e.Skips, want) {
		t.Errorf("skips %+v", e.Skips)
	}
}

func TestASkipIsBelievedOnlyWhenNobodyHasComeSince(t *testing.T) {
	_, b, from, _, heard, _ := pair(t, map[im.UserID]string{"ann": "a"}, map[im.ConvID][]im.UserID{"away": {"ann"}})
	b.came = 2 // a user whom a has not heard of
	from.local.Ring([]im.Entry{entry("away", 1)})
	if e := next(t, heard); len(e.Skips) != 1 || e.Skips[0].Why != bus.MustRead {
		t.Errorf("heard %+v", e)
	}
}

func TestASkipOfWhoKnowsNothingIsBelievedByAnEmptyNode(t *testing.T) {
	a, b, from, _, heard, _ := pair(t, map[im.UserID]string{}, map[im.ConvID][]im.UserID{"away": {"ann"}})
	a.peers["b"], b.came = 0, 0
	from.local.Ring([]im.Entry{entry("away", 1)})
	if e := next(t, heard); len(e.Skips) != 1 || e.Skips[0].Why != bus.NobodyHere {
		t.Errorf("heard %+v", e)
	}
}

func TestChangesOfMembersGoToEveryNode(t *testing.T) {
	_, _, from, _, heard, _ := pair(t, map[im.UserID]string{"ann": "a"}, map[im.ConvID][]im.UserID{"away": {"ann"}})
	e := entry("away", 1)
	e.Kind = im.KindMembers
	from.local.Ring([]im.Entry{e})
	if got := next(t, heard); len(got.Entries) != 1 {
		t.Errorf("heard %+v", got)
	}
}

func TestWhoseAudienceIsNotKnownGoesToEveryNode(t *testing.T) {
	_, _, from, _, heard, _ := pair(t, nil, nil)
	from.local.Ring([]im.Entry{entry("gone", 1)})
	if got := next(t, heard); len(got.Entries) != 1 {
		t.Errorf("heard %+v", got)
	}
}

func TestALargeConversationIsSubscribedByTheFirstEntryThatConcernsTheNode(t *testing.T) {
	places := map[im.UserID]string{"u1": "a"}
	rooms := map[im.ConvID][]im.UserID{"large": crowd(relay.LargeRoom + 1)}
	_, b, from, to, heard, _ := pair(t, places, rooms)
	from.local.Ring([]im.Entry{entry("large", 1)})
	if e := next(t, heard); e.Skips[0].Why != bus.NobodyHere {
		t.Errorf("with nobody here: %+v", e)
	}
	from.local.Ring([]im.Entry{entry("large", 2)})
	if e := next(t, heard); e.Skips[0].Why != bus.NobodyHere || b.looks != 1 || to.relay.Stats().Subscriptions != 2 {
		t.Errorf("again: %+v after %d looks, %+v", e, b.looks, to.relay.Stats())
	}
	b.mu.Lock()
	b.came, places["u7"] = 2, "b" // somebody comes; a need not know
	b.mu.Unlock()
	from.local.Ring([]im.Entry{entry("large", 3)})
	if e := next(t, heard); e.Skips[0].Why != bus.MustRead || to.relay.Stats().Subscriptions != 3 {
		t.Errorf("the first that concerns it: %+v", e)
	}
	from.local.Ring([]im.Entry{entry("large", 4)})
	first, second := next(t, heard), next(t, heard)
	if len(first.Entries) != 1 || first.Entries[0].Pos != 4 || len(second.Skips) != 1 || second.Skips[0].Why != bus.ComesApart {
		t.Errorf("subscribed: %+v, %+v", first, second)
	}
}

func TestAVeryLargeConversationIsLookedAtByWhoIsHere(t *testing.T) {
	places := map[im.UserID]string{"x1": "b", "x2": "b"}
	rooms := map[im.ConvID][]im.UserID{"large": crowd(5000)}
	_, b, from, _, heard, _ := pair(t, places, rooms)
	from.local.Ring([]im.Entry{entry("large", 1)})
	if e := next(t, heard); e.Skips[0].Why != bus.NobodyHere || b.asked != 2 {
		t.Errorf("with nobody of it here: %+v, %d users asked about", e, b.asked)
	}
	b.mu.Lock()
	b.came, places["u4711"] = 2, "b"
	b.mu.Unlock()
	from.local.Ring([]im.Entry{entry("large", 2)})
	if e := next(t, heard); e.Skips[0].Why != bus.MustRead {
		t.Errorf("the first that concerns it: %+v", e)
	}
	b.mu.Lock()
	b.came, b.asked, places["x3"] = 3, 0, "b" // somebody else comes
	b.mu.Unlock()
	from.local.Ring([]im.Entry{entry("large", 3)})
	next(t, heard)
	if e := next(t, heard); e.Skips[0].Why != bus.ComesApart || b.asked != 1 {
		t.Errorf("with somebody known to be here: %+v, %d users asked about", e, b.asked)
	}
	b.mu.Lock()
	b.came, places["u4711"] = 4, "a" // and goes
	b.mu.Unlock()
	from.local.Ring([]im.Entry{entry("large", 4)})
	next(t, heard)
	if e := next(t, heard); e.Skips[0].Why != bus.NobodyHere {
		t.Errorf("when nobody is here any more: %+v", e)
	}
}

func TestSubscriptionsDoNotGrowWithMemberships(t *testing.T) {
	rooms := map[im.ConvID][]im.UserID{}
	places := map[im.UserID]string{"ann": "a", "bob": "b"}
	for i := range 10_000 {
		rooms[im.ConvID(fmt.Sprint("g", i))] = []im.UserID{"ann", "bob"}
	}
	_, _, from, _, heard, n := pair(t, places, rooms)
	for i := range 10_000 {
		from.local.Ring([]im.Entry{entry(im.ConvID(fmt.Sprint("g", i)), im.Pos(i+1))})
		if i%500 == 499 { // no faster than they are heard
			for e := next(t, heard); e.Entries[len(e.Entries)-1].Pos <= im.Pos(i); {
				e = next(t, heard)
			}
		}
	}
	if got := n.Subscriptions(); got != 4 {
		t.Errorf("two nodes with 10,000 conversations have %d subscriptions", got)
	}
}

func TestSignalsGoToWhoeverTheyAreAddressedTo(t *testing.T) {
	_, _, from, _, heard, _ := pair(t, map[im.UserID]string{"ann": "a", "bob": "b"}, map[im.ConvID][]im.UserID{"here": {"ann", "bob"}, "away": {"ann"}})
	from.local.Signal(bus.Typing{App: "app", Conv: "away", User: "ann"})
	from.local.Signal(bus.MemberChanged{App: "app", Conv: "away", User: "ann"})
	from.local.Signal(bus.Typing{App: "app", Conv: "here", User: "ann"})
	from.local.Signal(bus.MemberChanged{App: "app", Conv: "here", User: "bob"})
	from.local.Signal(bus.FenceRaised{Pos: 3})
	got := map[bus.Signal]bool{}
	for len(got) < 3 {
		got[next(t, heard).Signal] = true
	}
	for _, want := range []bus.Signal{bus.Typing{App: "app", Conv: "here", User: "ann"}, bus.MemberChanged{App: "app", Conv: "here", User: "bob"}, bus.FenceRaised{Pos: 3}} {
		if !got[want] {
			t.Errorf("%+v was not heard, but %+v", want, got)
		}
	}
}

func TestPositionsOfAnotherIncarnationAreNoHints(t *testing.T) {
	n := bustest.NewNetwork()
	old := node(t, n, relay.Options{Boot: bus.Boot{Node: "a", Started: 1}, Incarnation: "i0"})
	now := node(t, n, relay.Options{Boot: bus.Boot{Node: "b", Started: 1}})
	heard := make(chan bus.Event, 10)
	now.local.Listen(bus.Entries|bus.Fences, func(e bus.Event) {
		if !e.Lost {
			heard <- e
		}
	})
	old.local.Ring(bustest.Batch(1, 1))
	old.relay.Stats()
	old.local.Signal(bus.FenceRaised{Pos: 1})
	if e := next(t, heard); e.Signal == nil {
		t.Errorf("heard %+v", e)
	}
}

func TestAMessageWithoutTheClustersKeyIsRejected(t *testing.T) {
	n := bustest.NewNetwork()
	stranger := node(t, n, relay.Options{Boot: bus.Boot{Node: "a", Started: 1}, Key: []byte("another key")})
	own := node(t, n, relay.Options{Boot: bus.Boot{Node: "b", Started: 1}})
	own.local.Listen(bus.Everything, func(e bus.Event) {
		if !e.Lost {
			t.Errorf("heard %+v of a stranger", e)
		}
	})
	stranger.local.Ring(bustest.Batch(1, 1))
	stranger.relay.Close(t.Context()) // says all
	if s := own.relay.Stats(); s.Rejected == 0 || s.Rejected != s.Received {
		t.Errorf("%+v", s)
	}
}

func TestAnEntryThatIsTooLargeForTheBusIsToBeRead(t *testing.T) {
	_, _, from, _, heard, _ := pair(t, map[im.UserID]string{"bob": "b"}, map[im.ConvID][]im.UserID{"here": {"bob"}})
	big := entry("here", 1)
	big.Body = make([]byte, 100<<10)
	from.local.Ring([]im.Entry{big, entry("here", 2)})
	e := next(t, heard)
	if len(e.Skips) != 1 || e.Skips[0].Why != bus.MustRead || len(e.Entries) != 1 || e.Entries[0].Pos != 2 {
		t.Errorf("heard %+v", e)
	}
}

func TestWhatANodeSaysBeforeItEndsIsSaid(t *testing.T) {
	n := bustest.NewNetwork()
	a, b := node(t, n, relay.Options{Boot: bus.Boot{Node: "a", Started: 1}}), node(t, n, relay.Options{Boot: bus.Boot{Node: "b", Started: 1}})
	heard := make(chan bus.Event, 10)
	b.local.Listen(bus.Presence, func(e bus.Event) {
		if !e.Lost {
			heard <- e
		}
	})
	a.local.Signal(bus.NodeAlive{Boot: bus.Boot{Node: "a", Started: 1}})
	a.relay.Close(t.Context())
	if e := next(t, heard); e.Signal != (bus.NodeAlive{Boot: bus.Boot{Node: "a", Started: 1}}) {
		t.Errorf("heard %+v", e)
	}
}
