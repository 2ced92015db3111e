package move_test

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/fsck"
	"github.com/skein-im/skein/internal/pgtest"
)

// maxPause is what a move may cost its clients.
const maxPause = 5 * time.Second

// migrated is a server that skein migrate has become.
type migrated struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer
	lines  []string // of its output, up to the one that says where it listens
}

// migrate runs skein migrate until it serves.
func (f *fleet) migrate(args ...string) *migrated {
	f.Helper()
	m := &migrated{cmd: exec.Command(binary, append([]string{"migrate"}, args...)...)}
	m.cmd.Stderr, m.cmd.Env = &m.stderr, append(os.Environ(), "SKEIN_SFU=off")
	out, err := m.cmd.StdoutPipe()
	f.must(err)
	f.must(m.cmd.Start())
	f.Cleanup(func() {
		_ = m.cmd.Process.Signal(syscall.SIGTERM)
		_ = m.cmd.Wait()
		if f.Failed() {
			f.Logf("skein migrate said:\n%s", tail(m.stderr.String()))
		}
	})
	r := bufio.NewReader(out)
	for {
		l, err := r.ReadString('\n')
		if err != nil {
			f.Fatalf("skein migrate ended: %v\n%s\n%s", err, strings.Join(m.lines, ""), tail(m.stderr.String()))
		}
		if m.lines = append(m.lines, l); strings.HasPrefix(l, "listening") {
			break
		}
	}
	go func() { _, _ = io.Copy(io.Discard, r) }() // ends with the process
	return m
}

func TestMigrationUnderLoadLosesNothingAndPausesForAMoment(t *testing.T) {
	data, target := filepath.Join(t.TempDir(), "data"), pgtest.DB(t)
	preload(t, data, runSize().stored)
	f := newFleet(t, data)
	f.must(f.createApp())
	f.must(f.s.start())
	t.Cleanup(func() { _ = f.s.node.Stop(syscall.SIGKILL) })
	f.start()
	stop := f.load()
	clock := time.NewTimer(f.size.before)
	<-clock.C
	for _, d := range f.away {
		f.must(d.client.Close())
	}
	begin := time.Now()
	m := f.migrate(append([]string{"--data", data, "--to", target, "--then-serve", "--", "--listen", f.s.node.Addr()}, options()...)...)
	took, at := time.Since(begin), f.count()
	f.s.store = append(f.s.store, "--db", target)
	clock.Reset(f.size.before) // the clients come back and go on
	<-clock.C
	stop()
	all, each := f.pauses()
	t.Logf("migration %v; %s%d messages acknowledged, %d of them after it; nobody got an ack for %v; the longest of a client: median %v, worst %v",
		took.Round(time.Millisecond), strings.Join(m.lines, ""), f.count(), f.count()-at, all.Round(time.Millisecond),
		each[len(each)/2].Round(time.Millisecond), each[len(each)-1].Round(time.Millisecond))
	if all > maxPause {
		t.Errorf("nobody got an ack for %v", all)
	}
	f.nothingLost()

	// The old one does not serve by mistake, and what it has is what was moved.
	if out, err := exec.Command(binary, "serve", "--data", data, "--listen", "127.0.0.1:0").CombinedOutput(); err == nil || !bytes.Contains(out, []byte("has moved to")) {
		t.Errorf("the old store is served: %v %s", err, out)
	}
	f.sound(target, f.count()+f.size.stored+f.size.offline)
}

// nothingLost compares all devices, those that were away included, with fresh
// ones: everything acknowledged is there once.
func (f *fleet) nothingLost() {
	f.Helper()
	for i, old := range f.away {
		d := f.open(old.user, "tablet", old.store)
		d.peer = d.client.With(old.peer.Peer())
		d.enqueue(f, "written while it was away") // the outbox of a device that is offline
		f.must(d.client.Connect(f.Context()))
		f.settled(d)
		for id, seq := range old.acked {
			d.acked[id] = seq
		}
		f.away[i] = d
	}
	everybody := append(append([]*device(nil), f.devices...), f.away...)
	there := f.converged(everybody...)
	lost := 0
	for _, d := range everybody {
		for id, seq := range d.acked {
			if there[id].Seq != seq {
				lost++
			}
		}
	}
	if lost > 0 {
		f.Errorf("%d acknowledged messages are not where they were acknowledged", lost)
	}
}

// sound runs fsck and counts what is there.
func (f *fleet) sound(target string, atLeast int) {
	f.Helper()
	d, err := db.Open(f.Context(), target, db.Options{})
	f.must(err)
	defer d.Close()
	r, err := fsck.Check(f.Context(), d)
	f.must(err)
	if !r.Sound() || r.Messages < int64(atLeast) {
		f.Errorf("%d messages, at least %d expected; findings %v", r.Messages, atLeast, r.Findings)
	}
}
