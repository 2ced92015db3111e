package follow

import (
	"sync"

	"github.com/skein-im/skein/internal/im"
)

// entryBytes is about what an entry takes beside its bodies.
const entryBytes = 384

// window holds the newest entries of a shard, as hints brought them, for as
// long as some follower of this node still needs them. Its positions are
// contiguous: a hint that leaves a gap starts it afresh, and what lies before
// it is read from the journal.
//
// An entry in it is as it was when it was committed, which is how a follower
// that reads at that moment sees it; a later edit or recall follows as an
// entry of its own.
type window struct {
	limit int // bytes

	mu     sync.Mutex // guards the fields below
	chunks [][]im.Entry
	bytes  int
}

func size(entries []im.Entry) int {
	n := 0
	for i := range entries {
		n += entryBytes + len(entries[i].Body) + len(entries[i].Previous)
	}
	return n
}

// add takes a hint of one shard, in order of position. The entries are not
// copied.
func (w *window) add(entries []im.Entry) {
	for i := 1; i < len(entries); i++ {
		if entries[i].Pos != entries[i-1].Pos+1 {
			return // no batch of the journal looks like this
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.chunks); n > 0 {
		last := w.chunks[n-1]
		next := last[len(last)-1].Pos + 1
		for len(entries) > 0 && entries[0].Pos < next {
			entries = entries[1:] // repeated
		}
		if len(entries) > 0 && entries[0].Pos > next {
			w.chunks, w.bytes = nil, 0 // a hint was lost, or comes late
		}
	}
	if len(entries) == 0 {
		return
	}
	w.chunks = append(w.chunks, entries)
	w.bytes += size(entries)
	for w.bytes > w.limit {
		w.dropFirst()
	}
}

func (w *window) dropFirst() {
	w.bytes -= size(w.chunks[0])
	w.chunks[0] = nil
	w.chunks = w.chunks[1:]
	if len(w.chunks) == 0 {
		w.chunks = nil
	}
}

// take appends up to limit entries after a position to dst. Nothing is
// appended when the next one is not in the window.
func (w *window) take(after im.Pos, limit int, dst []im.Entry) []im.Entry {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.chunks) == 0 || w.chunks[0][0].Pos > after+1 {
		return dst
	}
	for _, c := range w.chunks {
		skip := int(after + 1 - c[0].Pos)
		if skip >= len(c) {
			continue
		}
		n := min(len(c)-skip, limit)
		dst = append(dst, c[skip:skip+n]...)
		after += im.Pos(n)
		if limit -= n; limit == 0 {
			break
		}
	}
	return dst
}

// trim forgets whole batches up to a position.
func (w *window) trim(passed im.Pos) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.chunks) > 0 && w.chunks[0][len(w.chunks[0])-1].Pos <= passed {
		w.dropFirst()
	}
}
