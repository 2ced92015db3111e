package media_test

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/media"
)

// childMode is in the environment of a child: what it does.
const childMode = "SKEIN_TEST_CHILD"

func TestMain(m *testing.M) {
	mode, memory := os.Getenv(childMode), int64(512<<20)
	var in io.Reader = os.Stdin
	switch mode {
	case "":
		os.Exit(m.Run())
	case "dies": // in the middle of the file
		in = &trap{in, 2000, func() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL) }}
	case "hangs":
		in = &trap{in, 2000, func() { select {} }}
	case "small", "alone":
		memory = 64 << 20
	case "lies":
		lie()
	case "chatters":
		fmt.Print(strings.Repeat("no frame at all ", 100_000))
	}
	if err := media.Serve(in, os.Stdout, media.ServeOptions{Memory: memory, Unbounded: mode == "alone"}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// trap springs when some bytes have been read.
type trap struct {
	r      io.Reader
	left   int
	spring func()
}

// Read implements io.Reader.
func (t *trap) Read(p []byte) (int, error) {
	if t.left <= 0 {
		t.spring()
	}
	n, err := t.r.Read(p[:min(len(p), t.left)])
	t.left -= n
	return n, err
}

// lie says of every file that what is kept of it lies behind its end.
func lie() {
	r := bufio.NewReader(os.Stdin)
	for {
		head := make([]byte, 5)
		if _, err := io.ReadFull(r, head); err != nil {
			return
		}
		_, _ = r.Discard(int(binary.BigEndian.Uint32(head[1:])))
		made := `{"Made":{"Shown":true,"Mime":"image/png","Width":1,"Height":1,"Clean":[{"From":1000000,"N":1000000}]},"Lengths":null}`
		fmt.Printf("M%s%s", binary.BigEndian.AppendUint32(nil, uint32(len(made))), made)
	}
}

// newPool returns a pool of two children of a kind, and what it says.
func newPool(t testing.TB, mode string) (*media.Pool, *logged) {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	log := &logged{}
	p := media.NewPool(media.PoolOptions{Program: self, Env: []string{childMode + "=" + mode}, Workers: 2, Limits: limits(), Clock: im.SystemClock{},
		TimeLimit: 20 * time.Second, Log: slog.New(slog.NewTextHandler(log, nil))})
	t.Cleanup(p.Close)
	return p, log
}

type logged struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestAChildMakesWhatWouldBeMadeHere(t *testing.T) {
	p, _ := newPool(t, "serve")
	var all sync.WaitGroup
	for name, b := range map[string][]byte{
		"image/jpeg": withNotes(jpegOf(t, noise(1500, 900, 3)), 6), "image/png": pngWithNotes(pngOf(t, corners(500, 400)), 1),
		"image/gif": gifWithNotes(gifOf(t, 5)), "image/webp": webpOf(t, corners(90, 80)), "video/mp4": mp4Film(t, 90), "application/zip": []byte("PK"),
		"audio/ogg": opusVoice(200),
	} {
		all.Go(func() {
			for range 3 {
				want, err := media.Make(bytes.NewReader(b), int64(len(b)), name, limits())
				must(t, err)
				got, err := p.Make(t.Context(), bytes.NewReader(b), int64(len(b)), name)
				if err != nil || !reflect.DeepEqual(want, got) {
					t.Errorf("%s: %+v, %v, want %+v", name, got.Info, err, want.Info)
				}
			}
		})
	}
	all.Wait()
	// A large file is read in parts, from anywhere.
	film := mp4Film(t, 0)
	far := append(film[:len(film):len(film)], bytes.Repeat([]byte("\x00\x10\x00\x00free"+strings.Repeat("x", 1<<20-8)), 9)...)
	m, err := p.Make(t.Context(), bytes.NewReader(far), int64(len(far)), "video/mp4")
	if err != nil || !m.Shown || m.Width != 640 {
		t.Errorf("%+v %v", m.Info, err)
	}
}

func TestAChildThatDiesTakesNothingWithIt(t *testing.T) {
	b := jpegOf(t, noise(400, 300, 1))
	for mode, said := range map[string]string{"dies": "EOF", "lies": "a piece of a file"} {
		p, log := newPool(t, mode)
		m, err := p.Make(t.Context(), bytes.NewReader(b), int64(len(b)), "image/jpeg")
		if err != nil || m.Shown || m.Clean != nil {
			t.Errorf("%s: %+v %v", mode, m.Info, err)
		}
		if n := strings.Count(log.String(), "has died"); n != 3 || !strings.Contains(log.String(), said) {
			t.Errorf("%s: %d children were tried (want %q): %s", mode, n, said, log)
		}
	}
	// What is no child at all is not the file's fault.
	p, _ := newPool(t, "chatters")
	if _, err := p.Make(t.Context(), bytes.NewReader(b), int64(len(b)), "image/jpeg"); im.CodeOf(err) != im.Unavailable {
		t.Errorf("a program that is no child: %v", err)
	}
}

// What would have to be overwritten in more places than a child may tell of is
// saved: that is an answer, and not the end of the child that gives it.
func TestAFileWithNotesInTooManyPlacesIsSavedAndKillsNobody(t *testing.T) {
	tags := bytes.Repeat(el(0x1254c367, []byte("LOCATION")), 6000)
	notes := bytes.Repeat(box("udta", []byte("GPS 52.5163N")), 6000)
	ftyp := box("ftyp", []byte("isom\x00\x00\x02\x00"))
	for name, c := range map[string]struct {
		mime string
		b    []byte
	}{
		"a WebM":                        {"video/webm", append(recorded(true, 3), tags...)},
		"a film":                        {"video/mp4", append(mp4Film(t, 0), notes...)},
		"a film that is torn":           {"video/mp4", append(append(ftyp, notes...), "torn"...)},
		"a picture that is torn (AVIF)": {"image/avif", append(append(box("ftyp", []byte("avif\x00\x00\x00\x00")), bytes.Repeat(box("uuid", make([]byte, 16)), 6000)...), "torn"...)},
	} {
		p, log := newPool(t, "serve")
		m, err := p.Make(t.Context(), bytes.NewReader(c.b), int64(len(c.b)), c.mime)
		if err != nil || m.Shown || m.Clean != nil || p.Idle() != 1 || log.String() != "" {
			t.Errorf("%s: %+v, %d pieces, %v; %d children are left: %s", name, m.Info, len(m.Clean), err, p.Idle(), log)
		}
	}
}

func TestAChildThatHangsIsKilledWhenItsTimeIsUp(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	must(t, err)
	log := &logged{}
	p := media.NewPool(media.PoolOptions{Program: self, Env: []string{childMode + "=hangs"}, Workers: 1, Limits: limits(), Clock: im.SystemClock{},
		TimeLimit: 2 * time.Second, Log: slog.New(slog.NewTextHandler(log, nil))})
	b := jpegOf(t, noise(400, 300, 1))
	m, err := p.Make(t.Context(), bytes.NewReader(b), int64(len(b)), "image/jpeg")
	if err != nil || m.Shown || strings.Count(log.String(), "takes too long") != 2 {
		t.Errorf("%+v %v %s", m.Info, err, log)
	}
	// Whoever has no time left comes back; nothing is said about the file.
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := p.Make(ctx, bytes.NewReader(b), int64(len(b)), "image/jpeg"); im.CodeOf(err) != im.Unavailable {
		t.Errorf("without time: %v", err)
	}
}

// large is a PNG of w × w see-through pixels, which are nothing when they are
// compressed.
func large(t testing.TB, w int) []byte {
	var data bytes.Buffer
	z, err := zlib.NewWriterLevel(&data, zlib.BestSpeed)
	must(t, err)
	row := make([]byte, 1+4*w)
	for range w {
		_, err := z.Write(row)
		must(t, err)
	}
	must(t, z.Close())
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(w)), uint32(w))
	return append(append(append([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", append(head, 8, 6, 0, 0, 0))...), chunk("IDAT", data.Bytes())...), chunk("IEND", nil)...)
}

func TestAPictureThatNeedsMoreMemoryThanThereIsIsSaved(t *testing.T) {
	b := pngWithNotes(large(t, 7000), 1) // 196 MB when it is unpacked
	for _, mode := range []string{"small", "alone"} {
		p, log := newPool(t, mode)
		m, err := p.Make(t.Context(), bytes.NewReader(b), int64(len(b)), "image/png")
		// How a process ends that gets no more memory is its own matter.
		if err != nil || m.Shown || strings.Count(log.String(), "has died") != 2 {
			t.Errorf("%s: %+v %v %s", mode, m.Info, err, log)
		}
		// It was cleaned all the same.
		clean, err := io.ReadAll(media.Reader(m.Clean, func(from, n int64) io.Reader { return bytes.NewReader(b[from : from+n]) }))
		if err != nil || len(clean) < 10_000 || bytes.Contains(clean, []byte("Kilroy")) {
			t.Errorf("%s: %d bytes are kept, %v", mode, len(clean), err)
		}
	}
	p, log := newPool(t, "serve")
	if m, err := p.Make(t.Context(), bytes.NewReader(b), int64(len(b)), "image/png"); err != nil || !m.Shown || m.Width != 7000 || len(m.Previews) != 3 {
		t.Errorf("with more: %+v %v %s", m.Info, err, log)
	}
}

func TestAChildThatDiedWhileItHadNothingToDoIsReplaced(t *testing.T) {
	p, _ := newPool(t, "serve")
	b := jpegOf(t, noise(400, 300, 1))
	for range 3 {
		m, err := p.Make(t.Context(), bytes.NewReader(b), int64(len(b)), "image/jpeg")
		if err != nil || !m.Shown {
			t.Fatalf("%+v %v", m.Info, err)
		}
		if n := p.KillIdle(); n != 1 {
			t.Fatalf("%d children wait", n)
		}
	}
}

func TestAChildThatHasNothingToDoEnds(t *testing.T) {
	self, err := os.Executable()
	must(t, err)
	p := media.NewPool(media.PoolOptions{Program: self, Env: []string{childMode + "=serve"}, Workers: 1, Limits: limits(), Clock: im.SystemClock{}, Idle: 20 * time.Millisecond,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	b := jpegOf(t, noise(40, 30, 1))
	for range 2 {
		if m, err := p.Make(t.Context(), bytes.NewReader(b), int64(len(b)), "image/jpeg"); err != nil || !m.Shown {
			t.Fatalf("%+v %v", m.Info, err)
		}
		for p.Idle() > 0 {
			runtime.Gosched()
		}
	}
}

// broken is a file that can not be read on.
type broken struct{ io.ReaderAt }

var errBroken = errors.New("the store is gone")

// ReadAt implements io.ReaderAt.
func (b broken) ReadAt(p []byte, at int64) (int, error) {
	if at > 0 || len(p) > 1<<20 {
		return 0, errBroken
	}
	return b.ReaderAt.ReadAt(p, at)
}

// slow is a file that comes slowly.
type slow struct{ io.ReaderAt }

// ReadAt implements io.ReaderAt.
func (s slow) ReadAt(p []byte, at int64) (int, error) {
	<-time.After(400 * time.Millisecond)
	return s.ReaderAt.ReadAt(p, at)
}

func TestAFileMayComeSlowly(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	must(t, err)
	p := media.NewPool(media.PoolOptions{Program: self, Env: []string{childMode + "=serve"}, Workers: 1, Limits: limits(), Clock: im.SystemClock{},
		TimeLimit: 3 * time.Second, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	defer p.Close()
	film := mp4Film(t, 0)
	for range 6 {
		film = append(film, box("free", make([]byte, 1<<20))...)
	}
	if m, err := p.Make(t.Context(), slow{bytes.NewReader(film)}, int64(len(film)), "video/mp4"); err != nil || !m.Shown {
		t.Errorf("%+v %v", m.Info, err)
	}
}

func TestAFileThatCanNotBeReadIsNotTheFilesFault(t *testing.T) {
	p, _ := newPool(t, "serve")
	b := append(mp4Film(t, 0), make([]byte, 5<<20)...)
	if _, err := p.Make(t.Context(), broken{bytes.NewReader(b)}, int64(len(b)), "image/jpeg"); !errors.Is(err, errBroken) {
		t.Errorf("%v", err)
	}
	if m, err := p.Make(t.Context(), bytes.NewReader(b[:len(b)-5<<20]), int64(len(b)-5<<20), "video/mp4"); err != nil || !m.Shown || p.KillIdle() != 1 {
		t.Errorf("afterwards: %+v %v", m.Info, err)
	}
	none := media.NewPool(media.PoolOptions{Program: "/does/not/exist", Workers: 1, Limits: limits(), Clock: im.SystemClock{}, Log: slog.New(slog.DiscardHandler)})
	if _, err := none.Make(t.Context(), bytes.NewReader(b), int64(len(b)), "image/jpeg"); im.CodeOf(err) != im.Unavailable {
		t.Errorf("a child that can not be started: %v", err)
	}
}
