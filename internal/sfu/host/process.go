package host

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"
)

// Process runs an SFU in a process of its own. It is told to end by SIGTERM; and
// its standard input ends when this process does, however that happens, so that
// none is left behind. On Linux the kernel kills it as well, should it hang.
type Process struct {
	// Program is the file that is run, and Args what it is called with, its name first.
	// It prints one line of JSON when it answers, with its HTTP address as "listen".
	Program string
	Args    []string
	// Env is its environment; it has no other. Secrets go there and not into Args,
	// which other users of a machine can see.
	Env []string
	Log *slog.Logger
	// Nice is how much more than this process it yields to others, 0 to 19: where
	// processors are short, what is in a hurry goes first. Leave is how many of the
	// processors it does not use, so that those wait for nothing that it does; it has
	// one in any case. Linux only.
	Nice, Leave int
	// StartTime bounds how long it takes to answer; 0 = 20 s.
	StartTime time.Duration
	// Grace is how long it may take to end; 0 = 8 s.
	Grace time.Duration
	// Probe is how often it is asked whether it still answers; 0 = 3 s. One that has
	// not for maxDeaf times in a row hangs, and is killed.
	Probe time.Duration
}

// maxDeaf is generous: a machine with too much to do is no hang.
const maxDeaf = 5

// Run is a Runner.
func (p *Process) Run(ctx context.Context, up func(base string)) error {
	ended := make(chan error, 1)
	go func() {
		// The kernel takes the end of the thread that started a child for its parent's,
		// and a child is what that thread is: this one yields, and ends with the life.
		runtime.LockOSThread()
		ended <- p.run(ctx, up)
	}()
	return <-ended
}

func (p *Process) run(ctx context.Context, up func(base string)) error {
	if err := yield(p.Nice, p.Leave); err != nil {
		p.Log.Debug("the SFU does not yield as it should", "err", err)
	}
	start, grace := cmp.Or(p.StartTime, 20*time.Second), cmp.Or(p.Grace, 8*time.Second)
	running, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	slow := time.AfterFunc(start, func() { stop(errSlow) })
	defer slow.Stop()
	cmd := exec.CommandContext(running, p.Program)
	cmd.Args, cmd.Env = p.Args, p.Env
	cmd.WaitDelay = grace
	cmd.Cancel = func() error {
		if ctx.Err() != nil {
			return terminate(cmd.Process)
		}
		return cmd.Process.Kill() // what hangs hears nothing
	}
	var probe sync.WaitGroup
	defer probe.Wait()
	cmd.SysProcAttr = apart()
	said := &report{log: p.Log}
	cmd.Stderr = &lines{each: said.hear}
	cmd.Stdout = &lines{each: func(line []byte) {
		var at struct {
			Listen string `json:"listen"`
		}
		if json.Unmarshal(line, &at) == nil && at.Listen != "" && slow.Stop() {
			p.Log.Info("the SFU answers", "pid", cmd.Process.Pid, "at", json.RawMessage(bytes.Clone(line)))
			up("http://" + at.Listen)
			probe.Go(func() { p.listen(running, "http://"+at.Listen, stop) })
		}
	}}
	life, err := cmd.StdinPipe() // its other end closes with this process
	if err != nil {
		return err
	}
	defer life.Close()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the SFU: %w", err)
	}
	err = cmd.Wait()
	cause := context.Cause(running)
	stop(nil)
	switch {
	case ctx.Err() != nil:
		var code *exec.ExitError
		if errors.As(err, &code) || errors.Is(err, ctx.Err()) {
			return nil // told to end, and ended
		}
		return err
	case cause != nil:
		return cause
	case err == nil:
		err = errors.New("it ended by itself")
	}
	if last := said.last(); last != "" {
		err = fmt.Errorf("%w: %s", err, last)
	}
	return err
}

var (
	errSlow = errors.New("it took too long to start")
	errDeaf = errors.New("it did not answer any more")
)

// listen asks a child now and then whether it answers, and stops one that hangs.
func (p *Process) listen(ctx context.Context, base string, stop context.CancelCauseFunc) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 3 * time.Second}
	tick := time.NewTicker(cmp.Or(p.Probe, 3*time.Second))
	defer tick.Stop()
	for deaf := 0; deaf < maxDeaf; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		deaf++
		if req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/", nil); err == nil {
			if resp, err := client.Do(req); err == nil {
				resp.Body.Close() //nolint:errcheck // it answered
				deaf = 0
			}
		}
	}
	stop(errDeaf)
}

// lines cuts what is written to it into lines. One goroutine writes.
type lines struct {
	each func(line []byte)
	rest []byte
}

// maxLine bounds a line, in bytes; what is longer is cut.
const maxLine = 16 << 10

func (l *lines) Write(b []byte) (int, error) {
	n := len(b)
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			l.rest = append(l.rest, b[:min(len(b), maxLine-min(len(l.rest), maxLine))]...)
			return n, nil
		}
		line := append(l.rest, b[:min(i, maxLine)]...)
		l.each(line)
		l.rest, b = l.rest[:0], b[i+1:]
	}
}

var _ io.Writer = (*lines)(nil)

// report brings what a child says into the log: its own records as they are, and
// anything else, such as a panic, as text.
type report struct {
	log *slog.Logger

	mu    sync.Mutex // guards the rest
	plain string
}

func (r *report) hear(line []byte) {
	var rec map[string]any
	if json.Unmarshal(line, &rec) == nil && rec["msg"] != nil {
		var level slog.Level
		name, _ := rec["level"].(string)
		if level.UnmarshalText([]byte(name)) != nil {
			level = slog.LevelInfo
		}
		msg, _ := rec["msg"].(string)
		attrs := make([]slog.Attr, 0, len(rec))
		for k, v := range rec {
			if k != "time" && k != "level" && k != "msg" {
				attrs = append(attrs, slog.Any(k, v))
			}
		}
		r.log.LogAttrs(context.Background(), level, "sfu: "+msg, attrs...)
		return
	}
	text := strings.TrimSpace(string(line))
	if text == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	level := slog.LevelWarn // where it happened, as of a panic
	if r.plain == "" {      // what happened, which the error says that Run returns
		r.plain, level = text, slog.LevelDebug
	}
	r.log.Log(context.Background(), level, "sfu: "+text)
}

func (r *report) last() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.plain
}
