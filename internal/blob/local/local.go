// Package local keeps blobs in a folder.
//
//	objects/KEY          what is complete
//	uploads/ID           what is not yet: the bytes so far, in one file
//	temporary/…          what Put is writing
//
// An upload's bytes go to the place that they keep: Complete renames the file.
// Everything is synced before it is told durable, folders included.
package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/skein-im/skein/internal/blob"
	"github.com/skein-im/skein/internal/im"
)

// The folders.
const (
	objects   = "objects"
	uploads   = "uploads"
	temporary = "temporary"
)

// Store is a folder. Its owner alone can read it.
type Store struct {
	root    *os.Root
	entropy im.Entropy
	// mu lets one make folders at a time, so that whoever finds a folder there
	// finds it durable.
	mu sync.Mutex
}

var _ blob.Store = (*Store)(nil)

// Open opens a folder and makes it if it is not there. Several nodes may share
// it, when they see the same files.
func Open(dir string, entropy im.Entropy) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of blobs: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the folder of blobs: %w", err)
	}
	s := &Store{root: root, entropy: entropy}
	for _, d := range []string{objects, uploads, temporary} {
		if err := s.mkdir(d); err != nil {
			return nil, errors.Join(err, root.Close())
		}
	}
	return s, nil
}

// Close closes the folder.
func (s *Store) Close() error { return s.root.Close() }

// Put implements blob.Store.
func (s *Store) Put(_ context.Context, key string, body []byte) error {
	if err := blob.CheckPut(key, body); err != nil {
		return err
	}
	name, err := im.RandomID(s.entropy)
	if err != nil {
		return err
	}
	name = path.Join(temporary, name)
	f, err := s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return mapError(err)
	}
	_, err = f.Write(body)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = s.publish(name, key)
	}
	if err != nil {
		_ = s.root.Remove(name)
	}
	return mapError(err)
}

// Get implements blob.Store.
func (s *Store) Get(_ context.Context, key string, from, n int64) (io.ReadCloser, error) {
	if err := blob.CheckKey(key); err != nil {
		return nil, err
	}
	if from < 0 {
		return nil, im.Errorf(im.InvalidArgument, "a position is not negative")
	}
	f, err := s.root.Open(path.Join(objects, key))
	if err != nil {
		return nil, mapError(err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = im.ErrNotFound
	}
	if err == nil {
		_, err = f.Seek(from, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(mapError(err), f.Close())
	}
	if n < 0 {
		return f, nil
	}
	return limited{io.LimitReader(f, n), f}, nil
}

// limited is a part of a file.
type limited struct {
	io.Reader
	io.Closer
}

// Stat implements blob.Store.
func (s *Store) Stat(_ context.Context, key string) (int64, error) {
	if err := blob.CheckKey(key); err != nil {
		return 0, err
	}
	info, err := s.root.Stat(path.Join(objects, key))
	if err != nil {
		return 0, mapError(err)
	}
	if !info.Mode().IsRegular() {
		return 0, im.ErrNotFound
	}
	return info.Size(), nil
}

// Delete implements blob.Store.
func (s *Store) Delete(_ context.Context, key string) error {
	if err := blob.CheckKey(key); err != nil {
		return err
	}
	return s.remove(path.Join(objects, key))
}

// Presign implements blob.Store: a folder has no URLs.
func (s *Store) Presign(_ context.Context, _ string, ttl time.Duration, _ blob.Headers) (string, error) {
	if err := blob.CheckTTL(ttl); err != nil {
		return "", err
	}
	return "", im.Errorf(im.Unsupported, "a folder has no URLs")
}

// Create implements blob.Store.
func (s *Store) Create(_ context.Context, key string, size int64) (string, error) {
	if err := blob.CheckSize(key, size); err != nil {
		return "", err
	}
	random, err := im.RandomID(s.entropy)
	if err != nil {
		return "", err
	}
	// Who knows the key finds the file, see Abort.
	id := flat(key) + "." + random
	f, err := s.root.OpenFile(path.Join(uploads, id), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", mapError(err)
	}
	if err := errors.Join(f.Close(), s.sync(uploads)); err != nil {
		return "", mapError(err)
	}
	return id, nil
}

// flat is a key without slashes; "+" is in no key.
func flat(key string) string { return strings.ReplaceAll(key, "/", "+") }

// isUpload tells whether a name is that of an upload of a key.
func isUpload(name, key string) bool {
	random, ok := strings.CutPrefix(name, flat(key)+".")
	return ok && len(random) == 32 && strings.Trim(random, "0123456789abcdef") == ""
}

// file is where an upload's bytes are.
func file(u blob.Upload) (string, error) {
	if err := blob.CheckUpload(u); err != nil {
		return "", err
	}
	if !isUpload(u.ID, u.Key) {
		return "", im.ErrNotFound
	}
	return path.Join(uploads, u.ID), nil
}

// Append implements blob.Store.
func (s *Store) Append(ctx context.Context, u blob.Upload, r io.Reader, durable func(at int64) error) (err error) {
	name, err := file(u)
	if err != nil {
		return err
	}
	f, err := s.root.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return mapError(err)
	}
	defer func() { err = errors.Join(err, mapError(f.Close())) }()
	info, err := f.Stat()
	if err != nil {
		return mapError(err)
	}
	if info.Size() < u.At {
		return im.Errorf(im.DataLoss, "the upload's file has %d bytes, and %d were durable", info.Size(), u.At)
	}
	// What an earlier call stored behind its last word is written over; Complete
	// cuts off what is not.
	if _, err := f.Seek(u.At, io.SeekStart); err != nil {
		return mapError(err)
	}
	return blob.InSteps(ctx, u, r, durable, func(_ blob.Upload, r io.Reader) error {
		n, err := io.Copy(f, r)
		if err == nil && n > 0 {
			err = f.Sync()
		}
		return mapError(err)
	})
}

// Complete implements blob.Store.
func (s *Store) Complete(ctx context.Context, u blob.Upload) error {
	name, err := file(u)
	if err != nil {
		return err
	}
	if u.At != u.Size {
		return blob.ErrMissing()
	}
	if err = s.cut(name, u.Size); err == nil {
		err = s.publish(name, u.Key)
	}
	if errors.Is(err, fs.ErrNotExist) {
		// Another call may have come as far as this one would.
		if size, serr := s.Stat(ctx, u.Key); serr == nil && size == u.Size {
			return nil
		}
	}
	return mapError(err)
}

// cut cuts off what an upload's file has behind its last byte.
func (s *Store) cut(name string, size int64) error {
	f, err := s.root.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case info.Size() < size:
		err = blob.ErrMissing()
	case info.Size() > size:
		if err = f.Truncate(size); err == nil {
			err = f.Sync()
		}
	}
	return errors.Join(err, f.Close())
}

// Abort implements blob.Store.
func (s *Store) Abort(_ context.Context, u blob.Upload) error {
	if err := blob.CheckKey(u.Key); err != nil {
		return err
	}
	if u.ID != "" {
		name, err := file(u)
		if im.CodeOf(err) == im.NotFound {
			return nil
		} else if err != nil {
			return err
		}
		return s.remove(name)
	}
	d, err := s.root.Open(uploads)
	if err != nil {
		return mapError(err)
	}
	names, err := d.Readdirnames(-1)
	if err = errors.Join(err, d.Close()); err != nil {
		return mapError(err)
	}
	for _, n := range names {
		if isUpload(n, u.Key) {
			err = errors.Join(err, s.remove(path.Join(uploads, n)))
		}
	}
	return err
}

// Check implements blob.Store.
func (s *Store) Check(ctx context.Context) error {
	name, err := im.RandomID(s.entropy)
	if err != nil {
		return err
	}
	key := "check/" + name
	return errors.Join(s.Put(ctx, key, []byte(name)), s.Delete(ctx, key))
}

// publish makes a file the object of a key, durably.
func (s *Store) publish(from, key string) error {
	to := path.Join(objects, key)
	s.mu.Lock()
	err := s.mkdir(path.Dir(to))
	s.mu.Unlock()
	if err != nil {
		return err
	}
	if err := s.root.Rename(from, to); err != nil {
		return err
	}
	return s.sync(path.Dir(to))
}

// mkdir makes a folder with those above it, durably.
func (s *Store) mkdir(dir string) error {
	err := s.root.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrNotExist) {
		if err := s.mkdir(path.Dir(dir)); err != nil {
			return err
		}
		err = s.root.Mkdir(dir, 0o700)
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.sync(path.Dir(dir))
}

// sync makes what a folder lists durable.
func (s *Store) sync(dir string) error {
	d, err := s.root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// remove removes a file that need not be there. It is not synced: a file that
// comes back after a power cut is removed again by whoever wanted it gone.
func (s *Store) remove(name string) error {
	if err := mapError(s.root.Remove(name)); im.CodeOf(err) != im.NotFound {
		return err
	}
	return nil
}

// mapError gives a file system's error the code that callers act on.
func mapError(err error) error {
	var known *im.Error
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return im.ErrNotFound
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w (%w)", &im.Error{Code: im.ResourceExhausted, Message: "the disk for files is full", Hint: "the operator makes room; then go on where it stopped"}, err)
	}
	return fmt.Errorf("%w (%w)", im.Errorf(im.Unavailable, "the folder for files cannot be used"), err)
}
