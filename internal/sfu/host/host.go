// Package host keeps an SFU running beside the server that it belongs to: in a
// process of its own, or inside. One that ends is started again, after a pause
// that grows while it keeps ending, and who asks where it answers waits for it
// for a moment rather than fail. The server goes on without it: chat needs no
// SFU.
package host

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/skein-im/skein/internal/im"
)

// Runner is one life of an SFU: it runs until ctx ends or something goes wrong,
// and calls up once it answers at base, an http URL. It returns when nothing of it
// is left; nil only when ctx has ended.
type Runner func(ctx context.Context, up func(base string)) error

// Options are what a Host is made of.
type Options struct {
	Run   Runner
	Clock im.Clock
	Log   *slog.Logger
	// Wait is how long Where waits for an SFU that is being started; 0 = 3 s.
	Wait time.Duration
	// Changed is called when the SFU begins or ceases to answer; nil = nobody minds. It must
	// return at once, and ask the host nothing.
	Changed func()
	// Pause is the first pause before it is started again, and MaxPause what it grows
	// to; 0 = 100 ms and 2 s.
	Pause, MaxPause time.Duration
}

const (
	// steady is how long one has to run for the next pause to be the first again.
	steady = 10 * time.Second
	// sayAgain is after how long the same failure is an error in the log once more.
	sayAgain = time.Minute
)

// Host keeps one SFU running. Its methods may be called from any goroutine.
type Host struct {
	o      Options
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{} // closed when nothing runs any more

	mu      sync.Mutex // guards the rest
	begun   bool
	closed  bool
	base    string        // "" while it does not run
	changed chan struct{} // closed at the next change of base and failed
	failed  error         // why the last one ended before it answered
	starts  int
}

// New returns a host that has not started its SFU.
func New(o Options) *Host {
	if o.Wait == 0 {
		o.Wait = 3 * time.Second
	}
	if o.Changed == nil {
		o.Changed = func() {}
	}
	if o.Pause == 0 {
		o.Pause = 100 * time.Millisecond
	}
	if o.MaxPause == 0 {
		o.MaxPause = 2 * time.Second
	}
	h := &Host{o: o, done: make(chan struct{}), changed: make(chan struct{})}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	return h
}

// Start starts the SFU and returns at once. Repeating it does nothing.
func (h *Host) Start() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.begun || h.closed {
		return
	}
	h.begun = true
	go h.keep()
}

// Close ends the SFU, which lets its clients go, and waits until it has, or ctx
// ends.
func (h *Host) Close(ctx context.Context) error {
	h.cancel()
	h.mu.Lock()
	if !h.begun && !h.closed {
		close(h.done)
	}
	h.closed = true
	h.set("", errClosed)
	h.mu.Unlock()
	select {
	case <-h.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

var errClosed = errors.New("the server is going down")

// set says how the SFU is; h.mu is held.
func (h *Host) set(base string, failed error) {
	h.base, h.failed = base, failed
	close(h.changed)
	h.changed = make(chan struct{})
	h.o.Changed()
}

// Current is the URL at which the SFU answers, empty while it does not run, and
// which life of it that is, counted from 1.
func (h *Host) Current() (base string, life int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.base, h.starts
}

// keep runs the SFU, one life after another.
func (h *Host) keep() {
	defer close(h.done)
	var said string
	var saidAt time.Time
	for pause := h.o.Pause; ; pause = min(2*pause, h.o.MaxPause) {
		began := h.o.Clock.Now()
		answered := false
		h.mu.Lock()
		h.starts++
		h.mu.Unlock()
		err := h.o.Run(h.ctx, func(base string) {
			h.mu.Lock()
			defer h.mu.Unlock()
			if answered = true; !h.closed {
				h.set(base, nil)
			}
		})
		if h.ctx.Err() != nil {
			if err != nil {
				h.o.Log.Warn("the SFU did not end well", "err", err)
			}
			return
		}
		ran := h.o.Clock.Now().Sub(began)
		h.mu.Lock()
		if h.closed {
			h.mu.Unlock()
			return
		}
		if answered {
			h.set("", nil)
		} else {
			h.set("", err)
		}
		h.mu.Unlock()
		if ran >= steady {
			pause = h.o.Pause
		}
		level := slog.LevelError
		if now := h.o.Clock.Now(); err != nil && err.Error() == said && now.Sub(saidAt) < sayAgain {
			level = slog.LevelDebug
		} else if saidAt = now; err != nil {
			said = err.Error()
		}
		h.o.Log.Log(h.ctx, level, "the SFU, which calls need, has ended and is started again; chat goes on", "err", err, "ran", ran, "pause", pause, "hint", hint(err))
		wait := time.NewTimer(pause)
		select {
		case <-wait.C:
		case <-h.ctx.Done():
			wait.Stop()
			return
		}
	}
}

// hint says what to do about an SFU that does not start.
func hint(err error) string {
	if err != nil && (errors.Is(err, syscall.EADDRINUSE) || strings.Contains(err.Error(), syscall.EADDRINUSE.Error())) {
		return "another program has one of its ports: end that, or set rtc.port (turn.port) to another one, or sfu to off"
	}
	return "docs/ops/calls.md"
}

// Where returns the URL at which the SFU answers. It waits for one that is being
// started, as after an accident, but not for one that could not be: then, and when
// it takes too long, the error is Unavailable.
func (h *Host) Where(ctx context.Context) (string, error) {
	limit := time.NewTimer(h.o.Wait)
	defer limit.Stop()
	for {
		h.mu.Lock()
		base, failed, changed := h.base, h.failed, h.changed
		h.mu.Unlock()
		if base != "" {
			return base, nil
		}
		if failed != nil {
			return "", unavailable()
		}
		select {
		case <-changed:
		case <-limit.C:
			return "", unavailable()
		case <-ctx.Done():
			return "", unavailable()
		}
	}
}

func unavailable() error {
	return &im.Error{Code: im.Unavailable, Message: "this server's media server does not run at the moment", Hint: "try again; the server's log says why, see docs/ops/calls.md"}
}

// Stats are what a supervisor counts.
type Stats struct {
	Up bool
	// Restarts are how often it was started again.
	Restarts int
}

// Stats of the moment.
func (h *Host) Stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Stats{Up: h.base != "", Restarts: max(h.starts-1, 0)}
}
