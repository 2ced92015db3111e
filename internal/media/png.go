package media

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"io"
)

const (
	pngSignature = "\x89PNG\r\n\x1a\n"
	// pngHead is where the chunk behind IHDR begins.
	pngHead = 8 + 25
)

// pngKept are the chunks of a PNG that it is shown with (https://www.w3.org/TR/png-3/):
// those of the picture, of its colours, and of its frames when it moves.
var pngKept = map[string]bool{
	"IHDR": true, "PLTE": true, "IDAT": true, "IEND": true, "tRNS": true, "pHYs": true, "bKGD": true, "sBIT": true,
	"gAMA": true, "cHRM": true, "sRGB": true, "iCCP": true, "cICP": true, "mDCV": true, "cLLI": true,
	"acTL": true, "fcTL": true, "fdAT": true,
}

// pngColour are those that a picture needs as well whose pixels were moved.
var pngColour = map[string]bool{"gAMA": true, "cHRM": true, "sRGB": true, "iCCP": true, "cICP": true, "mDCV": true, "cLLI": true, "pHYs": true}

// pngParts takes the chunks of a PNG that it is shown with.
func pngParts(b []byte) (*parts, error) {
	if len(b) < 8 || string(b[:8]) != pngSignature {
		return nil, errBad
	}
	p := &parts{lies: 1}
	p.clean.keep(0, 8)
	frames := uint32(0)
	for i := 8; ; {
		if i+12 > len(b) {
			p.torn = true
			break
		}
		n := int(binary.BigEndian.Uint32(b[i:]))
		if n > len(b)-i-12 {
			p.torn = true
			break
		}
		kind, data := string(b[i+4:i+8]), b[i+8:i+8+n]
		if pngKept[kind] {
			p.clean.keep(i, n+12)
		}
		if pngColour[kind] {
			p.colour = append(p.colour, b[i:i+n+12]...)
		}
		switch {
		case kind == "acTL" && n == 8:
			frames = binary.BigEndian.Uint32(data)
		case kind == "eXIf":
			p.lies = orientation(data)
		case kind == "iCCP":
			p.profile = inflated(data)
		}
		i += n + 12
		if kind == "IEND" {
			break
		}
	}
	if p.animated = frames > 1; frames > MaxFrames {
		return nil, errBad
	}
	if p.animated && p.lies > 1 {
		// Its frames are not drawn anew: whoever shows it turns it.
		return p, p.noted("image/png")
	}
	return p, nil
}

// pngChunk writes a chunk.
func pngChunk(kind string, data []byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	out = append(append(out, kind...), data...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[4:]))
}

// inflated reads the colour profile of an iCCP, if it is a small one.
func inflated(data []byte) []byte {
	_, packed, ok := bytes.Cut(data, []byte{0})
	if !ok || len(packed) < 2 {
		return nil
	}
	r, err := zlib.NewReader(bytes.NewReader(packed[1:]))
	if err != nil {
		return nil
	}
	profile, err := io.ReadAll(io.LimitReader(r, maxProfile+1))
	if err != nil || len(profile) > maxProfile {
		return nil
	}
	return profile
}

// withColour puts the chunks of colours into a PNG that was made here.
func withColour(png, chunks []byte) []byte {
	return bytes.Join([][]byte{png[:pngHead], chunks, png[pngHead:]}, nil)
}
