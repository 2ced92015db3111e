package media

import (
	"bytes"
	"fmt"
	"image"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"

	"github.com/HugoSmits86/nativewebp"
	"golang.org/x/image/bmp"
	"golang.org/x/image/webp"
)

// picture reads a picture.
func picture(s source, mime string, l Limits) (Made, error) {
	in, err := s.read(0, s.size, MaxPicture)
	if err != nil {
		return Made{}, err
	}
	raw := in.b
	p, err := partsOf(raw, mime)
	if err != nil {
		return Made{}, err
	}
	b, clean := p.clean.of(raw)
	m := Made{Clean: clean}
	var img image.Image
	if err = p.measure(b, mime); err == nil && (p.torn || int64(p.width)*int64(p.height) > l.Pixels) {
		err = errBad
	}
	if err == nil {
		img, err = p.decode(b, mime)
	}
	if err != nil {
		// It is saved as it lies.
		if !p.animated && p.noted(mime) == nil {
			_, m.Clean = p.clean.of(raw)
		}
		return m, fmt.Errorf("%w: %w", errBad, err)
	}
	img = upright(img, p.lies)
	if p.lies > 1 && !p.animated {
		b, err := encode(img, mime, p)
		if err != nil {
			return m, fmt.Errorf("%w: %w", errBad, err)
		}
		m.Clean = []Piece{{New: b, N: int64(len(b))}}
	}
	m.Shown = true
	m.Info = Info{Mime: mime, Width: img.Bounds().Dx(), Height: img.Bounds().Dy(), Animated: p.animated}
	return m, m.previews(img, p)
}

// partsOf tells what is in the file of a picture.
func partsOf(b []byte, mime string) (*parts, error) {
	switch mime {
	case "image/jpeg":
		return jpegParts(b)
	case "image/png":
		return pngParts(b)
	case "image/gif":
		return gifParts(b)
	case "image/webp":
		return webpParts(b)
	}
	return bmpParts(b)
}

// bmpParts keeps a BMP up to where it says that it ends: it has no notes.
func bmpParts(b []byte) (*parts, error) {
	if len(b) < 54 || string(b[:2]) != "BM" {
		return nil, errBad
	}
	size := int(b[2]) | int(b[3])<<8 | int(b[4])<<16 | int(b[5])<<24
	if size < 54 || size > len(b) {
		size = len(b) // some programs do not say
	}
	p := &parts{lies: 1}
	p.clean.keep(0, size)
	return p, nil
}

// measure reads how large the picture is, before anything of it is decoded.
func (p *parts) measure(b []byte, mime string) error {
	var c image.Config
	var err error
	switch mime {
	case "image/jpeg":
		c, err = jpeg.DecodeConfig(bytes.NewReader(b))
	case "image/png":
		c, err = png.DecodeConfig(bytes.NewReader(b))
	case "image/bmp":
		c, err = bmp.DecodeConfig(bytes.NewReader(b))
	default: // their parts have told
		c = image.Config{Width: p.width, Height: p.height}
	}
	if err == nil && (c.Width <= 0 || c.Height <= 0 || c.Width > maxSide || c.Height > maxSide) {
		err = errBad
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errBad, err)
	}
	p.width, p.height = c.Width, c.Height
	return nil
}

// decode decodes the picture, of one that moves the first frame.
func (p *parts) decode(b []byte, mime string) (img image.Image, err error) {
	r := bytes.NewReader(b)
	switch mime {
	case "image/jpeg":
		return jpeg.Decode(r)
	case "image/png":
		return png.Decode(r)
	case "image/bmp":
		return bmp.Decode(r)
	case "image/gif":
		img, err = gif.Decode(r)
	default:
		if p.first != nil {
			r = bytes.NewReader(p.first)
		}
		img, err = webp.Decode(r)
	}
	if err != nil {
		return nil, err
	}
	canvas := image.Rect(0, 0, p.width, p.height)
	at := img.Bounds().Min.Add(image.Pt(p.atX, p.atY))
	if where := img.Bounds().Sub(img.Bounds().Min).Add(at); where != canvas {
		out := image.NewNRGBA(canvas)
		draw.Draw(out, where, img, img.Bounds().Min, draw.Src)
		return out, nil
	}
	return img, nil
}

// encode writes a picture that was turned.
func encode(img image.Image, mime string, p *parts) ([]byte, error) {
	switch mime {
	case "image/jpeg":
		return encodeJPEG(img, qualityTurned, p.profile)
	case "image/png":
		var out bytes.Buffer
		if err := png.Encode(&out, img); err != nil {
			return nil, err
		}
		return withColour(out.Bytes(), p.colour), nil
	case "image/webp":
		return encodeWebP(img, p.profile)
	}
	return nil, errBad // the others do not say how they lie
}

// fits tells whether a colour profile is one of what is written.
func fits(profile []byte, gray bool) bool {
	if len(profile) < 20 {
		return false
	}
	want := "RGB "
	if gray {
		want = "GRAY"
	}
	return string(profile[16:20]) == want
}

// encodeJPEG writes a JPEG, with the colour profile if it is one of what is
// written.
func encodeJPEG(img image.Image, quality int, profile []byte) ([]byte, error) {
	var out bytes.Buffer
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: quality}); err != nil {
		return nil, err
	}
	if _, gray := img.(*image.Gray); !fits(profile, gray) {
		return out.Bytes(), nil
	}
	return withProfile(out.Bytes(), profile), nil
}

// encodeWebP writes a WebP without loss.
func encodeWebP(img image.Image, profile []byte) ([]byte, error) {
	var out bytes.Buffer
	if err := nativewebp.Encode(&out, img, nil); err != nil {
		return nil, err
	}
	if !fits(profile, false) {
		return out.Bytes(), nil
	}
	b := img.Bounds()
	canvas := appendUint24(appendUint24([]byte{0x30, 0, 0, 0}, b.Dx()-1), b.Dy()-1) // with profile and alpha
	head := append(webpChunk("VP8X", canvas), webpChunk("ICCP", profile)...)
	return webpFile(append(head, out.Bytes()[12:]...)), nil
}

// previews makes the smaller pictures, each of the next larger one, and the blur
// hash of the smallest.
func (m *Made) previews(img image.Image, p *parts) error {
	w, h := m.Width, m.Height
	through := !opaque(img)
	profile := p.profile
	if len(profile) > maxProfile {
		profile = nil
	}
	for i := len(sizes) - 1; i >= 0; i-- {
		if max(w, h) <= sizes[i].side {
			continue
		}
		pw, ph := fit(w, h, sizes[i].side)
		img = smaller(img, pw, ph)
		v := Preview{Size: sizes[i].name, Width: pw, Height: ph, Mime: "image/jpeg"}
		var err error
		if through {
			v.Mime = "image/webp"
			v.Bytes, err = encodeWebP(straight(img), profile)
		} else {
			v.Bytes, err = encodeJPEG(img, quality, profile)
		}
		if err != nil {
			return err
		}
		m.Previews = append([]Preview{v}, m.Previews...)
	}
	m.Thumb = blurHash(img)
	return nil
}

// opaque tells that nothing can be seen through a picture.
func opaque(img image.Image) bool {
	o, ok := img.(interface{ Opaque() bool })
	return ok && o.Opaque()
}

// straight is a picture whose colours are not multiplied by their opacity.
func straight(img image.Image) image.Image {
	out := image.NewNRGBA(img.Bounds())
	draw.Draw(out, out.Bounds(), img, img.Bounds().Min, draw.Src)
	return out
}
