package chaos

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Postgres is a private server of PostgreSQL that waits for the disk at every
// commit, as a real one does. It listens on a Unix socket only.
type Postgres struct {
	dir string // of the cluster (data) and the log
	run string // of the socket
	as  *syscall.Credential
	in  *Space // nil: here, and nobody can connect by TCP

	mu     sync.Mutex // guards the rest
	cmd    *exec.Cmd
	exited chan struct{}
}

// settings of the server: durable, and small.
const settings = `
listen_addresses = ''
fsync = on
synchronous_commit = on
full_page_writes = on
max_connections = 200
shared_buffers = 64MB
max_wal_size = 512MB
logging_collector = off
`

// StartPostgres makes a database cluster in a folder, starts it, and makes the
// database "skein".
func StartPostgres(ctx context.Context, dir string) (*Postgres, error) {
	return startPostgresIn(ctx, dir, nil)
}

// startPostgresIn starts it on a machine of its own, where it also listens on
// port 5432 of its address.
func startPostgresIn(ctx context.Context, dir string, in *Space) (*Postgres, error) {
	p := &Postgres{dir: dir, in: in}
	var err error
	if p.run, err = os.MkdirTemp("", "skein-pg-"); err != nil { // a socket's path is short
		return nil, err
	}
	if err = os.MkdirAll(dir, 0o700); err == nil {
		p.as, err = notRoot()
	}
	if err == nil && p.as != nil {
		err = errors.Join(os.Chown(dir, int(p.as.Uid), int(p.as.Gid)), os.Chown(p.run, int(p.as.Uid), int(p.as.Gid)))
	}
	if err == nil {
		err = p.initdb(ctx)
	}
	if err == nil {
		err = p.Start(ctx)
	}
	if err == nil {
		err = p.Exec(ctx, "postgres", "CREATE DATABASE skein")
	}
	if err != nil {
		p.Stop()
		return nil, err
	}
	return p, nil
}

func (p *Postgres) initdb(ctx context.Context) error {
	cmd, err := p.program(ctx, "initdb", "-D", p.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C")
	if err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	f, err := os.OpenFile(filepath.Join(p.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%sunix_socket_directories = '%s'\n", settings, p.run)
	if p.in != nil && err == nil {
		_, err = fmt.Fprintf(f, "listen_addresses = '%s'\nport = 5432\n", p.in.Addr)
		err = errors.Join(err, os.WriteFile(filepath.Join(p.data(), "pg_hba.conf"), []byte("local all all trust\nhost all all 10.99.0.0/24 trust\n"), 0o644))
	}
	return errors.Join(err, f.Sync(), f.Close()) // the power may be cut at any time
}

func (p *Postgres) data() string { return filepath.Join(p.dir, "data") }

// notRoot is whom it runs as: PostgreSQL refuses to run as root.
func notRoot() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, _ := strconv.ParseUint(u.Uid, 10, 32)
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}

// program is one of PostgreSQL's.
func (p *Postgres) program(ctx context.Context, name string, args ...string) (*exec.Cmd, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil || len(found) == 0 {
		path, err := exec.LookPath(name)
		if err != nil {
			return nil, fmt.Errorf("PostgreSQL is not installed: run scripts/setup.sh: %w", err)
		}
		found = []string{path}
	}
	cmd := exec.CommandContext(ctx, found[len(found)-1], args...)
	cmd.Dir, cmd.SysProcAttr = p.dir, &syscall.SysProcAttr{Credential: p.as, Setpgid: true}
	return cmd, nil
}

// URL is the database "skein".
func (p *Postgres) URL() string { return p.url("skein") }

func (p *Postgres) url(name string) string {
	q := url.Values{"host": {p.run}, "user": {"postgres"}, "sslmode": {"disable"}}
	return (&url.URL{Scheme: "postgres", Path: "/" + name, RawQuery: q.Encode()}).String()
}

// Exec runs a statement.
func (p *Postgres) Exec(ctx context.Context, database, statement string, args ...any) error {
	c, err := pgx.Connect(ctx, p.url(database))
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	_, err = c.Exec(ctx, statement, args...)
	return err
}

// Start starts the server on its folder and returns when it answers.
func (p *Postgres) Start(ctx context.Context) error {
	// What a server that was killed has left behind.
	for _, f := range []string{filepath.Join(p.data(), "postmaster.pid"), filepath.Join(p.run, ".s.PGSQL.5432.lock"), filepath.Join(p.run, ".s.PGSQL.5432")} {
		os.Remove(f)
	}
	cmd, err := p.program(context.Background(), "postgres", "-D", p.data())
	if err != nil {
		return err
	}
	if p.in != nil {
		cmd = p.in.commandAs(p.as, cmd.Path, cmd.Args[1:]...)
		cmd.Dir, cmd.SysProcAttr = p.dir, &syscall.SysProcAttr{Setpgid: true}
	}
	log, err := os.OpenFile(p.run+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := spawn(cmd); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func() { cmd.Wait(); close(exited) }()
	p.mu.Lock()
	p.cmd, p.exited = cmd, exited
	p.mu.Unlock()
	ended := func() bool {
		select {
		case <-exited:
			return true
		default:
			return false
		}
	}
	up := func() bool {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		c, err := pgx.Connect(ctx, p.url("postgres"))
		if err != nil {
			return false
		}
		c.Close(ctx)
		return true
	}
	if !until(ctx, startTime, func() bool { return ended() || up() }) || ended() {
		text, _ := os.ReadFile(p.run + ".log")
		return fmt.Errorf("PostgreSQL did not start\n%s", text[max(0, len(text)-2000):])
	}
	return nil
}

// Kill ends the server and all its children at once, as a machine that stops.
func (p *Postgres) Kill() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return false
	}
	// The children of the postmaster have groups of their own.
	for _, pid := range append(children(p.cmd.Process.Pid), p.cmd.Process.Pid) {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	<-p.exited
	p.cmd = nil
	return true
}

// Gone tells whether the server has ended by itself.
func (p *Postgres) Gone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.exited:
		return true
	default:
		return p.cmd == nil
	}
}

// children are the processes below one.
func children(pid int) (all []int) {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, f := range tasks {
		raw, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		for _, s := range splitFields(raw) {
			if n, err := strconv.Atoi(s); err == nil {
				all = append(append(all, n), children(n)...)
			}
		}
	}
	return all
}

// Stop ends the server (fast shutdown) and removes what lies outside its
// folder.
func (p *Postgres) Stop() error {
	defer os.RemoveAll(p.run)
	defer os.Remove(p.run + ".log")
	return p.Halt()
}

// Halt ends the server (fast shutdown); Start starts it again.
func (p *Postgres) Halt() error {
	p.mu.Lock()
	cmd, exited := p.cmd, p.exited
	p.mu.Unlock()
	if cmd == nil {
		return nil
	}
	cmd.Process.Signal(syscall.SIGINT)
	select {
	case <-exited:
	case <-time.After(20 * time.Second):
		p.Kill()
		return errors.New("PostgreSQL did not end within 20 s")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cmd = nil
	return nil
}
