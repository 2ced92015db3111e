package db

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/skein-im/skein/internal/im"
)

// PostgresOptions are the options of the PostgreSQL engine. A zero value of a field
// means its default; what the URL itself sets (statement_timeout=…) goes first.
type PostgresOptions struct {
	// ConnectTimeout bounds the attempt at one host of the URL, DNS included;
	// then comes the next host. 0 = 2 s.
	ConnectTimeout time.Duration
	// StatementTimeout bounds a statement, at the server, and 2 s later at
	// this end, for a server that has stopped to answer. It ends statements
	// alone: a commit that waits for a synchronous standby is never cancelled.
	// 0 = 15 s, below 0 = none, for programs that read everything.
	StatementTimeout time.Duration
	// LockTimeout bounds the wait for a row that another transaction holds.
	// 0 = 10 s, below 0 = none.
	LockTimeout time.Duration
	// WaitTimeout bounds the wait for a free connection. 0 = 5 s.
	WaitTimeout time.Duration
	// Lifetime is after how long a connection is replaced by a new one, so
	// that load moves to a server that was added behind one address. 0 = 30 min.
	Lifetime time.Duration
}

func (o *PostgresOptions) defaults() {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{{&o.ConnectTimeout, 2 * time.Second}, {&o.StatementTimeout, 15 * time.Second}, {&o.LockTimeout, 10 * time.Second},
		{&o.WaitTimeout, 5 * time.Second}, {&o.Lifetime, 30 * time.Minute}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
}

const (
	pgConns = 24
	// pgReserved is the size of the pool behind Urgent: one connection that
	// works, and one for when it has to be replaced.
	pgReserved = 2
	// pgIdle ends a transaction whose node has vanished without closing its
	// connection (its machine lost power, or it is cut off), so that the rows
	// that it locked are free again: until then nobody can append to the shard,
	// and a removal of a member is not acknowledged. A node is silent inside of
	// a transaction for as long only if it is frozen, and after as much nobody
	// waits for a frozen node's lease either.
	pgIdle = 5 * time.Second
	// pgIdleTool is that for programs without a StatementTimeout, which work on
	// what they read.
	pgIdleTool = 30 * time.Second
	// pgGrace is how much longer than the server this end waits.
	pgGrace = 2 * time.Second
	// pgPing bounds the question whether an idle connection still works.
	pgPing = 2 * time.Second
	// pgStale is for how long a connection may have been idle without being
	// asked that.
	pgStale = time.Second
)

// pg is the PostgreSQL side of a DB: two pools to one primary.
type pg struct {
	main    *pgxpool.Pool
	urgent  *pgxpool.Pool
	opts    PostgresOptions
	primary *primary
}

func openPostgres(ctx context.Context, target string, o Options) (*pg, error) {
	p := &pg{opts: o.Postgres, primary: &primary{log: o.Log}}
	p.opts.defaults()
	cfg, err := pgxpool.ParseConfig(target)
	if err != nil {
		return nil, im.Errorf(im.InvalidArgument, "the database URL cannot be read") // err would show the password
	}
	p.configure(cfg)
	p.primary.survey(ctx, cfg.ConnConfig)
	if p.main, err = newPool(ctx, cfg.Copy(), cmpOr(o.Conns, pgConns)); err != nil {
		return nil, mapError(err)
	}
	if p.urgent, err = newPool(ctx, cfg.Copy(), pgReserved); err != nil {
		p.main.Close()
		return nil, mapError(err)
	}
	if err := p.look(ctx, o.Log); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func cmpOr(n, or int) int32 {
	if n == 0 {
		n = or
	}
	return int32(n)
}

// newPool makes a pool that throws all of its connections away as soon as one
// of them shows that its server is no primary any more: the others have only
// not heard of it yet.
func newPool(ctx context.Context, cfg *pgxpool.Config, size int32) (*pgxpool.Pool, error) {
	cfg.MaxConns = size
	var pool *pgxpool.Pool
	made := make(chan struct{}) // closed when pool is set
	reset := func() {
		<-made
		if pool != nil {
			pool.Reset()
		}
	}
	cfg.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
		wireLink(&c.Config, reset)
		return nil
	}
	cfg.ShouldPing = func(ctx context.Context, s pgxpool.ShouldPingParams) bool {
		if s.IdleDuration < pgStale {
			return false
		}
		// Not under the caller's deadline: one that has a millisecond left
		// says nothing about the server.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pgPing)
		defer cancel()
		if s.Conn.Ping(ctx) == nil {
			return false
		}
		reset()
		return true // it fails at once, since the connection is closed now
	}
	var err error
	pool, err = pgxpool.NewWithConfig(ctx, cfg)
	close(made)
	return pool, err
}

// configure fills in what all connections have in common.
func (p *pg) configure(cfg *pgxpool.Config) {
	cfg.MaxConnLifetime, cfg.MaxConnLifetimeJitter = p.opts.Lifetime, p.opts.Lifetime/10
	cfg.MinConns, cfg.MinIdleConns = 0, 0
	c := &cfg.ConnConfig.Config
	c.ConnectTimeout = p.opts.ConnectTimeout
	c.RuntimeParams["application_name"] = "skein"
	lookup := c.LookupFunc
	c.LookupFunc = func(ctx context.Context, host string) ([]string, error) {
		ctx, cancel := context.WithTimeout(ctx, p.opts.ConnectTimeout)
		defer cancel()
		return lookup(ctx, host)
	}
	// Whatever target_session_attrs says: a replica lags behind, so it must
	// not answer a sync, a permission or a search for a duplicate.
	c.ValidateConnect = p.primary.validate
	settings := p.settings(c.RuntimeParams)
	cfg.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error { return settle(ctx, conn.PgConn(), settings) }
}

// settings is the SQL that a new session starts with.
func (p *pg) settings(given map[string]string) string {
	var b strings.Builder
	idle := pgIdle
	if p.opts.StatementTimeout < 0 {
		idle = pgIdleTool
	}
	for _, s := range []struct {
		name string
		d    time.Duration
	}{{"statement_timeout", p.opts.StatementTimeout}, {"lock_timeout", p.opts.LockTimeout}, {"idle_in_transaction_session_timeout", idle}} {
		if _, set := given[s.name]; !set {
			fmt.Fprintf(&b, "SET %s = %d;\n", s.name, max(s.d.Milliseconds(), 0))
		}
	}
	// A server's default of asynchronous commits is taken back: an
	// acknowledged message would not be on disk.
	b.WriteString("SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'")
	return b.String()
}

// pgVanished makes the server notice a node that is gone, within seconds, and
// free what it had locked. Servers before version 14, and those on systems
// that cannot look at a socket while they work, refuse it and notice later.
const pgVanished = `SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3;
SET client_connection_check_interval = 5000`

func settle(ctx context.Context, c *pgconn.PgConn, settings string) error {
	if _, err := c.Exec(ctx, settings).ReadAll(); err != nil {
		return err
	}
	var refused *pgconn.PgError
	if _, err := c.Exec(ctx, pgVanished).ReadAll(); err != nil && !errors.As(err, &refused) {
		return err
	}
	return nil
}

// look warns of a server that loses what it has acknowledged.
func (p *pg) look(ctx context.Context, log *slog.Logger) error {
	c, err := p.acquire(ctx, p.main)
	if err != nil {
		return err
	}
	defer c.Release()
	var fsync, pages string
	err = c.QueryRow(ctx, "SELECT current_setting('fsync'), current_setting('full_page_writes')").Scan(&fsync, &pages)
	if err != nil {
		return mapError(err)
	}
	if fsync != "on" {
		log.Warn("PostgreSQL runs with fsync off: acknowledged messages are lost in a power cut")
	}
	if pages != "on" {
		log.Warn("PostgreSQL runs with full_page_writes off: a power cut can damage the database, unless its file system writes pages whole")
	}
	return nil
}

func (p *pg) close() {
	p.main.Close()
	p.urgent.Close()
}

// acquire waits for a connection, not longer than the options say.
func (p *pg) acquire(ctx context.Context, pool *pgxpool.Pool) (*pgxpool.Conn, error) {
	wait, cancel := context.WithTimeout(ctx, p.opts.WaitTimeout)
	defer cancel()
	c, err := pool.Acquire(wait)
	switch {
	case err == nil:
		return c, nil
	case ctx.Err() == nil && wait.Err() != nil && pool.Stat().AcquiredConns() >= pool.Config().MaxConns:
		return nil, fmt.Errorf("%w (%w)", &im.Error{Code: im.Unavailable, Message: "every connection to the database is in use",
			Hint: "retry; if it stays so, raise postgres.conns"}, err)
	}
	if err = mapError(err); im.CodeOf(err) == im.Internal {
		err = fmt.Errorf("%w (%w)", im.Errorf(im.Unavailable, "the database does not answer"), err)
	}
	return nil, err
}

// bound is the context of one statement: it ends when the server should have
// ended the statement by itself.
func (p *pg) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if p.opts.StatementTimeout < 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, p.opts.StatementTimeout+pgGrace)
}

// timelineOf reads "00000002…", the name of a file of the write-ahead log.
func timelineOf(walFile string) int64 {
	if len(walFile) < 8 {
		return 0
	}
	n, err := strconv.ParseInt(walFile[:8], 16, 64)
	if err != nil {
		return 0
	}
	return n
}
