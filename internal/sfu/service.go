package sfu

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/sfu/token"
	"github.com/skein-im/skein/proto/livekit"
)

// twirpError is an error of the room API as its callers read it.
type twirpError struct {
	Code string `json:"code"`
	Msg  string `json:"msg"`
}

func (e *twirpError) Error() string { return e.Msg }

// twirpStatus is each code's HTTP status.
func twirpStatus(code string) int {
	switch code {
	case "not_found", "bad_route":
		return http.StatusNotFound
	case "unauthenticated":
		return http.StatusUnauthorized
	case "unimplemented":
		return http.StatusNotImplemented
	case "permission_denied":
		return http.StatusForbidden
	case "invalid_argument", "malformed":
		return http.StatusBadRequest
	case "failed_precondition":
		return http.StatusPreconditionFailed
	case "resource_exhausted":
		return http.StatusTooManyRequests
	}
	return http.StatusInternalServerError
}

// method is one call of the room API: what it takes, who may, and what it does.
type method struct {
	request func() proto.Message
	may     func(v token.Video, m proto.Message) bool
	do      func(m proto.Message) (proto.Message, error)
}

// admin says that the token is of an administrator of the room that a request names.
func admin(v token.Video, m proto.Message) bool {
	r, ok := m.(interface{ GetRoom() string })
	return ok && v.RoomAdmin && v.Room == r.GetRoom() && v.Room != ""
}

func call[Q any, PQ interface {
	*Q
	proto.Message
}](may func(token.Video, proto.Message) bool, do func(PQ) (proto.Message, error)) method {
	return method{
		request: func() proto.Message { return PQ(new(Q)) },
		may:     may,
		do:      func(m proto.Message) (proto.Message, error) { return do(m.(PQ)) },
	}
}

func (s *Server) methods() map[string]method {
	create := func(v token.Video, _ proto.Message) bool { return v.RoomCreate }
	list := func(v token.Video, _ proto.Message) bool { return v.RoomList }
	remove := func(v token.Video, m proto.Message) bool { return v.RoomCreate || admin(v, m) }
	return map[string]method{
		"CreateRoom":          call(create, s.createRoom),
		"ListRooms":           call(list, s.listRooms),
		"DeleteRoom":          call(remove, s.deleteRoom),
		"ReleaseRoom":         call(remove, s.releaseRoom),
		"ListParticipants":    call(admin, s.listParticipants),
		"GetParticipant":      call(admin, s.getParticipant),
		"RemoveParticipant":   call(admin, s.removeParticipant),
		"MutePublishedTrack":  call(admin, s.mutePublishedTrack),
		"UpdateParticipant":   call(admin, s.updateParticipant),
		"UpdateSubscriptions": call(admin, s.updateSubscriptions),
		"SendData":            call(admin, s.sendDataPacket),
		"UpdateRoomMetadata":  call(admin, s.updateRoomMetadata),
	}
}

// unimplemented says of calls of LiveKit's room API that there are not here
// what to do instead, so that nobody takes them for misspelt.
func unimplemented(name string) (why string, known bool) {
	switch name {
	case "ForwardParticipant", "MoveParticipant":
		return "participants stay in their room: give the client a token of the other room, with which it joins", true
	case "PerformRpc":
		return "calls between participants are made by a participant: join the room", true
	}
	return "", false
}

// maxTwirp bounds a request of the room API, bytes.
const maxTwirp = 1 << 20

func (s *Server) serveTwirp(w http.ResponseWriter, r *http.Request) {
	if cors(w, r) {
		return
	}
	out, err := s.twirp(r)
	isProto := strings.HasPrefix(r.Header.Get("Content-Type"), "application/protobuf")
	if err != nil {
		e, ok := err.(*twirpError)
		if !ok {
			s.log.Error("a call of the room API failed", "path", r.URL.Path, "error", err)
			e = &twirpError{"internal", "internal error"}
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(twirpStatus(e.Code))
		json.NewEncoder(w).Encode(e) //nolint:errcheck // the caller may be gone
		return
	}
	var b []byte
	if isProto {
		w.Header().Set("Content-Type", "application/protobuf")
		b, err = proto.Marshal(out)
	} else {
		w.Header().Set("Content-Type", "application/json")
		b, err = jsonOut.Marshal(out)
	}
	if err != nil {
		http.Error(w, "internal", http.StatusInternalServerError)
		return
	}
	w.Write(b) //nolint:errcheck // the caller may be gone
}

func (s *Server) twirp(r *http.Request) (proto.Message, error) {
	methods, name := s.methods(), strings.TrimPrefix(r.URL.Path, "/twirp/livekit.RoomService/")
	if strings.HasPrefix(r.URL.Path, egressPath) {
		methods, name = s.egressMethods(), strings.TrimPrefix(r.URL.Path, egressPath)
	}
	m, ok := methods[name]
	why, known := unimplemented(name)
	if !ok && !known || r.Method != http.MethodPost {
		return nil, &twirpError{"bad_route", "no such method"}
	}
	g, err := s.parse(bearer(r))
	if err != nil {
		return nil, &twirpError{"unauthenticated", "permissions denied"}
	}
	if known {
		return nil, &twirpError{"unimplemented", why}
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, maxTwirp+1))
	if err != nil || len(b) > maxTwirp {
		return nil, &twirpError{"malformed", "the body cannot be read"}
	}
	req := m.request()
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/protobuf") {
		err = proto.Unmarshal(b, req)
	} else {
		err = jsonIn.Unmarshal(b, req)
	}
	if err != nil {
		return nil, &twirpError{"malformed", "the body cannot be read"}
	}
	if !m.may(g.Video, req) {
		return nil, &twirpError{"permission_denied", "permissions denied"}
	}
	return m.do(req)
}

func (s *Server) createRoom(q *livekit.CreateRoomRequest) (proto.Message, error) {
	if q.Name == "" || len(q.Name) > 256 {
		return nil, &twirpError{"invalid_argument", "a room needs a name of at most 256 bytes"}
	}
	r, err := s.room(q.Name, true)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if q.EmptyTimeout > 0 {
		r.info.EmptyTimeout = q.EmptyTimeout
	}
	if q.DepartureTimeout > 0 {
		r.info.DepartureTimeout = q.DepartureTimeout
	}
	if q.MaxParticipants > 0 {
		r.info.MaxParticipants = q.MaxParticipants
	}
	if q.Metadata != "" {
		r.info.Metadata = q.Metadata
	}
	return r.infoLocked(), nil
}

func (s *Server) listRooms(q *livekit.ListRoomsRequest) (proto.Message, error) {
	out := &livekit.ListRoomsResponse{}
	for _, r := range s.all() {
		if len(q.Names) > 0 && !slices.Contains(q.Names, r.name) {
			continue
		}
		r.mu.Lock()
		out.Rooms = append(out.Rooms, r.infoLocked())
		r.mu.Unlock()
	}
	return out, nil
}

// inRoom runs do under the room's lock.
func (s *Server) inRoom(name string, do func(*Room) (proto.Message, error)) (proto.Message, error) {
	r, err := s.room(name, false)
	if err != nil {
		return nil, &twirpError{"not_found", "requested room does not exist"}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return do(r)
}

// with runs do for a participant.
func (s *Server) with(room, identity string, do func(*Participant) (proto.Message, error)) (proto.Message, error) {
	return s.inRoom(room, func(r *Room) (proto.Message, error) {
		p := r.participants[identity]
		if p == nil {
			return nil, &twirpError{"not_found", "participant does not exist"}
		}
		return do(p)
	})
}

func (s *Server) deleteRoom(q *livekit.DeleteRoomRequest) (proto.Message, error) {
	return s.inRoom(q.Room, func(r *Room) (proto.Message, error) {
		r.endLocked(livekit.DisconnectReason_ROOM_DELETED, livekit.LeaveRequest_DISCONNECT)
		return &livekit.DeleteRoomResponse{}, nil
	})
}

// releaseRoom is not of LiveKit's API: it ends a room that goes on at another
// node, where everybody is told to come.
func (s *Server) releaseRoom(q *livekit.DeleteRoomRequest) (proto.Message, error) {
	return s.inRoom(q.Room, func(r *Room) (proto.Message, error) {
		r.endLocked(livekit.DisconnectReason_SERVER_SHUTDOWN, livekit.LeaveRequest_RECONNECT)
		return &livekit.DeleteRoomResponse{}, nil
	})
}

func (s *Server) listParticipants(q *livekit.ListParticipantsRequest) (proto.Message, error) {
	return s.inRoom(q.Room, func(r *Room) (proto.Message, error) {
		out := &livekit.ListParticipantsResponse{}
		for _, p := range r.sorted() {
			out.Participants = append(out.Participants, p.infoLocked())
		}
		return out, nil
	})
}

func (s *Server) getParticipant(q *livekit.RoomParticipantIdentity) (proto.Message, error) {
	return s.with(q.Room, q.Identity, func(p *Participant) (proto.Message, error) { return p.infoLocked(), nil })
}

func (s *Server) removeParticipant(q *livekit.RoomParticipantIdentity) (proto.Message, error) {
	if q.RevokeTokenTs > 0 {
		s.mu.Lock()
		if len(s.revoked) > 10_000 {
			clear(s.revoked) // tokens end by themselves soon
		}
		s.revoked[revokedKey{q.Room, q.Identity}] = time.Unix(q.RevokeTokenTs, 0)
		s.mu.Unlock()
	}
	return s.with(q.Room, q.Identity, func(p *Participant) (proto.Message, error) {
		p.room.removeLocked(p, livekit.DisconnectReason_PARTICIPANT_REMOVED, livekit.LeaveRequest_DISCONNECT)
		return &livekit.RemoveParticipantResponse{}, nil
	})
}

func (s *Server) mutePublishedTrack(q *livekit.MuteRoomTrackRequest) (proto.Message, error) {
	return s.with(q.Room, q.Identity, func(p *Participant) (proto.Message, error) {
		t := p.mute(q.TrackSid, q.Muted, true)
		if t == nil {
			return nil, &twirpError{"not_found", "track does not exist"}
		}
		return &livekit.MuteRoomTrackResponse{Track: proto.CloneOf(t.info)}, nil
	})
}

func (s *Server) updateParticipant(q *livekit.UpdateParticipantRequest) (proto.Message, error) {
	return s.with(q.Room, q.Identity, func(p *Participant) (proto.Message, error) {
		if len(q.Metadata) > maxMetadata || len(q.Name) > maxName || len(q.Attributes) > maxAttributes {
			return nil, &twirpError{"invalid_argument", "too large"}
		}
		if q.Permission != nil {
			p.permit(q.Permission)
		}
		p.describe(q.Metadata, q.Name, q.Attributes)
		return p.infoLocked(), nil
	})
}

// permit changes what a participant may do, at once.
func (p *Participant) permit(x *livekit.ParticipantPermission) {
	p.permission = proto.CloneOf(x)
	p.dataOK.Store(x.CanPublishData)
	for _, t := range p.published {
		if !p.mayPublish(t.info.Source) {
			p.send(&livekit.SignalResponse{Message: &livekit.SignalResponse_TrackUnpublished{TrackUnpublished: &livekit.TrackUnpublishedResponse{TrackSid: t.info.Sid}}})
			p.unpublish(t)
		}
	}
	for cid, t := range p.pending {
		if !p.mayPublish(t.info.Source) {
			delete(p.pending, cid)
		}
	}
	p.reconcile()
}

func (s *Server) updateSubscriptions(q *livekit.UpdateSubscriptionsRequest) (proto.Message, error) {
	return s.with(q.Room, q.Identity, func(p *Participant) (proto.Message, error) {
		sids := q.TrackSids
		for _, t := range q.ParticipantTracks {
			sids = append(sids, t.TrackSids...)
		}
		p.subscribe(sids, q.Subscribe)
		return &livekit.UpdateSubscriptionsResponse{}, nil
	})
}

func (s *Server) sendDataPacket(q *livekit.SendDataRequest) (proto.Message, error) {
	return s.inRoom(q.Room, func(r *Room) (proto.Message, error) {
		k := &livekit.DataPacket{Kind: q.Kind, DestinationIdentities: q.DestinationIdentities, User: &livekit.UserPacket{
			Payload: q.Data, Topic: q.Topic, DestinationSids: q.DestinationSids, DestinationIdentities: q.DestinationIdentities, Nonce: q.Nonce,
		}}
		to := r.recipients(nil, k)
		s.wg.Go(func() { sendData(k, to) })
		return &livekit.SendDataResponse{}, nil
	})
}

func (s *Server) updateRoomMetadata(q *livekit.UpdateRoomMetadataRequest) (proto.Message, error) {
	return s.inRoom(q.Room, func(r *Room) (proto.Message, error) {
		if len(q.Metadata) > maxMetadata {
			return nil, &twirpError{"invalid_argument", "too large"}
		}
		r.info.Metadata = q.Metadata
		m := &livekit.SignalResponse{Message: &livekit.SignalResponse_RoomUpdate{RoomUpdate: &livekit.RoomUpdate{Room: r.infoLocked()}}}
		for _, p := range r.participants {
			p.send(m)
		}
		return r.infoLocked(), nil
	})
}
