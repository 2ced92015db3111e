// Package calltest is a media server without media, for tests of who speaks to
// one: the part of LiveKit's RoomService that calls use, as strict as its
// published contract, with clients that come and go and signed webhooks.
//
// It refuses what a server would only ignore: unknown fields, tokens with more
// or less than a method takes, methods that are not there. Tokens it reads and
// signs by itself: with the product's own code it would find right whatever
// that code gets wrong.
package calltest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"
)

// The key that both sides have.
const (
	Key    = "APItest"
	Secret = "a secret that nobody has but these tests"
)

// Participant is somebody in a room.
type Participant struct {
	SID      string  `json:"sid"`
	Identity string  `json:"identity"`
	State    string  `json:"state"`
	Tracks   []Track `json:"tracks,omitempty"`
	Publish  bool    `json:"-"` // whether they may

	reason string // why they were disconnected
}

// hooked is a participant as webhooks have it: what is false is absent.
func (p *Participant) hooked() map[string]any {
	may := map[string]any{"canSubscribe": true}
	if p.Publish {
		may["canPublish"], may["canPublishData"] = true, true
	}
	out := map[string]any{"sid": p.SID, "identity": p.Identity, "state": p.State, "permission": may}
	if p.reason != "" {
		out["disconnectReason"] = p.reason
	}
	return out
}

// Track is something that a participant publishes.
type Track struct {
	SID   string `json:"sid"`
	Type  string `json:"type"`
	Muted bool   `json:"muted,omitempty"`
	// Encryption is empty, or GCM of a track that is encrypted end to end.
	Encryption string `json:"encryption,omitempty"`
}

type room struct {
	most    int
	members []*Participant
}

// Server is a media server. Its methods may be called from any goroutine.
type Server struct {
	// HTTP answers RoomService.
	HTTP *httptest.Server

	mu    sync.Mutex // guards the rest
	hook  string
	rooms map[string]*room
	down  bool
	sids  int
	asked []string // method and room, of every request that was answered
	wrong []string // what broke the contract

	spool  string // of recordings
	full   bool
	egress []*Egress
}

// New starts a server; the caller closes its HTTP.
func New() *Server {
	s := &Server{rooms: map[string]*room{}}
	s.HTTP = httptest.NewServer(http.HandlerFunc(s.serve))
	return s
}

// SetHook says where webhooks go.
func (s *Server) SetHook(url string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = url
}

// SetDown has the server answer nothing.
func (s *Server) SetDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// Wrong is what broke the contract.
func (s *Server) Wrong() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.wrong)
}

// Asked counts the answered requests of a method.
func (s *Server) Asked(method string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.asked {
		if a == method {
			n++
		}
	}
	return n
}

// Rooms is how many rooms there are.
func (s *Server) Rooms() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.rooms)
}

// In are the identities of who is in the room of a token.
func (s *Server) In(token string) []string {
	c, err := check(token)
	if err != nil {
		return nil
	}
	return s.InRoom(c.Video.Room)
}

// InRoom is In by the room's name.
func (s *Server) InRoom(name string) (out []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.rooms[name]; r != nil {
		for _, p := range r.members {
			out = append(out, p.Identity)
		}
	}
	slices.Sort(out)
	return out
}

// Get returns the participant that a token stands for.
func (s *Server) Get(token string) (Participant, bool) {
	c, err := check(token)
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.find(c.Video.Room, c.Subject); err == nil && p != nil {
		out := *p
		out.Tracks = slices.Clone(p.Tracks)
		return out, true
	}
	return Participant{}, false
}

// Connect is a client that dials with a token, and publishes tracks of these
// types (AUDIO, VIDEO; "AUDIO GCM" is encrypted) if it may.
func (s *Server) Connect(token string, tracks ...string) error {
	c, err := check(token)
	if err != nil {
		return err
	}
	if !c.Video.RoomJoin || c.Video.Room == "" || c.Subject == "" {
		return fmt.Errorf("the token lets nobody into a room")
	}
	s.mu.Lock()
	if s.rooms[c.Video.Room] == nil {
		s.rooms[c.Video.Room] = &room{}
		s.mu.Unlock()
		if err := s.Tell("room_started", c.Video.Room, nil); err != nil {
			return err
		}
		s.mu.Lock()
	}
	r := s.rooms[c.Video.Room]
	if r == nil {
		s.mu.Unlock()
		return fmt.Errorf("the room was closed again")
	}
	r.members = slices.DeleteFunc(r.members, func(p *Participant) bool { return p.Identity == c.Subject })
	if r.most > 0 && len(r.members) >= r.most {
		s.mu.Unlock()
		return fmt.Errorf("the room is full")
	}
	s.sids++
	p := &Participant{SID: fmt.Sprintf("PA_%d", s.sids), Identity: c.Subject, State: "ACTIVE", Publish: c.Video.CanPublish == nil || *c.Video.CanPublish}
	for i, kind := range tracks {
		if p.Publish {
			kind, secret := strings.CutSuffix(kind, " GCM")
			t := Track{SID: fmt.Sprintf("TR_%d_%d", s.sids, i), Type: kind}
			if secret {
				t.Encryption = "GCM"
			}
			p.Tracks = append(p.Tracks, t)
		}
	}
	r.members = append(r.members, p)
	s.mu.Unlock()
	if err := s.Tell("participant_joined", c.Video.Room, p); err != nil || len(p.Tracks) == 0 {
		return err
	}
	return s.Tell("track_published", c.Video.Room, p)
}

// Disconnect is a client that goes, or whose connection is given up.
func (s *Server) Disconnect(token string) error { return s.disconnect(token, "") }

// Break ends a client's connection without a word of its own, as a page that is
// loaded anew does: the webhook says that it was not to be expected.
func (s *Server) Break(token string) error { return s.disconnect(token, "STATE_MISMATCH") }

func (s *Server) disconnect(token, reason string) error {
	c, err := check(token)
	if err != nil {
		return err
	}
	s.mu.Lock()
	p := s.find(c.Video.Room, c.Subject)
	if p != nil {
		s.drop(c.Video.Room, c.Subject)
	}
	s.mu.Unlock()
	if p == nil {
		return fmt.Errorf("%s is not connected", c.Subject)
	}
	p.reason = reason
	return s.Tell("participant_left", c.Video.Room, p)
}

// Vanish takes a client out without a word: a webhook that was lost.
func (s *Server) Vanish(token string) {
	c, _ := check(token)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(c.Video.Room, c.Subject)
}

// Crash forgets every room and says nothing.
func (s *Server) Crash() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.rooms)
}

// Shut is the orderly end of a server, and another one in its place: everybody is
// told to come back, and the webhooks say so.
func (s *Server) Shut() error {
	s.mu.Lock()
	rooms := s.rooms
	s.rooms = map[string]*room{}
	s.mu.Unlock()
	for name, r := range rooms {
		for _, p := range r.members {
			p.reason = "SERVER_SHUTDOWN"
			if err := s.Tell("participant_left", name, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// Most is how many may be in a room, by a token for it; 0 = no bound.
func (s *Server) Most(token string) int {
	c, err := check(token)
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.rooms[c.Video.Room]; err == nil && r != nil {
		return r.most
	}
	return 0
}

func (s *Server) find(name, who string) *Participant {
	if r := s.rooms[name]; r != nil {
		for _, p := range r.members {
			if p.Identity == who {
				return p
			}
		}
	}
	return nil
}

func (s *Server) drop(name, who string) {
	s.endOf(name, who)
	if r := s.rooms[name]; r != nil {
		r.members = slices.DeleteFunc(r.members, func(p *Participant) bool { return p.Identity == who })
	}
}

// Tell sends a signed webhook; p can be nil.
func (s *Server) Tell(event, roomName string, p *Participant) error {
	about := map[string]any{"sid": "RM_1", "name": roomName}
	e := map[string]any{"event": event, "room": about, "id": "EV_1", "createdAt": fmt.Sprint(time.Now().Unix())}
	s.mu.Lock()
	if r := s.rooms[roomName]; r != nil && r.most > 0 {
		about["maxParticipants"] = r.most
	}
	if p != nil {
		e["participant"] = p.hooked()
	}
	s.mu.Unlock()
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return s.Post(body, Hook(body))
}

// Hook is the token of a webhook's body.
func Hook(body []byte) string {
	sum := sha256.Sum256(body)
	return sign(map[string]any{"iss": Key, "nbf": time.Now().Unix(), "exp": time.Now().Add(5 * time.Minute).Unix(), "sha256": base64.StdEncoding.EncodeToString(sum[:])}, Secret)
}

// Post sends a body to the hook with a token, and returns an error unless it was
// taken.
func (s *Server) Post(body []byte, token string) error {
	s.mu.Lock()
	hook := s.hook
	s.mu.Unlock()
	if hook == "" {
		return nil
	}
	r, err := http.NewRequest(http.MethodPost, hook, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/webhook+json")
	r.Header.Set("Authorization", token)
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	text, _ := io.ReadAll(a.Body) // for the error only
	if a.StatusCode != http.StatusOK {
		return fmt.Errorf("%d %s", a.StatusCode, text)
	}
	return nil
}

type claims struct {
	Issuer  string `json:"iss"`
	Subject string `json:"sub"`
	Name    string `json:"name"`
	NotBy   int64  `json:"nbf"`
	Expires int64  `json:"exp"`
	Video   grant  `json:"video"`
}

type grant struct {
	RoomCreate     bool   `json:"roomCreate"`
	RoomJoin       bool   `json:"roomJoin"`
	RoomAdmin      bool   `json:"roomAdmin"`
	RoomRecord     bool   `json:"roomRecord"`
	Room           string `json:"room"`
	CanPublish     *bool  `json:"canPublish"`
	CanSubscribe   *bool  `json:"canSubscribe"`
	CanPublishData *bool  `json:"canPublishData"`
}

func sign(c map[string]any, secret string) string {
	body, _ := json.Marshal(c) // strings and numbers: it cannot fail
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(body)
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// check verifies a token as a media server does.
func check(token string) (c claims, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c, fmt.Errorf("%q is no JWT", token)
	}
	h := hmac.New(sha256.New, []byte(Secret))
	h.Write([]byte(parts[0] + "." + parts[1]))
	if base64.RawURLEncoding.EncodeToString(h.Sum(nil)) != parts[2] {
		return c, fmt.Errorf("the token is signed by somebody else")
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return c, err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return c, err
	}
	if now := time.Now().Unix(); c.Issuer != Key || now > c.Expires || now < c.NotBy {
		return c, fmt.Errorf("the token is of %q and good from %d to %d", c.Issuer, c.NotBy, c.Expires)
	}
	return c, nil
}

// serve answers Twirp's JSON.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		http.Error(w, "down", http.StatusBadGateway)
		return
	}
	code, res := s.answer(r)
	w.Header().Set("Content-Type", "application/json")
	if code != "" {
		status := map[string]int{"not_found": 404, "unauthenticated": 401, "permission_denied": 403, "bad_route": 404, "malformed": 400, "failed_precondition": 412, "resource_exhausted": 429, "internal": 500}[code]
		if code != "not_found" && code != "resource_exhausted" {
			s.wrong = append(s.wrong, r.URL.Path+": "+code+": "+fmt.Sprint(res))
		}
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(map[string]any{"code": code, "msg": fmt.Sprint(res)})
		return
	}
	json.NewEncoder(w).Encode(res)
}

func (s *Server) answer(r *http.Request) (code string, res any) {
	method, ok := strings.CutPrefix(r.URL.Path, "/twirp/livekit.RoomService/")
	egress := false
	if !ok {
		method, egress = strings.CutPrefix(r.URL.Path, "/twirp/livekit.Egress/")
		ok = egress
	}
	if !ok || r.Method != http.MethodPost {
		return "bad_route", r.Method + " " + r.URL.Path
	}
	if ct := r.Header.Get("Content-Type"); !strings.HasPrefix(ct, "application/json") {
		return "malformed", "content type " + ct
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	c, err := check(token)
	if !ok || err != nil {
		return "unauthenticated", err
	}
	if egress {
		if !c.Video.RoomRecord || c.Video.RoomAdmin || c.Video.RoomCreate || c.Video.RoomJoin {
			return "permission_denied", fmt.Sprintf("%s with the grants %+v", method, c.Video)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return "malformed", err
		}
		return s.answerEgress(method, body)
	}
	var req struct {
		Name             string `json:"name"`
		EmptyTimeout     uint32 `json:"emptyTimeout"`
		DepartureTimeout uint32 `json:"departureTimeout"`
		MaxParticipants  uint32 `json:"maxParticipants"`
		Room             string `json:"room"`
		Identity         string `json:"identity"`
		TrackSID         string `json:"trackSid"`
		Muted            bool   `json:"muted"`
		Permission       *struct {
			CanSubscribe   bool `json:"canSubscribe"`
			CanPublish     bool `json:"canPublish"`
			CanPublishData bool `json:"canPublishData"`
		} `json:"permission"`
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&req); err != nil {
		return "malformed", err
	}
	creates := method == "CreateRoom" || method == "DeleteRoom"
	if creates != c.Video.RoomCreate || creates == c.Video.RoomAdmin || c.Video.RoomJoin || !creates && c.Video.Room != req.Room {
		return "permission_denied", fmt.Sprintf("%s with the grants %+v", method, c.Video)
	}
	s.asked = append(s.asked, method)
	name := req.Room
	if method == "CreateRoom" {
		if req.Name == "" {
			return "malformed", "a room without a name"
		}
		if s.rooms[req.Name] == nil {
			s.rooms[req.Name] = &room{}
		}
		s.rooms[req.Name].most = int(req.MaxParticipants)
		return "", map[string]any{"sid": "RM_1", "name": req.Name, "empty_timeout": req.EmptyTimeout}
	}
	there := s.rooms[name]
	switch {
	case method == "ListParticipants":
		if there == nil {
			return "", map[string]any{"participants": []any{}}
		}
		return "", map[string]any{"participants": there.members}
	case there == nil:
		return "not_found", "requested room does not exist"
	case method == "DeleteRoom":
		s.endOf(name, "")
		delete(s.rooms, name)
		return "", map[string]any{}
	}
	p := s.find(name, req.Identity)
	if p == nil {
		return "not_found", "participant does not exist"
	}
	switch method {
	case "GetParticipant":
		return "", p
	case "RemoveParticipant":
		s.drop(name, req.Identity)
		return "", map[string]any{}
	case "MutePublishedTrack":
		for i := range p.Tracks {
			if p.Tracks[i].SID == req.TrackSID {
				p.Tracks[i].Muted = req.Muted
				return "", map[string]any{"track": p.Tracks[i]}
			}
		}
		return "not_found", "track not found"
	case "UpdateParticipant":
		if req.Permission != nil {
			p.Publish = req.Permission.CanPublish
			if !p.Publish {
				p.Tracks = nil
			}
		}
		return "", p
	}
	return "bad_route", "no method " + method
}
