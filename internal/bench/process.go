package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Everything here reads /proc (Linux; proc(5)) and is 0 where there is none.

// tick is the unit of the times in /proc: 1/100 s on every Linux that Go runs on.
const tick = time.Second / 100

// CPU returns the user and system time that the server and its database have
// used so far, and the database's part of it. What runs on another machine,
// or under another kernel's process numbers, is not counted.
func (t *Target) CPU() (all, database time.Duration) {
	database = cpuOf(t.Database)
	return cpuOf(t.PID) + database, database
}

// TreeCPU is CPU's first result.
func (t *Target) TreeCPU() time.Duration {
	all, _ := t.CPU()
	return all
}

// RSS returns the resident memory of the server's processes in bytes, without
// its database's.
func (t *Target) RSS() int64 { return RSS(t.PID) }

// Postmaster returns the process above all of a PostgreSQL server, of which
// backend is one (pg_backend_pid); 0 when it does not run on this machine.
func Postmaster(backend int) int {
	f := stat(backend)
	if f == nil || f.name != "postgres" {
		return 0
	}
	if up := stat(f.parent); up == nil || up.name != "postgres" && up.name != "postmaster" {
		return 0
	}
	return f.parent
}

// process is what /proc tells of one.
type process struct {
	name   string
	parent int
	// cpu is its own time and that of the children that have ended: with the
	// living ones' own, a whole tree's.
	cpu time.Duration
}

func stat(pid int) *process {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	s := string(raw)
	from, to := strings.IndexByte(s, '('), strings.LastIndexByte(s, ')')
	if from < 0 || to < from {
		return nil
	}
	f := strings.Fields(s[to+1:])
	if len(f) < 15 {
		return nil
	}
	p := &process{name: s[from+1 : to]}
	p.parent, _ = strconv.Atoi(f[1])
	for _, v := range f[11:15] { // utime, stime, cutime, cstime
		n, _ := strconv.Atoi(v)
		p.cpu += time.Duration(n) * tick
	}
	return p
}

// cpuOf returns what a process, its children and theirs have used, those that
// have ended included.
func cpuOf(pid int) (total time.Duration) {
	for _, p := range tree(pid) {
		if f := stat(p); f != nil {
			total += f.cpu
		}
	}
	return total
}

// tree returns a process and everything below it; nothing for 0.
func tree(pid int) []int {
	if pid == 0 {
		return nil
	}
	all := []int{pid}
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return nil
	}
	for _, t := range threads { // a child belongs to the thread that made it
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, t.Name()))
		if err != nil {
			continue
		}
		for _, s := range strings.Fields(string(raw)) {
			if p, err := strconv.Atoi(s); err == nil {
				all = append(all, tree(p)...)
			}
		}
	}
	return all
}

// ChildSFU returns the process below a server that is its SFU; 0 while there is
// none.
func ChildSFU(server int) int {
	for _, pid := range tree(server) {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if args := strings.Split(string(raw), "\x00"); err == nil && len(args) > 1 && args[1] == "sfu" {
			return pid
		}
	}
	return 0
}

// Run is how long the threads of a process have run, to the nanosecond.
func Run(pid int) time.Duration { return runTime(pid) }

// RSS returns the resident memory of a process and its children in bytes.
func RSS(pid int) (total int64) {
	for _, p := range tree(pid) {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p))
		if f := strings.Fields(string(raw)); err == nil && len(f) > 1 {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			total += n * int64(os.Getpagesize())
		}
	}
	return total
}

// cpuSelf returns what this process has used.
func cpuSelf() time.Duration {
	f := stat(os.Getpid())
	if f == nil {
		return 0
	}
	return f.cpu
}
