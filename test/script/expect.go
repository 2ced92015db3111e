package script

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// expect waits until what it says holds on the device:
//
//	expect NAME "text"            the message shows this text
//	expect recalled NAME          … is shown as recalled
//	expect edited NAME            … is marked as edited
//	expect sent NAME              … was acknowledged
//	expect failed NAME CODE       … was refused with CODE
//	expect reply NAME to NAME     … answers the other
//	expect reaction NAME EMOJI N  N users reacted with it
//	expect "text" [in CONV]       some message has this text
//	expect no "text" [in CONV]    none has, also a moment later
//	expect order CONV "a" "b" …   the newest messages are these, in this order, with seqs without a gap of theirs
//	expect count CONV N           exactly N messages are loaded
//	expect once "text" in CONV    exactly one message has this text
//	expect unread CONV N
//	expect marker CONV USER NAME  USER has read up to the message or further
//	expect typing CONV USER       expect quiet CONV = nobody types
//	expect online USER            expect offline USER
//	expect title CONV "text"      expect members CONV N
//	expect state STATE
func (w *world) expect(ctx context.Context, d *device, a *args) error {
	if a.quoted() {
		return w.expectText(ctx, d, a)
	}
	what := a.next("what to expect")
	if run, ok := expectations[what]; ok {
		return run(ctx, w, d, a)
	}
	m, err := w.message(what)
	if err != nil {
		return err
	}
	text := a.text("the text")
	if err := a.done(); err != nil {
		return err
	}
	return w.onShown(ctx, d, m, func(v *MessageView) error {
		if v.Text != text {
			return fmt.Errorf("the text is %q", v.Text)
		}
		return nil
	})
}

// expectations are what can be expected; a domain has its own map in verbs_<domain>.go.
var expectations = merged(
	receiptExpectations,
	coreExpectations,
	map[string]verb{"people": expectPeople, "status": expectStatus, "follows": expectFollows},
	messagesExpectations,
	timedExpectations,
	joinExpectations,
)

var coreExpectations = map[string]verb{
	"recalled": expectMessage(func(v *MessageView, _ []string) error {
		if !v.Recalled || v.Text != "" {
			return fmt.Errorf("not recalled")
		}
		return nil
	}),
	"edited": expectMessage(func(v *MessageView, _ []string) error {
		if !v.Edited {
			return fmt.Errorf("not edited")
		}
		return nil
	}),
	"sent": expectMessage(func(v *MessageView, _ []string) error {
		if v.State != "sent" || v.Seq == 0 {
			return fmt.Errorf("state %s, seq %d", v.State, v.Seq)
		}
		return nil
	}),
	"failed": expectMessage(func(v *MessageView, more []string) error {
		if v.State != "failed" || len(more) != 1 || v.Error != snake(more[0]) {
			return fmt.Errorf("state %s, error %s", v.State, v.Error)
		}
		return nil
	}),
	"reaction": expectMessage(func(v *MessageView, more []string) error {
		if len(more) != 2 {
			return fmt.Errorf("expect reaction NAME EMOJI N")
		}
		if n, err := strconv.Atoi(more[1]); err != nil || v.Reactions[more[0]] != n {
			return fmt.Errorf("reactions %v", v.Reactions)
		}
		return nil
	}),
	"mention": expectMessage(func(v *MessageView, more []string) error {
		if !slices.Equal(sorted(v.Mentions), sorted(more)) {
			return fmt.Errorf("mentions %v", v.Mentions)
		}
		return nil
	}),
	"reply": func(ctx context.Context, w *world, d *device, a *args) error {
		m, err := w.message(a.next("a message"))
		if err != nil {
			return err
		}
		if !a.word("to") {
			return fmt.Errorf("expect reply NAME to NAME")
		}
		to, err := w.message(a.next("a message"))
		if err != nil {
			return err
		}
		return w.onShown(ctx, d, m, func(v *MessageView) error {
			if v.ReplyTo != to.seq || to.seq == 0 {
				return fmt.Errorf("answers seq %d, want %d", v.ReplyTo, to.seq)
			}
			return nil
		})
	},
	"no": expectNo,
	"order": func(ctx context.Context, w *world, d *device, a *args) error {
		conv := w.conv(d, a.next("a conversation"))
		want := a.rest()
		return w.until(ctx, d, conv, func(v *View) error { return inOrder(v.conversation(conv), want) })
	},
	"once": func(ctx context.Context, w *world, d *device, a *args) error {
		text := a.text("the text")
		if !a.word("in") {
			return fmt.Errorf("expect once \"text\" in CONV")
		}
		conv := w.conv(d, a.next("a conversation"))
		return w.until(ctx, d, conv, func(v *View) error {
			if n := countText(v.conversation(conv), text); n != 1 {
				return fmt.Errorf("%d messages say so", n)
			}
			return nil
		})
	},
	"count": expectNumber(func(c *ConversationView) int {
		n := 0
		for _, m := range c.Messages {
			if m.Kind != "members" && m.Kind != "conversation" {
				n++
			}
		}
		return n
	}),
	"unread":  expectNumber(func(c *ConversationView) int { return c.Unread }),
	"members": expectNumber(func(c *ConversationView) int { return c.Members }),
	"title": func(ctx context.Context, w *world, d *device, a *args) error {
		conv, want := w.conv(d, a.next("a conversation")), ""
		want = a.text("the title")
		return w.until(ctx, d, "", func(v *View) error {
			if c := v.conversation(conv); c == nil || c.Title != want {
				return fmt.Errorf("the title is another")
			}
			return nil
		})
	},
	"marker": func(ctx context.Context, w *world, d *device, a *args) error {
		conv, user := w.conv(d, a.next("a conversation")), a.next("a user")
		m, err := w.message(a.next("a message"))
		if err != nil {
			return err
		}
		return w.until(ctx, d, "", func(v *View) error {
			if c := v.conversation(conv); c == nil || c.Markers[user] < m.seq || m.seq == 0 {
				return fmt.Errorf("%s has not read up to seq %d", user, m.seq)
			}
			return nil
		})
	},
	"typing": func(ctx context.Context, w *world, d *device, a *args) error {
		conv, user := w.conv(d, a.next("a conversation")), a.next("a user")
		return w.until(ctx, d, "", func(v *View) error {
			if c := v.conversation(conv); c == nil || !slices.Contains(c.Typing, user) {
				return fmt.Errorf("%s does not type", user)
			}
			return nil
		})
	},
	"quiet": func(ctx context.Context, w *world, d *device, a *args) error {
		conv := w.conv(d, a.next("a conversation"))
		return w.until(ctx, d, "", func(v *View) error {
			if c := v.conversation(conv); c != nil && len(c.Typing) > 0 {
				return fmt.Errorf("%v type", c.Typing)
			}
			return nil
		})
	},
	"online":  expectPresence(true),
	"offline": expectPresence(false),
	"state": func(ctx context.Context, w *world, d *device, a *args) error {
		want := a.next("a state")
		return w.until(ctx, d, "", func(v *View) error {
			if v.State != want {
				return fmt.Errorf("the state is %s", v.State)
			}
			return nil
		})
	},
}

// onShown waits for a condition on a message that the device shows.
func (w *world) onShown(ctx context.Context, d *device, m *named, holds func(*MessageView) error) error {
	return w.until(ctx, d, m.conv, func(v *View) error {
		s := v.conversation(m.conv).message(m.id)
		if s == nil {
			return fmt.Errorf("the message is not shown")
		}
		if s.Seq > 0 {
			m.seq = s.Seq
		}
		return holds(s)
	})
}

func expectMessage(holds func(v *MessageView, more []string) error) func(context.Context, *world, *device, *args) error {
	return func(ctx context.Context, w *world, d *device, a *args) error {
		m, err := w.message(a.next("a message"))
		if err != nil {
			return err
		}
		more := a.rest()
		return w.onShown(ctx, d, m, func(v *MessageView) error { return holds(v, more) })
	}
}

func expectNumber(of func(*ConversationView) int) func(context.Context, *world, *device, *args) error {
	return func(ctx context.Context, w *world, d *device, a *args) error {
		conv := w.conv(d, a.next("a conversation"))
		want, err := strconv.Atoi(a.next("a number"))
		if err != nil {
			return err
		}
		return w.until(ctx, d, conv, func(v *View) error {
			c := v.conversation(conv)
			if c == nil {
				c = &ConversationView{}
			}
			if n := of(c); n != want {
				return fmt.Errorf("it is %d", n)
			}
			return nil
		})
	}
}

func expectPresence(online bool) func(context.Context, *world, *device, *args) error {
	return func(ctx context.Context, w *world, d *device, a *args) error {
		user := a.next("a user")
		return w.until(ctx, d, "", func(v *View) error {
			if got, known := v.Online[user]; !known || got != online {
				return fmt.Errorf("%s: known %v, online %v", user, known, got)
			}
			return nil
		})
	}
}

// expectText: "text" [in CONV]
func (w *world) expectText(ctx context.Context, d *device, a *args) error {
	text, conv := a.text("the text"), ""
	if a.word("in") {
		conv = w.conv(d, a.next("a conversation"))
	}
	if err := a.done(); err != nil {
		return err
	}
	return w.until(ctx, d, conv, func(v *View) error {
		for i := range v.Conversations {
			if c := &v.Conversations[i]; (conv == "" || c.ID == conv) && countText(c, text) > 0 {
				return nil
			}
		}
		return fmt.Errorf("nothing says so")
	})
}

// expectNo: "text" [in CONV]. It looks now and once more after a moment; a
// script that wants to be sure sends something behind it first.
func expectNo(ctx context.Context, w *world, d *device, a *args) error {
	text, conv := a.text("the text"), ""
	if a.word("in") {
		conv = w.conv(d, a.next("a conversation"))
	}
	if err := a.done(); err != nil {
		return err
	}
	for range 2 {
		v, err := d.driver.View(ctx)
		if err != nil {
			return err
		}
		for i := range v.Conversations {
			if c := &v.Conversations[i]; (conv == "" || c.ID == conv) && countText(c, text) > 0 {
				return fmt.Errorf("it is shown in %s", c.ID)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(quiet):
		}
	}
	return nil
}

func countText(c *ConversationView, text string) (n int) {
	if c == nil {
		return 0
	}
	for _, m := range c.Messages {
		if m.Text == text {
			n++
		}
	}
	return n
}

// inOrder tells whether the newest text messages are these.
func inOrder(c *ConversationView, want []string) error {
	if c == nil {
		return fmt.Errorf("the conversation is not there")
	}
	var got []string
	last := 0
	for _, m := range c.Messages {
		if m.Kind != "text" {
			continue
		}
		if m.Seq > 0 && m.Seq <= last {
			return fmt.Errorf("seq %d after %d", m.Seq, last)
		}
		last = max(last, m.Seq)
		got = append(got, m.Text)
	}
	if len(got) < len(want) || !slices.Equal(got[len(got)-len(want):], want) {
		return fmt.Errorf("the newest are %q", got)
	}
	return nil
}
