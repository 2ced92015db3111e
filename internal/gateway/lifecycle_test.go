package gateway

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/ws"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Not parallel: it looks at all goroutines.
func TestCloseEndsSessionsOfEveryPhaseAndLeavesNoGoroutine(t *testing.T) {
	running := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, running) }) // after everything else
	w := newWorld(t, func(s *setup) { s.limits.SocketBuffer, s.limits.QueueBytes = 8<<10, 256<<10 })
	ab := im.Direct("ann", "bob")

	silent := dial(t, w.url, protoBinary, ws.Limits{})
	live, _ := w.connect("live", "phone")
	live.send(&skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_WatchPresence{WatchPresence: &skeinv1.WatchPresence{Users: []string{"live"}}}})
	text := dial(t, w.url, protoJSON, ws.Limits{})
	text.ask(greeting("text", "phone", nil))
	for i := range 12 {
		w.say("ann", im.Direct("ann", im.UserID(fmt.Sprint("u", i))), "x")
	}
	paging, welcome := connectTo(t, w.url, "ann", "paging", &skeinv1.SyncRequest{Conversations: 3})
	if !welcome.Sync.More {
		t.Fatal("the sync has one page only")
	}
	slow := dial(t, w.url, protoBinary, ws.Limits{SocketRead: 8 << 10})
	slow.ask(greeting("bob", "slow", nil))
	s := w.session("bob")
	for stuck := false; !stuck; { // until its writer waits
		w.say("ann", ab, strings.Repeat("x", 16<<10))
		s.mu.Lock()
		stuck = s.closing || s.writing && s.outSize > 64<<10
		s.mu.Unlock()
	}
	left, _ := w.connect("left", "phone")
	left.conn.Close()

	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	began := time.Now()
	err := w.g.Close(ctx)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("closing took %s", took)
	}
	if err == nil || ctx.Err() == nil { // the slow one is waited for as long as the caller has time
		t.Errorf("closed in %s with %v, although one reader does not read", time.Since(began), err)
	}
	for _, c := range []*client{silent, live, text, paging} {
		c.endsWith(skeinv1.CloseCode_CLOSE_CODE_GOING_AWAY)
	}
	if w.g.Connections() != 0 || w.g.Sessions() != 0 {
		t.Errorf("%d connections, %d sessions", w.g.Connections(), w.g.Sessions())
	}
}

func TestADrainingNodeSendsEverybodyAwayAndTakesNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ab := im.Direct("ann", "bob")
	ann, _ := w.connect("ann", "phone")
	early := dial(t, w.url, protoBinary, ws.Limits{})
	early.name = "early"
	ann.send(ann.text(ab, "last words"), ann.text(ab, "and more"))
	acks := 0
	for acks < 2 {
		ann.await("an ack", func(f *skeinv1.ServerFrame) bool { return f.GetAck() != nil })
		acks++
	}
	drained := make(chan struct{})
	go func() { defer close(drained); w.g.Drain(t.Context(), 1500*time.Millisecond) }()
	away := ann.await("go_away", func(f *skeinv1.ServerFrame) bool { return f.GetGoAway() != nil }).GetGoAway()
	if away.RetryAfterMs > 250 { // one session takes no 1.5 s
		t.Errorf("%v", away)
	}
	ann.endsWith(skeinv1.CloseCode_CLOSE_CODE_GOING_AWAY)
	<-drained
	if err := w.g.Admits(); err == nil || !strings.Contains(err.Error(), "going away") {
		t.Errorf("a draining node admits: %v", err)
	}
	f := early.ask(greeting("bob", "phone", nil)) // it had connected, and says hello only now
	if f.GetError().GetCode() != skeinv1.ErrorCode_ERROR_CODE_UNAVAILABLE {
		t.Errorf("a hello after the drain: %v", f)
	}
	early.endsWith(skeinv1.CloseCode_CLOSE_CODE_UNAVAILABLE)
	res, err := http.Get("http" + strings.TrimPrefix(w.url, "ws"))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
		t.Errorf("a new connection: %d %v", res.StatusCode, res.Header)
	}
}

// fence is the sign-out of a device.
func fence(a im.Actor) auth.Fence {
	return auth.Fence{ID: 1, Kind: auth.FenceDevice, App: a.App, User: a.User, Device: a.Device}
}

func TestAFenceBetweenTheTokenAndTheRegistrationEndsTheSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var out *auth.Fence
	w.porter.admit = func(s auth.Session) error { // the token is good, and then
		f := fence(s.Actor)
		out = &f
		w.g.Apply(f) // finds no session yet
		return nil
	}
	w.porter.confirm = func(s auth.Session) error {
		if out.Ends(s) {
			return im.Errorf(im.SignedOut, "signed out meanwhile")
		}
		return nil
	}
	w.say("ann", im.Direct("ann", "bob"), "secret")
	bob := dial(t, w.url, protoBinary, ws.Limits{})
	f := bob.ask(greeting("bob", "phone", nil))
	if f.GetError().GetCode() != skeinv1.ErrorCode_ERROR_CODE_SIGNED_OUT {
		t.Errorf("answered %v", f)
	}
	bob.endsWith(skeinv1.CloseCode_CLOSE_CODE_SIGNED_OUT)
	if len(bob.waiting) > 0 {
		t.Errorf("it also got %v", bob.waiting)
	}
}

func TestAFenceBetweenTheRegistrationAndTheWelcomeEndsTheSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.porter.confirm = func(s auth.Session) error {
		w.g.Apply(fence(s.Actor)) // finds the session, which is not signed in yet
		return nil
	}
	w.say("ann", im.Direct("ann", "bob"), "secret")
	bob := dial(t, w.url, protoBinary, ws.Limits{})
	bob.name = "bob"
	bob.send(greeting("bob", "phone", nil))
	bob.endsWith(skeinv1.CloseCode_CLOSE_CODE_SIGNED_OUT)
	for _, f := range bob.waiting {
		if f.GetWelcome() != nil {
			t.Errorf("it was welcomed: %v", f)
		}
	}
}

func TestAFenceEndsASessionBeforeItReturns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ab := im.Direct("ann", "bob")
	phone, _ := w.connect("bob", "phone")
	tablet, _ := w.connect("bob", "tablet")
	w.say("ann", ab, "before")
	phone.hears(ab, "before")
	w.g.Apply(fence(im.Actor{App: "demo", User: "bob", Device: "phone"}))
	w.say("ann", ab, "after")
	phone.endsWith(skeinv1.CloseCode_CLOSE_CODE_SIGNED_OUT)
	for _, f := range phone.waiting {
		if f.GetEntry() != nil {
			t.Errorf("the signed-out device also got %v", f)
		}
	}
	tablet.hears(ab, "before")
	tablet.hears(ab, "after")
}

func TestANodeThatMayNotServeStopsDelivering(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ab := im.Direct("ann", "bob")
	bob, _ := w.connect("bob", "phone")
	w.porter.invalid.Store(true) // cut off from the fence log
	w.say("ann", ab, "not for here")
	bob.endsWith(skeinv1.CloseCode_CLOSE_CODE_UNAVAILABLE)
	if len(bob.waiting) > 0 {
		t.Errorf("it was sent %v", bob.waiting)
	}
}

func TestTheSameDeviceTwiceReplacesTheFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ab := im.Direct("ann", "bob")
	first, _ := w.connect("bob", "phone")
	second, _ := w.connect("bob", "phone")
	first.endsWith(skeinv1.CloseCode_CLOSE_CODE_REPLACED)
	w.say("ann", ab, "hello")
	second.hears(ab, "hello")
	if st := w.g.Presence.Get("demo", "bob"); !st[0].Online {
		t.Error("the replaced session took the user offline")
	}
}

func TestADeviceThatComesOnlineAtAnotherNodeEndsItsSessionHere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old, _ := w.connect("bob", "phone")
	tablet, _ := w.connect("bob", "tablet")
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	go func() { // told again and again: at first the session is too young
		for {
			w.bus.Deliver(bus.Event{Signal: bus.DeviceMoved{Session: bus.Session{App: "demo", User: "bob", Device: "phone"},
				Boot: bus.Boot{Node: "another", Started: 1}, Version: 1, Online: true}})
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	began := time.Now()
	old.endsWith(skeinv1.CloseCode_CLOSE_CODE_REPLACED)
	if took := time.Since(began); took < elsewhereAge-time.Second {
		t.Errorf("it ended after %v, when the news might have been late", took)
	}
	ab := im.Direct("ann", "bob")
	w.say("ann", ab, "hello")
	tablet.hears(ab, "hello")
}

func TestJSONSessionsAndBinaryOnesTalk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ab := im.Direct("ann", "bob")
	ann := dial(t, w.url, protoJSON, ws.Limits{})
	ann.name = "ann"
	if f := ann.ask(greeting("ann", "browser", nil)); f.GetWelcome().GetUser() != "ann" {
		t.Fatalf("welcomed with %v", f)
	}
	bob, _ := w.connect("bob", "phone")
	if ack := ann.says(ab, "hällo 世界"); ack.Seq != 1 {
		t.Errorf("%v", ack)
	}
	bob.hears(ab, "hällo 世界")
	bob.says(ab, "hi")
	ann.hears(ab, "hi")
	if f := ann.ask(&skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_Read{Read: &skeinv1.ReadConversationRequest{Conversation: string(ab), Seq: 2}}}); f.GetReadMarker().GetReadSeq() != 2 {
		t.Errorf("%v", f)
	}
	w.g.tick()
	for old := string(ann.cursor); string(ann.cursor) == old; {
		ann.read()
	}
	again := dial(t, w.url, protoJSON, ws.Limits{})
	f := again.ask(greeting("ann", "browser", &skeinv1.SyncRequest{Cursor: ann.cursor}))
	if s := f.GetWelcome().GetSync(); s == nil || s.Reset_ || len(s.Conversations) > 1 || len(s.Conversations) == 1 && len(s.Conversations[0].Entries) > 0 {
		t.Errorf("resumed with %v", f)
	}
	// A text message on the binary protocol, and the other way round.
	for _, c := range []*client{bob, again} {
		op := ws.OpText
		if c == again {
			op = ws.OpBinary
		}
		c.conn.WriteMessage(op, []byte("{}"))
		c.endsWith(skeinv1.CloseCode_CLOSE_CODE_BAD_PACKET)
	}
}

// Not parallel: it measures the heap.
func TestAReaderThatDoesNotReadIsDroppedAndCostsNoMoreThanItsQueue(t *testing.T) {
	const queue = 512 << 10
	w := newWorld(t, func(s *setup) { s.limits.SocketBuffer, s.limits.QueueBytes = 64<<10, queue })
	slow := dial(t, w.url, protoBinary, ws.Limits{SocketRead: 64 << 10})
	slow.name = "slow"
	slow.ask(greeting("bob", "slow", nil))
	good, _ := w.connect("bob", "good")
	ab := im.Direct("ann", "bob")
	var s *session
	for _, o := range w.g.hub.of("demo", "bob") {
		if o.actor().Device == "slow" {
			s = o
		}
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	body := strings.Repeat("x", 16<<10)
	sent, largest := 0, 0
	for closing := false; !closing; sent++ {
		if sent > 1000 {
			t.Fatal("16 MB were taken for a reader that does not read")
		}
		w.say("ann", ab, body)
		good.hears(ab, body) // the fan-out has passed it
		s.mu.Lock()
		closing, largest = s.closing, max(largest, s.outSize)
		s.mu.Unlock()
	}
	if largest > queue {
		t.Errorf("%d bytes were queued, the limit is %d", largest, queue)
	}
	for range 60 { // and nothing gathers for it any more
		w.say("ann", ab, body)
		good.hears(ab, body)
	}
	if after := heap(); after > before+2*queue+(1<<20) {
		t.Errorf("the heap grew by %d bytes", after-before)
	}
	slow.bytes = 0
	slow.endsWith(skeinv1.CloseCode_CLOSE_CODE_SLOW_READER)
	if slow.bytes > 2*queue {
		t.Errorf("it was sent %d bytes before the end", slow.bytes)
	}
	// What it missed it gets by sync.
	_, welcome := connectTo(t, w.url, "bob", "slow", &skeinv1.SyncRequest{Cursor: slow.cursor})
	if c := welcome.Sync.Conversations; len(c) != 1 || c[0].Conversation.HeadSeq != uint64(sent+60) {
		t.Errorf("after the drop: %v", welcome)
	}
}

func TestTooMuchNewsDuringASyncOfManyPagesEndsTheSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { s.limits.QueueFrames = 10 })
	for i := range 3 {
		w.say("ann", im.Direct("ann", im.UserID(fmt.Sprint("u", i))), "x")
	}
	ann, welcome := connectTo(t, w.url, "ann", "phone", &skeinv1.SyncRequest{Conversations: 1})
	if !welcome.Sync.More {
		t.Fatal("one page only")
	}
	for range 11 { // and the next page is never asked for
		w.say("u0", im.Direct("ann", "u0"), "x")
	}
	ann.endsWith(skeinv1.CloseCode_CLOSE_CODE_SLOW_READER)
	if len(ann.waiting) > 0 {
		t.Errorf("it was sent %v", ann.waiting)
	}
}
