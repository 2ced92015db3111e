package chaos

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/im"
	pb "github.com/skein-im/skein/proto/skein/v1"
	"github.com/skein-im/skein/sdk/go/server"
)

// App is a tenant as its back end knows it: an id and a secret.
type App struct {
	ID, kid string
	secret  []byte
}

// CreateApp makes an app on a node's store, as an operator does.
func CreateApp(ctx context.Context, n *Node, id string) (*App, error) {
	out, err := n.Tool(ctx, "app", "create", id)
	if err != nil {
		return nil, err
	}
	a := &App{}
	for line := range strings.Lines(out) {
		switch name, value, _ := strings.Cut(strings.TrimSpace(line), ":"); name {
		case "app":
			a.ID = strings.TrimSpace(value)
		case "kid":
			a.kid = strings.TrimSpace(value)
		case "secret":
			a.secret = []byte(strings.TrimSpace(value))
		}
	}
	if a.ID != id || a.kid == "" || len(a.secret) == 0 {
		return nil, fmt.Errorf("make the app %s: no secret in %q", id, out)
	}
	return a, nil
}

// Token signs a token for a user, good for 23 hours.
func (a *App) Token(user string) string { return a.tokenAged(user, 0) }

// Secret is what the app's own back end signs its tokens with.
func (a *App) Secret() *server.Secret {
	return &server.Secret{App: a.ID, KID: a.kid, Text: string(a.secret)}
}

// tokenAged signs one that is so old already: two of the same second are one.
func (a *App) tokenAged(user string, age time.Duration) string {
	now := time.Now().Add(-age)
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"iss": a.ID, "aud": "skein", "sub": user, "iat": now.Unix(), "exp": now.Add(23 * time.Hour).Unix()})
	t.Header["kid"] = a.kid
	s, err := t.SignedString(a.secret)
	if err != nil {
		panic(err) // HMAC over our own claims
	}
	return s
}

// Caller makes unary calls as one device of one user.
type Caller struct {
	HTTP   *http.Client
	App    *App
	Token  string
	Device string
	// Timeout bounds a call; 0 = 30 s.
	Timeout time.Duration
}

// Call makes one call to a node. The error is an *im.Error when the server
// answered; Unavailable also when nobody did.
func (c *Caller) Call(ctx context.Context, base, method string, req, resp proto.Message) error {
	limit := c.Timeout
	if limit == 0 {
		limit = 30 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	body, err := proto.Marshal(req)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/skein.v1."+method, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/proto")
	r.Header.Set("Connect-Protocol-Version", "1")
	r.Header.Set("Authorization", "Bearer "+c.Token)
	r.Header.Set("Skein-App", c.App.ID)
	if c.Device != "" {
		r.Header.Set("Skein-Device", c.Device)
	}
	res, err := c.HTTP.Do(r)
	if err != nil {
		return &im.Error{Code: im.Unavailable, Message: err.Error()}
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return &im.Error{Code: im.Unavailable, Message: err.Error()}
	case res.StatusCode == http.StatusOK:
		return proto.Unmarshal(b, resp)
	}
	var e struct {
		Message string `json:"message"`
		Details []struct {
			Type  string `json:"type"`
			Value string `json:"value"`
		} `json:"details"`
	}
	_ = json.Unmarshal(b, &e) // what is no JSON is judged by the status
	for _, d := range e.Details {
		var w pb.Error
		if raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(d.Value, "=")); err == nil && d.Type == "skein.v1.Error" && proto.Unmarshal(raw, &w) == nil {
			return &im.Error{Code: im.Code(w.Code), Message: w.Message, RetryAfter: time.Duration(w.RetryAfterMs) * time.Millisecond}
		}
	}
	if res.StatusCode >= 500 {
		return &im.Error{Code: im.Unavailable, Message: fmt.Sprintf("HTTP %d %s", res.StatusCode, e.Message)}
	}
	return fmt.Errorf("HTTP %d: %s", res.StatusCode, b)
}

// definitive tells whether an error ends an operation: the server says that it
// has no effect and never will. Everything else is tried again.
func definitive(c im.Code) bool {
	switch c {
	case im.InvalidArgument, im.NotFound, im.PermissionDenied, im.FailedPrecondition, im.ClientIDReused, im.TooLarge,
		im.ClockSkew, im.Unsupported, im.DataLoss, im.AlreadyExists, im.SignedOut:
		return true
	}
	return false
}
