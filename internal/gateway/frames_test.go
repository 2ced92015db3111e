package gateway

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

var testID = []byte{1, 2, 3, 4, 5, 6, 0x77, 8, 0x99, 10, 11, 12, 13, 14, 15, 16}

func plain(b []byte) string { return string(b) }

func TestTheNumbersReadByHandAreThoseOfTheProto(t *testing.T) {
	for _, c := range []struct {
		m    proto.Message
		name protoreflect.Name
		n    protowire.Number
	}{
		{&skeinv1.ClientPacket{}, "frames", fieldPacketFrames}, {&skeinv1.ServerPacket{}, "frames", fieldPacketFrames},
		{&skeinv1.ServerPacket{}, "cursor", fieldPacketCursor}, {&skeinv1.ClientFrame{}, "ref", fieldRef},
		{&skeinv1.ServerFrame{}, "ref", fieldRef}, {&skeinv1.ClientFrame{}, "send", fieldClientSend},
		{&skeinv1.ServerFrame{}, "ack", fieldServerAck}, {&skeinv1.ServerFrame{}, "error", fieldServerError},
		{&skeinv1.ServerFrame{}, "entry", fieldServerEntry}, {&skeinv1.SendMessageRequest{}, "conversation", fieldSendConversation},
		{&skeinv1.SendMessageRequest{}, "client_id", fieldSendClientID}, {&skeinv1.SendMessageRequest{}, "body", fieldSendBody},
		{&skeinv1.SendMessageRequest{}, "to_devices", fieldSendToDevices}, {&skeinv1.SendMessageRequest{}, "handshake", fieldSendHandshake},
		{&skeinv1.SendMessageRequest{}, "key", fieldSendKey},
	} {
		if f := c.m.ProtoReflect().Descriptor().Fields().ByName(c.name); f == nil || f.Number() != c.n {
			t.Errorf("%T.%s is not field %d", c.m, c.name, c.n)
		}
	}
	for i := range (&skeinv1.ClientFrame{}).ProtoReflect().Descriptor().Fields().Len() {
		if n := (&skeinv1.ClientFrame{}).ProtoReflect().Descriptor().Fields().Get(i).Number(); n > 15 {
			t.Errorf("field %d of ClientFrame is not passed on to the generated code by decodeFrame", n)
		}
	}
}

func sendFrame(ref uint32, r *skeinv1.SendMessageRequest) *skeinv1.ClientFrame {
	return &skeinv1.ClientFrame{Ref: ref, Frame: &skeinv1.ClientFrame_Send{Send: r}}
}

func textBody(s string) *skeinv1.Body {
	return &skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT, Content: &skeinv1.Content{Kind: &skeinv1.Content_Text{Text: &skeinv1.Text{Text: s}}}}
}

func TestASendIsDecodedByHandAsByTheGeneratedCode(t *testing.T) {
	want := &skeinv1.SendMessageRequest{Conversation: "~alice", ClientId: testID, Body: textBody("hi"), ToDevices: []string{"a", "b"}, Handshake: true, Key: "k"}
	raw, _ := proto.Marshal(&skeinv1.ClientPacket{Frames: []*skeinv1.ClientFrame{sendFrame(9, want), {Ref: 10, Frame: &skeinv1.ClientFrame_Ping{Ping: &skeinv1.Ping{}}}}})
	fs, err := decodePacket(raw, 256, plain, nil)
	if err != nil || len(fs) != 2 {
		t.Fatal(fs, err)
	}
	s := fs[0].send
	body, _ := proto.Marshal(want.Body)
	if fs[0].ref != 9 || s == nil || s.Conv != "~alice" || !bytes.Equal(s.ClientID[:], testID) || !bytes.Equal(s.Body, body) || !s.Handshake ||
		len(s.ToDevices) != 2 || s.ToDevices[1] != "b" || s.Key != "k" || fs[0].err != nil {
		t.Errorf("got %+v, err %v", s, fs[0].err)
	}
	if fs[1].ref != 10 || fs[1].msg.GetPing() == nil {
		t.Errorf("got %+v", fs[1])
	}
}

func TestTheBodyKeepsBytesThatThisVersionDoesNotKnow(t *testing.T) {
	body, _ := proto.Marshal(textBody("hi"))
	body = protowire.AppendTag(body, 999, protowire.BytesType)
	body = protowire.AppendString(body, "from the future")
	var send []byte
	for n, v := range map[protowire.Number][]byte{fieldSendConversation: []byte("g1"), fieldSendClientID: testID, fieldSendBody: body} {
		send = protowire.AppendTag(send, n, protowire.BytesType)
		send = protowire.AppendBytes(send, v)
	}
	frame := protowire.AppendTag(nil, fieldClientSend, protowire.BytesType)
	f, err := decodeFrame(protowire.AppendBytes(frame, send), plain)
	if err != nil || f.err != nil || !bytes.Equal(f.send.Body, body) {
		t.Errorf("got %+v %v", f, err)
	}
}

func TestAWrongSendFailsAloneAndABrokenPacketFailsWhole(t *testing.T) {
	wrong := map[string]*skeinv1.SendMessageRequest{
		"no body":                        {Conversation: "g1", ClientId: testID},
		"a short client id":              {Conversation: "g1", ClientId: testID[:15], Body: textBody("x")},
		"a UUIDv4":                       {Conversation: "g1", ClientId: append(append([]byte{}, testID[:6]...), append([]byte{0x47}, testID[7:]...)...), Body: textBody("x")},
		"a key with a control":           {Conversation: "~a", ClientId: testID, Body: textBody("x"), Key: "a\x00b"},
		"a device with a newline":        {Conversation: "g1", ClientId: testID, Body: textBody("x"), ToDevices: []string{"a\nb"}},
		"101 devices":                    {Conversation: "g1", ClientId: testID, Body: textBody("x"), ToDevices: strings.Split(strings.Repeat("d,", 100)+"d", ",")},
		"a conversation that can not be": {Conversation: "@9:alice:bob", ClientId: testID, Body: textBody("x")},
	}
	for name, r := range wrong {
		raw, _ := proto.Marshal(&skeinv1.ClientPacket{Frames: []*skeinv1.ClientFrame{sendFrame(1, r)}})
		fs, err := decodePacket(raw, 256, plain, nil)
		if err != nil || len(fs) != 1 || fs[0].err == nil {
			t.Errorf("%s: frames %v, err %v", name, fs, err)
		} else if c := im.CodeOf(fs[0].err); c != im.InvalidArgument && c != im.NotFound {
			t.Errorf("%s: code %v", name, c)
		}
	}
	deep := []byte("x")
	for range 100 {
		deep = protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), deep)
	}
	var group []byte
	for range 20_000 {
		group = protowire.AppendTag(group, 77, protowire.StartGroupType)
	}
	frame := func(b []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), b)
	}
	for name, raw := range map[string][]byte{
		"not protobuf": []byte("GET / HTTP/1.1\r\n"), "truncated": {0x0a, 0x05, 0x08}, "a huge length": {0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f},
		"an 11 byte varint": append([]byte{0x08}, bytes.Repeat([]byte{0xff}, 11)...),
		"nested groups":     frame(group), "field 0": {0x00, 0x01},
		"bad UTF-8 in a hello": frame(protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType),
			protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), []byte{0xff, 0xfe}))),
		"too many frames": bytes.Repeat(frame([]byte{0x08, 0x01}), 257),
	} {
		if _, err := decodePacket(raw, 256, plain, nil); err != errBadPacket {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := decodePacket(frame(deep), 256, plain, nil); err != nil && err != errBadPacket {
		t.Errorf("deep: %v", err)
	}
}

func TestAFrameOfTheFutureIsUnsupportedAndNotBroken(t *testing.T) {
	raw := protowire.AppendTag(nil, fieldRef, protowire.VarintType)
	raw = protowire.AppendVarint(raw, 5)
	raw = protowire.AppendTag(raw, 99, protowire.BytesType)
	raw = protowire.AppendString(raw, "?")
	f, err := decodeFrame(raw, plain)
	if err != nil || f.ref != 5 || f.msg.GetFrame() != nil {
		t.Errorf("got %+v %v", f, err)
	}
}

func TestFramesWrittenByHandAreThoseOfTheGeneratedCode(t *testing.T) {
	e := im.Entry{Conv: "@5:alice:bob", Seq: 300, Ord: 200, Kind: im.KindMessage, Sender: "alice", Time: 1_790_000_000_000_000, Version: 1}
	copy(e.ClientID[:], testID)
	e.Body, _ = proto.Marshal(textBody("hello"))
	reply := e
	reply.Uncounted = true
	for name, c := range map[string]struct {
		got  []byte
		want *skeinv1.ServerFrame
	}{
		"ack": {encodeAck(77, &e), &skeinv1.ServerFrame{Ref: 77, Frame: &skeinv1.ServerFrame_Ack{Ack: &skeinv1.SendAck{Conversation: "@5:alice:bob", Seq: 300, Ord: 200,
			TimeUs: 1_790_000_000_000_000, ClientId: testID}}}},
		"ack without ref": {encodeAck(0, &e), &skeinv1.ServerFrame{Frame: &skeinv1.ServerFrame_Ack{Ack: &skeinv1.SendAck{Conversation: "@5:alice:bob", Seq: 300, Ord: 200,
			TimeUs: 1_790_000_000_000_000, ClientId: testID}}}},
		"ack of a reply": {encodeAck(1, &reply), &skeinv1.ServerFrame{Ref: 1, Frame: &skeinv1.ServerFrame_Ack{Ack: &skeinv1.SendAck{Conversation: "@5:alice:bob", Seq: 300, Ord: 200,
			TimeUs: 1_790_000_000_000_000, ClientId: testID, Uncounted: true}}}},
		"entry": {encodeEntry(&e), &skeinv1.ServerFrame{Frame: &skeinv1.ServerFrame_Entry{Entry: &skeinv1.Entry{Conversation: "@5:alice:bob", Seq: 300, Ord: 200,
			Kind: skeinv1.EntryKind_ENTRY_KIND_MESSAGE, Sender: "alice", TimeUs: 1_790_000_000_000_000, ClientId: testID, Version: 1, Body: textBody("hello")}}}},
	} {
		want, _ := proto.MarshalOptions{Deterministic: true}.Marshal(&skeinv1.ServerPacket{Frames: []*skeinv1.ServerFrame{c.want}})
		if !bytes.Equal(c.got, want) {
			t.Errorf("%s:\n got %x\nwant %x", name, c.got, want)
		}
		if c.want.GetEntry() == nil && !bytes.Equal(encodeFrame(c.want), want) {
			t.Errorf("%s: encodeFrame differs", name)
		}
	}
}

// FuzzClientPacket: the decoder never panics, its frames are bounded, and a
// send that it accepts is one that the generated code reads the same way.
func FuzzClientPacket(f *testing.F) {
	ok, _ := proto.Marshal(&skeinv1.ClientPacket{Frames: []*skeinv1.ClientFrame{
		sendFrame(1, &skeinv1.SendMessageRequest{Conversation: "g1", ClientId: testID, Body: textBody("x")}),
		{Ref: 2, Frame: &skeinv1.ClientFrame_Hello{Hello: &skeinv1.Hello{Protocol: 1, App: "demo", Token: "t", Device: "d"}}}}})
	f.Add(ok)
	f.Add([]byte{0x0a, 0x00})
	f.Add([]byte(`{"frames":[{"ref":1,"ping":{}}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if js, err := decodeJSON(raw); err == nil {
			if _, err := decodePacket(js, 256, plain, nil); err != nil && len(js) > 0 && bytes.Count(js, []byte{0x0a}) < 256 {
				t.Fatalf("a JSON packet became a bad binary one: %x", js)
			}
		}
		fs, err := decodePacket(raw, 256, plain, nil)
		if len(fs) > 256 {
			t.Fatal("too many frames")
		}
		if err != nil {
			return
		}
		for _, fr := range fs {
			if fr.send != nil && fr.err == nil && (len(fr.send.Body) == 0 || fr.send.Conv.Kind() == im.ConvInvalid) {
				t.Fatalf("accepted %+v", fr.send)
			}
		}
	})
}

func TestErrorCodesRolesAndKindsAreWireValues(t *testing.T) {
	for n, name := range skeinv1.ErrorCode_name {
		if n > 0 && "ERROR_CODE_"+im.Code(n).String() != name {
			t.Errorf("code %d is %s here and %s on the wire", n, im.Code(n), name)
		}
	}
	if im.Code(len(skeinv1.ErrorCode_name)).String() != fmt.Sprintf("CODE_%d", len(skeinv1.ErrorCode_name)) {
		t.Error("a code here is not on the wire")
	}
	if int32(im.RoleOwner) != int32(skeinv1.Role_ROLE_OWNER) || int32(im.ConvSelf) != int32(skeinv1.ConversationKind_CONVERSATION_KIND_SELF) ||
		int32(im.KindKeyed) != int32(skeinv1.EntryKind_ENTRY_KIND_KEYED) || int32(im.KindMembers) != int32(skeinv1.EntryKind_ENTRY_KIND_MEMBERS) {
		t.Error("a role or kind has another value on the wire")
	}
}
