//go:build unix

package health

import "golang.org/x/sys/unix"

// Used is how much of a folder's file system is used: 0 to 1, of what a
// program without privileges may use, as df counts it.
func Used(folder string) (float64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil {
		return 0, err
	}
	used := float64(s.Blocks) - float64(s.Bfree)
	all := used + float64(s.Bavail)
	if all <= 0 {
		return 0, nil // a file system without a size
	}
	return used / all, nil
}
