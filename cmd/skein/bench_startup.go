package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/skein-im/skein/internal/bench"
)

// startupReport is what "bench startup" prints.
type startupReport struct {
	Kind         string  `json:"kind"`
	LoginMS      float64 `json:"start_to_login_ms"`
	ListenMS     float64 `json:"start_to_listen_ms"`
	IdleRSS      int64   `json:"idle_rss_bytes"`
	YardstickMS  float64 `json:"yardstick_version_ms"`
	IdleAfterSec float64 `json:"idle_after_s"`
}

// benchStartup measures the time from starting the process on an empty folder
// to the first accepted login, and the memory some seconds later. The
// yardstick is this binary printing its version: a process that does nothing.
func benchStartup(ctx context.Context, f benchFlags, stdout, stderr io.Writer) error {
	r := startupReport{Kind: "startup", IdleAfterSec: 5}
	began := time.Now()
	if err := runSelf(ctx, "version"); err != nil {
		return err
	}
	r.YardstickMS = ms(time.Since(began))
	c, err := startChild(ctx, f, stderr)
	if err != nil {
		return err
	}
	defer c.end()
	// Making an app and a token is the operator's time, not the server's.
	prepared := time.Now()
	r.ListenMS = ms(c.listening.Sub(c.started))
	login, err := bench.Login(ctx, c.target(), "alice")
	if err != nil {
		return err
	}
	r.LoginMS = r.ListenMS + ms(login)
	fmt.Fprintf(stderr, "listening after %.0f ms, login took %.0f ms (app and token made in %.0f ms)\n", r.ListenMS, ms(login), ms(prepared.Sub(c.listening)))
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Duration(r.IdleAfterSec) * time.Second):
	}
	r.IdleRSS = bench.RSS(c.pid)
	return printReport(stdout, r, nil)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
