package relay

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"hash"
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/im"
)

// A message between nodes is a tag of tagBytes, which only who holds the
// cluster's key can make, and behind it an envelope: protobuf fields that this
// file gives their numbers. Nobody outside the cluster reads it, so there is no
// .proto; numbers are never reused all the same, and unknown ones are passed
// over, because a cluster that is being upgraded speaks two versions.
//
// Whoever decodes believes nothing: lengths are bounded by the message,
// numbers are checked before they index anything, and what does not fit makes
// the whole message void.

// tagBytes is how much of the HMAC-SHA256 is sent.
const tagBytes = 16

// The fields of an envelope.
const (
	fieldIncarnation = 1 // of the journal, text
	fieldNode        = 2 // who speaks
	fieldStarted     = 3
	fieldBatch       = 4 // repeated
	fieldSignal      = 5 // repeated
	fieldKnownBoot   = 6 // of the receiver, as the speaker knows it
	fieldKnown       = 7 // the receiver's roster version that the skips are based on
)

// The fields of a batch.
const (
	batchEntry = 1 // repeated
	batchSkip  = 2 // repeated
)

// The fields of a skip.
const (
	skipShard   = 1
	skipFrom    = 2
	skipLength  = 3 // positions behind From; 0 = From alone
	skipRead    = 4 // they are too large to be sent
	skipApp     = 5 // with skipConv: of one large conversation, sent on its own subject
	skipConv    = 6
	skipVersion = 7 // of its member list, at least
)

// The fields of an entry.
const (
	entryApp       = 1
	entryConv      = 2
	entrySeq       = 3
	entryOrd       = 4
	entryShard     = 5
	entryPos       = 6
	entryKind      = 7
	entrySender    = 8
	entryDevice    = 9
	entrySession   = 10
	entryTime      = 11
	entryClientID  = 12
	entryVersion   = 13
	entryTarget    = 14
	entryKey       = 15
	entryHandshake = 16
	entryToDevice  = 17 // repeated
	entryRecalled  = 18
	entryBody      = 19
	entryPrevious  = 20
	entryTrace     = 21
	entryToUser    = 22 // repeated
	entrySilent    = 23
	entryPriority  = 24
	entryBurn      = 25
	entryExpires   = 26
	entryUncounted = 27
	entryExpired   = 28
)

// errEnvelope is a message that no node of this cluster has made.
var errEnvelope = errors.New("the message is no envelope of this cluster")

// skip is a run of positions that a message leaves out.
type skip struct {
	shard    int
	from, to im.Pos
	read     bool
	app      im.AppID // with conv: one large conversation
	conv     im.ConvID
	version  int64
}

// batch is what a message says of one commit.
type batch struct {
	entries []im.Entry
	skips   []skip
}

// envelope is a decoded message. Bodies point into the message.
type envelope struct {
	incarnation string
	boot        bus.Boot
	known       known
	batches     []batch
	signals     []bus.Signal
}

// known is what a speaker knows of the receiver's roster. Zero: nothing.
type known struct {
	started im.Micros
	version uint64
}

// sealer signs messages; it is not for two goroutines at a time.
type sealer struct{ mac hash.Hash }

func newSealer(key []byte) *sealer { return &sealer{hmac.New(sha256.New, key)} }

// seal fills the first tagBytes of a message with the tag of the rest.
func (s *sealer) seal(message []byte) {
	var sum [sha256.Size]byte
	s.mac.Reset()
	s.mac.Write(message[tagBytes:])
	copy(message, s.mac.Sum(sum[:0])[:tagBytes])
}

// open returns what a good tag stands in front of.
func (s *sealer) open(message []byte) ([]byte, error) {
	if len(message) < tagBytes {
		return nil, errEnvelope
	}
	var sum [sha256.Size]byte
	s.mac.Reset()
	s.mac.Write(message[tagBytes:])
	if !hmac.Equal(s.mac.Sum(sum[:0])[:tagBytes], message[:tagBytes]) {
		return nil, errEnvelope
	}
	return message[tagBytes:], nil
}

func appendText(b []byte, field protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
}

func appendBytes(b []byte, field protowire.Number, v []byte) []byte {
	if len(v) == 0 {
		return b
	}
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
}

func appendUint(b []byte, field protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

func appendBool(b []byte, field protowire.Number, v bool) []byte {
	if !v {
		return b
	}
	return appendUint(b, field, 1)
}

// appendHead is the beginning of every envelope of a node.
func appendHead(b []byte, incarnation string, boot bus.Boot) []byte {
	b = appendText(b, fieldIncarnation, incarnation)
	b = appendText(b, fieldNode, boot.Node)
	return appendUint(b, fieldStarted, uint64(boot.Started))
}

func appendKnown(b []byte, k known) []byte {
	b = appendUint(b, fieldKnownBoot, uint64(k.started))
	return appendUint(b, fieldKnown, k.version)
}

// appendEntry encodes an entry without a tag.
func appendEntry(b []byte, e *im.Entry) []byte {
	b = appendText(b, entryApp, string(e.App))
	b = appendText(b, entryConv, string(e.Conv))
	b = appendUint(b, entrySeq, uint64(e.Seq))
	b = appendUint(b, entryOrd, uint64(e.Ord))
	b = appendUint(b, entryShard, uint64(e.Shard))
	b = appendUint(b, entryPos, uint64(e.Pos))
	b = appendUint(b, entryKind, uint64(e.Kind))
	b = appendText(b, entrySender, string(e.Sender))
	b = appendText(b, entryDevice, string(e.Device))
	b = appendUint(b, entrySession, e.Session)
	b = appendUint(b, entryTime, uint64(e.Time))
	if e.ClientID != (im.ClientID{}) {
		b = appendBytes(b, entryClientID, e.ClientID[:])
	}
	b = appendUint(b, entryVersion, uint64(e.Version))
	b = appendUint(b, entryTarget, uint64(e.Target))
	b = appendText(b, entryKey, e.Key)
	b = appendBool(b, entryHandshake, e.Handshake)
	for _, d := range e.ToDevices {
		b = appendText(b, entryToDevice, string(d))
	}
	b = appendBool(b, entryRecalled, e.Recalled)
	if e.Special() {
		b = appendSpecial(b, e)
	}
	b = appendBytes(b, entryBody, e.Body)
	b = appendBytes(b, entryPrevious, e.Previous)
	return appendText(b, entryTrace, e.Trace)
}

// appendSpecial encodes what few entries have.
func appendSpecial(b []byte, e *im.Entry) []byte {
	for _, u := range e.ToUsers {
		b = appendText(b, entryToUser, string(u))
	}
	b = appendBool(b, entrySilent, e.Silent)
	b = appendUint(b, entryPriority, uint64(e.Priority))
	b = appendUint(b, entryBurn, uint64(e.Burn))
	b = appendUint(b, entryExpires, uint64(e.Expires))
	b = appendBool(b, entryUncounted, e.Uncounted)
	return appendBool(b, entryExpired, e.Expired)
}

// appendSkip encodes a skip without a tag.
func appendSkip(b []byte, s *skip) []byte {
	b = appendUint(b, skipShard, uint64(s.shard))
	b = appendUint(b, skipFrom, uint64(s.from))
	b = appendUint(b, skipLength, uint64(s.to-s.from))
	b = appendBool(b, skipRead, s.read)
	b = appendText(b, skipApp, string(s.app))
	b = appendText(b, skipConv, string(s.conv))
	return appendUint(b, skipVersion, uint64(s.version))
}

// reader walks over the fields of a message.
type reader struct {
	rest  []byte
	field protowire.Number
	kind  protowire.Type
	bytes []byte // of a field of bytes
	num   uint64 // of a varint
	bad   bool
}

// next reads a field; false at the end, or when the rest makes no sense.
func (r *reader) next() bool {
	if len(r.rest) == 0 || r.bad {
		return false
	}
	field, kind, n := protowire.ConsumeTag(r.rest)
	if n < 0 {
		r.bad = true
		return false
	}
	r.rest = r.rest[n:]
	r.field, r.kind, r.bytes, r.num = field, kind, nil, 0
	switch kind {
	case protowire.BytesType:
		r.bytes, n = protowire.ConsumeBytes(r.rest)
	case protowire.VarintType:
		r.num, n = protowire.ConsumeVarint(r.rest)
	default:
		n = protowire.ConsumeFieldValue(field, kind, r.rest)
		r.field = 0 // no field of ours has another type
	}
	if n < 0 {
		r.bad = true
		return false
	}
	r.rest = r.rest[n:]
	return true
}

// text returns a field of bytes as text.
func (r *reader) text() string {
	if r.kind != protowire.BytesType || !utf8.Valid(r.bytes) {
		r.bad = true
	}
	return string(r.bytes)
}

// id is text that is no longer than an id.
func (r *reader) id() string {
	if len(r.bytes) > im.MaxConvBytes {
		r.bad = true
		return ""
	}
	return r.text()
}

func (r *reader) blob() []byte {
	if r.kind != protowire.BytesType {
		r.bad = true
	}
	return r.bytes[:len(r.bytes):len(r.bytes)]
}

// uint returns a number that is at most a bound.
func (r *reader) uint(most uint64) uint64 {
	if r.kind != protowire.VarintType || r.num > most {
		r.bad = true
		return 0
	}
	return r.num
}

func (r *reader) int64() int64 { return int64(r.uint(math.MaxInt64)) }

// decode reads an envelope whose tag was good, of a journal with so many
// shards.
func decode(b []byte, shards int) (envelope, error) {
	var e envelope
	r := reader{rest: b}
	for r.next() {
		var err error
		switch r.field {
		case fieldIncarnation:
			e.incarnation = r.id()
		case fieldNode:
			e.boot.Node = r.id()
		case fieldStarted:
			e.boot.Started = im.Micros(r.int64())
		case fieldKnownBoot:
			e.known.started = im.Micros(r.int64())
		case fieldKnown:
			e.known.version = r.uint(math.MaxUint64)
		case fieldBatch:
			var c batch
			c, err = decodeBatch(r.blob(), shards)
			e.batches = append(e.batches, c)
		case fieldSignal:
			var s bus.Signal
			if s, err = decodeSignal(r.blob()); s != nil {
				e.signals = append(e.signals, s)
			}
		}
		if err != nil {
			return envelope{}, err
		}
	}
	if r.bad || e.boot.Node == "" {
		return envelope{}, errEnvelope
	}
	return e, nil
}

func decodeBatch(b []byte, shards int) (batch, error) {
	var out batch
	r := reader{rest: b}
	for r.next() {
		switch r.field {
		case batchEntry:
			e, ok := decodeEntry(r.blob(), shards)
			if !ok {
				return batch{}, errEnvelope
			}
			out.entries = append(out.entries, e)
		case batchSkip:
			s, ok := decodeSkip(r.blob(), shards)
			if !ok {
				return batch{}, errEnvelope
			}
			out.skips = append(out.skips, s)
		}
	}
	if r.bad {
		return batch{}, errEnvelope
	}
	return out, nil
}

func decodeSkip(b []byte, shards int) (s skip, ok bool) {
	length := int64(0)
	r := reader{rest: b}
	for r.next() {
		switch r.field {
		case skipShard:
			s.shard = int(r.uint(uint64(shards - 1)))
		case skipFrom:
			s.from = im.Pos(r.int64())
		case skipLength:
			length = int64(r.uint(1 << 32))
		case skipRead:
			s.read = r.uint(1) == 1
		case skipApp:
			s.app = im.AppID(r.id())
		case skipConv:
			s.conv = im.ConvID(r.id())
		case skipVersion:
			s.version = r.int64()
		}
	}
	if s.from < 1 || int64(s.from) > math.MaxInt64-length {
		return s, false
	}
	s.to = s.from + im.Pos(length)
	return s, !r.bad && (s.conv == "" || s.conv.Kind() == im.ConvGroup && im.ValidToken(string(s.app)))
}

func decodeEntry(b []byte, shards int) (e im.Entry, ok bool) {
	r := reader{rest: b}
	for r.next() {
		switch r.field {
		case entryApp:
			e.App = im.AppID(r.id())
		case entryConv:
			e.Conv = im.ConvID(r.id())
		case entrySeq:
			e.Seq = im.Seq(r.int64())
		case entryOrd:
			e.Ord = im.Ord(r.int64())
		case entryShard:
			e.Shard = int(r.uint(uint64(shards - 1)))
		case entryPos:
			e.Pos = im.Pos(r.int64())
		case entryKind:
			e.Kind = im.Kind(r.uint(math.MaxInt32))
		case entrySender:
			e.Sender = im.UserID(r.id())
		case entryDevice:
			e.Device = im.DeviceID(r.id())
		case entrySession:
			e.Session = r.uint(math.MaxUint64)
		case entryTime:
			e.Time = im.Micros(r.int64())
		case entryClientID:
			if len(r.bytes) != len(e.ClientID) {
				return e, false
			}
			copy(e.ClientID[:], r.bytes)
		case entryVersion:
			e.Version = int32(r.uint(math.MaxInt32))
		case entryTarget:
			e.Target = im.Seq(r.int64())
		case entryKey:
			e.Key = r.text()
		case entryHandshake:
			e.Handshake = r.uint(1) == 1
		case entryToDevice:
			e.ToDevices = append(e.ToDevices, im.DeviceID(r.id()))
		case entryRecalled:
			e.Recalled = r.uint(1) == 1
		case entryToUser:
			e.ToUsers = append(e.ToUsers, im.UserID(r.id()))
		case entrySilent:
			e.Silent = r.uint(1) == 1
		case entryPriority:
			e.Priority = im.Priority(r.uint(2))
		case entryBurn:
			e.Burn = int32(r.uint(math.MaxInt32))
		case entryExpires:
			e.Expires = im.Micros(r.int64())
		case entryUncounted:
			e.Uncounted = r.uint(1) == 1
		case entryExpired:
			e.Expired = r.uint(1) == 1
		case entryBody:
			e.Body = r.blob()
		case entryPrevious:
			e.Previous = r.blob()
		case entryTrace:
			e.Trace = r.id()
		}
	}
	return e, !r.bad && e.Pos >= 1 && e.Seq >= 1 && e.Kind >= 1 && im.ValidToken(string(e.App)) && e.Conv.Kind() != im.ConvInvalid
}
