package files

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"net/http"
	"net/url"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/test/chaos"
)

// world is a server with an app.
type world struct {
	t    *testing.T
	node *chaos.Node
	app  *chaos.App
	data string // the server's folder
}

func newWorld(t *testing.T, args ...string) *world {
	t.Helper()
	return newWorldWith(t, nil, args...)
}

// newWorldWith is newWorld with an environment.
func newWorldWith(t *testing.T, env []string, args ...string) *world {
	t.Helper()
	return newWorldIn(t, t.TempDir(), env, args...)
}

// newWorldIn is newWorldWith with what it stores in dir/data.
func newWorldIn(t *testing.T, dir string, env []string, args ...string) *world {
	t.Helper()
	data := filepath.Join(dir, "data")
	node, err := chaos.NewNode(chaos.NodeOptions{Bin: bin, Store: []string{"--data", data}, Args: args, Env: env, Log: filepath.Join(dir, "log")})
	must(t, err)
	app, err := chaos.CreateApp(t.Context(), node, "shop")
	must(t, err)
	must(t, node.Start(t.Context()))
	t.Cleanup(func() { node.Kill() })
	return &world{t, node, app, data}
}

// newNode starts another server on what an ended one has stored.
func newNode(t *testing.T, w *world, env []string, args ...string) *world {
	t.Helper()
	node, err := chaos.NewNode(chaos.NodeOptions{Bin: bin, Store: []string{"--data", w.data}, Args: args, Env: env, Log: filepath.Join(filepath.Dir(w.data), "log")})
	must(t, err)
	must(t, node.Start(t.Context()))
	t.Cleanup(func() { node.Kill() })
	return &world{t, node, w.app, w.data}
}

type answer struct {
	*http.Response
	body string
}

// do makes a request of a user's; "" = nobody's. Headers are pairs.
func (w *world) do(user, method, to string, body []byte, headers ...string) answer {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, w.node.URL()+to, bytes.NewReader(body))
	must(w.t, err)
	w.sign(r, user)
	for i := 0; i < len(headers); i += 2 {
		if r.Header.Set(headers[i], headers[i+1]); headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	res, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(r)
	must(w.t, err)
	b, err := io.ReadAll(res.Body)
	must(w.t, errors.Join(err, res.Body.Close()))
	return answer{res, string(b)}
}

// sign says who makes a request.
func (w *world) sign(r *http.Request, user string) {
	if user != "" {
		r.Header.Set("Authorization", "Bearer "+w.app.Token(user))
		r.Header.Set("Skein-App", w.app.ID)
		r.Header.Set("Skein-Device", "phone-of-"+user)
	}
}

// call makes a call and decodes its answer, or its error's code.
func (w *world) call(user, verb string, request map[string]any) (map[string]any, string) {
	w.t.Helper()
	b, err := json.Marshal(request)
	must(w.t, err)
	a := w.do(user, "POST", "/skein.v1."+verb, b, "Content-Type", "application/json")
	var out map[string]any
	must(w.t, json.Unmarshal([]byte(a.body), &out))
	if a.StatusCode == http.StatusOK {
		return out, ""
	}
	return out, fmt.Sprint(out["code"])
}

// upload uploads a file in one request and returns its id.
func (w *world) upload(user, name, mime string, body []byte) string {
	w.t.Helper()
	meta := "filename " + base64.StdEncoding.EncodeToString([]byte(name)) + ",filetype " + base64.StdEncoding.EncodeToString([]byte(mime))
	a := w.do(user, "POST", "/v1/uploads/", body, "Tus-Resumable", "1.0.0", "Upload-Length", fmt.Sprint(len(body)), "Upload-Metadata", meta, "Content-Type", "application/offset+octet-stream")
	if a.StatusCode != http.StatusCreated || a.Header.Get("Upload-Offset") != fmt.Sprint(len(body)) {
		w.t.Fatalf("upload: %s %s", a.Status, a.body)
	}
	return path.Base(a.Header.Get("Location"))
}

// send sends a file and returns the message's seq, or the error's code.
func (w *world) send(user, conv, file string, size int) (seq, code string) {
	w.t.Helper()
	id, err := im.NewClientID(time.Now(), im.SystemEntropy())
	must(w.t, err)
	out, code := w.call(user, "MessageService/SendMessage", map[string]any{"conversation": conv, "clientId": base64.StdEncoding.EncodeToString(id[:]),
		"body": map[string]any{"scheme": "BODY_SCHEME_CONTENT", "content": map[string]any{"attachments": map[string]any{"items": []any{
			map[string]any{"name": "a.bin", "mime": "application/octet-stream", "size": fmt.Sprint(size), "file": file}}}}}})
	if code != "" {
		return "", code
	}
	return fmt.Sprint(out["entry"].(map[string]any)["seq"]), ""
}

func clientID(t *testing.T) string {
	id, err := im.NewClientID(time.Now(), im.SystemEntropy())
	must(t, err)
	return base64.StdEncoding.EncodeToString(id[:])
}

func (w *world) key(user string) string {
	w.t.Helper()
	out, code := w.call(user, "FileService/CreateFileKey", map[string]any{})
	if code != "" {
		w.t.Fatal(code)
	}
	return out["key"].(string)
}

func link(file, conv, seq, key string) string {
	return "/v1/files/" + file + "?" + url.Values{"c": {conv}, "s": {seq}, "k": {key}}.Encode()
}

func TestAFileIsReadByThoseWhoMayReadItsMessage(t *testing.T) {
	w := newWorld(t)
	body := []byte(strings.Repeat("secret words ", 1000))
	group, code := w.call("ann", "ConversationService/CreateGroup", map[string]any{"id": "team", "title": "Team", "members": []string{"bob", "cid"}, "clientId": clientID(t)})
	if code != "" {
		t.Fatal(group)
	}
	file := w.upload("ann", "../../plan \u202etxt.bin", "application/x-plan", body)
	if got, code := w.call("ann", "FileService/GetFile", map[string]any{"id": file}); code != "" || got["file"].(map[string]any)["name"] != "plan txt.bin" {
		t.Errorf("%v %s", got, code)
	}
	if _, code := w.call("bob", "FileService/GetFile", map[string]any{"id": file}); code != "not_found" {
		t.Errorf("another's file: %s", code)
	}
	bob, eve := w.key("bob"), w.key("eve")
	// Before it is sent only its owner reads it.
	for user, want := range map[string]int{"ann": 200, "bob": 404, "eve": 404} {
		if a := w.do(user, "GET", "/v1/files/"+file, nil); a.StatusCode != want {
			t.Errorf("%s before it is sent: %s", user, a.Status)
		}
	}
	// Nobody sends another's file, nor says something else of it.
	if _, code := w.send("bob", "team", file, len(body)); code != "failed_precondition" {
		t.Errorf("bob sends ann's file: %s", code)
	}
	if _, code := w.send("ann", "team", file, len(body)+1); code != "invalid_argument" {
		t.Errorf("a size that is not the file's: %s", code)
	}
	if _, code := w.send("ann", "team", strings.Repeat("0", 32), 1); code != "failed_precondition" {
		t.Errorf("a file that is none: %s", code)
	}
	seq, code := w.send("ann", "team", file, len(body))
	if code != "" {
		t.Fatal(code)
	}
	whole := w.do("", "GET", link(file, "team", seq, bob), nil)
	if whole.StatusCode != 200 || whole.body != string(body) {
		t.Fatalf("bob reads %s, %d bytes: %s", whole.Status, len(whole.body), whole.body[:min(200, len(whole.body))])
	}
	for name, want := range map[string]string{"Content-Type": "application/octet-stream", "Content-Disposition": `attachment; filename="plan txt.bin"`,
		"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'", "Cache-Control": "private, no-cache"} {
		if got := whole.Header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if a := w.do("", "GET", link(file, "team", seq, bob), nil, "Range", "bytes=7-11"); a.StatusCode != 206 || a.body != "words" {
		t.Errorf("a range: %s %q", a.Status, a.body)
	}
	if a := w.do("", "GET", link(file, "team", seq, bob), nil, "Range", "bytes=-6"); a.StatusCode != 206 || a.body != "words " {
		t.Errorf("a range from the end: %s %q", a.Status, a.body)
	}
	if a := w.do("", "GET", link(file, "team", seq, bob), nil, "Range", "bytes=0-5,7-11"); a.StatusCode != 200 || a.body != string(body) {
		t.Errorf("two ranges: %s, %d bytes", a.Status, len(a.body))
	}
	if a := w.do("", "GET", link(file, "team", seq, bob), nil, "Range", "bytes=999999-"); a.StatusCode != 416 {
		t.Errorf("a range behind the end: %s", a.Status)
	}
	if a := w.do("", "GET", link(file, "team", seq, bob), nil, "If-None-Match", whole.Header.Get("ETag")); a.StatusCode != 304 {
		t.Errorf("what bob has already: %s", a.Status)
	}
	if a := w.do("bob", "HEAD", "/v1/files/"+file+"?c=team&s="+seq, nil); a.StatusCode != 200 || a.ContentLength != int64(len(body)) {
		t.Errorf("with a token: %s", a.Status)
	}
	refused := map[string]string{
		"a stranger":             link(file, "team", seq, eve),
		"another message":        link(file, "team", "1", bob),
		"another conversation":   link(file, "@3:ann:bob", seq, bob),
		"a file that is none":    link(strings.Repeat("0", 32), "team", seq, bob),
		"a path that leads away": "/v1/files/..%2f..%2fetc%2fpasswd?k=" + bob,
		"a seq of -1":            link(file, "team", "-1", bob),
		"a seq of 2^63":          link(file, "team", "9223372036854775808", bob),
		"no message":             "/v1/files/" + file + "?k=" + bob,
	}
	for what, to := range refused {
		if a := w.do("", "GET", to, nil); a.StatusCode != 404 || a.body != "not found\n" {
			t.Errorf("%s: %s %q", what, a.Status, a.body)
		}
	}
	edited := []byte(bob)
	edited[5] ^= 1
	for what, to := range map[string]string{"no key": "/v1/files/" + file + "?c=team&s=" + seq, "an edited key": link(file, "team", seq, string(edited)), "half a key": link(file, "team", seq, bob[:20])} {
		if a := w.do("", "GET", to, nil); a.StatusCode != 401 {
			t.Errorf("%s: %s", what, a.Status)
		}
	}
	// Whoever leaves keeps what was theirs to read, as with the messages; what is sent later is nothing of theirs.
	if _, code := w.call("cid", "ConversationService/LeaveGroup", map[string]any{"conversation": "team", "clientId": clientID(t)}); code != "" {
		t.Fatal(code)
	}
	later := w.upload("ann", "later", "", []byte("later"))
	second, code := w.send("ann", "team", later, 5)
	if code != "" {
		t.Fatal(code)
	}
	cid := w.key("cid")
	if a := w.do("", "GET", link(later, "team", second, cid), nil); a.StatusCode != 404 {
		t.Errorf("who has left reads what was sent later: %s", a.Status)
	}
	if a := w.do("", "GET", link(later, "team", second, bob), nil); a.StatusCode != 200 {
		t.Errorf("bob reads the second: %s", a.Status)
	}
	// Whoever is signed out reads nothing more, with the same key.
	if _, code := w.call("bob", "DeviceService/SignOutDevice", map[string]any{"device": "phone-of-bob"}); code != "" {
		t.Fatal(code)
	}
	if a := w.do("", "GET", link(file, "team", seq, bob), nil); a.StatusCode != 401 {
		t.Errorf("a device that was signed out reads: %s", a.Status)
	}
	// A message that is gone takes its file along.
	if _, code := w.call("ann", "MessageService/RecallMessage", map[string]any{"conversation": "team", "seq": seq, "clientId": clientID(t)}); code != "" {
		t.Fatal(code)
	}
	if a := w.do("ann", "GET", "/v1/files/"+file+"?c=team&s="+seq, nil); a.StatusCode != 404 {
		t.Errorf("the file of a recalled message: %s", a.Status)
	}
}

func TestAPosterIsReadWithItsFilm(t *testing.T) {
	w := newWorld(t)
	film, poster, others := w.upload("ann", "a.mp4", "video/mp4", []byte("a film")), w.upload("ann", "a.jpg", "image/jpeg", []byte("a picture")), w.upload("eve", "e.jpg", "image/jpeg", []byte("another"))
	send := func(user, conv, poster string) (seq, code string) {
		out, code := w.call(user, "MessageService/SendMessage", map[string]any{"conversation": conv, "clientId": clientID(t),
			"body": map[string]any{"scheme": "BODY_SCHEME_CONTENT", "content": map[string]any{"attachments": map[string]any{"items": []any{
				map[string]any{"name": "a.mp4", "mime": "video/mp4", "size": "6", "file": film, "poster": poster}}}}}})
		if code != "" {
			return "", code
		}
		return fmt.Sprint(out["entry"].(map[string]any)["seq"]), ""
	}
	if _, code := send("ann", "@3:ann:bob", others); code != "failed_precondition" {
		t.Errorf("somebody else's picture as a poster: %s", code)
	}
	seq, code := send("ann", "@3:ann:bob", poster)
	if code != "" {
		t.Fatal(code)
	}
	if a := w.do("", "GET", link(poster, "@3:ann:bob", seq, w.key("bob")), nil); a.StatusCode != 200 || a.body != "a picture" {
		t.Errorf("bob reads the poster: %s %q", a.Status, a.body)
	}
	if a := w.do("", "GET", link(poster, "@3:ann:bob", seq, w.key("eve")), nil); a.StatusCode != 404 {
		t.Errorf("a stranger reads the poster: %s", a.Status)
	}
}

func TestWhatIsForwardedTakesItsFileAlong(t *testing.T) {
	w := newWorld(t)
	file := w.upload("ann", "a.txt", "text/plain", []byte("words"))
	seq, code := w.send("ann", "@3:ann:bob", file, 5)
	if code != "" {
		t.Fatal(code)
	}
	for i, merged := range []bool{false, true} {
		out, code := w.call("bob", "ForwardService/ForwardMessages", map[string]any{"from": "@3:ann:bob", "seqs": []string{seq}, "to": "@3:bob:cid", "merged": merged, "clientId": clientID(t)})
		if code != "" {
			t.Fatal(out, code)
		}
		if a := w.do("cid", "GET", fmt.Sprintf("/v1/files/%s?c=%s&s=%d", file, url.QueryEscape("@3:bob:cid"), i+1), nil); a.StatusCode != 200 || a.body != "words" {
			t.Errorf("merged %v: cid reads %s %q", merged, a.Status, a.body)
		}
	}
	if a := w.do("cid", "GET", "/v1/files/"+file+"?s="+seq+"&c="+url.QueryEscape("@3:ann:bob"), nil); a.StatusCode != 404 {
		t.Errorf("cid reads the original: %s", a.Status)
	}
}

func TestOnlyBytesThatAreAPictureSoundOrFilmAreShownInAPage(t *testing.T) {
	w := newWorld(t)
	var dot bytes.Buffer
	must(t, png.Encode(&dot, image.NewGray(image.Rect(0, 0, 1, 1))))
	picture := dot.String()
	voice := "OggS\x00\x02" + strings.Repeat("\x00", 20) + "\x01\x13OpusHead\x01\x01\x38\x01\x80\xbb\x00\x00\x00\x00\x00"
	for what, try := range map[string]struct{ body, name, told, mime, how string }{
		"a picture":            {picture, "a.png", "image/png", "image/png", "inline"},
		"a picture untold":     {picture, "a", "", "image/png", "inline"},
		"a picture's head":     {picture[:33], "a.png", "image/png", "application/octet-stream", "attachment"},
		"HTML named .png":      {"<!doctype html><script>alert(1)</script>", "a.png", "image/png", "application/octet-stream", "attachment"},
		"HTML":                 {"<html><script>alert(1)</script>", "a.html", "text/html", "application/octet-stream", "attachment"},
		"SVG with script":      {`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`, "a.svg", "image/svg+xml", "application/octet-stream", "attachment"},
		"SVG as a picture":     {`<?xml version="1.0"?><svg onload="alert(1)"/>`, "a.png", "image/png", "application/octet-stream", "attachment"},
		"a GIF without frames": {"GIF89a\x01\x00\x01\x00\x00\x00\x00;", "a.gif", "image/gif", "application/octet-stream", "attachment"},
		"a PDF":                {"%PDF-1.7 /JS (app.alert(1))", "a.pdf", "application/pdf", "application/octet-stream", "attachment"},
		"a zip":                {"PK\x03\x04zipped", "a.zip", "application/zip", "application/octet-stream", "attachment"},
		"bytes said to be JPG": {"\x00\x01\x02\x03\x04\x05", "a.jpg", "image/jpeg", "application/octet-stream", "attachment"},
		"a film":               {film(), "a.mp4", "video/mp4", "video/mp4", "inline"},
		"a film's head":        {film()[:24], "a.mp4", "video/mp4", "application/octet-stream", "attachment"},
		"a voice":              {voice, "a.ogg", "audio/ogg", "audio/ogg", "inline"},
		"half a voice":         {voice[:20], "a.ogg", "audio/ogg", "application/octet-stream", "attachment"},
		"nothing":              {"", "a.png", "image/png", "application/octet-stream", "attachment"},
	} {
		id := w.upload("ann", try.name, try.told, []byte(try.body))
		a := w.do("ann", "GET", "/v1/files/"+id, nil)
		how, _, _ := strings.Cut(a.Header.Get("Content-Disposition"), ";")
		if a.StatusCode != 200 || a.body != try.body || a.Header.Get("Content-Type") != try.mime || how != try.how {
			t.Errorf("%s: %s, %s, %s", what, a.Status, a.Header.Get("Content-Type"), a.Header.Get("Content-Disposition"))
		}
	}
}
