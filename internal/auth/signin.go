package auth

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// keepRevoked is how long the row of a signed-out device stays: as long as a
// token from before can live, and some.
const keepRevoked = MaxTokenLife + time.Hour

// Authenticate accepts a client's token for a device and signs the device in:
// what the socket's hello and the first call of a device do. The user and the
// device come into being at their first token. A device that was signed out
// comes back with a token that was issued after that.
//
// The app's login policy acts here: devices that the newest one replaces are
// signed out. A user has at most Options.MaxDevices; one more signs out the
// one that was seen longest ago.
//
// The caller registers the session where its fences are applied, and then asks
// Confirm, which closes the gap between the two.
//
// Errors: Unauthenticated, TokenExpired, SignedOut, PermissionDenied (the app
// or the user is suspended, or it is a server's token), InvalidArgument,
// ResourceExhausted (a new user, and the app has all that it may have), Unavailable, or what d.Admit
// returns.
func (a *Auth) Authenticate(ctx context.Context, app im.AppID, token string, d DeviceInfo) (Session, error) {
	name, ok := cleanName(d.Name)
	if !ok {
		return Session{}, im.Errorf(im.InvalidArgument, "a device's name is at most 64 bytes of UTF-8")
	}
	if d.Name = name; !im.ValidName(string(d.ID)) {
		return Session{}, im.Errorf(im.InvalidArgument, "a device id is 1 to 64 bytes of UTF-8 without control characters")
	}
	g, err := a.verify(ctx, app, token)
	if err != nil {
		return Session{}, err
	}
	if g.server {
		return Session{}, &im.Error{Code: im.PermissionDenied, Message: "a token of scope server opens no session",
			Hint: "a back end calls the server API; a client needs a user's token"}
	}
	if d.Admit != nil {
		if err := d.Admit(im.Actor{App: g.app, User: g.user, Device: d.ID, Guest: g.guest}); err != nil {
			return Session{}, err
		}
	}
	return a.signIn(ctx, g, hashToken(token), d)
}

// AuthenticateCall accepts the token of a call over HTTP. device is what the
// call names, empty for none; the back end's own calls have none. With a
// device it signs in as Authenticate does. A token that was accepted before
// costs no look at the database: fences make it forgotten.
//
// Errors: as Authenticate's, but that a server's token is accepted.
func (a *Auth) AuthenticateCall(ctx context.Context, app im.AppID, token string, device im.DeviceID) (Session, error) {
	if !a.Valid() {
		return Session{}, errNotValid()
	}
	key := keyOfCall(app, token, device)
	if s, ok := a.known.call(key); ok {
		if a.clock.Now().After(s.Expires.Add(Leeway)) {
			return Session{}, im.Errorf(im.TokenExpired, "the token has expired")
		}
		return s, nil
	}
	if device != "" && !im.ValidName(string(device)) {
		return Session{}, im.Errorf(im.InvalidArgument, "a device id is 1 to 64 bytes of UTF-8 without control characters")
	}
	g, err := a.verify(ctx, app, token)
	if err != nil {
		return Session{}, err
	}
	s, err := a.signIn(ctx, g, hashToken(token), DeviceInfo{ID: device})
	if err != nil {
		return Session{}, err
	}
	a.known.keepCall(key, s)
	if err := a.Confirm(s); err != nil {
		return Session{}, err
	}
	return s, nil
}

// Refresh accepts a new token for a session that is open: of the same app and
// user. The session that it returns replaces s. Errors: as Authenticate's.
func (a *Auth) Refresh(ctx context.Context, s Session, token string) (Session, error) {
	g, err := a.verify(ctx, s.Actor.App, token)
	if err != nil {
		return Session{}, err
	}
	if g.server || g.user != s.Actor.User {
		return Session{}, errClaim("it is for another user than this session")
	}
	return a.signIn(ctx, g, hashToken(token), DeviceInfo{ID: s.Actor.Device})
}

// Confirm tells whether a session that was just accepted is still good, or
// nothing may be delivered to it: SignedOut. Ask it once the session can be
// found by the function that was given to Run: a fence that was applied
// between the two has not seen it.
func (a *Auth) Confirm(s Session) error {
	if !a.Valid() {
		return errNotValid()
	}
	if !a.known.good(s) {
		return errSignedOut()
	}
	return nil
}

// Exists tells whether a user has ever signed in, or was made by the app's
// back end.
func (a *Auth) Exists(ctx context.Context, app im.AppID, user im.UserID) (found bool, err error) {
	err = a.db.Read(ctx, func(tx db.Tx) (err error) {
		found, err = one(tx.QueryRow("SELECT id FROM app_user WHERE app = $1 AND id = $2", app, user), new(string))
		return err
	})
	return found, err
}

// errSignedOut answers whoever was signed out, or shows a token that was
// issued before that.
func errSignedOut() error {
	return &im.Error{Code: im.SignedOut, Message: "signed out, or the token was issued before a sign-out",
		Hint: "sign in again: the app's back end has to issue a new token"}
}

// verify checks a token by itself.
func (a *Auth) verify(ctx context.Context, app im.AppID, token string) (grant, error) {
	if !a.Valid() {
		return grant{}, errNotValid()
	}
	return verifyToken(token, app, a.clock.Now(), a.dev, func(kid string) (verifyKey, bool, error) {
		return a.findSecret(ctx, kid)
	})
}

// findSecret returns an active secret by its id.
func (a *Auth) findSecret(ctx context.Context, kid string) (verifyKey, bool, error) {
	if v, ok := a.known.secret(kid); ok {
		return v, true, nil
	}
	var head int64
	var keyID, alg string
	var sealed []byte
	s := Secret{KID: kid}
	found := false
	err := a.db.Read(ctx, func(tx db.Tx) (err error) {
		if head, err = fenceHead(tx); err != nil {
			return err
		}
		found, err = one(tx.QueryRow("SELECT app, alg, key_id, sealed FROM app_secret WHERE kid = $1 AND retired = 0", kid),
			&s.App, &alg, &keyID, &sealed)
		return err
	})
	if err != nil || !found {
		return verifyKey{}, false, err
	}
	s.Alg = Alg(alg)
	v, _, err := a.unseal(s, keyID, sealed)
	if err != nil {
		return verifyKey{}, false, err
	}
	a.known.keepSecret(v, head)
	return v, true, nil
}

// hashToken is what is stored of a token that a device has shown.
func hashToken(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:16]
}

// keyOfCall is what a call is remembered by. No part can run into the next:
// neither an app's id nor a token has a zero byte.
func keyOfCall(app im.AppID, token string, device im.DeviceID) callKey {
	return sha256.Sum256([]byte(string(app) + "\x00" + token + "\x00" + string(device)))
}

// cleanName takes characters out of a device's name that could make a list of
// devices say something else than it does.
func cleanName(s string) (string, bool) {
	if len(s) > im.MaxIDBytes || !utf8.ValidString(s) {
		return "", false
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
			return -1
		}
		return r
	}, s)), true
}

// signIn lets a verified token in: it reads the rows, decides, and writes only
// when something has to change.
func (a *Auth) signIn(ctx context.Context, g grant, hash []byte, d DeviceInfo) (Session, error) {
	if g.server {
		d.ID = ""
	}
	if d.Platform < 0 || d.Platform > PlatformServer {
		d.Platform = PlatformUnspecified
	}
	var rows signInRows
	var p plan
	err := a.db.Read(ctx, func(tx db.Tx) (err error) {
		rows, err = loadSignIn(tx, g, hash, d.ID)
		return err
	})
	if err == nil {
		p, err = rows.decide(g, d, a.now(), a.maxDevices)
	}
	most := a.Quotas(g.app).GetUsers()
	for err == nil && p.write {
		fences := len(p.replaced) > 0
		sign := func(tx db.Tx) (refused, failed error) {
			if rows, failed = loadSignIn(tx, g, hash, d.ID); failed != nil {
				return nil, failed
			}
			if p, refused = rows.decide(g, d, a.now(), a.maxDevices); refused != nil || len(p.replaced) > 0 && !fences {
				return cmp.Or(refused, errFences), nil
			}
			if !rows.user {
				if full, err := addUsers(tx, g.app, 1, most); err != nil || full {
					return errTooManyUsers, err
				}
			}
			rows.head, failed = a.carryOut(tx, p, rows, g, hash)
			return nil, failed
		}
		if fences {
			err = a.writeFence(ctx, func(tx db.Tx) error {
				refused, failed := sign(tx)
				return cmp.Or(failed, refused)
			})
		} else {
			err = a.signIns.do(ctx, sign)
		}
		if !errors.Is(err, errFences) {
			break
		}
		err = nil // another device has come in meanwhile, which this one replaces
	}
	if errors.Is(err, errTooManyUsers) {
		err = a.errUsers(most)
	}
	if err != nil {
		return Session{}, err
	}
	s := Session{Actor: im.Actor{App: g.app, User: g.user, Device: d.ID, Server: g.server, Guest: g.guest}, Platform: p.device.platform,
		Expires: g.expires.Time(), kid: g.kid, fence: rows.head}
	if len(p.replaced) > 0 {
		a.nudge()
		a.raised(rows.head)
	}
	if !p.write {
		a.Touch(s.Actor)
	}
	return s, nil
}

// errFences is returned within signIn when a transaction has to insert fences
// and was not expected to.
var errFences = errors.New("a sign-in inserts fences")

// signInRows is what the database says about a token and a device.
type signInRows struct {
	head   int64 // of the fence log
	found  bool  // app and secret exist and the secret is active
	policy LoginPolicy
	// suspended: the app is.
	suspended bool
	user      bool // the user's row exists
	refused   bool // the user is suspended
	validFrom im.Micros
	seenIAT   im.Micros
	// devices are the user's signed-in devices, this one, and those that have
	// shown the token.
	devices []deviceRow
}

// deviceRow is a row of device.
type deviceRow struct {
	id        im.DeviceID
	platform  Platform
	name      string
	created   im.Micros
	lastSeen  im.Micros
	revoked   bool
	validFrom im.Micros // tokens issued up to then are refused for the device
	shownCut  im.Micros // and, if the device has shown them, for everybody
	shown     bool      // has shown this token
}

// loadSignIn reads the rows. The head of the fence log is read with them, on
// one snapshot: fences up to it are in what was read.
func loadSignIn(tx db.Tx, g grant, hash []byte, device im.DeviceID) (signInRows, error) {
	var r signInRows
	var policy, suspended int64
	var err error
	// The secret may have come from memory, so whether it is active is asked here.
	r.found, err = one(tx.QueryRow(`SELECT h.head, a.login_policy, a.suspended FROM fence_head h, app a, app_secret s
		WHERE h.id = 1 AND a.id = $1 AND s.kid = $2 AND s.app = a.id AND s.retired = 0`, g.app, g.kid), &r.head, &policy, &suspended)
	if err != nil || !r.found || g.server {
		r.suspended = suspended > 0
		return r, err
	}
	r.policy, r.suspended = LoginPolicy(policy), suspended > 0
	var since im.Micros
	r.user, err = one(tx.QueryRow("SELECT tokens_valid_from, seen_iat, suspended FROM app_user WHERE app = $1 AND id = $2", g.app, g.user),
		&r.validFrom, &r.seenIAT, &since)
	r.refused = since > 0
	if err != nil || !r.user {
		return r, err
	}
	err = db.Each(tx, func(rows db.Rows) error {
		var d deviceRow
		var platform, revoked, shown int64
		err := rows.Scan(&d.id, &platform, &d.name, &d.created, &d.lastSeen, &revoked, &d.validFrom, &d.shownCut, &shown)
		d.platform, d.revoked, d.shown = Platform(platform), revoked > 0, shown > 0
		if !d.revoked || d.id == device || d.shown {
			r.devices = append(r.devices, d)
		}
		return err
	}, `SELECT d.id, d.platform, d.name, d.created, d.last_seen, d.revoked, d.token_valid_from, d.shown_cut,
			CASE WHEN t.device IS NULL THEN 0 ELSE 1 END
		FROM device d LEFT JOIN device_token t ON t.app = d.app AND t.user_id = d.user_id AND t.hash = $3 AND t.device = d.id
		WHERE d.app = $1 AND d.user_id = $2`, g.app, g.user, hash)
	return r, err
}

// plan is what a sign-in changes.
type plan struct {
	write bool
	// device is this device's row as it shall be; its id is empty for a call
	// without a device.
	device   deviceRow
	replaced []im.DeviceID // to be signed out
	seenIAT  im.Micros
}

// decide says whether a token is let in and what has to be written for that.
func (r signInRows) decide(g grant, d DeviceInfo, now im.Micros, maxDevices int) (plan, error) {
	if !r.found {
		return plan{}, errToken()
	}
	if r.suspended {
		return plan{}, im.Errorf(im.PermissionDenied, "the app is suspended")
	}
	if g.server {
		return plan{}, nil
	}
	if r.refused {
		return plan{}, &im.Error{Code: im.PermissionDenied, Message: "the user is suspended", Hint: "the app's back end lets them in again"}
	}
	if r.user && g.issued <= r.validFrom {
		return plan{}, errSignedOut()
	}
	if g.device != "" && g.device != d.ID {
		return plan{}, errClaim("it is bound to another device")
	}
	p := plan{device: deviceRow{id: d.ID, platform: d.Platform, name: d.Name, created: now}, seenIAT: r.seenIAT}
	if p.write = !r.user; g.issued > max(now, r.seenIAT) {
		p.write, p.seenIAT = true, g.issued
	}
	i := slices.IndexFunc(r.devices, func(x deviceRow) bool { return x.id == d.ID && d.ID != "" })
	if i >= 0 && g.issued <= r.devices[i].validFrom {
		return plan{}, errSignedOut()
	}
	shownHere := i >= 0 && r.devices[i].shown
	if !shownHere && r.dead(g, d.ID) {
		return plan{}, errSignedOut()
	}
	if d.ID == "" {
		return p, nil
	}
	if i >= 0 {
		p.takeOver(r.devices[i], d)
	} else {
		p.write = true
	}
	p.write = p.write || !shownHere
	p.replaced = r.replaces(p.device, maxDevices)
	p.write = p.write || len(p.replaced) > 0
	return p, nil
}

// dead tells whether a token died with a device that has shown it. A device
// that was signed out takes its tokens with it; they work on only where they
// were in use already, beside it. A device that was replaced by the login
// policy does not: the back end may have given one token to all of them. But a
// call that names no device needs one of them to be signed in still.
func (r signInRows) dead(g grant, device im.DeviceID) bool {
	shown, live := false, false
	for _, x := range r.devices {
		if !x.shown {
			continue
		}
		if x.shownCut >= g.issued {
			return true
		}
		shown, live = true, live || !x.revoked
	}
	return device == "" && shown && !live
}

// takeOver keeps what a device's row says and the client does not.
func (p *plan) takeOver(old deviceRow, d DeviceInfo) {
	if d.Platform == PlatformUnspecified {
		p.device.platform = old.platform
	}
	if d.Name == "" {
		p.device.name = old.name
	}
	if !old.revoked {
		p.device.created = old.created
	}
	if old.revoked || old.platform != p.device.platform || old.name != p.device.name {
		p.write = true
	}
}

// replaces returns the devices that d's sign-in signs out.
func (r signInRows) replaces(d deviceRow, maxDevices int) []im.DeviceID {
	var out []im.DeviceID
	var stay []deviceRow
	for _, x := range r.devices {
		switch {
		case x.revoked || x.id == d.id:
		case r.policy == PolicyOneDevice, r.policy == PolicyOnePerPlatform && x.platform == d.platform:
			out = append(out, x.id)
		default:
			stay = append(stay, x)
		}
	}
	slices.SortFunc(stay, func(a, b deviceRow) int {
		return cmp.Or(cmp.Compare(a.lastSeen, b.lastSeen), cmp.Compare(a.id, b.id))
	})
	for ; len(stay) >= maxDevices; stay = stay[1:] {
		out = append(out, stay[0].id)
	}
	return out
}

// carryOut writes a plan and returns the fence log's head after it.
func (a *Auth) carryOut(tx db.Tx, p plan, r signInRows, g grant, hash []byte) (int64, error) {
	now := a.now()
	if !r.user {
		if _, err := tx.Exec("INSERT INTO app_user (app, id, created, tokens_valid_from, seen_iat) VALUES ($1, $2, $3, 0, $4)",
			g.app, g.user, now, p.seenIAT); err != nil {
			return 0, err
		}
	} else if p.seenIAT != r.seenIAT {
		if _, err := tx.Exec("UPDATE app_user SET seen_iat = $3 WHERE app = $1 AND id = $2", g.app, g.user, p.seenIAT); err != nil {
			return 0, err
		}
	}
	if p.device.id == "" {
		return r.head, nil
	}
	if !r.user { // nothing of theirs can be old
		return a.putDevice(tx, p, r, g, hash)
	}
	for _, sql := range []string{
		"DELETE FROM device_token WHERE app = $1 AND user_id = $2 AND expires < $3",
		"DELETE FROM device WHERE app = $1 AND user_id = $2 AND revoked > 0 AND revoked < $3",
	} {
		before := now - im.Micros(Leeway.Microseconds())
		if strings.Contains(sql, "revoked") {
			before = now - im.Micros(keepRevoked.Microseconds())
		}
		if _, err := tx.Exec(sql, g.app, g.user, before); err != nil {
			return 0, err
		}
	}
	return a.putDevice(tx, p, r, g, hash)
}

// putDevice writes a device's row with the token that it has shown, and signs
// out those that it replaces. It returns the fence log's head after that.
func (a *Auth) putDevice(tx db.Tx, p plan, r signInRows, g grant, hash []byte) (int64, error) {
	now := a.now()
	d := p.device
	_, err := tx.Exec(`INSERT INTO device (app, user_id, id, platform, name, created, last_seen, revoked, token_valid_from, shown_cut, fence)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, 0, 0)
		ON CONFLICT (app, user_id, id) DO UPDATE SET platform = $4, name = $5, created = $6, last_seen = $7, revoked = 0`,
		g.app, g.user, d.id, int64(d.platform), d.name, d.created, now)
	if err != nil {
		return 0, err
	}
	if _, err := tx.Exec(`INSERT INTO device_token (app, user_id, hash, device, expires) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (app, user_id, hash, device) DO NOTHING`, g.app, g.user, hash, d.id, g.expires); err != nil {
		return 0, err
	}
	head := r.head
	for _, id := range p.replaced {
		f, err := a.signOut(tx, deviceKey{g.app, g.user, id}, max(now, p.seenIAT), 0)
		if err != nil {
			return 0, err
		}
		head = f.ID
	}
	return head, nil
}

// signOut ends a device within a transaction: tokens issued up to cut no
// longer work for it, and those up to shownCut that it has shown for nobody.
func (a *Auth) signOut(tx db.Tx, k deviceKey, cut, shownCut im.Micros) (Fence, error) {
	f, err := a.insertFence(tx, Fence{Kind: FenceDevice, App: k.app, User: k.user, Device: k.device})
	if err != nil {
		return Fence{}, err
	}
	_, err = tx.Exec(`UPDATE device SET revoked = $4, token_valid_from = $5, fence = $6,
		shown_cut = CASE WHEN shown_cut < $7 THEN $7 ELSE shown_cut END WHERE app = $1 AND user_id = $2 AND id = $3`,
		k.app, k.user, k.device, a.now(), cut, f.ID, shownCut)
	return f, err
}
