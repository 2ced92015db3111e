//go:build linux && (amd64 || arm64)

package link

// setCuts lets the kernel cut large buffers, or not.
func setCuts(s *sock, on bool) { s.noGSO.Store(!on) }
