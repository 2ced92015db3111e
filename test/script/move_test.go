package script

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skein-im/skein/internal/pgtest"
)

// A store goes into a backup, comes out of it on another engine, and moves back
// to the first one; devices of both SDKs, connected and away, follow.
func TestDevicesFollowAStoreThroughBackupRestoreAndMigration(t *testing.T) {
	for sdk, open := range sdks {
		t.Run(sdk, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			data, file, key := filepath.Join(dir, "data"), filepath.Join(dir, "skein.backup"), filepath.Join(dir, "key")
			s := &Server{Host: startHost(t, 1, []string{"--data", data}), App: "move"}
			if err := s.CreateApp(); err != nil {
				t.Fatal(err)
			}
			w := &world{t: t, b: Backend{Server: s, Open: open()}, devices: map[string]*device{}, named: map[string]*named{}}
			t.Cleanup(w.close)
			w.run(t, "ann: send bob \"kept\" as m1\nbob: expect m1 \"kept\"")
			tool(t, s, "backup", "--data", data, "--out", file, "--with-key")
			w.run(t, "ann: send bob \"after the backup\" as m2\nbob: expect m2 \"after the backup\"\nbob: close")
			stop(t, s)

			postgres := []string{"--data", key, "--db", pgtest.DB(t)}
			tool(t, s, append([]string{"restore", file}, postgres...)...)
			on(t, s, postgres)
			w.run(t, `ann: send bob "a new one" as m3
ann: expect order bob "kept" "a new one"; expect no "after the backup"
bob: connect
bob: expect m3 "a new one"; expect no "after the backup"
bob: expect order ann "kept" "a new one"; expect count ann 2
bob: close`)
			stop(t, s)

			back := filepath.Join(dir, "back")
			tool(t, s, append([]string{"migrate", "--to", back}, postgres...)...)
			on(t, s, []string{"--data", back})
			w.run(t, `ann: send bob "on the first engine again" as m4
bob: connect
bob: expect m4 "on the first engine again"
bob: expect order ann "kept" "a new one" "on the first engine again"; expect count ann 3
ann: expect order bob "kept" "a new one" "on the first engine again"; expect count bob 3
bob/tablet: expect order ann "kept" "a new one" "on the first engine again"; expect count ann 3`)
		})
	}
}

// tool runs a subcommand that has to end well.
func tool(t *testing.T, s *Server, args ...string) {
	t.Helper()
	if out, err := exec.Command(s.Binary, args...).CombinedOutput(); err != nil {
		t.Fatalf("skein %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// on starts the server on another store.
func on(t *testing.T, s *Server, store []string) {
	t.Helper()
	s.Store = store
	for _, n := range s.nodes {
		n.Args = store
	}
	start(t, s)
}
