package script

import (
	"context"
	"fmt"
	"strings"

	skein "github.com/skein-im/skein/sdk/go"
)

var callGoVerbs = map[string]goVerb{
	"ring": func(ctx context.Context, d *goDriver, c *skein.Client, cmd Command) (any, error) {
		n := skein.NewCall{Users: cmd.Users, Video: cmd.Data["video"] == true, Quiet: cmd.Data["quiet"] == true}
		if cmd.Data["viewers"] == true {
			n.Role = skein.CallViewer
		}
		call, err := c.Conversation(cmd.Conversation).StartCall(ctx, n)
		if err == nil && (call.Access == nil) != (call.State == skein.CallEnded) {
			err = fmt.Errorf("the call is %s, and the access %v", call.State, call.Access)
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.rang == nil {
			d.rang = map[string]string{}
		}
		d.rang[cmd.Conversation] = call.ID
		return nil, err
	},
	"incall": func(ctx context.Context, d *goDriver, c *skein.Client, cmd Command) (any, error) {
		id := d.callOf(c, cmd.Conversation)
		switch cmd.Type {
		case "is":
			call, err := c.Call(ctx, id)
			return callLine(call), err
		case "join", "move":
			join := c.AcceptCall
			if cmd.Type == "move" {
				join = c.MoveCall
			}
			call, err := join(ctx, id)
			if err == nil && call.Access == nil {
				err = fmt.Errorf("there is no access")
			}
			return nil, err
		case "decline":
			return nil, c.DeclineCall(ctx, id)
		case "leave":
			return nil, c.LeaveCall(ctx, id)
		case "end":
			return nil, c.EndCall(ctx, id)
		case "record":
			_, err := c.RecordCall(ctx, id)
			return nil, err
		case "unrecord":
			_, err := c.StopRecording(ctx, id)
			return nil, err
		case "invite":
			_, err := c.InviteToCall(ctx, id, "", cmd.Users...)
			return nil, err
		case "oust":
			return nil, c.RemoveFromCall(ctx, id, cmd.Users[0])
		case "mute":
			return nil, c.MuteInCall(ctx, id, cmd.Users[0], true, false)
		case "role":
			return nil, c.SetCallRole(ctx, id, cmd.Users[0], skein.CallRole(cmd.Role))
		}
		return nil, fmt.Errorf("incall does not know %q", cmd.Type)
	},
	"calls": func(_ context.Context, _ *goDriver, c *skein.Client, _ Command) (any, error) {
		out := []string{}
		for _, k := range c.OwnCalls() {
			line := k.Conversation + " " + string(k.Own)
			if k.Device != "" {
				line += " by " + k.Device[strings.LastIndex(k.Device, "-")+1:]
			}
			if k.State == skein.CallEnded {
				line += ", " + string(k.End)
			}
			out = append(out, line)
		}
		return out, nil
	},
	"callline": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
		m, ok, err := c.Conversation(cmd.Conversation).LastMessage(ctx)
		if err != nil || !ok {
			return "", err
		}
		line, ok := skein.CallOf(&m)
		if !ok {
			return "", nil
		}
		return line.Kind + map[bool]string{true: " video", false: " voice"}[line.Video], nil
	},
	"recordings": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
		out := []string{}
		list, _, err := c.Recordings(ctx, skein.RecordingQuery{Conversation: cmd.Conversation})
		for _, r := range list {
			out = append(out, string(r.State)+" by "+r.Recorder)
		}
		return out, err
	},
	"records": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
		out := []string{}
		for page := ""; ; {
			list, next, err := c.Calls(ctx, skein.CallQuery{Limit: 2, Page: page, Missed: cmd.Data["missed"] == true})
			for _, k := range list {
				out = append(out, k.Conversation+" "+callLine(k))
			}
			if page = next; page == "" || err != nil {
				return out, err
			}
		}
	},
}

// callOf is the newest call of a conversation that the device has started, or
// heard of: ids sort by time.
func (d *goDriver) callOf(c *skein.Client, conv string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return max(d.rang[conv], goCall(c, conv))
}

// goCall is the newest call of a conversation that the device has heard of.
func goCall(c *skein.Client, conv string) string {
	if call, ok := c.Conversation(conv).CallNow(); ok {
		return call.ID
	}
	for _, k := range c.OwnCalls() {
		if k.Conversation == conv {
			return k.ID
		}
	}
	return strings.Repeat("0", 32)
}

func callLine(k skein.Call) string {
	out := string(k.State)
	if k.End != "" {
		out += "/" + string(k.End)
	}
	for _, p := range k.Parties {
		out += " " + p.User + "=" + string(p.State)
		if p.Role == skein.CallViewer {
			out += "/viewer"
		}
	}
	return out
}
