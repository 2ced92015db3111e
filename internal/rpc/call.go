package rpc

import (
	"context"
	"net/http"

	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
	"github.com/skein-im/skein/proto/skein/v1/skeinv1connect"
)

// Calls are voice and video calls; feature/call.
type Calls interface {
	StartCall(ctx context.Context, a im.Actor, r *skeinv1.StartCallRequest) (*skeinv1.StartCallResponse, error)
	JoinCall(ctx context.Context, a im.Actor, r *skeinv1.JoinCallRequest) (*skeinv1.JoinCallResponse, error)
	DeclineCall(ctx context.Context, a im.Actor, r *skeinv1.DeclineCallRequest) (*skeinv1.DeclineCallResponse, error)
	LeaveCall(ctx context.Context, a im.Actor, r *skeinv1.LeaveCallRequest) (*skeinv1.LeaveCallResponse, error)
	EndCall(ctx context.Context, a im.Actor, r *skeinv1.EndCallRequest) (*skeinv1.EndCallResponse, error)
	InviteToCall(ctx context.Context, a im.Actor, r *skeinv1.InviteToCallRequest) (*skeinv1.InviteToCallResponse, error)
	MuteInCall(ctx context.Context, a im.Actor, r *skeinv1.MuteInCallRequest) (*skeinv1.MuteInCallResponse, error)
	RemoveFromCall(ctx context.Context, a im.Actor, r *skeinv1.RemoveFromCallRequest) (*skeinv1.RemoveFromCallResponse, error)
	SetCallRole(ctx context.Context, a im.Actor, r *skeinv1.SetCallRoleRequest) (*skeinv1.SetCallRoleResponse, error)
	GetCall(ctx context.Context, a im.Actor, r *skeinv1.GetCallRequest) (*skeinv1.GetCallResponse, error)
	StartRecording(ctx context.Context, a im.Actor, r *skeinv1.StartRecordingRequest) (*skeinv1.StartRecordingResponse, error)
	StopRecording(ctx context.Context, a im.Actor, r *skeinv1.StopRecordingRequest) (*skeinv1.StopRecordingResponse, error)
	ListRecordings(ctx context.Context, a im.Actor, r *skeinv1.ListRecordingsRequest) (*skeinv1.ListRecordingsResponse, error)
	ListCalls(ctx context.Context, a im.Actor, r *skeinv1.ListCallsRequest) (*skeinv1.ListCallsResponse, error)
}

func (s *server) callCalls(t map[string]http.Handler) {
	v := s.Verbs.Calls
	at(t, s, skeinv1connect.CallServiceStartCallProcedure, v.StartCall)
	at(t, s, skeinv1connect.CallServiceJoinCallProcedure, v.JoinCall)
	at(t, s, skeinv1connect.CallServiceDeclineCallProcedure, v.DeclineCall)
	at(t, s, skeinv1connect.CallServiceLeaveCallProcedure, v.LeaveCall)
	at(t, s, skeinv1connect.CallServiceEndCallProcedure, v.EndCall)
	at(t, s, skeinv1connect.CallServiceInviteToCallProcedure, v.InviteToCall)
	at(t, s, skeinv1connect.CallServiceMuteInCallProcedure, v.MuteInCall)
	at(t, s, skeinv1connect.CallServiceRemoveFromCallProcedure, v.RemoveFromCall)
	at(t, s, skeinv1connect.CallServiceSetCallRoleProcedure, v.SetCallRole)
	at(t, s, skeinv1connect.CallServiceGetCallProcedure, v.GetCall)
	at(t, s, skeinv1connect.CallServiceListCallsProcedure, v.ListCalls)
	at(t, s, skeinv1connect.CallServiceStartRecordingProcedure, v.StartRecording)
	at(t, s, skeinv1connect.CallServiceStopRecordingProcedure, v.StopRecording)
	at(t, s, skeinv1connect.CallServiceListRecordingsProcedure, v.ListRecordings)
}
