package host

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// All its threads do: a process' own value is that of its first thread alone.
func TestItYieldsToTheServer(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	h, l := hostOf(t, "serves", Options{})
	p := &Process{Program: self, Args: []string{"sfu"}, Env: []string{childMode + "=serves"}, Log: h.o.Log, Nice: 5, Leave: 1}
	h.o.Run = p.Run
	h.Start()
	base, err := h.Where(t.Context())
	if err != nil {
		t.Fatalf("%v\n%s", err, l.await(t, ""))
	}
	_, pid, _ := strings.Cut(strings.TrimPrefix(base, "http://"), ":") // the port is its process
	own, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		t.Fatal(err)
	}
	var had unix.CPUSet
	if err := unix.SchedGetaffinity(0, &had); err != nil {
		t.Fatal(err)
	}
	threads, err := filepath.Glob("/proc/" + pid + "/task/*")
	if err != nil || len(threads) < 2 {
		t.Fatalf("the child of %s has the threads %v, %v", base, threads, err)
	}
	for _, path := range threads {
		thread, err := strconv.Atoi(filepath.Base(path))
		if err != nil {
			t.Fatal(err)
		}
		got, err := unix.Getpriority(unix.PRIO_PROCESS, thread)
		if want := max(own-5, 1); err != nil || got != want {
			t.Errorf("a thread has %d, %v, not %d", got, err, want)
		}
		var has unix.CPUSet
		if err := unix.SchedGetaffinity(thread, &has); err != nil || has.Count() != max(had.Count()-1, 1) {
			t.Errorf("a thread has %d of %d processors, %v", has.Count(), had.Count(), err)
		}
		if attr, err := unix.SchedGetAttr(thread, 0); err != nil || attr.Runtime != uint64(slice) && attr.Runtime != 0 { // 0: before Linux 6.12
			t.Errorf("a thread has slices of %d ns, %v", attr.Runtime, err)
		}
	}
}

// The server does not yield, whatever its SFU does: neither now, nor once that has
// ended, nor when it was started again.
func TestTheServerItselfYieldsToNobody(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var had unix.CPUSet
	if err := unix.SchedGetaffinity(0, &had); err != nil {
		t.Fatal(err)
	}
	own, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		h, l := hostOf(t, "serves", Options{})
		p := &Process{Program: self, Args: []string{"sfu"}, Env: []string{childMode + "=serves"}, Log: h.o.Log, Nice: 5, Leave: 1}
		h.o.Run = p.Run
		h.Start()
		if _, err := h.Where(t.Context()); err != nil {
			t.Fatalf("%v\n%s", err, l.await(t, ""))
		}
		if err := h.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	const many = 32 // at once: more than there are threads to be used again
	var threads, all sync.WaitGroup
	all.Add(many)
	for range many {
		threads.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			all.Done()
			all.Wait()
			var has unix.CPUSet
			if err := unix.SchedGetaffinity(0, &has); err != nil || has != had {
				t.Errorf("a thread of the server has %d of %d processors, %v", has.Count(), had.Count(), err)
			}
			if got, err := unix.Getpriority(unix.PRIO_PROCESS, 0); err != nil || got != own {
				t.Errorf("a thread of the server has %d, %v, not %d", got, err, own)
			}
		})
	}
	threads.Wait()
}
