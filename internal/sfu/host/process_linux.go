package host

import (
	"os"
	"syscall"
)

// apart gives a child a process group of its own: an interrupt from a terminal
// goes to the server, which tells the child in its turn. It dies with the thread
// that started it.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

func terminate(p *os.Process) error { return p.Signal(syscall.SIGTERM) }
