package file_test

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/db"
)

func TestAnUploadGoesOnWhereItStoppedOnAnyNode(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		body := random(1, 20<<20+777)
		path := w.nodes[0].create(t, ann, len(body), "filename", "film.mp4")
		dice := rand.New(rand.NewPCG(1, 2))
		for i := 0; i < 8; i++ {
			n := w.nodes[i%2]
			if i == 4 { // a node that remembers nothing
				w.nodes[1] = w.start()
			}
			at := n.head(t, ann, path)
			n.cut(t, ann, path, at, body, dice.IntN(3<<20))
		}
		for tries := 0; ; tries++ {
			n := w.nodes[tries%2]
			at := n.head(t, ann, path)
			if at == len(body) {
				break
			}
			// The server may still read what a lost connection has left, or be about to: then the upload moves on under the hand.
			switch res, text := n.patch(t, ann, path, at, body[at:]); res.StatusCode {
			case http.StatusNoContent, http.StatusConflict, http.StatusServiceUnavailable:
			default:
				t.Fatalf("%s %s", res.Status, text)
			}
			if tries > 30 {
				t.Fatal("it comes to no end")
			}
		}
		w.whole(path, body)
	})
}

func TestTheSameBytesAreStoredOnceButOnlyForWhoBringsThem(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		body := random(2, 300_000)
		sum := sha256.Sum256(body)
		first := w.nodes[0].upload(t, ann, body)
		// To know the hash gives nothing.
		second := w.nodes[1].create(t, "shop/bob", len(body), "sha256", hex.EncodeToString(sum[:]))
		if at := w.nodes[1].head(t, "shop/bob", second); at != 0 {
			t.Errorf("a hash spared %d bytes", at)
		}
		if n := w.count("SELECT count(*) FROM file"); n != 1 {
			t.Errorf("%d files", n)
		}
		w.nodes[1].patch(t, "shop/bob", second, 0, body)
		w.whole(first, body)
		w.whole(second, body)
		if n := w.files("objects"); n != 1 {
			t.Errorf("the bytes lie there %d times", n)
		}
		// Another app has its own.
		w.whole(w.nodes[0].upload(t, "cafe/ann", body), body)
		if n := w.files("objects"); n != 2 {
			t.Errorf("two apps have %d objects", n)
		}
		if n := w.files("uploads") + w.count("SELECT count(*) FROM file_trash"); n != 0 {
			t.Errorf("%d are left over", n)
		}
	})
}

func TestManyBringTheSameBytesAtOnce(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		body := random(3, 200_000)
		paths := make([]string, 8)
		var all sync.WaitGroup
		for i := range paths {
			all.Go(func() { paths[i] = w.nodes[i%2].upload(t, fmt.Sprint("shop/u", i), body) })
		}
		all.Wait()
		for _, p := range paths {
			w.whole(p, body)
		}
		if n := w.files("objects"); n != 1 {
			t.Errorf("the bytes lie there %d times", n)
		}
		if n := w.count("SELECT uses FROM file_bytes"); n != len(paths) {
			t.Errorf("%d uses", n)
		}
	})
}

func TestBytesThatAreNotWhatWasToldAreRefused(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		body := random(4, 1000)
		path := w.nodes[0].create(t, ann, len(body), "sha256", strings.Repeat("ab", 32))
		if res, text := w.nodes[0].patch(t, ann, path, 0, body); res.StatusCode != http.StatusBadRequest {
			t.Errorf("%s %s", res.Status, text)
		}
		if at := w.nodes[0].head(t, ann, path); at != -1 {
			t.Errorf("the upload is still there, at %d", at)
		}
		if n := w.files("objects") + w.files("uploads") + w.count("SELECT count(*) FROM file"); n != 0 {
			t.Errorf("%d are left over", n)
		}
	})
}

func TestWhatTheProtocolForbidsIsRefusedAndChangesNothing(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		n := w.nodes[0]
		body := random(5, 5000)
		path := n.create(t, ann, len(body), "filename", "a.txt")
		n.patch(t, ann, path, 0, body[:1000])
		octets := "application/offset+octet-stream"
		right, wrong := sha1.Sum(body[1000:2000]), sha1.Sum(body)
		for name, try := range map[string]struct {
			who, method, path string
			status            int
			body              []byte
			headers           []string
		}{
			"an offset before":              {ann, "PATCH", path, 409, body, []string{"Content-Type", octets, "Upload-Offset", "0"}},
			"an offset behind":              {ann, "PATCH", path, 409, body[2000:], []string{"Content-Type", octets, "Upload-Offset", "2000"}},
			"an overlapping part":           {ann, "PATCH", path, 409, body[500:], []string{"Content-Type", octets, "Upload-Offset", "500"}},
			"an offset of -1":               {ann, "PATCH", path, 400, body, []string{"Content-Type", octets, "Upload-Offset", "-1"}},
			"an offset of +1000":            {ann, "PATCH", path, 400, body, []string{"Content-Type", octets, "Upload-Offset", "+1000"}},
			"an offset of 10^30":            {ann, "PATCH", path, 400, body, []string{"Content-Type", octets, "Upload-Offset", "1" + strings.Repeat("0", 30)}},
			"no offset":                     {ann, "PATCH", path, 400, body, []string{"Content-Type", octets}},
			"another content type":          {ann, "PATCH", path, 415, body[1000:], []string{"Content-Type", "text/plain", "Upload-Offset", "1000"}},
			"another version":               {ann, "PATCH", path, 412, body[1000:], []string{"Content-Type", octets, "Upload-Offset", "1000", "Tus-Resumable", "0.2.2"}},
			"no version":                    {ann, "HEAD", path, 412, nil, []string{"Tus-Resumable", ""}},
			"nobody":                        {"", "PATCH", path, 401, body[1000:], []string{"Content-Type", octets, "Upload-Offset", "1000"}},
			"another user":                  {"shop/eve", "PATCH", path, 404, body[1000:], []string{"Content-Type", octets, "Upload-Offset", "1000"}},
			"another app's user":            {"cafe/ann", "HEAD", path, 404, nil, nil},
			"another user's end":            {"shop/eve", "DELETE", path, 404, nil, nil},
			"an upload that is none":        {ann, "HEAD", "/v1/uploads/0123", 404, nil, nil},
			"a path that leads away":        {ann, "HEAD", "/v1/uploads/..%2f..%2fetc", 404, nil, nil},
			"no upload":                     {ann, "PATCH", "/v1/uploads/", 404, body, []string{"Content-Type", octets, "Upload-Offset", "0"}},
			"another method":                {ann, "PUT", path, 405, body, nil},
			"a wrong checksum":              {ann, "PATCH", path, 460, body[1000:2000], []string{"Content-Type", octets, "Upload-Offset", "1000", "Upload-Checksum", "sha1 " + base64.StdEncoding.EncodeToString(wrong[:])}},
			"a checksum of no kind":         {ann, "PATCH", path, 400, body[1000:2000], []string{"Content-Type", octets, "Upload-Offset", "1000", "Upload-Checksum", "crc7 " + base64.StdEncoding.EncodeToString(right[:])}},
			"a checksum that is none":       {ann, "PATCH", path, 400, body[1000:2000], []string{"Content-Type", octets, "Upload-Offset", "1000", "Upload-Checksum", "sha1 !!!"}},
			"a checksum of another length":  {ann, "PATCH", path, 400, body[1000:2000], []string{"Content-Type", octets, "Upload-Offset", "1000", "Upload-Checksum", "sha256 " + base64.StdEncoding.EncodeToString(right[:])}},
			"no size":                       {ann, "POST", "/v1/uploads/", 400, nil, nil},
			"a size of -1":                  {ann, "POST", "/v1/uploads/", 400, nil, []string{"Upload-Length", "-1"}},
			"a size that is no number":      {ann, "POST", "/v1/uploads/", 400, nil, []string{"Upload-Length", "1e3"}},
			"a size over the limit":         {ann, "POST", "/v1/uploads/", 413, nil, []string{"Upload-Length", fmt.Sprint(100<<20 + 1)}},
			"a size of 2^63":                {ann, "POST", "/v1/uploads/", 400, nil, []string{"Upload-Length", "9223372036854775808"}},
			"a size that is told later":     {ann, "POST", "/v1/uploads/", 400, nil, []string{"Upload-Defer-Length", "1"}},
			"a concatenation":               {ann, "POST", "/v1/uploads/", 400, nil, []string{"Upload-Length", "1", "Upload-Concat", "partial"}},
			"metadata that are none":        {ann, "POST", "/v1/uploads/", 400, nil, []string{"Upload-Length", "1", "Upload-Metadata", "filename !!!"}},
			"metadata twice":                {ann, "POST", "/v1/uploads/", 400, nil, []string{"Upload-Length", "1", "Upload-Metadata", "a YQ==,a YQ=="}},
			"metadata without end":          {ann, "POST", "/v1/uploads/", 400, nil, []string{"Upload-Length", "1", "Upload-Metadata", "a " + strings.Repeat("YWFh", 2000)}},
			"a name that is no text":        {ann, "POST", "/v1/uploads/", 400, nil, []string{"Upload-Length", "1", "Upload-Metadata", metadata("filename", "\xff\xfe")}},
			"a media type that is none":     {ann, "POST", "/v1/uploads/", 400, nil, []string{"Upload-Length", "1", "Upload-Metadata", metadata("filetype", "text")}},
			"a hash that is none":           {ann, "POST", "/v1/uploads/", 400, nil, []string{"Upload-Length", "1", "Upload-Metadata", metadata("sha256", "abc")}},
			"a first chunk of another type": {ann, "POST", "/v1/uploads/", 415, body, []string{"Upload-Length", "5000", "Content-Type", "image/png"}},
		} {
			t.Run(name, func(t *testing.T) {
				res, text := n.request(t, try.who, try.method, try.path, bytes.NewReader(try.body), try.headers...)
				if res.StatusCode != try.status {
					t.Errorf("%s, want %d: %s", res.Status, try.status, text)
				}
				if at := n.head(t, ann, path); at != 1000 {
					t.Errorf("the upload stands at %d", at)
				}
			})
		}
		if uploads := w.count("SELECT count(*) FROM file_upload"); uploads != 1 {
			t.Errorf("there are %d uploads", uploads)
		}
		if res, text := n.patch(t, ann, path, 1000, body[1000:2000], "Upload-Checksum", "sha1 "+base64.StdEncoding.EncodeToString(right[:])); res.StatusCode != http.StatusNoContent {
			t.Errorf("a right checksum: %s %s", res.Status, text)
		}
		tooMany := append(bytes.Clone(body[2000:]), 'x')
		if res, _ := n.patch(t, ann, path, 2000, tooMany); res.StatusCode != http.StatusRequestEntityTooLarge || n.head(t, ann, path) != 2000 {
			t.Errorf("a byte too many: %s, and it stands at %d", res.Status, n.head(t, ann, path))
		}
		// Of a length that is not told the server takes what there is room for.
		res, _ := n.request(t, ann, "PATCH", path, io.MultiReader(bytes.NewReader(tooMany)), "Content-Type", octets, "Upload-Offset", "2000")
		if at := n.head(t, ann, path); res.StatusCode != http.StatusRequestEntityTooLarge || at != len(body) {
			t.Errorf("a byte too many: %s, and it stands at %d", res.Status, at)
		}
		w.whole(path, body)
		if res, _ := n.request(t, ann, "DELETE", path, nil); res.StatusCode != http.StatusConflict {
			t.Errorf("a complete upload was given up: %s", res.Status)
		}
	})
}

func TestAnUploadMayComeWithItsFirstBytesOrNone(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		body := random(6, 70_000)
		for _, first := range []int{len(body), 100, 0} {
			res, text := w.nodes[0].request(t, ann, "POST", "/v1/uploads/", bytes.NewReader(body[:first]), "Upload-Length", fmt.Sprint(len(body)), "Content-Type", "application/offset+octet-stream")
			if res.StatusCode != http.StatusCreated || res.Header.Get("Upload-Offset") != fmt.Sprint(first) {
				t.Fatalf("%s %s, offset %s", res.Status, text, res.Header.Get("Upload-Offset"))
			}
			path := res.Header.Get("Location")
			if first < len(body) {
				w.nodes[1].patch(t, ann, path, first, body[first:])
			}
			w.whole(path, body)
		}
		empty := w.nodes[0].create(t, ann, 0, "filename", "empty")
		if at := w.nodes[0].head(t, ann, empty); at != 0 {
			t.Errorf("an empty one stands at %d", at)
		}
		w.whole(empty, nil)
	})
}

func TestWhoComesBackNeedsNotWaitForTheirLostConnection(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		body := random(7, 500_000)
		path := w.nodes[0].create(t, ann, len(body))
		hangs, send := newHang(body[:100_000])
		var all sync.WaitGroup
		all.Go(func() {
			// It never sends the rest, and never closes: a phone that changed networks.
			r, _ := http.NewRequestWithContext(t.Context(), "PATCH", w.nodes[0].server.URL+path, hangs)
			r.ContentLength = int64(len(body))
			for k, v := range map[string]string{"Authorization": ann, "Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"} {
				r.Header.Set(k, v)
			}
			if res, err := http.DefaultClient.Do(r); err == nil {
				_ = res.Body.Close()
			}
		})
		defer all.Wait()
		defer close(send)
		<-hangs.sent
		at, node := 0, w.nodes[1]
		for until := time.Now().Add(20 * time.Second); ; at = node.head(t, ann, path) {
			if at == len(body) {
				break
			}
			node.patch(t, ann, path, at, body[at:])
			if time.Now().After(until) {
				t.Fatalf("it stands at %d, and nobody may go on", at)
			}
		}
		w.whole(path, body)
	})
}

// hang gives some bytes and then waits.
type hang struct {
	first *bytes.Reader
	sent  chan struct{}
	wait  chan struct{}
}

func newHang(first []byte) (*hang, chan struct{}) {
	wait := make(chan struct{})
	return &hang{bytes.NewReader(first), make(chan struct{}), wait}, wait
}

func (h *hang) Read(b []byte) (int, error) {
	if n, err := h.first.Read(b); err == nil {
		return n, nil
	}
	select {
	case <-h.sent:
	default:
		close(h.sent)
	}
	<-h.wait
	return 0, http.ErrBodyReadAfterClose
}

func TestWhatNothingComesForAndNobodySendsIsCollected(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		n := w.nodes[0]
		body := random(8, 100_000)
		half := n.create(t, ann, len(body))
		n.patch(t, ann, half, 0, body[:50_000])
		lone := n.upload(t, ann, body)
		sent, again := n.upload(t, ann, body[:1000]), n.upload(t, "shop/bob", body[:1000])
		must(t, w.db.Write(t.Context(), func(tx db.Tx) error {
			_, err := tx.Exec("UPDATE file SET refs = 1 WHERE id = $1", sent[len("/v1/uploads/"):])
			return err
		}))
		must(t, n.service.Collect(t.Context()))
		if files, objects := w.count("SELECT count(*) FROM file"), w.files("objects"); files != 3 || objects != 2 || n.head(t, ann, half) != 50_000 {
			t.Fatalf("before their time: %d files, %d objects", files, objects)
		}
		// Their time is up.
		must(t, w.db.Write(t.Context(), func(tx db.Tx) error {
			for _, q := range []string{"UPDATE file SET touched = 1", "UPDATE file_upload SET expires = 1"} {
				if _, err := tx.Exec(q); err != nil {
					return err
				}
			}
			return nil
		}))
		must(t, n.service.Collect(t.Context()))
		if at := n.head(t, ann, half); at != -1 {
			t.Errorf("an upload that nothing came for stands at %d", at)
		}
		w.whole(sent, body[:1000])
		for what, got := range map[string]int{"files": w.count("SELECT count(*) FROM file") - 1, "objects": w.files("objects") - 1, "uploads": w.files("uploads"),
			"trash": w.count("SELECT count(*) FROM file_trash"), "bytes": w.count("SELECT count(*) FROM file_bytes") - 1, "uses": w.count("SELECT uses FROM file_bytes") - 1} {
			if got != 0 {
				t.Errorf("%d %s too many", got, what)
			}
		}
		_, _ = lone, again
	})
}

func TestAnUploadThatWasGivenUpIsGone(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		n := w.nodes[0]
		for range 12 { // more than a user may have at once
			path := n.create(t, ann, 1000)
			n.patch(t, ann, path, 0, random(9, 500))
			if res, text := w.nodes[1].request(t, ann, "DELETE", path, nil); res.StatusCode != http.StatusNoContent {
				t.Fatalf("%s %s", res.Status, text)
			}
			if at := n.head(t, ann, path); at != -1 {
				t.Errorf("it stands at %d", at)
			}
		}
		if n := w.files("uploads") + w.count("SELECT count(*) FROM file_upload"); n != 0 {
			t.Errorf("%d are left over", n)
		}
		for range 5 {
			n.create(t, ann, 1000)
		}
		if res, _ := n.request(t, ann, "POST", "/v1/uploads/", nil, "Upload-Length", "1"); res.StatusCode != http.StatusInsufficientStorage {
			t.Errorf("a sixth at once: %s", res.Status)
		}
		n.create(t, "shop/bob", 1)
	})
}
