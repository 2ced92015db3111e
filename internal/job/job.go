// Package job does work later, and surely: a webhook, a push, a clean-up.
//
// A job is a row, written in the transaction that makes it necessary, and run
// by a handler afterwards, on any node, at least once. A handler that fails is
// run again with a growing delay; a job that failed too often is dead and
// waits, visibly, for somebody to replay or discard it.
//
//   - A job has a kind, which says which handler runs it, and belongs to an
//     app and a target (a webhook's URL, a push vendor). Kind, app and target
//     are a lane. Lanes take turns, at most Kind.PerTarget jobs of a lane run
//     at once in the whole cluster, and a lane that fails again and again is
//     left alone for a growing time; lanes under suspicion together get at
//     most half of the kind's workers. So one dead target, or a hundred, stop
//     nobody else. Within a lane jobs start in the order of their due times,
//     as far as there is one: several run at once and failed ones come later.
//   - A running job has a lease by the database's clock, a little longer than
//     its handler may take. When its node dies the lease ends and the job is
//     run again.
//   - A job with a key exists once: as long as its row is there, another one
//     of the same kind, app and key is not added.
//   - A periodic kind has one row for ever, which is put back after each run:
//     it survives restarts and runs once in the cluster.
//
// The package knows nothing of what its jobs mean.
package job

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
	"github.com/skein-im/skein/internal/metrics"
)

// Defaults and limits.
const (
	DefaultTimeout   = 30 * time.Second
	DefaultTries     = 10
	DefaultBackoff   = time.Second
	MaxBackoff       = time.Hour
	DefaultPerTarget = 4
	DefaultWorkers   = 16
	DefaultKeepDead  = 30 * 24 * time.Hour
	// MaxBody is the most bytes that a job carries.
	MaxBody = 256 << 10
	// leaseMargin is how much longer a lease is than a handler may take: time
	// enough to write the outcome down.
	leaseMargin = 30 * time.Second
	// pollEvery is how often a queue looks for jobs that it was not told of.
	pollEvery = time.Second
)

// Kind is a sort of jobs and its handler. It is a value; zero fields have the
// defaults above.
type Kind struct {
	// Name is stored with each job: 1 to 64 of a-z 0-9 _ .
	Name string
	// Run does a job. nil = done. An error means another try later, unless it
	// is Permanent; an *im.Error's RetryAfter says how much later at least. ctx ends
	// after Timeout, or when the node stops. Run can be called again for a job
	// that has succeeded (the node may die before that is written down), so it
	// hands the job's id to the outside as an idempotency key where it can.
	Run func(ctx context.Context, j Job) error
	// Timeout bounds one Run.
	Timeout time.Duration
	// Tries is after how many failures a job is dead.
	Tries int
	// Backoff is the delay after the first failure; it doubles, to MaxBackoff.
	Backoff time.Duration
	// PerTarget is how many jobs of one (app, target) run at once in the cluster.
	PerTarget int
	// Workers is how many jobs of this kind run at once on one node.
	Workers int
	// Keep is how long a job that is done stays, and with it its key;
	// 0 = it is deleted at once.
	Keep time.Duration
	// KeepDead is how long a dead job stays.
	KeepDead time.Duration
	// Every makes the kind periodic: the queue itself makes the only job,
	// which runs once in Every; the first time, Every after the first start.
	// It is never dead: when its tries are used up it waits for its next turn.
	Every time.Duration
}

// Spec is a job to be.
type Spec struct {
	Kind   string
	App    im.AppID // whose it is; "" = the server's own
	Target string   // what can fail on its own; can be empty
	Key    string   // unique in kind and app; "" = none
	Body   []byte
	Delay  time.Duration // from the database's now; 0 = at once
}

// Job is what a handler gets.
type Job struct {
	ID      string // 32 hex digits, for ever the same
	Kind    string
	App     im.AppID
	Target  string
	Key     string
	Body    []byte
	Try     int // 1, 2, 3 …
	Created im.Micros
}

// Permanent marks an error that no further try will cure: the job is dead at
// once. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the tables of this package, for db.Migrate under the
// name "job".
func Migrations() fs.FS { return db.Migrations(migrations) }

// Options of a Queue; all are needed.
type Options struct {
	DB      *db.DB
	Clock   im.Clock
	Entropy im.Entropy
	Log     *slog.Logger
	Metrics *metrics.Set // nil = counted for nobody
}

// Queue adds jobs, and runs those of its kinds once it is started. Adding and
// the operators' methods work without Start. All methods may be called from
// any goroutine.
type Queue struct {
	o     Options
	owner string
	kinds []Kind
	named map[string]*Kind

	wake    chan struct{} // holds a token when there may be something to do soon
	results chan result   // from workers, unbuffered
	done    chan struct{} // closed when the dispatcher has ended
	runs    metrics.Vec   // of jobs, by result

	mu       sync.Mutex // guards the fields below
	forgiven []lane     // see Replay
	started  bool
	closed   bool
	cancel   context.CancelFunc // stops claiming
	abort    context.CancelFunc // ends running handlers
}

// New builds a queue with the kinds that its node can run, and one more that
// removes old rows. Jobs of other kinds in the table are left to other nodes.
// Errors: InvalidArgument for a bad or repeated kind.
func New(o Options, kinds ...Kind) (*Queue, error) {
	owner, err := im.RandomID(o.Entropy)
	if err != nil {
		return nil, err
	}
	q := &Queue{o: o, owner: owner, named: make(map[string]*Kind), wake: make(chan struct{}, 1),
		results: make(chan result), done: make(chan struct{})}
	q.kinds = append(q.kinds, kinds...)
	q.kinds = append(q.kinds, Kind{Name: purgeKind, Every: purgeEvery, Timeout: 5 * time.Minute, Run: q.purge})
	for i := range q.kinds {
		k := &q.kinds[i]
		if !validName(k.Name) || k.Run == nil || q.named[k.Name] != nil {
			return nil, im.Errorf(im.InvalidArgument, "job kind %q: a name is 1 to 64 of a-z 0-9 _ . and unique, and Run is needed", k.Name)
		}
		k.setDefaults()
		q.named[k.Name] = k
	}
	q.runs = newCounts(o.Metrics, q)
	return q, nil
}

func (k *Kind) setDefaults() {
	def := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&k.Timeout, DefaultTimeout)
	def(&k.Backoff, DefaultBackoff)
	def(&k.KeepDead, DefaultKeepDead)
	for v, d := range map[*int]int{&k.Tries: DefaultTries, &k.PerTarget: DefaultPerTarget, &k.Workers: DefaultWorkers} {
		if *v <= 0 {
			*v = d
		}
	}
}

func validName(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '.' {
			return false
		}
	}
	return len(s) > 0 && len(s) <= 64
}

// Enqueue adds a job in the caller's transaction: it exists if and only if
// that commits. It returns the job's id, and false with the id of the job that
// is there when the key is taken. It may be run again with its transaction.
//
// Errors: InvalidArgument (unknown or periodic kind), TooLarge (body over
// MaxBody).
func (q *Queue) Enqueue(tx db.Tx, s Spec) (id string, added bool, err error) {
	k := q.named[s.Kind]
	switch {
	case k == nil || k.Every > 0:
		return "", false, im.Errorf(im.InvalidArgument, "there are no jobs of kind %q to be added", s.Kind)
	case len(s.Body) > MaxBody:
		return "", false, im.Errorf(im.TooLarge, "a job carries at most %d bytes", MaxBody)
	}
	now, err := tx.Now()
	if err != nil {
		return "", false, err
	}
	// Ids grow with time, so that the primary key grows at its end.
	uid, err := im.NewClientID(now.Time(), q.o.Entropy)
	if err != nil {
		return "", false, err
	}
	id, added, err = insert(tx, hexID(uid), s, now)
	if added {
		q.Wake()
	}
	return id, added, err
}

// Wake tells the queue that a job may have become due, or will when a
// transaction commits. Enqueue does so; a queue looks once a second anyway.
func (q *Queue) Wake() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Start begins to run jobs. It returns at once; a second call does nothing.
func (q *Queue) Start() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.started || q.closed {
		return
	}
	q.started = true
	claim, cancel := context.WithCancel(context.Background())
	run, abort := context.WithCancel(context.Background())
	q.cancel, q.abort = cancel, abort
	d := newDispatcher(q, run)
	go func() {
		defer close(q.done)
		d.run(claim)
	}()
}

// Close claims no further jobs and waits for those that run; when ctx ends
// first, their contexts are cancelled and they are given back, without the
// try being counted. Every goroutine has ended when it returns. It may be
// called again, and without Start.
func (q *Queue) Close(ctx context.Context) error {
	q.mu.Lock()
	started := q.started
	q.closed = true
	if started {
		q.cancel()
	}
	q.mu.Unlock()
	if !started {
		return nil
	}
	select {
	case <-q.done:
	case <-ctx.Done():
		q.abort()
		<-q.done
	}
	q.abort()
	return nil
}

// retryIn returns how long a failed job waits before its next try.
func (k *Kind) retryIn(tries int, err error) time.Duration {
	var e *im.Error
	wait := double(k.Backoff, tries-1, MaxBackoff)
	if errors.As(err, &e) { // a rate that asks for milliseconds must not use up all tries in a second
		wait = max(wait, min(e.RetryAfter, 24*time.Hour))
	}
	return wait
}

// double returns d·2^n, at most most.
func double(d time.Duration, n int, most time.Duration) time.Duration {
	for range n {
		if d *= 2; d >= most {
			return most
		}
	}
	return min(d, most)
}
