package sim

import (
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	seeds = flag.Int("seeds", 200, "how many worlds to run")
	first = flag.Uint64("first", 1, "the first seed")
	until = flag.Bool("until", false, "stop at the first seed that breaks a promise")
	one   = flag.Uint64("seed", 0, "run this seed alone and show its trace")
)

// memoryDir is a folder for the followers' databases, on a disk that is none.
func memoryDir(t testing.TB) string {
	if dir, err := os.MkdirTemp("/dev/shm", "skein-sim-"); err == nil {
		t.Cleanup(func() { os.RemoveAll(dir) })
		return dir
	}
	return t.TempDir()
}

func TestWorldsKeepEveryPromiseWhateverTheSeed(t *testing.T) {
	dir := memoryDir(t)
	if *one != 0 {
		o, err := runSeed(*one, filepath.Join(dir, "one"), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		t.Log("\n" + strings.Join(o.lines, "\n"))
		t.Logf("seed %d: trace %016x, %v of virtual time, %d turns, %d entries", o.seed, o.hash, o.virtual, o.turns, o.entries)
		if o.bad != "" {
			t.Error(o.bad)
		}
		return
	}
	began := time.Now()
	var mu sync.Mutex
	var wg sync.WaitGroup
	var all []outcome
	next := *first
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				mu.Lock()
				seed := next
				next++
				mu.Unlock()
				if seed >= *first+uint64(*seeds) {
					return
				}
				o, err := runSeed(seed, filepath.Join(dir, "w"+itoa(seed)), 0)
				mu.Lock()
				if err != nil {
					t.Error(err)
				}
				o.lines = nil
				all = append(all, o)
				if *until && o.bad != "" {
					next = *first + uint64(*seeds) // the others end what they have begun
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	sort.Slice(all, func(i, k int) bool { return all[i].seed < all[k].seed })
	summary(t, all, time.Since(began))
}

// A seed is worth something only if it repeats: on whatever processor, beside
// whatever else runs, to the last byte.
func TestASeedRepeatsTenTimesOutOfTen(t *testing.T) {
	dir := memoryDir(t)
	for seed := *first; seed < *first+3; seed++ {
		hashes := make([]uint64, 10)
		var wg sync.WaitGroup
		for i := range hashes {
			wg.Go(func() {
				o, err := runSeed(seed, filepath.Join(dir, itoa(seed)+"-"+itoa(uint64(i))), 0)
				if err != nil {
					t.Error(err)
				}
				hashes[i] = o.hash
			})
		}
		wg.Wait()
		for i, h := range hashes {
			if h != hashes[0] {
				t.Errorf("seed %d: run %d has trace %016x, run 0 has %016x", seed, i, h, hashes[0])
			}
		}
		t.Logf("seed %d: 10 of 10 runs have trace %016x", seed, hashes[0])
	}
}

func itoa(n uint64) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}

// summary tells what was run, and fails on what was broken.
func summary(t *testing.T, all []outcome, took time.Duration) {
	var virtual time.Duration
	turns, entries, bad := 0, 0, 0
	acted := map[string]int{}
	broke := map[string]int{}
	for _, o := range all {
		virtual += o.virtual
		turns += o.turns
		entries += o.entries
		for k, n := range o.acted {
			acted[k] += n
		}
		if o.bad != "" {
			t.Logf("seed %d: %s (restored %d times)", o.seed, o.what, o.acted["restore"])
			if broke[o.what]++; *until && bad == 0 {
				t.Logf("found by seed %d, among %d seeds: %s", o.seed, len(all), o.what)
			}
			if bad++; bad <= 3 {
				t.Error(o.bad)
			}
		}
	}
	t.Logf("%d seeds in %v: %v of virtual time (%.0f x), %d turns, %d entries committed", len(all), took.Round(time.Millisecond),
		virtual.Round(time.Second), virtual.Seconds()/took.Seconds(), turns, entries)
	for _, k := range sortedKeys(acted) {
		t.Logf("  %-16s %d", k, acted[k])
		if acted[k] == 0 {
			t.Errorf("%s never happened", k)
		}
	}
	if bad > 0 {
		t.Errorf("%d of %d seeds broke a promise: %v", bad, len(all), broke)
	}
}
