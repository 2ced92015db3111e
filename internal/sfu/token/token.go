// Package token mints and reads access tokens: what lets a client into a room,
// and a back end into the room API. A token is a JWT (HS256) in the form that
// LiveKit's clients and server SDKs make, so that tokens of either side are
// good for both: issuer = API key, subject = identity, and the grants under
// "video". The same form signs webhooks, with the body's hash in "sha256".
//
// It is of the protocol and not of the SFU: whoever speaks to a media server,
// this one or LiveKit's, signs and checks by it.
package token

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Video is what the bearer may do with rooms. A nil pointer stands for the
// default, which is yes for publishing, subscribing and data.
type Video struct {
	RoomCreate           bool     `json:"roomCreate,omitempty"` // create and delete rooms
	RoomList             bool     `json:"roomList,omitempty"`
	RoomAdmin            bool     `json:"roomAdmin,omitempty"`  // of Room
	RoomRecord           bool     `json:"roomRecord,omitempty"` // record tracks of rooms
	RoomJoin             bool     `json:"roomJoin,omitempty"`   // Room
	Room                 string   `json:"room,omitempty"`
	CanPublish           *bool    `json:"canPublish,omitempty"`
	CanSubscribe         *bool    `json:"canSubscribe,omitempty"`
	CanPublishData       *bool    `json:"canPublishData,omitempty"`
	CanPublishSources    []string `json:"canPublishSources,omitempty"` // "camera", "microphone", "screen_share", "screen_share_audio"; empty = all
	CanUpdateOwnMetadata *bool    `json:"canUpdateOwnMetadata,omitempty"`
	Hidden               bool     `json:"hidden,omitempty"`
	Recorder             bool     `json:"recorder,omitempty"`
	Agent                bool     `json:"agent,omitempty"`
}

// Grants is a token's content.
type Grants struct {
	Key        string // by which Parse found it signed; Mint takes its own
	Identity   string // of the participant; empty for a back end
	Name       string
	Metadata   string
	Attributes map[string]string
	Kind       string // "standard", "agent", ...
	SHA256     string // of a webhook's body, base64
	Video      Video
	NotBefore  time.Time
	Expires    time.Time
}

// Allowed reads one of the optional grants.
func Allowed(p *bool) bool { return p == nil || *p }

type claims struct {
	jwt.RegisteredClaims
	Name       string            `json:"name,omitempty"`
	Metadata   string            `json:"metadata,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"`
	Kind       string            `json:"kind,omitempty"`
	SHA256     string            `json:"sha256,omitempty"`
	Video      *Video            `json:"video,omitempty"`
}

// ErrRefused is what every token ends in that is malformed, forged, of an
// unknown key, not yet or no longer good. It says no more than that to the
// bearer; the wrapped text is for the log and names no secret.
var ErrRefused = errors.New("the access token is not valid")

// Leeway is how far two machines' clocks may be apart. Who mints sets NotBefore
// back by as much.
const Leeway = 10 * time.Second

// Mint signs a token. NotBefore and Expires are taken as they are; Expires
// must not be zero.
func Mint(key, secret string, g Grants) (string, error) {
	if g.Expires.IsZero() {
		return "", errors.New("mint a token: it never ends")
	}
	c := claims{
		RegisteredClaims: jwt.RegisteredClaims{Issuer: key, Subject: g.Identity, ExpiresAt: jwt.NewNumericDate(g.Expires)},
		Name:             g.Name, Metadata: g.Metadata, Attributes: g.Attributes, Kind: g.Kind, SHA256: g.SHA256,
	}
	if !g.NotBefore.IsZero() {
		c.NotBefore = jwt.NewNumericDate(g.NotBefore)
	}
	if g.SHA256 == "" {
		c.Video = &g.Video
	}
	s, err := jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString([]byte(secret))
	if err != nil {
		return "", fmt.Errorf("mint a token: %w", err)
	}
	return s, nil
}

// Secrets finds the secret of an API key.
type Secrets func(key string) (secret string, ok bool)

// maxLength bounds what is parsed before anything is known of the sender.
const maxLength = 64 << 10

// Parse checks a token at a time and returns what it grants; the error is
// ErrRefused.
func Parse(raw string, secrets Secrets, now time.Time) (*Grants, error) {
	if raw == "" || len(raw) > maxLength {
		return nil, fmt.Errorf("%w: %d bytes", ErrRefused, len(raw))
	}
	var c claims
	_, err := jwt.ParseWithClaims(raw, &c, func(t *jwt.Token) (any, error) {
		secret, ok := secrets(c.Issuer)
		if !ok || secret == "" {
			return nil, errors.New("unknown key")
		}
		return []byte(secret), nil
	}, jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired(), jwt.WithLeeway(Leeway), jwt.WithStrictDecoding(),
		jwt.WithTimeFunc(func() time.Time { return now }))
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrRefused, err)
	}
	g := &Grants{Key: c.Issuer, Identity: c.Subject, Name: c.Name, Metadata: c.Metadata, Attributes: c.Attributes, Kind: c.Kind, SHA256: c.SHA256}
	if c.Video != nil {
		g.Video = *c.Video
	}
	g.Expires = c.ExpiresAt.Time
	if c.NotBefore != nil {
		g.NotBefore = c.NotBefore.Time
	}
	return g, nil
}

// SignBody makes the token that goes with a webhook's body.
func SignBody(key, secret string, body []byte, now time.Time) (string, error) {
	return Mint(key, secret, Grants{SHA256: hashOf(body), NotBefore: now.Add(-Leeway), Expires: now.Add(5 * time.Minute)})
}

// CheckBody checks the token that came with a webhook's body; the error is
// ErrRefused.
func CheckBody(raw string, body []byte, secrets Secrets, now time.Time) error {
	g, err := Parse(raw, secrets, now)
	if err == nil && subtle.ConstantTimeCompare([]byte(g.SHA256), []byte(hashOf(body))) != 1 {
		err = fmt.Errorf("%w: it goes with another body", ErrRefused)
	}
	return err
}

func hashOf(body []byte) string {
	sum := sha256.Sum256(body)
	return base64.StdEncoding.EncodeToString(sum[:])
}
