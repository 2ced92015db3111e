//go:build !unix

package bench

import "errors"

// Nice is how much a process yields to others; not known here.
func Nice(int) (int, error) { return 0, errors.ErrUnsupported }

// SetNice is not possible here.
func SetNice(int, int) error { return errors.ErrUnsupported }
