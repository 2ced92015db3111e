package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/skein-im/skein/internal/config"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/tlsserve"
)

// closeTime is how long the parts of a server get at least when it ends.
const closeTime = time.Second

// serveCommand runs the server until ctx ends.
func serveCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	src := config.Source{Args: args, Environ: os.Environ()}
	cfg, operands, err := readOptions(config.Load, src, "skein serve runs the server. Options:\n", stdout)
	switch {
	case err != nil || cfg == nil:
		return err
	case len(operands) > 0:
		return fmt.Errorf("serve takes options only, not %q", operands[0])
	}
	log := newLog(cfg, stderr)
	ops, err := startOperations(cfg, log)
	if err != nil {
		return err
	}
	defer ops.close()
	s, err := wire(ctx, cfg, log, ops)
	if err != nil {
		return err
	}
	err = s.serve(ctx, cfg, log, stdout)
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(closeTime, ops.left(cfg)))
	defer cancel()
	return errors.Join(err, s.close(closing))
}

// serve listens and answers until ctx ends, then lets the clients go.
func (s *server) serve(ctx context.Context, cfg *config.Config, log *slog.Logger, stdout io.Writer) error {
	ln, err := listen(cfg, s, log)
	if err != nil {
		return err
	}
	if err := s.auth.WaitValid(ctx); err != nil {
		ln.Close()
		return fmt.Errorf("take the lease on the fence log: %w", err)
	}
	defer s.ops.health.Start(0, s.checks(cfg)...)()
	if err := s.sfu.start(s.hook); err != nil {
		ln.Close()
		return err
	}
	proto := "http"
	if cfg.TLS.Enabled() {
		proto = "https"
	}
	fmt.Fprintf(stdout, "listening %s://%s\n", proto, ln.Addr())
	if s.ops.addr != "" {
		fmt.Fprintf(stdout, "admin http://%s\n", s.ops.addr)
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	go tendMemory(running, s.gateway.Connections) // ends with it
	var drained sync.WaitGroup
	drained.Add(1)
	unhook := context.AfterFunc(ctx, func() {
		defer drained.Done()
		s.drain(context.WithoutCancel(ctx), cfg, log)
		stop()
	})
	err = ln.Run(running)
	if unhook() { // the listener failed by itself
		drained.Done()
	}
	drained.Wait()
	return err
}

// drain brings a server to the point where nobody misses it: it says that it
// is not ready, waits for balancers to notice, and sends the clients away.
// Calls that run are waited for by the listener, afterwards.
func (s *server) drain(ctx context.Context, cfg *config.Config, log *slog.Logger) {
	s.ops.drain()
	ctx, cancel := context.WithTimeout(ctx, cfg.Drain.Timeout)
	defer cancel()
	d := cfg.Drain
	if handedOver(cfg) { // the next server is there already; who is sent away waits for all the others
		d.Delay, d.Spread = 0, min(d.Spread, handoverSpread)
	}
	log.Info("draining", "delay", d.Delay, "spread", d.Spread, "timeout", d.Timeout, "sessions", s.gateway.Sessions())
	delay := time.NewTimer(d.Delay)
	defer delay.Stop()
	select {
	case <-delay.C:
	case <-ctx.Done():
	}
	if err := s.sfu.handOver(ctx); err != nil {
		log.Warn("calls are not handed over to other nodes in order", "err", err)
	}
	s.gateway.Drain(ctx, d.Spread)
	if err := s.sfu.close(ctx); err != nil {
		log.Warn("the SFU is cut off", "err", err)
	}
	log.Info("drained", "took", s.ops.sinceDrain(), "left", s.gateway.Sessions())
}

// grace is how long calls may take once the clients are gone: half of what
// delay and spread leave of the timeout; the rest is for storing and closing.
func grace(d config.Drain) time.Duration {
	return max((d.Timeout-d.Delay-d.Spread)/2, 100*time.Millisecond)
}

// listen binds the address, with TLS when it is configured.
func listen(cfg *config.Config, s *server, log *slog.Logger) (*tlsserve.Server, error) {
	o := tlsserve.Options{Addr: cfg.Listen, Handler: s.handler, Clock: im.SystemClock{}, Log: log, Cert: cfg.TLS.Cert, Key: cfg.TLS.Key,
		HSTS: cfg.TLS.HSTS, Proxies: s.proxies, Grace: grace(cfg.Drain),
		Handshakes: cfg.Limits.Handshakes}
	if a := cfg.TLS.ACME; len(a.Domains) > 0 {
		cache := a.Cache
		if cache == "" {
			cache = filepath.Join(cfg.Data, "acme")
		}
		var err error
		if o.ACME, err = tlsserve.NewACME(tlsserve.ACMEOptions{Domains: a.Domains, Email: a.Email, Cache: cache, Directory: a.Directory, HTTP: a.HTTP}); err != nil {
			return nil, err
		}
	}
	return tlsserve.Listen(o)
}

func newLog(cfg *config.Config, w io.Writer) *slog.Logger {
	var level slog.Level
	if level.UnmarshalText([]byte(cfg.Log.Level)) != nil {
		level = slog.LevelInfo // config has checked the name
	}
	o := &slog.HandlerOptions{Level: level}
	if cfg.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
