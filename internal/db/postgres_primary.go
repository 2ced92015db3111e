package db

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

var (
	errReadOnly = errors.New("it is read-only: a standby, or a primary that was demoted")
	errDeposed  = errors.New("it is an old primary: another server was promoted after it")
	errForeign  = errors.New("it is another database cluster than the one this process began with")
)

// primary knows which server may be used: one that takes writes, of the
// cluster that the process began with, and not one that was replaced.
//
// A promotion starts a new timeline, with a higher number. Whoever has seen
// timeline 2 never again talks to a server of timeline 1, although it says of
// itself that it takes writes: it is the old primary that somebody has
// started again. (What keeps it from acknowledging anything to processes that
// have not heard of the promotion is synchronous replication; see
// docs/ops/postgresql.md.)
type primary struct {
	log *slog.Logger

	mu       sync.Mutex // guards the rest
	system   string     // the cluster's identifier; "" = not known
	timeline int64      // the highest that was seen; 0 = none
	refused  map[string]bool
}

// pgIdentity answers on PostgreSQL alone, not on all that speaks its protocol.
const pgIdentity = `SELECT (SELECT system_identifier::text FROM pg_control_system()), pg_walfile_name(pg_current_wal_lsn())`

// validate is asked about every new connection. An error sends the driver on
// to the URL's next host.
func (p *primary) validate(ctx context.Context, c *pgconn.PgConn) error {
	r, err := c.Exec(ctx, "SHOW transaction_read_only").ReadAll()
	if err != nil {
		return err
	}
	if string(r[0].Rows[0][0]) != "off" {
		return errReadOnly
	}
	r, err = c.Exec(ctx, pgIdentity).ReadAll()
	var unknown *pgconn.PgError
	if errors.As(err, &unknown) {
		return nil // it has no such functions, or does not let us call them
	}
	if err != nil {
		return err
	}
	system, file := string(r[0].Rows[0][0]), string(r[0].Rows[0][1])
	if err := p.admit(system, timelineOf(file)); err != nil {
		p.report(c.Conn().RemoteAddr().String(), file, err)
		return err
	}
	return nil
}

// admit compares a server with what is known, and learns.
func (p *primary) admit(system string, timeline int64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.system != "" && p.system != system:
		return errForeign
	case timeline < p.timeline:
		return errDeposed
	}
	p.system, p.timeline = system, timeline
	return nil
}

// epoch is the timeline.
func (p *primary) epoch() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.timeline
}

// report logs a refusal once.
func (p *primary) report(address, file string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := fmt.Sprint(address, file[:min(len(file), 8)], err)
	if p.refused == nil {
		p.refused = map[string]bool{}
	}
	if !p.refused[key] && len(p.refused) < 100 {
		p.refused[key] = true
		p.log.Warn("a PostgreSQL server is not used", "address", address, "timeline", timelineOf(file), "err", err)
	}
}

// survey asks every host of an URL once, so that a process that starts while
// an old primary is up beside the new one begins with the new one, in
// whatever order the URL names them. What does not answer is left out.
func (p *primary) survey(ctx context.Context, cfg *pgx.ConnConfig) {
	if len(cfg.Fallbacks) == 0 {
		return
	}
	type host struct {
		name string
		port uint16
	}
	seen := map[host]bool{}
	var wg sync.WaitGroup
	for _, f := range append([]*pgconn.FallbackConfig{{Host: cfg.Host, Port: cfg.Port, TLSConfig: cfg.TLSConfig}}, cfg.Fallbacks...) {
		one := cfg.Config.Copy()
		one.Host, one.Port, one.TLSConfig, one.Fallbacks = f.Host, f.Port, f.TLSConfig, nil
		for _, same := range cfg.Fallbacks { // the same host without TLS, where the URL allows that
			if same.Host == f.Host && same.Port == f.Port && same.TLSConfig == nil && f.TLSConfig != nil {
				one.Fallbacks = append(one.Fallbacks, same)
			}
		}
		if h := (host{f.Host, f.Port}); !seen[h] {
			seen[h] = true
			wg.Go(func() {
				if c, err := pgconn.ConnectConfig(ctx, one); err == nil {
					_ = c.Close(ctx)
				}
			})
		}
	}
	wg.Wait()
}
