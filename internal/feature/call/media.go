package call

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

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/sfu/token"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// How long tokens are good: those of users for as long as it takes to connect,
// our own for one question.
const (
	accessTTL = time.Minute
	adminTTL  = time.Minute
	askFor    = 3 * time.Second // bounds a question
	findFor   = 4 * time.Second // is what Lost may take
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
	// URL is what clients dial: ws:// or wss://. Empty means this server's own
	// address, which they know.
	URL string
	// Where returns the URL, http:// or https://, at which RoomService answers for a
	// room. Its errors are shown to callers, so that they are *im.Error.
	Where func(ctx context.Context, room string) (base string, err error)
	// Lost says that the media server of a room did not answer at base, and returns
	// where to ask once more; it may wait for some seconds. nil = nowhere.
	Lost func(ctx context.Context, room, base string) (string, error)
	// Key and Secret sign the tokens, and verify webhooks.
	Key, Secret string
	Clock       im.Clock
	// Client makes the calls; nil = http.DefaultClient.
	Client *http.Client
}

// RoomHeader has the room that a question is about, where there are several media
// servers and the one that is asked may not have it any more.
const RoomHeader = "Skein-Room"

// At is a Media's Where for all rooms of a server, or of a cluster that finds
// its rooms by itself.
func At(base string) func(context.Context, string) (string, error) {
	return func(context.Context, string) (string, error) { return base, nil }
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

// sign mints a token that is good for a while, and says until when.
func (m *Media) sign(g token.Grants, ttl time.Duration) (signed string, expires im.Micros, err error) {
	now := m.Clock.Now()
	g.NotBefore, g.Expires = now.Add(-token.Leeway), now.Add(ttl).Truncate(time.Second)
	signed, err = token.Mint(m.Key, m.Secret, g)
	return signed, im.MicrosOf(g.Expires), err
}

// sent checks that the media server has signed a webhook's body.
func (m *Media) sent(signed string, body []byte) error {
	return token.CheckBody(signed, body, func(key string) (string, bool) { return m.Secret, key == m.Key }, m.Clock.Now())
}

// access is what a party's device connects with.
func (m *Media) access(c *call, p *party) (*skeinv1.CallAccess, error) {
	may := permissionOf(p.acts())
	who := identity(p.user, p.device)
	signed, expires, err := m.sign(token.Grants{Identity: who, Name: string(p.user), Video: token.Video{RoomJoin: true, Room: c.room,
		CanPublish: &may.CanPublish, CanSubscribe: &may.CanSubscribe, CanPublishData: &may.CanPublishData}}, accessTTL)
	if err != nil {
		return nil, err
	}
	return &skeinv1.CallAccess{Url: m.URL, Token: signed, Identity: who, ExpiresUs: int64(expires)}, nil
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
	SID    string `json:"sid"`
	Type   string `json:"type"` // AUDIO, VIDEO, DATA; AUDIO is 0 and may be left out
	Muted  bool   `json:"muted"`
	Source string `json:"source"`     // CAMERA, MICROPHONE, …
	Secret string `json:"encryption"` // NONE, which is 0 and may be left out, GCM, CUSTOM
}

// encrypted tells that only those who have a key can hear or see it.
func (t *track) encrypted() bool { return t.Secret != "" && t.Secret != "NONE" }

// createRoom makes a room that is there already, or not yet.
func (m *Media) createRoom(ctx context.Context, room string, most int) error {
	return m.ask(ctx, room, "CreateRoom", token.Video{RoomCreate: true}, map[string]any{"name": room, "emptyTimeout": emptyTimeout,
		"departureTimeout": departureTimeout, "maxParticipants": most}, nil)
}

// deleteRoom ends a room and sends everybody in it away. One that is not there
// is deleted.
func (m *Media) deleteRoom(ctx context.Context, room string) error {
	return gone(m.ask(ctx, room, "DeleteRoom", token.Video{RoomCreate: true}, map[string]any{"room": room}, nil))
}

// remove sends a participant away; one who is not there is.
func (m *Media) remove(ctx context.Context, room, who string) error {
	return gone(m.ask(ctx, room, "RemoveParticipant", token.Video{RoomAdmin: true, Room: room}, map[string]any{"room": room, "identity": who}, nil))
}

// get returns a participant. Errors: NotFound.
func (m *Media) get(ctx context.Context, room, who string) (participant, error) {
	var out participant
	err := m.ask(ctx, room, "GetParticipant", token.Video{RoomAdmin: true, Room: room}, map[string]any{"room": room, "identity": who}, &out)
	return out, err
}

// list returns who is in a room; nobody when it is not there.
func (m *Media) list(ctx context.Context, room string) ([]participant, error) {
	var out struct {
		Participants []participant `json:"participants"`
	}
	err := m.ask(ctx, room, "ListParticipants", token.Video{RoomAdmin: true, Room: room}, map[string]any{"room": room}, &out)
	return out.Participants, gone(err)
}

// mute switches a track off.
func (m *Media) mute(ctx context.Context, room, who, trackSID string) error {
	return m.ask(ctx, room, "MutePublishedTrack", token.Video{RoomAdmin: true, Room: room}, map[string]any{"room": room, "identity": who, "trackSid": trackSID, "muted": true}, nil)
}

// permit changes what a participant may do.
func (m *Media) permit(ctx context.Context, room, who string, may permission) error {
	return m.ask(ctx, room, "UpdateParticipant", token.Video{RoomAdmin: true, Room: room}, map[string]any{"room": room, "identity": who, "permission": may}, nil)
}

// egresses are the recordings that go on in a room.
func (m *Media) egresses(ctx context.Context, room string) ([]*egress, error) {
	var out struct {
		Items []*egress `json:"items"`
	}
	err := m.ask(ctx, room, "Egress/ListEgress", token.Video{RoomRecord: true}, map[string]any{"roomName": room, "active": true}, &out)
	return out.Items, gone(err)
}

// startEgress records a track, into the media server's own folder. Errors:
// NotFound, FailedPrecondition, ResourceExhausted.
func (m *Media) startEgress(ctx context.Context, room, trackSID, path string) (*egress, error) {
	out := new(egress)
	err := m.ask(ctx, room, "Egress/StartTrackEgress", token.Video{RoomRecord: true}, map[string]any{"roomName": room, "trackId": trackSID, "file": map[string]any{"filepath": path}}, out)
	return out, err
}

// stopEgress ends a recording.
func (m *Media) stopEgress(ctx context.Context, room, id string) error {
	return m.ask(ctx, room, "Egress/StopEgress", token.Video{RoomRecord: true}, map[string]any{"egressId": id}, nil)
}

func gone(err error) error {
	if im.CodeOf(err) == im.NotFound {
		return nil
	}
	return err
}

// ask calls a method of RoomService, or of another service by SERVICE/METHOD, by
// Twirp's JSON over HTTP. Errors: NotFound (no such room, participant or track),
// FailedPrecondition and ResourceExhausted as the media server words them,
// Unavailable (it does not answer, or refuses).
func (m *Media) ask(ctx context.Context, room, method string, g token.Video, req, res any) error {
	ctx, cancel := context.WithTimeout(ctx, 2*askFor+findFor)
	defer cancel()
	body, err := json.Marshal(req)
	if err != nil {
		return err
	}
	base, err := m.Where(ctx, room)
	if err != nil {
		return err
	}
	raw, away, err := m.post(ctx, base, room, method, g, body)
	if away && m.Lost != nil {
		var lost error
		if base, lost = m.Lost(ctx, room, base); lost == nil {
			raw, _, err = m.post(ctx, base, room, method, g, body)
		}
	}
	if err != nil {
		return err
	}
	if res == nil {
		return nil
	}
	if err := json.Unmarshal(raw, res); err != nil {
		return fmt.Errorf("read the media server's answer to %s: %w", method, err)
	}
	return nil
}

// post is one attempt of ask. away: the media server is not there, so another one
// may have the room.
func (m *Media) post(ctx context.Context, base, room, method string, g token.Video, body []byte) (raw []byte, away bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	service, name, other := strings.Cut(method, "/")
	if !other {
		service, name = "RoomService", method
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(base, "/")+"/twirp/livekit."+service+"/"+name, bytes.NewReader(body))
	if err != nil {
		return nil, false, err
	}
	signed, _, err := m.sign(token.Grants{Video: g}, adminTTL)
	if err != nil {
		return nil, false, err
	}
	r.Header.Set("Authorization", "Bearer "+signed)
	r.Header.Set("Content-Type", "application/json")
	if m.Lost != nil {
		r.Header.Set(RoomHeader, room)
	}
	client := m.Client
	if client == nil {
		client = http.DefaultClient
	}
	a, err := client.Do(r)
	if err != nil {
		return nil, true, im.Errorf(im.Unavailable, "the media server does not answer %s: %v", method, err)
	}
	defer a.Body.Close()
	if raw, err = io.ReadAll(io.LimitReader(a.Body, 8<<20)); err != nil {
		return nil, true, im.Errorf(im.Unavailable, "the media server's answer to %s broke off", method)
	}
	if a.StatusCode == http.StatusOK {
		return raw, false, nil
	}
	var e struct {
		Code string `json:"code"`
		Msg  string `json:"msg"`
	}
	_ = json.Unmarshal(raw, &e) // whatever it is, it is no answer
	switch e.Code {
	case "not_found":
		return nil, false, im.Errorf(im.NotFound, "the media server knows no such room or participant")
	case "failed_precondition":
		return nil, false, im.Errorf(im.FailedPrecondition, "the media server: %s", e.Msg)
	case "resource_exhausted":
		return nil, false, im.Errorf(im.ResourceExhausted, "the media server: %s", e.Msg)
	}
	return nil, a.StatusCode == http.StatusServiceUnavailable, im.Errorf(im.Unavailable, "the media server refuses %s: %d %s %s", method, a.StatusCode, e.Code, e.Msg)
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
