package forward

import "encoding/binary"

// munger makes one stream without a seam out of pieces of others: numbers of
// a piece are shifted by what makes them follow the piece before.
type munger struct {
	begun bool
	// of the piece: what was the newest, and what is added
	newest uint16
	ts     uint32 // added to timestamps
	segs   [16]segment
	nsegs  int
	tl0    uint8
	keyIdx uint8
	// of the whole: the last place that was given away
	outSeq  uint16
	outTS   uint32
	outAt   int64 // when it came in
	outPic  uint16
	outTL0  uint8
	outKey  uint8
	dropped int // packets of the piece that were left out
}

// segment says what is added to sequence numbers from one on, and to the
// picture ids of those packets: it changes by one with each packet, and each
// picture, that is left out.
type segment struct{ from, add, pic uint16 }

// cut says that the next packet begins a new piece. shift is what to add to
// its timestamps, when that is known.
func (m *munger) cut(p *Packet, shift uint32, known bool, clock int64) {
	if !m.begun {
		m.begun = true
		m.outSeq = p.seq - 1
		m.ts = 0
		m.outTS = p.ts - 1
		m.outPic, m.outTL0, m.outKey = p.frame.pic-1, p.frame.tl0-1, p.frame.keyIdx-1
	} else {
		m.ts = shift
		if gap := int32(p.ts + shift - m.outTS); !known || gap <= 0 || int64(gap) > 10*clock {
			passed := (p.arrival - m.outAt) * clock / 1e9
			m.ts = m.outTS + uint32(max(passed, 1)) - p.ts
		}
	}
	m.newest = p.seq - 1
	m.segs[0] = segment{p.seq, m.outSeq + 1 - p.seq, m.outPic + 1 - p.frame.pic}
	m.nsegs = 1
	m.tl0, m.keyIdx = m.outTL0+1-p.frame.tl0, m.outKey+1-p.frame.keyIdx
}

// fate is what becomes of a packet.
type fate int

const (
	gone  fate = iota // has no place: left out, or of before the piece, or the second of its kind
	newer             // goes out as the newest
	late              // goes out in the place that was kept for it
	blank             // has a place, but its picture is left out: something has to fill it
)

// number gives a packet its sequence number and what is added to its picture
// id. With drop set a new one gets none, and those after it close up; picture
// says that with it a whole picture is left out, whose id those after it take.
func (m *munger) number(p *Packet, drop, picture bool) (seq, pic uint16, f fate) {
	ahead := int16(p.seq - m.newest)
	if ahead > 0 {
		m.newest = p.seq
		last := m.segs[m.nsegs-1]
		if !drop {
			m.reserve(p, last)
			return p.seq + last.add, last.pic, newer
		}
		m.dropped++
		if last.from != p.seq || m.nsegs == 1 {
			if m.nsegs == len(m.segs) {
				copy(m.segs[:], m.segs[1:])
				m.nsegs--
			}
			m.nsegs++
		}
		next := segment{p.seq + 1, last.add - 1, last.pic}
		if picture {
			next.pic--
		}
		m.segs[m.nsegs-1] = next
		m.reserve(p, next)
		return 0, 0, gone
	}
	if ahead == 0 {
		return 0, 0, gone
	}
	for i := m.nsegs - 1; i >= 0; i-- {
		s := m.segs[i]
		if int16(p.seq-s.from) < 0 {
			continue
		}
		if drop {
			return p.seq + s.add, s.pic, blank
		}
		return p.seq + s.add, s.pic, late
	}
	return 0, 0, gone
}

// reserve notes up to where places are given away, also those of packets that
// have not come yet: the next piece begins after them, and no number is ever
// used for two packets.
func (m *munger) reserve(p *Packet, s segment) {
	m.outSeq = p.seq + s.add
	if p.frame.counted {
		c := m.counters(p.frame, s.pic)
		m.outPic, m.outTL0, m.outKey = c.pic, c.tl0, c.keyIdx
	}
}

// counters are a frame's own numbers as a receiver gets them.
type counters struct {
	pic    uint16
	tl0    uint8
	keyIdx uint8
}

func (m *munger) counters(f frameInfo, pic uint16) counters {
	return counters{f.pic + pic, f.tl0 + m.tl0, f.keyIdx + m.keyIdx}
}

// sent notes the time of a packet that went out.
func (m *munger) sent(ts uint32, at int64) {
	if int32(ts-m.outTS) > 0 {
		m.outTS, m.outAt = ts, at
	}
}

// patch writes the counters into the copy of a payload.
func (f frameInfo) patch(payload []byte, c counters) {
	if f.picAt > 0 {
		if f.picLong {
			binary.BigEndian.PutUint16(payload[f.picAt:], c.pic&0x7fff|0x8000)
		} else {
			payload[f.picAt] = byte(c.pic) & 0x7f
		}
	}
	if f.tl0At > 0 {
		payload[f.tl0At] = c.tl0
	}
	if f.keyAt > 0 {
		payload[f.keyAt] = payload[f.keyAt]&0xe0 | c.keyIdx&0x1f
	}
}
