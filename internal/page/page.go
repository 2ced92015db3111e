// Package page makes the next_page tokens of listed tables. A token says after
// which row the next page begins, and for whom and what it was made; whoever
// shows it in another place is told that it is not a page of this list. The
// text is opaque to clients and never stored.
package page

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"

	"github.com/skein-im/skein/internal/im"
)

// sumBytes is how much of the authentication code a token carries.
const sumBytes = 16

// Sealer makes and opens tokens under a key that every node has.
type Sealer struct{ key []byte }

// New returns a sealer; key has at least 16 bytes.
func New(key []byte) *Sealer { return &Sealer{key: key} }

// Seal makes the token of the page after a row. list names the list with all
// that was asked for, so that a token serves no other question.
func (s *Sealer) Seal(a im.Actor, list, after string) string {
	return base64.RawURLEncoding.EncodeToString(append(s.sum(a, list, after), after...))
}

// Open returns what Seal was given; "" for the first page. Errors:
// InvalidArgument when the token is not of this user's list.
func (s *Sealer) Open(a im.Actor, list, token string) (after string, err error) {
	if token == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) < sumBytes || subtle.ConstantTimeCompare(b[:sumBytes], s.sum(a, list, string(b[sumBytes:]))) != 1 {
		return "", &im.Error{Code: im.InvalidArgument, Message: "page is not a page of this list", Hint: "send next_page of the answer before, or nothing to begin anew"}
	}
	return string(b[sumBytes:]), nil
}

// sum authenticates the parts, each with its length before it.
func (s *Sealer) sum(a im.Actor, list, after string) []byte {
	h := hmac.New(sha256.New, s.key)
	for _, part := range []string{string(a.App), string(a.User), list, after} {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
		h.Write([]byte(part))
	}
	return h.Sum(nil)[:sumBytes]
}
