package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/cloudtest"
)

// fetch asks a bucket, as whoever has a URL of it does.
func fetch(t *testing.T, method, to string, headers ...string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, to, nil)
	must(t, err)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	must(t, err)
	b, err := io.ReadAll(res.Body)
	must(t, errors.Join(err, res.Body.Close()))
	return answer{res, string(b)}
}

// redirected is where the bucket has a file, for whoever may read it.
func (w *world) redirected(link string) string {
	w.t.Helper()
	a := w.do("", "GET", link, nil)
	if a.StatusCode != http.StatusFound || a.Header.Get("Cache-Control") != "no-store" {
		w.t.Fatalf("%s, %q: %s", a.Status, a.Header.Get("Cache-Control"), a.body)
	}
	return a.Header.Get("Location")
}

func TestABucketGivesAFileOutForAMinuteToWhoeverMayReadIt(t *testing.T) {
	server := cloudtest.S3(t)
	b := buckets(t, server, "files")[0]
	w := newWorldWith(t, b.env, "--blobs", b.url, "--blobs-redirect")
	if out, code := w.call("ann", "ConversationService/CreateGroup", map[string]any{"id": "team", "title": "Team", "members": []string{"bob", "cid", "dan"}, "clientId": clientID(t)}); code != "" {
		t.Fatal(out)
	}
	words := strings.Repeat("secret words ", 1000)
	page := "<!doctype html><script>alert(1)</script>"
	file, other, html := w.upload("ann", "plan \u202etxt.bin", "", []byte(words)), w.upload("ann", "other", "", []byte("another one's")), w.upload("ann", "a\r\nX: y.png", "image/png", []byte(page))
	send := func(file string, size int) string {
		t.Helper()
		seq, code := w.send("ann", "team", file, size)
		if code != "" {
			t.Fatal(code)
		}
		return seq
	}
	seq, htmlSeq := send(file, len(words)), send(html, len(page))
	bob := w.key("bob")

	to := w.redirected(link(file, "team", seq, bob))
	u, err := url.Parse(to)
	must(t, err)
	if n, err := strconv.Atoi(u.Query().Get("X-Amz-Expires")); err != nil || n < 1 || n > 60 || !strings.HasPrefix(to, server.URL+"/files/skein/") {
		t.Errorf("for %d s (%v): %s", n, err, to)
	}
	if strings.Contains(to, cloudtest.S3Secret) || strings.Contains(to, bob) {
		t.Errorf("the URL gives away what it should not: %s", to)
	}
	got := fetch(t, "GET", to)
	if got.StatusCode != 200 || got.body != words || got.Header.Get("Content-Type") != "application/octet-stream" || got.Header.Get("Content-Disposition") != `attachment; filename="plan txt.bin"` {
		t.Errorf("the bucket answers %s, %d bytes as %q, %q", got.Status, len(got.body), got.Header.Get("Content-Type"), got.Header.Get("Content-Disposition"))
	}
	if part := fetch(t, "GET", to, "Range", "bytes=7-11"); part.StatusCode != 206 || part.body != "words" {
		t.Errorf("a range: %s %q", part.Status, part.body)
	}
	// What a page could be made of is saved, also by the bucket.
	got = fetch(t, "GET", w.redirected(link(html, "team", htmlSeq, bob)))
	if got.StatusCode != 200 || got.Header.Get("Content-Type") != "application/octet-stream" || got.Header.Get("Content-Disposition") != `attachment; filename="aX y.png"` || got.Header.Get("X") != "" {
		t.Errorf("HTML from the bucket: %s %v", got.Status, got.Header)
	}
	// To ask about it does not take a URL that reads it.
	if a := w.do("", "HEAD", link(file, "team", seq, bob), nil); a.StatusCode != 200 || a.ContentLength != int64(len(words)) {
		t.Errorf("HEAD: %s, %d bytes", a.Status, a.ContentLength)
	}

	// An edited URL reads nothing.
	for what, edit := range map[string]func(u *url.URL, q url.Values){
		"another object": func(u *url.URL, _ url.Values) { u.Path = strings.Replace(u.Path, file, other, 1) },
		"another folder": func(u *url.URL, _ url.Values) { u.Path = "/files/" },
		"more time":      func(_ *url.URL, q url.Values) { q.Set("X-Amz-Expires", "604800") },
		"a later date": func(_ *url.URL, q url.Values) {
			q.Set("X-Amz-Date", time.Now().Add(time.Hour).UTC().Format("20060102T150405Z"))
		},
		"shown in a page":   func(_ *url.URL, q url.Values) { q.Set("response-content-type", "text/html") },
		"shown, not saved":  func(_ *url.URL, q url.Values) { q.Set("response-content-disposition", "inline") },
		"another signature": func(_ *url.URL, q url.Values) { q.Set("X-Amz-Signature", strings.Repeat("0", 64)) },
		"no signature":      func(u *url.URL, q url.Values) { clear(q) },
	} {
		v := *u
		q := u.Query()
		edit(&v, q)
		v.RawQuery = q.Encode()
		if v.String() == to {
			t.Fatalf("%s: it was not edited", what)
		}
		if a := fetch(t, "GET", v.String()); a.StatusCode/100 == 2 || strings.Contains(a.body, "words") || strings.Contains(a.body, "another one's") {
			t.Errorf("%s: %s %.200s", what, a.Status, a.body)
		}
	}
	for _, method := range []string{"PUT", "DELETE"} {
		if a := fetch(t, method, to); a.StatusCode/100 == 2 {
			t.Errorf("%s: %s", method, a.Status)
		}
	}

	// Nobody is led to the bucket who may not read the message at that moment.
	none := func(what, link string, status int) {
		t.Helper()
		if a := w.do("", "GET", link, nil); a.StatusCode != status || a.Header.Get("Location") != "" {
			t.Errorf("%s: %s to %q", what, a.Status, a.Header.Get("Location"))
		}
	}
	cid, dan := w.key("cid"), w.key("dan")
	if _, code := w.call("cid", "ConversationService/LeaveGroup", map[string]any{"conversation": "team", "clientId": clientID(t)}); code != "" {
		t.Fatal(code)
	}
	if _, code := w.call("ann", "ConversationService/RemoveMember", map[string]any{"conversation": "team", "user": "dan", "clientId": clientID(t)}); code != "" {
		t.Fatal(code)
	}
	later := send(other, len("another one's"))
	none("who has left", link(other, "team", later, cid), 404)
	none("who was removed", link(other, "team", later, dan), 404)
	none("a stranger", link(file, "team", seq, w.key("eve")), 404)
	none("a foreign file in a message of one's own", link(other, "team", seq, bob), 404)
	none("a foreign file", "/v1/files/"+other+"?k="+url.QueryEscape(bob), 404)
	none("an edited key", link(file, "team", seq, bob[:len(bob)-2]+"AA"), 401)
	none("no key", fmt.Sprintf("/v1/files/%s?c=team&s=%s", file, seq), 401)
	if _, code := w.call("ann", "MessageService/RecallMessage", map[string]any{"conversation": "team", "seq": seq, "clientId": clientID(t)}); code != "" {
		t.Fatal(code)
	}
	none("a recalled message", link(file, "team", seq, bob), 404)
	if _, code := w.call("bob", "DeviceService/SignOutDevice", map[string]any{"device": "phone-of-bob"}); code != "" {
		t.Fatal(code)
	}
	none("a device that was signed out", link(other, "team", later, bob), 401)
}

func TestWhatIsInABucketOfTheAppsOwnIsReadThereUnlessItIsEncrypted(t *testing.T) {
	server := cloudtest.S3(t)
	all := buckets(t, server, "files", "shop-files")
	w := newWorldWith(t, append(all[0].env, "SKEIN_BLOBS_KEY="), "--blobs", all[0].url, "--blobs-redirect")
	if out, err := w.tool(all[1].env, "app", "bucket", "shop", all[1].url); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	words := strings.Repeat("words ", 1000)
	plain := w.upload("ann", "a", "", []byte(words))
	to := w.redirected("/v1/files/" + plain + "?k=" + url.QueryEscape(w.key("ann")))
	if a := fetch(t, "GET", to); a.StatusCode != 200 || a.body != words || !strings.HasPrefix(to, server.URL+"/shop-files/skein/") {
		t.Errorf("%s from %s", a.Status, to)
	}
	// From now on encrypted: what is there is read as before, what comes passes through the server.
	w.node.Kill()
	key := "SKEIN_BLOBS_KEY=" + strings.Repeat("0f", 32)
	again := newNode(t, w, append(all[0].env, key), "--blobs", all[0].url, "--blobs-redirect")
	secret := again.upload("ann", "b", "", []byte(words+"."))
	if a := again.do("", "GET", "/v1/files/"+secret+"?k="+url.QueryEscape(again.key("ann")), nil); a.StatusCode != 200 || a.body != words+"." {
		t.Errorf("what is encrypted: %s to %q", a.Status, a.Header.Get("Location"))
	}
	if a := fetch(t, "GET", again.redirected("/v1/files/"+plain+"?k="+url.QueryEscape(again.key("ann")))); a.StatusCode != 200 || a.body != words {
		t.Errorf("what was there before: %s", a.Status)
	}
	if out, err := again.tool([]string{key}, "app", "bucket", "shop"); err != nil || !strings.Contains(out, "encrypted: yes") || !strings.Contains(out, "elsewhere: 1 ") {
		t.Errorf("%v\n%s", err, out)
	}
	if n := len(all[0].list()); n != 0 {
		t.Errorf("%d objects in the server's own bucket", n)
	}
}
