// Package follow runs followers: durable readers of the journal's shards.
//
// Everything that happens because of an entry (a count, a search index, a
// push, a webhook) is done by a follower. It is handed every entry of a shard
// in order of position and changes rows in the transaction in which its cursor
// moves, so each entry has its effect exactly once. What has to reach the
// outside is not done here: a follower writes a job in the same transaction.
//
//   - A follower of a shard is held by one run of a node at a time, which holds
//     a lease. The lease is for efficiency; what is correct is decided by the
//     cursor's UPDATE, which names the epoch: who lost its lease while it slept
//     finds no row and its transaction is rolled back, effects and all.
//   - Hints of the bus wake it and usually bring the entries, so that nothing
//     is read twice; a gap is read from the journal, and a slow poll finds
//     what no hint told of. Under load it applies hundreds of entries at a
//     time, every Follower.Every.
//   - A batch that fails is halved until the entry that fails is alone. After
//     Tries failures that entry is parked, visibly (see Parked), and the
//     follower goes on. A row that the journal reports as damaged is parked
//     too. A database that does not answer is no entry's fault: it is waited
//     for.
//   - A journal of another incarnation has other positions: the follower
//     starts again, by its Origin.
//
// What to do next is decided by a step machine (step.go) without clock,
// goroutine or database; one goroutine for each follower and shard carries it
// out (task.go).
package follow

import (
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/metrics"
	"github.com/skein-im/skein/internal/turn"
)

// The rules of a runner.
const (
	// Lease is how long a node holds a follower's shard without renewal: as
	// long as nobody follows it after its node has died.
	Lease = 15 * time.Second
	// renewEvery is how often leases are renewed and free ones taken.
	renewEvery = 5 * time.Second
	// pollEvery is how often the heads of the shards are looked at, for
	// entries that no hint told of.
	pollEvery = 2 * time.Second
	// DefaultEvery is Follower.Every when it is 0.
	DefaultEvery = 100 * time.Millisecond
	// MaxBatch is the most entries that one Apply gets.
	MaxBatch = 2000
	// Tries is how often an entry may fail before it is parked.
	Tries = 5
	// windowBytes bounds the entries kept from hints, over all shards.
	windowBytes = 32 << 20
)

// Origin is where a follower starts that has no cursor, or one in a journal
// that is no more.
type Origin int

const (
	// FromStart applies every entry there is: for what can be computed again,
	// such as a projection. Reset clears it first.
	FromStart Origin = iota
	// FromHead applies what comes from now on: for what is told to the
	// outside and must not be told again.
	FromHead
)

// Follower is a reader of every shard. It is a value; build it with all of its
// fields set.
type Follower struct {
	// Name is the cursor's, unique and never changed: 1 to 64 of a-z 0-9 _ .
	Name string
	// Apply has the effect of entries: one or more of one shard, in order of
	// position, read only. It changes rows through tx alone (it can be run
	// again for the same entries when tx is rolled back), it is quick, and it
	// never waits for the outside. Its error is logged and shown to operators:
	// it must not quote a message.
	Apply func(ctx context.Context, tx db.Tx, entries []im.Entry) error
	// Wants says whether Apply should see an entry; nil = every one. It looks
	// at the entry and nothing else. Entries that nobody wants cost no
	// transaction.
	Wants func(e *im.Entry) bool
	// Origin says where to start. A new journal or Rebuild starts there again.
	Origin Origin
	// Reset takes back all effects of a shard before it is applied from the
	// start again; nil when the effects of a repetition are the same rows.
	Reset func(ctx context.Context, tx db.Tx, shard int) error
	// Every is the least time between two transactions under load, 0 =
	// DefaultEvery. An entry that comes after a pause is applied at once.
	Every time.Duration
	// Batch is the most entries of one Apply, 0 = MaxBatch. On SQLite an Apply
	// keeps every other writer waiting, the journal's included: one that does
	// much for an entry takes few.
	Batch int
	// Yield is the pause after a full batch while new entries keep coming, and a
	// sixteenth of it while none do; 0 = none. A follower that may fall behind
	// leaves a busy server its time, and catches up when there is little else to
	// do.
	Yield time.Duration
}

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the tables of this package, for db.Migrate under the
// name "follow".
func Migrations() fs.FS { return db.Migrations(migrations) }

// Options of a Runner; all but Bus are needed.
type Options struct {
	DB      *db.DB
	Journal journal.Journal
	Bus     bus.Bus // nil = no hints: everything comes by the poll
	Clock   im.Clock
	Entropy im.Entropy
	Log     *slog.Logger
	Metrics *metrics.Set // nil = counted for nobody
}

// Runner runs followers on one node. Its methods for operators (Status,
// Parked, Replay, Rebuild) work without Start, for a program that only looks.
type Runner struct {
	o         Options
	sched     turn.Scheduler // of o.Clock; nil = goroutines
	owner     string
	followers []Follower
	tasks     []*task // by follower, then shard
	windows   []*window
	buffers   sync.Pool // of *[]im.Entry
	counts    *counts
	renew     chan struct{} // holds a token when the leases should be looked at now

	mu      sync.Mutex // guards the fields below
	started bool
	closed  bool
	cancel  context.CancelFunc
	done    chan struct{} // closed when every goroutine has ended
}

// New builds a runner. The tables must have been migrated. Errors:
// InvalidArgument for a bad or repeated name.
func New(o Options, followers ...Follower) (*Runner, error) {
	owner, err := im.RandomID(o.Entropy)
	if err != nil {
		return nil, err
	}
	r := &Runner{o: o, sched: turn.Of(o.Clock), owner: owner, followers: followers, renew: make(chan struct{}, 1), done: make(chan struct{})}
	seen := make(map[string]bool)
	for i := range followers {
		f := &followers[i]
		if !validName(f.Name) || seen[f.Name] || f.Apply == nil {
			return nil, im.Errorf(im.InvalidArgument, "follower %q: a name is 1 to 64 of a-z 0-9 _ . and unique, and Apply is needed", f.Name)
		}
		seen[f.Name] = true
		if f.Every <= 0 {
			f.Every = DefaultEvery
		}
		if f.Batch <= 0 || f.Batch > MaxBatch {
			f.Batch = MaxBatch
		}
	}
	shards := o.Journal.Shards()
	for range shards {
		r.windows = append(r.windows, &window{limit: windowBytes / shards})
	}
	for i := range followers {
		for shard := range shards {
			r.tasks = append(r.tasks, newTask(r, &followers[i], shard))
		}
	}
	r.counts = newCounts(o.Metrics, r)
	return r, nil
}

func validName(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '.' {
			return false
		}
	}
	return len(s) > 0 && len(s) <= 64
}

// Start begins to follow. It returns at once; a second call does nothing.
func (r *Runner) Start() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.started || r.closed {
		return
	}
	r.started = true
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	turn.Go(r.sched, func() { r.run(ctx) })
}

// Close stops following: transactions that run are rolled back, leases are
// given up so that another node can go on at once, and every goroutine has
// ended when it returns nil. It may be called again, and without Start.
func (r *Runner) Close(ctx context.Context) error {
	r.mu.Lock()
	started := r.started
	r.closed = true
	if started {
		r.cancel()
	}
	r.mu.Unlock()
	if !started {
		return nil
	}
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run carries the leases, the poll and the hints until ctx ends.
func (r *Runner) run(ctx context.Context) {
	defer close(r.done)
	ended := make(chan struct{}, len(r.tasks))
	for _, t := range r.tasks {
		turn.Go(r.sched, func() {
			t.run(ctx)
			ended <- struct{}{}
		})
	}
	if r.o.Bus != nil {
		off := r.o.Bus.Listen(bus.Entries, r.hear)
		defer off()
	}
	poll := turn.NewTicker(r.sched, pollEvery)
	defer poll.Stop()
	lease := turn.NewTimer(r.sched, 0)
	defer lease.Stop()
	for ctx.Err() == nil {
		polls, due := poll.C, lease.C
		var renew <-chan struct{} = r.renew
		turn.First(r.sched, ctx, turn.In(&renew), turn.In(&due), turn.In(&polls))
		select {
		case <-ctx.Done():
		case <-polls:
			r.poll(ctx)
		case <-due:
			lease.Reset(r.lease(ctx))
		case <-renew:
			lease.Reset(r.lease(ctx))
		}
	}
	for range r.tasks {
		turn.Receive(r.sched, ended)
	}
	r.release(context.WithoutCancel(ctx))
}

// poll wakes the tasks that are behind.
func (r *Runner) poll(ctx context.Context) {
	heads, err := r.heads(ctx)
	if err != nil {
		if ctx.Err() == nil {
			r.o.Log.Warn("followers can not look at the journal", "err", err)
		}
		return
	}
	r.measure(heads)
	for _, t := range r.tasks {
		if t.shard < len(heads) && t.behind(heads[t.shard]) {
			t.look()
		}
	}
}

// hear keeps what a hint brings and wakes the tasks of its shard.
func (r *Runner) hear(e bus.Event) {
	if e.Lost {
		for _, t := range r.tasks {
			t.look()
		}
		return
	}
	for entries := e.Entries; len(entries) > 0; {
		n := 1
		for n < len(entries) && entries[n].Shard == entries[0].Shard && entries[n].Pos == entries[n-1].Pos+1 {
			n++
		}
		r.hinted(entries[0].Shard, entries[:n])
		entries = entries[n:]
	}
	// What another node did not send here is read.
	for _, s := range e.Skips {
		r.hinted(s.Shard, nil)
	}
}

func (r *Runner) hinted(shard int, entries []im.Entry) {
	if shard < 0 || shard >= len(r.windows) {
		return
	}
	held := false
	for t := range r.tasksOf(shard) {
		held = held || t.held.Load()
	}
	if !held {
		return
	}
	if len(entries) > 0 {
		r.windows[shard].add(entries)
	}
	for t := range r.tasksOf(shard) {
		if t.held.Load() {
			t.look()
		}
	}
}

// tasksOf iterates over the tasks of a shard.
func (r *Runner) tasksOf(shard int) func(yield func(*task) bool) {
	return func(yield func(*task) bool) {
		for i := shard; i < len(r.tasks); i += len(r.windows) {
			if !yield(r.tasks[i]) {
				return
			}
		}
	}
}

// buffer lends a slice for the entries of one attempt.
func (r *Runner) buffer() *[]im.Entry {
	if b, ok := r.buffers.Get().(*[]im.Entry); ok {
		return b
	}
	return new([]im.Entry)
}

func (r *Runner) giveBack(b *[]im.Entry) {
	clear(*b) // lets go of the bodies
	r.buffers.Put(b)
}

// trim lets go of the entries that every follower of a shard here has passed.
func (r *Runner) trim(shard int) {
	passed := im.Pos(1<<63 - 1)
	for t := range r.tasksOf(shard) {
		if t.held.Load() {
			passed = min(passed, im.Pos(t.pos.Load()))
		}
	}
	r.windows[shard].trim(passed)
}
