package server

import (
	"context"
	"errors"
	"strings"
	"time"

	"connectrpc.com/connect"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
	skein "github.com/skein-im/skein/sdk/go"
)

// codes are for answers without an error of the protocol: of a proxy, or of
// what is no Skein at all.
var codes = map[connect.Code]skein.Code{
	connect.CodeInvalidArgument: skein.InvalidArgument, connect.CodeUnauthenticated: skein.Unauthenticated,
	connect.CodePermissionDenied: skein.PermissionDenied, connect.CodeNotFound: skein.NotFound, connect.CodeUnimplemented: skein.Unsupported,
	connect.CodeResourceExhausted: skein.RateLimited, connect.CodeInternal: skein.Internal,
}

// asError gives the error of a call the form of the SDK.
func asError(ctx context.Context, err error) *skein.Error {
	var own *skein.Error
	if errors.As(err, &own) {
		return own
	}
	if ctx.Err() != nil {
		return aborted(ctx)
	}
	var answer *connect.Error
	if !errors.As(err, &answer) {
		return &skein.Error{Code: skein.Unavailable, Message: "the server can not be reached", Cause: err}
	}
	for _, d := range answer.Details() {
		if m, err := d.Value(); err == nil {
			if e, ok := m.(*skeinv1.Error); ok {
				return fromWire(e)
			}
		}
	}
	if code, ok := codes[answer.Code()]; ok {
		return &skein.Error{Code: code, Message: answer.Message(), Cause: err}
	}
	return &skein.Error{Code: skein.Unavailable, Message: "the server can not be reached, or did not answer", Cause: err}
}

// fromWire is an error of the protocol.
func fromWire(e *skeinv1.Error) *skein.Error {
	out := &skein.Error{Code: skein.Internal, Message: e.GetMessage(), Hint: e.GetHint(), RetryAfter: time.Duration(e.GetRetryAfterMs()) * time.Millisecond}
	if name, ok := skeinv1.ErrorCode_name[int32(e.GetCode())]; ok && e.GetCode() != skeinv1.ErrorCode_ERROR_CODE_UNSPECIFIED {
		out.Code = skein.Code(strings.ToLower(strings.TrimPrefix(name, "ERROR_CODE_")))
	}
	if t := e.GetServerTimeUs(); t != 0 {
		out.ServerTime = time.UnixMicro(t).UTC()
	}
	return out
}

// tokenError is that of a token supplier; what it says in the SDK's form stays,
// such as that something is missing.
func tokenError(err error) *skein.Error {
	var own *skein.Error
	if errors.As(err, &own) {
		return own
	}
	return &skein.Error{Code: skein.Unavailable, Message: "the token supplier failed", Cause: err}
}

// aborted is the end of a caller's context.
func aborted(ctx context.Context) *skein.Error {
	return &skein.Error{Code: skein.Aborted, Message: "the caller's context ended", Cause: ctx.Err()}
}
