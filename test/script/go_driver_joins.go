package script

import (
	"context"
	"iter"

	skein "github.com/skein-im/skein/sdk/go"
)

// goJoinVerbs are how users come into groups by themselves, and are kept out.
func goJoinVerbs() map[string]goVerb {
	came := func(j skein.Joining, err error) (any, error) {
		if j.Request != nil {
			return "asks", err
		}
		return "joins", err
	}
	return map[string]goVerb{
		"joinGroup": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			return came(c.JoinGroup(ctx, cmd.Conversation, cmd.Text))
		},
		"useInvite": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			return came(c.JoinByInvite(ctx, cmd.Type, cmd.Text))
		},
		"previewInvite": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			p, err := c.GetInvite(ctx, cmd.Type)
			return text("%s %d", p.Title, p.Members), err
		},
		"createInvite": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			v, code, err := c.Conversation(cmd.Conversation).CreateInvite(ctx, skein.NewInvite{MaxUses: cmd.Limit, Approval: cmd.Remove, Label: cmd.Text})
			return []string{v.ID, code}, err
		},
		"revokeInvite": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			return nil, c.Conversation(cmd.Conversation).RevokeInvite(ctx, cmd.Type)
		},
		"joinRequests": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			return gather(c.Conversation(cmd.Conversation).JoinRequests(ctx), func(q skein.JoinRequest) string { return q.User })
		},
		"answerJoin": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			return nil, c.Conversation(cmd.Conversation).AnswerJoinRequest(ctx, cmd.Users[0], !cmd.Remove)
		},
		"cancelJoin": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			return nil, c.CancelJoinRequest(ctx, cmd.Conversation)
		},
		"ban": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			if cmd.Remove {
				return nil, c.Conversation(cmd.Conversation).UnbanMember(ctx, cmd.Users[0])
			}
			return nil, c.Conversation(cmd.Conversation).BanMember(ctx, cmd.Users[0], "")
		},
		"bans": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			return gather(c.Conversation(cmd.Conversation).Bans(ctx), func(b skein.Ban) string { return b.User })
		},
		"allow": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			return nil, c.Conversation(cmd.Conversation).SetAllowList(ctx, cmd.Data["enforced"] == true, cmd.Users...)
		},
		"disallow": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			return nil, c.Conversation(cmd.Conversation).RemoveFromAllowList(ctx, cmd.Users...)
		},
		"allowed": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			l, err := c.Conversation(cmd.Conversation).AllowList(ctx)
			return append([]string{}, l.Users...), err
		},
		"joinsWaiting": func(_ context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			return c.WaitingJoinRequests()[cmd.Conversation], nil
		},
		"joinsAsked": func(ctx context.Context, _ *goDriver, c *skein.Client, _ Command) (any, error) {
			qs, err := c.MyJoinRequests(ctx)
			out := []string{}
			for _, q := range qs {
				line := q.Conversation
				if q.Declined {
					line += " (declined)"
				}
				out = append(out, line)
			}
			return out, err
		},
	}
}

// gather walks through a list.
func gather[T any](rows iter.Seq2[T, error], name func(T) string) ([]string, error) {
	out := []string{}
	for r, err := range rows {
		if err != nil {
			return nil, err
		}
		out = append(out, name(r))
	}
	return out, nil
}
