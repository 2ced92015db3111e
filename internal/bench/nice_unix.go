//go:build unix

package bench

import "golang.org/x/sys/unix"

// Nice is how much a process yields to others, -20 to 19.
func Nice(pid int) (int, error) {
	n, err := unix.Getpriority(unix.PRIO_PROCESS, pid)
	return 20 - n, err // the system call answers 40 to 1
}

// SetNice sets that of all threads of a process that is the first of its group.
// Less than it has needs root.
func SetNice(pid, nice int) error { return unix.Setpriority(unix.PRIO_PGRP, pid, nice) }
