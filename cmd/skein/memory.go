package main

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// After a burst (ten thousand clients that come back at once, a large page)
// the process holds memory that nobody will ask for soon: garbage that the
// next collection would find, when there are allocations to set it off, and
// free pages that Go gives back over minutes. This gives it back once, when
// the burst is over.
const (
	calmLook = time.Second
	// calmLooks is how many looks in a row have to be calm.
	calmLooks = 3
	// calmAlloc is the bytes allocated between two looks up to which it is calm.
	calmAlloc = 2 << 20
	// worthIt is how much has to have been allocated since the last time: a
	// server that is silent collects nothing for ever.
	worthIt = 16 << 20
	// trimPause is the least time between two: a collection of all the memory
	// costs CPU.
	trimPause = 30 * time.Second
)

// calmWatch decides when a burst is over.
type calmWatch struct {
	allocated uint64 // at the last look
	trimmed   uint64 // at the last time that memory was given back
	calm      int    // looks in a row
	rest      int    // looks until the next time may be
}

// look takes the bytes allocated so far and tells whether to give memory back.
func (w *calmWatch) look(allocated uint64) (trim bool) {
	if w.calm++; allocated-w.allocated > calmAlloc {
		w.calm = 0
	}
	w.allocated = allocated
	w.rest = max(w.rest-1, 0)
	if w.calm < calmLooks || w.rest > 0 || allocated-w.trimmed < worthIt {
		return false
	}
	w.trimmed, w.rest = allocated, int(trimPause/calmLook)
	return true
}

// giveMemoryBack does so after each burst, until ctx ends.
func giveMemoryBack(ctx context.Context) {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	t := time.NewTicker(calmLook)
	defer t.Stop()
	var w calmWatch
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if metrics.Read(sample); w.look(sample[0].Value.Uint64()) {
			runtime.GC() // pools let go at the second collection
			debug.FreeOSMemory()
		}
	}
}
