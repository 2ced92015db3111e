package web

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

var page = "<!doctype html><title>Skein</title>" + strings.Repeat("<p>text</p>", 100)

func app(t *testing.T, files fstest.MapFS) http.Handler {
	t.Helper()
	h, err := handler(files)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func get(h http.Handler, path string, header ...string) *http.Response {
	r := httptest.NewRequest("GET", path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func text(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestWithoutABuildThePageSaysHowToBuild(t *testing.T) {
	res := get(app(t, fstest.MapFS{".gitkeep": {Data: []byte("x")}}), "/")
	body := text(t, res.Body)
	if res.StatusCode != 200 || !strings.Contains(body, "make build") || !strings.Contains(body, "<title>Skein") {
		t.Fatalf("%d %s", res.StatusCode, body)
	}
}

func TestThePlaceholderAndUnknownPathsAreNotServed(t *testing.T) {
	h := app(t, fstest.MapFS{".gitkeep": {Data: []byte("x")}, "index.html": {Data: []byte(page)}})
	for _, path := range []string{"/.gitkeep", "/other", "/assets/", "/../index.html"} {
		if res := get(h, path); res.StatusCode != 404 {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
}

func TestThePageIsAskedForAgainAndHashedFilesAreKept(t *testing.T) {
	h := app(t, fstest.MapFS{
		"index.html":         {Data: []byte(page)},
		"sw.js":              {Data: []byte("self")},
		"assets/index-ab.js": {Data: []byte("code")},
	})
	for path, want := range map[string][2]string{
		"/":                   {"no-cache", "text/html; charset=utf-8"},
		"/sw.js":              {"no-cache", "text/javascript; charset=utf-8"},
		"/assets/index-ab.js": {"public, max-age=31536000, immutable", "text/javascript; charset=utf-8"},
	} {
		res := get(h, path)
		if got := [2]string{res.Header.Get("Cache-Control"), res.Header.Get("Content-Type")}; got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
		tag := res.Header.Get("ETag")
		if again := get(h, path, "If-None-Match", tag); tag == "" || again.StatusCode != 304 {
			t.Errorf("%s: tag %q answered %d", path, tag, again.StatusCode)
		}
	}
}

func TestTextIsCompressedForThoseWhoAcceptIt(t *testing.T) {
	h := app(t, fstest.MapFS{"index.html": {Data: []byte(page)}})
	res := get(h, "/", "Accept-Encoding", "br, gzip;q=0.8")
	if res.Header.Get("Content-Encoding") != "gzip" {
		t.Fatal("not compressed")
	}
	z, err := gzip.NewReader(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got := text(t, z); got != page {
		t.Fatalf("decompressed to %d bytes", len(got))
	}
	plain := get(h, "/", "Accept-Encoding", "gzip;q=0")
	if plain.Header.Get("Content-Encoding") != "" || text(t, plain.Body) != page {
		t.Fatal("compressed against the client's word")
	}
	if plain.Header.Get("ETag") == res.Header.Get("ETag") {
		t.Fatal("two encodings share a tag")
	}
}

func TestOtherOriginsMayLoadTheSDKAlone(t *testing.T) {
	h := app(t, fstest.MapFS{"index.html": {Data: []byte(page)}, "skein-client.js": {Data: []byte("export {}")}})
	if got := get(h, "/skein-client.js").Header.Get("Access-Control-Allow-Origin"); got != "*" {
		t.Errorf("the SDK: %q", got)
	}
	if got := get(h, "/").Header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("the page: %q", got)
	}
}

func TestPostsAreRefused(t *testing.T) {
	h := app(t, fstest.MapFS{"index.html": {Data: []byte(page)}})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "/", bytes.NewReader(nil)))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Fatalf("%d %q", w.Code, w.Header().Get("Allow"))
	}
}

func TestTheEmbeddedFilesAreServed(t *testing.T) {
	h, err := Handler()
	if err != nil {
		t.Fatal(err)
	}
	if body := text(t, get(h, "/").Body); !strings.Contains(body, "<title>Skein") {
		t.Fatalf("no title in %.200s", body)
	}
}
