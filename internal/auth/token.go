package auth

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"github.com/skein-im/skein/internal/im"
)

// Limits of tokens.
const (
	// MaxTokenBytes bounds a token before anything looks inside it.
	MaxTokenBytes = 2048
	// MaxTokenLife is the longest span from iat to exp.
	MaxTokenLife = 24 * time.Hour
	// Leeway is how far the clock of who signs may be off.
	Leeway = 60 * time.Second
)

// audience is what aud has to name, so that a token which the same back end
// signs for something else is no key to the chat.
const audience = "skein"

// Alg is a signature algorithm that a secret may have.
type Alg string

// The algorithms. A secret has one of them for ever; the alg of a token's
// header is compared with it and decides nothing.
const (
	HS256 Alg = "HS256" // HMAC with SHA-256: back end and server hold the same secret
	EdDSA Alg = "EdDSA" // Ed25519: the server can do with the public key
)

// verifyKey is a secret as far as checking a signature needs it.
type verifyKey struct {
	kid string
	app im.AppID
	alg Alg
	// key is []byte for HS256 and ed25519.PublicKey for EdDSA.
	key any
}

// grant is what a verified token says.
type grant struct {
	app    im.AppID
	kid    string
	server bool
	user   im.UserID
	// device binds the token to one device; empty = any.
	device  im.DeviceID
	issued  im.Micros
	expires im.Micros // exp, without leeway
	dev     bool
	// guest: a user without an account. renew: until when this server gives
	// new tokens for it, 0 = never.
	guest bool
	renew im.Micros
}

// errToken is the one answer to every token whose signer did not prove to hold
// a secret of the app: whether the kid exists, whose it is and what its
// algorithm is stays unknown.
func errToken() error {
	return &im.Error{Code: im.Unauthenticated, Message: "the token is not accepted",
		Hint: "sign it with a current secret of this app and put the secret's id into the header's kid; see docs/guide/tokens.md"}
}

// errClaim answers a token that was signed with a secret of the app, so that
// its signer may know what is wrong with it. The reason never quotes the token.
func errClaim(reason string) error {
	return &im.Error{Code: im.Unauthenticated, Message: "the token is not accepted: " + reason,
		Hint: "have the app's back end issue a new token; see docs/guide/tokens.md"}
}

// verifyToken checks everything about a token that needs no row but its
// secret's. find returns the secret with a kid, or ok = false when there is
// none that is active; err is an error of the storage.
func verifyToken(raw string, app im.AppID, now time.Time, devMode bool,
	find func(kid string) (verifyKey, bool, error)) (grant, error) {
	h, err := parseHeader(raw)
	if err != nil {
		return grant{}, err
	}
	key, ok, err := find(h.kid)
	if err != nil {
		return grant{}, err
	}
	if !ok || key.app != app || string(key.alg) != h.alg {
		// Do the work of a check all the same: the time that a refusal takes
		// does not tell a known kid from an unknown one.
		key, ok = nobodysKey(Alg(h.alg)), false
	}
	payload, err := verifySignature(raw, key)
	if err != nil || !ok {
		return grant{}, errToken()
	}
	g, err := parseClaims(payload, app, now)
	if err != nil {
		return grant{}, err
	}
	if g.dev && !devMode {
		return grant{}, errClaim("it was issued by a server in dev mode, and this one is not")
	}
	g.kid = h.kid
	return g, nil
}

// nobodysKey is a key that no secret has.
func nobodysKey(alg Alg) verifyKey {
	if alg == EdDSA {
		return verifyKey{alg: EdDSA, key: ed25519.PublicKey(make([]byte, ed25519.PublicKeySize))}
	}
	return verifyKey{alg: HS256, key: make([]byte, 43)}
}

// header is what the first part of a token says.
type header struct{ alg, kid string }

// parseHeader looks at the size and the alphabet of the whole token, then at
// its header.
func parseHeader(raw string) (header, error) {
	if len(raw) > MaxTokenBytes {
		return header{}, &im.Error{Code: im.Unauthenticated,
			Message: fmt.Sprintf("the token is longer than %d bytes", MaxTokenBytes),
			Hint:    "a token carries iss, sub, aud, iat, exp and little else; see docs/guide/tokens.md"}
	}
	// Go's base64 skips line breaks, so that one token could be written in many ways.
	for i := 0; i < len(raw); i++ {
		if c := raw[i]; !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
			return header{}, errMalformed()
		}
	}
	first, rest, ok := strings.Cut(raw, ".")
	if !ok || strings.Count(rest, ".") != 1 {
		return header{}, errMalformed()
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(first)
	if err != nil {
		return header{}, errMalformed()
	}
	fields, err := strictObject(b)
	if err != nil {
		return header{}, errMalformed()
	}
	if _, ok := fields["crit"]; ok {
		return header{}, errMalformed() // RFC 7515 §4.1.11: refuse what one does not understand
	}
	var h header
	if h.alg, ok = stringField(fields, "alg"); !ok || h.alg != string(HS256) && h.alg != string(EdDSA) {
		return header{}, errToken()
	}
	if typ, ok := stringField(fields, "typ"); fields["typ"] != nil && (!ok || !strings.EqualFold(typ, "JWT")) {
		return header{}, errMalformed()
	}
	if h.kid, ok = stringField(fields, "kid"); !ok || !im.ValidToken(h.kid) {
		return header{}, errToken()
	}
	return h, nil
}

// errMalformed answers what is no signed JWT.
func errMalformed() error {
	return &im.Error{Code: im.Unauthenticated, Message: "the token is not a signed JWT in compact form",
		Hint: "send what your JWT library's sign function returns; see docs/guide/tokens.md"}
}

// rawClaims keeps the payload's bytes until the signature was checked.
type rawClaims struct {
	jwt.MapClaims // only to satisfy jwt.Claims; stays nil
	payload       []byte
}

// UnmarshalJSON implements json.Unmarshaler.
func (c *rawClaims) UnmarshalJSON(b []byte) error {
	c.payload = slices.Clone(b)
	return nil
}

// verifySignature returns the payload of a token that was signed with key.
func verifySignature(raw string, key verifyKey) ([]byte, error) {
	parser := jwt.NewParser(jwt.WithValidMethods([]string{string(key.alg)}), jwt.WithoutClaimsValidation(), jwt.WithStrictDecoding())
	var c rawClaims
	if _, err := parser.ParseWithClaims(raw, &c, func(*jwt.Token) (any, error) { return key.key, nil }); err != nil {
		return nil, err
	}
	return c.payload, nil
}

// parseClaims reads the payload of a token whose signature was checked.
func parseClaims(payload []byte, app im.AppID, now time.Time) (grant, error) {
	fields, err := strictObject(payload)
	if err != nil {
		return grant{}, errClaim("its payload is not one JSON object with every claim once")
	}
	g := grant{app: app}
	if iss, ok := stringField(fields, "iss"); !ok || iss != string(app) {
		return grant{}, errClaim("iss has to be the app's id")
	}
	if !hasAudience(fields["aud"]) {
		return grant{}, errClaim(`aud has to be "skein", or a list with "skein" in it`)
	}
	if err := parseTimes(fields, now, &g); err != nil {
		return grant{}, err
	}
	if v, ok := fields["dev_mode"]; ok {
		if g.dev = string(v) == "true"; !g.dev && string(v) != "false" {
			return grant{}, errClaim("dev_mode has to be true or false")
		}
	}
	if err := parseOwn(fields, &g); err != nil {
		return grant{}, err
	}
	return g, parseSubject(fields, &g)
}

// parseOwn reads guest and renew.
func parseOwn(fields map[string]json.RawMessage, g *grant) error {
	if v, ok := fields["guest"]; ok {
		if g.guest = string(v) == "true"; !g.guest && string(v) != "false" {
			return errClaim("guest has to be true or false")
		}
	}
	if v, ok := fields["renew"]; ok {
		if g.renew, ok = seconds(v, false); !ok {
			return errClaim("renew has to be a whole number of seconds since 1970")
		}
	}
	return nil
}

// parseSubject reads scope, sub and dev.
func parseSubject(fields map[string]json.RawMessage, g *grant) error {
	scope := "user"
	if fields["scope"] != nil {
		scope, _ = stringField(fields, "scope")
	}
	switch scope {
	case "server":
		if fields["sub"] != nil || fields["dev"] != nil {
			return errClaim("a token of scope server has no sub and no dev")
		}
		if g.guest {
			return errClaim("a token of scope server is no guest's")
		}
		g.server = true
		return nil
	case "user":
	default:
		return errClaim(`scope has to be "user" or "server"`)
	}
	sub, ok := stringField(fields, "sub")
	// U+FFFD is what a broken string turns into: two of them would be one user.
	if !ok || !im.ValidName(sub) || strings.ContainsRune(sub, utf8.RuneError) {
		return errClaim("sub has to be a user id: 1 to 64 bytes of UTF-8 without control characters")
	}
	g.user = im.UserID(sub)
	if fields["dev"] != nil {
		dev, ok := stringField(fields, "dev")
		if !ok || !im.ValidName(dev) || strings.ContainsRune(dev, utf8.RuneError) {
			return errClaim("dev has to be a device id: 1 to 64 bytes of UTF-8 without control characters")
		}
		g.device = im.DeviceID(dev)
	}
	return nil
}

// parseTimes reads exp, iat and nbf.
func parseTimes(fields map[string]json.RawMessage, now time.Time, g *grant) error {
	exp, ok := seconds(fields["exp"], false)
	if !ok {
		return errClaim("exp has to be a whole number of seconds since 1970")
	}
	iat, ok := seconds(fields["iat"], true)
	if !ok {
		return errClaim("iat has to be a number of seconds since 1970")
	}
	if exp <= iat || exp-iat > im.Micros(MaxTokenLife.Microseconds()) {
		return errClaim("exp has to lie after iat, by 24 hours at most")
	}
	late := im.MicrosOf(now.Add(Leeway))
	if iat > late {
		return errClaim("iat lies in the future; set the clock of the machine that signs")
	}
	if fields["nbf"] != nil {
		if nbf, ok := seconds(fields["nbf"], true); !ok {
			return errClaim("nbf has to be a number of seconds since 1970")
		} else if nbf > late {
			return errClaim("nbf lies in the future")
		}
	}
	if exp <= im.MicrosOf(now.Add(-Leeway)) {
		return &im.Error{Code: im.TokenExpired, Message: "the token has expired", Hint: "get a new one from the app's back end"}
	}
	g.issued, g.expires = iat, exp
	return nil
}

// hasAudience tells whether aud names this service.
func hasAudience(aud json.RawMessage) bool {
	if len(aud) == 0 {
		return false
	}
	if aud[0] == '[' {
		var list []*string
		if json.Unmarshal(aud, &list) != nil {
			return false
		}
		return slices.ContainsFunc(list, func(s *string) bool { return s != nil && *s == audience })
	}
	var s string
	return json.Unmarshal(aud, &s) == nil && s == audience
}

// seconds reads a NumericDate (RFC 7519 §2) in plain digits; 1e308, -1 and
// "1" are none. A fraction is read to the microsecond where it is allowed.
func seconds(v json.RawMessage, fraction bool) (im.Micros, bool) {
	whole, frac, dotted := strings.Cut(string(v), ".")
	if len(whole) == 0 || len(whole) > 12 || dotted && (!fraction || len(frac) == 0) {
		return 0, false
	}
	for _, c := range whole + frac {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return 0, false
	}
	us, err := strconv.ParseInt((frac + "000000")[:6], 10, 64)
	return im.Micros(n*1e6 + us), err == nil
}

// stringField returns a claim that is a JSON string.
func stringField(fields map[string]json.RawMessage, name string) (string, bool) {
	v := fields[name]
	if len(v) == 0 || v[0] != '"' {
		return "", false
	}
	var s string
	return s, json.Unmarshal(v, &s) == nil
}

// errObject is returned by strictObject for all that it refuses.
var errObject = errors.New("not one JSON object with every name once")

// strictObject reads one JSON object of valid UTF-8 with nothing behind it, in
// which every name stands once: two readers of {"sub":"a","sub":"b"} disagree
// on who it is.
func strictObject(b []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(b) {
		return nil, errObject
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errObject
	}
	fields := map[string]json.RawMessage{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, errObject
		}
		name, ok := t.(string)
		if _, twice := fields[name]; !ok || twice {
			return nil, errObject
		}
		var v json.RawMessage
		if dec.Decode(&v) != nil {
			return nil, errObject
		}
		fields[name] = v
	}
	if _, err := dec.Token(); err != nil {
		return nil, errObject
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errObject
	}
	return fields, nil
}

// signKey is a secret with which this server can sign.
type signKey struct {
	kid string
	app im.AppID
	alg Alg
	// key is []byte for HS256 and ed25519.PrivateKey for EdDSA.
	key any
}

// signToken writes a token for a grant.
func signToken(g grant, k signKey) (string, error) {
	// iat carries microseconds: a token issued right after a sign-out, in the
	// same second, is told from one issued right before it.
	claims := jwt.MapClaims{
		"iss": string(g.app), "aud": audience, "exp": int64(g.expires) / 1e6,
		"iat": json.Number(fmt.Sprintf("%d.%06d", int64(g.issued)/1e6, int64(g.issued)%1e6)),
	}
	if g.server {
		claims["scope"] = "server"
	} else {
		claims["sub"] = string(g.user)
	}
	if g.device != "" {
		claims["dev"] = string(g.device)
	}
	if g.dev {
		claims["dev_mode"] = true
	}
	if g.guest {
		claims["guest"] = true
	}
	if g.renew != 0 {
		claims["renew"] = int64(g.renew) / 1e6
	}
	method := jwt.SigningMethod(jwt.SigningMethodHS256)
	if _, ok := k.key.(ed25519.PrivateKey); ok {
		method = jwt.SigningMethodEdDSA
	}
	t := jwt.NewWithClaims(method, claims)
	t.Header["kid"] = k.kid
	return t.SignedString(k.key)
}
