package im

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"io"
	"time"
)

// Clock tells the time. Domain code never asks the time package, so that a
// simulation can.
type Clock interface {
	Now() time.Time
}

// Entropy is a source of random bytes; crypto/rand.Reader in a server, a
// seeded reader in a simulation.
type Entropy = io.Reader

// SystemClock is the machine's clock.
type SystemClock struct{}

// Now implements Clock.
func (SystemClock) Now() time.Time { return time.Now() }

// SystemEntropy is the machine's source of random bytes.
func SystemEntropy() Entropy { return rand.Reader }

// MicrosOf converts a time.
func MicrosOf(t time.Time) Micros { return Micros(t.UnixMicro()) }

// Time converts back.
func (m Micros) Time() time.Time { return time.UnixMicro(int64(m)).UTC() }

// ClientID is a UUIDv7 (RFC 9562 §5.7), made by the sender once a message and
// kept for every retry. Its first 48 bits are milliseconds since 1970, so
// that the unique index grows at its end.
type ClientID [16]byte

// NewClientID makes one for the given time.
func NewClientID(now time.Time, e Entropy) (ClientID, error) {
	var id ClientID
	if _, err := io.ReadFull(e, id[6:]); err != nil {
		return id, err
	}
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(now.UnixMilli())<<16)
	copy(id[:6], ms[:6])
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id, nil
}

// ParseClientID checks length, version and variant.
func ParseClientID(b []byte) (ClientID, bool) {
	var id ClientID
	if len(b) != len(id) || b[6]>>4 != 7 || b[8]>>6 != 2 {
		return id, false
	}
	copy(id[:], b)
	return id, true
}

// Time returns the moment that the id carries, to the millisecond.
func (id ClientID) Time() time.Time {
	var ms [8]byte
	copy(ms[2:], id[:6])
	return time.UnixMilli(int64(binary.BigEndian.Uint64(ms[:]))).UTC()
}

// String returns the usual 8-4-4-4-12 form.
func (id ClientID) String() string {
	var s [36]byte
	hex.Encode(s[0:8], id[0:4])
	hex.Encode(s[9:13], id[4:6])
	hex.Encode(s[14:18], id[6:8])
	hex.Encode(s[19:23], id[8:10])
	hex.Encode(s[24:36], id[10:16])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}

// RandomID returns 128 random bits as 32 hex digits.
func RandomID(e Entropy) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(e, b[:]); err != nil {
		return "", err
	}
	return hex.EncodeToString(b[:]), nil
}
