package host

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/im"
)

// childMode has the test binary be an SFU, of a kind.
const childMode = "SKEIN_TEST_SFU"

func TestMain(m *testing.M) {
	if mode := os.Getenv(childMode); mode != "" {
		child(mode)
		return
	}
	os.Exit(m.Run())
}

// child answers at a made-up address: the port is its own process id.
func child(mode string) {
	switch mode {
	case "taken":
		fmt.Fprintln(os.Stderr, "skein: listen udp 0.0.0.0:7882: bind: address already in use")
		os.Exit(1)
	case "mute":
		io.Copy(io.Discard, os.Stdin) //nolint:errcheck // it ends with its parent
		return
	case "deaf": // nobody listens where it says, and it ends for no one
		signal.Ignore(syscall.SIGTERM)
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
	}
	told := make(chan os.Signal, 1)
	if mode == "serves" {
		signal.Notify(told, syscall.SIGTERM)
	}
	fmt.Fprintln(os.Stderr, `{"time":"2026-11-22T00:00:00Z","level":"WARN","msg":"it says something","room":"r"}`)
	port := os.Getpid()
	if mode == "deaf" {
		port = 1
	}
	fmt.Printf("{\"listen\":\"127.0.0.1:%d\"}\n", port)
	go func() {
		<-told
		fmt.Fprintln(os.Stderr, `{"level":"INFO","msg":"it lets its clients go"}`)
		os.Exit(0)
	}()
	io.Copy(io.Discard, os.Stdin) //nolint:errcheck // it ends with its parent
	if mode == "stubborn" {
		select {}
	}
}

// logged is a log to wait for.
type logged struct {
	mu    sync.Mutex
	text  strings.Builder
	grown chan struct{}
}

func newLogged() *logged { return &logged{grown: make(chan struct{}, 1)} }

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.grown <- struct{}{}:
	default:
	}
	return l.text.Write(b)
}

func (l *logged) await(t *testing.T, want string) string {
	t.Helper()
	limit := time.After(20 * time.Second)
	for {
		l.mu.Lock()
		text := l.text.String()
		l.mu.Unlock()
		if strings.Contains(text, want) {
			return text
		}
		select {
		case <-l.grown:
		case <-limit:
			t.Fatalf("%q did not come:\n%s", want, text)
		}
	}
}

func hostOf(t *testing.T, mode string, o Options) (*Host, *logged) {
	t.Helper()
	l := newLogged()
	o.Clock, o.Log = im.SystemClock{}, slog.New(slog.NewTextHandler(l, nil))
	if o.Run == nil {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		p := &Process{Program: self, Args: []string{"sfu"}, Env: []string{childMode + "=" + mode}, Log: o.Log, StartTime: 10 * time.Second, Grace: time.Second, Probe: time.Hour}
		switch mode {
		case "mute":
			p.StartTime = 50 * time.Millisecond
		case "deaf":
			p.Probe = time.Millisecond
		}
		o.Run = p.Run
	}
	h := New(o)
	t.Cleanup(func() {
		if err := h.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return h, l
}

func where(t *testing.T, h *Host) (pid int) {
	t.Helper()
	base, err := h.Where(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pid, err = strconv.Atoi(strings.TrimPrefix(base, "http://127.0.0.1:"))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func TestAProcessThatIsKilledIsStartedAgainAndWhoAsksMeanwhileWaits(t *testing.T) {
	h, l := hostOf(t, "serves", Options{Wait: 20 * time.Second})
	h.Start()
	first := where(t, h)
	if s := h.Stats(); !s.Up || s.Restarts != 0 {
		t.Errorf("%+v", s)
	}
	if text := l.await(t, "it says something"); !strings.Contains(text, "level=WARN") || !strings.Contains(text, "room=r") {
		t.Errorf("its own records lose something: %s", text)
	}
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	l.await(t, "signal: killed")
	second := where(t, h)
	if second == first {
		t.Error("it is the same one")
	}
	if s := h.Stats(); s.Restarts != 1 {
		t.Errorf("%+v", s)
	}
	if err := h.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.await(t, "it lets its clients go")
	if err := syscall.Kill(second, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("it is still there: %v", err)
	}
	if _, err := h.Where(t.Context()); im.CodeOf(err) != im.Unavailable {
		t.Errorf("after the end: %v", err)
	}
}

func TestOneThatDoesNotEndWhenItIsToldIsKilled(t *testing.T) {
	h, _ := hostOf(t, "stubborn", Options{Wait: 20 * time.Second})
	h.Start()
	pid := where(t, h)
	if err := h.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("it is still there: %v", err)
	}
}

func TestATakenPortIsAClearErrorAndCallsAreUnavailableAtOnce(t *testing.T) {
	h, l := hostOf(t, "taken", Options{Wait: time.Hour, Pause: time.Hour, MaxPause: time.Hour})
	h.Start()
	_, err := h.Where(t.Context())
	var e *im.Error
	if !errors.As(err, &e) || e.Code != im.Unavailable || !strings.Contains(e.Hint, "docs/ops/calls.md") {
		t.Errorf("got %v", err)
	}
	if text := l.await(t, "bind: address already in use"); !strings.Contains(text, "level=ERROR") || !strings.Contains(text, "set rtc.port") {
		t.Errorf("the log does not say what to do: %s", text)
	}
}

func TestOneThatNeverAnswersIsStartedAgain(t *testing.T) {
	h, l := hostOf(t, "mute", Options{Pause: time.Hour, MaxPause: time.Hour})
	h.Start()
	l.await(t, "it took too long to start")
	if _, err := h.Where(t.Context()); im.CodeOf(err) != im.Unavailable {
		t.Errorf("got %v", err)
	}
}

func TestOneThatAnswersNoMoreIsKilledAndStartedAgain(t *testing.T) {
	h, l := hostOf(t, "deaf", Options{Pause: time.Hour, MaxPause: time.Hour})
	h.Start()
	l.await(t, "it did not answer any more")
	if s := h.Stats(); s.Up {
		t.Error("it is up")
	}
}

func TestItsInputEndsWithItsParentSoThatNoneIsLeftBehind(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, told, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := os.StartProcess(self, []string{"sfu"}, &os.ProcAttr{Env: []string{childMode + "=serves"}, Files: []*os.File{r, told, nil}})
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	told.Close()
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	w.Close() // as the system does for a parent that is killed
	if s, err := p.Wait(); err != nil || !s.Exited() {
		t.Errorf("%v %v", s, err)
	}
}

func TestAHostThatNeverStartedClosesAtOnceAndTwice(t *testing.T) {
	h := New(Options{Run: func(context.Context, func(string)) error { return nil }, Clock: im.SystemClock{}, Log: slog.New(slog.DiscardHandler), Wait: time.Nanosecond})
	if _, err := h.Where(t.Context()); im.CodeOf(err) != im.Unavailable {
		t.Errorf("before the start: %v", err)
	}
	for range 2 {
		if err := h.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	h.Start()
	if s := h.Stats(); s.Up {
		t.Error("it started after its end")
	}
}

func TestLinesAreCutWhereTheyEndAndBounded(t *testing.T) {
	var got []string
	l := &lines{each: func(b []byte) { got = append(got, string(b)) }}
	for _, s := range []string{"a", "b\nc\n", "\n", strings.Repeat("x", 3*maxLine), "y\nd\ne"} {
		if n, err := io.WriteString(l, s); n != len(s) || err != nil {
			t.Errorf("%d %v", n, err)
		}
	}
	if len(got) != 5 || got[0] != "ab" || got[1] != "c" || got[2] != "" || len(got[3]) > maxLine+1 || got[4] != "d" {
		t.Errorf("%d lines", len(got))
	}
}
