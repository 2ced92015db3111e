package sfu

import (
	"errors"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/sfu/forward"
	"github.com/skein-im/skein/internal/sfu/record"
	"github.com/skein-im/skein/internal/sfu/token"
	"github.com/skein-im/skein/proto/livekit"
)

// egressPath is where LiveKit's egress API is answered.
const egressPath = "/twirp/livekit.Egress/"

// egressMethods are its calls: recordings of single tracks, into the folder of
// this server.
func (s *Server) egressMethods() map[string]method {
	may := func(v token.Video, _ proto.Message) bool { return v.RoomRecord }
	return map[string]method{
		"StartTrackEgress": call(may, s.startTrackEgress),
		"StopEgress":       call(may, s.stopEgress),
		"ListEgress":       call(may, s.listEgress),
	}
}

// openSpool prepares recordings, if there is a folder for them.
func (s *Server) openSpool() (err error) {
	if s.cfg.RecordDir == "" {
		return nil
	}
	s.spool, err = record.Open(record.Options{Dir: s.cfg.RecordDir, Limit: s.cfg.RecordLimit, Now: s.port.Now, Clock: s.cfg.Clock, Entropy: s.cfg.Entropy, Log: s.log})
	return err
}

// closeSpool waits until everything that is recorded is in its file.
func (s *Server) closeSpool() {
	if s.spool != nil {
		s.spool.Close()
	}
}

// startTrackEgress begins to record a track. One that is recorded already is
// recorded once.
func (s *Server) startTrackEgress(q *livekit.TrackEgressRequest) (proto.Message, error) {
	switch f := q.GetFile(); {
	case s.spool == nil:
		return nil, &twirpError{"failed_precondition", "this server has no folder for recordings"}
	case f == nil || q.GetWebsocketUrl() != "":
		return nil, &twirpError{"invalid_argument", "a track is recorded into a file"}
	case f.S3 != nil || f.Gcp != nil || f.Azure != nil || f.AliOSS != nil:
		return nil, &twirpError{"failed_precondition", "recordings go to this server's own folder, not to a store of the request's"}
	}
	return s.inRoom(q.GetRoomName(), func(r *Room) (proto.Message, error) {
		for _, p := range r.participants {
			if t := p.published[q.GetTrackId()]; t != nil {
				return s.record(r, t, q.GetFile().GetFilepath())
			}
		}
		return nil, &twirpError{"not_found", "track does not exist"}
	})
}

// record begins a recording; the room's mu is held.
func (s *Server) record(r *Room, t *published, path string) (proto.Message, error) {
	if t.recording != nil && !t.recording.Over() {
		return t.recording.Info(), nil
	}
	if t.info.Encryption != livekit.Encryption_NONE {
		return nil, &twirpError{"failed_precondition", "the track is encrypted end to end: only who has its key can record it"}
	}
	codec := t.track.Codec()
	if codec.Name() == "" { // nothing has come yet
		codec, _ = forward.CodecOf(t.info.MimeType)
	}
	rec, err := s.spool.Start(record.Track{Egress: s.newID("EG_"), Room: r.infoLocked(), Owner: t.owner.infoLocked(), Info: proto.CloneOf(t.info), Codec: codec.Name(), Path: path,
		Ask: func(layer int) { t.track.AskKey(layer, s.port.Now()) }, Changed: s.egressChanged})
	switch {
	case errors.Is(err, record.ErrFull):
		return nil, &twirpError{"resource_exhausted", err.Error()}
	case errors.Is(err, record.ErrName):
		return nil, &twirpError{"invalid_argument", err.Error()}
	case errors.Is(err, record.ErrCodec):
		return nil, &twirpError{"failed_precondition", err.Error()}
	case err != nil:
		return nil, err
	}
	t.recording = rec
	t.track.Tap(rec.Packet)
	t.owner.dynacast(s.port.Now())
	info := rec.Info()
	s.hooks.egress("egress_started", info)
	s.mu.Lock()
	s.egress[info.EgressId] = rec
	s.mu.Unlock()
	r.markRecording()
	return info, nil
}

// markRecording tells everybody in the room whether anything of it is recorded,
// when that has changed; the room's mu is held.
func (r *Room) markRecording() {
	active := false
	for _, p := range r.participants {
		for _, t := range p.published {
			active = active || t.recording != nil && t.recording.Running()
		}
	}
	if r.info.ActiveRecording == active {
		return
	}
	r.info.ActiveRecording = active
	m := &livekit.SignalResponse{Message: &livekit.SignalResponse_RoomUpdate{RoomUpdate: &livekit.RoomUpdate{Room: r.infoLocked()}}}
	for _, p := range r.participants {
		p.send(m)
	}
}

// stopRecording ends the recording of a track that ends; the room's mu is held.
func (t *published) stopRecording() {
	if t.recording != nil {
		t.recording.Stop()
		t.recording = nil
	}
}

// egressChanged tells of a recording. It may be called under any lock.
func (s *Server) egressChanged(i *livekit.EgressInfo) {
	if i.Status >= livekit.EgressStatus_EGRESS_COMPLETE {
		s.hooks.egress("egress_ended", i)
		return
	}
	s.hooks.egress("egress_updated", i)
}

// stopEgress ends a recording; its file is complete a moment later, of which
// egress_ended tells.
func (s *Server) stopEgress(q *livekit.StopEgressRequest) (proto.Message, error) {
	s.mu.Lock()
	rec := s.egress[q.GetEgressId()]
	s.mu.Unlock()
	if rec == nil || rec.Over() {
		return nil, &twirpError{"not_found", "egress does not exist, or is over"}
	}
	rec.Stop()
	return rec.Info(), nil
}

// listEgress lists what is recorded, and what was and lies in the folder still.
func (s *Server) listEgress(q *livekit.ListEgressRequest) (proto.Message, error) {
	out := &livekit.ListEgressResponse{}
	add := func(i *livekit.EgressInfo) {
		if (q.RoomName == "" || q.RoomName == i.RoomName) && (q.EgressId == "" || q.EgressId == i.EgressId) {
			out.Items = append(out.Items, i)
		}
	}
	s.mu.Lock()
	for id, rec := range s.egress {
		if rec.Over() {
			delete(s.egress, id)
			continue
		}
		add(rec.Info())
	}
	s.mu.Unlock()
	if q.Active || s.spool == nil {
		return out, nil
	}
	over, err := s.spool.Over()
	for _, i := range over {
		add(i)
	}
	return out, err
}
