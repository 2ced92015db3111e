package call

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// How long tokens are good: those of users for as long as it takes to connect,
// our own for one question.
const (
	accessTTL = time.Minute
	adminTTL  = time.Minute
	skew      = 10 * time.Second // of the media server's clock
	askFor    = 3 * time.Second  // bounds a question
)

// An empty room goes by itself after so many seconds; somebody whose connection
// is lost is in it for so many more.
const (
	emptyTimeout     = 120
	departureTimeout = 20
)

// Media is a media server that speaks LiveKit's protocol: the one beside this
// server, or a LiveKit cluster. It is asked by LiveKit's RoomService, as JSON
// over HTTP.
type Media struct {
	// URL is what clients dial: ws:// or wss://.
	URL string
	// API is where RoomService answers: http:// or https://.
	API string
	// Key and Secret sign the tokens, and verify webhooks.
	Key, Secret string
	Clock       im.Clock
	// Client makes the calls; nil = http.DefaultClient.
	Client *http.Client
}

// claims are those of a LiveKit token, as far as they are used.
type claims struct {
	Issuer  string `json:"iss"`
	Subject string `json:"sub,omitempty"`
	Name    string `json:"name,omitempty"`
	NotBy   int64  `json:"nbf"`
	Expires int64  `json:"exp"`
	Video   *grant `json:"video,omitempty"`
	// SHA256 is that of a webhook's body, in base64.
	SHA256 string `json:"sha256,omitempty"`
}

// grant is LiveKit's VideoGrant. What is absent has its default there, which for
// the three pointers is true.
type grant struct {
	RoomCreate     bool   `json:"roomCreate,omitempty"`
	RoomJoin       bool   `json:"roomJoin,omitempty"`
	RoomAdmin      bool   `json:"roomAdmin,omitempty"`
	Room           string `json:"room,omitempty"`
	CanPublish     *bool  `json:"canPublish,omitempty"`
	CanSubscribe   *bool  `json:"canSubscribe,omitempty"`
	CanPublishData *bool  `json:"canPublishData,omitempty"`
}

// permission is LiveKit's ParticipantPermission.
type permission struct {
	CanSubscribe   bool `json:"canSubscribe"`
	CanPublish     bool `json:"canPublish"`
	CanPublishData bool `json:"canPublishData"`
}

func permissionOf(role int64) permission {
	speaks := skeinv1.CallRole(role) != skeinv1.CallRole_CALL_ROLE_VIEWER
	return permission{CanSubscribe: true, CanPublish: speaks, CanPublishData: speaks}
}

// sign makes a JWT (RFC 7519) with HMAC-SHA256.
func (m *Media) sign(c claims, ttl time.Duration) (token string, expires im.Micros) {
	now := m.Clock.Now()
	end := now.Add(ttl).Truncate(time.Second)
	c.Issuer, c.NotBy, c.Expires = m.Key, now.Add(-skew).Unix(), end.Unix()
	body, _ := json.Marshal(c) // strings and numbers: it cannot fail
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(body)
	return text + "." + base64.RawURLEncoding.EncodeToString(m.mac(text)), im.MicrosOf(end)
}

func (m *Media) mac(text string) []byte {
	h := hmac.New(sha256.New, []byte(m.Secret))
	h.Write([]byte(text))
	return h.Sum(nil)
}

// verify reads a token that the media server has signed. Errors:
// Unauthenticated.
func (m *Media) verify(token string) (c claims, err error) {
	bad := im.Errorf(im.Unauthenticated, "the token is not the media server's")
	text, sum, ok := cutLast(token, ".")
	mac, merr := base64.RawURLEncoding.Strict().DecodeString(sum)
	if !ok || merr != nil || subtle.ConstantTimeCompare(mac, m.mac(text)) != 1 {
		return c, bad
	}
	head, body, _ := strings.Cut(text, ".")
	var alg struct {
		Alg string `json:"alg"`
	}
	for part, to := range map[string]any{head: &alg, body: &c} {
		raw, derr := base64.RawURLEncoding.DecodeString(part)
		if derr != nil || json.Unmarshal(raw, to) != nil {
			return c, bad
		}
	}
	now := m.Clock.Now()
	if alg.Alg != "HS256" || c.Issuer != m.Key || now.After(time.Unix(c.Expires, 0).Add(skew)) || now.Before(time.Unix(c.NotBy, 0).Add(-skew)) {
		return c, bad
	}
	return c, nil
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+len(sep):], true
}

// access is what a party's device connects with.
func (m *Media) access(c *call, p *party) *skeinv1.CallAccess {
	may := permissionOf(p.role)
	who := identity(p.user, p.device)
	token, expires := m.sign(claims{Subject: who, Name: string(p.user), Video: &grant{RoomJoin: true, Room: c.room,
		CanPublish: &may.CanPublish, CanSubscribe: &may.CanSubscribe, CanPublishData: &may.CanPublishData}}, accessTTL)
	return &skeinv1.CallAccess{Url: m.URL, Token: token, Identity: who, ExpiresUs: int64(expires)}
}

// participant is LiveKit's ParticipantInfo, as far as it is used.
type participant struct {
	SID      string  `json:"sid"`
	Identity string  `json:"identity"`
	State    string  `json:"state"`
	Tracks   []track `json:"tracks"`
}

// track is LiveKit's TrackInfo, as far as it is used.
type track struct {
	SID   string `json:"sid"`
	Type  string `json:"type"` // AUDIO, VIDEO, DATA; AUDIO is 0 and may be left out
	Muted bool   `json:"muted"`
}

// createRoom makes a room that is there already, or not yet.
func (m *Media) createRoom(ctx context.Context, room string, most int) error {
	return m.ask(ctx, "CreateRoom", grant{RoomCreate: true}, map[string]any{"name": room, "emptyTimeout": emptyTimeout,
		"departureTimeout": departureTimeout, "maxParticipants": most}, nil)
}

// deleteRoom ends a room and sends everybody in it away. One that is not there
// is deleted.
func (m *Media) deleteRoom(ctx context.Context, room string) error {
	return gone(m.ask(ctx, "DeleteRoom", grant{RoomCreate: true}, map[string]any{"room": room}, nil))
}

// remove sends a participant away; one who is not there is.
func (m *Media) remove(ctx context.Context, room, who string) error {
	return gone(m.ask(ctx, "RemoveParticipant", grant{RoomAdmin: true, Room: room}, map[string]any{"room": room, "identity": who}, nil))
}

// get returns a participant. Errors: NotFound.
func (m *Media) get(ctx context.Context, room, who string) (participant, error) {
	var out participant
	err := m.ask(ctx, "GetParticipant", grant{RoomAdmin: true, Room: room}, map[string]any{"room": room, "identity": who}, &out)
	return out, err
}

// list returns who is in a room; nobody when it is not there.
func (m *Media) list(ctx context.Context, room string) ([]participant, error) {
	var out struct {
		Participants []participant `json:"participants"`
	}
	err := m.ask(ctx, "ListParticipants", grant{RoomAdmin: true, Room: room}, map[string]any{"room": room}, &out)
	return out.Participants, gone(err)
}

// mute switches a track off.
func (m *Media) mute(ctx context.Context, room, who, trackSID string) error {
	return m.ask(ctx, "MutePublishedTrack", grant{RoomAdmin: true, Room: room}, map[string]any{"room": room, "identity": who, "trackSid": trackSID, "muted": true}, nil)
}

// permit changes what a participant may do.
func (m *Media) permit(ctx context.Context, room, who string, may permission) error {
	return m.ask(ctx, "UpdateParticipant", grant{RoomAdmin: true, Room: room}, map[string]any{"room": room, "identity": who, "permission": may}, nil)
}

func gone(err error) error {
	if im.CodeOf(err) == im.NotFound {
		return nil
	}
	return err
}

// ask calls a method of RoomService by Twirp's JSON over HTTP. Errors: NotFound
// (no such room or participant), Unavailable (it does not answer, or refuses).
func (m *Media) ask(ctx context.Context, method string, g grant, req, res any) error {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	body, err := json.Marshal(req)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(m.API, "/")+"/twirp/livekit.RoomService/"+method, bytes.NewReader(body))
	if err != nil {
		return err
	}
	token, _ := m.sign(claims{Video: &g}, adminTTL)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	client := m.Client
	if client == nil {
		client = http.DefaultClient
	}
	a, err := client.Do(r)
	if err != nil {
		return im.Errorf(im.Unavailable, "the media server does not answer %s: %v", method, err)
	}
	defer a.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(a.Body, 8<<20))
	if err != nil {
		return im.Errorf(im.Unavailable, "the media server's answer to %s broke off", method)
	}
	if a.StatusCode != http.StatusOK {
		var e struct {
			Code string `json:"code"`
			Msg  string `json:"msg"`
		}
		_ = json.Unmarshal(raw, &e) // whatever it is, it is no answer
		if e.Code == "not_found" {
			return im.Errorf(im.NotFound, "the media server knows no such room or participant")
		}
		return im.Errorf(im.Unavailable, "the media server refuses %s: %d %s %s", method, a.StatusCode, e.Code, e.Msg)
	}
	if res == nil {
		return nil
	}
	if err := json.Unmarshal(raw, res); err != nil {
		return fmt.Errorf("read the media server's answer to %s: %w", method, err)
	}
	return nil
}

// identity is the participant that a user's device is: USER/DEVICE. Ids with
// anything but a-z A-Z 0-9 . _ - in them are ~ and their base64url.
func identity(u im.UserID, d im.DeviceID) string {
	return namePart(string(u)) + "/" + namePart(string(d))
}

func namePart(s string) string {
	if s == "" || im.ValidToken(s) {
		return s
	}
	return "~" + base64.RawURLEncoding.EncodeToString([]byte(s))
}

// whoIs is the user and device of a participant; ok is false for those that we
// have let in nobody as.
func whoIs(who string) (u im.UserID, d im.DeviceID, ok bool) {
	a, b, found := strings.Cut(who, "/")
	user, ok1 := partName(a)
	device, ok2 := partName(b)
	return im.UserID(user), im.DeviceID(device), found && ok1 && ok2 && user != ""
}

func partName(s string) (string, bool) {
	coded, ok := strings.CutPrefix(s, "~")
	if !ok {
		return s, s == "" || im.ValidToken(s)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(coded)
	return string(b), err == nil
}
