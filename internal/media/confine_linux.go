package media

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// confine takes from this process what a decoder does not need. Data are what
// counts of its memory: Go reserves addresses that it never uses.
func confine(memory int64) error {
	const runtime = 64 << 20 // what Go itself has, beside what is allocated
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
		if err := unix.Setrlimit(l.resource, &unix.Rlimit{Cur: l.most, Max: l.most}); err != nil {
			return fmt.Errorf("limit %s: %w", l.name, err)
		}
	}
	// Nothing that it starts could have more rights than it has.
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("give up new rights: %w", err)
	}
	return nil
}
