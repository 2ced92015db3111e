package forward

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/pion/rtcp"

	"github.com/skein-im/skein/internal/sfu/link"
)

// How a source remembers and asks again.
const (
	ringSize   = 1024          // packets that are kept at most
	ringAge    = 1_000_000_000 // ns that a packet is kept
	nackTries  = 8             // how often one packet is asked for
	nackWait   = 40_000_000    // ns between
	nackAge    = 600_000_000   // ns after which it is given up
	maxMissing = 256           // of more, a key frame is asked for
	pliWait    = 300_000_000   // ns between requests for a key frame
	pliAgain   = 450_000_000   // ns after which one is taken for lost
	keyTries   = 10            // how often one is asked for in all
)

// Source is one incoming stream.
type Source struct {
	track *Track
	peer  *Peer // who sends it
	layer int   // 0 is the smallest
	rid   string
	ssrc  uint32
	rtx   uint32 // SSRC of its repair, 0 = none yet

	// Guarded by the peer's mu.
	pending []*Packet // came and were not forwarded yet, in the order of arrival
	outlive []*Packet // of them, those that the ring has no more
	got     bool
	highest uint32 // extended sequence number
	base    uint32
	count   uint32 // packets received
	before  struct{ expected, count uint32 }
	jitter  float64
	transit int64
	sr      senderInfo
	missing []missing
	layout  structure // of layers in the stream
	keyTS   uint32    // of the newest key frame
	lost    int       // packets given up since a key frame was last asked for

	rate  meter           // bits a second, as it comes in
	parts [maxParts]meter // the same, of each layer inside the stream
	spans atomic.Int32    // spatial layers that there ever were, 0 = the stream tells of none
	shots meter           // pictures, in eighths a second
	audio loudness

	lastPLI  atomic.Int64 // when a key frame was asked for
	keyTries atomic.Int32 // how often more to ask for the one that is wanted

	// ringMu guards the ring; only the peer's reader changes it.
	ringMu sync.Mutex
	ring   [ringSize]*Packet
	oldest uint16
	newest uint16
	kept   bool
}

type senderInfo struct {
	ntp     uint64
	rtp     uint32
	at      int64
	packets uint32
}

type missing struct {
	seq         uint16
	tries       uint8
	since, last int64
}

// keep puts a packet into the ring; it reports false for one that is there.
func (s *Source) keep(p *Packet) bool {
	s.ringMu.Lock()
	defer s.ringMu.Unlock()
	slot := &s.ring[p.seq%ringSize]
	if old := *slot; old != nil {
		if old.seq == p.seq {
			return false
		}
		if int16(old.seq-p.seq) > 0 { // older than what is kept
			return false
		}
		s.release(old)
	}
	*slot = p
	if !s.kept {
		s.kept, s.oldest, s.newest = true, p.seq, p.seq
	} else if int16(p.seq-s.newest) > 0 {
		s.newest = p.seq
	}
	if s.newest-s.oldest >= ringSize {
		s.oldest = s.newest - ringSize + 1
	}
	for s.oldest != s.newest {
		q := &s.ring[s.oldest%ringSize]
		if *q != nil && (*q).seq == s.oldest {
			if p.arrival-(*q).arrival < ringAge || *q == p {
				break
			}
			s.release(*q)
			*q = nil
		}
		s.oldest++
	}
	return true
}

// release frees a packet that the ring lets go of. One that waits to be
// forwarded is freed after that: a sender may jump by the ring's size within one
// frame, begin its stream anew, or be read again after a second of standstill.
func (s *Source) release(p *Packet) {
	if len(s.pending) > 0 && p.arrival >= s.pending[0].arrival {
		s.outlive = append(s.outlive, p)
		return
	}
	p.free()
}

// forwarded forgets what was pending.
func (s *Source) forwarded() {
	clear(s.pending)
	s.pending = s.pending[:0]
	for i, p := range s.outlive {
		p.free()
		s.outlive[i] = nil
	}
	s.outlive = s.outlive[:0]
}

// free gives the packet's memory back.
func (p *Packet) free() {
	if p.buf != nil {
		p.buf.Release()
		p.buf = nil
	}
}

// copyOf copies a kept packet for a retransmission: header fields, payload and
// dependency descriptor.
func (s *Source) copyOf(seq uint16, into *Packet, payload, dependency []byte) ([]byte, []byte, bool) {
	s.ringMu.Lock()
	defer s.ringMu.Unlock()
	p := s.ring[seq%ringSize]
	if p == nil || p.seq != seq || p.buf == nil {
		return nil, nil, false
	}
	*into = *p
	into.buf = nil
	return append(payload, p.payload()...), append(dependency, p.extension(ExtDependency)...), true
}

// drain empties the ring when the stream has ended.
func (s *Source) drain() {
	s.ringMu.Lock()
	defer s.ringMu.Unlock()
	for i, p := range s.ring {
		if p != nil {
			s.release(p)
			s.ring[i] = nil
		}
	}
	s.kept = false
}

// arrived accounts for a packet, and notes which ones are missing before it.
func (s *Source) arrived(p *Packet, clock int64) {
	seq := p.seq
	if !s.got {
		s.got = true
		s.highest, s.base = uint32(seq)+1<<16, uint32(seq)+1<<16
		s.count = 1
		return
	}
	s.count++
	ahead := int16(seq - uint16(s.highest))
	switch {
	case ahead > 0:
		if int(ahead) > maxMissing {
			s.missing = s.missing[:0]
			if s.track.Video {
				s.lastPLI.Store(0)
				s.askKey(p.arrival)
			}
		} else {
			for q := uint16(s.highest) + 1; q != seq; q++ {
				if len(s.missing) == maxMissing {
					s.missing = s.missing[1:]
				}
				s.missing = append(s.missing, missing{seq: q, since: p.arrival})
			}
		}
		s.highest += uint32(ahead)
	default:
		for i := range s.missing {
			if s.missing[i].seq == seq {
				s.missing = append(s.missing[:i], s.missing[i+1:]...)
				break
			}
		}
		return
	}
	transit := p.arrival*clock/1e9 - int64(p.ts)
	if s.transit != 0 {
		d := int32(transit - s.transit)
		if d < 0 {
			d = -d
		}
		s.jitter += (float64(d) - s.jitter) / 16
	}
	s.transit = transit
}

// nacks are the sequence numbers to ask for now. What was asked for in vain
// counts as lost.
func (s *Source) nacks(now int64, out []uint16) []uint16 {
	keep, age := s.missing[:0], int64(nackAge)
	if !s.track.Video {
		age = soundAge
	}
	for _, m := range s.missing {
		if m.tries >= nackTries || now-m.since > age {
			s.lost++
			continue
		}
		if m.tries == 0 || now-m.last >= nackWait {
			m.tries++
			m.last = now
			out = append(out, m.seq)
		}
		keep = append(keep, m)
	}
	s.missing = keep
	return out
}

// report is the source's part of a receiver report (RFC 3550 §6.4.1).
func (s *Source) report(now int64) rtcp.ReceptionReport {
	expected := s.highest - s.base + 1
	r := rtcp.ReceptionReport{SSRC: s.ssrc, LastSequenceNumber: s.highest - 1<<16, Jitter: uint32(s.jitter)}
	if expected > s.count {
		r.TotalLost = min(expected-s.count, 1<<23-1)
	}
	de, dc := expected-s.before.expected, s.count-s.before.count
	if de > dc && de > 0 {
		r.FractionLost = uint8(min(uint32(255), (de-dc)*256/de))
	}
	s.before.expected, s.before.count = expected, s.count
	if s.sr.at != 0 {
		r.LastSenderReport = uint32(s.sr.ntp >> 16)
		r.Delay = uint32((now - s.sr.at) * 65536 / 1e9)
	}
	return r
}

// askKey asks the sender for a key frame, not too often. It must not be
// called under the lock of any link.
func (s *Source) askKey(now int64) {
	s.keyTries.Store(keyTries)
	last := s.lastPLI.Load()
	if (last != 0 && now-last < pliWait) || !s.lastPLI.CompareAndSwap(last, now) {
		return // keyDue sees to it
	}
	b, err := (&rtcp.PictureLossIndication{SenderSSRC: s.peer.ssrc, MediaSSRC: s.ssrc}).Marshal()
	if err == nil {
		s.peer.Link.SendRTCP(b)
	}
}

// keyDue asks again when no key frame has come: the request may be lost.
func (s *Source) keyDue(now int64) {
	left := s.keyTries.Load()
	if left <= 0 || now-s.lastPLI.Load() < pliAgain {
		return
	}
	s.askKey(now)
	s.keyTries.Store(left - 1)
}

// unwrapRTX makes the original packet of a repair (RFC 4588): the first two
// bytes of the payload are its sequence number.
func unwrapRTX(p *Packet, original *Source, pt uint8) bool {
	if p.end-p.body < 2 {
		return false // padding, which probes the way
	}
	p.seq = binary.BigEndian.Uint16(p.buf.B[p.body:])
	p.body += 2
	p.ssrc, p.pt = original.ssrc, pt
	return true
}

// release of a packet that goes nowhere.
func drop(b *link.Buffer) { b.Release() }
