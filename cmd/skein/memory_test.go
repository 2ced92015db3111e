package main

import (
	"slices"
	"testing"
)

func TestMemoryIsGivenBackOnceABurstIsOverAndNotAgainForAWhile(t *testing.T) {
	var w calmWatch
	total := uint64(0)
	looks := func(n int, each uint64) (trims int) {
		for range n {
			total += each
			if w.look(total) {
				trims++
			}
		}
		return trims
	}
	if n := looks(10, 100<<20); n != 0 {
		t.Fatalf("%d times during the burst", n)
	}
	if n := looks(2, 1<<10); n != 0 {
		t.Fatal("at the first silent moment")
	}
	if n := looks(20, 1<<10); n != 1 {
		t.Fatalf("%d times in the calm after it", n)
	}
	looks(2, 100<<20)
	if n := looks(5, 1<<10); n != 0 {
		t.Fatal("again within half a minute")
	}
	if n := looks(60, 1<<10); n != 1 {
		t.Fatalf("%d times in the minute after the second burst", n)
	}
	if n := looks(1000, 1<<10); n != 0 {
		t.Fatalf("%d times while nothing happened", n)
	}
}

func TestGarbageOfASmallHeapGathersAndThatOfALargeOneDoublesIt(t *testing.T) {
	p := pacer{percent: 100, connections: 1000}
	for _, c := range []struct {
		live    uint64
		percent int // 0 = not changed
	}{{1 << 20, 1600}, {4 << 20, 0}, {16 << 20, 400}, {17 << 20, 0}, {19 << 20, 336}, {80 << 20, 100}, {900 << 20, 0}, {32 << 20, 200}} {
		if got, ok := p.look(c.live, 1000); got != c.percent || ok != (c.percent > 0) {
			t.Errorf("%d MiB alive: %d, want %d", c.live>>20, got, c.percent)
		}
	}
	own := pacer{percent: 100, own: true}
	if got, ok := own.look(1<<20, 0); ok {
		t.Errorf("an operator's own setting becomes %d", got)
	}
}

func TestLittleGarbageGathersWhileClientsComeBack(t *testing.T) {
	p := pacer{percent: 100}
	var got []int
	for _, connections := range []int{0, 10, 1000, 2000, 2010, 2020, 2030, 2040} {
		p.look(16<<20, connections)
		got = append(got, p.percent)
	}
	if want := []int{400, 400, 100, 100, 100, 400, 400, 400}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
