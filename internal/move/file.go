package move

import (
	"bufio"
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/skein-im/skein/internal/im"
)

// A backup file is
//
//	magic, then chunks: length (4 bytes, big endian), kind (1 byte),
//	payload (deflate), sum (32 bytes)
//
// where sum is SHA-256 over the sum before (of the first chunk: the magic),
// the kind and the payload. So a flipped bit, a chunk that is missing, twice or
// elsewhere, and a file of two halves are all found; and a file that ends
// before its trailer is not whole.
const (
	magic = "SKEIN BACKUP 1\n"
	// maxChunk bounds a chunk, as it is in the file and unpacked: a reader
	// refuses more. From fullChunk on a writer of entries begins another one.
	maxChunk  = 1 << 28
	fullChunk = 1 << 24
	kindHead  = 'h' // Header
	kindKey   = 'k' // the key that seals the apps' secrets, as it is in its file
	kindEntry = 'e' // entries
	kindRows  = 'r' // rows of a table
	kindEnd   = 't' // Trailer
)

// Header is what a backup says first.
type Header struct {
	Program     string    `json:"program"` // version
	Created     im.Micros `json:"created"`
	Engine      string    `json:"engine"`
	Incarnation string    `json:"incarnation"`
	Heads       []im.Pos  `json:"heads"` // by shard: entries up to here are in it
	Purged      string    `json:"purged,omitempty"`
	Schema      schema    `json:"schema"`
	Tables      []table   `json:"tables"`
	// WithKey: the backup holds the key that seals the apps' secrets.
	WithKey bool `json:"with_key"`
}

// Trailer is what a backup says last: how much there must have been.
type Trailer struct {
	Entries int64            `json:"entries"`
	Rows    map[string]int64 `json:"rows"`
	Damaged int64            `json:"damaged"` // entries that do not fit their hash
}

// Manifest is a backup's beginning and end.
type Manifest struct {
	Header
	Trailer
	Bytes int64  `json:"bytes"`
	Sum   string `json:"sha256"` // the last sum, which covers everything
}

func errDamaged(what string) error {
	return &im.Error{Code: im.DataLoss, Message: "the backup is damaged: " + what, Hint: "use another copy of it; nothing of this one can be trusted"}
}

// chunkWriter writes chunks.
type chunkWriter struct {
	w    io.Writer
	n    int64
	sum  [sha256.Size]byte
	buf  bytes.Buffer
	comp *flate.Writer
}

func newChunkWriter(w io.Writer) (*chunkWriter, error) {
	c := &chunkWriter{w: w, sum: sha256.Sum256([]byte(magic))}
	var err error
	if c.comp, err = flate.NewWriter(&c.buf, flate.BestSpeed); err != nil {
		return nil, err
	}
	return c, c.raw([]byte(magic))
}

func (c *chunkWriter) raw(b []byte) error {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return err
}

func (c *chunkWriter) write(kind byte, payload []byte) error {
	if len(payload) > maxChunk {
		return im.Errorf(im.TooLarge, "a part of the backup has %d bytes, and nobody could read it", len(payload))
	}
	c.buf.Reset()
	c.comp.Reset(&c.buf)
	if _, err := c.comp.Write(payload); err != nil {
		return err
	}
	if err := c.comp.Close(); err != nil {
		return err
	}
	var head [5]byte
	binary.BigEndian.PutUint32(head[:], uint32(c.buf.Len()))
	head[4] = kind
	c.sum = chain(c.sum, kind, c.buf.Bytes())
	return errors.Join(c.raw(head[:]), c.raw(c.buf.Bytes()), c.raw(c.sum[:]))
}

func (c *chunkWriter) json(kind byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return c.write(kind, b)
}

func chain(before [sha256.Size]byte, kind byte, payload []byte) (sum [sha256.Size]byte) {
	h := sha256.New()
	h.Write(before[:])
	h.Write([]byte{kind})
	h.Write(payload)
	h.Sum(sum[:0])
	return sum
}

// chunkReader reads chunks and compares their sums.
type chunkReader struct {
	r     *bufio.Reader
	n     int64
	sum   [sha256.Size]byte
	began bool
}

func newChunkReader(r io.Reader) *chunkReader {
	return &chunkReader{r: bufio.NewReaderSize(r, 1<<20), sum: sha256.Sum256([]byte(magic))}
}

// read fills b, and says that the file is cut off when it cannot.
func (c *chunkReader) read(b []byte) error {
	n, err := io.ReadFull(c.r, b)
	c.n += int64(n)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errDamaged("it is cut off")
	}
	return err
}

// next returns a chunk, unpacked.
func (c *chunkReader) next() (kind byte, payload []byte, err error) {
	if !c.began {
		c.began = true
		b := make([]byte, len(magic))
		if err := c.read(b); err != nil || string(b) != magic {
			return 0, nil, errors.Join(err, im.Errorf(im.InvalidArgument, "this is no backup of this program"))
		}
	}
	var head [5]byte
	if err := c.read(head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxChunk {
		return 0, nil, errDamaged("a chunk is too long")
	}
	var packed bytes.Buffer // grows with what is there, not with what is said
	m, err := io.CopyN(&packed, c.r, int64(n))
	c.n += m
	if err != nil {
		return 0, nil, errDamaged("it is cut off")
	}
	var sum [sha256.Size]byte
	if err := c.read(sum[:]); err != nil {
		return 0, nil, err
	}
	c.sum = chain(c.sum, head[4], packed.Bytes())
	if subtle.ConstantTimeCompare(sum[:], c.sum[:]) != 1 {
		return 0, nil, errDamaged(fmt.Sprintf("a chunk before byte %d does not fit its sum", c.n))
	}
	payload, err = io.ReadAll(io.LimitReader(flate.NewReader(&packed), maxChunk+1))
	if err != nil || len(payload) > maxChunk {
		return 0, nil, errDamaged("a chunk cannot be unpacked")
	}
	return head[4], payload, nil
}

// end makes sure that nothing follows.
func (c *chunkReader) end() error {
	if _, err := c.r.ReadByte(); !errors.Is(err, io.EOF) {
		return errDamaged("something follows its end")
	}
	return nil
}

// Tags of a value in a row.
const (
	tagNull = iota
	tagInt
	tagText
	tagBytes
)

func appendValue(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(b, tagNull), nil
	case int64:
		return binary.AppendVarint(append(b, tagInt), v), nil
	case string:
		return append(binary.AppendUvarint(append(b, tagText), uint64(len(v))), v...), nil
	case []byte:
		return append(binary.AppendUvarint(append(b, tagBytes), uint64(len(v))), v...), nil
	}
	return b, fmt.Errorf("a value is a %T", v)
}

// values reads values off a payload.
type values struct{ b []byte }

func (v *values) next() (any, error) {
	bad := errDamaged("a row cannot be read")
	if len(v.b) == 0 {
		return nil, bad
	}
	tag := v.b[0]
	v.b = v.b[1:]
	switch tag {
	case tagNull:
		return nil, nil
	case tagInt:
		n, w := binary.Varint(v.b)
		if w <= 0 {
			return nil, bad
		}
		v.b = v.b[w:]
		return n, nil
	case tagText, tagBytes:
		n, w := binary.Uvarint(v.b)
		if w <= 0 || n > uint64(len(v.b)-w) {
			return nil, bad
		}
		s := v.b[w : w+int(n)]
		v.b = v.b[w+int(n):]
		if tag == tagText {
			return string(s), nil
		}
		return bytes.Clone(s), nil
	}
	return nil, bad
}

// row reads n values.
func (v *values) row(n int) ([]any, error) {
	out := make([]any, n)
	var err error
	for i := range out {
		if out[i], err = v.next(); err != nil {
			return nil, err
		}
	}
	return out, nil
}
