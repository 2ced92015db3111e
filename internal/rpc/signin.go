package rpc

import (
	"context"
	"net/http"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
	"github.com/skein-im/skein/proto/skein/v1/skeinv1connect"
)

// SignIns signs in whoever the app's back end has not; package auth.
type SignIns interface {
	Settings(app im.AppID) *skeinv1.AppSettings
	CreateGuest(ctx context.Context, app im.AppID, device im.DeviceID) (auth.OwnToken, error)
	CreateCode(ctx context.Context, app im.AppID, d auth.DeviceInfo, address string) (auth.Code, error)
	GetCode(ctx context.Context, a im.Actor, code string) (auth.Code, error)
	AnswerCode(ctx context.Context, a im.Actor, code string, approve bool) error
	TakeCode(ctx context.Context, app im.AppID, ticket string) (state int, t auth.OwnToken, err error)
	Renew(ctx context.Context, app im.AppID, token string) (auth.OwnToken, error)
}

// stranger is who calls without a token, or with one that is looked at by the
// verb itself.
type stranger struct {
	app     im.AppID
	token   string
	address string
}

// notGuests are the calls that a guest may not make, beside what the verbs
// themselves refuse.
var notGuests = map[string]bool{
	skeinv1connect.ConversationServiceCreateGroupProcedure: true,
	skeinv1connect.ProfileServiceSearchDirectoryProcedure:  true,
	skeinv1connect.ContactServiceRequestContactProcedure:   true,
	skeinv1connect.ContactServiceFollowUserProcedure:       true,
}

var errGuest = im.Errorf(im.PermissionDenied, "guests may not do this")

func (s *server) signInCalls(t map[string]http.Handler) {
	v := s.Verbs.SignIns
	open(t, s, skeinv1connect.SignInServiceGetSignInOptionsProcedure, s.AllowStranger, func(_ context.Context, w stranger, _ *skeinv1.GetSignInOptionsRequest) (*skeinv1.GetSignInOptionsResponse, error) {
		return &skeinv1.GetSignInOptionsResponse{Guests: v.Settings(w.app).GetGuests(), Codes: true}, nil
	})
	open(t, s, skeinv1connect.SignInServiceCreateGuestProcedure, s.AllowNewcomer, func(ctx context.Context, w stranger, r *skeinv1.CreateGuestRequest) (*skeinv1.CreateGuestResponse, error) {
		got, err := v.CreateGuest(ctx, w.app, im.DeviceID(r.Device))
		if err != nil {
			return nil, err
		}
		return &skeinv1.CreateGuestResponse{User: string(got.User), Token: got.Token, ExpiresUs: got.Expires.UnixMicro()}, nil
	})
	open(t, s, skeinv1connect.SignInServiceCreateSignInCodeProcedure, s.AllowNewcomer, func(ctx context.Context, w stranger, r *skeinv1.CreateSignInCodeRequest) (*skeinv1.CreateSignInCodeResponse, error) {
		c, err := v.CreateCode(ctx, w.app, auth.DeviceInfo{ID: im.DeviceID(r.Device), Name: r.DeviceName, Platform: auth.Platform(r.Platform)}, w.address)
		if err != nil {
			return nil, err
		}
		return &skeinv1.CreateSignInCodeResponse{Code: c.Code, Ticket: c.Ticket, ExpiresUs: int64(c.Expires)}, nil
	})
	open(t, s, skeinv1connect.SignInServiceWaitSignInCodeProcedure, s.AllowStranger, func(ctx context.Context, w stranger, r *skeinv1.WaitSignInCodeRequest) (*skeinv1.WaitSignInCodeResponse, error) {
		state, got, err := v.TakeCode(ctx, w.app, r.Ticket)
		if err != nil {
			return nil, err
		}
		out := &skeinv1.WaitSignInCodeResponse{State: skeinv1.SignInState(state)}
		if got.Token != "" {
			out.User, out.Token, out.ExpiresUs = string(got.User), got.Token, got.Expires.UnixMicro()
		}
		return out, nil
	})
	open(t, s, skeinv1connect.SignInServiceRenewTokenProcedure, s.AllowStranger, func(ctx context.Context, w stranger, _ *skeinv1.RenewTokenRequest) (*skeinv1.RenewTokenResponse, error) {
		got, err := v.Renew(ctx, w.app, w.token)
		if err != nil {
			return nil, err
		}
		return &skeinv1.RenewTokenResponse{Token: got.Token, ExpiresUs: got.Expires.UnixMicro()}, nil
	})
	at(t, s, skeinv1connect.SignInServiceGetSignInCodeProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.GetSignInCodeRequest) (*skeinv1.GetSignInCodeResponse, error) {
		c, err := v.GetCode(ctx, a, r.Code)
		if err != nil {
			return nil, err
		}
		return &skeinv1.GetSignInCodeResponse{DeviceName: c.Device.Name, Platform: skeinv1.Platform(c.Device.Platform), Address: c.Address, CreatedUs: int64(c.Created)}, nil
	})
	at(t, s, skeinv1connect.SignInServiceAnswerSignInCodeProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.AnswerSignInCodeRequest) (*skeinv1.AnswerSignInCodeResponse, error) {
		return &skeinv1.AnswerSignInCodeResponse{}, v.AnswerCode(ctx, a, r.Code, r.Approve)
	})
}

// open puts a verb into the table that needs no actor. allow counts the call
// by its address.
func open[Req, Res any, PReq interface {
	*Req
	proto.Message
}](t map[string]http.Handler, s *server, procedure string, allow func(address string) error, verb func(context.Context, stranger, *Req) (*Res, error)) {
	name := verbOf(procedure)
	t[procedure] = connect.NewUnaryHandler(procedure, func(ctx context.Context, r *connect.Request[Req]) (*connect.Response[Res], error) {
		began := s.Clock.Now()
		ctx, cancel := context.WithTimeout(ctx, s.Timeout)
		defer cancel()
		w := stranger{app: im.AppID(r.Header().Get(headerApp)), address: r.Peer().Addr}
		w.token, _ = strings.CutPrefix(r.Header().Get("Authorization"), "Bearer ")
		err := allow(w.address)
		if err == nil && !im.ValidToken(string(w.app)) {
			err = im.Errorf(im.InvalidArgument, "the call names no app: send Skein-App: APP")
		}
		if err == nil {
			err = s.validate(PReq(r.Msg))
		}
		var res *Res
		if err == nil {
			res, err = verb(ctx, w, r.Msg)
		}
		s.counts.done(name, s.Clock.Now().Sub(began), err)
		if err != nil {
			return nil, s.fail(ctx, procedure, err)
		}
		return connect.NewResponse(res), nil
	}, connect.WithReadMaxBytes(s.MaxBytes))
}
