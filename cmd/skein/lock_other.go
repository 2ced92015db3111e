//go:build !unix

package main

import (
	"errors"

	"github.com/skein-im/skein/internal/config"
)

// lockData takes no lock where there is no flock(2): whoever starts two
// servers on one folder is not stopped, and a lease is waited for.
func (s *server) lockData(*config.Config) (node string, err error) { return "", nil }

// lockedBy, terminate and alive belong to the lock.
func lockedBy(string) (pid int, err error) { return 0, nil }

func terminate(int) error { return errors.ErrUnsupported }

func alive(int) bool { return false }
