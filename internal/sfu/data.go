package sfu

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/sfu/link"
	"github.com/skein-im/skein/proto/livekit"
)

// The data channels that clients and server open.
const (
	reliableLabel = "_reliable"
	lossyLabel    = "_lossy"
)

// ChannelOpen implements link.Handler.
func (t *transport) ChannelOpen(c *link.Channel) {
	t.p.room.mu.Lock()
	defer t.p.room.mu.Unlock()
	switch c.Label {
	case reliableLabel:
		t.channels[0] = c
	case lossyLabel:
		t.channels[1] = c
	}
}

// Data implements link.Handler: a packet of a participant goes to all others,
// or to those that it names, under the name that the server knows.
func (t *transport) Data(c *link.Channel, b []byte) {
	p := t.p
	if !p.dataOK.Load() || (c.Label != reliableLabel && c.Label != lossyLabel) {
		return
	}
	k, err := readData(b)
	if err != nil {
		return
	}
	k.Kind = livekit.DataPacket_RELIABLE
	if c.Label == lossyLabel {
		k.Kind = livekit.DataPacket_LOSSY
	}
	k.ParticipantIdentity, k.ParticipantSid = p.identity, p.sid
	if u := k.GetUser(); u != nil {
		u.ParticipantIdentity, u.ParticipantSid = p.identity, p.sid
	}
	r := p.room
	r.mu.Lock()
	if r.participants[p.identity] != p {
		r.mu.Unlock()
		return
	}
	if k.Kind == livekit.DataPacket_RELIABLE && k.Sequence > p.lastSeq {
		p.lastSeq = k.Sequence
	}
	to := r.recipients(p, k)
	r.mu.Unlock()
	sendData(k, to)
}

func readData(b []byte) (*livekit.DataPacket, error) {
	k := &livekit.DataPacket{}
	if err := proto.Unmarshal(b, k); err != nil {
		return nil, errSignal
	}
	return k, nil
}

// recipients are the channels that a packet goes to. The room's mu is held.
func (r *Room) recipients(from *Participant, k *livekit.DataPacket) (out []*link.Channel) {
	names := k.DestinationIdentities
	var sids []string
	if u := k.GetUser(); u != nil {
		names = append(slices.Clone(names), u.DestinationIdentities...)
		sids = u.DestinationSids
	}
	for _, o := range r.participants {
		if o == from || (len(names)+len(sids) > 0 && !slices.Contains(names, o.identity) && !slices.Contains(sids, o.sid)) {
			continue
		}
		if c := o.sub.channels[min(int(k.Kind), 1)]; c != nil && o.permission.CanSubscribe {
			out = append(out, c)
		}
	}
	return out
}

func sendData(k *livekit.DataPacket, to []*link.Channel) {
	if len(to) == 0 {
		return
	}
	b, err := proto.Marshal(k)
	if err != nil {
		return
	}
	for _, c := range to {
		c.Send(b) //nolint:errcheck // a receiver that does not keep up loses data, as one that is gone does
	}
}
