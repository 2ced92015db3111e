package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"time"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// Times of what this server signs by itself, for guests and for devices that
// another one has let in.
const (
	// CodeLife is how long a code can be answered and its token fetched.
	CodeLife = 2 * time.Minute
	// OwnTokenLife is the life of one token, RenewFor how long after the first
	// one there are new ones for it.
	OwnTokenLife = 12 * time.Hour
	RenewFor     = 30 * 24 * time.Hour
)

// The states of a code. Those below codeTaken are wire values (skein.v1.SignInState).
const (
	CodeWaiting  = 1
	CodeApproved = 2
	CodeDenied   = 3
	codeTaken    = 4
)

// Code is a sign-in that waits for another device's approval.
type Code struct {
	Code, Ticket string // only when it was just made
	Device       DeviceInfo
	Address      string // where it was asked for
	Created      im.Micros
	Expires      im.Micros
}

// OwnToken is a token that this server has signed by itself.
type OwnToken struct {
	User    im.UserID
	Token   string
	Expires time.Time
}

var (
	errGuest    = im.Errorf(im.PermissionDenied, "guests may not do this")
	errNoGuests = &im.Error{Code: im.PermissionDenied, Message: "this app has no guests", Hint: "its back end allows them in AppSettings.guests"}
)

// CreateGuest makes a guest of an app and signs a token for one device.
// Errors: PermissionDenied, FailedPrecondition.
func (a *Auth) CreateGuest(ctx context.Context, app im.AppID, device im.DeviceID) (OwnToken, error) {
	if !im.ValidName(string(device)) {
		return OwnToken{}, im.Errorf(im.InvalidArgument, "device is 1 to 64 bytes of UTF-8 without control characters")
	}
	if !a.Settings(app).GetGuests() {
		return OwnToken{}, errNoGuests
	}
	id, err := im.RandomID(a.entropy)
	if err != nil {
		return OwnToken{}, err
	}
	return a.ownToken(ctx, grant{app: app, user: im.UserID("guest-" + id), device: device, guest: true, renew: a.now() + im.Micros(RenewFor.Microseconds())})
}

// ownToken signs a grant with the app's key.
func (a *Auth) ownToken(ctx context.Context, g grant) (OwnToken, error) {
	key, err := a.signingKey(ctx, g.app)
	if im.CodeOf(err) == im.NotFound { // an operator's words
		err = im.ErrNotFound
	}
	if err != nil {
		return OwnToken{}, err
	}
	g.issued = a.now()
	g.expires = im.Micros((int64(g.issued) + OwnTokenLife.Microseconds()) / 1e6 * 1e6)
	t, err := signToken(g, key)
	return OwnToken{User: g.user, Token: t, Expires: g.expires.Time()}, err
}

// CreateCode begins the sign-in of a device. Errors: InvalidArgument,
// NotFound (no such app), FailedPrecondition.
func (a *Auth) CreateCode(ctx context.Context, app im.AppID, d DeviceInfo, address string) (Code, error) {
	name, ok := cleanName(d.Name)
	if !ok || !im.ValidName(string(d.ID)) {
		return Code{}, im.Errorf(im.InvalidArgument, "device is 1 to 64 bytes of UTF-8 without control characters, its name at most 64")
	}
	if _, err := a.signingKey(ctx, app); im.CodeOf(err) == im.NotFound {
		return Code{}, im.ErrNotFound
	} else if err != nil {
		return Code{}, err
	}
	d.Name = name
	if d.Platform < 0 || d.Platform > PlatformServer {
		d.Platform = PlatformUnspecified
	}
	c := Code{Device: d, Address: address, Created: a.now()}
	c.Expires = c.Created + im.Micros(CodeLife.Microseconds())
	var err error
	if c.Code, err = a.randomText(); err == nil {
		c.Ticket, err = a.randomText()
	}
	if err != nil {
		return Code{}, err
	}
	err = a.write(ctx, func(tx db.Tx) error {
		if _, err := tx.Exec("DELETE FROM signin_code WHERE expires < $1", c.Created); err != nil {
			return err
		}
		_, err := tx.Exec(`INSERT INTO signin_code (code, ticket, app, device, name, platform, address, created, expires, state, user_id)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, '')`, hashText(c.Code), hashText(c.Ticket), app, d.ID, d.Name, int64(d.Platform), address, c.Created, c.Expires, CodeWaiting)
		return err
	})
	return c, err
}

// randomText is 128 random bits.
func (a *Auth) randomText() (string, error) {
	var b [16]byte
	_, err := io.ReadFull(a.entropy, b[:])
	return base64.RawURLEncoding.EncodeToString(b[:]), err
}

func hashText(s string) []byte {
	sum := sha256.Sum256([]byte("skein sign-in code\x00" + s))
	return sum[:]
}

// GetCode shows a code that waits to a user of its app. Errors: NotFound,
// PermissionDenied (a guest).
func (a *Auth) GetCode(ctx context.Context, actor im.Actor, code string) (Code, error) {
	if err := mayApprove(actor); err != nil {
		return Code{}, err
	}
	var c Code
	var platform int64
	found := false
	err := a.db.Read(ctx, func(tx db.Tx) (err error) {
		found, err = one(tx.QueryRow("SELECT name, platform, address, created FROM signin_code WHERE code = $1 AND app = $2 AND state = $3 AND expires > $4",
			hashText(code), actor.App, CodeWaiting, a.now()), &c.Device.Name, &platform, &c.Address, &c.Created)
		return err
	})
	if err == nil && !found {
		err = im.ErrNotFound
	}
	c.Device.Platform = Platform(platform)
	return c, err
}

func mayApprove(actor im.Actor) error {
	switch {
	case actor.Server:
		return im.ErrNotFound
	case actor.Guest:
		return errGuest
	}
	return nil
}

// AnswerCode lets a device in as the actor, or not; of two answers at once one
// counts. Errors: NotFound, PermissionDenied (a guest).
func (a *Auth) AnswerCode(ctx context.Context, actor im.Actor, code string, approve bool) error {
	if err := mayApprove(actor); err != nil {
		return err
	}
	to := CodeDenied
	if approve {
		to = CodeApproved
	}
	var n int64
	err := a.write(ctx, func(tx db.Tx) (err error) {
		n, err = tx.Exec("UPDATE signin_code SET state = $5, user_id = $6 WHERE code = $1 AND app = $2 AND state = $3 AND expires > $4",
			hashText(code), actor.App, CodeWaiting, a.now(), to, actor.User)
		return err
	})
	if err == nil && n == 0 {
		err = im.ErrNotFound
	}
	return err
}

// TakeCode tells whoever holds the ticket how the code was answered. The one
// call that finds it approved gets the token. Errors: NotFound.
func (a *Auth) TakeCode(ctx context.Context, app im.AppID, ticket string) (state int, t OwnToken, err error) {
	g := grant{app: app, renew: a.now() + im.Micros(RenewFor.Microseconds())}
	var found bool
	read := func(tx db.Tx) error {
		var st int64
		found, err = one(tx.QueryRow("SELECT state, user_id, device FROM signin_code WHERE ticket = $1 AND app = $2 AND expires > $3",
			hashText(ticket), app, a.now()), &st, &g.user, &g.device)
		state = int(st)
		return err
	}
	if err := a.db.Read(ctx, read); err != nil {
		return 0, t, err
	}
	if found && state == CodeApproved {
		var n int64
		err = a.write(ctx, func(tx db.Tx) (err error) {
			n, err = tx.Exec("UPDATE signin_code SET state = $2 WHERE ticket = $1 AND state = $3", hashText(ticket), codeTaken, CodeApproved)
			return err
		})
		if err != nil {
			return 0, t, err
		}
		found = n == 1
	}
	switch {
	case !found || state == codeTaken:
		return 0, t, im.ErrNotFound
	case state == CodeApproved:
		t, err = a.ownToken(ctx, g)
	}
	return state, t, err
}

// Renew gives a new token for one that this server has signed by itself. The
// device must still be signed in. Errors: as AuthenticateCall's,
// FailedPrecondition.
func (a *Auth) Renew(ctx context.Context, app im.AppID, token string) (OwnToken, error) {
	g, err := a.verify(ctx, app, token)
	if err != nil {
		return OwnToken{}, err
	}
	if _, err := a.AuthenticateCall(ctx, app, token, g.device); err != nil {
		return OwnToken{}, err
	}
	if g.renew == 0 || g.renew < a.now() {
		return OwnToken{}, &im.Error{Code: im.FailedPrecondition, Message: "there is no new token for this one", Hint: "sign in again"}
	}
	return a.ownToken(ctx, grant{app: app, user: g.user, device: g.device, guest: g.guest, renew: g.renew, dev: g.dev})
}
