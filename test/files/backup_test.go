package files

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/skein-im/skein/internal/pgtest"
	"github.com/skein-im/skein/test/chaos"
)

// sent is a message with a file.
type sent struct {
	file, seq string
	sum       [32]byte
}

// sendOne uploads a file of some size and sends it to bob.
func (w *world) sendOne(i int) sent {
	w.t.Helper()
	body := randomBytes(1000 + i*37%90_000)
	if i%20 == 7 {
		body = randomBytes(9 << 20) // more than is put at once
	}
	file := w.upload("ann", fmt.Sprintf("file-%d.bin", i), "application/octet-stream", body)
	seq, code := w.send("ann", "@3:ann:bob", file, len(body))
	if code != "" {
		w.t.Fatalf("send: %s", code)
	}
	return sent{file, seq, sha256.Sum256(body)}
}

// again starts a server on a store that was filled by others.
func (w *world) again(env []string, store ...string) *world {
	w.t.Helper()
	node, err := chaos.NewNode(chaos.NodeOptions{Bin: bin, Store: store, Env: env, Log: filepath.Join(w.t.TempDir(), "log")})
	must(w.t, err)
	must(w.t, node.Start(w.t.Context()))
	w.t.Cleanup(func() { node.Kill() })
	return &world{w.t, node, w.app, ""}
}

// holds tells how many of the messages there are, and that each of them has its
// file.
func (w *world) holds(all []sent) (n int) {
	w.t.Helper()
	key := w.key("bob")
	for _, s := range all {
		a := w.do("", "GET", link(s.file, "@3:ann:bob", s.seq, key), nil)
		if a.StatusCode == http.StatusNotFound {
			continue // came after the backup
		}
		if n++; a.StatusCode != http.StatusOK || sha256.Sum256([]byte(a.body)) != s.sum {
			w.t.Errorf("message %s: %s, %d bytes", s.seq, a.Status, len(a.body))
		}
	}
	return n
}

func TestABackupThatIsMadeUnderUploadsHasEveryFileOfItsMessages(t *testing.T) {
	key := []string{"SKEIN_BLOBS_KEY=" + strings.Repeat("5a", 32)}
	for name, of := range map[string]struct {
		env  []string
		into func(t *testing.T, data string) []string
	}{
		"SQLite":                     {nil, func(_ *testing.T, data string) []string { return []string{"--data", data} }},
		"into PostgreSQL, encrypted": {key, func(t *testing.T, data string) []string { return []string{"--data", data, "--db", pgtest.DB(t)} }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorldWith(t, of.env, "--limits-call-rate", "100000", "--limits-call-burst", "100000")
			var all []sent
			for i := range 20 {
				all = append(all, w.sendOne(i))
			}
			before := len(all)
			ctx, stop := context.WithCancel(t.Context())
			var load sync.WaitGroup
			load.Go(func() {
				for i := before; ctx.Err() == nil; i++ {
					all = append(all, w.sendOne(i))
				}
			})
			dir := t.TempDir()
			file, files := filepath.Join(dir, "skein.backup"), filepath.Join(dir, "files")
			out, err := w.tool(of.env, "backup", "--out", file, "--files", files, "--with-key")
			stop()
			load.Wait()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			w.node.Kill()
			data := filepath.Join(dir, "data")
			store := of.into(t, data)
			restored := &world{t: t, app: w.app, data: data}
			database := store[2:]
			if out, err := restored.tool(of.env, append([]string{"restore", file, "--files", files}, database...)...); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if out, err := restored.tool(of.env, append([]string{"fsck", "--deep"}, database...)...); err != nil || !strings.Contains(out, " 0 findings") || strings.Contains(out, "not looked at") || strings.Contains(out, " 0 objects") {
				t.Errorf("%v\n%s", err, out)
			}
			if n := w.again(of.env, store...).holds(all); n < before {
				t.Errorf("%d messages are there, and %d had been sent before the backup", n, before)
			} else {
				t.Logf("%d messages of %d, of which %d were sent before it", n, len(all), before)
			}
			// A second backup copies what is new alone.
			if out, err := restored.tool(of.env, append([]string{"backup", "--out", file, "--files", files}, database...)...); err != nil || !strings.Contains(out, "0 objects of files (0 bytes) were copied") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func TestAMigrationIntoAnotherFolderTakesTheFilesAlong(t *testing.T) {
	dir := t.TempDir()
	old, to := []string{"--data", filepath.Join(dir, "old"), "--db", pgtest.DB(t)}, filepath.Join(dir, "new")
	w := &world{t: t, data: old[1]}
	var err error
	w.node, err = chaos.NewNode(chaos.NodeOptions{Bin: bin, Store: old, Log: filepath.Join(dir, "log")})
	must(t, err)
	w.app, err = chaos.CreateApp(t.Context(), w.node, "shop")
	must(t, err)
	must(t, w.node.Start(t.Context()))
	t.Cleanup(func() { w.node.Kill() })
	var all []sent
	for i := range 9 {
		all = append(all, w.sendOne(i))
	}
	must(t, w.node.Stop())
	if out, err := w.tool(nil, "migrate", "--to", to, old[2], old[3]); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if n := w.again(nil, "--data", to).holds(all); n != len(all) {
		t.Errorf("%d messages of %d", n, len(all))
	}
}

func TestFsckFindsFilesThatAreNotThereShorterOrOthers(t *testing.T) {
	w := newWorld(t)
	for i := range 3 {
		w.sendOne(i)
	}
	var names []string
	must(t, filepath.WalkDir(filepath.Join(w.data, "blobs", "objects"), func(name string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			names = append(names, name)
		}
		return err
	}))
	if len(names) != 3 {
		t.Fatalf("%d objects", len(names))
	}
	check := func(want string, args ...string) {
		t.Helper()
		out, err := w.tool(nil, append([]string{"fsck"}, args...)...)
		if (err == nil) != (want == "") || !strings.Contains(out, want) || !strings.Contains(out, "objects of files") {
			t.Errorf("fsck %v: %v\n%s\nwant %q", args, err, out, want)
		}
	}
	check("", "--deep")
	b, err := os.ReadFile(names[0])
	must(t, err)
	b[len(b)/2] ^= 1
	must(t, os.WriteFile(names[0], b, 0o600))
	check("")
	check("its bytes are other ones", "--deep")
	must(t, os.Truncate(names[1], 10))
	check("it has 10 bytes and not")
	must(t, os.Remove(names[2]))
	check("it is not there")
	check("", "--no-files")
	// A tool that does not know where the files are says so, and accuses nobody.
	must(t, os.RemoveAll(filepath.Join(w.data, "blobs")))
	check("", "--deep")
	if out, _ := w.tool(nil, "fsck"); !strings.Contains(out, "were not looked at") {
		t.Error(out)
	}
	out, err := w.tool(nil, "backup", "--out", filepath.Join(t.TempDir(), "b"))
	if err != nil || !strings.Contains(out, "3 objects of files") || !strings.Contains(out, "are not in the backup") {
		t.Errorf("%v\n%s", err, out)
	}
}
