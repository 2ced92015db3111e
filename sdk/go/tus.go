package skein

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
	"github.com/skein-im/skein/sdk/go/internal/tus"
)

// Constants of uploads (docs/sdk-spec.md §8).
const (
	// chunk is how many bytes a request brings.
	chunk = 32 << 20
	// wrongOffsets is how many times in a row an upload may stand elsewhere.
	wrongOffsets = 3
	// maxAnew is how often an upload that the server forgets is begun in a process.
	maxAnew = 4
)

// progress is how far an upload is. An attempt writes it, anybody reads it.
type progress struct {
	at        atomic.Int64 // bytes that are there, or on their way
	preparing atomic.Bool  // the file is being read for its hash
	anew      atomic.Int32 // how often the upload was begun, since the user wanted it
	tell      func(sent, size int64)
}

// bring makes one attempt to upload a part: it goes on with an upload that was
// begun, else begins one. save keeps the upload's id and the file's hash, before
// a byte is sent; with "" the upload is forgotten, because the server has
// forgotten it. Whatever breaks off is for the caller to try again.
func (c *Client) bring(ctx context.Context, p *part, save func(id string, sum []byte) error) (*skeinv1.File, error) {
	src, err := p.open(c.opt.OpenUpload)
	if err != nil {
		return nil, err
	}
	defer src.close()
	at, id := int64(0), p.id
	if id != "" {
		at, err = c.tusHead(ctx, id)
		if CodeOf(err) == NotFound {
			// It may be complete and its upload forgotten: the file tells.
			f, gone := c.file(ctx, id)
			if CodeOf(gone) != NotFound {
				return f, gone
			}
			id, err = "", save("", p.sum)
		}
		if err != nil {
			return nil, err
		}
	}
	if id == "" {
		if id, err = c.begin(ctx, p, src, save); err != nil {
			return nil, err
		}
	}
	if err := c.fill(ctx, p, src, id, at); err != nil {
		if CodeOf(err) == NotFound { // the next attempt looks what became of it
			err = errorf(Unavailable, err, "the server has forgotten the upload")
		}
		return nil, err
	}
	f, err := c.file(ctx, id)
	if CodeOf(err) == NotFound {
		err = errorf(Unavailable, err, "the server has no file of the upload")
		if lost := save("", p.sum); lost != nil {
			err = lost
		}
	}
	return f, err
}

// begin makes an upload, which needs the hash of the file: the server compares
// it at the end, so that not a bit of it is another, however often the upload
// broke off.
func (c *Client) begin(ctx context.Context, p *part, src io.ReaderAt, save func(string, []byte) error) (string, error) {
	if p.progress.anew.Add(1) > maxAnew {
		return "", errorf(NotFound, nil, "the server forgets the upload again and again")
	}
	sum := p.sum
	if sum == nil {
		p.progress.preparing.Store(true)
		defer p.progress.preparing.Store(false)
		h := sha256.New()
		if _, err := io.Copy(h, &ended{ctx, io.NewSectionReader(src, 0, p.up.Size)}); err != nil {
			return "", cmp.Or(endOf(ctx), error(errorf(FailedPrecondition, err, "the file to upload can not be read")))
		}
		sum = h.Sum(nil)
	}
	id, err := c.tusCreate(ctx, p, sum)
	if err != nil {
		return "", err
	}
	if err := save(id, sum); err != nil {
		c.giveUp(id)
		return "", err
	}
	if p.up.Size == 0 { // there is nothing to send that would make the file
		_, err = c.tusHead(ctx, id)
	}
	return id, err
}

// ended ends a reading with its context.
type ended struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (e *ended) Read(b []byte) (int, error) {
	if err := e.ctx.Err(); err != nil {
		return 0, err
	}
	return e.r.Read(b)
}

// endOf is the end of a context as an error; nil while it goes on.
func endOf(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return aborted(err)
	}
	return nil
}

// fill sends the bytes behind at.
func (c *Client) fill(ctx context.Context, p *part, src io.ReaderAt, id string, at int64) error {
	p.progress.at.Store(at)
	most := int64(chunk)
	for wrong := 0; at < p.up.Size; {
		n := min(most, p.up.Size-at)
		now, err := c.tusPatch(ctx, p, io.NewSectionReader(src, at, n), id, at, n)
		switch {
		case errors.Is(err, tus.ErrNarrow) && most > tus.LeastChunk:
			most = max(tus.LeastChunk, most/4)
			now, err = c.tusHead(ctx, id)
		case CodeOf(err) == FailedPrecondition && wrong < wrongOffsets:
			// It stands elsewhere, because an answer was lost: there it goes on.
			wrong++
			now, err = c.tusHead(ctx, id)
		case err == nil && now <= at:
			err = errorf(Internal, nil, "the upload does not grow")
		}
		if err != nil {
			return err
		}
		if now > at {
			wrong = 0
		}
		at = now
		p.progress.at.Store(at)
	}
	return nil
}

func (c *Client) tusCreate(ctx context.Context, p *part, sum []byte) (id string, err error) {
	err = c.tus(ctx, nil, func(conn tus.Conn) (err error) {
		id, err = conn.Create(ctx, tus.File{Name: p.up.Name, MIME: p.up.MIME, Size: p.up.Size, Sum: sum})
		return err
	})
	return id, err
}

// tusHead returns how far an upload is. NotFound also for one that has expired.
func (c *Client) tusHead(ctx context.Context, id string) (at int64, err error) {
	err = c.tus(ctx, nil, func(conn tus.Conn) (err error) {
		at, err = conn.Head(ctx, id)
		return err
	})
	return at, err
}

// tusPatch sends n bytes for the place at, and returns how far the upload is then.
func (c *Client) tusPatch(ctx context.Context, p *part, r io.Reader, id string, at, n int64) (now int64, err error) {
	err = c.tus(ctx, p, func(conn tus.Conn) (err error) {
		now, err = conn.Patch(ctx, id, at, n, &counted{r, p})
		return err
	})
	return now, err
}

// counted counts what was read of it.
type counted struct {
	r io.Reader
	p *part
}

// Read implements io.Reader.
func (r *counted) Read(b []byte) (int, error) {
	n, err := r.r.Read(b)
	at := r.p.progress.at.Add(int64(n))
	if tell := r.p.progress.tell; tell != nil && n > 0 {
		tell(at, r.p.up.Size)
	}
	return n, err
}

// giveUp tells the server that nothing more comes for an upload. If it does not
// hear of it, it forgets the upload by itself.
func (c *Client) giveUp(id string) {
	c.start(func() {
		ctx, cancel := context.WithTimeout(c.ctx, callTime)
		defer cancel()
		if err := c.tus(ctx, nil, func(conn tus.Conn) error { return conn.Delete(ctx, id) }); err != nil {
			c.log.Debug("an upload was not given up", "code", CodeOf(err))
		}
	})
}

// tus makes a request of uploads. A refused token is replaced once, where
// nothing was read of the part that it brings; nil = it brings nothing.
func (c *Client) tus(ctx context.Context, brings *part, do func(tus.Conn) error) error {
	token, err := c.tokens.current(ctx)
	if err != nil {
		return c.tokenError(err)
	}
	at := int64(0)
	if brings != nil {
		at = brings.progress.at.Load()
	}
	err = do(c.uploadsAs(token))
	if code := refused(err).Code; (code == Unauthenticated || code == TokenExpired) && (brings == nil || brings.progress.at.Load() == at) {
		if token, err = c.tokens.better(ctx, token); err != nil {
			return c.tokenError(err)
		}
		err = do(c.uploadsAs(token))
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return endOf(ctx)
	case c.ctx.Err() != nil:
		return errClosed()
	}
	return refused(err)
}

// uploadsAs is the way to the server's uploads.
func (c *Client) uploadsAs(token string) tus.Conn {
	return tus.Conn{Endpoint: c.opt.Endpoint, HTTP: c.opt.HTTPClient, Clock: c.opt.Clock, Identify: func(r *http.Request) { c.identify(r, token) }}
}

// identify says who makes a request.
func (c *Client) identify(r *http.Request, token string) {
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Skein-App", c.opt.AppID)
	r.Header.Set("Skein-Device", url.PathEscape(c.device))
	r.Header.Set("User-Agent", "skein-go/"+Version)
}

// refused gives an error of uploads or downloads the form of the SDK; of nil it
// is one without a code.
func refused(err error) *Error {
	var e *tus.Error
	if !errors.As(err, &e) {
		return &Error{Cause: err}
	}
	return &Error{Code: Code(e.Code), Message: e.Message, RetryAfter: e.RetryAfter, Cause: e.Cause}
}
