package forward

import (
	"encoding/binary"
	"slices"
	"sync/atomic"

	"github.com/pion/rtcp"

	"github.com/skein-im/skein/internal/sfu/link"
)

// Payloads are a receiver's payload types, 0 = cannot.
type Payloads struct {
	Media [numCodecs]uint8
	RTX   [numCodecs]uint8
}

// How a Down remembers what it sent.
const (
	historySize = 512
	resendWait  = 20_000_000 // ns before one packet is repeated again, at the least
	repairBurst = 12_000     // bytes that repairs may be ahead of their share
)

// sentPacket finds the original of what a receiver asks for.
type sentPacket struct {
	source   *Source
	seq      uint16 // as sent
	orig     uint16
	ts       uint32
	counters counters
	at       int32 // ms, of the last repetition
	first    int32 // ms, when it went out
	asked    uint8 // how often it has
	used     bool
	marker   bool
}

// Down is one subscriber's view of a track.
type Down struct {
	Track *Track
	peer  *Peer // the subscriber
	ssrc  uint32
	rtx   uint32

	max    atomic.Int32 // highest layer that the viewer shows, -1 = none
	layer  atomic.Int32 // the source that goes out, by its layer, -1 = none
	target atomic.Int32 // the source that should go out, -1 = none
	paused bool         // for want of bandwidth, as last told; the Tick's own

	// Guarded by the subscriber's link lock.
	payloads Payloads
	current  *Source // what goes out, nil = nothing yet
	munger   munger
	within   within  // of layers inside the stream
	aim      rung    // what the division has picked; the zero value for nothing
	hurry    bool    // there is no room for what goes out: only the base, until the target has begun
	halted   bool    // nothing of what goes out goes on, until a key frame
	begin    uint16  // of the piece: what came before is not worth a repetition
	sound    *echo   // of an audio stream, once its receiver has missed a packet
	credit   float64 // bytes of repairs that may go out
	creditAt int64
	rtxSeq   uint16
	history  []sentPacket
	packets  uint32
	octets   uint32
	lossRate float64 // of the last receiver report
	rtt      int64   // ns, 0 = unknown
	srNTP    uint32  // of the last sender report, and when it went out
	srAt     int64
	scratch  []byte
}

// SSRCs are the stream's numbers on the subscriber's link.
func (d *Down) SSRCs() (media, rtx uint32) { return d.ssrc, d.rtx }

// wants reports whether a packet of s can be of use; a quick look without a lock.
func (d *Down) wants(s *Source) bool {
	if !d.Track.Video {
		return d.max.Load() >= 0
	}
	return d.layer.Load() == int32(s.layer) || d.target.Load() == int32(s.layer)
}

// write sends one packet to the subscriber, if it belongs to what it gets.
// It returns a source of which a key frame is needed. The caller holds the
// subscriber's link lock.
func (d *Down) write(p *Packet, s *Source, out *link.Batch) (need *Source) {
	video, leaving := d.Track.Video, int(d.target.Load()) != s.layer
	switch {
	case d.current != s || d.halted:
		if video && leaving {
			return nil
		}
		if video && !p.frame.key {
			return s
		}
		d.cut(p, s)
		if s.newest != p.seq && video {
			defer d.catchUp(p.seq, s, out)
		}
	case video && d.target.Load() == -1:
		d.current = nil // paused: begins again with a key frame
		d.layer.Store(-1)
		return nil
	case d.hurry && leaving && !p.frame.scalable:
		d.halted = true // it has no base that could go on alone
		return nil
	}
	v, asked := verdict{marker: p.marker}, uint8(0)
	if p.frame.scalable {
		v = d.within.judge(p, d.hurry && leaving, int16(p.seq-d.munger.newest) > 0)
		if v.key && !leaving {
			need = s
		}
	}
	pt, payload := d.encode(p)
	seq, pic, fate := d.munger.number(p, v.skip || pt == 0 || len(payload) == 0, v.picture && p.codec == VP8)
	if fate == gone {
		return need
	}
	c := d.munger.counters(p.frame, pic)
	ts := p.ts + d.munger.ts
	h := outHeader{v.marker, pt, seq, ts, d.ssrc}
	if fate == blank {
		if pt != 0 {
			d.emit(&Packet{}, outHeader{pt: pt, seq: seq, ts: ts, ssrc: d.ssrc}, nil, c, nil, nil, out)
		}
		return need
	}
	d.munger.sent(ts, p.arrival)
	if video {
		if d.history == nil {
			d.history = make([]sentPacket, historySize)
		}
		e := &d.history[seq%historySize]
		if !e.used && e.seq == seq {
			asked = e.asked
		}
		*e = sentPacket{source: s, seq: seq, orig: p.seq, ts: ts, counters: c, used: true, marker: v.marker, asked: asked, first: int32(d.peer.now / 1e6)}
	}
	d.packets++
	d.octets += uint32(len(payload))
	d.emit(p, h, payload, c, nil, nil, out)
	if asked >= askedLong {
		d.resend(seq, d.peer.now, out, true)
		if asked >= askedTooLong {
			need = s
		}
	}
	return need
}

// A receiver gives up on a packet that it has asked for ten times, also while
// it is missing here. When it comes at last, it is sent twice if it may soon
// be too late, and a key frame is asked for if it probably is.
const (
	askedLong    = 4
	askedTooLong = 6
)

// early notes that a receiver asks for what is missing here as well.
func (d *Down) early(seq uint16) {
	if int16(seq-d.begin) < 0 || int16(d.munger.outSeq-seq) < 0 {
		return
	}
	e := &d.history[seq%historySize]
	if e.used || e.seq != seq {
		*e = sentPacket{seq: seq}
	}
	if e.asked < 255 {
		e.asked++
	}
}

// cut begins a piece of the stream: a source that is new, or the same one
// after a pause.
func (d *Down) cut(p *Packet, s *Source) {
	shift, known := d.shift(s)
	d.munger.cut(p, shift, known, d.Track.clock())
	d.within.cut()
	d.current, d.hurry, d.halted = s, false, false
	d.begin = d.munger.outSeq + 1
	d.layer.Store(int32(s.layer))
}

// catchUp sends what came before the key frame's first packet, which was late.
// The lock of the source's peer is held, so that its ring does not change.
func (d *Down) catchUp(seq uint16, s *Source, out *link.Batch) {
	for seq++; int16(s.newest-seq) >= 0; seq++ {
		p := s.ring[seq%ringSize]
		if p != nil && p.seq == seq && p.buf != nil && !slices.Contains(s.pending, p) {
			d.write(p, s, out)
		}
	}
}

// shift is what to add to timestamps of s so that they go on where those of
// the current source are: both have said what wall time their timestamps mean.
func (d *Down) shift(s *Source) (uint32, bool) {
	if d.current == nil || d.current.sr.at == 0 || s.sr.at == 0 {
		return 0, false
	}
	a, b := d.current.sr, s.sr
	// In 32.32 fixed point of seconds.
	apart := int64(b.ntp-a.ntp) * d.Track.clock() >> 32
	return a.rtp + uint32(apart) + d.munger.ts - b.rtp, true
}

// encode chooses the payload type; a receiver without RED gets what is in it.
func (d *Down) encode(p *Packet) (uint8, []byte) {
	pt := d.payloads.Media[p.codec]
	if pt == 0 && p.codec == RED {
		return d.payloads.Media[Opus], primary(p.payload())
	}
	return pt, p.payload()
}

// emit builds the packet and gives it to the batch. osn is set for a
// repetition: the original sequence number; descriptor, too, since its packet
// is a copy.
func (d *Down) emit(p *Packet, h outHeader, payload []byte, c counters, osn, descriptor []byte, out *link.Batch) {
	var exts [numExt]extElement
	n := 0
	ids := &d.peer.outExt
	var twcc [2]byte
	if id := ids[ExtTWCC]; id != 0 {
		exts[n] = extElement{id, twcc[:]}
		n++
	}
	var dependency [256]byte
	if p.buf != nil {
		for e := firstCopied; e < numExt; e++ {
			v := p.extension(e)
			if v == nil || ids[e] == 0 || e == ExtDependency {
				continue
			}
			exts[n] = extElement{ids[e], v}
			n++
		}
		descriptor = p.extension(ExtDependency)
	}
	// Its numbers count pictures over all layers of a sender. Only AV1, which has no counters in
	// its payload, cannot do without; a repetition needs it as well.
	if id := ids[ExtDependency]; id != 0 && p.codec == AV1 && len(descriptor) >= 3 {
		v := dependency[:copy(dependency[:], descriptor)]
		binary.BigEndian.PutUint16(v[1:], c.pic)
		exts[n] = extElement{id, v}
		n++
	}
	size := 12 + len(osn) + len(payload)
	if ids[ExtTWCC] != 0 {
		binary.BigEndian.PutUint16(twcc[:], d.peer.sender.next(d.peer.now, size))
	}
	b := appendHeader(out.Plain[:0], h, exts[:n])
	b = append(b, osn...)
	at := len(b)
	b = append(b, payload...)
	if p.codec != codecNone {
		p.frame.patch(b[at:], c)
	}
	out.Plain = b
	sent := out.Add(d.peer.Link, b)
	if d.sound != nil {
		d.sound.keep(h.seq, sent)
	}
}

// resend repeats a packet that the receiver misses, under the SSRC of repair.
// The caller holds the link's lock. The repetition has none of the copied
// extensions but keeps its place in the stream. With force set it is no repair
// but fills the way.
func (d *Down) resend(seq uint16, now int64, out *link.Batch, force bool) bool {
	if d.rtx == 0 || d.history == nil {
		return false
	}
	e := &d.history[seq%historySize]
	ms := int32(now / 1e6)
	if !e.used || e.seq != seq {
		if !force {
			d.early(seq)
		}
		return false
	}
	if !force && e.asked < 255 {
		e.asked++
	}
	if !force && (int16(seq-d.begin) < 0 || e.at != 0 && int64(ms-e.at)*1e6 < max(resendWait, d.peer.sender.rtt) || !d.afford(now)) {
		return false
	}
	var p Packet
	var room [256]byte
	payload, descriptor, ok := e.source.copyOf(e.orig, &p, d.scratch[:0], room[:0])
	if !ok {
		return false
	}
	d.scratch = payload[:0]
	pt := d.payloads.RTX[p.codec]
	if pt == 0 {
		return false
	}
	e.at = ms
	d.rtxSeq++
	var osn [2]byte
	binary.BigEndian.PutUint16(osn[:], seq)
	if !force {
		d.credit -= float64(len(payload) + overhead)
	}
	d.emit(&p, outHeader{e.marker, pt, d.rtxSeq, e.ts, d.rtx}, payload, e.counters, osn[:], descriptor, out)
	return true
}

// hopeless reports whether a packet that was asked for will not come any
// more: the receiver gives up after some requests (a browser after ten), and
// then stands still, for seconds.
func (d *Down) hopeless(seq uint16, now int64) bool {
	if d.history == nil || d.current == nil || int16(seq-d.begin) < 0 {
		return false
	}
	e := &d.history[seq%historySize]
	return e.used && e.seq == seq && e.asked > 1 && (e.asked >= giveUp || int64(int32(now/1e6)-e.first)*1e6 > giveUpAge)
}

// After so many requests, or so long, a packet counts as lost.
const (
	giveUp    = 6
	giveUpAge = 800_000_000
)

// afford reports whether there is room for a repair: they have a share of the
// way, so that a queue that overflows is not filled with what it has lost.
func (d *Down) afford(now int64) bool {
	rate := float64(1 << 40)
	if d.peer.sender.reported {
		rate = repairShare * float64(d.peer.sender.estimator.Rate()) / 8
	}
	d.credit = min(d.credit+rate*float64(now-d.creditAt)/1e9, repairBurst)
	d.creditAt = now
	return d.credit > 0
}

// repairShare is of the estimate.
const repairShare = 0.4

// probe repeats recent packets to fill the way, and returns the bytes. The
// caller holds the link's lock.
func (d *Down) probe(budget int, now int64, out *link.Batch) (sent int) {
	if d.history == nil || d.current == nil {
		return 0
	}
	for back := uint16(0); sent < budget && back < 64; back++ {
		seq := d.munger.outSeq - back
		e := &d.history[seq%historySize]
		if !e.used || e.seq != seq {
			continue // left a gap
		}
		if d.resend(seq, now, out, true) {
			sent += 1100
		}
	}
	return sent
}

// senderReport makes the report that goes with the current source: its
// sender's clock, in the timestamps that the receiver gets.
func (d *Down) senderReport(s *Source, now int64) []byte {
	if d.current != s || s.sr.at == 0 {
		return nil
	}
	sr := rtcp.SenderReport{
		SSRC: d.ssrc, NTPTime: s.sr.ntp, RTPTime: s.sr.rtp + d.munger.ts, PacketCount: d.packets, OctetCount: d.octets,
	}
	b, err := sr.Marshal()
	if err != nil {
		return nil
	}
	d.srNTP, d.srAt = uint32(s.sr.ntp>>16), now
	return b
}
