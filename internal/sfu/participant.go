package sfu

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/sfu/link"
	"github.com/skein-im/skein/internal/sfu/token"
	"github.com/skein-im/skein/proto/livekit"
)

// When a participant is given up.
const (
	resumeWindow = 30 * time.Second // without a signalling connection
	joinLimit    = 60 * time.Second // from the join to media
	silentLimit  = 20_000_000_000   // ns without a check of the link
	lostLimit    = 6_000_000_000    // ns without one, after which others are told
	refreshEvery = 5 * time.Minute  // a client gets a new token, to come back with
	refreshedFor = 10 * time.Minute // is how long that is good at the least
)

// Participant is one client in a room. The room's mu guards it.
type Participant struct {
	room     *Room
	sid      string
	identity string
	order    string // sorts by time of joining
	v1       bool   // one peer connection, and the client offers
	grants   *token.Grants
	auto     bool
	sifEnd   []byte
	client   *livekit.ClientInfo

	session *session // nil while it is away
	goneAt  time.Time
	missed  []*livekit.ParticipantInfo // who left while it was away

	name, metadata string
	attributes     map[string]string
	permission     *livekit.ParticipantPermission
	state          livekit.ParticipantInfo_State
	reason         livekit.DisconnectReason
	version        uint32
	joinedAt       time.Time

	pub, sub  *transport            // the same one with v1; nil until there is one
	pending   map[string]*published // announced tracks by cid
	published map[string]*published // by sid
	subs      map[string]*subscription
	allow     *livekit.SubscriptionPermission // of its own tracks; nil = all
	wished    map[string]bool                 // explicit wishes by track sid
	asked     bool                            // the client was asked for an offer
	waited    int                             // for so many seconds, it has not come
	lastSeq   uint32                          // of its reliable data packets
	refreshed time.Time                       // when the client last got a token; at once, then in turns
	dataOK    atomic.Bool                     // may publish data; read without the lock
}

func newParticipant(r *Room, ses *session, j *joiner) (*Participant, error) {
	s := r.server
	now := s.now()
	v := j.grants.Video
	p := &Participant{
		room: r, sid: s.newID("PA_"), identity: j.grants.Identity, v1: j.v1, grants: j.grants, auto: j.auto, client: j.client, session: ses,
		name: j.grants.Name, metadata: j.grants.Metadata, attributes: maps.Clone(j.grants.Attributes), joinedAt: now,
		pending: map[string]*published{}, published: map[string]*published{}, subs: map[string]*subscription{}, wished: map[string]bool{},
		permission: &livekit.ParticipantPermission{
			CanSubscribe: token.Allowed(v.CanSubscribe), CanPublish: token.Allowed(v.CanPublish), CanPublishData: token.Allowed(v.CanPublishData),
			Hidden: v.Hidden, Recorder: v.Recorder, Agent: v.Agent, CanUpdateMetadata: v.CanUpdateOwnMetadata != nil && *v.CanUpdateOwnMetadata,
		},
	}
	p.order = fmt.Sprintf("%020d%s", now.UnixNano(), p.sid)
	for _, name := range v.CanPublishSources {
		if n, ok := livekit.TrackSource_value[strings.ToUpper(name)]; ok {
			p.permission.CanPublishSources = append(p.permission.CanPublishSources, livekit.TrackSource(n))
		}
	}
	p.dataOK.Store(p.permission.CanPublishData)
	if p.permission.CanUpdateMetadata && j.metadata != "" && p.metadata == "" {
		p.metadata = j.metadata
	}
	p.sifEnd = make([]byte, 16)
	if _, err := io.ReadFull(s.cfg.Entropy, p.sifEnd); err != nil {
		return nil, err
	}
	var err error
	if p.pub, err = newTransport(p, livekit.SignalTarget_PUBLISHER, j.pausable); err != nil {
		return nil, err
	}
	p.sub = p.pub
	if !p.v1 {
		if p.sub, err = newTransport(p, livekit.SignalTarget_SUBSCRIBER, j.pausable); err != nil {
			p.pub.close()
			return nil, err
		}
	}
	return p, nil
}

// send queues a message for the client, if it is there.
func (p *Participant) send(m *livekit.SignalResponse) {
	if p.session != nil {
		p.session.send(m)
	}
}

func (p *Participant) iceServers() []*livekit.ICEServer {
	if f := p.room.server.cfg.ICEServers; f != nil {
		return f(p.identity)
	}
	return nil
}

func (s *Server) info() *livekit.ServerInfo {
	return &livekit.ServerInfo{Edition: livekit.ServerInfo_Standard, Version: Version, Protocol: protocolVersion, NodeId: s.cfg.NodeID}
}

func (p *Participant) joinResponse() *livekit.JoinResponse {
	r := p.room
	j := &livekit.JoinResponse{
		Room: r.infoLocked(), Participant: p.infoLocked(), ServerVersion: Version, IceServers: p.iceServers(), ServerInfo: r.server.info(),
		SubscriberPrimary: !p.v1 && p.permission.CanSubscribe, FastPublish: p.negotiatesFast(), PingInterval: pingEvery, PingTimeout: pingTimeout,
		SifTrailer: p.sifEnd, EnabledPublishCodecs: enabledCodecs(),
	}
	for _, o := range r.sorted() {
		if o != p && !o.permission.GetHidden() {
			j.OtherParticipants = append(j.OtherParticipants, o.infoLocked())
		}
	}
	return j
}

// negotiatesFast says whether the client is to offer as soon as it announces a
// track. LiveKit's Rust SDK and what is made of it (to 0.8.2 at least) do so with a
// queue that stands still for good when a wish to negotiate comes at the
// moment the one before ends, as after a reconnect; the client then neither sends nor
// hears. Told not to hurry it gathers such wishes for 150 ms, and one that is lost
// nevertheless comes again with the next reminder.
func (p *Participant) negotiatesFast() bool {
	switch p.client.GetSdk() {
	case livekit.ClientInfo_RUST, livekit.ClientInfo_NODE, livekit.ClientInfo_PYTHON, livekit.ClientInfo_CPP, livekit.ClientInfo_UNITY, livekit.ClientInfo_UNREAL:
		return false
	}
	return true
}

// infoLocked is what others are told.
func (p *Participant) infoLocked() *livekit.ParticipantInfo {
	i := &livekit.ParticipantInfo{
		Sid: p.sid, Identity: p.identity, State: p.state, Metadata: p.metadata, JoinedAt: p.joinedAt.Unix(), JoinedAtMs: p.joinedAt.UnixMilli(),
		Name: p.name, Version: p.version, Permission: proto.CloneOf(p.permission), IsPublisher: len(p.published) > 0, Attributes: maps.Clone(p.attributes),
		DisconnectReason: p.reason,
	}
	if k, ok := livekit.ParticipantInfo_Kind_value[strings.ToUpper(p.grants.Kind)]; ok {
		i.Kind = livekit.ParticipantInfo_Kind(k)
	}
	if p.client != nil {
		i.ClientProtocol = p.client.ClientProtocol
	}
	for _, sid := range slices.Sorted(maps.Keys(p.published)) {
		i.Tracks = append(i.Tracks, proto.CloneOf(p.published[sid].info))
	}
	return i
}

// close ends what the participant has; it is out of the room already.
func (p *Participant) close(reason livekit.DisconnectReason, action livekit.LeaveRequest_Action) {
	if reason != livekit.DisconnectReason_CLIENT_INITIATED {
		p.send(leave(reason, action))
	}
	for _, s := range p.subs {
		p.dropSubscription(s)
	}
	for _, t := range p.published {
		p.endTrack(t)
	}
	if p.session != nil {
		p.session.finish()
		p.session = nil
	}
	p.pub.close()
	if p.sub != p.pub {
		p.sub.close()
	}
}

// detached says that a session has ended; the participant may come back.
func (p *Participant) detached(ses *session) {
	r := p.room
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.session != ses {
		return
	}
	p.session = nil
	p.goneAt = r.server.now()
}

// refresh gives the client a token to come back with: the one that it joined
// with may be good for a minute, and its call lasts an hour. It grants what
// the participant may do now.
func (p *Participant) refresh(t time.Time) {
	if p.session == nil || t.Sub(p.refreshed) < refreshEvery {
		return
	}
	p.refreshed = t
	g := *p.grants
	secret, ok := p.room.server.secret(g.Key)
	if !ok {
		return
	}
	g.Name, g.Metadata, g.Attributes = p.name, p.metadata, p.attributes
	v := &g.Video
	v.CanPublish, v.CanSubscribe, v.CanPublishData = &p.permission.CanPublish, &p.permission.CanSubscribe, &p.permission.CanPublishData
	v.CanPublishSources = nil
	for _, s := range p.permission.CanPublishSources {
		v.CanPublishSources = append(v.CanPublishSources, strings.ToLower(s.String()))
	}
	v.CanUpdateOwnMetadata, v.Hidden = &p.permission.CanUpdateMetadata, p.permission.Hidden
	// Never good for longer than two rounds, however long the first one was.
	g.NotBefore, g.Expires = t, t.Add(refreshedFor)
	if raw, err := token.Mint(g.Key, secret, g); err == nil {
		p.send(&livekit.SignalResponse{Message: &livekit.SignalResponse_RefreshToken{RefreshToken: raw}})
	}
}

// expire gives up on a client that is gone for too long.
func (p *Participant) expire(now int64, t time.Time) {
	switch {
	case p.session == nil && t.Sub(p.goneAt) > resumeWindow:
		p.room.removeLocked(p, livekit.DisconnectReason_CONNECTION_TIMEOUT, livekit.LeaveRequest_DISCONNECT)
	case p.state != livekit.ParticipantInfo_ACTIVE && t.Sub(p.joinedAt) > joinLimit:
		p.room.removeLocked(p, livekit.DisconnectReason_CONNECTION_TIMEOUT, livekit.LeaveRequest_RECONNECT)
	case p.state == livekit.ParticipantInfo_ACTIVE && now-p.primary().peer.Link.LastHeard() > silentLimit:
		p.room.removeLocked(p, livekit.DisconnectReason_CONNECTION_TIMEOUT, livekit.LeaveRequest_RECONNECT)
	}
}

// primary is the transport whose connection makes the participant active.
func (p *Participant) primary() *transport {
	if !p.v1 && p.permission.CanSubscribe {
		return p.sub
	}
	return p.pub
}

// tick does the media's part of what is due by time, without the room's lock.
func (p *Participant) tick(now int64, out *link.Batch) {
	states := p.sub.peer.Tick(now, out)
	if p.pub != p.sub {
		p.pub.peer.Tick(now, out)
	}
	if len(states) == 0 {
		return
	}
	p.room.mu.Lock()
	defer p.room.mu.Unlock()
	update := &livekit.StreamStateUpdate{}
	for _, st := range states {
		for _, s := range p.subs {
			if s.down == st.Down {
				i := &livekit.StreamStateInfo{ParticipantSid: s.of.owner.sid, TrackSid: s.of.info.Sid}
				if st.Paused {
					i.State = livekit.StreamState_PAUSED
				}
				update.StreamStates = append(update.StreamStates, i)
			}
		}
	}
	if len(update.StreamStates) > 0 {
		p.send(&livekit.SignalResponse{Message: &livekit.SignalResponse_StreamStateUpdate{StreamStateUpdate: update}})
	}
}

// quality grades a connection by loss and round trip.
func (p *Participant) quality(now int64) (livekit.ConnectionQuality, float32) {
	if now-p.primary().peer.Link.LastHeard() > lostLimit {
		return livekit.ConnectionQuality_LOST, 0
	}
	in, out, rtt := p.pub.peer.Quality()
	if p.sub != p.pub {
		_, out, rtt = p.sub.peer.Quality()
	}
	loss := max(in, out)
	score := 5 - 20*loss - float64(max(rtt-200e6, 0))/250e6
	score = min(max(score, 1), 5)
	switch {
	case score > 4:
		return livekit.ConnectionQuality_EXCELLENT, float32(score)
	case score > 2.5:
		return livekit.ConnectionQuality_GOOD, float32(score)
	}
	return livekit.ConnectionQuality_POOR, float32(score)
}

// random32 is any number; SSRCs are made of it.
func (s *Server) random32() uint32 {
	var b [4]byte
	if _, err := io.ReadFull(s.cfg.Entropy, b[:]); err != nil {
		panic("sfu: no entropy: " + err.Error())
	}
	return binary.BigEndian.Uint32(b[:])
}
