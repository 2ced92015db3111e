// Package search finds messages. A follower keeps an index of what messages
// say (index.go); a query asks the index for candidates and then reads each of
// them through package chat, as the caller, so that nobody finds what they may
// not read at this moment, whatever the index says (query.go).
//
// The index holds tokens that this package makes (token.go): words of scripts
// with spaces, and single characters and pairs of scripts without. So it needs
// no dictionary, and both engines, FTS5 on SQLite and tsvector with GIN on
// PostgreSQL, are asked the same and answer the same.
//
// Tokens are made so that no query has to go through long lists that say
// little: a word's is of one app, words are in it by their first letters too,
// and marks, tokens that no text can have, say where a message is, whose it is,
// to whom and of which kind. Hits are taken from the newest on, and only as many
// are read as are shown.
package search

import (
	"context"
	"embed"
	"io/fs"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/page"
)

// Reader reads as an actor; package chat.
type Reader interface {
	// Glance returns the messages at some places of a conversation, as they
	// are now, without those that the actor may not read.
	Glance(ctx context.Context, actor im.Actor, conv im.ConvID, seqs []im.Seq) ([]im.Entry, error)
	// Places returns the conversations that a user is or was in.
	Places(ctx context.Context, actor im.Actor, limit int) ([]journal.Place, error)
}

// Service answers skein.v1.SearchService.
type Service struct {
	chat  Reader
	db    *db.DB
	pages *page.Sealer
}

// New builds the service. The tables must have been migrated.
func New(c Reader, d *db.DB, pages *page.Sealer) *Service {
	return &Service{chat: c, db: d, pages: pages}
}

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the tables of this package, for db.Migrate under the
// name "search".
func Migrations() fs.FS { return db.Migrations(migrations) }
