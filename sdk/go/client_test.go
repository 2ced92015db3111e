package skein

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// inBubble runs a test in a bubble of fake time. Whatever goroutine a client
// leaves behind fails it.
func inBubble(t *testing.T, fn func(t *testing.T, s *fakeServer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { fn(t, newFake()) })
}

// world is a client and what its handlers heard.
type world struct {
	*Client
	t      *testing.T
	mu     sync.Mutex // guards heard
	heard  []string
	tokens int
}

type setup func(o *Options)

func withStore(s Store) setup { return func(o *Options) { o.Store = s } }

// join makes a client of a user; it is closed at the end of the test.
func join(t *testing.T, s *fakeServer, user string, set ...setup) *world {
	t.Helper()
	w := &world{t: t}
	o := Options{
		Endpoint: "http://server.test", AppID: "demo", User: user, Transport: s, HTTPClient: &http.Client{Transport: s},
		Token: func(context.Context) (string, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.tokens++
			return fakeToken(user, 0), nil
		},
	}
	for _, fn := range set {
		fn(&o)
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	w.Client = c
	t.Cleanup(func() { c.Close() })
	c.OnMessage(func(e MessageEvent) { w.note("message " + e.Message.Text) })
	c.OnMessageUpdated(func(e MessageEvent) { w.note("updated " + e.Message.Text + " " + string(e.Message.State)) })
	c.OnState(func(e StateEvent) {
		w.note("state " + string(e.State))
		if e.Err != nil {
			w.note("because " + string(e.Err.Code))
		}
	})
	return w
}

func (w *world) note(s string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heard = append(w.heard, s)
}

// take returns what was heard since the last time, once all is quiet.
func (w *world) take() []string {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.heard
	w.heard = nil
	return out
}

// count tells how often something was heard.
func (w *world) count(what string) int {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, h := range w.heard {
		if h == what {
			n++
		}
	}
	return n
}

func (w *world) connect() *world {
	w.t.Helper()
	if err := w.Connect(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return w
}

// texts are the messages that a conversation shows, with their marks.
func (w *world) texts(v *Conversation) string {
	w.t.Helper()
	list, err := v.Messages(w.t.Context(), 200)
	if err != nil {
		w.t.Fatal(err)
	}
	return describe(list)
}

func describe(list []Message) string {
	var out []string
	for _, m := range list {
		s := m.Text
		switch {
		case m.Recalled:
			s = "(recalled)"
		case m.Kind != KindText:
			s = "(" + string(m.Kind) + ")"
		}
		if m.Edited {
			s += "*"
		}
		if m.State != Sent {
			s += "!" + string(m.State)
		}
		for _, r := range m.Reactions {
			s += fmt.Sprintf(" %s%d", r.Emoji, r.Count)
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}

func (w *world) expect(v *Conversation, want string) {
	w.t.Helper()
	synctest.Wait()
	if got := w.texts(v); got != want {
		w.t.Errorf("%s shows\n %s\nwant\n %s", w.UserID(), got, want)
	}
}

const ab = "@5:alice:bob"

func TestTwoClientsTalk(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		a, b := join(t, s, "alice").connect(), join(t, s, "bob").connect()
		m, err := a.With("bob").Send(t.Context(), Outgoing{Text: "hello", Mentions: []string{"bob"}})
		if err != nil {
			t.Fatal(err)
		}
		if m.Seq != 1 || m.Ord != 1 || m.State != Sent || m.Sender != "alice" || m.Mentions[0] != "bob" {
			t.Errorf("the sent message is %+v", m)
		}
		a.expect(a.With("bob"), "hello")
		b.expect(b.With("alice"), "hello")
		if got := b.take(); !slices.Contains(got, "message hello") {
			t.Errorf("bob heard %q", got)
		}
		if got := a.take(); !slices.Contains(got, "updated hello sending") || !slices.Contains(got, "updated hello sent") || slices.Contains(got, "message hello") {
			t.Errorf("alice heard %q", got)
		}
		if n := b.With("alice").Unread(); n != 1 {
			t.Errorf("bob has %d unread", n)
		}
		if a.With("bob") != a.Conversation(ab) {
			t.Error("the same conversation is two values")
		}
		if err := b.With("alice").ReadAll(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := b.With("alice").Unread(); n != 0 {
			t.Errorf("bob has %d unread after reading", n)
		}
		if p := a.With("bob").ReadMarkers()["bob"]; p.Seq != 1 {
			t.Errorf("alice sees bob at %v", p)
		}
	})
}

func TestALostConnectionIsResumedInOneRoundTripAndMissesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		a := join(t, s, "alice").connect()
		s.say(ab, "bob", "one")
		synctest.Wait()
		a.take()
		s.mu.Lock()
		s.dialErr = errors.New("no route")
		s.mu.Unlock()
		s.closeAll(1006)
		s.say(ab, "bob", "two")
		s.say(ab, "bob", "three")
		synctest.Wait()
		s.mu.Lock()
		s.dialErr = nil
		before := len(s.hellos)
		s.mu.Unlock()
		a.connect()
		if got := a.take(); a.count("x") != 0 || !slices.Equal(only(got, "message "), []string{"message two", "message three"}) {
			t.Errorf("alice heard %q", got)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if n := len(s.hellos) - before; n != 1 || len(s.hellos[before].GetSync().GetCursor()) == 0 {
			t.Errorf("%d hellos, the last with cursor %q", n, s.hellos[len(s.hellos)-1].GetSync().GetCursor())
		}
		if len(s.calls) != 0 {
			t.Errorf("calls were made: %q", s.calls)
		}
		if a.tokens != 1 {
			t.Errorf("%d tokens were fetched for a resume", a.tokens)
		}
	})
}

func only(list []string, prefix string) []string {
	var out []string
	for _, s := range list {
		if strings.HasPrefix(s, prefix) {
			out = append(out, s)
		}
	}
	return out
}

func TestASendWhoseAckWasLostIsNotDoubled(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		a := join(t, s, "alice").connect()
		lost := true
		s.onSend = func(*skeinv1.SendMessageRequest) *verdict {
			if lost {
				lost = false
				return &verdict{silent: true}
			}
			return nil
		}
		done := make(chan error, 1)
		go func() {
			_, err := a.With("bob").Send(t.Context(), Outgoing{Text: "once"})
			done <- err
		}()
		synctest.Wait()
		s.closeAll(1006)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		a.expect(a.With("bob"), "once")
		if n := len(s.convs[ab].entries); n != 1 {
			t.Errorf("the journal has %d entries", n)
		}
	})
}

func TestASilentServerIsLeftAfterThirtySecondsAndTheMessageSentAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		a := join(t, s, "alice").connect()
		attempts := 0
		s.onSend = func(*skeinv1.SendMessageRequest) *verdict {
			attempts++
			return &verdict{drop: attempts == 1}
		}
		start := time.Now()
		if _, err := a.With("bob").Send(t.Context(), Outgoing{Text: "heard?"}); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d < 30*time.Second || d > 32*time.Second || attempts != 2 {
			t.Errorf("%d attempts in %s", attempts, d)
		}
	})
}

func TestTheOutboxSurvivesARestart(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		store := NewMemoryStore()
		a := join(t, s, "alice", withStore(store))
		v := a.With("bob")
		for _, text := range []string{"one", "two", "three"} {
			if _, err := v.Enqueue(t.Context(), Outgoing{Text: text}); err != nil {
				t.Fatal(err)
			}
		}
		two, _ := v.Messages(t.Context(), 0)
		if err := v.Discard(t.Context(), two[1]); err != nil {
			t.Fatal(err)
		}
		device := a.DeviceID()
		a.Close()

		again := join(t, s, "alice", withStore(store))
		again.expect(again.With("bob"), "one!sending, three!sending")
		if again.DeviceID() != device {
			t.Error("the device has another id after a restart")
		}
		again.connect()
		again.expect(again.With("bob"), "one, three")
		again.Close()

		last := join(t, s, "alice", withStore(store))
		last.expect(last.With("bob"), "one, three")
		if n := len(s.convs[ab].entries); n != 2 {
			t.Errorf("the journal has %d entries", n)
		}
	})
}

func TestADefinitiveErrorFailsOneMessageOnly(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		a := join(t, s, "alice").connect()
		refuse := true
		s.onSend = func(r *skeinv1.SendMessageRequest) *verdict {
			if refuse && r.GetBody().GetContent().GetText().GetText() == "bad" {
				return &verdict{err: &skeinv1.Error{Code: skeinv1.ErrorCode_ERROR_CODE_PERMISSION_DENIED, Message: "blocked", Hint: "ask them"}}
			}
			return nil
		}
		v := a.With("bob")
		m, err := v.Send(t.Context(), Outgoing{Text: "bad"})
		if CodeOf(err) != PermissionDenied || m.State != Failed || m.Err.Hint != "ask them" {
			t.Fatalf("err %v, message %+v", err, m)
		}
		if _, err := v.Send(t.Context(), Outgoing{Text: "good"}); err != nil {
			t.Fatal(err)
		}
		a.expect(v, "good, bad!failed")
		if _, err := v.Retry(t.Context(), Message{ID: "none"}); CodeOf(err) != FailedPrecondition {
			t.Errorf("retry of nothing: %v", err)
		}
		refuse = false
		again, err := v.Retry(t.Context(), m)
		if err != nil || again.ID != m.ID || again.Seq != 2 {
			t.Fatalf("retried: %+v, %v", again, err)
		}
		a.expect(v, "good, bad")
	})
}

func TestTemporaryErrorsAreRetriedUntilTheyEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		a := join(t, s, "alice").connect()
		n := 0
		s.onSend = func(*skeinv1.SendMessageRequest) *verdict {
			if n++; n <= 4 {
				return &verdict{err: &skeinv1.Error{Code: skeinv1.ErrorCode_ERROR_CODE_RATE_LIMITED, RetryAfterMs: 1000}}
			}
			return nil
		}
		start := time.Now()
		if _, err := a.With("bob").Send(t.Context(), Outgoing{Text: "x"}); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d < 4*time.Second {
			t.Errorf("five attempts in %s", d)
		}
	})
}

func TestAWrongClockIsCorrectedAndTheMessageGetsANewID(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		a := join(t, s, "alice").connect()
		var ids []string
		s.onSend = func(r *skeinv1.SendMessageRequest) *verdict {
			ids = append(ids, idText(r.GetClientId()))
			if len(ids) == 1 {
				return &verdict{err: &skeinv1.Error{Code: skeinv1.ErrorCode_ERROR_CODE_CLOCK_SKEW, ServerTimeUs: 1_000_000_000_000_000}}
			}
			return nil
		}
		m, err := a.With("bob").Send(t.Context(), Outgoing{Text: "late"})
		if err != nil {
			t.Fatal(err)
		}
		if len(ids) != 2 || ids[0] == ids[1] || m.ID != ids[1] || idTime(m.ID) != 1_000_000_000_000 {
			t.Errorf("ids %q, message %s at %d", ids, m.ID, idTime(m.ID))
		}
	})
}

func TestAHoleIsClosedBeforeAnythingBehindItIsShown(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		a := join(t, s, "alice").connect()
		s.say(ab, "bob", "one")
		s.deliver = func(string, *skeinv1.Entry) bool { return false }
		s.say(ab, "bob", "two")
		s.about(ab, "bob", skeinv1.EntryKind_ENTRY_KIND_EDIT, 1, textBody("ONE"))
		s.deliver = nil
		s.say(ab, "bob", "four")
		a.expect(a.With("bob"), "one")
		a.take()
		time.Sleep(600 * time.Millisecond)
		if got := only(a.take(), "message "); !slices.Equal(got, []string{"message two", "message four"}) {
			t.Errorf("alice heard %q", got)
		}
		list := read(t, a.With("bob"), HistoryOptions{Limit: 2})
		if got := describe(list); got != "ONE*, two, four" {
			t.Errorf("history shows %s", got)
		}
		if len(s.calls) != 2 { // the repair, and history for what became stale
			t.Errorf("calls: %q", s.calls)
		}
	})
}

// read collects all pages, oldest first.
func read(t *testing.T, v *Conversation, o HistoryOptions) []Message {
	t.Helper()
	var out []Message
	for page, err := range v.History(t.Context(), o) {
		if err != nil {
			t.Fatal(err)
		}
		if o.After > 0 || o.FromStart {
			out = append(out, page...)
		} else {
			out = append(slices.Clone(page), out...)
		}
	}
	return out
}

func TestHistoryFillsTheGapAndThenNeedsNoServer(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		var want []string
		for i := 1; i <= 230; i++ {
			s.say(ab, "bob", fmt.Sprint("m", i))
			want = append(want, fmt.Sprint("m", i))
		}
		a := join(t, s, "alice").connect()
		v := a.With("bob")
		if got := describe(read(t, v, HistoryOptions{Limit: 40})); got != strings.Join(want, ", ") {
			t.Errorf("backwards: %s", got)
		}
		n := len(s.calls)
		if n != 5 {
			t.Errorf("%d calls for 180 messages, 40 a page", n)
		}
		s.noCalls = true
		if got := describe(read(t, v, HistoryOptions{Limit: 200, FromStart: true})); got != strings.Join(want, ", ") {
			t.Errorf("forwards: %s", got)
		}
		if got := describe(read(t, v, HistoryOptions{After: 228})); got != "m229, m230" {
			t.Errorf("after: %s", got)
		}
		if len(s.calls) != n {
			t.Errorf("%d more calls for what is here", len(s.calls)-n)
		}
	})
}

func TestHistoryForwardsFromTheStartAsksTheServer(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		var want []string
		for i := 1; i <= 130; i++ {
			s.say(ab, "bob", fmt.Sprint("m", i))
			want = append(want, fmt.Sprint("m", i))
		}
		a := join(t, s, "alice").connect()
		if got := describe(read(t, a.With("bob"), HistoryOptions{FromStart: true, Limit: 30})); got != strings.Join(want, ", ") {
			t.Errorf("forwards: %s", got)
		}
		c := join(t, s, "alice", func(o *Options) { o.DeviceID = "other" })
		if got := describe(read(t, c.With("bob"), HistoryOptions{})); got != strings.Join(want, ", ") {
			t.Errorf("without a socket: %s", got)
		}
		if got := read(t, c.With("nobody"), HistoryOptions{}); len(got) != 0 {
			t.Errorf("an empty conversation has %v", got)
		}
	})
}

func TestHistoryEndsWithTheErrorAtAGapItCanNotFill(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		for i := 1; i <= 60; i++ {
			s.say(ab, "bob", fmt.Sprint("m", i))
		}
		a := join(t, s, "alice").connect()
		s.noCalls = true
		var got []Message
		var last error
		for page, err := range a.With("bob").History(t.Context(), HistoryOptions{}) {
			got, last = append(got, page...), err
		}
		if len(got) != 50 || CodeOf(last) != Unavailable {
			t.Errorf("%d messages, then %v", len(got), last)
		}
	})
}

func TestOperationsGoThroughTheOutboxAndShowAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		a, b := join(t, s, "alice").connect(), join(t, s, "bob").connect()
		v := a.With("bob")
		m, err := v.Send(t.Context(), Outgoing{Text: "tpyo"})
		if err != nil {
			t.Fatal(err)
		}
		s.mu.Lock()
		s.noCalls = true
		s.mu.Unlock()
		done := make(chan error, 2)
		go func() { done <- v.Edit(t.Context(), m, Outgoing{Text: "typo"}) }()
		synctest.Wait()
		go func() { done <- v.React(t.Context(), m, "👍") }()
		synctest.Wait()
		a.expect(v, "typo* 👍1")
		b.expect(b.With("alice"), "tpyo")
		s.mu.Lock()
		s.noCalls = false
		s.mu.Unlock()
		for range 2 {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		a.expect(v, "typo* 👍1")
		b.expect(b.With("alice"), "typo* 👍1")
		if err := v.Unreact(t.Context(), m, "👍"); err != nil {
			t.Fatal(err)
		}
		if err := v.Recall(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		b.expect(b.With("alice"), "(recalled)")
		s.callErr = func(string) *skeinv1.Error {
			return &skeinv1.Error{Code: skeinv1.ErrorCode_ERROR_CODE_FAILED_PRECONDITION, Message: "recalled"}
		}
		if err := v.Edit(t.Context(), m, Outgoing{Text: "again"}); CodeOf(err) != FailedPrecondition {
			t.Errorf("edit of a recalled message: %v", err)
		}
		a.expect(v, "(recalled)")
	})
}

func TestAMessageThatIsNotSentYetIsEditedWhenItIs(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		store := NewMemoryStore()
		a := join(t, s, "alice", withStore(store))
		v := a.With("bob")
		m, err := v.Enqueue(t.Context(), Outgoing{Text: "draft"})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := v.Edit(ctx, m, Outgoing{Text: "final"}); CodeOf(err) != Aborted {
			t.Fatal(err)
		}
		// The context had ended before anything was put; now for real.
		go v.Edit(t.Context(), m, Outgoing{Text: "final"}) //nolint:errcheck // the client is closed under it
		synctest.Wait()
		a.expect(v, "final*!sending")
		a.Close()
		again := join(t, s, "alice", withStore(store)).connect()
		again.expect(again.With("bob"), "final*")
		if n := len(s.convs[ab].entries); n != 2 {
			t.Errorf("the journal has %d entries", n)
		}
	})
}

func TestDialsBackOffWithFullJitter(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		s.dialErr = errors.New("no route")
		var retries []time.Duration
		a := join(t, s, "alice", func(o *Options) { o.Entropy = ones{} })
		a.OnState(func(e StateEvent) {
			if e.State == Waiting {
				retries = append(retries, time.Until(e.RetryAt))
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		if err := a.Connect(ctx); CodeOf(err) != Aborted {
			t.Fatal(err)
		}
		synctest.Wait()
		want := []time.Duration{499, 999, 1999, 3999, 7999, 15999, 29999, 29999}
		for i, w := range want {
			if i >= len(retries) || retries[i] != w*time.Millisecond {
				t.Fatalf("delays %v", retries)
			}
		}
		dials := s.dials
		a.Online()
		synctest.Wait()
		if s.dials != dials+1 {
			t.Error("Online did not make it try at once")
		}
	})
}

// ones is an unlucky source of randomness.
type ones struct{}

func (ones) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 0xff
	}
	return len(b), nil
}

func TestATokenIsReplacedBeforeItExpires(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		s.tokenLife = 1000
		a := join(t, s, "alice").connect()
		time.Sleep(801 * time.Second)
		synctest.Wait()
		if s.refresh != 1 || a.State() != Online {
			t.Errorf("%d refreshes, state %s", s.refresh, a.State())
		}
	})
}

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
