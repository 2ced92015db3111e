//go:build unix && !linux

package host

import (
	"os"
	"syscall"
)

// apart gives a child a process group of its own: an interrupt from a terminal
// goes to the server, which tells the child in its turn.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func terminate(p *os.Process) error { return p.Signal(syscall.SIGTERM) }
