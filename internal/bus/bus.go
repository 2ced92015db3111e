// Package bus carries hints between the nodes of a cluster, and between the
// parts of one node: "these entries were committed", "somebody is typing",
// "this membership changed".
//
// A hint is not a fact. The journal is the fact; whoever hears a hint may act
// on it at once, and whoever misses one finds out by reading. So the contract
// is weak on purpose, and every back end keeps exactly this much of it:
//
//   - A hint may be dropped, repeated, or overtaken by a later one. There are
//     no retries and no acknowledgements.
//   - Ring and Signal never block and never fail, whatever a listener does.
//   - Each listener has a bounded queue and one goroutine of its own. When the
//     queue is full, what comes is dropped and the listener is told so once,
//     by an event with Lost set, after what it had queued. It then repairs
//     itself by reading. Lost is a courtesy and no promise: a hint can also
//     vanish in silence, so a listener that must not miss anything reads the
//     journal from time to time all the same.
//   - A listener also hears what its own node rings.
//
// The hot path is Ring: it is called after every commit, with a whole batch,
// which is handed to each listener as it is, without a copy. That is why
// nobody may change a batch after it was rung.
package bus

import (
	"sync"

	"github.com/skein-im/skein/internal/im"
)

// Bus is what a node speaks into and listens to. All methods may be called
// from any goroutine. Local is the one for a single process; bustest holds
// every implementation to the contract.
type Bus interface {
	// Ring announces entries that are committed, in order of position within
	// each shard. The bus keeps the slice and hands it to every listener:
	// neither the slice nor anything that it points to may change afterwards.
	// An empty batch is ignored.
	Ring(entries []im.Entry)
	// Signal announces something that is not stored in a conversation's log.
	Signal(s Signal)
	// Listen calls fn with every hint of the given topics until off is called,
	// one at a time, on one goroutine of this listener. fn must be quick (it
	// may take locks, it must not wait for a network or a disk): while it
	// runs, the listener's queue fills.
	//
	// off waits until fn is not running and will not be called again, so fn
	// itself must not call it. It may be called more than once.
	Listen(topics Topics, fn func(Event)) (off func())
}

// Event is what a listener hears: entries with skips or either of them alone,
// or a signal, or Lost.
type Event struct {
	// Entries of one commit, shared with every other listener: read only.
	Entries []im.Entry
	// Skips are positions of the same commit whose entries another node did
	// not send here; together with Entries they leave no gap. Only a bus
	// between nodes makes them. Read only.
	Skips []Skip
	// Signal is one of the types of this package; switch on its type.
	Signal Signal
	// Lost says that at least one hint of the listener's topics was dropped
	// here: whatever it mirrors from hints has to be read again.
	Lost bool
	// Remote says that another node said it.
	Remote bool

	barrier *sync.WaitGroup // of Settle; no listener sees it
}

// Skip is a run of positions of a shard that were committed on another node
// and whose entries are not in this event. It has the topic Entries.
type Skip struct {
	Shard    int
	From, To im.Pos // both included; From <= To
	Why      Reason
}

// Reason is why entries are skipped, which says what is to be done.
type Reason uint8

// The reasons.
const (
	// NobodyHere: none of the entries is for anybody who was online at this
	// node when the skip was made, so nothing is to be delivered.
	NobodyHere Reason = iota
	// ComesApart: the entries are on their way by another path. Who has not
	// got them in a moment reads them.
	ComesApart
	// MustRead: whether somebody here should get them is not known, or they
	// are too large for the bus; read them now.
	MustRead
)

// Topics is a set of topics.
type Topics uint32

// The topics. A listener names what it wants, so that a flood of one kind
// neither wakes nor overflows a listener of another.
const (
	// Entries are committed entries.
	Entries Topics = 1 << iota
	// Activity is what the members of a conversation see of each other at
	// once: Typing, ReadMoved, Delivered, Command.
	Activity
	// Changes are rows that changed without an entry that everybody concerned
	// gets: MemberChanged, ConvChanged.
	Changes
	// Fences are about who may no longer act: FenceRaised, FenceApplied.
	Fences
	// Presence is what nodes tell one another about who is online:
	// DeviceMoved, NodeAlive, RosterWanted, Roster.
	Presence
	// Livestreams are what is watched and said in rooms without history:
	// RoomTold. Their flood is nobody else's.
	Livestreams

	// Everything is all of them.
	Everything = Entries | Activity | Changes | Fences | Presence | Livestreams

	// Own is no topic: it narrows the others to what this node says itself.
	// It is for whoever carries hints to other nodes.
	Own Topics = 1 << 31
)
