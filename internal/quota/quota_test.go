package quota

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/skein-im/skein/internal/im"
)

// clock is a clock that a test moves.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func newClock() *clock { return &clock{now: time.Unix(1_700_000_000, 0)} }

func TestBurstIsGrantedAtOnceAndTheRateAfterIt(t *testing.T) {
	c := newClock()
	s := New[string](Limit{Rate: 2, Burst: 3}, 10, c)
	for i := range 3 {
		if _, ok := s.Take("ann", 1); !ok {
			t.Fatalf("take %d of the burst was refused", i+1)
		}
	}
	wait, ok := s.Take("ann", 1)
	if ok || wait != 500*time.Millisecond {
		t.Fatalf("the fourth: ok %v, wait %v; want a wait of 500ms", ok, wait)
	}
	if _, ok := s.Take("bob", 1); !ok {
		t.Fatal("another key was refused")
	}
	c.now = c.now.Add(wait - time.Millisecond)
	if _, ok := s.Take("ann", 1); ok {
		t.Fatal("granted a millisecond before the wait that was told")
	}
	c.now = c.now.Add(time.Millisecond)
	if _, ok := s.Take("ann", 1); !ok {
		t.Fatal("refused after the wait that was told")
	}
}

func TestACostOverTheBurstTakesTheWholeBucketAndSucceeds(t *testing.T) {
	c := newClock()
	s := New[int](Limit{Rate: 1, Burst: 5}, 10, c)
	if _, ok := s.Take(1, 100); !ok {
		t.Fatal("refused with a full bucket")
	}
	if wait, ok := s.Take(1, 100); ok || wait != 5*time.Second {
		t.Fatalf("ok %v, wait %v; want 5s", ok, wait)
	}
}

func TestNoRateMeansNoLimit(t *testing.T) {
	s := New[int](Limit{Burst: 1}, 10, newClock())
	for range 100 {
		if _, ok := s.Take(1, 1); !ok {
			t.Fatal("refused without a rate")
		}
	}
	if s.Len() != 0 {
		t.Fatal("remembers keys that it does not count")
	}
}

func TestAClockSetBackNeitherGrantsNorLocks(t *testing.T) {
	c := newClock()
	s := New[int](Limit{Rate: 1, Burst: 1}, 10, c)
	s.Take(1, 1)
	c.now = c.now.Add(-time.Hour)
	if _, ok := s.Take(1, 1); ok {
		t.Fatal("granted because the clock was set back")
	}
	c.now = c.now.Add(time.Second)
	if _, ok := s.Take(1, 1); !ok {
		t.Fatal("locked until the old time comes again")
	}
}

func TestMemoryIsBoundedAndTheQuietestKeyIsForgotten(t *testing.T) {
	c := newClock()
	s := New[int](Limit{Rate: 0.001, Burst: 1}, 3, c)
	for _, k := range []int{1, 2, 3, 1, 4} { // 2 is the quietest when 4 comes
		s.Take(k, 1)
	}
	if s.Len() != 3 {
		t.Fatalf("remembers %d keys, want 3", s.Len())
	}
	for _, k := range []int{1, 3, 4} {
		if _, ok := s.Take(k, 1); ok {
			t.Errorf("key %d was forgotten though it was busy", k)
		}
	}
	if _, ok := s.Take(2, 1); !ok {
		t.Error("key 2 was not the one forgotten")
	}
}

func TestAllowTellsTheLimitAndTheWait(t *testing.T) {
	s := New[int](Limit{Rate: 4, Burst: 1}, 3, newClock())
	if err := s.Allow(1, 1, "messages"); err != nil {
		t.Fatal(err)
	}
	var e *im.Error
	if err := s.Allow(1, 1, "messages"); !errors.As(err, &e) || e.Code != im.RateLimited ||
		e.RetryAfter != 250*time.Millisecond || e.Message != "too many messages: the limit is 4 a second, 1 at once" {
		t.Fatalf("got %+v", e)
	}
}

func TestAddressesOfOneIPv6CustomerShareABucket(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"2001:db8::1", "2001:db8::ffff:1", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"fe80::1%eth0", "fe80::1%eth1", true},
	} {
		if got := Address(netip.MustParseAddr(c.a)) == Address(netip.MustParseAddr(c.b)); got != c.same {
			t.Errorf("%s and %s: same %v, want %v", c.a, c.b, got, c.same)
		}
	}
	if Address(netip.Addr{}) != (netip.Prefix{}) {
		t.Error("the zero address has a bucket of its own")
	}
}

// Whatever the order of calls: in any span a key gets at most the burst and
// what the rate gives back in that span, and never waits longer than told.
func TestNoKeyGetsMoreThanBurstAndRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newClock()
		limit := Limit{Rate: rapid.Float64Range(0.1, 50).Draw(t, "rate"), Burst: rapid.IntRange(1, 20).Draw(t, "burst")}
		s := New[int](limit, 100, c)
		start, taken := c.now, 0
		for range rapid.IntRange(1, 60).Draw(t, "calls") {
			c.now = c.now.Add(time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(t, "pause")))
			cost := rapid.IntRange(1, limit.Burst).Draw(t, "cost")
			wait, ok := s.Take(7, cost)
			if !ok {
				c.now = c.now.Add(wait)
				if _, ok = s.Take(7, cost); !ok {
					t.Fatalf("refused after the wait of %v", wait)
				}
			}
			taken += cost
			if most := float64(limit.Burst) + c.now.Sub(start).Seconds()*limit.Rate; float64(taken) > most+1e-3 {
				t.Fatalf("took %d where %.3f were allowed", taken, most)
			}
		}
	})
}

func BenchmarkTake(b *testing.B) {
	s := New[string](Limit{Rate: 1e9, Burst: 1 << 30}, 1000, im.SystemClock{})
	for b.Loop() {
		s.Take("ann", 1)
	}
}
