//go:build race

package gateway

// idleStack is what the stack of an idle session may take, in bytes. The race
// detector makes every frame larger.
const idleStack = 16 << 10
