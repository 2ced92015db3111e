package script

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

var searchVerbs = map[string]verb{
	"seek": findOnServer,
}

// findOnServer: "text" [in CONV] [by USER] [kind KIND] [pages N] shows "excerpt" …
func findOnServer(ctx context.Context, w *world, d *device, a *args) error {
	c := Command{Verb: "seek", Text: a.text("what to search")}
	for {
		switch {
		case a.word("in"):
			c.Conversation = w.conv(d, a.next("a conversation"))
		case a.word("by"):
			c.Users = []string{a.next("a user")}
		case a.word("kind"):
			c.Type = a.next("a kind")
		case a.word("pages"):
			c.Limit, _ = strconv.Atoi(a.next("a number"))
		case a.word("shows"):
			want := a.rest()
			return w.result(ctx, d, c, func(raw json.RawMessage) error {
				var got []string
				if err := json.Unmarshal(raw, &got); err != nil {
					return err
				}
				if !slices.Equal(got, want) {
					return fmt.Errorf("the server finds %q, want %q", got, want)
				}
				return nil
			})
		default:
			return w.call(ctx, d, a, c)
		}
	}
}
