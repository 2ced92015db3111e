package auth

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// backEnd signs as a customer's back end does: with a library, from what
// `skein app create` printed.
func (w *world) backEnd(s Secret, method jwt.SigningMethod, key any) string {
	w.t.Helper()
	now := w.clock.Now()
	token := jwt.NewWithClaims(method, jwt.RegisteredClaims{Issuer: string(s.App), Subject: "ann", Audience: jwt.ClaimStrings{"skein"},
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(time.Hour))})
	token.Header["kid"] = s.KID
	return must(token.SignedString(key))(w.t)
}

func (w *world) call(a *Auth, app im.AppID, token string) im.Code {
	_, err := a.AuthenticateCall(w.ctx, app, token, "")
	return im.CodeOf(err)
}

func TestABackEndSignsWithWhatCreateGaveIt(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		if code := w.call(a, "shop", w.backEnd(w.secret, jwt.SigningMethodHS256, []byte(w.secret.Text))); code != 0 {
			t.Errorf("HS256: %v", code)
		}
		ed := must(a.CreateApp(w.ctx, NewApp{ID: "ed", Alg: EdDSA}))(t)
		block, _ := pem.Decode([]byte(ed.Text))
		private := must(x509.ParsePKCS8PrivateKey(block.Bytes))(t)
		if code := w.call(a, "ed", w.backEnd(ed, jwt.SigningMethodEdDSA, private)); code != 0 {
			t.Errorf("EdDSA: %v", code)
		}
		minted := w.mint(Grant{App: "ed", User: "ann"})
		if code := w.call(a, "ed", minted); code != 0 {
			t.Errorf("EdDSA, signed here: %v", code)
		}
	})
}

func TestABackEndMayKeepItsPrivateKeyToItself(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		private := ed25519.NewKeyFromSeed(make([]byte, 32))
		der := must(x509.MarshalPKIXPublicKey(private.Public()))(t)
		public := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
		s := must(a.CreateApp(w.ctx, NewApp{ID: "proud", PublicKey: public}))(t)
		if s.Text != "" || s.Alg != EdDSA {
			t.Errorf("got %+v", s)
		}
		if code := w.call(a, "proud", w.backEnd(s, jwt.SigningMethodEdDSA, private)); code != 0 {
			t.Error(code)
		}
		_, _, err := a.MintToken(w.ctx, Grant{App: "proud", User: "ann"})
		wantCode(t, "signing without a key", err, im.FailedPrecondition)
		for _, bad := range []string{"x", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte("x")}))} {
			_, err := a.CreateApp(w.ctx, NewApp{ID: "bad", PublicKey: bad})
			wantCode(t, "a bad public key", err, im.InvalidArgument)
		}
		_, err = a.CreateApp(w.ctx, NewApp{ID: "bad", Alg: HS256, PublicKey: public})
		wantCode(t, "a public key for HS256", err, im.InvalidArgument)
		_, err = a.CreateApp(w.ctx, NewApp{ID: "bad", Alg: "none"})
		wantCode(t, "no algorithm", err, im.InvalidArgument)
	})
}

func TestTwoSecretsAreActiveAndTheThirdRetiresTheOldest(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		sign := func(s Secret) string { return w.backEnd(s, jwt.SigningMethodHS256, []byte(s.Text)) }
		first := w.secret
		second := must(a.RotateSecret(w.ctx, "shop", Rotation{}))(t)
		for _, s := range []Secret{first, second} {
			if code := w.call(a, "shop", sign(s)); code != 0 {
				t.Errorf("after one rotation: %v", code)
			}
		}
		old := sign(first)
		if code := w.call(a, "shop", old); code != 0 {
			t.Fatal(code)
		}
		session := must(w.signIn(a, sign(first), "phone", 0))(t)
		third := must(a.RotateSecret(w.ctx, "shop", Rotation{Alg: EdDSA}))(t)
		if f := w.nextFence(FenceSecret); !f.Ends(session) || f.KID != first.KID {
			t.Errorf("%+v does not end the retired secret's session", f)
		}
		if code := w.call(a, "shop", old); code != im.Unauthenticated {
			t.Errorf("a token of the retired secret, seen before: %v", code)
		}
		if code := w.call(a, "shop", sign(first)); code != im.Unauthenticated {
			t.Errorf("a new token of the retired secret: %v", code)
		}
		if code := w.call(a, "shop", sign(second)); code != 0 {
			t.Errorf("the second secret: %v", code)
		}
		if kids := must(a.GetApp(w.ctx, server()))(t).KIDs; !slices.Equal(kids, []string{third.KID, second.KID}) {
			t.Errorf("active are %q", kids)
		}
	})
}

func TestALeakedSecretIsRetiredAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		token := w.backEnd(w.secret, jwt.SigningMethodHS256, []byte(w.secret.Text))
		s := must(w.signIn(a, token, "phone", 0))(t)
		must(a.RotateSecret(w.ctx, "shop", Rotation{RetireOld: true}))(t)
		if f := w.nextFence(FenceSecret); !f.Ends(s) {
			t.Errorf("%+v lets the session live", f)
		}
		wantCode(t, "its session", a.Confirm(s), im.SignedOut)
		if code := w.call(a, "shop", token); code != im.Unauthenticated {
			t.Errorf("its token: %v", code)
		}
		if code := w.call(a, "shop", w.token("ann")); code != 0 {
			t.Errorf("a token of the new secret: %v", code)
		}
		_, err := a.RotateSecret(w.ctx, "nowhere", Rotation{})
		wantCode(t, "an app that does not exist", err, im.NotFound)
	})
}

// The node's memory holds the secret while another process retires it: what
// signs in before the node has heard of it does not outlive the fence.
func TestASecretFromMemoryIsAskedForAgainAtSignIn(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		node := w.byHand(w.open(func(o *Options) { o.Lease = time.Minute }))
		must(w.signIn(node.a, w.token("ann"), "phone", 0))(t)
		token := w.token("ann")
		w.unconfirmed(func(ctx context.Context) error {
			_, err := w.auth.RotateSecret(ctx, "shop", Rotation{RetireOld: true})
			return err
		})
		_, err := w.signIn(node.a, token, "phone", 0)
		wantCode(t, "a token of the secret that was retired", err, im.Unauthenticated)
	})
}

func TestASuspendedAppIsClosedForEverybody(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		token, back := w.token("ann"), w.mint(Grant{App: "shop", Server: true})
		s := w.mustSignIn(a, token, "phone", 0)
		must(a.AuthenticateCall(w.ctx, "shop", back, ""))(t)
		if err := a.SuspendApp(w.ctx, "shop"); err != nil {
			t.Fatal(err)
		}
		if f := w.nextFence(FenceApp); !f.Ends(s) {
			t.Errorf("%+v lets the session live", f)
		}
		for what, token := range map[string]string{"a user": token, "the back end": back} {
			if code := w.call(a, "shop", token); code != im.PermissionDenied {
				t.Errorf("%s: %v", what, code)
			}
		}
		if !must(a.ListApps(w.ctx))(t)[0].Suspended {
			t.Error("the list does not say so")
		}
		if err := a.ResumeApp(w.ctx, "shop"); err != nil {
			t.Fatal(err)
		}
		w.mustSignIn(a, token, "phone", 0)
		wantCode(t, "an app that does not exist", a.SuspendApp(w.ctx, "nowhere"), im.NotFound)
	})
}

func TestAppsAreMadeOnceWithGoodNames(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.auth
		_, err := a.CreateApp(w.ctx, NewApp{ID: "shop"})
		wantCode(t, "an app that exists", err, im.AlreadyExists)
		for _, n := range []NewApp{{ID: "_x"}, {ID: "a b"}, {ID: im.AppID(strings.Repeat("x", 65))}, {ID: "x", Name: "\x00"}} {
			_, err := a.CreateApp(w.ctx, n)
			wantCode(t, "a bad name", err, im.InvalidArgument)
		}
		random := must(a.CreateApp(w.ctx, NewApp{Name: "Any name"}))(t)
		for range 2 {
			if err := a.EnsureDemoApp(w.ctx); err != nil {
				t.Fatal(err)
			}
		}
		var ids []im.AppID
		for _, app := range must(a.ListApps(w.ctx))(t) {
			ids = append(ids, app.ID)
			if len(app.KIDs) != 1 || app.Created == 0 || app.LoginPolicy != PolicyNone {
				t.Errorf("got %+v", app)
			}
		}
		if want := []im.AppID{random.App, "demo", "shop"}; !slices.Equal(ids, want) {
			t.Errorf("got %q, want %q", ids, want)
		}
	})
}

func TestSettingsAreTheBackEndsAlone(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		ann := im.Actor{App: "shop", User: "ann"}
		_, err := a.GetApp(w.ctx, ann)
		wantCode(t, "read by a user", err, im.NotFound)
		_, err = a.UpdateApp(w.ctx, ann, AppUpdate{LoginPolicy: PolicyOneDevice})
		wantCode(t, "changed by a user", err, im.NotFound)
		_, err = a.UpdateApp(w.ctx, im.Actor{App: "nowhere", Server: true}, AppUpdate{})
		wantCode(t, "of an app that does not exist", err, im.NotFound)
		_, err = a.UpdateApp(w.ctx, server(), AppUpdate{LoginPolicy: 4})
		wantCode(t, "a policy that does not exist", err, im.InvalidArgument)
		for _, bad := range [][]string{{"https://*.example.com"}, {"https://ok.example", "null"}} {
			_, err = a.UpdateApp(w.ctx, server(), AppUpdate{AllowedOrigins: &bad})
			wantCode(t, "bad origins", err, im.InvalidArgument)
		}
		app := must(a.UpdateApp(w.ctx, server(), AppUpdate{AllowedOrigins: &[]string{"https://b.example:443", "http://a.example:8080", "https://b.example"}}))(t)
		if want := []string{"http://a.example:8080", "https://b.example"}; !slices.Equal(app.AllowedOrigins, want) || app.LoginPolicy != PolicyNone {
			t.Errorf("got %+v", app)
		}
		app = must(a.UpdateApp(w.ctx, server(), AppUpdate{LoginPolicy: PolicyOneDevice}))(t)
		if len(app.AllowedOrigins) != 2 || app.LoginPolicy != PolicyOneDevice {
			t.Errorf("what was not named changed: %+v", app)
		}
	})
}

func TestOriginsAreComparedWhole(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.run(w.open(func(o *Options) { o.AllowedOrigins = []string{"https://everywhere.example"} }))
		must(a.CreateApp(w.ctx, NewApp{ID: "other"}))(t)
		must(a.UpdateApp(w.ctx, server(), AppUpdate{AllowedOrigins: &[]string{"https://shop.example", "http://localhost:3000"}}))(t)
		for _, c := range []struct {
			app    im.AppID
			origin string
			want   bool
		}{
			{"shop", "https://shop.example", true},
			{"shop", "http://localhost:3000", true},
			{"shop", "https://everywhere.example", true},
			{"other", "https://everywhere.example", true},
			{"other", "https://shop.example", false},
			{"shop", "http://shop.example", false},
			{"shop", "https://shop.example:8443", false},
			{"shop", "http://localhost", false},
			{"shop", "https://evil-shop.example", false},
			{"shop", "https://shop.example.evil.example", false},
			{"shop", "https://shop.example/", false},
			{"shop", "HTTPS://SHOP.EXAMPLE", false},
			{"shop", "null", false},
			{"shop", "", false},
		} {
			for range 2 { // the second from memory
				if got := must(a.AllowsOrigin(w.ctx, c.app, c.origin))(t); got != c.want {
					t.Errorf("%s for %s: %v, want %v", c.origin, c.app, got, c.want)
				}
			}
		}
		if !must(a.KnowsOrigin(w.ctx, "https://shop.example"))(t) || must(a.KnowsOrigin(w.ctx, "https://evil.example"))(t) {
			t.Error("a preflight is answered wrongly")
		}
		must(a.UpdateApp(w.ctx, server(), AppUpdate{AllowedOrigins: &[]string{}}))(t)
		if must(a.AllowsOrigin(w.ctx, "shop", "https://shop.example"))(t) || must(a.KnowsOrigin(w.ctx, "https://shop.example"))(t) {
			t.Error("an origin that was taken away is still allowed, from memory")
		}
	})
}

func TestParseOrigin(t *testing.T) {
	for in, want := range map[string]string{
		"https://Shop.Example":        "https://shop.example",
		"https://shop.example:443":    "https://shop.example",
		"http://shop.example:80":      "http://shop.example",
		"http://shop.example:443":     "http://shop.example:443",
		"http://[::1]:8080":           "http://[::1]:8080",
		"http://127.0.0.1:8080":       "http://127.0.0.1:8080",
		"https://xn--mnchen-3ya.test": "https://xn--mnchen-3ya.test",
		"":                            "", "null": "", "shop.example": "", "//shop.example": "", "ftp://shop.example": "",
		"https://shop.example/": "", "https://shop.example/x": "", "https://shop.example?": "", "https://shop.example#": "",
		"https://user@shop.example": "", "https://*.example": "", "https://": "", "https://:443": "", "https://shop.example:": "",
		"https://shop.example:0": "", "https://shop.example:65536": "", "https://shop.example:080": "", "https://münchen.test": "",
		"https://a..b": "", "https://.a": "", "https://shop.example\x00": "", "https://shop.example ": "",
		"http://[::1%25eth0]": "", "http://[0:0::1]": "", "https:shop.example": "", "javascript://shop.example": "",
	} {
		if got, err := ParseOrigin(in); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v; want %q", in, got, err, want)
		}
	}
	for _, c := range []struct {
		origin, scheme, host string
		want                 bool
	}{
		{"https://shop.example", "https", "shop.example", true},
		{"https://shop.example", "https", "Shop.Example:443", true},
		{"http://127.0.0.1:8080", "http", "127.0.0.1:8080", true},
		{"http://shop.example", "https", "shop.example", false},
		{"https://shop.example:8443", "https", "shop.example", false},
		{"null", "https", "null", false},
		{"https://evil.example", "https", "shop.example", false},
	} {
		if got := SameOrigin(c.origin, c.scheme, c.host); got != c.want {
			t.Errorf("%s on %s://%s: %v, want %v", c.origin, c.scheme, c.host, got, c.want)
		}
	}
}

func FuzzOrigin(f *testing.F) {
	f.Add("https://shop.example:8443")
	f.Add("http://[::1]")
	f.Add("null")
	f.Fuzz(func(t *testing.T, s string) {
		o, err := ParseOrigin(s)
		if err != nil {
			wantCode(t, "a bad origin", err, im.InvalidArgument)
			return
		}
		if again, err := ParseOrigin(o); err != nil || again != o {
			t.Fatalf("%q became %q, which becomes %q, %v", s, o, again, err)
		}
	})
}

func TestMintTokenRefusesWhatTheServerWouldRefuse(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		for _, c := range []struct {
			what string
			g    Grant
			want im.Code
		}{
			{"no app", Grant{App: "nowhere", User: "ann"}, im.NotFound},
			{"no user", Grant{App: "shop"}, im.InvalidArgument},
			{"a bad device", Grant{App: "shop", User: "ann", Device: "\x00"}, im.InvalidArgument},
			{"a server token with a user", Grant{App: "shop", User: "ann", Server: true}, im.InvalidArgument},
			{"too long a life", Grant{App: "shop", User: "ann", TTL: 24*time.Hour + 1}, im.InvalidArgument},
			{"no life", Grant{App: "shop", User: "ann", TTL: time.Millisecond}, im.InvalidArgument},
		} {
			_, _, err := w.auth.MintToken(w.ctx, c.g)
			wantCode(t, c.what, err, c.want)
		}
		a := w.running()
		for _, ttl := range []time.Duration{time.Second, 1500 * time.Millisecond, MaxTokenLife} {
			w.mustSignIn(a, w.mint(Grant{App: "shop", User: "ann", TTL: ttl}), "phone", 0)
		}
	})
}

// What lies in the database opens with the right key, in its own row, and not
// otherwise.
func TestSecretsAreSealedUnderTheMasterKey(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		must(w.auth.CreateApp(w.ctx, NewApp{ID: "other"}))(t)
		wrong := w.open(func(o *Options) { o.Key = newMasterKey(make([]byte, 32)) })
		_, _, err := wrong.MintToken(w.ctx, Grant{App: "shop", User: "ann"})
		if im.CodeOf(err) != im.Internal || !strings.Contains(err.Error(), "secret.key") {
			t.Errorf("with another master key: %v", err)
		}
		var sealed []byte
		var text string
		err = w.db.Read(w.ctx, func(tx db.Tx) error {
			return tx.QueryRow("SELECT sealed, app FROM app_secret WHERE app = 'shop'").Scan(&sealed, &text)
		})
		if err != nil || strings.Contains(string(sealed), w.secret.Text) {
			t.Fatalf("%v: the secret lies open in the database", err)
		}
		err = w.db.Write(w.ctx, func(tx db.Tx) error {
			_, err := tx.Exec("UPDATE app_secret SET sealed = $1 WHERE app = 'other'", sealed)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.auth.MintToken(w.ctx, Grant{App: "other", User: "ann"}); err == nil {
			t.Error("a sealed secret works in another app's row")
		}
	})
}
