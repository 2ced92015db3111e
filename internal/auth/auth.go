// Package auth knows who calls: apps and their secrets, users, devices, the
// tokens that connect them, and the fences that end what a token opened.
//
// An app (tenant) is a row with secrets. The app's own back end holds a secret
// and signs short-lived user tokens with it, with any JWT library; nothing in
// this package, and nothing in an SDK, ever asks a client for a secret. A
// secret is kept sealed under a master key (key.go), so that a copy of the
// database alone lets nobody sign.
//
// A user exists from the first token that names it, a device from the first
// hello that shows a token with it. Sign-in is where the app's login policy
// acts: the newest device wins.
//
// A sign-out, a revoked user and a suspended app are fences: rows of a small
// log (fence.go) that every node reads and applies, under a lease, before the
// call that wrote the row is answered. A node that can not read the log stops
// being Valid by the clock alone, within the lease; the gateway asks Valid
// before it accepts and before it delivers.
//
// What a signed-out device leaves behind is its token, which may live for
// hours more. So a device's row keeps the time before which no token is
// accepted for it, and each token that a device has shown is remembered (by
// hash) until it expires: it will not work under another device's name either.
package auth

import (
	"time"

	"github.com/skein-im/skein/internal/im"
)

// Platform groups devices for the login policy. Its values are wire values
// (skein.v1.Platform).
type Platform int32

// The platforms.
const (
	PlatformUnspecified Platform = 0
	PlatformWeb         Platform = 1
	PlatformAndroid     Platform = 2
	PlatformIOS         Platform = 3
	PlatformDesktop     Platform = 4
	PlatformServer      Platform = 5
)

// LoginPolicy says how many devices of a user may be signed in at once. Its
// values are wire values (skein.v1.LoginPolicy).
type LoginPolicy int32

// The login policies.
const (
	// PolicyNone allows Options.MaxDevices.
	PolicyNone LoginPolicy = 1
	// PolicyOnePerPlatform allows one device of each platform; devices of an
	// unspecified platform count as one more platform.
	PolicyOnePerPlatform LoginPolicy = 2
	// PolicyOneDevice allows one.
	PolicyOneDevice LoginPolicy = 3
)

// DeviceInfo is what a client says about the device that it runs on.
type DeviceInfo struct {
	ID       im.DeviceID
	Platform Platform // an unknown value counts as unspecified
	Name     string   // for the person to recognise it, at most 64 bytes; can be empty
	// Admit is asked once the token is good and before anything is written: what
	// it refuses changes nothing. nil = everybody is let in.
	Admit func(a im.Actor) error
}

// Session is an accepted token. It stays good until its token expires or a
// fence ends it.
type Session struct {
	Actor im.Actor
	// Platform is the device's, as it is stored.
	Platform Platform
	// Expires is the token's exp. It is accepted for Leeway longer.
	Expires time.Time
	// kid and fence say what can end it: fences after that position.
	kid   string
	fence int64
}

// Device is a signed-in device.
type Device struct {
	ID       im.DeviceID
	Platform Platform
	Name     string
	Created  im.Micros
	LastSeen im.Micros // to about a minute
}

// FenceKind says what a fence ends. Its values are stored.
type FenceKind int32

// The kinds of fences.
const (
	// FenceDevice ends the sessions of a device.
	FenceDevice FenceKind = 1
	// FenceUser ends all sessions of a user.
	FenceUser FenceKind = 2
	// FenceApp ends all sessions of an app, the app's own back end's too.
	FenceApp FenceKind = 3
	// FenceSecret ends the sessions that a token of one secret opened.
	FenceSecret FenceKind = 4
	// FenceSettings ends nothing: an app's settings or secrets changed, and
	// what was remembered of them is forgotten.
	FenceSettings FenceKind = 5
	// FenceAll ends every session. It is never stored: a node applies it to
	// itself when the part of the log that it missed is no longer there.
	FenceAll FenceKind = 6
	// FenceViewer ends no session: what the user may do in the livestream that
	// KID names has changed. With a Device they are kept out of it.
	FenceViewer FenceKind = 7
)

// keepsTokens tells that a fence has nothing to do with an app's secrets and
// settings, which may stay remembered.
func (k FenceKind) keepsTokens() bool {
	return k == FenceDevice || k == FenceUser || k == FenceViewer
}

// Fence is one row of the fence log.
type Fence struct {
	// ID numbers the fences in commit order: 1, 2, 3 … without a gap.
	ID     int64
	Kind   FenceKind
	App    im.AppID
	User   im.UserID   // of a FenceDevice, FenceUser or FenceViewer
	Device im.DeviceID // of a FenceDevice
	KID    string      // of a FenceSecret; the conversation of a FenceViewer

	Time im.Micros
}

// Ends tells whether the fence ends a session: it matches, and the session was
// accepted before it. A device that signed in again with a new token after its
// sign-out is not thrown out by a node that applies the old fence late.
func (f Fence) Ends(s Session) bool {
	if s.fence >= f.ID && f.Kind != FenceAll {
		return false
	}
	switch f.Kind {
	case FenceAll:
		return true
	case FenceApp:
		return s.Actor.App == f.App
	case FenceUser:
		return s.Actor.App == f.App && s.Actor.User == f.User && !s.Actor.Server
	case FenceDevice:
		return s.Actor.App == f.App && s.Actor.User == f.User && s.Actor.Device == f.Device && !s.Actor.Server
	case FenceSecret:
		return s.kid == f.KID
	}
	return false
}
