package script

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
)

// messagesVerbs are kinds of content, ways of sending, and what goes on:
//
//	share CONV location LAT LNG "name" | card USER "name" | sticker PACK ID "alt" | files "name" … | text "text"
//	      [markdown] [all] [here] [by-role ROLE] [to USER] [silent] [high] [low] [mention USER] [reply NAME] [as NAME]
//	forward NAME … into CONV [merged "title"] [comment "text"]
//	command CONV TYPE "data" [to USER]
func messagesVerbs() map[string]verb {
	return map[string]verb{
		"share":   share,
		"forward": forward,
		"command": func(ctx context.Context, w *world, d *device, a *args) error {
			c := Command{Verb: "command", Conversation: w.conv(d, a.next("a conversation")), Type: a.next("a type"), Text: a.text("the data")}
			for a.word("to") {
				c.Users = append(c.Users, a.next("a user"))
			}
			return w.call(ctx, d, a, c)
		},
	}
}

func share(ctx context.Context, w *world, d *device, a *args) error {
	c := Command{Verb: "share", Conversation: w.conv(d, a.next("a conversation")), Type: a.next("a kind"), Data: map[string]any{}}
	switch c.Type {
	case "location":
		c.Data["a"], c.Data["b"], c.Text = a.next("a latitude"), a.next("a longitude"), a.text("the name")
	case "card":
		c.Data["a"], c.Text = a.next("a user"), a.text("the name")
	case "sticker":
		c.Data["a"], c.Data["b"], c.Text = a.next("a pack"), a.next("an id"), a.text("what it shows")
	case "files":
		for a.quoted() {
			c.Users = append(c.Users, a.text("a name"))
		}
	default:
		c.Text = a.text("the text")
	}
	name := ""
	for a.more() && a.err == nil {
		switch {
		case a.word("reply"):
			m, err := w.message(a.next("a message"))
			if err != nil {
				return err
			}
			c.ReplyTo = m.id
		case a.word("mention"):
			c.Mentions = append(c.Mentions, a.next("a user"))
		case a.word("by-role"):
			c.Role = a.next("a role")
		case a.word("to"):
			to, _ := c.Data["to"].([]string)
			c.Data["to"] = append(to, a.next("a user"))
		case a.word("as"):
			name = a.next("a name")
		default:
			c.Data[a.next("an option")] = true
		}
	}
	if err := a.done(); err != nil {
		return err
	}
	if _, err := d.driver.Do(ctx, Command{Verb: "open", Conversation: c.Conversation}); err != nil {
		return err
	}
	raw, err := d.driver.Do(ctx, c)
	if err != nil {
		return err
	}
	return w.remember(name, c.Conversation, raw)
}

func forward(ctx context.Context, w *world, d *device, a *args) error {
	c := Command{Verb: "forward", Data: map[string]any{}}
	for !a.word("into") {
		m, err := w.message(a.next("a message"))
		if err != nil {
			return err
		}
		c.Conversation = m.conv
		c.Users = append(c.Users, m.id)
	}
	c.Data["into"] = w.conv(d, a.next("a conversation"))
	if a.word("merged") {
		c.Data["merged"], c.Title = true, a.text("the title")
	}
	if a.word("comment") {
		c.Text = a.text("the comment")
	}
	if err := a.done(); err != nil {
		return err
	}
	if _, err := d.driver.Do(ctx, Command{Verb: "open", Conversation: c.Conversation}); err != nil {
		return err
	}
	_, err := d.driver.Do(ctx, c)
	return err
}

// messagesExpectations are what those verbs come to:
//
//	expect about NAME "line" …      the content, and what goes with it, line by line
//	expect last CONV "line" …       the same of the newest message
//	expect heard "line" …           the commands that came, in order
var messagesExpectations = map[string]verb{
	"about": func(ctx context.Context, w *world, d *device, a *args) error {
		m, err := w.message(a.next("a message"))
		if err != nil {
			return err
		}
		return lines(ctx, w, d, a, Command{Verb: "about", Conversation: m.conv, Message: m.id})
	},
	"last": func(ctx context.Context, w *world, d *device, a *args) error {
		return lines(ctx, w, d, a, Command{Verb: "about", Conversation: w.conv(d, a.next("a conversation"))})
	},
	"heard": func(ctx context.Context, w *world, d *device, a *args) error {
		return lines(ctx, w, d, a, Command{Verb: "heard"})
	},
}

// lines waits until a command answers with exactly these.
func lines(ctx context.Context, w *world, d *device, a *args, c Command) error {
	want := []string{}
	for a.quoted() {
		want = append(want, a.text("a line"))
	}
	if err := a.done(); err != nil {
		return err
	}
	if c.Conversation != "" {
		if _, err := d.driver.Do(ctx, Command{Verb: "open", Conversation: c.Conversation}); err != nil {
			return err
		}
	}
	return w.result(ctx, d, c, func(raw json.RawMessage) error {
		got := []string{}
		if err := json.Unmarshal(raw, &got); err != nil {
			return err
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("it is %q", got)
		}
		return nil
	})
}
