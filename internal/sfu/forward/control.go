package forward

import (
	"github.com/pion/rtcp"

	"github.com/skein-im/skein/internal/sfu/link"
)

// RTCP implements link.Handler.
func (p *Peer) RTCP(now int64, b []byte, out *link.Batch) {
	packets, err := rtcp.Unmarshal(b)
	if err != nil {
		return
	}
	for _, k := range packets {
		switch k := k.(type) {
		case *rtcp.SenderReport:
			p.senderReport(now, k, out)
			p.receptions(now, k.Reports)
		case *rtcp.ReceiverReport:
			p.receptions(now, k.Reports)
		case *rtcp.TransportLayerNack:
			p.repeat(now, k, out)
		case *rtcp.PictureLossIndication:
			p.keyWanted(now, k.MediaSSRC)
		case *rtcp.FullIntraRequest:
			for _, f := range k.FIR {
				p.keyWanted(now, f.SSRC)
			}
		case *rtcp.TransportLayerCC:
			p.Link.Lock()
			p.sender.feedback(now, k)
			p.Link.Unlock()
		}
	}
}

// senderReport notes a sender's clock and passes it on to all who get that
// stream, so that they can play its audio and video together.
func (p *Peer) senderReport(now int64, k *rtcp.SenderReport, out *link.Batch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b, ok := p.bySSRC[k.SSRC]
	if !ok || b.rtx {
		return
	}
	s := b.source
	s.sr = senderInfo{ntp: k.NTPTime, rtp: k.RTPTime, at: now, packets: k.PacketCount}
	for _, d := range *s.track.downs.Load() {
		if !d.wants(s) {
			continue
		}
		l := d.peer.Link
		l.Lock()
		if r := d.senderReport(s, now); r != nil {
			out.AddRTCP(l, r)
			out.Send(l)
		}
		l.Unlock()
	}
}

// receptions are what the client says of the streams that it gets.
func (p *Peer) receptions(now int64, reports []rtcp.ReceptionReport) {
	p.Link.Lock()
	defer p.Link.Unlock()
	for _, r := range reports {
		d := p.byOut[r.SSRC]
		if d == nil || r.SSRC != d.ssrc {
			continue
		}
		d.lossRate = float64(r.FractionLost) / 256
		if r.LastSenderReport != 0 && r.LastSenderReport == d.srNTP {
			if rtt := now - d.srAt - int64(r.Delay)*1e9/65536; rtt > 0 {
				d.rtt = rtt
			}
		}
	}
}

// maxRepeat bounds what one request may make us send.
const maxRepeat = 100

// repeat answers a receiver that misses packets.
func (p *Peer) repeat(now int64, k *rtcp.TransportLayerNack, out *link.Batch) {
	var key *Source
	defer func() {
		if key != nil {
			key.askKey(now)
		}
	}()
	p.Link.Lock()
	defer p.Link.Unlock()
	d := p.byOut[k.MediaSSRC]
	if d == nil {
		return
	}
	p.now = now
	n := 0
	for _, pair := range k.Nacks {
		for _, seq := range pair.PacketList() {
			if n++; n > maxRepeat {
				break
			}
			if !d.Track.Video {
				d.repeat(seq, now, out)
				continue
			}
			d.resend(seq, now, out, false)
			if d.hopeless(seq, now) {
				key = d.current
			}
		}
	}
	out.Send(p.Link)
}

// keyWanted asks the sender of what the client gets for a key frame.
func (p *Peer) keyWanted(now int64, ssrc uint32) {
	p.Link.Lock()
	var s *Source
	if d := p.byOut[ssrc]; d != nil && d.Track.Video {
		if s = d.current; s == nil {
			s = d.Track.layerOf(int(d.target.Load()))
		}
	}
	p.Link.Unlock()
	if s != nil {
		s.askKey(now)
	}
}

// TickTime is how often Tick is meant to be called, ns.
const TickTime = 50_000_000

// StreamState says that a Down was paused for want of bandwidth, or goes on.
type StreamState struct {
	Down   *Down
	Paused bool
}

// Tick does what is due by time: reports to the sender, and the division of
// the receiver's bandwidth. It returns what its owner tells the client.
func (p *Peer) Tick(now int64, out *link.Batch) []StreamState {
	if !p.Link.Connected() {
		return nil
	}
	p.reports(now)
	return p.divide(now, out)
}

const reportTime = 1_000_000_000

// reports tells the client how its streams arrive.
func (p *Peer) reports(now int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.sources) == 0 {
		return
	}
	var packets []rtcp.Packet
	if p.hasTWCC {
		packets = p.record.BuildFeedbackPacket()
	}
	for _, s := range p.sources {
		if len(s.missing) > 0 {
			s.ask(now)
		}
		s.keyDue(now)
	}
	if now-p.lastRR >= reportTime {
		p.lastRR = now
		rr := &rtcp.ReceiverReport{SSRC: p.ssrc}
		worst := uint8(0)
		for _, s := range p.sources {
			if s.got && len(rr.Reports) < 31 {
				r := s.report(now)
				worst = max(worst, r.FractionLost)
				rr.Reports = append(rr.Reports, r)
			}
		}
		p.inLoss = float64(worst) / 256
		packets = append([]rtcp.Packet{rr}, packets...)
	}
	if len(packets) == 0 {
		return
	}
	if b, err := rtcp.Marshal(packets); err == nil {
		p.Link.SendRTCP(b)
	}
}

// Quality is how the link does: the share of packets lost on the way to us
// and from us, 0 to 1, and the round trip in ns, 0 = unknown.
func (p *Peer) Quality() (in, out float64, rtt int64) {
	p.mu.Lock()
	in = p.inLoss
	p.mu.Unlock()
	p.Link.Lock()
	defer p.Link.Unlock()
	for _, d := range p.downs {
		out = max(out, d.lossRate)
		rtt = max(rtt, d.rtt)
	}
	return in, out, rtt
}
