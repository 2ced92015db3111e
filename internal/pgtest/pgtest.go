// Package pgtest gives tests a fresh database on a throw-away PostgreSQL.
//
// The server belongs to nobody in particular: the first test that asks starts
// one below the temporary folder, tests of other packages share it, and it is
// stopped a few seconds after the last one has gone. Who uses it holds a shared
// lock on a file, which the kernel releases also when a test binary is killed;
// a small shell process waits for that and stops the server by its process id.
//
// It listens on a Unix socket only, so there is no port to collide. Its
// default collation is a linguistic one, so that a column that should compare
// bytewise and does not is found out.
package pgtest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// DB returns the URL of a new, empty database, which is dropped when the test
// ends. It fails the test when PostgreSQL is not installed.
func DB(t testing.TB) string {
	t.Helper()
	dir, err := acquire(t)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		t.Fatal(err)
	}
	name := "t_" + hex.EncodeToString(b[:])
	admin(t, dir, "CREATE DATABASE "+name)
	t.Cleanup(func() { admin(t, dir, "DROP DATABASE "+name+" WITH (FORCE)") })
	return address(dir, name)
}

// Durable makes the server wait for the disk until the test ends, as a real one
// does, for tests and benchmarks whose figures mean nothing otherwise. url is one
// that DB returned. (No test here cuts the power of the server; one that does
// needs a server of its own.)
func Durable(t testing.TB, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	defer func() { _ = c.Close(ctx) }()
	dir := c.Config().Host
	admin(t, dir, "ALTER SYSTEM SET fsync = on")
	admin(t, dir, "SELECT pg_reload_conf()")
	t.Cleanup(func() {
		admin(t, dir, "ALTER SYSTEM RESET fsync")
		admin(t, dir, "SELECT pg_reload_conf()")
	})
	for on := ""; on != "on"; {
		if err := c.QueryRow(ctx, "SHOW fsync").Scan(&on); err != nil {
			t.Fatalf("pgtest: %v", err)
		}
	}
}

func address(dir, name string) string {
	q := url.Values{"host": {dir}, "user": {"postgres"}, "sslmode": {"disable"}}
	return (&url.URL{Scheme: "postgres", Path: "/" + name, RawQuery: q.Encode()}).String()
}

func admin(t testing.TB, dir, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := pgx.Connect(ctx, address(dir, "postgres"))
	if err == nil {
		_, err = c.Exec(ctx, statement)
		_ = c.Close(ctx)
	}
	if err != nil {
		t.Errorf("pgtest: %s: %v", statement, err)
	}
}

// lock opens a file and locks it.
func lock(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), how); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// folder is where all servers of this user live.
func folder() (string, error) {
	base := filepath.Join(os.TempDir(), fmt.Sprintf("skein-pgtest-%d", os.Getuid()))
	if err := os.Mkdir(base, 0o711); err != nil && !os.IsExist(err) {
		return "", err
	}
	return base, nil
}

// acquire returns the folder of a running server and keeps it running until
// the test has ended.
func acquire(t testing.TB) (string, error) {
	base, err := folder()
	if err != nil {
		return "", err
	}
	start, err := lock(filepath.Join(base, "start.lock"), syscall.LOCK_EX)
	if err != nil {
		return "", err
	}
	defer func() { _ = start.Close() }() // also unlocks
	current := filepath.Join(base, "current")
	if name, err := os.ReadFile(current); err == nil {
		dir := filepath.Join(base, string(name))
		if use(t, dir) == nil {
			return dir, nil
		}
	}
	dir, err := os.MkdirTemp(base, "c")
	if err != nil {
		return "", err
	}
	if err := launch(dir, fmt.Sprintf("%slisten_addresses = ''\nunix_socket_directories = '%s'\n", settings, dir)); err != nil {
		return "", err
	}
	if err := use(t, dir); err != nil {
		return "", err
	}
	if err := watch(dir); err != nil {
		return "", err
	}
	return dir, os.WriteFile(current, []byte(filepath.Base(dir)), 0o600)
}

// use takes a share of a server; it fails when the server is gone or going.
func use(t testing.TB, dir string) error {
	f, err := lock(filepath.Join(dir, "users.lock"), syscall.LOCK_SH|syscall.LOCK_NB)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := pgx.Connect(ctx, address(dir, "postgres"))
	if err != nil {
		_ = f.Close()
		return err
	}
	t.Cleanup(func() { _ = f.Close() })
	return c.Close(ctx)
}

// bin finds the newest server's programs.
func bin() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(strings.Split(path, "/")[4])
		return n
	}
	if len(found) > 0 {
		slices.SortFunc(found, func(a, b string) int { return version(a) - version(b) })
		return filepath.Dir(found[len(found)-1]), nil
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	return "", fmt.Errorf("PostgreSQL is not installed: run scripts/setup.sh")
}

// owner is whom the server runs as: PostgreSQL refuses to run as root.
func owner() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, fmt.Errorf("no user to run PostgreSQL as: run scripts/setup.sh")
}

// settings of the server. Without fsync a database is dropped in 5 ms and not
// in 300; see Durable.
const settings = `
fsync = off
max_connections = 500
shared_buffers = 64MB
max_wal_size = 2GB
idle_in_transaction_session_timeout = 120s
logging_collector = off
`

// launch makes a server's folder and starts it.
func launch(dir, settings string) error {
	programs, err := bin()
	if err != nil {
		return err
	}
	as, err := owner()
	if err != nil {
		return err
	}
	if as != nil {
		if err := os.Chown(dir, int(as.Uid), int(as.Gid)); err != nil {
			return err
		}
	}
	data := filepath.Join(dir, "data")
	run := func(name string, args ...string) error { return runAs(dir, as, filepath.Join(programs, name), args...) }
	err = run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync",
		"--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US")
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(data, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(settings)
	if err2 := f.Close(); err == nil {
		err = err2
	}
	if err != nil {
		return err
	}
	return run("pg_ctl", "-D", data, "-l", filepath.Join(dir, "log"), "-w", "start")
}

// watchdog waits until nobody holds the users' lock, allows a pause between
// two packages' tests, and stops the server by the id in its own file.
const watchdog = `cd "$1" || exit
while :; do
  flock -x users.lock true
  sleep 5
  flock -n -x users.lock sh -c '
    pid=$(head -n 1 data/postmaster.pid) && kill -QUIT "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done' && break
done
rm -rf "$1"`

func watch(dir string) error {
	c := exec.Command("/bin/sh", "-c", watchdog, "sh", dir)
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := c.Start(); err != nil {
		return err
	}
	return c.Process.Release()
}
