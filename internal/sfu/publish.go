package sfu

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/sfu/forward"
	"github.com/skein-im/skein/internal/sfu/record"
	"github.com/skein-im/skein/internal/sfu/sdp"
	"github.com/skein-im/skein/proto/livekit"
)

// maxTracks bounds what one participant publishes.
const maxTracks = 32

// published is a track of a participant. The room's mu guards it.
type published struct {
	owner    *Participant
	info     *livekit.TrackInfo
	cids     []string
	track    *forward.Track
	bound    bool // the client sends it, or is about to
	reminded int  // seconds that it was announced and not offered
	red      bool
	backup   *backup // nil when there is only one encoding
	wanted   int     // layers told to the publisher: up to this one
	lowSince int64   // since when fewer are wanted, 0 = not

	recording *record.Recording // nil = it is not recorded
}

// mayPublish checks the permission for a source.
func (p *Participant) mayPublish(s livekit.TrackSource) bool {
	if !p.permission.CanPublish {
		return false
	}
	allowed := p.permission.CanPublishSources
	return len(allowed) == 0 || slices.Contains(allowed, s)
}

// addTrack answers the announcement of a track.
func (p *Participant) addTrack(req *livekit.AddTrackRequest) {
	refuse := func(reason livekit.RequestResponse_Reason, why string) {
		p.send(&livekit.SignalResponse{Message: &livekit.SignalResponse_RequestResponse{RequestResponse: &livekit.RequestResponse{
			Reason: reason, Message: why, Request: &livekit.RequestResponse_AddTrack{AddTrack: req},
		}}})
	}
	switch {
	case !p.mayPublish(req.Source):
		refuse(livekit.RequestResponse_NOT_ALLOWED, "does not have permission to publish")
		return
	case len(p.pending)+len(p.published) >= maxTracks:
		refuse(livekit.RequestResponse_LIMIT_EXCEEDED, "too many tracks")
		return
	case req.Type == livekit.TrackType_DATA || req.Cid == "" || len(req.Cid) > 256 || len(req.Name) > 1024:
		refuse(livekit.RequestResponse_INVALID_REQUEST, "not a track")
		return
	}
	if old := p.published[req.Sid]; req.Sid != "" && old != nil {
		if len(old.cids) < 8 {
			old.cids = append(old.cids, req.Cid)
		}
		old.addBackup(req)
		p.sendPublished(req.Cid, old)
		return
	}
	if t := p.byCID(req.Cid); t != nil {
		p.sendPublished(req.Cid, t)
		return
	}
	t := p.newTrack(req)
	p.pending[req.Cid] = t
	p.sendPublished(req.Cid, t)
}

func (p *Participant) newTrack(req *livekit.AddTrackRequest) *published {
	video := req.Type == livekit.TrackType_VIDEO
	mime := "audio/opus"
	if video {
		mime = "video/VP8"
	} else if !req.DisableRed {
		mime = "audio/red"
	}
	info := &livekit.TrackInfo{
		Sid: p.room.server.newID("TR_" + letter(req)), Type: req.Type, Name: req.Name, Muted: req.Muted, Width: req.Width, Height: req.Height,
		Simulcast: len(req.Layers) > 1, DisableDtx: req.DisableDtx, Source: req.Source, Layers: req.Layers, MimeType: mime, Stereo: req.Stereo,
		DisableRed: req.DisableRed, Encryption: req.Encryption, Stream: req.Stream, AudioFeatures: req.AudioFeatures, BackupCodecPolicy: req.BackupCodecPolicy,
	}
	t := &published{owner: p, info: info, cids: []string{req.Cid}, track: forward.NewTrack(video), red: !video && !req.DisableRed, wanted: 2}
	t.track.Muted.Store(false)
	for i, c := range req.SimulcastCodecs {
		if c.Cid != "" && !slices.Contains(t.cids, c.Cid) {
			t.cids = append(t.cids, c.Cid)
		}
		codec, ok := forward.CodecOf(c.Codec)
		if !ok {
			continue
		}
		if i == 0 {
			info.MimeType = codec.Mime()
			if len(c.Layers) > 0 {
				info.Layers = c.Layers
			}
		}
		info.Codecs = append(info.Codecs, &livekit.SimulcastCodecInfo{MimeType: codec.Mime(), Cid: c.Cid, Layers: c.Layers, VideoLayerMode: c.VideoLayerMode})
	}
	t.announceBackup(req.SimulcastCodecs)
	if len(info.Codecs) == 0 {
		info.Codecs = []*livekit.SimulcastCodecInfo{{MimeType: info.MimeType, Cid: req.Cid, Layers: info.Layers}}
	}
	return t
}

// letter makes a track's id readable: what kind it is.
func letter(req *livekit.AddTrackRequest) string {
	switch req.Source {
	case livekit.TrackSource_CAMERA:
		return "VC"
	case livekit.TrackSource_MICROPHONE:
		return "AM"
	case livekit.TrackSource_SCREEN_SHARE:
		return "VS"
	case livekit.TrackSource_SCREEN_SHARE_AUDIO:
		return "AS"
	}
	if req.Type == livekit.TrackType_VIDEO {
		return "V"
	}
	return "A"
}

func (p *Participant) byCID(cid string) *published {
	if cid == "" {
		return nil
	}
	for _, m := range []map[string]*published{p.pending, p.published} {
		for _, t := range m {
			if slices.Contains(t.cids, cid) {
				return t
			}
		}
	}
	return nil
}

func (p *Participant) sendPublished(cid string, t *published) {
	p.send(&livekit.SignalResponse{Message: &livekit.SignalResponse_TrackPublished{TrackPublished: &livekit.TrackPublishedResponse{Cid: cid, Track: proto.CloneOf(t.info)}}})
}

// rids are the names of layers, the smallest first.
var rids = []string{"q", "h", "f"}

// layersOf reads the streams of a section that the client sends.
func layersOf(m *sdp.Media) []forward.Layer {
	var out []forward.Layer
	for i, rid := range m.Rids {
		index := slices.Index(rids, rid)
		if index < 0 {
			index = min(i, 2)
		}
		out = append(out, forward.Layer{Rid: rid, Index: index})
	}
	if len(out) > 0 {
		return out
	}
	for _, ssrc := range m.Main() {
		out = append(out, forward.Layer{SSRC: ssrc, RTX: m.RTX[ssrc]})
		break
	}
	if len(out) == 0 {
		out = []forward.Layer{{}}
	}
	return out
}

// bindTrack lets the section of an offer be a track that was announced.
func (p *Participant) bindTrack(t *transport, sec *section, m *sdp.Media) {
	track := p.byCID(m.Track)
	if track == nil {
		track = p.byCID(m.Stream)
	}
	if track == nil { // some clients name the sender otherwise: the oldest of that kind
		for _, x := range p.pending {
			if !x.bound && x.track.Video == (m.Kind == "video") && (track == nil || x.info.Sid < track.info.Sid) {
				track = x
			}
		}
	}
	if track != nil && track.isBackup(m) {
		p.bindBackup(t, sec, track, m)
		return
	}
	if track == nil || track.track.Video != (m.Kind == "video") || (track.bound && track.info.Mid != m.Mid) {
		return
	}
	sec.track = track
	for cid, x := range p.pending {
		if x == track {
			delete(p.pending, cid)
		}
	}
	p.published[track.info.Sid] = track
	track.info.Mid = m.Mid
	track.info.Codecs[0].Mid = m.Mid
	track.bound = true
	t.peer.Receive(m.Mid, track.track, layersOf(m))
	p.room.announce(p)
	p.room.server.hooks.send("track_published", p.room.infoLocked(), p.infoLocked(), track.info)
	for _, o := range p.room.participants {
		if o != p {
			o.reconcile()
		}
	}
}

// unpublish takes a track away.
func (p *Participant) unpublish(t *published) {
	if p.published[t.info.Sid] != t {
		return
	}
	delete(p.published, t.info.Sid)
	p.endTrack(t)
	p.room.announce(p)
	p.room.server.hooks.send("track_unpublished", p.room.infoLocked(), p.infoLocked(), t.info)
	for _, o := range p.room.participants {
		o.reconcile()
	}
}

func (p *Participant) endTrack(t *published) {
	t.stopRecording()
	t.bound = false
	for _, sec := range p.pub.mids {
		if sec.track == t && sec.backup {
			p.endBackup(sec)
		} else if sec.track == t {
			sec.track = nil
		}
	}
	p.pub.peer.StopReceiving(t.track)
}

// mute notes what the owner, or the room's administrator, has done.
func (p *Participant) mute(sid string, muted, byServer bool) *published {
	t := p.published[sid]
	if t == nil {
		for _, x := range p.pending {
			if x.info.Sid == sid {
				x.info.Muted = muted
				return x
			}
		}
		return nil
	}
	if t.info.Muted != muted {
		t.info.Muted = muted
		if byServer || !muted {
			// What an administrator has muted is silent even if the client goes on; its owner may speak again.
			t.track.Muted.Store(muted)
			if t.backup != nil && t.backup.track != nil {
				t.backup.track.Muted.Store(muted)
			}
		}
		p.room.announce(p)
	}
	if byServer {
		p.send(&livekit.SignalResponse{Message: &livekit.SignalResponse_Mute{Mute: &livekit.MuteTrackRequest{Sid: sid, Muted: muted}}})
	}
	return t
}

// lowerWait is how long fewer layers are wanted before the publisher is told:
// a viewer who looks away often looks back.
const lowerWait = 3_000_000_000

// dynacast tells the publisher which layers anybody wants.
func (p *Participant) dynacast(now int64) {
	for _, t := range p.published {
		if !t.track.Video {
			continue
		}
		want := t.track.Wanted()
		if b := t.backup; b.want() > -1 && b.want() > b.wanted {
			p.tellWanted(t, max(want, t.wanted))
		}
		switch {
		case want == t.wanted && (t.backup == nil || t.backup.want() == t.backup.wanted):
			t.lowSince = 0
		case want > t.wanted:
			p.tellWanted(t, want)
		case t.lowSince == 0:
			t.lowSince = now
		case now-t.lowSince >= lowerWait:
			p.tellWanted(t, want)
		}
	}
}

func (p *Participant) tellWanted(t *published, want int) {
	t.wanted, t.lowSince = want, 0
	enabled := func(mime string, up int) *livekit.SubscribedCodec {
		_, name, _ := strings.Cut(strings.ToLower(mime), "/")
		c := &livekit.SubscribedCodec{Codec: name}
		for i := range 3 {
			c.Qualities = append(c.Qualities, &livekit.SubscribedQuality{Quality: livekit.VideoQuality(i), Enabled: i <= up})
		}
		return c
	}
	u := &livekit.SubscribedQualityUpdate{TrackSid: t.info.Sid, SubscribedCodecs: []*livekit.SubscribedCodec{enabled(t.info.MimeType, want)}}
	u.SubscribedQualities = u.SubscribedCodecs[0].Qualities
	if b := t.backup; b != nil && (b.needed || b.bound) {
		b.wanted = b.want()
		u.SubscribedCodecs = append(u.SubscribedCodecs, enabled(b.codec.Mime(), b.wanted))
	}
	p.send(&livekit.SignalResponse{Message: &livekit.SignalResponse_SubscribedQualityUpdate{SubscribedQualityUpdate: u}})
}
