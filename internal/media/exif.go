package media

import "encoding/binary"

// orientation reads how a picture lies out of its EXIF (a TIFF header and a
// directory of values, https://www.cipa.jp/std/documents/e/DC-008-2012_E.pdf,
// 4.5): 1 to 8, and 1 where nothing is told.
func orientation(tiff []byte) int {
	if len(tiff) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.LittleEndian
	switch string(tiff[:4]) {
	case "II*\x00":
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 1
	}
	at := int64(order.Uint32(tiff[4:]))
	if at+2 > int64(len(tiff)) {
		return 1
	}
	entries := tiff[at+2:]
	for n := order.Uint16(tiff[at:]); n > 0 && len(entries) >= 12; n-- {
		if tag, kind := order.Uint16(entries), order.Uint16(entries[2:]); tag == 0x112 && kind == 3 {
			if o := int(order.Uint16(entries[8:])); o >= 1 && o <= 8 {
				return o
			}
			return 1
		}
		entries = entries[12:]
	}
	return 1
}

// onlyOrientation is an EXIF that tells nothing else.
func onlyOrientation(o int) []byte {
	return []byte{'I', 'I', '*', 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, byte(o), 0, 0, 0, 0, 0, 0, 0}
}

// noted writes into a picture whose pixels stay as they are how it lies, and
// nothing else of its EXIF.
func (p *parts) noted(mime string) error {
	if p.lies == 1 {
		return nil
	}
	exif := onlyOrientation(p.lies)
	ok := true
	switch mime {
	case "image/jpeg":
		head := []byte{0xff, jpegAPP0 + 1, 0, byte(8 + len(exif)), 'E', 'x', 'i', 'f', 0, 0}
		ok = p.clean.insert(2, append(head, exif...))
	case "image/png":
		ok = p.clean.insert(pngHead, pngChunk("eXIf", exif))
	}
	if !ok {
		return errBad
	}
	return nil
}
