package chat

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

// cursor is how far a device is. Entries up to base are held by the device;
// conversations that changed after since are still to be told; a sync of
// several pages reads conversations up to snap and has told those before key.
// A cursor at rest has base = since = snap and no key.
type cursor struct {
	base, since, snap []im.Pos
	key               *journal.PageKey
	// part, if not nil, says that the first conversation behind key was told
	// without the end of its keyed state.
	part *part
}

// part is how far the keyed state of a conversation was told.
type part struct {
	of    [partBytes]byte // which conversation, see partOf
	after string          // the last key
}

// partBytes is how many bytes of a digest stand for a conversation's id: a
// cursor has at most 1,024 bytes, and only the user's own conversations can be
// confused.
const partBytes = 8

// partOf names a conversation in a cursor.
func partOf(conv im.ConvID) (of [partBytes]byte) {
	sum := sha256.Sum256([]byte(conv))
	copy(of[:], sum[:])
	return of
}

// cursorCodec makes cursors opaque: bound to user and incarnation, and
// authenticated, so that a forged or foreign one is told from an old one.
type cursorCodec struct {
	key         []byte
	incarnation []byte
	shards      int
}

const (
	cursorVersion = 1
	macBytes      = 12
)

func newCursorCodec(key []byte, incarnation string, shards int) *cursorCodec {
	inc, err := hex.DecodeString(incarnation)
	if err != nil || len(inc) != 16 {
		sum := sha256.Sum256([]byte(incarnation))
		inc = sum[:16]
	}
	return &cursorCodec{key: key, incarnation: inc, shards: shards}
}

func (c *cursorCodec) mac(a im.Actor, what byte, payload []byte) []byte {
	h := hmac.New(sha256.New, c.key)
	h.Write([]byte{what, byte(len(a.App))})
	h.Write([]byte(a.App))
	h.Write([]byte{byte(len(a.User))})
	h.Write([]byte(a.User))
	h.Write(payload)
	return h.Sum(nil)[:macBytes]
}

// seal encodes a cursor: version, incarnation, the positions (since and snap
// as differences, which are small), the page key, a MAC.
func (c *cursorCodec) seal(a im.Actor, cur cursor) []byte {
	b := append(make([]byte, 0, 64), cursorVersion)
	b = append(b, c.incarnation...)
	b = binary.AppendUvarint(b, uint64(len(cur.base)))
	for i, p := range cur.base {
		b = binary.AppendUvarint(b, uint64(p))
		b = binary.AppendUvarint(b, uint64(cur.since[i]-p))
		b = binary.AppendUvarint(b, uint64(cur.snap[i]-cur.since[i]))
	}
	if cur.key != nil {
		b = binary.AppendUvarint(b, uint64(cur.key.LastPos))
		b = append(b, cur.key.Conv...)
		if cur.part != nil { // no id has a NUL in it
			b = append(b, 0)
			b = append(b, cur.part.of[:]...)
			b = append(b, cur.part.after...)
		}
	}
	return append(b, c.mac(a, 'c', b)...)
}

// sealHeads encodes a cursor at rest.
func (c *cursorCodec) sealHeads(a im.Actor, heads []im.Pos) []byte {
	return c.seal(a, cursor{base: heads, since: heads, snap: heads})
}

// open decodes a cursor. ok is false when it is none, or of another
// incarnation or number of shards: the device starts over. Forged, foreign or
// malformed ones are CursorInvalid.
func (c *cursorCodec) open(a im.Actor, raw []byte) (cur cursor, ok bool, err error) {
	if len(raw) == 0 {
		return cur, false, nil
	}
	invalid := &im.Error{Code: im.CursorInvalid, Message: "the cursor is not one of this user", Hint: "sync without a cursor"}
	n := len(raw) - macBytes
	if n < 18 || n > 1024 || raw[0] != cursorVersion || !hmac.Equal(raw[n:], c.mac(a, 'c', raw[:n])) {
		return cur, false, invalid
	}
	if string(raw[1:17]) != string(c.incarnation) {
		return cur, false, nil
	}
	b := raw[17:n]
	shards, w := binary.Uvarint(b)
	if w <= 0 || shards != uint64(c.shards) {
		return cur, false, nil
	}
	b = b[w:]
	for range shards {
		var v [3]uint64
		for k := range v {
			if v[k], w = binary.Uvarint(b); w <= 0 {
				return cur, false, invalid
			}
			b = b[w:]
		}
		base := im.Pos(v[0])
		cur.base = append(cur.base, base)
		cur.since = append(cur.since, base+im.Pos(v[1]))
		cur.snap = append(cur.snap, base+im.Pos(v[1])+im.Pos(v[2]))
	}
	if len(b) > 0 {
		pos, w := binary.Uvarint(b)
		if w <= 0 {
			return cur, false, invalid
		}
		conv, rest, parted := bytes.Cut(b[w:], []byte{0})
		cur.key = &journal.PageKey{LastPos: im.Pos(pos), Conv: im.ConvID(conv)}
		if parted {
			if len(rest) <= partBytes {
				return cur, false, invalid
			}
			cur.part = &part{of: [partBytes]byte(rest), after: string(rest[partBytes:])}
		}
	}
	return cur, true, nil
}

// sealPage makes the page token of a list.
func (c *cursorCodec) sealPage(a im.Actor, k journal.PageKey) string {
	b := binary.AppendUvarint(nil, uint64(k.LastPos))
	b = append(b, k.Conv...)
	return base64.RawURLEncoding.EncodeToString(append(b, c.mac(a, 'p', b)...))
}

// openPage reads one; nil for the first page.
func (c *cursorCodec) openPage(a im.Actor, s string) (*journal.PageKey, error) {
	if s == "" {
		return nil, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(s)
	n := len(raw) - macBytes
	if err != nil || n < 2 || !hmac.Equal(raw[n:], c.mac(a, 'p', raw[:n])) {
		return nil, im.Errorf(im.InvalidArgument, "page is not one that this list gave")
	}
	pos, w := binary.Uvarint(raw[:n])
	if w <= 0 {
		return nil, im.Errorf(im.InvalidArgument, "page is not one that this list gave")
	}
	return &journal.PageKey{LastPos: im.Pos(pos), Conv: im.ConvID(raw[w:n])}, nil
}
