package wire_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/skein-im/skein/internal/ws"
	pb "github.com/skein-im/skein/proto/skein/v1"
)

func content(c *pb.Content) *pb.Body {
	return &pb.Body{Scheme: pb.BodyScheme_BODY_SCHEME_CONTENT, Content: c}
}

func custom(kind string, data []byte, summary string) *pb.Body {
	return content(&pb.Content{Kind: &pb.Content_Custom{Custom: &pb.Custom{Type: kind, Data: data, Summary: summary}}})
}

func opaque(scheme pb.BodyScheme, b []byte) *pb.Body { return &pb.Body{Scheme: scheme, Opaque: b} }

// badSends are messages that are refused, one by one; conv is the sender's.
func badSends(conv string) map[string]struct {
	change func(r *pb.SendMessageRequest)
	want   pb.ErrorCode
} {
	const (
		invalid     = pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT
		large       = pb.ErrorCode_ERROR_CODE_TOO_LARGE
		absent      = pb.ErrorCode_ERROR_CODE_NOT_FOUND
		skewed      = pb.ErrorCode_ERROR_CODE_CLOCK_SKEW
		unsupported = pb.ErrorCode_ERROR_CODE_UNSUPPORTED
	)
	type row = struct {
		change func(r *pb.SendMessageRequest)
		want   pb.ErrorCode
	}
	body := func(b *pb.Body, want pb.ErrorCode) row {
		return row{func(r *pb.SendMessageRequest) { r.Body = b }, want}
	}
	to := func(id string, want pb.ErrorCode) row {
		return row{func(r *pb.SendMessageRequest) { r.Conversation = id }, want}
	}
	client := func(id []byte, want pb.ErrorCode) row {
		return row{func(r *pb.SendMessageRequest) { r.ClientId = id }, want}
	}
	v4, variant := newID(0), newID(0)
	v4[6] = v4[6]&0x0f | 0x40
	variant[8] &= 0x3f
	return map[string]row{
		"a text over the limit":             body(textBody(strings.Repeat("x", 16385)), large),
		"an opaque body over the limit":     body(opaque(pb.BodyScheme_BODY_SCHEME_MLS, make([]byte, 32<<10)), large),
		"custom data over the limit":        body(custom("shop.order", make([]byte, 16385), ""), large),
		"an empty text":                     body(textBody(""), invalid),
		"no body":                           body(nil, invalid),
		"a body without a scheme":           body(&pb.Body{Content: textBody("x").Content}, unsupported),
		"a scheme that there is not":        body(opaque(77, []byte("x")), unsupported),
		"a readable body without content":   body(&pb.Body{Scheme: pb.BodyScheme_BODY_SCHEME_CONTENT}, invalid),
		"content of no kind":                body(content(&pb.Content{}), invalid),
		"readable and opaque at once":       body(&pb.Body{Scheme: pb.BodyScheme_BODY_SCHEME_CONTENT, Content: textBody("x").Content, Opaque: []byte("x")}, invalid),
		"opaque and nothing in it":          body(opaque(pb.BodyScheme_BODY_SCHEME_OPAQUE, nil), invalid),
		"a reaction sent as a message":      body(content(&pb.Content{Kind: &pb.Content_Reaction{Reaction: &pb.Reaction{Emoji: "x"}}}), invalid),
		"a forged change of members":        body(content(&pb.Content{Kind: &pb.Content_Members{Members: &pb.MembersChange{Removed: []string{"bob"}}}}), invalid),
		"a forged change of title":          body(content(&pb.Content{Kind: &pb.Content_Conversation{Conversation: &pb.ConversationChange{Title: "x"}}}), invalid),
		"a custom kind with a space":        body(custom("shop order", nil, ""), invalid),
		"a custom kind of nothing":          body(custom("", nil, ""), invalid),
		"a custom kind of 65 bytes":         body(custom(strings.Repeat("k", 65), nil, ""), invalid),
		"a summary of 257 bytes":            body(custom("k", nil, strings.Repeat("s", 257)), invalid),
		"101 mentions":                      body(content(&pb.Content{Kind: textBody("x").Content.Kind, Mentions: make([]string, 101)}), invalid),
		"a mention of nobody":               body(content(&pb.Content{Kind: textBody("x").Content.Kind, Mentions: []string{""}}), invalid),
		"a mention of 65 bytes":             body(content(&pb.Content{Kind: textBody("x").Content.Kind, Mentions: []string{strings.Repeat("m", 65)}}), invalid),
		"a mention written backwards":       body(content(&pb.Content{Kind: textBody("x").Content.Kind, Mentions: []string{"\u202ebob"}}), invalid),
		"no conversation":                   to("", absent),
		"an id with a control character":    to("g\x01", absent),
		"an id written backwards":           to("~ann\u202e", absent),
		"an id of 137 bytes":                to("~"+strings.Repeat("x", 136), absent),
		"a group id of 65 bytes":            to(strings.Repeat("g", 65), absent),
		"a direct id in the wrong order":    to("@3:bob:ann", absent),
		"a direct id with a wrong length":   to("@4:ann:bob", absent),
		"a direct id with oneself":          to("@3:ann:ann", absent),
		"a direct id with a padded length":  to("@03:ann:bob", absent),
		"a direct id without end":           to("@3:ann", absent),
		"somebody else's notes":             to("~somebody", absent),
		"somebody else's conversation":      to("@1:x:y", absent),
		"a group that there is not":         to("nowhere", absent),
		"no client id":                      client(nil, invalid),
		"a client id of 15 bytes":           client(make([]byte, 15), invalid),
		"a client id of 17 bytes":           client(make([]byte, 17), invalid),
		"a client id of zeros":              client(make([]byte, 16), invalid),
		"a UUIDv4":                          client(v4, invalid),
		"a UUID of another variant":         client(variant, invalid),
		"a client id an hour ahead":         client(newID(time.Hour), skewed),
		"a client id 11 minutes ahead":      client(newID(11*time.Minute), skewed),
		"a client id 31 days old":           client(newID(-31*24*time.Hour), skewed),
		"a client id of 1970":               client([]byte{0, 0, 0, 0, 0, 1, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 0}, skewed),
		"a key outside the notes":           {func(r *pb.SendMessageRequest) { r.Key = "draft" }, invalid},
		"a key of 201 bytes":                {func(r *pb.SendMessageRequest) { r.Key = strings.Repeat("k", 201) }, invalid},
		"a key with a line break":           {func(r *pb.SendMessageRequest) { r.Key = "draft\n" }, invalid},
		"101 devices":                       {func(r *pb.SendMessageRequest) { r.ToDevices = strings.Split(strings.Repeat("d,", 100)+"d", ",") }, invalid},
		"a device of 65 bytes":              {func(r *pb.SendMessageRequest) { r.ToDevices = []string{strings.Repeat("d", 65)} }, invalid},
		"a device with a control character": {func(r *pb.SendMessageRequest) { r.ToDevices = []string{"\x1b[2J"} }, invalid},
	}
}

// Every refusal concerns one message: its neighbours in the same packet are
// stored, in order and without a gap.
func TestABadMessageIsRefusedAndItsNeighboursAreStored(t *testing.T) {
	t.Parallel()
	w := watch(t, shared)
	ann, bob, conv := pair()
	c := connect(t, shared, ann, "phone")
	b := connect(t, shared, bob, "phone")
	seq := uint64(0)
	for name, bad := range withKinds(badSends(conv)) {
		r := text(conv, "bad: "+name)
		bad.change(r)
		before, middle, after := sendFrame(text(conv, "before "+name)), sendFrame(r), sendFrame(text(conv, "after "+name))
		c.send(before, middle, after)
		e := c.answer(middle.Ref).GetError()
		if e.GetCode() != bad.want || e.GetMessage() == "" {
			t.Errorf("%s: %v, want %v", name, e, bad.want)
		}
		if now := time.Now().UnixMicro(); bad.want == pb.ErrorCode_ERROR_CODE_CLOCK_SKEW && (e.GetServerTimeUs() > now || e.GetServerTimeUs() < now-10e6) {
			t.Errorf("%s: server_time_us %d at %d", name, e.GetServerTimeUs(), now)
		}
		for _, f := range []*pb.ClientFrame{before, after} {
			if ack := c.ack(c.answer(f.Ref)); ack.Seq != seq+1 {
				t.Fatalf("%s: seq %d after %d", name, ack.Seq, seq)
			}
			seq++
		}
		b.hears(conv, "before "+name)
		b.hears(conv, "after "+name)
	}
	w.holds()
}

func TestABadMessageIsRefusedOverHTTPToo(t *testing.T) {
	t.Parallel()
	ann, _, conv := pair()
	c := as(t, shared, ann)
	for name, bad := range withKinds(badSends(conv)) {
		r := text(conv, "bad: "+name)
		bad.change(r)
		want := bad.want
		switch name { // the rules of the proto are looked at first, and know one answer
		case "no conversation", "an id of 137 bytes":
			want = pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT
		}
		if e := c.call(sendMessage, r).err; e.GetCode() != want || e.GetMessage() == "" {
			t.Errorf("%s: %v, want %v", name, e, want)
		}
	}
	if h := c.history(conv); len(h) != 0 {
		t.Errorf("stored: %v", h)
	}
	shared.alive(t)
}

// What is at the limit is accepted.
func TestMessagesAtTheLimitsAreStored(t *testing.T) {
	t.Parallel()
	ann, bob, conv := pair()
	c := connect(t, shared, ann, "phone")
	hundred := strings.Split(strings.Repeat("m,", 99)+"m", ",")
	bodies := []*pb.Body{
		textBody(strings.Repeat("x", 16384)),
		custom(strings.Repeat("k", 64), make([]byte, 16384), strings.Repeat("s", 256)),
		content(&pb.Content{Kind: textBody("x").Content.Kind, Mentions: hundred}),
		opaque(pb.BodyScheme_BODY_SCHEME_OPAQUE, make([]byte, 32768-6)),
		textBody("\x00\u202e\u2028 \U0010ffff"), // a text may hold what an id may not
	}
	for i, b := range bodies {
		r := text(conv, "")
		r.Body = b
		if ack := c.ack(c.ask(sendFrame(r))); ack.Seq != uint64(i+1) {
			t.Errorf("body %d: %v", i, ack)
		}
	}
	for i, e := range as(t, shared, bob).history(conv) {
		if !bytes.Equal(encode(t, e.Body), encode(t, bodies[i])) {
			t.Errorf("body %d came back changed", i)
		}
	}
	for _, d := range []time.Duration{9 * time.Minute, -29 * 24 * time.Hour} {
		r := text(conv, "a slow or a fast clock")
		r.ClientId = newID(d)
		c.ack(c.ask(sendFrame(r)))
	}
	// Ids of 64 bytes on both sides make the longest conversation id there is.
	long := direct(strings.Repeat("a", 64), strings.Repeat("b", 64))
	d := connect(t, shared, strings.Repeat("a", 64), strings.Repeat("d", 64))
	d.say(long, "hello")
}

func TestTextsThatAreNotUTF8AreRefusedAlone(t *testing.T) {
	t.Parallel()
	w := watch(t, shared)
	ann, bob, conv := pair()
	c := connect(t, shared, ann, "phone")
	bad := []byte("\xff\xfe\xc3\x28")
	scheme := []byte{0x08, 0x01}
	for name, body := range map[string][]byte{
		"text":           field(scheme, 2, field(nil, 1, field(nil, 1, bad))),
		"mention":        field(scheme, 2, field(field(nil, 1, field(nil, 1, []byte("x"))), 11, bad)),
		"custom type":    field(scheme, 2, field(nil, 2, field(nil, 1, bad))),
		"custom summary": field(scheme, 2, field(nil, 2, field(field(nil, 1, []byte("k")), 3, bad))),
		"no body at all": []byte("\xff\xff\xff"),
	} {
		raw := field(field(field(nil, 1, []byte(conv)), 2, newID(0)), 3, body)
		c.ref++
		c.write(ws.OpBinary, field(nil, 1, field(protowire.AppendVarint([]byte{0x08}, uint64(c.ref)), 3, raw)))
		if e := c.answer(c.ref).GetError(); e.GetCode() != pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT {
			t.Errorf("%s: %v", name, e)
		}
	}
	raw := field(field(field(nil, 1, []byte("@3:\xff\xfe\xfd:b")), 2, newID(0)), 3, encode(t, textBody("x")))
	c.ref++
	c.write(ws.OpBinary, field(nil, 1, field(protowire.AppendVarint([]byte{0x08}, uint64(c.ref)), 3, raw)))
	if e := c.answer(c.ref).GetError(); e.GetCode() != pb.ErrorCode_ERROR_CODE_NOT_FOUND {
		t.Errorf("conversation: %v", e)
	}
	if c.say(conv, "good").Seq != 1 || len(as(t, shared, bob).history(conv)) != 1 {
		t.Error("something bad was stored")
	}
	w.holds()
}

// The server keeps a body as it came. What it lets in, every reader has to be
// able to decode: protobuf libraries give up at some depth of nested groups,
// and a single such message would lock all its readers out for ever.
func TestABodyThatSomeReadersCannotDecodeIsRefused(t *testing.T) {
	t.Parallel()
	ann, bob, conv := pair()
	c := connect(t, shared, ann, "phone")
	j := connect(t, shared, bob, "laptop", asJSON)
	plain := encode(t, textBody("poison"))
	inner := encode(t, textBody("poison").Content)
	deepest := field(nil, 1, append(field(nil, 1, []byte("poison")), groups(1)...))
	for name, body := range map[string][]byte{
		"nested 9,000 deep":   append(append([]byte(nil), plain...), groups(7000)...),
		"nested in content":   field([]byte{0x08, 0x01}, 2, append(append([]byte(nil), inner...), groups(150)...)),
		"a group in the text": field([]byte{0x08, 0x01}, 2, deepest),
	} {
		raw := field(field(field(nil, 1, []byte(conv)), 2, newID(0)), 3, body)
		c.ref++
		c.write(ws.OpBinary, field(nil, 1, field(protowire.AppendVarint([]byte{0x08}, uint64(c.ref)), 3, raw)))
		if e := c.answer(c.ref).GetError(); e.GetCode() != pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT {
			t.Errorf("%s: %v", name, e)
		}
	}
	// Fields of a later version are no such thing; they reach the reader.
	later := field(append([]byte(nil), plain...), 500, []byte("of a later version"))
	raw := field(field(field(nil, 1, []byte(conv)), 2, newID(0)), 3, later)
	c.ref++
	c.write(ws.OpBinary, field(nil, 1, field(protowire.AppendVarint([]byte{0x08}, uint64(c.ref)), 3, raw)))
	if ack := c.ack(c.answer(c.ref)); ack.Seq != 1 {
		t.Errorf("%v", ack)
	}
	j.hears(conv, "poison")
	if h := as(t, shared, bob).history(conv); len(h) != 1 || !bytes.Equal(h[0].Body.ProtoReflect().GetUnknown(), later[len(plain):]) {
		t.Errorf("%v", h)
	}
}

func TestAClientIDStandsForOneMessageForEver(t *testing.T) {
	t.Parallel()
	ann, bob, conv := pair()
	c := connect(t, shared, ann, "phone")
	first := text(conv, "once")
	ack := c.ack(c.ask(sendFrame(first)))
	other := text(conv, "something else")
	other.ClientId = first.ClientId
	elsewhere := text(direct(ann, someone("eve")), "once")
	elsewhere.ClientId = first.ClientId
	for range 3 {
		// The same again, over the socket and over HTTP: the same answer.
		if again := c.ack(c.ask(sendFrame(first))); !bytes.Equal(encode(t, again), encode(t, ack)) {
			t.Errorf("%v, not %v", again, ack)
		}
		e := must[pb.SendMessageResponse](as(t, shared, ann), sendMessage, first).Entry
		if e.Seq != ack.Seq || e.Ord != ack.Ord || e.TimeUs != ack.TimeUs {
			t.Errorf("%v, not %v", e, ack)
		}
		c.refused(sendFrame(other), pb.ErrorCode_ERROR_CODE_CLIENT_ID_REUSED)
		as(t, shared, ann).refused(sendMessage, other, pb.ErrorCode_ERROR_CODE_CLIENT_ID_REUSED)
		c.refused(sendFrame(elsewhere), pb.ErrorCode_ERROR_CODE_CLIENT_ID_REUSED)
	}
	// Twice in one packet.
	twin := text(conv, "twin")
	f, g := sendFrame(twin), sendFrame(twin)
	c.send(f, g)
	if x, y := c.ack(c.answer(f.Ref)), c.ack(c.answer(g.Ref)); x.Seq != 2 || y.Seq != 2 {
		t.Errorf("%v %v", x, y)
	}
	// Another sender may have the same one.
	mine := text(conv, "bob's own")
	mine.ClientId = first.ClientId
	if e := must[pb.SendMessageResponse](as(t, shared, bob), sendMessage, mine).Entry; e.Seq != 3 {
		t.Errorf("%v", e)
	}
	if h := as(t, shared, bob).history(conv); len(h) != 3 || textOf(h[0]) != "once" || textOf(h[1]) != "twin" {
		t.Errorf("%v", h)
	}
}
