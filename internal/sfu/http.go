package sfu

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/sfu/token"
	"github.com/skein-im/skein/internal/ws"
	"github.com/skein-im/skein/proto/livekit"
)

func (s *Server) routes() {
	s.mux.HandleFunc("/rtc", func(w http.ResponseWriter, r *http.Request) { s.serveSignal(w, r, 0) })
	s.mux.HandleFunc("/rtc/v1", func(w http.ResponseWriter, r *http.Request) { s.serveSignal(w, r, 1) })
	s.mux.HandleFunc("/rtc/validate", func(w http.ResponseWriter, r *http.Request) { s.serveValidate(w, r, 0) })
	s.mux.HandleFunc("/rtc/v1/validate", func(w http.ResponseWriter, r *http.Request) { s.serveValidate(w, r, 1) })
	s.mux.HandleFunc("/twirp/livekit.RoomService/", s.serveTwirp)
	s.mux.HandleFunc(egressPath, s.serveTwirp)
	s.mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "OK") //nolint:errcheck // the client may be gone
	})
}

// cors lets pages of any origin ask: nothing here reads a cookie.
func cors(w http.ResponseWriter, r *http.Request) (done bool) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	if r.Method != http.MethodOptions {
		return false
	}
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
	h.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
	h.Set("Access-Control-Max-Age", "86400")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// bearer finds the token of a request.
func bearer(r *http.Request) string {
	if v, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return v
	}
	return r.URL.Query().Get("access_token")
}

// joiner is who is about to join, and how.
type joiner struct {
	grants    *token.Grants
	v1        bool
	auto      bool // subscribe to everything
	adaptive  bool
	pausable  bool
	client    *livekit.ClientInfo
	offer     *livekit.SessionDescription
	add       []*livekit.AddTrackRequest
	reconnect bool
	sid       string // when reconnecting
	sync      *livekit.SyncState
	metadata  string
	attrs     map[string]string
}

var errJoinRequest = errors.New("the join request cannot be read")

// joinerOf reads token and parameters; status is what a refusal is answered with.
func (s *Server) joinerOf(r *http.Request, version int) (j *joiner, status int, err error) {
	g, err := s.parse(bearer(r))
	if err != nil {
		return nil, http.StatusUnauthorized, token.ErrRefused
	}
	if !g.Video.RoomJoin || g.Video.Room == "" || g.Identity == "" || len(g.Identity) > 256 || len(g.Video.Room) > 256 {
		return nil, http.StatusForbidden, errors.New("the access token does not let into a room")
	}
	if s.isRevoked(g) {
		return nil, http.StatusUnauthorized, token.ErrRefused
	}
	j = &joiner{grants: g, v1: version == 1}
	if version == 1 {
		req, err := decodeJoin(r.URL.Query().Get("join_request"))
		if err != nil {
			return nil, http.StatusBadRequest, err
		}
		c := req.GetConnectionSettings()
		j.auto, j.adaptive, j.pausable = c.GetAutoSubscribe(), c.GetAdaptiveStream(), c.GetSubscriberAllowPause() || c.GetAdaptiveStream()
		j.client, j.offer, j.add = req.GetClientInfo(), req.GetPublisherOffer(), req.GetAddTrackRequests()
		j.reconnect, j.sid, j.sync = req.GetReconnect(), req.GetParticipantSid(), req.GetSyncState()
		j.metadata, j.attrs = req.GetMetadata(), req.GetParticipantAttributes()
		return j, 0, nil
	}
	q := r.URL.Query()
	on := func(name string, otherwise bool) bool {
		v := q.Get(name)
		if v == "" {
			return otherwise
		}
		b, err := strconv.ParseBool(v)
		return err == nil && b
	}
	j.auto, j.adaptive = on("auto_subscribe", true), on("adaptive_stream", false)
	j.pausable = on("subscriber_allow_pause", j.adaptive)
	j.reconnect, j.sid = on("reconnect", false), q.Get("sid")
	protocol, _ := strconv.Atoi(q.Get("protocol"))
	sdk := livekit.ClientInfo_SDK(livekit.ClientInfo_SDK_value[strings.ToUpper(q.Get("sdk"))])
	j.client = &livekit.ClientInfo{Sdk: sdk, Version: q.Get("version"), Protocol: int32(protocol), Os: q.Get("os"), Browser: q.Get("browser")}
	return j, 0, nil
}

func (s *Server) isRevoked(g *token.Grants) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.revoked[revokedKey{g.Video.Room, g.Identity}]
	return ok && g.NotBefore.Before(at)
}

// maxJoin bounds a join request when it is unpacked.
const maxJoin = 1 << 20

// decodeJoin unpacks what protocol 1 has in its query.
func decodeJoin(v string) (*livekit.JoinRequest, error) {
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(v), "="))
	if err != nil || len(b) > maxJoin {
		return nil, errJoinRequest
	}
	var wrapped livekit.WrappedJoinRequest
	if err := proto.Unmarshal(b, &wrapped); err != nil {
		return nil, errJoinRequest
	}
	b = wrapped.GetJoinRequest()
	if wrapped.GetCompression() == livekit.WrappedJoinRequest_GZIP {
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, errJoinRequest
		}
		if b, err = io.ReadAll(io.LimitReader(z, maxJoin+1)); err != nil || len(b) > maxJoin {
			return nil, errJoinRequest
		}
	}
	req := &livekit.JoinRequest{}
	if err := proto.Unmarshal(b, req); err != nil {
		return nil, errJoinRequest
	}
	return req, nil
}

// serveValidate tells a client why its WebSocket was refused.
func (s *Server) serveValidate(w http.ResponseWriter, r *http.Request, version int) {
	if cors(w, r) {
		return
	}
	if version == 1 && r.URL.Query().Get("join_request") == "" {
		// Only the token is asked about.
		if _, err := s.parse(bearer(r)); err != nil {
			http.Error(w, "invalid token", http.StatusUnauthorized)
			return
		}
	} else if _, status, err := s.joinerOf(r, version); err != nil {
		http.Error(w, err.Error(), status)
		return
	}
	io.WriteString(w, "success") //nolint:errcheck // the client may be gone
}

// serveSignal is a client's signalling connection.
func (s *Server) serveSignal(w http.ResponseWriter, r *http.Request, version int) {
	if cors(w, r) {
		return
	}
	j, status, err := s.joinerOf(r, version)
	if err != nil {
		http.Error(w, err.Error(), status)
		return
	}
	conn, err := ws.Upgrade(w, r, ws.UpgradeOptions{
		Limits:      ws.Limits{ReadLimit: maxSignal},
		CheckOrigin: func(*http.Request) bool { return true }, // the token is the permission, not a cookie
	})
	if err != nil {
		return
	}
	s.wg.Go(func() { s.serve(conn, j) })
}

// serve joins or resumes, and reads until the connection ends.
func (s *Server) serve(conn *ws.Conn, j *joiner) {
	ses := newSession(conn)
	s.wg.Go(ses.write)
	stop := make(chan struct{})
	defer close(stop)
	s.wg.Go(func() {
		select {
		case <-s.ctx.Done():
			ses.finish()
			select {
			case <-ses.done:
			case <-stop:
			}
			conn.Close() //nolint:errcheck // the server goes down
		case <-stop:
		}
	})
	p, err := s.enter(ses, j)
	if err != nil {
		ses.finish()
		<-ses.done
		return
	}
	ses.receive(func(m *livekit.SignalRequest) { p.handle(ses, m) }, s.now)
	p.detached(ses)
	ses.finish()
	conn.Close() //nolint:errcheck // it has ended
}

// enter brings a session to its participant: a new one, or the one it had.
func (s *Server) enter(ses *session, j *joiner) (*Participant, error) {
	room, err := s.room(j.grants.Video.Room, !j.reconnect)
	if err == nil && j.reconnect {
		var p *Participant
		if p, err = room.resume(ses, j); err == nil {
			return p, nil
		}
	} else if err == nil {
		var p *Participant
		if p, err = room.join(ses, j); err == nil {
			return p, nil
		}
		if !errors.Is(err, errNoRoom) { // which has ended at this very moment: the client makes it anew, where it belongs
			ses.send(leave(livekit.DisconnectReason_JOIN_FAILURE, livekit.LeaveRequest_DISCONNECT))
			return nil, err
		}
	}
	ses.send(leave(livekit.DisconnectReason_STATE_MISMATCH, livekit.LeaveRequest_RECONNECT))
	return nil, err
}

// leave is the message that ends a session.
func leave(reason livekit.DisconnectReason, action livekit.LeaveRequest_Action) *livekit.SignalResponse {
	return &livekit.SignalResponse{Message: &livekit.SignalResponse_Leave{Leave: &livekit.LeaveRequest{
		Reason: reason, Action: action, CanReconnect: action != livekit.LeaveRequest_DISCONNECT,
	}}}
}
