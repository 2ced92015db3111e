package media_test

import (
	"bytes"
	"encoding/binary"
	"image/png"
	"io"
	"strings"
	"testing"

	"github.com/skein-im/skein/internal/media"
)

// hostile are files that are made to hurt whoever reads them, by what is said to
// be in them.
func hostile(t testing.TB) map[string]struct {
	mime string
	b    []byte
} {
	photo := withNotes(jpegOf(t, noise(300, 200, 1)), 1)
	head := func(w, h uint32, depth, kind byte) []byte {
		return append([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", append(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h), depth, kind, 0, 0, 0))...)
	}
	wide := append(append(head(65_535, 65_535, 1, 0), chunk("IDAT", []byte{0x78, 0x9c, 3, 0, 0, 0, 0, 1})...), chunk("IEND", nil)...)
	frame := []byte("\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x4c\x01\x00")
	frames := append([]byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff"), bytes.Repeat(frame, 100_000)...)
	lossless := webpOf(t, noise(64, 64, 1))
	huge := append([]byte("RIFF\xff\xff\xff\xffWEBPVP8L\xff\xff\xff\xff\x2f"), 0xff, 0xff, 0xff, 0x0f)
	other := webpFile(vp8x(0, 10, 10), webpOf(t, noise(300, 300, 1))[12:])
	moving := webpFile(vp8x(2, 16_000, 3000), riff("ANIM", make([]byte, 6)), riff("ANMF", append(make([]byte, 16), riff("VP8L", []byte("\x2f\xff\xff\xff\x0f....."))...)))
	box64 := append(append(append([]byte{0, 0, 0, 1}, "moov"...), be(8, 1<<32)...), make([]byte, 100)...)
	bomb := append(be(4, 1<<32-1), append([]byte("moov"), make([]byte, 200)...)...)
	nested := []byte{}
	for range 5000 {
		nested = box("trak", box("mdia", nested))
	}
	shrunk := mp4Film(t, 0)
	return map[string]struct {
		mime string
		b    []byte
	}{
		"PNG of 65,535 × 65,535":         {"image/png", wide},
		"PNG without pixels":             {"image/png", append(head(10, 10, 8, 6), chunk("IEND", nil)...)},
		"PNG of nothing":                 {"image/png", append(head(0, 0, 8, 6), chunk("IEND", nil)...)},
		"PNG with a chunk of 4 GB":       {"image/png", append(head(10, 10, 8, 6), "\xff\xff\xff\xffIDATxxxxxxxxxx"...)},
		"GIF of 100,000 frames":          {"image/gif", append(frames, ';')},
		"GIF without an end to a block":  {"image/gif", frames[:len(frames)-1]},
		"truncated JPEG":                 {"image/jpeg", photo[:len(photo)/2]},
		"JPEG of 65,500 × 65,500":        {"image/jpeg", append([]byte("\xff\xd8\xff\xc0\x00\x11\x08\xff\xdc\xff\xdc\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01"), photo[len(photo)/2:]...)},
		"JPEG with a segment of 1 byte":  {"image/jpeg", []byte("\xff\xd8\xff\xe1\x00\x01\xff\xd9\xff\xd9")},
		"JPEG that is one marker":        {"image/jpeg", []byte("\xff\xd8\xff\xff\xff\xff")},
		"HTML named .jpg":                {"image/jpeg", []byte("<!doctype html><script>alert(1)</script>")},
		"WebP of 4 GB":                   {"image/webp", huge},
		"WebP cut off":                   {"image/webp", lossless[:len(lossless)-20]},
		"WebP with another size inside":  {"image/webp", other},
		"WebP whose frame does not fit":  {"image/webp", moving},
		"WebP of nothing":                {"image/webp", webpFile(vp8x(0, 1<<24, 1<<24), riff("VP8 ", make([]byte, 10)))},
		"BMP of 2³¹ × 2³¹":               {"image/bmp", append([]byte("BM\x00\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00\xff\xff\xff\x7f\xff\xff\xff\x7f\x01\x00\x18\x00"), make([]byte, 100)...)},
		"AVIF of 2³² × 2³²":              {"image/avif", bytes.ReplaceAll(heif("avif"), append(be(4, 400), be(4, 300)...), []byte("\xff\xff\xff\xff\xff\xff\xff\xff"))},
		"MP4 with a box of 2³² bytes":    {"video/mp4", append(box("ftyp", []byte("isom\x00\x00\x00\x00")), box64...)},
		"MP4 with a box beyond the file": {"video/mp4", append(box("ftyp", []byte("isom\x00\x00\x00\x00")), bomb...)},
		"MP4 with a box of 1 byte":       {"video/mp4", append(box("ftyp", []byte("isom\x00\x00\x00\x00")), "\x00\x00\x00\x01moov"...)},
		"MP4 with a box of 7 bytes":      {"video/mp4", append(box("ftyp", []byte("isom\x00\x00\x00\x00")), "\x00\x00\x00\x07moov"...)},
		"MP4 of nested boxes":            {"video/mp4", box("moov", nested)},
		"MP4 cut off":                    {"video/mp4", shrunk[:200]},
		"MP4 of 100 tracks":              {"video/mp4", box("moov", bytes.Repeat(box("trak", nil), 100))},
		"WebM of 2⁵⁶ bytes":              {"video/webm", []byte("\x1a\x45\xdf\xa3\x01\xff\xff\xff\xff\xff\xff\xfe")},
		"WebM without a track":           {"video/webm", append(el(0x1a45dfa3), el(0x18538067, el(0x1549a966))...)},
		"Ogg of one head":                {"audio/ogg", []byte("OggS\x00\x02" + strings.Repeat("\x00", 20) + "\xff")},
		"WAV without samples a second":   {"audio/wav", append([]byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00"), append(make([]byte, 16), "data\x00\x00\x00\x00"...)...)},
		"MP3 of a head that never ends":  {"audio/mpeg", []byte("ID3\x04\x00\x00\x7f\x7f\x7f\x7f")},
		"AAC of frames of nothing":       {"audio/aac", bytes.Repeat([]byte{0xff, 0xf1, 0x50, 0, 0, 0, 0}, 10)},
		"no bytes":                       {"image/png", nil},
		"a zip, which nobody unpacks":    {"application/zip", []byte("PK\x03\x04")},
		"an SVG, which nobody draws":     {"image/svg+xml", []byte("<svg onload='alert(1)'/>")},
		"a TIFF, which nobody reads":     {"image/tiff", []byte("II*\x00\xff\xff\xff\xff")},
	}
}

func TestWhatIsMadeToHurtIsSavedAndNothingElseHappens(t *testing.T) {
	p, log := newPool(t, "serve")
	for name, c := range hostile(t) {
		m, err := p.Make(t.Context(), bytes.NewReader(c.b), int64(len(c.b)), c.mime)
		if err != nil || m.Shown || len(m.Previews) != 0 || m.Width != 0 || m.Thumb != "" {
			t.Errorf("%s: %+v %v", name, m.Info, err)
		}
	}
	if said := log.String(); said != "" {
		t.Errorf("a child has died: %s", said)
	}
	// Where a picture was taken goes, also when it can not be shown.
	if _, clean := makeOf(t, hostile(t)["truncated JPEG"].b, "image/jpeg"); bytes.Contains(clean, []byte("Kilroy")) {
		t.Error("a truncated JPEG says where it was taken")
	}
	small := media.Limits{Pixels: 1000}
	b := withNotes(jpegOf(t, noise(300, 200, 1)), 6)
	m, err := media.Make(bytes.NewReader(b), int64(len(b)), "image/jpeg", small)
	if err != nil || m.Shown || m.Clean == nil {
		t.Fatalf("%+v %v", m.Info, err)
	}
	clean, err := io.ReadAll(media.Reader(m.Clean, func(from, n int64) io.Reader { return bytes.NewReader(b[from : from+n]) }))
	must(t, err)
	if bytes.Contains(clean, []byte("Kilroy")) {
		t.Error("one that is too large says where it was taken")
	}
	// How it lies it still says: nobody has turned it.
	if again, upright := makeOf(t, clean, "image/jpeg"); again.Width != 200 || bytes.Contains(upright, []byte("Exif")) {
		t.Errorf("%+v", again.Info)
	}
}

func TestAnEXIFThatLeadsNowhereTellsNothing(t *testing.T) {
	for name, tiff := range map[string]string{"a directory beyond the end": "II*\x00\xff\xff\xff\xff", "one that is cut off": "MM\x00*\x00\x00\x00\x08\xff\xff\x01\x12",
		"another order": "IM*\x00\x08\x00\x00\x00", "nothing": "", "an orientation of 9": string(exif(9)), "one of 0": string(exif(0))} {
		b := jpegOf(t, corners(60, 40))
		b = append(append(bytes.Clone(b[:2]), segment(0xe1, []byte("Exif\x00\x00"+tiff))...), b[2:]...)
		if m, clean := makeOf(t, b, "image/jpeg"); !m.Shown || m.Width != 60 || bytes.Contains(clean, []byte("Exif")) {
			t.Errorf("%s: %+v", name, m.Info)
		}
	}
}

func TestAPolyglotIsAPictureAndNothingElse(t *testing.T) {
	jar := "PK\x03\x04\x14\x00\x00\x00\x08\x00META-INF/MANIFEST.MF PK\x05\x06" + strings.Repeat("\x00", 18)
	for mime, b := range map[string][]byte{"image/gif": gifOf(t, 3), "image/png": pngOf(t, corners(50, 50)), "image/jpeg": jpegOf(t, corners(50, 50)), "image/webp": webpOf(t, corners(50, 50))} {
		m, clean := makeOf(t, append(bytes.Clone(b), jar...), mime)
		if !m.Shown || !bytes.Equal(clean, b) {
			t.Errorf("%s: of %d bytes and %d of an archive %d are left", mime, len(b), len(jar), len(clean))
		}
	}
}

// apng is a PNG that moves, of two frames.
func apng(t testing.TB, orientation int) []byte {
	b := pngWithNotes(pngOf(t, corners(200, 100)), orientation)
	control := func(n uint32) []byte {
		data := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, n), 200), 100)
		return chunk("fcTL", append(data, make([]byte, 14)...))
	}
	at := bytes.Index(b, []byte("IDAT")) - 4
	end := bytes.Index(b, []byte("IEND")) - 4
	second := chunk("fdAT", append([]byte{0, 0, 0, 2}, b[at+8:end-4]...))
	return bytes.Join([][]byte{b[:at], chunk("acTL", []byte{0, 0, 0, 2, 0, 0, 0, 0}), control(0), b[at:end], control(1), second, b[end:]}, nil)
}

// movingWebP is one of two frames, of which the first fills a corner.
func movingWebP(t testing.TB, orientation int) []byte {
	frame := func(x, y byte, w, h int) []byte {
		head := []byte{x, 0, 0, y, 0, 0, byte(w - 1), 0, 0, byte(h - 1), 0, 0, 100, 0, 0, 0}
		return riff("ANMF", bytes.Join([][]byte{head, webpOf(t, corners(w, h))[12:], riff("JUNK", []byte(secret))}, nil))
	}
	return webpFile(vp8x(0x0e, 200, 100), riff("ANIM", make([]byte, 6)), frame(0, 0, 200, 100), frame(10, 10, 100, 50), riff("EXIF", exif(orientation)), riff("XMP ", []byte(secret)))
}

func TestWhatMovesGoesOnMoving(t *testing.T) {
	for name, c := range map[string]struct {
		mime  string
		make  func(t testing.TB, orientation int) []byte
		parts []string
	}{
		"APNG": {"image/png", apng, []string{"acTL", "fcTL", "fdAT"}}, "WebP": {"image/webp", movingWebP, []string{"ANIM", "ANMF"}},
	} {
		for o := 1; o <= 6; o += 5 {
			b := c.make(t, o)
			m, clean := makeOf(t, b, c.mime)
			w, h := 200, 100
			want := "RGBW"
			if o == 6 {
				w, h, want = h, w, "BRWG"
			}
			if !m.Shown || !m.Animated || m.Width != w || m.Height != h || len(m.Previews) != 1 {
				t.Fatalf("%s %d: %+v", name, o, m.Info)
			}
			for _, part := range c.parts {
				if got := bytes.Count(clean, []byte(part)); got != bytes.Count(b, []byte(part)) {
					t.Errorf("%s %d: %d × %s", name, o, got, part)
				}
			}
			if bytes.Contains(clean, []byte("Kilroy")) {
				t.Errorf("%s %d: it says where it was made", name, o)
			}
			if got := seen(decodeAs(t, m.Previews[0].Bytes, m.Previews[0].Mime)); got != want {
				t.Errorf("%s %d: the preview shows %s, want %s", name, o, got, want)
			}
			again, _ := makeOf(t, clean, c.mime)
			if !again.Shown || again.Width != w || o == 1 && again.Clean != nil {
				t.Errorf("%s %d: afterwards it is %+v", name, o, again.Info)
			}
		}
	}
	if _, clean := makeOf(t, apng(t, 1), "image/png"); !bytes.HasPrefix(clean, []byte("\x89PNG")) {
		t.Error("it is no PNG")
	} else if _, err := png.Decode(bytes.NewReader(clean)); err != nil {
		t.Error(err)
	}
}
