package script

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// timedVerbs are messages by the clock:
//
//	passing CONV "text" [ttl SECONDS] [burn SECONDS] [as NAME]
//	later CONV "text" in SECONDS
//	later-list "text" "failed: text" …
//	later-edit "text" to "text" [in SECONDS]
//	later-cancel "text"
//	later-now "text"
var timedVerbs = map[string]verb{
	"passing": passing,
	"later": func(ctx context.Context, w *world, d *device, a *args) error {
		c := Command{Verb: "later", Conversation: w.conv(d, a.next("a conversation")), Text: a.text("the text"), Data: map[string]any{}}
		if err := in(a, &c); err != nil {
			return err
		}
		return w.call(ctx, d, a, c)
	},
	"later-list": func(ctx context.Context, w *world, d *device, a *args) error {
		want := a.rest()
		return w.result(ctx, d, Command{Verb: "later-list"}, func(raw json.RawMessage) error {
			var got []string
			if err := json.Unmarshal(raw, &got); err != nil {
				return err
			}
			if !slices.Equal(got, want) {
				return fmt.Errorf("the list is %q, want %q", got, want)
			}
			return nil
		})
	},
	"later-edit": func(ctx context.Context, w *world, d *device, a *args) error {
		c := Command{Verb: "later-edit", Text: a.text("the text"), Data: map[string]any{}}
		if !a.word("to") {
			return fmt.Errorf("later-edit \"text\" to \"text\" [in SECONDS]")
		}
		c.Title = a.text("the new text")
		if a.more() {
			if err := in(a, &c); err != nil {
				return err
			}
		}
		return w.call(ctx, d, a, c)
	},
	"later-cancel": func(ctx context.Context, w *world, d *device, a *args) error {
		return w.call(ctx, d, a, Command{Verb: "later-cancel", Text: a.text("the text")})
	},
	"later-now": func(ctx context.Context, w *world, d *device, a *args) error {
		return w.call(ctx, d, a, Command{Verb: "later-now", Text: a.text("the text")})
	},
}

// in: in SECONDS
func in(a *args, c *Command) error {
	if !a.word("in") {
		return fmt.Errorf("say in how many seconds")
	}
	n, err := strconv.Atoi(a.next("seconds"))
	c.Data["in"] = n
	return err
}

func passing(ctx context.Context, w *world, d *device, a *args) error {
	c := Command{Verb: "passing", Conversation: w.conv(d, a.next("a conversation")), Text: a.text("the text"), Data: map[string]any{}}
	name := ""
	for a.more() && a.err == nil {
		if a.word("as") {
			name = a.next("a name")
			continue
		}
		what := a.next("ttl or burn")
		n, err := strconv.Atoi(a.next("seconds"))
		if err != nil {
			return err
		}
		c.Data[what] = n
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

// timedExpectations: expired NAME
var timedExpectations = map[string]verb{
	"expired": expectMessage(func(v *MessageView, _ []string) error {
		if !v.Expired || v.Text != "" {
			return fmt.Errorf("not expired")
		}
		return nil
	}),
}
