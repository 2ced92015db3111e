package im

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ConvID names a conversation within an app. Its first character tells its
// kind, so that whoever holds an id knows who may be in it without a look-up:
//
//	@5:alice:bob   direct: length of the smaller user id, both ids in bytewise order
//	~alice         self: one user's notes and private state
//	g1             group: 1 to 64 of a-z A-Z 0-9 _ -, starting with a letter or a digit
type ConvID string

// ConvKind is the kind of a conversation. Its values are wire values.
type ConvKind int32

// The kinds of conversations. ConvInvalid is an id that breaks the grammar.
const (
	ConvInvalid ConvKind = 0
	ConvDirect  ConvKind = 1
	ConvGroup   ConvKind = 2
	ConvSelf    ConvKind = 3
)

// Limits of ids, in bytes.
const (
	MaxIDBytes   = 64
	MaxConvBytes = 136
)

// ValidName tells whether s can be a user or device id: 1 to 64 bytes of
// valid UTF-8 without control or formatting characters (the latter can make
// two ids look alike, such as U+202E).
func ValidName(s string) bool {
	if len(s) == 0 || len(s) > MaxIDBytes || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
			return false
		}
	}
	return true
}

// ValidToken tells whether s can be an app or group id: 1 to 64 of
// a-z A-Z 0-9 _ -, starting with a letter or a digit.
func ValidToken(s string) bool {
	if len(s) == 0 || len(s) > MaxIDBytes {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alnum && (i == 0 || c != '_' && c != '-') {
			return false
		}
	}
	return true
}

// Direct returns the id of the conversation of two different users. The
// order of the arguments does not matter.
func Direct(a, b UserID) ConvID {
	if b < a {
		a, b = b, a
	}
	return ConvID("@" + strconv.Itoa(len(a)) + ":" + string(a) + ":" + string(b))
}

// Self returns the id of a user's own conversation.
func Self(u UserID) ConvID { return ConvID("~" + string(u)) }

// Kind returns the kind that the id's first character tells, or ConvInvalid
// when the whole id breaks the grammar.
func (c ConvID) Kind() ConvKind {
	switch {
	case c == "":
		return ConvInvalid
	case c[0] == '@':
		if a, b := c.Pair(); a != "" && b != "" {
			return ConvDirect
		}
	case c[0] == '~':
		if ValidName(string(c[1:])) {
			return ConvSelf
		}
	case ValidToken(string(c)):
		return ConvGroup
	}
	return ConvInvalid
}

// Pair returns the two users of a direct conversation, smaller id first, or
// two empty ids when the id is not a well-formed direct one.
func (c ConvID) Pair() (a, b UserID) {
	rest, ok := strings.CutPrefix(string(c), "@")
	if !ok {
		return "", ""
	}
	num, rest, ok := strings.Cut(rest, ":")
	n, err := strconv.Atoi(num)
	if !ok || err != nil || n < 1 || n > MaxIDBytes || strconv.Itoa(n) != num || len(rest) < n+2 || rest[n] != ':' {
		return "", ""
	}
	x, y := rest[:n], rest[n+1:]
	if !ValidName(x) || !ValidName(y) || x >= y {
		return "", ""
	}
	return UserID(x), UserID(y)
}

// Owner returns the user of a self conversation, or "".
func (c ConvID) Owner() UserID {
	if c.Kind() != ConvSelf {
		return ""
	}
	return UserID(c[1:])
}

// Peer returns the other user of a direct conversation, or "" when the id is
// not a direct conversation of u.
func (c ConvID) Peer(u UserID) UserID {
	switch a, b := c.Pair(); u {
	case "":
		return ""
	case a:
		return b
	case b:
		return a
	}
	return ""
}

// ValidKey tells whether s can be the key of a keyed entry: 1 to 200 bytes of
// UTF-8 without control characters.
func ValidKey(s string) bool {
	if len(s) == 0 || len(s) > 200 || !utf8.ValidString(s) {
		return false
	}
	return strings.IndexFunc(s, unicode.IsControl) < 0
}
