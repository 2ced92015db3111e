//go:build unix

package host

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// yield makes a child of its own group nicer than this process, with all threads
// that it has by now; those that it starts later are as their makers.
func yield(p *os.Process, more int) error {
	if more == 0 {
		return nil
	}
	own, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		return err
	}
	if runtime.GOOS == "linux" {
		own = 20 - own // the system call answers 40 to 1
	}
	return unix.Setpriority(unix.PRIO_PGRP, p.Pid, min(own+more, 19))
}
