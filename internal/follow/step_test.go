package follow

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/skein-im/skein/internal/im"
)

var start = time.UnixMicro(1_700_000_000_000_000)

// world runs a machine against a shard with entries 1 … head, single-threaded.
type world struct {
	m        machine
	now      time.Time
	head     im.Pos
	poison   map[im.Pos]bool
	damaged  map[im.Pos]bool
	applied  []im.Pos
	parked   []im.Pos
	attempts int
	alone    map[im.Pos]int // attempts of one entry
	waited   time.Duration
}

func newWorld(head im.Pos) *world {
	w := &world{m: newMachine(DefaultEvery, MaxBatch, 0), now: start, head: head, poison: map[im.Pos]bool{}, damaged: map[im.Pos]bool{},
		alone: map[im.Pos]int{}}
	return w
}

// run steps until the machine waits for news.
func (w *world) run(t interface{ Fatalf(string, ...any) }, events ...event) {
	for range 100_000 {
		a := w.m.step(w.now, events...)
		switch a.kind {
		case wait:
			if a.until.IsZero() {
				return
			}
			w.waited += a.until.Sub(w.now)
			w.now, events = a.until, []event{{}}
		case attempt:
			w.attempts++
			events = []event{w.attempt(a)}
		case park:
			w.parked = append(w.parked, a.after+1)
			events = []event{{kind: parked, pos: a.after + 1}}
		}
	}
	t.Fatalf("the machine does not come to rest: %+v", w.m)
}

func (w *world) attempt(a action) event {
	end := min(a.after+im.Pos(a.limit), w.head)
	n := int(end - a.after)
	if a.limit == 1 {
		w.alone[end]++
	}
	for p := a.after + 1; p <= end; p++ {
		if w.damaged[p] {
			return event{kind: unreadable, pos: a.after + im.Pos(a.limit), n: a.limit, cause: "damaged"}
		}
	}
	for p := a.after + 1; p <= end; p++ {
		if w.poison[p] {
			return event{kind: failed, pos: end, n: n, cause: "poison"}
		}
	}
	if n == 0 {
		return event{kind: empty}
	}
	for p := a.after + 1; p <= end; p++ {
		w.applied = append(w.applied, p)
	}
	return event{kind: applied, pos: end, n: n}
}

func TestEveryGoodEntryIsAppliedOnceInOrderAndEveryBadOneIsParked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Drawn numbers are mostly small; the generator behind the seed is fair.
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		w := newWorld(im.Pos(rng.IntN(6000)))
		var wantParked []im.Pos
		for range rng.IntN(7) {
			p := im.Pos(rng.IntN(6000) + 1)
			if w.poison[p] || w.damaged[p] {
				continue
			}
			w.poison[p] = rng.IntN(2) == 0
			w.damaged[p] = !w.poison[p]
			if p <= w.head {
				wantParked = append(wantParked, p)
			}
		}
		slices.Sort(wantParked)
		w.run(t, event{kind: granted, epoch: 1})
		if !slices.Equal(w.parked, wantParked) {
			t.Fatalf("parked %v, bad are %v", w.parked, wantParked)
		}
		next := im.Pos(1)
		for _, p := range w.applied {
			for w.poison[next] || w.damaged[next] {
				next++
			}
			if p != next {
				t.Fatalf("applied %d where %d was due", p, next)
			}
			next++
		}
		if len(w.applied)+len(w.parked) != int(w.head) {
			t.Fatalf("%d applied and %d parked of %d", len(w.applied), len(w.parked), w.head)
		}
		// A bad entry costs the halving of at most 2,000, the halves on the way,
		// its tries, and the batches before and after it.
		if most := 4 + int(w.head)/MaxBatch + len(w.parked)*(2*11+Tries+2); w.attempts > most {
			t.Fatalf("%d attempts for %d bad entries of %d, at most %d", w.attempts, len(w.parked), w.head, most)
		}
	})
}

func TestAPoisonEntryHoldsItsFollowerUpForASecondAtMost(t *testing.T) {
	w := newWorld(3000)
	w.poison[1234] = true
	w.run(t, event{kind: granted, epoch: 1})
	if w.alone[1234] != Tries {
		t.Errorf("it was tried %d times by itself, not %d", w.alone[1234], Tries)
	}
	if w.waited == 0 || w.waited > time.Second {
		t.Errorf("waited %v", w.waited)
	}
	if w.m.limit != MaxBatch {
		t.Errorf("batches of %d afterwards", w.m.limit)
	}
}

func TestABatchThatFailsOnceForAnotherReasonIsNobodysFault(t *testing.T) {
	w := newWorld(100)
	w.poison[50] = true
	if a := w.m.step(w.now, event{kind: granted, epoch: 1}); a.kind != attempt {
		t.Fatal(a)
	}
	a := w.m.step(w.now, event{kind: failed, pos: 100, n: 100, cause: "conflict"})
	delete(w.poison, 50)
	w.run(t, w.attempt(a))
	if len(w.parked) != 0 || len(w.applied) != 100 || w.m.limit != MaxBatch {
		t.Errorf("parked %v, applied %d, limit %d", w.parked, len(w.applied), w.m.limit)
	}
}

func TestUnderLoadAttemptsKeepTheirPace(t *testing.T) {
	w := newWorld(0)
	w.run(t, event{kind: granted, epoch: 1})
	w.attempts = 0
	for range 1000 { // ten seconds with a hint each 10 ms
		w.head += 25
		a := w.m.step(w.now, event{kind: look})
		for a.kind == attempt {
			w.attempts++
			a = w.m.step(w.now, w.attempt(a))
		}
		w.now = w.now.Add(10 * time.Millisecond)
	}
	if w.attempts < 95 || w.attempts > 105 {
		t.Errorf("%d attempts in 10 s, one each %v was due", w.attempts, DefaultEvery)
	}
	w.now = w.now.Add(time.Minute)
	w.head++
	if a := w.m.step(w.now, event{kind: look}); a.kind != attempt {
		t.Errorf("after a pause an entry waits: %+v", a)
	}
}

func TestTheMachineStandsStillWithoutALease(t *testing.T) {
	m := newMachine(DefaultEvery, MaxBatch, 0)
	for _, e := range []event{{}, {kind: look}, {kind: empty}} {
		if a := m.step(start, e); a.kind != wait || !a.until.IsZero() {
			t.Errorf("after %v: %+v", e, a)
		}
	}
	m.step(start, event{kind: granted, epoch: 7, pos: 41})
	m.step(start, event{kind: revoked})
	if a := m.step(start, event{kind: look}); a.kind != wait {
		t.Errorf("after the loss: %+v", a)
	}
}

func TestARenewedLeaseChangesNothingAndANewEpochStartsFromItsCursor(t *testing.T) {
	m := newMachine(DefaultEvery, MaxBatch, 0)
	m.step(start, event{kind: granted, epoch: 1, pos: 10})
	m.step(start, event{kind: applied, pos: 20, n: 10})
	m.step(start, event{kind: granted, epoch: 1, pos: 10}) // read before the cursor moved
	if m.pos != 20 {
		t.Errorf("the cursor went back to %d", m.pos)
	}
	// The result of the old epoch arrives with the grant of the new one, which
	// was reset to 0: the result must not win.
	m.step(start, event{kind: applied, pos: 30, n: 10}, event{kind: granted, epoch: 2, pos: 0})
	if m.pos != 0 || m.epoch != 2 {
		t.Errorf("at %d in epoch %d", m.pos, m.epoch)
	}
}

func TestADatabaseOutOfOrderIsWaitedForLongerAndLonger(t *testing.T) {
	m := newMachine(DefaultEvery, MaxBatch, 0)
	m.step(start, event{kind: granted, epoch: 1})
	now, last := start, time.Duration(0)
	for i := range 10 {
		a := m.step(now, event{kind: hindered})
		d := a.until.Sub(now)
		if a.kind != wait || d < last || d > 10*time.Second {
			t.Fatalf("try %d: %+v after %v", i, a, d)
		}
		last, now = d, a.until
		if a = m.step(now, event{}); a.kind != attempt {
			t.Fatalf("try %d: %+v", i, a)
		}
	}
	if last != 10*time.Second || m.tries != 0 {
		t.Errorf("last wait %v, %d tries held against an entry", last, m.tries)
	}
}

func TestAWindowHoldsWhatIsContiguousWhateverHintsDo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &window{limit: rapid.IntRange(entryBytes, 100*entryBytes).Draw(t, "limit")}
		for i := range rapid.IntRange(1, 30).Draw(t, "hints") {
			from := im.Pos(rapid.IntRange(1, 60).Draw(t, fmt.Sprint("from", i)))
			entries := make([]im.Entry, rapid.IntRange(1, 8).Draw(t, fmt.Sprint("n", i)))
			for k := range entries {
				entries[k].Pos = from + im.Pos(k)
			}
			w.add(entries)
			if passed := rapid.IntRange(0, 80).Draw(t, fmt.Sprint("passed", i)); passed < 20 {
				w.trim(im.Pos(passed))
			}
			if w.bytes > w.limit || w.bytes < 0 {
				t.Fatalf("%d bytes of %d", w.bytes, w.limit)
			}
			after, limit := im.Pos(rapid.IntRange(0, 70).Draw(t, fmt.Sprint("after", i))), rapid.IntRange(1, 20).Draw(t, fmt.Sprint("limit", i))
			got := w.take(after, limit, nil)
			if len(got) > limit {
				t.Fatalf("%d of %d", len(got), limit)
			}
			for k, e := range got {
				if e.Pos != after+im.Pos(k)+1 {
					t.Fatalf("after %d: position %d at %d", after, e.Pos, k)
				}
			}
		}
	})
}

func TestAFollowerThatYieldsRestsWhileNewsComesAndNotWhenItCatchesUp(t *testing.T) {
	m := newMachine(time.Millisecond, 10, 80*time.Millisecond)
	m.step(start, event{kind: granted, epoch: 1})
	now := start.Add(time.Millisecond)
	if a := m.step(now, event{kind: applied, pos: 10, n: 10}); a.kind != wait || a.until.Sub(now) != 5*time.Millisecond {
		t.Errorf("a backlog on a quiet server: %+v", a)
	}
	now = now.Add(5 * time.Millisecond)
	if a := m.step(now, event{}); a.kind != attempt || a.limit != 10 {
		t.Errorf("after a moment: %+v", a)
	}
	if a := m.step(now, event{kind: applied, pos: 20, n: 10}, event{kind: look}); a.kind != wait || a.until.Sub(now) != 80*time.Millisecond {
		t.Errorf("a full batch while news comes: %+v", a)
	}
	now = now.Add(80 * time.Millisecond)
	if a := m.step(now, event{kind: look}); a.kind != attempt {
		t.Errorf("after the rest: %+v", a)
	}
	if a := m.step(now, event{kind: applied, pos: 25, n: 5}, event{kind: look}); a.until.Sub(now) > time.Millisecond {
		t.Errorf("a small batch waits: %+v", a)
	}
}
