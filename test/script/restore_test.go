package script

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// A backup of a data folder is a copy of files, which PostgreSQL has its own
// tools for; so this is a test beside the scripts and runs over SQLite.
func TestDevicesFollowAServerThatCameOutOfABackup(t *testing.T) {
	for sdk, open := range sdks {
		t.Run(sdk, func(t *testing.T) {
			t.Parallel()
			data := filepath.Join(t.TempDir(), "data")
			s := &Server{Host: startHost(t, 1, []string{"--data", data}), App: "restore"}
			if err := s.CreateApp(); err != nil {
				t.Fatal(err)
			}
			w := &world{t: t, b: Backend{Server: s, Open: open()}, devices: map[string]*device{}, named: map[string]*named{}}
			t.Cleanup(w.close)
			w.run(t, "ann: send bob \"kept\" as m1\nbob: expect m1 \"kept\"")
			stop(t, s)
			if out, err := exec.Command("cp", "-a", data, data+".backup").CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			start(t, s)
			w.run(t, "ann: send bob \"after the backup\" as m2\nbob: expect m2 \"after the backup\"\nbob: close")
			stop(t, s)
			if err := errors.Join(os.RemoveAll(data), os.Rename(data+".backup", data)); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(s.Binary, "restored", "--data", data).CombinedOutput(); err != nil {
				t.Fatalf("skein restored: %v: %s", err, out)
			}
			start(t, s)
			w.run(t, `cid: send bob "from a third" as c1
ann: send bob "a new one" as m3
ann: expect order bob "kept" "a new one"; expect no "after the backup"
bob: connect
bob: expect m3 "a new one"; expect no "after the backup"
bob: expect order ann "kept" "a new one"; expect count ann 2; expect "from a third" in cid
ann: expect order bob "kept" "a new one"; expect count bob 2
bob/tablet: expect order ann "kept" "a new one"; expect count ann 2`)
		})
	}
}

// run runs lines of a script in a world that goes on.
func (w *world) run(t *testing.T, src string) {
	t.Helper()
	_, lines, err := parse("# a part\n" + src)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		for _, s := range l.steps {
			if err := w.step(l.actor, s); err != nil {
				t.Fatalf("%s: %s\n%v", l.actor, s.text, err)
			}
		}
	}
}

func stop(t *testing.T, s *Server) {
	t.Helper()
	if err := s.Stop(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}

func start(t *testing.T, s *Server) {
	t.Helper()
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
}
