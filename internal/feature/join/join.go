// Package join lets users into groups by themselves, and keeps users out:
// joining, requests to join, invitations, bans, allow lists.
//
// Who is in a group is what the journal says, so every way in is an entry that
// is appended on the version of the group it was decided on. What is kept in
// tables (bans, allow lists, invitations) is read after the group's version,
// and whatever takes a permission away writes its row first and then raises
// the version: a join that was decided before is decided again, and one that
// is decided later sees the row. So nobody comes in after a ban, or by an
// invitation after its end, was acknowledged.
//
// An invitation with n uses lets exactly n in, also when a hundred users come
// at once to several nodes and nodes die. Whoever sets out leaves a row with
// the client id of the entry that is to let them in; the uses are the counted
// rows and those whose entry is in the journal. Two joins cannot both be
// decided on the same version, a row without an entry is no use, and an entry
// without a counted row is found by its client id (uses.go).
package join

import (
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/page"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// The limits. Each has a row in docs/reference/limits.md.
const (
	// MaxOpen is how many requests a user has open at once.
	MaxOpen = 50
	// MaxWaiting is how many requests a group has open at once.
	MaxWaiting = 10_000
	// MaxInvites is how many invitations of a group work at once.
	MaxInvites = 100
	// MaxUses is the most uses that an invitation is given, where it is not for
	// any number.
	MaxUses = 100_000
	// MaxAllowed is how many users are on a group's allow list.
	MaxAllowed = 10_000
	// RequestLife is how long a request is open.
	RequestLife = 30 * 24 * time.Hour
	// keepEnded is how long the row of an invitation stays that has ended.
	keepEnded = 30 * 24 * time.Hour
	// claimLife is how long an answer may take before another may be given.
	claimLife = 30 * time.Second
	maxText   = 256 // bytes of a message or reason
	maxLabel  = 64  // bytes
)

// Deps are what a Service is made of; all are needed.
type Deps struct {
	DB      *db.DB
	Journal journal.Journal
	Chat    *chat.Service // with Rules among its policies
	Jobs    Enqueuer
	Clock   im.Clock
	Entropy im.Entropy
	Log     *slog.Logger
	// Members bounds a group.
	Members int
	// AllowLookup counts a look-up of a code, a join, a request and its
	// withdrawal, and refuses them with RateLimited: what a code opens must not
	// be found by guessing, and each request is told to many.
	AllowLookup func(a im.Actor) error
	Pages       *page.Sealer
}

// Enqueuer adds jobs in a transaction; *job.Queue.
type Enqueuer interface {
	Enqueue(tx db.Tx, s job.Spec) (id string, added bool, err error)
	Wake()
}

// Service is the verbs. It is safe for concurrent use.
type Service struct {
	Deps
	doors *doors
}

// New builds the service. The tables must have been migrated, and the queue
// must run Kinds.
func New(d Deps) *Service { return &Service{Deps: d, doors: newDoors()} }

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the tables of this package, for db.Migrate under the
// name "join".
func Migrations() fs.FS { return db.Migrations(migrations) }

// checkText holds a line that other people read to its length and to
// characters that show what they are: no control characters, and none that
// turn the direction of what follows (U+202E).
func checkText(what, s string, most int) error {
	if len(s) > most || !utf8.ValidString(s) {
		return im.Errorf(im.InvalidArgument, "%s has at most %d bytes of UTF-8", what, most)
	}
	for _, r := range s {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' {
			return im.Errorf(im.InvalidArgument, "%s has a control character", what)
		}
	}
	return nil
}

func checkUser(u im.UserID) error {
	if !im.ValidName(string(u)) {
		return im.Errorf(im.InvalidArgument, "user is no user id")
	}
	return nil
}

// group returns a group that there is; everything else is absent.
func (s *Service) group(ctx context.Context, app im.AppID, conv im.ConvID) (*chat.Room, error) {
	if conv.Kind() != im.ConvGroup {
		return nil, im.ErrNotFound
	}
	return s.Chat.Room(ctx, app, conv)
}

// manager returns a group in which the actor has a grant. For who is no member
// it is absent.
func (s *Service) manager(ctx context.Context, a im.Actor, conv im.ConvID, grant skeinv1.Grant) (*chat.Room, error) {
	room, err := s.group(ctx, a.App, conv)
	if err != nil || a.Server {
		return room, err
	}
	return room, s.needs(room, a, grant)
}

// needs refuses who has not a grant.
func (s *Service) needs(room *chat.Room, a im.Actor, grant skeinv1.Grant) error {
	if a.Server {
		return nil
	}
	if _, in := room.Member(a.User); !in {
		return im.ErrNotFound
	}
	if !room.Grants(a.User, im.MicrosOf(s.Clock.Now())).Has(grant) {
		return im.Errorf(im.PermissionDenied, "this needs the grant %s in the group", grantName(grant))
	}
	return nil
}

func grantName(g skeinv1.Grant) string { return g.String()[len("GRANT_"):] }

// closed tells whether nobody comes into a group any more.
func closed(room *chat.Room) bool {
	return room.Kind != im.ConvGroup || room.Size() == 0 || room.Dissolved()
}

// conversation is what a user who came in is told.
func (s *Service) conversation(ctx context.Context, a im.Actor, conv im.ConvID) (*skeinv1.Conversation, error) {
	return s.Chat.Open(ctx, a, conv)
}
