package move_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/pgtest"
)

// tool runs a subcommand that has to end well.
func (f *fleet) tool(args ...string) string {
	f.Helper()
	cmd := exec.Command(binary, args...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		f.Fatalf("skein %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// ids are what a device has had acknowledged until now.
func (f *fleet) ackedNow() map[string]uint64 {
	out := map[string]uint64{}
	for _, d := range append(append([]*device(nil), f.devices...), f.away...) {
		d.mu.Lock()
		for id, seq := range d.acked {
			out[id] = seq
		}
		d.mu.Unlock()
	}
	return out
}

// A backup is made while all send; they go on; then the server comes back out
// of the backup. What was acknowledged before the backup began is there for
// all, what came later is gone from all alike, what was not sent yet is sent.
func TestDevicesConvergeOnABackupThatWasTakenUnderLoad(t *testing.T) {
	for engine, into := range map[string]func(data string) []string{
		"SQLite":     func(data string) []string { return []string{"--data", data} },
		"PostgreSQL": func(data string) []string { return []string{"--data", data, "--db", pgtest.DB(t)} },
	} {
		t.Run(engine, func(t *testing.T) {
			data := filepath.Join(t.TempDir(), "data")
			preload(t, data, runSize().stored)
			f := newFleet(t, data)
			f.must(f.createApp())
			f.must(f.s.start())
			t.Cleanup(func() { _ = f.s.node.Stop(syscall.SIGKILL) })
			f.start()
			stop := f.load()
			clock := time.NewTimer(f.size.before)
			<-clock.C
			before := f.ackedNow()
			file := filepath.Join(t.TempDir(), "skein.backup")
			begin := time.Now()
			f.tool("backup", "--data", data, "--out", file, "--with-key")
			took := time.Since(begin)
			clock.Reset(f.size.before)
			<-clock.C
			stop()
			after := f.ackedNow()
			for _, d := range f.away { // they have seen what is about to be lost
				f.must(d.client.Close())
			}
			f.must(f.s.node.Stop(syscall.SIGTERM))
			for _, d := range f.devices { // the outbox of a device without a server
				d.enqueue(f, "written while there was no server")
			}

			fresh := into(filepath.Join(t.TempDir(), "restored"))
			begin = time.Now()
			said := f.tool(append([]string{"restore", file}, fresh...)...)
			restoring := time.Since(begin)
			f.s.store = fresh
			f.must(f.s.start())
			f.settled(f.devices...)
			there := f.back()

			lost, kept := 0, 0
			for id, seq := range before {
				if there[id].Seq != seq {
					lost++
				}
			}
			gone := 0
			for id, seq := range after {
				if _, early := before[id]; early {
					continue
				}
				if l, ok := there[id]; !ok {
					gone++
				} else if kept++; l.Seq != seq {
					t.Errorf("message %s was acknowledged as %d and is %d", id, seq, l.Seq)
				}
			}
			t.Logf("backup %v, restore %v: %d acknowledged before it, %d of them lost; of %d acknowledged during or after it %d are in it and %d gone",
				took.Round(time.Millisecond), restoring.Round(time.Millisecond), len(before), lost, kept+gone, kept, gone)
			if lost > 0 || gone == 0 {
				t.Errorf("%d of what the backup must have is lost, %d of what it cannot have is gone; %s", lost, gone, said)
			}
			target := fresh[len(fresh)-1]
			f.sound(target, len(before)+f.size.stored)
			if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("others may read the backup: %v %v", info, err)
			}
		})
	}
}

// back brings the devices that were away back and compares all with fresh ones.
func (f *fleet) back() map[string]line {
	f.Helper()
	for i, old := range f.away {
		d := f.open(old.user, "tablet", old.store)
		d.peer = d.client.With(old.peer.Peer())
		d.enqueue(f, "written while it was away")
		f.must(d.client.Connect(f.Context()))
		f.settled(d)
		f.away[i] = d
	}
	return f.converged(append(append([]*device(nil), f.devices...), f.away...)...)
}
