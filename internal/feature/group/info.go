package group

import (
	"context"

	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Info tells what may be known of a group before one is in it. A private one
// does not exist for who is not in it, nor does one that was dissolved.
func (s *Service) Info(ctx context.Context, a im.Actor, id im.ConvID) (*skeinv1.GroupInfo, error) {
	if id.Kind() != im.ConvGroup {
		return nil, im.ErrNotFound
	}
	room, err := s.chat.RoomNow(ctx, a.App, id)
	if err != nil {
		return nil, err
	}
	_, in := room.Member(a.User)
	g := room.Settings
	if room.Dissolved() || !in && !a.Server && g.Type == skeinv1.GroupType_GROUP_TYPE_PRIVATE {
		return nil, im.ErrNotFound
	}
	return &skeinv1.GroupInfo{Id: string(id), Title: room.Title, Description: g.Description, AvatarUrl: g.AvatarUrl, Type: g.Type,
		JoinMode: g.JoinMode, MemberCount: uint32(room.Size()), Member: in, CreatedUs: int64(room.Created)}, nil
}
