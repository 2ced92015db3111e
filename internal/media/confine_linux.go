package media

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// confine takes from this process what a decoder does not need, and tells whether
// the kernel bounds its memory from now on: in some sandboxes nobody may set
// limits. Data are what counts of its memory: Go reserves addresses that it never
// uses.
func confine(memory int64) (bounded bool, err error) {
	const runtime = 96 << 20 // what Go itself has, and the stacks of threads, beside what is allocated
	// When a machine has no memory left this is what ends, and not the server.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)
	for _, l := range []struct {
		name     string
		resource int
		most     uint64
	}{
		{"memory", unix.RLIMIT_DATA, uint64(memory) + runtime},
		{"files", unix.RLIMIT_NOFILE, 16},
		{"the size of files", unix.RLIMIT_FSIZE, 0},
		{"core dumps", unix.RLIMIT_CORE, 0},
	} {
		err := unix.Setrlimit(l.resource, &unix.Rlimit{Cur: l.most, Max: l.most})
		if errors.Is(err, unix.EPERM) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("limit %s: %w", l.name, err)
		}
	}
	// Nothing that it starts could have more rights than it has.
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil && !errors.Is(err, unix.EPERM) {
		return false, fmt.Errorf("give up new rights: %w", err)
	}
	return true, nil
}
