//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/skein-im/skein/internal/config"
)

// lockData takes the data folder for this server, when the database is in it:
// two servers on one folder would not hear each other's hints. The lock ends
// with the process, however it ends; so whoever has it knows that the server
// before is dead, and may take over its lease at once under the same name.
// With a database of its own the folder is free and the name is empty.
func (s *server) lockData(cfg *config.Config) (node string, err error) {
	if cfg.DB != "" {
		return "", nil
	}
	path := filepath.Join(cfg.Data, "serve.lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", fmt.Errorf("lock the data folder: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return "", fmt.Errorf("another server runs on the data folder %s; stop it, or give this one its own with --data", cfg.Data)
	}
	s.onClose(func(context.Context) error { return f.Close() })
	// For who wants to end this process: see lockedBy.
	if err := errors.Join(f.Truncate(0), writeAt(f, strconv.Itoa(os.Getpid()))); err != nil {
		return "", fmt.Errorf("lock the data folder: %w", err)
	}
	return "local", nil
}

func writeAt(f *os.File, text string) error {
	_, err := f.WriteAt([]byte(text), 0)
	return err
}

// lockedBy returns the id of the process that has a data folder, or 0.
func lockedBy(dir string) (pid int, err error) {
	f, err := os.Open(filepath.Join(dir, "serve.lock"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	err = unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) // let go of with the file
	if err == nil {
		return 0, nil
	}
	if !errors.Is(err, unix.EWOULDBLOCK) {
		return 0, err
	}
	text, err := io.ReadAll(io.LimitReader(f, 32))
	if err != nil {
		return 0, err
	}
	if pid, err = strconv.Atoi(string(text)); err != nil || pid <= 1 {
		return 0, fmt.Errorf("a server runs on %s, and its process is not known: stop it by hand", dir)
	}
	return pid, nil
}

// terminate asks a process to end, as an operator would.
func terminate(pid int) error { return unix.Kill(pid, unix.SIGTERM) }

// alive tells whether a process is there.
func alive(pid int) bool { return unix.Kill(pid, 0) == nil }
