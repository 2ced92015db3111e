package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/skein-im/skein/internal/config"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/move"
)

const backupHelp = `skein backup writes what a store holds at one moment into one file, while the server runs. The file can be
restored into SQLite and into PostgreSQL.

  skein backup --data ./data --out skein.backup --files ./files
  skein backup --data ./data --out - | ssh backup 'cat > skein.backup'
  skein backup --data ./data --out ./backups --every 60s --keep 60
  skein backup --verify skein.backup

Options:`

// backupFlags are the options of backup and no other command.
type backupFlags struct {
	out, verify string
	files       string
	withKey     bool
	every       time.Duration
	keep        int
}

// backupCommand backs a store up, or checks a backup.
func backupCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o backupFlags
	fs := flag.NewFlagSet("backup", flag.ContinueOnError)
	fs.StringVar(&o.out, "out", "", "the file to write; - is standard output; with --every a folder")
	fs.StringVar(&o.files, "files", "", "the folder that users' files are copied to, those that it does not have")
	fs.StringVar(&o.verify, "verify", "", "read this backup to its end, compare all sums and tell what is in it")
	fs.BoolVar(&o.withKey, "with-key", false, "put the key that seals the apps' secrets into the backup: who has the file then has the secrets")
	fs.DurationVar(&o.every, "every", 0, "make a new backup this often, until the program is ended")
	fs.IntVar(&o.keep, "keep", 24, "with --every, how many of the newest backups to keep")
	src := config.Source{Args: args, Environ: os.Environ(), Extra: fs, Only: []string{"data", "db", "blobs"}}
	cfg, operands, err := readOptions(config.Read, src, backupHelp+"\n", stdout)
	switch {
	case err != nil || cfg == nil:
		return err
	case len(operands) > 0:
		return fmt.Errorf("backup takes options only, not %q", operands[0])
	case o.verify != "":
		return verifyBackup(o.verify, stdout)
	case o.out == "":
		return errors.New("say where to with --out: a file, or - for standard output")
	case o.keep < 1 || o.every < 0:
		return errors.New("--keep is at least 1, --every not below 0")
	}
	d, err := openStore(ctx, cfg, true)
	if err != nil {
		return err
	}
	defer d.Close()
	var key []byte
	if o.withKey {
		if cfg.SecretKey != "" {
			key = []byte(cfg.SecretKey)
		} else if key, err = os.ReadFile(filepath.Join(cfg.Data, "secret.key")); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(stderr, "the key that seals the apps' secrets is not in the backup: keep secret.key elsewhere, or add --with-key")
	}
	bo := move.BackupOptions{Program: version, Key: key, Progress: progressLine(stderr)}
	files := func() error { return nil }
	if o.files != "" {
		// Before it all that there is, which may take long; after it what has come
		// meanwhile. What is deleted is so only after limits.file_keep.
		files = func() error { return filesTo(ctx, cfg, d, o.files, stderr) }
	} else if err := tellFiles(ctx, cfg, d, stderr); err != nil {
		return err
	}
	if o.every > 0 {
		return backupEvery(ctx, d, &o, bo, files, stdout, stderr)
	}
	return around(files, func() error {
		if o.out != "-" {
			return backupTo(ctx, d, o.out, bo, stdout)
		}
		m, err := move.Backup(ctx, d, stdout, bo)
		if err == nil {
			tellBackup(stderr, "-", m)
		}
		return err
	})
}

// around copies files before and after a backup. One that is missing stops no
// backup; it is told at the end.
func around(files func() error, backup func() error) error {
	before := files()
	if err := backup(); err != nil {
		return errors.Join(before, err)
	}
	return files()
}

func tellBackup(w io.Writer, name string, m move.Manifest) {
	fmt.Fprintf(w, "%s: %d entries of %s from %v, incarnation %s, %d bytes, sha256 %s\n", name, m.Entries, m.Engine,
		m.Created.Time().Format(time.RFC3339), m.Incarnation, m.Bytes, m.Sum)
	if m.Damaged > 0 {
		fmt.Fprintf(w, "%d entries do not fit their hash: see skein fsck\n", m.Damaged)
	}
}

// backupTo writes a file that is there in full or not at all.
func backupTo(ctx context.Context, d *db.DB, path string, o move.BackupOptions, stdout io.Writer) (err error) {
	f, err := os.OpenFile(path+".partial", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(path+".partial"))
		}
	}()
	m, err := move.Backup(ctx, d, f, o)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".partial", path); err != nil {
		return err
	}
	tellBackup(stdout, path, m)
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes the names in a folder durable.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// backupEvery makes one backup after the other. One that fails is said and
// tried again when the next is due; older ones stay.
func backupEvery(ctx context.Context, d *db.DB, o *backupFlags, bo move.BackupOptions, files func() error, stdout, stderr io.Writer) error {
	if err := os.MkdirAll(o.out, 0o700); err != nil {
		return err
	}
	bo.Progress = nil
	tick := time.NewTicker(o.every)
	defer tick.Stop()
	for {
		name := filepath.Join(o.out, "skein-"+time.Now().UTC().Format("20060102T150405.000")+".backup")
		err := around(files, func() error { return backupTo(ctx, d, name, bo, stdout) })
		if err == nil {
			err = prune(o.out, o.keep)
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it was ended: what was begun is removed
		}
		if err != nil {
			fmt.Fprintln(stderr, "backup:", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// prune removes all backups of a folder but the newest; their names sort by
// time.
func prune(dir string, keep int) error {
	names, err := filepath.Glob(filepath.Join(dir, "skein-*.backup"))
	if err != nil {
		return err
	}
	slices.Sort(names)
	var errs []error
	for _, n := range names[:max(0, len(names)-keep)] {
		errs = append(errs, os.Remove(n))
	}
	return errors.Join(errs...)
}

// openBackup opens a backup, or standard input.
func openBackup(path string) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(os.Stdin), nil
	}
	return os.Open(path)
}

func verifyBackup(path string, stdout io.Writer) error {
	f, err := openBackup(path)
	if err != nil {
		return err
	}
	defer f.Close()
	m, err := move.Verify(f)
	if err != nil {
		return err
	}
	tellBackup(stdout, path, m)
	var parts []string
	for _, t := range m.Tables {
		if n := m.Rows[t.Name]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", t.Name, n))
		}
	}
	key := "not in it"
	if m.WithKey {
		key = "in it"
	}
	fmt.Fprintf(stdout, "rows: %s\nshards: %d; made by version %s; the key that seals the apps' secrets is %s\nit is whole\n",
		strings.Join(parts, ", "), len(m.Heads), m.Program, key)
	return nil
}

// keepKey writes a key that came out of a backup into a data folder, unless
// the folder has one: that one may have sealed what others still use.
func keepKey(cfg *config.Config, text []byte, stderr io.Writer) error {
	path := filepath.Join(cfg.Data, "secret.key")
	if old, err := os.ReadFile(path); err == nil {
		if string(old) != string(text) {
			fmt.Fprintf(stderr, "%s is another key than the one in the backup, and stays: the restored apps' secrets cannot be opened with it\n", path)
		}
		return nil
	}
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}
