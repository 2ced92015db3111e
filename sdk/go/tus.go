package skein

import (
	"cmp"
	"context"
	"crypto/sha256"
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

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Constants of uploads (docs/sdk-spec.md §8).
const (
	// chunk is how many bytes a request brings, leastChunk how few they become
	// when what stands between this client and the server lets no more pass.
	chunk      = 32 << 20
	leastChunk = 256 << 10
	// idleTime is how long a request may bring nothing.
	idleTime = 60 * time.Second
	// answerTime is how long the server may take for a file once it has all bytes:
	// it hashes, stores and looks at it.
	answerTime = 150 * time.Second
	// wrongOffsets is how many times in a row an upload may stand elsewhere.
	wrongOffsets = 3
	// maxAnew is how often an upload that the server forgets is begun in a process.
	maxAnew = 4
	// maxRefusal is how much of a refusal is read, in bytes.
	maxRefusal = 1 << 10
)

const octets = "application/offset+octet-stream"

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
		case errors.Is(err, errNarrow) && most > leastChunk:
			most = max(leastChunk, most/4)
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

func (c *Client) tusCreate(ctx context.Context, p *part, sum []byte) (string, error) {
	word := func(key, value string) string { return key + " " + base64.StdEncoding.EncodeToString([]byte(value)) }
	resp, err := c.tus(ctx, http.MethodPost, "", http.Header{
		"Upload-Length":   {strconv.FormatInt(p.up.Size, 10)},
		"Upload-Metadata": {strings.Join([]string{word("filename", p.up.Name), word("filetype", p.up.MIME), word("sha256", hex.EncodeToString(sum))}, ",")},
	}, nil, 0)
	if err != nil {
		return "", err
	}
	// Where it lies is known but for its name: a token goes nowhere else.
	where, perr := url.Parse(resp.Header.Get("Location"))
	if perr != nil || len(path.Base(where.Path)) != 32 {
		return "", errorf(Internal, perr, "the server does not say where the upload is")
	}
	return path.Base(where.Path), nil
}

// tusHead returns how far an upload is. NotFound also for one that has expired.
func (c *Client) tusHead(ctx context.Context, id string) (int64, error) {
	within, over := context.WithCancel(ctx)
	defer over()
	defer c.opt.Clock.AfterFunc(answerTime, over)()
	resp, err := c.tus(within, http.MethodHead, id, nil, nil, 0)
	if err != nil {
		return 0, tooLong(ctx, err)
	}
	return offsetOf(resp)
}

// tooLong tells the end of a request that nothing came for from the end of the
// caller's ctx.
func tooLong(ctx context.Context, err error) error {
	if CodeOf(err) == Aborted && ctx.Err() == nil {
		return errorf(Unavailable, err, "the server does not answer")
	}
	return err
}

func offsetOf(resp *http.Response) (int64, error) {
	at, err := strconv.ParseInt(resp.Header.Get("Upload-Offset"), 10, 64)
	if err != nil || at < 0 {
		return 0, errorf(Internal, err, "the server does not say how far the upload is")
	}
	return at, nil
}

// tusPatch sends n bytes for the place at, and returns how far the upload is then.
func (c *Client) tusPatch(ctx context.Context, p *part, r io.Reader, id string, at, n int64) (int64, error) {
	within, over := context.WithCancel(ctx)
	defer over()
	defer c.watchOver(over, func() (int64, bool) { now := p.progress.at.Load(); return now, now >= at+n })()
	resp, err := c.tus(within, http.MethodPatch, id, http.Header{
		"Upload-Offset": {strconv.FormatInt(at, 10)}, "Content-Type": {octets},
		// Who is refused has not to send what nobody reads.
		"Expect": {"100-continue"},
	}, &counted{r, p}, n)
	if err != nil {
		return 0, tooLong(ctx, err)
	}
	return offsetOf(resp)
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

// watchOver ends a request that brings nothing any more; moved tells how far it
// is, and whether only the answer is missing.
func (c *Client) watchOver(over func(), moved func() (int64, bool)) (stop func()) {
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
			c.opt.Clock.AfterFunc(look, next)
		}
	}
	cancel := c.opt.Clock.AfterFunc(look, next)
	return func() {
		end.Store(true)
		cancel()
	}
}

// giveUp tells the server that nothing more comes for an upload. If it does not
// hear of it, it forgets the upload by itself.
func (c *Client) giveUp(id string) {
	c.start(func() {
		ctx, cancel := context.WithTimeout(c.ctx, callTime)
		defer cancel()
		if _, err := c.tus(ctx, http.MethodDelete, id, nil, nil, 0); err != nil {
			c.log.Debug("an upload was not given up", "code", CodeOf(err))
		}
	})
}

// tus makes a request of tus 1.0.0 (https://tus.io/protocols/resumable-upload).
// A refused token is replaced once, where nothing was read of the body.
func (c *Client) tus(ctx context.Context, method, id string, h http.Header, body *counted, n int64) (*http.Response, error) {
	token, err := c.tokens.current(ctx)
	if err != nil {
		return nil, c.tokenError(err)
	}
	at := int64(0)
	if body != nil {
		at = body.p.progress.at.Load()
	}
	resp, refused := c.tus1(ctx, method, id, token, h, body, n)
	if refused != nil && (refused.Code == Unauthenticated || refused.Code == TokenExpired) && (body == nil || body.p.progress.at.Load() == at) {
		if token, err = c.tokens.better(ctx, token); err != nil {
			return nil, c.tokenError(err)
		}
		resp, refused = c.tus1(ctx, method, id, token, h, body, n)
	}
	if refused != nil {
		return nil, cmp.Or(endOf(ctx), error(refused))
	}
	return resp, nil
}

func (c *Client) tus1(ctx context.Context, method, id, token string, h http.Header, body *counted, n int64) (*http.Response, *Error) {
	r, err := http.NewRequestWithContext(ctx, method, c.opt.Endpoint+"/v1/uploads/"+id, nil)
	if err != nil {
		return nil, errorf(InvalidArgument, err, "the endpoint is no address")
	}
	if h != nil {
		r.Header = h.Clone()
	}
	if body != nil {
		r.Body, r.ContentLength = io.NopCloser(body), n
	}
	r.Header.Set("Tus-Resumable", "1.0.0")
	c.identify(r, token)
	resp, err := c.patient().Do(r)
	if err != nil {
		if c.ctx.Err() != nil {
			return nil, errClosed()
		}
		return nil, errorf(Unavailable, err, "the server can not be reached")
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	return nil, refusal(resp, text)
}

// patient is the app's HTTP client without its time limit: a file takes as long
// as it takes.
func (c *Client) patient() *http.Client {
	h := *c.opt.HTTPClient
	h.Timeout = 0
	return &h
}

// identify says who makes a request.
func (c *Client) identify(r *http.Request, token string) {
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Skein-App", c.opt.AppID)
	r.Header.Set("Skein-Device", url.PathEscape(c.device))
	r.Header.Set("User-Agent", "skein-go/"+Version)
}

// errNarrow is why a request is too large for somebody who is not the server:
// smaller ones pass.
var errNarrow = errors.New("no answer of the server's")

// refusal is an answer of tus or of a download that is an error.
func refusal(resp *http.Response, text []byte) *Error {
	e := &Error{Message: "the server answered with status " + resp.Status}
	if s := strings.TrimSpace(string(text)); s != "" && resp.Header.Get("Skein-Error") != "" {
		e.Message = s
	}
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
		e.RetryAfter = time.Duration(min(s, 7*24*3600)) * time.Second
	}
	switch told := resp.Header.Get("Skein-Error"); resp.StatusCode {
	case http.StatusNotFound, http.StatusGone:
		e.Code = NotFound
	case http.StatusLocked, 460: // another request holds it; a part was damaged on its way (tus)
		e.Code = Unavailable
	case http.StatusConflict:
		e.Code = FailedPrecondition
	case http.StatusInsufficientStorage:
		e.Code = ResourceExhausted
	case http.StatusRequestEntityTooLarge:
		if e.Code = TooLarge; told == "" {
			e.Cause = errNarrow
		}
	case http.StatusPreconditionFailed:
		e.Code = Unsupported
	default:
		if e.Code = Code(strings.ToLower(told)); told == "" {
			e.Code = connectError(resp.StatusCode, nil).Code
		}
	}
	return e
}
