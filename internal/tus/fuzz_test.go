package tus_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"regexp"
	"strconv"
	"testing"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/tus"
)

// memory is an Uploads that is all there in one variable.
type memory map[string]*stored

type stored struct {
	owner  im.UserID
	size   int64
	body   []byte
	header string
}

const most = 4096

func (m memory) MaxSize(im.Actor) int64 { return most }

func (m memory) Create(_ context.Context, a im.Actor, n tus.New, header string) (string, tus.Info, error) {
	if n.Size > most {
		return "", tus.Info{}, im.Errorf(im.TooLarge, "too large")
	}
	id := fmt.Sprint("u", len(m))
	m[id] = &stored{owner: a.User, size: n.Size, header: header}
	return id, tus.Info{Size: n.Size, Metadata: header}, nil
}

func (m memory) find(a im.Actor, id string) (*stored, error) {
	if u := m[id]; u != nil && u.owner == a.User {
		return u, nil
	}
	return nil, im.ErrNotFound
}

func (u *stored) info() tus.Info {
	return tus.Info{Size: u.size, Offset: int64(len(u.body)), Metadata: u.header}
}

func (m memory) Find(_ context.Context, a im.Actor, id string) (tus.Info, error) {
	u, err := m.find(a, id)
	if err != nil {
		return tus.Info{}, err
	}
	return u.info(), nil
}

func (m memory) Write(_ context.Context, a im.Actor, id string, offset int64, r io.Reader) (tus.Info, error) {
	u, err := m.find(a, id)
	if err != nil {
		return tus.Info{}, err
	}
	if offset != int64(len(u.body)) {
		return u.info(), tus.ErrOffset(int64(len(u.body)))
	}
	b, err := io.ReadAll(r)
	if room := u.size - offset; int64(len(b)) > room {
		b, err = b[:room], im.Errorf(im.TooLarge, "too much")
	}
	u.body = append(u.body, b...)
	return u.info(), err
}

func (m memory) Terminate(_ context.Context, a im.Actor, id string) error {
	u, err := m.find(a, id)
	if err == nil && int64(len(u.body)) == u.size {
		return im.Errorf(im.FailedPrecondition, "complete")
	}
	if err == nil {
		u.owner = "" // the id stays taken
	}
	return err
}

// shot is what there is at a moment, to compare with.
func (m memory) shot() map[string]stored {
	out := map[string]stored{}
	for id, u := range m {
		out[id] = stored{u.owner, u.size, bytes.Clone(u.body), u.header}
	}
	return out
}

// failing gives bytes and then an error.
type failing struct{ r io.Reader }

func (f failing) Read(b []byte) (int, error) {
	n, err := f.r.Read(b)
	if err == io.EOF {
		err = errors.New("cut off")
	}
	return n, err
}

// dice picks from what the fuzzer gives.
type dice struct{ left []byte }

func (d *dice) roll(n int) int {
	if len(d.left) == 0 {
		return 0
	}
	v := int(d.left[0])
	d.left = d.left[1:]
	return v % n
}

func pick[T any](d *dice, of ...T) T { return of[d.roll(len(of))] }

var (
	decimal  = regexp.MustCompile(`^[0-9]+$`)
	metadata = regexp.MustCompile(`^[!-+\--~]+( *[A-Za-z0-9+/]*={0,2})?( *, *[!-+\--~]+( *[A-Za-z0-9+/]*={0,2})?)*$`)
)

// FuzzHandler makes requests of any method, with any headers and bodies, and
// holds the handler to the protocol: bytes are added at the end and never go,
// what is refused changes nothing, and who is not the owner learns nothing.
func FuzzHandler(f *testing.F) {
	for _, ops := range []string{"", "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16",
		"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x02\x01\x00\x00\x00\x00\x00\x00", "\x01\x00\x00\x05\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\x00"} {
		f.Add([]byte(ops), "100", "filename YS50eHQ=", "sha1 2jmj7l5rSw0yVb/vlWAYkK/YBwk=")
		f.Add([]byte(ops), "-1", "a YQ==,a YQ==", "md5 !!!")
	}
	f.Fuzz(func(t *testing.T, ops []byte, a, b, c string) {
		uploads := memory{}
		h := tus.NewHandler(tus.Deps{Uploads: uploads, Prefix: "/up/", Spool: t.TempDir(), Clock: im.SystemClock{}, Entropy: im.SystemEntropy(), Log: slog.New(slog.DiscardHandler),
			Who: func(r *http.Request) (im.Actor, error) {
				if u := r.Header.Get("Authorization"); u != "" {
					return im.Actor{App: "app", User: im.UserID(u)}, nil
				}
				return im.Actor{}, im.Errorf(im.Unauthenticated, "who?")
			}})
		d := &dice{ops}
		for range 12 {
			try(t, h, uploads, d, [3]string{a, b, c})
		}
	})
}

// request makes one of the fuzzer's.
func request(d *dice, uploads memory, raw [3]string) (r *http.Request, sent []byte, whole bool) {
	sent = bytes.Repeat([]byte("0123456789"), 20)[:pick(d, 0, 10, 100, 199)]
	id := pick(d, "", "u0", "u1", "u9", "u0/x", "..", "u0%2f", raw[0])
	at := 0
	if u := uploads[id]; u != nil {
		at = len(u.body)
	}
	var body io.Reader = bytes.NewReader(sent)
	length := int64(len(sent))
	whole = true
	switch d.roll(5) {
	case 1:
		length = -1
	case 2:
		body, length, whole = failing{body}, length+50, false
	case 3:
		body, length, whole = failing{body}, -1, false
	}
	r = httptest.NewRequest("GET", "/up/", body)
	r.Method, r.URL.Path, r.ContentLength = pick(d, "POST", "PATCH", "HEAD", "DELETE", "OPTIONS", "GET", "PUT", "TRACE"), "/up/"+id, length
	if id == "" && r.Method == "PATCH" {
		r.Method = "POST"
	}
	sum := sha1.Sum(sent)
	set := func(name string, values ...string) {
		for _, v := range values {
			r.Header[textproto.CanonicalMIMEHeaderKey(name)] = append(r.Header[textproto.CanonicalMIMEHeaderKey(name)], v)
		}
	}
	set("Authorization", pick(d, []string{"ann"}, []string{"ann"}, []string{"eve"}, nil)...)
	set("Tus-Resumable", pick(d, []string{"1.0.0"}, []string{"1.0.0"}, []string{"1.0.0"}, nil, []string{"0.2.2"}, []string{"1.0.0", "1.0.0"})...)
	set("Content-Type", pick(d, []string{"application/offset+octet-stream"}, []string{"application/offset+octet-stream"}, nil, []string{"text/plain"})...)
	set("Upload-Offset", pick(d, []string{strconv.Itoa(at)}, []string{strconv.Itoa(at)}, nil, []string{"0"}, []string{"-1"}, []string{"1000000000"}, []string{strconv.Itoa(at), "0"}, []string{raw[0]})...)
	set("Upload-Length", pick(d, []string{"300"}, []string{"300"}, []string{strconv.Itoa(len(sent))}, nil, []string{"0"}, []string{"9223372036854775808"}, []string{raw[0]})...)
	set("Upload-Metadata", pick(d, nil, []string{"filename YQ=="}, []string{raw[1]}, []string{raw[1], raw[2]})...)
	set("Upload-Checksum", pick(d, nil, nil, []string{"sha1 " + base64.StdEncoding.EncodeToString(sum[:])}, []string{"sha1 " + base64.StdEncoding.EncodeToString(make([]byte, 20))}, []string{raw[2]})...)
	set("Upload-Defer-Length", pick(d, nil, nil, nil, []string{"1"}, []string{raw[1]})...)
	set("X-HTTP-Method-Override", pick(d, nil, nil, nil, []string{"PATCH"}, []string{"DELETE"}, []string{raw[2]})...)
	return r, sent, whole
}

// try makes a request and looks at what came of it.
func try(t *testing.T, h http.Handler, uploads memory, d *dice, raw [3]string) {
	r, sent, whole := request(d, uploads, raw)
	before := uploads.shot()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	after, method, id := uploads.shot(), r.Method, r.URL.Path[len("/up/"):]
	if over := r.Header.Get("X-Http-Method-Override"); over != "" && method == "POST" {
		method = over
	}
	said := fmt.Sprintf("%s %q %v with %d bytes (whole %v): %d %s", r.Method, r.URL.Path, r.Header, len(sent), whole, w.Code, w.Body)
	if w.Header().Get("Tus-Resumable") != "1.0.0" || w.Code >= 500 && whole {
		t.Fatalf("%s: %v", said, w.Header())
	}
	for i, u := range before {
		now := after[i]
		if !bytes.HasPrefix(now.body, u.body) || now.size != u.size || now.header != u.header || int64(len(now.body)) > u.size {
			t.Fatalf("%s: an upload of %d bytes had %d and has %d", said, u.size, len(u.body), len(now.body))
		}
		if now.owner != u.owner && !(method == "DELETE" && w.Code == 204 && i == id && r.Header.Get("Authorization") == string(u.owner)) {
			t.Fatalf("%s: an upload was given up", said)
		}
		if grew := now.body[len(u.body):]; len(grew) > 0 && (method != "PATCH" || i != id || r.Header.Get("Authorization") != string(u.owner) ||
			r.Header.Get("Upload-Offset") != strconv.Itoa(len(u.body)) || !bytes.HasPrefix(sent, grew)) {
			t.Fatalf("%s: %d bytes were added to %s", said, len(grew), i)
		}
	}
	switch same := maps.EqualFunc(before, after, func(a, b stored) bool { return bytes.Equal(a.body, b.body) && a.owner == b.owner }); {
	case method == "HEAD" || method == "OPTIONS" || method == "GET", w.Code == 460, whole && w.Code >= 400 && w.Code != 413:
		if !same {
			t.Fatalf("%s, and changed something", said)
		}
	case w.Code == 413 && r.ContentLength >= 0 && !same:
		t.Fatalf("%s, and changed something", said)
	}
	switch {
	case method == "POST" && w.Code == 201:
		u, ok := after[fmt.Sprint("u", len(before))]
		if !ok || len(after) != len(before)+1 || !decimal.MatchString(r.Header.Get("Upload-Length")) || u.header != "" && !metadata.MatchString(u.header) || r.Header.Get("Upload-Defer-Length") != "" {
			t.Fatalf("%s: it should not have been made", said)
		}
		if got := w.Header().Get("Upload-Offset"); got != "" && got != strconv.Itoa(len(u.body)) {
			t.Fatalf("%s: it stands at %d and not at %s", said, len(u.body), got)
		}
	case len(after) != len(before) && !(method == "POST" && w.Code == 413 && r.ContentLength < 0):
		t.Fatalf("%s: an upload was made", said)
	case method == "PATCH" && w.Code == 204:
		if len(after[id].body)-len(before[id].body) != len(sent) || w.Header().Get("Upload-Offset") != strconv.Itoa(len(after[id].body)) {
			t.Fatalf("%s: it had %d bytes and has %d, and says %s", said, len(before[id].body), len(after[id].body), w.Header().Get("Upload-Offset"))
		}
	case method == "HEAD" && w.Code == 200:
		if u := after[id]; w.Header().Get("Upload-Offset") != strconv.Itoa(len(u.body)) || w.Header().Get("Upload-Length") != strconv.FormatInt(u.size, 10) || string(u.owner) != r.Header.Get("Authorization") {
			t.Fatalf("%s: %v", said, w.Header())
		}
	}
}
