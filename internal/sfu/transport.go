package sfu

import (
	"github.com/skein-im/skein/internal/sfu/forward"
	"github.com/skein-im/skein/internal/sfu/link"
	"github.com/skein-im/skein/internal/sfu/sdp"
	"github.com/skein-im/skein/proto/livekit"
)

// transport is one peer connection of a participant: its link, its media, and
// what was agreed on in SDP. The room's mu guards it, but for what the
// embedded Peer guards itself.
type transport struct {
	*forward.Peer // RTP, RTCP and Flush of link.Handler
	peer          *forward.Peer
	p             *Participant
	target        livekit.SignalTarget

	sdpID, sdpVersion uint64
	remoteUfrag       string
	mids              []*section          // in the order of the description
	channels          [2]*link.Channel    // reliable, lossy: what the server sends on
	all               []*link.Channel     // everything that is open
	offered           bool                // protocol 0: an offer is out
	again             bool                // and another is due
	offerID           uint32              // of the newest offer
	dataMid           string              // "" = no data section
	used              map[uint32]struct{} // SSRCs of this transport
}

// section is one m-section.
type section struct {
	mid    string
	kind   string
	media  *sdp.Media // as the client last described it; nil before it has
	track  *published // what the client sends on it
	backup bool       // and that is the track's second encoding
	sub    *subscription
	open   bool // the client receives on it
	idle   bool // the client was told that nothing comes on it
}

func newTransport(p *Participant, target livekit.SignalTarget, pausable bool) (*transport, error) {
	s := p.room.server
	t := &transport{p: p, target: target, sdpID: uint64(s.random32()), used: map[uint32]struct{}{}}
	ssrc := s.random32()
	t.used[ssrc] = struct{}{}
	t.peer = forward.NewPeer(ssrc)
	t.Peer = t.peer
	t.peer.Pausable.Store(pausable)
	l, err := s.port.New(t)
	if err != nil {
		return nil, err
	}
	t.peer.Link = l
	s.mu.Lock()
	s.links[t] = struct{}{}
	s.mu.Unlock()
	return t, nil
}

// close ends the link; a goroutine waits for it.
func (t *transport) close() {
	s := t.p.room.server
	s.wg.Go(func() {
		t.peer.Link.Close()
		s.mu.Lock()
		delete(s.links, t)
		s.mu.Unlock()
	})
}

// newSSRC is one that the transport does not have.
func (t *transport) newSSRC() uint32 {
	for {
		n := t.p.room.server.random32()
		if _, taken := t.used[n]; !taken && n != 0 {
			t.used[n] = struct{}{}
			return n
		}
	}
}

// Ready implements link.Handler.
func (t *transport) Ready() {
	p := t.p
	p.room.mu.Lock()
	defer p.room.mu.Unlock()
	if p.room.participants[p.identity] != p || t != p.primary() || p.state == livekit.ParticipantInfo_ACTIVE {
		return
	}
	p.state = livekit.ParticipantInfo_ACTIVE
	p.room.announce(p)
	p.room.server.hooks.send("participant_joined", p.room.infoLocked(), p.infoLocked(), nil)
}

// Closed implements link.Handler: the client has to come back anew.
func (t *transport) Closed(error) {
	p := t.p
	p.room.mu.Lock()
	defer p.room.mu.Unlock()
	p.room.removeLocked(p, livekit.DisconnectReason_STATE_MISMATCH, livekit.LeaveRequest_RECONNECT)
}
