package media_test

import (
	"bytes"
	"image/jpeg"
	"testing"

	"github.com/skein-im/skein/internal/media"
)

func BenchmarkAPhotographOf200KB(b *testing.B) {
	var out bytes.Buffer
	must(b, jpeg.Encode(&out, noise(1280, 960, 1), &jpeg.Options{Quality: 60}))
	raw := withNotes(out.Bytes(), 1)
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if m, err := media.Make(bytes.NewReader(raw), int64(len(raw)), "image/jpeg", limits()); err != nil || len(m.Previews) != 2 {
			b.Fatal(err, m.Info)
		}
	}
}
