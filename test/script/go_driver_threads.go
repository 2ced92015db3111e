package script

import (
	"context"
	"maps"
	"slices"

	skein "github.com/skein-im/skein/sdk/go"
)

// goThreadVerbs are what hangs on messages.
func goThreadVerbs() map[string]goVerb {
	in := func(run func(ctx context.Context, v *skein.Conversation, seq uint64, cmd Command) (any, error)) goVerb {
		return func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			return run(ctx, c.Conversation(cmd.Conversation), uint64(cmd.Limit), cmd)
		}
	}
	said := func(m skein.Message) string { return text("%s: %s", m.Sender, m.Text) }
	return map[string]goVerb{
		"answer": in(func(ctx context.Context, v *skein.Conversation, seq uint64, cmd Command) (any, error) {
			m, err := v.Send(ctx, skein.Outgoing{Text: cmd.Text, Thread: seq})
			return goMessage(m), err
		}),
		"makePoll": in(func(ctx context.Context, v *skein.Conversation, _ uint64, cmd Command) (any, error) {
			m, err := v.Send(ctx, skein.Outgoing{Poll: skein.NewPoll(cmd.Text, cmd.Users...)})
			return goMessage(m), err
		}),
		"createTopic": in(func(ctx context.Context, v *skein.Conversation, _ uint64, cmd Command) (any, error) {
			m, err := v.CreateTopic(ctx, cmd.Text, "")
			return goMessage(m), err
		}),
		"updateTopic": in(func(ctx context.Context, v *skein.Conversation, seq uint64, cmd Command) (any, error) {
			return nil, v.UpdateTopic(ctx, seq, cmd.Text, "")
		}),
		"closeTopic": in(func(ctx context.Context, v *skein.Conversation, seq uint64, cmd Command) (any, error) {
			return nil, v.CloseTopic(ctx, seq, cmd.Remove)
		}),
		"readThread": in(func(ctx context.Context, v *skein.Conversation, seq uint64, _ Command) (any, error) {
			p, err := v.Thread(ctx, seq, skein.ThreadOptions{})
			if err != nil {
				return nil, err
			}
			return nil, v.ReadThread(ctx, p.Root)
		}),
		"followThread": in(func(ctx context.Context, v *skein.Conversation, seq uint64, cmd Command) (any, error) {
			return nil, v.FollowThread(ctx, seq, !cmd.Remove)
		}),
		"vote": in(func(ctx context.Context, v *skein.Conversation, seq uint64, cmd Command) (any, error) {
			return nil, v.Vote(ctx, seq, cmd.Users...)
		}),
		"closePoll": in(func(ctx context.Context, v *skein.Conversation, seq uint64, _ Command) (any, error) {
			return nil, v.ClosePoll(ctx, seq)
		}),
		"pinMessage": in(func(ctx context.Context, v *skein.Conversation, seq uint64, cmd Command) (any, error) {
			if cmd.Remove {
				return nil, v.UnpinMessage(ctx, seq)
			}
			return nil, v.PinMessage(ctx, seq)
		}),
		"extend": in(func(ctx context.Context, v *skein.Conversation, seq uint64, cmd Command) (any, error) {
			if cmd.Remove {
				return nil, v.SetExtension(ctx, seq, cmd.Type, nil)
			}
			return nil, v.SetExtension(ctx, seq, cmd.Type, []byte(cmd.Text))
		}),
		"thread": in(func(ctx context.Context, v *skein.Conversation, seq uint64, _ Command) (any, error) {
			p, err := v.Thread(ctx, seq, skein.ThreadOptions{})
			return each(p.Replies, said), err
		}),
		"threads": in(func(ctx context.Context, v *skein.Conversation, _ uint64, _ Command) (any, error) {
			roots, _, err := v.Threads(ctx, 0, 0)
			return each(roots, func(m skein.Message) string { return text("%s: %d replies", m.Text, m.Replies.Count) }), err
		}),
		"topics": in(func(ctx context.Context, v *skein.Conversation, _ uint64, _ Command) (any, error) {
			topics, _, err := v.Topics(ctx, 0, 0)
			return each(topics, func(m skein.Message) string { return m.Topic.Name }), err
		}),
		"pins": in(func(ctx context.Context, v *skein.Conversation, _ uint64, _ Command) (any, error) {
			pins, err := v.Pins(ctx)
			return each(pins, func(p skein.PinnedMessage) string { return p.Message.Text }), err
		}),
		"beside": in(func(ctx context.Context, v *skein.Conversation, _ uint64, cmd Command) (any, error) {
			m, err := find(ctx, v, cmd.Message)
			if err != nil {
				return []string{}, nil // not here yet
			}
			return besideLines(v, m), nil
		}),
	}
}

// besideLines tells what later entries made of a message.
func besideLines(v *skein.Conversation, m skein.Message) []string {
	out := []string{}
	if m.Replies != nil {
		out = append(out, text("%d replies, %d unread", m.Replies.Count, m.Replies.Unread))
	}
	if m.Poll != nil {
		if m.Poll.Closed {
			out = append(out, "closed")
		}
		for _, o := range m.Poll.Options {
			mine := ""
			if o.Mine {
				mine = " mine"
			}
			out = append(out, text("%s %d%s", o.Text, o.Votes, mine))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(m.Extensions)) {
		out = append(out, text("%s=%s", key, m.Extensions[key]))
	}
	if slices.Contains(v.Pinned(), m.Seq) {
		out = append(out, "pinned")
	}
	if m.Topic != nil && m.Topic.Closed {
		out = append(out, "closed topic")
	}
	return out
}
