package media_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/HugoSmits86/nativewebp"
	"golang.org/x/image/bmp"
	"golang.org/x/image/webp"

	"github.com/skein-im/skein/internal/media"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func limits() media.Limits { return media.Limits{Pixels: media.DefaultPixels} }

// make makes what is made of bytes, and returns those that are kept.
func makeOf(t testing.TB, b []byte, mime string) (media.Made, []byte) {
	t.Helper()
	m, err := media.Make(bytes.NewReader(b), int64(len(b)), mime, limits())
	must(t, err)
	if m.Clean == nil {
		return m, b
	}
	out, err := io.ReadAll(media.Reader(m.Clean, func(from, n int64) io.Reader { return bytes.NewReader(b[from : from+n]) }))
	must(t, err)
	if int64(len(out)) != media.Size(m.Clean) {
		t.Fatalf("pieces of %d bytes have %d", media.Size(m.Clean), len(out))
	}
	return m, out
}

// corners is a picture whose four quarters are red, green, blue and white, in
// reading order, so that one sees how it lies.
func corners(w, h int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetNRGBA(x, y, quarters[x*2/w+y*2/h*2])
		}
	}
	return img
}

var quarters = [4]color.NRGBA{{220, 20, 20, 255}, {20, 180, 20, 255}, {20, 20, 220, 255}, {240, 240, 240, 255}}

// seen names the quarters of a picture: RGBW as it was drawn.
func seen(img image.Image) string {
	b := img.Bounds()
	out := ""
	for i := range 4 {
		x, y := b.Min.X+b.Dx()*(1+2*(i%2))/4, b.Min.Y+b.Dy()*(1+2*(i/2))/4
		r, g, bl, _ := img.At(x, y).RGBA()
		switch r, g, bl = r>>8, g>>8, bl>>8; {
		case r > 180 && g > 180 && bl > 180:
			out += "W"
		case r > 150 && g < 90 && bl < 90:
			out += "R"
		case g > 120 && r < 90 && bl < 90:
			out += "G"
		case bl > 150 && r < 90 && g < 90:
			out += "B"
		default:
			out += fmt.Sprintf("(%d,%d,%d)", r, g, bl)
		}
	}
	return out
}

// noise is a picture that looks like a photograph to a compressor.
func noise(w, h int, seed uint64) *image.NRGBA {
	dice := rand.New(rand.NewPCG(seed, 1))
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range img.Pix {
		img.Pix[i] = byte(128 + i/4%w*100/w + dice.IntN(24) - 60)
		if i%4 == 3 {
			img.Pix[i] = 255
		}
	}
	return img
}

func jpegOf(t testing.TB, img image.Image) []byte {
	var out bytes.Buffer
	must(t, jpeg.Encode(&out, img, &jpeg.Options{Quality: 90}))
	return out.Bytes()
}

func pngOf(t testing.TB, img image.Image) []byte {
	var out bytes.Buffer
	must(t, png.Encode(&out, img))
	return out.Bytes()
}

func webpOf(t testing.TB, img image.Image) []byte {
	var out bytes.Buffer
	must(t, nativewebp.Encode(&out, img, nil))
	return out.Bytes()
}

// secret is what nobody may find in what is kept.
const secret = "Kilroy was here 52.5163N"

// exif is a TIFF with an orientation, a place (GPS), a name and a thumbnail.
func exif(orientation int) []byte {
	order := binary.BigEndian
	b := []byte("MM\x00*\x00\x00\x00\x08\x00\x03")
	entry := func(tag, kind uint16, n, value uint32) {
		b = order.AppendUint32(order.AppendUint32(order.AppendUint16(order.AppendUint16(b, tag), kind), n), value)
	}
	entry(0x10f, 2, uint32(len(secret)), 200)   // who made it
	entry(0x112, 3, 1, uint32(orientation)<<16) // how it lies
	entry(0x8825, 4, 1, 120)                    // where it was taken
	b = append(b, make([]byte, 300-len(b))...)
	copy(b[200:], secret)
	return append(b, "\xff\xd8\xff\xe0 a thumbnail: "+secret...)
}

func segment(marker byte, data []byte) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{0xff, marker}, uint16(len(data)+2)), data...)
}

// profile is a colour profile of RGB, or nearly.
func profile(n int) []byte {
	b := bytes.Repeat([]byte("icc!"), n/4)
	copy(b[16:], "RGB ")
	return b
}

// withNotes puts into a JPEG all that cameras, programs and jokers put there.
func withNotes(b []byte, orientation int) []byte {
	out := append([]byte{}, b[:2]...)
	jfif := append([]byte("JFIF\x00\x01\x02\x00\x00\x01\x00\x01\x02\x02"), secret[:12]...) // with a thumbnail
	out = append(out, segment(0xe0, jfif)...)
	out = append(out, segment(0xe1, append([]byte("Exif\x00\x00"), exif(orientation)...))...)
	out = append(out, segment(0xe1, []byte("http://ns.adobe.com/xap/1.0/\x00"+secret))...)
	out = append(out, segment(0xe2, append([]byte("ICC_PROFILE\x00\x01\x01"), profile(400)...))...)
	out = append(out, segment(0xe2, []byte("MPF\x00"+secret))...)
	out = append(out, segment(0xed, []byte("Photoshop 3.0\x008BIM"+secret))...)
	out = append(out, segment(0xfe, []byte(secret))...)
	out = append(out, b[2:]...)
	return append(out, secret+"PK\x03\x04"...)
}

func chunk(kind string, data []byte) []byte {
	b := append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), kind...)
	b = append(b, data...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

func pngWithNotes(b []byte, orientation int) []byte {
	out := append([]byte{}, b[:33]...)
	out = append(out, chunk("gAMA", []byte{0, 0, 0xb1, 0x8f})...)
	out = append(out, chunk("eXIf", exif(orientation))...)
	out = append(out, chunk("tEXt", []byte("Author\x00"+secret))...)
	out = append(out, chunk("iTXt", []byte("XML:com.adobe.xmp\x00\x00\x00\x00\x00"+secret))...)
	out = append(out, chunk("prVt", []byte(secret))...)
	out = append(out, b[33:]...)
	return append(out, secret...)
}

func riff(kind string, data []byte) []byte {
	out := append(binary.LittleEndian.AppendUint32([]byte(kind), uint32(len(data))), data...)
	if len(data)%2 == 1 {
		out = append(out, 0)
	}
	return out
}

func webpFile(chunks ...[]byte) []byte {
	body := append([]byte("WEBP"), bytes.Join(chunks, nil)...)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

func vp8x(flags byte, w, h int) []byte {
	w, h = w-1, h-1
	return riff("VP8X", []byte{flags, 0, 0, 0, byte(w), byte(w >> 8), byte(w >> 16), byte(h), byte(h >> 8), byte(h >> 16)})
}

func webpWithNotes(b []byte, w, h, orientation int) []byte {
	return append(webpFile(vp8x(0x3c, w, h), riff("ICCP", profile(400)), b[12:], riff("EXIF", exif(orientation)), riff("XMP ", []byte(secret)), riff("JUNK", []byte(secret))), secret...)
}

func gifOf(t testing.TB, frames int) []byte {
	g := &gif.GIF{LoopCount: 0}
	for i := range frames {
		img := image.NewPaletted(image.Rect(0, 0, 300, 200), color.Palette{color.Black, color.White, color.NRGBA{200, 0, 0, 255}})
		for p := range img.Pix {
			img.Pix[p] = byte((p + i) % 3)
		}
		g.Image, g.Delay = append(g.Image, img), append(g.Delay, 5)
	}
	var out bytes.Buffer
	must(t, gif.EncodeAll(&out, g))
	return out.Bytes()
}

func gifWithNotes(b []byte) []byte {
	at := 13 + 3<<(b[10]&7+1)*int(b[10]>>7)
	note := func(label byte, name string) []byte {
		out := []byte{0x21, label}
		if name != "" {
			out = append(append(out, byte(len(name))), name...)
		}
		return append(append(append(out, byte(len(secret))), secret...), 0)
	}
	out := append([]byte{}, b[:at]...)
	out = append(append(append(out, note(0xfe, "")...), note(0xff, "XMP DataXMP")...), note(0xff, "ICCRGBG1012")[:0]...)
	out = append(out, b[at:]...)
	return append(out, "PK\x03\x04 META-INF/MANIFEST.MF "+secret...)
}

func decodeAs(t testing.TB, b []byte, mime string) image.Image {
	t.Helper()
	img, err := map[string]func(io.Reader) (image.Image, error){"image/jpeg": jpeg.Decode, "image/png": png.Decode, "image/gif": gif.Decode,
		"image/webp": webp.Decode, "image/bmp": bmp.Decode}[mime](bytes.NewReader(b))
	must(t, err)
	return img
}

func TestWhatACameraWroteIsGoneAndThePixelsAreThoseThatCame(t *testing.T) {
	img := noise(700, 500, 1)
	var bitmap bytes.Buffer
	must(t, bmp.Encode(&bitmap, img))
	for name, c := range map[string]struct {
		mime         string
		plain, noted []byte
		kept         []string // what has to be there still
	}{
		"JPEG":       {"image/jpeg", jpegOf(t, img), withNotes(jpegOf(t, img), 1), []string{"JFIF", "ICC_PROFILE"}},
		"PNG":        {"image/png", pngOf(t, img), pngWithNotes(pngOf(t, img), 1), []string{"gAMA"}},
		"WebP":       {"image/webp", webpOf(t, img), webpWithNotes(webpOf(t, img), 700, 500, 1), []string{"ICCP"}},
		"GIF":        {"image/gif", gifOf(t, 1), gifWithNotes(gifOf(t, 1)), nil},
		"BMP":        {"image/bmp", bitmap.Bytes(), append(bytes.Clone(bitmap.Bytes()), secret...), nil},
		"moving GIF": {"image/gif", gifOf(t, 12), gifWithNotes(gifOf(t, 12)), []string{"NETSCAPE2.0"}},
	} {
		t.Run(name, func(t *testing.T) {
			if !bytes.Contains(c.noted, []byte(secret)) {
				t.Fatal("the test has planted nothing")
			}
			m, clean := makeOf(t, c.noted, c.mime)
			if !m.Shown || m.Mime != c.mime {
				t.Fatalf("it is not shown: %+v", m.Info)
			}
			for _, b := range append([][]byte{clean}, bytesOf(m)...) {
				for _, bad := range []string{secret, "Kilroy", "Exif\x00", "xap/1.0", "PK\x03\x04", "8BIM"} {
					if bytes.Contains(b, []byte(bad)) {
						t.Errorf("%q is there still", bad)
					}
				}
			}
			for _, good := range c.kept {
				if !bytes.Contains(clean, []byte(good)) {
					t.Errorf("%s is gone", good)
				}
			}
			want, got := decodeAs(t, c.plain, c.mime), decodeAs(t, clean, c.mime)
			if !samePixels(want, got) {
				t.Error("the pixels are other ones")
			}
			if m.Width != want.Bounds().Dx() || m.Height != want.Bounds().Dy() {
				t.Errorf("it is %d × %d", m.Width, m.Height)
			}
			// Once more there is nothing left to do.
			if again, _ := makeOf(t, clean, c.mime); again.Clean != nil || !again.Shown {
				t.Errorf("a second time %d pieces are kept, shown = %t", len(again.Clean), again.Shown)
			}
			if m, _ := makeOf(t, c.plain, c.mime); m.Clean != nil {
				t.Error("a picture without notes was changed")
			}
		})
	}
}

func bytesOf(m media.Made) (out [][]byte) {
	for _, p := range m.Previews {
		out = append(out, p.Bytes)
	}
	return out
}

func samePixels(a, b image.Image) bool {
	if a.Bounds() != b.Bounds() {
		return false
	}
	for y := a.Bounds().Min.Y; y < a.Bounds().Max.Y; y++ {
		for x := a.Bounds().Min.X; x < a.Bounds().Max.X; x++ {
			if color.NRGBAModel.Convert(a.At(x, y)) != color.NRGBAModel.Convert(b.At(x, y)) {
				return false
			}
		}
	}
	return true
}

func TestAPictureIsTurnedUpright(t *testing.T) {
	// What is seen of a picture that is stored as RGBW, by its orientation.
	want := [...]string{1: "RGBW", 2: "GRWB", 3: "WBGR", 4: "BWRG", 5: "RBGW", 6: "BRWG", 7: "WGBR", 8: "GWRB"}
	img := corners(240, 160)
	gray := image.NewGray(img.Bounds())
	for i := range gray.Pix {
		gray.Pix[i] = img.Pix[4*i]
	}
	for o := 1; o <= 8; o++ {
		for mime, b := range map[string][]byte{
			"image/jpeg": withNotes(jpegOf(t, img), o),
			"image/png":  pngWithNotes(pngOf(t, img), o),
			"image/webp": webpWithNotes(webpOf(t, img), 240, 160, o),
		} {
			m, clean := makeOf(t, b, mime)
			if !m.Shown || bytes.Contains(clean, []byte("Kilroy")) {
				t.Fatalf("%s %d: %+v", mime, o, m.Info)
			}
			w, h := 240, 160
			if o >= 5 {
				w, h = h, w
			}
			upright := decodeAs(t, clean, mime)
			if got := seen(upright); got != want[o] || upright.Bounds().Dx() != w || upright.Bounds().Dy() != h || m.Width != w || m.Height != h {
				t.Errorf("%s %d: %s of %v, told are %d × %d, want %s", mime, o, got, upright.Bounds(), m.Width, m.Height, want[o])
			}
			if got := seen(decodeAs(t, m.Previews[0].Bytes, m.Previews[0].Mime)); got != want[o] {
				t.Errorf("%s %d: the preview is %s, want %s", mime, o, got, want[o])
			}
			if kept := map[string]string{"image/jpeg": "ICC_PROFILE", "image/png": "gAMA", "image/webp": "ICCP"}[mime]; !bytes.Contains(clean, []byte(kept)) {
				t.Errorf("%s %d: %s is gone", mime, o, kept)
			}
		}
		m, clean := makeOf(t, withNotes(jpegOf(t, gray), o), "image/jpeg")
		if _, ok := decodeAs(t, clean, "image/jpeg").(*image.Gray); !ok || !m.Shown {
			t.Errorf("a grey one, %d, has colours", o)
		}
	}
}

func TestSmallerPicturesAreMadeOfThoseThatAreLarger(t *testing.T) {
	for _, c := range []struct {
		w, h int
		want string
	}{
		{3000, 2000, "s 160×107 m 480×320 l 1280×853"}, {2000, 3000, "s 107×160 m 320×480 l 853×1280"}, {1280, 960, "s 160×120 m 480×360"},
		{481, 100, "s 160×33 m 480×100"}, {160, 160, ""}, {1, 1, ""}, {5000, 1, "s 160×1 m 480×1 l 1280×1"}, {200, 200, "s 160×160"},
	} {
		see := image.NewNRGBA(image.Rect(0, 0, c.w, c.h))
		copy(see.Pix, corners(c.w, c.h).Pix)
		see.Pix[3] = 0
		for kind, b := range map[string][]byte{"image/jpeg": jpegOf(t, corners(c.w, c.h)), "image/png": pngOf(t, see)} {
			m, _ := makeOf(t, b, kind)
			got := ""
			for i, p := range m.Previews {
				if i > 0 {
					got += " "
				}
				got += fmt.Sprintf("%s %d×%d", p.Size, p.Width, p.Height)
				want := map[string]string{"image/jpeg": "image/jpeg", "image/png": "image/webp"}[kind]
				if p.Mime != want {
					t.Errorf("the preview of a see-through %s is %s", kind, p.Mime)
				}
				img := decodeAs(t, p.Bytes, p.Mime)
				if img.Bounds().Dx() != p.Width || img.Bounds().Dy() != p.Height {
					t.Errorf("%d×%d is %v", p.Width, p.Height, img.Bounds())
				}
				if min(p.Width, p.Height) > 8 && seen(img) != "RGBW" {
					t.Errorf("%d × %d, %s: one sees %s", c.w, c.h, p.Size, seen(img))
				}
			}
			if got != c.want || !m.Shown || m.Width != c.w || m.Height != c.h {
				t.Errorf("%d × %d: %s, want %s", c.w, c.h, got, c.want)
			}
			if len(m.Thumb) != 28 {
				t.Errorf("the blur hash is %q", m.Thumb)
			}
		}
	}
}
