package file_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/blob"
	"github.com/skein-im/skein/internal/feature/file"
	"github.com/skein-im/skein/internal/im"
)

func TestRangesAndConditionsAreThoseOfHTTP(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		n, body := w.nodes[0], random(31, 10_000)
		film := "/v1/files/" + n.upload(t, ann, body)[len("/v1/uploads/"):]
		none := "/v1/files/" + n.create(t, ann, 0)[len("/v1/uploads/"):]
		n.head(t, ann, "/v1/uploads/"+none[len("/v1/files/"):]) // which makes the file of an upload of nothing
		res, whole := n.ask(t, "GET", film)
		tag := res.Header.Get("ETag")
		if whole != string(body) || tag == "" || res.Header.Get("Accept-Ranges") != "bytes" {
			t.Fatalf("%s %v", res.Status, res.Header)
		}
		for name, try := range map[string]struct {
			method, path string
			status       int
			from, to     int // of what is read
			headers      []string
		}{
			"a byte":                          {"GET", film, 206, 0, 1, []string{"Range", "bytes=0-0"}},
			"from the middle":                 {"GET", film, 206, 5000, 10_000, []string{"Range", "bytes=5000-"}},
			"the last byte":                   {"GET", film, 206, 9999, 10_000, []string{"Range", "bytes=-1"}},
			"more from the end than there is": {"GET", film, 206, 0, 10_000, []string{"Range", "bytes=-99999"}},
			"to behind the end":               {"GET", film, 206, 9000, 10_000, []string{"Range", "bytes=9000-99999"}},
			"behind the end":                  {"GET", film, 416, 0, 0, []string{"Range", "bytes=10000-"}},
			"backwards":                       {"GET", film, 416, 0, 0, []string{"Range", "bytes=20-10"}},
			"nothing from the end":            {"GET", film, 200, 0, 10_000, []string{"Range", "bytes=-0"}},
			"no number":                       {"GET", film, 416, 0, 0, []string{"Range", "bytes=a-b"}},
			"of 10^30":                        {"GET", film, 416, 0, 0, []string{"Range", "bytes=" + "1" + strings.Repeat("0", 30) + "-"}},
			"other units":                     {"GET", film, 416, 0, 0, []string{"Range", "pages=1-2"}},
			"two ranges":                      {"GET", film, 200, 0, 10_000, []string{"Range", "bytes=0-0,5-9"}},
			"a thousand ranges":               {"GET", film, 200, 0, 10_000, []string{"Range", "bytes=0-0" + strings.Repeat(",5-9", 1000)}},
			"a range of what one has":         {"GET", film, 206, 10, 20, []string{"Range", "bytes=10-19", "If-Range", tag}},
			"a range of something else":       {"GET", film, 200, 0, 10_000, []string{"Range", "bytes=10-19", "If-Range", `"other"`}},
			"a range of a weak tag":           {"GET", film, 200, 0, 10_000, []string{"Range", "bytes=10-19", "If-Range", "W/" + tag}},
			"what one has":                    {"GET", film, 304, 0, 0, []string{"If-None-Match", `"a", ` + tag}},
			"what one has not":                {"GET", film, 412, 0, 0, []string{"If-Match", `"other"`}},
			"the head":                        {"HEAD", film, 200, 0, 0, nil},
			"the head of a range":             {"HEAD", film, 206, 0, 0, []string{"Range", "bytes=10-19"}},
			"nothing":                         {"GET", none, 200, 0, 0, nil},
			"a range of nothing":              {"GET", none, 200, 0, 0, []string{"Range", "bytes=0-"}},
			"the end of nothing":              {"GET", none, 200, 0, 0, []string{"Range", "bytes=-5"}},
			"the head of nothing":             {"HEAD", none, 200, 0, 0, nil},
		} {
			res, got := n.ask(t, try.method, try.path, try.headers...)
			if res.StatusCode != try.status || res.StatusCode < 300 && got != string(body[try.from:try.to]) {
				t.Errorf("%s: %s, %d bytes", name, res.Status, len(got))
			}
			if want := fmt.Sprintf("bytes %d-%d/10000", try.from, try.to-1); try.method == "GET" && try.status == 206 && res.Header.Get("Content-Range") != want {
				t.Errorf("%s: %q, want %q", name, res.Header.Get("Content-Range"), want)
			}
		}
		if res, _ := n.ask(t, "HEAD", film); res.ContentLength != 10_000 {
			t.Errorf("the head says %d bytes", res.ContentLength)
		}
	})
}

// ask asks for a file of ann's. A body that breaks off ends with "…".
func (n *node) ask(t *testing.T, method, path string, headers ...string) (*http.Response, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, n.server.URL+path, nil)
	must(t, err)
	r.Header.Set("Authorization", ann)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	must(t, err)
	b, err := io.ReadAll(res.Body)
	if err != nil {
		b = append(b, "…"...)
	}
	must(t, res.Body.Close())
	return res, string(b)
}

// flaky is a store that gives no more than some bytes of an object, and counts
// who reads.
type flaky struct {
	blob.Store
	after  atomic.Int64 // bytes; below 0 = all
	asked  atomic.Int64 // how many bytes the last reader wanted
	opened atomic.Int64
}

func (f *flaky) Get(ctx context.Context, key string, from, n int64) (io.ReadCloser, error) {
	f.asked.Store(n)
	after := f.after.Load()
	if after == 0 {
		return nil, im.Errorf(im.Unavailable, "the store is away")
	}
	r, err := f.Store.Get(ctx, key, from, n)
	if err != nil {
		return nil, err
	}
	f.opened.Add(1)
	if after < 0 {
		return &counted{r, r, f}, nil
	}
	return &counted{io.MultiReader(io.LimitReader(r, after), broken{}), r, f}, nil
}

type counted struct {
	io.Reader
	under io.Closer
	f     *flaky
}

func (c *counted) Close() error { c.f.opened.Add(-1); return c.under.Close() }

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the store went away") }

// flakyNode starts a node on a flaky store.
func (w *world) flakyNode() (*node, *flaky) {
	f := &flaky{}
	f.after.Store(-1)
	return w.startWith(func(own blob.Store) *file.Stores {
		f.Store = own
		return file.NewStores(file.StoresDeps{DB: w.db, Own: f, Entropy: im.SystemEntropy()})
	}), f
}

func TestAStoreThatFailsInTheMiddleBreaksTheAnswerOff(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		n, store := w.flakyNode()
		body := random(32, 3_000_000)
		film := "/v1/files/" + n.upload(t, ann, body)[len("/v1/uploads/"):]
		store.after.Store(0)
		if res, _ := n.ask(t, "GET", film); res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("ETag") != "" || res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("a store that is away: %s %v", res.Status, res.Header)
		}
		must(t, os.Rename(filepath.Join(w.blobs, "objects"), filepath.Join(w.blobs, "lost")))
		store.after.Store(-1)
		if res, _ := n.ask(t, "GET", film); res.StatusCode != http.StatusInternalServerError || res.Header.Get("Skein-Error") != "DATA_LOSS" {
			t.Errorf("bytes that are not there: %s %v", res.Status, res.Header)
		}
		must(t, os.Rename(filepath.Join(w.blobs, "lost"), filepath.Join(w.blobs, "objects")))
		store.after.Store(1_000_000)
		got := ""
		for tries := 0; len(got) < len(body); tries++ {
			res, part := n.ask(t, "GET", film, "Range", fmt.Sprintf("bytes=%d-", len(got)))
			part, cut := strings.CutSuffix(part, "…")
			if got += part; res.StatusCode != http.StatusPartialContent || cut != (len(got) < len(body)) || tries > 5 {
				t.Fatalf("%s; it had %d bytes, broken off: %v", res.Status, len(got), cut)
			}
		}
		if got != string(body) {
			t.Error("the parts make another file")
		}
		store.after.Store(-1)
		if res, part := n.ask(t, "GET", film, "Range", "bytes=1000-1999"); res.StatusCode != http.StatusPartialContent || part != string(body[1000:2000]) || store.asked.Load() != 1000 {
			t.Errorf("%s; the store was asked for %d bytes", res.Status, store.asked.Load())
		}
		if n := store.opened.Load(); n != 0 {
			t.Errorf("%d readers of the store were not closed", n)
		}
	})
}

func TestWhoStopsReadingAFileIsLetGo(t *testing.T) {
	w := newWorld(t, t.TempDir())
	body := bytes.Repeat(random(33, 1000), 30_000)
	film := "/v1/files/" + w.nodes[0].upload(t, ann, body)[len("/v1/uploads/"):]
	w.clock = early{time.Second}
	n, store := w.flakyNode()
	c, err := net.Dial("tcp", n.server.Listener.Addr().String())
	must(t, err)
	defer c.Close()
	must(t, c.SetDeadline(time.Now().Add(30*time.Second)))
	_, err = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\n\r\n", film, ann)
	must(t, err)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	must(t, err)
	defer res.Body.Close()
	// It reads no further.
	for until := time.Now().Add(20 * time.Second); store.opened.Load() > 0; <-time.After(20 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("the file is still open")
		}
	}
	if got, err := io.ReadAll(res.Body); err == nil || len(got) >= len(body) {
		t.Errorf("%d bytes of %d came: %v", len(got), len(body), err)
	}
	// A connection that goes on is not touched by that: the next request has its own time.
	for range 3 {
		if res, part := n.ask(t, "GET", film, "Range", "bytes=0-9"); res.StatusCode != http.StatusPartialContent || part != string(body[:10]) {
			t.Errorf("%s %q", res.Status, part)
		}
		<-time.After(600 * time.Millisecond)
	}
}
