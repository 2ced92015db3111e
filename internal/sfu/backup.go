package sfu

import (
	"github.com/skein-im/skein/internal/sfu/forward"
	"github.com/skein-im/skein/internal/sfu/sdp"
	"github.com/skein-im/skein/proto/livekit"
)

// backup is a second encoding of a video track, for viewers that cannot decode
// the first. Its publisher announces the codec with the track, and sends it
// from when it is told that a viewer needs it. The room's mu guards it.
type backup struct {
	codec  forward.Codec
	cid    string
	track  *forward.Track // nil until the client has announced it
	bound  bool           // the client sends it, or is about to
	needed bool           // some viewer decodes nothing else
	wanted int            // layers told to the publisher; -1 = none
}

// announceBackup notes the codec that a track may be sent in as well.
func (t *published) announceBackup(codecs []*livekit.SimulcastCodec) {
	if !t.track.Video || len(codecs) < 2 {
		return
	}
	if c, ok := forward.CodecOf(codecs[1].Codec); ok && c.Mime() != t.info.MimeType {
		t.backup = &backup{codec: c, wanted: -1}
	}
}

// addBackup answers the announcement of the second encoding itself.
func (t *published) addBackup(req *livekit.AddTrackRequest) {
	b := t.backup
	if b == nil || b.track != nil || req.Cid == "" || len(req.Cid) > 256 {
		return
	}
	b.cid, b.track = req.Cid, forward.NewTrack(true)
	b.track.Muted.Store(t.track.Muted.Load())
	for _, c := range t.info.Codecs {
		if c.MimeType == b.codec.Mime() {
			c.Cid, c.Layers = req.Cid, req.Layers
		}
	}
}

// isBackup reports whether a section of the client's carries the second encoding.
func (t *published) isBackup(m *sdp.Media) bool {
	return t.backup != nil && t.backup.cid != "" && (m.Track == t.backup.cid || m.Stream == t.backup.cid)
}

// bindBackup lets a section be the second encoding, and those begin who have
// waited for it.
func (p *Participant) bindBackup(tr *transport, sec *section, t *published, m *sdp.Media) {
	b := t.backup
	if b.track == nil || b.bound {
		return
	}
	b.bound = true
	sec.track, sec.backup = t, true
	for _, c := range t.info.Codecs {
		if c.MimeType == b.codec.Mime() {
			c.Mid = m.Mid
		}
	}
	tr.peer.Receive(m.Mid, b.track, layersOf(m))
	for _, o := range p.room.participants {
		for _, s := range o.subs {
			if s.of == t && s.down == nil && s.sec != nil && s.sec.media != nil {
				o.begin(s, s.sec.media)
			}
		}
	}
}

// endBackup takes the second encoding away; the track itself goes on.
func (p *Participant) endBackup(sec *section) {
	t := sec.track
	sec.track, sec.backup = nil, false
	b := t.backup
	if b == nil || b.track == nil {
		return
	}
	for _, o := range p.room.participants {
		for _, s := range o.subs {
			if s.of == t && s.down != nil && s.down.Track == b.track {
				o.sub.peer.Unsubscribe(s.down)
				s.down = nil
			}
		}
	}
	p.pub.peer.StopReceiving(b.track)
	*b = backup{codec: b.codec, wanted: -1}
}

// trackFor finds what a viewer can decode; nil with ok set while it is still to come.
func (t *published) trackFor(x forward.Payloads) (track *forward.Track, ok bool) {
	first, known := forward.CodecOf(t.info.MimeType)
	if !t.track.Video || !known || x.Media[first] != 0 {
		return t.track, true
	}
	b := t.backup
	if b == nil || x.Media[b.codec] == 0 {
		return nil, false
	}
	b.needed = true
	if !b.bound {
		return nil, true
	}
	return b.track, true
}

// want is the highest layer of the second encoding that anybody wants, -1 = none.
func (b *backup) want() int {
	switch {
	case b == nil || !b.needed:
		return -1
	case !b.bound:
		return 2
	}
	return b.track.Wanted()
}
