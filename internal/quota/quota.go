// Package quota counts what somebody may do per second: token buckets by app,
// user or address.
//
// A bucket holds up to Burst tokens and gets Rate of them back each second; an
// action takes one, a heavy one several. A key that was never seen has a full
// bucket, so only the keys that were busy a moment ago need memory, and a full
// set forgets the key that was quiet for longest: the one whose bucket is
// most likely full again anyway. What a key can gain by being forgotten is one
// burst, and only after as many other keys were busier than it.
//
// Buckets live in one process. With several nodes a user gets the rate on each
// node that it is connected to; these limits keep a server up, they do not
// bill anybody.
package quota

import (
	"math"
	"net/netip"
	"sync"
	"time"

	"github.com/skein-im/skein/internal/im"
)

// Limit is a rate and how much of it may be used at once.
type Limit struct {
	// Rate is how many tokens come back each second. 0 or less = no limit.
	Rate float64
	// Burst is how many tokens a bucket holds; at least 1.
	Burst int
	// Refused is called for each refusal; nil = nobody is told.
	Refused func()
}

// Set is the buckets of one limit, by key. It is safe for concurrent use.
type Set[K comparable] struct {
	limit Limit
	max   int
	clock im.Clock

	mu      sync.Mutex // guards the rest
	buckets map[K]*bucket[K]
	// head of a ring: next is the key used last, prev the one used first.
	head bucket[K]
}

// bucket is one key's; next and prev order the buckets by use.
type bucket[K comparable] struct {
	key        K
	tokens     float64
	at         time.Time // when tokens was right
	next, prev *bucket[K]
}

// New makes a set that remembers at most that many keys (at least 1).
func New[K comparable](limit Limit, keys int, clock im.Clock) *Set[K] {
	limit.Burst = max(limit.Burst, 1)
	s := &Set[K]{limit: limit, max: max(keys, 1), clock: clock, buckets: map[K]*bucket[K]{}}
	s.head.next, s.head.prev = &s.head, &s.head
	return s
}

// Take takes cost tokens from the key's bucket. When there are too few it
// takes none and returns how long it takes until there are enough. A cost over
// the burst counts as the burst, so that it can succeed at all; a cost of 0 or
// less is free.
func (s *Set[K]) Take(key K, cost int) (wait time.Duration, ok bool) {
	if s.limit.Rate <= 0 || cost <= 0 {
		return 0, true
	}
	now := s.clock.Now()
	need := math.Min(float64(cost), float64(s.limit.Burst))
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.use(key, now)
	// A clock that was set back gives nothing and takes nothing.
	if d := now.Sub(b.at); d > 0 {
		b.tokens = math.Min(float64(s.limit.Burst), b.tokens+d.Seconds()*s.limit.Rate)
	}
	b.at = now
	if b.tokens+1e-9 < need {
		if s.limit.Refused != nil {
			s.limit.Refused()
		}
		return time.Duration(math.Ceil((need - b.tokens) / s.limit.Rate * float64(time.Second))), false
	}
	b.tokens -= need
	return 0, true
}

// Allow is Take for callers that answer with an error: nil, or RateLimited
// with RetryAfter set. what names the limit for the developer who passes it.
func (s *Set[K]) Allow(key K, cost int, what string) error {
	wait, ok := s.Take(key, cost)
	if ok {
		return nil
	}
	e := im.Errorf(im.RateLimited, "too many %s: the limit is %g a second, %d at once", what, s.limit.Rate, s.limit.Burst)
	e.Hint = "wait as long as the answer says; see docs/reference/limits.md"
	e.RetryAfter = wait
	return e
}

// Len returns how many keys are remembered.
func (s *Set[K]) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.buckets)
}

// use finds or makes the key's bucket and puts it first.
func (s *Set[K]) use(key K, now time.Time) *bucket[K] {
	b := s.buckets[key]
	switch {
	case b != nil:
		b.prev.next, b.next.prev = b.next, b.prev
	case len(s.buckets) >= s.max:
		// The oldest one's memory is taken over.
		b = s.head.prev
		b.prev.next, b.next.prev = b.next, b.prev
		delete(s.buckets, b.key)
		*b = bucket[K]{key: key, tokens: float64(s.limit.Burst), at: now}
		s.buckets[key] = b
	default:
		b = &bucket[K]{key: key, tokens: float64(s.limit.Burst), at: now}
		s.buckets[key] = b
	}
	b.next, b.prev = s.head.next, &s.head
	b.next.prev, s.head.next = b, b
	return b
}

// Address returns what an address is counted by: an IPv4 address itself, and
// the /64 of an IPv6 one, because one customer has a whole /64 to choose from.
func Address(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := a.BitLen()
	if bits == 128 {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // the zero address: all of them share a bucket
	}
	return p
}
