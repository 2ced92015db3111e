package rpc

import (
	"context"
	"net/http"
	"time"

	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
	"github.com/skein-im/skein/proto/skein/v1/skeinv1connect"
)

// Groups is what changes groups; feature/group.
type Groups interface {
	// CreateFor makes a group; the app's back end names its owner.
	CreateFor(ctx context.Context, a im.Actor, owner im.UserID, id im.ConvID, title string, members []im.UserID, settings *skeinv1.GroupSettings, client im.ClientID) (*skeinv1.Conversation, error)
	Update(ctx context.Context, a im.Actor, id im.ConvID, title string, client im.ClientID) (*im.Entry, error)
	Add(ctx context.Context, a im.Actor, id im.ConvID, members []im.UserID, client im.ClientID) (*im.Entry, error)
	Remove(ctx context.Context, a im.Actor, id im.ConvID, user im.UserID, client im.ClientID) (*im.Entry, error)
	Leave(ctx context.Context, a im.Actor, id im.ConvID, client im.ClientID) (*im.Entry, error)
	SetRole(ctx context.Context, a im.Actor, id im.ConvID, user im.UserID, role im.Role, client im.ClientID) (*im.Entry, error)
	Transfer(ctx context.Context, a im.Actor, id im.ConvID, user im.UserID, client im.ClientID) (*im.Entry, error)
	Dissolve(ctx context.Context, a im.Actor, id im.ConvID, client im.ClientID) (*im.Entry, error)
	Info(ctx context.Context, a im.Actor, id im.ConvID) (*skeinv1.GroupInfo, error)
	UpdateSettings(ctx context.Context, a im.Actor, id im.ConvID, to *skeinv1.GroupSettings, fields []string, client im.ClientID) (*im.Entry, error)
	PutRole(ctx context.Context, a im.Actor, id im.ConvID, role *skeinv1.GroupRole, client im.ClientID) (*im.Entry, string, error)
	DeleteRole(ctx context.Context, a im.Actor, id im.ConvID, role string, client im.ClientID) (*im.Entry, error)
	SetMemberRoles(ctx context.Context, a im.Actor, id im.ConvID, user im.UserID, roles []string, client im.ClientID) (*im.Entry, error)
	SetNickname(ctx context.Context, a im.Actor, id im.ConvID, user im.UserID, name string, client im.ClientID) (*im.Entry, error)
	MuteMember(ctx context.Context, a im.Actor, id im.ConvID, user im.UserID, d time.Duration, client im.ClientID) (*im.Entry, error)
	MuteGroup(ctx context.Context, a im.Actor, id im.ConvID, d time.Duration, client im.ClientID) (*im.Entry, error)
}

// groupCalls are the calls on what a group is like.
func (s *server) groupCalls(t map[string]http.Handler) {
	g := s.Verbs.Groups
	at(t, s, skeinv1connect.GroupServiceGetGroupInfoProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.GetGroupInfoRequest) (*skeinv1.GetGroupInfoResponse, error) {
		info, err := g.Info(ctx, a, im.ConvID(r.Conversation))
		return &skeinv1.GetGroupInfoResponse{Group: info}, err
	})
	at(t, s, skeinv1connect.GroupServiceUpdateGroupSettingsProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.UpdateGroupSettingsRequest) (*skeinv1.UpdateGroupSettingsResponse, error) {
		e, err := withID(r.ClientId, func(id im.ClientID) (*im.Entry, error) {
			return g.UpdateSettings(ctx, a, im.ConvID(r.Conversation), r.Settings, r.Fields, id)
		})
		return &skeinv1.UpdateGroupSettingsResponse{Entry: e}, err
	})
	at(t, s, skeinv1connect.GroupServicePutGroupRoleProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.PutGroupRoleRequest) (*skeinv1.PutGroupRoleResponse, error) {
		var role string
		e, err := withID(r.ClientId, func(id im.ClientID) (e *im.Entry, err error) {
			e, role, err = g.PutRole(ctx, a, im.ConvID(r.Conversation), r.Role, id)
			return e, err
		})
		return &skeinv1.PutGroupRoleResponse{Entry: e, RoleId: role}, err
	})
	at(t, s, skeinv1connect.GroupServiceDeleteGroupRoleProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.DeleteGroupRoleRequest) (*skeinv1.DeleteGroupRoleResponse, error) {
		e, err := withID(r.ClientId, func(id im.ClientID) (*im.Entry, error) {
			return g.DeleteRole(ctx, a, im.ConvID(r.Conversation), r.RoleId, id)
		})
		return &skeinv1.DeleteGroupRoleResponse{Entry: e}, err
	})
	at(t, s, skeinv1connect.GroupServiceSetMemberRolesProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.SetMemberRolesRequest) (*skeinv1.SetMemberRolesResponse, error) {
		e, err := withID(r.ClientId, func(id im.ClientID) (*im.Entry, error) {
			return g.SetMemberRoles(ctx, a, im.ConvID(r.Conversation), im.UserID(r.User), r.RoleIds, id)
		})
		return &skeinv1.SetMemberRolesResponse{Entry: e}, err
	})
	at(t, s, skeinv1connect.GroupServiceSetNicknameProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.SetNicknameRequest) (*skeinv1.SetNicknameResponse, error) {
		e, err := withID(r.ClientId, func(id im.ClientID) (*im.Entry, error) {
			return g.SetNickname(ctx, a, im.ConvID(r.Conversation), im.UserID(r.User), r.Nickname, id)
		})
		return &skeinv1.SetNicknameResponse{Entry: e}, err
	})
	at(t, s, skeinv1connect.GroupServiceMuteMemberProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.MuteMemberRequest) (*skeinv1.MuteMemberResponse, error) {
		e, err := withID(r.ClientId, func(id im.ClientID) (*im.Entry, error) {
			return g.MuteMember(ctx, a, im.ConvID(r.Conversation), im.UserID(r.User), time.Duration(r.Seconds)*time.Second, id)
		})
		return &skeinv1.MuteMemberResponse{Entry: e}, err
	})
	at(t, s, skeinv1connect.GroupServiceMuteGroupProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.MuteGroupRequest) (*skeinv1.MuteGroupResponse, error) {
		e, err := withID(r.ClientId, func(id im.ClientID) (*im.Entry, error) {
			return g.MuteGroup(ctx, a, im.ConvID(r.Conversation), time.Duration(r.Seconds)*time.Second, id)
		})
		return &skeinv1.MuteGroupResponse{Entry: e}, err
	})
	at(t, s, skeinv1connect.GroupServiceTransferGroupProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.TransferGroupRequest) (*skeinv1.TransferGroupResponse, error) {
		e, err := withID(r.ClientId, func(id im.ClientID) (*im.Entry, error) {
			return g.Transfer(ctx, a, im.ConvID(r.Conversation), im.UserID(r.User), id)
		})
		return &skeinv1.TransferGroupResponse{Entry: e}, err
	})
	at(t, s, skeinv1connect.GroupServiceDissolveGroupProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.DissolveGroupRequest) (*skeinv1.DissolveGroupResponse, error) {
		e, err := withID(r.ClientId, func(id im.ClientID) (*im.Entry, error) {
			return g.Dissolve(ctx, a, im.ConvID(r.Conversation), id)
		})
		return &skeinv1.DissolveGroupResponse{Entry: e}, err
	})
}
