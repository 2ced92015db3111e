package file_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/blob"
	"github.com/skein-im/skein/internal/blob/blobtest"
	"github.com/skein-im/skein/internal/blob/local"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/feature/file"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/media"
	"github.com/skein-im/skein/internal/pgtest"
	"github.com/skein-im/skein/internal/tus"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is a database and a store with two nodes on them.
type world struct {
	t      testing.TB
	db     *db.DB
	blobs  string
	limits file.Limits
	// uncounted is the time of the oldest entry that no follower has seen; 0 = none.
	uncounted im.Micros
	clock     im.Clock // of nodes that are started from now on
	quotas    atomic.Pointer[skeinv1.AppQuotas]
	nodes     [2]*node
}

type node struct {
	service *file.Service
	server  *httptest.Server
}

func eachEngine(t *testing.T, test func(t *testing.T, w *world)) {
	for name, url := range map[string]func(t *testing.T) string{
		"SQLite":     func(t *testing.T) string { return t.TempDir() },
		"PostgreSQL": func(t *testing.T) string { return pgtest.DB(t) },
	} {
		t.Run(name, func(t *testing.T) { test(t, newWorld(t, url(t))) })
	}
}

func newWorld(t testing.TB, url string) *world {
	t.Helper()
	w := &world{t: t, blobs: t.TempDir(), clock: im.SystemClock{}, limits: file.Limits{Size: 100 << 20, Open: 5, Keep: time.Hour}}
	var err error
	w.db, err = db.Open(t.Context(), url, db.Options{Conns: 8})
	must(t, err)
	t.Cleanup(func() { must(t, w.db.Close()) })
	must(t, w.db.Migrate(t.Context(), "file", file.Migrations()))
	for i := range w.nodes {
		w.nodes[i] = w.start()
	}
	return w
}

// start starts a node, which remembers nothing of an earlier one.
func (w *world) start() *node {
	return w.startWith(func(own blob.Store) *file.Stores {
		return file.NewStores(file.StoresDeps{DB: w.db, Own: own, Entropy: im.SystemEntropy()})
	})
}

// startWith starts one that knows more stores than the world's folder.
func (w *world) startWith(stores func(own blob.Store) *file.Stores) *node {
	w.t.Helper()
	store, err := local.Open(w.blobs, im.SystemEntropy())
	must(w.t, err)
	w.t.Cleanup(func() { must(w.t, store.Close()) })
	known := stores(store)
	must(w.t, known.Start(w.t.Context()))
	n := &node{service: file.New(file.Deps{DB: w.db, Stores: known, Media: media.InProcess{Pixels: media.DefaultPixels}, Clock: w.clock, Entropy: im.SystemEntropy(), Log: slog.New(slog.NewTextHandler(w.t.Output(), nil)), Limits: w.limits,
		Uncounted: func(context.Context) (im.Micros, bool, error) { return w.uncounted, w.uncounted != 0, nil },

		Quotas: func(im.AppID) *skeinv1.AppQuotas { return w.quotas.Load() }})}
	who := func(r *http.Request) (im.Actor, error) {
		app, user, ok := strings.Cut(r.Header.Get("Authorization"), "/")
		if !ok {
			return im.Actor{}, im.Errorf(im.Unauthenticated, "who?")
		}
		return im.Actor{App: im.AppID(app), User: im.UserID(user)}, nil
	}
	downloads := &file.Downloads{Service: n.service, Prefix: "/v1/files/", Who: who}
	uploads := tus.NewHandler(tus.Deps{Uploads: n.service, Prefix: "/v1/uploads/", Spool: w.t.TempDir(), Clock: im.SystemClock{}, Entropy: im.SystemEntropy(),
		Log: slog.New(slog.NewTextHandler(w.t.Output(), nil)), Who: who})
	n.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, downloads.Prefix) {
			downloads.ServeHTTP(w, r)
			return
		}
		uploads.ServeHTTP(w, r)
	}))
	w.t.Cleanup(n.server.Close)
	return n
}

// request makes a request; headers are pairs.
func (n *node) request(t *testing.T, who, method, path string, body io.Reader, headers ...string) (*http.Response, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, n.server.URL+path, body)
	must(t, err)
	r.Header.Set("Authorization", who)
	r.Header.Set("Tus-Resumable", "1.0.0")
	for i := 0; i < len(headers); i += 2 {
		if r.Header.Set(headers[i], headers[i+1]); headers[i+1] == "" {
			r.Header.Del(headers[i])
		}
	}
	res, err := http.DefaultClient.Do(r)
	must(t, err)
	b, err := io.ReadAll(res.Body)
	must(t, errors.Join(err, res.Body.Close()))
	if res.Header.Get("Tus-Resumable") != "1.0.0" {
		t.Errorf("%s %s: an answer without Tus-Resumable", method, path)
	}
	return res, string(b)
}

const ann = "shop/ann"

// metadata writes Upload-Metadata.
func metadata(pairs ...string) string {
	var out []string
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, pairs[i]+" "+base64.StdEncoding.EncodeToString([]byte(pairs[i+1])))
	}
	return strings.Join(out, ",")
}

// create begins an upload and returns its path.
func (n *node) create(t *testing.T, who string, size int, meta ...string) string {
	t.Helper()
	res, text := n.request(t, who, "POST", "/v1/uploads/", nil, "Upload-Length", strconv.Itoa(size), "Upload-Metadata", metadata(meta...))
	if res.StatusCode != http.StatusCreated {
		t.Fatalf("create: %s %s", res.Status, text)
	}
	return res.Header.Get("Location")
}

// head returns an upload's offset, -1 when there is none.
func (n *node) head(t *testing.T, who, path string) int {
	t.Helper()
	res, _ := n.request(t, who, "HEAD", path, nil)
	if res.StatusCode == http.StatusNotFound {
		return -1
	}
	at, err := strconv.Atoi(res.Header.Get("Upload-Offset"))
	if res.StatusCode != http.StatusOK || err != nil {
		t.Fatalf("head: %s", res.Status)
	}
	return at
}

func (n *node) patch(t *testing.T, who, path string, at int, body []byte, headers ...string) (*http.Response, string) {
	t.Helper()
	return n.request(t, who, "PATCH", path, bytes.NewReader(body), append([]string{"Content-Type", "application/offset+octet-stream", "Upload-Offset", strconv.Itoa(at)}, headers...)...)
}

func (n *node) upload(t *testing.T, who string, body []byte, meta ...string) string {
	t.Helper()
	path := n.create(t, who, len(body), meta...)
	if res, text := n.patch(t, who, path, 0, body); res.StatusCode != http.StatusNoContent {
		t.Fatalf("patch: %s %s", res.Status, text)
	}
	return path
}

// cut sends a PATCH that promises all of a body and breaks off after some of it.
func (n *node) cut(t *testing.T, who, path string, at int, body []byte, after int) {
	t.Helper()
	c, err := net.Dial("tcp", n.server.Listener.Addr().String())
	must(t, err)
	_, err = fmt.Fprintf(c, "PATCH %s HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nTus-Resumable: 1.0.0\r\nContent-Type: application/offset+octet-stream\r\nUpload-Offset: %d\r\nContent-Length: %d\r\n\r\n",
		path, who, at, len(body)-at)
	must(t, err)
	_, err = c.Write(body[at:min(len(body), at+after)])
	must(t, err)
	must(t, c.Close())
}

// whole holds the file of an upload to its bytes.
func (w *world) whole(path string, body []byte) {
	w.t.Helper()
	sum := sha256.Sum256(body)
	must(w.t, w.db.Read(w.t.Context(), func(tx db.Tx) error {
		var size int64
		var stored []byte
		if err := tx.QueryRow("SELECT size, sum FROM file WHERE id = $1", filepath.Base(path)).Scan(&size, &stored); err != nil {
			return err
		}
		if size != int64(len(body)) || !bytes.Equal(stored, sum[:]) {
			w.t.Errorf("the row says %d bytes", size)
		}
		return nil
	}))
	if got := w.stored(path); !bytes.Equal(got, body) {
		w.t.Errorf("%d bytes of %d are other ones", len(got), len(body))
	}
}

// place is where the bytes of an upload's file lie, in the folder.
func (w *world) place(path string) (name string) {
	w.t.Helper()
	must(w.t, w.db.Read(w.t.Context(), func(tx db.Tx) error {
		return tx.QueryRow("SELECT b.key FROM file f JOIN file_bytes b ON b.app = f.app AND b.sum = f.sum WHERE f.id = $1", filepath.Base(path)).Scan(&name)
	}))
	return filepath.Join(w.blobs, "objects", name)
}

// stored are the bytes that lie there.
func (w *world) stored(path string) []byte {
	w.t.Helper()
	got, err := os.ReadFile(w.place(path))
	must(w.t, err)
	return got
}

// files counts what lies in a folder of the store.
func (w *world) files(folder string) (n int) {
	w.t.Helper()
	must(w.t, filepath.WalkDir(filepath.Join(w.blobs, folder), func(_ string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			n++
		}
		return err
	}))
	return n
}

func (w *world) count(query string, args ...any) (n int) {
	w.t.Helper()
	must(w.t, w.db.Read(w.t.Context(), func(tx db.Tx) error { return tx.QueryRow(query, args...).Scan(&n) }))
	return n
}

func random(seed uint64, n int) []byte { return blobtest.Bytes(seed, n) }
