package wire_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/ws"
	pb "github.com/skein-im/skein/proto/skein/v1"
)

func TestAFrameBeforeHelloIsAnsweredAndTheSocketClosed(t *testing.T) {
	t.Parallel()
	w := watch(t, shared)
	for name, f := range map[string]*pb.ClientFrame{
		"send":          sendFrame(text(w.conv, "not signed in")),
		"read":          readFrame(w.conv, 1),
		"ping":          ping(),
		"sync":          syncFrame(nil, 0),
		"typing":        typingFrame(w.conv),
		"refresh_token": {Frame: &pb.ClientFrame_RefreshToken{RefreshToken: &pb.RefreshToken{Token: shared.app().token(t, "x")}}},
		"unknown":       {},
	} {
		c := knock(t, shared)
		c.send(f)
		if e := c.answer(1).GetError(); e.GetCode() != pb.ErrorCode_ERROR_CODE_FAILED_PRECONDITION {
			t.Errorf("%s: %v", name, e)
		}
		c.endsWith(pb.CloseCode_CLOSE_CODE_HELLO_EXPECTED)
	}
	w.holds()
}

func TestASocketWithoutHelloIsClosedAfterFiveSeconds(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	c := knock(t, shared)
	c.endsWith(pb.CloseCode_CLOSE_CODE_IDLE)
	if took := time.Since(begin); took < 4*time.Second {
		t.Errorf("closed after %s, before the 5 s were over", took)
	}
	if len(c.waiting) > 0 {
		t.Errorf("frames without a hello: %v", c.waiting)
	}
	shared.alive(t)
}

// A client that sends its hello bit by bit gets no more time for it.
func TestAHelloInDribsHasNoMoreTime(t *testing.T) {
	t.Parallel()
	c := knock(t, shared)
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	c.raw(0x82, 0xfe, 0x0f, 0xff, 1, 2, 3, 4) // a masked binary frame of 4,095 bytes
	over := make(chan ws.CloseCode, 1)
	go func() { over <- c.end() }()
	begin := time.Now()
	for {
		select {
		case code := <-over:
			if took := time.Since(begin); code != ws.CloseCode(pb.CloseCode_CLOSE_CODE_IDLE) || took > 8*time.Second {
				t.Errorf("closed with %d after %s", code, took)
			}
			return
		case <-tick.C:
			c.conn.NetConn().Write([]byte{0}) // the end of the socket is seen by the reader
		}
	}
}

func TestASecondHelloIsRefusedAndTheSessionGoesOn(t *testing.T) {
	t.Parallel()
	ann, _, conv := pair()
	c := connect(t, shared, ann, "phone")
	hello := &pb.ClientFrame{Frame: &pb.ClientFrame_Hello{Hello: &pb.Hello{Protocol: 1, App: "wire", Device: "tablet",
		Token: shared.app().token(t, someone("eve"))}}}
	c.refused(hello, pb.ErrorCode_ERROR_CODE_FAILED_PRECONDITION)
	if ack := c.say(conv, "still ann"); ack.Seq != 1 {
		t.Errorf("%v", ack)
	}
	if h := as(t, shared, ann).history(conv); len(h) != 1 || h[0].Sender != ann {
		t.Errorf("%v", h)
	}
	// Two hellos in one packet: the first one counts.
	d := knock(t, shared)
	bob := someone("bob")
	d.send(&pb.ClientFrame{Frame: &pb.ClientFrame_Hello{Hello: &pb.Hello{Protocol: 1, App: "wire", Device: "a", Token: shared.app().token(t, bob)}}},
		&pb.ClientFrame{Frame: &pb.ClientFrame_Hello{Hello: &pb.Hello{Protocol: 1, App: "wire", Device: "b", Token: shared.app().token(t, ann)}}})
	if wel := d.answer(1).GetWelcome(); wel.GetUser() != bob {
		t.Errorf("%v", wel)
	}
	if e := d.answer(2).GetError(); e.GetCode() != pb.ErrorCode_ERROR_CODE_FAILED_PRECONDITION {
		t.Errorf("%v", e)
	}
	shared.alive(t)
}

func TestFramesPipelinedBehindHelloAreAnsweredAfterTheWelcome(t *testing.T) {
	t.Parallel()
	ann, _, conv := pair()
	c, _ := dial(t, shared, ann, "phone")
	c.send(&pb.ClientFrame{Frame: &pb.ClientFrame_Hello{Hello: &pb.Hello{Protocol: 1, App: "wire", Device: "phone", Token: shared.app().token(t, ann)}}},
		sendFrame(text(conv, "one")), sendFrame(text(conv, "two")), ping())
	c.send(sendFrame(text(conv, "three")))
	var acks []uint64
	for i := range 5 {
		f := c.await("anything", func(*pb.ServerFrame) bool { return true })
		if (i == 0) != (f.GetWelcome() != nil) {
			t.Fatalf("frame %d is %v", i, f)
		}
		if f.GetAck() != nil {
			acks = append(acks, f.GetAck().Seq)
		}
	}
	if len(acks) != 3 || acks[0] != 1 || acks[1] != 2 || acks[2] != 3 {
		t.Errorf("acks %v", acks)
	}
}

func TestAHelloThatBreaksTheRulesIsRefused(t *testing.T) {
	t.Parallel()
	w := watch(t, shared)
	ann := someone("ann")
	good := func() *pb.Hello {
		return &pb.Hello{Protocol: 1, App: "wire", Device: "phone", Token: shared.app().token(t, ann)}
	}
	const invalid, defect = pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT, pb.CloseCode_CLOSE_CODE_BAD_PACKET
	const unknown, stranger = pb.ErrorCode_ERROR_CODE_UNAUTHENTICATED, pb.CloseCode_CLOSE_CODE_UNAUTHENTICATED
	for name, c := range map[string]struct {
		change func(h *pb.Hello)
		want   pb.ErrorCode
		close  pb.CloseCode
	}{
		"no protocol version":            {func(h *pb.Hello) { h.Protocol = 0 }, pb.ErrorCode_ERROR_CODE_UNSUPPORTED, pb.CloseCode_CLOSE_CODE_UNSUPPORTED},
		"protocol 2":                     {func(h *pb.Hello) { h.Protocol = 2 }, pb.ErrorCode_ERROR_CODE_UNSUPPORTED, pb.CloseCode_CLOSE_CODE_UNSUPPORTED},
		"no device":                      {func(h *pb.Hello) { h.Device = "" }, invalid, defect},
		"a device of 65 bytes":           {func(h *pb.Hello) { h.Device = strings.Repeat("d", 65) }, invalid, defect},
		"a device with a line break":     {func(h *pb.Hello) { h.Device = "pho\nne" }, invalid, defect},
		"a device with a zero byte":      {func(h *pb.Hello) { h.Device = "phone\x00" }, invalid, defect},
		"a device written backwards":     {func(h *pb.Hello) { h.Device = "ph\u202eeno" }, invalid, defect},
		"a device name of 65 bytes":      {func(h *pb.Hello) { h.DeviceName = strings.Repeat("n", 65) }, invalid, defect},
		"no app":                         {func(h *pb.Hello) { h.App = "" }, invalid, defect},
		"an app of 65 bytes":             {func(h *pb.Hello) { h.App = strings.Repeat("a", 65) }, invalid, defect},
		"an app id with a slash":         {func(h *pb.Hello) { h.App = "wire/../other" }, invalid, defect},
		"a sync of 501 conversations":    {func(h *pb.Hello) { h.Sync = &pb.SyncRequest{Conversations: 501} }, invalid, defect},
		"a sync of 10^9 entries":         {func(h *pb.Hello) { h.Sync = &pb.SyncRequest{Entries: 1e9} }, invalid, defect},
		"an app that nobody has":         {func(h *pb.Hello) { h.App = "nobody" }, unknown, stranger},
		"an app that is somebody else's": {func(h *pb.Hello) { h.App = "other" }, unknown, stranger},
		"no token":                       {func(h *pb.Hello) { h.Token = "" }, unknown, stranger},
	} {
		h := good()
		c.change(h)
		k := knock(t, shared)
		if e := k.ask(&pb.ClientFrame{Frame: &pb.ClientFrame_Hello{Hello: h}}).GetError(); e.GetCode() != c.want || e.GetMessage() == "" {
			t.Errorf("%s: %v", name, e)
		}
		if got := k.end(); pb.CloseCode(got) != c.close {
			t.Errorf("%s: closed with %d, not %d", name, got, c.close)
		}
	}
	w.holds()
}

// What is only for people or for later does not keep anybody out.
func TestAHelloIsLiberalWhereNothingDependsOnIt(t *testing.T) {
	t.Parallel()
	ann := someone("ann")
	h := &pb.Hello{Protocol: 1, App: "wire", Device: "телефон ☎", Token: shared.app().token(t, ann), Platform: 99,
		DeviceName: "Ann's \u202ephone\x07"}
	c := knock(t, shared)
	if c.ask(&pb.ClientFrame{Frame: &pb.ClientFrame_Hello{Hello: h}}).GetWelcome() == nil {
		t.Fatal("not welcome")
	}
	list := must[pb.ListDevicesResponse](as(t, shared, ann), listDevices, &pb.ListDevicesRequest{}).Devices
	if len(list) != 1 || list[0].Name != "Ann's phone" || list[0].Id != h.Device || list[0].Platform != pb.Platform_PLATFORM_UNSPECIFIED {
		t.Errorf("%v", list)
	}
}

func TestPacketsAreBoundedBeforeAndAfterHello(t *testing.T) {
	t.Parallel()
	w := watch(t, shared)
	// Before: 4 KiB are read, one byte more is not.
	c := knock(t, shared)
	c.write(ws.OpBinary, pad(nil, 4096))
	c.send(ping())
	c.answer(1)
	c.endsWith(pb.CloseCode_CLOSE_CODE_HELLO_EXPECTED)
	c = knock(t, shared)
	c.write(ws.OpBinary, pad(nil, 4097))
	if code := c.end(); code != ws.CloseTooBig {
		t.Errorf("4,097 bytes before hello: closed with %d", code)
	}
	// After: 256 KiB.
	ann, _, conv := pair()
	c = connect(t, shared, ann, "phone")
	c.write(ws.OpBinary, pad(nil, 4097))
	full := &pb.ClientPacket{}
	for range 15 {
		c.ref++
		f := sendFrame(text(conv, strings.Repeat("x", 16384)))
		f.Ref = c.ref
		full.Frames = append(full.Frames, f)
	}
	b, err := proto.Marshal(full)
	if err != nil {
		t.Fatal(err)
	}
	c.write(ws.OpBinary, pad(b, 256<<10))
	for _, f := range full.Frames {
		c.ack(c.answer(f.Ref))
	}
	c.write(ws.OpBinary, pad(b, 256<<10+1))
	if code := c.end(); code != ws.CloseTooBig {
		t.Errorf("256 KiB and a byte: closed with %d", code)
	}
	if h := as(t, shared, ann).history(conv); len(h) != 15 {
		t.Errorf("%d of 15 messages", len(h))
	}
	w.holds()
}

// A declared length costs nothing before the bytes are there.
func TestAFrameThatOnlyClaimsToBeLargeIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	c := knock(t, shared)
	c.raw(0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4)
	if code := c.end(); code != ws.CloseTooBig {
		t.Errorf("closed with %d", code)
	}
	shared.alive(t)
}

// pad makes a packet exactly n bytes long with a field that nobody knows.
func pad(b []byte, n int) []byte {
	rest := n - len(b) - 2 // tag of field 9, bytes
	for size := 1; size <= 4; size++ {
		if v := rest - size + 1; v >= 0 && sizeVarint(v) == size {
			b = append(b, 0xd2, 0x06) // field 106, bytes
			b = b[:len(b):len(b)]
			b = appendVarint(b, v-1)
			return append(b, make([]byte, n-len(b))...)
		}
	}
	panic("no such size")
}

func sizeVarint(v int) int { return len(appendVarint(nil, v)) }

func appendVarint(b []byte, v int) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}
