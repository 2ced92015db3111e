package file

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/skein-im/skein/internal/blob"
	"github.com/skein-im/skein/internal/blob/sealed"
	"github.com/skein-im/skein/internal/im"
)

// Downloads serves GET and HEAD of PREFIX FILE. Who asks says so by the key of
// the URL or, with a header, as in a call; the parameters c and s name the
// message that the file is in. t asks for a smaller picture of it, d=1 for a file
// to save.
//
// Each request asks anew whether the message may be read, one for a range
// included: whoever has just left gets nothing more.
type Downloads struct {
	Service *Service
	Prefix  string
	// Who authenticates a request that has no key.
	Who func(r *http.Request) (im.Actor, error)
	// Holds tells whether what an actor was given at a time is still theirs.
	Holds func(ctx context.Context, a im.Actor, since im.Micros) error
}

// ServeHTTP implements http.Handler.
func (d *Downloads) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("Referrer-Policy", "no-referrer")
	// Nothing here is given because of a cookie, so that pages of every origin
	// may ask; what they get follows from the key or the token that they have.
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "Accept-Ranges, Content-Disposition, Content-Length, Content-Range, ETag, Skein-Error")
	switch r.Method {
	case http.MethodOptions:
		h.Set("Access-Control-Allow-Methods", "GET, HEAD")
		h.Set("Access-Control-Allow-Headers", "Authorization, Range, If-None-Match, If-Range, Skein-App, Skein-Device")
		h.Set("Access-Control-Max-Age", "7200")
		w.WriteHeader(http.StatusNoContent)
		return
	case http.MethodGet, http.MethodHead:
	default:
		h.Set("Allow", "GET, HEAD, OPTIONS")
		http.Error(w, "a file is read with GET", http.StatusMethodNotAllowed)
		return
	}
	f, err := d.find(r)
	var store blob.Store
	if err == nil {
		store, err = d.Service.d.Stores.At(r.Context(), f.store)
	}
	if err != nil {
		d.refuse(w, r, err)
		return
	}
	if err := d.Service.serve(w, r, f, store); err != nil {
		d.refuse(w, r, err)
	}
}

// find tells which file is asked for, when whoever asks may read it.
func (d *Downloads) find(r *http.Request) (*row, error) {
	q := r.URL.Query()
	var a im.Actor
	var err error
	if key := q.Get("k"); key != "" {
		var since im.Micros
		if a, since, err = d.Service.holder(key); err == nil && !a.Server {
			err = d.Holds(r.Context(), a, since)
		}
	} else {
		a, err = d.Who(r)
	}
	if err != nil {
		return nil, err
	}
	id := strings.TrimPrefix(r.URL.Path, d.Prefix)
	conv, seq := im.ConvID(q.Get("c")), int64(0)
	if s := q.Get("s"); s != "" {
		if seq, err = strconv.ParseInt(s, 10, 64); err != nil || seq < 1 {
			return nil, im.ErrNotFound
		}
	}
	if len(id) != 32 || conv != "" && conv.Kind() == im.ConvInvalid {
		return nil, im.ErrNotFound
	}
	f, err := d.Service.open(r.Context(), a, id, conv, im.Seq(seq))
	if t := q.Get("t"); t != "" && err == nil {
		f, err = d.Service.smaller(r.Context(), f, t)
	}
	if err == nil && q.Get("d") == "1" {
		f.shown = false
	}
	return f, err
}

var statuses = map[im.Code]int{im.Unauthenticated: http.StatusUnauthorized, im.TokenExpired: http.StatusUnauthorized, im.SignedOut: http.StatusUnauthorized,
	im.Expired: http.StatusUnauthorized, im.NotFound: http.StatusNotFound, im.PermissionDenied: http.StatusForbidden, im.RateLimited: http.StatusTooManyRequests,
	im.InvalidArgument: http.StatusBadRequest, im.Unavailable: http.StatusServiceUnavailable, im.DataLoss: http.StatusInternalServerError}

func (d *Downloads) refuse(w http.ResponseWriter, r *http.Request, err error) {
	e, known := im.Shown(err)
	status := statuses[e.Code]
	if status == 0 {
		status = http.StatusInternalServerError
	}
	if (!known || e.Code == im.Unavailable || e.Code == im.DataLoss) && r.Context().Err() == nil {
		d.Service.d.Log.Warn("a file could not be served", "err", err)
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Skein-Error", e.Code.String())
	http.Error(w, e.Message, status)
}

// serve answers with the bytes, or with a place where they are for some seconds.
// With an error nothing was answered yet.
func (s *Service) serve(w http.ResponseWriter, r *http.Request, f *row, store blob.Store) error {
	as := blob.Headers{Type: "application/octet-stream", Disposition: disposition("attachment", f.name)}
	if f.shown {
		as = blob.Headers{Type: f.mime, Disposition: disposition("inline", f.name)}
	}
	h := w.Header()
	if s.d.Redirect && r.Method == http.MethodGet { // a URL is good for that alone
		url, err := store.Presign(r.Context(), f.key, blob.MaxPresign, as)
		if err == nil {
			h.Set("Cache-Control", "no-store")
			http.Redirect(w, r, url, http.StatusFound)
			return nil
		}
		if im.CodeOf(err) != im.Unsupported {
			s.d.Log.Warn("a file is streamed, because its store gives no URL", "err", err)
		}
	}
	// It may be kept, and is asked for all the same: whether it may still be read.
	h.Set("Cache-Control", "private, no-cache")
	h.Set("ETag", `"`+hex.EncodeToString(f.sum)+f.variant+`"`)
	h.Set("Content-Type", as.Type)
	h.Set("Content-Disposition", as.Disposition)
	body := &ranged{ctx: r.Context(), store: store, key: f.key, size: f.size}
	if _, ok := store.(*sealed.Store); ok && f.variant == "" { // of a smaller picture no hash is kept
		body.check(f.sum)
	}
	if !plain(r.Header.Get("Range"), f.size) {
		r.Header.Del("Range")
	}
	answer := &late{ResponseWriter: w, body: body, clock: s.d.Clock}
	http.ServeContent(answer, r, "", time.Time{}, body)
	err := body.close()
	if err != nil && !answer.begun {
		for _, name := range []string{"Accept-Ranges", "Content-Disposition", "Content-Length", "Content-Range", "ETag"} {
			h.Del(name)
		}
		return err
	}
	answer.end()
	if err != nil && r.Context().Err() == nil {
		s.d.Log.Warn("a file was not served to its end", "err", err)
	}
	return nil
}

// plain tells whether a Range is answered with a part; any may be answered with
// the whole (RFC 9110, 14.2). Several at once nobody needs, and reading them
// goes on behind the answer when a client goes away. Of nothing, and of the last
// 0 bytes, there is no part.
func plain(ranges string, size int64) bool {
	last, ok := strings.CutPrefix(ranges, "bytes=-")
	return size > 0 && !strings.Contains(ranges, ",") && (!ok || strings.Trim(last, "0 \t") != "")
}

// stalled is how long somebody may take nothing of what they asked for. A player
// that was paused asks again for what it lacks.
const stalled = time.Minute

// late begins an answer with its first byte, so that a store which gives none is
// answered as that, and ends one that nobody reads.
type late struct {
	http.ResponseWriter
	body   *ranged
	clock  im.Clock
	status int
	begun  bool
	wrote  bool
}

// WriteHeader implements http.ResponseWriter.
func (l *late) WriteHeader(status int) {
	l.status = status
	if n, err := strconv.ParseInt(l.Header().Get("Content-Length"), 10, 64); err == nil {
		l.body.want = n
	}
}

// Write implements http.ResponseWriter.
func (l *late) Write(b []byte) (int, error) {
	l.begin()
	l.wrote = true
	_ = http.NewResponseController(l.ResponseWriter).SetWriteDeadline(l.clock.Now().Add(stalled)) // a test's connection may know none
	return l.ResponseWriter.Write(b)
}

func (l *late) begin() {
	if !l.begun && l.status != 0 {
		l.ResponseWriter.WriteHeader(l.status)
	}
	l.begun = true
}

// end sends what is left. The connection may be used for other requests then,
// to which the deadline does not apply.
func (l *late) end() {
	l.begin()
	if l.wrote {
		conn := http.NewResponseController(l.ResponseWriter)
		if conn.Flush() == nil {
			_ = conn.SetWriteDeadline(time.Time{})
		}
	}
}

// Unwrap lets http.ResponseController find the connection.
func (l *late) Unwrap() http.ResponseWriter { return l.ResponseWriter }

// disposition writes Content-Disposition, in one line of ASCII: what is not, and
// what would end a value, is encoded (RFC 6266).
func disposition(how, name string) string {
	if d := mime.FormatMediaType(how, map[string]string{"filename": name}); d != "" {
		return d
	}
	return how
}

// ranged reads an object from wherever it is told to: one request to the store
// for each range.
type ranged struct {
	ctx   context.Context
	store blob.Store
	key   string
	size  int64
	at    int64
	want  int64         // how many bytes will be read; 0 = not known
	from  int64         // where r began
	r     io.ReadCloser // from at on; nil = not asked for
	err   error         // what was not the end

	sum    []byte // the SHA-256 of the whole, when it is checked
	digest hash.Hash
	hashed int64 // how many bytes digest has; behind them nothing was read
}

// check has whoever reads all of it, in order, get its last bytes only when the
// hash is right. What is encrypted is not protected from being changed, see
// package sealed. A range can not be checked.
func (b *ranged) check(sum []byte) { b.sum, b.digest = sum, sha256.New() }

// errChanged says that an object is not what was stored.
var errChanged = im.Errorf(im.DataLoss, "the bytes of a file are not those that were stored")

// errGoneBytes says that an object is not in its store. skein fsck names it.
var errGoneBytes = im.Errorf(im.DataLoss, "the bytes of a file are not in the store")

// Seek implements io.Seeker.
func (b *ranged) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += b.at
	case io.SeekEnd:
		offset += b.size
	}
	if offset < 0 {
		return 0, errors.New("before the beginning")
	}
	if offset != b.at && b.r != nil {
		_ = b.r.Close() // what was read is what was wanted
		b.r = nil
	}
	b.at = offset
	return offset, nil
}

// Read implements io.Reader.
func (b *ranged) Read(p []byte) (int, error) {
	if b.at >= b.size {
		return 0, io.EOF
	}
	if b.r == nil {
		b.from = b.at
		if b.r, b.err = b.store.Get(b.ctx, b.key, b.at, b.length()); b.err != nil {
			if im.CodeOf(b.err) == im.NotFound { // the row is there
				b.err = fmt.Errorf("%w (object %s)", errGoneBytes, b.key)
			}
			return 0, b.err
		}
	}
	n, err := b.r.Read(p)
	if b.digest != nil && b.hashed == b.at && n > 0 {
		b.digest.Write(p[:n])
		if b.hashed += int64(n); b.hashed == b.size && !bytes.Equal(b.digest.Sum(nil), b.sum) {
			b.err = errChanged
			return 0, b.err
		}
	}
	b.at += int64(n)
	if err == io.EOF && b.at < b.size && (b.want == 0 || b.at < b.from+b.want) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}

// length is how much is asked of the store: of a cloud no more than is sent.
func (b *ranged) length() int64 {
	if b.want > 0 {
		return b.want
	}
	return -1
}

func (b *ranged) close() error {
	if b.r != nil {
		_ = b.r.Close()
	}
	return b.err
}
