package gateway

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/im"
)

// fakeLog is a journal of a few shards, and what a run of lanes has done.
type fakeLog struct {
	t     *testing.T
	m     *lanes
	now   time.Time
	heads []im.Pos                // of the journal
	here  map[int]map[im.Pos]bool // positions that are for somebody here
	got   map[int][]im.Pos        // delivered
	fail  func() bool             // a read or an audience that fails
	fetch int
	until time.Time
}

func newFakeLog(t *testing.T, shards int) *fakeLog {
	return &fakeLog{t: t, m: newLanes(make([]im.Pos, shards)), now: time.Unix(1000, 0), heads: make([]im.Pos, shards), here: map[int]map[im.Pos]bool{},
		got: map[int][]im.Pos{}, fail: func() bool { return false }}
}

func (l *fakeLog) entries(shard int, from, to im.Pos) []im.Entry {
	var out []im.Entry
	for p := from; p <= to; p++ {
		out = append(out, im.Entry{Shard: shard, Pos: p})
	}
	return out
}

// drive answers the lanes as fanout does.
func (l *fakeLog) drive(ev any) {
	for n := 0; ; n++ {
		if n > 100_000 {
			l.t.Fatal("the lanes never wait")
		}
		a := l.m.step(ev, l.now)
		switch {
		case a.deliver != nil:
			ok := !l.fail()
			if ok {
				if list := l.got[a.deliver.Shard]; len(list) > 0 && list[len(list)-1] >= a.deliver.Pos {
					l.t.Fatalf("shard %d: %d after %v", a.deliver.Shard, a.deliver.Pos, list[len(list)-1])
				}
				l.got[a.deliver.Shard] = append(l.got[a.deliver.Shard], a.deliver.Pos)
			}
			ev = laneDelivered{a.deliver, ok}
		case a.fetch:
			l.fetch++
			r := laneRead{shard: a.shard, after: a.after, failed: l.fail()}
			if !r.failed {
				to := min(l.heads[a.shard], a.after+10)
				r.entries = l.entries(a.shard, a.after+1, to)
				r.more = len(r.entries) == 10
			}
			ev = r
		default:
			l.until = a.until
			return
		}
	}
}

func (l *fakeLog) expect(shard int, want ...im.Pos) {
	l.t.Helper()
	got := l.got[shard]
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			l.t.Fatalf("shard %d got %v, want %v", shard, got, want)
		}
	}
}

func TestALaterHintThatIsFirstWaitsForTheEarlierOne(t *testing.T) {
	l := newFakeLog(t, 1)
	l.heads[0] = 3
	l.drive(laneHint{entries: l.entries(0, 2, 3)})
	l.expect(0)
	if l.until.Sub(l.now) != holdTime {
		t.Errorf("waits until %v", l.until.Sub(l.now))
	}
	l.now = l.now.Add(holdTime / 2)
	l.drive(laneHint{entries: l.entries(0, 1, 1)})
	l.expect(0, 1, 2, 3)
	if l.fetch != 0 {
		t.Errorf("%d reads", l.fetch)
	}
}

func TestAGapThatStaysIsRead(t *testing.T) {
	l := newFakeLog(t, 1)
	l.heads[0] = 3
	l.drive(laneHint{entries: l.entries(0, 2, 3)})
	l.now = l.until
	l.drive(laneTick{})
	l.expect(0, 1, 2, 3)
	if l.fetch != 1 {
		t.Errorf("%d reads", l.fetch)
	}
}

func TestASkipThatCanBeBelievedPassesAndOneThatCanNotIsRead(t *testing.T) {
	l := newFakeLog(t, 1)
	l.heads[0] = 9
	l.drive(laneHint{skips: []bus.Skip{{From: 1, To: 3}}, entries: l.entries(0, 4, 4)})
	l.expect(0, 4)
	l.drive(laneHint{skips: []bus.Skip{{From: 5, To: 6, Why: bus.MustRead}}})
	l.expect(0, 4, 5, 6, 7, 8, 9)
	if l.fetch != 1 {
		t.Errorf("%d reads", l.fetch)
	}
}

func TestWhatComesApartIsWaitedForAndThenRead(t *testing.T) {
	l := newFakeLog(t, 1)
	l.heads[0] = 2
	l.drive(laneHint{skips: []bus.Skip{{From: 1, To: 1, Why: bus.ComesApart}}})
	l.drive(laneHint{entries: l.entries(0, 1, 1)})
	l.expect(0, 1)
	l.drive(laneHint{skips: []bus.Skip{{From: 2, To: 2, Why: bus.ComesApart}}})
	l.expect(0, 1)
	l.now = l.until
	l.drive(laneTick{})
	l.expect(0, 1, 2)
}

func TestAnEntryBeatsASkipOfTheSamePosition(t *testing.T) {
	l := newFakeLog(t, 1)
	l.heads[0] = 2
	l.drive(laneHint{skips: []bus.Skip{{From: 2, To: 2}}})
	l.drive(laneHint{entries: l.entries(0, 2, 2)})
	l.drive(laneHint{entries: l.entries(0, 1, 1)})
	l.expect(0, 1, 2)
}

func TestAPollFindsWhatNoHintToldOf(t *testing.T) {
	l := newFakeLog(t, 2)
	l.heads[1] = 25
	l.drive(laneHeads{l.heads})
	l.now = l.until
	l.drive(laneTick{})
	if len(l.got[1]) != 25 {
		t.Errorf("got %v", l.got[1])
	}
}

func TestAnEntryWithoutAnAudienceHoldsUpItsShardForTenSecondsAndNoOther(t *testing.T) {
	l := newFakeLog(t, 2)
	l.heads[0], l.heads[1] = 2, 1
	bad := true
	l.fail = func() bool { return bad }
	l.drive(laneHint{entries: l.entries(0, 1, 2)})
	bad = false
	l.drive(laneHint{entries: l.entries(1, 1, 1)})
	l.expect(1, 1)
	began := l.now
	for len(l.got[0]) == 0 {
		if l.now.Sub(began) > maxStuck+time.Second {
			t.Fatal("it is tried for ever")
		}
		bad = true
		l.now = l.until
		if l.now.Sub(began) >= maxStuck {
			// The next failure gives it up; what follows is delivered.
			tries := 0
			l.fail = func() bool { tries++; return tries == 1 }
		}
		l.drive(laneTick{})
	}
	l.expect(0, 2)
}

func TestTooMuchThatCameEarlyIsReadInstead(t *testing.T) {
	l := newFakeLog(t, 1)
	for p := im.Pos(2); p <= 2*maxHeld+4; p += 2 {
		l.heads[0] = p
		l.drive(laneHint{entries: l.entries(0, p, p)})
		if n := len(l.m.all[0].held); n > maxHeld {
			t.Fatalf("%d segments are held", n)
		}
	}
	if len(l.got[0]) == 0 {
		t.Error("nothing was read")
	}
}

func TestDamagedRowsArePassedAndNothingThatIsNotThere(t *testing.T) {
	l := newFakeLog(t, 1)
	l.m.step(laneHeads{[]im.Pos{3}}, l.now)
	a := l.m.step(laneTick{}, l.now.Add(holdTime))
	if !a.fetch {
		t.Fatalf("%+v", a)
	}
	l.m.step(laneRead{shard: 0, after: 0, upTo: 50, more: true}, l.now)
	if head := l.m.all[0].head; head != 3 {
		t.Errorf("three rows are damaged, and the head is %d", head)
	}
}

// Whatever hints are lost, repeated or late: every entry for somebody here is
// delivered, once, in order, and a position is passed without delivery only
// when nobody here should get it.
func TestLanesDeliverEverythingOnceAndInOrderWhateverTheBusDoes(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		l := newFakeLog(t, 3)
		l.fail = func() bool { return rng.IntN(20) == 0 }
		var late []laneHint
		for range 200 {
			shard := rng.IntN(3)
			n := im.Pos(1 + rng.IntN(4))
			from := l.heads[shard] + 1
			l.heads[shard] += n
			var h laneHint
			for p := from; p < from+n; p++ {
				if l.here[shard] == nil {
					l.here[shard] = map[im.Pos]bool{}
				}
				mine := rng.IntN(2) == 0
				l.here[shard][p] = mine
				switch why := bus.Reason(rng.IntN(3)); {
				case mine && rng.IntN(4) > 0:
					h.entries = append(h.entries, im.Entry{Shard: shard, Pos: p})
				case mine && why == bus.NobodyHere:
					h.skips = append(h.skips, bus.Skip{Shard: shard, From: p, To: p, Why: bus.MustRead})
				default:
					h.skips = append(h.skips, bus.Skip{Shard: shard, From: p, To: p, Why: why})
				}
			}
			l.now = l.now.Add(time.Duration(rng.IntN(15)) * time.Millisecond)
			switch rng.IntN(5) {
			case 0: // lost
			case 1:
				late = append(late, h)
			case 2:
				l.drive(h)
				l.drive(h)
			default:
				l.drive(h)
			}
			if len(late) > 0 && rng.IntN(3) == 0 {
				l.drive(late[0])
				late = late[1:]
			}
			if rng.IntN(10) == 0 {
				l.drive(laneTick{})
			}
		}
		for range 200 { // polls, until all is there
			l.now = l.now.Add(stuckPause)
			l.drive(laneHeads{l.heads})
		}
		for shard, here := range l.here {
			got := map[im.Pos]bool{}
			for _, p := range l.got[shard] {
				got[p] = true
			}
			for p, mine := range here {
				if mine && !got[p] {
					t.Fatalf("seed %d, shard %d: %d was not delivered", seed, shard, p)
				}
			}
			if l.m.all[shard].head != l.heads[shard] {
				t.Fatalf("seed %d, shard %d: at %d of %d", seed, shard, l.m.all[shard].head, l.heads[shard])
			}
		}
	}
}

func BenchmarkLanes(b *testing.B) {
	m := newLanes(make([]im.Pos, 64))
	now := time.Unix(1000, 0)
	pos := im.Pos(0)
	entries := make([]im.Entry, 100)
	b.ReportAllocs()
	for b.Loop() {
		for i := range entries {
			pos++
			entries[i] = im.Entry{Shard: 3, Pos: pos}
		}
		a := m.step(laneHint{entries: entries}, now)
		for a.deliver != nil {
			a = m.step(laneDelivered{a.deliver, true}, now)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/entry")
}
