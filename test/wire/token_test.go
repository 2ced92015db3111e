package wire_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

// badTokens are tokens that user ann of the app "wire" may not come in with.
func badTokens(t *testing.T, s *server, ann string) map[string]struct {
	token string
	want  pb.ErrorCode
	close pb.CloseCode
} {
	wire, other := s.apps["wire"], s.apps["other"]
	good := wire.token(t, ann)
	part := strings.Split(good, ".")
	forge := func(change func(claims map[string]any)) string {
		raw, err := base64.RawURLEncoding.DecodeString(part[1])
		if err != nil {
			t.Fatal(err)
		}
		claims := map[string]any{}
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		if err := dec.Decode(&claims); err != nil {
			t.Fatal(err)
		}
		change(claims)
		if raw, err = json.Marshal(claims); err != nil {
			t.Fatal(err)
		}
		return part[0] + "." + base64.RawURLEncoding.EncodeToString(raw) + "." + part[2]
	}
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","kid":"` + wire.kid + `","typ":"JWT"}`))
	impostor := &app{id: wire.id, kid: wire.kid, secret: other.secret}
	type row = struct {
		token string
		want  pb.ErrorCode
		close pb.CloseCode
	}
	refused := func(token string) row {
		return row{token, pb.ErrorCode_ERROR_CODE_UNAUTHENTICATED, pb.CloseCode_CLOSE_CODE_UNAUTHENTICATED}
	}
	return map[string]row{
		"no token at all":               refused("not-a-token"),
		"two dots and nothing":          refused(".."),
		"another app's":                 refused(other.token(t, ann)),
		"another app's secret":          refused((&app{id: wire.id, kid: other.kid, secret: other.secret}).token(t, ann)),
		"a known kid, a wrong secret":   refused(impostor.token(t, ann)),
		"an unknown kid":                refused(wire.token(t, ann, withHeader("kid", "nobody"))),
		"no kid":                        refused(wire.token(t, ann, withHeader("kid", nil))),
		"forged: another user":          refused(forge(func(c map[string]any) { c["sub"] = "root" })),
		"forged: a longer life":         refused(forge(func(c map[string]any) { c["exp"] = 9999999999 })),
		"forged: scope server":          refused(forge(func(c map[string]any) { delete(c, "sub"); c["scope"] = "server" })),
		"a signature cut short":         refused(good[:len(good)-2]),
		"no signature":                  refused(part[0] + "." + part[1] + "."),
		"alg none":                      refused(none + "." + part[1] + "."),
		"alg none with a signature":     refused(none + "." + part[1] + "." + part[2]),
		"alg of another family":         refused(wire.token(t, ann, withHeader("alg", "EdDSA"))),
		"a critical extension":          refused(wire.token(t, ann, withHeader("crit", []string{"b64"}))),
		"more than 2 KiB":               refused(wire.token(t, ann, with("name", strings.Repeat("x", 2048)))),
		"no aud":                        refused(wire.token(t, ann, with("aud", nil))),
		"for another service":           refused(wire.token(t, ann, with("aud", []string{"mail", "calendar"}))),
		"issued by another app":         refused(wire.token(t, ann, with("iss", "other"))),
		"no exp":                        refused(wire.token(t, ann, with("exp", nil))),
		"a life of more than 24 h":      refused(wire.token(t, ann, lasting(0, 24*time.Hour+2*time.Second))),
		"issued in the future":          refused(wire.token(t, ann, lasting(2*time.Minute, time.Hour))),
		"not valid yet":                 refused(wire.token(t, ann, with("nbf", time.Now().Add(2*time.Minute).Unix()))),
		"no user":                       refused(wire.sign(t)),
		"an empty user":                 refused(wire.token(t, "")),
		"a user of 65 bytes":            refused(wire.token(t, strings.Repeat("u", 65))),
		"a user with a control byte":    refused(wire.token(t, "ann\x07")),
		"a user written backwards":      refused(wire.token(t, "ann\u202ebob")),
		"an unknown scope":              refused(wire.token(t, ann, with("scope", "admin"))),
		"bound to another device":       refused(wire.token(t, ann, with("dev", "watch"))),
		"of a server in dev mode twice": refused(wire.token(t, ann, with("dev_mode", "yes"))),
		"expired": {wire.token(t, ann, lasting(-time.Hour, -2*time.Minute)),
			pb.ErrorCode_ERROR_CODE_TOKEN_EXPIRED, pb.CloseCode_CLOSE_CODE_TOKEN_EXPIRED},
	}
}

func TestABadTokenOpensNoSocket(t *testing.T) {
	t.Parallel()
	w := watch(t, shared)
	ann := someone("ann")
	for name, bad := range badTokens(t, shared, ann) {
		c := greet(t, shared, ann, "phone", withToken(bad.token))
		if e := c.answer(1).GetError(); e.GetCode() != bad.want || e.GetMessage() == "" || e.GetHint() == "" {
			t.Errorf("%s: %v", name, e)
		}
		if got := c.end(); pb.CloseCode(got) != bad.close {
			t.Errorf("%s: closed with %d, not %d", name, got, bad.close)
		}
	}
	w.holds()
}

func TestABadTokenMakesNoCall(t *testing.T) {
	t.Parallel()
	w := watch(t, shared)
	ann := someone("ann")
	conv := direct(ann, "x")
	for name, bad := range badTokens(t, shared, ann) {
		c := caller{t: t, srv: shared, app: "wire", token: bad.token, device: "phone"}
		r := c.call(sendMessage, text(conv, "hello"))
		if r.status != 401 || r.connect != "unauthenticated" || r.err.GetCode() != bad.want {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	if h := as(t, shared, ann).history(conv); len(h) != 0 {
		t.Errorf("a refused call has stored %v", h)
	}
	w.holds()
}

// A server's token is for calls; a session belongs to a user.
func TestAServersTokenOpensNoSocket(t *testing.T) {
	t.Parallel()
	c := greet(t, shared, "", "phone", withToken(shared.app().serverToken(t)))
	if e := c.answer(1).GetError(); e.GetCode() != pb.ErrorCode_ERROR_CODE_PERMISSION_DENIED {
		t.Errorf("%v", e)
	}
	c.endsWith(pb.CloseCode_CLOSE_CODE_UNAUTHENTICATED)
	shared.alive(t)
}

func TestATokenIsGoodWithinTheLeewayOfClocks(t *testing.T) {
	t.Parallel()
	ann := someone("ann")
	for name, change := range map[string]claim{
		"signed by a clock 30 s ahead":  lasting(30*time.Second, time.Hour),
		"expired 30 s ago":              lasting(-time.Hour, -30*time.Second),
		"a life of 24 h to the second":  lasting(0, 24*time.Hour),
		"aud as a list":                 with("aud", []string{"mail", "skein"}),
		"scope user said":               with("scope", "user"),
		"bound to this device":          with("dev", "phone"),
		"with a claim that is not ours": with("email", "ann@example.com"),
	} {
		c := greet(t, shared, ann, "phone", withToken(shared.app().token(t, ann, change)))
		if c.answer(1).GetWelcome() == nil {
			t.Errorf("%s: not welcome", name)
		}
	}
}
