//go:build !linux

package db

import "syscall"

// linkControl does nothing where the kernel has no such option: a server that
// vanishes while something is on its way is noticed by the statement's bound.
func linkControl(string, string, syscall.RawConn) error { return nil }
