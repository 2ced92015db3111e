// Package web carries the browser app inside the binary and serves it.
//
// The app is built by Vite into chat/dist, which is not committed: a clone
// compiles without Node, and then serves a page that says how to build the
// app. Files whose names carry a hash of their content are kept by browsers
// for a year; everything else is asked for again on each use, so that a new
// version is seen at once.
package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

//go:embed all:chat/dist
var built embed.FS

// notBuilt is shown in the place of the app in a binary that was made without
// it. It has "Skein" in its title, as the app does.
const notBuilt = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Skein: the web app is not built</title>
<h1>The web app is not in this binary</h1>
<p>The server runs, and its API works. To get the app, run <code>make build</code> and start <code>bin/skein</code> again.</p>
</html>
`

// compressed lists the types that are worth compressing.
var compressed = []string{"text/", "application/json", "application/manifest+json", "image/svg+xml"}

// types are set here rather than taken from the machine's tables: a module
// script is refused by browsers when a machine calls it text/plain.
var types = [...][2]string{
	{".html", "text/html; charset=utf-8"},
	{".js", "text/javascript; charset=utf-8"},
	{".css", "text/css; charset=utf-8"},
	{".svg", "image/svg+xml"},
	{".webmanifest", "application/manifest+json"},
	{".json", "application/json"},
	{".txt", "text/plain; charset=utf-8"},
}

// Handler serves the app: index.html at /, and its files. Other paths are not
// found; the app keeps its own places in the address's fragment. It answers
// GET and HEAD, with entity tags, and compresses each file once, when somebody
// asks for it first. The error is that the embedded files cannot be read.
func Handler() (http.Handler, error) {
	dist, err := fs.Sub(built, "chat/dist")
	if err != nil {
		return nil, fmt.Errorf("open the embedded web app: %w", err)
	}
	return handler(dist)
}

func handler(dist fs.FS) (http.Handler, error) {
	files := map[string]*file{}
	err := fs.WalkDir(dist, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(path.Base(name), ".") {
			return err
		}
		body, err := fs.ReadFile(dist, name)
		if err != nil {
			return err
		}
		files["/"+name] = newFile(name, body)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the embedded web app: %w", err)
	}
	if _, ok := files["/index.html"]; !ok {
		files["/index.html"] = newFile("index.html", []byte(notBuilt))
	}
	files["/"] = files["/index.html"]
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, ok := files[r.URL.Path]
		switch {
		case !ok:
			http.NotFound(w, r)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		default:
			f.serve(w, r)
		}
	}), nil
}

// file is one file of the app, ready to be served.
type file struct {
	name  string
	kind  string
	etag  string
	cache string
	open  bool // pages of other origins may load it
	body  []byte
	zip   func() []byte // the body compressed; nil when that does not pay
}

func newFile(name string, body []byte) *file {
	sum := sha256.Sum256(body)
	f := &file{
		name:  name,
		kind:  contentType(name),
		etag:  base64.RawURLEncoding.EncodeToString(sum[:12]),
		cache: "no-cache",
		open:  name == "skein-client.js" || (strings.HasPrefix(name, "assets/") && strings.HasSuffix(name, ".js")),
		body:  body,
		zip:   func() []byte { return nil },
	}
	if strings.HasPrefix(name, "assets/") {
		f.cache = "public, max-age=31536000, immutable"
	}
	for _, prefix := range compressed {
		if strings.HasPrefix(f.kind, prefix) {
			f.zip = sync.OnceValue(func() []byte { return compress(body) })
			break
		}
	}
	return f
}

func contentType(name string) string {
	ext := path.Ext(name)
	for _, t := range types {
		if t[0] == ext {
			return t[1]
		}
	}
	if t := mime.TypeByExtension(ext); t != "" {
		return t
	}
	return "application/octet-stream"
}

// compress returns nil when the result would not be smaller.
func compress(body []byte) []byte {
	var out bytes.Buffer
	// Writes to a buffer do not fail, and the level is a valid one.
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil
	}
	if _, err := z.Write(body); err != nil {
		return nil
	}
	if err := z.Close(); err != nil || out.Len() >= len(body) {
		return nil
	}
	return out.Bytes()
}

func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", f.cache)
	if f.open {
		// The SDK for pages without a bundler, which are served from elsewhere.
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	}
	body, tag := f.body, f.etag
	h.Add("Vary", "Accept-Encoding")
	if acceptsGzip(r.Header.Get("Accept-Encoding")) {
		if z := f.zip(); z != nil {
			h.Set("Content-Encoding", "gzip")
			body, tag = z, tag+"-gz"
		}
	}
	h.Set("ETag", `"`+tag+`"`)
	http.ServeContent(w, r, f.name, time.Time{}, bytes.NewReader(body))
}

// acceptsGzip tells whether an Accept-Encoding header allows gzip; q=0 forbids it.
func acceptsGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.TrimSpace(name) != "gzip" {
			continue
		}
		q := strings.ReplaceAll(params, " ", "")
		return q != "q=0" && q != "q=0.0" && q != "q=0.00" && q != "q=0.000"
	}
	return false
}
