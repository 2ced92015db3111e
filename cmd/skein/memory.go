package main

import (
	"context"
	"os"
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

// A collection slows everybody down for as long as it takes to go through what
// is alive. Go begins one when the heap has doubled, and the heap of a node with
// some thousand sessions is so small that a moderate load doubles it every
// second: one message in a hundred then meets a collection. So this much may be
// allocated between two, at least.
const gather = 64 << 20

// gatherFrom bounds what the percentage is made of from below.
const gatherFrom = 4 << 20

// influx is how many more connections than a second ago, and than a fiftieth of
// those, are clients that come back at once. What they leave stays among garbage,
// on pages that nobody can give back, so that little of it may gather then and
// for some looks after.
const (
	influx      = 20
	influxLooks = 2
)

// pacer changes GOGC with the heap. An operator's own GOGC stays.
type pacer struct {
	percent     int // in force
	own         bool
	connections int // at the last look
	coming      int // looks until an influx is over
}

// look takes what was alive after the newest collection, and how many
// connections there are; ok when GOGC is to be changed, which stops everything
// for a moment and so is not done for little.
func (p *pacer) look(live uint64, connections int) (percent int, ok bool) {
	p.coming = max(p.coming-1, 0)
	if connections > p.connections+p.connections/50+influx {
		p.coming = influxLooks
	}
	p.connections = connections
	if percent = 100; p.coming == 0 {
		percent = int(max(100, gather*100/max(live, gatherFrom)))
	}
	if p.own || percent*8 > p.percent*7 && percent*8 < p.percent*9 {
		return 0, false
	}
	p.percent = percent
	return percent, true
}

// tendMemory gives memory back after each burst and lets garbage gather, until
// ctx ends.
func tendMemory(ctx context.Context, connections func() int) {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}}
	t := time.NewTicker(calmLook)
	defer t.Stop()
	var w calmWatch
	p := pacer{percent: 100, own: os.Getenv("GOGC") != ""}
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
		if percent, ok := p.look(sample[1].Value.Uint64(), connections()); ok {
			debug.SetGCPercent(percent)
		}
	}
}
