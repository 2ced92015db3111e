// Package rpc answers unary calls: Connect, gRPC, gRPC-Web and JSON over HTTP
// from one handler each. It finds out who calls, holds the request to the
// rules of its proto, counts it, and turns errors into what the wire says of
// them. It has no business rules: every verb is a function of another
// package, listed in one table (verbs.go).
package rpc

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"buf.build/go/protovalidate"
	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/metrics"
	"github.com/skein-im/skein/internal/trace"
)

// Caller says who makes a call; package auth through wire.go.
type Caller func(ctx context.Context, app im.AppID, token string, device im.DeviceID) (im.Actor, error)

// Deps are what the handlers are made of.
type Deps struct {
	Caller Caller
	Verbs  Verbs
	// Allow counts a call of an actor and refuses it with RateLimited.
	Allow func(a im.Actor) error
	// AllowStranger counts a call that could not say who it is, by address.
	AllowStranger func(address string) error
	// AllowNewcomer counts a call that makes somebody of a stranger, by address.
	AllowNewcomer func(address string) error
	// Address returns the client's address behind trusted proxies.
	Address func(r *http.Request) string
	// Origin tells whether pages of an origin may read answers for an app.
	Origin  func(r *http.Request, app im.AppID, origin string) bool
	Log     *slog.Logger
	Clock   im.Clock      // nil = the machine's clock
	Metrics *metrics.Set  // nil = counted for nobody
	Trace   *trace.Tracer // nil = nothing is traced
	// MaxBytes bounds a request.
	MaxBytes int
	// Timeout bounds a call.
	Timeout time.Duration
}

// The headers of a call beside Authorization.
const (
	headerApp    = "Skein-App"
	headerDevice = "Skein-Device"
)

type server struct {
	Deps
	validator protovalidate.Validator
	counts    *counts
}

// Server is the handler of every path below /skein.v1. What else is served over
// HTTP to the same callers asks it who they are.
type Server struct {
	*server
	handler http.Handler
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Who verifies a request's token, by the headers that calls have, and counts it
// as one of its sender's calls.
func (s *Server) Who(r *http.Request) (im.Actor, error) {
	a, err := s.who(r.Context(), r.Header, s.Address(r))
	if err == nil {
		err = s.Allow(a)
	}
	return a, err
}

// Pages lets pages of an app's own origins make requests of some methods with
// some headers beside those of calls, and read some headers of the answers.
func (s *Server) Pages(next http.Handler, methods, headers, exposed string) http.Handler {
	return s.cors(next, methods, headers, exposed)
}

// New returns a handler for every path below /skein.v1.
func New(d Deps) (*Server, error) {
	v, err := protovalidate.New()
	if err != nil {
		return nil, err
	}
	if d.Clock == nil {
		d.Clock = im.SystemClock{}
	}
	s := &server{Deps: d, validator: v}
	mux, table := http.NewServeMux(), s.table()
	for path, h := range table {
		mux.Handle(path, h)
	}
	s.counts = newCounts(d.Metrics, slices.Sorted(maps.Keys(table)))
	return &Server{s, s.cors(s.bounded(mux), http.MethodPost, "Connect-Protocol-Version, Connect-Timeout-Ms", "")}, nil
}

// bounded refuses a request that says it is too large with our own error:
// Connect's would be RESOURCE_EXHAUSTED, after which clients try again.
func (s *server) bounded(next http.Handler) http.Handler {
	answer := connect.NewErrorWriter()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > int64(s.MaxBytes) && answer.IsSupported(r) {
			answer.Write(w, r, s.fail(r.Context(), r.URL.Path, im.Errorf(im.TooLarge, "a request has at most %d bytes", s.MaxBytes)))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// unary makes a handler of a verb.
func unary[Req, Res any, PReq interface {
	*Req
	proto.Message
}](s *server, procedure string, verb func(context.Context, im.Actor, *Req) (*Res, error)) http.Handler {
	name := verbOf(procedure)
	return connect.NewUnaryHandler(procedure, func(ctx context.Context, r *connect.Request[Req]) (*connect.Response[Res], error) {
		began := s.Clock.Now()
		ctx, cancel := context.WithTimeout(ctx, s.Timeout)
		defer cancel()
		actor, err := s.who(ctx, r.Header(), r.Peer().Addr)
		if err == nil {
			err = s.Allow(actor)
		}
		if err == nil && actor.Guest && notGuests[procedure] {
			err = errGuest
		}
		var span *trace.Span
		if err == nil { // strangers begin no traces
			span = s.Trace.Remote(r.Header().Get("Traceparent"), "rpc."+name)
			ctx = trace.Into(ctx, span)
		}
		if err == nil {
			err = s.validate(PReq(r.Msg))
		}
		var res *Res
		if err == nil {
			res, err = verb(ctx, actor, r.Msg)
		}
		span.End(err)
		s.counts.done(name, s.Clock.Now().Sub(began), err)
		if err != nil {
			return nil, s.fail(ctx, procedure, err)
		}
		return connect.NewResponse(res), nil
	}, connect.WithReadMaxBytes(s.MaxBytes), connect.WithSendMaxBytes(16<<20))
}

// who verifies the caller's token.
func (s *server) who(ctx context.Context, h http.Header, peer string) (im.Actor, error) {
	token, ok := strings.CutPrefix(h.Get("Authorization"), "Bearer ")
	app, device := im.AppID(h.Get(headerApp)), im.DeviceID(unescape(h.Get(headerDevice)))
	var err error
	switch {
	case !ok || token == "":
		err = &im.Error{Code: im.Unauthenticated, Message: "the call has no token", Hint: "send Authorization: Bearer TOKEN"}
	case !im.ValidToken(string(app)):
		err = &im.Error{Code: im.Unauthenticated, Message: "the call names no app", Hint: "send Skein-App: APP"}
	case device != "" && !im.ValidName(string(device)):
		err = im.Errorf(im.InvalidArgument, "Skein-Device is not a device id")
	default:
		var a im.Actor
		if a, err = s.Caller(ctx, app, token, device); err == nil {
			return a, nil
		}
	}
	if limited := s.AllowStranger(peer); limited != nil {
		return im.Actor{}, limited
	}
	return im.Actor{}, err
}

// frontDoor leaves what is in a body to package chat: its limits can be
// configured, its answers are then the same over the socket and over HTTP, and
// the rules in the proto are their defaults.
var frontDoor = protovalidate.FilterFunc(func(m protoreflect.Message, _ protoreflect.Descriptor) bool {
	return m.Descriptor().FullName() != "skein.v1.Body"
})

// validate holds a request to the protovalidate rules of its proto.
func (s *server) validate(m proto.Message) error {
	err := s.validator.Validate(m, protovalidate.WithFilter(frontDoor))
	var bad *protovalidate.ValidationError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &bad) || len(bad.Violations) == 0:
		return err
	}
	v := bad.Violations[0]
	field := protovalidate.FieldPathString(v.Proto.GetField())
	return im.Errorf(im.InvalidArgument, "%s: %s", field, v.Proto.GetMessage())
}

// connectCodes maps our codes to Connect's, for clients that know only those.
var connectCodes = map[im.Code]connect.Code{
	im.InvalidArgument: connect.CodeInvalidArgument, im.Unauthenticated: connect.CodeUnauthenticated,
	im.TokenExpired: connect.CodeUnauthenticated, im.SignedOut: connect.CodeUnauthenticated, im.NotFound: connect.CodeNotFound,
	im.PermissionDenied: connect.CodePermissionDenied, im.FailedPrecondition: connect.CodeFailedPrecondition,
	im.ClientIDReused: connect.CodeAlreadyExists, im.AlreadyExists: connect.CodeAlreadyExists, im.TooLarge: connect.CodeOutOfRange,
	im.RateLimited: connect.CodeResourceExhausted, im.ClockSkew: connect.CodeFailedPrecondition, im.Expired: connect.CodeFailedPrecondition,
	im.Unavailable: connect.CodeUnavailable, im.ResourceExhausted: connect.CodeResourceExhausted, im.CursorInvalid: connect.CodeInvalidArgument,
	im.Unsupported: connect.CodeUnimplemented, im.DataLoss: connect.CodeDataLoss, im.Internal: connect.CodeInternal,
}

// fail logs what is not for the caller's eyes and builds the answer.
func (s *server) fail(ctx context.Context, procedure string, err error) error {
	e, known := im.Shown(err)
	if !known {
		if errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			e = &im.Error{Code: im.Unavailable, Message: "the call took too long", Hint: "retry"}
		}
		s.Log.Error("call", "procedure", procedure, "err", err)
	}
	c := connect.NewError(connectCodes[e.Code], errors.New(e.Message))
	detail, derr := connect.NewErrorDetail(chat.ProtoError(e))
	if derr == nil {
		c.AddDetail(detail)
	}
	return c
}
