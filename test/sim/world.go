package sim

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/follow"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skein "github.com/skein-im/skein/sdk/go"
)

// world is everything that happens of one seed.
type world struct {
	sched
	seed  uint64
	epoch time.Time

	// The shape, chosen by the seed.
	batch, receipts, queueBytes, shards, logins int
	patience                                    time.Duration // of the journals' writers

	store   *journal.Memory
	backup  *journal.Memory // nil = none was taken
	judge   *proc           // reads the store for the checks
	reader  journal.Journal
	db      *db.DB
	nodes   []*node
	users   []string
	devices []*device
	groups  []string
	conns   int

	faults         faults
	calm           bool // all is healed: nothing fails any more
	fences         []auth.Fence
	signedOut      map[string]int // the last serial that a fence ended, by device id
	serials        map[string]int // of the newest sign-in, by device
	cutUp, cutDown map[string]bool
	busCut         map[string]bool
	applyFailed    map[string]int // failures in a row on purpose, by follower and shard

	book          // what was committed and told: judge.go
	hash   uint64 // of the trace
	lines  []string
	kept   int // how many lines are kept
	broken []violation
	acted  map[string]int // what went wrong on purpose, how often
}

// violation is a broken promise.
type violation struct {
	what string // the invariant
	text string
	at   time.Duration
}

// traceLines is how much of a trace is kept for who reads it.
const traceLines = 400

// newWorld makes a world and starts it.
func newWorld(seed uint64, dir string) (*world, error) {
	w := &world{seed: seed, epoch: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), kept: traceLines, hash: 14695981039346656037,
		signedOut: map[string]int{}, serials: map[string]int{}, cutUp: map[string]bool{}, cutDown: map[string]bool{}, busCut: map[string]bool{},
		applyFailed: map[string]int{},
		acted:       map[string]int{}}
	w.dice = rand.New(rand.NewPCG(seed, 0x5ee1))
	w.book.init()
	w.batch, w.shards = w.dice.IntN(30), 1+w.dice.IntN(3)
	w.receipts, w.logins = 200, 1+w.dice.IntN(4)
	w.patience = []time.Duration{0, time.Second}[w.dice.IntN(2)]
	w.queueBytes = []int{2 << 20, 32 << 10}[w.dice.IntN(2)]
	var err error
	if w.store, err = journal.NewMemory(w.shards, w.entropy("store")); err != nil {
		return nil, err
	}
	w.judge = &proc{s: &w.sched, name: "judge", epoch: w.epoch}
	w.reader = w.store.Open(journal.Options{Clock: w.judge})
	w.log = make([][]record, w.shards)
	if err := w.openDB(dir); err != nil {
		return nil, err
	}
	if err := w.firstEntries(); err != nil {
		return nil, err
	}
	for i := range 1 + w.dice.IntN(3) {
		w.nodes = append(w.nodes, &node{w: w, name: fmt.Sprint("n", i+1)})
	}
	for i := range 2 + w.dice.IntN(3) {
		user := string(rune('a'+i)) + "nn"
		w.users = append(w.users, user)
		for k := range 1 + w.dice.IntN(2) {
			d := &device{w: w, name: fmt.Sprint(user, "/", k+1), user: user, id: fmt.Sprint(user, "-", k+1), store: skein.NewMemoryStore()}
			if w.chance(0.2) {
				d.skew = time.Duration(w.dice.IntN(7200)-3600) * time.Second
			}
			w.serials[d.name] = 1
			w.devices = append(w.devices, d)
		}
	}
	for _, n := range w.nodes {
		w.boot(n)
	}
	for _, d := range w.devices {
		w.after(time.Duration(w.dice.IntN(3000))*time.Millisecond, d.start)
	}
	return w, nil
}

// firstEntries gives each shard an entry, so that no device ever has a cursor
// of nothing, which means a new device.
func (w *world) firstEntries() error {
	var failed error
	found := map[int]bool{}
	for i := 0; len(found) < w.shards; i++ {
		user := im.UserID(fmt.Sprint("zero", i))
		shard := journal.ShardOf(app, im.Self(user), w.shards)
		if found[shard] {
			continue
		}
		found[shard] = true
		id, err := im.NewClientID(w.epoch, w.entropy("first"))
		if err != nil {
			return err
		}
		w.reader.Submit(&journal.Append{App: app, Conv: im.Self(user), Kind: im.KindMessage, Sender: user, ClientID: id, ACLVersion: -1,
			Create: &journal.Create{Kind: im.ConvSelf, Members: []journal.NewMember{{User: user, Role: im.RoleOwner}}}},
			func(_ journal.Result, err error) { failed = errors.Join(failed, err) })
	}
	w.run(0, nil)
	w.scan()
	return failed
}

// clock is the database's: the world's own time. It schedules nothing.
type clock struct{ w *world }

// Now implements im.Clock.
func (c clock) Now() time.Time { return c.w.epoch.Add(c.w.now) }

// openDB makes the database of the followers, with the table of their effects.
func (w *world) openDB(dir string) (err error) {
	ctx := context.Background()
	if w.db, err = db.Open(ctx, dir, db.Options{Clock: clock{w}, Conns: 1}); err != nil {
		return err
	}
	if err = w.db.Migrate(ctx, "follow", follow.Migrations()); err != nil {
		return err
	}
	return w.db.Write(ctx, func(tx db.Tx) error {
		_, err := tx.Exec("CREATE TABLE IF NOT EXISTS effect (name TEXT NOT NULL, shard INTEGER NOT NULL, conv TEXT NOT NULL, n INTEGER NOT NULL, last INTEGER NOT NULL, PRIMARY KEY (name, shard, conv)) STRICT")
		if err == nil {
			for _, table := range []string{"effect", "follower", "follower_owner", "parked_entry"} {
				if _, err = tx.Exec("DELETE FROM " + table); err != nil {
					break
				}
			}
		}
		return err
	})
}

// close ends every process and gives everything back.
func (w *world) close() error {
	for _, d := range w.devices {
		if d.proc != nil {
			w.kill(d.proc)
		}
	}
	for _, n := range w.nodes {
		if n.proc != nil {
			w.kill(n.proc)
		}
	}
	w.kill(w.judge)
	return w.db.Close()
}

// entropy is a source of random bytes that the seed decides.
func (w *world) entropy(string) io.Reader {
	var seed [32]byte
	for i := range seed {
		seed[i] = byte(w.dice.Uint32())
	}
	return rand.NewChaCha8(seed)
}

// chance is true with a probability, 0 to 1.
func (w *world) chance(p float64) bool { return p > 0 && w.dice.Float64() < p }

// latency is how long a packet of a device is on its way.
func (w *world) latency(d *device) time.Duration {
	late := time.Duration(500+w.dice.IntN(20_000)) * time.Microsecond
	if w.chance(w.faults.slowPacket) {
		late += time.Duration(w.dice.IntN(1500)) * time.Millisecond
	}
	_ = d
	return late
}

// sum is a short name for bytes in the trace.
func sum(b []byte) uint32 {
	h := fnv.New32a()
	_, _ = h.Write(b)
	return h.Sum32()
}

// trace notes what happens; its hash is what a repetition has to have.
func (w *world) trace(who, format string, args ...any) {
	line := fmt.Sprintf("%10.4f %-6s ", w.now.Seconds(), who) + fmt.Sprintf(format, args...)
	for i := range len(line) {
		w.hash = (w.hash ^ uint64(line[i])) * 1099511628211
	}
	if w.lines = append(w.lines, line); len(w.lines) > 2*w.kept {
		w.lines = append(w.lines[:0], w.lines[len(w.lines)-w.kept:]...)
	}
}

// fail notes a broken promise.
func (w *world) fail(what, format string, args ...any) {
	v := violation{what, fmt.Sprintf(format, args...), w.now}
	w.trace("judge", "%s BROKEN: %s", v.what, v.text)
	if len(w.broken) < 20 {
		w.broken = append(w.broken, v)
	}
}

// report says what was broken, what led to it, and how to see it again.
func (w *world) report() string {
	var b strings.Builder
	for i, v := range w.broken {
		if i == 4 {
			fmt.Fprintf(&b, "and %d more\n", len(w.broken)-i)
			break
		}
		fmt.Fprintf(&b, "seed %d broke %s at %.3f s: %s\n", w.seed, v.what, v.at.Seconds(), v.text)
	}
	for _, p := range w.panics {
		fmt.Fprintln(&b, p)
	}
	tail := w.lines[max(0, len(w.lines)-60):]
	fmt.Fprintf(&b, "trace %016x, its end:\n%s\n", w.hash, strings.Join(tail, "\n"))
	fmt.Fprintf(&b, "repeat: go test ./test/sim -run TestWorlds -seed=%d -v\n", w.seed)
	return b.String()
}

// outcome is what a seed came to.
type outcome struct {
	seed    uint64
	hash    uint64
	bad     string // "" = every promise was kept
	what    string // the first broken invariant
	virtual time.Duration
	turns   int
	entries int
	acted   map[string]int
	lines   []string
}

// errSeed tells of a world that could not be made.
var errSeed = errors.New("the world could not be made")

// runSeed runs the world of a seed from its beginning to the judge's word. dir
// is a folder of its own for the followers' database.
func runSeed(seed uint64, dir string, keep int) (o outcome, err error) {
	w, err := newWorld(seed, dir)
	if err != nil {
		return o, errors.Join(errSeed, err)
	}
	w.kept = max(w.kept, keep)
	defer w.watchdog()()
	defer func() { err = errors.Join(err, w.close(), os.RemoveAll(dir)) }()
	w.live()
	if len(w.broken) == 0 && len(w.panics) == 0 {
		w.settle()
	}
	if len(w.broken) == 0 && len(w.panics) == 0 {
		w.verdict()
	}
	o = outcome{seed: seed, hash: w.hash, virtual: w.now, turns: w.turns, entries: w.committedCount(), acted: w.acted, lines: w.lines}
	if len(w.broken) > 0 {
		o.bad, o.what = w.report(), w.broken[0].what
	} else if len(w.panics) > 0 {
		o.bad, o.what = w.report(), "panic"
	}
	return o, nil
}

// stuckAfter is the real time without a single turn after which a world is
// stuck; a turn takes microseconds.
const stuckAfter = time.Minute

// watchdog ends the program when the world's thread is blocked: a task waits
// for what only another task can give, in a lock or on a channel instead of
// through internal/turn. Nothing can take the thread away from it, but the
// goroutines' stacks show where it is. The function that is returned ends it.
func (w *world) watchdog() (stop func()) {
	ended := make(chan struct{})
	go func() {
		ticks := time.NewTicker(stuckAfter)
		defer ticks.Stop()
		for last := int64(-1); ; {
			select {
			case <-ended:
				return
			case <-ticks.C:
			}
			now := w.beats.Load()
			if now == last {
				debug.SetTraceback("all")
				panic(fmt.Sprintf("seed %d is stuck: a task waits outside of internal/turn (a lock that is held by one that waits?); its stack is below", w.seed))
			}
			last = now
		}
	}()
	return func() { close(ended) }
}

// userID is a user's id as the server has it.
