package server

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"sync"
	"time"

	skein "github.com/skein-im/skein/sdk/go"
)

// tokenLife is how long a token lives; half of it, it is given out again, so
// that the server finds it known.
const tokenLife = 10 * time.Minute

// Secret signs tokens of scope "server" with a secret of the app (HS256), as
// "skein app create" prints it. App, KID and Text are needed. It
// is safe for concurrent use, and is not copied once it was used.
type Secret struct {
	App  string // the app's id
	KID  string // the secret's id
	Text string // the secret as it was printed: not decoded
	// Clock tells the time; nil = the machine's.
	Clock skein.Clock

	mu    sync.Mutex // guards the rest
	token string
	until time.Time // when token is replaced
}

// Token returns a token: for Options.Token.
func (s *Secret) Token(context.Context) (string, error) {
	if s.App == "" || s.KID == "" || s.Text == "" {
		return "", &skein.Error{Code: skein.InvalidArgument, Message: "App, KID and Text are needed"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	clock := s.Clock
	if clock == nil {
		clock = skein.SystemClock{}
	}
	now := clock.Now()
	if s.token != "" && now.Before(s.until) {
		return s.token, nil
	}
	head, err := part(map[string]string{"alg": "HS256", "typ": "JWT", "kid": s.KID})
	if err != nil {
		return "", err
	}
	claims, err := part(struct {
		Issuer   string `json:"iss"`
		Scope    string `json:"scope"`
		Audience string `json:"aud"`
		Issued   int64  `json:"iat"`
		Expires  int64  `json:"exp"`
	}{s.App, "server", "skein", now.Unix(), now.Add(tokenLife).Unix()})
	if err != nil {
		return "", err
	}
	sum := hmac.New(sha256.New, []byte(s.Text))
	sum.Write([]byte(head + "." + claims))
	s.token, s.until = head+"."+claims+"."+base64.RawURLEncoding.EncodeToString(sum.Sum(nil)), now.Add(tokenLife/2)
	return s.token, nil
}

// part is one part of a token.
func part(v any) (string, error) {
	b, err := json.Marshal(v)
	return base64.RawURLEncoding.EncodeToString(b), err
}
