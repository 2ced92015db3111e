package media

import (
	"image"
	"image/draw"
)

// turned tells whether an orientation changes width and height.
func turned(o int) bool { return o >= 5 }

// upright turns a picture as its EXIF says that it lies. It keeps the kind of
// pixels where it can.
func upright(img image.Image, o int) image.Image {
	if o <= 1 || o > 8 {
		return img
	}
	b := img.Bounds()
	to := image.Rect(0, 0, b.Dx(), b.Dy())
	if turned(o) {
		to = image.Rect(0, 0, b.Dy(), b.Dx())
	}
	switch src := img.(type) {
	case *image.YCbCr:
		ratio, ok := turnedRatio(src.SubsampleRatio, o)
		if !ok {
			break
		}
		out := image.NewYCbCr(to, ratio)
		turn(out.Y, out.YStride, src.Y[src.YOffset(b.Min.X, b.Min.Y):], src.YStride, b.Dx(), b.Dy(), 1, o)
		cw, ch := chroma(b, src.SubsampleRatio)
		at := src.COffset(b.Min.X, b.Min.Y)
		turn(out.Cb, out.CStride, src.Cb[at:], src.CStride, cw, ch, 1, o)
		turn(out.Cr, out.CStride, src.Cr[at:], src.CStride, cw, ch, 1, o)
		return out
	case *image.Gray:
		out := image.NewGray(to)
		turn(out.Pix, out.Stride, src.Pix[src.PixOffset(b.Min.X, b.Min.Y):], src.Stride, b.Dx(), b.Dy(), 1, o)
		return out
	case *image.Paletted:
		out := image.NewPaletted(to, src.Palette)
		turn(out.Pix, out.Stride, src.Pix[src.PixOffset(b.Min.X, b.Min.Y):], src.Stride, b.Dx(), b.Dy(), 1, o)
		return out
	case *image.RGBA:
		out := image.NewRGBA(to)
		turn(out.Pix, out.Stride, src.Pix[src.PixOffset(b.Min.X, b.Min.Y):], src.Stride, b.Dx(), b.Dy(), 4, o)
		return out
	case *image.NRGBA:
		out := image.NewNRGBA(to)
		turn(out.Pix, out.Stride, src.Pix[src.PixOffset(b.Min.X, b.Min.Y):], src.Stride, b.Dx(), b.Dy(), 4, o)
		return out
	case *image.NRGBA64:
		out := image.NewNRGBA64(to)
		turn(out.Pix, out.Stride, src.Pix[src.PixOffset(b.Min.X, b.Min.Y):], src.Stride, b.Dx(), b.Dy(), 8, o)
		return out
	}
	flat := image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(flat, flat.Bounds(), img, b.Min, draw.Src)
	return upright(flat, o)
}

// turnedRatio is how planes of colour are smaller once they are turned.
func turnedRatio(r image.YCbCrSubsampleRatio, o int) (image.YCbCrSubsampleRatio, bool) {
	if !turned(o) {
		return r, true
	}
	switch r {
	case image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio420:
		return r, true
	case image.YCbCrSubsampleRatio422:
		return image.YCbCrSubsampleRatio440, true
	case image.YCbCrSubsampleRatio440:
		return image.YCbCrSubsampleRatio422, true
	}
	return r, false
}

// turn moves the pixels of size bytes of a plane of w × h to where they are when
// the picture stands upright (EXIF 2.32, 4.6.5.1.6).
func turn(dst []byte, dstStride int, src []byte, stride, w, h, size, o int) {
	// A pixel (x, y) goes to at + x·dx + y·dy.
	at, dx, dy := 0, size, dstStride
	right, bottom := (w-1)*size, (h-1)*dstStride
	if turned(o) {
		dx, dy = dstStride, size
		right, bottom = (h-1)*size, (w-1)*dstStride
	}
	if o == 2 || o == 3 { // mirrored across
		at, dx = at+right, -dx
	}
	if o == 3 || o == 4 { // upside down
		at, dy = at+bottom, -dy
	}
	if o == 6 || o == 7 {
		at, dy = at+right, -dy
	}
	if o == 7 || o == 8 {
		at, dx = at+bottom, -dx
	}
	for y := range h {
		in := src[y*stride : y*stride+w*size]
		to := at + y*dy
		if size == 1 {
			for _, v := range in {
				dst[to] = v
				to += dx
			}
			continue
		}
		for x := 0; x < len(in); x += size {
			copy(dst[to:to+size], in[x:x+size])
			to += dx
		}
	}
}
