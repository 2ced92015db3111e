package group

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Limits of settings: bytes of the description, seconds between two messages of
// a member.
const (
	MaxDescription = 2048
	avatarBytes    = 512
	MaxSlowMode    = 24 * 60 * 60
	// mostMembers is what the app's back end may raise a group to.
	mostMembers = 100_000
)

// UpdateSettings changes the named fields of a group's settings. It returns
// nil when they are as asked already.
func (s *Service) UpdateSettings(ctx context.Context, a im.Actor, id im.ConvID, to *skeinv1.GroupSettings, fields []string, client im.ClientID) (*im.Entry, error) {
	if to == nil {
		to = &skeinv1.GroupSettings{}
	}
	asked := ask("settings", string(encode(to)), strings.Join(fields, ","))
	if len(fields) == 0 {
		return nil, im.Errorf(im.InvalidArgument, "fields says which settings to change")
	}
	if err := s.checkSettings(a, to); err != nil {
		return nil, err
	}
	return s.change(ctx, a, id, client, asked, func(room *chat.Room) (chat.Change, error) {
		before, after := stored(room), stored(room)
		for _, f := range fields {
			if err := take(after, to, f); err != nil {
				return chat.Change{}, err
			}
		}
		c := settingsChange(room, after, fields...)
		c.Needs = skeinv1.Grant_GRANT_MANAGE
		if fixedType(before) != fixedType(after) {
			return c, im.Errorf(im.FailedPrecondition, "a group is a livestream from its first moment or never")
		}
		old, now := chat.ResolveSettings(before), chat.ResolveSettings(proto.CloneOf(after))
		for _, f := range fields {
			switch f {
			case "type", "admin_grants":
				c.Above = chat.RankAdmin // the owner's
			case "member_grants":
				c.Hands = chat.Grants(old.MemberGrants.Bits ^ now.MemberGrants.Bits)
				c.Also = skeinv1.Grant_GRANT_MANAGE_ROLES
			}
		}
		if proto.Equal(old, now) {
			return c, chat.ErrNoChange
		}
		return c, nil
	})
}

// fixedType tells whether the group is of the type that never changes.
func fixedType(s *skeinv1.GroupSettings) bool {
	return s.Type == skeinv1.GroupType_GROUP_TYPE_LIVESTREAM
}

// settable are the fields that UpdateSettings changes, and that a group can be
// made with.
func settable() []string {
	return []string{"type", "description", "avatar_url", "member_grants", "admin_grants", "join_mode", "history", "slow_mode_s", "max_members"}
}

// take copies a field by its name.
func take(to, from *skeinv1.GroupSettings, field string) error {
	switch field {
	case "type":
		to.Type = from.Type
	case "description":
		to.Description = from.Description
	case "avatar_url":
		to.AvatarUrl = from.AvatarUrl
	case "member_grants":
		to.MemberGrants = from.MemberGrants
	case "admin_grants":
		to.AdminGrants = from.AdminGrants
	case "join_mode":
		to.JoinMode = from.JoinMode
	case "history":
		to.History = from.History
	case "slow_mode_s":
		to.SlowModeS = from.SlowModeS
	case "max_members":
		to.MaxMembers = from.MaxMembers
	default:
		return im.Errorf(im.InvalidArgument, "there is no setting with the name given, or a verb of its own changes it")
	}
	return nil
}

// checkSettings holds what somebody wants a group to be like to the rules.
func (s *Service) checkSettings(a im.Actor, g *skeinv1.GroupSettings) error {
	most := s.max
	if a.Server {
		most = mostMembers
	}
	most = s.chat.MostMembers(a.App, most)
	switch {
	case skeinv1.GroupType_name[int32(g.Type)] == "" || skeinv1.JoinMode_name[int32(g.JoinMode)] == "" || skeinv1.HistoryAccess_name[int32(g.History)] == "":
		return im.Errorf(im.InvalidArgument, "type, join_mode or history is not one of their values")
	case len(g.Description) > MaxDescription || !plainText(g.Description, true):
		return im.Errorf(im.InvalidArgument, "a description has at most %d bytes and no control characters but line breaks", MaxDescription)
	case !validAvatar(g.AvatarUrl):
		return im.Errorf(im.InvalidArgument, "an avatar is an https address of at most %d bytes", avatarBytes)
	case !known(g.MemberGrants.GetBits()) || !known(g.AdminGrants.GetBits()):
		return im.Errorf(im.InvalidArgument, "there are grants that this server does not know")
	case g.SlowModeS > MaxSlowMode:
		return im.Errorf(im.InvalidArgument, "slow mode is at most a day")
	case int(g.MaxMembers) > most:
		return im.Errorf(im.InvalidArgument, "max_members is at most %d", most)
	}
	return nil
}

func known(bits uint64) bool { return chat.Grants(bits).Within(chat.AllGrants()) }

// plainText tells whether s is text that people can read: UTF-8 without
// control and formatting characters, which can make it look like another one.
func plainText(s string, lines bool) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool {
		return (unicode.IsControl(r) && !(lines && r == '\n')) || unicode.Is(unicode.Bidi_Control, r)
	}) < 0
}

// validAvatar tells whether s is an address that an app may show a picture
// from, or nothing. Nobody but the readers' own devices ever fetches it.
func validAvatar(s string) bool {
	if s == "" {
		return true
	}
	u, err := url.Parse(s)
	return err == nil && len(s) <= avatarBytes && u.Scheme == "https" && u.Hostname() != "" && u.User == nil && !strings.ContainsFunc(s, unicode.IsSpace)
}

// stored is a group's settings as they were set, without the defaults.
func stored(room *chat.Room) *skeinv1.GroupSettings {
	s := new(skeinv1.GroupSettings)
	if proto.Unmarshal(room.Attrs, s) != nil { // they were encoded here
		return new(skeinv1.GroupSettings)
	}
	return s
}

// settingsChange stores settings and tells everybody what they are now.
func settingsChange(room *chat.Room, after *skeinv1.GroupSettings, fields ...string) chat.Change {
	attrs := encode(after)
	return chat.Change{Verb: chat.VerbSettings, Attrs: &attrs, Content: &skeinv1.Content{Kind: &skeinv1.Content_Conversation{
		Conversation: &skeinv1.ConversationChange{Title: room.Title}}, GroupChange: &skeinv1.GroupChange{Changed: slices.Sorted(slices.Values(fields)),
		Settings: chat.ResolveSettings(proto.CloneOf(after))}}}
}

func encode(m proto.Message) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil { // only invalid UTF-8 can do that, and every text was checked
		return nil
	}
	return b
}
