package server_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
	skein "github.com/skein-im/skein/sdk/go"
	"github.com/skein-im/skein/sdk/go/server"
)

// hasty is a clock that stands still and for which no wait is long; it notes
// how long each should have been.
type hasty struct {
	mu    sync.Mutex // guards waits
	waits []time.Duration
}

func (*hasty) Now() time.Time { return time.UnixMilli(1_700_000_000_000) }

func (h *hasty) AfterFunc(d time.Duration, f func()) (stop func()) {
	h.mu.Lock()
	h.waits = append(h.waits, d)
	h.mu.Unlock()
	go f()
	return func() {}
}

// fake answers the first calls with statuses, and every later one well.
func fake(t *testing.T, clock skein.Clock, statuses ...int) (c *server.Client, asked func() []*skeinv1.AddMembersRequest) {
	t.Helper()
	var mu sync.Mutex
	var all []*skeinv1.AddMembersRequest
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		b, err := io.ReadAll(r.Body)
		m := &skeinv1.AddMembersRequest{}
		if err != nil || proto.Unmarshal(b, m) != nil {
			t.Errorf("a request of %d bytes: %v", len(b), err)
		}
		if all = append(all, m); len(all) <= len(statuses) {
			w.WriteHeader(statuses[len(all)-1])
			return
		}
		w.Header().Set("Content-Type", "application/proto")
	}))
	t.Cleanup(s.Close)
	c, err := server.New(server.Options{Endpoint: s.URL, App: "shop", Token: (&server.Secret{App: "shop", KID: "k", Text: "s"}).Token, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	return c, func() []*skeinv1.AddMembersRequest {
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

func TestACallThatIsNotAnsweredIsMadeAgainWithTheSameID(t *testing.T) {
	t.Parallel()
	clock := &hasty{}
	c, asked := fake(t, clock, 503, 429)
	r := &skeinv1.AddMembersRequest{Conversation: "g", Users: []string{"bob"}}
	if _, err := c.AddMembers(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	first := asked()[0].ClientId
	if _, err := c.AddMembers(t.Context(), r); err != nil { // the caller's own retry
		t.Fatal(err)
	}
	if len(asked()) != 4 || len(first) != 16 || first[6]>>4 != 7 {
		t.Fatalf("%d calls with %x", len(asked()), first)
	}
	for _, m := range asked() {
		if !bytes.Equal(m.ClientId, first) {
			t.Errorf("%x, then %x", first, m.ClientId)
		}
	}
	if len(clock.waits) != 2 || clock.waits[0] != 200*time.Millisecond || clock.waits[1] != 400*time.Millisecond {
		t.Errorf("waited %v", clock.waits)
	}
}

func TestACallEndsWithItsAttemptsAndWithItsContext(t *testing.T) {
	t.Parallel()
	c, asked := fake(t, &hasty{}, 503, 503, 503, 503, 503)
	_, err := c.AddMembers(t.Context(), &skeinv1.AddMembersRequest{})
	if skein.CodeOf(err) != skein.Unavailable || len(asked()) != 4 {
		t.Errorf("%v after %d calls", err, len(asked()))
	}
	c, asked = fake(t, skein.SystemClock{}, 503)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = c.AddMembers(ctx, &skeinv1.AddMembersRequest{})
	if skein.CodeOf(err) != skein.Aborted || !errors.Is(err, context.DeadlineExceeded) || len(asked()) > 1 {
		t.Errorf("%v after %d calls", err, len(asked()))
	}
}

func TestWhatCanNotHelpIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]skein.Code{401: skein.Unauthenticated, 403: skein.PermissionDenied, 404: skein.Unsupported} {
		c, asked := fake(t, &hasty{}, status)
		if _, err := c.AddMembers(t.Context(), &skeinv1.AddMembersRequest{}); skein.CodeOf(err) != want || len(asked()) != 1 {
			t.Errorf("%d: %v after %d calls", status, err, len(asked()))
		}
	}
}
