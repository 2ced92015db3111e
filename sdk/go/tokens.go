package skein

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/skein-im/skein/internal/turn"
)

// tokens holds the newest token and asks the app for another, one at a time.
// The asking belongs to the client, not to the call that wanted it: a caller
// who gives up does not take the token from the others.
type tokens struct {
	supply func(ctx context.Context) (string, error)
	ctx    context.Context   // the client's
	start  func(func()) bool // runs a goroutine that Close waits for
	tasks  turn.Scheduler    // nil = goroutines

	mu      sync.Mutex // guards the rest
	value   string
	pending *tokenCall
}

type tokenCall struct {
	done  chan struct{}
	ended atomic.Bool // done is closed
	value string
	err   error
}

// fresh asks the supplier, or joins an asking that is under way.
func (t *tokens) fresh(ctx context.Context) (string, error) {
	t.mu.Lock()
	call := t.pending
	if call == nil {
		call = &tokenCall{done: make(chan struct{})}
		t.pending = call
		t.start(func() { t.ask(call) })
	}
	t.mu.Unlock()
	if t.tasks != nil {
		t.tasks.Wait(func() bool { return call.ended.Load() || ctx.Err() != nil || t.ctx.Err() != nil })
	}
	select {
	case <-call.done:
		return call.value, call.err
	case <-ctx.Done():
		return "", aborted(ctx.Err())
	case <-t.ctx.Done():
		return "", errClosed()
	}
}

func (t *tokens) ask(call *tokenCall) {
	call.value, call.err = t.supply(t.ctx)
	if call.err == nil && call.value == "" {
		call.err = errorf(Unauthenticated, nil, "the token supplier returned an empty token")
	}
	t.mu.Lock()
	if call.err == nil {
		t.value = call.value
	}
	t.pending = nil
	t.mu.Unlock()
	call.ended.Store(true)
	close(call.done)
}

// current returns the newest token, asking only if there is none.
func (t *tokens) current(ctx context.Context) (string, error) {
	if v := t.held(); v != "" {
		return v, nil
	}
	return t.fresh(ctx)
}

func (t *tokens) held() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.value
}

// better returns another token than the one that was refused.
func (t *tokens) better(ctx context.Context, refused string) (string, error) {
	if v := t.held(); v != "" && v != refused {
		return v, nil
	}
	return t.fresh(ctx)
}

// claims are what the SDK reads from a token without checking it: the server
// does that.
type claims struct {
	Subject string  `json:"sub"`
	Expires float64 `json:"exp"`
}

// readClaims returns the zero claims for what is no JWT.
func readClaims(token string) claims {
	var c claims
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(b, &c) != nil {
		return claims{}
	}
	return c
}

func (c claims) expiresMS() int64 { return int64(c.Expires * 1000) }
