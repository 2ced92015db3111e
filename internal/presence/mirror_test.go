package presence

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/im"
)

var start = time.UnixMicro(1_700_000_000_000_000)

func session(u, d string) bus.Session {
	return bus.Session{App: "app", User: im.UserID(u), Device: im.DeviceID(d)}
}

// network is some mirrors and what is on its way between them: single-threaded,
// so that a seed repeats exactly.
type network struct {
	rng    *rand.Rand
	faults float64 // probability of each fault
	now    time.Time
	nodes  []*mirror
	up     []bool
	flying []bus.Signal
	said   int
	truth  []map[bus.Session]bool // each node's own sessions
	after  func()                 // called after every step; can be nil
}

func newNetwork(n int, seed uint64, faults float64) *network {
	w := &network{rng: rand.New(rand.NewPCG(seed, 1)), faults: faults, now: start}
	for i := range n {
		w.nodes = append(w.nodes, nil)
		w.up = append(w.up, false)
		w.truth = append(w.truth, nil)
		w.boot(i)
	}
	return w
}

func (w *network) boot(i int) {
	w.nodes[i] = newMirror(bus.Boot{Node: fmt.Sprint("n", i), Started: im.MicrosOf(w.now)}, w.now)
	w.up[i], w.truth[i] = true, make(map[bus.Session]bool)
	w.step(i, hello{})
}

func (w *network) step(i int, e event) {
	for _, eff := range w.nodes[i].step(e, w.now) {
		if s, ok := eff.(say); ok {
			w.said++
			if w.rng.Float64() < w.faults/2 {
				continue // lost for everybody
			}
			w.flying = append(w.flying, s.Signal)
		}
	}
	if w.after != nil {
		w.after()
	}
}

func (w *network) move(i int, s bus.Session, online bool) {
	if w.truth[i][s] == online {
		return
	}
	w.truth[i][s] = online
	if !online {
		delete(w.truth[i], s)
	}
	w.step(i, moved{s, online})
}

// deliver empties the air.
func (w *network) deliver() {
	for len(w.flying) > 0 {
		i := 0
		if w.rng.Float64() < w.faults {
			i = w.rng.IntN(len(w.flying)) // overtakes
		}
		s := w.flying[i]
		if w.rng.Float64() >= w.faults { // else it stays, and comes again
			w.flying = slices.Delete(w.flying, i, i+1)
		}
		for n := range w.nodes {
			if w.up[n] && w.rng.Float64() >= w.faults/2 {
				w.step(n, heard{s})
			}
		}
	}
}

// pass lets time go by, in ticks.
func (w *network) pass(d time.Duration) {
	for end := w.now.Add(d); w.now.Before(end); {
		w.now = w.now.Add(tickEvery)
		for n := range w.nodes {
			if w.up[n] {
				w.step(n, tick{})
			}
		}
		w.deliver()
	}
}

// check compares every mirror with the truth.
func (w *network) check(t *testing.T, when string) {
	t.Helper()
	want := make(map[user]map[Place]bool)
	sessions := 0
	for n, truth := range w.truth {
		if !w.up[n] {
			continue
		}
		for s := range truth {
			u := user{s.App, s.User}
			if want[u] == nil {
				want[u] = make(map[Place]bool)
			}
			want[u][Place{s.Device, fmt.Sprint("n", n)}] = true
			sessions++
		}
	}
	for n, m := range w.nodes {
		if !w.up[n] {
			continue
		}
		got := make(map[user]map[Place]bool)
		for u, places := range m.users {
			got[u] = make(map[Place]bool)
			for _, p := range places {
				got[u][p] = true
			}
		}
		if !maps.EqualFunc(got, want, maps.Equal) {
			t.Errorf("%s: node %d believes %v, true is %v", when, n, got, want)
		}
		if all := m.self.count + m.others; all != sessions {
			t.Errorf("%s: node %d counts %d sessions of %d", when, n, all, sessions)
		}
	}
}

func TestMirrorsAgreeWithin60SecondsHoweverBadTheBusIs(t *testing.T) {
	for seed := uint64(1); seed <= 30; seed++ {
		w := newNetwork(4, seed, 0.3)
		for range 60 {
			for range 10 {
				u, d := fmt.Sprint("u", w.rng.IntN(20)), fmt.Sprint("d", w.rng.IntN(3))
				w.move(w.rng.IntN(len(w.nodes)), session(u, d), w.rng.IntN(2) == 0)
			}
			if w.rng.IntN(20) == 0 {
				w.boot(w.rng.IntN(len(w.nodes))) // dies and comes back at once, with nothing
			}
			w.pass(tickEvery)
		}
		w.pass(60 * time.Second)
		w.check(t, fmt.Sprint("seed ", seed))
		if t.Failed() {
			return
		}
	}
}

func TestWithAGoodBusMirrorsAgreeAtOnceAndDigestsAskForNothing(t *testing.T) {
	w := newNetwork(3, 1, 0)
	for i := range 100 {
		w.move(i%3, session(fmt.Sprint("u", i), "d"), true)
	}
	w.deliver()
	w.check(t, "at once")
	said := w.said
	w.pass(AliveEvery)
	if n := w.said - said; n != 3 {
		t.Errorf("three nodes in agreement said %d things in %v, not one digest each", n, AliveEvery)
	}
}

func TestADeadNodesSessionsEndWithItsLease(t *testing.T) {
	w := newNetwork(2, 1, 0)
	w.move(1, session("ann", "phone"), true)
	w.deliver()
	w.check(t, "before")
	w.up[1] = false
	last := w.now
	w.pass(Lease + tickEvery)
	w.check(t, "after the lease")
	st := w.nodes[0].state(user{"app", "ann"})
	if st.Online || st.LastSeen != im.MicrosOf(last) {
		t.Errorf("%+v, not last seen at %v", st, im.MicrosOf(last))
	}
	if len(w.nodes[0].peers) != 0 {
		t.Error("the dead node is kept")
	}
}

func TestANodeThatStartsKnowsTheOthersBeforeTheirNextDigest(t *testing.T) {
	w := newNetwork(2, 1, 0)
	w.move(0, session("ann", "phone"), true)
	w.pass(4 * time.Second)
	w.boot(1)
	w.deliver()
	w.check(t, "after the start")
}

func TestWhatAnOlderRunOfANodeSaidIsIgnored(t *testing.T) {
	w := newNetwork(2, 1, 0)
	w.move(1, session("ann", "phone"), true)
	old := w.nodes[1].boot
	w.deliver()
	w.now = w.now.Add(time.Second)
	w.boot(1)
	w.deliver()
	w.check(t, "after the restart")
	w.step(0, heard{bus.DeviceMoved{Session: session("ann", "phone"), Boot: old, Version: 9, Online: true}})
	w.check(t, "after a late move of the old run")
}

func TestGoodbyeEndsANodesSessionsAtOnceAndForGood(t *testing.T) {
	w := newNetwork(2, 1, 0)
	w.move(1, session("ann", "phone"), true)
	w.deliver()
	w.up[1] = false
	w.step(0, heard{bus.NodeAlive{Boot: w.nodes[1].boot}})
	w.check(t, "after goodbye")
	w.step(0, heard{bus.DeviceMoved{Session: session("ann", "tablet"), Boot: w.nodes[1].boot, Version: 9, Online: true}})
	w.check(t, "after a move that comes late")
}

func TestAReplacedSessionOfADeviceDoesNotGoOffline(t *testing.T) {
	w := newNetwork(2, 1, 0)
	s := session("ann", "phone")
	said := func() int { return w.said }
	w.step(0, moved{s, true})
	before := said()
	w.step(0, moved{s, true})
	w.step(0, moved{s, false})
	if said() != before || !w.nodes[0].state(user{"app", "ann"}).Online {
		t.Error("the old session took the new one's presence away")
	}
	w.step(0, moved{s, false})
	w.step(0, moved{s, false}) // one too many
	w.deliver()
	for _, m := range w.nodes {
		if st := m.state(user{"app", "ann"}); st.Online || st.LastSeen == 0 {
			t.Errorf("%+v", st)
		}
	}
}

func TestAnOverflowingRosterBucketOrAForeignBootHarmsNobody(t *testing.T) {
	w := newNetwork(1, 1, 0)
	peer := bus.Boot{Node: "x", Started: 1}
	w.step(0, heard{bus.Roster{Boot: peer, Bucket: 65535, Sessions: []bus.Session{session("eve", "d")}}})
	w.step(0, heard{bus.RosterWanted{Boot: w.nodes[0].boot, Buckets: []uint16{65535}}})
	w.step(0, heard{bus.DeviceMoved{Session: session("eve", "d"), Boot: bus.Boot{Node: "n0", Started: 1}, Online: true}})
	w.check(t, "after bad signals")
}

func TestLastSeenTimesAreBounded(t *testing.T) {
	w := newNetwork(1, 1, 0)
	for i := range MaxSeen + 10 {
		s := session(fmt.Sprint("u", i), "d")
		w.step(0, moved{s, true})
		w.step(0, moved{s, false})
		w.flying = w.flying[:0]
	}
	m := w.nodes[0]
	if len(m.seen) != MaxSeen || m.order.Len() != MaxSeen {
		t.Errorf("%d last-seen times are kept", len(m.seen))
	}
	if m.state(user{"app", "u0"}).LastSeen != 0 || m.state(user{"app", "u10"}).LastSeen == 0 {
		t.Error("it was not the oldest that was forgotten")
	}
	if len(m.users) != 0 || m.self.count != 0 {
		t.Error("sessions are left")
	}
}

// What routing between nodes rests on: who claims to mirror a node's roster in
// full, as of the version at which a user came there last, knows of every user
// that is there.
func TestWhoKnowsARosterInFullKnowsEverybodyWhoIsThere(t *testing.T) {
	claims, known := 0, 0
	for seed := range uint64(60) {
		w := newNetwork(3, seed, float64(seed%4)*0.1)
		w.after = func() {
			for i, m := range w.nodes {
				for j, other := range w.nodes {
					if i == j || m == nil || other == nil || !w.up[i] || !w.up[j] {
						continue
					}
					p := m.peers[other.boot.Node]
					claims++
					if p == nil || p.gone || !p.whole || p.boot != other.boot || p.chain < other.came {
						continue
					}
					known++
					for s := range w.truth[j] {
						if !m.at(user{s.App, s.User}, other.boot.Node) {
							t.Fatalf("seed %d: node %d claims to know node %d up to %d (the last came at %d), and not %s", seed, i, j, p.chain, other.came, s.User)
						}
					}
				}
			}
		}
		for range 400 {
			n := w.rng.IntN(3)
			switch w.rng.IntN(40) {
			case 0:
				w.now = w.now.Add(time.Second)
				w.boot(n)
			default:
				if w.up[n] {
					w.move(n, session(fmt.Sprint("u", w.rng.IntN(12)), fmt.Sprint("d", w.rng.IntN(2))), w.rng.IntN(2) == 0)
				}
			}
			if w.rng.IntN(2) == 0 {
				w.deliver()
			}
			if w.rng.IntN(10) == 0 {
				w.pass(tickEvery)
			}
		}
	}
	t.Logf("in %d of %d looks a roster was known in full", known, claims)
	if known < claims/20 {
		t.Error("a roster is hardly ever known: the test shows nothing")
	}
}

// A move that was lost is made good by the next digest, and everything in
// between is known to be unknown.
func TestAMissedMoveIsKnownToBeMissed(t *testing.T) {
	w := newNetwork(2, 1, 0)
	w.pass(2 * AliveEvery)
	m := w.nodes[0]
	p := m.peers["n1"]
	if !p.whole {
		t.Fatal("after two digests nothing is known")
	}
	w.move(1, session("ann", "phone"), true)
	w.deliver()
	if !p.whole || p.chain != 1 {
		t.Errorf("a move was heard: %v %d", p.whole, p.chain)
	}
	w.move(1, session("bob", "phone"), true)
	w.flying = nil // lost
	w.move(1, session("cid", "phone"), true)
	w.deliver()
	if p.whole {
		t.Error("a gap was not seen")
	}
	w.pass(2 * AliveEvery)
	if !p.whole || p.chain != 3 || !m.at(user{"app", "bob"}, "n1") {
		t.Errorf("not made good: %v %d", p.whole, p.chain)
	}
}
