package auth

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/skein-im/skein/internal/im"
)

// tokenNow is the time in these tests; tokenIAT the issue time of their tokens.
var tokenNow = time.Unix(1_800_000_000, 0)

const tokenIAT = 1_799_999_990

// The secrets of two apps; both apps have kids of either algorithm.
const (
	shopSecret = "a-secret-of-the-shop-that-is-43-bytes-long."
	evilSecret = "another-app's-secret-which-is-43-bytes-long"
)

func shopPrivate() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte("0123456789abcdef0123456789abcdef"))
}

// findTest knows k-shop, k-shop-ed and k-evil.
func findTest(kid string) (verifyKey, bool, error) {
	switch kid {
	case "k-shop":
		return verifyKey{kid: kid, app: "shop", alg: HS256, key: []byte(shopSecret)}, true, nil
	case "k-shop-ed":
		return verifyKey{kid: kid, app: "shop", alg: EdDSA, key: shopPrivate().Public()}, true, nil
	case "k-evil":
		return verifyKey{kid: kid, app: "evil", alg: HS256, key: []byte(evilSecret)}, true, nil
	}
	return verifyKey{}, false, nil
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// hs256 writes a token by hand: no library refuses to write what is wrong.
func hs256(secret, header, payload string) string {
	text := b64(header) + "." + b64(payload)
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

func eddsa(header, payload string) string {
	text := b64(header) + "." + b64(payload)
	return text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(shopPrivate(), []byte(text)))
}

const (
	goodHeader  = `{"alg":"HS256","kid":"k-shop","typ":"JWT"}`
	goodPayload = `{"iss":"shop","sub":"ann","aud":"skein","iat":1799999990,"exp":1800003600}`
)

// with replaces a part of the good payload.
func with(old, new string) string {
	s := strings.Replace(goodPayload, old, new, 1)
	if s == goodPayload {
		panic("not in the payload: " + old)
	}
	return hs256(shopSecret, goodHeader, s)
}

func TestGoodTokensAreAccepted(t *testing.T) {
	exp := im.Micros(1_800_003_600e6)
	want := grant{app: "shop", kid: "k-shop", user: "ann", issued: tokenIAT * 1e6, expires: exp}
	server, bound, dev, ed, frac := want, want, want, want, want
	server.server, server.user = true, ""
	bound.device = "phone 1"
	dev.dev = true
	ed.kid = "k-shop-ed"
	frac.issued = tokenIAT*1e6 + 250_000
	for _, c := range []struct {
		name, token string
		want        grant
	}{
		{"a user's", hs256(shopSecret, goodHeader, goodPayload), want},
		{"with an audience list", with(`"skein"`, `["mail","skein"]`), want},
		{"with the scope spelt out", with(`{`, `{"scope":"user",`), want},
		{"with claims that nobody knows", with(`{`, `{"jti":"7","nested":{"a":[1,{"b":2}]},`), want},
		{"without typ", hs256(shopSecret, `{"kid":"k-shop","alg":"HS256"}`, goodPayload), want},
		{"with nbf in the past", with(`{`, `{"nbf":1799999990,`), want},
		{"with a fraction in iat", with("1799999990", "1799999990.25"), frac},
		{"bound to a device", with(`{`, `{"dev":"phone 1",`), bound},
		{"of a back end", with(`"sub":"ann"`, `"scope":"server"`), server},
		{"of dev mode in dev mode", with(`{`, `{"dev_mode":true,`), dev},
		{"signed with Ed25519", eddsa(`{"alg":"EdDSA","kid":"k-shop-ed"}`, goodPayload), ed},
	} {
		got, err := verifyToken(c.token, "shop", tokenNow, true, findTest)
		if err != nil || got != c.want {
			t.Errorf("a token %s: got %+v, %v; want %+v", c.name, got, err, c.want)
		}
	}
}

// What a back end writes with a common library is accepted as it comes.
func TestATokenFromALibraryIsAccepted(t *testing.T) {
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{Issuer: "shop", Subject: "ann", Audience: jwt.ClaimStrings{"skein"},
		IssuedAt: jwt.NewNumericDate(tokenNow), ExpiresAt: jwt.NewNumericDate(tokenNow.Add(time.Hour))})
	token.Header["kid"] = "k-shop"
	raw, err := token.SignedString([]byte(shopSecret))
	if err != nil {
		t.Fatal(err)
	}
	if g, err := verifyToken(raw, "shop", tokenNow, false, findTest); err != nil || g.user != "ann" {
		t.Fatalf("got %+v, %v", g, err)
	}
}

// badToken is a token that is refused with code; says is part of the message.
type badToken struct {
	name  string
	token string
	code  im.Code
	says  string
}

// forged are the tokens whose signer did not prove to hold the secret. They
// all get the same answer.
func forged() []badToken {
	good := hs256(shopSecret, goodHeader, goodPayload)
	parts := strings.Split(good, ".")
	h := func(header string) string { return hs256(shopSecret, header, goodPayload) }
	public, _ := shopPrivate().Public().(ed25519.PublicKey)
	longMAC := func() string {
		text := b64(strings.Replace(goodHeader, "HS256", "HS512", 1)) + "." + b64(goodPayload)
		m := hmac.New(sha512.New, []byte(shopSecret))
		m.Write([]byte(text))
		return text + "." + base64.RawURLEncoding.EncodeToString(m.Sum(nil))
	}
	list := []badToken{
		{name: "alg none without a signature", token: b64(`{"alg":"none","kid":"k-shop"}`) + "." + parts[1] + "."},
		{name: "alg none with the good signature", token: b64(`{"alg":"none","kid":"k-shop"}`) + "." + parts[1] + "." + parts[2]},
		{name: "alg NoNe", token: h(`{"alg":"NoNe","kid":"k-shop"}`)},
		{name: "alg empty", token: h(`{"alg":"","kid":"k-shop"}`)},
		{name: "alg missing", token: h(`{"kid":"k-shop"}`)},
		{name: "alg a number", token: h(`{"alg":1,"kid":"k-shop"}`)},
		{name: "alg HS512", token: longMAC()},
		{name: "alg in lower case", token: h(`{"alg":"hs256","kid":"k-shop"}`)},
		{name: "HS256 with the public key as its secret", token: hs256(string(public), `{"alg":"HS256","kid":"k-shop-ed"}`, goodPayload)},
		{name: "EdDSA under the kid of an HS256 secret", token: eddsa(`{"alg":"EdDSA","kid":"k-shop"}`, goodPayload)},
		{name: "no kid", token: h(`{"alg":"HS256"}`)},
		{name: "kid unknown", token: h(`{"alg":"HS256","kid":"k-nobody"}`)},
		{name: "kid unknown, EdDSA", token: eddsa(`{"alg":"EdDSA","kid":"k-nobody"}`, goodPayload)},
		{name: "kid a path", token: h(`{"alg":"HS256","kid":"../../secret.key"}`)},
		{name: "kid SQL", token: h(`{"alg":"HS256","kid":"k' OR '1'='1"}`)},
		{name: "kid a URL", token: h(`{"alg":"HS256","kid":"https://evil.example/jwks"}`)},
		{name: "kid a list", token: h(`{"alg":"HS256","kid":["k-shop"]}`)},
		{name: "kid null", token: h(`{"alg":"HS256","kid":null}`)},
		{name: "kid too long", token: h(`{"alg":"HS256","kid":"` + strings.Repeat("k", 65) + `"}`)},
		{name: "kid in another case", token: h(`{"alg":"HS256","kid":"K-SHOP"}`)},
		{name: "kid of another app", token: hs256(evilSecret, `{"alg":"HS256","kid":"k-evil"}`, goodPayload)},
		{name: "kid of another app, its own iss", token: hs256(evilSecret, `{"alg":"HS256","kid":"k-evil"}`, strings.Replace(goodPayload, "shop", "evil", 1))},
		{name: "the key in the header", token: hs256("x", `{"alg":"HS256","kid":"k-shop","jwk":{"kty":"oct","k":"eA"}}`, goodPayload)},
		{name: "signed with another secret", token: hs256(evilSecret, goodHeader, goodPayload)},
		{name: "signed with an empty secret", token: hs256("", goodHeader, goodPayload)},
		{name: "a signature over another body", token: parts[0] + "." + b64(strings.Replace(goodPayload, "ann", "bob", 1)) + "." + parts[2]},
		{name: "no signature", token: parts[0] + "." + parts[1] + "."},
		{name: "a cut signature", token: good[:len(good)-4]},
	}
	for i := range list {
		list[i].code, list[i].says = im.Unauthenticated, "the token is not accepted"
	}
	return list
}

// malformed are no tokens at all.
func malformed() []badToken {
	good := hs256(shopSecret, goodHeader, goodPayload)
	h := func(header string) string { return hs256(shopSecret, header, goodPayload) }
	const not = "not a signed JWT in compact form"
	return []badToken{
		{"empty", "", im.Unauthenticated, not},
		{"a word", "token", im.Unauthenticated, not},
		{"two parts", "a.b", im.Unauthenticated, not},
		{"four parts", good + ".x", im.Unauthenticated, not},
		{"dots within the limit", strings.Repeat(".", MaxTokenBytes), im.Unauthenticated, not},
		{"1 MB of dots", strings.Repeat(".", 1<<20), im.Unauthenticated, "longer than 2048 bytes"},
		{"a byte too long", hs256(shopSecret, goodHeader, `{"pad":"`+strings.Repeat("x", 2000)+`"}`), im.Unauthenticated, "longer than 2048 bytes"},
		{"padding", good + "=", im.Unauthenticated, not},
		{"a line break", good[:10] + "\n" + good[10:], im.Unauthenticated, not},
		{"a NUL", good[:10] + "\x00" + good[10:], im.Unauthenticated, not},
		{"standard base64", strings.Replace(good, ".", ".+/", 1), im.Unauthenticated, not},
		{"a header that is no JSON", h(`alg=HS256`), im.Unauthenticated, not},
		{"a header with two algs", h(`{"alg":"HS256","alg":"none","kid":"k-shop"}`), im.Unauthenticated, not},
		{"a header with two kids", h(`{"alg":"HS256","kid":"k-evil","kid":"k-shop"}`), im.Unauthenticated, not},
		{"a header that is a list", h(`[]`), im.Unauthenticated, not},
		{"a header with something behind it", h(goodHeader + `{}`), im.Unauthenticated, not},
		{"a header with crit", h(`{"alg":"HS256","kid":"k-shop","crit":["exp"]}`), im.Unauthenticated, not},
		{"an encrypted token", h(`{"alg":"HS256","kid":"k-shop","typ":"JWE"}`), im.Unauthenticated, not},
	}
}

// wrongClaims are tokens that the app signed and that are refused all the same.
func wrongClaims() []badToken {
	const exp, iat, u = `"exp":1800003600`, `"iat":1799999990`, im.Unauthenticated
	own := func(payload string) string { return hs256(shopSecret, goodHeader, payload) }
	return []badToken{
		{"payload no object", own(`"ann"`), u, "one JSON object"},
		{"payload null", own(`null`), u, "one JSON object"},
		{"payload with sub twice", with(`{`, `{"sub":"bob",`), u, "every claim once"},
		{"payload with an escaped sub twice", with(`{`, `{"\u0073ub":"bob",`), u, "every claim once"},
		{"payload with invalid UTF-8", with("ann", "an\xff"), u, "one JSON object"},
		{"iss of another app", with("shop", "evil"), u, "iss has to be"},
		{"iss missing", with(`"iss":"shop",`, ``), u, "iss has to be"},
		{"iss a list", with(`"shop"`, `["shop"]`), u, "iss has to be"},
		{"aud missing", with(`"aud":"skein",`, ``), u, "aud has to be"},
		{"aud of something else", with("skein", "mail"), u, "aud has to be"},
		{"aud a list without us", with(`"skein"`, `["mail"]`), u, "aud has to be"},
		{"aud a list in a list", with(`"skein"`, `[["skein"]]`), u, "aud has to be"},
		{"aud null", with(`"skein"`, `null`), u, "aud has to be"},
		{"aud an empty list", with(`"skein"`, `[]`), u, "aud has to be"},
		{"exp missing", with(","+exp, ``), u, "exp has to be"},
		{"exp a string", with(exp, `"exp":"1800003600"`), u, "exp has to be"},
		{"exp a fraction", with(exp, `"exp":1800003600.5`), u, "exp has to be"},
		{"exp 1e308", with(exp, `"exp":1e308`), u, "exp has to be"},
		{"exp 1e9", with(exp, `"exp":1e9`), u, "exp has to be"},
		{"exp huge", with(exp, `"exp":99999999999999999999`), u, "exp has to be"},
		{"exp of the year 30000", with(exp, `"exp":884541351600`), u, "24 hours at most"},
		{"exp negative", with(exp, `"exp":-1`), u, "exp has to be"},
		{"exp null", with(exp, `"exp":null`), u, "exp has to be"},
		{"exp true", with(exp, `"exp":true`), u, "exp has to be"},
		{"exp before iat", with(exp, `"exp":1799999989`), u, "after iat"},
		{"a life of a day and a second", with(iat, `"iat":1799917199`), u, "24 hours at most"},
		{"iat missing", with(iat+",", ``), u, "iat has to be"},
		{"iat a string", with(iat, `"iat":"1799999990"`), u, "iat has to be"},
		{"iat in the future", with(iat, `"iat":1800000061`), u, "iat lies in the future"},
		{"nbf in the future", with(`{`, `{"nbf":1800000061,`), u, "nbf lies in the future"},
		{"nbf a string", with(`{`, `{"nbf":"1",`), u, "nbf has to be"},
		{"expired a minute ago", with(exp, `"exp":1799999940`), u, "after iat"},
		{"expired", own(`{"iss":"shop","sub":"ann","aud":"skein","iat":1799990000,"exp":1799999940}`), im.TokenExpired, "expired"},
		{"sub missing", with(`"sub":"ann",`, ``), u, "sub has to be"},
		{"sub empty", with("ann", ""), u, "sub has to be"},
		{"sub a number", with(`"ann"`, `7`), u, "sub has to be"},
		{"sub an object", with(`"ann"`, `{"$ne":null}`), u, "sub has to be"},
		{"sub with a NUL", with("ann", `an\u0000`), u, "sub has to be"},
		{"sub with U+202E", with("ann", `an\u202e`), u, "sub has to be"},
		{"sub with half a surrogate", with("ann", `an\ud800`), u, "sub has to be"},
		{"sub too long", with("ann", strings.Repeat("x", 65)), u, "sub has to be"},
		{"scope unknown", with(`{`, `{"scope":"admin",`), u, "scope has to be"},
		{"scope a list", with(`{`, `{"scope":["server"],`), u, "scope has to be"},
		{"scope null", with(`{`, `{"scope":null,`), u, "scope has to be"},
		{"scope server with a sub", with(`{`, `{"scope":"server",`), u, "no sub"},
		{"scope server with a device", with(`"sub":"ann"`, `"scope":"server","dev":"d"`), u, "no sub"},
		{"dev empty", with(`{`, `{"dev":"",`), u, "dev has to be"},
		{"dev a number", with(`{`, `{"dev":1,`), u, "dev has to be"},
		{"dev_mode a string", with(`{`, `{"dev_mode":"true",`), u, "dev_mode has to be"},
		{"dev_mode in production", with(`{`, `{"dev_mode":true,`), u, "dev mode"},
	}
}

func TestBadTokensAreRefusedAndNeverQuoted(t *testing.T) {
	for _, c := range append(append(forged(), malformed()...), wrongClaims()...) {
		g, err := verifyToken(c.token, "shop", tokenNow, false, findTest)
		var e *im.Error
		if !errors.As(err, &e) || e.Code != c.code || !strings.Contains(e.Message, c.says) {
			t.Errorf("%s: got %+v, %v; want %v with %q", c.name, g, err, c.code, c.says)
			continue
		}
		for _, part := range strings.Split(c.token, ".") {
			if len(part) > 8 && strings.Contains(e.Message+e.Hint, part) {
				t.Errorf("%s: the answer quotes the token: %v", c.name, e)
			}
		}
	}
}

// A forger learns nothing about which kids exist, whose they are and what
// their algorithm is.
func TestForgedTokensGetOneAnswer(t *testing.T) {
	for _, c := range forged() {
		if _, err := verifyToken(c.token, "shop", tokenNow, false, findTest); fmt.Sprint(err) != fmt.Sprint(errToken()) {
			t.Errorf("%s: got %v, want %v", c.name, err, errToken())
		}
	}
}

func TestTheLeewayIsAMinuteOnBothSides(t *testing.T) {
	for _, c := range []struct {
		shift time.Duration
		want  im.Code
	}{
		{-time.Minute + time.Second - 10*time.Second, 0}, // iat 1 s inside the leeway
		{-71 * time.Second, im.Unauthenticated},          // iat 61 s ahead
		{time.Hour + 59*time.Second, 0},
		{time.Hour + 60*time.Second, im.TokenExpired},
	} {
		_, err := verifyToken(hs256(shopSecret, goodHeader, goodPayload), "shop", tokenNow.Add(c.shift), false, findTest)
		if im.CodeOf(err) != c.want {
			t.Errorf("at %v: got %v, want %v", c.shift, err, c.want)
		}
	}
}

func TestAStorageErrorIsNotARefusal(t *testing.T) {
	away := im.Errorf(im.Unavailable, "the database is away")
	_, err := verifyToken(hs256(shopSecret, goodHeader, goodPayload), "shop", tokenNow, false,
		func(string) (verifyKey, bool, error) { return verifyKey{}, false, away })
	if !errors.Is(err, away) {
		t.Fatalf("got %v", err)
	}
}

func TestSignedTokensAreAcceptedAndCarryMicroseconds(t *testing.T) {
	g := grant{app: "shop", user: "ann", device: "d", issued: 1_799_999_990_123_456, expires: 1_800_003_600e6}
	for _, k := range []signKey{{kid: "k-shop", alg: HS256, key: []byte(shopSecret)}, {kid: "k-shop-ed", alg: EdDSA, key: shopPrivate()}} {
		raw, err := signToken(g, k)
		if err != nil {
			t.Fatal(err)
		}
		want := g
		want.kid = k.kid
		if got, err := verifyToken(raw, "shop", tokenNow, false, findTest); err != nil || got != want {
			t.Errorf("%s: got %+v, %v; want %+v", k.alg, got, err, want)
		}
	}
}

// Whatever comes, the answer is a grant that keeps the rules or an error that
// a client may see.
func FuzzToken(f *testing.F) {
	f.Add(hs256(shopSecret, goodHeader, goodPayload), int64(0))
	f.Add(eddsa(`{"alg":"EdDSA","kid":"k-shop-ed"}`, goodPayload), int64(1))
	for _, c := range append(append(forged(), malformed()...), wrongClaims()...) {
		if len(c.token) < 4096 {
			f.Add(c.token, int64(0))
		}
	}
	f.Fuzz(func(t *testing.T, raw string, shift int64) {
		now := tokenNow.Add(time.Duration(shift % int64(100*365*24*time.Hour)))
		check := func(token string) {
			g, err := verifyToken(token, "shop", now, false, findTest)
			var e *im.Error
			switch {
			case err != nil && (!errors.As(err, &e) || e.Code != im.Unauthenticated && e.Code != im.TokenExpired):
				t.Fatalf("an error of another kind: %v", err)
			case err == nil && (g.app != "shop" || g.dev || g.server == (g.user != "") || !g.server && !im.ValidName(string(g.user)) ||
				g.expires-g.issued > im.Micros(MaxTokenLife.Microseconds()) || g.expires.Time().Before(now.Add(-Leeway)) || len(token) > MaxTokenBytes):
				t.Fatalf("accepted against the rules: %+v", g)
			}
		}
		check(raw)
		// The same bytes as header and as payload of a well-signed token, so
		// that the search gets past the signature.
		check(hs256(shopSecret, goodHeader, raw))
		check(hs256(shopSecret, raw, goodPayload))
	})
}

func BenchmarkVerifyToken(b *testing.B) {
	for _, token := range []string{hs256(shopSecret, goodHeader, goodPayload), eddsa(`{"alg":"EdDSA","kid":"k-shop-ed"}`, goodPayload)} {
		b.Run(token[:20], func(b *testing.B) {
			for b.Loop() {
				if _, err := verifyToken(token, "shop", tokenNow, false, findTest); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
