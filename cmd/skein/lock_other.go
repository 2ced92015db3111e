//go:build !unix

package main

import "github.com/skein-im/skein/internal/config"

// lockData takes no lock where there is no flock(2): whoever starts two
// servers on one folder is not stopped, and a lease is waited for.
func (s *server) lockData(*config.Config) (node string, err error) { return "", nil }
