// Package remote makes a blob.Store of an object store: of one that takes
// objects whole, or large ones in numbered parts that it puts together at the
// end, as S3, Azure Blob and Google Cloud Storage do.
//
// Such a store wants the length of a part before its first byte, gives it up
// when the bytes come slowly, and has parts of at least some MiB. An upload
// comes in pieces of any size over a network that is slow and breaks. Between
// the two stands a spool, a file on this node's disk: it gathers a part, and
// memory stays free of it. What has been gathered when the reader ends early
// is stored as an object of its own, the tail; whoever goes on, on this node or
// another, begins with it. So all that was told durable is in the object store,
// and a node may lose its disk.
package remote

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/skein-im/skein/internal/blob"
	"github.com/skein-im/skein/internal/im"
)

// Body is what is stored at once, with its length and its SHA-256 in hex. It
// can be read again, for a retry.
type Body struct {
	io.ReadSeeker
	Size int64
	Sum  string
}

// Objects is an object store's own interface, by names. It answers with the
// errors of package im that blob.Store names. There are as many methods as such
// stores have operations.
type Objects interface {
	Put(ctx context.Context, name string, b Body) error
	// Get reads n bytes from a position on; n < 0 = all. A position behind the
	// end reads nothing.
	Get(ctx context.Context, name string, from, n int64) (io.ReadCloser, error)
	Stat(ctx context.Context, name string) (int64, error)
	// Delete may be repeated.
	Delete(ctx context.Context, name string) error
	Presign(ctx context.Context, name string, ttl time.Duration, as blob.Headers) (string, error)
	// Begin begins an object of parts.
	Begin(ctx context.Context, name string) (id string, err error)
	// Part stores a part, by its number from 1 on; a later one of the same
	// number takes its place. All have blob.Step bytes, the last may have fewer.
	Part(ctx context.Context, name, id string, number int, b Body) error
	// Finish puts the parts 1 to n together, n at least 1. Errors: NotFound (no
	// such upload), FailedPrecondition (a part is missing).
	Finish(ctx context.Context, name, id string, n int) error
	// Drop forgets an object of parts; with an empty id all of the name. It may
	// be repeated.
	Drop(ctx context.Context, name, id string) error
}

// Store is an object store as a blob.Store.
type Store struct {
	objects Objects
	prefix  string // of names
	spool   string // the folder of spool files
	entropy im.Entropy
}

var _ blob.Store = (*Store)(nil)

// New makes the store. Its names begin with prefix, which is empty or ends with
// a slash. spool is a folder for files that last no longer than a call.
func New(objects Objects, prefix, spool string, entropy im.Entropy) *Store {
	return &Store{objects: objects, prefix: prefix, spool: spool, entropy: entropy}
}

// name is an object's.
func (s *Store) name(key string) string { return s.prefix + key }

// tail is the name of the tail of an upload that stands at a position. What a
// key has between its slashes does not begin with a dot, so tails have names of
// their own. There are two, in turns: a call that died in the next part, before
// its caller had written down that this one was full, has not touched its tail.
func (s *Store) tail(key string, at int64) string {
	return fmt.Sprintf("%s.tail/%s/%d", s.prefix, key, at/blob.Step%2)
}

// dropTails deletes what tails there are.
func (s *Store) dropTails(ctx context.Context, key string) error {
	return errors.Join(s.objects.Delete(ctx, s.tail(key, 0)), s.objects.Delete(ctx, s.tail(key, blob.Step)))
}

// Put implements blob.Store.
func (s *Store) Put(ctx context.Context, key string, body []byte) error {
	if err := blob.CheckPut(key, body); err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	return s.objects.Put(ctx, s.name(key), Body{bytes.NewReader(body), int64(len(body)), hex.EncodeToString(sum[:])})
}

// Get implements blob.Store.
func (s *Store) Get(ctx context.Context, key string, from, n int64) (io.ReadCloser, error) {
	if err := blob.CheckKey(key); err != nil {
		return nil, err
	}
	if from < 0 {
		return nil, im.Errorf(im.InvalidArgument, "a position is not negative")
	}
	if n == 0 {
		_, err := s.objects.Stat(ctx, s.name(key))
		return io.NopCloser(bytes.NewReader(nil)), err
	}
	return s.objects.Get(ctx, s.name(key), from, n)
}

// Stat implements blob.Store.
func (s *Store) Stat(ctx context.Context, key string) (int64, error) {
	if err := blob.CheckKey(key); err != nil {
		return 0, err
	}
	return s.objects.Stat(ctx, s.name(key))
}

// Delete implements blob.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := blob.CheckKey(key); err != nil {
		return err
	}
	return s.objects.Delete(ctx, s.name(key))
}

// Presign implements blob.Store.
func (s *Store) Presign(ctx context.Context, key string, ttl time.Duration, as blob.Headers) (string, error) {
	if err := errors.Join(blob.CheckKey(key), blob.CheckTTL(ttl)); err != nil {
		return "", err
	}
	return s.objects.Presign(ctx, s.name(key), ttl, as)
}

// Create implements blob.Store.
func (s *Store) Create(ctx context.Context, key string, size int64) (string, error) {
	if err := blob.CheckSize(key, size); err != nil {
		return "", err
	}
	return s.objects.Begin(ctx, s.name(key))
}

// Append implements blob.Store.
func (s *Store) Append(ctx context.Context, u blob.Upload, r io.Reader, durable func(at int64) error) (err error) {
	if err := blob.CheckUpload(u); err != nil {
		return err
	}
	f, err := s.newSpool()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	return blob.InSteps(ctx, u, r, durable, func(u blob.Upload, r io.Reader) error {
		n, err := s.gather(ctx, f, u, r)
		if err == nil && n > 0 {
			err = s.store(ctx, f, u)
		}
		return err
	})
}

// gather fills the spool with the part that an upload stands in: what its tail
// has of it, then what the reader gives. It returns how much the latter was.
func (s *Store) gather(ctx context.Context, f *spool, u blob.Upload, r io.Reader) (int64, error) {
	if err := f.reset(); err != nil {
		return 0, err
	}
	has := u.At % blob.Step
	if has > 0 {
		t, err := s.objects.Get(ctx, s.tail(u.Key, u.At), 0, has)
		if err != nil {
			return 0, fmt.Errorf("read the tail of an upload: %w", err)
		}
		n, err := io.Copy(f, t)
		if err = errors.Join(err, t.Close()); err != nil {
			return 0, err
		}
		if n != has {
			return 0, im.Errorf(im.DataLoss, "the upload's tail has %d bytes, and %d were durable", n, has)
		}
	}
	return io.Copy(f, r)
}

// store stores the spool: as a part, when it is one, else as the tail.
func (s *Store) store(ctx context.Context, f *spool, u blob.Upload) error {
	first := u.At - u.At%blob.Step
	b := f.body()
	if b.Size == min(blob.Step, u.Size-first) {
		return s.objects.Part(ctx, s.name(u.Key), u.ID, int(first/blob.Step)+1, b)
	}
	return s.objects.Put(ctx, s.tail(u.Key, u.At), b)
}

// Complete implements blob.Store.
func (s *Store) Complete(ctx context.Context, u blob.Upload) error {
	if err := blob.CheckUpload(u); err != nil {
		return err
	}
	if u.At != u.Size {
		return blob.ErrMissing()
	}
	name, parts := s.name(u.Key), int((u.Size+blob.Step-1)/blob.Step)
	var err error
	if parts == 0 { // no store puts nothing together
		if err = s.Put(ctx, u.Key, nil); err == nil {
			err = s.objects.Drop(ctx, name, u.ID)
		}
	} else {
		err = s.objects.Finish(ctx, name, u.ID, parts)
	}
	if im.CodeOf(err) == im.NotFound {
		// An earlier call may have come as far as this one would.
		if size, serr := s.objects.Stat(ctx, name); serr != nil || size != u.Size {
			return err
		}
		err = nil
	}
	if err != nil {
		return err
	}
	return s.dropTails(ctx, u.Key)
}

// Abort implements blob.Store.
func (s *Store) Abort(ctx context.Context, u blob.Upload) error {
	if err := blob.CheckKey(u.Key); err != nil {
		return err
	}
	return errors.Join(s.objects.Drop(ctx, s.name(u.Key), u.ID), s.dropTails(ctx, u.Key))
}

// Check implements blob.Store.
func (s *Store) Check(ctx context.Context) error {
	name, err := im.RandomID(s.entropy)
	if err != nil {
		return err
	}
	key := "check/" + name
	if err := s.Put(ctx, key, []byte(name)); err != nil {
		return err
	}
	return s.Delete(ctx, key)
}

// spool is a file that gathers a part, with the hash of what it has.
type spool struct {
	f   *os.File
	n   int64
	sum hash.Hash
}

func (s *Store) newSpool() (*spool, error) {
	f, err := os.CreateTemp(s.spool, "upload-*")
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", im.Errorf(im.Unavailable, "the folder for uploads on their way cannot be used"), err)
	}
	return &spool{f: f, sum: sha256.New()}, nil
}

// Write implements io.Writer.
func (p *spool) Write(b []byte) (int, error) {
	n, err := p.f.Write(b)
	p.n += int64(n)
	p.sum.Write(b[:n])
	if err != nil {
		err = fmt.Errorf("%w (%w)", im.Errorf(im.ResourceExhausted, "the disk for uploads on their way is full"), err)
	}
	return n, err
}

func (p *spool) reset() error {
	p.n = 0
	p.sum.Reset()
	_, err := p.f.Seek(0, io.SeekStart)
	if err == nil {
		err = p.f.Truncate(0)
	}
	return err
}

// body is what the spool holds.
func (p *spool) body() Body {
	return Body{io.NewSectionReader(p.f, 0, p.n), p.n, hex.EncodeToString(p.sum.Sum(nil))}
}

func (p *spool) close() error {
	err := os.Remove(p.f.Name())
	if errors.Is(err, fs.ErrNotExist) { // another node that has the folder was started, and emptied it
		err = nil
	}
	return errors.Join(p.f.Close(), err)
}
