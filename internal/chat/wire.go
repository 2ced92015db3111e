package chat

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// AppendEntry appends the encoding of e as skein.v1.Entry. It is written by
// hand because it runs once a message on the hot path and because the body
// must stay the bytes that were sent; a test holds it to proto.Marshal.
func AppendEntry(b []byte, e *im.Entry) []byte {
	b = appendString(b, 1, string(e.Conv))
	b = appendUint(b, 2, uint64(e.Seq))
	b = appendUint(b, 3, uint64(e.Ord))
	b = appendUint(b, 4, uint64(e.Kind))
	b = appendString(b, 5, string(e.Sender))
	b = appendUint(b, 6, uint64(e.Time))
	b = protowire.AppendTag(b, 7, protowire.BytesType)
	b = protowire.AppendBytes(b, e.ClientID[:])
	b = appendUint(b, 8, uint64(e.Version))
	if len(e.Body) > 0 {
		b = protowire.AppendTag(b, 9, protowire.BytesType)
		b = protowire.AppendBytes(b, e.Body)
	}
	b = appendUint(b, 10, uint64(e.Target))
	if e.Handshake {
		b = appendUint(b, 11, 1)
	}
	for _, d := range e.ToDevices {
		b = appendString(b, 12, string(d))
	}
	b = appendString(b, 13, e.Key)
	if len(e.Previous) > 0 {
		b = protowire.AppendTag(b, 14, protowire.BytesType)
		b = protowire.AppendBytes(b, e.Previous)
	}
	if e.Recalled {
		b = appendUint(b, 15, 1)
	}
	if e.Special() {
		b = appendSpecial(b, e)
	}
	return b
}

// appendSpecial appends the fields that few entries have.
func appendSpecial(b []byte, e *im.Entry) []byte {
	for _, u := range e.ToUsers {
		b = appendString(b, 16, string(u))
	}
	b = appendUint(b, 17, protowire.EncodeBool(e.Silent))
	b = appendUint(b, 18, uint64(e.Priority))
	b = appendUint(b, 19, uint64(e.Expires))
	b = appendUint(b, 20, uint64(e.Burn))
	b = appendUint(b, 21, protowire.EncodeBool(e.Uncounted))
	return appendUint(b, 22, protowire.EncodeBool(e.Expired))
}

func appendString(b []byte, n protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	b = protowire.AppendTag(b, n, protowire.BytesType)
	return protowire.AppendString(b, s)
}

func appendUint(b []byte, n protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	b = protowire.AppendTag(b, n, protowire.VarintType)
	return protowire.AppendVarint(b, v)
}

// ProtoEntry returns e as the generated message, for answers that are not hot.
func ProtoEntry(e *im.Entry) *skeinv1.Entry {
	p := new(skeinv1.Entry)
	if err := proto.Unmarshal(AppendEntry(nil, e), p); err != nil {
		// The body was checked when it came in and its hash when it was read.
		p = &skeinv1.Entry{Conversation: string(e.Conv), Seq: uint64(e.Seq), Ord: uint64(e.Ord), Kind: skeinv1.EntryKind(e.Kind),
			Sender: string(e.Sender), TimeUs: int64(e.Time), ClientId: e.ClientID[:], Version: uint32(e.Version)}
	}
	return p
}

// ProtoError is an error as the wire carries it. Anything that is no
// *im.Error becomes Internal without details.
func ProtoError(err error) *skeinv1.Error {
	e, _ := im.Shown(err)
	return &skeinv1.Error{Code: skeinv1.ErrorCode(e.Code), Message: e.Message, Hint: e.Hint,
		RetryAfterMs: uint32(e.RetryAfter.Milliseconds()), ServerTimeUs: int64(e.ServerTime)}
}

// Affected returns the users whom a MEMBERS entry puts in, takes out, and
// whose role it changes; nil for every other kind.
func Affected(e *im.Entry) (added, ended, changed []im.UserID) {
	if e.Kind != im.KindMembers || len(e.Body) == 0 {
		return nil, nil, nil
	}
	var b skeinv1.Body
	if proto.Unmarshal(e.Body, &b) != nil {
		return nil, nil, nil
	}
	m := b.GetContent().GetMembers()
	return users(m.GetAdded()), append(users(m.GetRemoved()), users(m.GetLeft())...), users(m.GetRoleChanged())
}

func users(names []string) []im.UserID {
	out := make([]im.UserID, len(names))
	for i, n := range names {
		out[i] = im.UserID(n)
	}
	return out
}
