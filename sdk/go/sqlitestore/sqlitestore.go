// Package sqlitestore keeps a client's messages, outbox and cursor in one
// SQLite file, in pure Go.
//
// A batch is one transaction with synchronous=FULL: what Send has put into the
// outbox survives a crash of the process and a power cut, and the cursor never
// stands for messages that are not there. One file holds one user of one app
// at one endpoint and serves one client at a time.
package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"

	_ "modernc.org/sqlite" // the driver

	skein "github.com/skein-im/skein/sdk/go"
)

// Store implements skein.Store.
type Store struct{ db *sql.DB }

var _ skein.Store = (*Store)(nil)

// version of the schema, in user_version.
const version = 1

const schema = `
create table meta (
	one integer primary key check (one = 1),
	endpoint text not null, app text not null, user text not null, device text not null,
	incarnation text not null, cursor blob
) strict;
create table conversation (id text primary key, data blob not null) strict, without rowid;
create table message (
	conversation text not null, seq integer not null, time_us integer not null,
	text text not null, data blob not null,
	primary key (conversation, seq)
) strict, without rowid;
create index message_time on message (time_us) where text <> '';
create table outbox (id text primary key, position integer not null, data blob not null) strict, without rowid;
`

// Open opens or makes the file at path.
//
// Errors: what the file system or SQLite say; a file of a newer SDK.
func Open(path string) (*Store, error) {
	q := url.Values{"_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)"}, "_txlock": {"immediate"}}
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	s := &Store{db}
	if err := s.migrate(); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), db.Close())
	}
	return s, nil
}

// Close closes the file. Close the client first.
func (s *Store) Close() error { return s.db.Close() }

func (s *Store) migrate() error {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it says so
	var v int
	if err := tx.QueryRow("pragma user_version").Scan(&v); err != nil {
		return err
	}
	switch {
	case v == version:
		return nil
	case v > version:
		return fmt.Errorf("the file is of version %d, this SDK knows %d: update it", v, version)
	}
	if _, err := tx.Exec(schema); err != nil {
		return err
	}
	if _, err := tx.Exec(fmt.Sprintf("pragma user_version = %d", version)); err != nil {
		return err
	}
	return tx.Commit()
}

// Load implements skein.Store.
func (s *Store) Load(ctx context.Context) (skein.Saved, error) {
	var out skein.Saved
	m := &out.Meta
	err := s.db.QueryRowContext(ctx, "select endpoint, app, user, device, incarnation, cursor from meta").
		Scan(&m.Endpoint, &m.App, &m.User, &m.Device, &m.Incarnation, &m.Cursor)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return out, fmt.Errorf("load: %w", err)
	}
	err = s.each(ctx, func(scan func(...any) error) error {
		var c skein.SavedConversation
		err := scan(&c.ID, &c.Data)
		out.Conversations = append(out.Conversations, c)
		return err
	}, "select id, data from conversation order by id")
	if err != nil {
		return out, fmt.Errorf("load conversations: %w", err)
	}
	err = s.each(ctx, func(scan func(...any) error) error {
		var it skein.SavedItem
		err := scan(&it.ID, &it.Order, &it.Data)
		out.Outbox = append(out.Outbox, it)
		return err
	}, "select id, position, data from outbox order by position")
	if err != nil {
		return out, fmt.Errorf("load the outbox: %w", err)
	}
	return out, nil
}

// each calls fn for every row of a query.
func (s *Store) each(ctx context.Context, fn func(scan func(...any) error) error, query string, args ...any) error {
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	for rows.Next() {
		if err := fn(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Apply implements skein.Store.
func (s *Store) Apply(ctx context.Context, b skein.Batch) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it says so
	w := writer{ctx: ctx, tx: tx}
	for _, id := range b.Removed {
		w.exec("delete from conversation where id = ?", id)
		w.exec("delete from message where conversation = ?", id)
	}
	for _, c := range b.Cleared {
		w.exec("delete from message where conversation = ? and seq between ? and ?", c.Conversation, int64(c.From), int64(c.To))
	}
	for _, c := range b.Conversations {
		w.exec("insert into conversation (id, data) values (?, ?) on conflict (id) do update set data = excluded.data", c.ID, c.Data)
	}
	for _, m := range b.Messages {
		w.exec(`insert into message (conversation, seq, time_us, text, data) values (?, ?, ?, ?, ?)
			on conflict (conversation, seq) do update set time_us = excluded.time_us, text = excluded.text, data = excluded.data`,
			m.Conversation, int64(m.Seq), m.TimeUS, m.Text, m.Data)
	}
	for _, id := range b.Dropped {
		w.exec("delete from outbox where id = ?", id)
	}
	for _, it := range b.Items {
		w.exec(`insert into outbox (id, position, data) values (?, ?, ?)
			on conflict (id) do update set position = excluded.position, data = excluded.data`, it.ID, it.Order, it.Data)
	}
	if m := b.Meta; m != nil {
		w.exec(`insert into meta (one, endpoint, app, user, device, incarnation, cursor) values (1, ?, ?, ?, ?, ?, ?)
			on conflict (one) do update set endpoint = excluded.endpoint, app = excluded.app, user = excluded.user,
			device = excluded.device, incarnation = excluded.incarnation, cursor = excluded.cursor`,
			m.Endpoint, m.App, m.User, m.Device, m.Incarnation, m.Cursor)
	}
	if w.err != nil {
		return fmt.Errorf("write: %w", w.err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// writer keeps the first error of many statements.
type writer struct {
	ctx context.Context
	tx  *sql.Tx
	err error
}

func (w *writer) exec(query string, args ...any) {
	if w.err == nil {
		_, w.err = w.tx.ExecContext(w.ctx, query, args...)
	}
}

// Messages implements skein.Store.
func (s *Store) Messages(ctx context.Context, conversation string, from, to uint64, limit int, newest bool) ([]skein.SavedMessage, error) {
	order := "asc"
	if newest {
		order = "desc"
	}
	out, err := s.messages(ctx, "select conversation, seq, time_us, text, data from message where conversation = ? and seq between ? and ? order by seq "+order+" limit ?",
		conversation, int64(from), int64(to), limit)
	if newest {
		for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
			out[i], out[j] = out[j], out[i]
		}
	}
	return out, err
}

func (s *Store) messages(ctx context.Context, query string, args ...any) ([]skein.SavedMessage, error) {
	var out []skein.SavedMessage
	err := s.each(ctx, func(scan func(...any) error) error {
		var m skein.SavedMessage
		var seq int64
		err := scan(&m.Conversation, &seq, &m.TimeUS, &m.Text, &m.Data)
		m.Seq = uint64(seq)
		out = append(out, m)
		return err
	}, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read messages: %w", err)
	}
	return out, nil
}

// Search implements skein.Store. LIKE folds the case of ASCII only; the text
// and what is searched for are in lower case already.
func (s *Store) Search(ctx context.Context, text, conversation string, limit int) ([]skein.SavedMessage, error) {
	like := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
	return s.messages(ctx, `select conversation, seq, time_us, text, data from message
		where text <> '' and text like ? escape '\' and (? = '' or conversation = ?)
		order by time_us desc, conversation, seq desc limit ?`, like, conversation, conversation, limit)
}
