package token

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func secrets(key string) (string, bool) {
	s, ok := map[string]string{"app": "secret-of-app-0123456789", "other": "secret-of-other-0123456789"}[key]
	return s, ok
}

func TestATokenSaysWhatItWasMintedWith(t *testing.T) {
	no := false
	raw, err := Mint("app", "secret-of-app-0123456789", Grants{
		Identity: "ann", Name: "Ann", Metadata: "m", Attributes: map[string]string{"a": "b"},
		Video: Video{RoomJoin: true, Room: "r", CanPublish: &no}, Expires: noon.Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	g, err := Parse(raw, secrets, noon)
	if err != nil {
		t.Fatal(err)
	}
	if g.Identity != "ann" || g.Name != "Ann" || g.Metadata != "m" || g.Attributes["a"] != "b" || !g.Video.RoomJoin || g.Video.Room != "r" ||
		Allowed(g.Video.CanPublish) || !Allowed(g.Video.CanSubscribe) {
		t.Errorf("got %+v", g)
	}
}

func TestATokenThatIsNotGoodIsRefused(t *testing.T) {
	mint := func(key, secret string, g Grants) string {
		raw, err := Mint(key, secret, g)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	good := mint("app", "secret-of-app-0123456789", Grants{Identity: "ann", Expires: noon.Add(time.Hour)})
	parts := strings.Split(good, ".")
	payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
	forged := base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(payload), "ann", "bob", 1)))
	none, err := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims{"iss": "app", "exp": noon.Add(time.Hour).Unix()}).SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	endless, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"iss": "app"}).SignedString([]byte("secret-of-app-0123456789"))
	if err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string]string{
		"empty": "", "no token": "a.b.c", "huge": strings.Repeat("x", maxLength+1),
		"expired":          mint("app", "secret-of-app-0123456789", Grants{Expires: noon.Add(-time.Minute)}),
		"not yet":          mint("app", "secret-of-app-0123456789", Grants{NotBefore: noon.Add(time.Minute), Expires: noon.Add(time.Hour)}),
		"another's secret": mint("app", "secret-of-other-0123456789", Grants{Expires: noon.Add(time.Hour)}),
		"unknown key":      mint("nobody", "secret-of-app-0123456789", Grants{Expires: noon.Add(time.Hour)}),
		"no algorithm":     none,
		"no end":           endless,
		"forged":           parts[0] + "." + forged + "." + parts[2],
	} {
		if _, err := Parse(raw, secrets, noon); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	// The last letter of 43 has two bits that stand for nothing.
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(letters, good[len(good)-1])
	if _, err := Parse(good[:len(good)-1]+letters[last^1:last^1+1], secrets, noon); !errors.Is(err, ErrRefused) {
		t.Errorf("written in another way: got %v", err)
	}
	if _, err := Parse(good, secrets, noon); err != nil {
		t.Errorf("the good one: %v", err)
	}
	if _, err := Mint("app", "s", Grants{}); err == nil {
		t.Error("a token without an end was minted")
	}
}

func TestAWebhooksTokenGoesWithItsBodyAlone(t *testing.T) {
	body := []byte(`{"event":"room_started"}`)
	signed, err := SignBody("app", "secret-of-app-0123456789", body, noon)
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckBody(signed, body, secrets, noon); err != nil {
		t.Error(err)
	}
	clients, err := Mint("app", "secret-of-app-0123456789", Grants{Identity: "ann", Expires: noon.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"another body":           CheckBody(signed, []byte("{}"), secrets, noon),
		"no body":                CheckBody(signed, nil, secrets, noon),
		"a client's":             CheckBody(clients, body, secrets, noon),
		"a client's and no body": CheckBody(clients, nil, secrets, noon),
		"no token":               CheckBody("", body, secrets, noon),
		"too late":               CheckBody(signed, body, secrets, noon.Add(time.Hour)),
	} {
		if !errors.Is(err, ErrRefused) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func FuzzToken(f *testing.F) {
	raw, err := Mint("app", "secret-of-app-0123456789", Grants{Identity: "ann", Expires: noon.Add(time.Hour)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add("..")
	f.Fuzz(func(t *testing.T, s string) {
		g, err := Parse(s, secrets, noon)
		if err == nil && s != raw && g.Identity != "ann" {
			t.Errorf("%q was accepted for %q", s, g.Identity)
		}
	})
}
