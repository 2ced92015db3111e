package cluster

import "syscall"

// ownGroup keeps the terminal's Ctrl-C from a node, so that the program that
// started it decides on the order; and ends the node with that program.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
