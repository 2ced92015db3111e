package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/skein-im/skein/internal/config"
	"github.com/skein-im/skein/internal/fsck"
	"github.com/skein-im/skein/internal/move"
)

const restoreHelp = `skein restore fills an empty store from a backup, proves it, and gives it a new incarnation, by which every
device compares what it holds with what is stored.

  skein restore skein.backup --data ./data --files ./files
  ssh backup cat skein.backup | skein restore - --db postgres://skein@db/skein

Options:`

// restoreCommand fills a store from a backup.
func restoreCommand(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	fs := flag.NewFlagSet("restore", flag.ContinueOnError)
	overwrite := fs.Bool("overwrite", false, "when the store is not empty: set SQLite's file aside, empty a PostgreSQL database for good")
	files := fs.String("files", "", "the folder that backup --files has copied users' files to: they are copied into the server's store")
	src := config.Source{Args: args, Environ: os.Environ(), Extra: fs, Only: []string{"data", "db", "blobs"}}
	cfg, operands, err := readOptions(config.Read, src, restoreHelp+"\n", stdout)
	switch {
	case err != nil || cfg == nil:
		return err
	case len(operands) != 1:
		return errors.New("say which backup: a file, or - for standard input")
	}
	in, err := openBackup(operands[0])
	if err != nil {
		return err
	}
	defer in.Close()
	s := &server{}
	defer func() { err = errors.Join(err, s.close(context.WithoutCancel(ctx))) }()
	if *overwrite && cfg.DB == "" {
		if err := setAside(cfg, stdout); err != nil {
			return err
		}
	}
	d, err := openTarget(ctx, s, cfg)
	if err != nil {
		return err
	}
	r, err := move.Restore(ctx, in, move.RestoreOptions{To: d, ToName: shown(storeOf(cfg)), Schema: makeTables(cfg.Shards), Overwrite: *overwrite,
		Key: func(text []byte) error { return keepKey(cfg, text, stderr) }, Progress: progressLine(stderr)})
	if err != nil {
		return err
	}
	tellBackup(stdout, operands[0], r.Manifest)
	if _, err := os.Stat(filepath.Join(cfg.Data, "secret.key")); err != nil && cfg.SecretKey == "" {
		fmt.Fprintf(stderr, "put the secret.key of the old server into %s before you serve: without it the apps' secrets cannot be opened\n", cfg.Data)
	}
	if *files != "" {
		if err := filesFrom(ctx, cfg, d, *files, stdout); err != nil {
			return err
		}
	} else if n, _, err := fsck.OwnFiles(ctx, d); err != nil {
		return err
	} else if n > 0 {
		fmt.Fprintf(stderr, "%d objects of users' files are named: give the new server the store of the old one, or restore with --files\n", n)
	}
	report, err := fsck.Check(ctx, d)
	if err != nil {
		return err
	}
	for _, f := range report.Findings {
		fmt.Fprintln(stdout, f)
	}
	fmt.Fprintf(stdout, "restored %d conversations, %d entries (%d messages), %d memberships: %d findings\nincarnation %s\n",
		report.Conversations, report.Entries, report.Messages, report.Memberships, int64(len(report.Findings))+report.More, r.Fresh)
	if !report.Sound() {
		return exitCode(1)
	}
	return nil
}

// setAside renames a data folder's database, so that nothing is lost by a
// restore that was meant for another folder.
func setAside(cfg *config.Config, stdout io.Writer) error {
	if _, err := os.Stat(filepath.Join(cfg.Data, "skein.db")); err != nil {
		return nil //nolint:nilerr // there is none
	}
	lock := &server{}
	if _, err := lock.lockData(cfg); err != nil {
		return err
	}
	defer lock.close(context.Background()) //nolint:errcheck // it holds a lock and nothing else
	dir := filepath.Join(cfg.Data, "replaced-"+time.Now().UTC().Format("20060102T150405"))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	for _, name := range []string{"skein.db", "skein.db-wal", "skein.db-shm"} {
		err := os.Rename(filepath.Join(cfg.Data, name), filepath.Join(dir, name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	fmt.Fprintf(stdout, "the old database is in %s\n", dir)
	return nil
}
