package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/config"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/feature/board"
	"github.com/skein-im/skein/internal/feature/file"
	"github.com/skein-im/skein/internal/feature/group"
	"github.com/skein-im/skein/internal/feature/join"
	"github.com/skein-im/skein/internal/gateway"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/metrics"
	"github.com/skein-im/skein/internal/page"
	"github.com/skein-im/skein/internal/presence"
	"github.com/skein-im/skein/internal/quota"
	"github.com/skein-im/skein/internal/rpc"
	"github.com/skein-im/skein/internal/tlsserve"
	"github.com/skein-im/skein/internal/trace"
)

// server is everything behind the listener. Its parts are closed in the
// reverse of the order in which they were made.
type server struct {
	handler http.Handler
	ops     *operations
	db      *db.DB
	journal journal.Journal
	node    string // its name, random where nothing else tells nodes apart
	alone   bool   // it has the data folder, and no other server is on the database
	gateway *gateway.Gateway
	auth    *auth.Auth
	proxies *tlsserve.Proxies
	sfu     *ownSFU          // nil = calls have another media server, or there are none
	hook    http.HandlerFunc // hears from the media server
	closers []func(context.Context) error
}

// close ends every part, newest first, and returns what went wrong.
func (s *server) close(ctx context.Context) error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i](ctx))
	}
	return errors.Join(errs...)
}

func (s *server) onClose(fn func(context.Context) error) { s.closers = append(s.closers, fn) }

// wire builds the server: plain constructors in dependency order. It is the
// only place that knows all packages.
func wire(ctx context.Context, cfg *config.Config, log *slog.Logger, ops *operations) (_ *server, err error) {
	s := &server{ops: ops}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close(ctx))
		}
	}()
	clock, entropy := im.SystemClock{}, im.SystemEntropy()

	key, err := masterKey(cfg, entropy)
	if err != nil {
		return nil, err
	}
	cursorKey, err := key.Derive("cursor")
	if err != nil {
		return nil, err
	}
	pageKey, err := key.Derive("page")
	if err != nil {
		return nil, err
	}
	name, err := s.lockData(cfg)
	if err != nil {
		return nil, err
	}
	s.alone = name != ""
	d, err := openMeasured(ctx, cfg, clock, log, ops.metrics)
	if err != nil {
		return nil, err
	}
	s.onClose(func(context.Context) error { return d.Close() })
	if err := awaitWhole(ctx, d, log); err != nil {
		return nil, err
	}

	node, err := im.RandomID(entropy)
	if err != nil {
		return nil, err
	}
	local := bus.NewLocal()
	s.onClose(func(context.Context) error { local.Close(); return nil })
	tracer, err := trace.New(ctx, trace.Options{Endpoint: cfg.OTel.Endpoint, Sample: cfg.OTel.Sample, Node: node, Version: version, Log: log})
	if err != nil {
		return nil, err
	}
	s.onClose(tracer.Close)
	b := bus.Metered(local, ops.metrics, tracer)
	limits := newLimits(cfg, ops.metrics, clock)
	ao := auth.Options{DB: d, Clock: clock, Entropy: entropy, Key: key, Log: log, Dev: cfg.Dev,
		AllowedOrigins: cfg.AllowedOrigins, Node: name, MaxDevices: cfg.Limits.Devices, Metrics: ops.metrics, Defaults: appDefaults(cfg),
		Quotas: appQuotas(&cfg.Quotas), RefusedUsers: limits.refused[refusedUsers].Inc}
	fenceNews(b, &ao, node)
	a, err := auth.New(ctx, ao)
	if err != nil {
		return nil, err
	}
	if cfg.Dev {
		if err := a.EnsureDemoApp(ctx); err != nil {
			return nil, err
		}
	}
	j, err := journal.Open(ctx, d, journal.Options{Clock: clock, Entropy: entropy, Log: log, Shards: cfg.Shards, Committed: b.Ring,
		Metrics: ops.metrics})
	if err != nil {
		return nil, err
	}
	s.onClose(j.Close)
	s.db, s.journal, s.node = d, j, node

	var p *presence.Presence // before anybody can ask
	back, err := newBackground(ctx, s, cfg, a, limits, func(app im.AppID) int { return p.InApp(app) }, log)
	if err != nil {
		return nil, err
	}
	c := chat.New(chat.Deps{Journal: j, Signals: b, Policies: []chat.Policy{group.Rules, join.NewRules(d).Policy, file.NewRules(d, clock).Policy}, Limits: chatLimits(&cfg.Limits), Clock: clock, Log: log, CursorKey: cursorKey,
		Settings: a.Settings, Quota: back.usage, Reading: back.burns.Reading, Cursors: a.Cursors})
	pages := page.New(pageKey)
	folk := newPeople(j, d, c, a, b, pages, limits)
	back.users = newUsers(s, back, a, c, folk, pages)
	if back.files, err = newFiles(ctx, s, cfg, c, a, key, limits, log); err != nil {
		return nil, err
	}
	if s.sfu, err = newOwnSFU(s, cfg, key, ops.metrics, log); err != nil {
		return nil, err
	}
	s.onClose(s.sfu.close)
	if err := back.start(ctx, s, cfg, c, b, folk, pages, limits, log); err != nil {
		return nil, err
	}
	nodes := &cluster{}
	s.onClose(nodes.close) // after presence, which says good-bye over it
	if nodes.link, err = openLink(cfg, node, key, log); err != nil {
		return nil, err
	}
	p = presence.New(node, b, clock)
	s.onClose(p.Close)

	origins := originRules{auth: a}
	if s.proxies, err = tlsserve.NewProxies(cfg.BehindProxy); err != nil {
		return nil, err
	}
	address := func(r *http.Request) string { return s.proxies.ClientAddr(r).String() }
	strangers := quota.New[netip.Prefix](limits.of("hello"), 100_000, clock)
	s.gateway, err = gateway.New(ctx, gateway.Deps{Chat: c, Journal: j, Bus: b, Doorman: a, Presence: p, Sight: folk.profiles, Limits: gatewayLimits(&cfg.Limits),
		Clock: clock, Entropy: entropy, Log: log, Metrics: ops.metrics, Trace: tracer, Origin: origins.any, SameOrigin: origins.same, Address: address, Quota: back.usage,
		AllowHello: func(address string) error { return allowAddress(strangers, address, "connections") }})
	if err != nil {
		return nil, err
	}
	s.onClose(s.gateway.Close)
	s.auth = a
	s.onClose(runFences(a, func(f auth.Fence) {
		s.gateway.Apply(f)
		callFence(back.calls, f)
	}, log))
	off := hearFences(b, a)
	s.onClose(func(context.Context) error { off(); return nil })
	if err := nodes.join(ctx, cfg, key, local, j, p, c, log); err != nil {
		return nil, err
	}
	nodes.declare(ops.metrics)

	newcomers := quota.New[netip.Prefix](limits.of("stranger"), 100_000, clock)
	calls := quota.New[im.Actor](limits.of("call"), 100_000, clock)
	backEnds := quota.New[im.AppID](limits.of("back_end"), 10_000, clock)
	calling, err := rpc.New(rpc.Deps{
		Caller: func(ctx context.Context, app im.AppID, token string, device im.DeviceID) (im.Actor, error) {
			session, err := a.AuthenticateCall(ctx, app, token, device)
			return session.Actor, err
		},
		Verbs: rpc.Verbs{
			Chat:       c,
			Groups:     back.groups,
			Admin:      back.admin,
			Timed:      back.timed,
			Search:     back.search,
			Joins:      back.joins,
			Boards:     board.New(board.Deps{Chat: c, Journal: j, Clock: clock}),
			Profiles:   folk.profiles,
			Contacts:   folk.contacts,
			Rooms:      rooms{c, a, s.gateway},
			SignIns:    a,
			Users:      back.users,
			Broadcasts: back.casts,
			Files:      back.files,
			Calls:      back.calls,
			Devices:    devices{a, p},
			Presences:  presences{p, folk.profiles},
			CheckSend:  gateway.CheckSend,
		},
		Allow: func(actor im.Actor) error {
			if actor.Server {
				if counted, err := back.usage.Call(actor.App); counted {
					return err
				}
				return backEnds.Allow(actor.App, 1, "calls of the app's back end")
			}
			actor.Device = ""
			return calls.Allow(actor, 1, "calls")
		},
		AllowStranger: func(address string) error { return allowAddress(strangers, address, "calls without a good token") },
		AllowNewcomer: func(address string) error { return allowAddress(newcomers, address, "guests and codes") },
		Address:       address, Origin: origins.forApp, Log: log, Clock: clock, Metrics: ops.metrics, Trace: tracer, MaxBytes: cfg.Limits.PacketBytes, Timeout: cfg.Limits.CallTimeout,
	})
	if err != nil {
		return nil, err
	}
	s.hook = back.calls.Webhook
	s.handler, err = routes(cfg, s, calling, uploads(cfg, back.files, calling, log), downloads(back.files, calling, a), clock)
	return s, err
}

// runFences keeps this node's lease and applies fences until it is closed.
func runFences(a *auth.Auth, apply func(auth.Fence), log *slog.Logger) (stop func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		if err := a.Run(ctx, apply); err != nil && ctx.Err() == nil {
			log.Error("fences", "err", err)
		}
	}()
	return func(context.Context) error {
		cancel()
		wg.Wait()
		return nil
	}
}

// masterKey reads the key that seals the apps' secrets: from the
// configuration, or from the data folder, where it is made on first use.
func masterKey(cfg *config.Config, e im.Entropy) (auth.MasterKey, error) {
	if cfg.SecretKey != "" {
		return auth.ParseMasterKey(cfg.SecretKey)
	}
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return auth.MasterKey{}, fmt.Errorf("make the data folder: %w", err)
	}
	return auth.LoadMasterKey(filepath.Join(cfg.Data, "secret.key"), e)
}

// openDB opens what the configuration names.
func openDB(ctx context.Context, cfg *config.Config, clock im.Clock, log *slog.Logger) (*db.DB, error) {
	return openMeasured(ctx, cfg, clock, log, nil)
}

// openMeasured is openDB with the engine's figures on a set.
func openMeasured(ctx context.Context, cfg *config.Config, clock im.Clock, log *slog.Logger, set *metrics.Set) (*db.DB, error) {
	target := cfg.Data
	if cfg.DB != "" {
		target = cfg.DB
	}
	o := db.Options{Clock: clock, Log: log, Metrics: set}
	if cfg.DB != "" {
		pg := cfg.Postgres
		o.Conns = pg.Conns
		o.Postgres = db.PostgresOptions{ConnectTimeout: pg.ConnectTimeout, StatementTimeout: pg.StatementTimeout,
			LockTimeout: pg.LockTimeout, WaitTimeout: pg.WaitTimeout, Lifetime: pg.ConnLifetime}
	}
	return db.Open(ctx, target, o)
}

// allowAddress counts what an address does before it has said who it is.
func allowAddress(q *quota.Set[netip.Prefix], address, what string) error {
	a, err := netip.ParseAddr(address)
	if err != nil {
		if ap, err := netip.ParseAddrPort(address); err == nil {
			a = ap.Addr()
		}
	}
	return q.Allow(quota.Address(a), 1, what)
}
