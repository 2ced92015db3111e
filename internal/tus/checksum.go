package tus

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"hash"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/skein-im/skein/internal/im"
)

// maxChunk bounds a request whose checksum is sent with it, in bytes: it lies
// on this node's disk until it has been looked at.
const maxChunk = 64 << 20

// algorithms are those of Upload-Checksum. The protocol wants sha1; it finds
// damage on the way, and proves nothing else.
func algorithms() []string { return []string{"sha256", "sha1", "md5"} }

func newHash(algorithm string) hash.Hash {
	switch algorithm {
	case "sha256":
		return sha256.New()
	case "sha1":
		return sha1.New()
	case "md5":
		return md5.New()
	}
	return nil
}

// body is what a request brings.
type body struct {
	io.Reader
	file *os.File // can be nil
}

func (b *body) close() {
	if b.file != nil {
		_ = errors.Join(b.file.Close(), os.Remove(b.file.Name())) // a temporary file
	}
}

// Stop ends a Read that waits for bytes, and all that follow.
func (b *body) Stop() {
	if s, ok := b.Reader.(*timedReader); ok {
		s.Stop()
	}
}

// after closes the connection of a request whose reading was ended: what is
// still to come on it is not another request.
func (b *body) after(w http.ResponseWriter) {
	if s, ok := b.Reader.(*timedReader); ok && s.ended() {
		w.Header().Set("Connection", "close")
	}
}

// idle is how long a client may send nothing.
const idle = 60 * time.Second

// timedReader reads a request that may take as long as it likes, while bytes
// come.
type timedReader struct {
	r     io.Reader
	conn  *http.ResponseController
	clock im.Clock

	mu      sync.Mutex // guards stopped, and that no deadline is set after it
	stopped bool
}

// Read implements io.Reader.
func (t *timedReader) Read(b []byte) (int, error) {
	t.mu.Lock()
	if t.stopped {
		t.mu.Unlock()
		return 0, os.ErrDeadlineExceeded
	}
	_ = t.conn.SetReadDeadline(t.clock.Now().Add(idle)) // a test's connection may know none
	t.mu.Unlock()
	return t.r.Read(b)
}

// Stop ends it.
func (t *timedReader) Stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
	_ = t.conn.SetReadDeadline(time.Unix(1, 0))
}

func (t *timedReader) ended() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stopped
}

// veil has a file written and read with a key that only this call has: what lies
// on the disk for a moment is nobody's to read, nor to find there later.
func veil(f *os.File, entropy im.Entropy) (io.Writer, io.Reader, error) {
	var key [32]byte
	if _, err := io.ReadFull(entropy, key[:]); err != nil {
		return nil, nil, err
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, nil, err
	}
	var begin [aes.BlockSize]byte
	return cipher.StreamWriter{S: cipher.NewCTR(block, begin[:]), W: f}, cipher.StreamReader{S: cipher.NewCTR(block, begin[:]), R: f}, nil
}

// body returns what a request brings; with a checksum, after it was compared.
func (h *handler) body(w http.ResponseWriter, r *http.Request, any bool) (*body, error) {
	in := &timedReader{r: r.Body, conn: http.NewResponseController(w), clock: h.Clock}
	sum := r.Header.Get("Upload-Checksum")
	if sum == "" || !any {
		return &body{Reader: in}, nil
	}
	name, encoded, _ := strings.Cut(sum, " ")
	want, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	digest := newHash(name)
	if err != nil || digest == nil || len(want) != digest.Size() {
		return nil, im.Errorf(im.InvalidArgument, "Upload-Checksum is one of %s, and its value in base64", strings.Join(algorithms(), ", "))
	}
	f, err := os.CreateTemp(h.Spool, "chunk-*")
	if err != nil {
		return nil, err
	}
	b := &body{file: f}
	hidden, shown, err := veil(f, h.Entropy)
	if err != nil {
		b.close()
		return nil, err
	}
	b.Reader = shown
	n, err := io.Copy(io.MultiWriter(hidden, digest), io.LimitReader(in, maxChunk+1))
	switch {
	case err != nil: // the client went away, or the disk is full
		err = im.Errorf(im.Unavailable, "the chunk did not come whole")
	case n > maxChunk:
		err = im.Errorf(im.TooLarge, "a chunk with a checksum has at most %d bytes", maxChunk)
	case !bytes.Equal(digest.Sum(nil), want):
		err = &refusal{checksumMismatch, "the chunk is not what its checksum says; nothing of it was kept"}
	default:
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}
