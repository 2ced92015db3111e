package forward

import "encoding/binary"

// munger makes one stream without a seam out of pieces of others: numbers of
// a piece are shifted by what makes them follow the piece before.
type munger struct {
	begun bool
	// of the piece: what was the newest, and what is added
	newest uint16
	ts     uint32 // added to timestamps
	segs   [8]segment
	nsegs  int
	pic    uint16
	tl0    uint8
	keyIdx uint8
	// of the whole: what went out last
	outSeq  uint16
	outTS   uint32
	outAt   int64 // when it came in
	outPic  uint16
	outTL0  uint8
	outKey  uint8
	dropped int // packets of the piece that were left out
}

// segment says what is added to sequence numbers from one on: it changes by
// one with each packet that is left out.
type segment struct{ from, add uint16 }

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
	m.segs[0] = segment{p.seq, m.outSeq + 1 - p.seq}
	m.nsegs = 1
	m.pic, m.tl0, m.keyIdx = m.outPic+1-p.frame.pic, m.outTL0+1-p.frame.tl0, m.outKey+1-p.frame.keyIdx
}

// number gives a packet its sequence number, false for one that came before
// the piece or a second time. With drop set a new one gets none, and those
// after it close up.
func (m *munger) number(p *Packet, drop bool) (seq uint16, fresh, ok bool) {
	ahead := int16(p.seq - m.newest)
	if ahead > 0 {
		m.newest = p.seq
		add := m.segs[m.nsegs-1].add
		if !drop {
			return p.seq + add, true, true
		}
		m.dropped++
		if m.nsegs == len(m.segs) {
			copy(m.segs[:], m.segs[1:])
			m.nsegs--
		}
		m.segs[m.nsegs] = segment{p.seq + 1, add - 1}
		m.nsegs++
		return 0, false, false
	}
	if drop || ahead == 0 {
		return 0, false, false
	}
	for i := m.nsegs - 1; i >= 0; i-- {
		if int16(p.seq-m.segs[i].from) >= 0 {
			return p.seq + m.segs[i].add, false, true
		}
	}
	return 0, false, false
}

// counters are a frame's own numbers as a receiver gets them.
type counters struct {
	pic    uint16
	tl0    uint8
	keyIdx uint8
}

func (m *munger) counters(f frameInfo) counters {
	return counters{f.pic + m.pic, f.tl0 + m.tl0, f.keyIdx + m.keyIdx}
}

// sent notes the newest packet that went out.
func (m *munger) sent(seq uint16, ts uint32, c counters, at int64) {
	m.outSeq = seq
	if int32(ts-m.outTS) > 0 {
		m.outTS, m.outAt = ts, at
	}
	m.outPic, m.outTL0, m.outKey = c.pic, c.tl0, c.keyIdx
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
