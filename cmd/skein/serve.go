package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/skein-im/skein/internal/config"
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
	ln, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", cfg.Listen, err)
	}
	h := &http.Server{Handler: s.handler, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug), BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) }}
	ended := make(chan error, 1)
	tls, err := tlsListener(ctx, cfg, ln, h, log)
	if err != nil {
		ln.Close()
		return err
	}
	if err := s.auth.WaitValid(ctx); err != nil {
		ln.Close()
		return fmt.Errorf("take the lease on the fence log: %w", err)
	}
	go func() { ended <- h.Serve(tls) }()
	proto := "http"
	if tls != ln {
		proto = "https"
	}
	fmt.Fprintf(stdout, "listening %s://%s\n", proto, ln.Addr())
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	log.Info("draining")
	s.gateway.Drain(drainTime)
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if err := h.Shutdown(stop); err != nil {
		h.Close()
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
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
