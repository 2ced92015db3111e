package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a PostgreSQL server on a folder that stays: one that a program
// which is no test keeps for its user. Unlike the server behind DB it waits
// for the disk before it answers.
type Server struct {
	cmd    *exec.Cmd
	socket string
	ended  chan struct{} // closed when the process is gone
}

// durable are the settings of such a server. It listens on a Unix socket in a
// folder that only its owner may enter, and so asks for no password.
const durable = `
listen_addresses = ''
max_connections = 300
shared_buffers = 128MB
max_wal_size = 2GB
logging_collector = off
`

// Serve starts a server on dir, which it makes when it is missing, and makes
// the database skein there. A server that an earlier, killed program has left
// on dir is stopped first. What it writes goes to the file log in dir.
func Serve(ctx context.Context, dir string) (*Server, error) {
	programs, err := bin()
	if err != nil {
		return nil, err
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	// The path of a Unix socket has 107 bytes at most; dir may have more.
	s := &Server{ended: make(chan struct{})}
	if s.socket, err = os.MkdirTemp("", "skein-pg-"); err != nil {
		return nil, err
	}
	as, err := owner()
	if err != nil {
		return nil, err
	}
	if as != nil {
		for _, d := range []string{dir, s.socket} {
			if err := os.Chown(d, int(as.Uid), int(as.Gid)); err != nil {
				return nil, err
			}
		}
	}
	if err := s.start(ctx, programs, dir, as); err != nil {
		_ = os.RemoveAll(s.socket)
		return nil, err
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, programs, dir string, as *syscall.Credential) error {
	data := filepath.Join(dir, "data")
	command := func(name string, args ...string) *exec.Cmd {
		c := exec.Command(filepath.Join(programs, name), args...)
		c.Dir = dir
		c.SysProcAttr = &syscall.SysProcAttr{Credential: as, Setsid: true}
		return c
	}
	if _, err := os.Stat(filepath.Join(data, "PG_VERSION")); err != nil {
		if out, err := command("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8").CombinedOutput(); err != nil {
			if as != nil && errors.Is(err, fs.ErrPermission) {
				return fmt.Errorf("PostgreSQL runs as the user %d, who may not enter %s or a folder above it: choose another", as.Uid, dir)
			}
			return fmt.Errorf("initdb: %w: %s", err, out)
		}
		if err := os.WriteFile(filepath.Join(data, "postgresql.auto.conf"), []byte(durable), 0o600); err != nil {
			return err
		}
	} else if _, err := os.Stat(filepath.Join(data, "postmaster.pid")); err == nil {
		// It fails when there is only the file left; then there is nothing to stop.
		_ = command("pg_ctl", "-D", data, "-m", "fast", "-w", "stop").Run()
	}
	log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	s.cmd = command("postgres", "-D", data, "-k", s.socket)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return err
	}
	go func() { // ends with the process
		_ = s.cmd.Wait()
		close(s.ended)
	}()
	if err := s.prepare(ctx); err != nil {
		_ = s.Stop()
		text, _ := os.ReadFile(log.Name())
		return fmt.Errorf("%w\n%s", err, text[max(0, len(text)-2000):])
	}
	return nil
}

// prepare waits for the server and makes the database.
func (s *Server) prepare(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := pgx.Connect(ctx, address(s.socket, "postgres"))
		if err == nil {
			_, err = c.Exec(ctx, "CREATE DATABASE skein")
			_ = c.Close(ctx)
			if err != nil && !strings.Contains(err.Error(), "already exists") {
				return err
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL does not answer: %w", err)
		case <-s.ended:
			return fmt.Errorf("PostgreSQL has ended")
		case <-tick.C:
		}
	}
}

// URL is the address of the database skein.
func (s *Server) URL() string {
	q := url.Values{"host": {s.socket}, "user": {"postgres"}, "sslmode": {"disable"}}
	return (&url.URL{Scheme: "postgres", Path: "/skein", RawQuery: q.Encode()}).String()
}

// Pid is the server's process.
func (s *Server) Pid() int { return s.cmd.Process.Pid }

// Ended is closed when the server has ended.
func (s *Server) Ended() <-chan struct{} { return s.ended }

// Stop ends the server after the transactions that run have been broken off,
// and returns when it is gone.
func (s *Server) Stop() error {
	err := s.cmd.Process.Signal(syscall.SIGINT)
	<-s.ended
	_ = os.RemoveAll(s.socket)
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}
