package script

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// groupVerbs are what members do about groups:
//
//	found #g "title" type public with USER …   make a group with a setting
//	setting #g SETTING WORD …                  type, description, avatar, members, admins (grants), join, history, slow, max
//	makerole #g NAME RANK GRANT …              make a role, or change it
//	droprole #g NAME
//	roles #g USER NAME …                       which roles a member has
//	nick #g USER "name"
//	mute #g USER SECONDS, muteall #g SECONDS
//	transfer #g USER, dissolve #g
//	lookup #g "line" …                         what may be known of it has these lines
//	group #g "line" …                          what the device shows of it has these lines, at last
//	keeps #g "line" …                          what it keeps of its members has these lines, at last
func groupVerbs() map[string]verb {
	return map[string]verb{
		"found": func(ctx context.Context, w *world, d *device, a *args) error {
			c := Command{Verb: "createGroupOf", Conversation: w.conv(d, a.next("a group")), Title: a.text("the title")}
			s := map[string]any{"setting": a.next("a setting"), "words": []any{a.next("its value")}}
			c.Data = map[string]any{"settings": []any{s}}
			if a.word("with") {
				c.Users = a.rest()
			}
			return w.call(ctx, d, a, c)
		},
		"setting": func(ctx context.Context, w *world, d *device, a *args) error {
			c := Command{Verb: "groupSettings", Conversation: w.conv(d, a.next("a group"))}
			words, setting := []any{}, a.next("a setting")
			for _, word := range a.rest() {
				words = append(words, word)
			}
			c.Data = map[string]any{"setting": setting, "words": words}
			return w.call(ctx, d, a, c)
		},
		"makerole": makeRole,
		"droprole": func(ctx context.Context, w *world, d *device, a *args) error {
			conv := w.conv(d, a.next("a group"))
			return w.call(ctx, d, a, Command{Verb: "deleteRole", Conversation: conv, Role: w.role(conv, a.next("a role"))})
		},
		"roles": func(ctx context.Context, w *world, d *device, a *args) error {
			c := Command{Verb: "memberRoles", Conversation: w.conv(d, a.next("a group")), Users: []string{a.next("a user")}}
			for _, name := range a.rest() {
				c.Mentions = append(c.Mentions, w.role(c.Conversation, name))
			}
			return w.call(ctx, d, a, c)
		},
		"nick": func(ctx context.Context, w *world, d *device, a *args) error {
			return w.call(ctx, d, a, Command{Verb: "nickname", Conversation: w.conv(d, a.next("a group")), Users: []string{a.next("a user")}, Text: a.text("the name")})
		},
		"mute": func(ctx context.Context, w *world, d *device, a *args) error {
			return w.timed(ctx, d, a, Command{Verb: "mute", Conversation: w.conv(d, a.next("a group")), Users: []string{a.next("a user")}})
		},
		"muteall": func(ctx context.Context, w *world, d *device, a *args) error {
			return w.timed(ctx, d, a, Command{Verb: "mute", Conversation: w.conv(d, a.next("a group"))})
		},
		"transfer": func(ctx context.Context, w *world, d *device, a *args) error {
			return w.call(ctx, d, a, Command{Verb: "transfer", Conversation: w.conv(d, a.next("a group")), Users: []string{a.next("a user")}})
		},
		"dissolve": func(ctx context.Context, w *world, d *device, a *args) error {
			return w.call(ctx, d, a, Command{Verb: "dissolve", Conversation: w.conv(d, a.next("a group"))})
		},
		"lookup": groupLines("groupInfo"),
		"group":  groupLines("groupState"),
		"keeps":  groupLines("memberAttrs"),
	}
}

// timed is a call with a number of seconds.
func (w *world) timed(ctx context.Context, d *device, a *args, c Command) error {
	n, err := strconv.Atoi(a.next("seconds"))
	if err != nil {
		return err
	}
	c.Limit = n
	return w.call(ctx, d, a, c)
}

// makeRole: #g NAME RANK GRANT …
func makeRole(ctx context.Context, w *world, d *device, a *args) error {
	c := Command{Verb: "putRole", Conversation: w.conv(d, a.next("a group")), Title: a.next("a name")}
	rank, err := strconv.Atoi(a.next("a rank"))
	if err != nil {
		return err
	}
	c.Limit, c.Mentions = rank, a.rest()
	key := c.Conversation + "/" + c.Title
	c.Data = map[string]any{"id": w.roles[key]}
	raw, err := d.driver.Do(ctx, c)
	if err != nil {
		return err
	}
	var id string
	if err := json.Unmarshal(raw, &id); err != nil {
		return err
	}
	if w.roles == nil {
		w.roles = map[string]string{}
	}
	w.roles[key] = id
	return nil
}

// role is the id of a role, or its name where there is none of that name.
func (w *world) role(conv, name string) string {
	if id := w.roles[conv+"/"+name]; id != "" {
		return id
	}
	return name
}

// groupLines: #g "line" … : the result has all of these, at last; a line that
// begins with "no " must not be there.
func groupLines(command string) verb {
	return func(ctx context.Context, w *world, d *device, a *args) error {
		c := Command{Verb: command, Conversation: w.conv(d, a.next("a group"))}
		want := a.rest()
		if err := a.done(); err != nil {
			return err
		}
		return w.result(ctx, d, c, func(raw json.RawMessage) error {
			var got []string
			if err := json.Unmarshal(raw, &got); err != nil {
				return err
			}
			for _, line := range want {
				if !slices.Contains(got, line) {
					return fmt.Errorf("%q is not among %q", line, got)
				}
			}
			return nil
		})
	}
}
