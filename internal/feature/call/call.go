// Package call is calls as people know them: it rings, somebody answers, people
// come, leave and are sent home, and what is left is a line in the
// conversation and a record.
//
// The truth of a call is its rows. Every change is one transaction that moves
// the call and its parties by the table in machine.go; what follows from it
// is work (work.go) that can be done again: the devices of users are told by the
// key "calls" of their self conversation, a group by its key "call", the
// conversation gets a notice, the media server gets rooms and loses
// participants. It is done at once by who made the change, and by jobs of the same
// transaction, so that it is done whatever dies in between. Deadlines are jobs
// too.
//
// Media is not ours: a call hands out tokens for a server that speaks
// LiveKit's protocol (media.go), asks it by LiveKit's RoomService, and hears
// from it by webhooks, which are hints: before somebody counts as gone the
// server is asked.
package call

import (
	"context"
	"embed"
	"hash/maphash"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Limits of this package.
const (
	// MaxOwn is how many calls the key "calls" of a user has.
	MaxOwn = 16
	// MaxShown is how many parties a call in a list, and a group's call, has.
	MaxShown = 20
	// afterglow is how long an ended call stays among a user's calls, for
	// devices that were away when it ended.
	afterglow = 2 * time.Minute
)

// Chat is the front door; *chat.Service.
type Chat interface {
	MayCall(ctx context.Context, actor im.Actor, conv im.ConvID) (*chat.Room, error)
	MayHear(ctx context.Context, actor im.Actor, conv im.ConvID) (*chat.Room, error)
	Refresh(ctx context.Context, actor im.Actor, conv im.ConvID, key string, id im.ClientID, now func(context.Context) (*skeinv1.Content, error)) error
	Send(ctx context.Context, actor im.Actor, r chat.SendRequest) (journal.Result, error)
	Open(ctx context.Context, actor im.Actor, conv im.ConvID) (*skeinv1.Conversation, error)
	Read(ctx context.Context, actor im.Actor, conv im.ConvID, seq im.Seq) (journal.Marker, error)
	Glance(ctx context.Context, actor im.Actor, conv im.ConvID, seqs []im.Seq) ([]im.Entry, error)
	Now() im.Micros
}

// Queue is what adds jobs; *job.Queue.
type Queue interface {
	Enqueue(tx db.Tx, s job.Spec) (id string, added bool, err error)
}

// Pages seals the tokens of pages; *page.Sealer.
type Pages interface {
	Seal(a im.Actor, list, after string) string
	Open(a im.Actor, list, token string) (after string, err error)
}

// Ring is what one user's devices are to do about one call, for who reaches
// devices that are not connected.
type Ring struct {
	App  im.AppID
	User im.UserID
	Call *skeinv1.UserCall
}

// Deps are what a Service is made of; all but Media, AllowRing, Push and Files are
// needed.
type Deps struct {
	DB      *db.DB
	Chat    Chat
	Queue   Queue // with the Kinds of this package
	Pages   Pages
	Clock   im.Clock
	Entropy im.Entropy
	Log     *slog.Logger
	// Media is the media server; nil = there is none, and no calls.
	Media *Media
	// Parties bounds how many a call has.
	Parties int
	// RingTime is how long it rings.
	RingTime time.Duration
	// AllowRing counts that a user rings others, and refuses it with
	// RateLimited; nil = as often as they like.
	AllowRing func(a im.Actor) error
	// Push tells of a ring, and of its end, at least once each and in order; nil =
	// nobody. An error has it told again.
	Push func(ctx context.Context, r Ring) error
	// Files keeps recordings; nil = nothing is recorded. Recordings is the folder
	// that the media server of this node records to.
	Files      Files
	Recordings string
}

// Service answers skein.v1.CallService and does what is due. All methods may
// be called from any goroutine.
type Service struct {
	d      Deps
	turns  [64]sync.Mutex // changes of one call take turns on a node, rather than meet in the database; whoever holds one takes no other
	groups [64]sync.Mutex // who tells a group of its call, one at a time: those who waited find it told
	seed   maphash.Seed
	fences chan fence
	fenced fenceLog
	done   chan struct{} // closed when the goroutine of fences has ended

	sweeping sync.Mutex // one sweeps; guards sweptTo
	sweptTo  undone     // the last call that was swept; zero = begin with the first

	gathering sync.Mutex    // one looks into the folder of recordings
	wake      chan struct{} // a recording is complete
	gathered  chan struct{} // closed when the goroutine of recordings has ended
	stop      context.CancelFunc
}

// New returns a service that hears of fences until it is closed. The tables
// must have been migrated.
func New(d Deps) *Service {
	ctx, stop := context.WithCancel(context.Background())
	s := &Service{d: d, seed: maphash.MakeSeed(), fences: make(chan fence, 1024), done: make(chan struct{}), stop: stop,
		wake: make(chan struct{}, 1), gathered: make(chan struct{})}
	go s.hear(ctx)
	go s.gathers(ctx)
	return s
}

// Close ends the service's goroutines. What the media server of this node has
// completed as it ended is taken in before, as long as ctx lasts: the node may not
// be back, nor its folder.
func (s *Service) Close(ctx context.Context) error {
	s.stop()
	<-s.done
	<-s.gathered
	if s.d.Files != nil {
		s.gather(ctx, map[string]retry{})
	}
	return nil
}

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the tables of this package, for db.Migrate under the
// name "call".
func Migrations() fs.FS { return db.Migrations(migrations) }

// The kinds of jobs.
const (
	workKind  = "call_work"  // what follows from a change
	ringKind  = "call_ring"  // a ring's time is up
	checkKind = "call_check" // members have changed
	awayKind  = "call_away"  // somebody whose connection broke may not be back
	sweepKind = "call_sweep" // what jobs and webhooks have missed
)

// sweepEvery is how often the calls that go on are compared with the media
// server.
const sweepEvery = 20 * time.Second

// Kinds are the jobs of this package. A queue has to know them before there is
// a service, which needs a queue: late is asked when a job runs. Their time is
// short, so that a node that dies with one keeps it from the others for little
// more than half a minute.
func Kinds(late func() *Service) []job.Kind {
	const short = 10 * time.Second
	return []job.Kind{
		{Name: workKind, Timeout: short, PerTarget: 16, Run: func(ctx context.Context, j job.Job) error { return late().runWork(ctx, j) }},
		{Name: ringKind, Timeout: short, PerTarget: 16, Run: func(ctx context.Context, j job.Job) error { return late().runRing(ctx, j) }},
		{Name: checkKind, Timeout: short, PerTarget: 16, Run: func(ctx context.Context, j job.Job) error { return late().runCheck(ctx, j) }},
		{Name: awayKind, Timeout: short, PerTarget: 16, Run: func(ctx context.Context, j job.Job) error { return late().runAway(ctx, j) }},
		{Name: sweepKind, Timeout: 2 * short, Every: sweepEvery, Run: func(ctx context.Context, _ job.Job) error { return late().sweep(ctx) }},
	}
}

// noteDown writes down what was done for a call. It takes its turn with the changes,
// which read what it writes.
func (s *Service) noteDown(ctx context.Context, id, query string, args ...any) error {
	defer s.alone(id)()
	return s.d.DB.Write(ctx, func(tx db.Tx) error {
		_, err := tx.Exec(query, args...)
		return err
	})
}

// alone has the changes of one call on this node take turns.
func (s *Service) alone(id string) (done func()) {
	m := &s.turns[maphash.String(s.seed, id)%uint64(len(s.turns))]
	m.Lock()
	return m.Unlock
}

// errNone is the answer of a server without a media server.
func errNone() error {
	return &im.Error{Code: im.FailedPrecondition, Message: "this server has no calls", Hint: "set the option sfu, or calls.url: docs/ops/calls.md"}
}
