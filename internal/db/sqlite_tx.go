package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"github.com/skein-im/skein/internal/im"
)

// maxStmts bounds the prepared statements of a connection. A program's own
// texts are some hundred; only lists of varying length make more.
const maxStmts = 512

// liteConn is one connection with its prepared statements.
//
// database/sql opens and owns it, so that which driver it is stays one line.
// A transaction then runs inside sql.Conn.Raw, on the driver itself: what
// database/sql does for each statement (locks, a look-up, a copy of each
// argument and column) is a quarter of what a small statement costs.
type liteConn struct {
	conn  *sql.Conn
	stmts map[string]*liteStmt // by the text with $N
	args  []driver.NamedValue  // used again for each statement
	uses  int                  // statements, until somebody sets it to 0
	// broken: a transaction did not come back (its goroutine has ended within
	// it), and database/sql has closed the connection.
	broken bool
}

// liteStmt is a prepared statement. Its text has plain ? for parameters, and
// order tells for each of them which argument it takes (see rewrite).
type liteStmt struct {
	stmt interface {
		driver.Stmt
		driver.StmtExecContext
		driver.StmtQueryContext
	}
	order []int
}

// raw is what a driver's connection has to be able to do.
type raw interface {
	driver.ConnPrepareContext
	driver.ExecerContext
}

func (c *liteConn) close() error {
	if c.broken {
		return nil
	}
	err := c.conn.Raw(func(any) error {
		var errs []error
		for _, s := range c.stmts {
			errs = append(errs, s.stmt.Close())
		}
		return errors.Join(errs...)
	})
	return errors.Join(err, c.conn.Close())
}

// checkpoint returns whether it was kept from finishing, the pages in the log
// and how many of them are in the file now.
func (c *liteConn) checkpoint(ctx context.Context, mode string) (busy bool, pages, copied int, err error) {
	err = c.conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &pages, &copied)
	return busy, pages, copied, err
}

// transact runs fn between begin and COMMIT.
func (c *liteConn) transact(ctx context.Context, clock im.Clock, begin string, fn func(Tx) error) error {
	var err error
	var panicked any
	c.broken = true
	rawErr := c.conn.Raw(func(dc any) error {
		conn, ok := dc.(raw)
		if !ok {
			return fmt.Errorf("the driver's connection is a %T", dc)
		}
		// A panic must not pass through Raw, which would close the connection.
		returned := false
		defer func() {
			if !returned {
				panicked = recover()
			}
		}()
		err = (&liteTx{ctx: ctx, c: c, raw: conn, clock: clock}).run(begin, fn)
		returned = true
		return nil
	})
	c.broken = rawErr != nil
	if panicked != nil {
		panic(panicked)
	}
	if rawErr != nil {
		return mapError(rawErr)
	}
	return err
}

// liteTx implements Tx. The context is looked at between statements and rows
// and not handed down: the driver would start a goroutine for each statement
// to be able to interrupt it.
type liteTx struct {
	ctx   context.Context
	c     *liteConn
	raw   raw
	clock im.Clock
	rows  *liteRows // the open ones
}

func (t *liteTx) run(begin string, fn func(Tx) error) error {
	if err := t.exec(begin); err != nil {
		return mapError(err)
	}
	done := false
	defer func() { // also when fn panics
		if t.rows != nil {
			t.rows.Close()
		}
		if !done {
			// A failed statement can have ended the transaction (full disk);
			// then there is nothing to roll back, which is what is wanted.
			_ = t.exec("ROLLBACK")
		}
	}()
	if err := fn(t); err != nil {
		return err
	}
	if t.rows != nil {
		return errOpenRows
	}
	if err := t.ctx.Err(); err != nil {
		return mapError(err)
	}
	if err := t.exec("COMMIT"); err != nil {
		return mapError(err)
	}
	done = true
	return nil
}

// exec runs a statement of the transaction's frame.
func (t *liteTx) exec(text string) error {
	s, err := t.c.prepare(t.raw, text)
	if err == nil {
		_, err = s.stmt.ExecContext(context.Background(), nil)
	}
	return err
}

// script runs several statements, unprepared.
func (t *liteTx) script(text string) error {
	_, err := t.raw.ExecContext(context.Background(), text, nil)
	return mapError(err)
}

func (c *liteConn) prepare(conn raw, text string) (*liteStmt, error) {
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
	stmt, err := conn.PrepareContext(context.Background(), rewritten)
	if err != nil {
		return nil, err
	}
	s := &liteStmt{order: order}
	var ok bool
	if s.stmt, ok = stmt.(interface {
		driver.Stmt
		driver.StmtExecContext
		driver.StmtQueryContext
	}); !ok {
		return nil, fmt.Errorf("the driver's statement is a %T", stmt)
	}
	c.stmts[text] = s
	return s, nil
}

// start prepares a statement and its arguments.
func (t *liteTx) start(text string, args []any) (*liteStmt, []driver.NamedValue, error) {
	if t.rows != nil {
		return nil, nil, errOpenRows
	}
	if err := t.ctx.Err(); err != nil {
		return nil, nil, mapError(err)
	}
	s, err := t.c.prepare(t.raw, text)
	if err != nil {
		return nil, nil, mapError(err)
	}
	t.c.uses++
	n := len(args)
	if s.order != nil {
		n = len(s.order)
	}
	out := t.c.args[:0]
	for i := range n {
		from := i
		if s.order != nil {
			from = s.order[i]
		}
		if from >= len(args) {
			return nil, nil, fmt.Errorf("$%d has no argument", from+1)
		}
		v, err := value(args[from])
		if err != nil {
			return nil, nil, fmt.Errorf("$%d: %w", from+1, err)
		}
		out = append(out, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	t.c.args = out
	return s, out, nil
}

// value turns an argument into one of the types that drivers take.
func value(a any) (driver.Value, error) {
	switch v := a.(type) {
	case nil, int64, string, []byte:
		return v, nil
	case int:
		return int64(v), nil
	case bool:
		if v {
			return int64(1), nil
		}
		return int64(0), nil
	}
	return driver.DefaultParameterConverter.ConvertValue(a)
}

// Dialect implements Tx.
func (t *liteTx) Dialect() Dialect { return SQLite }

// Now implements Tx.
func (t *liteTx) Now() (im.Micros, error) { return im.MicrosOf(t.clock.Now()), nil }

// Exec implements Tx.
func (t *liteTx) Exec(text string, args ...any) (int64, error) {
	s, values, err := t.start(text, args)
	if err != nil {
		return 0, err
	}
	r, err := s.stmt.ExecContext(context.Background(), values)
	if err != nil {
		return 0, mapError(err)
	}
	return r.RowsAffected()
}

// Query implements Tx.
func (t *liteTx) Query(text string, args ...any) (Rows, error) {
	rows, err := t.query(text, args)
	if err != nil {
		return nil, err
	}
	t.rows = rows
	return rows, nil
}

func (t *liteTx) query(text string, args []any) (*liteRows, error) {
	s, values, err := t.start(text, args)
	if err != nil {
		return nil, err
	}
	rows, err := s.stmt.QueryContext(context.Background(), values)
	if err != nil {
		return nil, mapError(err)
	}
	return &liteRows{tx: t, rows: rows, row: make([]driver.Value, len(rows.Columns()))}, nil
}

// QueryRow implements Tx.
func (t *liteTx) QueryRow(text string, args ...any) Row {
	rows, err := t.query(text, args)
	return liteRow{rows, err}
}

type liteRow struct {
	rows *liteRows
	err  error
}

// Scan implements Row.
func (r liteRow) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return ErrNoRows
	}
	return r.rows.Scan(dest...)
}

type liteRows struct {
	tx     *liteTx
	rows   driver.Rows
	row    []driver.Value
	err    error
	closed bool
}

// Next implements Rows.
func (r *liteRows) Next() bool {
	if r.closed {
		return false
	}
	if r.err = r.tx.ctx.Err(); r.err == nil {
		r.err = r.rows.Next(r.row)
	}
	if r.err == nil {
		return true
	}
	if errors.Is(r.err, io.EOF) {
		r.err = nil
	}
	r.Close()
	return false
}

// Scan implements Rows.
func (r *liteRows) Scan(dest ...any) error {
	if len(dest) != len(r.row) {
		return fmt.Errorf("scan: %d columns into %d variables", len(r.row), len(dest))
	}
	for i, v := range r.row {
		if err := assign(dest[i], v); err != nil {
			return fmt.Errorf("scan column %d: %w", i+1, err)
		}
	}
	return nil
}

// Err implements Rows.
func (r *liteRows) Err() error { return mapError(r.err) }

// Close implements Rows.
func (r *liteRows) Close() {
	if !r.closed {
		r.closed = true
		_ = r.rows.Close()
	}
	if r.tx.rows == r {
		r.tx.rows = nil
	}
}
