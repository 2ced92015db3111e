// Package blob keeps bytes under keys: in a folder, or in the object store of
// a cloud. It knows no users, no messages and no file names; who may read what
// is decided by those who call it.
//
// Two kinds of writing are all there is. Put stores something small at once.
// An upload stores something large in steps that outlive a request, a process
// and a node: Append says after each step how much is durable, which is what
// an upload protocol may acknowledge, and whoever knows the key, the upload's
// id and that number can go on anywhere. Nothing of an upload can be read
// before Complete.
//
// Every object is written once, under a key that is never given to other
// bytes; so a reader needs no lock, and a cache no end.
package blob

import (
	"context"
	"io"
	"time"

	"github.com/skein-im/skein/internal/im"
)

// Bounds of objects.
const (
	// MaxPut is the size of what Put takes, in bytes.
	MaxPut = 8 << 20
	// Step is how many bytes of an upload may be read before they are made
	// durable: what an upload loses, at most, when a server dies.
	Step = 8 << 20
	// MaxSize is the size of an upload, in bytes: the 10,000 parts of S3, 5 GiB
	// many times over.
	MaxSize = 10_000 * Step
	// MaxPresign is how long a presigned URL may be good. It is the time for
	// which somebody who was removed may still read what they had a link to.
	MaxPresign = 60 * time.Second
)

// Store is a place for bytes. It is safe for concurrent use, also by several
// nodes. Keys are those of ValidKey; another is InvalidArgument, which every
// method can return, as it can Unavailable (retry) and ResourceExhausted (the
// place is full).
type Store interface {
	// Put stores an object of at most MaxPut bytes. When it returns, the object
	// is durable and can be read; when it fails, an object of that key is as it
	// was or is the new one, never a part of it.
	Put(ctx context.Context, key string, body []byte) error
	// Get reads n bytes of an object from a position on; n < 0 = to its end, and
	// what lies behind its end is left out. The caller closes it. Errors:
	// NotFound.
	Get(ctx context.Context, key string, from, n int64) (io.ReadCloser, error)
	// Stat tells the size of an object. Errors: NotFound.
	Stat(ctx context.Context, key string) (size int64, err error)
	// Delete removes an object. It is no error that there is none.
	Delete(ctx context.Context, key string) error
	// Presign returns a URL under which whoever has it can read an object, for
	// ttl, 1 s to MaxPresign, without asking Skein. Ranges work. Errors:
	// Unsupported (this place has no URLs).
	Presign(ctx context.Context, key string, ttl time.Duration, as Headers) (string, error)

	// Create begins an upload of an object of a size that is known, and returns
	// its id. Nothing is there at the key until it is completed, and only one
	// upload of a key is ever appended to.
	Create(ctx context.Context, key string, size int64) (id string, err error)
	// Append stores the bytes of r, to its end, behind the first u.At ones of an
	// upload. After about every Step bytes, and after the last, it makes all
	// that it has read durable and calls durable with their number, those of u.At
	// included; at that moment exactly so many bytes have been taken from r.
	// When r fails, what it gave before is stored all the same, durable told,
	// and the failure returned. An error of durable ends it.
	//
	// One call at a time may be made for an upload, Complete and Abort included; a
	// caller that begins where an earlier one was told durable overwrites what
	// that one stored later.
	// Errors: NotFound (no such upload; a cloud may find that out at Complete
	// alone), TooLarge (r has more than is left).
	Append(ctx context.Context, u Upload, r io.Reader, durable func(at int64) error) error
	// Complete makes an upload whose bytes are all there the object of its key,
	// durably. It may be repeated. Errors: NotFound, FailedPrecondition (bytes
	// are missing).
	Complete(ctx context.Context, u Upload) error
	// Abort forgets an upload and what it has stored. With an empty id it
	// forgets every upload of the key, for a caller that died before it could
	// write the id down. It is no error that there is none.
	Abort(ctx context.Context, u Upload) error

	// Check tells whether the place can be written and read, for a health check
	// and for whoever configures it.
	Check(ctx context.Context) error
}

// Upload is all there is to know of an upload: its caller keeps it.
type Upload struct {
	Key  string
	ID   string // of Create
	Size int64  // as Create was told
	At   int64  // how many bytes are durable
}

// Headers are what the place answers a presigned URL with.
type Headers struct {
	Type        string // Content-Type
	Disposition string // Content-Disposition
}

// maxKey bounds a key, in bytes: what a file system takes with room to spare.
const maxKey = 200

// ValidKey tells whether a key is one: 1 to 200 of a-z, 0-9, "-", "_", "." and
// "/", where no part between slashes is empty or begins with a dot. So a key is
// the same on every file system and in every cloud, and leads nowhere else.
func ValidKey(key string) bool {
	if key == "" || len(key) > maxKey || key[len(key)-1] == '/' {
		return false
	}
	begins := true
	for i := range len(key) {
		switch c := key[i]; {
		case c == '/':
			if begins {
				return false
			}
			begins = true
			continue
		case c == '.' && begins:
			return false
		case c != '.' && c != '-' && c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9'):
			return false
		}
		begins = false
	}
	return true
}

// CheckKey is ValidKey as an error.
func CheckKey(key string) error {
	if !ValidKey(key) {
		return im.Errorf(im.InvalidArgument, "not a blob's key")
	}
	return nil
}

// CheckPut refuses what Put does not take.
func CheckPut(key string, body []byte) error {
	if len(body) > MaxPut {
		return im.Errorf(im.TooLarge, "at most %d bytes are put at once", MaxPut)
	}
	return CheckKey(key)
}

// CheckSize refuses what Create does not take.
func CheckSize(key string, size int64) error {
	switch {
	case size < 0:
		return im.Errorf(im.InvalidArgument, "a size is not negative")
	case size > MaxSize:
		return im.Errorf(im.TooLarge, "an object has at most %d bytes", int64(MaxSize))
	}
	return CheckKey(key)
}

// CheckUpload refuses an upload that cannot be one.
func CheckUpload(u Upload) error {
	if u.At < 0 || u.At > u.Size {
		return im.Errorf(im.InvalidArgument, "an upload of %d bytes has no position %d", u.Size, u.At)
	}
	return CheckSize(u.Key, u.Size)
}

// CheckTTL refuses a time for which a URL is not given out.
func CheckTTL(ttl time.Duration) error {
	if ttl < time.Second || ttl > MaxPresign {
		return im.Errorf(im.InvalidArgument, "a presigned URL is good for 1 s to %s", MaxPresign)
	}
	return nil
}

// ErrMissing is returned by Complete when bytes are missing.
func ErrMissing() error {
	return im.Errorf(im.FailedPrecondition, "the upload has not all of its bytes")
}

// ErrTooMuch is returned by Append when there are more bytes than the upload
// has room for.
func ErrTooMuch() error {
	return im.Errorf(im.TooLarge, "there are more bytes than the upload's size")
}
