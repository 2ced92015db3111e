package script

import (
	"context"

	skein "github.com/skein-im/skein/sdk/go"
)

var receiptGoVerbs = map[string]goVerb{
	"arrived": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
		return nil, c.Conversation(cmd.Conversation).AskDelivered(ctx)
	},
	"receipts": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
		conv := c.Conversation(cmd.Conversation)
		m, err := find(ctx, conv, cmd.Message)
		if err != nil {
			return nil, err
		}
		out := []string{}
		for r, err := range conv.Receipts(ctx, m) {
			if err != nil {
				return nil, err
			}
			out = append(out, r.User+"="+string(r.State))
		}
		return out, nil
	},
}
