// Package sealed makes a blob.Store in which nobody who has the place alone can
// read anything: what is stored is encrypted before it leaves the process.
//
// Each object has a key of its own, HKDF-SHA256 of the store's key over the
// object's name, and is encrypted with AES-256 in counter mode from its first
// byte on. So an object is as long as what is in it, a range of it is read
// without the rest, and an upload goes on at any byte, which are the three things
// that package blob promises; docs/adr/0011-encryption-of-files.md says why
// it is not an authenticated mode. That names are never given to other bytes is
// what makes it safe: no two objects share a key.
//
// It keeps contents secret. It does not find out that somebody changed bytes in
// the place: that does whoever knows the SHA-256.
package sealed

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"time"

	"github.com/skein-im/skein/internal/blob"
	"github.com/skein-im/skein/internal/im"
)

// KeyBytes is the size of a store's key.
const KeyBytes = 32

// Store encrypts what another one stores.
type Store struct {
	blob.Store // in which everything is encrypted; what is not here is the same
	key        []byte
}

var _ blob.Store = (*Store)(nil)

// New encrypts what a store is given from now on, with a key of KeyBytes.
func New(in blob.Store, key []byte) (*Store, error) {
	if len(key) != KeyBytes {
		return nil, errors.New("the key of a sealed store has 32 bytes")
	}
	return &Store{in, bytes.Clone(key)}, nil
}

// stream is what an object's bytes are mixed with, from a position on.
func (s *Store) stream(key string, at int64) (cipher.Stream, error) {
	own, err := hkdf.Key(sha256.New, s.key, nil, "skein object\x00"+key, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(own)
	if err != nil {
		return nil, err
	}
	// The key is used for this object alone, so the counter begins at 0.
	var counter [aes.BlockSize]byte
	binary.BigEndian.PutUint64(counter[8:], uint64(at/aes.BlockSize))
	ctr := cipher.NewCTR(block, counter[:])
	var skip [aes.BlockSize]byte
	ctr.XORKeyStream(skip[:at%aes.BlockSize], skip[:at%aes.BlockSize])
	return ctr, nil
}

// Put implements blob.Store.
func (s *Store) Put(ctx context.Context, key string, body []byte) error {
	if err := blob.CheckPut(key, body); err != nil {
		return err
	}
	ctr, err := s.stream(key, 0)
	if err != nil {
		return err
	}
	out := make([]byte, len(body))
	ctr.XORKeyStream(out, body)
	return s.Store.Put(ctx, key, out)
}

// Get implements blob.Store.
func (s *Store) Get(ctx context.Context, key string, from, n int64) (io.ReadCloser, error) {
	r, err := s.Store.Get(ctx, key, from, n)
	if err != nil {
		return nil, err
	}
	ctr, err := s.stream(key, from)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{mixed{r, ctr}, r}, nil
}

// Presign implements blob.Store: whoever reads at the place itself reads what
// nobody understands.
func (s *Store) Presign(_ context.Context, key string, ttl time.Duration, _ blob.Headers) (string, error) {
	if err := errors.Join(blob.CheckKey(key), blob.CheckTTL(ttl)); err != nil {
		return "", err
	}
	return "", im.Errorf(im.Unsupported, "what is encrypted is not read at its place")
}

// Append implements blob.Store. Bytes that come a second time, because a caller
// died before it wrote down that they were durable, are encrypted as the first
// time. When they are others than the first time, somebody who has kept both
// learns how the two differ; an upload's bytes are those of one file.
func (s *Store) Append(ctx context.Context, u blob.Upload, r io.Reader, durable func(at int64) error) error {
	if err := blob.CheckUpload(u); err != nil {
		return err
	}
	ctr, err := s.stream(u.Key, u.At)
	if err != nil {
		return err
	}
	return s.Store.Append(ctx, u, mixed{r, ctr}, durable)
}

// mixed encrypts or decrypts what it reads; it reads no more than it is asked for.
type mixed struct {
	r   io.Reader
	ctr cipher.Stream
}

// Read implements io.Reader.
func (m mixed) Read(b []byte) (int, error) {
	n, err := m.r.Read(b)
	m.ctr.XORKeyStream(b[:n], b[:n])
	return n, err
}
