package skein

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"mime"
	"os"
	"path/filepath"
	"slices"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Upload is a file that is to be uploaded: Outgoing.Files has those of a
// message, Client.Upload takes one without a message.
type Upload struct {
	// Path names a file of this machine. It is read piece by piece, and opened
	// again whenever the upload goes on, also by another process: it has to stay
	// as it is until it was sent.
	Path string
	// Reader gives Size bytes in place of Path.
	Reader io.ReaderAt
	Size   int64
	// Ref is the app's own name of what Reader reads. After a restart
	// Options.OpenUpload is given it; without one such an upload ends with its
	// process.
	Ref string

	// Name is shown and saved under; empty = the last part of Path. MIME is
	// what the bytes are said to be; empty = what the name's ending tells. The
	// server looks at both, and at the bytes: what it says is sent.
	Name, MIME string

	// Voice: it was spoken for this message. Waveform is how loud it is from
	// its beginning to its end, 0 to 255 each, at most 128.
	Voice    bool
	Waveform []byte
	// Width and Height in pixels and Duration are for files that the server can
	// not read them out of.
	Width, Height uint32
	Duration      time.Duration
	// Poster is a picture that is shown in place of a film until it plays.
	Poster *Upload
}

// Bounds of what is said of a file, in bytes.
const (
	maxFiles    = 20
	maxFileName = 255
	maxWaveform = 128
)

// part is one file on its way; the poster of one is a part of its own.
type part struct {
	up   Upload // Reader is nil after a restart
	film int    // of a poster: the index of its film, and 1; else 0
	mod  int64  // of Path: when it was changed last, nanoseconds
	// What the store has, guarded by Client.mu.
	sum   []byte        // SHA-256; nil = not known yet
	id    string        // of the upload, and of the file then; empty = none was begun
	whole *skeinv1.File // when it is there
	// stop ends the attempt that is under way, nil = none; guarded by Client.mu.
	stop context.CancelFunc
	// How far it is, written by the attempt.
	progress progress

	// What only the loop touches.
	fails     int   // attempts that brought nothing
	internal  int   // of those, answered with internal
	lastAt    int64 // how far the one before had come
	notBefore int64 // local milliseconds
}

// parts looks at the files that are to be sent, and those that are their
// posters.
func parts(files []Upload) ([]*part, error) {
	if len(files) > maxFiles {
		return nil, errorf(InvalidArgument, nil, "a message has at most %d files", maxFiles)
	}
	var out, posters []*part
	for i, up := range files {
		p, err := newPart(up)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
		if up.Poster == nil {
			continue
		}
		if p, err = newPart(*up.Poster); err != nil {
			return nil, err
		}
		p.film = i + 1
		posters = append(posters, p)
	}
	return append(out, posters...), nil
}

func newPart(up Upload) (*part, error) {
	p := &part{up: up}
	p.up.Poster, p.up.Waveform = nil, slices.Clone(up.Waveform)
	switch {
	case (up.Path == "") == (up.Reader == nil):
		return nil, errorf(InvalidArgument, nil, "a file to upload has a Path or a Reader")
	case up.Size < 0 || up.Reader == nil && up.Size != 0:
		return nil, errorf(InvalidArgument, nil, "Size goes with Reader, and is not negative")
	case len(up.Waveform) > maxWaveform:
		return nil, errorf(TooLarge, nil, "a waveform has at most %d bytes", maxWaveform)
	case up.Duration < 0 || up.Duration > 31*24*time.Hour:
		return nil, errorf(InvalidArgument, nil, "a recording lasts at most 31 days")
	}
	if up.Path != "" {
		path, err := filepath.Abs(up.Path)
		if err != nil {
			return nil, errorf(InvalidArgument, err, "the path of a file to upload is none")
		}
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			return nil, errorf(InvalidArgument, err, "there is no such file to upload")
		}
		p.up.Path, p.up.Size, p.mod = path, info.Size(), info.ModTime().UnixNano()
		if up.Name == "" {
			p.up.Name = filepath.Base(path)
		}
	}
	if p.up.Name == "" {
		p.up.Name = "file"
	}
	for len(p.up.Name) > maxFileName {
		_, n := utf8.DecodeLastRuneInString(p.up.Name)
		p.up.Name = p.up.Name[:len(p.up.Name)-n]
	}
	// Without parameters: what charset a text has is not a file's business.
	p.up.MIME, _, _ = mime.ParseMediaType(cmp.Or(up.MIME, mime.TypeByExtension(filepath.Ext(p.up.Name))))
	p.up.MIME = cmp.Or(p.up.MIME, "application/octet-stream")
	return p, nil
}

// source is an open file to upload.
type source struct {
	io.ReaderAt
	io.Closer // nil = there is nothing to close
}

func (s source) close() {
	if s.Closer != nil {
		_ = s.Close() // it was only read
	}
}

// open opens what a part is read from. Errors: FailedPrecondition.
func (p *part) open(again func(ref string) (io.ReaderAt, int64, error)) (source, error) {
	gone := func(cause error, why string) error {
		return &Error{Code: FailedPrecondition, Message: why, Hint: "send it anew", Cause: cause}
	}
	switch {
	case p.up.Path != "":
		f, err := os.Open(p.up.Path)
		if err != nil {
			return source{}, gone(err, "the file to upload can not be opened")
		}
		info, err := f.Stat()
		if err == nil && (info.Size() != p.up.Size || info.ModTime().UnixNano() != p.mod) {
			err = errorf(FailedPrecondition, nil, "its size or time is another")
		}
		if err != nil {
			_ = f.Close() // nothing was written
			return source{}, gone(err, "the file to upload was changed meanwhile")
		}
		return source{f, f}, nil
	case p.up.Reader != nil:
		return source{p.up.Reader, nil}, nil
	case p.up.Ref == "" || again == nil:
		return source{}, gone(nil, "what was to be uploaded ended with the process that began it")
	}
	r, size, err := again(p.up.Ref)
	if err != nil || r == nil {
		return source{}, gone(err, "what was to be uploaded is not there any more")
	}
	out := source{ReaderAt: r}
	out.Closer, _ = r.(io.Closer)
	if size != p.up.Size {
		out.close()
		return source{}, gone(nil, "what was to be uploaded has another size now")
	}
	return out, nil
}

// attachment is what a message says of a part: of one that is not whole what
// the sender knows, else what the server found.
func (p *part) attachment() *skeinv1.Attachment {
	up := p.up
	a := &skeinv1.Attachment{Name: up.Name, Mime: up.MIME, Size: uint64(up.Size), Width: up.Width, Height: up.Height,
		DurationMs: uint32(up.Duration.Milliseconds()), Voice: up.Voice, Waveform: slices.Clone(up.Waveform)}
	f := p.whole
	if f == nil {
		return a
	}
	a.File, a.Name, a.Mime, a.Size, a.Sha256 = f.GetId(), f.GetName(), f.GetMime(), f.GetSize(), slices.Clone(f.GetSha256())
	m := f.GetMedia()
	if m == nil {
		return a
	}
	if m.GetWidth() > 0 {
		a.Width, a.Height = m.GetWidth(), m.GetHeight()
	}
	if m.GetDurationMs() > 0 {
		a.DurationMs = m.GetDurationMs()
	}
	if len(a.Waveform) == 0 {
		a.Waveform = slices.Clone(m.GetWaveform())
	}
	a.Thumb, a.Animated = slices.Clone(m.GetThumb()), m.GetAnimated()
	return a
}

// addPoster tells a film's attachment what is shown in its place.
func addPoster(film *skeinv1.Attachment, poster *part) {
	film.Poster = poster.whole.GetId()
	m := poster.whole.GetMedia()
	if len(film.GetThumb()) == 0 {
		film.Thumb = slices.Clone(m.GetThumb())
	}
	if film.GetWidth() == 0 {
		film.Width, film.Height = m.GetWidth(), m.GetHeight()
	}
}

// itemsOf are the attachments of a message's parts.
func itemsOf(ps []*part) []*skeinv1.Attachment {
	var out []*skeinv1.Attachment
	for _, p := range ps {
		if p.film == 0 {
			out = append(out, p.attachment())
		} else if p.whole != nil {
			addPoster(out[p.film-1], p)
		}
	}
	return out
}

// Upload uploads one file and returns what a message says of it, for what Send
// does not send: Schedule, Edit, or the same file in many messages. It goes on
// over lost connections until ctx ends, and begins anew after a restart.
// onProgress, if it is not nil, is told how many bytes are there, on a goroutine
// of the client's.
//
// A file that no message has is forgotten after a time that the operator sets,
// usually a day.
//
// Errors: InvalidArgument, TooLarge, ResourceExhausted (a quota), PermissionDenied,
// FailedPrecondition (the file was changed meanwhile), Aborted, Closed.
func (c *Client) Upload(ctx context.Context, up Upload, onProgress func(sent, size int64)) (Attachment, error) {
	ps, err := parts([]Upload{up})
	if err != nil {
		return Attachment{}, err
	}
	for _, p := range ps {
		if p.film == 0 {
			p.progress.tell = onProgress
		}
		if err := c.bringWhole(ctx, p); err != nil {
			return Attachment{}, err
		}
	}
	return attachmentsOf(&skeinv1.Attachments{Items: itemsOf(ps)})[0], nil
}

// bringWhole makes attempts until a part is there, or can not be.
func (c *Client) bringWhole(ctx context.Context, p *part) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(c.ctx, cancel)
	defer stop()
	for {
		f, err := c.bring(ctx, p, func(id string, sum []byte) error {
			p.id, p.sum = id, sum
			return nil
		})
		if err == nil {
			p.whole = f
			return nil
		}
		if ctx.Err() == nil {
			var again time.Duration
			var final *Error
			if err := c.do(ctx, func() { again, final = c.afterFailure(p, asError(err)) }); err != nil {
				return err
			}
			if final != nil {
				return final
			}
			_ = c.pause(ctx, fmt.Sprintf("upload/%p", p), again) // its error is that of ctx
		}
		switch {
		case c.ctx.Err() != nil:
			return c.closed()
		case ctx.Err() != nil:
			if p.id != "" {
				c.giveUp(p.id)
			}
			return aborted(ctx.Err())
		}
	}
}

// transfer is what an outbox item has whose message has files.
type transfer struct {
	parts []*part // the files, and behind them the posters
	// Guarded by Client.mu, and stored.
	paused bool
	ready  bool // the body names the files: the outbox may send it

	// What only the loop touches.
	rechecked bool // the message was refused, and they were looked at again
	// onProgress is the sender's; nil after a restart.
	onProgress func(Transfer)
	pace       pace // guarded by Client.mu
}

// size is how many bytes a message's files have.
func (t *transfer) size() (n int64) {
	for _, p := range t.parts {
		n += p.up.Size
	}
	return n
}

// sent is how many of them are there.
func (t *transfer) sent() (n int64) {
	for _, p := range t.parts {
		n += p.sent()
	}
	return n
}

func (p *part) sent() int64 {
	if p.whole != nil {
		return p.up.Size
	}
	return p.progress.at.Load()
}

// withFiles is the body of a message whose files are those of its parts.
func withFiles(body *skeinv1.Body, ps []*part) *skeinv1.Body {
	body = proto.CloneOf(body)
	body.GetContent().GetAttachments().Items = itemsOf(ps)
	return body
}

// uploads tells whether an item waits for its files.
func (it *item) uploads() bool { return it.files != nil && !it.files.ready }
