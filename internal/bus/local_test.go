package bus_test

import (
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/bus/bustest"
	"github.com/skein-im/skein/internal/im"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// local returns one bus in the place of n nodes: what nodes in one process share.
func local(t *testing.T, n int) []bus.Bus {
	l := bus.NewLocal()
	t.Cleanup(l.Close)
	out := make([]bus.Bus, n)
	for i := range out {
		out[i] = l
	}
	return out
}

func TestLocalKeepsTheContract(t *testing.T) { bustest.Run(t, local) }

func TestALossyBusStillKeepsTheContract(t *testing.T) {
	bustest.Run(t, func(t *testing.T, n int) []bus.Bus {
		out := local(t, n)
		for i := range out {
			out[i] = bustest.Lossy(out[i], bustest.Faults{Seed: uint64(i) + 1, Drop: 0.3, Repeat: 0.3, Swap: 0.3})
		}
		return out
	})
}

// direct calls its one listener at once, so that a test sees exactly what a
// wrapper makes of a sequence.
type direct struct{ fn func(bus.Event) }

func (d *direct) Ring(entries []im.Entry) { d.fn(bus.Event{Entries: entries}) }
func (d *direct) Signal(s bus.Signal)     { d.fn(bus.Event{Signal: s}) }
func (d *direct) Listen(_ bus.Topics, fn func(bus.Event)) func() {
	d.fn = fn
	return func() {}
}

func TestALossyBusDropsRepeatsAndReordersAndASeedSaysHow(t *testing.T) {
	run := func(seed uint64) (heard []im.Pos) {
		d := &direct{}
		b := bustest.Lossy(d, bustest.Faults{Seed: seed, Drop: 0.2, Repeat: 0.2, Swap: 0.2})
		b.Listen(bus.Entries, func(e bus.Event) { heard = append(heard, e.Entries[0].Pos) })
		for p := im.Pos(1); p <= 200; p++ {
			b.Ring(bustest.Batch(p, 1))
		}
		return heard
	}
	a := run(1)
	if !slices.Equal(a, run(1)) {
		t.Error("the same seed gave another sequence")
	}
	if slices.Equal(a, run(2)) {
		t.Error("another seed gave the same sequence")
	}
	seen := make(map[im.Pos]int)
	for _, p := range a {
		seen[p]++
	}
	repeated := 0
	for _, n := range seen {
		if n > 1 {
			repeated++
		}
	}
	if dropped := 200 - len(seen); dropped < 20 || repeated < 20 || slices.IsSorted(a) {
		t.Errorf("of 200: %d dropped, %d repeated, sorted: %v", dropped, repeated, slices.IsSorted(a))
	}
}

func TestABatchIsHandedOnWithoutACopy(t *testing.T) {
	l := bus.NewLocal()
	defer l.Close()
	batch := bustest.Batch(1, 5)
	var wg sync.WaitGroup
	wg.Add(2)
	for range 2 {
		l.Listen(bus.Entries, func(e bus.Event) {
			defer wg.Done()
			if &e.Entries[0] != &batch[0] {
				t.Error("the listener got a copy")
			}
		})
	}
	l.Ring(batch)
	wg.Wait()
}

func TestAListenerThatKeepsUpHearsEverythingInOrder(t *testing.T) {
	l := bus.NewLocal()
	defer l.Close()
	const batches = 20_000
	var mu sync.Mutex // guards heard
	heard := im.Pos(0)
	room := make(chan struct{}, bus.MaxQueuedEvents/2) // the ringer waits before the queue can be full
	done := make(chan struct{})
	l.Listen(bus.Entries, func(e bus.Event) {
		<-room
		mu.Lock()
		defer mu.Unlock()
		if e.Lost || e.Entries[0].Pos != heard+1 {
			t.Errorf("after %d: %+v", heard, e)
		}
		if heard++; heard == batches {
			close(done)
		}
	})
	for p := im.Pos(1); p <= batches; p++ {
		room <- struct{}{}
		l.Ring(bustest.Batch(p, 1))
	}
	<-done
}

func TestLargeBatchesFillAQueueByTheirBytes(t *testing.T) {
	l := bus.NewLocal()
	defer l.Close()
	thaw, lost := make(chan struct{}), make(chan int, 1)
	heard := 0
	l.Listen(bus.Entries, func(e bus.Event) {
		<-thaw
		if e.Lost {
			lost <- heard
			return
		}
		heard++
	})
	batch := bustest.Batch(1, 1)
	batch[0].Body = make([]byte, bus.MaxQueuedBytes/4)
	for range 20 {
		l.Ring(batch)
	}
	close(thaw)
	if n := <-lost; n > 5 {
		t.Errorf("%d batches of a quarter of the bound were kept", n)
	}
}

func TestAClosedBusTakesHintsAndListenersAndDoesNothing(t *testing.T) {
	l := bus.NewLocal()
	off := l.Listen(bus.Everything, func(bus.Event) { t.Error("called") })
	l.Close()
	l.Ring(bustest.Batch(1, 1))
	l.Signal(bus.FenceRaised{Pos: 1})
	off()
	l.Listen(bus.Everything, func(bus.Event) { t.Error("called") })()
	l.Close()
}

// BenchmarkRing shows what an entry costs the committer in batches of 100
// with three listeners, as a server has them.
func BenchmarkRing(b *testing.B) {
	l := bus.NewLocal()
	defer l.Close()
	var mu sync.Mutex // guards sum
	sum := im.Pos(0)
	for range 3 {
		l.Listen(bus.Entries, func(e bus.Event) {
			mu.Lock()
			for i := range e.Entries {
				sum += e.Entries[i].Pos
			}
			mu.Unlock()
		})
	}
	batch := bustest.Batch(1, 100)
	b.ReportAllocs()
	for b.Loop() {
		l.Ring(batch)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/entry")
}
