//go:build !linux || !(amd64 || arm64)

package link

// setCuts has nothing to set: every packet is sent by itself.
func setCuts(*sock, bool) {}
