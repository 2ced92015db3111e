package db

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/skein-im/skein/internal/im"
)

const (
	pgTries = 20
	pgNow   = "SELECT (date_part('epoch', clock_timestamp()) * 1000000)::bigint"
)

func (d *DB) readPostgres(ctx context.Context, fn func(Tx) error) error {
	return d.transactPostgres(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, fn)
}

// writePostgres retries what the engine has rolled back for certain. A lost
// connection is not retried: the commit may have happened.
func (d *DB) writePostgres(ctx context.Context, fn func(Tx) error) error {
	for try := 1; ; try++ {
		err := d.transactPostgres(ctx, pgx.TxOptions{IsoLevel: pgx.Serializable}, fn)
		if try == pgTries || !conflict(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Duration(try) * time.Millisecond):
		}
	}
}

func conflict(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == pgSerialize || pg.Code == pgDeadlock)
}

func (d *DB) transactPostgres(ctx context.Context, o pgx.TxOptions, fn func(Tx) error) error {
	c, err := d.pg.acquire(ctx, d.pool)
	if err != nil {
		return err
	}
	defer c.Release()
	tx := &pgTx{ctx: ctx, pg: d.pg}
	begin, cancel := d.pg.bound(ctx)
	defer cancel()
	if tx.tx, err = c.BeginTx(begin, o); err != nil {
		return mapError(err)
	}
	// After a commit this does nothing; else it runs also when the caller has
	// given up or fn panics, so that the connection can be used again.
	defer func() {
		if tx.open() {
			tx.rows.Close()
		}
		end, cancel := d.pg.bound(context.WithoutCancel(ctx))
		defer cancel()
		_ = tx.tx.Rollback(end)
	}()
	if err := fn(tx); err != nil {
		return Outcome(c, err)
	}
	if tx.open() {
		return errOpenRows
	}
	end, cancel := d.pg.bound(ctx)
	defer cancel()
	return mapError(Outcome(c, tx.tx.Commit(end)))
}

// Outcome tells what a transaction on c has come to, given the error that it
// ended with, for hot paths that commit by themselves. Two kinds of outcome
// become Unavailable, which is unknown:
//
//   - The commit was only acknowledged because somebody has cancelled its wait
//     for the synchronous standby. The connection is closed then.
//   - The connection broke, by whatever error the driver tells of it.
func Outcome(c *pgxpool.Conn, err error) error {
	switch {
	case err == nil && warned(c.Conn().PgConn()):
		ctx, cancel := context.WithTimeout(context.Background(), pgPing)
		defer cancel()
		_ = c.Conn().Close(ctx)
		return im.Errorf(im.Unavailable, "the wait for the synchronous standby was cancelled: the outcome is unknown")
	case err != nil && c.Conn().IsClosed() && im.CodeOf(mapError(err)) == im.Internal:
		return fmt.Errorf("%w (%w)", im.Errorf(im.Unavailable, "the connection to the database was lost"), err)
	}
	return err
}

// isNetwork tells whether err comes from a broken connection.
func isNetwork(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) || errors.Is(err, pgconn.ErrConnClosed) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

// pgTx implements Tx.
type pgTx struct {
	ctx  context.Context
	pg   *pg
	tx   pgx.Tx
	rows *pgRows
	slow bool // statements may take as long as they like
}

func (t *pgTx) open() bool { return t.rows != nil && !t.rows.closed }

// bound is the context of one statement.
func (t *pgTx) bound() (context.Context, context.CancelFunc) {
	if t.slow {
		return t.ctx, func() {}
	}
	return t.pg.bound(t.ctx)
}

// Dialect implements Tx.
func (t *pgTx) Dialect() Dialect { return Postgres }

// Now implements Tx.
func (t *pgTx) Now() (now im.Micros, err error) {
	err = t.QueryRow(pgNow).Scan(&now)
	return now, err
}

// Exec implements Tx.
func (t *pgTx) Exec(text string, args ...any) (int64, error) {
	if t.open() {
		return 0, errOpenRows
	}
	ctx, cancel := t.bound()
	defer cancel()
	tag, err := t.tx.Exec(ctx, text, args...)
	return tag.RowsAffected(), mapError(err)
}

// Query implements Tx.
func (t *pgTx) Query(text string, args ...any) (Rows, error) {
	if t.open() {
		return nil, errOpenRows
	}
	ctx, cancel := t.bound()
	rows, err := t.tx.Query(ctx, text, args...)
	if err != nil {
		cancel()
		return nil, mapError(err)
	}
	t.rows = &pgRows{rows: rows, cancel: cancel}
	return t.rows, nil
}

// QueryPlanned is tx.Query for a query whose best plan depends on the values of
// its arguments, such as how common a searched word is. PostgreSQL keeps one
// plan for a prepared statement after some executions; this has it plan each
// time anew, which costs some hundred µs. On SQLite it is tx.Query.
func QueryPlanned(tx Tx, text string, args ...any) (Rows, error) {
	if _, ok := tx.(*pgTx); ok {
		args = append([]any{pgx.QueryExecModeCacheDescribe}, args...)
	}
	return tx.Query(text, args...)
}

// QueryRow implements Tx.
func (t *pgTx) QueryRow(text string, args ...any) Row {
	if t.open() {
		return pgRow{err: errOpenRows}
	}
	ctx, cancel := t.bound()
	return pgRow{row: t.tx.QueryRow(ctx, text, args...), cancel: cancel}
}

type pgRow struct {
	row    pgx.Row
	cancel context.CancelFunc
	err    error
}

// Scan implements Row.
func (r pgRow) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.cancel()
	err := r.row.Scan(dest...)
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrNoRows
	}
	return mapError(err)
}

type pgRows struct {
	rows   pgx.Rows
	cancel context.CancelFunc
	closed bool
}

// Next implements Rows.
func (r *pgRows) Next() bool {
	if r.rows.Next() {
		return true
	}
	r.closed = true
	r.cancel()
	return false
}

// Scan implements Rows.
func (r *pgRows) Scan(dest ...any) error {
	if err := r.rows.Scan(dest...); err != nil {
		return fmt.Errorf("scan: %w", mapError(err))
	}
	return nil
}

// Err implements Rows.
func (r *pgRows) Err() error { return mapError(r.rows.Err()) }

// Close implements Rows.
func (r *pgRows) Close() {
	r.rows.Close()
	r.closed = true
	r.cancel()
}
