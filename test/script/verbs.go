package script

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// verb is one thing that a user does, with the words that follow its name.
type verb func(ctx context.Context, w *world, d *device, a *args) error

// verbs are what a user does; README.md explains each. A test holds the two
// to each other. A domain has its own map in verbs_<domain>.go.
var verbs = merged(
	coreVerbs,
	groupVerbs(),
	peopleVerbs(),
	messagesVerbs(),
	ownVerbs,
	searchVerbs,
	timedVerbs,
	receiptVerbs,
	joinVerbs(),
	boardVerbs(),
	roomVerbs(),
	threadVerbs(),
	filesVerbs(),
	callVerbs(),
)

// merged puts the verbs of all domains together; a name belongs to one of them.
func merged[V any](domains ...map[string]V) map[string]V {
	all := map[string]V{}
	for _, domain := range domains {
		for name, v := range domain {
			if _, ok := all[name]; ok {
				panic("two domains have the verb " + name)
			}
			all[name] = v
		}
	}
	return all
}

var coreVerbs = map[string]verb{
	"connect": func(ctx context.Context, w *world, d *device, a *args) error {
		return w.call(ctx, d, a, Command{Verb: "connect"})
	},
	"start": func(ctx context.Context, w *world, d *device, a *args) error {
		return w.call(ctx, d, a, Command{Verb: "start"})
	},
	"close": func(ctx context.Context, w *world, d *device, a *args) error {
		return w.call(ctx, d, a, Command{Verb: "close"})
	},
	"send": func(ctx context.Context, w *world, d *device, a *args) error { return w.send(ctx, d, a, "send") },
	"post": func(ctx context.Context, w *world, d *device, a *args) error { return w.send(ctx, d, a, "post") },
	"edit": func(ctx context.Context, w *world, d *device, a *args) error {
		return w.onMessage(ctx, d, a, "edit", func(c *Command) { c.Text = a.text("the new text") })
	},
	"recall": func(ctx context.Context, w *world, d *device, a *args) error {
		return w.onMessage(ctx, d, a, "recall", nil)
	},
	"react": func(ctx context.Context, w *world, d *device, a *args) error {
		return w.onMessage(ctx, d, a, "react", func(c *Command) {
			c.Remove = a.word("without")
			c.Emoji = a.next("an emoji")
		})
	},
	"retry": func(ctx context.Context, w *world, d *device, a *args) error {
		return w.onMessage(ctx, d, a, "retry", nil)
	},
	"discard": func(ctx context.Context, w *world, d *device, a *args) error {
		return w.onMessage(ctx, d, a, "discard", nil)
	},
	"mark": func(ctx context.Context, w *world, d *device, a *args) error {
		conv, c := w.conv(d, a.next("a conversation")), Command{Verb: "read"}
		if a.more() {
			m, err := w.message(a.next("a message"))
			if err != nil {
				return err
			}
			c.Message = m.id
		}
		c.Conversation = conv
		if _, err := d.driver.Do(ctx, Command{Verb: "open", Conversation: conv}); err != nil {
			return err
		}
		return w.call(ctx, d, a, c)
	},
	"type": func(ctx context.Context, w *world, d *device, a *args) error {
		return w.call(ctx, d, a, Command{Verb: "typing", Remove: a.word("no-more"), Conversation: w.conv(d, a.next("a conversation"))})
	},
	"read":   readHistory,
	"create": createGroup,
	"add": func(ctx context.Context, w *world, d *device, a *args) error {
		return w.call(ctx, d, a, Command{Verb: "add", Conversation: w.conv(d, a.next("a group")), Users: a.rest()})
	},
	"remove": func(ctx context.Context, w *world, d *device, a *args) error {
		return w.call(ctx, d, a, Command{Verb: "remove", Conversation: w.conv(d, a.next("a group")), Users: []string{a.next("a user")}})
	},
	"leave": func(ctx context.Context, w *world, d *device, a *args) error {
		return w.call(ctx, d, a, Command{Verb: "leave", Conversation: w.conv(d, a.next("a group"))})
	},
	"role": func(ctx context.Context, w *world, d *device, a *args) error {
		return w.call(ctx, d, a, Command{Verb: "role", Conversation: w.conv(d, a.next("a group")), Users: []string{a.next("a user")}, Role: a.next("a role")})
	},
	"title": func(ctx context.Context, w *world, d *device, a *args) error {
		return w.call(ctx, d, a, Command{Verb: "title", Conversation: w.conv(d, a.next("a group")), Title: a.text("the title")})
	},
	"watch": func(ctx context.Context, w *world, d *device, a *args) error {
		return w.call(ctx, d, a, Command{Verb: "watch", Users: a.rest()})
	},
	"signout": func(ctx context.Context, w *world, d *device, a *args) error {
		return w.call(ctx, d, a, Command{Verb: "signout", Device: d.user + "-" + a.next("a device")})
	},
	"older": func(ctx context.Context, w *world, d *device, a *args) error {
		return w.call(ctx, d, a, Command{Verb: "older", Conversation: w.conv(d, a.next("a conversation")), Limit: 200})
	},
	"members": func(ctx context.Context, w *world, d *device, a *args) error {
		return listIs(ctx, w, d, a, "members", true)
	},
	"devices": func(ctx context.Context, w *world, d *device, a *args) error {
		return listIs(ctx, w, d, a, "devices", false)
	},
	"revisions": revisions,
	"aged":      aged,
	"search":    search,
	"newtoken":  newToken,
}

// call checks that all words were taken and runs a command.
func (w *world) call(ctx context.Context, d *device, a *args, c Command) error {
	if err := a.done(); err != nil {
		return err
	}
	_, err := d.driver.Do(ctx, c)
	return err
}

// send: CONV [custom TYPE] "text" [reply NAME] [mention USER …] [times N] [as NAME]
func (w *world) send(ctx context.Context, d *device, a *args, verb string) error {
	c := Command{Verb: verb, Conversation: w.conv(d, a.next("a conversation"))}
	if a.word("custom") {
		c.Type = a.next("a type")
	}
	c.Text = a.text("the text")
	times, name := 1, ""
	for a.more() && a.err == nil {
		switch {
		case a.word("reply"):
			m, err := w.message(a.next("a message"))
			if err != nil {
				return err
			}
			c.ReplyTo = m.id
			if _, err := d.driver.Do(ctx, Command{Verb: "open", Conversation: c.Conversation}); err != nil {
				return err
			}
		case a.word("mention"):
			c.Mentions = append(c.Mentions, a.next("a user"))
		case a.word("times"):
			n, err := strconv.Atoi(a.next("a number"))
			if err != nil || n < 1 || n > 1000 {
				return fmt.Errorf("times is 1 to 1000")
			}
			times = n
		case a.word("as"):
			name = a.next("a name")
		default:
			return a.done()
		}
	}
	if err := a.done(); err != nil {
		return err
	}
	c.Text = filled(c.Text)
	text := c.Text
	for i := range times {
		if times > 1 {
			c.Text = fmt.Sprintf("%s %d", text, i+1)
		}
		raw, err := d.driver.Do(ctx, c)
		if err != nil {
			return err
		}
		if err := w.remember(name, c.Conversation, raw); err != nil {
			return err
		}
	}
	return nil
}

// filled is a text of so many bytes for "x16385 bytes", else the text itself.
func filled(text string) string {
	if count, ok := strings.CutSuffix(text, " bytes"); ok && strings.HasPrefix(count, "x") {
		if n, err := strconv.Atoi(count[1:]); err == nil {
			return strings.Repeat("x", n)
		}
	}
	return text
}

// aged: NAME SECONDS, until the message is older than that
func aged(ctx context.Context, w *world, _ *device, a *args) error {
	m, err := w.message(a.next("a message"))
	if err != nil {
		return err
	}
	age := time.Duration(number(a)) * time.Second
	if err := a.done(); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Until(m.named.Add(age))):
		return nil
	}
}

// onMessage: NAME …, on a message that the device shows.
func (w *world) onMessage(ctx context.Context, d *device, a *args, verb string, more func(*Command)) error {
	m, err := w.message(a.next("a message"))
	if err != nil {
		return err
	}
	c := Command{Verb: verb, Conversation: m.conv, Message: m.id}
	if more != nil {
		more(&c)
	}
	if err := a.done(); err != nil {
		return err
	}
	if err := w.until(ctx, d, m.conv, func(v *View) error {
		if v.conversation(m.conv).message(m.id) == nil {
			return fmt.Errorf("the message is not shown")
		}
		return nil
	}); err != nil {
		return err
	}
	raw, err := d.driver.Do(ctx, c)
	if err == nil && verb == "retry" {
		var r MessageView
		if json.Unmarshal(raw, &r) == nil && r.ID != "" {
			m.id = r.ID
		}
	}
	return err
}

// readHistory: CONV [before NAME] [limit N] [gives N]
func readHistory(ctx context.Context, w *world, d *device, a *args) error {
	c := Command{Verb: "history", Conversation: w.conv(d, a.next("a conversation")), Limit: 50}
	want := -1
	for a.more() && a.err == nil {
		switch {
		case a.word("before"):
			m, err := w.message(a.next("a message"))
			if err != nil {
				return err
			}
			c.Message = m.id
			if _, err := d.driver.Do(ctx, Command{Verb: "open", Conversation: c.Conversation}); err != nil {
				return err
			}
		case a.word("limit"):
			c.Limit, _ = strconv.Atoi(a.next("a number"))
		case a.word("gives"):
			want, _ = strconv.Atoi(a.next("a number"))
		default:
			return a.done()
		}
	}
	raw, err := d.driver.Do(ctx, c)
	if err != nil || want < 0 {
		return err
	}
	var ms []MessageView
	if err := json.Unmarshal(raw, &ms); err != nil {
		return err
	}
	n, last := 0, 0
	for _, m := range ms {
		if m.Seq <= last {
			return fmt.Errorf("history is not in order: seq %d after %d", m.Seq, last)
		}
		last = m.Seq
		if m.Kind == "text" || m.Kind == "custom" {
			n++
		}
	}
	if n != want {
		return fmt.Errorf("history gave %d messages, want %d", n, want)
	}
	return nil
}

// createGroup: #g "title" [with USER …]
func createGroup(ctx context.Context, w *world, d *device, a *args) error {
	c := Command{Verb: "create", Conversation: w.conv(d, a.next("a group"))}
	if a.quoted() {
		c.Title = a.text("the title")
	}
	if a.word("with") {
		c.Users = a.rest()
	}
	return w.call(ctx, d, a, c)
}

// listIs: [#g] WORD … : the list has exactly these, in any order.
func listIs(ctx context.Context, w *world, d *device, a *args, verb string, of bool) error {
	c := Command{Verb: verb}
	if of {
		c.Conversation = w.conv(d, a.next("a group"))
	}
	want := a.rest()
	raw, err := d.driver.Do(ctx, c)
	if err != nil {
		return err
	}
	var got []string
	if err := json.Unmarshal(raw, &got); err != nil {
		return err
	}
	for i := range got {
		got[i] = strings.TrimPrefix(got[i], d.user+"-")
	}
	if !slices.Equal(sorted(got), sorted(want)) {
		return fmt.Errorf("%s are %v, want %v", verb, sorted(got), sorted(want))
	}
	return nil
}

// revisions: NAME "text" … : every text that the message has had.
func revisions(ctx context.Context, w *world, d *device, a *args) error {
	m, err := w.message(a.next("a message"))
	if err != nil {
		return err
	}
	want := a.rest()
	if _, err := d.driver.Do(ctx, Command{Verb: "open", Conversation: m.conv}); err != nil {
		return err
	}
	raw, err := d.driver.Do(ctx, Command{Verb: "edits", Conversation: m.conv, Message: m.id})
	if err != nil {
		return err
	}
	var got []string
	if err := json.Unmarshal(raw, &got); err != nil {
		return err
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("revisions are %q, want %q", got, want)
	}
	return nil
}

// search: "text" [in CONV] finds N
func search(ctx context.Context, w *world, d *device, a *args) error {
	c := Command{Verb: "search", Text: a.text("what to search")}
	if a.word("in") {
		c.Conversation = w.conv(d, a.next("a conversation"))
	}
	if !a.word("finds") {
		return fmt.Errorf("search \"text\" finds N")
	}
	want, err := strconv.Atoi(a.next("a number"))
	if err != nil {
		return err
	}
	raw, err := d.driver.Do(ctx, c)
	if err != nil {
		return err
	}
	var got []MessageView
	if err := json.Unmarshal(raw, &got); err != nil {
		return err
	}
	if len(got) != want {
		return fmt.Errorf("search found %d, want %d", len(got), want)
	}
	return nil
}

// newToken gives the device a token that was issued just now.
func newToken(ctx context.Context, w *world, d *device, a *args) error {
	token, err := w.b.Server.Token(d.user)
	if err != nil {
		return err
	}
	return w.call(ctx, d, a, Command{Verb: "token", Token: token})
}
