package script

import (
	"context"
	"fmt"
	"time"

	skein "github.com/skein-im/skein/sdk/go"
)

var ownGoVerbs = map[string]goVerb{"own": goOwn}

func goOwn(ctx context.Context, d *goDriver, client *skein.Client, c Command) (any, error) {
	if c.Data["later"] == true { // nobody waits for it
		now := c
		now.Data = map[string]any{"do": c.Data["do"]}
		started := make(chan struct{})
		go func() { // ends with the client
			close(started)
			goOwn(context.WithoutCancel(ctx), d, client, now)
		}()
		<-started
		return nil, nil
	}
	conv := client.Conversation(c.Conversation)
	switch do := c.Data["do"]; do {
	case "lists":
		out := []string{}
		for _, v := range client.Listed() {
			out = append(out, v.ID())
		}
		return out, nil
	case "has":
		return goOwnHas(client, conv), nil
	case "undo":
		d.mu.Lock()
		undo := d.undo
		d.mu.Unlock()
		return nil, undo(ctx)
	case "clear", "delete":
		return nil, goOwnDelete(ctx, d, conv, c)
	case "draft", "nodraft":
		return nil, conv.SetDraft(ctx, skein.Draft{Text: c.Text})
	case "folders":
		return nil, goOwnFolders(ctx, client, conv, c.Users)
	case "mute":
		if c.Limit == 0 {
			return nil, conv.Mute(ctx, time.Time{})
		}
		return nil, conv.Mute(ctx, time.Now().Add(time.Duration(c.Limit)*time.Second))
	default:
		act, ok := map[any]func(context.Context) error{"pin": conv.Pin, "unpin": conv.Unpin, "unmute": conv.Unmute, "unread": conv.MarkUnread,
			"readall": conv.MarkRead, "hide": conv.Hide, "unhide": conv.Unhide, "archive": conv.Archive, "unarchive": conv.Unarchive}[do]
		if !ok {
			return nil, fmt.Errorf("no verb own %v", do)
		}
		return nil, act(ctx)
	}
}

func goOwnDelete(ctx context.Context, d *goDriver, conv *skein.Conversation, c Command) error {
	var undo func(context.Context) error
	var err error
	if c.Data["do"] == "clear" {
		undo, err = conv.ClearHistory(ctx)
	} else {
		var ms []skein.Message
		for _, id := range c.Users {
			m, err := find(ctx, conv, id)
			if err != nil {
				return err
			}
			ms = append(ms, m)
		}
		undo, err = conv.DeleteForMe(ctx, ms...)
	}
	d.mu.Lock()
	d.undo = undo
	d.mu.Unlock()
	return err
}

// goOwnFolders puts a conversation into folders of these names, made when
// there are none.
func goOwnFolders(ctx context.Context, client *skein.Client, conv *skein.Conversation, names []string) error {
	var ids []string
	for _, name := range names {
		id := ""
		for _, f := range client.Folders() {
			if f.Name == name {
				id = f.ID
			}
		}
		if id == "" {
			f, err := client.SetFolder(ctx, skein.Folder{Name: name})
			if err != nil {
				return err
			}
			id = f.ID
		}
		ids = append(ids, id)
	}
	return conv.SetFolders(ctx, ids...)
}

func goOwnHas(client *skein.Client, conv *skein.Conversation) []string {
	own, out := conv.Own(), []string{}
	for _, is := range []struct {
		word string
		on   bool
	}{{"pinned", own.Pinned}, {"muted", own.Muted}, {"unread", own.MarkedUnread}, {"hidden", own.Hidden}, {"archived", own.Archived}} {
		if is.on {
			out = append(out, is.word)
		}
	}
	if own.Draft.Text != "" {
		out = append(out, "draft:"+own.Draft.Text)
	}
	for _, id := range own.Folders {
		for _, f := range client.Folders() {
			if f.ID == id {
				out = append(out, "in:"+f.Name)
			}
		}
	}
	return out
}
