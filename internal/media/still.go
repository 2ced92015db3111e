package media

import "cmp"

// maxMeta is the size of the description of a HEIF picture that is read, in
// bytes.
const maxMeta = 4 << 20

// heif is what is found out of a HEIF or AVIF picture (ISO/IEC 23008-12).
type heif struct {
	primary uint64
	notes   map[uint64]string // items that are EXIF or XMP
	places  map[uint64][]place
	idat    space
	sizes   []sized // properties, in their order
	uses    map[uint64][]int
}

type place struct {
	inside bool // of idat
	at, n  uint64
}

// sized is a property: a size, or a turn by quarters.
type sized struct {
	width, height int
	turns         int
}

// still reads a HEIF or AVIF picture. Nothing here decodes those: their size is
// told, and what a camera wrote into them is overwritten in its place.
func still(s source, mime string, l Limits) (Made, error) {
	h := &heif{notes: map[uint64]string{}, places: map[uint64][]place{}, uses: map[uint64][]int{}}
	found, moves := false, false
	f := &film{} // of one that moves
	err := s.topBoxes(func(b box) error {
		switch b.kind {
		case "ftyp":
			in, err := s.read(b.data, b.end, 4<<10)
			moves = len(in.b) >= 4 && string(in.b[:4]) == "avis"
			return err
		case "meta":
			if found {
				return errBad
			}
			found = true
			in, err := s.read(b.data, b.end, maxMeta)
			if err != nil {
				return err
			}
			return in.from(4).boxes(h.item)
		case "moov":
			in, err := s.read(b.data, b.end, maxMoov)
			if err != nil {
				return err
			}
			return f.readMoov(in)
		case "uuid":
			f.blank(b.at, b.data, b.end)
		}
		return nil
	})
	m, many := append(f.patches, h.patches(s.size)...).made(s.size)
	if err = cmp.Or(err, many); err != nil || !found {
		return m, cmp.Or(err, errBad)
	}
	w, hgt := h.size()
	if w <= 0 || hgt <= 0 || int64(w)*int64(hgt) > l.Pixels {
		return m, errBad
	}
	m.Shown = true
	m.Info = Info{Mime: mime, Width: w, Height: hgt, Animated: moves}
	return m, nil
}

// item reads one of the boxes of a description.
func (h *heif) item(kind string, b space) error {
	switch kind {
	case "pitm":
		h.primary = b.u(4, 2)
		if b.version() > 0 {
			h.primary = b.u(4, 4)
		}
	case "iinf":
		at := 6
		if b.version() > 0 {
			at = 8
		}
		return b.from(at).boxes(h.infe)
	case "iloc":
		return h.iloc(b)
	case "idat":
		h.idat = b
	case "iprp":
		return b.boxes(func(kind string, b space) error {
			switch kind {
			case "ipco":
				return b.boxes(h.property)
			case "ipma":
				return h.ipma(b)
			}
			return nil
		})
	}
	return nil
}

// infe reads what an item is.
func (h *heif) infe(kind string, b space) error {
	if kind != "infe" || b.version() < 2 {
		return nil
	}
	width := 2
	if b.version() > 2 {
		width = 4
	}
	at := 4 + width + 2
	if len(b.b) < at+4 {
		return errBad
	}
	switch what := string(b.b[at : at+4]); what {
	case "Exif", "mime", "uri ":
		h.notes[b.u(4, width)] = what
	}
	return nil
}

// iloc reads where items are.
func (h *heif) iloc(b space) error {
	version := b.version()
	offset, length, base, index := int(b.u(4, 1)>>4), int(b.u(4, 1)&15), int(b.u(5, 1)>>4), int(b.u(5, 1)&15)
	if version == 0 {
		index = 0
	}
	id, at := 2, 8
	if version == 2 {
		id, at = 4, 10
	}
	for n := b.u(6, id); n > 0 && at < len(b.b); n-- {
		item, inside := b.u(at, id), false
		if at += id; version > 0 {
			inside = b.u(at, 2)&15 == 1
			at += 2
		}
		at += 2
		start := b.u(at, base)
		at += base
		extents := b.u(at, 2)
		at += 2
		for ; extents > 0 && at < len(b.b); extents-- {
			at += index
			p := place{inside, start + b.u(at, offset), b.u(at+offset, length)}
			if at += offset + length; offset+length == 0 {
				return nil
			}
			if len(h.places[item]) < 100 {
				h.places[item] = append(h.places[item], p)
			}
		}
	}
	return nil
}

// property reads one of the properties that items have.
func (h *heif) property(kind string, b space) error {
	p := sized{}
	switch kind {
	case "ispe":
		p.width, p.height = int(b.u(4, 4)), int(b.u(8, 4))
	case "irot":
		p.turns = int(b.u(0, 1) & 3)
	}
	h.sizes = append(h.sizes, p)
	return nil
}

// ipma reads which items have which properties.
func (h *heif) ipma(b space) error {
	id, index, at := 2, 1, 8
	if b.version() > 0 {
		id = 4
	}
	if b.u(3, 1)&1 != 0 {
		index = 2
	}
	for n := b.u(4, 4); n > 0 && at < len(b.b); n-- {
		item := b.u(at, id)
		count := b.u(at+id, 1)
		at += id + 1
		for ; count > 0 && at < len(b.b); count-- {
			i := int(b.u(at, index))
			if index == 1 {
				i &= 0x7f
			} else {
				i &= 0x7fff
			}
			at += index
			if len(h.uses[item]) < 100 {
				h.uses[item] = append(h.uses[item], i)
			}
		}
	}
	return nil
}

// size is that of the picture, as it is shown.
func (h *heif) size() (width, height int) {
	turned := false
	for _, i := range h.uses[h.primary] {
		if i < 1 || i > len(h.sizes) {
			continue
		}
		p := h.sizes[i-1]
		if p.width > 0 {
			width, height = p.width, p.height
		}
		turned = turned != (p.turns%2 == 1)
	}
	if turned {
		width, height = height, width
	}
	if width > maxSide || height > maxSide {
		return 0, 0
	}
	return width, height
}

// patches overwrite EXIF and XMP. An EXIF stays one, which tells nothing: some
// readers refuse a picture with one that they can not read.
func (h *heif) patches(size int64) (out patches) {
	empty := []byte("\x00\x00\x00\x00II*\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	for item, kind := range h.notes {
		for i, p := range h.places[item] {
			at, end := p.at, uint64(size)
			if p.inside {
				at, end = at+uint64(h.idat.at), uint64(h.idat.at)+uint64(len(h.idat.b))
			}
			if at > end || p.n > end-at || at < p.at {
				continue
			}
			x := patch{at: int64(at), n: int64(p.n)}
			if kind == "Exif" && i == 0 && p.n >= uint64(len(empty)) {
				x.new = empty
			}
			out = append(out, x)
		}
	}
	return out
}
