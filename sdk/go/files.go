package skein

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
	"github.com/skein-im/skein/sdk/go/internal/tus"
)

// PreviewSize is how large a picture is wanted.
type PreviewSize string

// The sizes, in pixels on the longer side. One that is no smaller than the
// picture gives the picture itself.
const (
	FullSize      PreviewSize = ""
	SmallPreview  PreviewSize = "s" // 160
	MediumPreview PreviewSize = "m" // 480
	LargePreview  PreviewSize = "l" // 1,280
)

// File is a file of the user's own, as the server has it.
type File struct {
	ID, Name, MIME string
	Size           uint64
	SHA256         []byte
	Created        time.Time
	// Attachment is what a message says of it.
	Attachment Attachment
}

// FileOptions is what is wanted of a file.
type FileOptions struct {
	// Size asks for a smaller picture. NotFound for what is no picture.
	Size PreviewSize
	// Poster asks for the film's poster in place of the film.
	Poster bool
	// Save makes a URL that a browser saves rather than shows.
	Save bool
	// OnProgress is called by Download with how many bytes are here, of how many.
	OnProgress func(got, size int64)
}

// Files reads the files of messages. Whether the user may read a message is
// asked at every request: who has left a conversation gets nothing more of it.
type Files struct {
	c *Client

	mu      sync.Mutex // guards the rest
	key     string
	origin  string
	expires time.Time // the server's clock
}

// Files returns what reads files. It is the same value every time.
func (c *Client) Files() *Files { return &c.files }

// Get returns a file that the user has uploaded: Attachment.File is its id.
// Errors: NotFound.
func (f *Files) Get(ctx context.Context, id string) (File, error) {
	w, err := f.c.file(ctx, id)
	if err != nil {
		return File{}, err
	}
	p := part{up: Upload{}, whole: w}
	return File{ID: w.GetId(), Name: w.GetName(), MIME: w.GetMime(), Size: w.GetSize(), SHA256: w.GetSha256(), Created: time.UnixMicro(w.GetCreatedUs()).UTC(),
		Attachment: attachmentsOf(&skeinv1.Attachments{Items: itemsOf([]*part{&p})})[0]}, nil
}

// file asks the server for a file of the user's.
func (c *Client) file(ctx context.Context, id string) (*skeinv1.File, error) {
	var resp skeinv1.GetFileResponse
	if err := c.rpc(ctx, "FileService/GetFile", &skeinv1.GetFileRequest{Id: id}, &resp); err != nil {
		return nil, err
	}
	return resp.GetFile(), nil
}

// renewBefore is how long before its end a key is replaced.
const renewBefore = 5 * time.Minute

// access returns a key, and where files are read; refused is a key that is not
// taken any more.
func (f *Files) access(ctx context.Context, refused string) (key, origin string, err error) {
	f.c.mu.RLock()
	now := time.UnixMilli(f.c.serverNow())
	f.c.mu.RUnlock()
	f.mu.Lock()
	key, origin = f.key, f.origin
	good := key != "" && key != refused && now.Before(f.expires.Add(-renewBefore))
	f.mu.Unlock()
	if good {
		return key, origin, nil
	}
	var resp skeinv1.CreateFileKeyResponse
	if err := f.c.rpc(ctx, "FileService/CreateFileKey", &skeinv1.CreateFileKeyRequest{}, &resp); err != nil {
		return "", "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.key, f.expires = resp.GetKey(), time.UnixMicro(resp.GetExpiresUs())
	f.origin = strings.TrimRight(cmp.Or(resp.GetOrigin(), f.c.opt.Endpoint), "/")
	return f.key, f.origin, nil
}

// URL returns where a file of a message is read, for something that reads by
// URL: good for some minutes up to an hour, for this user alone, while the
// message may be read. A message that is not sent yet, and the zero Message,
// stand for a file of the user's own.
//
// Errors: FailedPrecondition (the attachment is no uploaded file: see its URL).
func (f *Files) URL(ctx context.Context, m Message, a Attachment, o FileOptions) (string, error) {
	key, origin, err := f.access(ctx, "")
	if err != nil {
		return "", err
	}
	return o.url(key, origin, m, a)
}

func (o FileOptions) url(key, origin string, m Message, a Attachment) (string, error) {
	id := a.File
	if o.Poster {
		id = a.Poster
	}
	if id == "" {
		return "", &Error{Code: FailedPrecondition, Message: "the attachment has no such uploaded file", Hint: "see its URL"}
	}
	q := url.Values{"k": {key}}
	if m.Seq > 0 {
		q.Set("c", m.Conversation)
		q.Set("s", strconv.FormatUint(m.Seq, 10))
	}
	if o.Size != FullSize {
		q.Set("t", string(o.Size))
	}
	if o.Save {
		q.Set("d", "1")
	}
	return origin + "/v1/files/" + url.PathEscape(id) + "?" + q.Encode(), nil
}

// FileReader reads a file of a message. It asks for bytes when they are read,
// goes on where it was when a connection is lost, and may be set to any place.
// One goroutine at a time uses it.
type FileReader struct {
	f   *Files
	ctx context.Context
	m   Message
	a   Attachment
	o   FileOptions

	at, size int64
	etag     string
	typ      string
	body     io.ReadCloser // from at on; nil = nothing was asked for
	over     context.CancelFunc
}

// Open opens a file of a message: an item of its Attachments, or of what is
// merged in it. ctx is for all of the reading. Close it.
//
// Errors: NotFound (also when the message may not be read any more), and those
// of URL.
func (f *Files) Open(ctx context.Context, m Message, a Attachment, o FileOptions) (*FileReader, error) {
	r := &FileReader{f: f, ctx: ctx, m: m, a: a, o: o, size: -1}
	if err := r.ask(); err != nil {
		return nil, err
	}
	return r, nil
}

// Size is how many bytes there are.
func (r *FileReader) Size() int64 { return r.size }

// MIME is what the server says that they are.
func (r *FileReader) MIME() string { return r.typ }

// Seek implements io.Seeker. The next Read asks for the bytes from there on.
func (r *FileReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		offset += r.size
	}
	if offset < 0 {
		return r.at, errorf(InvalidArgument, nil, "a file begins at 0")
	}
	if offset != r.at {
		r.drop()
		r.at = offset
	}
	return offset, nil
}

// Close implements io.Closer.
func (r *FileReader) Close() error {
	r.drop()
	return nil
}

func (r *FileReader) drop() {
	if r.body != nil {
		r.over()
		_ = r.body.Close() // what was read is what was wanted
		r.body = nil
	}
}

// readAttempts is how often in a row a reading is begun anew without a byte.
const readAttempts = 6

// Read implements io.Reader.
func (r *FileReader) Read(b []byte) (int, error) {
	for tries := 0; ; tries++ {
		if r.at >= r.size {
			return 0, io.EOF
		}
		if len(b) == 0 {
			return 0, nil
		}
		err := error(nil)
		if r.body == nil {
			err = r.ask()
		}
		if err == nil {
			var n int
			n, err = r.body.Read(b)
			r.at += int64(n)
			if n > 0 {
				return n, nil // what comes with it comes again
			}
			r.drop()
			err = errorf(Unavailable, err, "the connection was lost")
		}
		switch {
		case r.ctx.Err() != nil:
			return 0, aborted(r.ctx.Err())
		case CodeOf(err) != Unavailable || tries >= readAttempts:
			return 0, err
		}
		if err := r.f.c.pause(r.ctx, fmt.Sprintf("read/%p", r), readPause(tries)); err != nil {
			return 0, err
		}
	}
}

func readPause(tries int) time.Duration {
	return min(100*time.Millisecond<<tries, 5*time.Second)
}

// ask makes the request for the bytes from at on; one whose key is refused
// once more, with another key.
func (r *FileReader) ask() error {
	if r.size >= 0 && r.at >= r.size {
		return nil
	}
	key, origin, err := r.f.access(r.ctx, "")
	if err != nil {
		return err
	}
	err = r.ask1(key, origin)
	if code := CodeOf(err); code == Expired || code == Unauthenticated || code == TokenExpired {
		if key, origin, err = r.f.access(r.ctx, key); err == nil {
			err = r.ask1(key, origin)
		}
	}
	return err
}

func (r *FileReader) ask1(key, origin string) error {
	where, err := r.o.url(key, origin, r.m, r.a)
	if err != nil {
		return err
	}
	c := r.f.c
	ctx, over := context.WithCancel(r.ctx)
	stop := context.AfterFunc(c.ctx, over)
	end := func() { stop(); over() }
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		end()
		return errorf(InvalidArgument, err, "the address of files is none")
	}
	req.Header.Set("User-Agent", "skein-go/"+Version)
	if r.at > 0 {
		req.Header.Set("Range", "bytes="+strconv.FormatInt(r.at, 10)+"-")
		if r.etag != "" {
			req.Header.Set("If-Range", r.etag)
		}
	}
	resp, err := tus.Patient(c.opt.HTTPClient).Do(req)
	if err != nil {
		end()
		return errorf(Unavailable, err, "the file can not be reached")
	}
	if err := r.answer(resp); err != nil {
		end()
		_ = resp.Body.Close() // it was a refusal
		return err
	}
	if r.body == nil {
		end()
		return resp.Body.Close()
	}
	r.over = end
	return nil
}

// answer takes what a request for bytes brought.
func (r *FileReader) answer(resp *http.Response) error {
	size := resp.ContentLength
	switch resp.StatusCode {
	case http.StatusOK:
		if r.at != 0 { // another file than before, or one that is given whole only
			if r.size >= 0 && size != r.size {
				return errorf(DataLoss, nil, "the file is another one now")
			}
			if _, err := io.CopyN(io.Discard, resp.Body, r.at); err != nil {
				return errorf(Unavailable, err, "the connection was lost")
			}
		}
	case http.StatusPartialContent:
		span, total, _ := strings.Cut(strings.TrimPrefix(resp.Header.Get("Content-Range"), "bytes "), "/")
		from, _, _ := strings.Cut(span, "-")
		at, err := strconv.ParseInt(from, 10, 64)
		whole, err2 := strconv.ParseInt(total, 10, 64)
		if err = errors.Join(err, err2); err != nil || at != r.at {
			return errorf(Internal, err, "other bytes came than were asked for")
		}
		size = whole
	case http.StatusRequestedRangeNotSatisfiable: // of an empty file, or at its end
		_, total, _ := strings.Cut(resp.Header.Get("Content-Range"), "/")
		var err error
		if size, err = strconv.ParseInt(total, 10, 64); err != nil || r.at < size {
			return errorf(Internal, err, "the server gives no bytes")
		}
		r.size = size
		return nil
	default:
		return refused(tus.Refusal(resp))
	}
	if size < 0 {
		return errorf(Internal, nil, "the server does not say how long the file is")
	}
	r.size, r.etag, r.body = size, resp.Header.Get("ETag"), resp.Body
	r.typ = cmp.Or(r.typ, resp.Header.Get("Content-Type"))
	return nil
}

// Download saves a file of a message at path. What is here already of an
// attempt that broke off, also of another process, is not fetched again: it lies
// beside path, with the file's id in its name. A whole file is compared with the
// SHA-256 that the message tells; path is there when all of it is.
//
// Errors: those of Open; DataLoss when the bytes are other ones, and then they
// are gone; FailedPrecondition when the disk refuses them.
func (f *Files) Download(ctx context.Context, m Message, a Attachment, path string, o FileOptions) error {
	id := a.File
	if o.Poster {
		id = a.Poster
	}
	name := path + "." + id + string(o.Size) + ".part"
	disk := func(err error) error { return errorf(FailedPrecondition, err, "the file can not be saved") }
	out, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return disk(err)
	}
	defer out.Close() //nolint:errcheck // it was closed with care where that counts
	h := sha256.New()
	here, err := io.Copy(h, &ended{ctx, out})
	if err != nil {
		return cmp.Or(endOf(ctx), disk(err))
	}
	r := &FileReader{f: f, ctx: ctx, m: m, a: a, o: o, size: -1, at: here}
	defer r.Close() //nolint:errcheck // it has no error
	if err := r.ask(); err != nil {
		return err
	}
	if here > r.size { // no part of this file
		if err := errors.Join(out.Truncate(0), rewind(out)); err != nil {
			return disk(err)
		}
		h.Reset()
		r.at, here = 0, 0
	}
	if err := save(out, h, r, o.OnProgress); err != nil {
		return err
	}
	if want := a.SHA256; len(want) > 0 && o.Size == FullSize && !o.Poster && string(h.Sum(nil)) != string(want) {
		_ = os.Remove(name) // of no use to anybody
		return errorf(DataLoss, nil, "the bytes are not those that the message tells of")
	}
	if err := errors.Join(out.Sync(), out.Close(), os.Rename(name, path)); err != nil {
		return disk(err)
	}
	return nil
}

func rewind(f *os.File) error {
	_, err := f.Seek(0, io.SeekStart)
	return err
}

// save copies the rest of a file.
func save(out *os.File, h hash.Hash, r *FileReader, tell func(got, size int64)) error {
	b := make([]byte, 256<<10)
	for {
		if tell != nil {
			tell(r.at, r.size)
		}
		n, err := r.Read(b)
		if n > 0 {
			h.Write(b[:n])
			if _, err := out.Write(b[:n]); err != nil {
				return errorf(FailedPrecondition, err, "the file can not be saved")
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}
