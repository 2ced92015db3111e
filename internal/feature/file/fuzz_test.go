package file_test

import (
	"bytes"
	"net/http"
	"strconv"
	"testing"
)

// FuzzUploadParts does with an upload what the bytes say, and holds the server
// to a model of it: an upload has exactly the bytes that were accepted, in
// order, and is a file when they are all there.
func FuzzUploadParts(f *testing.F) {
	for _, ops := range []string{"", "\x00\x10\x00\x20", "\x01\x10\x00\x20\x02\x00\x00\x90", "\x03\x00\x00\xff", "\x00\xff\x04\x10\x00\xff\x00\xff", "\x05\x01\x00\x33\x05\x00"} {
		f.Add([]byte(ops))
	}
	w := newWorld(f, f.TempDir())
	f.Fuzz(func(t *testing.T, ops []byte) {
		w.t = t
		body := random(11, 1500)
		n := w.nodes[0]
		path, at, gone := n.create(t, ann, len(body)), 0, false
		for i := 0; i+1 < len(ops) && i < 40; i += 2 {
			size := int(ops[i+1]) * 4
			offset, chunk := at, body[min(at, len(body)):min(len(body), at+size)]
			switch ops[i] % 6 {
			case 1: // behind
				offset += 1 + size
			case 2: // before
				offset = max(0, at-size)
			case 3: // more than there is room for
				chunk = append(bytes.Clone(body[at:]), make([]byte, size+1)...)
			case 4:
				n = w.nodes[i/2%2]
			case 5:
				if res, _ := n.request(t, ann, "DELETE", path, nil); (res.StatusCode == http.StatusNoContent) != (!gone && at < len(body)) {
					t.Fatalf("given up at %d: %s", at, res.Status)
				}
				gone = gone || at < len(body)
				continue
			}
			res, text := n.patch(t, ann, path, offset, chunk)
			switch {
			case gone:
				if res.StatusCode != http.StatusNotFound {
					t.Fatalf("an upload that is gone: %s", res.Status)
				}
			case offset != at:
				if res.StatusCode != http.StatusConflict {
					t.Fatalf("at %d instead of %d: %s %s", offset, at, res.Status, text)
				}
			case at+len(chunk) > len(body):
				if res.StatusCode != http.StatusRequestEntityTooLarge {
					t.Fatalf("%d bytes too many: %s", at+len(chunk)-len(body), res.Status)
				}
			default:
				if at += len(chunk); res.StatusCode != http.StatusNoContent || res.Header.Get("Upload-Offset") != strconv.Itoa(at) {
					t.Fatalf("at %d: %s %s", at, res.Status, text)
				}
			}
		}
		switch is := n.head(t, ann, path); {
		case gone && is != -1, !gone && is != at:
			t.Fatalf("the upload stands at %d, want %d (gone %v)", is, at, gone)
		case !gone && at == len(body):
			w.whole(path, body)
		case !gone:
			n.request(t, ann, "DELETE", path, nil)
		}
	})
}
