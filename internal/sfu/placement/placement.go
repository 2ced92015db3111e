// Package placement says which node's SFU a room is on. A room lives on one
// node: its participants have to meet. Which one is a row in the database,
// written by whoever needs the room first: the node with the least load of
// those that are alive.
//
// Alive is who holds a lease: a node with an SFU renews a row of its own each
// second, by the database's clock, for four seconds. When the lease has ended,
// or the SFU was started anew (another incarnation: it has no rooms), the rooms
// that were there are nowhere, and the next who asks places them again. Two
// who ask at once find the same place, because the row is changed in a
// serializable transaction.
//
// The lease says who may take rooms over, not who may serve: a node that can
// not reach the database goes on with the calls it has, since media needs no
// database and a failover of the database would else end every call. When it
// is back it looks which of its rooms others have taken meanwhile, and sends
// those who are still there after them (Register.look). So for the time of a
// partition, and no longer, two halves of a call may not hear each other.
//
// Answers are remembered as long as the lease that they rest on, so a room's
// place may be known wrongly for some seconds. Therefore a node that is
// asked for a room by another one checks that it has it (Mine), and who gets no
// answer asks again (Lost).
package placement

import (
	"context"
	"embed"
	"errors"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// How leases run.
const (
	// Lease is how long a node counts as alive after it has said so last. It
	// bounds how long rooms of a node that dies stay where nobody is.
	Lease = 4 * time.Second
	// beatEvery is how often a node says so.
	beatEvery = time.Second
	// lookEvery is how often a node compares its rooms with the table.
	lookEvery = 10 * time.Second
	// askFor bounds a statement, and a question to this node's SFU.
	askFor = time.Second
	// settle is how long a room may be in the table before it is in the SFU, or
	// the other way round.
	settle = time.Minute
	// fresh is for how long a room that was placed counts as load, before those
	// who come into it do; freshLoad is how much.
	fresh     = 3 * time.Second
	freshLoad = 2
	// keepDead is how long the rooms of nodes that are gone stay in the table.
	keepDead = 10 * time.Minute
	// maxKnown bounds the remembered places.
	maxKnown = 20_000
)

// SFU is the one of this node.
type SFU interface {
	// Current is the URL at which this node reaches it, and its incarnation;
	// both are empty while none runs.
	Current() (base, incarnation string)
	// Rooms are those that it has, with the participants in each.
	Rooms(ctx context.Context) (map[string]int, error)
	// Release tells everybody in a room to come back elsewhere, and ends it here.
	Release(ctx context.Context, room string) error
}

// Options of New; all but Gone are needed.
type Options struct {
	DB    *db.DB
	Clock im.Clock
	Log   *slog.Logger
	// Node is this node's name among those on the same database.
	Node string
	// URL is where the other nodes reach this one's SFU: https://HOST:PORT, and
	// no other node's.
	URL string
	SFU SFU
	// Gone is called when the lease of another node has ended, with its URL; nil =
	// nobody minds. It must not wait.
	Gone func(url string)
}

// Register is one node's view of the table. Its methods may be called from any
// goroutine.
type Register struct {
	o      Options
	urgent *db.DB
	kick   chan struct{} // the SFU has changed: beat now
	stop   context.CancelFunc
	done   chan struct{}

	// Owned by the goroutine of run.
	load   int64
	silent int // questions in a row that the SFU has not answered
	looked time.Time
	failed bool            // the last beat
	dead   map[string]bool // other nodes whose lease has ended, by URL

	mu     sync.Mutex       // guards the rest
	known  map[string]known // by room
	closed bool             // takes no new rooms
}

// place is where a room is.
type place struct{ node, incarnation, url string }

// known is a place that was read, and until when that counts.
type known struct {
	place
	until time.Time
}

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the tables of this package, for db.Migrate under the
// name "sfu".
func Migrations() fs.FS { return db.Migrations(migrations) }

// New returns a register that keeps this node's lease until it is closed. The
// tables must have been migrated. A database that is away is waited for.
func New(o Options) *Register {
	if o.Gone == nil {
		o.Gone = func(string) {}
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &Register{o: o, urgent: o.DB.Urgent(), kick: make(chan struct{}, 1), stop: stop, done: make(chan struct{}), known: map[string]known{}}
	go r.run(ctx)
	return r
}

// Close gives the lease back and ends the register's goroutine.
func (r *Register) Close(ctx context.Context) error {
	r.stop()
	<-r.done
	r.mu.Lock()
	r.closed = true
	clear(r.known)
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, 2*askFor)
	defer cancel()
	return r.urgent.Write(ctx, func(tx db.Tx) error {
		if _, err := tx.Exec("DELETE FROM sfu_room WHERE node = $1", r.o.Node); err != nil {
			return err
		}
		_, err := tx.Exec("DELETE FROM sfu_node WHERE node = $1", r.o.Node)
		return err
	})
}

// Kick has the node say at once how its SFU is: it was started, or has ended.
func (r *Register) Kick() {
	select {
	case r.kick <- struct{}{}:
	default:
	}
}

// Of returns the URL at which a room's SFU answers, signalling and RoomService:
// this node's own, or another node's URL. A room that is nowhere is placed.
// While the database is away, what was last known holds: nobody can move a room
// then. Errors: Unavailable when no node takes it, or nothing is known.
func (r *Register) Of(ctx context.Context, room string) (base string, err error) {
	p, ok := r.recall(room)
	if !ok {
		if p, err = r.find(ctx, room); im.CodeOf(err) == im.Unavailable {
			p, err = r.stale(room, err)
		}
		if err != nil {
			return "", err
		}
	}
	if base, err = r.base(p); err != nil {
		return r.Lost(ctx, room, "")
	}
	return base, nil
}

// Lost says that a room's SFU did not answer at a URL, and returns where the
// room is instead. While the lease of a node that is gone still runs, it waits:
// for Lease at most, so the answer comes before clients give up, and they are
// spared a pause of their own, which grows with each refusal. It returns the same
// URL again when that node has renewed its lease twice meanwhile: it lives.
func (r *Register) Lost(ctx context.Context, room, base string) (string, error) {
	var first im.Micros
	for {
		r.drop(room)
		p, until, now, err := r.read(ctx, room)
		if err != nil {
			return "", err
		}
		if until <= now {
			if p, err = r.find(ctx, room); err != nil {
				return "", err
			}
			return r.base(p)
		}
		at, err := r.base(p)
		if err == nil && at != base {
			return at, nil
		}
		if first == 0 {
			first = until
		}
		if until > first+micros(beatEvery*3/2) { // twice: the first may have been on its way when it died
			return at, err
		}
		t := time.NewTimer(min(time.Duration(until-now)*time.Microsecond+time.Millisecond, 200*time.Millisecond))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return "", im.Errorf(im.Unavailable, "the room's media server does not answer")
		}
	}
}

// Mine tells whether a room is on this node's SFU, placing it when it is
// nowhere. Ask it before somebody is let in whom another node has sent.
func (r *Register) Mine(ctx context.Context, room string) (bool, error) {
	_, incarnation := r.o.SFU.Current()
	mine := func(p place) bool {
		return p.node == r.o.Node && p.incarnation == incarnation && incarnation != ""
	}
	if p, ok := r.recall(room); ok && mine(p) {
		return true, nil
	}
	p, err := r.find(ctx, room)
	if im.CodeOf(err) == im.Unavailable {
		p, err = r.stale(room, err)
	}
	return err == nil && mine(p), err
}

// Drain gives this node's rooms away: it takes no new ones from now on, those
// it has are nowhere, and everybody in them is told to come back.
func (r *Register) Drain(ctx context.Context) error {
	r.mu.Lock()
	r.closed = true
	clear(r.known)
	r.mu.Unlock()
	err := r.urgent.Write(ctx, func(tx db.Tx) error {
		if _, err := tx.Exec("UPDATE sfu_node SET open = 0 WHERE node = $1", r.o.Node); err != nil {
			return err
		}
		_, err := tx.Exec("DELETE FROM sfu_room WHERE node = $1", r.o.Node)
		return err
	})
	r.mu.Lock()
	clear(r.known) // what was read in between
	r.mu.Unlock()
	rooms, err2 := r.o.SFU.Rooms(ctx)
	errs := []error{err, err2}
	for room := range rooms {
		errs = append(errs, r.o.SFU.Release(ctx, room))
	}
	return errors.Join(errs...)
}

// base is the URL of a place for this node.
func (r *Register) base(p place) (string, error) {
	if p.node != r.o.Node {
		return p.url, nil
	}
	base, incarnation := r.o.SFU.Current()
	if incarnation != p.incarnation || base == "" {
		return "", im.Errorf(im.Unavailable, "the media server has just ended; it is started again")
	}
	return base, nil
}

// recall returns a remembered place that still counts.
func (r *Register) recall(room string) (place, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k, ok := r.known[room]
	if !ok || !r.o.Clock.Now().Before(k.until) {
		return place{}, false
	}
	if k.node == r.o.Node {
		if _, incarnation := r.o.SFU.Current(); incarnation != k.incarnation {
			return place{}, false
		}
	}
	return k.place, true
}

// stale returns what was last known of a room, or err when nothing is.
func (r *Register) stale(room string, err error) (place, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k, ok := r.known[room]; ok {
		return k.place, nil
	}
	return place{}, err
}

// remember keeps a place while the lease runs that it rests on, counted from
// before the database was asked.
func (r *Register) remember(room string, p place, asked time.Time, left time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.known) >= maxKnown {
		now := r.o.Clock.Now()
		for room, k := range r.known {
			if !now.Before(k.until) {
				delete(r.known, room)
			}
		}
		if len(r.known) >= maxKnown {
			clear(r.known)
		}
	}
	r.known[room] = known{place: p, until: asked.Add(left)}
}

// drop forgets what is remembered of a room.
func (r *Register) drop(room string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.known, room)
}
