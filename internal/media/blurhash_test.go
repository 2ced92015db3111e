package media_test

import (
	"image"
	"image/color"
	"math"
	"strings"
	"testing"
)

// unblur draws a blur hash, as whoever shows one does.
func unblur(t *testing.T, hash string, w, h int) *image.NRGBA {
	t.Helper()
	number := func(s string) (n int) {
		for _, c := range s {
			n = n*83 + strings.IndexRune("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~", c)
		}
		return n
	}
	size := number(hash[:1])
	nx, ny := size%9+1, size/9+1
	if len(hash) != 4+2*nx*ny {
		t.Fatalf("%q has %d × %d waves", hash, nx, ny)
	}
	most := float64(number(hash[1:2])+1) / 166
	linear := func(v int) float64 {
		if f := float64(v) / 255; f <= 0.04045 {
			return f / 12.92
		} else {
			return math.Pow((f+0.055)/1.055, 2.4)
		}
	}
	dc := number(hash[2:6])
	factors := [][3]float64{{linear(dc >> 16), linear(dc >> 8 & 255), linear(dc & 255)}}
	for i := 6; i < len(hash); i += 2 {
		v := number(hash[i : i+2])
		var f [3]float64
		for k, q := range [3]int{v / 361, v / 19 % 19, v % 19} {
			x := (float64(q) - 9) / 9
			f[k] = math.Copysign(x*x, x) * most
		}
		factors = append(factors, f)
	}
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			var c [3]float64
			for j := range ny {
				for i := range nx {
					wave := math.Cos(math.Pi*float64(x*i)/float64(w)) * math.Cos(math.Pi*float64(y*j)/float64(h))
					for k := range c {
						c[k] += factors[j*nx+i][k] * wave
					}
				}
			}
			var rgb [3]byte
			for k, v := range c {
				v = max(0, min(1, v))
				if v <= 0.0031308 {
					v *= 12.92
				} else {
					v = 1.055*math.Pow(v, 1/2.4) - 0.055
				}
				rgb[k] = byte(v*255 + 0.5)
			}
			out.SetNRGBA(x, y, color.NRGBA{rgb[0], rgb[1], rgb[2], 255})
		}
	}
	return out
}

func TestABlurHashLooksLikeThePicture(t *testing.T) {
	for _, size := range [][2]int{{640, 400}, {400, 640}, {20, 20}} {
		m, _ := makeOf(t, pngOf(t, corners(size[0], size[1])), "image/png")
		img, got := unblur(t, m.Thumb, 64, 64), ""
		for i := range 4 { // the middle of each quarter, by the strongest of its colours
			c := img.NRGBAAt(16+i%2*32, 16+i/2*32)
			switch most := max(c.R, c.G, c.B); {
			case min(c.R, c.G, c.B) > 180:
				got += "W"
			case c.R == most:
				got += "R"
			case c.G == most:
				got += "G"
			default:
				got += "B"
			}
		}
		if got != "RGBW" {
			t.Errorf("of %v one sees %s in %q", size, got, m.Thumb)
		}
	}
	plain := image.NewNRGBA(image.Rect(0, 0, 50, 50))
	for i := range plain.Pix {
		plain.Pix[i] = [4]byte{200, 100, 50, 255}[i%4]
	}
	m, _ := makeOf(t, pngOf(t, plain), "image/png")
	if c := unblur(t, m.Thumb, 8, 8).NRGBAAt(3, 3); !near(c, 200, 100, 50) {
		t.Errorf("one colour becomes %v", c)
	}
	// What is see-through is seen on white.
	m, _ = makeOf(t, pngOf(t, image.NewNRGBA(image.Rect(0, 0, 50, 50))), "image/png")
	if c := unblur(t, m.Thumb, 8, 8).NRGBAAt(3, 3); !near(c, 255, 255, 255) {
		t.Errorf("nothing becomes %v", c)
	}
}

// near allows for what the rounding of waves that cancel each other leaves.
func near(c color.NRGBA, r, g, b int) bool {
	off := func(got byte, want int) int { return max(int(got)-want, want-int(got)) }
	return off(c.R, r) <= 2 && off(c.G, g) <= 2 && off(c.B, b) <= 2
}
