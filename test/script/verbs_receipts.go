package script

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
)

// receiptVerbs: receipts NAME USER=STATE …; arrived CONV
var receiptVerbs = map[string]verb{
	"arrived": func(ctx context.Context, w *world, d *device, a *args) error {
		return w.call(ctx, d, a, Command{Verb: "arrived", Conversation: w.conv(d, a.next("a conversation"))})
	},
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

// receiptExpectations: expect delivered NAME
var receiptExpectations = map[string]verb{
	"delivered": func(ctx context.Context, w *world, d *device, a *args) error {
		m, err := w.message(a.next("a message"))
		if err != nil {
			return err
		}
		return w.until(ctx, d, "", func(v *View) error {
			if c := v.conversation(m.conv); c == nil || m.seq == 0 || c.DeliveredSeq < m.seq {
				return fmt.Errorf("seq %d is not known to be delivered", m.seq)
			}
			return nil
		})
	},
}
