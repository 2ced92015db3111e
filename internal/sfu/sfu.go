// Package sfu is a selective forwarding unit: rooms in which participants
// publish audio, video and data, and get those of the others. It speaks
// LiveKit's client protocol and room API, so that the clients and server SDKs
// published for it work unchanged, and so that an operator can put a LiveKit
// cluster in its place by changing a URL. It knows nothing of users,
// conversations or ringing: who may join what is in the access token.
//
// The parts: token (access tokens), sdp (session descriptions), link (the
// wire: ICE, DTLS, SRTP, SCTP on one port), forward (packets), bwe (how much a
// network takes). This package has the rooms and what is said about them: one
// lock a room guards all of its state, no packet of media ever takes it, and
// nothing blocks under it.
package sfu

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/sfu/link"
	"github.com/skein-im/skein/internal/sfu/record"
	"github.com/skein-im/skein/internal/sfu/token"
	"github.com/skein-im/skein/proto/livekit"
)

// Config is what a Server is made of.
type Config struct {
	// Keys are API keys and their secrets; at least one.
	Keys map[string]string
	// Media says where media is served; Clock, Entropy and Log are filled in.
	Media link.Config
	// ICEServers gives the STUN and TURN servers that a participant is told
	// of; nil = none. It is asked at every join, so that credentials can be
	// short-lived.
	ICEServers func(identity string) []*livekit.ICEServer
	// Webhooks are URLs that events are posted to, signed with WebhookKey.
	Webhooks   []string
	WebhookKey string
	// MaxParticipants bounds a room that does not say so itself; 0 = no bound.
	MaxParticipants uint32
	// RecordDir is the folder that tracks are recorded to; empty = nothing is
	// recorded. RecordLimit is how many bytes a file has at most, 0 = any.
	RecordDir   string
	RecordLimit int64
	// NodeID names this server in what clients are told.
	NodeID string

	Clock   im.Clock
	Entropy im.Entropy
	Log     *slog.Logger
	// HTTP posts webhooks; http.DefaultClient when nil.
	HTTP *http.Client
}

// Version is told to clients as the server's.
const Version = "1.9.0"

// protocolVersion is the newest of the signalling that is spoken.
const protocolVersion = 16

// Server is one SFU. New starts it, Close ends it.
type Server struct {
	cfg   Config
	port  *link.Port
	log   *slog.Logger
	mux   *http.ServeMux
	hooks *webhooks
	spool *record.Spool // nil = nothing is recorded

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex // guards the rest
	rooms   map[string]*Room
	links   map[*transport]struct{}
	revoked map[revokedKey]time.Time     // tokens of before are refused
	egress  map[string]*record.Recording // by id; those that are over go by and by
	closed  bool
}

type revokedKey struct{ room, identity string }

// New opens the ports and serves; the HTTP side is Handler, which the caller
// mounts on a listener of its own.
func New(cfg Config) (*Server, error) {
	if len(cfg.Keys) == 0 {
		return nil, errors.New("the SFU needs an API key and its secret")
	}
	if cfg.HTTP == nil {
		cfg.HTTP = &http.Client{Timeout: 10 * time.Second}
	}
	cfg.Media.Clock, cfg.Media.Entropy, cfg.Media.Log = cfg.Clock, cfg.Entropy, cfg.Log
	if len(cfg.Media.Listen) == 0 {
		cfg.Media.Listen = []netip.Addr{netip.IPv4Unspecified()}
	}
	port, err := link.Open(cfg.Media)
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, port: port, log: cfg.Log, rooms: map[string]*Room{}, links: map[*transport]struct{}{}, revoked: map[revokedKey]time.Time{}, egress: map[string]*record.Recording{}}
	if err := s.openSpool(); err != nil {
		port.Close()
		return nil, err
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.hooks = newWebhooks(s)
	s.mux = http.NewServeMux()
	s.routes()
	return s, nil
}

// Handler is the HTTP side: signalling, the room API, and GET / for health.
func (s *Server) Handler() http.Handler { return s.mux }

// MediaPort is the number of the UDP (and TCP) port of media.
func (s *Server) MediaPort() uint16 { return s.port.Number() }

// Advertise changes the addresses of media that clients are told from now on.
func (s *Server) Advertise(addrs []netip.Addr) { s.port.Advertise(addrs) }

// Close tells everybody to come back elsewhere, ends all connections, and
// waits for every goroutine.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	rooms := make([]*Room, 0, len(s.rooms))
	for _, r := range s.rooms {
		rooms = append(rooms, r)
	}
	s.mu.Unlock()
	for _, r := range rooms {
		r.end(livekit.DisconnectReason_SERVER_SHUTDOWN, livekit.LeaveRequest_RECONNECT)
	}
	s.cancel()
	s.mu.Lock()
	links := make([]*transport, 0, len(s.links))
	for t := range s.links {
		links = append(links, t)
	}
	s.mu.Unlock()
	for _, t := range links {
		t.peer.Link.Close()
	}
	s.wg.Wait()
	s.closeSpool()
	s.port.Close()
	s.hooks.close()
}

// now is the time of day.
func (s *Server) now() time.Time { return s.cfg.Clock.Now() }

// secret finds the secret of an API key.
func (s *Server) secret(key string) (string, bool) {
	v, ok := s.cfg.Keys[key]
	return v, ok
}

// parse reads a token of a request.
func (s *Server) parse(raw string) (*token.Grants, error) { return token.Parse(raw, s.secret, s.now()) }

// newID makes a random name with a prefix.
func (s *Server) newID(prefix string) string {
	const alphabet = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789abcdefgh" // 64 and more, cut below
	var b [12]byte
	if _, err := io.ReadFull(s.cfg.Entropy, b[:]); err != nil {
		panic("sfu: no entropy: " + err.Error())
	}
	for i := range b {
		b[i] = alphabet[b[i]&63]
	}
	return prefix + string(b[:])
}

// room finds or makes a room.
func (s *Server) room(name string, make bool) (*Room, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	if r := s.rooms[name]; r != nil {
		return r, nil
	}
	if !make {
		return nil, errNoRoom
	}
	r := newRoom(s, name)
	s.rooms[name] = r
	s.wg.Go(r.run)
	s.hooks.send("room_started", r.infoLocked(), nil, nil)
	return r, nil
}

// forget takes a room that has ended out of the list.
func (s *Server) forget(r *Room) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rooms[r.name] == r {
		delete(s.rooms, r.name)
	}
}

// all are the rooms there are.
func (s *Server) all() []*Room {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*Room, 0, len(s.rooms))
	for _, r := range s.rooms {
		out = append(out, r)
	}
	return out
}

// Counts are what a supervisor may want to know.
type Counts struct{ Rooms, Participants int }

// Counts of the moment.
func (s *Server) Counts() (c Counts) {
	for _, r := range s.all() {
		r.mu.Lock()
		c.Rooms++
		c.Participants += len(r.participants)
		r.mu.Unlock()
	}
	return c
}

var (
	errClosed = errors.New("the server is going down")
	errNoRoom = errors.New("there is no such room")
	errFull   = errors.New("the room is full")
)
