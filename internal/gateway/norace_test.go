//go:build !race

package gateway

// idleStack is what the stack of an idle session may take, in bytes: the 2 KiB
// that a goroutine begins with, and some room for those of others. Once it has
// grown it has at least 4.
const idleStack = 3600
