package media

import (
	"image"
	"image/color"
)

// smaller makes a picture of w × h, neither larger than the picture's: each of
// its pixels is the mean of what it covers. What has its colours in planes
// (JPEG, WebP) keeps them there, so that they are computed at their own size;
// grey stays grey; of all else come four channels, premultiplied.
func smaller(img image.Image, w, h int) image.Image {
	b := img.Bounds()
	switch src := img.(type) {
	case *image.YCbCr:
		out := image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio420)
		plane(out.Y, out.YStride, w, h, src.Y[src.YOffset(b.Min.X, b.Min.Y):], src.YStride, b.Dx(), b.Dy())
		cw, ch := chroma(b, src.SubsampleRatio)
		at := src.COffset(b.Min.X, b.Min.Y)
		plane(out.Cb, out.CStride, (w+1)/2, (h+1)/2, src.Cb[at:], src.CStride, cw, ch)
		plane(out.Cr, out.CStride, (w+1)/2, (h+1)/2, src.Cr[at:], src.CStride, cw, ch)
		return out
	case *image.Gray:
		out := image.NewGray(image.Rect(0, 0, w, h))
		plane(out.Pix, out.Stride, w, h, src.Pix[src.PixOffset(b.Min.X, b.Min.Y):], src.Stride, b.Dx(), b.Dy())
		return out
	}
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	row := rowOf(img)
	area(b.Dx(), b.Dy(), w, h, 4, func(y int, buf []byte) []byte { row(b.Min.Y+y, buf); return buf }, out.Pix, out.Stride)
	return out
}

// chroma is the size of the planes of colour.
func chroma(b image.Rectangle, ratio image.YCbCrSubsampleRatio) (w, h int) {
	w, h = b.Dx(), b.Dy()
	half := func(n, of int) int { return (n + of - 1) / of }
	switch ratio {
	case image.YCbCrSubsampleRatio422:
		return half(w, 2), h
	case image.YCbCrSubsampleRatio420:
		return half(w, 2), half(h, 2)
	case image.YCbCrSubsampleRatio440:
		return w, half(h, 2)
	case image.YCbCrSubsampleRatio411:
		return half(w, 4), h
	case image.YCbCrSubsampleRatio410:
		return half(w, 4), half(h, 2)
	}
	return w, h
}

func plane(dst []byte, dstStride, w, h int, src []byte, stride, sw, sh int) {
	area(sw, sh, w, h, 1, func(y int, _ []byte) []byte { return src[y*stride : y*stride+sw] }, dst, dstStride)
}

// area scales rows of sw pixels, sh of them, to w × h. Lengths are counted in
// parts of a pixel, of which there are as many as the other side has pixels: so
// all sums are whole numbers. A pixel of the source covers w such parts of a row
// of sw·w, one of the picture sw.
func area(sw, sh, w, h, channels int, row func(y int, buf []byte) []byte, dst []byte, stride int) {
	buf := make([]byte, sw*channels)
	sums := make([]uint32, w*channels)   // of one row
	totals := make([]uint64, w*channels) // of the rows of one pixel
	full := uint64(sw) * uint64(sh)
	y, left := 0, sh // the row that is made, and how much of it is missing
	for sy := range sh {
		if channels == 1 {
			across1(row(sy, buf), sums, sw, w)
		} else {
			across4(row(sy, buf), sums, sw, w)
		}
		for covers := h; covers > 0; {
			part := min(covers, left)
			covers -= part
			left -= part
			for i, s := range sums {
				totals[i] += uint64(s) * uint64(part)
			}
			if left > 0 {
				continue
			}
			out := dst[y*stride : y*stride+len(totals)]
			for i, t := range totals {
				out[i] = byte((t + full/2) / full)
				totals[i] = 0
			}
			y, left = y+1, sh
		}
	}
}

// across1 adds up what each pixel of a row covers of the source's.
func across1(src []byte, sums []uint32, sw, w int) {
	at, rest := 0, uint32(w) // the source's pixel, and how much of it is left
	for x := range sums {
		need, sum := uint32(sw), uint32(0)
		if rest < uint32(w) {
			part := min(rest, need)
			sum += uint32(src[at]) * part
			need -= part
			if rest -= part; rest == 0 {
				at, rest = at+1, uint32(w)
			}
		}
		if n := int(need / uint32(w)); n > 0 {
			whole := uint32(0)
			for _, v := range src[at : at+n] {
				whole += uint32(v)
			}
			sum += whole * uint32(w)
			at += n
			need -= uint32(n) * uint32(w)
		}
		if need > 0 {
			sum += uint32(src[at]) * need
			rest -= need
		}
		sums[x] = sum
	}
}

// across4 is across1 for four channels.
func across4(src []byte, sums []uint32, sw, w int) {
	at, rest := 0, uint32(w)
	for x := range w {
		var sum [4]uint32
		for need := uint32(sw); need > 0; {
			part := min(rest, need)
			p := src[4*at : 4*at+4]
			sum[0] += uint32(p[0]) * part
			sum[1] += uint32(p[1]) * part
			sum[2] += uint32(p[2]) * part
			sum[3] += uint32(p[3]) * part
			need -= part
			if rest -= part; rest == 0 {
				at, rest = at+1, uint32(w)
			}
		}
		copy(sums[4*x:4*x+4], sum[:])
	}
}

// rowOf returns what reads a row of any picture as four premultiplied channels.
func rowOf(img image.Image) func(y int, out []byte) {
	b := img.Bounds()
	switch src := img.(type) {
	case *image.RGBA:
		return func(y int, out []byte) { copy(out, src.Pix[src.PixOffset(b.Min.X, y):]) }
	case *image.NRGBA:
		return func(y int, out []byte) {
			in := src.Pix[src.PixOffset(b.Min.X, y):]
			for i := 0; i < len(out); i += 4 {
				premultiply(out[i:i+4], in[i], in[i+1], in[i+2], in[i+3])
			}
		}
	case *image.NRGBA64:
		return func(y int, out []byte) {
			in := src.Pix[src.PixOffset(b.Min.X, y):]
			for i := 0; i < len(out); i += 4 {
				premultiply(out[i:i+4], in[2*i], in[2*i+2], in[2*i+4], in[2*i+6])
			}
		}
	case *image.RGBA64:
		return func(y int, out []byte) {
			in := src.Pix[src.PixOffset(b.Min.X, y):]
			for i := range out {
				out[i] = in[2*i]
			}
		}
	case *image.Paletted:
		var table [256][4]byte
		for i, c := range src.Palette {
			r, g, b, a := c.RGBA()
			table[i] = [4]byte{byte(r >> 8), byte(g >> 8), byte(b >> 8), byte(a >> 8)}
		}
		return func(y int, out []byte) {
			in := src.Pix[src.PixOffset(b.Min.X, y):]
			for i := 0; i < len(out); i += 4 {
				copy(out[i:i+4], table[in[i/4]][:])
			}
		}
	case *image.NYCbCrA:
		return func(y int, out []byte) {
			for i := 0; i < len(out); i += 4 {
				x := b.Min.X + i/4
				at, c := src.YOffset(x, y), src.COffset(x, y)
				r, g, b := color.YCbCrToRGB(src.Y[at], src.Cb[c], src.Cr[c])
				premultiply(out[i:i+4], r, g, b, src.A[src.AOffset(x, y)])
			}
		}
	case *image.CMYK:
		return func(y int, out []byte) {
			in := src.Pix[src.PixOffset(b.Min.X, y):]
			for i := 0; i < len(out); i += 4 {
				out[i], out[i+1], out[i+2] = color.CMYKToRGB(in[i], in[i+1], in[i+2], in[i+3])
				out[i+3] = 255
			}
		}
	}
	return func(y int, out []byte) {
		for i := 0; i < len(out); i += 4 {
			r, g, b, a := img.At(b.Min.X+i/4, y).RGBA()
			out[i], out[i+1], out[i+2], out[i+3] = byte(r>>8), byte(g>>8), byte(b>>8), byte(a>>8)
		}
	}
}

func premultiply(out []byte, r, g, b, a byte) {
	if a == 255 {
		out[0], out[1], out[2], out[3] = r, g, b, a
		return
	}
	n := uint32(a)
	out[0], out[1], out[2], out[3] = byte((uint32(r)*n+127)/255), byte((uint32(g)*n+127)/255), byte((uint32(b)*n+127)/255), a
}
