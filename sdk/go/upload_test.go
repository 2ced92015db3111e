package skein_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	skein "github.com/skein-im/skein/sdk/go"
	"github.com/skein-im/skein/sdk/go/sqlitestore"
)

const mib = 1 << 20

func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(seed)}).Read(b)
	return b
}

// gate is a file that is read up to a place, and no further until it is opened.
type gate struct {
	b      []byte
	at     int64
	shut   atomic.Bool
	first  sync.Once
	opened chan struct{}
	there  chan struct{} // closed when somebody waits at the place
}

func newGate(b []byte, at int) *gate {
	return &gate{b: b, at: int64(at), opened: make(chan struct{}), there: make(chan struct{})}
}

// ReadAt implements io.ReaderAt. The first reading of the file is for its hash.
func (g *gate) ReadAt(p []byte, off int64) (int, error) {
	if g.shut.Load() && off+int64(len(p)) > g.at {
		g.first.Do(func() { close(g.there) })
		<-g.opened
	}
	n := copy(p, g.b[off:])
	if off+int64(n) == int64(len(g.b)) {
		g.shut.Store(true)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (g *gate) upload(name string) skein.Upload {
	return skein.Upload{Reader: g, Size: int64(len(g.b)), Name: name}
}

// wire is a network that a test looks into: fn answers a request in place of
// the server, unless it gives nil.
type wire struct {
	*http.Transport
	fn func(r *http.Request) (*http.Response, error)
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if resp, err := w.fn(r); resp != nil || err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return resp, err
	}
	return w.Transport.RoundTrip(r)
}

func through(t *testing.T, fn func(r *http.Request) (*http.Response, error)) func(*skein.Options) {
	w := &wire{http.DefaultTransport.(*http.Transport).Clone(), fn}
	t.Cleanup(w.CloseIdleConnections)
	return func(o *skein.Options) { o.HTTPClient = &http.Client{Transport: w} }
}

func answer(r *http.Request, status int, header ...string) *http.Response {
	resp := &http.Response{StatusCode: status, Status: fmt.Sprint(status), Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")), Request: r, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	for i := 0; i < len(header); i += 2 {
		resp.Header.Set(header[i], header[i+1])
	}
	return resp
}

func uploads(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/v1/uploads/") }

// within waits for a channel to be closed.
func within(t *testing.T, what string, ch <-chan struct{}) {
	t.Helper()
	select {
	case <-ch:
	case <-soon(t).Done():
		t.Fatalf("it did not come to: %s", what)
	}
}

// reads holds what a user reads of a message's file to its bytes.
func reads(t *testing.T, c *skein.Client, m skein.Message, i int, want []byte) {
	t.Helper()
	r, err := c.Files().Open(soon(t), m, m.Attachments[i], skein.FileOptions{})
	must(t, err)
	defer r.Close()
	got, err := io.ReadAll(r)
	must(t, err)
	if !bytes.Equal(got, want) || r.Size() != int64(len(want)) {
		t.Errorf("%s reads %d bytes of %d, or other ones", c.UserID(), len(got), len(want))
	}
}

// only is the one message of a conversation.
func only(t *testing.T, c *skein.Client, v *skein.Conversation) (m skein.Message) {
	t.Helper()
	until(t, c, "one message with files", func() bool {
		list, err := v.Messages(soon(t), 10)
		must(t, err)
		if len(list) > 1 {
			t.Fatalf("%d messages", len(list))
		}
		if len(list) == 1 {
			m = list[0]
		}
		return len(list) == 1 && m.State == skein.Sent
	})
	return m
}

func TestFilesGoWithTheirMessage(t *testing.T) {
	s := serve(t)
	a, b := s.connected("alice"), s.connected("bob")
	dir := t.TempDir()
	plan, film, poster := noise(1, 70_000), noise(2, 3*mib), noise(3, 9000)
	must(t, os.WriteFile(filepath.Join(dir, "plan.txt"), plan, 0o600))
	wave := []byte{0, 128, 255}
	var states []skein.TransferState
	var last skein.Transfer
	told := make(chan struct{})
	m, err := a.With("bob").Send(soon(t), skein.Outgoing{Text: "look", ReplyTo: 0, Files: []skein.Upload{
		{Path: filepath.Join(dir, "plan.txt")},
		{Reader: bytes.NewReader(film), Size: int64(len(film)), Name: "../film.mp4", Width: 640, Height: 360, Duration: 3 * time.Second,
			Poster: &skein.Upload{Reader: bytes.NewReader(poster), Size: int64(len(poster)), Name: "poster.jpg"}},
		{Reader: strings.NewReader("sound"), Size: 5, Name: "memo.webm", Voice: true, Waveform: wave},
		{Reader: strings.NewReader(""), Name: "nothing"},
	}, OnProgress: func(tr skein.Transfer) {
		if len(states) == 0 || states[len(states)-1] != tr.State {
			states = append(states, tr.State)
		}
		if last = tr; tr.State == skein.TransferSent {
			close(told)
		}
	}})
	must(t, err)
	within(t, "the last of the progress", told)
	size := int64(len(plan) + len(film) + len(poster) + 5)
	if states[0] != skein.TransferWaiting && states[0] != skein.TransferUploading || last.Size != size || last.Sent != size || last.ID != m.ID || len(last.Items) != 4 || last.Caption != "look" {
		t.Errorf("it was told %v, and at last %+v", states, last)
	}
	if len(a.Uploads()) != 0 {
		t.Errorf("on their way: %+v", a.Uploads())
	}
	got := only(t, b, b.With("alice"))
	if got.ID != m.ID || got.Text != "look" || len(got.Attachments) != 4 {
		t.Fatalf("bob has %+v", got)
	}
	for i, want := range [][]byte{plan, film, []byte("sound"), nil} {
		sum := sha256.Sum256(want)
		if at := got.Attachments[i]; at.Size != uint64(len(want)) || !bytes.Equal(at.SHA256, sum[:]) || at.File == "" {
			t.Errorf("attachment %d: %+v", i, at)
		}
		reads(t, b, got, i, want)
	}
	at := got.Attachments
	if at[0].Name != "plan.txt" || at[0].MIME != "text/plain" || at[1].Name != "film.mp4" || at[1].Width != 640 || at[1].Duration != 3*time.Second ||
		at[1].Poster == "" || !at[2].Voice || !bytes.Equal(at[2].Waveform, wave) {
		t.Errorf("bob has %+v", at)
	}
	r, err := b.Files().Open(soon(t), got, at[1], skein.FileOptions{Poster: true})
	must(t, err)
	defer r.Close()
	if p, err := io.ReadAll(r); err != nil || !bytes.Equal(p, poster) {
		t.Errorf("the poster has %d bytes, %v", len(p), err)
	}
	own, err := a.Files().Get(soon(t), at[0].File)
	if err != nil || own.Name != "plan.txt" || own.Attachment.File != own.ID {
		t.Errorf("alice's file: %+v %v", own, err)
	}
	if _, err := b.Files().Get(soon(t), at[0].File); skein.CodeOf(err) != skein.NotFound {
		t.Errorf("bob asks for alice's file: %v", err)
	}
}

func TestAnUploadOutlivesAKilledServer(t *testing.T) {
	s := serve(t)
	var sent atomic.Int64
	a, b := s.connected("alice", through(t, func(r *http.Request) (*http.Response, error) {
		if uploads(r) && r.Body != nil {
			r.Body = &counting{r.Body, &sent}
		}
		return nil, nil
	})), s.connected("bob")
	body := noise(4, 40*mib)
	g := newGate(body, 25*mib)
	m, err := a.With("bob").Enqueue(soon(t), skein.Outgoing{Text: "film", Files: []skein.Upload{g.upload("film.bin")}})
	must(t, err)
	if m.State != skein.Sending || m.Kind != skein.KindAttachments || m.Attachments[0].Name != "film.bin" || m.Text != "film" {
		t.Errorf("its echo: %+v", m)
	}
	within(t, "25 MiB", g.there)
	s.kill()
	close(g.opened)
	until(t, a, "that it waits for the network", func() bool {
		list := a.Uploads()
		return len(list) == 1 && list[0].Offline && list[0].State == skein.TransferWaiting && list[0].ID == m.ID
	})
	s.start()
	a.Online()
	got := only(t, b, b.With("alice"))
	if got.ID != m.ID {
		t.Errorf("bob has %+v", got)
	}
	reads(t, b, got, 0, body)
	// One part, which is 8 MiB, and what the network held.
	if again := sent.Load() - int64(len(body)); again > 13*mib {
		t.Errorf("%d bytes were sent again", again)
	}
}

type counting struct {
	io.ReadCloser
	n *atomic.Int64
}

func (c *counting) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	c.n.Add(int64(n))
	return n, err
}

// childOf names what the process of a killed client needs.
const childOf = "SKEIN_SDK_TEST_CHILD"

// TestMain of this package runs this in place of the tests: a program that
// sends a file and is killed when it has sent a part of it.
func uploadAsChild(addr string) error {
	args := strings.Split(os.Getenv(childOf), "\n")
	store, err := sqlitestore.Open(args[0])
	if err != nil {
		return err
	}
	s := &server{addr: addr}
	var sent atomic.Int64
	w := &wire{http.DefaultTransport.(*http.Transport).Clone(), nil}
	w.fn = func(r *http.Request) (*http.Response, error) {
		if uploads(r) && r.Method == http.MethodPatch {
			r.Body = &stuck{r.Body, &sent}
		}
		return nil, nil
	}
	c, err := skein.New(skein.Options{Endpoint: "http://" + addr, AppID: "demo", User: "alice", Token: s.token("alice"), Store: store, HTTPClient: &http.Client{Transport: w}})
	if err != nil {
		return err
	}
	if err := c.Connect(context.Background()); err != nil {
		return err
	}
	if len(c.Uploads()) > 0 { // of the process before
		select {}
	}
	_, err = c.With("bob").Send(context.Background(), skein.Outgoing{Text: "from a process", Files: []skein.Upload{{Path: args[1]}}})
	return err
}

// stuck lets 20 MiB pass in a process, says so, and waits to be killed.
type stuck struct {
	io.ReadCloser
	n *atomic.Int64
}

func (s *stuck) Read(b []byte) (int, error) {
	if s.n.Load() > 20*mib {
		fmt.Println("stuck")
		select {}
	}
	n, err := s.ReadCloser.Read(b)
	s.n.Add(int64(n))
	return n, err
}

func TestAnUploadOutlivesKilledClients(t *testing.T) {
	s := serve(t)
	dir := t.TempDir()
	body := noise(5, 60*mib)
	db, path := filepath.Join(dir, "alice.db"), filepath.Join(dir, "film.bin")
	must(t, os.WriteFile(path, body, 0o600))
	for range 2 {
		cmd := exec.Command(os.Args[0], s.addr)
		cmd.Env = append(os.Environ(), childOf+"="+db+"\n"+path)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		line, err := bufio.NewReader(out).ReadString('\n')
		must(t, errors.Join(err, cmd.Process.Kill()))
		_ = cmd.Wait()
		if line != "stuck\n" {
			t.Fatalf("it said %q", line)
		}
	}
	store, err := sqlitestore.Open(db)
	must(t, err)
	defer store.Close()
	var begun atomic.Int64
	a := s.client("alice", func(o *skein.Options) { o.Store = store }, through(t, func(r *http.Request) (*http.Response, error) {
		if uploads(r) && r.Method == http.MethodPost {
			begun.Add(1)
		}
		return nil, nil
	}))
	defer a.Close()
	list := a.Uploads()
	if len(list) != 1 || list[0].Items[0].Path != path || list[0].State != skein.TransferWaiting {
		t.Fatalf("after the restart: %+v", list)
	}
	must(t, a.Connect(soon(t)))
	b := s.connected("bob")
	got := only(t, b, b.With("alice"))
	if got.ID != list[0].ID || got.Text != "from a process" {
		t.Errorf("bob has %+v", got)
	}
	reads(t, b, got, 0, body)
	if begun.Load() != 0 {
		t.Errorf("the upload was begun anew %d times", begun.Load())
	}
}

func TestWhatTheServerSaysOfAnUploadIsObeyed(t *testing.T) {
	s := serve(t)
	b := s.connected("bob")
	body := noise(7, 3*mib)
	for name, try := range map[string]struct {
		fn   func(r *http.Request, n int) *http.Response // n counts the requests of this method
		want skein.Code
		seen string // methods in order, without repetitions
	}{
		"the upload stands elsewhere": {fn: func(r *http.Request, n int) *http.Response {
			if r.Method == http.MethodPatch && n == 1 {
				return answer(r, 409, "Skein-Error", "FAILED_PRECONDITION")
			}
			return nil
		}, seen: "POST PATCH HEAD PATCH"},
		"the upload is forgotten": {fn: func(r *http.Request, n int) *http.Response {
			if r.Method == http.MethodPatch && n == 1 {
				return answer(r, 503)
			}
			if r.Method == http.MethodHead && n == 1 {
				return answer(r, 410)
			}
			return nil
		}, seen: "POST PATCH HEAD POST PATCH"},
		"another holds it": {fn: func(r *http.Request, n int) *http.Response {
			if r.Method == http.MethodPatch && n == 1 {
				return answer(r, 423)
			}
			return nil
		}, seen: "POST PATCH HEAD PATCH"},
		"it is forgotten on its way": {fn: func(r *http.Request, n int) *http.Response {
			if r.Method == http.MethodPatch && n == 1 || r.Method == http.MethodHead && n == 1 {
				return answer(r, 404, "Skein-Error", "NOT_FOUND")
			}
			return nil
		}, seen: "POST PATCH HEAD POST PATCH"},
		"it is forgotten again and again": {fn: func(r *http.Request, n int) *http.Response {
			if r.Method == http.MethodPatch || r.Method == http.MethodHead {
				return answer(r, 404, "Skein-Error", "NOT_FOUND")
			}
			return nil
		}, want: skein.NotFound, seen: "POST PATCH HEAD POST PATCH HEAD POST PATCH HEAD POST PATCH HEAD"},
		"a proxy lets a megabyte pass": {fn: func(r *http.Request, n int) *http.Response {
			if r.Method == http.MethodPatch && r.ContentLength > mib {
				return answer(r, 413)
			}
			return nil
		}, seen: "POST PATCH HEAD PATCH HEAD PATCH HEAD PATCH"},
		"the token has expired": {fn: func(r *http.Request, n int) *http.Response {
			if r.Method == http.MethodPost && n == 1 {
				return answer(r, 401, "Skein-Error", "TOKEN_EXPIRED")
			}
			return nil
		}, seen: "POST PATCH"},
		"an answer is lost": {fn: func(r *http.Request, n int) *http.Response {
			if r.Method == http.MethodPost && n == 1 {
				return answer(r, 502)
			}
			return nil
		}, seen: "POST PATCH"},
		"a defect for a while": {fn: func(r *http.Request, n int) *http.Response {
			if r.Method == http.MethodPatch && n < 3 {
				return answer(r, 500)
			}
			return nil
		}, seen: "POST PATCH HEAD PATCH HEAD PATCH"},
		"a quota is used up": {fn: func(r *http.Request, n int) *http.Response {
			if r.Method == http.MethodPost {
				return answer(r, 507, "Skein-Error", "RESOURCE_EXHAUSTED", "Retry-After", "36000")
			}
			return nil
		}, want: skein.ResourceExhausted, seen: "POST"},
		"it is too large": {fn: func(r *http.Request, n int) *http.Response {
			if r.Method == http.MethodPost {
				return answer(r, 413, "Skein-Error", "TOO_LARGE")
			}
			return nil
		}, want: skein.TooLarge, seen: "POST"},
		"it may not": {fn: func(r *http.Request, n int) *http.Response {
			if r.Method == http.MethodPost {
				return answer(r, 403, "Skein-Error", "PERMISSION_DENIED")
			}
			return nil
		}, want: skein.PermissionDenied, seen: "POST"},
		"the bytes are others": {fn: func(r *http.Request, n int) *http.Response {
			if r.Method == http.MethodPatch {
				return answer(r, 400, "Skein-Error", "INVALID_ARGUMENT")
			}
			return nil
		}, want: skein.InvalidArgument, seen: "POST PATCH"},
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var seen []string
			count := map[string]int{}
			user := strings.ReplaceAll(name, " ", "-")
			a := s.connected(user, through(t, func(r *http.Request) (*http.Response, error) {
				if !uploads(r) {
					return nil, nil
				}
				mu.Lock()
				defer mu.Unlock()
				count[r.Method]++
				if len(seen) == 0 || seen[len(seen)-1] != r.Method {
					seen = append(seen, r.Method)
				}
				return try.fn(r, count[r.Method]), nil
			}))
			v := a.With("bob")
			m, err := v.Send(soon(t), skein.Outgoing{Files: []skein.Upload{{Reader: bytes.NewReader(body), Size: int64(len(body)), Name: "x.bin"}}})
			if skein.CodeOf(err) != try.want {
				t.Fatalf("Send said %v, want %q", err, try.want)
			}
			mu.Lock()
			got := strings.Join(seen, " ")
			mu.Unlock()
			if got != try.seen {
				t.Errorf("it did %s, want %s", got, try.seen)
			}
			if try.want == "" {
				reads(t, b, only(t, b, b.With(user)), 0, body)
				return
			}
			// Not lost: it waits for the user.
			tr := a.Uploads()
			if m.State != skein.Failed || len(tr) != 1 || tr[0].State != skein.TransferFailed || tr[0].Err.Code != try.want {
				t.Errorf("it stands at %+v, %+v", m, tr)
			}
			mu.Lock()
			try.fn = func(*http.Request, int) *http.Response { return nil }
			mu.Unlock()
			_, err = v.Retry(soon(t), m)
			must(t, err)
			reads(t, b, only(t, b, b.With(user)), 0, body)
		})
	}
}

func TestAFileThatWasChangedMeanwhileIsNotSent(t *testing.T) {
	s := serve(t)
	a := s.client("alice")
	path := filepath.Join(t.TempDir(), "notes.txt")
	must(t, os.WriteFile(path, []byte("as it was"), 0o600))
	_, err := a.With("bob").Enqueue(soon(t), skein.Outgoing{Files: []skein.Upload{{Path: path}}})
	must(t, err)
	must(t, os.WriteFile(path, []byte("as it is"), 0o600))
	must(t, a.Connect(soon(t)))
	until(t, a, "the failure", func() bool {
		list := a.Uploads()
		return len(list) == 1 && list[0].State == skein.TransferFailed && list[0].Err.Code == skein.FailedPrecondition
	})
	for what, o := range map[string]skein.Outgoing{
		"a file that is not there":   {Files: []skein.Upload{{Path: path + "x"}}},
		"a folder":                   {Files: []skein.Upload{{Path: filepath.Dir(path)}}},
		"neither path nor reader":    {Files: []skein.Upload{{Name: "x"}}},
		"both":                       {Files: []skein.Upload{{Path: path, Reader: strings.NewReader("")}}},
		"a negative size":            {Files: []skein.Upload{{Reader: strings.NewReader(""), Size: -1}}},
		"too many":                   {Files: make([]skein.Upload, 21)},
		"a bad poster":               {Files: []skein.Upload{{Path: path, Poster: &skein.Upload{}}}},
		"files and a sticker":        {Files: []skein.Upload{{Path: path}}, Sticker: &skein.Sticker{Pack: "p", ID: "i", Alt: "a"}},
		"files and attachments":      {Files: []skein.Upload{{Path: path}}, Attachments: []skein.Attachment{{Name: "x"}}},
		"a recording without an end": {Files: []skein.Upload{{Path: path, Duration: 32 * 24 * time.Hour}}},
	} {
		if _, err := a.With("bob").Enqueue(soon(t), o); skein.CodeOf(err) != skein.InvalidArgument {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := a.With("bob").Schedule(soon(t), skein.Outgoing{Files: []skein.Upload{{Path: path}}}, time.Now().Add(time.Hour)); skein.CodeOf(err) != skein.InvalidArgument {
		t.Errorf("a schedule with files: %v", err)
	}
}

func TestThreeFilesAtATimeAndLittleMemory(t *testing.T) {
	s := serve(t)
	var now, most atomic.Int64
	a := s.connected("alice", through(t, func(r *http.Request) (*http.Response, error) {
		if uploads(r) && r.Method == http.MethodPatch {
			most.Store(max(most.Load(), now.Add(1)))
			r.Body = &closing{r.Body, sync.OnceFunc(func() { now.Add(-1) })}
		}
		return nil, nil
	}))
	var files []skein.Upload
	for i := range 8 {
		files = append(files, skein.Upload{Reader: zeros{}, Size: 40*mib + int64(i), Name: fmt.Sprint("zeros", i)})
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	m, err := a.With("bob").Send(soon(t), skein.Outgoing{Files: files})
	must(t, err)
	runtime.ReadMemStats(&after)
	if len(m.Attachments) != 8 || most.Load() > 3 || most.Load() < 2 {
		t.Errorf("%d attachments, %d at a time", len(m.Attachments), most.Load())
	}
	if grown := int64(after.TotalAlloc - before.TotalAlloc); grown > 40*mib {
		t.Errorf("%d bytes were allocated for 320 MiB", grown)
	}
}

type zeros struct{}

func (zeros) ReadAt(b []byte, _ int64) (int, error) {
	clear(b)
	return len(b), nil
}

type closing struct {
	io.ReadCloser
	fn func()
}

func (c *closing) Close() error {
	c.fn()
	return c.ReadCloser.Close()
}

func TestAForwardedFileIsNotUploadedAgain(t *testing.T) {
	s := serve(t)
	var begun atomic.Int64
	count := through(t, func(r *http.Request) (*http.Response, error) {
		if uploads(r) {
			begun.Add(1)
		}
		return nil, nil
	})
	a, b, c := s.connected("alice"), s.connected("bob", count), s.connected("carol")
	_, err := a.With("bob").Send(soon(t), skein.Outgoing{Files: []skein.Upload{{Reader: strings.NewReader("a plan"), Size: 6, Name: "plan.txt"}}})
	must(t, err)
	got := only(t, b, b.With("alice"))
	_, err = b.With("carol").Forward(soon(t), skein.Forward{Messages: []skein.Message{got}})
	must(t, err)
	on := only(t, c, c.With("bob"))
	reads(t, c, on, 0, []byte("a plan"))
	if on.Attachments[0].File != got.Attachments[0].File || on.Forwarded == nil || begun.Load() != 0 {
		t.Errorf("carol has %+v after %d requests of uploads", on, begun.Load())
	}
	// As its own, without the message, it is not hers to read nor to send.
	if _, err := c.Files().Open(soon(t), skein.Message{}, on.Attachments[0], skein.FileOptions{}); skein.CodeOf(err) != skein.NotFound {
		t.Errorf("carol opens it as her own: %v", err)
	}
	if _, err := c.With("dave").Send(soon(t), skein.Outgoing{Attachments: on.Attachments}); skein.CodeOf(err) != skein.FailedPrecondition {
		t.Errorf("carol sends it as her own: %v", err)
	}
	// Merged with others it is read by what merges it.
	m, err := b.With("carol").Forward(soon(t), skein.Forward{Messages: []skein.Message{got}, Merged: true, Title: "Plans"})
	must(t, err)
	if len(m) != 1 {
		t.Fatalf("%d messages", len(m))
	}
	inside := m[0].Merged.Items[0].Content.Attachments[0]
	r, err := c.Files().Open(soon(t), m[0], inside, skein.FileOptions{})
	must(t, err)
	must(t, r.Close())
}

func TestAnUploadWithoutAMessageGoesIntoWhatIsScheduled(t *testing.T) {
	s := serve(t)
	a, b := s.connected("alice"), s.connected("bob")
	var got []int64
	at, err := a.Upload(soon(t), skein.Upload{Reader: strings.NewReader("later"), Size: 5, Name: "later.txt"}, func(sent, size int64) { got = append(got, sent, size) })
	must(t, err)
	if at.File == "" || at.Size != 5 || !slices.Contains(got, 5) {
		t.Errorf("%+v, %v", at, got)
	}
	plan, err := a.With("bob").Schedule(soon(t), skein.Outgoing{Attachments: []skein.Attachment{at}, Text: "at last"}, time.Now().Add(time.Hour))
	must(t, err)
	_, err = a.SendScheduledNow(soon(t), plan)
	must(t, err)
	reads(t, b, only(t, b, b.With("alice")), 0, []byte("later"))

	g := newGate(noise(9, 3*mib), mib)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-g.there; cancel(); close(g.opened) }()
	if _, err := a.Upload(ctx, g.upload("x"), nil); skein.CodeOf(err) != skein.Aborted {
		t.Errorf("an upload that was given up: %v", err)
	}
}

func TestAFileThatTheServerForgotBeforeItsMessageCameIsUploadedAgain(t *testing.T) {
	s := serve(t)
	var begun atomic.Int64
	a, b := s.connected("alice", through(t, func(r *http.Request) (*http.Response, error) {
		if uploads(r) && r.Method == http.MethodPost {
			begun.Add(1)
		}
		return nil, nil
	})), s.connected("bob")
	first, second := noise(14, 5000), noise(15, 3*mib)
	g := newGate(second, mib)
	m, err := a.With("bob").Enqueue(soon(t), skein.Outgoing{Text: "both", Files: []skein.Upload{
		{Reader: bytes.NewReader(first), Size: int64(len(first)), Name: "first.bin"}, g.upload("second.bin")}})
	must(t, err)
	within(t, "1 MiB", g.there)
	until(t, a, "the first file", func() bool { return a.Uploads()[0].Items[0].Sent == int64(len(first)) })

	// As the collector does, after a day.
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.data, "skein.db")+"?_pragma=busy_timeout(5000)")
	must(t, err)
	defer db.Close()
	until(t, a, "the file's row", func() bool {
		gone, err := db.Exec("DELETE FROM file WHERE name = 'first.bin'")
		must(t, err)
		n, err := gone.RowsAffected()
		must(t, err)
		return n == 1
	})
	_, err = db.Exec("DELETE FROM file_upload WHERE name = 'first.bin'")
	must(t, err)
	_, err = db.Exec("DELETE FROM file_bytes WHERE size = 5000")
	must(t, err)
	close(g.opened)
	got := only(t, b, b.With("alice"))
	if got.ID != m.ID || begun.Load() != 3 {
		t.Errorf("bob has %+v after %d uploads", got, begun.Load())
	}
	reads(t, b, got, 0, first)
	reads(t, b, got, 1, second)
}

// hasty is a clock on which a quarter of a minute is over at once: that is how
// often a request is looked at.
type hasty struct{ skein.SystemClock }

func (h hasty) AfterFunc(d time.Duration, f func()) func() {
	if d == 15*time.Second {
		d = 10 * time.Millisecond
	}
	return h.SystemClock.AfterFunc(d, f)
}

func TestARequestThatBringsNothingIsEnded(t *testing.T) {
	s := serve(t)
	var hung atomic.Int64
	a := s.connected("alice", func(o *skein.Options) { o.Clock = hasty{} }, through(t, func(r *http.Request) (*http.Response, error) {
		if uploads(r) && r.Method == http.MethodPatch && hung.Add(1) == 1 {
			<-r.Context().Done() // a network that says nothing
			return nil, r.Context().Err()
		}
		return nil, nil
	}))
	m, err := a.With("bob").Send(soon(t), skein.Outgoing{Files: []skein.Upload{{Reader: strings.NewReader("words"), Size: 5, Name: "x.txt"}}})
	must(t, err)
	reads(t, a, m, 0, []byte("words"))
	if hung.Load() < 2 {
		t.Errorf("%d requests", hung.Load())
	}
}
