package db

import (
	"context"
	"database/sql"
	"errors"

	"github.com/skein-im/skein/internal/im"
)

// maxStmts bounds the prepared statements of a connection. A program's own
// texts are some hundred; only lists of varying length make more.
const maxStmts = 512

// liteConn is one connection with its prepared statements.
type liteConn struct {
	conn  *sql.Conn
	stmts map[string]*liteStmt // by the text with $N
}

// liteStmt is a prepared statement. Its text has plain ? for parameters, and
// args tells for each of them which argument it takes (see rewrite).
type liteStmt struct {
	stmt *sql.Stmt
	args []int
}

func (c *liteConn) close() error {
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.stmt.Close())
	}
	return errors.Join(append(errs, c.conn.Close())...)
}

func (c *liteConn) prepare(text string) (*liteStmt, error) {
	if s := c.stmts[text]; s != nil {
		return s, nil
	}
	if len(c.stmts) >= maxStmts {
		for k, s := range c.stmts {
			_ = s.stmt.Close()
			delete(c.stmts, k)
		}
	}
	rewritten, order := rewrite(text)
	stmt, err := c.conn.PrepareContext(context.Background(), rewritten)
	if err != nil {
		return nil, err
	}
	s := &liteStmt{stmt: stmt, args: order}
	c.stmts[text] = s
	return s, nil
}

func (s *liteStmt) order(args []any) []any {
	if s.args == nil {
		return args
	}
	out := make([]any, len(s.args))
	for i, n := range s.args {
		if n < len(args) {
			out[i] = args[n]
		}
	}
	return out
}

// exec runs a statement without arguments that is part of a transaction's
// frame.
func (c *liteConn) exec(text string) error {
	s, err := c.prepare(text)
	if err == nil {
		_, err = s.stmt.Exec()
	}
	return err
}

// checkpoint returns whether it was kept from finishing, the pages in the log
// and how many of them are in the file now.
func (c *liteConn) checkpoint(ctx context.Context, mode string) (busy bool, pages, copied int, err error) {
	err = c.conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &pages, &copied)
	return busy, pages, copied, err
}

// transact runs fn between begin and COMMIT.
func (c *liteConn) transact(ctx context.Context, clock im.Clock, begin string, fn func(Tx) error) (err error) {
	if err := c.exec(begin); err != nil {
		return mapError(err)
	}
	done := false
	tx := &liteTx{ctx: ctx, c: c, clock: clock}
	defer func() { // also when fn panics
		tx.closeRows()
		if !done {
			// A failed statement can have ended the transaction (full disk);
			// then there is nothing to roll back, which is what is wanted.
			_ = c.exec("ROLLBACK")
		}
	}()
	if err := fn(tx); err != nil {
		return err
	}
	if tx.rows != nil {
		return errOpenRows
	}
	if err := ctx.Err(); err != nil {
		return mapError(err)
	}
	if err := c.exec("COMMIT"); err != nil {
		return mapError(err)
	}
	done = true
	return nil
}

// liteTx implements Tx. The context is looked at between statements and rows
// and not handed down: the driver would start a goroutine for each statement
// to be able to interrupt it.
type liteTx struct {
	ctx   context.Context
	c     *liteConn
	clock im.Clock
	rows  *liteRows // the open ones
}

// Dialect implements Tx.
func (t *liteTx) Dialect() Dialect { return SQLite }

// Now implements Tx.
func (t *liteTx) Now() (im.Micros, error) { return im.MicrosOf(t.clock.Now()), nil }

func (t *liteTx) closeRows() {
	if t.rows != nil {
		t.rows.Close()
	}
}

func (t *liteTx) prepare(text string) (*liteStmt, error) {
	if t.rows != nil {
		return nil, errOpenRows
	}
	if err := t.ctx.Err(); err != nil {
		return nil, mapError(err)
	}
	s, err := t.c.prepare(text)
	return s, mapError(err)
}

// Exec implements Tx.
func (t *liteTx) Exec(text string, args ...any) (int64, error) {
	s, err := t.prepare(text)
	if err != nil {
		return 0, err
	}
	r, err := s.stmt.Exec(s.order(args)...)
	if err != nil {
		return 0, mapError(err)
	}
	return r.RowsAffected()
}

// Query implements Tx.
func (t *liteTx) Query(text string, args ...any) (Rows, error) {
	s, err := t.prepare(text)
	if err != nil {
		return nil, err
	}
	rows, err := s.stmt.Query(s.order(args)...) //nolint:rowserrcheck // by liteRows.Err
	if err != nil {
		return nil, mapError(err)
	}
	t.rows = &liteRows{tx: t, rows: rows}
	return t.rows, nil
}

// QueryRow implements Tx.
func (t *liteTx) QueryRow(text string, args ...any) Row {
	s, err := t.prepare(text)
	if err != nil {
		return liteRow{err: err}
	}
	return liteRow{row: s.stmt.QueryRow(s.order(args)...)}
}

type liteRow struct {
	row *sql.Row
	err error
}

// Scan implements Row.
func (r liteRow) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	err := r.row.Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNoRows
	}
	return mapError(err)
}

type liteRows struct {
	tx   *liteTx
	rows *sql.Rows
	err  error
}

// Next implements Rows.
func (r *liteRows) Next() bool {
	if r.err == nil {
		r.err = r.tx.ctx.Err()
	}
	if r.err == nil && r.rows.Next() {
		return true
	}
	r.Close()
	return false
}

// Scan implements Rows.
func (r *liteRows) Scan(dest ...any) error { return mapError(r.rows.Scan(dest...)) }

// Err implements Rows.
func (r *liteRows) Err() error {
	if r.err != nil {
		return mapError(r.err)
	}
	return mapError(r.rows.Err())
}

// Close implements Rows.
func (r *liteRows) Close() {
	_ = r.rows.Close()
	if r.tx.rows == r {
		r.tx.rows = nil
	}
}
