package script

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	skein "github.com/skein-im/skein/sdk/go"
)

// goFiles is a device's network, which counts its uploads and can hold them up,
// and the folder of what it uploads.
type goFiles struct {
	*http.Transport
	dir string

	mu    sync.Mutex // guards the rest
	held  chan struct{}
	begun int
	files int
}

func newGoFiles(dir string) *goFiles {
	return &goFiles{Transport: http.DefaultTransport.(*http.Transport).Clone(), dir: dir}
}

// RoundTrip implements http.RoundTripper.
func (f *goFiles) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasPrefix(r.URL.Path, "/v1/uploads/") {
		f.mu.Lock()
		held := f.held
		if r.Method == http.MethodPost {
			f.begun++
		}
		f.mu.Unlock()
		if held != nil && r.Method == http.MethodPatch {
			select {
			case <-held:
			case <-r.Context().Done():
				_ = r.Body.Close()
				return nil, r.Context().Err()
			}
		}
	}
	return f.Transport.RoundTrip(r)
}

func (f *goFiles) hold(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.held != nil {
		close(f.held)
		f.held = nil
	}
	if on {
		f.held = make(chan struct{})
	}
}

// goFile is a file of a command.
type goFile struct {
	Name, Mime string
	Text       *string
	Size       int
	Voice      bool
	Poster     string
}

func (g goFile) bytes() []byte {
	if g.Text != nil {
		return []byte(*g.Text)
	}
	return pattern(g.Size)
}

// upload writes a file of a command to the disk.
func (f *goFiles) upload(g goFile) (skein.Upload, error) {
	f.mu.Lock()
	f.files++
	path := filepath.Join(f.dir, strconv.Itoa(f.files))
	f.mu.Unlock()
	u := skein.Upload{Path: path, Name: g.Name, MIME: g.Mime}
	if g.Voice {
		u.Voice, u.Waveform, u.Duration = true, pattern(64), 1500*time.Millisecond
	}
	if g.Poster != "" {
		p, err := f.upload(goFile{Name: "poster.jpg", Mime: "image/jpeg", Text: &g.Poster})
		if err != nil {
			return u, err
		}
		u.Poster = &p
	}
	return u, os.WriteFile(path, g.bytes(), 0o600)
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i % 251)
	}
	return b
}

var filesGoVerbs = map[string]goVerb{
	"sendFiles": func(ctx context.Context, d *goDriver, c *skein.Client, cmd Command) (any, error) {
		var data struct {
			Files []goFile
			Post  bool
		}
		if err := again(cmd.Data, &data); err != nil {
			return nil, err
		}
		conv := c.Conversation(cmd.Conversation)
		o, err := d.outgoing(ctx, conv, cmd)
		if err != nil {
			return nil, err
		}
		for _, g := range data.Files {
			u, err := d.files.upload(g)
			if err != nil {
				return nil, err
			}
			o.Files = append(o.Files, u)
		}
		send := conv.Send
		if data.Post {
			send = conv.Enqueue
		}
		m, err := send(ctx, o)
		return goMessage(m), err
	},
	"transfers": func(_ context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
		out := []string{}
		for _, t := range c.Uploads() {
			if cmd.Conversation != "" && t.Conversation != cmd.Conversation {
				continue
			}
			line := string(t.State)
			for _, it := range t.Items {
				line += " " + it.Name
			}
			if t.Err != nil {
				line += " " + string(t.Err.Code)
			}
			out = append(out, line)
		}
		return out, nil
	},
	"tendTransfer": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
		for _, t := range c.Uploads() {
			if t.ID != cmd.Message {
				continue
			}
			switch cmd.Data["do"] {
			case "pause":
				return nil, t.Pause(ctx)
			case "resume", "retry":
				return nil, t.Resume(ctx)
			case "cancel":
				return nil, t.Cancel(ctx)
			}
		}
		return nil, fmt.Errorf("no transfer %s, or nothing to do with it", cmd.Message)
	},
	"holdFiles": func(_ context.Context, d *goDriver, _ *skein.Client, cmd Command) (any, error) {
		d.files.hold(!cmd.Remove)
		return nil, nil
	},
	"recaption": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
		m, err := goNewest(ctx, c, cmd)
		if err != nil {
			return nil, err
		}
		return nil, c.Conversation(cmd.Conversation).Edit(ctx, m, skein.Outgoing{Attachments: m.Attachments, Text: cmd.Text})
	},
	"files": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
		m, err := goNewest(ctx, c, cmd)
		out := []string{}
		for _, a := range m.Attachments {
			out = append(out, attachmentLine(a))
		}
		return out, err
	},
	"fileOf": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
		m, at, err := goAttachment(ctx, c, cmd)
		return map[string]any{"file": at.File, "poster": at.Poster, "seq": m.Seq}, err
	},
	"readFile": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
		var data struct {
			File, Size, Range string
			Seq               uint64
			Save, Poster      bool
		}
		if err := again(cmd.Data, &data); err != nil {
			return nil, err
		}
		m, at := skein.Message{Conversation: cmd.Conversation, Seq: data.Seq}, skein.Attachment{File: data.File}
		if data.File == "" {
			var err error
			if m, at, err = goAttachment(ctx, c, cmd); err != nil {
				return nil, err
			}
		}
		url, err := c.Files().URL(ctx, m, at, skein.FileOptions{Size: skein.PreviewSize(data.Size), Save: data.Save, Poster: data.Poster})
		if err != nil {
			return nil, err
		}
		return readURL(ctx, url, data.Range)
	},
	"uploads": func(_ context.Context, d *goDriver, _ *skein.Client, _ Command) (any, error) {
		d.files.mu.Lock()
		defer d.files.mu.Unlock()
		return d.files.begun, nil
	},
}

// again reads a command's data into a struct.
func again(data map[string]any, into any) error {
	b, err := json.Marshal(data)
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	return err
}

// goNewest is a command's message, or without one the newest.
func goNewest(ctx context.Context, c *skein.Client, cmd Command) (skein.Message, error) {
	conv := c.Conversation(cmd.Conversation)
	if cmd.Message != "" {
		return find(ctx, conv, cmd.Message)
	}
	ms, err := conv.Messages(ctx, windowSize)
	if err != nil || len(ms) == 0 {
		return skein.Message{}, err
	}
	return ms[len(ms)-1], nil
}

func goAttachment(ctx context.Context, c *skein.Client, cmd Command) (skein.Message, skein.Attachment, error) {
	m, err := goNewest(ctx, c, cmd)
	i := 0
	if n, ok := cmd.Data["index"].(int); ok {
		i = n
	}
	if err == nil && i >= len(m.Attachments) {
		err = fmt.Errorf("the message has %d files", len(m.Attachments))
	}
	if err != nil {
		return m, skein.Attachment{}, err
	}
	return m, m.Attachments[i], nil
}

func attachmentLine(a skein.Attachment) string {
	out := []string{a.Name, a.MIME, fmt.Sprint(a.Size)}
	if a.Width > 0 {
		out = append(out, fmt.Sprintf("%dx%d", a.Width, a.Height))
	}
	for _, word := range []struct {
		has  bool
		name string
	}{{a.Voice, "voice"}, {len(a.Waveform) > 0, "waveform"}, {a.Poster != "", "poster"}, {a.Animated, "animated"}} {
		if word.has {
			out = append(out, word.name)
		}
	}
	return strings.Join(out, " ")
}

// readURL reads as a browser does, which knows a URL and nothing more.
func readURL(ctx context.Context, url, span string) (map[string]any, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	if span != "" {
		r.Header.Set("Range", "bytes="+span)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	sum := sha256.Sum256(b)
	return map[string]any{"status": resp.StatusCode, "type": resp.Header.Get("Content-Type"), "disposition": resp.Header.Get("Content-Disposition"),
		"size": len(b), "text": string(b[:min(len(b), 1024)]), "sha256": hex.EncodeToString(sum[:])}, err
}
