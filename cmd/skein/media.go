package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strconv"

	"github.com/skein-im/skein/internal/config"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/media"
)

// mediaCommand is the process that reads pictures, sounds and films of
// strangers; the server starts it. It may die.
func mediaCommand(_ context.Context, args []string, stdout, stderr io.Writer) error {
	fs := flag.NewFlagSet("media", flag.ContinueOnError)
	fs.SetOutput(stderr)
	memory := fs.Int64("memory", 0, "how much memory it may have, in bytes")
	if err := fs.Parse(args); err != nil {
		return exitCode(2)
	}
	if *memory < 1 || fs.NArg() > 0 {
		return fmt.Errorf("skein media is a part of the server and is not called by hand")
	}
	return media.Serve(os.Stdin, stdout, media.ServeOptions{Memory: *memory})
}

// maxMedia is the most processes that read media when no option says so.
const maxMedia = 8

// newMedia returns what reads media, in processes of its own. They run this very
// program, also when its file was replaced by a newer one in between.
func newMedia(s *server, o config.Media, log *slog.Logger) (*media.Pool, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	if runtime.GOOS == "linux" {
		self = "/proc/self/exe"
	}
	workers := o.Workers
	if workers == 0 {
		workers = min(runtime.GOMAXPROCS(0), maxMedia)
	}
	pool := media.NewPool(media.PoolOptions{Program: self, Args: []string{"skein", "media", "--memory", strconv.Itoa(o.Memory)}, Env: []string{"GOMAXPROCS=1"},
		Workers: workers, Limits: media.Limits{Pixels: int64(o.Pixels)}, Clock: im.SystemClock{}, Log: log, Metrics: s.ops.metrics})
	s.onClose(func(context.Context) error { pool.Close(); return nil })
	return pool, nil
}
