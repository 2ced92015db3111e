package script

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
	skein "github.com/skein-im/skein/sdk/go"
)

// goGroupVerbs are what members do about groups.
func goGroupVerbs() map[string]goVerb {
	on := func(do func(ctx context.Context, v *skein.Conversation, c Command) (any, error)) goVerb {
		return func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			return do(ctx, c.Conversation(cmd.Conversation), cmd)
		}
	}
	return map[string]goVerb{
		"createGroupOf": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			all, _ := cmd.Data["settings"].([]any)
			var s skein.SettingsChange
			for _, one := range all {
				if err := goSetting(&s, one.(map[string]any)); err != nil {
					return nil, err
				}
			}
			v, err := c.CreateGroup(ctx, skein.NewGroup{ID: cmd.Conversation, Title: cmd.Title, Members: cmd.Users, Settings: &s})
			if err != nil {
				return nil, err
			}
			return v.ID(), nil
		},
		"groupSettings": on(func(ctx context.Context, v *skein.Conversation, c Command) (any, error) {
			var s skein.SettingsChange
			if err := goSetting(&s, c.Data); err != nil {
				return nil, err
			}
			return nil, v.UpdateSettings(ctx, s)
		}),
		"putRole": on(func(ctx context.Context, v *skein.Conversation, c Command) (any, error) {
			id, _ := c.Data["id"].(string)
			return v.PutRole(ctx, skein.GroupRole{ID: id, Name: c.Title, Rank: c.Limit, Grants: goGrants(c.Mentions)})
		}),
		"deleteRole": on(func(ctx context.Context, v *skein.Conversation, c Command) (any, error) {
			return nil, v.DeleteRole(ctx, c.Role)
		}),
		"memberRoles": on(func(ctx context.Context, v *skein.Conversation, c Command) (any, error) {
			return nil, v.SetMemberRoles(ctx, c.Users[0], c.Mentions...)
		}),
		"nickname": on(func(ctx context.Context, v *skein.Conversation, c Command) (any, error) {
			return nil, v.SetNickname(ctx, c.Users[0], c.Text)
		}),
		"mute": on(func(ctx context.Context, v *skein.Conversation, c Command) (any, error) {
			if d := time.Duration(c.Limit) * time.Second; len(c.Users) > 0 {
				return nil, v.MuteMember(ctx, c.Users[0], d)
			} else {
				return nil, v.MuteAll(ctx, d)
			}
		}),
		"transfer": on(func(ctx context.Context, v *skein.Conversation, c Command) (any, error) {
			return nil, v.Transfer(ctx, c.Users[0])
		}),
		"dissolve": on(func(ctx context.Context, v *skein.Conversation, c Command) (any, error) { return nil, v.Dissolve(ctx) }),
		"groupInfo": func(ctx context.Context, _ *goDriver, c *skein.Client, cmd Command) (any, error) {
			g, err := c.GroupInfo(ctx, cmd.Conversation)
			return []string{"type " + string(g.Type), "join " + string(g.JoinMode), "title " + g.Title, "description " + g.Description,
				fmt.Sprint("members ", g.Members), fmt.Sprint("member ", g.Member)}, err
		},
		"groupState":  on(func(_ context.Context, v *skein.Conversation, _ Command) (any, error) { return goGroupState(v), nil }),
		"memberAttrs": on(goMemberAttrs),
	}
}

// goGrants reads the words that scripts have for grants, "send_media".
func goGrants(words []string) (g skein.Grants) {
	for _, w := range words {
		if n, ok := skeinv1.Grant_value["GRANT_"+strings.ToUpper(w)]; ok {
			g |= 1 << n
		}
	}
	return g
}

// goSetting takes over one setting, by the word that scripts have for it.
func goSetting(s *skein.SettingsChange, data map[string]any) error {
	setting, _ := data["setting"].(string)
	list, _ := data["words"].([]any)
	var words []string
	for _, w := range list {
		words = append(words, fmt.Sprint(w))
	}
	first := ""
	if len(words) > 0 {
		first = words[0]
	}
	number, _ := strconv.Atoi(first)
	switch setting {
	case "type":
		t := skein.GroupType(first)
		s.Type = &t
	case "description":
		s.Description = &first
	case "avatar":
		s.AvatarURL = &first
	case "members":
		g := goGrants(words)
		s.MemberGrants = &g
	case "admins":
		g := goGrants(words)
		s.AdminGrants = &g
	case "join":
		m := skein.JoinMode(first)
		s.JoinMode = &m
	case "history":
		visible := first == "visible"
		s.HistoryVisible = &visible
	case "slow":
		d := time.Duration(number) * time.Second
		s.SlowMode = &d
	case "max":
		s.MaxMembers = &number
	default:
		return fmt.Errorf("no setting %q", setting)
	}
	return nil
}

// goGroupState is what a device shows of a group, a line each.
func goGroupState(v *skein.Conversation) []string {
	s, ok := v.Settings()
	if !ok {
		return []string{}
	}
	history, may := "hidden", "write"
	if s.HistoryVisible {
		history = "visible"
	}
	var e *skein.Error
	if err := v.MaySend(); err != nil {
		e = err.(*skein.Error)
		switch {
		case s.Dissolved:
			may = "dissolved"
		case e.Code == skein.RateLimited:
			may = "slow_mode"
		case e.RetryAfter > 0:
			may = "muted"
		default:
			may = "not_allowed"
		}
	}
	out := []string{"type " + string(s.Type), "join " + string(s.JoinMode), "history " + history, "description " + s.Description,
		fmt.Sprint("slow ", int(s.SlowMode.Seconds())), "nick " + v.Attrs().Nickname, "may " + may}
	for _, r := range s.Roles {
		line := fmt.Sprintf("role %s %d", r.Name, r.Rank)
		for n := int32(1); n < int32(len(skeinv1.Grant_name)); n++ {
			if r.Grants.Has(1 << n) {
				line += " " + strings.ToLower(strings.TrimPrefix(skeinv1.Grant_name[n], "GRANT_"))
			}
		}
		out = append(out, line)
	}
	if s.Dissolved {
		out = append(out, "dissolved")
	}
	return out
}

// goMemberAttrs is what the group keeps of its members, a line each.
func goMemberAttrs(ctx context.Context, v *skein.Conversation, _ Command) (any, error) {
	s, _ := v.Settings()
	out := []string{}
	for m, err := range v.ListMembers(ctx) {
		if err != nil {
			return nil, err
		}
		line := []string{m.User}
		if m.Attrs.Nickname != "" {
			line = append(line, m.Attrs.Nickname)
		}
		for _, r := range s.Roles {
			if slices.Contains(m.Attrs.Roles, r.ID) {
				line = append(line, r.Name)
			}
		}
		if m.Attrs.MutedUntil.After(time.Now()) {
			line = append(line, "muted")
		}
		out = append(out, strings.Join(line, " "))
	}
	return out, nil
}
