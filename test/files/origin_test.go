package files

import (
	"net/url"
	"strings"
	"testing"
)

// host is where the server of these tests reads files, as browsers name it.
const host = "files.example.com"

func TestFilesAreReadAtAnOriginThatHasNothingElse(t *testing.T) {
	w := newWorld(t, "--files-origin", "https://"+host)
	film := film() + box("mdat", strings.Repeat("frame after frame ", 1000))
	id := w.upload("ann", "film.mp4", "video/mp4", []byte(film))
	out, code := w.call("ann", "FileService/CreateFileKey", map[string]any{})
	if code != "" || out["origin"] != "https://"+host {
		t.Fatalf("%v %s", out, code)
	}
	link := "/v1/files/" + id + "?k=" + url.QueryEscape(out["key"].(string))

	// At its place it is played, from wherever the player asks for it, on pages of every origin.
	for _, name := range []string{host, strings.ToUpper(host), host + ":443"} {
		if a := w.do("", "GET", link, nil, "Host", name); a.StatusCode != 200 || a.body != film {
			t.Errorf("at %s: %s", name, a.Status)
		}
	}
	whole := w.do("", "GET", link, nil, "Host", host, "Origin", "https://chat.example.com", "Range", "bytes=0-")
	for name, want := range map[string]string{"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin", "X-Content-Type-Options": "nosniff",
		"Content-Security-Policy": "sandbox; default-src 'none'", "Accept-Ranges": "bytes", "Content-Disposition": "inline; filename=film.mp4"} {
		if got := whole.Header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if exposed := whole.Header.Get("Access-Control-Expose-Headers"); !strings.Contains(exposed, "Content-Range") || whole.StatusCode != 206 {
		t.Errorf("%s, exposed are %q", whole.Status, exposed)
	}
	// A player that seeks: a range further on, of the file as it was.
	seek := w.do("", "GET", link, nil, "Host", host, "Range", "bytes=9000-9017", "If-Range", whole.Header.Get("ETag"))
	if seek.StatusCode != 206 || seek.body != film[9000:9018] || !strings.HasPrefix(seek.Header.Get("Content-Range"), "bytes 9000-9017/") {
		t.Errorf("seeking: %s %q", seek.Status, seek.body)
	}
	ask := w.do("", "OPTIONS", link, nil, "Host", host, "Origin", "https://chat.example.com", "Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "range")
	if ask.StatusCode != 204 || !strings.Contains(ask.Header.Get("Access-Control-Allow-Headers"), "Range") {
		t.Errorf("before a request of another origin: %s", ask.Status)
	}

	// Nothing else is there: no page, no call, no socket, no upload, also with a good token.
	for _, try := range [][2]string{{"GET", "/"}, {"GET", "/index.html"}, {"GET", "/v1/socket"}, {"POST", "/v1/uploads/"}, {"POST", "/skein.v1.FileService/CreateFileKey"}, {"GET", "/v1/files"}, {"GET", "/dev/info"}} {
		if a := w.do("ann", try[0], try[1], nil, "Host", host, "Tus-Resumable", "1.0.0", "Upload-Length", "1", "Content-Type", "application/json"); a.StatusCode != 404 || strings.Contains(a.body, "<") {
			t.Errorf("%s %s: %s %.100q", try[0], try[1], a.Status, a.body)
		}
	}
	for _, path := range []string{"/healthz", "/readyz", "/livez"} {
		if a := w.do("", "GET", path, nil, "Host", host); a.StatusCode != 200 {
			t.Errorf("%s: %s", path, a.Status)
		}
	}

	// Elsewhere a link leads there, and nothing of the file is answered.
	for _, method := range []string{"GET", "HEAD"} {
		a := w.do("", method, link, nil)
		if a.StatusCode != 307 || a.Header.Get("Location") != "https://"+host+link || strings.Contains(a.body, "frame") || a.Header.Get("Access-Control-Allow-Origin") != "*" || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s at the server's name: %s to %q", method, a.Status, a.Header.Get("Location"))
		}
	}
	if a := w.do("", "GET", "/v1/files//evil.example/", nil); a.StatusCode/100 == 3 && !strings.HasPrefix(a.Header.Get("Location"), "https://"+host+"/") {
		t.Errorf("a link leads to %q", a.Header.Get("Location"))
	}
	// A program that says who it is by its token needs no detour.
	if a := w.do("ann", "GET", "/v1/files/"+id, nil); a.StatusCode != 200 || a.body != film {
		t.Errorf("with a token: %s", a.Status)
	}
	page := w.do("", "GET", "/", nil)
	if csp := page.Header.Get("Content-Security-Policy"); page.StatusCode != 200 || strings.Count(csp, "https://"+host) != 3 {
		t.Errorf("the app's page may show %q", csp)
	}
}

func TestAnOriginThatIsNoneIsNotTaken(t *testing.T) {
	w := newWorld(t)
	w.node.Kill()
	for _, origin := range []string{"files.example.com", "https://files.example.com/path", "https://a@files.example.com", "ftp://files.example.com", "*"} {
		if out, err := w.tool(nil, "serve", "--listen", "127.0.0.1:0", "--files-origin", origin); err == nil || !strings.Contains(out, "files_origin") {
			t.Errorf("%s: %v\n%s", origin, err, out)
		}
	}
}
