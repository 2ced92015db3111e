package files

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"net/http"
	"strings"
	"testing"
)

// photo is a picture that lies on its side, with a note on where it was taken.
func photo(t *testing.T, w, h int) []byte {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetNRGBA(x, y, color.NRGBA{byte(x), byte(y), byte(x * y / 99), 255})
		}
	}
	var b bytes.Buffer
	must(t, jpeg.Encode(&b, img, nil))
	exif := []byte("Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00GPS 52.5163N")
	out := append([]byte("\xff\xd8\xff\xe1"), binary.BigEndian.AppendUint16(nil, uint16(len(exif)+2))...)
	return append(append(out, exif...), b.Bytes()[2:]...)
}

func TestAPictureIsReadUprightWithoutItsNotesAndSmaller(t *testing.T) {
	w := newWorld(t)
	raw := photo(t, 1600, 1200)
	file := w.upload("ann", "sea.jpeg", "image/jpeg", raw)
	got, _ := w.call("ann", "FileService/GetFile", map[string]any{"id": file})
	info := got["file"].(map[string]any)
	media, ok := info["media"].(map[string]any)
	if !ok {
		t.Fatalf("nothing is told of the picture: %v", got)
	}
	if fmt.Sprint(media["width"], "×", media["height"]) != "1200×1600" || fmt.Sprint(media["thumb"]) == "" || len(media["previews"].([]any)) != 3 {
		t.Errorf("%v", media)
	}
	var size int
	_, err := fmt.Sscan(fmt.Sprint(info["size"]), &size)
	must(t, err)
	seq, code := w.send("ann", "@3:ann:bob", file, size)
	if code != "" {
		t.Fatal(code)
	}
	key := w.key("bob")
	seen := map[string]bool{}
	for t1, side := range map[string]int{"": 1600, "s": 160, "m": 480, "l": 1280} {
		a := w.do("", "GET", link(file, "@3:ann:bob", seq, key)+"&t="+t1, nil)
		if a.StatusCode != http.StatusOK || a.Header.Get("Content-Type") != "image/jpeg" || !strings.HasPrefix(a.Header.Get("Content-Disposition"), "inline") {
			t.Fatalf("%q: %s %v", t1, a.Status, a.Header)
		}
		c, err := jpeg.DecodeConfig(strings.NewReader(a.body))
		must(t, err)
		if c.Height != side || strings.Contains(a.body, "GPS") || strings.Contains(a.body, "Exif") {
			t.Errorf("%q is %d × %d", t1, c.Width, c.Height)
		}
		tag := a.Header.Get("ETag")
		if seen[tag] {
			t.Errorf("%q has the ETag %s of another", t1, tag)
		}
		seen[tag] = true
		if again := w.do("", "GET", link(file, "@3:ann:bob", seq, key)+"&t="+t1, nil, "If-None-Match", tag); again.StatusCode != http.StatusNotModified {
			t.Errorf("%q again: %s", t1, again.Status)
		}
		if part := w.do("", "GET", link(file, "@3:ann:bob", seq, key)+"&t="+t1, nil, "Range", "bytes=0-3"); part.StatusCode != http.StatusPartialContent || part.body != a.body[:4] {
			t.Errorf("a part of %q: %s", t1, part.Status)
		}
	}
	if a := w.do("", "GET", link(file, "@3:ann:bob", seq, key)+"&t=m&d=1", nil); !strings.HasPrefix(a.Header.Get("Content-Disposition"), "attachment") || a.Header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("to save: %v", a.Header)
	}
	if a := w.do("", "GET", link(file, "@3:ann:bob", seq, w.key("eve"))+"&t=s", nil); a.StatusCode != http.StatusNotFound {
		t.Errorf("eve: %s", a.Status)
	}
	if a := w.do("", "GET", link(file, "@3:ann:bob", seq, key)+"&t=xl", nil); a.StatusCode != http.StatusBadRequest {
		t.Errorf("a size that is none: %s", a.Status)
	}
	// One that is small has no smaller ones, and a text is no picture.
	small := w.upload("ann", "dot.jpeg", "image/jpeg", photo(t, 80, 60))
	if a := w.do("ann", "GET", "/v1/files/"+small+"?t=l", nil); a.StatusCode != http.StatusOK {
		t.Errorf("a small one: %s", a.Status)
	}
	text := w.upload("ann", "a.txt", "text/plain", []byte("hello"))
	if a := w.do("ann", "GET", "/v1/files/"+text+"?t=s", nil); a.StatusCode != http.StatusNotFound {
		t.Errorf("a text: %s", a.Status)
	}
	// The same photograph again is the same file.
	if again, _ := w.call("ann", "FileService/GetFile", map[string]any{"id": w.upload("ann", "again.jpeg", "image/jpeg", raw)}); again["file"].(map[string]any)["sha256"] != info["sha256"] {
		t.Errorf("%v", again)
	}
}
