package script

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	skein "github.com/skein-im/skein/sdk/go"
)

// goPeopleVerbs are what users do about themselves and one another.
func goPeopleVerbs() map[string]goVerb {
	return map[string]goVerb{
		"people": func(_ context.Context, _ *goDriver, c *skein.Client, _ Command) (any, error) { return peopleOf(c), nil },
		"setProfile": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			_, err := c.UpdateProfile(ctx, goUpdate(cmd.Type, cmd.Text))
			return nil, err
		},
		"setPrivacy": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			_, err := c.UpdatePrivacy(ctx, goPrivacy(cmd.Type, cmd.Text))
			return nil, err
		},
		"profile": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			got, err := c.RefreshProfiles(ctx, cmd.Users...)
			return goProfile(got[cmd.Users[0]]), err
		},
		"discover": goFind,
		"askContact": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			return c.RequestContact(ctx, cmd.Users[0], cmd.Text)
		},
		"answerContact": either(func(ctx context.Context, c *skein.Client, u string) error { return c.AcceptContact(ctx, u) },
			func(ctx context.Context, c *skein.Client, u string) error { return c.DeclineContact(ctx, u) }),
		"removeContact": either(func(ctx context.Context, c *skein.Client, u string) error { return c.RemoveContact(ctx, u) }, nil),
		"remark": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			return c.UpdateContact(ctx, cmd.Users[0], cmd.Text, cmd.Mentions...)
		},
		"setStatus": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			return nil, c.SetStatus(ctx, skein.Status{Text: cmd.Text})
		},
		"status": func(_ context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			if p, known := c.Presence(cmd.Users[0]); known && p.Status != nil {
				return p.Status.Text, nil
			}
			return "", nil
		},
		"signInCode": func(ctx context.Context, d *goDriver, _ *skein.Client, _ Command) (any, error) {
			door := skein.Door{Endpoint: d.options.Endpoint, AppID: d.options.AppID, Device: d.options.DeviceID}
			code, err := door.CreateSignInCode(ctx, d.options.DeviceName, d.options.Platform)
			if err != nil {
				return nil, err
			}
			d.code = code
			return code.Code, nil
		},
		"answerCode": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			if asks, err := c.SignInCode(ctx, cmd.Text); err != nil || asks.Address == "" {
				return asks, err
			}
			return nil, c.AnswerSignInCode(ctx, cmd.Text, !cmd.Remove)
		},
		"takeCode": func(ctx context.Context, d *goDriver, _ *skein.Client, _ Command) (any, error) {
			got, err := d.code.Wait(ctx)
			if err != nil {
				return nil, err
			}
			d.mu.Lock()
			d.token = got.Token
			d.mu.Unlock()
			return got.User, nil
		},
		"follow": either(func(ctx context.Context, c *skein.Client, u string) error { return c.FollowUser(ctx, u) },
			func(ctx context.Context, c *skein.Client, u string) error { return c.UnfollowUser(ctx, u) }),
		"follows": goFollows,
		"block": either(func(ctx context.Context, c *skein.Client, u string) error { return c.BlockUser(ctx, u) },
			func(ctx context.Context, c *skein.Client, u string) error { return c.UnblockUser(ctx, u) }),
	}
}

// visit makes the device a guest's, before its store is a user's.
func (d *goDriver) visit(ctx context.Context) (any, error) {
	door := skein.Door{Endpoint: d.options.Endpoint, AppID: d.options.AppID, Device: d.options.DeviceID}
	got, err := door.CreateGuest(ctx)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.options.User, d.token = got.User, got.Token
	return got.User, nil
}

// either does something to a user, or with Remove the opposite.
func either(do, undo func(ctx context.Context, c *skein.Client, user string) error) goVerb {
	return func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
		if cmd.Remove {
			return nil, undo(ctx, c, cmd.Users[0])
		}
		return nil, do(ctx, c, cmd.Users[0])
	}
}

// goFollows counts; of the user themself by walking through the lists.
func goFollows(ctx context.Context, d *goDriver, c *skein.Client, cmd Command) (any, error) {
	if cmd.Users[0] != d.options.User {
		f, err := c.Follows(ctx, cmd.Users[0])
		return fmt.Sprint(f.Followers, " ", f.Following), err
	}
	var n [2]int
	for i, list := range []iter.Seq2[skein.Follow, error]{c.Followers(ctx), c.Following(ctx)} {
		for _, err := range list {
			if err != nil {
				return nil, err
			}
			n[i]++
		}
	}
	return fmt.Sprint(n[0], " ", n[1]), nil
}

func goFind(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
	q := skein.DirectoryQuery{}
	switch cmd.Type {
	case "name":
		q.Name = cmd.Text
	case "user":
		q.User = cmd.Text
	default:
		q.Field, q.Value = cmd.Type, cmd.Text
	}
	out := []string{}
	for p, err := range c.SearchDirectory(ctx, q) {
		if err != nil {
			return nil, err
		}
		out = append(out, p.User)
	}
	return out, nil
}

func goUpdate(field, text string) skein.ProfileUpdate {
	u := skein.ProfileUpdate{}
	switch field {
	case "name":
		u.Name = &text
	case "avatar":
		u.AvatarURL = &text
	case "bio":
		u.Bio = &text
	case "gender":
		u.Gender = &text
	case "birthday":
		u.Birthday = &text
	case "language":
		u.Language = &text
	default:
		u.Custom = map[string]string{field: text}
	}
	return u
}

func goPrivacy(setting, value string) skein.Privacy {
	var p skein.Privacy
	v := skein.Visibility(value)
	switch setting {
	case "name":
		p.Name = v
	case "bio":
		p.Bio = v
	case "birthday":
		p.Birthday = v
	case "custom":
		p.Custom = v
	case "lastSeen":
		p.LastSeen = v
	case "findable":
		p.Findable = v
	case "contacts":
		p.Contacts = skein.ContactPolicy(value)
	case "readReceipts":
		p.ReadReceipts = skein.ReadReceipts(value)
	}
	return p
}

// goProfile is a profile without what is empty.
func goProfile(p skein.Profile) map[string]string {
	out := map[string]string{"name": p.Name, "avatar": p.AvatarURL, "bio": p.Bio, "gender": p.Gender, "birthday": p.Birthday, "language": p.Language}
	for k, v := range p.Custom {
		out[k] = v
	}
	for k, v := range out {
		if v == "" {
			delete(out, k)
		}
	}
	return out
}

// peopleOf is the user's lists, a line each.
func peopleOf(c *skein.Client) []string {
	out := []string{}
	for _, x := range c.Contacts() {
		words := append([]string{"contact", x.User, x.Remark}, x.Labels...)
		out = append(out, strings.Join(slices.DeleteFunc(words, func(s string) bool { return s == "" }), " "))
	}
	for _, r := range c.ContactRequests() {
		side, state := "from", ""
		if r.Outgoing {
			side = "to"
		}
		if r.Declined {
			state = " (declined)"
		}
		out = append(out, side+" "+r.User+" "+r.Greeting+state)
	}
	for _, b := range c.Blocked() {
		out = append(out, "blocks "+b.User)
	}
	return out
}
