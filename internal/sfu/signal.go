package sfu

import (
	"maps"

	"github.com/skein-im/skein/proto/livekit"
)

// handle does what a client asks for.
func (p *Participant) handle(ses *session, m *livekit.SignalRequest) {
	r := p.room
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.session != ses || r.participants[p.identity] != p {
		return
	}
	switch k := m.Message.(type) {
	case *livekit.SignalRequest_Offer:
		p.handleOffer(k.Offer)
	case *livekit.SignalRequest_Answer:
		p.handleAnswer(k.Answer)
	case *livekit.SignalRequest_AddTrack:
		p.addTrack(k.AddTrack)
	case *livekit.SignalRequest_Mute:
		p.mute(k.Mute.GetSid(), k.Mute.GetMuted(), false)
	case *livekit.SignalRequest_Subscription:
		sids := k.Subscription.GetTrackSids()
		for _, t := range k.Subscription.GetParticipantTracks() {
			sids = append(sids, t.TrackSids...)
		}
		p.subscribe(sids, k.Subscription.GetSubscribe())
	case *livekit.SignalRequest_TrackSetting:
		for _, sid := range k.TrackSetting.GetTrackSids() {
			if s := p.subs[sid]; s != nil {
				s.settings = k.TrackSetting
				p.applySettings(s)
			}
		}
	case *livekit.SignalRequest_SubscriptionPermission:
		p.setPermissions(k.SubscriptionPermission)
	case *livekit.SignalRequest_SyncState:
		p.handleSync(k.SyncState)
	case *livekit.SignalRequest_UpdateMetadata:
		p.updateMetadata(k.UpdateMetadata)
	case *livekit.SignalRequest_UpdateAudioTrack:
		if t := p.published[k.UpdateAudioTrack.GetTrackSid()]; t != nil {
			t.info.AudioFeatures = k.UpdateAudioTrack.GetFeatures()
			r.announce(p)
		}
	case *livekit.SignalRequest_UpdateVideoTrack:
		if t := p.published[k.UpdateVideoTrack.GetTrackSid()]; t != nil {
			t.info.Width, t.info.Height = k.UpdateVideoTrack.GetWidth(), k.UpdateVideoTrack.GetHeight()
			r.announce(p)
		}
	case *livekit.SignalRequest_Leave:
		r.removeLocked(p, livekit.DisconnectReason_CLIENT_INITIATED, livekit.LeaveRequest_DISCONNECT)
	case *livekit.SignalRequest_Simulate:
		p.simulate(k.Simulate)
	default:
		p.handlePing(m)
	}
}

// simulate makes the trouble that a client asks for, to itself alone.
func (p *Participant) simulate(s *livekit.SimulateScenario) {
	switch k := s.GetScenario().(type) {
	case *livekit.SimulateScenario_SubscriberBandwidth:
		p.sub.peer.SetCeiling(max(k.SubscriberBandwidth, 0))
	case *livekit.SimulateScenario_NodeFailure, *livekit.SimulateScenario_ServerLeave, *livekit.SimulateScenario_LeaveRequestFullReconnect:
		p.room.removeLocked(p, livekit.DisconnectReason_SERVER_SHUTDOWN, livekit.LeaveRequest_RECONNECT)
	}
}

func (p *Participant) handlePing(m *livekit.SignalRequest) {
	now := p.room.server.now().UnixMilli()
	switch k := m.Message.(type) {
	case *livekit.SignalRequest_Ping:
		p.send(&livekit.SignalResponse{Message: &livekit.SignalResponse_Pong{Pong: now}})
	case *livekit.SignalRequest_PingReq:
		p.send(&livekit.SignalResponse{Message: &livekit.SignalResponse_PongResp{PongResp: &livekit.Pong{
			LastPingTimestamp: k.PingReq.GetTimestamp(), Timestamp: now,
		}}})
	}
}

// handleSync compares what a client that has come back knows with what is.
func (p *Participant) handleSync(s *livekit.SyncState) {
	if u := s.GetSubscription(); u != nil {
		for _, t := range u.GetParticipantTracks() {
			p.subscribe(t.TrackSids, u.GetSubscribe())
		}
		p.subscribe(u.GetTrackSids(), u.GetSubscribe())
	}
	for _, sid := range s.GetTrackSidsDisabled() {
		if sub := p.subs[sid]; sub != nil {
			sub.settings = &livekit.UpdateTrackSettings{Disabled: true}
			p.applySettings(sub)
		}
	}
}

// Limits of what a participant says of itself.
const (
	maxMetadata   = 64 << 10
	maxName       = 1024
	maxAttributes = 64
)

func (p *Participant) updateMetadata(u *livekit.UpdateParticipantMetadata) {
	answer := &livekit.RequestResponse{RequestId: u.GetRequestId(), Request: &livekit.RequestResponse_UpdateMetadata{UpdateMetadata: u}}
	switch {
	case !p.permission.CanUpdateMetadata:
		answer.Reason, answer.Message = livekit.RequestResponse_NOT_ALLOWED, "does not have permission to update own metadata"
	case len(u.GetMetadata()) > maxMetadata || len(u.GetName()) > maxName || len(u.GetAttributes()) > maxAttributes:
		answer.Reason, answer.Message = livekit.RequestResponse_LIMIT_EXCEEDED, "too large"
	default:
		p.describe(u.GetMetadata(), u.GetName(), u.GetAttributes())
	}
	if u.GetRequestId() != 0 {
		p.send(&livekit.SignalResponse{Message: &livekit.SignalResponse_RequestResponse{RequestResponse: answer}})
	}
}

// describe changes what is not empty; an attribute with an empty value goes.
func (p *Participant) describe(metadata, name string, attributes map[string]string) {
	if metadata != "" {
		p.metadata = metadata
	}
	if name != "" {
		p.name = name
	}
	if len(attributes) > 0 {
		p.attributes = maps.Clone(p.attributes)
		if p.attributes == nil {
			p.attributes = map[string]string{}
		}
		for k, v := range attributes {
			if v == "" {
				delete(p.attributes, k)
			} else if len(p.attributes) < maxAttributes {
				p.attributes[k] = v
			}
		}
	}
	p.room.announce(p)
}
