package wire_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/ws"
	pb "github.com/skein-im/skein/proto/skein/v1"
)

const limited = pb.ErrorCode_ERROR_CODE_RATE_LIMITED

// wait lets the time pass that an error asks for.
func wait(t *testing.T, e *pb.Error) {
	t.Helper()
	if e.GetCode() != limited || e.GetRetryAfterMs() == 0 || e.GetRetryAfterMs() > 10_000 {
		t.Fatalf("no usable retry_after_ms: %v", e)
	}
	<-time.After(time.Duration(e.RetryAfterMs) * time.Millisecond)
}

func TestFramesBeyondThoseInFlightAreRefusedAloneAndMayComeAgain(t *testing.T) {
	t.Parallel()
	ann, bob, conv := pair()
	c := connect(t, shared, ann, "phone")
	if n := c.welcome.Limits.MaxInFlight; n != 64 {
		t.Fatalf("max_in_flight %d", n)
	}
	frames := repeat(func() *pb.ClientFrame { return sendFrame(text(conv, "")) }, 100)
	for i, f := range frames {
		f.GetSend().Body = textBody(fmt.Sprint(i))
	}
	c.send(frames...)
	var refused []*pb.ClientFrame
	for i, f := range frames {
		a := c.answer(f.Ref)
		switch {
		case i < 64:
			if ack := c.ack(a); ack.Seq != uint64(i+1) {
				t.Errorf("frame %d has seq %d", i, ack.Seq)
			}
		case a.GetError().GetCode() != limited || a.GetError().GetRetryAfterMs() == 0 || a.GetError().GetHint() == "":
			t.Errorf("frame %d: %v", i, a)
		default:
			refused = append(refused, f)
		}
	}
	c.send(refused...)
	for i, f := range refused {
		if ack := c.ack(c.answer(f.Ref)); ack.Seq != uint64(65+i) {
			t.Errorf("refused frame %d has seq %d", i, ack.Seq)
		}
	}
	for i, e := range as(t, shared, bob).history(conv) {
		if textOf(e) != fmt.Sprint(i) {
			t.Errorf("seq %d is %q", e.Seq, textOf(e))
		}
	}
}

func TestSendsBeyondTheRateAreRefusedAloneAndMayComeAgain(t *testing.T) {
	t.Parallel()
	s := serve(t, "--limits-send-rate", "5", "--limits-send-burst", "10")
	ann, bob, conv := pair()
	c := connect(t, s, ann, "phone")
	frames := repeat(func() *pb.ClientFrame { return sendFrame(text(conv, "x")) }, 12)
	c.send(frames...)
	for i, f := range frames {
		a := c.answer(f.Ref)
		if i < 10 {
			c.ack(a)
			continue
		}
		wait(t, a.GetError())
		c.ack(c.ask(&pb.ClientFrame{Frame: f.Frame}))
	}
	// What is no send has no part in it, nor has another session.
	if c.ask(ping()).GetPong() == nil {
		t.Error("no pong")
	}
	connect(t, s, ann, "tablet").say(conv, "from another device")
	if h := as(t, s, bob).history(conv); len(h) != 13 {
		t.Errorf("%d messages", len(h))
	}
}

func TestCallsBeyondTheRateAreRefusedForThatUser(t *testing.T) {
	t.Parallel()
	s := serve(t, "--limits-call-rate", "2", "--limits-call-burst", "4")
	ann, bob := as(t, s, someone("ann")), as(t, s, someone("bob"))
	for i := range 4 {
		if r := ann.on(fmt.Sprint("device-", i)).call(listConversations, &pb.ListConversationsRequest{}); r.status != 200 {
			t.Fatalf("call %d: %d %s", i, r.status, r.body)
		}
	}
	r := ann.call(listConversations, &pb.ListConversationsRequest{})
	if r.status != http.StatusTooManyRequests || r.connect != "resource_exhausted" {
		t.Errorf("%d %s", r.status, r.body)
	}
	must[pb.ListConversationsResponse](bob, listConversations, &pb.ListConversationsRequest{})
	wait(t, r.err)
	must[pb.ListConversationsResponse](ann, listConversations, &pb.ListConversationsRequest{})
	s.alive(t)
}

func TestAnAddressHasOnlySoManyConnectionsASecond(t *testing.T) {
	t.Parallel()
	s := serve(t, "--limits-hello-rate", "2", "--limits-hello-burst", "3")
	url := "ws" + strings.TrimPrefix(s.url, "http") + "/v1/socket"
	refusedAt := 0
	for i := range 10 {
		conn, err := ws.Dial(t.Context(), url, ws.DialOptions{Subprotocols: []string{binaryProtocol}})
		var refused *ws.HandshakeError
		if errors.As(err, &refused) && refused.Status == http.StatusTooManyRequests && refused.Header.Get("Retry-After") != "" {
			refusedAt = i
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
	if refusedAt < 3 {
		t.Errorf("refused at connection %d", refusedAt)
	}
	// Calls with bad tokens draw from the same.
	bad := &caller{t: t, srv: s, app: "wire", token: "guess"}
	if r := bad.call(listDevices, &pb.ListDevicesRequest{}); r.err.GetCode() != limited {
		t.Errorf("a guess at a token: %d %s", r.status, r.body)
	}
	// Calls with good ones do not.
	must[pb.ListDevicesResponse](as(t, s, "ann"), listDevices, &pb.ListDevicesRequest{})
	s.alive(t)
}

func TestANodeHasOnlySoManyConnections(t *testing.T) {
	t.Parallel()
	s := serve(t, "--limits-connections", "2")
	a, b := connect(t, s, "ann", "phone"), connect(t, s, "bob", "phone")
	if got := upgradeFrom(t, s, nil); got != http.StatusServiceUnavailable {
		t.Errorf("%d", got)
	}
	b.gone()
	until(t, "there is room again", func() bool { return upgradeFrom(t, s, nil) == 101 })
	if a.ask(ping()).GetPong() == nil {
		t.Error("no pong")
	}
}

// heap is what of the server's heap is in use, in bytes; a development server tells it.
func heap(t *testing.T, s *server) (bytes int, sockets int) {
	t.Helper()
	_, body := s.get(t, "/dev/info?collect", nil)
	var info struct {
		HeapBytes   int `json:"heap_bytes"`
		Connections int
	}
	if err := json.Unmarshal([]byte(body), &info); err != nil {
		t.Fatal(err)
	}
	return info.HeapBytes, info.Connections
}

func TestASlowReaderIsDroppedAndRepairedAndHurtsNobody(t *testing.T) {
	t.Parallel()
	s := serve(t, "--dev")
	ann, bob, carol := someone("ann"), someone("bob"), someone("carol")
	conv := as(t, s, ann).group(bob, carol)
	const stalled, messages, size = 10, 300, 16000
	var slow []*client
	for i := range stalled {
		slow = append(slow, connect(t, s, bob, fmt.Sprint("slow-", i), smallBuffers(32<<10)))
	}
	good := connect(t, s, carol, "phone")
	a := connect(t, s, ann, "phone")
	before, _ := heap(t, s)
	body := strings.Repeat("x", size)
	for i := 0; i < messages; i += 15 { // packets of 240 KB
		var frames []*pb.ClientFrame
		for k := range 15 {
			frames = append(frames, sendFrame(text(conv, fmt.Sprint(i+k, body))))
		}
		a.send(frames...)
		for k, f := range frames {
			if ack := a.ack(a.answer(f.Ref)); ack.Seq != uint64(i+k+2) {
				t.Fatalf("%v", ack)
			}
			good.hears(conv, fmt.Sprint(i+k, body))
		}
	}
	after, _ := heap(t, s)
	// 4.8 MB were sent to each of ten who read nothing. The messages are the
	// same bytes for all of them, so less than one of them may cost 2 MiB.
	if grown := after - before; grown > 24<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	for _, c := range slow {
		// On a busy machine ten seconds may have passed, after which a reader
		// that takes nothing is reset.
		if code := c.endOrBreak(); code != ws.CloseCode(pb.CloseCode_CLOSE_CODE_SLOW_READER) && code != broken {
			t.Errorf("%s is closed with %d", c.device, code)
		}
		last := uint64(1)
		for _, f := range c.waiting {
			if e := f.GetEntry(); e.GetConversation() == conv {
				if e.Seq != last+1 {
					t.Fatalf("%s got %d after %d", c.device, e.Seq, last)
				}
				last = e.Seq
			}
		}
		if last > messages {
			t.Errorf("%s was not slow", c.device)
		}
	}
	// Sync repairs: what the cursor does not cover comes again.
	c := slow[0]
	back := connect(t, s, bob, c.device, resumeAt(c.cursor), syncing(0, 200))
	page := back.welcome.Sync
	if len(page.Conversations) != 1 || page.Reset_ {
		t.Fatalf("%.500v", page)
	}
	d := page.Conversations[0]
	if d.Conversation.HeadSeq != messages+1 || d.Entries[len(d.Entries)-1].Seq != messages+1 {
		t.Errorf("head %d, last entry %d", d.Conversation.HeadSeq, d.Entries[len(d.Entries)-1].Seq)
	}
	a.say(conv, "live again")
	back.hears(conv, "live again")
	if h := as(t, s, bob).history(conv); len(h) != messages+2 {
		t.Errorf("%d entries", len(h))
	}
	s.alive(t)
}

// A user with much to be told is told it in pages of bounded size, however
// slow the line, and comes to an end.
func TestASyncOfManyMegabytesComesInPages(t *testing.T) {
	t.Parallel()
	ann := someone("ann")
	c := connect(t, shared, ann, "phone")
	fill := func(conv string, messages, size int) {
		frames := repeat(func() *pb.ClientFrame { return sendFrame(text(conv, strings.Repeat("x", size))) }, messages)
		for _, f := range frames {
			c.ref++
			f.Ref = c.ref
		}
		for len(frames) > 0 {
			n := min(len(frames), 10)
			c.send(frames[:n]...)
			for _, f := range frames[:n] {
				c.ack(c.answer(f.Ref))
			}
			frames = frames[n:]
		}
	}
	want := map[string]uint64{}
	for i := range 60 {
		conv := direct(ann, fmt.Sprint("peer-", i))
		fill(conv, 10, 5000)
		want[conv] = 10
	}
	large := direct(ann, "peer-large")
	fill(large, 120, 16000)
	want[large] = 120
	d := connect(t, shared, ann, "tablet", syncing(500, 200))
	pages := 0
	for page := d.welcome.Sync; ; page = d.ask(syncFrame(page.Cursor, 200)).GetSync() {
		if pages++; pages > 20 {
			t.Fatal("the pages do not end")
		}
		if n := proto.Size(page); n > 1<<20+64<<10 {
			t.Errorf("page %d has %d bytes", pages, n)
		}
		for _, delta := range page.Conversations {
			n := len(delta.Entries)
			if delta.Conversation.HeadSeq != want[delta.Conversation.Id] || n > 0 && delta.Entries[n-1].Seq != delta.Conversation.HeadSeq {
				t.Errorf("%s: head %d, %d entries", delta.Conversation.Id, delta.Conversation.HeadSeq, n)
			}
			if n < int(delta.Conversation.HeadSeq) && !delta.Gap {
				t.Errorf("%s has a gap that is not told", delta.Conversation.Id)
			}
			delete(want, delta.Conversation.Id)
		}
		if !page.More {
			break
		}
	}
	if len(want) > 0 {
		t.Errorf("not told of %v", want)
	}
	if pages < 3 {
		t.Errorf("%d pages", pages)
	}
	c.say(large, "live")
	d.hears(large, "live")
	if h := as(t, shared, ann).history(large); len(h) != 121 {
		t.Errorf("%d of 121 in the history", len(h))
	}
	// So does history, in both directions.
	for _, r := range []*pb.ListMessagesRequest{{AfterSeq: 1}, {BeforeSeq: 121}, {}} {
		r.Conversation, r.Limit = large, 200
		page := must[pb.ListMessagesResponse](as(t, shared, ann), listMessages, r)
		if n := proto.Size(page); n > 1<<20+64<<10 || len(page.Items) < 50 || page.AtStart && page.AtEnd {
			t.Errorf("%v: %d items, %d bytes", r, len(page.Items), n)
		}
		if n := uint64(len(page.Items)); page.ToSeq-page.FromSeq+1 != n || page.Items[0].Entry.Seq != page.FromSeq || page.Items[n-1].Entry.Seq != page.ToSeq {
			t.Errorf("%v: covers %d to %d with %d items", r, page.FromSeq, page.ToSeq, n)
		}
	}
}
