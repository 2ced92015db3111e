package host

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
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
	p := &Process{Program: self, Args: []string{"sfu"}, Env: []string{childMode + "=serves"}, Log: h.o.Log, Nice: 5}
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
	}
}
