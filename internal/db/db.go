// Package db opens the database and hides what differs between the two
// engines: SQLite (a file in a data folder, the default) and PostgreSQL (an
// URL). It knows no table; each package brings its own migrations and its own
// SQL, written once.
//
// The decisions behind it (docs/adr/0001):
//
//   - One SQL text. Parameters are $1, $2 …; a schema is a template with a few
//     words such as {{bigint}} (see Migrate). Truth values are 0 and 1 in
//     {{bigint}} columns, times are int64 microseconds, ids compare bytewise.
//   - Read runs on one snapshot and Write is serializable on both engines. A
//     function given to Write can run more than once on PostgreSQL: it may
//     touch nothing but its Tx until Write has returned.
//   - A Tx runs one statement at a time on both engines: rows are read out or
//     closed before the next statement starts.
//   - SQLite is WAL with synchronous=FULL: what Write has returned is on disk.
//     This process has one writing connection with a queue before it, so that
//     it never competes with itself; other processes may open the same folder,
//     and then wait for each other for up to ten seconds.
//   - Checkpoints are made by a second connection, off the path of a commit.
//   - What can be expected to go wrong is an im.Error: ResourceExhausted for a
//     full disk, Unavailable for a lost connection (the outcome of a Write is
//     then unknown), DataLoss for a damaged file. The engine's own error stays
//     in the chain for the log.
package db

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/metrics"
)

// Dialect is the engine behind a DB.
type Dialect int

// The dialects.
const (
	SQLite Dialect = iota
	Postgres
)

// String returns the engine's name.
func (d Dialect) String() string {
	if d == Postgres {
		return "PostgreSQL"
	}
	return "SQLite"
}

// Options of Open. The zero value works.
type Options struct {
	Clock im.Clock     // what Now tells on SQLite; nil = the machine's clock
	Log   *slog.Logger // nil = none
	// Conns bounds the connections: readers on SQLite (0 = 8), the whole pool
	// on PostgreSQL (0 = 24), which has two more for Urgent.
	Conns int
	// Postgres are the options that PostgreSQL alone has.
	Postgres PostgresOptions
	// Metrics is where the engine counts; nil = nowhere.
	Metrics *metrics.Set
	// CheckpointPages is the size of SQLite's write-ahead log, in pages of
	// 4 KiB, at which a checkpoint starts; 0 = 16,000. A larger log costs disk
	// and a longer recovery, a smaller one writes hot pages more often.
	CheckpointPages int
	// Existing makes Open answer NotFound for a folder without a database, in
	// place of making one.
	Existing bool
}

// ErrNoRows is returned by Row.Scan when the query gave no row.
var ErrNoRows = errors.New("no rows")

// errOpenRows tells a programmer that a statement was started while rows were
// being read. PostgreSQL cannot do it, so SQLite may not either.
var errOpenRows = errors.New("db: statement started before the rows of the last one were closed")

// Tx is a transaction. It belongs to the goroutine that got it and is dead
// when the function that got it returns. Arguments are int64, string, []byte,
// nil, or types of those kinds; on PostgreSQL also slices for = ANY($1), which
// one SQL text for both engines cannot use (see List).
type Tx interface {
	// Exec runs a statement and returns the number of rows that it changed.
	Exec(sql string, args ...any) (int64, error)
	// Query runs a query. The rows must be closed before the next statement;
	// Next closes them after the last row.
	Query(sql string, args ...any) (Rows, error)
	// QueryRow runs a query of which only the first row counts. Errors,
	// ErrNoRows among them, are returned by Scan, which must be called.
	QueryRow(sql string, args ...any) Row
	// Now is the database's clock: the one that leases, expiries and schedules
	// go by, because it is one for all nodes.
	Now() (im.Micros, error)
	// Dialect tells the engine, for the rare statement that cannot be shared.
	Dialect() Dialect
}

// Rows are the rows of a query, read forward once. Scan copies.
type Rows interface {
	Next() bool
	Scan(dest ...any) error
	// Err tells after Next was false whether that was the end or a failure.
	Err() error
	Close()
}

// Row is the first row of a query.
type Row interface {
	Scan(dest ...any) error
}

// DB is an open database. It may be used by many goroutines.
type DB struct {
	dialect Dialect
	lite    *lite         // SQLite only
	urgent  bool          // see Urgent
	pg      *pg           // PostgreSQL only
	pool    *pgxpool.Pool // one of pg's; PostgreSQL only
	log     *slog.Logger
}

// Open opens a database: target is a postgres:// or postgresql:// URL, or a
// folder, which is made when it is missing and in which the file is skein.db.
// Close must be called.
func Open(ctx context.Context, target string, o Options) (*DB, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = im.SystemClock{}
	}
	d := &DB{log: o.Log}
	checkpoints := declareCheckpoints(o.Metrics)
	var err error
	if strings.HasPrefix(target, "postgres://") || strings.HasPrefix(target, "postgresql://") {
		d.dialect = Postgres
		if d.pg, err = openPostgres(ctx, target, o); err == nil {
			d.pool = d.pg.main
		}
	} else if strings.Contains(target, "://") { // no folder: its name would show the password
		err = im.Errorf(im.InvalidArgument, "a database's URL begins with postgres://")
	} else {
		d.lite, err = openLite(ctx, target, o, checkpoints)
	}
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	d.measure(o.Metrics)
	return d, nil
}

// Dialect tells the engine.
func (d *DB) Dialect() Dialect { return d.dialect }

// Close ends all connections. It waits for transactions that run.
func (d *DB) Close() error {
	if d.pool != nil {
		d.pg.close()
		return nil
	}
	return d.lite.close()
}

// Read runs fn on one snapshot of the database, which fn cannot change. fn's
// error is returned as it is.
func (d *DB) Read(ctx context.Context, fn func(Tx) error) error {
	if d.pool != nil {
		return d.readPostgres(ctx, fn)
	}
	return d.lite.read(ctx, d.urgent, fn)
}

// Write runs fn in a serializable transaction and commits it, durably, when fn
// returns nil. When fn returns an error the transaction is rolled back and the
// error returned as it is. On PostgreSQL fn is run again, up to 20 times, when
// the engine has rolled the transaction back because of another one. With
// Unavailable the outcome is unknown.
func (d *DB) Write(ctx context.Context, fn func(Tx) error) error {
	if d.pool != nil {
		return d.writePostgres(ctx, fn)
	}
	return d.lite.write(ctx, fn)
}

// Now is Tx.Now outside a transaction.
func (d *DB) Now(ctx context.Context) (im.Micros, error) {
	if d.pool == nil {
		return im.MicrosOf(d.lite.clock.Now()), nil
	}
	var now im.Micros
	err := d.ask(ctx, pgNow, &now)
	return now, err
}

// ask runs a query of one row on a connection of its own.
func (d *DB) ask(ctx context.Context, query string, dest ...any) error {
	c, err := d.pg.acquire(ctx, d.pool)
	if err != nil {
		return err
	}
	defer c.Release()
	ctx, cancel := d.pg.bound(ctx)
	defer cancel()
	return mapError(c.QueryRow(ctx, query).Scan(dest...))
}

// Ping tells whether the database can take a write now: nil, or why not.
func (d *DB) Ping(ctx context.Context) error {
	if d.pool != nil {
		var readOnly string
		err := d.ask(ctx, "SHOW transaction_read_only", &readOnly)
		if err == nil && readOnly != "off" {
			return im.Errorf(im.Unavailable, "the database is read-only")
		}
		return err
	}
	return d.lite.write(ctx, func(Tx) error { return nil })
}

// Urgent is the same database over connections that are kept for what must
// not wait behind everything else: a node that cannot renew its lease has to
// stop serving. Two transactions at a time, so they had better be short. On
// SQLite only its reads have connections of their own, since there is one
// writer anyway. Only the DB that Open returned is closed.
func (d *DB) Urgent() *DB {
	u := *d
	if u.urgent = true; d.pool != nil {
		u.pool = d.pg.urgent
	}
	return &u
}

// Epoch is a number that grows when another server becomes the primary, at the
// latest when the first connection to it is acquired; constant on SQLite. What
// is remembered of the database is from one epoch: a standby that is promoted
// may lack the newest commits.
func (d *DB) Epoch() int64 {
	if d.pg == nil {
		return 0
	}
	return d.pg.primary.epoch()
}

// Acquire takes a connection for a hot path that has a file per engine, and
// waits for it only as long as PostgresOptions.WaitTimeout. PostgreSQL only; errors
// are mapped.
func (d *DB) Acquire(ctx context.Context) (*pgxpool.Conn, error) { return d.pg.acquire(ctx, d.pool) }

// Pool is the PostgreSQL pool, for a hot path that has a file per engine; nil
// on SQLite. Errors from it go through MapError.
func (d *DB) Pool() *pgxpool.Pool { return d.pool }

// List returns "$from, $from+1 …" with n members, for IN (…).
func List(from, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d", from+i)
	}
	return b.String()
}
