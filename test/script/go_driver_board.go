package script

import (
	"context"
	"fmt"

	skein "github.com/skein-im/skein/sdk/go"
)

func text(format string, args ...any) string { return fmt.Sprintf(format, args...) }

// goBoardVerbs are what hangs on a group's board.
func goBoardVerbs() map[string]goVerb {
	return map[string]goVerb{
		"announce": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			n := skein.NewAnnouncement{Title: cmd.Title, Text: cmd.Text, Pinned: cmd.Remove}
			if cmd.Type != "" {
				a, err := c.Conversation(cmd.Conversation).UpdateAnnouncement(ctx, cmd.Type, n)
				return a.ID, err
			}
			a, err := c.Conversation(cmd.Conversation).CreateAnnouncement(ctx, n)
			return a.ID, err
		},
		"unannounce": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			return nil, c.Conversation(cmd.Conversation).DeleteAnnouncement(ctx, cmd.Type)
		},
		"announcements": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			as, err := c.Conversation(cmd.Conversation).Announcements(ctx)
			return each(as, func(a skein.Announcement) string {
				if a.Pinned {
					return text("*%s: %s", a.Title, a.Text)
				}
				return text("%s: %s", a.Title, a.Text)
			}), err
		},
		"setAttribute": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			version := skein.AnyVersion
			if cmd.Limit >= 0 {
				version = uint64(cmd.Limit)
			}
			_, err := c.Conversation(cmd.Conversation).SetAttribute(ctx, cmd.Type, cmd.Text, version)
			return nil, err
		},
		"removeAttribute": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			return nil, c.Conversation(cmd.Conversation).RemoveAttribute(ctx, cmd.Type, skein.AnyVersion)
		},
		"attributes": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			as, err := c.Conversation(cmd.Conversation).Attributes(ctx)
			return each(as, func(a skein.Attribute) string { return text("%s=%s@%d", a.Name, a.Value, a.Version) }), err
		},
		"increment": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			var b skein.Bounds
			for name, bound := range map[string]**int64{"min": &b.Min, "max": &b.Max} {
				if v, ok := cmd.Data[name].(float64); ok {
					n := int64(v)
					*bound = &n
				}
			}
			delta, _ := cmd.Data["delta"].(float64)
			return c.Conversation(cmd.Conversation).IncrementCounter(ctx, cmd.Type, int64(delta), b)
		},
		"removeCounter": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			return nil, c.Conversation(cmd.Conversation).RemoveCounter(ctx, cmd.Type)
		},
		"counters": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			cs, err := c.Conversation(cmd.Conversation).Counters(ctx)
			return each(cs, func(n skein.Counter) string { return text("%s=%d", n.Name, n.Value) }), err
		},
	}
}

func each[T any](rows []T, line func(T) string) []string {
	out := []string{}
	for _, r := range rows {
		out = append(out, line(r))
	}
	return out
}
