package media

import "encoding/binary"

// gifParts takes the blocks of a GIF that it is shown with
// (https://www.w3.org/Graphics/GIF/spec-gif89a.txt): frames, how they follow one
// another, how often, and the colour profile.
func gifParts(b []byte) (*parts, error) {
	if len(b) < 13 || string(b[:4]) != "GIF8" {
		return nil, errBad
	}
	p := &parts{lies: 1, width: int(binary.LittleEndian.Uint16(b[6:])), height: int(binary.LittleEndian.Uint16(b[8:]))}
	i := 13 + gifTable(b[10])
	if i > len(b) {
		return nil, errBad
	}
	p.clean.keep(0, i)
	frames := 0
	for {
		if i >= len(b) {
			// Many programs leave the last byte out, and all read it in.
			p.clean.put(0x3b)
			break
		}
		from, kept := i, true
		switch b[i] {
		case 0x3b:
			p.clean.keep(i, 1)
			p.animated = frames > 1
			return p, nil
		case 0x2c: // a frame
			if frames++; i+11 > len(b) || frames > MaxFrames {
				return nil, errBad
			}
			i += 11 + gifTable(b[i+9])
		case 0x21: // an extension
			if i+2 > len(b) {
				return nil, errBad
			}
			kept = b[i+1] == 0xf9 || b[i+1] == 0xff && i+14 <= len(b) && b[i+2] == 11 && gifKept[string(b[i+3:i+14])]
			i += 2
		default:
			return nil, errBad
		}
		// Blocks of up to 255 bytes, until an empty one.
		for {
			if i >= len(b) {
				return nil, errBad
			}
			n := int(b[i])
			if i += n + 1; n == 0 {
				break
			}
		}
		if kept {
			p.clean.keep(from, i-from)
		}
	}
	p.animated = frames > 1
	return p, nil
}

// gifKept are the extensions of programs that matter: how often it plays, and its
// colours.
var gifKept = map[string]bool{"NETSCAPE2.0": true, "ANIMEXTS1.0": true, "ICCRGBG1012": true}

// gifTable is the size of the colour table that flags tell of.
func gifTable(flags byte) int {
	if flags&0x80 == 0 {
		return 0
	}
	return 3 << (flags&7 + 1)
}
