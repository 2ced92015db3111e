// Package move copies a whole store: from SQLite to PostgreSQL or back while a
// server writes to it, and into a backup file and out of it.
//
// The decisions behind it (docs/adr/0010, docs/ops/migrate.md and backup.md):
//
//   - (conversation, seq) never changes. Positions do, because another database
//     may have another number of shards; so each row's hash is made anew, after
//     it was compared, and the journal gets a new incarnation.
//   - The bulk is copied beside a server that runs. What changes meanwhile is
//     noted by triggers and copied again, so that when the server is stopped at
//     last little is left, however much there is.
//   - Every row is compared with its copy, read back from the target, before
//     the switch; what changed since, in the pause.
//   - The target carries a mark that keeps everybody from opening it until it
//     is whole, and the source one from then on: no two databases take entries.
//   - A row that does not fit its hash is copied as it is and stays as wrong.
package move

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

const (
	chunk     = 5000        // rows that are read and written at once
	small     = 300         // changes that may be left for the pause
	maxRounds = 200         // tries to come that near, while the source changes
	between   = time.Second // how long a comparison runs before changes are followed
)

// Options of New.
type Options struct {
	From, To *db.DB
	// FromName and ToName say in marks and errors which databases these are;
	// without passwords.
	FromName, ToName string
	// Schema makes the tables in To, and a journal without entries.
	Schema func(context.Context, *db.DB) error
	// Restart throws away what an earlier copy has left in To.
	Restart  bool
	Clock    im.Clock     // nil = the machine's clock
	Entropy  im.Entropy   // nil = the machine's
	Log      *slog.Logger // nil = none
	Progress func(Progress)
}

// Progress is told now and then, from the goroutine that copies.
type Progress struct {
	Step string // "copy", "compare"
	What string // the table
	// Done of Total rows; Total is 0 where it is not known.
	Done, Total int64
	Elapsed     time.Duration // of this step and table
}

// Result is what a move did.
type Result struct {
	Entries     int64         // copied and compared, one by one
	Rows        int64         // of other tables
	Damaged     int64         // entries that do not fit their hash, there as here
	Copying     time.Duration // all but the switch
	Pause       time.Duration // from the call of stop to the end
	Stopping    time.Duration // the part of it that stop took
	Last        int           // changes that were copied within the pause
	Incarnation string
}

// Move copies one database into another.
type Move struct {
	o       Options
	source  capture
	tables  []table
	from    int             // shards of the source
	copied  []im.Pos        // by shard of the source: entries up to here are in the target
	heads   []im.Pos        // by shard of the target
	done    map[string]bool // tables whose bulk is copied
	run     string
	suspect suspects
	loading bool // the bulk of the entries is being copied
	convs   map[int64]convName
	result  Result
}

type convName struct {
	app  im.AppID
	conv im.ConvID
}

// New prepares the target, or takes up what an earlier run has left there.
func New(ctx context.Context, o Options) (*Move, error) {
	if o.Clock == nil {
		o.Clock = im.SystemClock{}
	}
	if o.Entropy == nil {
		o.Entropy = im.SystemEntropy()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	m := &Move{o: o, source: capture{o.From}, done: map[string]bool{}, convs: map[int64]convName{}}
	if err := m.prepare(ctx); err != nil {
		return nil, err
	}
	return m, nil
}

// prepare reads both databases and leaves the target marked.
func (m *Move) prepare(ctx context.Context) error {
	var there schema
	err := m.o.From.Read(ctx, func(tx db.Tx) (err error) {
		if there, err = schemaOf(tx); err != nil {
			return err
		}
		if len(there["journal"]) == 0 {
			return im.Errorf(im.NotFound, "there is no journal in %s", m.o.FromName)
		}
		if m.tables, err = tablesOf(tx); err != nil {
			return err
		}
		h, err := journal.Heads(tx)
		m.from = len(h)
		m.copied = make([]im.Pos, m.from)
		return err
	})
	if err != nil {
		return err
	}
	mark, marked, err := journal.Marked(ctx, m.o.To)
	if err != nil {
		return err
	}
	switch {
	case marked && mark.Moved:
		return im.Errorf(im.FailedPrecondition, "%s has itself moved to %s", m.o.ToName, mark.Where)
	case marked && m.o.Restart:
		err = m.wipe(ctx)
	case marked && mark.Where == m.o.FromName:
		m.run = mark.Run
	case marked:
		return &im.Error{Code: im.FailedPrecondition, Message: m.o.ToName + " holds an unfinished copy of " + mark.Where,
			Hint: "go on with that one, or add --restart to throw it away"}
	default:
		err = m.claim(ctx)
	}
	if err != nil {
		return err
	}
	if m.run == "" {
		if err := m.begin(ctx); err != nil {
			return err
		}
	}
	if err := m.mayLeave(ctx); err != nil {
		return err
	}
	return m.resume(ctx, there)
}

// mayLeave refuses a source that has moved elsewhere already.
func (m *Move) mayLeave(ctx context.Context) error {
	mark, marked, err := journal.Marked(ctx, m.o.From)
	switch {
	case err != nil:
		return err
	case marked && mark.Run != m.run:
		return im.Errorf(im.FailedPrecondition, "%s may not be copied: it has moved to %s or is not whole", m.o.FromName, mark.Where)
	}
	return nil
}

// claim makes the tables and makes sure that there is nothing in them.
func (m *Move) claim(ctx context.Context) error {
	if err := m.o.Schema(ctx, m.o.To); err != nil {
		return fmt.Errorf("make the tables in %s: %w", m.o.ToName, err)
	}
	return empty(ctx, m.o.To, m.o.ToName)
}

// empty refuses a database that somebody uses.
func empty(ctx context.Context, d *db.DB, name string) error {
	err := d.Read(ctx, func(tx db.Tx) error {
		for _, t := range []string{"conversation", "entry", "app"} {
			var n int
			if err := tx.QueryRow("SELECT count(*) FROM (SELECT 1 FROM " + t + " LIMIT 1) x").Scan(&n); err != nil {
				return err
			}
			if n > 0 {
				return &im.Error{Code: im.FailedPrecondition, Message: fmt.Sprintf("%s is not empty: there are rows in %s", name, t),
					Hint: "give a database of its own, without a server on it"}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	n, err := Nodes(ctx, d)
	if err == nil && n > 0 {
		err = &im.Error{Code: im.FailedPrecondition, Message: "a server runs on " + name, Hint: "stop it; it can be started again when the copy has begun"}
	}
	return err
}

// wipe empties a target that an earlier run has filled in part.
func (m *Move) wipe(ctx context.Context) error {
	var tables []table
	err := m.o.To.Read(ctx, func(tx db.Tx) (err error) {
		tables, err = tablesOf(tx)
		return err
	})
	if err != nil {
		return err
	}
	return fill(ctx, m.o.To, func(s sink) error {
		for _, t := range append(tables, table{Name: "entry"}) {
			if err := s.exec("DELETE FROM " + t.Name); err != nil {
				return err
			}
		}
		if err := s.exec("UPDATE shard SET head = 0, commits = 0"); err != nil {
			return err
		}
		return s.exec("DROP TABLE IF EXISTS move_state")
	})
}

// begin marks the target.
func (m *Move) begin(ctx context.Context) (err error) {
	if m.run, err = im.RandomID(m.o.Entropy); err != nil {
		return err
	}
	return m.o.To.Write(ctx, func(tx db.Tx) error {
		if _, err := tx.Exec("CREATE TABLE IF NOT EXISTS move_state (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL)"); err != nil {
			return err
		}
		return journal.SetMark(tx, journal.Mark{Where: m.o.FromName, Run: m.run, At: im.MicrosOf(m.o.Clock.Now())})
	})
}

// resume reads how far the target is.
func (m *Move) resume(ctx context.Context, from schema) error {
	return m.o.To.Read(ctx, func(tx db.Tx) error {
		here, err := schemaOf(tx)
		if err != nil {
			return err
		}
		if err := from.check(here); err != nil {
			return err
		}
		for i := range m.tables {
			t, err := tableOf(tx, m.tables[i].Name)
			if err != nil {
				return err
			}
			if !m.tables[i].same(&t) {
				return im.Errorf(im.FailedPrecondition, "table %s has other columns in %s", t.Name, m.o.ToName)
			}
		}
		if m.heads, err = journal.Heads(tx); err != nil {
			return err
		}
		rows, err := tx.Query("SELECT name, value FROM move_state")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var name, value string
			if err := rows.Scan(&name, &value); err != nil {
				return err
			}
			if name == "copied" {
				if err := json.Unmarshal([]byte(value), &m.copied); err != nil || len(m.copied) != m.from {
					return im.Errorf(im.DataLoss, "the state of the copy in %s cannot be read; add --restart", m.o.ToName)
				}
			} else {
				m.done[name] = true
			}
		}
		return rows.Err()
	})
}

// note keeps a fact about the copy, in the transaction that made it one.
func note(s sink, name, value string) error {
	return s.exec("INSERT INTO move_state (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value", name, value)
}

// shard tells where a conversation lives in the target.
func (m *Move) shard(c convName) int { return journal.ShardOf(c.app, c.conv, len(m.heads)) }

// Copy brings the target up to the source while servers write to that one,
// and compares every row with its copy. Nothing in the source changes but the
// notes of the capture.
func (m *Move) Copy(ctx context.Context) error {
	begin := m.o.Clock.Now()
	defer func() { m.result.Copying += m.o.Clock.Now().Sub(begin) }()
	if left, err := m.left(ctx); err != nil || left {
		return err
	}
	if err := m.source.install(ctx, entryTable()); err != nil {
		return err
	}
	if err := m.bulkEntries(ctx); err != nil {
		return fmt.Errorf("copy entries: %w", err)
	}
	for i := range m.tables {
		if t := &m.tables[i]; !m.done[t.Name] {
			if err := m.bulk(ctx, t); err != nil {
				return fmt.Errorf("copy %s: %w", t.Name, err)
			}
		}
	}
	if _, err := m.follow(ctx); err != nil {
		return err
	}
	if err := m.compare(ctx); err != nil {
		return err
	}
	_, err := m.follow(ctx)
	return err
}

// follow copies what has changed until little is left, and returns how much
// the last pass had.
func (m *Move) follow(ctx context.Context) (n int, err error) {
	for range maxRounds {
		var more bool
		if n, more, err = m.pass(ctx); err != nil {
			return n, err
		}
		if !more && n <= small {
			return n, m.settle(ctx, false)
		}
	}
	return n, im.Errorf(im.ResourceExhausted, "%s changes faster than it can be copied: the last pass still had %d changes", m.o.FromName, n)
}

// left tells whether an earlier run was ended within its switch, after the
// source was marked: then all is in the target, and only its release is left.
func (m *Move) left(ctx context.Context) (bool, error) {
	mark, marked, err := journal.Marked(ctx, m.o.From)
	return marked && mark.Run == m.run, err
}

// Switch ends the move. stop has to end every server on the source and return
// when none can write any more; it is called when little is left to copy. What
// goes wrong before the source is marked leaves it as it was: serve it again.
func (m *Move) Switch(ctx context.Context, stop func(context.Context) error) (Result, error) {
	left, err := m.left(ctx)
	if err != nil {
		return m.result, err
	}
	if !left {
		if _, err := m.follow(ctx); err != nil {
			return m.result, err
		}
	}
	begin := m.o.Clock.Now()
	if err := stop(ctx); err != nil {
		return m.result, fmt.Errorf("stop the servers on %s: %w", m.o.FromName, err)
	}
	m.result.Stopping = m.o.Clock.Now().Sub(begin)
	if !left {
		if err := m.last(ctx); err != nil {
			return m.result, err
		}
	}
	if err := m.finish(ctx); err != nil {
		return m.result, err
	}
	m.result.Pause = m.o.Clock.Now().Sub(begin)
	return m.result, nil
}

// last copies what was written until the servers had stopped, proves that the
// target has all of it, and marks the source.
func (m *Move) last(ctx context.Context) error {
	for range maxRounds {
		n, more, err := m.pass(ctx)
		if err != nil {
			return err
		}
		if m.result.Last += n; more {
			continue
		}
		if err := m.settle(ctx, true); err != nil {
			return err
		}
		// A tool of the command line can have written meanwhile.
		if err := m.leave(ctx); !errors.Is(err, errMore) {
			return err
		}
	}
	return im.Errorf(im.FailedPrecondition, "%s is still written to", m.o.FromName)
}

// errMore: the source has changed since it was copied last.
var errMore = errors.New("the source has changed")

// leave marks the source, if the target has all of it.
func (m *Move) leave(ctx context.Context) error {
	return m.o.From.Write(ctx, func(tx db.Tx) error {
		if left, err := readNoted(tx); err != nil {
			return err
		} else if len(left.numbers) > 0 {
			return errMore
		}
		h, err := journal.Heads(tx)
		if err != nil {
			return err
		}
		var there, here int64
		for i, p := range h {
			if p != m.copied[i] {
				return errMore
			}
			there += int64(p)
		}
		for _, p := range m.heads {
			here += int64(p)
		}
		if there != here {
			return im.Errorf(im.DataLoss, "%d entries were copied and %d are there", there, here)
		}
		m.result.Entries = there
		if err := removeCapture(tx); err != nil {
			return err
		}
		return journal.SetMark(tx, journal.Mark{Moved: true, Where: m.o.ToName, Run: m.run, At: im.MicrosOf(m.o.Clock.Now())})
	})
}

// finish makes the target a journal like any other.
func (m *Move) finish(ctx context.Context) error {
	if err := numberOn(ctx, m.o.To); err != nil {
		return err
	}
	var purged string
	err := m.o.From.Read(ctx, func(tx db.Tx) error {
		return tx.QueryRow("SELECT value FROM journal_meta WHERE name = 'purged'").Scan(&purged)
	})
	if err != nil && !errors.Is(err, db.ErrNoRows) {
		return err
	}
	m.result.Incarnation, err = release(ctx, m.o.To, purged, m.o.Entropy)
	return err
}

// release gives a filled journal its own incarnation and lets it be opened.
func release(ctx context.Context, d *db.DB, purged string, e im.Entropy) (incarnation string, err error) {
	if incarnation, err = im.RandomID(e); err != nil {
		return "", err
	}
	return incarnation, d.Write(ctx, func(tx db.Tx) error {
		if purged != "" {
			if _, err := tx.Exec("INSERT INTO journal_meta (name, value) VALUES ('purged', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value", purged); err != nil {
				return err
			}
		}
		if _, err := tx.Exec("UPDATE journal_meta SET value = $1 WHERE name = 'incarnation'", incarnation); err != nil {
			return err
		}
		if _, err := tx.Exec("DROP TABLE IF EXISTS move_state"); err != nil {
			return err
		}
		return journal.ClearMark(tx)
	})
}

// Undo lets a database be served again that a move has left behind, marked or
// with a capture on it. What the other one has stored since is not in it, so it
// gets a new incarnation. The database must not be served meanwhile, unless it
// has no mark.
func Undo(ctx context.Context, d *db.DB, e im.Entropy) (wasMoved bool, err error) {
	mark, marked, err := journal.Marked(ctx, d)
	if err != nil {
		return false, err
	}
	if marked && !mark.Moved {
		return false, im.Errorf(im.FailedPrecondition, "this database is an unfinished copy of %s; there is nothing in it to go back to", mark.Where)
	}
	err = d.Write(ctx, func(tx db.Tx) error {
		if err := removeCapture(tx); err != nil {
			return err
		}
		return journal.ClearMark(tx)
	})
	if err == nil && marked {
		_, err = journal.Renew(ctx, d, e)
	}
	return marked, err
}

func places(list []im.Pos) string {
	b := []byte{'['}
	for i, p := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(p), 10)
	}
	return string(append(b, ']'))
}
