package quota

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestAMeterGrantsASecondsWorthAtOnceAndTheRateAfterIt(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	var m Meter
	for i := range 4 {
		if _, ok := m.Take(now, 4); !ok {
			t.Fatalf("token %d of a full bucket was refused", i+1)
		}
	}
	if wait, ok := m.Take(now, 4); ok || wait != 250*time.Millisecond {
		t.Fatalf("the fifth: ok %v, wait %v", ok, wait)
	}
	if _, ok := m.Take(now.Add(250*time.Millisecond-1), 4); ok {
		t.Error("granted before the wait that was told")
	}
	if _, ok := m.Take(now.Add(250*time.Millisecond), 4); !ok {
		t.Error("refused after the wait that was told")
	}
	m.Back(4)
	if _, ok := m.Take(now.Add(250*time.Millisecond), 4); !ok {
		t.Error("refused what was given back")
	}
}

func TestAMeterOfLessThanOneASecondHoldsOne(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	var m Meter
	if _, ok := m.Take(now, 0.1); !ok {
		t.Fatal("a full bucket refused")
	}
	if wait, ok := m.Take(now, 0.1); ok || wait != 10*time.Second {
		t.Fatalf("ok %v, wait %v", ok, wait)
	}
}

func TestAMeterFollowsAnotherRateAndAClockThatIsSetBack(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	var m Meter
	for range 100 {
		m.Take(now, 1)
	}
	if wait, ok := m.Take(now.Add(-time.Hour), 1); ok || wait > time.Second {
		t.Errorf("an hour back: ok %v, wait %v", ok, wait)
	}
	if _, ok := m.Take(now.Add(time.Millisecond), 1000); !ok {
		t.Error("a higher rate does not act at once")
	}
}

func TestManyAtOnceGetExactlyWhatAMeterHolds(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	var m Meter
	var got atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if _, ok := m.Take(now, 37); ok {
					got.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if got.Load() != 37 {
		t.Errorf("%d were granted, want 37", got.Load())
	}
}

// Whatever the order of calls: in any span nobody gets more than a second's
// worth and what the rate gives back in that span.
func TestAMeterNeverGrantsMoreThanItsRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.Float64Range(0.1, 500).Draw(t, "rate")
		start := time.Unix(1_700_000_000, 0)
		now, taken := start, 0
		var m Meter
		for range rapid.IntRange(1, 60).Draw(t, "calls") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(t, "pause")))
			wait, ok := m.Take(now, rate)
			if !ok {
				now = now.Add(wait)
				if _, ok = m.Take(now, rate); !ok {
					t.Fatalf("refused after the wait of %v", wait)
				}
			}
			taken++
			if most := max(rate, 1) + now.Sub(start).Seconds()*rate; float64(taken) > most+1e-3 {
				t.Fatalf("took %d where %.3f were allowed", taken, most)
			}
		}
	})
}

func BenchmarkMeter(b *testing.B) {
	now := time.Now()
	var m Meter
	for b.Loop() {
		m.Take(now, 1e6)
	}
}
