package server

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
	skein "github.com/skein-im/skein/sdk/go"
	"github.com/skein-im/skein/sdk/go/internal/tus"
)

const (
	// chunk is how many bytes a request of an upload brings.
	chunk = 8 << 20
	// longestWait is the most between two attempts, where the server does not say.
	longestWait = 30 * time.Second
	// giveUpTime is how long the server is told that an upload has ended.
	giveUpTime = 5 * time.Second
)

// UploadFile is a file that is to be uploaded.
type UploadFile struct {
	// Name is shown and saved under. MIME is what the bytes are said to be; empty
	// = not known. The server looks at the bytes, and File tells what it found.
	Name, MIME string
	// Reader gives Size bytes, some of them more than once after a lost
	// connection. It has to give the same ones until Upload returns.
	Reader io.ReaderAt
	Size   int64
	// SHA256 is of all bytes; nil = not known. With it the server refuses what is
	// not the same to the last bit.
	SHA256 []byte
}

// Upload uploads a file as the app itself, and returns what the server made of
// it: a picture loses where and with what it was made, so that the size and the
// SHA-256 may be others. Attachment is what a message says of it. A file that no
// message has is forgotten after a time that the operator sets, usually a day.
//
// It goes on where it was over lost connections and restarts of the server, until
// ctx ends, or twice Options.Attempts in a row have brought not a byte: by
// default that is after some 25 s. Memory does not grow with the file.
//
// Errors: InvalidArgument (also for bytes that are not those of SHA256),
// TooLarge, ResourceExhausted (a quota, or a full disk), FailedPrecondition
// (Reader fails), Unavailable, Aborted.
func (c *Client) Upload(ctx context.Context, f UploadFile) (*skeinv1.File, error) {
	if f.Reader == nil || f.Size < 0 || len(f.SHA256) != 0 && len(f.SHA256) != sha256.Size {
		return nil, &skein.Error{Code: skein.InvalidArgument, Message: "a file to upload has a Reader, a Size, and 32 bytes of SHA256 or none"}
	}
	u := &uploading{c: c, f: f, most: chunk}
	for n, wait := 1, firstWait; ; n, wait = n+1, min(2*wait, longestWait) {
		had := u.had
		file, err := u.attempt(ctx)
		if err == nil {
			return file, nil
		}
		e := asUploadError(ctx, err)
		if u.had > had {
			n, wait = 1, firstWait
		}
		if n < 2*c.attempts && again(e) {
			if err = c.wait(ctx, max(wait, e.RetryAfter)); err == nil {
				continue
			}
			e = aborted(ctx)
		}
		u.giveUp(ctx)
		return nil, e
	}
}

// uploading is an upload under way.
type uploading struct {
	c    *Client
	f    UploadFile
	id   string // empty = none was begun
	at   int64  // how far it is; -1 = the server has to be asked
	had  int64  // how far it ever was
	most int64  // bytes a request
	anew bool   // the server had forgotten one already
}

// attempt goes on until the file is there, or something goes wrong.
func (u *uploading) attempt(ctx context.Context) (*skeinv1.File, error) {
	if u.id == "" {
		if err := u.begin(ctx); err != nil {
			return nil, err
		}
	}
	for u.at < u.f.Size {
		if err := u.step(ctx); err != nil {
			u.at = -1
			if errors.Is(err, tus.ErrNarrow) && u.most > tus.LeastChunk {
				u.most = max(tus.LeastChunk, u.most/4)
				continue
			}
			if skein.CodeOf(asUploadError(ctx, err)) != skein.NotFound {
				return nil, err
			}
			break // it may be complete, and forgotten for that: the file tells
		}
	}
	file, err := u.c.File(ctx, u.id)
	if skein.CodeOf(err) != skein.NotFound {
		return file, err
	}
	u.id, u.had = "", 0
	if u.anew {
		return nil, &skein.Error{Code: skein.NotFound, Message: "the server forgets the upload again and again"}
	}
	u.anew = true
	return u.attempt(ctx)
}

// begin makes an upload.
func (u *uploading) begin(ctx context.Context) error {
	conn, err := u.c.uploads(ctx)
	if err == nil {
		u.id, err = conn.Create(ctx, tus.File{Name: u.f.Name, MIME: u.f.MIME, Size: u.f.Size, Sum: u.f.SHA256})
	}
	if u.at = 0; u.f.Size == 0 { // to ask makes the file: there are no bytes to send that would
		u.at = -1
	}
	return err
}

// step asks how far the upload is where that is not known, else it sends bytes.
func (u *uploading) step(ctx context.Context) error {
	conn, err := u.c.uploads(ctx)
	if err != nil {
		return err
	}
	if u.at < 0 {
		u.at, err = conn.Head(ctx, u.id)
	} else {
		n, at := min(u.most, u.f.Size-u.at), u.at
		body := &source{r: io.NewSectionReader(u.f.Reader, at, n), left: n}
		u.at, err = conn.Patch(ctx, u.id, at, n, body)
		if failed := body.failed.Load(); failed != nil {
			return &skein.Error{Code: skein.FailedPrecondition, Message: "the file to upload can not be read", Cause: *failed}
		}
		if err == nil && u.at <= at {
			err = &tus.Error{Code: string(skein.Internal), Message: "the upload does not grow"}
		}
	}
	u.had = max(u.had, u.at)
	return err
}

// again tells whether another attempt can help.
func again(e *skein.Error) bool {
	var refused *tus.Error
	switch e.Code {
	case skein.Unavailable, skein.RateLimited, skein.Internal:
		return true
	case skein.FailedPrecondition: // 409: it stands elsewhere, because an answer was lost
		return errors.As(e.Cause, &refused)
	}
	return false
}

// giveUp tells the server that nothing more comes. If it does not hear of it, it
// forgets the upload by itself.
func (u *uploading) giveUp(ctx context.Context) {
	if u.id == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveUpTime)
	defer cancel()
	if conn, err := u.c.uploads(ctx); err == nil {
		_ = conn.Delete(ctx, u.id) // see above
	}
}

// uploads is the way to the server's uploads, for one request.
func (c *Client) uploads(ctx context.Context) (tus.Conn, error) {
	token, err := c.token(ctx)
	if err != nil {
		return tus.Conn{}, tokenError(err)
	}
	return tus.Conn{Endpoint: c.endpoint, HTTP: c.http, Clock: c.clock, Identify: func(r *http.Request) { sign(r.Header, c.app, token) }}, nil
}

// asUploadError gives the error of an upload the form of the SDK.
func asUploadError(ctx context.Context, err error) *skein.Error {
	var refused *tus.Error
	if ctx.Err() == nil && errors.As(err, &refused) {
		return &skein.Error{Code: skein.Code(refused.Code), Message: refused.Message, RetryAfter: refused.RetryAfter, Cause: refused}
	}
	return asError(ctx, err)
}

// source gives the bytes of a request and keeps why it can not: to the network
// it looks like a lost connection.
type source struct {
	r      io.Reader
	left   int64
	failed atomic.Pointer[error]
}

// Read implements io.Reader.
func (s *source) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	s.left -= int64(n)
	if err == io.EOF && s.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil && err != io.EOF {
		s.failed.Store(&err)
	}
	return n, err
}

// Attachment is what a message says of a file: what the server found in it. Set
// more before it is sent, such as Poster or Voice.
func Attachment(f *skeinv1.File) *skeinv1.Attachment {
	m := f.GetMedia()
	return &skeinv1.Attachment{File: f.GetId(), Name: f.GetName(), Mime: f.GetMime(), Size: f.GetSize(), Sha256: slices.Clone(f.GetSha256()),
		Width: m.GetWidth(), Height: m.GetHeight(), DurationMs: m.GetDurationMs(), Thumb: slices.Clone(m.GetThumb()),
		Animated: m.GetAnimated(), Waveform: slices.Clone(m.GetWaveform())}
}

// Attachments is the body of a message that has 1 to 20 files; caption may be
// empty.
func Attachments(caption string, items ...*skeinv1.Attachment) *skeinv1.Body {
	return &skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT,
		Content: &skeinv1.Content{Kind: &skeinv1.Content_Attachments{Attachments: &skeinv1.Attachments{Caption: caption, Items: items}}}}
}
