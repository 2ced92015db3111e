// Package timed is what happens to messages by the clock: those that a user
// has written for later are sent, those whose time is over are emptied.
//
// Every moment is a job's due time, kept with what it is about in one
// transaction and measured by the database's clock, so it comes once whatever
// dies in between. What has to be said is said through the front door, with a
// client id that was stored before the first attempt, so it is said once.
package timed

import (
	"context"
	"embed"
	"encoding/hex"
	"io/fs"
	"log/slog"
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
	// MaxScheduled is how many messages of a user wait, or have failed, at most.
	MaxScheduled = 100
	// MinAhead and MaxAhead bound when a message is sent.
	MinAhead = time.Second
	MaxAhead = 365 * 24 * time.Hour
)

// Chat is the front door; *chat.Service.
type Chat interface {
	Send(ctx context.Context, actor im.Actor, r chat.SendRequest) (journal.Result, error)
	Open(ctx context.Context, actor im.Actor, conv im.ConvID) (*skeinv1.Conversation, error)
	CheckSend(r *chat.SendRequest) error
	History(ctx context.Context, actor im.Actor, r chat.HistoryRequest) (*skeinv1.ListMessagesResponse, error)
	Expire(ctx context.Context, app im.AppID, conv im.ConvID, seq im.Seq) error
}

// Deps are what this package is made of; all are needed.
type Deps struct {
	DB      *db.DB
	Chat    Chat
	Queue   Queue // with the Kinds of this package
	Clock   im.Clock
	Entropy im.Entropy
	Log     *slog.Logger
	// Decode turns what the wire has of a send into the front door's request
	// and holds it to the rules that need no state.
	Decode func(m *skeinv1.SendMessageRequest) (chat.SendRequest, error)
	// IDWindow is how long a client may repeat a call.
	IDWindow time.Duration
	Files    Files
}

// Files keeps the files of what waits from being collected; feature/file.
type Files interface {
	// Hold keeps those of a body under a name, in place of what it kept there.
	Hold(tx db.Tx, a im.Actor, name string, body []byte) error
	// Release keeps them no longer.
	Release(tx db.Tx, app im.AppID, name string) error
}

// The kinds of jobs.
const (
	scheduledKind = "scheduled"
	purgeKind     = "scheduled_purge"
	expireKind    = "expire"
	lookKind      = "burn_look"
	sweepKind     = "burn_sweep"
)

// Kinds are the jobs of this package. A queue has to know them before there is
// a service, which needs a queue: late and burns are asked when a job runs.
func Kinds(late func() *Service, burns func() *Burns) []job.Kind {
	return []job.Kind{
		{Name: scheduledKind, Tries: scheduledTries, PerTarget: 8, Run: func(ctx context.Context, j job.Job) error { return late().runScheduled(ctx, j) }},
		{Name: purgeKind, Every: 6 * time.Hour, Timeout: 5 * time.Minute, Run: func(ctx context.Context, j job.Job) error { return late().purge(ctx, j) }},
		{Name: expireKind, Tries: scheduledTries, PerTarget: 16, Run: func(ctx context.Context, j job.Job) error { return late().runExpire(ctx, j) }},
		{Name: lookKind, PerTarget: 8, Run: func(ctx context.Context, j job.Job) error { return burns().look(ctx, j) }},
		{Name: sweepKind, Every: sweepEvery, Timeout: 5 * time.Minute, Run: func(ctx context.Context, j job.Job) error { return burns().sweep(ctx, j) }},
	}
}

// Queue is what adds jobs; *job.Queue.
type Queue interface {
	Enqueue(tx db.Tx, s job.Spec) (id string, added bool, err error)
}

// Service answers skein.v1.TimedService and does what is due.
type Service struct{ d Deps }

// New returns a service. The tables must have been migrated.
func New(d Deps) *Service { return &Service{d} }

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the tables of this package, for db.Migrate under the
// name "timed".
func Migrations() fs.FS { return db.Migrations(migrations) }

func idText(id im.ClientID) string { return hex.EncodeToString(id[:]) }

// parseID reads an id of the wire.
func parseID(b []byte) (string, error) {
	id, ok := im.ParseClientID(b)
	if !ok {
		return "", im.Errorf(im.InvalidArgument, "id is a UUIDv7 of 16 bytes")
	}
	return idText(id), nil
}
