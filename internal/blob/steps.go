package blob

import (
	"context"
	"io"

	"github.com/skein-im/skein/internal/im"
)

// InSteps is what every Append does. It hands a store the reader's bytes in
// steps, none of which goes over a multiple of Step, and tells durable after
// each. step stores what its reader gives behind the first u.At bytes and makes
// it durable; when the reader gives nothing there is nothing to do. An error of
// step is the store's: one of the reader is the end to it, and comes afterwards.
func InSteps(ctx context.Context, u Upload, r io.Reader, durable func(at int64) error, step func(u Upload, r io.Reader) error) error {
	src := &source{r: r}
	for u.At < u.Size && src.err == nil {
		if err := ctx.Err(); err != nil {
			return im.Errorf(im.Unavailable, "the upload was given up: %v", err)
		}
		before := src.n
		if err := step(u, io.LimitReader(src, min(Step-u.At%Step, u.Size-u.At))); err != nil {
			return err
		}
		if src.n == before {
			break
		}
		u.At += src.n - before
		if err := durable(u.At); err != nil {
			return err
		}
	}
	if u.At == u.Size && src.err == nil {
		var one [1]byte
		if n, _ := io.ReadFull(src, one[:]); n > 0 {
			return ErrTooMuch()
		}
	}
	if src.err == io.EOF {
		return nil
	}
	return src.err
}

// source is a reader that ends where another ends or fails, and remembers how.
type source struct {
	r   io.Reader
	n   int64 // bytes so far
	err error
}

// Read implements io.Reader.
func (s *source) Read(b []byte) (int, error) {
	if s.err != nil {
		return 0, io.EOF
	}
	n, err := s.r.Read(b)
	s.n += int64(n)
	if s.err = err; err != nil {
		err = io.EOF
	}
	return n, err
}
