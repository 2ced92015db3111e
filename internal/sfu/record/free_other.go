//go:build !linux && !darwin && !freebsd

package record

// free is not known here: writing will tell.
func free(string) int64 { return 1 << 62 }
