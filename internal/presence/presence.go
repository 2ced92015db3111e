// Package presence knows who is online, on which device and at which node.
//
// It is a mirror in memory, and every node keeps one. A node tells the others
// each move of its own devices over the bus; because the bus may lose, repeat
// or reorder, it also sends every AliveEvery a digest of its sessions, in 256
// buckets. Whoever mirrors something else asks for the buckets that differ and
// gets them whole. So the cost follows the difference, and two nodes that can
// hear each other agree within two or three digests, well inside the 60 s
// that are promised. A node that is not heard of for Lease is dead, and its
// sessions are over.
//
// The state and its rules are a step machine (mirror.go) without clock,
// goroutine or lock; Presence carries events to it and effects away.
//
// Nothing here is durable and nothing may depend on it for correctness:
// presence decides what is shown and which nodes are spared, never who may
// read.
package presence

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/turn"
)

// The times of the protocol between nodes.
const (
	// AliveEvery is how often a node renews its lease and sends its digest.
	AliveEvery = 5 * time.Second
	// Lease is how long a node counts without a renewal. With tickEvery on
	// top, a dead node is gone from every mirror within 27 s.
	Lease = 25 * time.Second
	// tickEvery is how often leases are looked at.
	tickEvery = 2 * time.Second
	// calm is the least time between two answers to the same question, and
	// between two questions to the same node.
	calm = time.Second
)

// MaxSeen is how many users' last-seen times are kept; the ones that went
// away longest ago are forgotten first.
const MaxSeen = 100_000

// MaxSessions is how many sessions of other nodes a mirror holds; those past
// it are shown as offline.
const MaxSessions = 2_000_000

// MaxWatched is how many users one watch may follow.
const MaxWatched = 500

// State is what others see of a user.
type State struct {
	User   im.UserID
	Online bool
	// LastSeen is when the last device went away, by the clock of its node.
	// 0 while online, and when this node has not seen the user go.
	LastSeen im.Micros
}

// Place is a device of a user and the node that holds its connection.
type Place struct {
	Device im.DeviceID
	Node   string
}

// Presence is a node's view of who is online, and its announcement of its own
// devices. All methods may be called from any goroutine; none waits for
// another node.
type Presence struct {
	bus   bus.Bus
	clock im.Clock
	off   func()        // ends the bus's listener
	quit  chan struct{} // closed by Close
	done  chan struct{} // closed when tick has returned

	made atomic.Uint64 // watches

	mu      sync.Mutex // guards everything below
	m       *mirror
	watches map[user]map[*Watch]struct{}
	closed  bool
}

// New starts the presence of a node. node names it and must differ from every
// other live node's; boot is unique by node and by the time of New.
//
// It listens to the bus and runs one goroutine until Close.
func New(node string, b bus.Bus, clock im.Clock) *Presence {
	now := clock.Now()
	p := &Presence{bus: b, clock: clock, quit: make(chan struct{}), done: make(chan struct{}),
		m:       newMirror(bus.Boot{Node: node, Started: im.MicrosOf(now)}, now),
		watches: make(map[user]map[*Watch]struct{})}
	p.m.ordered = turn.Of(clock) != nil
	p.off = b.Listen(bus.Presence, p.hear)
	// Whoever is up answers with its own digest, so that a node that starts
	// knows the others at once rather than after AliveEvery.
	p.step(hello{})
	turn.Go(turn.Of(clock), p.tick)
	return p
}

// Online says that a device has a live session at this node. Each call is
// paired with one Offline: a session that replaces another of the same device
// may call Online before the other calls Offline. An actor without a user or
// device is ignored.
func (p *Presence) Online(a im.Actor) { p.move(a, true) }

// Reserve takes a place for a device that is about to come online, where an app
// may have most places, on all nodes together. reserved tells that one was
// taken, which ends with Arrive or Release; a device that is online already
// needs none. At one node no more than most get a place; with several, those
// may who come in the moment before the others hear of it, and the places of a
// node that died are taken until its lease has run out.
func (p *Presence) Reserve(a im.Actor, most uint64) (reserved, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.m.reserve(bus.Session{App: a.App, User: a.User, Device: a.Device}, most)
}

// Arrive is Online for a device that has reserved a place.
func (p *Presence) Arrive(a im.Actor) {
	p.step(arrived{bus.Session{App: a.App, User: a.User, Device: a.Device}})
}

// Release gives a reserved place back.
func (p *Presence) Release(app im.AppID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	tally(p.m.reserved, app, -1)
}

// InApp returns how many devices of an app are online, on all nodes together. A
// device that moves between nodes may count twice for a moment.
func (p *Presence) InApp(app im.AppID) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.m.apps[app]
}

// Offline takes back one Online of the same actor.
func (p *Presence) Offline(a im.Actor) { p.move(a, false) }

func (p *Presence) move(a im.Actor, online bool) {
	if a.User != "" && a.Device != "" {
		p.step(moved{bus.Session{App: a.App, User: a.User, Device: a.Device}, online})
	}
}

// Get returns the state of each user, in the order of the argument.
func (p *Presence) Get(app im.AppID, users ...im.UserID) []State {
	out := make([]State, len(users))
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, u := range users {
		out[i] = p.m.state(user{app, u})
	}
	return out
}

// Where returns the devices of a user that are online, and their nodes, by name. A device that moves between nodes may be at two for a moment.
func (p *Presence) Where(app im.AppID, u im.UserID) []Place {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.m.where(user{app, u})
}

// Boot is how this node announces itself.
func (p *Presence) Boot() bus.Boot { return p.m.boot } // it never changes

// Peers calls fn for every other live node, in no order. known is the version
// of its roster that is mirrored here in full, 0 when none is: of users who
// came online there later, this node may not know. fn must not call back.
func (p *Presence) Peers(fn func(boot bus.Boot, known uint64)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, peer := range p.m.peers {
		switch {
		case peer.gone:
		case peer.whole:
			fn(peer.boot, peer.chain)
		default:
			fn(peer.boot, 0)
		}
	}
}

// Spread calls fn with the node of every device of some users, so that one
// node may come several times. fn must not call back.
func (p *Presence) Spread(app im.AppID, users []im.UserID, fn func(node string)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, u := range users {
		for _, place := range p.m.users[user{app, u}] {
			fn(place.Node)
		}
	}
}

// Came is the version of this node's roster at which a user came online here
// last, 0 = never: whoever knows that version in full knows everybody who is
// here.
func (p *Presence) Came() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.m.came
}

// Here tells whether one of the users has a device at this node.
func (p *Presence) Here(app im.AppID, users []im.UserID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, u := range users {
		if p.m.at(user{app, u}, p.m.boot.Node) {
			return true
		}
	}
	return false
}

// Users appends the users of an app who have a device at this node, by name.
func (p *Presence) Users(app im.AppID, users []im.UserID) []im.UserID {
	p.mu.Lock()
	defer p.mu.Unlock()
	from := len(users)
	for i := range p.m.self.sessions {
		for s := range p.m.self.sessions[i] {
			if s.App == app {
				users = append(users, s.User)
			}
		}
	}
	found := users[from:]
	slices.Sort(found)
	return users[:from+len(slices.Compact(found))]
}

// Count returns how many sessions this node announces and how many it
// believes to be online in all.
func (p *Presence) Count() (own, all int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.m.self.count, p.m.self.count + p.m.others
}

// Watch follows the state of some users. It holds no goroutine.
type Watch struct {
	number uint64 // in the order of their making
	p      *Presence
	owner  user // who watches
	fn     func(State)
	again  func(u im.UserID)
	users  map[im.UserID]bool // true: their state is told; guarded by p.mu
}

// Watch makes a watch of a user that follows nobody yet. fn is called with
// every later change of a watched user; again when it has to be decided anew
// whether the watcher may see a user (they may have changed their privacy, or
// their status), with "" for all of them. Both are called under a lock of this
// package: they must be quick and must not call back into the package (put it
// in a queue).
func (p *Presence) Watch(app im.AppID, owner im.UserID, fn func(State), again func(u im.UserID)) *Watch {
	return &Watch{number: p.made.Add(1), p: p, owner: user{app, owner}, fn: fn, again: again, users: make(map[im.UserID]bool)}
}

// Set replaces the users that are watched and returns the states of those that
// are seen, in order; what changes after these states goes to fn, without a
// gap between. Of the hidden ones nothing is told, but that again is called
// for them. Users past MaxWatched are ignored, and left out of the answer.
func (w *Watch) Set(seen, hidden []im.UserID) []State {
	seen = seen[:min(len(seen), MaxWatched)]
	hidden = hidden[:min(len(hidden), MaxWatched-len(seen))]
	out := make([]State, len(seen))
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	w.clear()
	if len(seen)+len(hidden) > 0 && !w.p.closed {
		w.p.follow(w.owner, w)
	}
	for _, u := range hidden {
		w.put(u, false)
	}
	for i, u := range seen {
		out[i] = w.p.m.state(user{w.owner.app, u})
		w.put(u, true)
	}
	return out
}

// Show says whether a watched user is seen from now on, and returns their
// state; false when the user is not watched any more.
func (w *Watch) Show(u im.UserID, seen bool) (State, bool) {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	if _, watched := w.users[u]; !watched {
		return State{}, false
	}
	w.users[u] = seen
	return w.p.m.state(user{w.owner.app, u}), true
}

// Users returns all users that are watched, by name.
func (w *Watch) Users() []im.UserID {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	return slices.Sorted(maps.Keys(w.users))
}

// Close ends the watch: fn is not called again after it has returned.
func (w *Watch) Close() {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	w.clear()
}

func (w *Watch) put(u im.UserID, seen bool) {
	if w.p.closed {
		return
	}
	w.users[u] = seen
	w.p.follow(user{w.owner.app, u}, w)
}

// follow has a watch hear of a user: of one that it watches, or of its owner.
func (p *Presence) follow(id user, w *Watch) {
	if p.watches[id] == nil {
		p.watches[id] = make(map[*Watch]struct{})
	}
	p.watches[id][w] = struct{}{}
}

func (w *Watch) clear() {
	for u := range w.users {
		w.p.unfollow(user{w.owner.app, u}, w)
	}
	w.p.unfollow(w.owner, w)
	clear(w.users)
}

func (p *Presence) unfollow(id user, w *Watch) {
	delete(p.watches[id], w)
	if len(p.watches[id]) == 0 {
		delete(p.watches, id)
	}
}

// Close tells the other nodes that this one goes away with all its sessions,
// and ends its goroutine and its listener. Watches hear nothing more.
func (p *Presence) Close(context.Context) error {
	p.mu.Lock()
	first := !p.closed
	p.closed = true
	clear(p.watches)
	p.mu.Unlock()
	if first {
		p.bus.Signal(bus.NodeAlive{Boot: p.m.boot}) // boot never changes
		close(p.quit)
		p.off()
	}
	<-p.done
	return nil
}

// tick carries time into the machine.
func (p *Presence) tick() {
	defer close(p.done)
	t := turn.NewTicker(turn.Of(p.clock), tickEvery)
	defer t.Stop()
	for {
		ticks := t.C
		turn.First(turn.Of(p.clock), context.Background(), turn.In(&ticks))
		select {
		case <-ticks:
			p.step(tick{})
		case <-p.quit:
			return
		}
	}
}

// hear carries what the other nodes say.
func (p *Presence) hear(e bus.Event) {
	switch {
	case e.Lost:
		p.step(hello{}) // everybody sends a digest, and the differences follow
		p.lookAgain()
	case e.Signal != nil:
		if m, ok := e.Signal.(bus.SightChanged); ok {
			p.sight(m)
			return
		}
		p.step(heard{e.Signal})
	}
}

// lookAgain has every watch decide anew: it is not known what was missed.
func (p *Presence) lookAgain() {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := make(map[*Watch]struct{})
	for _, ws := range p.watches {
		maps.Copy(seen, ws)
	}
	for w := range inOrder(p.m.ordered, seen, func(a, b *Watch) int { return cmp.Compare(a.number, b.number) }) {
		w.again("")
	}
}

// sight has the watches that it concerns decide anew.
func (p *Presence) sight(m bus.SightChanged) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, pair := range [][2]im.UserID{{m.User, m.Other}, {m.Other, m.User}} {
		of, by := pair[0], pair[1]
		if of == "" {
			continue
		}
		for w := range inOrder(p.m.ordered, p.watches[user{m.App, of}], func(a, b *Watch) int { return cmp.Compare(a.number, b.number) }) {
			switch _, watched := w.users[of]; {
			case watched && (m.Other == "" || w.owner.user == by):
				w.again(of)
			case m.Other == "" && w.owner.user == of: // who hides sees less themselves
				w.again("")
			}
		}
	}
}

// step runs the machine and carries its effects out. Signals are sent under
// the lock, so that two moves of a device go out in the order that they
// happened; a bus never blocks.
func (p *Presence) step(e event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	for _, eff := range p.m.step(e, p.clock.Now()) {
		switch eff := eff.(type) {
		case say:
			p.bus.Signal(eff.Signal)
		case changed:
			for w := range inOrder(p.m.ordered, p.watches[eff.user], func(a, b *Watch) int { return cmp.Compare(a.number, b.number) }) {
				if w.users[eff.State.User] {
					w.fn(eff.State)
				}
			}
		}
	}
}
