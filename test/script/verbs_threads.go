package script

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
)

// threadVerbs are what hangs on messages:
//
//	answer NAME "text" [as NAME]             a reply in the thread below it
//	thread NAME "user: text" …, readthread NAME, followthread NAME, unfollowthread NAME
//	threads CONV "root: N replies" …         newest reply first
//	poll CONV "question" "option" … [as NAME], vote NAME ID …, endpoll NAME
//	pinup NAME, pindown NAME, pinboard CONV "text" …
//	extend NAME KEY "value" [times N], unextend NAME KEY
//	opentopic #g "name" [as NAME], nametopic NAME "name", closetopic NAME, reopentopic NAME, topics #g "name" …
//	beside NAME "line" …                     what later entries made of the message
func threadVerbs() map[string]verb {
	about := func(command string, more func(a *args, c *Command)) verb {
		return func(ctx context.Context, w *world, d *device, a *args) error {
			m, err := w.message(a.next("a message"))
			if err != nil {
				return err
			}
			c := Command{Verb: command, Conversation: m.conv, Limit: m.seq}
			if more != nil {
				more(a, &c)
			}
			return w.call(ctx, d, a, c)
		}
	}
	text := func(a *args, c *Command) { c.Text = a.text("the text") }
	off := func(a *args, c *Command) { c.Remove = true }
	return map[string]verb{
		"answer":         made("answer", true),
		"poll":           made("makePoll", false),
		"opentopic":      made("createTopic", false),
		"readthread":     about("readThread", nil),
		"followthread":   about("followThread", nil),
		"unfollowthread": about("followThread", off),
		"vote":           about("vote", func(a *args, c *Command) { c.Users = a.rest() }),
		"endpoll":        about("closePoll", nil),
		"pinup":          about("pinMessage", nil),
		"pindown":        about("pinMessage", off),
		"extend":         extend,
		"unextend":       about("extend", func(a *args, c *Command) { c.Type, c.Remove = a.next("a key"), true }),
		"nametopic":      about("updateTopic", text),
		"closetopic":     about("closeTopic", nil),
		"reopentopic":    about("closeTopic", off),
		"thread":         linesOf("thread"),
		"beside":         linesOf("beside"),
		"threads":        linesAre("threads"),
		"topics":         linesAre("topics"),
		"pinboard":       linesAre("pins"),
	}
}

// made runs a verb that makes a message, which gets a name.
func made(command string, below bool) verb {
	return func(ctx context.Context, w *world, d *device, a *args) error {
		c, name := Command{Verb: command}, ""
		if below {
			m, err := w.message(a.next("a message"))
			if err != nil {
				return err
			}
			c.Conversation, c.Limit = m.conv, m.seq
		} else {
			c.Conversation = w.conv(d, a.next("a conversation"))
		}
		c.Text = a.text("the text")
		for a.more() && a.err == nil {
			switch {
			case a.quoted():
				c.Users = append(c.Users, a.text("an option"))
			case a.word("as"):
				name = a.next("a name")
			default:
				return a.done()
			}
		}
		if err := a.done(); err != nil {
			return err
		}
		raw, err := d.driver.Do(ctx, c)
		if err != nil {
			return err
		}
		return w.remember(name, c.Conversation, raw)
	}
}

// extend: NAME KEY "value" [times N], to as many keys, KEY1 and so on
func extend(ctx context.Context, w *world, d *device, a *args) error {
	m, err := w.message(a.next("a message"))
	if err != nil {
		return err
	}
	c, times := Command{Verb: "extend", Conversation: m.conv, Limit: m.seq, Type: a.next("a key"), Text: filled(a.text("the value"))}, 1
	if a.word("times") {
		times = number(a)
	}
	if err := a.done(); err != nil {
		return err
	}
	key := c.Type
	for i := range times {
		if times > 1 {
			c.Type = fmt.Sprint(key, i+1)
		}
		if _, err := d.driver.Do(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// linesOf waits until a message's lines are these.
func linesOf(command string) verb {
	return func(ctx context.Context, w *world, d *device, a *args) error {
		m, err := w.message(a.next("a message"))
		if err != nil {
			return err
		}
		want := []string{}
		for a.more() && a.err == nil {
			want = append(want, a.text("a line"))
		}
		if err := a.done(); err != nil {
			return err
		}
		if _, err := d.driver.Do(ctx, Command{Verb: "open", Conversation: m.conv}); err != nil {
			return err
		}
		return w.result(ctx, d, Command{Verb: command, Conversation: m.conv, Message: m.id, Limit: m.seq}, func(raw json.RawMessage) error {
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
