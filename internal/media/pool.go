package media

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"sync"
	"time"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/metrics"
)

// PoolOptions say how a Pool works. All are needed, but where it says otherwise.
type PoolOptions struct {
	// Program is the file that a child runs, and Args what it is called with, its
	// name first. It calls Serve on its standard input and output.
	Program string
	Args    []string
	// Env is the child's environment; it has no other. Can be empty.
	Env []string
	// Workers is the most children at once.
	Workers int
	Limits  Limits
	// TimeLimit is how long a file may take; 0 = TimeLimit.
	TimeLimit time.Duration
	// Idle is how long a child is kept that has nothing to do: its memory is needed
	// elsewhere; 0 = 20 s.
	Idle    time.Duration
	Clock   im.Clock
	Log     *slog.Logger
	Metrics *metrics.Set // nil = counted for nobody
}

const (
	idleTime = 20 * time.Second
	// maxJobs is how many files a child reads before another one takes its place.
	maxJobs = 1000
	// attempts is how many children a file may take with it before it is only
	// cleaned. The first may have died of something else.
	attempts = 2
	// maxStderr bounds what is kept of what a child says at its end, in bytes.
	maxStderr = 2 << 10
	// heldSource is up to which size a file is read at once, in bytes.
	heldSource = 4 << 20
)

// Pool makes what Make makes, in processes of its own. It is safe for concurrent
// use.
type Pool struct {
	o     PoolOptions
	slots chan struct{} // one for each child that may be at work
	files metrics.Vec

	mu     sync.Mutex // guards what follows
	idle   []*process
	closed bool
}

// NewPool returns a pool; it starts a child when there is something to do.
func NewPool(o PoolOptions) *Pool {
	o.TimeLimit, o.Idle = cmp.Or(o.TimeLimit, TimeLimit), cmp.Or(o.Idle, idleTime)
	return &Pool{o: o, slots: make(chan struct{}, o.Workers),
		files: o.Metrics.Counters("media_files_total", "Pictures, sounds and films that were looked at, by what came of it: shown, saved because it could not be read, or killed because it took its reader with it.", "result", "shown", "saved", "killed")}
}

// Close ends the children that have nothing to do. Those at work end with their
// files.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, c := range idle {
		if c.rest.Stop() { // else it ends already
			c.end()
		}
	}
}

// Make is the function Make in a child. Of a file that kills children nothing is
// known; where it is a picture, another child has cleaned it without decoding it.
// Errors: those of src; Unavailable, when no child can be started or ctx ends
// first.
func (p *Pool) Make(ctx context.Context, src io.ReaderAt, size int64, mime string) (Made, error) {
	if !Reads(mime) || size == 0 {
		return Made{}, nil
	}
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return Made{}, errNoTime()
	}
	defer func() { <-p.slots }()
	if size <= heldSource {
		held, err := hold(src, size)
		if err != nil {
			return Made{}, err
		}
		src = held
	}
	j := job{mime, size, p.o.Limits.Pixels}
	for attempt := 1; ; attempt++ {
		m, err := p.try(ctx, j, src)
		switch {
		case err == nil:
			p.files.Inc(map[bool]string{true: "shown", false: "saved"}[m.Shown])
			return m, nil
		case !errors.Is(err, errDied):
			return Made{}, err
		case j.Pixels == 0:
			p.files.Inc("killed")
			return Made{}, nil
		case attempt == attempts || errors.Is(err, errTime):
			j.Pixels = 0 // nothing is decoded then
		}
	}
}

// try has a child look at a file. Errors: those of src; Unavailable; errDied.
func (p *Pool) try(ctx context.Context, j job, src io.ReaderAt) (Made, error) {
	for {
		c, err := p.take()
		if err != nil {
			return Made{}, unable(err)
		}
		m, err := c.run(ctx, j, src, &clock{now: p.o.Clock, left: p.o.TimeLimit})
		var bad *sourceError
		switch {
		case err == nil:
			p.give(c)
			return m, nil
		case errors.As(err, &bad):
			p.give(c)
			return Made{}, bad.error
		}
		c.kill()
		switch {
		case ctx.Err() != nil:
			return Made{}, errNoTime()
		case c.spoke:
			p.o.Log.Warn("a process that reads media has died", "mime", j.Mime, "size", j.Size, "decoding", j.Pixels > 0, "err", err, "stderr", c.said())
			return Made{}, fmt.Errorf("%w: %w", errDied, err)
		case c.jobs == 0:
			// It was dead before it saw the file: this machine can not.
			return Made{}, unable(fmt.Errorf("%w: %s", err, c.said()))
		}
		// One that had done others has died meanwhile, and is replaced.
	}
}

func errNoTime() error {
	return im.Errorf(im.Unavailable, "no time was left to look at the file")
}

func unable(err error) error {
	return fmt.Errorf("%w (%w)", im.Errorf(im.Unavailable, "the file can not be looked at now, come back"), err)
}

// take finds a child, or starts one.
func (p *Pool) take() (*process, error) {
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		c := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		if c.rest.Stop() {
			return c, nil
		}
		return p.take() // its time was up
	}
	p.mu.Unlock()
	return start(&p.o)
}

// give keeps a child for what comes next.
func (p *Pool) give(c *process) {
	c.jobs++
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || c.jobs >= maxJobs {
		go c.end()
		return
	}
	c.rest = time.AfterFunc(p.o.Idle, func() { p.retire(c) })
	p.idle = append(p.idle, c)
}

// retire ends a child that had nothing to do.
func (p *Pool) retire(c *process) {
	p.mu.Lock()
	for i, x := range p.idle {
		if x == c {
			p.idle = append(p.idle[:i], p.idle[i+1:]...)
			break
		}
	}
	p.mu.Unlock()
	c.end()
}

// sourceError is an error of the file's source, and nobody's fault here.
type sourceError struct{ error }

// errDied says that a file has taken its child with it, errTime that it took too
// long, and errDead that the child was killed.
var (
	errDied = errors.New("the child has died")
	errTime = errors.New("it takes too long")
	errDead = errors.New("it was killed")
)

// process is a child. One goroutine at a time has it.
type process struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	stderr *tail
	jobs   int
	spoke  bool        // it has answered to the job
	rest   *time.Timer // ends it when it has nothing to do
}

func start(o *PoolOptions) (*process, error) {
	c := &process{stderr: &tail{}}
	// An empty environment is no environment; nil would be ours.
	cmd := &exec.Cmd{Path: o.Program, Args: o.Args, Env: append([]string{}, o.Env...), Dir: "/", Stderr: c.stderr}
	c.cmd = cmd
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.in, c.out = in, bufio.NewReaderSize(out, 64<<10)
	return c, cmd.Start()
}

// run has the child do a job. What it takes to read the source counts for nobody.
func (c *process) run(ctx context.Context, j job, src io.ReaderAt, clock *clock) (m Made, err error) {
	given := context.AfterFunc(ctx, func() { _ = c.cmd.Process.Kill() })
	clock.start(func() { _ = c.cmd.Process.Kill() })
	defer func() {
		switch { // who has killed it, also when it was done a moment before
		case !clock.stop():
			err = fmt.Errorf("%w: %w", errTime, cmp.Or(err, errDead))
		case !given():
			err = cmp.Or(err, errDead)
		}
	}()
	c.spoke = false
	if err := writeJSON(c.in, frameJob, j); err != nil {
		return Made{}, err
	}
	var lost error
	for {
		kind, data, err := readFrame(c.out, maxMade)
		if err != nil {
			return Made{}, err
		}
		c.spoke = true
		switch kind {
		case frameRead:
			if lost, err = c.feed(data, src, j.Size, clock); err != nil {
				return Made{}, err
			}
		case frameMade:
			return receive(c.out, data, j.Size)
		case frameFail:
			if lost != nil {
				return Made{}, &sourceError{lost}
			}
			return Made{}, fmt.Errorf("%w: %s", errFrame, data)
		default:
			return Made{}, errFrame
		}
	}
}

// feed answers a question for bytes; lost is why there are none.
func (c *process) feed(ask []byte, src io.ReaderAt, size int64, clock *clock) (lost, err error) {
	if len(ask) != 16 {
		return nil, errFrame
	}
	at, n := binary.BigEndian.Uint64(ask), binary.BigEndian.Uint64(ask[8:])
	if at > uint64(size) || n > MaxPicture {
		return nil, fmt.Errorf("%w: %d bytes from %d on", errFrame, n, at)
	}
	if !clock.stop() {
		return nil, errTime
	}
	b := make([]byte, min(n, uint64(size)-at))
	got, lost := src.ReadAt(b, int64(at))
	clock.start(func() { _ = c.cmd.Process.Kill() })
	if lost == nil || errors.Is(lost, io.EOF) && got == len(b) {
		return nil, writeFrame(c.in, frameData, b)
	}
	return lost, writeFrame(c.in, frameLost, []byte("the file can not be read"))
}

// clock counts down a time that may be interrupted. One goroutine has it.
type clock struct {
	now   im.Clock
	left  time.Duration
	since time.Time
	timer *time.Timer
	over  bool
}

// start goes on counting; late is called when the time is up.
func (c *clock) start(late func()) {
	c.since, c.timer = c.now.Now(), time.AfterFunc(max(c.left, 0), late)
}

// stop interrupts it; false when the time was up.
func (c *clock) stop() bool {
	if c.timer == nil {
		return !c.over
	}
	c.over = !c.timer.Stop()
	c.timer = nil
	c.left -= c.now.Now().Sub(c.since)
	return !c.over
}

// end lets a child go that waits for a job.
func (c *process) end() {
	if c.in.Close() != nil {
		_ = c.cmd.Process.Kill()
	}
	clock := time.AfterFunc(TimeLimit, func() { _ = c.cmd.Process.Kill() })
	_ = c.cmd.Wait()
	clock.Stop()
}

// kill ends a child at once.
func (c *process) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}

// said is the end of what the child has written about itself.
func (c *process) said() string { return c.stderr.String() }

// tail keeps the first lines that are written to it: of a Go program that dies,
// those that say why.
type tail struct {
	mu sync.Mutex // guards b
	b  []byte
}

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p[:min(len(p), maxStderr-len(t.b))]...)
	return len(p), nil
}

// String implements fmt.Stringer.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}

// hold reads a file that is small.
func hold(src io.ReaderAt, size int64) (io.ReaderAt, error) {
	b := make([]byte, size)
	if n, err := src.ReadAt(b, 0); n < len(b) {
		return nil, errors.Join(io.ErrUnexpectedEOF, err)
	}
	return held(b), nil
}

// held is a file in memory.
type held []byte

// ReadAt implements io.ReaderAt.
func (h held) ReadAt(p []byte, at int64) (int, error) {
	if at > int64(len(h)) {
		return 0, io.EOF
	}
	n := copy(p, h[at:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
