package script

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// filesVerbs are files that are uploaded and read; a FILE is "NAME: text", or
// "NAME: x5000 bytes":
//
//	upload CONV FILE … [saying "caption"] [voice] [poster "text"] [reply NAME] [post] [as NAME]
//	transfers "STATE NAME …" …
//	tend NAME pause | resume | cancel | retry
//	hold, release
//	attached NAME "NAME TYPE SIZE …" …
//	fetch NAME ["text"] [N bytes] [file N] [poster] [save] [range "0-3"]
//	pry NAME of ACTOR [alone | elsewhere NAME]
//	uploads N
//	recaption NAME "caption"
//
// The back end sees every file of its app, and may send it in a user's name:
//
//	backend: file NAME of ACTOR "NAME TYPE SIZE"
//	backend: readfile NAME of ACTOR "text"
//	backend: passfile NAME of ACTOR into CONV [from USER] [as NAME]
//	backend: upload CONV FILE [saying "caption"] [from USER] [as NAME]
func filesVerbs() map[string]verb {
	return map[string]verb{
		"upload":    upload,
		"transfers": transfers,
		"tend": func(ctx context.Context, w *world, d *device, a *args) error {
			m, err := w.message(a.next("a message"))
			if err != nil {
				return err
			}
			return w.call(ctx, d, a, Command{Verb: "tendTransfer", Message: m.id, Data: map[string]any{"do": a.next("what to do")}})
		},
		"hold": func(ctx context.Context, w *world, d *device, a *args) error {
			return w.call(ctx, d, a, Command{Verb: "holdFiles"})
		},
		"release": func(ctx context.Context, w *world, d *device, a *args) error {
			return w.call(ctx, d, a, Command{Verb: "holdFiles", Remove: true})
		},
		"attached": attached,
		"recaption": func(ctx context.Context, w *world, d *device, a *args) error {
			return w.onMessage(ctx, d, a, "recaption", func(c *Command) { c.Text = a.text("the caption") })
		},
		"fetch": fetchFile,
		"pry":   pry,
		"uploads": func(ctx context.Context, w *world, d *device, a *args) error {
			want := number(a)
			if err := a.done(); err != nil {
				return err
			}
			return w.result(ctx, d, Command{Verb: "uploads"}, func(raw json.RawMessage) error { return sameNumber(raw, want) })
		},
	}
}

func sameNumber(raw json.RawMessage, want int) error {
	var got int
	if err := json.Unmarshal(raw, &got); err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("it is %d, want %d", got, want)
	}
	return nil
}

// media types of the names in scripts.
var mediaTypes = map[string]string{".txt": "text/plain", ".mp4": "video/mp4", ".webm": "audio/webm", ".bin": "application/octet-stream", ".html": "text/html"}

// fileOf is a FILE as the drivers take it.
func fileOf(s string) (map[string]any, error) {
	name, text, ok := strings.Cut(s, ": ")
	mime := mediaTypes[path.Ext(name)]
	if !ok || mime == "" {
		return nil, fmt.Errorf("a file is \"NAME: text\", with an ending that is known here, not %q", s)
	}
	f := map[string]any{"name": name, "mime": mime}
	if count, ok := strings.CutSuffix(text, " bytes"); ok && strings.HasPrefix(count, "x") {
		n, err := strconv.Atoi(count[1:])
		if err != nil {
			return nil, err
		}
		f["size"] = n
		return f, nil
	}
	f["text"] = text
	return f, nil
}

func upload(ctx context.Context, w *world, d *device, a *args) error {
	c := Command{Verb: "sendFiles", Conversation: w.conv(d, a.next("a conversation")), Data: map[string]any{}}
	var files []map[string]any
	for a.quoted() {
		f, err := fileOf(a.text("a file"))
		if err != nil {
			return err
		}
		files = append(files, f)
	}
	name := ""
	for a.more() && a.err == nil && len(files) > 0 {
		switch {
		case a.word("saying"):
			c.Text = a.text("the caption")
		case a.word("voice"):
			files[0]["voice"] = true
		case a.word("poster"):
			files[0]["poster"] = a.text("the poster")
		case a.word("post"):
			c.Data["post"] = true
		case a.word("reply"):
			m, err := w.message(a.next("a message"))
			if err != nil {
				return err
			}
			c.ReplyTo = m.id
		case a.word("as"):
			name = a.next("a name")
		default:
			return a.done()
		}
	}
	if err := a.done(); err != nil {
		return err
	}
	c.Data["files"] = files
	if c.ReplyTo != "" {
		if _, err := d.driver.Do(ctx, Command{Verb: "open", Conversation: c.Conversation}); err != nil {
			return err
		}
	}
	raw, err := d.driver.Do(ctx, c)
	if err != nil {
		return err
	}
	return w.remember(name, c.Conversation, raw)
}

func transfers(ctx context.Context, w *world, d *device, a *args) error {
	want := a.rest()
	return w.result(ctx, d, Command{Verb: "transfers"}, func(raw json.RawMessage) error {
		var got []string
		if err := json.Unmarshal(raw, &got); err != nil {
			return err
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("on their way are %q, want %q", got, want)
		}
		return nil
	})
}

// here waits until the device has a message that was sent.
func (w *world) here(ctx context.Context, d *device, m *named) error {
	return w.until(ctx, d, m.conv, func(v *View) error {
		if x := v.conversation(m.conv).message(m.id); x == nil || x.Seq == 0 {
			return fmt.Errorf("the message is not shown")
		}
		return nil
	})
}

func attached(ctx context.Context, w *world, d *device, a *args) error {
	m, err := w.message(a.next("a message"))
	if err != nil {
		return err
	}
	want := a.rest()
	if err := w.here(ctx, d, m); err != nil {
		return err
	}
	return w.result(ctx, d, Command{Verb: "files", Conversation: m.conv, Message: m.id}, func(raw json.RawMessage) error {
		var got []string
		if err := json.Unmarshal(raw, &got); err != nil {
			return err
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("its files are %q, want %q", got, want)
		}
		return nil
	})
}

// readOf is what came of reading a file.
type readOf struct {
	Status      int
	Type        string
	Disposition string
	Size        int
	Text        string
	SHA256      string
}

// fetched reads a file; an answer that refuses it is a failure as of an SDK.
func fetched(ctx context.Context, d *device, c Command) (readOf, error) {
	var r readOf
	raw, err := d.driver.Do(ctx, c)
	if err == nil {
		err = json.Unmarshal(raw, &r)
	}
	codes := map[int]string{400: "invalid_argument", 401: "unauthenticated", 403: "permission_denied", 404: "not_found"}
	switch code := codes[r.Status]; {
	case err != nil || r.Status == 200 || r.Status == 206:
		return r, err
	case code != "":
		return r, &Failure{Code: code, Message: r.Text}
	}
	return r, fmt.Errorf("the file was answered with %d: %s", r.Status, r.Text)
}

func fetchFile(ctx context.Context, w *world, d *device, a *args) error {
	m, err := w.message(a.next("a message"))
	if err != nil {
		return err
	}
	c := Command{Verb: "readFile", Conversation: m.conv, Message: m.id, Data: map[string]any{}}
	want, size, saved := "", -1, false
	for a.more() && a.err == nil {
		switch {
		case a.quoted():
			want = a.text("the text")
		case a.word("file"):
			c.Data["index"] = number(a) - 1
		case a.word("poster"):
			c.Data["poster"] = true
		case a.word("save"):
			c.Data["save"], saved = true, true
		case a.word("range"):
			c.Data["range"] = a.text("the bytes")
		default:
			size = number(a)
			if !a.word("bytes") {
				return fmt.Errorf("fetch NAME [\"text\"] [N bytes] [file N] [poster] [save] [range \"0-3\"]")
			}
		}
	}
	if err := a.done(); err != nil {
		return err
	}
	if err := w.here(ctx, d, m); err != nil {
		return err
	}
	r, err := fetched(ctx, d, c)
	switch {
	case err != nil:
		return err
	case want != "" && r.Text != want, size >= 0 && r.Size != size:
		return fmt.Errorf("it reads %d bytes, %q", r.Size, r.Text)
	case saved && !strings.HasPrefix(r.Disposition, "attachment"):
		return fmt.Errorf("it is not saved but %q", r.Disposition)
	case c.Data["range"] != nil && r.Status != 206:
		return fmt.Errorf("a range was answered with %d", r.Status)
	}
	return nil
}

// pry: NAME of ACTOR [alone | elsewhere NAME] : reads a file whose id another
// device has told, by its own message, by none, or by another message.
func pry(ctx context.Context, w *world, d *device, a *args) error {
	m, err := w.message(a.next("a message"))
	if err != nil {
		return err
	}
	told, err := w.told(ctx, m, a)
	if err != nil {
		return err
	}
	c := Command{Verb: "readFile", Conversation: m.conv, Data: map[string]any{"file": told.File, "seq": told.Seq}}
	switch {
	case a.word("alone"):
		delete(c.Data, "seq")
	case a.word("elsewhere"):
		x, err := w.message(a.next("a message"))
		if err != nil {
			return err
		}
		c.Conversation, c.Data["seq"] = x.conv, x.seq
	}
	if err := a.done(); err != nil {
		return err
	}
	_, err = fetched(ctx, d, c)
	return err
}

// told: of ACTOR : the file's id, and its message's place, as another device has
// them.
func (w *world) told(ctx context.Context, m *named, a *args) (told struct {
	File string
	Seq  int
}, err error) {
	if !a.word("of") {
		return told, fmt.Errorf("a file's id is that of an actor's message: NAME of ACTOR")
	}
	other := w.device(a.next("an actor"))
	if err := w.here(ctx, other, m); err != nil {
		return told, err
	}
	raw, err := other.driver.Do(ctx, Command{Verb: "fileOf", Conversation: m.conv, Message: m.id})
	if err == nil {
		err = json.Unmarshal(raw, &told)
	}
	return told, err
}

// ofFile is what the back end does with a file of a message.
func ofFile(do func(ctx context.Context, w *world, a *args, c Command) error, name string) backEndVerb {
	return func(ctx context.Context, w *world, a *args) error {
		m, err := w.message(a.next("a message"))
		if err != nil {
			return err
		}
		told, err := w.told(ctx, m, a)
		if err != nil {
			return err
		}
		return do(ctx, w, a, Command{Verb: name, Data: map[string]any{"file": told.File}})
	}
}

func backEndFiles() map[string]backEndVerb {
	says := func(ctx context.Context, w *world, a *args, c Command) error {
		want, got := a.text("what it says"), ""
		if err := w.ask(ctx, a, c, &got); err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("%s gave %q, want %q", c.Verb, got, want)
		}
		return nil
	}
	return map[string]backEndVerb{
		"file":     ofFile(says, "file"),
		"readfile": ofFile(says, "readFile"),
		"passfile": ofFile(func(ctx context.Context, w *world, a *args, c Command) error {
			if !a.word("into") {
				return fmt.Errorf("passfile NAME of ACTOR into CONV [from USER] [as NAME]")
			}
			c.Conversation = w.of(a)
			if a.word("from") {
				c.Users = []string{a.next("a user")}
			}
			return say(ctx, w, a, c)
		}, "passFile"),
		"upload": func(ctx context.Context, w *world, a *args) error {
			c := Command{Verb: "upload", Conversation: w.of(a)}
			f, err := fileOf(a.text("a file"))
			if err != nil {
				return err
			}
			c.Data = map[string]any{"file": f}
			if a.word("saying") {
				c.Text = a.text("the caption")
			}
			if a.word("from") {
				c.Users = []string{a.next("a user")}
			}
			return say(ctx, w, a, c)
		},
	}
}
