package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/skein-im/skein/internal/config"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/tlsserve"
)

// drainTime is how long a server that is told to end lets clients go, and
// closeTime how long its parts then get.
const (
	drainTime = 2 * time.Second
	closeTime = 10 * time.Second
)

// serveCommand runs the server until ctx ends.
func serveCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	src := config.Source{Args: args, Environ: os.Environ()}
	cfg, operands, err := config.Load(src)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintln(stdout, "skein serve runs the server. Options:")
		config.Usage(stdout, src)
		return nil
	case err != nil:
		return err
	case len(operands) > 0:
		return fmt.Errorf("serve takes options only, not %q", operands[0])
	}
	log := newLog(cfg, stderr)
	s, err := wire(ctx, cfg, log)
	if err != nil {
		return err
	}
	err = s.serve(ctx, cfg, log, stdout)
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
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
	proto := "http"
	if cfg.TLS.Enabled() {
		proto = "https"
	}
	fmt.Fprintf(stdout, "listening %s://%s\n", proto, ln.Addr())
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	draining := context.AfterFunc(ctx, func() {
		log.Info("draining")
		s.gateway.Drain(drainTime)
		stop()
	})
	defer draining()
	return ln.Run(running)
}

// listen binds the address, with TLS when it is configured.
func listen(cfg *config.Config, s *server, log *slog.Logger) (*tlsserve.Server, error) {
	o := tlsserve.Options{Addr: cfg.Listen, Handler: s.handler, Clock: im.SystemClock{}, Log: log, Cert: cfg.TLS.Cert, Key: cfg.TLS.Key,
		HSTS: cfg.TLS.HSTS, Proxies: s.proxies, Grace: drainTime}
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
