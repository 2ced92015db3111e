package script

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
)

// receiptVerbs: receipts NAME USER=STATE …
var receiptVerbs = map[string]verb{
	"receipts": func(ctx context.Context, w *world, d *device, a *args) error {
		m, err := w.message(a.next("a message"))
		if err != nil {
			return err
		}
		want := a.rest()
		if err := w.onShown(ctx, d, m, func(*MessageView) error { return nil }); err != nil {
			return err
		}
		return w.result(ctx, d, Command{Verb: "receipts", Conversation: m.conv, Message: m.id}, func(raw json.RawMessage) error {
			var got []string
			if err := json.Unmarshal(raw, &got); err != nil {
				return err
			}
			if !slices.Equal(got, want) {
				return fmt.Errorf("the receipts are %q, want %q", got, want)
			}
			return nil
		})
	},
}
