package files

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/skein-im/skein/internal/blob"
	"github.com/skein-im/skein/internal/blob/blobtest"
	"github.com/skein-im/skein/internal/cloudtest"
	"github.com/skein-im/skein/test/chaos"
)

// smallDisk mounts a disk of its own on a folder, and returns how to change its
// size.
func smallDisk(t *testing.T, dir string, size int) (resize func(size int)) {
	t.Helper()
	must(t, os.MkdirAll(dir, 0o700))
	if !chaos.MayMount() {
		t.Skip("this system lets nobody mount a file system")
	}
	must(t, unix.Mount("skein-test", dir, "tmpfs", 0, fmt.Sprint("size=", size)))
	t.Cleanup(func() { must(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	return func(size int) {
		t.Helper()
		must(t, unix.Mount("skein-test", dir, "tmpfs", unix.MS_REMOUNT, fmt.Sprint("size=", size)))
	}
}

// nothingToSee holds an upload that is not complete to being no file.
func (w *world) nothingToSee(upload string) {
	w.t.Helper()
	id := path.Base(upload)
	if a := w.do("ann", "GET", "/v1/files/"+id, nil); a.StatusCode != http.StatusNotFound {
		w.t.Errorf("an upload that is not complete is read: %s, %d bytes", a.Status, len(a.body))
	}
	if out, code := w.call("ann", "FileService/GetFile", map[string]any{"id": id}); code != "not_found" {
		w.t.Errorf("an upload that is not complete is a file: %s %v", code, out)
	}
	if _, code := w.send("ann", "@3:ann:bob", id, 1); code != "failed_precondition" {
		w.t.Errorf("an upload that is not complete was sent: %s", code)
	}
}

// whole holds a file to its bytes.
func (w *world) whole(upload string, body []byte) {
	w.t.Helper()
	a := w.do("ann", "GET", "/v1/files/"+path.Base(upload), nil)
	if a.StatusCode != 200 || sha256.Sum256([]byte(a.body)) != sha256.Sum256(body) {
		w.t.Errorf("the file is read as %s, %d bytes of %d", a.Status, len(a.body), len(body))
	}
}

func TestADiskThatIsFullInTheMiddleOfAnUploadRefusesItAndLosesNothing(t *testing.T) {
	body := blobtest.Bytes(7, 3*blob.Step+1234)
	for name, of := range map[string]func(t *testing.T, dir string) (small string, args, env []string){
		"the folder of files": func(_ *testing.T, dir string) (string, []string, []string) {
			return filepath.Join(dir, "data", "blobs"), nil, nil
		},
		"the folder of everything": func(_ *testing.T, dir string) (string, []string, []string) {
			return filepath.Join(dir, "data"), nil, nil
		},
		"the folder of parts on their way to S3": func(t *testing.T, dir string) (string, []string, []string) {
			b := buckets(t, cloudtest.S3(t), "files")[0]
			return filepath.Join(dir, "data", "spool"), []string{"--blobs", b.url}, b.env
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			small, args, env := of(t, dir)
			const full, roomy = 5 << 20, 64 << 20
			resize := smallDisk(t, small, roomy)
			w := newWorldIn(t, dir, env, args...)
			first := w.upload("ann", "first", "", body[:1000])
			open := w.begin("ann", len(body))
			stuff := filepath.Join(small, "ballast")
			must(t, os.WriteFile(stuff, make([]byte, full), 0o600))
			resize(full + used(t, small))
			at, refused := 0, answer{}
			for refused.Response == nil {
				to := min(len(body), at+1<<20)
				if a := w.patch("ann", open, at, body[at:to]); a.StatusCode == http.StatusNoContent {
					at = to
				} else {
					refused = a
				}
				if at == len(body) {
					t.Fatal("the disk was never full")
				}
			}
			if refused.StatusCode != http.StatusInsufficientStorage || refused.Header.Get("Skein-Error") != "RESOURCE_EXHAUSTED" {
				t.Errorf("%s %s: %s", refused.Status, refused.Header.Get("Skein-Error"), refused.body)
			}
			w.nothingToSee(open)
			w.whole(first, body[:1000])
			if stands := w.awaitOffset("ann", open, at); stands != at {
				t.Errorf("the upload stands at %d, and %d were acknowledged", stands, at)
			}
			// With room again it goes on where it was, also after a crash.
			must(t, os.Remove(stuff))
			resize(roomy)
			w.node.Kill()
			must(t, w.node.Start(t.Context()))
			if stands := w.awaitOffset("ann", open, at); stands != at {
				t.Errorf("after the crash the upload stands at %d, and %d were acknowledged", stands, at)
			}
			if a := w.patch("ann", open, at, body[at:]); a.StatusCode != http.StatusNoContent {
				t.Fatalf("with room again: %s %s", a.Status, a.body)
			}
			w.whole(open, body)
			if out, err := w.node.Tool(t.Context(), "fsck"); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// used is how many bytes of a disk are taken.
func used(t *testing.T, dir string) int {
	t.Helper()
	var s unix.Statfs_t
	must(t, unix.Statfs(dir, &s))
	return int(s.Blocks-s.Bfree) * int(s.Bsize)
}

// outage is for how long the object store is down; SKEIN_CHAOS_LONG takes a minute.
func outage() time.Duration {
	if os.Getenv("SKEIN_CHAOS_LONG") != "" {
		return time.Minute
	}
	return 3 * time.Second
}

func TestAnObjectStoreThatIsDownForAWhileLosesNothing(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	server := cloudtest.S3(t)
	b := buckets(t, server, "files")[0]
	w := newWorldWith(t, b.env, "--blobs", b.url, "--limits-open-uploads", "4")
	body := blobtest.Bytes(8, 2*blob.Step+4321)
	first := w.upload("ann", "first", "", body[:1000])
	open := w.begin("ann", len(body))
	at := blob.Step + 99
	if a := w.patch("ann", open, 0, body[:at]); a.StatusCode != http.StatusNoContent {
		t.Fatalf("%s %s", a.Status, a.body)
	}
	// One that is complete but for its last byte, and a client that does not give up.
	last := w.begin("ann", len(body))
	w.patch("ann", last, 0, body[:len(body)-1])
	dir := t.TempDir()
	source := filepath.Join(dir, "source")
	sum := write(t, source)
	net := newRelay(t, w.node.Addr())
	c := &client{t: t, args: []string{"node", "upload.mjs", "http://" + net.addr(), "shop", w.app.Token("ann"), source, filepath.Join(dir, "state")}}
	defer c.kill()
	c.start(ctx)
	net.awaitBytes(ctx, t, size()/2)

	server.Kill(t)
	down := time.Now()
	unavailable := func(what string, a answer) {
		t.Helper()
		if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Skein-Error") != "UNAVAILABLE" {
			t.Errorf("%s: %s %s %.100s", what, a.Status, a.Header.Get("Skein-Error"), a.body)
		}
	}
	unavailable("more bytes", w.patch("ann", open, at, body[at:at+1000]))
	unavailable("the last byte", w.patch("ann", last, len(body)-1, body[len(body)-1:]))
	unavailable("a file", w.do("ann", "GET", "/v1/files/"+first, nil))
	unavailable("a range", w.do("ann", "GET", "/v1/files/"+first, nil, "Range", "bytes=10-20"))
	for range 3 { // more than a user may have open: what could not begin is none of them
		unavailable("another upload", w.do("ann", "POST", "/v1/uploads/", nil, "Tus-Resumable", "1.0.0", "Upload-Length", "10"))
	}
	w.nothingToSee(open)
	w.nothingToSee(last)
	// Everything that is no file goes on.
	if _, code := w.call("ann", "DeviceService/ListDevices", map[string]any{}); code != "" {
		t.Errorf("a call meanwhile: %s", code)
	}
	if a := w.do("", "GET", "/readyz", nil); a.StatusCode != 200 {
		t.Errorf("the server is not ready: %s", a.Status)
	}
	wait := time.NewTimer(outage() - time.Since(down))
	select {
	case <-wait.C:
	case <-ctx.Done():
		t.Fatal(ctx.Err())
	}
	server.Start(t)

	w.whole(first, body[:1000])
	if stands := w.awaitOffset("ann", open, at); stands != at {
		t.Errorf("the upload stands at %d, and %d were acknowledged", stands, at)
	}
	for upload, from := range map[string]int{open: at, last: len(body) - 1} {
		if a := w.patch("ann", upload, from, body[from:]); a.StatusCode != http.StatusNoContent {
			t.Errorf("from %d on: %s %s", from, a.Status, a.body)
		}
		w.whole(upload, body)
	}
	id := c.wait(ctx)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.node.URL()+"/v1/files/"+id, nil)
	must(t, err)
	w.sign(r, "ann")
	res, err := http.DefaultClient.Do(r)
	must(t, err)
	defer res.Body.Close()
	h := sha256.New()
	if n, err := io.Copy(h, res.Body); err != nil || n != size() || !bytes.Equal(h.Sum(nil), sum[:]) {
		t.Errorf("the client's file: %s, %d bytes, %v", res.Status, n, err)
	}
	if out, err := w.node.Tool(ctx, "fsck"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
