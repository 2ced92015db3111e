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
	pgConns = 24
	pgTries = 20
	pgNow   = "SELECT (date_part('epoch', clock_timestamp()) * 1000000)::bigint"
	// pgIdle ends a transaction whose node has vanished without closing its
	// connection, so that the rows that it locked are free again.
	pgIdle = "30s"
)

func openPostgres(ctx context.Context, target string, o Options) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(target)
	if err != nil {
		return nil, im.Errorf(im.InvalidArgument, "the database URL cannot be read") // err would show the password
	}
	cfg.MaxConns = pgConns
	if o.Conns > 0 {
		cfg.MaxConns = int32(o.Conns)
	}
	params := cfg.ConnConfig.RuntimeParams
	params["application_name"] = "skein"
	if _, set := params["idle_in_transaction_session_timeout"]; !set {
		params["idle_in_transaction_session_timeout"] = pgIdle
	}
	cfg.AfterConnect = afterConnect
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, mapError(err)
	}
	var fsync string
	if err := pool.QueryRow(ctx, "SHOW fsync").Scan(&fsync); err != nil {
		pool.Close()
		return nil, mapError(err)
	}
	if fsync != "on" {
		o.Log.Warn("PostgreSQL runs with fsync off: acknowledged messages are lost in a power cut")
	}
	return pool, nil
}

// afterConnect takes a server's default of asynchronous commits back: an
// acknowledged message would not be on disk.
func afterConnect(ctx context.Context, c *pgx.Conn) error {
	var level string
	if err := c.QueryRow(ctx, "SHOW synchronous_commit").Scan(&level); err != nil {
		return err
	}
	if level != "off" {
		return nil
	}
	_, err := c.Exec(ctx, "SET synchronous_commit = on")
	return err
}

func readPostgres(ctx context.Context, pool *pgxpool.Pool, fn func(Tx) error) error {
	return transactPostgres(ctx, pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, fn)
}

// writePostgres retries what the engine has rolled back for certain. A lost
// connection is not retried: the commit may have happened.
func writePostgres(ctx context.Context, pool *pgxpool.Pool, fn func(Tx) error) error {
	for try := 1; ; try++ {
		err := transactPostgres(ctx, pool, pgx.TxOptions{IsoLevel: pgx.Serializable}, fn)
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

func transactPostgres(ctx context.Context, pool *pgxpool.Pool, o pgx.TxOptions, fn func(Tx) error) error {
	inner, err := pool.BeginTx(ctx, o)
	if err != nil {
		return mapError(err)
	}
	// After a commit this does nothing; else it runs also when the caller has
	// given up or fn panics, so that the connection can be used again.
	defer func() { _ = inner.Rollback(context.WithoutCancel(ctx)) }()
	tx := &pgTx{ctx: ctx, tx: inner}
	if err := fn(tx); err != nil {
		return err
	}
	if tx.open() {
		return errOpenRows
	}
	return mapError(inner.Commit(ctx))
}

// isNetwork tells whether err comes from a broken connection.
func isNetwork(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

// pgTx implements Tx.
type pgTx struct {
	ctx  context.Context
	tx   pgx.Tx
	rows *pgRows
}

func (t *pgTx) open() bool { return t.rows != nil && !t.rows.closed }

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
	tag, err := t.tx.Exec(t.ctx, text, args...)
	return tag.RowsAffected(), mapError(err)
}

// Query implements Tx.
func (t *pgTx) Query(text string, args ...any) (Rows, error) {
	if t.open() {
		return nil, errOpenRows
	}
	rows, err := t.tx.Query(t.ctx, text, args...)
	if err != nil {
		return nil, mapError(err)
	}
	t.rows = &pgRows{rows: rows}
	return t.rows, nil
}

// QueryRow implements Tx.
func (t *pgTx) QueryRow(text string, args ...any) Row {
	if t.open() {
		return pgRow{err: errOpenRows}
	}
	return pgRow{row: t.tx.QueryRow(t.ctx, text, args...)}
}

type pgRow struct {
	row pgx.Row
	err error
}

// Scan implements Row.
func (r pgRow) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	err := r.row.Scan(dest...)
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrNoRows
	}
	return mapError(err)
}

type pgRows struct {
	rows   pgx.Rows
	closed bool
}

// Next implements Rows.
func (r *pgRows) Next() bool {
	if r.rows.Next() {
		return true
	}
	r.closed = true
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
}
