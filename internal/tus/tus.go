// Package tus speaks tus 1.0.0 (https://tus.io/protocols/resumable-upload), the
// protocol of uploads that go on where they stopped: the core, and the
// extensions creation, creation-with-upload, checksum, expiration and
// termination. It knows HTTP and the protocol; what an upload is, who may make
// one and where its bytes go is the business of an Uploads.
//
//	OPTIONS  /           what the server can do
//	POST     /           begin an upload, perhaps with its first bytes
//	HEAD     /ID         how far it is
//	PATCH    /ID         the next bytes
//	DELETE   /ID         give it up
package tus

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/skein-im/skein/internal/im"
)

const (
	version    = "1.0.0"
	extensions = "creation,creation-with-upload,checksum,expiration,termination"
	octets     = "application/offset+octet-stream"
	// checksumMismatch is the protocol's own status.
	checksumMismatch = 460
	// maxMetadata bounds Upload-Metadata, in bytes.
	maxMetadata = 4096
)

// What pages of other origins need to be allowed, beside what tells who they
// are: the methods, the headers that they send, and those that they read.
const (
	Methods = "POST, HEAD, PATCH, DELETE"
	Sends   = "Tus-Resumable, Upload-Length, Upload-Offset, Upload-Metadata, Upload-Checksum, X-HTTP-Method-Override, X-Requested-With"
	Reads   = "Location, Tus-Resumable, Tus-Version, Tus-Extension, Tus-Max-Size, Tus-Checksum-Algorithm, Upload-Offset, Upload-Length, Upload-Metadata, Upload-Expires, Skein-Error, Retry-After"
)

// New is an upload that is to be made.
type New struct {
	Size int64
	// Metadata are the client's words on it, such as filename; unchecked.
	Metadata map[string]string
}

// Info is how an upload stands.
type Info struct {
	Size, Offset int64
	Expires      time.Time
	// Metadata is the header that the upload was made with.
	Metadata string
}

// Uploads keeps uploads. Its errors are those of package im; a NotFound is for
// what is not there and for what is another's.
type Uploads interface {
	// MaxSize is the most bytes that an upload of the actor may have.
	MaxSize(a im.Actor) int64
	// Create makes an upload; header is the metadata as the client sent it.
	Create(ctx context.Context, a im.Actor, n New, header string) (id string, info Info, err error)
	// Find tells how an upload stands.
	Find(ctx context.Context, a im.Actor, id string) (Info, error)
	// Write stores what the reader gives at the upload's end, which has to be
	// offset, or FailedPrecondition. It returns how the upload stands after it,
	// with an error of the reader too.
	Write(ctx context.Context, a im.Actor, id string, offset int64, r io.Reader) (Info, error)
	// Terminate gives an upload up.
	Terminate(ctx context.Context, a im.Actor, id string) error
}

// Deps are what a handler is made of.
type Deps struct {
	Uploads Uploads
	// Who authenticates a request.
	Who func(r *http.Request) (im.Actor, error)
	// Spool is the folder for chunks whose checksum is looked at before a byte of
	// them is stored.
	Spool string
	// Prefix is the path of the handler, with a slash at its end.
	Prefix  string
	Clock   im.Clock
	Entropy im.Entropy
	Log     *slog.Logger
}

type handler struct{ Deps }

// NewHandler returns the handler of every path below the prefix.
func NewHandler(d Deps) http.Handler { return &handler{d} }

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Tus-Resumable", version)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	id := strings.TrimPrefix(r.URL.Path, h.Prefix)
	method := r.Method
	if over := r.Header.Get("X-HTTP-Method-Override"); over != "" && method == http.MethodPost {
		method = over // for clients behind proxies that know no PATCH
	}
	var err error
	switch {
	case method == http.MethodOptions:
		err = h.options(w, r)
	case twice(r.Header):
		err = im.Errorf(im.InvalidArgument, "a header of the protocol's comes once")
	case r.Header.Get("Tus-Resumable") != version:
		w.Header().Set("Tus-Version", version)
		err = &refusal{http.StatusPreconditionFailed, "send Tus-Resumable: " + version}
	case method == http.MethodPost && id == "":
		err = h.create(w, r)
	case strings.Contains(id, "/") || id == "":
		err = im.ErrNotFound
	case method == http.MethodHead:
		err = h.head(w, r, id)
	case method == http.MethodPatch:
		err = h.patch(w, r, id)
	case method == http.MethodDelete:
		err = h.delete(w, r, id)
	default:
		w.Header().Set("Allow", "OPTIONS, POST, HEAD, PATCH, DELETE")
		err = &refusal{http.StatusMethodNotAllowed, "tus knows OPTIONS, POST, HEAD, PATCH and DELETE"}
	}
	if err != nil {
		h.refuse(w, r, err)
	}
}

// twice tells whether a header comes more than once that has one value: one of
// two servers behind each other could take the first, and the other the last.
func twice(h http.Header) bool {
	for _, name := range []string{"Tus-Resumable", "Upload-Length", "Upload-Offset", "Upload-Checksum", "Upload-Defer-Length", "Upload-Concat", "X-Http-Method-Override", "Content-Type"} {
		if len(h[name]) > 1 {
			return true
		}
	}
	return false
}

func (h *handler) options(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Tus-Version", version)
	w.Header().Set("Tus-Extension", extensions)
	w.Header().Set("Tus-Checksum-Algorithm", strings.Join(algorithms(), ","))
	// Who does not say who they are is not told their bound.
	if r.Header.Get("Authorization") != "" {
		a, err := h.Who(r)
		if err != nil {
			return err
		}
		w.Header().Set("Tus-Max-Size", strconv.FormatInt(h.Uploads.MaxSize(a), 10))
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h *handler) create(w http.ResponseWriter, r *http.Request) error {
	a, err := h.Who(r)
	if err != nil {
		return err
	}
	if r.Header.Get("Upload-Defer-Length") != "" {
		return im.Errorf(im.InvalidArgument, "the size has to be known: send Upload-Length")
	}
	size, err := number(r.Header, "Upload-Length")
	if err != nil {
		return err
	}
	if r.Header.Get("Upload-Concat") != "" {
		return im.Errorf(im.InvalidArgument, "uploads are not concatenated here")
	}
	header := strings.Join(r.Header.Values("Upload-Metadata"), ",") // a list, which may come in pieces
	metadata, err := parseMetadata(header)
	if err != nil {
		return err
	}
	with := r.Header.Get("Content-Type") == octets
	if !with && r.ContentLength > 0 {
		return &refusal{http.StatusUnsupportedMediaType, "send Content-Type: " + octets}
	}
	if r.ContentLength > size {
		return im.Errorf(im.TooLarge, "the upload has %d bytes, and %d are sent", size, r.ContentLength)
	}
	body, err := h.body(w, r, with)
	if err != nil {
		return err
	}
	defer body.close()
	id, info, err := h.Uploads.Create(r.Context(), a, New{Size: size, Metadata: metadata}, header)
	if err != nil {
		return err
	}
	w.Header().Set("Location", h.Prefix+id)
	if with {
		// What came is stored also when the rest of it did not; the client learns
		// how much when it asks.
		if info, err = h.Uploads.Write(r.Context(), a, id, 0, body); err != nil && info.Offset == 0 {
			h.Log.Debug("an upload came without its first bytes", "err", err)
		}
		body.after(w)
		if im.CodeOf(err) == im.TooLarge { // of a length that was not told: what there was room for is stored
			return err
		}
		w.Header().Set("Upload-Offset", strconv.FormatInt(info.Offset, 10))
	}
	expires(w, info)
	w.WriteHeader(http.StatusCreated)
	return nil
}

func (h *handler) head(w http.ResponseWriter, r *http.Request, id string) error {
	a, err := h.Who(r)
	if err != nil {
		return err
	}
	info, err := h.Uploads.Find(r.Context(), a, id)
	if err != nil {
		return err
	}
	w.Header().Set("Upload-Offset", strconv.FormatInt(info.Offset, 10))
	w.Header().Set("Upload-Length", strconv.FormatInt(info.Size, 10))
	if info.Metadata != "" {
		w.Header().Set("Upload-Metadata", info.Metadata)
	}
	expires(w, info)
	w.WriteHeader(http.StatusOK)
	return nil
}

func (h *handler) patch(w http.ResponseWriter, r *http.Request, id string) error {
	a, err := h.Who(r)
	if err != nil {
		return err
	}
	if r.Header.Get("Content-Type") != octets {
		return &refusal{http.StatusUnsupportedMediaType, "send Content-Type: " + octets}
	}
	offset, err := number(r.Header, "Upload-Offset")
	if err != nil {
		return err
	}
	// Who may not write, or is elsewhere, is told before the bytes are looked at.
	info, err := h.Uploads.Find(r.Context(), a, id)
	switch {
	case err != nil:
	case info.Offset != offset:
		err = ErrOffset(info.Offset)
	case r.ContentLength > info.Size-offset:
		err = im.Errorf(im.TooLarge, "the upload lacks %d bytes, and %d are sent", info.Size-offset, r.ContentLength)
	}
	if err != nil {
		return err
	}
	body, err := h.body(w, r, true)
	if err != nil {
		return err
	}
	defer body.close()
	info, err = h.Uploads.Write(r.Context(), a, id, offset, body)
	body.after(w)
	if err != nil {
		return err
	}
	w.Header().Set("Upload-Offset", strconv.FormatInt(info.Offset, 10))
	expires(w, info)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h *handler) delete(w http.ResponseWriter, r *http.Request, id string) error {
	a, err := h.Who(r)
	if err != nil {
		return err
	}
	if err := h.Uploads.Terminate(r.Context(), a, id); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// ErrOffset is the answer to bytes for another place than the upload's end.
func ErrOffset(at int64) error {
	return &im.Error{Code: im.FailedPrecondition, Message: "the upload stands at " + strconv.FormatInt(at, 10), Hint: "ask with HEAD, and go on from there"}
}

// refusal is an answer of the protocol's own.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

// statuses are what the codes are over HTTP.
var statuses = map[im.Code]int{
	im.InvalidArgument: http.StatusBadRequest, im.Unauthenticated: http.StatusUnauthorized, im.TokenExpired: http.StatusUnauthorized,
	im.SignedOut: http.StatusUnauthorized, im.NotFound: http.StatusNotFound, im.PermissionDenied: http.StatusForbidden,
	im.FailedPrecondition: http.StatusConflict, im.TooLarge: http.StatusRequestEntityTooLarge, im.RateLimited: http.StatusTooManyRequests,
	im.Expired: http.StatusGone, im.Unavailable: http.StatusServiceUnavailable, im.ResourceExhausted: http.StatusInsufficientStorage,
	im.DataLoss: http.StatusInternalServerError, im.AlreadyExists: http.StatusConflict,
}

// refuse answers with an error.
func (h *handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var own *refusal
	if errors.As(err, &own) {
		http.Error(w, own.text, own.status)
		return
	}
	e, known := im.Shown(err)
	status := statuses[e.Code]
	if !known || status == 0 {
		status = http.StatusInternalServerError
	}
	switch {
	case r.Context().Err() != nil:
		// The client has gone away; nobody reads this.
	case !known, e.Code == im.Unavailable, e.Code == im.DataLoss:
		h.Log.Warn("an upload failed", "method", r.Method, "err", err)
	}
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((e.RetryAfter+time.Second-1)/time.Second)))
	}
	w.Header().Set("Skein-Error", e.Code.String())
	text := e.Message
	if e.Hint != "" {
		text += ": " + e.Hint
	}
	http.Error(w, text, status)
}

func expires(w http.ResponseWriter, info Info) {
	if !info.Expires.IsZero() {
		w.Header().Set("Upload-Expires", info.Expires.UTC().Format(http.TimeFormat))
	}
}

// number reads a header that is a number of bytes.
func number(h http.Header, name string) (int64, error) {
	v := h.Get(name)
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 0 || v[0] == '+' || v[0] == '-' {
		return 0, im.Errorf(im.InvalidArgument, "%s is a number of bytes", name)
	}
	return n, nil
}

// parseMetadata reads Upload-Metadata: pairs with commas between them, each a key
// and, behind a space, a value in base64.
func parseMetadata(header string) (map[string]string, error) {
	bad := im.Errorf(im.InvalidArgument, "Upload-Metadata is KEY BASE64,…, at most %d bytes", maxMetadata)
	if len(header) > maxMetadata {
		return nil, bad
	}
	out := map[string]string{}
	if strings.TrimSpace(header) == "" {
		return out, nil
	}
	for _, pair := range strings.Split(header, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(pair), " ")
		b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(value))
		if _, twice := out[key]; err != nil || key == "" || twice || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return nil, bad
		}
		out[key] = string(b)
	}
	return out, nil
}
