package skein_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	skein "github.com/skein-im/skein/sdk/go"
)

// breaking is a body that breaks off after some bytes.
type breaking struct {
	io.ReadCloser
	left int
}

func (b *breaking) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errors.New("the cable was cut")
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// cutAfter breaks every answer of a file off after n bytes, while it may.
type cutAfter struct {
	http.RoundTripper
	n     int
	times atomic.Int64
	gets  atomic.Int64
}

func (c *cutAfter) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.RoundTripper.RoundTrip(r)
	if err == nil && strings.HasPrefix(r.URL.Path, "/v1/files/") {
		c.gets.Add(1)
		if c.times.Add(-1) >= 0 {
			resp.Body = &breaking{resp.Body, c.n}
		}
	}
	return resp, err
}

func TestAFileIsReadOverLostConnectionsAndFromAnyPlace(t *testing.T) {
	s := serve(t)
	base := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(base.CloseIdleConnections)
	cut := &cutAfter{RoundTripper: base, n: 1 << 20}
	a, b := s.connected("alice"), s.connected("bob", func(o *skein.Options) { o.HTTPClient = &http.Client{Transport: cut} })
	body := noise(11, 5*mib)
	_, err := a.With("bob").Send(soon(t), skein.Outgoing{Files: []skein.Upload{{Reader: bytes.NewReader(body), Size: int64(len(body)), Name: "x.bin"}}})
	must(t, err)
	m := only(t, b, b.With("alice"))
	at := m.Attachments[0]

	cut.times.Store(3)
	reads(t, b, m, 0, body)
	if n := cut.gets.Load(); n != 4 {
		t.Errorf("%d requests", n)
	}
	r, err := b.Files().Open(soon(t), m, at, skein.FileOptions{})
	must(t, err)
	for _, from := range []int64{4 * mib, 17, int64(len(body)) - 3} {
		_, err = r.Seek(from, io.SeekStart)
		must(t, err)
		p := make([]byte, 3)
		if _, err := io.ReadFull(r, p); err != nil || !bytes.Equal(p, body[from:from+3]) {
			t.Errorf("from %d: %x %v", from, p, err)
		}
	}
	if _, err := r.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("behind the end: %v", err)
	}
	if _, err := r.Seek(-1, io.SeekStart); skein.CodeOf(err) != skein.InvalidArgument {
		t.Errorf("before the beginning: %v", err)
	}
	must(t, r.Close())

	// A URL is good for who has no header to send; its key is kept.
	where, err := b.Files().URL(soon(t), m, at, skein.FileOptions{Save: true})
	must(t, err)
	again, err := b.Files().URL(soon(t), m, at, skein.FileOptions{Save: true})
	if err != nil || again != where || !strings.Contains(where, "&d=1") && !strings.Contains(where, "?d=1") && !strings.Contains(where, "d=1") {
		t.Errorf("%s, and then %s, %v", where, again, err)
	}
	resp, err := (&http.Client{Transport: base}).Get(where)
	must(t, err)
	got, err := io.ReadAll(resp.Body)
	must(t, errors.Join(err, resp.Body.Close()))
	if !bytes.Equal(got, body) {
		t.Errorf("by URL %s, %d bytes", resp.Status, len(got))
	}
	if _, err := b.Files().URL(soon(t), m, skein.Attachment{URL: "https://example.com/x"}, skein.FileOptions{}); skein.CodeOf(err) != skein.FailedPrecondition {
		t.Errorf("a file that lies elsewhere: %v", err)
	}

	// Who recalls the message takes the file back.
	must(t, a.With("bob").Recall(soon(t), m))
	if _, err := b.Files().Open(soon(t), m, at, skein.FileOptions{}); skein.CodeOf(err) != skein.NotFound {
		t.Errorf("after the recall: %v", err)
	}
}

func TestADownloadGoesOnWhereItStoppedAndIsCompared(t *testing.T) {
	s := serve(t)
	base := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(base.CloseIdleConnections)
	var from atomic.Value
	look := &wire{base, func(r *http.Request) (*http.Response, error) {
		if strings.HasPrefix(r.URL.Path, "/v1/files/") {
			from.Store(r.Header.Get("Range"))
		}
		return nil, nil
	}}
	a, b := s.connected("alice"), s.connected("bob", func(o *skein.Options) { o.HTTPClient = &http.Client{Transport: look} })
	body := noise(12, 5*mib)
	_, err := a.With("bob").Send(soon(t), skein.Outgoing{Files: []skein.Upload{{Reader: bytes.NewReader(body), Size: int64(len(body)), Name: "x.bin"}}})
	must(t, err)
	m := only(t, b, b.With("alice"))
	at := m.Attachments[0]
	path := filepath.Join(t.TempDir(), "saved.bin")
	part := path + "." + at.File + ".part"
	whole := func() {
		t.Helper()
		got, err := os.ReadFile(path)
		must(t, err)
		if _, err := os.Stat(part); !bytes.Equal(got, body) || !os.IsNotExist(err) {
			t.Errorf("%d bytes were saved, and beside them: %v", len(got), err)
		}
		must(t, os.Remove(path))
	}
	var last [2]int64
	must(t, b.Files().Download(soon(t), m, at, path, skein.FileOptions{OnProgress: func(got, size int64) { last = [2]int64{got, size} }}))
	whole()
	if last != [2]int64{5 * mib, 5 * mib} {
		t.Errorf("it was told %v", last)
	}
	// Another process had two thirds of it, or all and no time to say so.
	for have, want := range map[int]string{3_000_000: "bytes=3000000-", len(body): "bytes=5242880-"} {
		must(t, os.WriteFile(part, body[:have], 0o600))
		must(t, b.Files().Download(soon(t), m, at, path, skein.FileOptions{}))
		whole()
		if from.Load() != want {
			t.Errorf("with %d bytes it asked for %v", have, from.Load())
		}
	}
	// What lay there is something else, or longer than the file.
	must(t, os.WriteFile(part, noise(13, 3_000_000), 0o600))
	if err := b.Files().Download(soon(t), m, at, path, skein.FileOptions{}); skein.CodeOf(err) != skein.DataLoss {
		t.Errorf("other bytes: %v", err)
	}
	must(t, os.WriteFile(part, noise(13, 6*mib), 0o600))
	must(t, b.Files().Download(soon(t), m, at, path, skein.FileOptions{}))
	whole()
	if err := b.Files().Download(soon(t), m, at, filepath.Join(path, "nowhere", "x"), skein.FileOptions{}); skein.CodeOf(err) != skein.FailedPrecondition {
		t.Errorf("no such folder: %v", err)
	}
}
