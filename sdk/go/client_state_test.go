package skein

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

func TestASignedOutDeviceStaysAway(t *testing.T) {
	for code, want := range map[int]State{closeSignedOut: SignedOff, closeReplaced: Replaced, closeUnsupported: Ended} {
		inBubble(t, func(t *testing.T, s *fakeServer) {
			a := join(t, s, "alice").connect()
			dials := s.dials
			s.closeAll(code)
			time.Sleep(time.Hour)
			if a.State() != want || s.dials != dials {
				t.Errorf("after %d: state %s, %d dials", code, a.State(), s.dials-dials)
			}
			a.connect()
			if a.State() != Online {
				t.Errorf("after Connect: state %s", a.State())
			}
		})
	}
}

func TestRefusedTokensEndTheConnecting(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		s.helloErr = func(*skeinv1.Hello) *skeinv1.Error {
			return &skeinv1.Error{Code: skeinv1.ErrorCode_ERROR_CODE_UNAUTHENTICATED, Message: "wrong secret"}
		}
		a := join(t, s, "alice")
		if err := a.Connect(t.Context()); CodeOf(err) != Unauthenticated || !strings.Contains(err.Error(), "wrong secret") {
			t.Errorf("connect: %v", err)
		}
		if a.tokens != 2 || a.State() != SignedOff {
			t.Errorf("%d tokens, state %s", a.tokens, a.State())
		}
	})
}

func TestAnInvalidCursorMeansAFreshSync(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		s.say(ab, "bob", "one")
		store := NewMemoryStore()
		join(t, s, "alice", withStore(store)).connect().Close()
		s.helloErr = func(h *skeinv1.Hello) *skeinv1.Error {
			if len(h.GetSync().GetCursor()) > 0 {
				return &skeinv1.Error{Code: skeinv1.ErrorCode_ERROR_CODE_CURSOR_INVALID}
			}
			return nil
		}
		a := join(t, s, "alice", withStore(store)).connect()
		a.expect(a.With("bob"), "one")
	})
}

func TestAnotherIncarnationReplacesWhatWasLost(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		a := join(t, s, "alice").connect()
		for _, text := range []string{"one", "two", "three"} {
			s.say(ab, "bob", text)
		}
		s.say("@5:alice:carol", "carol", "gone with the backup")
		a.expect(a.With("bob"), "one, two, three")
		s.mu.Lock()
		s.incarnation = "i2"
		c := s.convs[ab]
		c.entries, c.pos = c.entries[:1], c.pos[:1]
		delete(s.convs, "@5:alice:carol")
		s.mu.Unlock()
		s.closeAll(1006)
		s.say(ab, "bob", "TWO")
		synctest.Wait()
		a.connect()
		a.expect(a.With("bob"), "one, TWO")
		a.expect(a.With("carol"), "")
		for _, v := range a.Conversations() {
			if v.Peer() == "carol" {
				t.Error("a conversation that is no more is listed")
			}
		}
	})
}

// restored is a server that came back from a backup without anything, while
// the answers of calls are on their way.
func (s *fakeServer) restored(a *world, call func()) {
	release := make(chan struct{})
	s.mu.Lock()
	s.hold = release
	s.mu.Unlock()
	done := make(chan struct{})
	go func() { defer close(done); call() }()
	synctest.Wait()
	s.mu.Lock()
	s.incarnation, s.hold = "i2", nil
	clear(s.convs)
	s.mu.Unlock()
	s.closeAll(1006)
	synctest.Wait()
	a.connect()
	close(release)
	<-done
	synctest.Wait()
}

func TestTheAnswerOfACallFromBeforeARestoreIsDropped(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		a := join(t, s, "alice").connect()
		s.restored(a, func() {
			if _, err := a.CreateGroup(context.Background(), NewGroup{ID: "lost", Title: "Lost"}); err != nil {
				t.Error(err)
			}
		})
		if g := a.Group("lost"); g.Head().Seq != 0 || g.Title() != "" {
			t.Errorf("a group that is no more has the head %v and the title %q", g.Head(), g.Title())
		}
	})
}

func TestAPageFromBeforeARestoreIsAskedForAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		a := join(t, s, "alice").connect()
		s.restored(a, func() {
			for page, err := range a.With("carol").History(context.Background(), HistoryOptions{}) {
				t.Errorf("a page of a conversation that is no more: %v, %v", page, err)
			}
		})
	})
}

func TestSyncComesInPages(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		for i := range 7 {
			s.say(directID("alice", fmt.Sprint("u", i)), fmt.Sprint("u", i), "hi")
		}
		s.syncPage = 2
		a := join(t, s, "alice")
		var pages []SyncEvent
		a.OnSync(func(e SyncEvent) { pages = append(pages, e) })
		a.connect()
		synctest.Wait()
		if n := len(a.Conversations()); n != 7 || len(pages) != 4 || pages[3] != (SyncEvent{Done: 7}) {
			t.Errorf("%d conversations, pages %v", n, pages)
		}
		if got := only(a.take(), "message "); len(got) != 0 {
			t.Errorf("old messages were announced on a new device: %q", got)
		}
	})
}

func TestGroupsAreMadeAndLeft(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		a, b := join(t, s, "alice").connect(), join(t, s, "bob").connect()
		g, err := a.CreateGroup(t.Context(), NewGroup{ID: "team", Title: "Team", Members: []string{"bob"}})
		if err != nil {
			t.Fatal(err)
		}
		if g.Title() != "Team" || g.Kind() != Group || g.Role() != RoleOwner || g.MemberCount() != 2 {
			t.Errorf("%s %s %s %d", g.Title(), g.Kind(), g.Role(), g.MemberCount())
		}
		if _, err := g.Send(t.Context(), Outgoing{Text: "hi"}); err != nil {
			t.Fatal(err)
		}
		b.expect(b.Group("team"), "(members), hi")
		if b.Group("team").Title() != "Team" { // fetched, since only entries came
			t.Errorf("bob sees the title %q", b.Group("team").Title())
		}
		if err := g.RemoveMember(t.Context(), "bob"); err != nil {
			t.Fatal(err)
		}
		if _, err := g.Send(t.Context(), Outgoing{Text: "without bob"}); err != nil {
			t.Fatal(err)
		}
		b.expect(b.Group("team"), "(members), hi, (members)")
		if !b.Group("team").Left() || a.Group("team").Left() {
			t.Error("who has left is told wrongly")
		}
		if err := b.Group("other").Fetch(t.Context()); CodeOf(err) != NotFound {
			t.Errorf("a foreign group: %v", err)
		}
	})
}

func TestReadsSurviveARestartAndGoOutOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		for i := range 5 {
			s.say(ab, "bob", fmt.Sprint(i))
		}
		store := NewMemoryStore()
		a := join(t, s, "alice", withStore(store)).connect()
		s.mu.Lock()
		s.dialErr = errors.New("no route")
		s.mu.Unlock()
		s.closeAll(1006)
		synctest.Wait()
		for seq := uint64(1); seq <= 4; seq++ {
			if err := a.With("bob").Read(t.Context(), seq); err != nil {
				t.Fatal(err)
			}
		}
		if n := a.With("bob").Unread(); n != 1 {
			t.Errorf("%d unread", n)
		}
		a.Close()
		s.dialErr = nil
		again := join(t, s, "alice", withStore(store)).connect()
		synctest.Wait()
		if n := again.With("bob").Unread(); n != 1 {
			t.Errorf("%d unread after the restart", n)
		}
		if m := s.convs[ab].members["alice"]; m.GetReadSeq() != 4 {
			t.Errorf("the server has the marker at %d", m.GetReadSeq())
		}
	})
}

func TestTypingIsRareAndEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		a, b := join(t, s, "alice").connect(), join(t, s, "bob").connect()
		b.OnTyping(func(e TypingEvent) { b.note(fmt.Sprint("typing ", e.User, " ", e.Typing)) })
		a.OnFrame(func(e FrameEvent) {
			if e.Sent && bytes.Contains(e.JSON, []byte(`"typing"`)) {
				a.note("frame")
			}
		})
		v := a.With("bob")
		for range 10 {
			v.Typing()
			time.Sleep(time.Second)
		}
		if n, heard := a.count("frame"), only(b.take(), "typing "); n != 4 || !slices.Equal(heard, []string{"typing alice true"}) {
			t.Errorf("%d frames, heard %q", n, heard)
		}
		time.Sleep(6 * time.Second)
		if heard := only(b.take(), "typing "); !slices.Equal(heard, []string{"typing alice false"}) {
			t.Errorf("heard %q", heard)
		}
		v.Typing()
		synctest.Wait()
		if _, err := v.Send(t.Context(), Outgoing{Text: "done"}); err != nil {
			t.Fatal(err)
		}
		if heard := b.take(); !slices.Equal(heard, []string{"typing alice true", "typing alice false", "message done"}) {
			t.Errorf("heard %q", heard)
		}
	})
}

func TestPresenceIsKnownOnlyWhileConnected(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		a := join(t, s, "alice").connect()
		join(t, s, "bob").connect()
		if err := a.WatchPresence(t.Context(), "bob", "carol"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if p, ok := a.Presence("bob"); !ok || !p.Online {
			t.Errorf("bob: %v %v", p, ok)
		}
		s.mu.Lock()
		s.dialErr = errors.New("no route")
		s.mu.Unlock()
		s.closeAll(1006)
		synctest.Wait()
		if _, ok := a.Presence("bob"); ok {
			t.Error("bob's presence is known without a connection")
		}
		s.mu.Lock()
		s.dialErr = nil
		s.mu.Unlock()
		a.connect()
		synctest.Wait()
		if _, ok := a.Presence("carol"); !ok {
			t.Error("the watch list was not sent again")
		}
	})
}

func TestTheNewestValueOfAKeyIsSentAtMostOnceASecond(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		a, phone := join(t, s, "alice").connect(), join(t, s, "alice", func(o *Options) { o.DeviceID = "phone" }).connect()
		self := a.Self()
		start := time.Now()
		if _, err := self.Send(t.Context(), Outgoing{Key: "draft/x", Text: "0"}); err != nil {
			t.Fatal(err)
		}
		for i := 1; i <= 9; i++ {
			if _, err := self.Enqueue(t.Context(), Outgoing{Key: "draft/x", Text: fmt.Sprint(i)}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if m, ok := phone.Self().Value("draft/x"); !ok || m.Text != "9" {
			t.Errorf("the phone has %q %v", m.Text, ok)
		}
		if n := len(s.convs["~alice"].entries); n != 2 {
			t.Errorf("%d writes in %s", n, time.Since(start))
		}
		if got := phone.Self().Keys(); !slices.Equal(got, []string{"draft/x"}) {
			t.Errorf("keys %q", got)
		}
		if _, err := a.With("bob").Send(t.Context(), Outgoing{Key: "k", Text: "x"}); CodeOf(err) != InvalidArgument {
			t.Errorf("a key elsewhere: %v", err)
		}
	})
}

func TestSearchFindsWhatIsHere(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		a := join(t, s, "alice").connect()
		s.say(ab, "bob", "The Order is 50% done")
		s.say("@5:alice:carol", "carol", "你好，订单到了")
		m := s.say(ab, "bob", "order again")
		s.about(ab, "bob", skeinv1.EntryKind_ENTRY_KIND_RECALL, m.GetSeq(), nil)
		synctest.Wait()
		for query, want := range map[string]string{"ORDER": "The Order is 50% done", "50%": "The Order is 50% done", "订单": "你好，订单到了", "5_%": ""} {
			got, err := a.Search(t.Context(), query, SearchOptions{})
			if err != nil || describe(got) != want {
				t.Errorf("%q finds %s, %v", query, describe(got), err)
			}
		}
		if got, err := a.With("carol").Search(t.Context(), "order", 0); err != nil || len(got) != 0 {
			t.Errorf("in another conversation: %v, %v", got, err)
		}
		if _, err := a.Search(t.Context(), "", SearchOptions{}); CodeOf(err) != InvalidArgument {
			t.Errorf("nothing: %v", err)
		}
	})
}

func TestAHandlerMaySend(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		a, bot := join(t, s, "alice").connect(), join(t, s, "bob").connect()
		off := bot.OnMessage(func(e MessageEvent) {
			if _, err := e.Conversation.Send(context.Background(), Outgoing{Text: "echo " + e.Message.Text}); err != nil {
				t.Error(err)
			}
		})
		for i := range 50 {
			if _, err := a.With("bob").Send(t.Context(), Outgoing{Text: fmt.Sprint(i)}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if n := a.count("message echo 49"); n != 1 {
			t.Errorf("the last echo came %d times", n)
		}
		off()
		s.say(ab, "alice", "quiet")
		synctest.Wait()
		if n := a.count("message echo quiet"); n != 0 {
			t.Error("the handler was called after off")
		}
	})
}

func TestNothingPrivateIsLogged(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		var log bytes.Buffer
		a := join(t, s, "alice", func(o *Options) {
			o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		}).connect()
		if _, err := a.With("bob").Send(t.Context(), Outgoing{Text: "canary"}); err != nil {
			t.Fatal(err)
		}
		s.deliver = func(string, *skeinv1.Entry) bool { return false }
		s.say(ab, "bob", "canary")
		s.deliver = nil
		s.say(ab, "bob", "canary")
		time.Sleep(time.Second)
		s.closeAll(1006)
		a.connect().Close()
		if log.Len() == 0 || strings.Contains(log.String(), "canary") || strings.Contains(log.String(), fakeToken("alice", 0)) {
			t.Errorf("the log says\n%s", log.String())
		}
	})
}

// broken is a store that fails when it is told to.
type broken struct {
	*MemoryStore
	mu  sync.Mutex
	err error
}

func (b *broken) Apply(ctx context.Context, batch Batch) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return b.err
	}
	return b.MemoryStore.Apply(ctx, batch)
}

func TestAStoreThatFailsEndsTheClient(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		b := &broken{MemoryStore: NewMemoryStore()}
		a := join(t, s, "alice", withStore(b)).connect()
		b.mu.Lock()
		b.err = errors.New("disk full")
		b.mu.Unlock()
		if _, err := a.With("bob").Send(t.Context(), Outgoing{Text: "x"}); CodeOf(err) != Storage {
			t.Errorf("send: %v", err)
		}
		if got := a.take(); !slices.Contains(got, "because storage") || a.State() != Ended {
			t.Errorf("heard %q, state %s", got, a.State())
		}
		if s.convs[ab] != nil {
			t.Error("what could not be stored was sent")
		}
	})
}

func TestAStoreBelongsToOneUser(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		store := NewMemoryStore()
		join(t, s, "alice", withStore(store)).connect().Close()
		for _, o := range []Options{
			{Endpoint: "http://server.test", AppID: "demo", User: "bob"},
			{Endpoint: "http://server.test", AppID: "other"},
			{Endpoint: "http://other.test", AppID: "demo"},
		} {
			o.Store, o.Token = store, func(context.Context) (string, error) { return "", nil }
			if _, err := New(o); CodeOf(err) != FailedPrecondition {
				t.Errorf("New(%+v): %v", o, err)
			}
		}
		// Without Options.User the token tells, and nothing is mixed.
		mallory := join(t, s, "bob", withStore(store), func(o *Options) { o.User = "" })
		if err := mallory.Connect(t.Context()); CodeOf(err) != FailedPrecondition {
			t.Errorf("connect: %v", err)
		}
		if len(s.hellos) != 1 {
			t.Errorf("%d hellos", len(s.hellos))
		}
	})
}

func TestTheUserIsLearntFromTheToken(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		a := join(t, s, "alice", func(o *Options) { o.User = "" })
		v, self := a.With("bob"), a.Self()
		if _, err := v.Enqueue(t.Context(), Outgoing{Text: "x"}); CodeOf(err) != FailedPrecondition {
			t.Errorf("before the user is known: %v", err)
		}
		if v.Kind() != Direct || v.Peer() != "bob" || self.Kind() != Self {
			t.Error("a conversation without an id yet is told wrongly")
		}
		a.connect()
		if v.ID() != ab || self.ID() != "~alice" || a.With("bob") != v || a.Self() != self {
			t.Errorf("ids %q %q", v.ID(), self.ID())
		}
		if _, err := v.Send(t.Context(), Outgoing{Text: "x"}); err != nil {
			t.Error(err)
		}
	})
}

func TestEveryCallEndsWithTheClient(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		s.dialErr = errors.New("no route")
		a := join(t, s, "alice")
		errs := make(chan error, 2)
		go func() { errs <- a.Connect(context.Background()) }()
		go func() {
			_, err := a.With("bob").Send(context.Background(), Outgoing{Text: "x"})
			errs <- err
		}()
		synctest.Wait()
		a.Close()
		for range 2 {
			if err := <-errs; CodeOf(err) != Closed {
				t.Errorf("got %v", err)
			}
		}
		if _, err := a.With("bob").Messages(t.Context(), 0); CodeOf(err) != Closed {
			t.Errorf("after Close: %v", err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestThereIsNoPlaceForASecret(t *testing.T) {
	o := reflect.TypeFor[Options]()
	for i := range o.NumField() {
		if name := strings.ToLower(o.Field(i).Name); strings.Contains(name, "secret") || strings.Contains(name, "key") {
			t.Errorf("Options.%s looks like a secret", o.Field(i).Name)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	token := func(context.Context) (string, error) { return "", nil }
	for name, o := range map[string]Options{
		"no endpoint":   {AppID: "demo", Token: token},
		"odd endpoint":  {Endpoint: "ftp://x", AppID: "demo", Token: token},
		"no app":        {Endpoint: "http://x", Token: token},
		"no token":      {Endpoint: "http://x", AppID: "demo"},
		"odd platform":  {Endpoint: "http://x", AppID: "demo", Token: token, Platform: "toaster"},
		"long deviceID": {Endpoint: "http://x", AppID: "demo", Token: token, DeviceID: strings.Repeat("x", 65)},
	} {
		if _, err := New(o); CodeOf(err) != InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, o := range map[string]Outgoing{
		"nothing": {}, "two kinds": {Text: "x", Custom: &Custom{Type: "y"}}, "long text": {Text: strings.Repeat("x", 16385)},
		"long data": {Custom: &Custom{Type: "y", Data: make([]byte, 16385)}}, "long opaque": {Opaque: make([]byte, 32769)},
	} {
		if _, err := o.body(); err == nil {
			t.Errorf("a message with %s is taken", name)
		}
	}
}

func TestAHandlerMayClose(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		a := join(t, s, "alice").connect()
		a.OnMessage(func(MessageEvent) {
			a.Close()
			a.note("closed")
		})
		s.say(ab, "bob", "one")
		s.say(ab, "bob", "two")
		if got := a.take(); !slices.Contains(got, "closed") || slices.Contains(got, "message two") {
			t.Errorf("alice heard %q", got)
		}
	})
}

func TestASlowHandlerHoldsTheSocketBackAndNotTheCalls(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		a := join(t, s, "alice").connect()
		gate := make(chan struct{})
		a.OnMessage(func(MessageEvent) { <-gate })
		for i := range 3 * maxEvents {
			s.say(ab, "bob", fmt.Sprint(i))
		}
		synctest.Wait()
		if n := a.With("bob").Head().Ord; n < maxEvents/4 || n > maxEvents+2*maxDrain {
			t.Errorf("%d messages were taken while the handler slept", n)
		}
		if _, err := a.With("bob").Enqueue(t.Context(), Outgoing{Text: "still here"}); err != nil {
			t.Error(err)
		}
		close(gate)
		synctest.Wait()
		if n := a.With("bob").Head().Ord; n < 3*maxEvents {
			t.Errorf("%d messages in the end", n)
		}
	})
}
