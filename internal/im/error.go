package im

import (
	"errors"
	"fmt"
	"time"
)

// Code is an error code. Its values are wire values (skein.v1.ErrorCode):
// appended, never renumbered.
type Code int32

// The codes. What a client does with each is said in docs/protocol.md.
const (
	InvalidArgument    Code = 1
	Unauthenticated    Code = 2
	TokenExpired       Code = 3
	NotFound           Code = 4
	PermissionDenied   Code = 5
	FailedPrecondition Code = 6
	ClientIDReused     Code = 7
	TooLarge           Code = 8
	RateLimited        Code = 9
	ClockSkew          Code = 10
	Expired            Code = 11
	Unavailable        Code = 12
	ResourceExhausted  Code = 13
	Internal           Code = 14
	CursorInvalid      Code = 15
	Unsupported        Code = 16
	DataLoss           Code = 17
	AlreadyExists      Code = 18
	SignedOut          Code = 19
)

var codeNames = [...]string{"OK", "INVALID_ARGUMENT", "UNAUTHENTICATED", "TOKEN_EXPIRED", "NOT_FOUND",
	"PERMISSION_DENIED", "FAILED_PRECONDITION", "CLIENT_ID_REUSED", "TOO_LARGE", "RATE_LIMITED", "CLOCK_SKEW",
	"EXPIRED", "UNAVAILABLE", "RESOURCE_EXHAUSTED", "INTERNAL", "CURSOR_INVALID", "UNSUPPORTED", "DATA_LOSS",
	"ALREADY_EXISTS", "SIGNED_OUT"}

// String returns the code's name as the protocol spells it, without prefix.
func (c Code) String() string {
	if c < 0 || int(c) >= len(codeNames) {
		return fmt.Sprintf("CODE_%d", int32(c))
	}
	return codeNames[c]
}

// Error is the only error that callers from outside ever see. Anything else
// is Internal: logged once where it stops, never shown.
type Error struct {
	Code    Code
	Message string // one sentence for a developer; never shows other people's data
	Hint    string // what to do next; can be empty
	// RetryAfter is how long to wait before a retry; 0 = the caller's own back-off.
	RetryAfter time.Duration
	// ServerTime is set with ClockSkew and Expired.
	ServerTime Micros
}

// Error implements error.
func (e *Error) Error() string { return e.Code.String() + ": " + e.Message }

// Errorf builds an Error.
func Errorf(c Code, format string, args ...any) *Error {
	return &Error{Code: c, Message: fmt.Sprintf(format, args...)}
}

// ErrNotFound is the one answer for whatever does not exist or may not be
// seen by the caller. It has no detail, so that the two cannot be told apart.
var ErrNotFound = &Error{Code: NotFound, Message: "not found"}

// ErrDamaged is a storage engine's report that its files make no sense. For
// the code inside it is DataLoss, as a row that does not fit its hash is. A
// caller from outside is told Unavailable: unlike such a row it says nothing
// about one message, it may be a disk that fails at the moment, and whether
// what was asked for is stored is unknown. DATA_LOSS would end a send, and a
// sign-in for ever.
var ErrDamaged = &Error{Code: DataLoss, Message: "the database is damaged"}

// Shown is the error as a caller from outside may see it; ok is false when it
// is none that they may, which is Internal.
func Shown(err error) (e *Error, ok bool) {
	if !errors.As(err, &e) {
		return &Error{Code: Internal, Message: "internal error"}, false
	}
	if e == ErrDamaged {
		return &Error{Code: Unavailable, Message: "the server cannot read its database", Hint: "retry; whether it was stored is unknown"}, true
	}
	return e, true
}

// CodeOf returns the code of err: 0 for nil, Internal for an error that is
// not an *Error.
func CodeOf(err error) Code {
	if err == nil {
		return 0
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}
