package gateway

import (
	"errors"
	"math"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Field numbers of skein.v1 that are read and written by hand because they
// are on the path of every message. A test holds them to the descriptors.
const (
	fieldPacketFrames = 1
	fieldPacketCursor = 2
	fieldRef          = 1
	fieldClientSend   = 3
	fieldServerAck    = 3
	fieldServerError  = 4
	fieldServerEntry  = 5

	fieldSendConversation = 1
	fieldSendClientID     = 2
	fieldSendBody         = 3
	fieldSendToDevices    = 4
	fieldSendHandshake    = 5
	fieldSendKey          = 6
	fieldSendToUsers      = 7
	fieldSendSilent       = 8
	fieldSendPriority     = 9
	fieldSendTTL          = 10
	fieldSendBurn         = 11
	fieldSendThread       = 12
	fieldSendSender       = 13
)

// errBadPacket is returned for bytes that are not of the protocol.
var errBadPacket = errors.New("not a packet of the protocol")

// clientFrame is one request, decoded.
type clientFrame struct {
	ref  uint32
	send *chat.SendRequest // the hot verb; else msg
	err  error             // an *im.Error: the frame is well-formed and wrong
	msg  *skeinv1.ClientFrame
}

// decodePacket splits a packet into frames. intern returns a string of the
// bytes, the same one for the same bytes when it can.
func decodePacket(b []byte, max int, intern func([]byte) string, out []clientFrame) ([]clientFrame, error) {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return out, errBadPacket
		}
		b = b[n:]
		if num != fieldPacketFrames || typ != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
				return out, errBadPacket
			}
			b = b[n:]
			continue
		}
		raw, n := protowire.ConsumeBytes(b)
		if n < 0 || len(out) == max {
			return out, errBadPacket
		}
		b = b[n:]
		f, err := decodeFrame(raw, intern)
		if err != nil {
			return out, err
		}
		out = append(out, f)
	}
	return out, nil
}

// decodeFrame decodes one frame: a send by hand, everything else by the
// generated code.
func decodeFrame(raw []byte, intern func([]byte) string) (clientFrame, error) {
	var f clientFrame
	var send []byte
	for b := raw; len(b) > 0; {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return f, errBadPacket
		}
		b = b[n:]
		switch {
		case num == fieldRef && typ == protowire.VarintType:
			v, m := protowire.ConsumeVarint(b)
			if m < 0 {
				return f, errBadPacket
			}
			f.ref, n = uint32(v), m
		case num == fieldClientSend && typ == protowire.BytesType && send == nil:
			if send, n = protowire.ConsumeBytes(b); n < 0 {
				return f, errBadPacket
			}
		case num == fieldClientSend: // a second one: let the generated code merge them
			return decodeSlow(raw)
		default:
			if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
				return f, errBadPacket
			}
			if num >= 2 && num <= 15 {
				return decodeSlow(raw)
			}
		}
		b = b[n:]
	}
	if send == nil {
		return decodeSlow(raw)
	}
	var r chat.SendRequest
	err := decodeSend(send, intern, &r)
	if err == errBadPacket {
		return f, err
	}
	f.send, f.err = &r, err
	return f, nil
}

// maxDepth bounds nesting; the protocol needs 14.
const maxDepth = 32

func decodeSlow(raw []byte) (clientFrame, error) {
	m := new(skeinv1.ClientFrame)
	if err := (proto.UnmarshalOptions{RecursionLimit: maxDepth, DiscardUnknown: true}).Unmarshal(raw, m); err != nil {
		return clientFrame{}, errBadPacket
	}
	f := clientFrame{ref: m.Ref, msg: m}
	if s := m.GetSend(); s != nil {
		b, err := proto.Marshal(s)
		if err != nil {
			return f, errBadPacket
		}
		var r chat.SendRequest
		if f.err = decodeSend(b, func(b []byte) string { return string(b) }, &r); f.err == errBadPacket {
			return f, errBadPacket
		}
		f.send, f.msg = &r, nil
	}
	return f, nil
}

// decodeSend decodes a SendMessageRequest and holds it to the rules of the
// proto that need no state. The body's bytes are copied as they are.
func decodeSend(b []byte, intern func([]byte) string, r *chat.SendRequest) error {
	var id []byte
	as := false
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return errBadPacket
		}
		b = b[n:]
		var v []byte
		switch {
		case typ == protowire.VarintType:
			var u uint64
			if u, n = protowire.ConsumeVarint(b); n >= 0 {
				setOption(r, num, u)
			}
		case typ == protowire.BytesType:
			v, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return errBadPacket
		}
		b = b[n:]
		if v == nil {
			continue
		}
		switch num {
		case fieldSendConversation:
			r.Conv = im.ConvID(intern(v))
		case fieldSendClientID:
			id = v
		case fieldSendBody:
			r.Body = append([]byte(nil), v...)
		case fieldSendToDevices:
			r.ToDevices = append(r.ToDevices, im.DeviceID(v))
		case fieldSendKey:
			r.Key = string(v)
		case fieldSendToUsers:
			r.ToUsers = append(r.ToUsers, im.UserID(v))
		case fieldSendSender:
			as = as || len(v) > 0
		}
	}
	if as {
		return im.Errorf(im.InvalidArgument, "sender is for the app's back end")
	}
	return CheckSend(r, id)
}

// setOption takes a number of a SendMessageRequest over; what is out of range
// becomes a value that is refused.
func setOption(r *chat.SendRequest, num protowire.Number, v uint64) {
	switch num {
	case fieldSendHandshake:
		r.Handshake = protowire.DecodeBool(v)
	case fieldSendSilent:
		r.Silent = protowire.DecodeBool(v)
	case fieldSendPriority:
		r.Priority = im.Priority(min(v, math.MaxInt32))
	case fieldSendTTL:
		r.TTL = time.Duration(min(v, math.MaxUint32)) * time.Second
	case fieldSendBurn:
		r.Burn = int32(min(v, math.MaxInt32))
	case fieldSendThread:
		r.Thread = im.Seq(min(v, 1<<62))
	}
}

// DecodeSend turns a request into the front door's, held to the rules that
// need no state: what a send frame goes through.
func DecodeSend(m *skeinv1.SendMessageRequest) (chat.SendRequest, error) {
	var r chat.SendRequest
	b, err := proto.Marshal(m)
	if err != nil {
		return r, im.Errorf(im.InvalidArgument, "the message is not UTF-8")
	}
	err = decodeSend(b, func(b []byte) string { return string(b) }, &r)
	if err == errBadPacket {
		err = im.Errorf(im.InvalidArgument, "the message can not be read")
	}
	return r, err
}

// CheckSend holds a send to the rules that need no state, wherever it came from.
func CheckSend(r *chat.SendRequest, id []byte) error {
	var ok bool
	if r.ClientID, ok = im.ParseClientID(id); !ok {
		return im.Errorf(im.InvalidArgument, "client_id is a UUIDv7 of 16 bytes")
	}
	if len(r.Body) == 0 {
		return im.Errorf(im.InvalidArgument, "body is missing")
	}
	if len(r.ToDevices) > 100 {
		return im.Errorf(im.InvalidArgument, "to_devices has at most 100 devices")
	}
	for _, d := range r.ToDevices {
		if !im.ValidName(string(d)) {
			return im.Errorf(im.InvalidArgument, "to_devices has an invalid device id")
		}
	}
	if r.Key != "" && (len(r.Key) > 200 || !im.ValidKey(r.Key)) {
		return im.Errorf(im.InvalidArgument, "key has 1 to 200 bytes without control characters")
	}
	if len(r.Conv) > im.MaxConvBytes || r.Conv.Kind() == im.ConvInvalid {
		return im.ErrNotFound // no conversation can have such an id
	}
	return nil
}

// decodeJSON turns a text packet into a binary one. Unknown fields are
// ignored, as in the binary form.
func decodeJSON(b []byte) ([]byte, error) {
	var p skeinv1.ClientPacket
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: maxDepth}).Unmarshal(b, &p); err != nil {
		return nil, errBadPacket
	}
	return proto.Marshal(&p)
}

// encodeJSON turns a binary packet of ours into a text one.
func encodeJSON(b []byte) ([]byte, error) {
	var p skeinv1.ServerPacket
	if err := proto.Unmarshal(b, &p); err != nil {
		return nil, err
	}
	return protojson.Marshal(&p)
}

// encodeFrame encodes a frame as an element of ServerPacket.frames, so that
// a packet is the concatenation of its elements.
func encodeFrame(f *skeinv1.ServerFrame) []byte {
	n := proto.Size(f)
	b := make([]byte, 0, n+6)
	b = protowire.AppendTag(b, fieldPacketFrames, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(n))
	b, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(b, f)
	if err != nil { // only invalid UTF-8 can do that, and what comes in is checked
		return nil
	}
	return b
}

// encodeEntry encodes the frame of an entry, once for all its receivers.
func encodeEntry(e *im.Entry) []byte {
	inner := chat.AppendEntry(make([]byte, 0, 96+len(e.Body)+len(e.Previous)+len(e.Conv)+len(e.Sender)), e)
	b := make([]byte, 0, len(inner)+12)
	b = protowire.AppendTag(b, fieldPacketFrames, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(1+protowire.SizeBytes(len(inner))))
	b = protowire.AppendTag(b, fieldServerEntry, protowire.BytesType)
	return protowire.AppendBytes(b, inner)
}

// encodeAck encodes the frame of a SendAck.
func encodeAck(ref uint32, e *im.Entry) []byte {
	const idBytes = len(e.ClientID)
	ack := 1 + protowire.SizeBytes(len(e.Conv)) + 1 + protowire.SizeVarint(uint64(e.Seq)) + 1 + protowire.SizeVarint(uint64(e.Time)) +
		1 + protowire.SizeBytes(idBytes)
	if e.Ord > 0 {
		ack += 1 + protowire.SizeVarint(uint64(e.Ord))
	}
	if e.Uncounted {
		ack += 2
	}
	frame := 1 + protowire.SizeBytes(ack)
	if ref > 0 {
		frame += 1 + protowire.SizeVarint(uint64(ref))
	}
	b := make([]byte, 0, 1+protowire.SizeBytes(frame))
	b = protowire.AppendTag(b, fieldPacketFrames, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(frame))
	if ref > 0 {
		b = protowire.AppendTag(b, fieldRef, protowire.VarintType)
		b = protowire.AppendVarint(b, uint64(ref))
	}
	b = protowire.AppendTag(b, fieldServerAck, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(ack))
	b = protowire.AppendTag(b, 1, protowire.BytesType)
	b = protowire.AppendString(b, string(e.Conv))
	b = protowire.AppendTag(b, 2, protowire.VarintType)
	b = protowire.AppendVarint(b, uint64(e.Seq))
	if e.Ord > 0 {
		b = protowire.AppendTag(b, 3, protowire.VarintType)
		b = protowire.AppendVarint(b, uint64(e.Ord))
	}
	b = protowire.AppendTag(b, 4, protowire.VarintType)
	b = protowire.AppendVarint(b, uint64(e.Time))
	b = protowire.AppendTag(b, 5, protowire.BytesType)
	b = protowire.AppendBytes(b, e.ClientID[:])
	if e.Uncounted {
		b = protowire.AppendVarint(protowire.AppendTag(b, 6, protowire.VarintType), 1)
	}
	return b
}
