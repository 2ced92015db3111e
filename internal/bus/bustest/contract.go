// Package bustest holds every bus to the contract of package bus, and makes
// a good bus as bad as the contract allows, for tests of those who listen.
package bustest

import (
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/im"
)

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

// Run holds a bus to its contract. nodes returns n buses that hear each
// other; it may return one bus n times. It arranges for its own clean-up.
//
// Because a bus may drop anything, the tests ring again until they are heard;
// what they are strict about is what may never happen.
func Run(t *testing.T, nodes func(t *testing.T, n int) []bus.Bus) {
	t.Run("a committed batch is heard whole on every node, its own included", func(t *testing.T) {
		heardEverywhere(t, nodes(t, 3))
	})
	t.Run("every signal is heard as it was sent", func(t *testing.T) { signalsArrive(t, nodes(t, 2)) })
	t.Run("a listener hears its topics and nothing else", func(t *testing.T) { topics(t, nodes(t, 2)) })
	t.Run("a listener that stands still blocks nobody and is told that it lost something", func(t *testing.T) {
		overflow(t, nodes(t, 1)[0])
	})
	t.Run("off waits for the handler, and nothing comes after it", func(t *testing.T) { off(t, nodes(t, 1)[0]) })
	t.Run("a handler is never called twice at a time", func(t *testing.T) { oneAtATime(t, nodes(t, 1)[0]) })
	t.Run("an empty batch is no event", func(t *testing.T) { empty(t, nodes(t, 1)[0]) })
}

// Batch makes n entries of a conversation with positions from first on.
func Batch(first im.Pos, n int) []im.Entry {
	out := make([]im.Entry, n)
	for i := range out {
		p := first + im.Pos(i)
		out[i] = im.Entry{App: "app", Conv: "g1", Seq: im.Seq(p), Ord: im.Ord(p), Pos: p, Kind: im.KindMessage,
			Sender: "ann", Device: "phone", Time: 1_700_000_000_000_000 + im.Micros(p), Version: 1, Body: []byte("hello")}
	}
	return out
}

// Signals returns one of each type, with every field set.
func Signals() []bus.Signal {
	boot := bus.Boot{Node: "n1", Started: 5}
	session := bus.Session{App: "app", User: "ann", Device: "phone"}
	return []bus.Signal{
		bus.Typing{App: "app", Conv: "g1", User: "ann", Device: "phone", Stopped: true},
		bus.Command{App: "app", Conv: "g1", User: "ann", Device: "phone", ACLVersion: 3, Type: "slides.show", Data: []byte{4}, To: []im.UserID{"bob", "cid"}},
		bus.Command{App: "app", Conv: "g1", User: "ann", ACLVersion: -1, Type: "ring"},
		bus.SightChanged{App: "app", User: "ann"},
		bus.SightChanged{App: "app", User: "ann", Other: "bob"},
		bus.RoomTold{App: "app", Conv: "g1", Boot: boot, ACLVersion: 2, Viewers: 30, Joined: 4, Said: [][]byte{{1, 2, 3}, {3, 4}}},
		bus.ReadMoved{App: "app", Conv: "g1", User: "ann", Device: "phone", Seq: 7, Ord: 6, Own: true},
		bus.Delivered{App: "app", Conv: "@3:ann:bob", User: "ann", Seq: 7},
		bus.MemberChanged{App: "app", Conv: "g1", User: "bob"},
		bus.ConvChanged{App: "app", Conv: "g1", ACLVersion: 3},
		bus.FenceRaised{Pos: 9},
		bus.FenceApplied{Node: "n1", Pos: 9},
		bus.DeviceMoved{Session: session, Boot: boot, Version: 4, Online: true, At: 11},
		bus.NodeAlive{Boot: boot, Version: 4, Sums: &[bus.Buckets]uint64{1, 2, 3}},
		bus.NodeAlive{Boot: boot, Version: 5},
		bus.RosterWanted{Boot: boot, Buckets: []uint16{1, 255}},
		bus.Roster{Boot: boot, Version: 4, Bucket: 255, Sessions: []bus.Session{session}},
	}
}

// until calls ring, again and again, until done is closed.
func until(t *testing.T, done <-chan struct{}, what string, ring func()) {
	t.Helper()
	deadline := time.After(patience)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		ring()
		select {
		case <-done:
			return
		case <-again.C:
		case <-deadline:
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// waiter collects who has heard, and closes done when all n have.
type waiter struct {
	mu   sync.Mutex
	left map[int]bool
	done chan struct{}
}

func newWaiter(n int) *waiter {
	w := &waiter{left: make(map[int]bool), done: make(chan struct{})}
	for i := range n {
		w.left[i] = true
	}
	return w
}

func (w *waiter) heard(i int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.left[i] {
		delete(w.left, i)
		if len(w.left) == 0 {
			close(w.done)
		}
	}
}

func heardEverywhere(t *testing.T, nodes []bus.Bus) {
	want := Batch(41, 3)
	w := newWaiter(len(nodes))
	for i, n := range nodes {
		defer n.Listen(bus.Entries, func(e bus.Event) {
			if e.Lost {
				return
			}
			if !reflect.DeepEqual(e.Entries, want) {
				t.Errorf("node %d heard %+v", i, e.Entries)
			}
			w.heard(i)
		})()
	}
	until(t, w.done, "a batch on every node", func() { nodes[0].Ring(want) })
}

func signalsArrive(t *testing.T, nodes []bus.Bus) {
	want := Signals()
	w := newWaiter(len(want))
	defer nodes[1].Listen(bus.Everything, func(e bus.Event) {
		for i := range want {
			if e.Signal != nil && reflect.DeepEqual(e.Signal, want[i]) {
				w.heard(i)
				return
			}
		}
		if !e.Lost {
			t.Errorf("heard %+v, which nobody sent", e)
		}
	})()
	until(t, w.done, "every signal", func() {
		for _, s := range want {
			nodes[0].Signal(s)
		}
	})
}

func topics(t *testing.T, nodes []bus.Bus) {
	all := []bus.Topics{bus.Entries, bus.Activity, bus.Changes, bus.Fences, bus.Presence}
	w := newWaiter(len(all))
	for i, topic := range all {
		defer nodes[1].Listen(topic, func(e bus.Event) {
			switch {
			case e.Lost:
			case e.Signal != nil && e.Signal.Topic() != topic, e.Signal == nil && topic != bus.Entries:
				t.Errorf("the listener of topic %b heard %+v", topic, e)
			default:
				w.heard(i)
			}
		})()
	}
	until(t, w.done, "each topic", func() {
		nodes[0].Ring(Batch(1, 1))
		for _, s := range Signals() {
			nodes[0].Signal(s)
		}
	})
}

func overflow(t *testing.T, b bus.Bus) {
	thaw, lost := make(chan struct{}), make(chan struct{})
	var once sync.Once
	stop := b.Listen(bus.Everything, func(e bus.Event) {
		<-thaw
		if e.Lost {
			once.Do(func() { close(lost) })
		}
	})
	defer stop()
	rung := make(chan struct{})
	go func() {
		defer close(rung)
		batch := Batch(1, 10)
		for range 20_000 {
			b.Ring(batch)
			b.Signal(bus.FenceRaised{Pos: 1})
		}
	}()
	select {
	case <-rung:
	case <-time.After(patience):
		t.Error("the ringer is blocked by a listener that stands still")
	}
	close(thaw)
	select {
	case <-lost:
	case <-time.After(patience):
		t.Error("40,000 hints went to a frozen listener and it was not told that it lost any")
	}
}

func off(t *testing.T, b bus.Bus) {
	var mu sync.Mutex // guards stopped
	stopped := false
	entered, leave := make(chan struct{}, 1), make(chan struct{})
	stop := b.Listen(bus.Entries, func(bus.Event) {
		select {
		case entered <- struct{}{}:
		default:
		}
		<-leave
		mu.Lock()
		defer mu.Unlock()
		if stopped {
			t.Error("called after off had returned")
		}
	})
	until(t, entered, "the handler to be called", func() { b.Ring(Batch(1, 1)) })
	returned := make(chan struct{})
	go func() {
		stop()
		mu.Lock()
		stopped = true
		mu.Unlock()
		close(returned)
	}()
	select {
	case <-returned:
		t.Error("off returned while the handler was running")
	case <-time.After(20 * time.Millisecond): // gives a wrong off time to return
	}
	close(leave)
	select {
	case <-returned:
	case <-time.After(patience):
		t.Fatal("off did not return")
	}
	// Another listener shows that a batch rung after off went round.
	w := newWaiter(1)
	defer b.Listen(bus.Entries, func(bus.Event) { w.heard(0) })()
	until(t, w.done, "another listener", func() { b.Ring(Batch(2, 1)) })
	stop() // a second call is allowed
}

func oneAtATime(t *testing.T, b bus.Bus) {
	const wanted = 200
	inside, heard := false, 0
	var mu sync.Mutex // guards inside, heard
	w := newWaiter(1)
	defer b.Listen(bus.Everything, func(bus.Event) {
		mu.Lock()
		if inside {
			t.Error("the handler runs twice at a time")
		}
		inside = true
		mu.Unlock()
		mu.Lock()
		inside = false
		if heard++; heard == wanted {
			w.heard(0)
		}
		mu.Unlock()
	})()
	until(t, w.done, "200 events", func() {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for i := range 10 {
					b.Ring(Batch(im.Pos(i+1), 1))
					b.Signal(bus.FenceRaised{Pos: int64(i)})
				}
			})
		}
		wg.Wait()
	})
}

func empty(t *testing.T, b bus.Bus) {
	w := newWaiter(1)
	defer b.Listen(bus.Entries, func(e bus.Event) {
		if len(e.Entries) == 0 && !e.Lost {
			t.Errorf("heard an event of nothing: %+v", e)
		}
		w.heard(0)
	})()
	until(t, w.done, "a batch", func() {
		b.Ring(nil)
		b.Ring([]im.Entry{})
		b.Ring(Batch(1, 1))
	})
}
