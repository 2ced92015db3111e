// Package chat is the front door: whatever a user or a feature does to a
// conversation comes through here, is decided by policies, and is appended to
// the journal. One verb, one file.
//
// A decision reads a Room (the conversation's row and its members) from a
// cache; the append then carries the room's version as a precondition, which
// the journal checks under the shard's lock. So a decision that somebody
// overtook is taken again, and a removed member's message cannot commit after
// the removal.
//
// Whatever an actor may not know of answers im.ErrNotFound, exactly as if it
// did not exist.
package chat

import (
	"context"
	"log/slog"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/turn"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Limits of the front door. Every one has a default in package config and a
// row in docs/reference/limits.md.
type Limits struct {
	TextBytes    int // a text message
	BodyBytes    int // an encoded body
	GroupMembers int // members of a group
	Emoji        int // different emoji on one message
	Edits        int // edits of one message
	// ReceiptMembers: read markers are announced in conversations of at most
	// this many members; above, they are fetched.
	ReceiptMembers int
	// IDWindow is how long idempotency keys are kept; client ids from before
	// it are refused.
	IDWindow time.Duration
	// IDAhead is how far a client id may lie in the future.
	IDAhead time.Duration
	// RecallWindow is how long a sender may recall where Deps.Settings is nil;
	// 0 = for ever.
	RecallWindow time.Duration
}

// DefaultLimits are the documented ones.
func DefaultLimits() Limits {
	return Limits{TextBytes: 16 << 10, BodyBytes: 32 << 10, GroupMembers: 5000, Emoji: 50, Edits: 100,
		ReceiptMembers: 200, IDWindow: 30 * 24 * time.Hour, IDAhead: 10 * time.Minute}
}

// Signaller announces what is not an entry: hints that may be lost.
type Signaller interface {
	Signal(s bus.Signal)
}

// Service is the front door. All methods may be called from any goroutine.
type Service struct {
	j            journal.Journal // nobody reads a body after its time there (expiring)
	stored       journal.Journal // the rows as they are
	signals      Signaller
	policies     []Policy
	settings     func(im.AppID) *skeinv1.AppSettings // Deps.Settings; never nil
	quota        Quota                               // never nil
	acknowledged Cursors
	burning      func(ctx context.Context, app im.AppID, conv im.ConvID, reader im.UserID, seq im.Seq) error
	limits       Limits
	clock        im.Clock
	tasks        turn.Scheduler // of clock
	log          *slog.Logger
	rooms        *rooms
	cursors      *cursorCodec
}

// Deps are what a Service is made of.
type Deps struct {
	Journal  journal.Journal
	Signals  Signaller // the bus
	Policies []Policy  // asked in order; the first refusal decides
	Limits   Limits
	Clock    im.Clock
	Log      *slog.Logger
	// CursorKey authenticates sync cursors; at least 16 bytes, the same on
	// every node.
	CursorKey []byte
	// Settings returns what an app has decided, with every field set; it is
	// asked often, and what it returns is not changed. nil = every app has the
	// defaults.
	Settings func(im.AppID) *skeinv1.AppSettings
	// Quota is asked before a message is stored; nil = apps are not bounded.
	Quota Quota
	// Cursors tells how far devices are, for receipts; nil = nobody knows.
	Cursors Cursors
	// Reading is told of a reader of a direct conversation before their marker
	// moves up to seq: messages that burn after reading begin to burn. An error
	// keeps the marker where it is. nil = nothing burns.
	Reading func(ctx context.Context, app im.AppID, conv im.ConvID, reader im.UserID, seq im.Seq) error
}

// New returns a Service that works.
func New(d Deps) *Service {
	if d.Settings == nil {
		all := &skeinv1.AppSettings{RecallWindowS: proto.Uint32(uint32(d.Limits.RecallWindow.Seconds()))}
		d.Settings = func(im.AppID) *skeinv1.AppSettings { return all }
	}
	if d.Quota == nil {
		d.Quota = noQuota{}
	}
	return &Service{
		quota: d.Quota,
		j:     expiring{d.Journal, d.Clock}, stored: d.Journal, burning: d.Reading, acknowledged: d.Cursors, signals: d.Signals, policies: d.Policies, settings: d.Settings, limits: d.Limits, clock: d.Clock, tasks: turn.Of(d.Clock), log: d.Log,
		rooms:   newRooms(d.Journal, 50_000, 4_000_000),
		cursors: newCursorCodec(d.CursorKey, d.Journal.Incarnation(), d.Journal.Shards()),
	}
}

// Now is the time by which the front door decides.
func (s *Service) Now() im.Micros { return im.MicrosOf(s.clock.Now()) }

// checkID refuses client ids whose time the idempotency window can not cover.
func (s *Service) checkID(id im.ClientID) error {
	now := s.clock.Now()
	at := id.Time()
	if at.Sub(now) > s.limits.IDAhead || now.Sub(at) > s.limits.IDWindow {
		return &im.Error{Code: im.ClockSkew, Message: "the client id's time is too far from the server's",
			Hint: "set the device's clock, or take the time from server_time_us", ServerTime: im.MicrosOf(now)}
	}
	return nil
}
