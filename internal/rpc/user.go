package rpc

import (
	"context"
	"net/http"

	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
	"github.com/skein-im/skein/proto/skein/v1/skeinv1connect"
)

// Users is what an app's back end does with its users; feature/user.
type Users interface {
	UpsertUsers(ctx context.Context, a im.Actor, r *skeinv1.UpsertUsersRequest) (*skeinv1.UpsertUsersResponse, error)
	GetUser(ctx context.Context, a im.Actor, r *skeinv1.GetUserRequest) (*skeinv1.GetUserResponse, error)
	ListUsers(ctx context.Context, a im.Actor, r *skeinv1.ListUsersRequest) (*skeinv1.ListUsersResponse, error)
	SuspendUser(ctx context.Context, a im.Actor, r *skeinv1.SuspendUserRequest) (*skeinv1.SuspendUserResponse, error)
	UnsuspendUser(ctx context.Context, a im.Actor, r *skeinv1.UnsuspendUserRequest) (*skeinv1.UnsuspendUserResponse, error)
	EraseUser(ctx context.Context, a im.Actor, r *skeinv1.EraseUserRequest) (*skeinv1.EraseUserResponse, error)
	GetErasure(ctx context.Context, a im.Actor, r *skeinv1.GetErasureRequest) (*skeinv1.GetErasureResponse, error)
}

func (s *server) userCalls(t map[string]http.Handler) {
	u := s.Verbs.Users
	at(t, s, skeinv1connect.UserServiceUpsertUsersProcedure, u.UpsertUsers)
	at(t, s, skeinv1connect.UserServiceGetUserProcedure, u.GetUser)
	at(t, s, skeinv1connect.UserServiceListUsersProcedure, u.ListUsers)
	at(t, s, skeinv1connect.UserServiceSuspendUserProcedure, u.SuspendUser)
	at(t, s, skeinv1connect.UserServiceUnsuspendUserProcedure, u.UnsuspendUser)
	at(t, s, skeinv1connect.UserServiceEraseUserProcedure, u.EraseUser)
	at(t, s, skeinv1connect.UserServiceGetErasureProcedure, u.GetErasure)
}

// asSender is who sends: the user whom an app's back end names, as whom the
// message is then accepted or refused, else the caller.
func asSender(a im.Actor, sender string) (im.Actor, error) {
	switch {
	case sender == "":
		return a, nil
	case !a.Server:
		return a, im.Errorf(im.InvalidArgument, "sender is for the app's back end")
	case !im.ValidName(sender):
		return a, im.Errorf(im.InvalidArgument, "sender is no user id")
	}
	return im.Actor{App: a.App, User: im.UserID(sender)}, nil
}
