package media

import (
	"bytes"
	"encoding/binary"
)

// parts are what is in the file of a picture.
type parts struct {
	clean    pieces
	lies     int    // orientation, 1 to 8
	profile  []byte // the colour profile (ICC), if there is one
	colour   []byte // PNG: the chunks that say what the colours are
	animated bool
	torn     bool // the end is missing
	// first is what is decoded in place of the file, where that moves; at says
	// where it stands in it.
	first  []byte
	atX    int
	atY    int
	width  int // as the file lies
	height int
}

// Markers of JPEG (ITU-T T.81, table B.1).
const (
	jpegSOI  = 0xd8
	jpegEOI  = 0xd9
	jpegSOS  = 0xda
	jpegAPP0 = 0xe0
)

// jpegParts takes the segments of a JPEG that it is decoded with: tables, frames,
// scans, JFIF without its thumbnail, the colour profile and Adobe's note on how
// colours are told.
func jpegParts(b []byte) (*parts, error) {
	if len(b) < 4 || b[0] != 0xff || b[1] != jpegSOI {
		return nil, errBad
	}
	p := &parts{lies: 1}
	p.clean.keep(0, 2)
	var profile [256][]byte
	for i := 2; ; {
		// Bytes between segments are skipped, as decoders do, and left out.
		for i+1 < len(b) && (b[i] != 0xff || b[i+1] == 0xff || b[i+1] == 0) {
			i++
		}
		if i+1 >= len(b) {
			p.torn = true
			break
		}
		m := b[i+1]
		if m == jpegEOI {
			p.clean.keep(i, 2)
			break
		}
		if m == 1 || m >= 0xd0 && m <= 0xd8 { // without length, and here without meaning
			i += 2
			continue
		}
		if i+4 > len(b) {
			p.torn = true
			break
		}
		end := i + 2 + int(binary.BigEndian.Uint16(b[i+2:]))
		if end < i+4 || end > len(b) {
			p.torn = true
			break
		}
		p.jpegSegment(b, m, i, end, &profile)
		if m == jpegSOS {
			scan := end
			for end+1 < len(b) && (b[end] != 0xff || b[end+1] == 0 || b[end+1] >= 0xd0 && b[end+1] <= 0xd7) {
				end++
			}
			p.clean.keep(scan, end-scan)
		}
		i = end
	}
	p.profile = bytes.Join(profile[:], nil)
	return p, nil
}

// jpegSegment decides on a segment, from its marker to its end.
func (p *parts) jpegSegment(b []byte, m byte, from, end int, profile *[256][]byte) {
	data := b[from+4 : end]
	switch {
	case m == jpegAPP0:
		if len(data) < 14 || string(data[:5]) != "JFIF\x00" {
			return
		}
		if len(data) == 14 && data[12] == 0 && data[13] == 0 {
			p.clean.keep(from, end-from)
			return
		}
		p.clean.put(0xff, jpegAPP0, 0, 16)
		p.clean.put(data[:12]...)
		p.clean.put(0, 0) // no thumbnail
	case m == jpegAPP0+1:
		if tiff, ok := bytes.CutPrefix(data, []byte("Exif\x00\x00")); ok && p.lies == 1 {
			p.lies = orientation(tiff)
		}
	case m == jpegAPP0+2:
		if part, ok := bytes.CutPrefix(data, []byte("ICC_PROFILE\x00")); ok && len(part) > 2 {
			p.clean.keep(from, end-from)
			profile[part[0]] = part[2:]
		}
	case m == jpegAPP0+14:
		if len(data) >= 12 && string(data[:5]) == "Adobe" {
			p.clean.put(0xff, m, 0, 14)
			p.clean.put(data[:12]...)
		}
	case m > jpegAPP0 && m <= 0xef, m == 0xfe, m >= 0xf0: // other notes, comments, extensions
	default:
		p.clean.keep(from, end-from)
	}
}

// withProfile puts a colour profile into a JPEG that was made here.
func withProfile(jpeg, profile []byte) []byte {
	const most = 65_533 - 14 // of a segment
	n := (len(profile) + most - 1) / most
	if n == 0 || n > 255 {
		return jpeg
	}
	out := append(make([]byte, 0, len(jpeg)+len(profile)+n*18), jpeg[:2]...)
	for i := range n {
		part := profile[i*most : min(len(profile), (i+1)*most)]
		out = append(out, 0xff, jpegAPP0+2)
		out = binary.BigEndian.AppendUint16(out, uint16(len(part)+16))
		out = append(append(append(out, "ICC_PROFILE\x00"...), byte(i+1), byte(n)), part...)
	}
	return append(out, jpeg[2:]...)
}
