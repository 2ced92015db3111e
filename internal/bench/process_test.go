package bench

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

func TestTheTimeOfAProcessThatHasEndedStaysWithItsParent(t *testing.T) {
	self := os.Getpid()
	before := cpuOf(self)
	// A shell that burns a quarter of a second and ends.
	cmd := exec.Command("sh", "-c", `end=$(($(date +%s%N)+250000000)); while [ $(date +%s%N) -lt $end ]; do :; done`)
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if used := cpuOf(self) - before; used < 50*time.Millisecond {
		t.Errorf("%v counted for a child that was busy for 250 ms", used)
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
