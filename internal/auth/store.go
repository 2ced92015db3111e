package auth

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/metrics"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// Options of New. DB, Clock, Entropy and Key are needed.
type Options struct {
	DB      *db.DB
	Clock   im.Clock
	Entropy im.Entropy
	Key     MasterKey    // seals the apps' secrets
	Log     *slog.Logger // nil = none
	// Dev accepts tokens that a server in dev mode issued.
	Dev bool
	// AllowedOrigins are web origins that may speak for every app, beside each
	// app's own list.
	AllowedOrigins []string
	// Node names this process among those that serve from the same database.
	// Empty = a random name. A process under the name of another one takes its
	// lease over at once, so give a name only where something else guarantees
	// that the other one is dead (a lock on the data folder); then a sign-out
	// right after a crash need not wait for the dead one's lease to run out.
	Node string
	// Lease is how long a node may serve without having looked at the fence
	// log; 0 = 5 s. It bounds how long a sign-out waits for a node that is cut off.
	Lease time.Duration
	// MaxDevices bounds the signed-in devices of a user; 0 = 20.
	MaxDevices int
	Metrics    *metrics.Set // nil = counted for nobody
	// Defaults are the settings of apps that have not made their own; fields
	// that are absent, or nil, are as the proto says.
	Defaults *skeinv1.AppSettings
	// Quotas are those of apps for which the operator has decided nothing;
	// fields that are absent, or nil, are no bounds.
	Quotas *skeinv1.AppQuotas
	// RefusedUsers is called for each user whom the quota refuses; nil = nobody
	// is told.
	RefusedUsers func()
	// Raised and Applied tell the other nodes at once what they would else find
	// out by looking: that the fence log has grown to a position, and that this
	// node has applied it up to one. Both must return at once; nil = they look.
	Raised, Applied func(pos int64)
}

// DefaultLease is the longest that a node serves without having looked at the
// fence log, and so the longest that a sign-out waits.
const DefaultLease = 5 * time.Second

// DefaultMaxDevices is how many devices of a user may be signed in.
const DefaultMaxDevices = 20

// Auth is the package's one service: apps, tokens, devices, fences. It is safe
// for concurrent use. Authenticate and AuthenticateCall need Run to be running
// and answer Unavailable otherwise.
type Auth struct {
	db         *db.DB
	urgent     *db.DB // the same, for looking at the log and renewing the lease
	clock      im.Clock
	entropy    im.Entropy
	key        MasterKey
	log        *slog.Logger
	dev        bool
	origins    []string
	node       string
	epoch      string
	lease      time.Duration
	maxDevices int
	defaults   *skeinv1.AppSettings // every field is set
	quotas     *skeinv1.AppQuotas   // every field is set
	raised     func(pos int64)      // Options.Raised and Applied; never nil
	told       func(pos int64)
	// refusedUsers is Options.RefusedUsers; never nil.
	refusedUsers func()

	valid validity // until when this node may serve
	known *known   // what is remembered of tokens, secrets and origins
	notes *notes   // last_seen and cursors on their way to the database
	wake  chan struct{}
	// fences counts those that this node has applied.
	fences prometheus.Counter
	// fencing holds a token for the one transaction that may insert a fence,
	// writers for the few that may write at all. PostgreSQL rolls all but one of
	// the transactions back that want the log's head at once: they had better
	// wait for each other here. Between nodes the database decides.
	fencing chan struct{}
	writers chan struct{}
	// adding holds a token for the one transaction of PutAccounts.
	adding  chan struct{}
	signIns *together // those that insert no fence
	// When and with which validity the lease's trouble was last reported; owned by Run.
	said      time.Time
	saidValid bool

	mu      sync.Mutex    // guards the rest
	applied int64         // fences applied by this process
	toldOf  int64         // the position that the other nodes were told of
	moved   chan struct{} // closed and replaced when applied grows
}

// New migrates the package's tables and returns a service. It starts nothing:
// see Run.
func New(ctx context.Context, o Options) (*Auth, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Lease <= 0 {
		o.Lease = DefaultLease
	}
	if o.MaxDevices <= 0 {
		o.MaxDevices = DefaultMaxDevices
	}
	epoch, err := im.RandomID(o.Entropy)
	if err != nil {
		return nil, err
	}
	if o.Node == "" {
		o.Node = epoch
	}
	origins := make([]string, len(o.AllowedOrigins))
	for i, s := range o.AllowedOrigins {
		if origins[i], err = ParseOrigin(s); err != nil {
			return nil, fmt.Errorf("allowed_origins: %q: %w", s, err)
		}
	}
	for _, fn := range []*func(int64){&o.Raised, &o.Applied} {
		if *fn == nil {
			*fn = func(int64) {}
		}
	}
	if err := o.DB.Migrate(ctx, "auth", db.Migrations(migrationFiles)); err != nil {
		return nil, err
	}
	a := &Auth{db: o.DB, urgent: o.DB.Urgent(), clock: o.Clock, entropy: o.Entropy, key: o.Key, log: o.Log, dev: o.Dev,
		origins: origins, node: o.Node, epoch: epoch, lease: o.Lease, maxDevices: o.MaxDevices, raised: o.Raised, told: o.Applied,
		defaults: merge(baseDefaults(), o.Defaults), quotas: merge(baseQuotas(), o.Quotas), valid: newValidity(o.Clock, o.Lease*4/5), known: newKnown(), notes: newNotes(),
		wake: make(chan struct{}, 1), fencing: make(chan struct{}, 1), writers: make(chan struct{}, maxWriters), adding: make(chan struct{}, 1), moved: make(chan struct{})}
	a.signIns = &together{write: a.write}
	a.fences = a.declare(o.Metrics)
	if a.refusedUsers = o.RefusedUsers; a.refusedUsers == nil {
		a.refusedUsers = func() {}
	}
	return a, nil
}

// maxWriters bounds the transactions of one process that write at once.
const maxWriters = 8

// write is db.Write for transactions that insert no fence.
func (a *Auth) write(ctx context.Context, fn func(db.Tx) error) error {
	return a.in(ctx, a.writers, fn)
}

// writeFence is db.Write for those that do.
func (a *Auth) writeFence(ctx context.Context, fn func(db.Tx) error) error {
	return a.in(ctx, a.fencing, fn)
}

func (a *Auth) in(ctx context.Context, room chan struct{}, fn func(db.Tx) error) error {
	select {
	case room <- struct{}{}:
	case <-ctx.Done():
		return im.Errorf(im.Unavailable, "the call was given up before the database was asked")
	}
	defer func() { <-room }()
	return a.db.Write(ctx, fn)
}

// now is the clock in the unit of the tables.
func (a *Auth) now() im.Micros { return im.MicrosOf(a.clock.Now()) }

// one scans the only row of a query; found is false when there is none.
func one(row db.Row, dest ...any) (found bool, err error) {
	err = row.Scan(dest...)
	if errors.Is(err, db.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}
