//go:build race

package ws

// raceEnabled: the race detector makes pools forget at random.
const raceEnabled = true
