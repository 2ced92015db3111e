package chaos

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// latencies counts durations in buckets of at most 3 % width. It may be
// written from any goroutine.
type latencies struct{ buckets [1024]atomic.Uint64 }

const subBits = 5 // 32 buckets for each power of two

func (h *latencies) add(d time.Duration) {
	us := uint64(max(d.Microseconds(), 0))
	var i int
	if us < 1<<subBits {
		i = int(us)
	} else {
		exp := bits.Len64(us) - subBits - 1
		i = min((exp+1)<<subBits+int(us>>exp)-1<<subBits, 1023)
	}
	h.buckets[i].Add(1)
}

// at returns the upper end of the bucket that holds a quantile, in ms, and
// starts anew.
func (h *latencies) take(q float64) (ms float64, n uint64) {
	var all [1024]uint64
	for i := range h.buckets {
		all[i] = h.buckets[i].Swap(0)
		n += all[i]
	}
	seen := uint64(0)
	for i, c := range all {
		if seen += c; n > 0 && float64(seen) >= q*float64(n) {
			if i < 1<<subBits {
				return float64(i+1) / 1000, n
			}
			exp := i>>subBits - 1
			return float64((uint64(i&(1<<subBits-1)|1<<subBits)+1)<<exp) / 1000, n
		}
	}
	return 0, n
}
