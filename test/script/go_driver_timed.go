package script

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	skein "github.com/skein-im/skein/sdk/go"
)

var timedGoVerbs = map[string]goVerb{
	"passing": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
		m, err := c.Conversation(cmd.Conversation).Send(ctx, skein.Outgoing{Text: cmd.Text, TTL: secondsOf(cmd, "ttl"), BurnAfter: secondsOf(cmd, "burn")})
		return goMessage(m), err
	},
	"later": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
		_, err := c.Conversation(cmd.Conversation).Schedule(ctx, skein.Outgoing{Text: cmd.Text}, time.Now().Add(secondsOf(cmd, "in")))
		return nil, err
	},
	"later-list": func(ctx context.Context, _ *goDriver, c *skein.Client, _ Command) (any, error) {
		out := []string{}
		l, err := c.ListScheduled(ctx)
		for _, s := range l {
			out = append(out, laterLine(s))
		}
		return out, err
	},
	"later-edit": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
		s, err := findLater(ctx, c, cmd.Text)
		if err != nil {
			return nil, err
		}
		var at time.Time
		if d := secondsOf(cmd, "in"); d > 0 {
			at = time.Now().Add(d)
		}
		_, err = c.UpdateScheduled(ctx, s, &skein.Outgoing{Text: cmd.Title}, at)
		return nil, err
	},
	"later-cancel": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
		s, err := findLater(ctx, c, cmd.Text)
		if err != nil {
			return nil, err
		}
		return nil, c.CancelScheduled(ctx, s)
	},
	"later-now": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
		s, err := findLater(ctx, c, cmd.Text)
		if err != nil {
			return nil, err
		}
		_, err = c.SendScheduledNow(ctx, s)
		return nil, err
	},
}

func laterLine(s skein.Scheduled) string {
	if s.State == skein.ScheduledFailed {
		return "failed: " + s.Message.Text
	}
	return s.Message.Text
}

func findLater(ctx context.Context, c *skein.Client, text string) (skein.Scheduled, error) {
	l, err := c.ListScheduled(ctx)
	for _, s := range l {
		if s.Message.Text == text {
			return s, nil
		}
	}
	if err == nil {
		err = fmt.Errorf("no message %q is scheduled", text)
	}
	return skein.Scheduled{}, err
}

// secondsOf is a number of a command's data.
func secondsOf(c Command, name string) time.Duration {
	switch n := c.Data[name].(type) {
	case int:
		return time.Duration(n) * time.Second
	case float64:
		return time.Duration(n) * time.Second
	case json.Number:
		v, _ := n.Int64()
		return time.Duration(v) * time.Second
	}
	return 0
}
