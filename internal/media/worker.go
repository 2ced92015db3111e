package media

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// TimeLimit is how long a file may take, without what it takes to fetch it.
const TimeLimit = 10 * time.Second

// orphanTime is after how long of silence a child ends itself.
const orphanTime = 2 * TimeLimit

// ServeOptions say what a child may take.
type ServeOptions struct {
	// Memory is what it may have, in bytes.
	Memory int64
	// Unbounded leaves it to this process alone to keep to that, as on systems
	// where nobody else does.
	Unbounded bool
}

// Serve is the child: it does jobs, one after the other, until its input ends.
// It takes from itself what it does not need: memory beyond a limit, files,
// writing. A job that takes too long ends the process.
func Serve(in io.Reader, out io.Writer, o ServeOptions) error {
	debug.SetMemoryLimit(o.Memory * 7 / 8)
	debug.SetGCPercent(200)
	bounded := false
	if !o.Unbounded {
		var err error
		if bounded, err = confine(o.Memory); err != nil {
			return err
		}
	}
	if !bounded {
		go watchMemory(o.Memory)
	}
	w := &worker{in: bufio.NewReaderSize(in, 64<<10), out: bufio.NewWriterSize(out, 64<<10)}
	for {
		kind, data, err := readFrame(w.in, maxMade)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil && kind != frameJob {
			err = errFrame
		}
		if err == nil {
			err = w.do(data)
		}
		if err != nil {
			return err
		}
	}
}

// watchMemory ends the process when it has more memory than it may. Pages that
// nobody has touched are not there yet, so that it comes in time also when much
// is asked for at once.
func watchMemory(most int64) {
	sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	for range time.Tick(10 * time.Millisecond) {
		metrics.Read(sample)
		if has := sample[0].Value.Uint64() - sample[1].Value.Uint64(); has > uint64(most) {
			fmt.Fprintln(os.Stderr, "it needs too much memory")
			os.Exit(4)
		}
	}
}

// worker is a child at work. It is an io.ReaderAt of the file.
type worker struct {
	in    *bufio.Reader
	out   *bufio.Writer
	watch *time.Timer // ends the process
	lost  error       // why the file can not be read on
}

func (w *worker) do(data []byte) error {
	var j job
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	// The parent has the clock that counts; this one is for when that has died.
	w.watch = time.AfterFunc(orphanTime, func() {
		fmt.Fprintln(os.Stderr, "it takes too long")
		os.Exit(3)
	})
	defer w.watch.Stop()
	w.lost = nil
	m, err := Make(w, j.Size, j.Mime, Limits{Pixels: j.Pixels})
	switch {
	case errors.Is(err, errFrame):
		return err
	case w.lost != nil:
		err = writeFrame(w.out, frameFail, []byte(w.lost.Error()))
	case err != nil:
		err = writeFrame(w.out, frameFail, []byte(err.Error()))
	default:
		err = m.send(w.out)
	}
	err = errors.Join(err, w.out.Flush())
	if m.Width*m.Height > largePicture {
		debug.FreeOSMemory()
	}
	return err
}

// largePicture is from how many pixels on memory is given back at once.
const largePicture = 8_000_000

// ReadAt implements io.ReaderAt.
func (w *worker) ReadAt(p []byte, at int64) (int, error) {
	if w.lost != nil {
		return 0, w.lost
	}
	var ask [16]byte
	binary.BigEndian.PutUint64(ask[:], uint64(at))
	binary.BigEndian.PutUint64(ask[8:], uint64(len(p)))
	if err := errors.Join(writeFrame(w.out, frameRead, ask[:]), w.out.Flush()); err != nil {
		return 0, fmt.Errorf("%w: %w", errFrame, err)
	}
	w.watch.Stop() // for as long as somebody else is at work
	kind, n, err := readHead(w.in, max(len(p), maxMade))
	w.watch.Reset(orphanTime)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errFrame, err)
	}
	switch {
	case kind == frameLost:
		text := make([]byte, n)
		_, err := io.ReadFull(w.in, text)
		w.lost = errors.Join(errors.New(string(text)), err)
		return 0, w.lost
	case kind != frameData || n > len(p):
		return 0, errFrame
	}
	if _, err := io.ReadFull(w.in, p[:n]); err != nil {
		return 0, fmt.Errorf("%w: %w", errFrame, err)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
