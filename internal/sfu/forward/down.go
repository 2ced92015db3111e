package forward

import (
	"encoding/binary"
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
	resendWait  = 20_000_000 // ns before one packet is repeated again
)

// sentPacket finds the original of what a receiver asks for.
type sentPacket struct {
	source   *Source
	seq      uint16 // as sent
	orig     uint16
	ts       uint32
	counters counters
	at       int32 // ms, of the last repetition
	used     bool
}

// Down is one subscriber's view of a track.
type Down struct {
	Track *Track
	peer  *Peer // the subscriber
	ssrc  uint32
	rtx   uint32

	max    atomic.Int32 // highest layer that the viewer shows, -1 = none
	layer  atomic.Int32 // the layer that goes out, -1 = none
	target atomic.Int32 // the layer that should go out, -1 = none
	paused bool         // for want of bandwidth, as last told; the Tick's own

	// Guarded by the subscriber's link lock.
	payloads Payloads
	current  *Source // what goes out, nil = nothing yet
	munger   munger
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
	if d.current != s {
		if d.Track.Video && int(d.target.Load()) != s.layer {
			return nil
		}
		if d.Track.Video && !p.frame.key {
			return s
		}
		shift, known := d.shift(s)
		d.munger.cut(p, shift, known, d.Track.clock())
		d.current = s
		d.layer.Store(int32(s.layer))
	} else if d.Track.Video && d.target.Load() == -1 {
		d.current = nil // paused: begins again with a key frame
		d.layer.Store(-1)
		return nil
	}
	pt, payload := d.encode(p)
	seq, fresh, ok := d.munger.number(p, pt == 0 || len(payload) == 0)
	if !ok {
		return nil
	}
	c := d.munger.counters(p.frame)
	ts := p.ts + d.munger.ts
	if fresh {
		d.munger.sent(seq, ts, c, p.arrival)
	}
	if d.Track.Video {
		if d.history == nil {
			d.history = make([]sentPacket, historySize)
		}
		d.history[seq%historySize] = sentPacket{source: s, seq: seq, orig: p.seq, ts: ts, counters: c, used: true}
	}
	d.packets++
	d.octets += uint32(len(payload))
	d.emit(p, outHeader{p.marker, pt, seq, ts, d.ssrc}, payload, c, nil, out)
	return nil
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
// repetition: the original sequence number.
func (d *Down) emit(p *Packet, h outHeader, payload []byte, c counters, osn []byte, out *link.Batch) {
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
			if v == nil || ids[e] == 0 {
				continue
			}
			if e == ExtDependency {
				// Its frame numbers count over all layers of a sender. Only AV1, which has no
				// counters in its payload, cannot do without.
				if p.codec != AV1 || len(v) < 3 {
					continue
				}
				v = dependency[:copy(dependency[:], v)]
				binary.BigEndian.PutUint16(v[1:], c.pic)
			}
			exts[n] = extElement{ids[e], v}
			n++
		}
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
	out.Add(d.peer.Link, b)
}

// resend repeats a packet that the receiver misses, under the SSRC of repair.
// The caller holds the link's lock. The repetition has none of the copied
// extensions but keeps its place in the stream.
func (d *Down) resend(seq uint16, now int64, out *link.Batch, force bool) bool {
	if d.rtx == 0 || d.history == nil {
		return false
	}
	e := &d.history[seq%historySize]
	ms := int32(now / 1e6)
	if !e.used || e.seq != seq || (!force && e.at != 0 && int64(ms-e.at)*1e6 < resendWait) {
		return false
	}
	var p Packet
	payload, ok := e.source.copyOf(e.orig, &p, d.scratch[:0])
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
	d.emit(&p, outHeader{p.marker, pt, d.rtxSeq, e.ts, d.rtx}, payload, e.counters, osn[:], out)
	return true
}

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
			return sent
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
