package rpc

import (
	"context"
	"net/http"

	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
	"github.com/skein-im/skein/proto/skein/v1/skeinv1connect"
)

// Joins is who comes into groups by themselves, and who is kept out; feature/join.
type Joins interface {
	JoinGroup(ctx context.Context, a im.Actor, r *skeinv1.JoinGroupRequest) (*skeinv1.JoinGroupResponse, error)
	ListJoinRequests(ctx context.Context, a im.Actor, r *skeinv1.ListJoinRequestsRequest) (*skeinv1.ListJoinRequestsResponse, error)
	AnswerJoinRequest(ctx context.Context, a im.Actor, r *skeinv1.AnswerJoinRequestRequest) (*skeinv1.AnswerJoinRequestResponse, error)
	CancelJoinRequest(ctx context.Context, a im.Actor, r *skeinv1.CancelJoinRequestRequest) (*skeinv1.CancelJoinRequestResponse, error)
	ListMyJoinRequests(ctx context.Context, a im.Actor, r *skeinv1.ListMyJoinRequestsRequest) (*skeinv1.ListMyJoinRequestsResponse, error)
	CreateInvite(ctx context.Context, a im.Actor, r *skeinv1.CreateInviteRequest) (*skeinv1.CreateInviteResponse, error)
	ListInvites(ctx context.Context, a im.Actor, r *skeinv1.ListInvitesRequest) (*skeinv1.ListInvitesResponse, error)
	RevokeInvite(ctx context.Context, a im.Actor, r *skeinv1.RevokeInviteRequest) (*skeinv1.RevokeInviteResponse, error)
	GetInvite(ctx context.Context, a im.Actor, r *skeinv1.GetInviteRequest) (*skeinv1.GetInviteResponse, error)
	JoinByInvite(ctx context.Context, a im.Actor, r *skeinv1.JoinByInviteRequest) (*skeinv1.JoinByInviteResponse, error)
	BanMember(ctx context.Context, a im.Actor, r *skeinv1.BanMemberRequest) (*skeinv1.BanMemberResponse, error)
	UnbanMember(ctx context.Context, a im.Actor, r *skeinv1.UnbanMemberRequest) (*skeinv1.UnbanMemberResponse, error)
	ListBans(ctx context.Context, a im.Actor, r *skeinv1.ListBansRequest) (*skeinv1.ListBansResponse, error)
	SetAllowList(ctx context.Context, a im.Actor, r *skeinv1.SetAllowListRequest) (*skeinv1.SetAllowListResponse, error)
	RemoveFromAllowList(ctx context.Context, a im.Actor, r *skeinv1.RemoveFromAllowListRequest) (*skeinv1.RemoveFromAllowListResponse, error)
	ListAllowList(ctx context.Context, a im.Actor, r *skeinv1.ListAllowListRequest) (*skeinv1.ListAllowListResponse, error)
}

func (s *server) joinCalls(t map[string]http.Handler) {
	v := s.Verbs.Joins
	at(t, s, skeinv1connect.JoinServiceJoinGroupProcedure, v.JoinGroup)
	at(t, s, skeinv1connect.JoinServiceListJoinRequestsProcedure, v.ListJoinRequests)
	at(t, s, skeinv1connect.JoinServiceAnswerJoinRequestProcedure, v.AnswerJoinRequest)
	at(t, s, skeinv1connect.JoinServiceCancelJoinRequestProcedure, v.CancelJoinRequest)
	at(t, s, skeinv1connect.JoinServiceListMyJoinRequestsProcedure, v.ListMyJoinRequests)
	at(t, s, skeinv1connect.JoinServiceCreateInviteProcedure, v.CreateInvite)
	at(t, s, skeinv1connect.JoinServiceListInvitesProcedure, v.ListInvites)
	at(t, s, skeinv1connect.JoinServiceRevokeInviteProcedure, v.RevokeInvite)
	at(t, s, skeinv1connect.JoinServiceGetInviteProcedure, v.GetInvite)
	at(t, s, skeinv1connect.JoinServiceJoinByInviteProcedure, v.JoinByInvite)
	at(t, s, skeinv1connect.JoinServiceBanMemberProcedure, v.BanMember)
	at(t, s, skeinv1connect.JoinServiceUnbanMemberProcedure, v.UnbanMember)
	at(t, s, skeinv1connect.JoinServiceListBansProcedure, v.ListBans)
	at(t, s, skeinv1connect.JoinServiceSetAllowListProcedure, v.SetAllowList)
	at(t, s, skeinv1connect.JoinServiceRemoveFromAllowListProcedure, v.RemoveFromAllowList)
	at(t, s, skeinv1connect.JoinServiceListAllowListProcedure, v.ListAllowList)
}
