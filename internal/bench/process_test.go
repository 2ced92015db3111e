package bench

import (
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"
)

func TestTheTimeOfAProcessThatHasEndedStaysWithItsParent(t *testing.T) {
	self := os.Getpid()
	before := cpuOf(self)
	// A shell that works until it has used about the second that it may, however busy
	// the machine is.
	child := exec.Command("sh", "-c", "ulimit -t 1; while :; do :; done")
	err := child.Run()
	if _, ended := errors.AsType[*exec.ExitError](err); !ended {
		t.Fatal(err)
	}
	// What it was busy for, the kernel says by its own rule of when a second is over.
	busy := child.ProcessState.UserTime() + child.ProcessState.SystemTime()
	if used := cpuOf(self) - before; busy < time.Second/2 || used < busy*9/10 {
		t.Errorf("%v counted for a child that was busy for %v", used, busy)
	}
}

func TestATreeHasAProcessAndItsChildren(t *testing.T) {
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, p := range tree(os.Getpid()) {
		found = found || p == cmd.Process.Pid
	}
	alone, all := RSS(cmd.Process.Pid), RSS(os.Getpid())
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if !found || alone == 0 || all <= alone {
		t.Errorf("found %v; %d bytes alone, %d with its parent", found, alone, all)
	}
	if tree(0) != nil || cpuOf(0) != 0 || Postmaster(os.Getpid()) != 0 {
		t.Error("there is no process 0, and this one is no PostgreSQL")
	}
}
