package media

import (
	"image"
	"math"
)

// digits are those of base 83, as https://github.com/woltapp/blurhash/blob/master/Algorithm.md
// has them.
const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"

// blurSide is the longer side of what a blur hash is computed of, in pixels: it
// has at most four waves.
const blurSide = 32

// blurHash computes a blur hash of four waves along the longer side and three
// along the other: 28 characters. What is see-through is seen on white.
func blurHash(img image.Image) string {
	w, h := fit(img.Bounds().Dx(), img.Bounds().Dy(), blurSide)
	img = smaller(img, w, h)
	nx, ny := 4, 3
	if h > w {
		nx, ny = 3, 4
	}
	light := lightOf(img, w, h)
	var factors [12][3]float64
	for j := range ny {
		for i := range nx {
			factors[j*nx+i] = factor(light, w, h, i, j)
		}
	}
	most := 0.0
	for _, f := range factors[1:] {
		most = max(most, math.Abs(f[0]), math.Abs(f[1]), math.Abs(f[2]))
	}
	steps := int(max(0, min(82, math.Floor(most*166-0.5))))
	most = float64(steps+1) / 166
	out := base83(nil, nx-1+(ny-1)*9, 1)
	out = base83(out, steps, 1)
	dc := factors[0]
	out = base83(out, toSRGB(dc[0])<<16|toSRGB(dc[1])<<8|toSRGB(dc[2]), 4)
	for _, f := range factors[1:] {
		n := 0
		for _, v := range f {
			v /= most
			n = n*19 + int(max(0, min(18, math.Floor(math.Copysign(math.Sqrt(math.Abs(v)), v)*9+9.5))))
		}
		out = base83(out, n, 2)
	}
	return string(out)
}

// lightOf are the pixels of a picture as linear light, red, green and blue.
func lightOf(img image.Image, w, h int) [][3]float64 {
	out := make([][3]float64, 0, w*h)
	for y := range h {
		for x := range w {
			r, g, b, a := img.At(x, y).RGBA()
			var p [3]float64
			for i, v := range [3]uint32{r, g, b} {
				p[i] = toLinear(float64(v+0xffff-a) / 0xffff)
			}
			out = append(out, p)
		}
	}
	return out
}

// factor is how much of a wave is in a picture.
func factor(light [][3]float64, w, h, i, j int) (f [3]float64) {
	for y := range h {
		cy := math.Cos(math.Pi * float64(j) * float64(y) / float64(h))
		for x := range w {
			c := cy * math.Cos(math.Pi*float64(i)*float64(x)/float64(w))
			for k, v := range light[y*w+x] {
				f[k] += c * v
			}
		}
	}
	scale := 2 / float64(w*h)
	if i == 0 && j == 0 {
		scale /= 2
	}
	for k := range f {
		f[k] *= scale
	}
	return f
}

func toLinear(v float64) float64 {
	if v <= 0.04045 {
		return v / 12.92
	}
	return math.Pow((v+0.055)/1.055, 2.4)
}

func toSRGB(v float64) int {
	v = max(0, min(1, v))
	if v <= 0.0031308 {
		return int(v*12.92*255 + 0.5)
	}
	return int((1.055*math.Pow(v, 1/2.4)-0.055)*255 + 0.5)
}

// base83 writes a number with so many digits.
func base83(out []byte, n, length int) []byte {
	for i := length - 1; i >= 0; i-- {
		d := n
		for range i {
			d /= 83
		}
		out = append(out, digits[d%83])
	}
	return out
}

// fit returns the sides of a picture whose longer one is no longer than side.
func fit(w, h, side int) (int, int) {
	if max(w, h) <= side {
		return w, h
	}
	if w >= h {
		return side, max(1, (h*side+w/2)/w)
	}
	return max(1, (w*side+h/2)/h), side
}
