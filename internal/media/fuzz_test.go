package media_test

import (
	"bytes"
	"io"
	"slices"
	"testing"

	"github.com/skein-im/skein/internal/media"
)

// sound holds what is made of any bytes to what must be true of it. Pictures are
// bounded so that a run looks at many.
func hold(t *testing.T, b []byte, mime string) {
	m, err := media.Make(bytes.NewReader(b), int64(len(b)), mime, media.Limits{Pixels: 1 << 16})
	if err != nil {
		t.Fatalf("%s: %v", mime, err)
	}
	if !m.Shown && (m.Width != 0 || m.Thumb != "" || len(m.Previews) > 0) {
		t.Fatalf("%s is not shown, and %+v", mime, m.Info)
	}
	clean := b
	if m.Clean != nil {
		clean, err = io.ReadAll(media.Reader(m.Clean, func(from, n int64) io.Reader { return bytes.NewReader(b[from : from+n]) }))
		if err != nil || int64(len(clean)) != media.Size(m.Clean) {
			t.Fatalf("%s: pieces of %d bytes have %d: %v", mime, media.Size(m.Clean), len(clean), err)
		}
	}
	if !m.Shown {
		return
	}
	again, err := media.Make(bytes.NewReader(clean), int64(len(clean)), mime, media.Limits{Pixels: 1 << 16})
	if err != nil || !again.Shown || again.Width != m.Width || again.Height != m.Height {
		t.Fatalf("%s: what was made is read as %+v, before it was %+v (%v)", mime, again.Info, m.Info, err)
	}
}

func FuzzImageHeader(f *testing.F) {
	seeds := [][]byte{withNotes(jpegOf(f, corners(40, 30)), 6), pngWithNotes(pngOf(f, corners(40, 30)), 3), webpWithNotes(webpOf(f, corners(40, 30)), 40, 30, 8),
		gifWithNotes(gifOf(f, 2)), apng(f, 6), movingWebP(f, 1), heif("avif")}
	for _, c := range hostile(f) {
		if len(c.b) < 10_000 {
			seeds = append(seeds, c.b)
		}
	}
	for _, b := range seeds {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, mime := range []string{"image/jpeg", "image/png", "image/gif", "image/webp", "image/bmp", "image/avif"} {
			if bytes.HasPrefix(b, magic[mime]) {
				hold(t, b, mime)
			}
		}
	})
}

// magic is what files of a type begin with: all else is refused at once.
var magic = map[string][]byte{"image/jpeg": []byte("\xff\xd8"), "image/png": []byte("\x89PNG"), "image/gif": []byte("GIF8"), "image/webp": []byte("RIFF"), "image/bmp": []byte("BM")}

func FuzzMovie(f *testing.F) {
	types := []string{"video/mp4", "video/webm", "audio/ogg", "audio/wav", "audio/flac", "audio/mpeg", "audio/aac", "image/heic"}
	f.Add(mp4Film(f, 90), byte(0))
	f.Add(recorded(true, 2), byte(1))
	f.Add(recorded(false, 2), byte(1))
	f.Add(opusVoice(70), byte(2))
	f.Add(heif("heic"), byte(7))
	for _, c := range hostile(f) {
		if i := slices.Index(types, c.mime); i >= 0 && len(c.b) < 10_000 {
			f.Add(c.b, byte(i))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, kind byte) { hold(t, b, types[int(kind)%len(types)]) })
}
