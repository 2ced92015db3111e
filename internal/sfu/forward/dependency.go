package forward

import "encoding/binary"

// structure is what a sender says once, with a key frame, of all pictures
// until the next: of each template, to which layers it belongs (the dependency
// descriptor of the AV1 RTP specification, appendix A). Its zero value knows
// none.
type structure struct {
	offset    uint8
	targets   int // decode targets
	templates []template
	layers    [maxTargets]layerPair // of each decode target
}

type layerPair struct{ sid, tid uint8 }

type template struct {
	layerPair
	dtis [maxTargets]uint8
}

// What a descriptor may hold by its field widths.
const (
	maxTargets   = 32
	maxTemplates = 64
)

// Kinds of decode target indications.
const (
	dtiAbsent = 0
	dtiSwitch = 2
)

// bitReader reads big-endian bits; past the end it reads zeros and says so.
type bitReader struct {
	b   []byte
	at  int
	bad bool
}

func (r *bitReader) take(n int) (v int) {
	for range n {
		v <<= 1
		if r.at>>3 >= len(r.b) {
			r.bad = true
			continue
		}
		v |= int(r.b[r.at>>3]>>(7-r.at&7)) & 1
		r.at++
	}
	return v
}

// depend reads the descriptor of a packet into f, and keeps a structure that
// comes with it. It trusts nothing in it: what cannot be read tells nothing.
func (s *structure) depend(b []byte, f *frameInfo) {
	if len(b) < 3 {
		return
	}
	f.counted, f.pic = true, binary.BigEndian.Uint16(b[1:])
	id := b[0] & 0x3f
	custom := false
	r := bitReader{b: b[3:]}
	if len(b) > 3 {
		has, active := r.take(1) == 1, r.take(1) == 1
		custom = r.take(1) == 1
		r.take(2)
		if has {
			var next structure
			if !next.read(&r) {
				return
			}
			*s = next
		}
		if active {
			r.take(s.targets)
		}
	}
	i := int(id-s.offset) & 0x3f
	if i >= len(s.templates) {
		return
	}
	t := s.templates[i]
	if custom {
		for d := range s.targets {
			t.dtis[d] = uint8(r.take(2))
		}
		if r.bad {
			return
		}
	}
	f.scalable, f.sid, f.tid, f.end = true, t.sid, t.tid, b[0]&0x40 != 0
	for d, l := range s.layers[:s.targets] {
		f.sync = f.sync || l == t.layerPair && t.dtis[d] == dtiSwitch
	}
}

// read takes a template dependency structure as far as its layers and
// indications; differences, chains and resolutions are read over.
func (s *structure) read(r *bitReader) bool {
	s.offset = uint8(r.take(6))
	s.targets = r.take(5) + 1
	var at layerPair
	for next := 0; next != 3; {
		if len(s.templates) == maxTemplates {
			return false
		}
		s.templates = append(s.templates, template{layerPair: at})
		switch next = r.take(2); next {
		case 1:
			at.tid++
		case 2:
			at.sid, at.tid = at.sid+1, 0
		}
		if r.bad {
			return false
		}
	}
	for i := range s.templates {
		t := &s.templates[i]
		for d := range s.targets {
			if t.dtis[d] = uint8(r.take(2)); t.dtis[d] != dtiAbsent {
				l := &s.layers[d]
				l.sid, l.tid = max(l.sid, t.sid), max(l.tid, t.tid)
			}
		}
	}
	for range s.templates {
		for r.take(1) == 1 && !r.bad {
			r.take(4)
		}
	}
	if chains := r.few(s.targets + 1); chains > 0 {
		for range s.targets {
			r.few(chains)
		}
		r.take(4 * chains * len(s.templates))
	}
	if r.take(1) == 1 {
		r.take(32 * int(at.sid+1))
	}
	return !r.bad
}

// few reads one of n values in as few bits as that takes (ns(n) of the AV1
// specification).
func (r *bitReader) few(n int) int {
	w := 0
	for x := n; x != 0; x >>= 1 {
		w++
	}
	m := 1<<w - n
	v := r.take(w - 1)
	if v < m {
		return v
	}
	return v<<1 - m + r.take(1)
}
