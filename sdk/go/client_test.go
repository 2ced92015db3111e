package skein

import (
	"context"
	"errors"
	"fmt"
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

// A call may outlive the connection that it was made beside: its answer is
// about the attempt that it was.
func TestALateRefusalOfAnEarlierAttemptFailsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		a := join(t, s, "alice").connect()
		v := a.With("bob")
		m, err := v.Send(t.Context(), Outgoing{Text: "tpyo"})
		if err != nil {
			t.Fatal(err)
		}
		s.deliver = func(string, *skeinv1.Entry) bool { return false } // the answer comes first
		attempt := func(code skeinv1.ErrorCode) chan struct{} {
			held := make(chan struct{})
			s.mu.Lock()
			defer s.mu.Unlock()
			s.hold, s.callErr = held, nil
			if code != 0 {
				s.callErr = func(string) *skeinv1.Error { return &skeinv1.Error{Code: code} }
			}
			return held
		}
		first := attempt(skeinv1.ErrorCode_ERROR_CODE_PERMISSION_DENIED)
		done := make(chan error, 1)
		go func() { done <- v.Edit(t.Context(), m, Outgoing{Text: "typo"}) }()
		synctest.Wait()
		second := attempt(0)
		s.closeAll(1006)
		synctest.Wait()
		a.connect()
		synctest.Wait()
		close(first)
		a.expect(v, "typo*")
		close(second)
		if err := <-done; err != nil {
			t.Errorf("the edit is stored, and its caller is told %v", err)
		}
		a.expect(v, "typo*")
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
		want := []int64{499, 999, 1999, 3999, 7999, 15999, 29999, 29999}
		for i, w := range want {
			if i >= len(retries) || retries[i].Milliseconds() != w {
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
