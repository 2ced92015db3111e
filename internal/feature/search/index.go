package search

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/follow"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// The index may lag behind under load, but it must not hold up the journal,
// which shares SQLite's one writer: few entries a transaction, with pauses
// while others write: 1,500 messages a second then.
const (
	batch = 64
	pace  = 15 * time.Millisecond
	yield = 40 * time.Millisecond
)

// Index returns the follower that keeps the index.
func Index() follow.Follower {
	return follow.Follower{Name: "search", Apply: apply, Reset: reset, Origin: follow.FromStart, Every: pace, Batch: batch, Yield: yield, Wants: wants}
}

func wants(e *im.Entry) bool {
	switch e.Kind {
	case im.KindMessage, im.KindEdit, im.KindRecall, im.KindExpire:
		return true
	}
	return false
}

// apply brings the index to what a batch says. Entries may come again.
func apply(_ context.Context, tx db.Tx, entries []im.Entry) error {
	for i := range entries {
		e := &entries[i]
		var err error
		switch e.Kind {
		case im.KindMessage:
			err = add(tx, e)
		case im.KindEdit:
			err = replace(tx, e)
		default:
			err = remove(tx, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// form is raised whenever documents get other tokens than before: an index of
// another form is made anew (Outdated).
const form = 1

// reset empties a shard's index. SQLite, which has one shard, empties it whole,
// because the tokens of a million documents take minutes one by one.
func reset(_ context.Context, tx db.Tx, shard int) error {
	if _, err := tx.Exec("INSERT INTO search_form (shard, form) VALUES ($1, $2) ON CONFLICT (shard) DO UPDATE SET form = excluded.form", shard, form); err != nil {
		return err
	}
	if tx.Dialect() == db.SQLite {
		var others bool // a moved store had more shards
		if err := tx.QueryRow("SELECT EXISTS (SELECT 1 FROM search_doc WHERE shard <> $1)", shard).Scan(&others); err != nil {
			return err
		}
		if !others {
			if _, err := tx.Exec("INSERT INTO search_token (search_token) VALUES ('delete-all')"); err != nil {
				return err
			}
			_, err := tx.Exec("DELETE FROM search_doc")
			return err
		}
		if _, err := tx.Exec("DELETE FROM search_token WHERE rowid IN (SELECT doc FROM search_doc WHERE shard = $1)", shard); err != nil {
			return err
		}
	}
	_, err := tx.Exec("DELETE FROM search_doc WHERE shard = $1", shard)
	return err
}

// Outdated tells whether the index of one of the shards was made by a program
// that gave documents other tokens. Who starts the follower has it start again
// from the first entry then (follow.Runner.Rebuild), and until it has caught up
// less is found.
func (s *Service) Outdated(ctx context.Context, shards int) (old bool, err error) {
	err = s.db.Read(ctx, func(tx db.Tx) error {
		var n int
		err := tx.QueryRow("SELECT count(*) FROM search_form WHERE form = $1 AND shard < $2", form, shards).Scan(&n)
		old = n < shards
		return err
	})
	return old, err
}

// shardBits is where the shard begins in a document's number.
const shardBits = 48

// add makes the document of a message, also of one that says nothing: an edit
// may give it words.
func add(tx db.Tx, e *im.Entry) error {
	doc := int64(e.Shard)<<shardBits | int64(e.Pos)
	if tx.Dialect() == db.Postgres {
		_, err := tx.Exec(`INSERT INTO search_doc (doc, shard, app, conv, seq, time, tokens) VALUES ($1, $2, $3, $4, $5, $6, array_to_tsvector($7::text[]))
			ON CONFLICT (doc) DO UPDATE SET tokens = excluded.tokens`, doc, e.Shard, e.App, e.Conv, e.Seq, e.Time, tokensOf(e))
		return err
	}
	n, err := tx.Exec("INSERT INTO search_doc (doc, shard, app, conv, seq, time) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (doc) DO NOTHING",
		doc, e.Shard, e.App, e.Conv, e.Seq, e.Time)
	if err != nil || n == 0 { // it was applied before; what has become of it since comes again, too
		return err
	}
	return put(tx, doc, tokensOf(e))
}

// find returns the document of a message, 0 = none.
func find(tx db.Tx, e *im.Entry, seq im.Seq) (doc int64, err error) {
	err = tx.QueryRow("SELECT coalesce((SELECT doc FROM search_doc WHERE app = $1 AND conv = $2 AND seq = $3), 0)", e.App, e.Conv, seq).Scan(&doc)
	return doc, err
}

// put gives a new document its tokens.
func put(tx db.Tx, doc int64, tokens []string) error {
	if tx.Dialect() == db.Postgres {
		_, err := tx.Exec("UPDATE search_doc SET tokens = array_to_tsvector($2::text[]) WHERE doc = $1", doc, tokens)
		return err
	}
	_, err := tx.Exec("INSERT INTO search_token (rowid, tokens) VALUES ($1, $2)", doc, strings.Join(tokens, " "))
	return err
}

// reput gives a document other tokens.
func reput(tx db.Tx, doc int64, tokens []string) error {
	if tx.Dialect() == db.SQLite {
		if _, err := tx.Exec("DELETE FROM search_token WHERE rowid = $1", doc); err != nil {
			return err
		}
	}
	return put(tx, doc, tokens)
}

// replace is an edit: the document says what the edit says.
func replace(tx db.Tx, e *im.Entry) error {
	if len(e.Body) == 0 { // the message was recalled, or has expired
		return nil
	}
	doc, err := find(tx, e, e.Target)
	if err != nil || doc == 0 {
		return err
	}
	return reput(tx, doc, tokensOf(e))
}

// remove is a recall or an expiry.
func remove(tx db.Tx, e *im.Entry) error {
	doc, err := find(tx, e, e.Target)
	if err != nil || doc == 0 {
		return err
	}
	if tx.Dialect() == db.SQLite {
		if _, err := tx.Exec("DELETE FROM search_token WHERE rowid = $1", doc); err != nil {
			return err
		}
	}
	_, err = tx.Exec("DELETE FROM search_doc WHERE doc = $1", doc)
	return err
}

// Characters of private use, which no word has.
const (
	mark   = "\ue000" // begins a mark
	begins = "\ue001" // begins the beginning of a word
	scopes = 0xe100   // and the characters from here on are scopes
)

func markOf(what string, names ...string) string {
	sum := sha256.Sum256([]byte(what + "\x00" + strings.Join(names, "\x00")))
	return mark + what + hex.EncodeToString(sum[:8])
}

// scope is what the words of an app's messages begin with in the index, so that
// a word's list has the messages of one app. Apps may share a scope: what is
// found is held against the app, too.
func scope(app im.AppID) string {
	sum := sha256.Sum256([]byte(app))
	return string(rune(scopes + int(binary.BigEndian.Uint16(sum[:]))%(0xf8ff-scopes+1)))
}

func convMark(app im.AppID, c im.ConvID) string   { return markOf("c", string(app), string(c)) }
func senderMark(app im.AppID, u im.UserID) string { return markOf("s", string(app), string(u)) }
func toMark(app im.AppID, u im.UserID) string     { return markOf("t", string(app), string(u)) }
func kindMark(app im.AppID, k skeinv1.SearchKind) string {
	return scope(app) + mark + "k" + strconv.Itoa(int(k))
}

// tokensOf returns the tokens of a message's, or an edit's, document.
func tokensOf(e *im.Entry) []string {
	out := []string{convMark(e.App, e.Conv), senderMark(e.App, e.Sender)}
	if a, b := e.Conv.Pair(); a != "" {
		for _, u := range []im.UserID{a, b} {
			if u != e.Sender {
				out = append(out, toMark(e.App, u))
			}
		}
	}
	content := contentOf(e)
	for _, k := range kindsOf(content) {
		out = append(out, kindMark(e.App, k))
	}
	in := scope(e.App)
	for _, t := range tokens(words(content)) {
		out = append(out, in+t)
	}
	return out
}

// contentOf decodes a readable body; nil of any other.
func contentOf(e *im.Entry) *skeinv1.Content {
	var b skeinv1.Body
	if len(e.Body) == 0 || proto.Unmarshal(e.Body, &b) != nil || b.Scheme != skeinv1.BodyScheme_BODY_SCHEME_CONTENT {
		return nil
	}
	return b.Content
}
