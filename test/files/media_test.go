package files

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/cloudtest"
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

// box writes a box of MP4.
func box(kind string, parts ...string) string {
	body := strings.Join(parts, "")
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(body)+8))) + kind + body
}

// film is the description of a film of 320 × 240 and 5 s.
func film() string {
	zeros := func(n int) string { return strings.Repeat("\x00", n) }
	tkhd := box("tkhd", zeros(40), "\x00\x01\x00\x00", zeros(12), "\x00\x01\x00\x00", zeros(16), "\x01\x40\x00\x00\x00\xf0\x00\x00")
	mdia := box("mdia", box("hdlr", zeros(8), "vide", zeros(13)))
	return box("ftyp", "isom\x00\x00\x02\x00isomiso2") + box("moov", box("mvhd", zeros(12), "\x00\x00\x03\xe8\x00\x00\x13\x88", zeros(80)), box("trak", tkhd, mdia))
}

func TestAFilmIsToldWithoutBeingChanged(t *testing.T) {
	w := newWorld(t)
	// Where it was made is at its end, and goes; it is large, so that it is copied in parts.
	long := film() + box("free", strings.Repeat("x", 12<<20)) + box("uuid", strings.Repeat("GPS 52.5163N", 10))
	file := w.upload("ann", "a.mp4", "video/mp4", []byte(long))
	got, _ := w.call("ann", "FileService/GetFile", map[string]any{"id": file})
	info := got["file"].(map[string]any)
	media, _ := info["media"].(map[string]any)
	if fmt.Sprint(media["width"], media["height"], media["durationMs"]) != "320 240 5000" || info["size"] != fmt.Sprint(len(long)) {
		t.Errorf("%v", got)
	}
	a := w.do("ann", "GET", "/v1/files/"+file, nil)
	if a.StatusCode != http.StatusOK || len(a.body) != len(long) || strings.Contains(a.body, "GPS") || a.body[:len(long)-132] != long[:len(long)-132] {
		t.Errorf("%s, %d bytes", a.Status, len(a.body))
	}
	if sum := sha256.Sum256([]byte(a.body)); info["sha256"] != base64.StdEncoding.EncodeToString(sum[:]) {
		t.Errorf("its hash is %v", info["sha256"])
	}
	if a := w.do("ann", "GET", "/v1/files/"+file+"?t=s", nil); a.StatusCode != http.StatusNotFound {
		t.Errorf("a smaller film: %s", a.Status)
	}
}

// What a picture does to whoever decodes it is done to a process of its own.
func TestAServerStaysUpWhenTheProcessThatReadsAPictureDies(t *testing.T) {
	w := newWorld(t, "--media-memory", fmt.Sprint(64<<20), "--media-workers", "1")
	head := func(kind string, data []byte) []byte {
		b := append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), kind...)
		b = append(b, data...)
		return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
	}
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	for range 6000 {
		_, err := z.Write(make([]byte, 1+4*6000))
		must(t, err)
	}
	must(t, z.Close())
	bomb := bytes.Join([][]byte{[]byte("\x89PNG\r\n\x1a\n"), head("IHDR", []byte{0, 0, 0x17, 0x70, 0, 0, 0x17, 0x70, 8, 6, 0, 0, 0}), head("IDAT", packed.Bytes()), head("IEND", nil)}, nil)
	file := w.upload("ann", "bomb.png", "image/png", bomb)
	got, _ := w.call("ann", "FileService/GetFile", map[string]any{"id": file})
	if got["file"].(map[string]any)["media"] != nil {
		t.Errorf("%v", got)
	}
	if a := w.do("ann", "GET", "/v1/files/"+file, nil); a.StatusCode != http.StatusOK || a.body != string(bomb) || !strings.HasPrefix(a.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("%s %v", a.Status, a.Header)
	}
	// The next one is read as if nothing had been.
	next, _ := w.call("ann", "FileService/GetFile", map[string]any{"id": w.upload("ann", "sea.jpeg", "image/jpeg", photo(t, 300, 200))})
	if next["file"].(map[string]any)["media"] == nil {
		t.Errorf("%v", next)
	}
}

// children are the processes that a process has started.
func children(pid int) (out []int) {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, name := range tasks {
		b, _ := os.ReadFile(name)
		for _, f := range strings.Fields(string(b)) {
			if id, err := strconv.Atoi(f); err == nil {
				out = append(out, id)
			}
		}
	}
	return out
}

func TestAPictureIsMadeThoughItsReadersAreKilledAtAnyMoment(t *testing.T) {
	w := newWorld(t)
	raw := photo(t, 3000, 2200)
	at := w.do("ann", "POST", "/v1/uploads/", nil, "Tus-Resumable", "1.0.0", "Upload-Length", fmt.Sprint(len(raw))).Header.Get("Location")
	killed, stop, done := 0, make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(15 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			for _, pid := range children(w.node.PID()) {
				if syscall.Kill(pid, syscall.SIGKILL) == nil {
					killed++
				}
			}
		}
	}()
	a := w.do("ann", "PATCH", at, raw, "Tus-Resumable", "1.0.0", "Upload-Offset", "0", "Content-Type", "application/offset+octet-stream")
	close(stop)
	<-done
	if a.StatusCode != http.StatusNoContent && a.StatusCode != http.StatusServiceUnavailable || killed == 0 {
		t.Fatalf("%s %s, %d were killed", a.Status, a.body, killed)
	}
	// Who comes back finds it whole, whatever was reached before.
	if again := w.do("ann", "HEAD", at, nil, "Tus-Resumable", "1.0.0"); again.Header.Get("Upload-Offset") != fmt.Sprint(len(raw)) {
		t.Fatalf("%s %v", again.Status, again.Header)
	}
	read := w.do("ann", "GET", "/v1/files/"+path.Base(at), nil)
	if read.StatusCode != http.StatusOK || len(read.body) == 0 {
		t.Errorf("%s", read.Status)
	}
	// The server itself has lost nothing.
	next, _ := w.call("ann", "FileService/GetFile", map[string]any{"id": w.upload("ann", "sea.jpeg", "image/jpeg", photo(t, 500, 400))})
	if next["file"].(map[string]any)["media"] == nil {
		t.Errorf("%v", next)
	}
}

func TestSmallerPicturesAreReadInTheBucketToo(t *testing.T) {
	b := buckets(t, cloudtest.S3(t), "pictures")[0]
	w := newWorldWith(t, b.env, "--blobs", b.url, "--blobs-redirect")
	file := w.upload("ann", "sea.jpeg", "image/jpeg", photo(t, 1600, 1200))
	for size, side := range map[string]int{"": 1600, "s": 160, "l": 1280} {
		a := fetch(t, "GET", w.redirected("/v1/files/"+file+"?k="+url.QueryEscape(w.key("ann"))+"&t="+size))
		c, err := jpeg.DecodeConfig(strings.NewReader(a.body))
		if err != nil || c.Height != side || a.Header.Get("Content-Type") != "image/jpeg" || strings.Contains(a.body, "GPS") {
			t.Errorf("%q: %s, %d × %d, %v", size, a.Status, c.Width, c.Height, err)
		}
	}
	// A film is cleaned by copying it within the bucket, in parts.
	long := film() + box("free", strings.Repeat("x", 12<<20)) + box("uuid", strings.Repeat("GPS 52.5163N", 10))
	id := w.upload("ann", "a.mp4", "video/mp4", []byte(long))
	a := fetch(t, "GET", w.redirected("/v1/files/"+id+"?k="+url.QueryEscape(w.key("ann"))))
	if len(a.body) != len(long) || strings.Contains(a.body, "GPS") {
		t.Errorf("%s, %d bytes", a.Status, len(a.body))
	}
}
