// Package file takes files in, keeps them once, and lets those read them who
// may read a message that they are in.
//
// An upload is a row, and bytes in the store of package blob. The row says how
// many bytes are durable; a client is never told of more. So an upload goes on
// after the death of the client, of this server or of its node, also on another
// node: who writes holds the row by a lease (claim.go).
//
// When all bytes are there and their SHA-256 is known, they become the bytes of
// a file. The same bytes of the same app are stored once, but only whoever has
// brought all of them gets a file: to know a hash gives nothing and spares
// nothing.
package file

import (
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"time"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/metrics"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Limits bound uploads.
type Limits struct {
	// Size is the most bytes of a file.
	Size int64
	// Open is how many uploads a user has at once that are not complete.
	Open int
	// Keep is how long an upload is kept that nothing comes for, and a file that
	// is in no message.
	Keep time.Duration
}

// Deps are what the service is made of; all are needed.
type Deps struct {
	DB     *db.DB
	Stores *Stores
	// Redirect has files read where the store gives URLs of them, for
	// blob.MaxPresign: somebody who is removed may read so much longer what they
	// had asked for.
	Redirect bool
	Chat     Reader
	Media    Media
	// Origin is where files are read, when that is elsewhere than everything else.
	Origin  string
	Key     []byte // of the keys in URLs, the same on every node
	Clock   im.Clock
	Entropy im.Entropy
	Log     *slog.Logger
	Limits  Limits
	// Uncounted tells the time of the oldest entry that Follower has not applied;
	// ok = false when there is none.
	Uncounted func(ctx context.Context) (at im.Micros, ok bool, err error)
	// Quotas returns what an app may use, every field set, 0 = no bound.
	Quotas func(app im.AppID) *skeinv1.AppQuotas
	// Refused counts refusals by the names that Refusals has.
	Refused metrics.Vec
}

// Service keeps uploads and files. It is a tus.Uploads.
type Service struct {
	d      Deps
	claims claims
}

// New returns the service. The tables must have been migrated.
func New(d Deps) *Service { return &Service{d: d} }

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the tables of this package, for db.Migrate under the
// name "file".
func Migrations() fs.FS { return db.Migrations(migrations) }
