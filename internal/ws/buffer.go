package ws

import "sync"

// Two sizes of buffer serve all connections. Small ones hold what was read
// and most of what is written; large ones hold the rest in passing. A message
// beyond the large size gets memory of its own, which is not kept.
const (
	smallSize = 4 << 10
	largeSize = 32 << 10
)

// The pools are caches: nothing can be told from what is in them.
var (
	smallPool = sync.Pool{New: func() any { return new([smallSize]byte) }}
	largePool = sync.Pool{New: func() any { return new([largeSize]byte) }}
)

func takeSmall() *[smallSize]byte { return smallPool.Get().(*[smallSize]byte) }

// giveBack returns the memory of a message to where it came from.
func giveBack(b []byte) {
	switch cap(b) {
	case smallSize:
		smallPool.Put((*[smallSize]byte)(b[:smallSize]))
	case largeSize:
		largePool.Put((*[largeSize]byte)(b[:largeSize]))
	}
}

// grown returns b with room for at least one byte more. What it allocates is
// bounded by what b already holds: a peer pays for memory in bytes sent.
func grown(b []byte) []byte {
	if len(b) < cap(b) {
		return b
	}
	var bigger []byte
	switch cap(b) {
	case 0:
		return takeSmall()[:0]
	case smallSize:
		bigger = largePool.Get().(*[largeSize]byte)[:0]
	default:
		bigger = make([]byte, 0, 2*cap(b))
	}
	bigger = append(bigger, b...)
	giveBack(b)
	return bigger
}
