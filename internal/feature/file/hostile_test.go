package file_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/tus"
)

const octets = "application/offset+octet-stream"

// raw sends text over a connection of its own and returns the statuses of the
// answers; broken, it ends what it sends after it.
func (n *node) raw(t *testing.T, text string, broken bool) (statuses []int) {
	t.Helper()
	c, err := net.Dial("tcp", n.server.Listener.Addr().String())
	must(t, err)
	defer c.Close()
	must(t, c.SetDeadline(time.Now().Add(30*time.Second)))
	_, err = io.WriteString(c, text)
	if broken {
		err = errors.Join(err, c.(*net.TCPConn).CloseWrite())
	}
	must(t, err)
	for r := bufio.NewReader(c); ; {
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			return statuses
		}
		_, _ = io.Copy(io.Discard, res.Body)
		statuses = append(statuses, res.StatusCode)
	}
}

// patchHead is what a PATCH begins with, without its end.
func patchHead(path string, at int, headers ...string) string {
	return fmt.Sprintf("PATCH %s HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nTus-Resumable: 1.0.0\r\nContent-Type: %s\r\nUpload-Offset: %d\r\n%s\r\n",
		path, ann, octets, at, strings.Join(append(headers, ""), "\r\n"))
}

func TestTheSamePartTwiceIsStoredOnce(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		body := random(21, 9<<20)
		path := w.nodes[0].create(t, ann, len(body))
		for i, part := range [][2]int{{0, 1000}, {1000, 8<<20 + 5}, {8<<20 + 5, len(body)}} {
			for k := range 3 {
				want := http.StatusNoContent
				if k > 0 {
					want = http.StatusConflict
				}
				if res, text := w.nodes[(i+k)%2].patch(t, ann, path, part[0], body[part[0]:part[1]]); res.StatusCode != want {
					t.Errorf("part %d for time %d: %s %s", i, k+1, res.Status, text)
				}
				if at := w.nodes[k%2].head(t, ann, path); at != part[1] {
					t.Errorf("it stands at %d, want %d", at, part[1])
				}
			}
		}
		w.whole(path, body)
	})
}

func TestTwoLastPartsAtOnceMakeOneFile(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		for i := range 8 {
			body := random(uint64(100+i), 300_000)
			path := w.nodes[0].create(t, ann, len(body))
			if res, text := w.nodes[0].patch(t, ann, path, 0, body[:200_000]); res.StatusCode != http.StatusNoContent {
				t.Fatalf("%s %s", res.Status, text)
			}
			codes := [3]int{}
			var all sync.WaitGroup
			for k := range codes {
				all.Go(func() {
					res, _ := w.nodes[k%2].patch(t, ann, path, 200_000, body[200_000:])
					codes[k] = res.StatusCode
				})
			}
			all.Wait()
			won := 0
			for _, c := range codes {
				switch c {
				case http.StatusNoContent:
					won++
				case http.StatusConflict, http.StatusServiceUnavailable: // another was there, or took over
				default:
					t.Errorf("answers %v", codes)
				}
			}
			if won > 1 {
				t.Errorf("%d won: %v", won, codes)
			}
			if at := w.nodes[0].head(t, ann, path); at < len(body) { // who was there first was stopped for the others
				if res, text := w.nodes[0].patch(t, ann, path, at, body[at:]); res.StatusCode != http.StatusNoContent {
					t.Errorf("going on at %d: %s %s", at, res.Status, text)
				}
			}
			w.whole(path, body)
			if n := w.count("SELECT count(*) FROM file"); n != i+1 {
				t.Errorf("%d files of %d uploads", n, i+1)
			}
		}
		if n := w.files("uploads") + w.count("SELECT count(*) FROM file_trash"); n != 0 {
			t.Errorf("%d are left over", n)
		}
	})
}

func TestGivingUpAndTheLastPartAtOnceAgreeOnWhatBecame(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		files := 0
		for i := range 10 {
			body := random(uint64(200+i), 200_000)
			path := w.nodes[0].create(t, ann, len(body))
			var put, end int
			var all sync.WaitGroup
			all.Go(func() {
				res, _ := w.nodes[0].patch(t, ann, path, 0, body)
				put = res.StatusCode
			})
			all.Go(func() {
				res, _ := w.nodes[1].request(t, ann, "DELETE", path, nil)
				end = res.StatusCode
			})
			all.Wait()
			at := w.nodes[0].head(t, ann, path)
			switch {
			case put == http.StatusNoContent && end == http.StatusConflict && at == len(body):
				files++
				w.whole(path, body)
			case put != http.StatusNoContent && end == http.StatusNoContent && at == -1:
			default:
				t.Errorf("the last part: %d, giving up: %d, and it stands at %d", put, end, at)
			}
			if n := w.count("SELECT count(*) FROM file"); n != files {
				t.Errorf("%d files, want %d", n, files)
			}
		}
		if n := w.files("uploads") + w.files("objects") - files + w.count("SELECT count(*) FROM file_trash"); n != 0 {
			t.Errorf("%d are left over of %d files", n, files)
		}
	})
}

func TestALengthThatIsALieStoresNoByteThatIsNotTheFiles(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		n, body := w.nodes[0], bytes.Repeat([]byte("0123456789"), 1000)
		path := n.create(t, ann, len(body))
		at := 0
		for _, try := range []struct {
			name    string
			headers []string
			body    string
			first   int // the status of the first answer
			stored  int
		}{
			{"a length of 100 and more bytes", []string{"Content-Length: 100"}, string(body[:100]) + "0123456789 is no request\r\n\r\n", 204, 100},
			{"a length of 100 and 60 bytes", []string{"Content-Length: 100"}, string(body[100:160]), 503, 60},
			{"a length of 0 and more bytes", []string{"Content-Length: 0"}, "0123456789 is no request\r\n\r\n", 204, 0},
			{"a length of -1", []string{"Content-Length: -1"}, "x", 400, 0},
			{"a length of 2^64", []string{"Content-Length: 18446744073709551616"}, "x", 400, 0},
			{"a length that is no number", []string{"Content-Length: 0x10"}, "x", 400, 0},
			{"two lengths", []string{"Content-Length: 1", "Content-Length: 2"}, "xx", 400, 0},
			{"more than is missing", []string{"Content-Length: 10000"}, "x", 413, 0},
			{"a chunk without end", []string{"Transfer-Encoding: chunked"}, "5\r\n01234\r\nffff\r\n56", 503, 7},
			{"a chunk of 2^64", []string{"Transfer-Encoding: chunked"}, "ffffffffffffffffff\r\nxx", 503, 0},
			{"a chunk of -1", []string{"Transfer-Encoding: chunked"}, "-1\r\nxx", 503, 0},
			{"a coding that is none", []string{"Transfer-Encoding: identity, chunked"}, "0\r\n\r\n", 501, 0},
			{"a body of the client's own coding", []string{"Transfer-Encoding: gzip"}, "xx", 501, 0},
		} {
			codes := n.raw(t, patchHead(path, at, try.headers...)+try.body, try.first > http.StatusNoContent)
			if len(codes) == 0 || codes[0] != try.first {
				t.Errorf("%s: %v", try.name, codes)
			}
			for _, c := range codes[min(1, len(codes)):] {
				if c != http.StatusBadRequest {
					t.Errorf("%s: what came behind was answered with %d", try.name, c)
				}
			}
			at += try.stored
			if got := n.head(t, ann, path); got != at {
				t.Fatalf("%s: it stands at %d, want %d", try.name, got, at)
			}
		}
		if res, text := n.patch(t, ann, path, at, body[at:]); res.StatusCode != http.StatusNoContent {
			t.Fatalf("%s %s", res.Status, text)
		}
		w.whole(path, body)
		// More bytes with the upload than it is to have: told before a byte is taken, or found out.
		for name, r := range map[string]io.Reader{"told": bytes.NewReader(body), "not told": io.MultiReader(bytes.NewReader(body))} {
			if res, _ := n.request(t, ann, "POST", "/v1/uploads/", r, "Upload-Length", "100", "Content-Type", octets); res.StatusCode != http.StatusRequestEntityTooLarge {
				t.Errorf("a first part that is too long, %s: %s", name, res.Status)
			}
		}
	})
}

func TestHeadersOutOfAllMeasureAreRefusedAndChangeNothing(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		n, body := w.nodes[0], random(23, 5000)
		path := n.create(t, ann, len(body))
		n.patch(t, ann, path, 0, body[:1000])
		sum := sha256.Sum256(body[1000:])
		checksum := "sha256 " + base64.StdEncoding.EncodeToString(sum[:])
		many := func(name, value string, n int) (out []string) {
			for range n {
				out = append(out, name, value)
			}
			return out
		}
		type try struct {
			method, path string
			status       int
			headers      []string
		}
		tries := map[string]try{
			"two offsets":                {"PATCH", path, 400, []string{"Upload-Offset", "1000", "Upload-Offset", "0"}},
			"the same offset 300 times":  {"PATCH", path, 400, many("Upload-Offset", "1000", 300)},
			"two checksums":              {"PATCH", path, 400, []string{"Upload-Offset", "1000", "Upload-Checksum", checksum, "Upload-Checksum", checksum}},
			"two types":                  {"PATCH", path, 400, []string{"Upload-Offset", "1000", "Content-Type", "text/plain"}},
			"two versions":               {"PATCH", path, 400, []string{"Upload-Offset", "1000", "Tus-Resumable", "0.2.2"}},
			"a checksum of the whole":    {"PATCH", path, 460, []string{"Upload-Offset", "1000", "Upload-Checksum", "sha256 " + strings.Repeat("A", 43) + "="}},
			"a checksum without a value": {"PATCH", path, 400, []string{"Upload-Offset", "1000", "Upload-Checksum", "sha256"}},
			"a checksum of 8 KB":         {"PATCH", path, 400, []string{"Upload-Offset", "1000", "Upload-Checksum", "sha256 " + strings.Repeat("A", 8192)}},
			"two sizes":                  {"POST", "/v1/uploads/", 400, []string{"Upload-Length", "1", "Upload-Length", "2"}},
			"the metadata 300 times":     {"POST", "/v1/uploads/", 400, append(many("Upload-Metadata", "a YQ==", 300), "Upload-Length", "1")},
			"300 metadata":               {"POST", "/v1/uploads/", 400, append(many("Upload-Metadata", "filename "+strings.Repeat("YWFh", 5), 300), "Upload-Length", "1")},
			"a key twice in two headers": {"POST", "/v1/uploads/", 400, []string{"Upload-Length", "1", "Upload-Metadata", "a YQ==", "Upload-Metadata", "a Yg=="}},
			"metadata without a key":     {"POST", "/v1/uploads/", 400, []string{"Upload-Length", "1", "Upload-Metadata", ",,"}},
			"metadata of another base64": {"POST", "/v1/uploads/", 400, []string{"Upload-Length", "1", "Upload-Metadata", "a YQ"}},
			"a key of controls":          {"POST", "/v1/uploads/", 400, []string{"Upload-Length", "1", "Upload-Metadata", "a\tb YQ=="}},
			"a key that is no ASCII":     {"POST", "/v1/uploads/", 400, []string{"Upload-Length", "1", "Upload-Metadata", "naïf YQ=="}},
			"a checksum of another":      {"POST", "/v1/uploads/", 460, []string{"Upload-Length", "4000", "Content-Type", octets, "Upload-Checksum", "sha256 " + strings.Repeat("A", 43) + "="}},
			"another method by override": {"POST", path, 405, []string{"X-HTTP-Method-Override", "PUT"}},
			"a method in small letters":  {"POST", path, 405, []string{"X-HTTP-Method-Override", "patch", "Upload-Offset", "1000"}},
			"two overrides":              {"POST", path, 400, []string{"X-HTTP-Method-Override", "PATCH", "X-HTTP-Method-Override", "DELETE"}},
			"an override of GET":         {"GET", path, 405, []string{"X-HTTP-Method-Override", "DELETE"}},
			"an override of HEAD":        {"HEAD", "/v1/uploads/" + strings.Repeat("0", 32), 404, []string{"X-HTTP-Method-Override", "DELETE"}},
			"a POST to an upload":        {"POST", path, 405, []string{"Upload-Length", "1"}},
			"a path below an upload":     {"DELETE", path + "/x", 404, nil},
			"a path with dots":           {"DELETE", "/v1/uploads/x/../" + path[len("/v1/uploads/"):], 404, nil},
			"an id in capitals":          {"DELETE", strings.ToUpper(path[len("/v1/uploads/"):]), 404, nil},
		}
		for i, offset := range []string{"-1", "1e9", "", " ", "abc", "0x3e8", "1000.0", "1,000", "９９", "9223372036854775808", "1" + strings.Repeat("0", 30)} {
			tries[fmt.Sprint("an offset of ", strconv.Quote(offset), i)] = try{"PATCH", path, 400, []string{"Upload-Offset", offset}}
			tries[fmt.Sprint("a size of ", strconv.Quote(offset), i)] = try{"POST", "/v1/uploads/", 400, []string{"Upload-Length", offset}}
		}
		for _, offset := range []string{"0", "999", "1001", "1000000000", "9223372036854775807"} {
			tries["an offset of "+offset] = try{"PATCH", path, 409, []string{"Upload-Offset", offset}}
		}
		for name, try := range tries {
			r, err := http.NewRequestWithContext(t.Context(), try.method, n.server.URL, nil)
			must(t, err)
			r.URL.Path = try.path
			if !strings.HasPrefix(try.path, "/") {
				r.URL.Path = "/v1/uploads/" + try.path
			}
			if try.method == "PATCH" || strings.HasPrefix(name, "a checksum of another") {
				r.Body = io.NopCloser(bytes.NewReader(body[1000:]))
				r.ContentLength = 4000
			}
			r.Header = http.Header{"Authorization": {ann}, "Tus-Resumable": {"1.0.0"}}
			if try.method == "PATCH" {
				r.Header.Set("Content-Type", octets)
			}
			for i := 0; i < len(try.headers); i += 2 {
				r.Header.Add(try.headers[i], try.headers[i+1])
			}
			res, err := http.DefaultTransport.RoundTrip(r)
			must(t, err)
			text, _ := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if res.StatusCode != try.status {
				t.Errorf("%s: %s, want %d: %s", name, res.Status, try.status, text)
			}
			if at, uploads := n.head(t, ann, path), w.count("SELECT count(*) FROM file_upload"); at != 1000 || uploads != 1 {
				t.Fatalf("%s: it stands at %d, and there are %d uploads", name, at, uploads)
			}
		}
		// The same with what is right.
		res, text := n.request(t, ann, "POST", path, bytes.NewReader(body[1000:]), "X-HTTP-Method-Override", "PATCH", "Content-Type", octets, "Upload-Offset", "1000", "Upload-Checksum", checksum)
		if res.StatusCode != http.StatusNoContent {
			t.Errorf("a PATCH by POST: %s %s", res.Status, text)
		}
		w.whole(path, body)
	})
}

func TestAnothersUploadIsAnsweredAsOneThatIsNone(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		n := w.nodes[0]
		theirs, none := n.create(t, ann, 1000, "filename", "secret.txt"), "/v1/uploads/"+hex.EncodeToString(random(24, 16))
		whole := n.upload(t, ann, random(25, 100))
		for _, who := range []string{"shop/eve", "cafe/ann"} {
			for name, headers := range map[string][]string{
				"HEAD": nil, "DELETE": nil, "PATCH": {"Content-Type", octets, "Upload-Offset", "0"},
				"PATCH elsewhere": {"Content-Type", octets, "Upload-Offset", "500"}, "PATCH of too much": {"Content-Type", octets, "Upload-Offset", "999"},
				"POST as PATCH": {"X-HTTP-Method-Override", "PATCH", "Content-Type", octets, "Upload-Offset", "0"}, "POST as DELETE": {"X-HTTP-Method-Override", "DELETE"},
			} {
				method, _, _ := strings.Cut(name, " ")
				say := func(path string) (string, http.Header) {
					res, text := n.request(t, who, method, path, strings.NewReader("some bytes"), headers...)
					res.Header.Del("Date")
					return res.Status + text, res.Header
				}
				want, wantHeader := say(none)
				for what, path := range map[string]string{"another's": theirs, "another's that is a file": whole, "one that leads away": "/v1/uploads/..%2f" + path.Base(theirs)} {
					got, header := say(path)
					if got != want || !maps.EqualFunc(header, wantHeader, func(a, b []string) bool { return strings.Join(a, "|") == strings.Join(b, "|") }) {
						t.Errorf("%s, %s of %s: %s %v; of one that is none: %s %v", who, name, what, got, header, want, wantHeader)
					}
				}
			}
		}
		if at := n.head(t, ann, theirs); at != 0 {
			t.Errorf("it stands at %d", at)
		}
	})
}

// early is a clock that is a minute behind, less a moment: what may take a
// minute takes a moment.
type early struct{ moment time.Duration }

func (e early) Now() time.Time { return time.Now().Add(e.moment - time.Minute) }

func TestABodyThatStopsLosesItsConnectionAndKeepsWhatCame(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		n, body := w.nodes[0], random(26, 100_000)
		slow := &node{service: n.service, server: httptest.NewServer(tus.NewHandler(tus.Deps{Uploads: n.service, Prefix: "/v1/uploads/", Spool: t.TempDir(),
			Clock: early{500 * time.Millisecond}, Log: slog.New(slog.DiscardHandler), Who: func(*http.Request) (im.Actor, error) { return im.Actor{App: "shop", User: "ann"}, nil }}))}
		t.Cleanup(slow.server.Close)
		path := n.create(t, ann, len(body))
		c, err := net.Dial("tcp", slow.server.Listener.Addr().String())
		must(t, err)
		defer c.Close()
		must(t, c.SetDeadline(time.Now().Add(20*time.Second)))
		_, err = io.WriteString(c, patchHead(path, 0, "Content-Length: 100000")+string(body[:60_000]))
		must(t, err)
		// It stays connected and sends no more.
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		must(t, err)
		_ = res.Body.Close()
		if res.StatusCode != http.StatusServiceUnavailable || !res.Close {
			t.Errorf("%s, closed: %v", res.Status, res.Close)
		}
		if at := n.head(t, ann, path); at != 60_000 {
			t.Errorf("it stands at %d", at)
		}
		if res, text := n.patch(t, ann, path, 60_000, body[60_000:]); res.StatusCode != http.StatusNoContent {
			t.Errorf("going on: %s %s", res.Status, text)
		}
		w.whole(path, body)
	})
}

func TestAServerThatIsAloneNeedsNotWaitForTheOneThatDied(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		n, body := w.nodes[0], random(27, 1000)
		path := n.create(t, ann, len(body))
		must(t, w.db.Write(t.Context(), func(tx db.Tx) error { // as by a server that was killed
			now, err := tx.Now()
			if err == nil {
				_, err = tx.Exec("UPDATE file_upload SET holder = 'dead', held = $1", now+im.Micros(time.Hour.Microseconds()))
			}
			return err
		}))
		must(t, n.service.Alone(t.Context()))
		if res, text := n.patch(t, ann, path, 0, body); res.StatusCode != http.StatusNoContent {
			t.Errorf("%s %s", res.Status, text)
		}
		w.whole(path, body)
	})
}

func TestAnUploadWhoseBytesTheStoreHasLostIsGoneAndBeginsAnew(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		n, body := w.nodes[0], random(28, 3000)
		path := n.create(t, ann, len(body))
		n.patch(t, ann, path, 0, body[:2000])
		must(t, os.RemoveAll(filepath.Join(w.blobs, "uploads"))) // a restore brings rows, and none of these
		must(t, os.Mkdir(filepath.Join(w.blobs, "uploads"), 0o700))
		if res, text := n.patch(t, ann, path, 2000, body[2000:]); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s %s", res.Status, text)
		}
		if at := n.head(t, ann, path); at != -1 {
			t.Errorf("it stands at %d", at)
		}
		w.whole(n.upload(t, ann, body), body)
		if left := w.count("SELECT count(*) FROM file_upload WHERE done = 0"); left != 0 {
			t.Errorf("%d uploads are left", left)
		}
	})
}
