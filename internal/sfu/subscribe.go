package sfu

import (
	"slices"

	"github.com/skein-im/skein/internal/sfu/forward"
	"github.com/skein-im/skein/internal/sfu/sdp"
	"github.com/skein-im/skein/proto/livekit"
)

// subscription is one track that a participant gets, or is about to.
type subscription struct {
	of        *published
	sec       *section // nil while there is none for it
	ssrc, rtx uint32
	down      *forward.Down // nil until it was agreed on
	settings  *livekit.UpdateTrackSettings
	told      bool // the publisher knows
}

// permitted asks the publisher's own rule.
func (t *published) permitted(p *Participant) bool {
	rule := t.owner.allow
	if rule == nil || rule.AllParticipants {
		return true
	}
	for _, x := range rule.TrackPermissions {
		if x.ParticipantSid == p.sid || (x.ParticipantIdentity != "" && x.ParticipantIdentity == p.identity) {
			return x.AllTracks || slices.Contains(x.TrackSids, t.info.Sid)
		}
	}
	return false
}

// reconcile makes the subscriptions what they should be: all tracks of others,
// or those asked for, of what is allowed.
func (p *Participant) reconcile() {
	if p.room.participants[p.identity] != p {
		return
	}
	want := map[string]*published{}
	for _, o := range p.room.participants {
		if o == p || !p.permission.CanSubscribe {
			continue
		}
		for sid, t := range o.published {
			wish, explicit := p.wished[sid]
			if t.bound && (wish || !explicit && p.auto) && t.permitted(p) {
				want[sid] = t
			}
		}
	}
	for sid, s := range p.subs {
		if want[sid] != s.of {
			p.dropSubscription(s)
			delete(p.subs, sid)
		}
	}
	for sid, t := range want {
		if p.subs[sid] == nil {
			p.subs[sid] = &subscription{of: t}
		}
	}
	p.place()
}

// dropSubscription stops the media at once; the section is given back with
// the next description.
func (p *Participant) dropSubscription(s *subscription) {
	if s.down != nil {
		p.sub.peer.Unsubscribe(s.down)
		s.down = nil
	}
	if s.sec != nil {
		s.sec.sub = nil
	}
	for _, ssrc := range []uint32{s.ssrc, s.rtx} {
		delete(p.sub.used, ssrc)
	}
}

// place finds sections for subscriptions that have none, and gets a new
// description under way when one is needed.
func (p *Participant) place() {
	if !p.v1 {
		p.offerSubscriber()
		return
	}
	if p.asked || len(p.sub.mids) == 0 {
		return // an offer is on its way
	}
	var need livekit.MediaSectionsRequirement
	due := false
	for _, s := range p.subs {
		if s.sec == nil {
			due = true
			if s.of.track.Video {
				need.NumVideos++
			} else {
				need.NumAudios++
			}
		}
	}
	for _, sec := range p.sub.mids {
		switch {
		case sec.sub == nil && sec.open && !sec.idle:
			due = true // has to be given back
		case sec.free() && sec.kind == "video" && need.NumVideos > 0:
			need.NumVideos--
		case sec.free() && sec.kind == "audio" && need.NumAudios > 0:
			need.NumAudios--
		}
	}
	if due {
		p.asked = true
		p.send(&livekit.SignalResponse{Message: &livekit.SignalResponse_MediaSectionsRequirement{MediaSectionsRequirement: &need}})
	}
}

// maxReminders is how often a client is reminded of a track.
const maxReminders = 5

// remind is called each second. It asks again for an offer that did not come, of a
// track that was announced or of sections that place has asked for: clients
// have been seen to lose their own wish to make one while another was under
// way, as when two people come back to a call at the same moment; one of them
// heard nothing then.
func (p *Participant) remind() {
	if !p.v1 || p.session == nil || p.state != livekit.ParticipantInfo_ACTIVE {
		return
	}
	if p.asked {
		if p.waited++; p.waited > 1 && p.waited <= 1+maxReminders {
			p.asked = false
			p.place()
		}
	}
	due := false
	for _, t := range p.pending {
		if t.reminded++; t.reminded > 1 && t.reminded <= 1+maxReminders {
			due = true
		}
	}
	if due && !p.asked {
		p.asked = true
		p.send(&livekit.SignalResponse{Message: &livekit.SignalResponse_MediaSectionsRequirement{MediaSectionsRequirement: &livekit.MediaSectionsRequirement{}}})
	}
}

// free says that a new track may come on the section.
func (s *section) free() bool { return s.open && s.sub == nil && s.track == nil && s.idle }

// assign gives free sections to subscriptions that wait, in the order of their names.
func (p *Participant) assign() {
	var waiting []*subscription
	for _, s := range p.subs {
		if s.sec == nil {
			waiting = append(waiting, s)
		}
	}
	slices.SortFunc(waiting, func(a, b *subscription) int {
		if a.of.info.Sid < b.of.info.Sid {
			return -1
		}
		return 1
	})
	for _, s := range waiting {
		for _, sec := range p.sub.mids {
			if sec.free() && (sec.kind == "video") == s.of.track.Video {
				p.seat(s, sec)
				break
			}
		}
	}
}

// seat puts a subscription on a section.
func (p *Participant) seat(s *subscription, sec *section) {
	s.sec, sec.sub, sec.idle = sec, s, false
	s.ssrc = p.sub.newSSRC()
	if s.of.track.Video {
		s.rtx = p.sub.newSSRC()
	}
}

// begin lets media flow when both sides know the section; m is the client's view of it.
func (p *Participant) begin(s *subscription, m *sdp.Media) {
	payloads, ok := payloadsOf(m)
	var track *forward.Track
	if ok {
		track, ok = s.of.trackFor(payloads)
	}
	if !ok {
		p.send(&livekit.SignalResponse{Message: &livekit.SignalResponse_SubscriptionResponse{SubscriptionResponse: &livekit.SubscriptionResponse{
			TrackSid: s.of.info.Sid, Err: livekit.SubscriptionError_SE_CODEC_UNSUPPORTED,
		}}})
		return
	}
	if track == nil { // its publisher is asked for an encoding that the viewer can decode
		s.of.owner.dynacast(p.room.server.port.Now())
		return
	}
	if s.down != nil {
		s.down.Payloads(payloads)
		return
	}
	s.down = p.sub.peer.Subscribe(track, payloads, s.ssrc, s.rtx)
	if s.settings != nil {
		p.applySettings(s)
	}
	if !s.told {
		s.told = true
		s.of.owner.send(&livekit.SignalResponse{Message: &livekit.SignalResponse_TrackSubscribed{TrackSubscribed: &livekit.TrackSubscribed{TrackSid: s.of.info.Sid}}})
	}
	s.of.owner.dynacast(p.room.server.port.Now())
}

// applySettings turns what the viewer shows into the highest layer of use.
func (p *Participant) applySettings(s *subscription) {
	if s.down == nil {
		return
	}
	top := 2
	set := s.settings
	switch {
	case set == nil:
	case set.Disabled:
		top = -1
	case set.Width > 0 || set.Height > 0:
		top = layerFor(s.of.info, set.Width, set.Height)
	default:
		top = int(min(set.Quality, livekit.VideoQuality_HIGH))
	}
	s.down.SetMax(top)
	s.of.owner.dynacast(p.room.server.port.Now())
}

// layerFor is the smallest layer that fills so many pixels, with a tenth to spare.
func layerFor(info *livekit.TrackInfo, width, height uint32) int {
	layers := info.Layers
	if len(layers) == 0 && len(info.Codecs) > 0 {
		layers = info.Codecs[0].Layers
	}
	best := 2
	for _, l := range layers {
		q := int(l.Quality)
		if q < best && uint64(max(l.Width, l.Height))*10 >= uint64(max(width, height))*9 {
			best = q
		}
	}
	return max(best, 0)
}

// subscribe notes explicit wishes.
func (p *Participant) subscribe(sids []string, on bool) {
	for _, sid := range sids {
		if len(p.wished) < 4096 {
			p.wished[sid] = on
		}
	}
	p.reconcile()
}

// setPermissions takes the publisher's rule over, and tells those it changes something for.
func (p *Participant) setPermissions(rule *livekit.SubscriptionPermission) {
	before := map[*Participant]map[string]bool{}
	for _, o := range p.room.participants {
		before[o] = map[string]bool{}
		for sid, t := range p.published {
			before[o][sid] = t.permitted(o)
		}
	}
	p.allow = rule
	for _, o := range p.room.participants {
		if o == p {
			continue
		}
		for sid, t := range p.published {
			if now := t.permitted(o); now != before[o][sid] {
				o.send(&livekit.SignalResponse{Message: &livekit.SignalResponse_SubscriptionPermissionUpdate{
					SubscriptionPermissionUpdate: &livekit.SubscriptionPermissionUpdate{ParticipantSid: p.sid, TrackSid: sid, Allowed: now},
				}})
			}
		}
		o.reconcile()
	}
}
