package script

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// joinVerbs are how users come into groups by themselves, and are kept out:
//
//	enter #g joins, enter #g "message" asks      join a group, and what comes of it
//	waiting #g USER …                            the open requests are those of these users
//	admit #g USER, turnaway #g USER              answer
//	withdraw #g                                  take one's own request back
//	invite #g as NAME [uses N] [approval] [label "text"]
//	revoke #g NAME
//	preview NAME "title" MEMBERS                 what an invitation shows
//	use NAME joins, use NAME asks                come by it
//	ban #g USER, unban #g USER, bans #g USER …
//	allow #g USER …, disallow #g USER …          the allow list, from then on in force
//	letall #g                                    the list is no longer in force
//	allowed #g USER …                            the list is exactly this
func joinVerbs() map[string]verb {
	user := func(name string, remove bool) verb {
		return func(ctx context.Context, w *world, d *device, a *args) error {
			return w.call(ctx, d, a, Command{Verb: name, Conversation: w.conv(d, a.next("a group")), Users: []string{a.next("a user")}, Remove: remove})
		}
	}
	return map[string]verb{
		"enter": func(ctx context.Context, w *world, d *device, a *args) error {
			return w.joining(ctx, d, a, Command{Verb: "joinGroup", Conversation: w.conv(d, a.next("a group"))})
		},
		"use": func(ctx context.Context, w *world, d *device, a *args) error {
			code, err := w.invitation(a.next("an invitation"))
			if err != nil {
				return err
			}
			return w.joining(ctx, d, a, Command{Verb: "useInvite", Type: code[1]})
		},
		"waiting":  namesAre("joinRequests"),
		"bans":     namesAre("bans"),
		"allowed":  namesAre("allowed"),
		"admit":    user("answerJoin", false),
		"turnaway": user("answerJoin", true),
		"ban":      user("ban", false),
		"unban":    user("ban", true),
		"withdraw": func(ctx context.Context, w *world, d *device, a *args) error {
			return w.call(ctx, d, a, Command{Verb: "cancelJoin", Conversation: w.conv(d, a.next("a group"))})
		},
		"invite":  makeInvite,
		"preview": previewInvite,
		"revoke": func(ctx context.Context, w *world, d *device, a *args) error {
			conv := w.conv(d, a.next("a group"))
			code, err := w.invitation(a.next("an invitation"))
			if err != nil {
				return err
			}
			return w.call(ctx, d, a, Command{Verb: "revokeInvite", Conversation: conv, Type: code[0]})
		},
		"allow": func(ctx context.Context, w *world, d *device, a *args) error {
			c := Command{Verb: "allow", Conversation: w.conv(d, a.next("a group")), Data: map[string]any{"enforced": true}}
			c.Users = a.rest()
			return w.call(ctx, d, a, c)
		},
		"letall": func(ctx context.Context, w *world, d *device, a *args) error {
			return w.call(ctx, d, a, Command{Verb: "allow", Conversation: w.conv(d, a.next("a group"))})
		},
		"disallow": func(ctx context.Context, w *world, d *device, a *args) error {
			c := Command{Verb: "disallow", Conversation: w.conv(d, a.next("a group"))}
			c.Users = a.rest()
			return w.call(ctx, d, a, c)
		},
	}
}

// joining: ["message"] joins|asks
func (w *world) joining(ctx context.Context, d *device, a *args, c Command) error {
	if a.quoted() {
		c.Text = a.text("the message")
	}
	want := ""
	if a.more() {
		want = a.next("joins or asks")
	}
	if err := a.done(); err != nil {
		return err
	}
	raw, err := d.driver.Do(ctx, c)
	if err != nil {
		return err
	}
	var got string
	if err := json.Unmarshal(raw, &got); err != nil || want != "" && got != want {
		return fmt.Errorf("it %s, want %s", raw, want)
	}
	return nil
}

// namesAre: #g USER …
func namesAre(command string) verb {
	return func(ctx context.Context, w *world, d *device, a *args) error {
		c := Command{Verb: command, Conversation: w.conv(d, a.next("a group"))}
		want := a.rest()
		return w.result(ctx, d, c, func(raw json.RawMessage) error {
			var got []string
			if err := json.Unmarshal(raw, &got); err != nil {
				return err
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				return fmt.Errorf("they are %v, want %v", got, want)
			}
			return nil
		})
	}
}

// makeInvite: #g as NAME [uses N] [approval] [label "text"]
func makeInvite(ctx context.Context, w *world, d *device, a *args) error {
	c, name := Command{Verb: "createInvite", Conversation: w.conv(d, a.next("a group"))}, ""
	for a.more() && a.err == nil {
		switch {
		case a.word("as"):
			name = a.next("a name")
		case a.word("uses"):
			n, err := strconv.Atoi(a.next("a number"))
			if err != nil {
				return err
			}
			c.Limit = n
		case a.word("approval"):
			c.Remove = true
		case a.word("label"):
			c.Text = a.text("the label")
		default:
			return a.done()
		}
	}
	raw, err := d.driver.Do(ctx, c)
	if err != nil {
		return err
	}
	var made [2]string // id and code
	if err := json.Unmarshal(raw, &made); err != nil {
		return err
	}
	w.named["invitation "+name] = &named{conv: made[0], id: made[1]}
	return nil
}

// invitation is the id and the code of one that was made.
func (w *world) invitation(name string) (out [2]string, err error) {
	m := w.named["invitation "+name]
	if m == nil {
		return out, fmt.Errorf("no invitation is called %s", name)
	}
	return [2]string{m.conv, m.id}, nil
}

// previewInvite: NAME "title" MEMBERS
func previewInvite(ctx context.Context, w *world, d *device, a *args) error {
	code, err := w.invitation(a.next("an invitation"))
	if err != nil {
		return err
	}
	want := ""
	if a.more() {
		want = a.text("the title") + " " + a.next("a number of members")
	}
	if err := a.done(); err != nil {
		return err
	}
	raw, err := d.driver.Do(ctx, Command{Verb: "previewInvite", Type: code[1]})
	if err != nil {
		return err
	}
	var got string
	if err := json.Unmarshal(raw, &got); err != nil || got != want {
		return fmt.Errorf("it shows %s, want %s", raw, want)
	}
	return nil
}

// joinExpectations are what devices hear of requests:
//
//	expect requests #g N                 so many wait for an answer that the user may give
//	expect asked "#g", "#g (declined)" … one's own requests are exactly these
var joinExpectations = map[string]verb{
	"requests": func(ctx context.Context, w *world, d *device, a *args) error {
		c := Command{Verb: "joinsWaiting", Conversation: w.conv(d, a.next("a group"))}
		want := a.next("a number")
		if err := a.done(); err != nil {
			return err
		}
		return w.result(ctx, d, c, func(raw json.RawMessage) error {
			if string(raw) != want {
				return fmt.Errorf("%s wait, want %s", raw, want)
			}
			return nil
		})
	},
	"asked": func(ctx context.Context, w *world, d *device, a *args) error {
		var want []string
		for a.quoted() {
			group := a.text("a group")
			name, rest := group, ""
			for i := range group {
				if group[i] == ' ' {
					name, rest = group[:i], group[i:]
					break
				}
			}
			want = append(want, w.conv(d, name)+rest)
		}
		if err := a.done(); err != nil {
			return err
		}
		return w.result(ctx, d, Command{Verb: "joinsAsked"}, func(raw json.RawMessage) error {
			var got []string
			if err := json.Unmarshal(raw, &got); err != nil {
				return err
			}
			if !slices.Equal(got, want) {
				return fmt.Errorf("they are %q, want %q", got, want)
			}
			return nil
		})
	},
}
