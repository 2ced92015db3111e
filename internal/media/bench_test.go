package media_test

import (
	"bytes"
	"context"
	"image/jpeg"
	"io"
	"testing"

	"github.com/skein-im/skein/internal/media"
)

// What a photograph of 200 KB costs, and what of that the way to a child and back
// does.
func BenchmarkAPhotograph(b *testing.B) {
	var out bytes.Buffer
	must(b, jpeg.Encode(&out, noise(1280, 960, 1), &jpeg.Options{Quality: 80}))
	raw := withNotes(out.Bytes(), 1)
	child, _ := newPool(b, "serve")
	for name, by := range map[string]interface {
		Make(ctx context.Context, src io.ReaderAt, size int64, mime string) (media.Made, error)
	}{"here": media.InProcess(limits()), "in a child": child} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				if m, err := by.Make(b.Context(), bytes.NewReader(raw), int64(len(raw)), "image/jpeg"); err != nil || len(m.Previews) != 2 {
					b.Fatal(err, m.Info)
				}
			}
		})
	}
}
