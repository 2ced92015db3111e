package main

import "testing"

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
