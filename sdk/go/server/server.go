// Package server is for a customer's own back end: it calls what only a back
// end may (users, suspensions, erasures, messages in somebody's name), with
// tokens of scope "server".
//
// It belongs on a machine of yours. Nothing that runs at a user's may hold the
// app's secret, so package skein, the client, never imports this one.
package server

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"time"

	"connectrpc.com/connect"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
	"github.com/skein-im/skein/proto/skein/v1/skeinv1connect"
	skein "github.com/skein-im/skein/sdk/go"
)

// Options are what a Client is made of.
type Options struct {
	// Endpoint is the server's address, such as https://im.example.com.
	Endpoint string
	// App is the app's id.
	App string
	// Token returns a token of scope "server"; it is asked before each call.
	// See Secret.Token.
	Token func(ctx context.Context) (string, error)
	// HTTPClient makes the calls; nil = one that gives a call 30 s.
	HTTPClient *http.Client
}

// Client makes calls of a back end. All of them may be made again; what is
// refused comes as *skein.Error. It is safe for concurrent use.
type Client struct {
	users    skeinv1connect.UserServiceClient
	messages skeinv1connect.MessageServiceClient
}

// New returns a client. It makes no call.
func New(o Options) (*Client, error) {
	if o.Endpoint == "" || o.App == "" || o.Token == nil {
		return nil, &skein.Error{Code: skein.InvalidArgument, Message: "Endpoint, App and Token are needed"}
	}
	if o.HTTPClient == nil {
		o.HTTPClient = &http.Client{Timeout: 30 * time.Second}
	}
	with := connect.WithInterceptors(connect.UnaryInterceptorFunc(func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, r connect.AnyRequest) (connect.AnyResponse, error) {
			token, err := o.Token(ctx)
			if err != nil {
				return nil, &skein.Error{Code: skein.Unavailable, Message: "the token supplier failed", Cause: err}
			}
			r.Header().Set("Authorization", "Bearer "+token)
			r.Header().Set("Skein-App", o.App)
			return next(ctx, r)
		}
	}))
	return &Client{users: skeinv1connect.NewUserServiceClient(o.HTTPClient, o.Endpoint, with),
		messages: skeinv1connect.NewMessageServiceClient(o.HTTPClient, o.Endpoint, with)}, nil
}

// call makes a call and gives its error the form of the SDK.
func call[Req, Res any](ctx context.Context, verb func(context.Context, *connect.Request[Req]) (*connect.Response[Res], error), req *Req) (*Res, error) {
	res, err := verb(ctx, connect.NewRequest(req))
	if err != nil {
		return nil, asError(err)
	}
	return res.Msg, nil
}

// codes are those of the protocol that a back end acts on.
var codes = map[skeinv1.ErrorCode]skein.Code{
	skeinv1.ErrorCode_ERROR_CODE_INVALID_ARGUMENT: skein.InvalidArgument, skeinv1.ErrorCode_ERROR_CODE_UNAUTHENTICATED: skein.Unauthenticated,
	skeinv1.ErrorCode_ERROR_CODE_TOKEN_EXPIRED: skein.TokenExpired, skeinv1.ErrorCode_ERROR_CODE_NOT_FOUND: skein.NotFound,
	skeinv1.ErrorCode_ERROR_CODE_PERMISSION_DENIED: skein.PermissionDenied, skeinv1.ErrorCode_ERROR_CODE_FAILED_PRECONDITION: skein.FailedPrecondition,
	skeinv1.ErrorCode_ERROR_CODE_CLIENT_ID_REUSED: skein.ClientIDReused, skeinv1.ErrorCode_ERROR_CODE_TOO_LARGE: skein.TooLarge,
	skeinv1.ErrorCode_ERROR_CODE_RATE_LIMITED: skein.RateLimited, skeinv1.ErrorCode_ERROR_CODE_CLOCK_SKEW: skein.ClockSkew,
	skeinv1.ErrorCode_ERROR_CODE_EXPIRED: skein.Expired, skeinv1.ErrorCode_ERROR_CODE_UNAVAILABLE: skein.Unavailable,
}

// fromWire is an error of the protocol.
func fromWire(e *skeinv1.Error) *skein.Error {
	code, known := codes[e.GetCode()]
	if !known {
		code = skein.Internal
	}
	return &skein.Error{Code: code, Message: e.GetMessage(), Hint: e.GetHint(), RetryAfter: time.Duration(e.GetRetryAfterMs()) * time.Millisecond}
}

func asError(err error) error {
	var own *skein.Error
	if errors.As(err, &own) {
		return own
	}
	var answer *connect.Error
	if errors.As(err, &answer) {
		for _, d := range answer.Details() {
			if m, derr := d.Value(); derr == nil {
				if e, ok := m.(*skeinv1.Error); ok {
					return fromWire(e)
				}
			}
		}
	}
	return &skein.Error{Code: skein.Unavailable, Message: "the server can not be reached, or did not answer", Cause: err}
}

// UpsertUsers makes users and changes those that are there, at most 500. The
// answer has one result for each, in their order: a user who is refused holds
// no other back; see ResultError.
func (c *Client) UpsertUsers(ctx context.Context, users ...*skeinv1.UserChange) ([]*skeinv1.UserResult, error) {
	res, err := call(ctx, c.users.UpsertUsers, &skeinv1.UpsertUsersRequest{Users: users})
	return res.GetResults(), err
}

// ResultError is why nothing was changed of a user; nil = it was done.
func ResultError(r *skeinv1.UserResult) error {
	if r.GetError() == nil {
		return nil
	}
	return fromWire(r.GetError())
}

// User returns one user. NotFound when there is none.
func (c *Client) User(ctx context.Context, id string) (*skeinv1.User, error) {
	res, err := call(ctx, c.users.GetUser, &skeinv1.GetUserRequest{Id: id})
	return res.GetUser(), err
}

// Users returns all users, by id, and reads them page by page. An error is the
// last that it gives.
func (c *Client) Users(ctx context.Context) iter.Seq2[*skeinv1.User, error] {
	return func(yield func(*skeinv1.User, error) bool) {
		for page := ""; ; {
			res, err := call(ctx, c.users.ListUsers, &skeinv1.ListUsersRequest{Limit: 500, Page: page})
			if err != nil {
				yield(nil, err)
				return
			}
			for _, u := range res.Users {
				if !yield(u, nil) {
					return
				}
			}
			if page = res.NextPage; page == "" {
				return
			}
		}
	}
}

// SuspendUser signs a user out everywhere and refuses their tokens; it returns
// how many devices were signed in.
func (c *Client) SuspendUser(ctx context.Context, id string) (devices int, err error) {
	res, err := call(ctx, c.users.SuspendUser, &skeinv1.SuspendUserRequest{Id: id})
	return int(res.GetDevicesSignedOut()), err
}

// UnsuspendUser lets a user in again.
func (c *Client) UnsuspendUser(ctx context.Context, id string) error {
	_, err := call(ctx, c.users.UnsuspendUser, &skeinv1.UnsuspendUserRequest{Id: id})
	return err
}

// EraseUser suspends a user and begins to erase them; Erasure tells how far it is.
func (c *Client) EraseUser(ctx context.Context, id string) (*skeinv1.Erasure, error) {
	res, err := call(ctx, c.users.EraseUser, &skeinv1.EraseUserRequest{Id: id})
	return res.GetErasure(), err
}

// Erasure tells how far an erasure is. NotFound when there was none.
func (c *Client) Erasure(ctx context.Context, id string) (*skeinv1.Erasure, error) {
	res, err := call(ctx, c.users.GetErasure, &skeinv1.GetErasureRequest{Id: id})
	return res.GetErasure(), err
}

// Send sends a message as the user whom it names as sender, by that user's
// rules, or as the app itself when it names none. A retry has the same
// client id.
func (c *Client) Send(ctx context.Context, m *skeinv1.SendMessageRequest) (*skeinv1.Entry, error) {
	res, err := call(ctx, c.messages.SendMessage, m)
	return res.GetEntry(), err
}
