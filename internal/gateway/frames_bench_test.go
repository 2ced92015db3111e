package gateway

import (
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// The figures of docs/adr/0004-wire-format.md: a text of 96 bytes as it comes
// in and as it goes out, in the three ways in which that could be done.

func benchSend(b *testing.B) *skeinv1.ClientPacket {
	b.Helper()
	text := "ninety-six bytes of text are what a message has on average, when people write and do not paste."
	return &skeinv1.ClientPacket{Frames: []*skeinv1.ClientFrame{sendFrame(7, &skeinv1.SendMessageRequest{
		Conversation: "@5:alice:bob", ClientId: testID, Body: textBody(text)})}}
}

func benchEntry(b *testing.B) *im.Entry {
	b.Helper()
	body, err := proto.Marshal(benchSend(b).Frames[0].GetSend().Body)
	if err != nil {
		b.Fatal(err)
	}
	e := &im.Entry{Conv: "@5:alice:bob", Seq: 1234, Ord: 1200, Kind: im.KindMessage, Sender: "alice", Time: 1_790_000_000_000_000, Version: 1, Body: body}
	copy(e.ClientID[:], testID)
	return e
}

func BenchmarkEntryOut(b *testing.B) {
	e := benchEntry(b)
	packet := &skeinv1.ServerPacket{Frames: []*skeinv1.ServerFrame{{Frame: &skeinv1.ServerFrame_Entry{Entry: chat.ProtoEntry(e)}}}}
	for _, way := range []struct {
		name   string
		encode func() []byte
	}{
		{"by hand", func() []byte { return encodeEntry(e) }},
		{"generated", func() []byte { raw, _ := proto.Marshal(packet); return raw }},
		{"JSON", func() []byte { raw, _ := protojson.Marshal(packet); return raw }},
	} {
		b.Run(way.name, func(b *testing.B) {
			b.ReportAllocs()
			var n int
			for b.Loop() {
				n = len(way.encode())
			}
			b.ReportMetric(float64(n), "bytes")
		})
	}
}

func BenchmarkSendIn(b *testing.B) {
	packet := benchSend(b)
	raw, err := proto.Marshal(packet)
	if err != nil {
		b.Fatal(err)
	}
	text, err := protojson.Marshal(packet)
	if err != nil {
		b.Fatal(err)
	}
	conv := "@5:alice:bob"
	scratch := make([]clientFrame, 0, 1)
	for _, way := range []struct {
		name   string
		in     []byte
		decode func(in []byte) error
	}{
		{"by hand", raw, func(in []byte) error {
			_, err := decodePacket(in, 256, func([]byte) string { return conv }, scratch[:0])
			return err
		}},
		{"generated", raw, func(in []byte) error { return proto.Unmarshal(in, new(skeinv1.ClientPacket)) }},
		{"JSON", text, func(in []byte) error { return protojson.Unmarshal(in, new(skeinv1.ClientPacket)) }},
	} {
		b.Run(way.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := way.decode(way.in); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(way.in)), "bytes")
		})
	}
}
