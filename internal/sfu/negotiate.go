package sfu

import (
	"fmt"
	"slices"
	"strings"

	"github.com/skein-im/skein/internal/sfu/forward"
	"github.com/skein-im/skein/internal/sfu/link"
	"github.com/skein-im/skein/internal/sfu/sdp"
	"github.com/skein-im/skein/proto/livekit"
)

// handleOffer takes a client's description over and answers it: of its only
// peer connection (protocol 1), or of the one that it publishes on.
func (p *Participant) handleOffer(sd *livekit.SessionDescription) {
	t := p.pub
	s, err := sdp.Parse(sd.Sdp)
	if err != nil || !t.agree(s) {
		p.room.server.log.Debug("an offer was not understood", "room", p.room.name, "participant", p.sid)
		return
	}
	p.asked, p.waited = false, 0
	for i, m := range s.Media {
		if i == len(t.mids) {
			t.mids = append(t.mids, &section{mid: m.Mid, kind: m.Kind, idle: true})
		}
		sec := t.mids[i]
		sec.media, sec.mid, sec.kind = m, m.Mid, m.Kind
		sec.open = p.v1 && m.Dir.Receives() && !m.Rejected && m.Kind != "application"
		sends := m.Dir.Sends() && !m.Rejected && m.Kind != "application"
		switch {
		case sends && sec.track == nil:
			p.bindTrack(t, sec, m)
		case !sends && sec.backup:
			p.endBackup(sec)
		case !sends && sec.track != nil:
			p.unpublish(sec.track)
		}
		if !sec.open && sec.sub != nil {
			sub := sec.sub
			p.dropSubscription(sub)
			sub.sec, sub.told = nil, false
		}
	}
	if p.v1 {
		p.assign()
	}
	answer := &livekit.SessionDescription{Type: "answer", Id: sd.Id, MidToTrackId: map[string]string{}}
	var sections []sdp.Section
	for _, sec := range t.mids[:len(s.Media)] {
		out := t.answerSection(sec)
		if sec.sub != nil {
			answer.MidToTrackId[sec.mid] = sec.sub.of.info.Sid
		}
		sec.idle = sec.sub == nil
		sections = append(sections, out)
	}
	answer.Sdp = sdp.Write(t.local("passive", s.AllowMixed), sections)
	p.send(&livekit.SignalResponse{Message: &livekit.SignalResponse_Answer{Answer: answer}})
	for _, sec := range t.mids {
		if sec.sub != nil && sec.media != nil {
			p.begin(sec.sub, sec.media)
		}
	}
	if p.v1 {
		p.place()
	}
}

// agree takes over what a description says of the connection: ICE, DTLS,
// numbers of codecs and extensions.
func (t *transport) agree(s *sdp.Session) bool {
	var first *sdp.Media
	exts, codecs, rtx := map[uint8]forward.Ext{}, map[uint8]forward.Codec{}, map[uint8]uint8{}
	var out forward.ExtMap
	data := false
	for _, m := range s.Media {
		if m.Rejected {
			continue
		}
		if first == nil && m.Ufrag != "" && m.Fingerprint != "" {
			first = m
		}
		data = data || m.Kind == "application"
		for _, e := range m.Exts {
			if x, ok := forward.ExtOf(e.URI); ok {
				exts[e.ID], out[x] = x, e.ID
			}
		}
		for _, c := range m.Codecs {
			if apt, ok := c.Apt(); ok && c.Name == "rtx" {
				rtx[c.PT] = apt
			} else if x, ok := forward.CodecOf(c.Name); ok {
				codecs[c.PT] = x
			}
		}
	}
	if first == nil {
		return false
	}
	t.peer.Inbound(exts, codecs, rtx)
	t.peer.Outbound(out)
	if t.remoteUfrag != "" && t.remoteUfrag != first.Ufrag && t.target == livekit.SignalTarget_PUBLISHER {
		if _, err := t.peer.Link.RestartICE(); err != nil { // the client begins ICE anew
			return false
		}
	}
	t.remoteUfrag = first.Ufrag
	t.peer.Link.SetRemote(link.Credentials{Ufrag: first.Ufrag, Pwd: first.Pwd})
	return t.peer.Link.Start(first.Fingerprint, first.Setup == "passive", data) == nil
}

// local is the server's part of a description.
func (t *transport) local(setup string, mixed bool) sdp.Local {
	c := t.peer.Link.Local()
	t.sdpVersion++
	port := t.p.room.server.port
	l := sdp.Local{ID: t.sdpID, Version: t.sdpVersion, Ufrag: c.Ufrag, Pwd: c.Pwd, Fingerprint: port.Fingerprint(), Setup: setup, AllowMixed: mixed, MaxMessage: link.MaxMessage}
	for _, k := range port.Candidates() {
		l.Candidates = append(l.Candidates, sdp.Candidate{Addr: k.Addr, TCP: k.TCP, Priority: k.Priority})
	}
	return l
}

// answerSection is the answer to one section.
func (t *transport) answerSection(sec *section) sdp.Section {
	m := sec.media
	out := sdp.Section{Kind: m.Kind, Mid: m.Mid, Rejected: m.Rejected, Dir: sdp.Inactive}
	if m.Kind == "application" {
		out.SCTPPort = 5000
		return out
	}
	out.Codecs, out.Exts = acceptCodecs(m, sec.track, sec.backup), acceptExts(m)
	if len(out.Codecs) == 0 {
		out.Rejected = true
		return out
	}
	receives, sends := sec.track != nil, sec.sub != nil
	switch {
	case receives && sends:
		out.Dir = sdp.SendRecv
	case receives:
		out.Dir = sdp.RecvOnly
	case sends:
		out.Dir = sdp.SendOnly
	}
	if receives {
		out.Rids = m.Rids
	}
	if sends {
		setStream(&out, sec.sub)
	}
	return out
}

func acceptExts(m *sdp.Media) (out []sdp.Ext) {
	for _, e := range m.Exts {
		if _, ok := forward.ExtOf(e.URI); ok {
			out = append(out, e)
		}
	}
	return out
}

// feedbacks are the kinds of RTCP feedback that are understood. Browsers offer
// none to ask for audio again, but do so when the answer has it.
func feedbacks(c sdp.Codec, video bool) (out []string) {
	for _, f := range c.Feedback {
		if f == "transport-cc" || video && (f == "nack" || f == "nack pli" || f == "ccm fir") {
			out = append(out, f)
		}
	}
	if c.Name == "opus" {
		out = append(out, "nack")
	}
	return out
}

// acceptCodecs is what is left of a client's codecs, in its order; what a
// track was announced with comes first, or what its second encoding was.
func acceptCodecs(m *sdp.Media, track *published, second bool) []sdp.Codec {
	video := m.Kind == "video"
	h264 := slices.ContainsFunc(m.Codecs, func(c sdp.Codec) bool { return c.Name == "h264" && modeOne(c) })
	var out []sdp.Codec
	for _, c := range m.Codecs {
		x, ok := forward.CodecOf(c.Name)
		if !ok || strings.HasPrefix(x.Mime(), "video/") != video || (c.Name == "h264" && h264 && !modeOne(c)) {
			continue
		}
		if c.Name == "opus" && track != nil {
			c.Fmtp = opusFmtp(c.Fmtp, track.info)
		}
		c.Feedback = feedbacks(c, video)
		out = append(out, c)
	}
	// The client sends what is first.
	first := ""
	if track != nil && video {
		x, _ := forward.CodecOf(track.info.MimeType)
		first = x.Name()
		if second {
			first = track.backup.codec.Name()
		}
	} else if track != nil && track.red {
		first = "red"
	}
	if first != "" {
		slices.SortStableFunc(out, func(a, b sdp.Codec) int { return rank(a, first) - rank(b, first) })
	} else if track != nil && !video {
		out = slices.DeleteFunc(out, func(c sdp.Codec) bool { return c.Name == "red" })
	}
	for _, c := range m.Codecs {
		if apt, ok := c.Apt(); ok && c.Name == "rtx" && slices.ContainsFunc(out, func(x sdp.Codec) bool { return x.PT == apt && x.Name != "rtx" }) {
			c.Feedback = nil
			out = append(out, c)
		}
	}
	return out
}

func rank(c sdp.Codec, first string) int {
	if c.Name == first {
		return 0
	}
	return 1
}

func modeOne(c sdp.Codec) bool {
	v, _ := c.Param("packetization-mode")
	return v == "1"
}

// opusFmtp asks the sender for what the track was announced with.
func opusFmtp(fmtp string, info *livekit.TrackInfo) string {
	add := func(s string) {
		name, _, _ := strings.Cut(s, "=")
		if !strings.Contains(fmtp, name+"=") {
			fmtp = strings.TrimPrefix(fmtp+";"+s, ";")
		}
	}
	if !info.DisableDtx && !slices.Contains(info.AudioFeatures, livekit.AudioTrackFeature_TF_NO_DTX) {
		add("usedtx=1")
	}
	if info.Stereo || slices.Contains(info.AudioFeatures, livekit.AudioTrackFeature_TF_STEREO) {
		add("stereo=1")
	}
	return fmtp
}

// payloadsOf reads a receiver's numbers.
func payloadsOf(m *sdp.Media) (p forward.Payloads, any bool) {
	for _, c := range acceptCodecs(m, nil, false) {
		x, ok := forward.CodecOf(c.Name)
		if !ok || p.Media[x] != 0 {
			continue
		}
		p.Media[x], any = c.PT, true
		for _, r := range m.Codecs {
			if apt, ok := r.Apt(); ok && r.Name == "rtx" && apt == c.PT {
				p.RTX[x] = r.PT
			}
		}
	}
	return p, any
}

// streamOf names the stream of a track: its participant, and what plays in step with it.
func streamOf(t *published) string {
	if t.info.Stream != "" && !strings.ContainsAny(t.info.Stream, " \r\n|") {
		return fmt.Sprintf("%s|%s", t.owner.sid, t.info.Stream)
	}
	return fmt.Sprintf("%s|%s", t.owner.sid, t.info.Sid)
}

// offerCodecs are the numbers of protocol 0, where the server offers.
func offerCodecs(video bool) []sdp.Codec {
	if !video {
		return []sdp.Codec{
			{PT: 63, Name: "red", Clock: 48000, Channels: 2, Fmtp: "111/111", Feedback: []string{"transport-cc"}},
			{PT: 111, Name: "opus", Clock: 48000, Channels: 2, Fmtp: "minptime=10;useinbandfec=1", Feedback: []string{"transport-cc", "nack"}},
		}
	}
	fb := []string{"transport-cc", "ccm fir", "nack", "nack pli"}
	var out []sdp.Codec
	for _, c := range []sdp.Codec{
		{PT: 96, Name: "vp8"}, {PT: 98, Name: "vp9", Fmtp: "profile-id=0"},
		{PT: 125, Name: "h264", Fmtp: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"},
		{PT: 108, Name: "h264", Fmtp: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f"},
		{PT: 123, Name: "h264", Fmtp: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=640032"},
		{PT: 35, Name: "av1"},
	} {
		c.Clock, c.Feedback = 90000, fb
		out = append(out, c, sdp.Codec{PT: c.PT + 1, Name: "rtx", Clock: 90000, Fmtp: fmt.Sprintf("apt=%d", c.PT)})
	}
	return out
}

// offerExts are the extensions of protocol 0.
func offerExts(video bool) (out []sdp.Ext) {
	list := []forward.Ext{forward.ExtMid, forward.ExtTWCC, forward.ExtAudioLevel}
	if video {
		list = []forward.Ext{forward.ExtMid, forward.ExtTWCC, forward.ExtPlayoutDelay, forward.ExtDependency, forward.ExtColorSpace}
	}
	for _, e := range list {
		out = append(out, sdp.Ext{ID: uint8(e), URI: e.URI()})
	}
	return out
}

// offerSubscriber describes the connection that a client of protocol 0
// receives on, when something about it has changed.
func (p *Participant) offerSubscriber() {
	t := p.sub
	if len(t.mids) == 0 {
		t.mids = []*section{{mid: "0", kind: "application"}}
		t.again = true
		t.peer.Link.OpenChannel(1, reliableLabel, true)
		t.peer.Link.OpenChannel(3, lossyLabel, false)
	}
	for _, s := range p.subs {
		if s.sec != nil {
			continue
		}
		kind := "audio"
		if s.of.track.Video {
			kind = "video"
		}
		i := slices.IndexFunc(t.mids, func(x *section) bool { return x.kind == kind && x.sub == nil && x.idle })
		if i < 0 {
			i = len(t.mids)
			t.mids = append(t.mids, &section{mid: fmt.Sprint(i), kind: kind})
		}
		p.seat(s, t.mids[i])
		t.again = true
	}
	for _, sec := range t.mids {
		if sec.kind != "application" && sec.sub == nil && !sec.idle {
			t.again = true // has to be given back
		}
	}
	if t.again && !t.offered && p.session != nil {
		p.sendOffer()
	}
}

func (p *Participant) sendOffer() {
	t := p.sub
	t.again, t.offered = false, true
	t.offerID++
	sd := &livekit.SessionDescription{Type: "offer", Id: t.offerID, MidToTrackId: map[string]string{}}
	var sections []sdp.Section
	for _, sec := range t.mids {
		out := sdp.Section{Kind: sec.kind, Mid: sec.mid, Dir: sdp.Inactive, SCTPPort: 5000}
		if sec.kind != "application" {
			out.Codecs, out.Exts = offerCodecs(sec.kind == "video"), offerExts(sec.kind == "video")
		}
		if sec.sub != nil {
			out.Dir = sdp.SendOnly
			setStream(&out, sec.sub)
			sd.MidToTrackId[sec.mid] = sec.sub.of.info.Sid
		}
		sec.idle = sec.sub == nil
		sections = append(sections, out)
	}
	sd.Sdp = sdp.Write(t.local("actpass", true), sections)
	p.send(&livekit.SignalResponse{Message: &livekit.SignalResponse_Offer{Offer: sd}})
}

// handleAnswer takes the client's answer over (protocol 0).
func (p *Participant) handleAnswer(sd *livekit.SessionDescription) {
	t := p.sub
	if p.v1 || !t.offered || (sd.Id != 0 && sd.Id != t.offerID) {
		return
	}
	s, err := sdp.Parse(sd.Sdp)
	if err != nil || !t.agree(s) {
		return
	}
	t.offered = false
	for _, m := range s.Media {
		for _, sec := range t.mids {
			if sec.mid == m.Mid && sec.sub != nil && m.Dir.Receives() && !m.Rejected {
				sec.media = m
				p.begin(sec.sub, m)
			}
		}
	}
	p.offerSubscriber()
}

// restartSubscriber begins ICE anew on the connection of a client of protocol
// 0 that has come back.
func (p *Participant) restartSubscriber() {
	if _, err := p.sub.peer.Link.RestartICE(); err == nil && len(p.sub.mids) > 0 {
		p.sendOffer()
	}
}

// setStream names the stream that a section carries.
func setStream(out *sdp.Section, s *subscription) {
	out.Stream, out.Track, out.SSRC, out.RTXSSRC = streamOf(s.of), s.of.info.Sid, s.ssrc, s.rtx
}
