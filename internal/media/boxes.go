package media

import (
	"encoding/binary"
	"errors"
	"io"
)

// box is one of the boxes that MP4, QuickTime, HEIF and AVIF consist of (ISO/IEC
// 14496-12, 4.2): at is where it begins, data where what is in it does.
type box struct {
	kind          string
	at, data, end int64
}

// maxBoxes bounds the boxes that are looked at in one place.
const maxBoxes = 200_000

// topBoxes walks over the boxes of a file.
func (s source) topBoxes(fn func(b box) error) error {
	for at, n := int64(0), 0; at < s.size; n++ {
		var head [16]byte
		got, err := s.ReadAt(head[:min(16, s.size-at)], at)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		b, ok := boxAt(head[:got], at, s.size)
		if !ok || n == maxBoxes {
			return errBad
		}
		if err := fn(b); err != nil {
			return err
		}
		at = b.end
	}
	return nil
}

// boxAt reads the head of a box at a position of what ends at end.
func boxAt(head []byte, at, end int64) (b box, ok bool) {
	if len(head) < 8 {
		return b, false
	}
	b = box{kind: string(head[4:8]), at: at, data: at + 8}
	n := uint64(binary.BigEndian.Uint32(head))
	switch n {
	case 0: // to the end
		n = uint64(end - at)
	case 1:
		if len(head) < 16 {
			return b, false
		}
		n = binary.BigEndian.Uint64(head[8:])
		b.data += 8
	}
	if n > uint64(end-at) || int64(n) < b.data-at {
		return b, false
	}
	b.end = at + int64(n)
	return b, true
}

// space is a part of a file in memory, with where it begins in the file.
type space struct {
	b  []byte
	at int64
}

// read reads a part of the file, of at most so many bytes.
func (s source) read(from, to, most int64) (space, error) {
	if to < from || to-from > most || to > s.size {
		return space{}, errBad
	}
	b := make([]byte, to-from)
	if n, err := s.ReadAt(b, from); n < len(b) {
		return space{}, errors.Join(err, io.ErrUnexpectedEOF)
	}
	return space{b, from}, nil
}

// boxes walks over the boxes in a part.
func (p space) boxes(fn func(kind string, in space) error) error {
	for i, n := int64(0), 0; i < int64(len(p.b)); n++ {
		if len(p.b)-int(i) < 8 {
			return nil // a list in QuickTime may end with four zeros
		}
		b, ok := boxAt(p.b[i:], i, int64(len(p.b)))
		if !ok || n == maxBoxes {
			return errBad
		}
		if err := fn(b.kind, space{p.b[b.data:b.end], p.at + b.data}); err != nil {
			return err
		}
		i = b.end
	}
	return nil
}

// from is the part behind its first n bytes; empty when it has fewer.
func (p space) from(n int) space {
	n = min(n, len(p.b))
	return space{p.b[n:], p.at + int64(n)}
}

// u reads a number of n bytes at i; 0 where there is none.
func (p space) u(i, n int) uint64 {
	if i < 0 || n < 0 || i+n > len(p.b) {
		return 0
	}
	v := uint64(0)
	for _, c := range p.b[i : i+n] {
		v = v<<8 | uint64(c)
	}
	return v
}

// version is that of a box that has one, with its flags in front.
func (p space) version() int { return int(p.u(0, 1)) }
