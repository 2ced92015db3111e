package media

import (
	"encoding/binary"
)

// webpParts takes the chunks of a WebP that it is shown with (RFC 9649).
func webpParts(b []byte) (*parts, error) {
	if len(b) < 20 || string(b[:4]) != "RIFF" || string(b[8:12]) != "WEBP" {
		return nil, errBad
	}
	told := binary.LittleEndian.Uint32(b[4:])
	end := 8 + int(told)
	p := &parts{lies: 1, torn: end > len(b)}
	w := &webpWalk{parts: p, extended: -1}
	if err := chunks(b, 12, min(end, len(b)), w.chunk); err != nil {
		return nil, err
	}
	if p.width == 0 || p.animated != (w.frames > 0) {
		return nil, errBad
	}
	var body pieces
	if at := w.extended; at >= 0 {
		flags := b[at] &^ 0x0c // without EXIF and XMP
		if p.animated && p.lies > 1 {
			// Its frames are not drawn anew: whoever shows it turns it.
			flags |= 8
			w.kept.put(webpChunk("EXIF", onlyOrientation(p.lies))...)
		}
		if flags == b[at] {
			body.keep(at-8, 18)
		} else {
			body.keep(at-8, 8)
			body.put(flags)
			body.keep(at+1, 9)
		}
	}
	size := uint32(4 + Size(body) + Size(w.kept))
	if size == told {
		p.clean.keep(0, 12)
	} else {
		p.clean.keep(0, 4)
		p.clean.put(binary.LittleEndian.AppendUint32(nil, size)...)
		p.clean.keep(8, 4)
	}
	for _, x := range append(body, w.kept...) {
		if x.New != nil {
			p.clean.put(x.New...)
		} else {
			p.clean.keep(int(x.From), int(x.N))
		}
	}
	return p, nil
}

// webpWalk gathers the parts of a WebP.
type webpWalk struct {
	*parts
	kept     pieces // behind VP8X
	extended int    // where the data of VP8X are; -1 = there is none
	frames   int
	seen     bool
}

// chunk takes one chunk of the file: its data are from at to end, and next is
// where the next one begins.
func (w *webpWalk) chunk(b []byte, kind string, at, end, next int) error {
	if !w.seen {
		w.seen = true
		if kind == "VP8X" {
			if end-at != 10 {
				return errBad
			}
			w.extended, w.animated = at, b[at]&2 != 0
			w.width, w.height = 1+int(uint24(b[at+4:])), 1+int(uint24(b[at+7:]))
			return nil
		}
	}
	switch kind {
	case "VP8 ", "VP8L":
		width, height := webpSize(kind, b[at:end])
		if w.animated || width == 0 || w.extended >= 0 && (width != w.width || height != w.height) {
			return errBad
		}
		w.width, w.height = width, height
	case "ICCP":
		w.profile = b[at:end]
	case "ALPH", "ANIM":
	case "ANMF":
		return w.frame(b, at, end)
	case "EXIF":
		tiff := b[at:end]
		if len(tiff) > 6 && string(tiff[:6]) == "Exif\x00\x00" {
			tiff = tiff[6:]
		}
		w.lies = orientation(tiff)
		return nil
	default:
		return nil
	}
	w.kept.keep(at-8, next-at+8)
	return nil
}

// frame takes a frame of a picture that moves; of the first one a picture is
// made that stands still.
func (w *webpWalk) frame(b []byte, at, end int) error {
	if w.frames++; !w.animated || end-at < 16 || w.frames > MaxFrames {
		return errBad
	}
	var body pieces
	var first []byte
	flags := byte(0)
	width, height := 1+int(uint24(b[at+6:])), 1+int(uint24(b[at+9:]))
	x, y := 2*int(uint24(b[at:])), 2*int(uint24(b[at+3:]))
	if x+width > w.width || y+height > w.height {
		return errBad
	}
	err := chunks(b, at+16, end, func(b []byte, kind string, from, to, next int) error {
		switch kind {
		case "VP8 ", "VP8L":
			if gotW, gotH := webpSize(kind, b[from:to]); gotW != width || gotH != height {
				return errBad
			}
		case "ALPH":
			flags = 0x10
		default:
			return nil
		}
		body.keep(from-8, next-from+8)
		if w.frames == 1 {
			first = append(first, b[from-8:next]...)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if w.frames == 1 {
		canvas := []byte{flags, 0, 0, 0}
		canvas = appendUint24(appendUint24(canvas, width-1), height-1)
		w.first = webpFile(append(webpChunk("VP8X", canvas), first...))
		w.atX, w.atY = x, y
	}
	if size := int(Size(body)) + 16; size != end-at {
		w.kept.put(binary.LittleEndian.AppendUint32([]byte("ANMF"), uint32(size))...)
		w.kept.keep(at, 16)
	} else {
		w.kept.keep(at-8, 24)
	}
	for _, x := range body {
		w.kept.keep(int(x.From), int(x.N))
	}
	return nil
}

// chunks walks over the chunks of a RIFF file between two places. One that goes
// over the end ends the walk: what is missing then is found by decoding.
func chunks(b []byte, at, end int, fn func(b []byte, kind string, at, end, next int) error) error {
	for at+8 <= end {
		n := int(binary.LittleEndian.Uint32(b[at+4:]))
		if n > end-at-8 {
			return errBad
		}
		next := at + 8 + n + n&1
		if next > end {
			return errBad // the byte that makes it even
		}
		if err := fn(b, string(b[at:at+4]), at+8, at+8+n, next); err != nil {
			return err
		}
		at = next
	}
	return nil
}

// webpSize reads the size out of the header of a frame's bits; 0 when there is
// none.
func webpSize(kind string, b []byte) (width, height int) {
	if kind == "VP8L" {
		if len(b) < 5 || b[0] != 0x2f {
			return 0, 0
		}
		bits := binary.LittleEndian.Uint32(b[1:])
		return 1 + int(bits&0x3fff), 1 + int(bits>>14&0x3fff)
	}
	if len(b) < 10 || b[0]&1 != 0 || b[3] != 0x9d || b[4] != 1 || b[5] != 0x2a {
		return 0, 0
	}
	return int(binary.LittleEndian.Uint16(b[6:]) & 0x3fff), int(binary.LittleEndian.Uint16(b[8:]) & 0x3fff)
}

func uint24(b []byte) uint32 { return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 }

func appendUint24(b []byte, n int) []byte { return append(b, byte(n), byte(n>>8), byte(n>>16)) }

// webpChunk writes a chunk.
func webpChunk(kind string, data []byte) []byte {
	out := binary.LittleEndian.AppendUint32([]byte(kind), uint32(len(data)))
	if out = append(out, data...); len(data)%2 == 1 {
		out = append(out, 0)
	}
	return out
}

// webpFile writes a file of chunks.
func webpFile(body []byte) []byte {
	out := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(4+len(body)))
	return append(append(out, "WEBP"...), body...)
}
