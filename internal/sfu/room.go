package sfu

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/sfu/forward"
	"github.com/skein-im/skein/internal/sfu/link"
	"github.com/skein-im/skein/proto/livekit"
)

// When a room ends by itself.
const (
	emptyTimeout     = 300 // seconds in which nobody came
	departureTimeout = 20  // seconds after the last one left
)

// Room is one call. Its mu guards everything about it and its participants.
type Room struct {
	server *Server
	name   string

	mu           sync.Mutex
	info         *livekit.Room
	participants map[string]*Participant // by identity
	joined       bool                    // somebody ever was here
	emptySince   time.Time
	ended        bool
	stop         chan struct{}
	speaking     map[string]float32 // by participant's sid: as last told
}

func newRoom(s *Server, name string) *Room {
	now := s.now()
	return &Room{
		server: s, name: name, participants: map[string]*Participant{}, stop: make(chan struct{}), emptySince: now, speaking: map[string]float32{},
		info: &livekit.Room{Sid: s.newID("RM_"), Name: name, EmptyTimeout: emptyTimeout, DepartureTimeout: departureTimeout,
			CreationTime: now.Unix(), CreationTimeMs: now.UnixMilli(), EnabledCodecs: enabledCodecs(), MaxParticipants: s.cfg.MaxParticipants},
	}
}

func enabledCodecs() []*livekit.Codec {
	var out []*livekit.Codec
	for _, c := range []string{"audio/opus", "audio/red", "video/VP8", "video/H264", "video/VP9", "video/AV1", "video/rtx"} {
		out = append(out, &livekit.Codec{Mime: c})
	}
	return out
}

// infoLocked is what others are told of the room.
func (r *Room) infoLocked() *livekit.Room {
	out := proto.CloneOf(r.info)
	for _, p := range r.participants {
		if p.permission.GetHidden() {
			continue
		}
		out.NumParticipants++
		if len(p.published) > 0 {
			out.NumPublishers++
		}
	}
	return out
}

// sorted are the participants in the order in which they came.
func (r *Room) sorted() []*Participant {
	out := slices.Collect(maps.Values(r.participants))
	slices.SortFunc(out, func(a, b *Participant) int { return strings.Compare(a.order, b.order) })
	return out
}

// join makes a participant; one of the same identity is replaced.
func (r *Room) join(ses *session, j *joiner) (*Participant, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return nil, errNoRoom
	}
	if old := r.participants[j.grants.Identity]; old != nil {
		r.removeLocked(old, livekit.DisconnectReason_DUPLICATE_IDENTITY, livekit.LeaveRequest_DISCONNECT)
	}
	if limit := r.info.MaxParticipants; limit > 0 && len(r.participants) >= int(limit) {
		return nil, errFull
	}
	p, err := newParticipant(r, ses, j)
	if err != nil {
		return nil, err
	}
	r.participants[p.identity] = p
	r.joined = true
	p.send(&livekit.SignalResponse{Message: &livekit.SignalResponse_Join{Join: p.joinResponse()}})
	r.announce(p)
	for _, t := range j.add {
		p.addTrack(t)
	}
	p.reconcile() // so that the first answer already brings tracks
	if j.offer != nil {
		p.handleOffer(j.offer)
	}
	return p, nil
}

// resume gives a participant a new session.
func (r *Room) resume(ses *session, j *joiner) (*Participant, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.participants[j.grants.Identity]
	if r.ended || p == nil || p.sid != j.sid || p.v1 != j.v1 {
		return nil, errNoRoom
	}
	if p.session != nil {
		p.session.finish()
	}
	p.session, p.goneAt = ses, time.Time{}
	p.send(&livekit.SignalResponse{Message: &livekit.SignalResponse_Reconnect{Reconnect: &livekit.ReconnectResponse{
		IceServers: p.iceServers(), ServerInfo: r.server.info(), LastMessageSeq: p.lastSeq,
	}}})
	update := &livekit.ParticipantUpdate{Participants: []*livekit.ParticipantInfo{p.infoLocked()}}
	for _, o := range r.sorted() {
		if o != p && !o.permission.GetHidden() {
			update.Participants = append(update.Participants, o.infoLocked())
		}
	}
	update.Participants = append(update.Participants, p.missed...)
	p.missed = nil
	p.send(&livekit.SignalResponse{Message: &livekit.SignalResponse_Update{Update: update}})
	p.send(&livekit.SignalResponse{Message: &livekit.SignalResponse_RoomUpdate{RoomUpdate: &livekit.RoomUpdate{Room: r.infoLocked()}}})
	if j.sync != nil {
		p.handleSync(j.sync)
	}
	if j.offer != nil {
		p.handleOffer(j.offer)
	}
	if !p.v1 && p.sub != nil {
		p.restartSubscriber()
	}
	p.reconcile()
	return p, nil
}

// announce tells everybody of a participant as it is now.
func (r *Room) announce(p *Participant) {
	p.version++
	m := &livekit.SignalResponse{Message: &livekit.SignalResponse_Update{Update: &livekit.ParticipantUpdate{
		Participants: []*livekit.ParticipantInfo{p.infoLocked()},
	}}}
	for _, o := range r.participants {
		if o == p && p.state == livekit.ParticipantInfo_JOINING || o != p && p.permission.GetHidden() {
			continue
		}
		o.send(m)
	}
}

// removeLocked takes a participant out, and tells it and the others why.
func (r *Room) removeLocked(p *Participant, reason livekit.DisconnectReason, action livekit.LeaveRequest_Action) {
	if r.participants[p.identity] != p {
		return
	}
	delete(r.participants, p.identity)
	delete(r.speaking, p.sid)
	active := p.state == livekit.ParticipantInfo_ACTIVE
	for _, t := range p.published {
		r.server.hooks.send("track_unpublished", r.infoLocked(), p.infoLocked(), t.info)
	}
	p.close(reason, action)
	p.state = livekit.ParticipantInfo_DISCONNECTED
	p.reason = reason
	p.version++
	info := p.infoLocked()
	info.Tracks = nil
	m := &livekit.SignalResponse{Message: &livekit.SignalResponse_Update{Update: &livekit.ParticipantUpdate{Participants: []*livekit.ParticipantInfo{info}}}}
	for _, o := range r.participants {
		if !p.permission.GetHidden() {
			o.send(m)
			if o.session == nil && len(o.missed) < 256 {
				o.missed = append(o.missed, info)
			}
		}
		o.reconcile()
	}
	event := "participant_left"
	if !active {
		event = "participant_connection_aborted"
	}
	if reason != livekit.DisconnectReason_SERVER_SHUTDOWN { // else they are on their way back
		r.server.hooks.send(event, r.infoLocked(), p.infoLocked(), nil)
	}
	if len(r.participants) == 0 {
		r.emptySince = r.server.now()
	}
}

// end removes everybody and the room.
func (r *Room) end(reason livekit.DisconnectReason, action livekit.LeaveRequest_Action) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.endLocked(reason, action)
}

func (r *Room) endLocked(reason livekit.DisconnectReason, action livekit.LeaveRequest_Action) {
	if r.ended {
		return
	}
	r.ended = true
	for _, p := range r.sorted() {
		r.removeLocked(p, reason, action)
	}
	close(r.stop)
	r.server.forget(r)
	if reason != livekit.DisconnectReason_SERVER_SHUTDOWN { // else it goes on elsewhere
		r.server.hooks.send("room_finished", r.infoLocked(), nil, nil)
	}
}

// How often things are looked at, in ticks of forward.TickTime.
const (
	speakerTicks = int(400e6 / forward.TickTime)
	secondTicks  = int(1e9 / forward.TickTime)
	qualityTicks = 5 * secondTicks
)

// run is the room's goroutine: what is due by time. It ends with the room.
func (r *Room) run() {
	tick := time.NewTicker(forward.TickTime)
	defer tick.Stop()
	var out link.Batch
	for n := 1; ; n++ {
		select {
		case <-r.stop:
			return
		case <-r.server.ctx.Done():
			return
		case <-tick.C:
		}
		r.mu.Lock()
		people := slices.Collect(maps.Values(r.participants))
		r.mu.Unlock()
		now := r.server.port.Now()
		for _, p := range people {
			p.tick(now, &out)
		}
		r.mu.Lock()
		if n%speakerTicks == 0 {
			r.speakers()
		}
		if n%secondTicks == 0 {
			r.second(now)
		}
		if n%qualityTicks == 0 {
			r.quality(now)
		}
		r.mu.Unlock()
	}
}

// second looks for participants who are gone, and for the room's own end.
func (r *Room) second(now int64) {
	t := r.server.now()
	for _, p := range r.sorted() {
		p.dynacast(now)
		p.refresh(t)
		p.remind()
		p.expire(now, t)
	}
	r.markRecording()
	if len(r.participants) > 0 || r.ended {
		return
	}
	limit := r.info.EmptyTimeout
	if r.joined {
		limit = r.info.DepartureTimeout
	}
	if t.Sub(r.emptySince) >= time.Duration(limit)*time.Second {
		r.endLocked(livekit.DisconnectReason_ROOM_CLOSED, livekit.LeaveRequest_DISCONNECT)
	}
}

// speakers tells who began or ended to speak.
func (r *Room) speakers() {
	var changed []*livekit.SpeakerInfo
	for _, p := range r.participants {
		var share, level float64
		for _, t := range p.published {
			if sh, l := t.track.Loudness(); !t.track.Video && sh > share && !t.info.Muted {
				share, level = sh, l
			}
		}
		before := r.speaking[p.sid]
		// Averaged, and in eighths, so that a steady voice is told once.
		value := float32(0)
		if share >= 0.4 {
			value = float32(int((0.5*float64(before)+0.5*level)*8+0.5)) / 8
			if value == 0 {
				value = 0.125
			}
		}
		if value == before {
			continue
		}
		if value == 0 {
			delete(r.speaking, p.sid)
		} else {
			r.speaking[p.sid] = value
		}
		changed = append(changed, &livekit.SpeakerInfo{Sid: p.sid, Level: value, Active: value > 0})
	}
	if len(changed) == 0 {
		return
	}
	m := &livekit.SignalResponse{Message: &livekit.SignalResponse_SpeakersChanged{SpeakersChanged: &livekit.SpeakersChanged{Speakers: changed}}}
	for _, p := range r.participants {
		p.send(m)
	}
}

// quality tells everybody how well everybody is connected.
func (r *Room) quality(now int64) {
	update := &livekit.ConnectionQualityUpdate{}
	for _, p := range r.participants {
		if p.state != livekit.ParticipantInfo_ACTIVE || p.permission.GetHidden() {
			continue
		}
		q, score := p.quality(now)
		update.Updates = append(update.Updates, &livekit.ConnectionQualityInfo{ParticipantSid: p.sid, Quality: q, Score: score})
	}
	if len(update.Updates) == 0 {
		return
	}
	for _, p := range r.participants {
		// That its own connection is lost, a client finds out itself.
		u := &livekit.ConnectionQualityUpdate{Updates: slices.DeleteFunc(slices.Clone(update.Updates), func(i *livekit.ConnectionQualityInfo) bool {
			return i.ParticipantSid == p.sid && i.Quality == livekit.ConnectionQuality_LOST
		})}
		p.send(&livekit.SignalResponse{Message: &livekit.SignalResponse_ConnectionQuality{ConnectionQuality: u}})
	}
}
