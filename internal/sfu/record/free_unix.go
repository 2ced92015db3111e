//go:build linux || darwin || freebsd

package record

import (
	"os"
	"syscall"
)

// lock takes a file for this process, as long as it is open. It does not wait.
// The kernel gives it back when the process dies.
func lock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

// free is how much room a folder's disk has for us, bytes.
func free(dir string) int64 {
	var st syscall.Statfs_t
	if syscall.Statfs(dir, &st) != nil {
		return 1 << 62 // not known: writing will tell
	}
	return int64(st.Bavail) * int64(st.Bsize)
}
