package media

import (
	"bytes"
	"cmp"
	"io"
	"slices"
)

// pieces gather what is kept of a file.
type pieces []Piece

// keep keeps n bytes of the file.
func (p *pieces) keep(from, n int) {
	if n <= 0 {
		return
	}
	if last := len(*p) - 1; last >= 0 && (*p)[last].New == nil && (*p)[last].From+(*p)[last].N == int64(from) {
		(*p)[last].N += int64(n)
		return
	}
	*p = append(*p, Piece{From: int64(from), N: int64(n)})
}

// put puts bytes that were not there.
func (p *pieces) put(b ...byte) {
	if last := len(*p) - 1; last >= 0 && (*p)[last].New != nil {
		(*p)[last].New = append((*p)[last].New, b...)
		(*p)[last].N += int64(len(b))
		return
	}
	*p = append(*p, Piece{New: bytes.Clone(b), N: int64(len(b))})
}

// insert puts bytes behind the first ones, which were kept; false when they were
// not.
func (p *pieces) insert(at int, b []byte) bool {
	if len(*p) == 0 || (*p)[0].New != nil || (*p)[0].N < int64(at) {
		return false
	}
	first, rest := (*p)[0], (*p)[1:]
	out := pieces{{From: first.From, N: int64(at)}, {New: b, N: int64(len(b))}}
	if first.N > int64(at) {
		out = append(out, Piece{From: first.From + int64(at), N: first.N - int64(at)})
	}
	*p = append(out, rest...)
	return true
}

// whole tells that nothing was changed.
func (p pieces) whole(size int) bool {
	return len(p) == 1 && p[0].New == nil && p[0].From == 0 && p[0].N == int64(size)
}

// maxPieces bounds the pieces that are handed over; a picture that has more is
// put together, and any other file is not shown (patches.made).
const maxPieces = 5000

// of returns the bytes of the pieces, and the pieces as they are handed over: nil
// when nothing was changed.
func (p pieces) of(b []byte) ([]byte, []Piece) {
	if p.whole(len(b)) {
		return b, nil
	}
	clean := make([]byte, 0, len(b))
	for _, x := range p {
		if x.New != nil {
			clean = append(clean, x.New...)
		} else {
			clean = append(clean, b[x.From:x.From+x.N]...)
		}
	}
	if len(p) > maxPieces {
		p = pieces{{New: clean, N: int64(len(clean))}}
	}
	return clean, p
}

// Size is how many bytes pieces have.
func Size(p []Piece) (n int64) {
	for _, x := range p {
		n += x.N
	}
	return n
}

// Reader reads the bytes of pieces, in order; open gives those of the file.
func Reader(p []Piece, open func(from, n int64) io.Reader) io.Reader {
	rs := make([]io.Reader, len(p))
	for i, x := range p {
		switch {
		case x.Zero:
			rs[i] = io.LimitReader(zeros{}, x.N)
		case x.New != nil:
			rs[i] = bytes.NewReader(x.New)
		default:
			rs[i] = open(x.From, x.N)
		}
	}
	return io.MultiReader(rs...)
}

// zeros is a reader of nothing else.
type zeros struct{}

// Read implements io.Reader.
func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// patches are parts of a file that are overwritten where they are.
type patches []patch

type patch struct {
	at, n int64
	new   []byte // in its first place; the rest is zeros
}

// made is a file of a size with the patches in it. One that would have more
// pieces than are handed over is saved as it is: errBad.
func (p patches) made(size int64) (Made, error) {
	clean := p.of(size)
	if len(clean) > maxPieces {
		return Made{}, errBad
	}
	return Made{Clean: clean}, nil
}

// of returns the pieces of a file of a size with the patches in it; nil when
// there are none. Those that overlap an earlier one are left out.
func (p patches) of(size int64) []Piece {
	slices.SortStableFunc(p, func(a, b patch) int { return cmp.Compare(a.at, b.at) })
	var out []Piece
	at := int64(0)
	for _, x := range p {
		if x.at < at || x.n <= 0 || x.at+x.n > size {
			continue
		}
		if x.at > at {
			out = append(out, Piece{From: at, N: x.at - at})
		}
		if n := int64(len(x.new)); n > 0 {
			out = append(out, Piece{New: x.new[:min(n, x.n)], N: min(n, x.n)})
		}
		if rest := x.n - int64(len(x.new)); rest > 0 {
			out = append(out, Piece{Zero: true, N: rest})
		}
		at = x.at + x.n
	}
	if len(out) > 0 && at < size {
		out = append(out, Piece{From: at, N: size - at})
	}
	return out
}
