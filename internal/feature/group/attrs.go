package group

import (
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

const (
	// MaxNickname is bytes of a nickname.
	MaxNickname = 64
	// MaxMute is how long somebody, or a group, can be muted at most.
	MaxMute = 366 * 24 * time.Hour
)

// SetNickname names a member in the group; an empty name is none.
func (s *Service) SetNickname(ctx context.Context, a im.Actor, id im.ConvID, user im.UserID, name string, client im.ClientID) (*im.Entry, error) {
	if len(name) > MaxNickname || !plainText(name, false) {
		return nil, im.Errorf(im.InvalidArgument, "a nickname has at most %d bytes and no control characters", MaxNickname)
	}
	return s.changeMember(ctx, a, id, user, client, ask("nickname", string(user), name), func(_ *chat.Room, m *skeinv1.MemberAttrs) (chat.Change, error) {
		m.Nickname = name
		return chat.Change{Verb: chat.VerbNickname}, nil
	})
}

// MuteMember keeps a member from writing for a time, from now on; 0 ends it.
func (s *Service) MuteMember(ctx context.Context, a im.Actor, id im.ConvID, user im.UserID, d time.Duration, client im.ClientID) (*im.Entry, error) {
	if d < 0 || d > MaxMute {
		return nil, im.Errorf(im.InvalidArgument, "a mute lasts at most a year")
	}
	return s.changeMember(ctx, a, id, user, client, ask("mute", string(user), d.String()), func(_ *chat.Room, m *skeinv1.MemberAttrs) (chat.Change, error) {
		m.MutedUntilUs = s.until(d)
		return chat.Change{Verb: chat.VerbMute}, nil
	})
}

// MuteGroup keeps everybody below the admins from writing for a time, from
// now on; 0 ends it.
func (s *Service) MuteGroup(ctx context.Context, a im.Actor, id im.ConvID, d time.Duration, client im.ClientID) (*im.Entry, error) {
	if d < 0 || d > MaxMute {
		return nil, im.Errorf(im.InvalidArgument, "a mute lasts at most a year")
	}
	return s.change(ctx, a, id, client, ask("mute all", d.String()), func(room *chat.Room) (chat.Change, error) {
		after := stored(room)
		was := after.MutedUntilUs
		after.MutedUntilUs = s.until(d)
		c := settingsChange(room, after, "muted_until_us")
		c.Verb, c.Above = chat.VerbMute, topRank
		if was == after.MutedUntilUs {
			return c, chat.ErrNoChange
		}
		return c, nil
	})
}

// until is when a time that begins now ends; 0 for none.
func (s *Service) until(d time.Duration) int64 {
	if d == 0 {
		return 0
	}
	return int64(s.chat.Now()) + d.Microseconds()
}

// changeMember changes a member's attributes: plan changes them in place and
// says what the change takes.
func (s *Service) changeMember(ctx context.Context, a im.Actor, id im.ConvID, user im.UserID, client im.ClientID, asked []byte,
	plan func(*chat.Room, *skeinv1.MemberAttrs) (chat.Change, error)) (*im.Entry, error) {
	return s.change(ctx, a, id, client, asked, func(room *chat.Room) (chat.Change, error) {
		m, in := room.Member(user)
		if !in {
			return chat.Change{}, im.ErrNotFound
		}
		before := chat.DecodeMember(m.Attrs)
		if before == nil {
			before = &skeinv1.MemberAttrs{}
		}
		after := proto.CloneOf(before)
		c, err := plan(room, after)
		attrs := encode(after)
		c.Members = []journal.MemberChange{{User: user, Role: m.Role, Attrs: &attrs}}
		c.Content = &skeinv1.Content{Kind: &skeinv1.Content_Members{Members: &skeinv1.MembersChange{}},
			GroupChange: &skeinv1.GroupChange{User: string(user), Attrs: after, Changed: changedAttrs(before, after)}}
		if err == nil && proto.Equal(before, after) {
			err = chat.ErrNoChange
		}
		return c, err
	})
}

// changedAttrs names the attributes that differ.
func changedAttrs(a, b *skeinv1.MemberAttrs) (out []string) {
	if a.MutedUntilUs != b.MutedUntilUs {
		out = append(out, "muted_until_us")
	}
	if a.Nickname != b.Nickname {
		out = append(out, "nickname")
	}
	if !slices.Equal(a.RoleIds, b.RoleIds) {
		out = append(out, "role_ids")
	}
	return out
}
