package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/skein-im/skein/internal/config"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

// restoredCommand tells a data folder or database that it came out of a
// backup: it gets a new incarnation, so that every device compares what it
// holds with what is stored and replaces what differs.
func restoredCommand(ctx context.Context, args []string, stdout, _ io.Writer) (err error) {
	src := config.Source{Args: args, Environ: os.Environ(), Only: []string{"data", "db"}}
	cfg, words, err := readOptions(config.Read, src, "skein restored is run once after a backup was put back and before the server starts: devices then\ncompare what they hold with what is stored. Options:\n", stdout)
	switch {
	case err != nil || cfg == nil:
		return err
	case len(words) > 0:
		return fmt.Errorf("restored takes options only, not %q", words[0])
	}
	s := &server{}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	if _, err := s.lockData(cfg); err != nil {
		return err
	}
	d, err := openDB(ctx, cfg, im.SystemClock{}, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	s.onClose(func(context.Context) error { return d.Close() })
	id, err := journal.Renew(ctx, d, im.SystemEntropy())
	if err == nil {
		fmt.Fprintln(stdout, "incarnation", id)
	}
	return err
}
