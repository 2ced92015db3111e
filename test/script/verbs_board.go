package script

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// boardVerbs are what hangs on a group's board:
//
//	announce #g "title" "text" [pinned] as NAME
//	reannounce #g NAME "title" "text" [pinned], unannounce #g NAME
//	announcements #g "title: text" …        they are exactly these, "*" before a pinned one
//	attr #g NAME "value" [at VERSION], unattr #g NAME, attrs #g NAME=value@VERSION …
//	tally #g NAME DELTA [min N] [max N] [gives VALUE], untally #g NAME, tallies #g NAME=VALUE …
func boardVerbs() map[string]verb {
	named := func(command string) verb {
		return func(ctx context.Context, w *world, d *device, a *args) error {
			return w.call(ctx, d, a, Command{Verb: command, Conversation: w.conv(d, a.next("a group")), Type: a.next("a name")})
		}
	}
	return map[string]verb{
		"announce":      announce,
		"reannounce":    announce,
		"announcements": linesAre("announcements"),
		"unannounce": func(ctx context.Context, w *world, d *device, a *args) error {
			c := Command{Verb: "unannounce", Conversation: w.conv(d, a.next("a group"))}
			m := w.named["announcement "+a.next("an announcement")]
			if m == nil {
				return fmt.Errorf("nothing was announced by this name")
			}
			c.Type = m.id
			return w.call(ctx, d, a, c)
		},
		"attr": func(ctx context.Context, w *world, d *device, a *args) error {
			c := Command{Verb: "setAttribute", Conversation: w.conv(d, a.next("a group")), Type: a.next("a name"), Text: a.text("the value"), Limit: -1}
			if a.word("at") {
				n, err := strconv.Atoi(a.next("a version"))
				if err != nil {
					return err
				}
				c.Limit = n
			}
			return w.call(ctx, d, a, c)
		},
		"unattr":  named("removeAttribute"),
		"attrs":   linesAre("attributes"),
		"tally":   tally,
		"untally": named("removeCounter"),
		"tallies": linesAre("counters"),
	}
}

// announce: #g [NAME] "title" "text" [pinned] [as NAME]
func announce(ctx context.Context, w *world, d *device, a *args) error {
	c, name := Command{Verb: "announce", Conversation: w.conv(d, a.next("a group"))}, ""
	if !a.quoted() {
		name = a.next("an announcement")
		m := w.named["announcement "+name]
		if m == nil {
			return fmt.Errorf("nothing was announced as %s", name)
		}
		c.Type = m.id
	}
	c.Title, c.Text = a.text("the title"), a.text("the text")
	c.Remove = a.word("pinned")
	if a.word("as") {
		name = a.next("a name")
	}
	if err := a.done(); err != nil {
		return err
	}
	raw, err := d.driver.Do(ctx, c)
	if err != nil {
		return err
	}
	m := &named{conv: c.Conversation}
	if err := json.Unmarshal(raw, &m.id); err != nil {
		return err
	}
	w.named["announcement "+name] = m
	return nil
}

// linesAre: #g LINE …
func linesAre(command string) verb {
	return func(ctx context.Context, w *world, d *device, a *args) error {
		c := Command{Verb: command, Conversation: w.conv(d, a.next("a group"))}
		var want []string
		for a.more() && a.err == nil {
			if a.quoted() {
				want = append(want, a.text("a line"))
			} else {
				want = append(want, a.next("a line"))
			}
		}
		return w.result(ctx, d, c, func(raw json.RawMessage) error {
			var got []string
			if err := json.Unmarshal(raw, &got); err != nil {
				return err
			}
			if !slices.Equal(got, want) {
				return fmt.Errorf("they are %q, want %q", got, want)
			}
			return nil
		})
	}
}

// tally: #g NAME DELTA [min N] [max N] [gives VALUE]
func tally(ctx context.Context, w *world, d *device, a *args) error {
	c := Command{Verb: "increment", Conversation: w.conv(d, a.next("a group")), Type: a.next("a name"), Data: map[string]any{}}
	number := func(name string) {
		n, err := strconv.Atoi(a.next("a number"))
		if err != nil {
			a.err = err
		}
		c.Data[name] = float64(n)
	}
	number("delta")
	want := ""
	for a.more() && a.err == nil {
		switch {
		case a.word("min"):
			number("min")
		case a.word("max"):
			number("max")
		case a.word("gives"):
			want = a.next("a value")
		default:
			return a.done()
		}
	}
	if a.err != nil {
		return a.err
	}
	raw, err := d.driver.Do(ctx, c)
	if err == nil && want != "" && string(raw) != want {
		return fmt.Errorf("it gives %s, want %s", raw, want)
	}
	return err
}
