package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/config"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/fsck"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/move"
)

const migrateHelp = `skein migrate copies a store into another database while the server runs, then stops the server, copies
what is left, and hands over: from SQLite to PostgreSQL, or back.

  skein migrate --data ./data --to postgres://skein@db/skein --then-serve -- --listen :443
  skein migrate --db postgres://skein@db/skein --to ./data
  skein migrate --data ./data --undo

What stands behind -- are options of skein serve. Options:`

// stopTimeout is how long a server may take to end. It is not part of what is
// usual: a server that drains takes a second or two.
const stopTimeout = 60 * time.Second

// handoverFile lies in a data folder while its server is told to end for a
// migration, and handoverSpread is over how long it then sends its sessions
// away: nobody can come back before the last one has gone.
const (
	handoverFile   = "handover"
	handoverSpread = 500 * time.Millisecond
)

// handedOver tells a server that ends whether another one is about to take its
// place.
func handedOver(cfg *config.Config) bool {
	_, err := os.Stat(filepath.Join(cfg.Data, handoverFile))
	return cfg.DB == "" && err == nil
}

// migrateFlags are the options of migrate and no other command.
type migrateFlags struct {
	to                       string
	restart, undo, thenServe bool
}

// migrateCommand moves a store.
func migrateCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o migrateFlags
	fs := flag.NewFlagSet("migrate", flag.ContinueOnError)
	fs.StringVar(&o.to, "to", "", "where the store goes: a postgres:// URL, or a data folder")
	fs.BoolVar(&o.restart, "restart", false, "throw away what an interrupted migration has left in the target")
	fs.BoolVar(&o.undo, "undo", false, "let a store that was left behind be served again, without what the other one has stored since")
	fs.BoolVar(&o.thenServe, "then-serve", false, "when all is there, serve the target from this process")
	src := config.Source{Args: args, Environ: os.Environ(), Extra: fs, Only: []string{"data", "db", "blobs"}}
	cfg, operands, err := readOptions(config.Read, src, migrateHelp+"\n", stdout)
	switch {
	case err != nil || cfg == nil:
		return err
	case len(operands) > 0 && !o.thenServe:
		return fmt.Errorf("migrate takes options only, not %q", operands[0])
	case o.undo:
		return undoMigration(ctx, cfg, stdout)
	case o.to == "":
		return errors.New("say where to with --to: a postgres:// URL, or a data folder")
	}
	if err := migrate(ctx, cfg, &o, stdout, stderr); err != nil {
		return err
	}
	target := []string{"--data", o.to}
	if isURL(o.to) {
		target = []string{"--data", cfg.Data, "--db", o.to}
	}
	if !o.thenServe {
		fmt.Fprintf(stdout, "serve it with: skein serve %s\n", strings.Join(append(target[:len(target)-1], shown(o.to)), " "))
		return nil
	}
	return serveCommand(ctx, append(target, operands...), stdout, stderr)
}

func isURL(s string) bool {
	return strings.HasPrefix(s, "postgres://") || strings.HasPrefix(s, "postgresql://")
}

// shown is a database's name without what is secret in it.
func shown(target string) string {
	if !isURL(target) {
		if abs, err := filepath.Abs(target); err == nil {
			return abs
		}
		return target
	}
	u, err := url.Parse(target)
	if err != nil {
		return "postgres://…"
	}
	name := u.Host + u.Path
	if u.Host == "" {
		name = u.Query().Get("host") + u.Path
	}
	return "postgres://" + name
}

// targetConfig is the configuration of a store that is given by one word.
func targetConfig(cfg *config.Config, target string) *config.Config {
	c := *cfg
	if c.DB = target; !isURL(target) {
		c.DB, c.Data = "", target
	}
	return &c
}

// openTarget opens a store that nobody serves and keeps others from doing so.
func openTarget(ctx context.Context, s *server, cfg *config.Config) (*db.DB, error) {
	if cfg.DB == "" {
		if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
			return nil, err
		}
	}
	if _, err := s.lockData(cfg); err != nil {
		return nil, err
	}
	d, err := openStore(ctx, cfg, false)
	if err != nil {
		return nil, err
	}
	s.onClose(func(context.Context) error { return d.Close() })
	release, err := move.Hold(ctx, d)
	if err == nil {
		s.onClose(func(context.Context) error { release(); return nil })
	}
	return d, err
}

// makeTables makes the tables of every package, and a journal without entries.
func makeTables(shards int) func(context.Context, *db.DB) error {
	return func(ctx context.Context, d *db.DB) error {
		for name, files := range ownMigrations() {
			if err := d.Migrate(ctx, name, files); err != nil {
				return err
			}
		}
		if _, err := auth.New(ctx, auth.Options{DB: d, Clock: im.SystemClock{}, Entropy: im.SystemEntropy()}); err != nil {
			return err
		}
		j, err := journal.Open(ctx, d, journal.Options{Shards: shards})
		if err != nil {
			return err
		}
		return j.Close(ctx)
	}
}

// progressLine says now and then how far a copy is.
func progressLine(w io.Writer) func(move.Progress) {
	var last time.Time
	var what string
	return func(p move.Progress) {
		if now := time.Now(); now.Sub(last) >= 2*time.Second || p.What != what {
			last, what = now, p.What
			fmt.Fprintln(w, p.Text())
		}
	}
}

func migrate(ctx context.Context, cfg *config.Config, o *migrateFlags, stdout, stderr io.Writer) (err error) {
	s := &server{}
	defer func() { err = errors.Join(err, s.close(context.WithoutCancel(ctx))) }()
	if isURL(o.to) && cfg.DB == o.to || !isURL(o.to) && cfg.DB == "" && shown(cfg.Data) == shown(o.to) {
		return errors.New("the target is the store itself")
	}
	fromName := shown(cfg.Data)
	if cfg.DB != "" {
		fromName = shown(cfg.DB)
	}
	log := newLog(cfg, stderr)
	from, err := openStore(ctx, cfg, true)
	if err != nil {
		return err
	}
	s.onClose(func(context.Context) error { return from.Close() })
	to, err := openTarget(ctx, s, targetConfig(cfg, o.to))
	if err != nil {
		return err
	}
	m, err := move.New(ctx, move.Options{From: from, To: to, FromName: fromName, ToName: shown(o.to), Schema: makeTables(cfg.Shards),
		Restart: o.restart, Log: log, Progress: progressLine(stderr)})
	if err != nil {
		return err
	}
	if err := m.Copy(ctx); err != nil {
		return err
	}
	if err := moveFiles(ctx, cfg, from, o.to, stderr); err != nil {
		return err
	}
	fmt.Fprintln(stderr, "all is copied and compared; handing over")
	r, err := m.Switch(ctx, func(ctx context.Context) error { return stopServers(ctx, s, cfg, from, stderr) })
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "moved %d entries and %d other rows to %s in %v, each compared; the pause was %v (%v of it for the server to end), with %d last changes\n",
		r.Entries, r.Rows, shown(o.to), (r.Copying + r.Pause).Round(time.Millisecond), r.Pause.Round(time.Millisecond),
		r.Stopping.Round(time.Millisecond), r.Last)
	fmt.Fprintln(stdout, "incarnation", r.Incarnation)
	if r.Damaged > 0 {
		fmt.Fprintf(stdout, "%d entries were damaged and are damaged in the copy: see skein fsck\n", r.Damaged)
	}
	return errors.Join(keyFor(cfg, o.to, stdout), moveFiles(ctx, cfg, to, o.to, stdout))
}

// moveFiles copies the folder of users' files into a new data folder: before the
// server is stopped what there is, afterwards what has come since. On PostgreSQL
// the nodes keep their folder, and a bucket stays where it is.
func moveFiles(ctx context.Context, cfg *config.Config, d *db.DB, to string, w io.Writer) error {
	if isURL(to) || cfg.Blobs != "" || shown(cfg.Data) == shown(to) {
		return nil
	}
	if n, _, err := fsck.OwnFiles(ctx, d); err != nil || n == 0 {
		return err
	}
	err := filesTo(ctx, cfg, d, filepath.Join(to, "blobs"), w)
	if errors.Is(err, errNoBlobs) {
		fmt.Fprintf(w, "copy the folder blobs of a node into %s, or serve it with its --blobs: users' files are there\n", to)
		return nil
	}
	if errors.Is(err, errMissing) { // here as there
		fmt.Fprintln(w, err)
		return nil
	}
	return err
}

// keyFor copies the key that seals the apps' secrets into a new data folder.
func keyFor(cfg *config.Config, to string, stdout io.Writer) error {
	if isURL(to) || cfg.SecretKey != "" {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(cfg.Data, "secret.key"))
	if err != nil {
		fmt.Fprintf(stdout, "copy the file secret.key of a node into %s: it opens the apps' secrets\n", to)
		return nil //nolint:nilerr // the nodes may get it in another way
	}
	return os.WriteFile(filepath.Join(to, "secret.key"), text, 0o600)
}

// openStore opens a store for a tool that reads everything, however long it
// takes. With existing, an empty folder is an error.
func openStore(ctx context.Context, cfg *config.Config, existing bool) (*db.DB, error) {
	return db.Open(ctx, storeOf(cfg), db.Options{Existing: existing, Postgres: db.PostgresOptions{StatementTimeout: -1, LockTimeout: -1}})
}

func storeOf(cfg *config.Config) string {
	if cfg.DB != "" {
		return cfg.DB
	}
	return cfg.Data
}

// stopServers ends the server of a data folder and takes the folder's lock; of
// nodes on PostgreSQL it can only wait for the end.
func stopServers(ctx context.Context, s *server, cfg *config.Config, d *db.DB, stderr io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	if cfg.DB == "" {
		pid, err := lockedBy(cfg.Data)
		if err == nil && pid != 0 {
			fmt.Fprintf(stderr, "stopping the server, process %d\n", pid)
			note := filepath.Join(cfg.Data, handoverFile)
			defer os.Remove(note)
			err = errors.Join(os.WriteFile(note, nil, 0o600), terminate(pid))
		}
		if err != nil {
			return err
		}
		err = poll(ctx, "the server has not ended", func() (bool, error) {
			_, err := s.lockData(cfg)
			return err == nil, nil
		})
		if err != nil || pid == 0 {
			return err
		}
		// The folder is free; the process still closes its other sockets,
		// which the next server may want. What has not gone then is one that
		// its parent does not look after.
		gone, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
		defer cancel()
		_ = poll(gone, "", func() (bool, error) { return !alive(pid), nil })
		return nil
	}
	told := false
	return poll(ctx, "there are still servers on the database", func() (bool, error) {
		n, err := move.Nodes(ctx, d)
		if n > 0 && !told {
			told = true
			fmt.Fprintf(stderr, "stop the servers on %s now: %d hold a lease\n", shown(cfg.DB), n)
		}
		return n == 0, err
	})
}

// errIf is err when a condition holds.
func errIf(cond bool, err error) error {
	if cond {
		return err
	}
	return nil
}

// poll asks until the answer is yes.
func poll(ctx context.Context, what string, done func() (bool, error)) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, ctx.Err())
		case <-tick.C:
		}
	}
}

// awaitWhole waits for a migration into the database that is under way, so
// that a server may be started before it ends and serves from that moment.
func awaitWhole(ctx context.Context, d *db.DB, log *slog.Logger) error {
	told := false
	return poll(ctx, "the database is not whole", func() (bool, error) {
		mark, marked, err := journal.Marked(ctx, d)
		if err != nil || !marked || mark.Moved {
			return true, err // journal.Open says what is wrong with one that has moved
		}
		held, err := move.Held(ctx, d)
		if err != nil || !held {
			// Not held: the copy may have ended well since the mark was read.
			_, marked, err2 := journal.Marked(ctx, d)
			return true, errors.Join(err, err2, errIf(err == nil && err2 == nil && marked,
				fmt.Errorf("the copy of %s into this database was interrupted: start it again with the same arguments", mark.Where)))
		}
		if !told {
			told = true
			log.Info("waiting until the copy into this database is whole", "from", mark.Where)
		}
		return false, nil
	})
}

// undoMigration opens a store that was left behind.
func undoMigration(ctx context.Context, cfg *config.Config, stdout io.Writer) (err error) {
	s := &server{}
	defer func() { err = errors.Join(err, s.close(context.WithoutCancel(ctx))) }()
	d, err := openStore(ctx, cfg, true)
	if err != nil {
		return err
	}
	s.onClose(func(context.Context) error { return d.Close() })
	if _, marked, err := journal.Marked(ctx, d); err != nil {
		return err
	} else if marked {
		if _, err := s.lockData(cfg); err != nil {
			return err
		}
	}
	moved, err := move.Undo(ctx, d, im.SystemEntropy())
	if err == nil && moved {
		fmt.Fprintln(stdout, "this store may be served again; what was stored in the other one since is not in it")
	} else if err == nil {
		fmt.Fprintln(stdout, "no change of this store is noted for a migration any more")
	}
	return err
}
