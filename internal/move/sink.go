package move

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// sink is a transaction on the database that is filled.
type sink interface {
	// insert adds rows that are not there.
	insert(name string, columns []string, rows [][]any) error
	// each runs a statement once for each list of arguments.
	each(sql string, args [][]any) error
	exec(sql string, args ...any) error
}

// fill runs fn in a transaction on the database that is filled.
func fill(ctx context.Context, d *db.DB, fn func(sink) error) error {
	if d.Dialect() == db.SQLite {
		return d.Write(ctx, func(tx db.Tx) error { return fn(liteSink{tx}) })
	}
	tx, err := d.Pool().BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if err != nil {
		return db.MapError(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	s := pgSink{ctx, tx}
	if err := s.exec("SET LOCAL statement_timeout = 0"); err != nil {
		return err
	}
	if err := fn(s); err != nil {
		return err
	}
	return db.MapError(tx.Commit(ctx))
}

type liteSink struct{ tx db.Tx }

func (s liteSink) exec(sql string, args ...any) error {
	_, err := s.tx.Exec(sql, args...)
	return err
}

func (s liteSink) each(sql string, args [][]any) error {
	for _, a := range args {
		if _, err := s.tx.Exec(sql, a...); err != nil {
			return err
		}
	}
	return nil
}

func (s liteSink) insert(name string, columns []string, rows [][]any) error {
	return s.each(insertText(name, columns), rows)
}

func insertText(name string, columns []string) string {
	return fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", name, strings.Join(columns, ", "), db.List(1, len(columns)))
}

type pgSink struct {
	ctx context.Context
	tx  pgx.Tx
}

func (s pgSink) exec(sql string, args ...any) error {
	_, err := s.tx.Exec(s.ctx, sql, args...)
	return db.MapError(err)
}

func (s pgSink) each(sql string, args [][]any) error {
	if len(args) == 0 {
		return nil
	}
	var b pgx.Batch
	for _, a := range args {
		b.Queue(sql, a...)
	}
	return db.MapError(s.tx.SendBatch(s.ctx, &b).Close())
}

func (s pgSink) insert(name string, columns []string, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	_, err := s.tx.CopyFrom(s.ctx, pgx.Identifier{name}, columns, pgx.CopyFromRows(rows))
	return db.MapError(err)
}

// upsert writes rows over those of the same key.
func upsert(s sink, t *table, rows [][]any) error {
	isKey := map[string]bool{}
	for _, k := range t.keyNames() {
		isKey[k] = true
	}
	var set []string
	for _, n := range t.names() {
		if !isKey[n] {
			set = append(set, n+" = excluded."+n)
		}
	}
	what := "NOTHING"
	if len(set) > 0 {
		what = "UPDATE SET " + strings.Join(set, ", ")
	}
	return s.each(fmt.Sprintf("%s ON CONFLICT (%s) DO %s", insertText(t.Name, t.names()), strings.Join(t.keyNames(), ", "), what), rows)
}

// remove deletes rows by key.
func remove(s sink, t *table, keys [][]any) error {
	return s.each("DELETE FROM "+t.Name+" WHERE "+t.where(1), keys)
}

// numberOn lets a database go on numbering where the copied rows end.
func numberOn(ctx context.Context, d *db.DB) error {
	if d.Dialect() == db.SQLite {
		return nil // a rowid is the greatest one plus 1
	}
	return d.Write(ctx, func(tx db.Tx) error {
		texts, err := db.Column[string](tx, `SELECT format('SELECT setval(pg_get_serial_sequence(%L, %L), coalesce((SELECT max(%I) FROM %I), 0) + 1, false)',
  table_name, column_name, column_name, table_name) FROM information_schema.columns
WHERE table_schema = current_schema() AND is_identity = 'YES' AND table_name NOT LIKE 'move\_%'`)
		if err != nil {
			return err
		}
		for _, s := range texts {
			var n int64
			if err := tx.QueryRow(s).Scan(&n); err != nil {
				return err
			}
		}
		return nil
	})
}

// place gives rows that count in the source's positions their own in the
// target. What a conversation's or a member's changed_pos is for, a device's
// cursor, begins anew with the new incarnation; what stays is their order, by
// which the newest read markers are found. So a position keeps its distance,
// in proportion, from the beginning.
type placer struct {
	from, to []im.Pos // the heads of the source and of the target
}

func (p placer) changed(pos int64, shard, target int) int64 {
	if shard < 0 || shard >= len(p.from) || p.from[shard] <= 0 {
		return 0
	}
	head := int64(p.to[target])
	if pos >= int64(p.from[shard]) {
		return head
	}
	// Two steps, so that a product of two large positions cannot overflow.
	from := int64(p.from[shard])
	return head/from*pos + int64(float64(head%from)*float64(pos)/float64(from))
}
