package auth

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// DemoApp is the app of dev mode and of the documentation.
const DemoApp im.AppID = "demo"

// App is a tenant's settings.
type App struct {
	ID             im.AppID
	Name           string
	LoginPolicy    LoginPolicy
	AllowedOrigins []string // the app's own, sorted
	Created        im.Micros
	Suspended      bool
	// KIDs are the ids of the active secrets, newest first.
	KIDs []string
	// Own are the settings that the app has made itself, others are absent;
	// see Auth.Settings for those that apply.
	Own *skeinv1.AppSettings
	// OwnQuotas are those that the operator has decided for the app, others are
	// absent; see Auth.Quotas for those that apply.
	OwnQuotas *skeinv1.AppQuotas
}

// Secret is a secret that was just made. It is shown once: the server keeps it
// sealed and never gives it out again.
type Secret struct {
	App im.AppID
	KID string
	Alg Alg
	// Text is what the back end keeps: for HS256 a string whose bytes (as they
	// stand, not decoded) are the HMAC key; for EdDSA a private key in PEM
	// (PKCS #8). Empty when the back end brought a public key.
	Text string
}

// NewApp says what CreateApp makes.
type NewApp struct {
	// ID is the app's id; empty = a random one.
	ID   im.AppID
	Name string // for people, at most 64 bytes; empty = the id
	// Alg is the algorithm of the first secret; empty = HS256.
	Alg Alg
	// PublicKey, when set, is an Ed25519 public key in PEM (PKIX): the private
	// one stays with the back end, and this server can not sign for the app.
	PublicKey string
}

// CreateApp makes an app with one secret. Errors: AlreadyExists,
// InvalidArgument.
func (a *Auth) CreateApp(ctx context.Context, n NewApp) (Secret, error) {
	if n.ID == "" {
		id, err := im.RandomID(a.entropy)
		if err != nil {
			return Secret{}, err
		}
		n.ID = im.AppID("app-" + id[:12])
	}
	if n.Name == "" {
		n.Name = string(n.ID)
	}
	if !im.ValidToken(string(n.ID)) {
		return Secret{}, im.Errorf(im.InvalidArgument, "an app's id is 1 to 64 of a-z A-Z 0-9 _ -, and starts with a letter or a digit")
	}
	if !im.ValidName(n.Name) {
		return Secret{}, im.Errorf(im.InvalidArgument, "an app's name is 1 to 64 bytes of UTF-8 without control characters")
	}
	s, err := a.newSecret(n.ID, n.Alg, n.PublicKey)
	if err != nil {
		return Secret{}, err
	}
	err = a.write(ctx, func(tx db.Tx) error {
		found, err := one(tx.QueryRow("SELECT id FROM app WHERE id = $1", n.ID), new(string))
		if err != nil {
			return err
		}
		if found {
			return &im.Error{Code: im.AlreadyExists, Message: fmt.Sprintf("the app %q exists already", n.ID),
				Hint: "to give it a new secret, run: skein app rotate " + string(n.ID)}
		}
		if _, err := tx.Exec("INSERT INTO app (id, name, login_policy, created, suspended) VALUES ($1, $2, $3, $4, 0)",
			n.ID, n.Name, int64(PolicyNone), a.now()); err != nil {
			return err
		}
		if _, err := tx.Exec("INSERT INTO app_count (app, users) VALUES ($1, 0) ON CONFLICT (app) DO NOTHING", n.ID); err != nil {
			return err
		}
		return s.insert(tx, a.now())
	})
	return s.Secret, err
}

// EnsureDemoApp makes the app "demo" unless it exists; dev mode calls it at
// every start.
func (a *Auth) EnsureDemoApp(ctx context.Context) error {
	_, err := a.CreateApp(ctx, NewApp{ID: DemoApp})
	if im.CodeOf(err) == im.AlreadyExists {
		return nil
	}
	return err
}

// ListApps returns all apps by id.
func (a *Auth) ListApps(ctx context.Context) ([]App, error) {
	var apps []App
	err := a.db.Read(ctx, func(tx db.Tx) error {
		apps = nil
		var ids []im.AppID
		err := db.Each(tx, func(r db.Rows) error {
			var id im.AppID
			err := r.Scan(&id)
			ids = append(ids, id)
			return err
		}, "SELECT id FROM app ORDER BY id")
		if err != nil {
			return err
		}
		for _, id := range ids {
			app, err := loadApp(tx, id)
			if err != nil {
				return err
			}
			apps = append(apps, app)
		}
		return nil
	})
	return apps, err
}

// GetApp returns the settings of the caller's app; for its back end only
// (NotFound for everybody else).
func (a *Auth) GetApp(ctx context.Context, actor im.Actor) (App, error) {
	if !actor.Server {
		return App{}, im.ErrNotFound
	}
	var app App
	err := a.db.Read(ctx, func(tx db.Tx) (err error) {
		app, err = loadApp(tx, actor.App)
		return err
	})
	return app, err
}

// FindApp returns an app for the operator. Errors: NotFound.
func (a *Auth) FindApp(ctx context.Context, id im.AppID) (App, error) {
	app, err := a.GetApp(ctx, im.Actor{App: id, Server: true})
	if im.CodeOf(err) == im.NotFound {
		err = errNoApp(id)
	}
	return app, err
}

// AppUpdate says which settings change; what is nil or 0 stays.
type AppUpdate struct {
	LoginPolicy    LoginPolicy
	AllowedOrigins *[]string
	// Settings: the fields that are set replace the app's.
	Settings *skeinv1.AppSettings
}

// MaxOrigins bounds an app's own list of origins.
const MaxOrigins = 100

// UpdateApp changes settings of the caller's app; for its back end only. A
// login policy acts from the next sign-in on; everything else acts on every
// node when the call returns. Errors: NotFound, InvalidArgument.
func (a *Auth) UpdateApp(ctx context.Context, actor im.Actor, u AppUpdate) (App, error) {
	if !actor.Server {
		return App{}, im.ErrNotFound
	}
	if u.LoginPolicy < 0 || u.LoginPolicy > PolicyOneDevice {
		return App{}, im.Errorf(im.InvalidArgument, "login_policy %d does not exist", u.LoginPolicy)
	}
	if err := checkSettings(u.Settings); err != nil {
		return App{}, err
	}
	origins, err := parseOrigins(u.AllowedOrigins)
	if err != nil {
		return App{}, err
	}
	var app App
	var fence Fence
	err = a.writeFence(ctx, func(tx db.Tx) error {
		var err error
		if app, err = loadApp(tx, actor.App); err != nil {
			return err
		}
		if u.LoginPolicy != 0 {
			if _, err := tx.Exec("UPDATE app SET login_policy = $2 WHERE id = $1", actor.App, int64(u.LoginPolicy)); err != nil {
				return err
			}
		}
		if u.AllowedOrigins != nil {
			if err := storeOrigins(tx, actor.App, origins); err != nil {
				return err
			}
		}
		if u.Settings != nil {
			if err := storeSettings(tx, actor.App, app.Own, u.Settings); err != nil {
				return err
			}
		}
		if fence, err = a.insertFence(tx, Fence{Kind: FenceSettings, App: actor.App}); err != nil {
			return err
		}
		app, err = loadApp(tx, actor.App)
		return err
	})
	if err != nil {
		return App{}, err
	}
	return app, a.awaitFence(ctx, fence.ID)
}

// parseOrigins checks, sorts and dedupes a list; nil = none was given.
func parseOrigins(list *[]string) ([]string, error) {
	if list == nil {
		return nil, nil
	}
	var origins []string
	for _, s := range *list {
		o, err := ParseOrigin(s)
		if err != nil {
			return nil, err
		}
		origins = append(origins, o)
	}
	slices.Sort(origins)
	if origins = slices.Compact(origins); len(origins) > MaxOrigins {
		return nil, im.Errorf(im.TooLarge, "an app has at most %d allowed origins", MaxOrigins)
	}
	return origins, nil
}

func storeOrigins(tx db.Tx, app im.AppID, origins []string) error {
	if _, err := tx.Exec("DELETE FROM app_origin WHERE app = $1", app); err != nil {
		return err
	}
	for _, o := range origins {
		if _, err := tx.Exec("INSERT INTO app_origin (app, origin) VALUES ($1, $2)", app, o); err != nil {
			return err
		}
	}
	return nil
}

// SuspendApp refuses every token of an app, its back end's too, and ends every
// session, before it returns. Nothing is deleted; ResumeApp takes it back.
func (a *Auth) SuspendApp(ctx context.Context, app im.AppID) error {
	return a.setSuspended(ctx, app, a.now(), FenceApp)
}

// ResumeApp ends a suspension: clients may sign in again.
func (a *Auth) ResumeApp(ctx context.Context, app im.AppID) error {
	return a.setSuspended(ctx, app, 0, FenceSettings)
}

func (a *Auth) setSuspended(ctx context.Context, app im.AppID, at im.Micros, kind FenceKind) error {
	var fence Fence
	err := a.writeFence(ctx, func(tx db.Tx) error {
		n, err := tx.Exec("UPDATE app SET suspended = $2 WHERE id = $1", app, at)
		if err != nil {
			return err
		}
		if n == 0 {
			return errNoApp(app)
		}
		fence, err = a.insertFence(tx, Fence{Kind: kind, App: app})
		return err
	})
	if err != nil {
		return err
	}
	return a.awaitFence(ctx, fence.ID)
}

// Rotation says how RotateSecret treats the secrets that exist.
type Rotation struct {
	Alg       Alg    // of the new secret; empty = HS256
	PublicKey string // as in NewApp
	// RetireOld retires every older secret at once and ends the sessions that
	// their tokens opened: for a secret that leaked. Otherwise the newest of
	// them stays active until the next rotation, so that a back end has all
	// the time it needs to take the new one, and only those before it retire.
	RetireOld bool
}

// RotateSecret makes a new secret for an app. At most two are active
// afterwards. Errors: NotFound.
func (a *Auth) RotateSecret(ctx context.Context, app im.AppID, r Rotation) (Secret, error) {
	s, err := a.newSecret(app, r.Alg, r.PublicKey)
	if err != nil {
		return Secret{}, err
	}
	var last int64
	err = a.writeFence(ctx, func(tx db.Tx) error {
		old, err := loadApp(tx, app)
		if im.CodeOf(err) == im.NotFound {
			return errNoApp(app)
		} else if err != nil {
			return err
		}
		retire := old.KIDs
		if !r.RetireOld && len(retire) > 0 {
			retire = retire[1:]
		}
		for _, kid := range retire {
			if _, err := tx.Exec("UPDATE app_secret SET retired = $2 WHERE kid = $1", kid, a.now()); err != nil {
				return err
			}
			f, err := a.insertFence(tx, Fence{Kind: FenceSecret, App: app, KID: kid})
			if err != nil {
				return err
			}
			last = f.ID
		}
		// created orders the secrets, so no two may be equal.
		now := a.now()
		var newest im.Micros
		if err := tx.QueryRow("SELECT COALESCE(MAX(created), 0) FROM app_secret WHERE app = $1", app).Scan(&newest); err != nil {
			return err
		}
		return s.insert(tx, max(now, newest+1))
	})
	if err != nil {
		return Secret{}, err
	}
	if last == 0 {
		return s.Secret, nil
	}
	return s.Secret, a.awaitFence(ctx, last)
}

// errNoApp is for the operator's commands; callers from outside never see it.
func errNoApp(app im.AppID) error {
	return &im.Error{Code: im.NotFound, Message: fmt.Sprintf("there is no app %q", app),
		Hint: "list the apps with: skein app list; make one with: skein app create " + string(app)}
}

// loadApp reads an app's settings; NotFound when there is none.
func loadApp(tx db.Tx, id im.AppID) (App, error) {
	app := App{ID: id}
	var policy, suspended int64
	var settings, quotas []byte
	found, err := one(tx.QueryRow("SELECT name, login_policy, created, suspended, settings, quotas FROM app WHERE id = $1", id),
		&app.Name, &policy, &app.Created, &suspended, &settings, &quotas)
	if err != nil {
		return App{}, err
	}
	if !found {
		return App{}, im.ErrNotFound
	}
	app.LoginPolicy, app.Suspended = LoginPolicy(policy), suspended > 0
	if app.Own, err = parseSettings(id, settings); err != nil {
		return App{}, err
	}
	if app.OwnQuotas, err = parseQuotas(id, quotas); err != nil {
		return App{}, err
	}
	err = db.Each(tx, func(r db.Rows) error {
		var o string
		err := r.Scan(&o)
		app.AllowedOrigins = append(app.AllowedOrigins, o)
		return err
	}, "SELECT origin FROM app_origin WHERE app = $1 ORDER BY origin", id)
	if err != nil {
		return App{}, err
	}
	err = db.Each(tx, func(r db.Rows) error {
		var kid string
		err := r.Scan(&kid)
		app.KIDs = append(app.KIDs, kid)
		return err
	}, "SELECT kid FROM app_secret WHERE app = $1 AND retired = 0 ORDER BY created DESC", id)
	return app, err
}

// sealedSecret is a new secret and the row that keeps it.
type sealedSecret struct {
	Secret
	keyID  string
	sealed []byte
}

func (s sealedSecret) insert(tx db.Tx, now im.Micros) error {
	_, err := tx.Exec("INSERT INTO app_secret (kid, app, alg, key_id, sealed, created, retired) VALUES ($1, $2, $3, $4, $5, $6, 0)",
		s.KID, s.App, string(s.Alg), s.keyID, s.sealed, now)
	return err
}

// newSecret makes and seals a secret; what is sealed is, for HS256, the text
// itself, for EdDSA the 32-byte seed, or the public key with a mark before it.
func (a *Auth) newSecret(app im.AppID, alg Alg, publicKey string) (sealedSecret, error) {
	id, err := im.RandomID(a.entropy)
	if err != nil {
		return sealedSecret{}, err
	}
	s := sealedSecret{Secret: Secret{App: app, KID: "k-" + id[:16], Alg: alg}, keyID: a.key.ID}
	if alg == "" {
		s.Alg = HS256
		if publicKey != "" {
			s.Alg = EdDSA
		}
	}
	var plain []byte
	random := make([]byte, 32)
	if _, err := io.ReadFull(a.entropy, random); err != nil {
		return sealedSecret{}, err
	}
	switch {
	case s.Alg == EdDSA && publicKey != "":
		pub, err := parsePublicKey(publicKey)
		if err != nil {
			return sealedSecret{}, err
		}
		plain = append([]byte(publicMark), pub...)
	case s.Alg == EdDSA:
		plain = random
		der, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(random))
		if err != nil {
			return sealedSecret{}, err
		}
		s.Text = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	case s.Alg == HS256 && publicKey == "":
		s.Text = base64.RawURLEncoding.EncodeToString(random)
		plain = []byte(s.Text)
	default:
		return sealedSecret{}, im.Errorf(im.InvalidArgument, "the algorithm of a secret is HS256 or EdDSA, and a public key is for EdDSA")
	}
	s.sealed, err = a.key.Seal(plain, s.about(), a.entropy)
	return s, err
}

// publicMark begins what is sealed when only a public key is known.
const publicMark = "public:"

// about ties a sealed secret to its row.
func (s Secret) about() string {
	return "skein app secret\x00" + s.KID + "\x00" + string(s.App) + "\x00" + string(s.Alg)
}

func parsePublicKey(text string) (ed25519.PublicKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errPublicKey()
	}
	k, err := x509.ParsePKIXPublicKey(block.Bytes)
	pub, ok := k.(ed25519.PublicKey)
	if err != nil || !ok {
		return nil, errPublicKey()
	}
	return pub, nil
}

func errPublicKey() error {
	return &im.Error{Code: im.InvalidArgument, Message: "the public key is not an Ed25519 key in PEM",
		Hint: "make a pair with: openssl genpkey -algorithm ed25519 -out key.pem && openssl pkey -in key.pem -pubout"}
}

// unseal opens a secret's row.
func (a *Auth) unseal(s Secret, keyID string, sealed []byte) (verifyKey, signKey, error) {
	if keyID != a.key.ID {
		return verifyKey{}, signKey{}, fmt.Errorf("the secret %s was sealed with the secret key %s and this server has %s: bring the file secret.key (or SKEIN_SECRET_KEY) that belongs to this database back", s.KID, keyID, a.key.ID)
	}
	plain, err := a.key.Open(sealed, s.about())
	if err != nil {
		return verifyKey{}, signKey{}, fmt.Errorf("the sealed secret %s does not open: its row was changed: %w", s.KID, err)
	}
	v := verifyKey{kid: s.KID, app: s.App, alg: s.Alg}
	k := signKey{kid: s.KID, app: s.App, alg: s.Alg}
	switch {
	case s.Alg == HS256:
		v.key, k.key = plain, plain
	case len(plain) == ed25519.SeedSize:
		private := ed25519.NewKeyFromSeed(plain)
		v.key, k.key = private.Public(), private
	case len(plain) == len(publicMark)+ed25519.PublicKeySize:
		v.key = ed25519.PublicKey(plain[len(publicMark):])
	default:
		return verifyKey{}, signKey{}, errors.New("a sealed secret has an unknown form")
	}
	return v, k, nil
}

// Grant says what MintToken signs.
type Grant struct {
	App im.AppID
	// User is the token's user; empty with Server.
	User im.UserID
	// Server asks for a token of the app's own back end.
	Server bool
	// Device binds the token to one device; empty = any.
	Device im.DeviceID
	// TTL is how long it lives, up to MaxTokenLife; 0 = one hour. Whole seconds count.
	TTL time.Duration
	// DevMode marks it, so that only servers in dev mode accept it.
	DevMode bool
}

// MintToken signs a token with the app's newest secret that this server can
// sign with, and returns it with its expiry: for `skein token` and for dev
// mode. Errors: NotFound, InvalidArgument, FailedPrecondition when the back end
// keeps all keys to itself.
func (a *Auth) MintToken(ctx context.Context, g Grant) (string, time.Time, error) {
	if g.TTL == 0 {
		g.TTL = time.Hour
	}
	switch {
	case g.TTL < time.Second || g.TTL > MaxTokenLife:
		return "", time.Time{}, im.Errorf(im.InvalidArgument, "a token lives for 1 second to 24 hours")
	case g.Server && (g.User != "" || g.Device != ""):
		return "", time.Time{}, im.Errorf(im.InvalidArgument, "a server token has no user and no device")
	case !g.Server && !im.ValidName(string(g.User)):
		return "", time.Time{}, im.Errorf(im.InvalidArgument, "a user id is 1 to 64 bytes of UTF-8 without control characters")
	case g.Device != "" && !im.ValidName(string(g.Device)):
		return "", time.Time{}, im.Errorf(im.InvalidArgument, "a device id is 1 to 64 bytes of UTF-8 without control characters")
	}
	key, err := a.signingKey(ctx, g.App)
	if err != nil {
		return "", time.Time{}, err
	}
	now := a.now()
	// exp is in whole seconds, and exp - iat may not pass a day.
	exp := im.Micros((int64(now) + g.TTL.Microseconds()) / 1e6 * 1e6)
	if exp <= now {
		exp += 1e6
	}
	t, err := signToken(grant{app: g.App, user: g.User, server: g.Server, device: g.Device, dev: g.DevMode, issued: now, expires: exp}, key)
	return t, exp.Time(), err
}

// signingKey returns the newest active secret that can sign.
func (a *Auth) signingKey(ctx context.Context, app im.AppID) (signKey, error) {
	type sealedRow struct {
		Secret
		keyID  string
		sealed []byte
	}
	var list []sealedRow
	err := a.db.Read(ctx, func(tx db.Tx) error {
		list = nil
		if _, err := loadApp(tx, app); err != nil {
			if im.CodeOf(err) == im.NotFound {
				return errNoApp(app)
			}
			return err
		}
		return db.Each(tx, func(r db.Rows) error {
			s := sealedRow{Secret: Secret{App: app}}
			var alg string
			err := r.Scan(&s.KID, &alg, &s.keyID, &s.sealed)
			s.Alg = Alg(alg)
			list = append(list, s)
			return err
		}, "SELECT kid, alg, key_id, sealed FROM app_secret WHERE app = $1 AND retired = 0 ORDER BY created DESC", app)
	})
	if err != nil {
		return signKey{}, err
	}
	for _, s := range list {
		_, k, err := a.unseal(s.Secret, s.keyID, s.sealed)
		if err != nil {
			return signKey{}, err
		}
		if k.key != nil {
			return k, nil
		}
	}
	return signKey{}, &im.Error{Code: im.FailedPrecondition, Message: fmt.Sprintf("this server has no key to sign for the app %q with", app),
		Hint: "its back end keeps the private key: let it sign the token"}
}
