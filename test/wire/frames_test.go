package wire_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/ws"
	pb "github.com/skein-im/skein/proto/skein/v1"
)

func encode(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func packet(t testing.TB, frames ...*pb.ClientFrame) []byte {
	return encode(t, &pb.ClientPacket{Frames: frames})
}

// field appends a field of bytes.
func field(b []byte, n protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), v)
}

// groups nests groups of a field that nobody knows.
func groups(depth int) []byte {
	var b []byte
	for range depth {
		b = protowire.AppendTag(b, 99, protowire.StartGroupType)
	}
	for range depth {
		b = protowire.AppendTag(b, 99, protowire.EndGroupType)
	}
	return b
}

func TestAPacketThatIsNotOfTheProtocolClosesTheSocket(t *testing.T) {
	t.Parallel()
	w := watch(t, shared)
	good := packet(t, sendFrame(text(w.conv, "cut")))
	noise := make([]byte, 300)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	noise[0] = 0xff
	frame := func(b []byte) []byte { return field(nil, 1, b) }
	for name, b := range map[string][]byte{
		"noise":                              noise,
		"JSON":                               []byte(`{"frames":[{"ref":1,"ping":{}}]}`),
		"a text":                             []byte("hello?"),
		"a packet cut short":                 good[:len(good)-1],
		"a frame cut short":                  frame(good[2 : len(good)-1]),
		"a length past the end":              {0x0a, 0xff, 0xff, 0x7f, 0},
		"a length of 2^63":                   {0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
		"a varint without end":               bytes.Repeat([]byte{0xff}, 64),
		"field number 0":                     {0x02, 0x00},
		"a wire type that there is not":      {0x0f, 0x00},
		"the end of a group that never was":  {0x0c},
		"a group that never ends":            {0x0b, 0x08, 0x01},
		"groups 20,000 deep":                 groups(20_000),
		"a send cut short":                   frame(field(nil, 3, field(nil, 1, []byte(w.conv))[:4])),
		"a hello with a device not in UTF-8": frame(field(nil, 2, field([]byte{8, 1}, 4, []byte{0xff, 0xfe}))),
		"a read with an id not in UTF-8":     frame(field(nil, 4, field(nil, 1, []byte{0xc3, 0x28}))),
		"typing with an id not in UTF-8":     frame(field(nil, 5, field(nil, 1, []byte{0xc3, 0x28}))),
		"257 frames":                         packet(t, repeat(ping, 257)...),
	} {
		c := connect(t, shared, someone("ann"), "phone")
		c.write(ws.OpBinary, b)
		if c.end(); pb.CloseCode(c.closed) != pb.CloseCode_CLOSE_CODE_BAD_PACKET {
			t.Errorf("%s: closed with %d %q", name, c.closed, c.reason)
		}
		if len(c.waiting) > 0 {
			t.Errorf("%s: answered with %v", name, c.waiting)
		}
	}
	w.holds()
}

func repeat(one func() *pb.ClientFrame, n int) []*pb.ClientFrame {
	out := make([]*pb.ClientFrame, n)
	for i := range out {
		out[i] = one()
		out[i].Ref = uint32(i + 1)
	}
	return out
}

func TestThe256thFrameOfAPacketIsStillAnswered(t *testing.T) {
	t.Parallel()
	c := connect(t, shared, someone("ann"), "phone")
	c.write(ws.OpBinary, packet(t, repeat(ping, 256)...))
	for ref := range uint32(256) {
		if c.answer(ref+1).GetPong() == nil {
			t.Fatalf("frame %d got no pong", ref+1)
		}
	}
}

// What was sent before the bad packet, on the same socket, is stored.
func TestAcknowledgedSendsSurviveTheBadPacketBehindThem(t *testing.T) {
	t.Parallel()
	ann, bob, conv := pair()
	c := connect(t, shared, ann, "phone")
	for range 20 {
		c.send(sendFrame(text(conv, "good")))
	}
	c.write(ws.OpBinary, []byte{0xff})
	c.endsWith(pb.CloseCode_CLOSE_CODE_BAD_PACKET)
	acked := map[string]uint64{}
	for _, f := range c.waiting {
		if a := f.GetAck(); a != nil {
			acked[string(a.ClientId)] = a.Seq
		}
	}
	for _, e := range as(t, shared, bob).history(conv) {
		delete(acked, string(e.ClientId))
	}
	if len(acked) > 0 {
		t.Errorf("acknowledged and lost: %v", acked)
	}
}

func TestAPacketInFragmentsOfOneByteIsAPacket(t *testing.T) {
	t.Parallel()
	ann, bob, conv := pair()
	c := connect(t, shared, ann, "phone")
	f := sendFrame(text(conv, "in pieces"))
	f.Ref = 7
	b := packet(t, f)
	for i := range b {
		op, fin := byte(0), byte(0)
		if i == 0 {
			op = byte(ws.OpBinary)
		}
		if i == len(b)-1 {
			fin = 0x80
		}
		c.raw(fin|op, 0x81, 1, 2, 3, 4, b[i]^1)
		if i == len(b)/2 { // control frames may come in between
			c.raw(0x89, 0x80, 0, 0, 0, 0)
		}
	}
	if ack := c.ack(c.answer(7)); ack.Seq != 1 {
		t.Errorf("%v", ack)
	}
	if h := as(t, shared, bob).history(conv); len(h) != 1 || textOf(h[0]) != "in pieces" {
		t.Errorf("%v", h)
	}
}

func TestFieldsThatNobodyKnowsAreIgnored(t *testing.T) {
	t.Parallel()
	ann, bob, conv := pair()
	c := connect(t, shared, ann, "phone")
	unknown := protowire.AppendVarint(protowire.AppendTag(nil, 900, protowire.VarintType), 5)
	unknown = field(unknown, 901, []byte("of a later version"))
	unknown = append(unknown, groups(50)...)
	plain := text(conv, "from the future")
	send := append(encode(t, plain), unknown...)
	f := append(append([]byte(nil), unknown...), 0x08, 0x09) // ref 9
	f = append(field(f, 3, send), unknown...)
	c.write(ws.OpBinary, append(field(append([]byte(nil), unknown...), 1, f), unknown...))
	if ack := c.ack(c.answer(9)); ack.Seq != 1 {
		t.Errorf("%v", ack)
	}
	// The same with a frame that the generated code decodes.
	f = append(field([]byte{0x08, 0x0a}, 4, append(encode(t, &pb.ReadConversationRequest{Conversation: conv, Seq: 1}), unknown...)), unknown...)
	c.write(ws.OpBinary, field(append([]byte(nil), unknown...), 1, f))
	if m := c.answer(10).GetReadMarker(); m.GetReadSeq() != 1 {
		t.Errorf("%v", m)
	}
	if h := as(t, shared, bob).history(conv); len(h) != 1 || textOf(h[0]) != "from the future" {
		t.Errorf("%v", h)
	}
}

func TestAFrameOfAnUnknownKindIsUnsupported(t *testing.T) {
	t.Parallel()
	w := watch(t, shared)
	c := connect(t, shared, someone("ann"), "phone")
	c.refused(&pb.ClientFrame{}, pb.ErrorCode_ERROR_CODE_UNSUPPORTED)
	c.write(ws.OpBinary, field(nil, 1, field([]byte{0x08, 0x63}, 500, []byte("a verb of a later version"))))
	if e := c.answer(99).GetError(); e.GetCode() != pb.ErrorCode_ERROR_CODE_UNSUPPORTED {
		t.Errorf("%v", e)
	}
	if c.ask(ping()).GetPong() == nil {
		t.Error("the session did not go on")
	}
	w.holds()
}

func TestBrokenFramingClosesTheSocketAsRFC6455Says(t *testing.T) {
	t.Parallel()
	w := watch(t, shared)
	masked := func(first byte, payload ...byte) []byte {
		return append([]byte{first, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...)
	}
	for name, c := range map[string]struct {
		bytes []byte
		want  ws.CloseCode
	}{
		"not masked":                {[]byte{0x82, 0x02, 0x0a, 0x00}, ws.CloseProtocol},
		"reserved bit 1":            {masked(0xc2, 0x0a, 0x00), ws.CloseProtocol},
		"reserved bit 2":            {masked(0xa2, 0x0a, 0x00), ws.CloseProtocol},
		"reserved bit 3":            {masked(0x92, 0x0a, 0x00), ws.CloseProtocol},
		"reserved opcode":           {masked(0x83, 0x0a, 0x00), ws.CloseProtocol},
		"reserved control opcode":   {masked(0x8b), ws.CloseProtocol},
		"a ping of 126 bytes":       {append([]byte{0x89, 0xfe, 0, 126, 0, 0, 0, 0}, make([]byte, 126)...), ws.CloseProtocol},
		"a ping in fragments":       {masked(0x09, 'x'), ws.CloseProtocol},
		"a continuation of nothing": {masked(0x80, 0x0a, 0x00), ws.CloseProtocol},
		"a message within another":  {append(masked(0x02, 0x0a), masked(0x82, 0x0a, 0x00)...), ws.CloseProtocol},
		"a close of one byte":       {masked(0x88, 3), ws.CloseProtocol},
		"a close with code 1005":    {masked(0x88, 0x03, 0xed), ws.CloseProtocol},
		"a length not minimal":      {append([]byte{0x82, 0xfe, 0, 5, 0, 0, 0, 0}, 1, 2, 3, 4, 5), ws.CloseProtocol},
		"text that is not UTF-8":    {masked(0x81, 0xff, 0xfe), ws.CloseInvalidData},
	} {
		k := connect(t, shared, someone("ann"), "phone")
		k.raw(c.bytes...)
		if got := k.end(); got != c.want {
			t.Errorf("%s: closed with %d %q, not %d", name, got, k.reason, c.want)
		}
	}
	// A ping of 125 bytes is fine, and so is a pong that nobody asked for.
	k := connect(t, shared, someone("ann"), "phone")
	k.raw(append([]byte{0x89, 0xfd, 0, 0, 0, 0}, make([]byte, 125)...)...)
	k.raw(masked(0x8a, 'x')...)
	if k.ask(ping()).GetPong() == nil {
		t.Error("the session did not go on")
	}
	w.holds()
}

func TestTheSubprotocolSaysWhichKindOfMessageIsSpoken(t *testing.T) {
	t.Parallel()
	w := watch(t, shared)
	c := connect(t, shared, someone("ann"), "phone")
	c.write(ws.OpText, []byte(`{"frames":[{"ref":1,"ping":{}}]}`))
	c.endsWith(pb.CloseCode_CLOSE_CODE_BAD_PACKET)
	c = connect(t, shared, someone("ann"), "phone", asJSON)
	c.write(ws.OpBinary, packet(t, ping()))
	c.endsWith(pb.CloseCode_CLOSE_CODE_BAD_PACKET)
	// One that offers none speaks binary; both offered, binary is chosen.
	for _, offer := range [][]string{nil, {jsonProtocol, binaryProtocol}} {
		c = connect(t, shared, someone("ann"), "phone", func(d *dialing) { d.protocol = offer })
		if c.json || c.ask(ping()).GetPong() == nil {
			t.Errorf("offered %q: %q", offer, c.conn.Subprotocol())
		}
	}
	w.holds()
}

func TestTheSocketsAddressRefusesWhatIsNoUpgrade(t *testing.T) {
	t.Parallel()
	upgrade := func(change func(h map[string][]string)) map[string][]string {
		h := map[string][]string{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
			"Sec-Websocket-Key": {"AAAAAAAAAAAAAAAAAAAAAA=="}}
		change(h)
		return h
	}
	for name, c := range map[string]struct {
		header map[string][]string
		want   int
	}{
		"no upgrade":          {nil, 426},
		"version 12":          {upgrade(func(h map[string][]string) { h["Sec-Websocket-Version"] = []string{"12"} }), 426},
		"no key":              {upgrade(func(h map[string][]string) { delete(h, "Sec-Websocket-Key") }), 400},
		"another subprotocol": {upgrade(func(h map[string][]string) { h["Sec-Websocket-Protocol"] = []string{"chat, superchat"} }), 400},
	} {
		if got, body := shared.get(t, "/v1/socket", c.header); got != c.want || strings.TrimSpace(body) == "" {
			t.Errorf("%s: %d %q", name, got, body)
		}
	}
	shared.alive(t)
}
