// Package tus makes the requests of tus 1.0.0
// (https://tus.io/protocols/resumable-upload) that the SDKs in Go make, one
// each call. When to make which, and what to do about an error, is for them to
// know: a user's client goes on for days and over restarts, a call of a back
// end comes to an end.
package tus

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// LeastChunk is how few bytes a request brings when what stands between the
	// SDK and the server lets no more pass, see ErrNarrow.
	LeastChunk = 256 << 10
	// idleTime is how long a request may bring nothing.
	idleTime = 60 * time.Second
	// answerTime is how long the server may take for a file once it has all bytes:
	// it hashes, stores and looks at it.
	answerTime = 150 * time.Second
	// maxRefusal is how much of a refusal is read, in bytes.
	maxRefusal = 1 << 10
)

// Conn makes requests to the uploads of a server. All of its errors are *Error,
// also when ctx has ended.
type Conn struct {
	Endpoint string
	// HTTP makes the requests; its Timeout does not hold, because bytes take as
	// long as they take. What brings nothing for a minute is ended.
	HTTP  *http.Client
	Clock interface {
		AfterFunc(d time.Duration, f func()) (stop func())
	}
	// Identify says who makes a request.
	Identify func(r *http.Request)
}

// Patient is an HTTP client without its time limit.
func Patient(h *http.Client) *http.Client {
	patient := *h
	patient.Timeout = 0
	return &patient
}

// File is what an upload is begun with. MIME and Sum, its SHA-256, may be empty:
// with Sum the server compares the bytes at the end.
type File struct {
	Name, MIME string
	Size       int64
	Sum        []byte
}

// Create begins an upload, and returns its id, which is the file's.
func (c Conn) Create(ctx context.Context, f File) (id string, err error) {
	var words []string
	for _, w := range [][2]string{{"filename", f.Name}, {"filetype", f.MIME}, {"sha256", hex.EncodeToString(f.Sum)}} {
		if w[1] != "" {
			words = append(words, w[0]+" "+base64.StdEncoding.EncodeToString([]byte(w[1])))
		}
	}
	resp, err := c.do(ctx, http.MethodPost, "", http.Header{
		"Upload-Length": {strconv.FormatInt(f.Size, 10)}, "Upload-Metadata": {strings.Join(words, ",")},
	}, nil, 0)
	if err != nil {
		return "", err
	}
	// Where it lies is known but for its name: a token goes nowhere else.
	where, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || len(path.Base(where.Path)) != 32 {
		return "", &Error{Code: internal, Message: "the server does not say where the upload is", Cause: err}
	}
	return path.Base(where.Path), nil
}

// Head returns how far an upload is. It makes the file of one that has all of
// its bytes, also of one that needs none. The code is not_found also for one
// that has expired.
func (c Conn) Head(ctx context.Context, id string) (int64, error) {
	within, over := context.WithCancel(ctx)
	defer over()
	defer c.Clock.AfterFunc(answerTime, over)()
	resp, err := c.do(within, http.MethodHead, id, nil, nil, 0)
	if err != nil {
		return 0, tooLong(ctx, within, err)
	}
	return offsetOf(resp)
}

// Patch sends n bytes of r for the place at, and returns how far the upload is
// then. The answer to the last byte comes when the file is made.
func (c Conn) Patch(ctx context.Context, id string, at, n int64, r io.Reader) (int64, error) {
	within, over := context.WithCancel(ctx)
	defer over()
	body := &counted{r: r}
	defer c.watch(over, func() (int64, bool) { sent := body.n.Load(); return sent, sent >= n })()
	resp, err := c.do(within, http.MethodPatch, id, http.Header{
		"Upload-Offset": {strconv.FormatInt(at, 10)}, "Content-Type": {"application/offset+octet-stream"},
		// Who is refused has not to send what nobody reads.
		"Expect": {"100-continue"},
	}, body, n)
	if err != nil {
		return 0, tooLong(ctx, within, err)
	}
	return offsetOf(resp)
}

// Delete gives an upload up.
func (c Conn) Delete(ctx context.Context, id string) error {
	_, err := c.do(ctx, http.MethodDelete, id, nil, nil, 0)
	return err
}

// tooLong tells the end of a request that nothing came for from the end of the
// caller's ctx.
func tooLong(ctx, within context.Context, err error) error {
	if within.Err() != nil && ctx.Err() == nil {
		return &Error{Code: unavailable, Message: "the server does not answer", Cause: err}
	}
	return err
}

func offsetOf(resp *http.Response) (int64, error) {
	at, err := strconv.ParseInt(resp.Header.Get("Upload-Offset"), 10, 64)
	if err != nil || at < 0 {
		return 0, &Error{Code: internal, Message: "the server does not say how far the upload is", Cause: err}
	}
	return at, nil
}

// counted counts what was read of it.
type counted struct {
	r io.Reader
	n atomic.Int64
}

// Read implements io.Reader.
func (r *counted) Read(b []byte) (int, error) {
	n, err := r.r.Read(b)
	r.n.Add(int64(n))
	return n, err
}

// watch ends a request that brings nothing any more; moved tells how far it is,
// and whether only the answer is missing.
func (c Conn) watch(over func(), moved func() (int64, bool)) (stop func()) {
	var end atomic.Bool
	var idle time.Duration
	last := int64(-1)
	const look = idleTime / 4
	var next func()
	next = func() {
		at, waits := moved()
		if idle += look; at != last {
			idle, last = 0, at
		}
		switch {
		case end.Load():
		case !waits && idle >= idleTime, idle >= answerTime:
			over()
		default:
			c.Clock.AfterFunc(look, next)
		}
	}
	cancel := c.Clock.AfterFunc(look, next)
	return func() {
		end.Store(true)
		cancel()
	}
}

func (c Conn) do(ctx context.Context, method, id string, h http.Header, body io.Reader, n int64) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.Endpoint+"/v1/uploads/"+id, nil)
	if err != nil {
		return nil, &Error{Code: "invalid_argument", Message: "the endpoint is no address", Cause: err}
	}
	if h != nil {
		r.Header = h
	}
	if body != nil {
		r.Body, r.ContentLength = io.NopCloser(body), n
	}
	r.Header.Set("Tus-Resumable", "1.0.0")
	c.Identify(r)
	resp, err := Patient(c.HTTP).Do(r)
	if err != nil {
		return nil, &Error{Code: unavailable, Message: "the server can not be reached", Cause: err}
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	if resp.StatusCode/100 == 2 {
		_, _ = io.CopyN(io.Discard, resp.Body, maxRefusal) // so that the connection serves again
		return resp, nil
	}
	return nil, Refusal(resp)
}

// Error is why a request has failed.
type Error struct {
	Code       string // as the protocol names it, in lower case
	Message    string // one sentence for a developer
	RetryAfter time.Duration
	Cause      error // can be nil
}

// Error implements error.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

const (
	internal    = "internal"
	unavailable = "unavailable"
)

// ErrNarrow is why a request is too large for somebody who is not the server:
// smaller ones pass.
var ErrNarrow = errors.New("no answer of the server's")

// Refusal is an answer of uploads or downloads that is an error. It reads the
// answer's body, and does not close it.
func Refusal(resp *http.Response) *Error {
	e := &Error{Message: "the server answered with status " + resp.Status}
	told := resp.Header.Get("Skein-Error")
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusal)) // what came of it
	if s := strings.TrimSpace(string(text)); s != "" && told != "" {
		e.Message = s
	}
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
		e.RetryAfter = time.Duration(min(s, 7*24*3600)) * time.Second
	}
	switch resp.StatusCode {
	case http.StatusNotFound, http.StatusGone:
		e.Code = "not_found"
	case http.StatusLocked, 460: // another request holds it; a part was damaged on its way (tus)
		e.Code = unavailable
	case http.StatusConflict:
		e.Code = "failed_precondition"
	case http.StatusInsufficientStorage:
		e.Code = "resource_exhausted"
	case http.StatusRequestEntityTooLarge:
		if e.Code = "too_large"; told == "" {
			e.Cause = ErrNarrow
		}
	case http.StatusPreconditionFailed:
		e.Code = "unsupported"
	default:
		if e.Code = strings.ToLower(told); told == "" {
			e.Code = CodeOf(resp.StatusCode)
		}
	}
	return e
}

// CodeOf is the code of an answer that says nothing but its status: a proxy's, or
// that of what is no Skein at all.
func CodeOf(status int) string {
	switch {
	case status == http.StatusUnauthorized:
		return "unauthenticated"
	case status == http.StatusForbidden:
		return "permission_denied"
	case status == http.StatusNotFound:
		return "not_found"
	case status == http.StatusTooManyRequests:
		return "rate_limited"
	case status == http.StatusRequestEntityTooLarge:
		return "too_large"
	case status == http.StatusNotImplemented:
		return "unsupported"
	case status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout:
		return unavailable
	case status >= 400 && status < 500:
		return "invalid_argument"
	}
	return internal
}
