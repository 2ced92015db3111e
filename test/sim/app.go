package sim

import (
	"context"
	"fmt"
	"time"

	skein "github.com/skein-im/skein/sdk/go"
)

// lifetime is how long the users of a world do things.
const lifetime = 40 * time.Second

// live lets the users talk while things go wrong.
func (w *world) live() {
	w.run(4*time.Second, nil) // the first connections
	w.weather()
	w.strike()
	for _, d := range w.devices {
		w.act(d)
	}
	w.run(w.now+lifetime, func() bool { return len(w.broken) > 0 })
}

// act lets the user of a device do something now, and again later.
func (w *world) act(d *device) {
	if w.calm {
		return
	}
	w.after(time.Duration(50+w.dice.IntN(900))*time.Millisecond, func() { w.act(d) })
	if d.client == nil || d.calls > 6 {
		return
	}
	c := d.client
	d.calls++
	d.proc.Go(func() {
		defer func() { d.calls-- }()
		d.once(c)
	})
}

// somewhere chooses a conversation to write in.
func (d *device) somewhere(c *skein.Client) *skein.Conversation {
	w := d.w
	if len(w.groups) > 0 && w.chance(0.6) {
		return c.Group(w.groups[w.dice.IntN(len(w.groups))])
	}
	peer := w.users[w.dice.IntN(len(w.users))]
	if peer == d.user {
		return c.Self()
	}
	return c.With(peer)
}

// once does one thing.
func (d *device) once(c *skein.Client) {
	w, ctx := d.w, context.Background()
	v := d.somewhere(c)
	note := func(what string, err error) { w.trace(d.name, "%s %s: %v", what, v.ID(), skein.CodeOf(err)) }
	switch k := w.dice.IntN(100); {
	case k < 34:
		d.say(ctx, v, 1)
	case k < 44:
		d.say(ctx, v, 2+w.dice.IntN(8))
	case k < 52:
		note("read", v.ReadAll(ctx))
	case k < 64:
		d.change(ctx, v)
	case k < 68:
		v.Typing()
		if w.chance(0.3) {
			v.StopTyping()
		}
	case k < 72:
		key := fmt.Sprint("draft/", w.dice.IntN(3))
		d.texts++
		_, err := c.Self().Enqueue(ctx, skein.Outgoing{Text: fmt.Sprint("draft ", d.name, " ", d.texts), Key: key})
		note("draft", err)
	case k < 86:
		d.group(ctx, c)
	case k < 90:
		pages := 0
		for _, err := range v.History(ctx, skein.HistoryOptions{Limit: 1 + w.dice.IntN(20), FromStart: w.chance(0.5)}) {
			if pages++; err != nil || pages > 3 {
				break
			}
		}
	case k < 92:
		_, err := v.Messages(ctx, 10)
		note("messages", err)
	case k < 93:
		_, err := c.Search(ctx, "d", skein.SearchOptions{})
		note("search", err)
	case k < 95:
		note("watch", c.WatchPresence(ctx, w.users...))
	case k < 96:
		_, err := c.GetPresence(ctx, w.users...)
		note("presence", err)
	case k < 97:
		for _, err := range v.ListMembers(ctx) {
			if err != nil {
				break
			}
		}
		note("fetch", v.Fetch(ctx))
	case k < 98:
		_, err := c.Devices(ctx)
		note("devices", err)
	case k < 99:
		c.Online()
	default:
		if w.chance(0.3) {
			other := w.devices[w.dice.IntN(len(w.devices))]
			if other.user == d.user {
				note("sign out", c.SignOut(ctx, other.id))
			}
		}
	}
}

// say writes texts, one behind the other without waiting.
func (d *device) say(ctx context.Context, v *skein.Conversation, n int) {
	for range n {
		d.texts++
		text := fmt.Sprint(d.name, " ", d.texts)
		conv := v.ID()
		invoked := d.w.now
		o := skein.Outgoing{Text: text}
		if d.w.chance(0.05) {
			o.ToDevices = []string{d.w.devices[d.w.dice.IntN(len(d.w.devices))].id}
		}
		m, err := v.Enqueue(ctx, o)
		if err == nil {
			d.w.said(d, conv, text, m.ID, invoked)
		}
		d.w.trace(d.name, "say %s %q: %v", conv, text, skein.CodeOf(err))
	}
}

// change edits, recalls or reacts to a message.
func (d *device) change(ctx context.Context, v *skein.Conversation) {
	w := d.w
	list, err := v.Messages(ctx, 12)
	if err != nil || len(list) == 0 {
		return
	}
	m := list[w.dice.IntN(len(list))]
	var what string
	switch k := w.dice.IntN(10); {
	case m.State == skein.Failed:
		if what = "discard"; w.chance(0.5) {
			w.retried(m.Text)
			what = "retry"
			_, err = v.Retry(ctx, m)
		} else {
			w.discarded(m.Text)
			err = v.Discard(ctx, m)
		}
	case m.Kind != skein.KindText || m.Recalled:
		return
	case k < 4:
		what = "react"
		err = v.React(ctx, m, []string{"👍", "🎉", "😀"}[w.dice.IntN(3)])
	case k < 5:
		what = "unreact"
		err = v.Unreact(ctx, m, "👍")
	case m.Sender != d.user:
		_, err = v.Edits(ctx, m)
		what = "edits"
	case k < 8:
		d.texts++
		what = "edit"
		w.changing(m)
		err = v.Edit(ctx, m, skein.Outgoing{Text: fmt.Sprint(d.name, " ", d.texts, " for ", m.Text)})
	default:
		what = "recall"
		w.changing(m)
		if err = v.Recall(ctx, m); err == nil {
			w.recalled(v.ID(), m)
		}
	}
	w.trace(d.name, "%s %s %d: %v", what, m.Conversation, m.Seq, skein.CodeOf(err))
}

// group makes a group, or changes one.
func (d *device) group(ctx context.Context, c *skein.Client) {
	w := d.w
	if len(w.groups) < 1+len(w.users)/2 && w.chance(0.4) || len(w.groups) == 0 {
		id := fmt.Sprint("g", len(w.groups)+1)
		var members []string
		for _, u := range w.users {
			if u != d.user && w.chance(0.7) {
				members = append(members, u)
			}
		}
		w.groups = append(w.groups, id)
		_, err := c.CreateGroup(ctx, skein.NewGroup{ID: id, Title: id, Members: members})
		w.trace(d.name, "create %s: %v", id, skein.CodeOf(err))
		if err == nil && w.chance(0.5) { // several things of members at once
			return
		}
		return
	}
	v := c.Group(w.groups[w.dice.IntN(len(w.groups))])
	user := w.users[w.dice.IntN(len(w.users))]
	var err error
	var what string
	switch k := w.dice.IntN(12); {
	case k < 4:
		what, err = "add", v.AddMembers(ctx, user)
	case k < 7:
		what, err = "remove", v.RemoveMember(ctx, user)
	case k < 8:
		what, err = "leave", v.Leave(ctx)
	case k < 10:
		role := []skein.Role{skein.RoleMember, skein.RoleAdmin, skein.RoleOwner}[w.dice.IntN(3)]
		what, err = "role "+string(role), v.SetRole(ctx, user, role)
	default:
		d.texts++
		what, err = "title", v.SetTitle(ctx, fmt.Sprint("title ", d.name, d.texts))
	}
	w.trace(d.name, "%s %s %s: %v", what, user, v.ID(), skein.CodeOf(err))
}
