package chaos

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// freeze stops processes, and returns when none of their threads is at work
// any more, in the kernel neither.
//
// It goes before every cut of a disk: a machine without power does nothing.
// Without it an fsync that is under way while ext4 is shut down may return
// success although its data is gone: seen in 2 to 3 of 60 cuts with a program
// that does nothing but write and fsync, and one acknowledgement too many in
// the proofs. The kernel finds the transaction neither running nor committing,
// and takes it for committed.
func freeze(ctx context.Context, pids ...int) error {
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			return fmt.Errorf("freeze %d: %w", pid, err)
		}
	}
	still := func() bool {
		for _, pid := range pids {
			if !frozen(pid) {
				return false
			}
		}
		return true
	}
	if !until(ctx, 20*time.Second, still) {
		return fmt.Errorf("processes %v do not stand still", pids)
	}
	return nil
}

// thaw lets them go on.
func thaw(pids ...int) {
	for _, pid := range pids {
		syscall.Kill(pid, syscall.SIGCONT)
	}
}

// frozen tells whether every thread of a process is stopped (proc(5)).
func frozen(pid int) bool {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		return false
	}
	for _, t := range tasks {
		raw, err := os.ReadFile(t)
		if err != nil {
			continue // it has ended
		}
		s := string(raw)
		f := strings.Fields(s[strings.LastIndexByte(s, ')')+1:])
		if len(f) == 0 || f[0] != "T" && f[0] != "Z" && f[0] != "X" {
			return false
		}
	}
	return true
}

// processes are all that runs on a cluster's data, the parents first.
func (c *Cluster) processes() (pids []int) {
	if c.Postgres != nil {
		pids = c.Postgres.processes()
	}
	for _, n := range c.Nodes {
		if pid := n.PID(); pid != 0 {
			select {
			case <-n.Exited():
			default:
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// processes are the postmaster and its children.
func (p *Postgres) processes() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return nil
	}
	pid := p.cmd.Process.Pid
	syscall.Kill(pid, syscall.SIGSTOP) // it makes no more children while they are counted
	return append([]int{pid}, children(pid)...)
}
