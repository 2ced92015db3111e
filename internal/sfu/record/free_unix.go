//go:build linux || darwin || freebsd

package record

import "syscall"

// free is how much room a folder's disk has for us, bytes.
func free(dir string) int64 {
	var st syscall.Statfs_t
	if syscall.Statfs(dir, &st) != nil {
		return 1 << 62 // not known: writing will tell
	}
	return int64(st.Bavail) * int64(st.Bsize)
}
