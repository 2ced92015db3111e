package script

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	skein "github.com/skein-im/skein/sdk/go"
)

// commands are those that a device has heard.
type commands struct {
	mu    sync.Mutex // guards lines
	lines []string
}

func (h *commands) add(line string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, line)
}

func goMessagesVerbs() map[string]goVerb {
	return map[string]goVerb{
		"share": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			conv := c.Conversation(cmd.Conversation)
			o, err := goShare(ctx, conv, cmd)
			if err != nil {
				return nil, err
			}
			m, err := conv.Send(ctx, o)
			return goMessage(m), err
		},
		"forward": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			f := skein.Forward{Merged: cmd.Data["merged"] == true, Title: cmd.Title, Comment: cmd.Text}
			for _, id := range cmd.Users {
				m, err := find(ctx, c.Conversation(cmd.Conversation), id)
				if err != nil {
					return nil, err
				}
				f.Messages = append(f.Messages, m)
			}
			_, err := c.Conversation(cmd.Data["into"].(string)).Forward(ctx, f)
			return nil, err
		},
		"command": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			return nil, c.Conversation(cmd.Conversation).Command(ctx, cmd.Type, []byte(cmd.Text), cmd.Users...)
		},
		"about": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			conv := c.Conversation(cmd.Conversation)
			ms, err := conv.Messages(ctx, windowSize)
			for i := len(ms) - 1; i >= 0 && err == nil; i-- {
				if cmd.Message == "" || ms[i].ID == cmd.Message {
					return goAbout(conv, ms[i]), nil
				}
			}
			return []string{}, err
		},
		"heard": func(_ context.Context, d *goDriver, _ *skein.Client, _ Command) (any, error) {
			d.heard.mu.Lock()
			defer d.heard.mu.Unlock()
			return append([]string{}, d.heard.lines...), nil
		},
	}
}

func goShare(ctx context.Context, conv *skein.Conversation, cmd Command) (skein.Outgoing, error) {
	o := skein.Outgoing{Mentions: cmd.Mentions, MentionAll: cmd.Data["all"] == true, MentionHere: cmd.Data["here"] == true, Silent: cmd.Data["silent"] == true}
	a, _ := cmd.Data["a"].(string)
	b, _ := cmd.Data["b"].(string)
	switch cmd.Type {
	case "location":
		o.Location = &skein.Location{Name: cmd.Text}
		var err error
		if o.Location.Latitude, err = strconv.ParseFloat(a, 64); err != nil {
			return o, err
		}
		if o.Location.Longitude, err = strconv.ParseFloat(b, 64); err != nil {
			return o, err
		}
	case "card":
		o.ContactCard = &skein.ContactCard{User: a, Name: cmd.Text}
	case "sticker":
		o.Sticker = &skein.Sticker{Pack: a, ID: b, Alt: cmd.Text}
	case "files":
		for _, name := range cmd.Users {
			o.Attachments = append(o.Attachments, skein.Attachment{Name: name, MIME: "image/png", Size: 7, URL: "https://files.example/" + name})
		}
	default:
		o.Text = cmd.Text
	}
	if cmd.Data["markdown"] == true {
		o.Format = skein.Markdown
	}
	if cmd.Role != "" {
		o.MentionRoles = []string{cmd.Role}
	}
	if cmd.Data["high"] == true {
		o.Priority = skein.HighPriority
	}
	if cmd.Data["low"] == true {
		o.Priority = skein.LowPriority
	}
	if to, ok := cmd.Data["to"].([]string); ok {
		o.ToUsers = to
	}
	if cmd.ReplyTo != "" {
		m, err := find(ctx, conv, cmd.ReplyTo)
		if err != nil {
			return o, err
		}
		o.ReplyTo = m.Seq
	}
	return o, nil
}

// goAbout is a message's content and what goes with it, a line each.
func goAbout(conv *skein.Conversation, m skein.Message) []string {
	out := goContent(m)
	if m.Format == skein.Markdown {
		out = append(out, "markdown")
	}
	if m.Forwarded != nil {
		out = append(out, "from "+m.Forwarded.Sender)
	}
	if conv.MentionsMe(m) {
		out = append(out, "calls me")
	}
	if m.Silent {
		out = append(out, "silent")
	}
	if m.Priority != "" {
		out = append(out, string(m.Priority))
	}
	if len(m.ToUsers) > 0 {
		out = append(out, "to "+strings.Join(m.ToUsers, " "))
	}
	return out
}

func goContent(m skein.Message) []string {
	switch m.Kind {
	case skein.KindText:
		return []string{m.Text}
	case skein.KindLocation:
		return []string{fmt.Sprintf("location %g %g %s", m.Location.Latitude, m.Location.Longitude, m.Location.Name)}
	case skein.KindContactCard:
		return []string{"card " + m.ContactCard.User + " " + m.ContactCard.Name}
	case skein.KindSticker:
		return []string{"sticker " + m.Sticker.Pack + " " + m.Sticker.ID + " " + m.Sticker.Alt}
	case skein.KindAttachments:
		line := "files"
		for _, f := range m.Attachments {
			line += " " + f.Name
		}
		return []string{line}
	case skein.KindNotice:
		return []string{"notice " + m.Notice.Code + " " + m.Notice.Text}
	case skein.KindMerged:
		out := []string{fmt.Sprintf("merged %d %s", m.Merged.Count, m.Merged.Title)}
		for _, it := range m.Merged.Items {
			out = append(out, it.Sender+": "+strings.Join(goContent(it.Content), "; "))
		}
		return out
	}
	return []string{string(m.Kind)}
}
