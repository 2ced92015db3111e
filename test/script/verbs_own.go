package script

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ownVerbs are what a user does to their own order among the conversations.
var ownVerbs = map[string]verb{"own": own}

// ownWords are what `own CONV WORD` does without further words.
var ownWords = []string{"pin", "unpin", "mute", "unmute", "unread", "readall", "hide", "unhide", "archive", "unarchive", "clear", "nodraft"}

// own: lists CONV … | undo | [later] CONV WORD | CONV draft "text" | CONV mute for N |
// CONV folders "name" … | CONV delete NAME … | CONV has [WORD …]
func own(ctx context.Context, w *world, d *device, a *args) error {
	switch {
	case a.word("lists"):
		var want []string
		for a.more() && a.err == nil {
			want = append(want, w.conv(d, a.next("a conversation")))
		}
		return w.ownIs(ctx, d, a, Command{Verb: "own", Data: map[string]any{"do": "lists"}}, want)
	case a.word("undo"):
		return w.call(ctx, d, a, Command{Verb: "own", Data: map[string]any{"do": "undo"}})
	}
	later := a.word("later")
	c := Command{Verb: "own", Conversation: w.conv(d, a.next("a conversation")), Data: map[string]any{"later": later}}
	do := a.next("what")
	c.Data["do"] = do
	switch {
	case do == "has":
		return w.ownIs(ctx, d, a, c, a.rest())
	case do == "draft":
		c.Text = a.text("the draft")
	case do == "folders":
		c.Users = a.rest()
	case do == "mute" && a.word("for"):
		n, err := strconv.Atoi(a.next("seconds"))
		if err != nil {
			return err
		}
		c.Limit = n
	case do == "delete":
		var ids []string
		for a.more() && a.err == nil {
			m, err := w.message(a.next("a message"))
			if err != nil {
				return err
			}
			ids = append(ids, m.id)
		}
		c.Users = ids
		if _, err := d.driver.Do(ctx, Command{Verb: "open", Conversation: c.Conversation}); err != nil {
			return err
		}
	case !slices.Contains(ownWords, do):
		return fmt.Errorf("nobody can %s a conversation", do)
	}
	return w.call(ctx, d, a, c)
}

// ownIs waits until a list is exactly this one, in this order.
func (w *world) ownIs(ctx context.Context, d *device, a *args, c Command, want []string) error {
	if err := a.done(); err != nil {
		return err
	}
	return w.result(ctx, d, c, func(raw json.RawMessage) error {
		var got []string
		if err := json.Unmarshal(raw, &got); err != nil {
			return err
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("it has [%s], want [%s]", strings.Join(got, " "), strings.Join(want, " "))
		}
		return nil
	})
}
