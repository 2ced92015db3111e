//go:build !linux

package cluster

import "syscall"

// ownGroup keeps the terminal's Ctrl-C from a node, so that the program that
// started it decides on the order.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
