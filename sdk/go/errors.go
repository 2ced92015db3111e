package skein

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Code says what went wrong in a way a program can act on. It is the
// protocol's name in lower case, or one of the SDK's own three.
type Code string

// The codes. What the SDK does about each by itself is in docs/sdk-spec.md §4.
const (
	InvalidArgument    Code = "invalid_argument"    // the request breaks a documented rule
	Unauthenticated    Code = "unauthenticated"     // the token was refused
	TokenExpired       Code = "token_expired"       // the token has expired
	NotFound           Code = "not_found"           // it does not exist, or may not be seen
	PermissionDenied   Code = "permission_denied"   // it may be seen and not be done
	FailedPrecondition Code = "failed_precondition" // the state changed underneath
	ClientIDReused     Code = "client_id_reused"    // the id was used for other content
	TooLarge           Code = "too_large"           // a size limit was passed
	RateLimited        Code = "rate_limited"        // a rate limit was passed
	ClockSkew          Code = "clock_skew"          // this device's clock is far ahead
	Expired            Code = "expired"             // whether an old send arrived is unknown
	Unavailable        Code = "unavailable"         // the server or the network does not answer
	ResourceExhausted  Code = "resource_exhausted"  // a disk, a quota or the outbox is full
	Internal           Code = "internal"            // a defect
	CursorInvalid      Code = "cursor_invalid"      // the sync position was refused
	Unsupported        Code = "unsupported"         // the server does not know this
	DataLoss           Code = "data_loss"           // a stored row is damaged
	AlreadyExists      Code = "already_exists"      // it exists already
	SignedOut          Code = "signed_out"          // this device was signed out
	Aborted            Code = "aborted"             // the caller's context ended
	Closed             Code = "closed"              // the client was closed
	Storage            Code = "storage"             // the local store failed
)

// Error is the one error class of the SDK: errors.As finds it in every error
// that a method returns.
type Error struct {
	Code    Code
	Message string // one sentence for a developer
	Hint    string // what to do next; can be empty
	// RetryAfter is how long to wait before trying again; 0 = not said.
	RetryAfter time.Duration
	// ServerTime is set with ClockSkew and Expired; zero otherwise.
	ServerTime time.Time
	// Cause is what lies behind it, such as a network error; can be nil.
	Cause error
}

// Error implements error.
func (e *Error) Error() string {
	s := string(e.Code)
	if e.Message != "" {
		s += ": " + e.Message
	}
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// CodeOf returns the code of an error: "" for nil, Internal for one that is
// not of this package.
func CodeOf(err error) Code {
	var e *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Code
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Aborted
	}
	return Internal
}

func errorf(c Code, cause error, format string, args ...any) *Error {
	return &Error{Code: c, Message: fmt.Sprintf(format, args...), Cause: cause}
}

// aborted wraps the end of a caller's context.
func aborted(err error) *Error { return errorf(Aborted, err, "the caller's context ended") }

func errClosed() *Error { return errorf(Closed, nil, "the client was closed") }

// asError returns err as an *Error.
func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return errorf(CodeOf(err), err, "%v", err)
}

// codeOf translates a wire code.
func codeOf(c skeinv1.ErrorCode) Code {
	name, ok := skeinv1.ErrorCode_name[int32(c)]
	if !ok || c == skeinv1.ErrorCode_ERROR_CODE_UNSPECIFIED {
		return Internal
	}
	return Code(strings.ToLower(strings.TrimPrefix(name, "ERROR_CODE_")))
}

// fromWire translates the protocol's error.
func fromWire(e *skeinv1.Error) *Error {
	out := &Error{Code: codeOf(e.GetCode()), Message: e.GetMessage(), Hint: e.GetHint(),
		RetryAfter: time.Duration(e.GetRetryAfterMs()) * time.Millisecond}
	if t := e.GetServerTimeUs(); t != 0 {
		out.ServerTime = time.UnixMicro(t).UTC()
	}
	return out
}

// definitive tells whether trying again with the same request can not help.
func (c Code) definitive() bool {
	switch c {
	case Unavailable, RateLimited, ResourceExhausted, Internal, TokenExpired, Unauthenticated, SignedOut, ClockSkew, Aborted, Closed, Storage:
		return false
	}
	return true
}
