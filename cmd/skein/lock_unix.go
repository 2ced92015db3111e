//go:build unix

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

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
	return "local", nil
}
