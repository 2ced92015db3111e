package script

import (
	"context"
	"fmt"

	skein "github.com/skein-im/skein/sdk/go"
)

var searchGoVerbs = map[string]goVerb{
	"seek": func(ctx context.Context, _ *goDriver, client *skein.Client, c Command) (any, error) {
		q := skein.MessageQuery{Text: c.Text, Kind: skein.SearchKind(c.Type), Limit: c.Limit}
		if c.Conversation != "" {
			q.Conversation = client.Conversation(c.Conversation)
		}
		if len(c.Users) > 0 {
			q.Sender = c.Users[0]
		}
		found := []string{}
		for {
			page, err := client.SearchMessages(ctx, q)
			if err != nil {
				return nil, err
			}
			for _, m := range page.Messages {
				text := ""
				if m.Thread > 0 {
					text = fmt.Sprintf("%d: ", m.Thread)
				}
				for _, p := range m.Excerpt {
					if p.Hit {
						text += "[" + p.Text + "]"
					} else {
						text += p.Text
					}
				}
				found = append(found, text)
			}
			if q.Page = page.NextPage; q.Page == "" {
				return found, nil
			}
		}
	},
}
