package media

import (
	"errors"
	"io"
)

// window is how much is read of a file when less is asked for, in bytes.
const window = 64 << 10

// buffered keeps a part of a file: headers are read in small pieces, and each
// may be a question to another process, or to a cloud.
type buffered struct {
	source
	from int64 // where kept begins
	kept []byte
}

// ReadAt implements io.ReaderAt.
func (r *buffered) ReadAt(p []byte, at int64) (int, error) {
	if len(p) >= window {
		return r.source.ReadAt(p, at)
	}
	if at < r.from || at+int64(len(p)) > r.from+int64(len(r.kept)) {
		b := make([]byte, min(window, max(0, r.size-at)))
		n, err := r.source.ReadAt(b, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		r.from, r.kept = at, b[:n]
	}
	n := copy(p, r.kept[at-r.from:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// some reads up to n bytes from a position on: fewer at the end.
func (s source) some(at, n int64) ([]byte, error) {
	if at < 0 || at >= s.size || n <= 0 {
		return nil, nil
	}
	b := make([]byte, min(n, s.size-at))
	got, err := s.ReadAt(b, at)
	if got == len(b) || errors.Is(err, io.EOF) {
		err = nil
	}
	return b[:got], err
}
