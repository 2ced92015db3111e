package record

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/pion/rtp/codecs"
)

// How frames are put together.
const (
	frameHold = 800_000_000 // ns that what is missing is waited for: longer than the sender is asked for it
	frameWait = 1024        // packets of a layer that wait at most
	frameSize = 8 << 20     // bytes of a frame at most
	frameJump = 2000        // packets: further on it is another stream
	frameOld  = 200         // packets in a row whose turn was over: another stream, which began a little before
)

// frame is a picture as its codec has it.
type frame struct {
	at   int64 // ns
	key  bool
	data []byte
}

// frames makes pictures out of the packets of one stream: a layer of a track.
type frames struct {
	codec string
	axis  axis
	wait  map[int64]waiting
	next  int64 // extended sequence number; meaningless until it runs
	runs  bool  // a key frame has come
	last  int64
	old   int // packets since the newest one in time that were not

	at    int64 // of the picture that is being put together
	ts    uint32
	key   bool
	parts [][]byte
	size  int
	bad   bool // it has no beginning, or lacks something
	begun bool

	needKey bool // what comes before the next key frame cannot be shown
	av1     codecs.AV1Depacketizer
	avc     codecs.H264Packet
	spatial []int // bytes of each layer of a VP9 picture
}

// waiting is a packet before its turn.
type waiting struct {
	at, arrival int64
	ts          uint32
	marker, key bool
	payload     []byte
}

func newFrames(codec string) *frames {
	s := &frames{codec: codec, axis: axis{rate: 90_000}, wait: map[int64]waiting{}, needKey: true}
	s.drop()
	return s
}

// take notes a packet. Before the first key frame they wait as well: its
// beginning may be what was lost, and come last.
func (s *frames) take(p *Packet) {
	fresh := !s.runs && len(s.wait) == 0
	ext := s.last + int64(int16(p.Seq-uint16(s.last)))
	if !fresh && (ext-s.last > frameJump || s.last-ext > frameJump || s.old >= frameOld) {
		s.restart()
		fresh = true
	}
	if fresh {
		ext = int64(p.Seq)
		s.last = ext
	}
	s.last = max(s.last, ext)
	if !s.runs && p.Key {
		s.runs, s.next, s.bad = true, ext, true
		maps.DeleteFunc(s.wait, func(seq int64, _ waiting) bool { return seq < ext })
	}
	if s.runs && ext < s.next {
		s.old++
		return
	}
	s.old = 0
	if _, ok := s.wait[ext]; ok || len(s.wait) >= frameWait {
		return
	}
	s.wait[ext] = waiting{s.axis.at(p.TS, p.Arrival), p.Arrival, p.TS, p.Marker, p.Key, slices.Clone(p.Payload)}
}

// restart forgets what came so far.
func (s *frames) restart() {
	clear(s.wait)
	s.runs, s.needKey, s.old = false, true, 0
	s.drop()
}

// drop forgets the picture that is being put together, and what the codec holds
// of a part of it: the next one is not to begin with that.
func (s *frames) drop() {
	s.begun, s.bad, s.parts, s.size, s.spatial = false, false, nil, 0, s.spatial[:0]
	s.avc, s.av1 = codecs.H264Packet{IsAVC: true}, codecs.AV1Depacketizer{}
}

// coming tells whether a key frame is here in part, and may become whole.
func (s *frames) coming() bool {
	if s.begun && s.key && !s.bad {
		return true
	}
	for _, w := range s.wait {
		if s.starts(&w) {
			return true
		}
	}
	return false
}

// ready gives the pictures that are whole, in their order. What stays missing
// for too long is given up, and with it everything up to the next key frame,
// which is not made to wait for what lacks before it.
func (s *frames) ready(now int64, emit func(frame)) {
	if !s.runs {
		maps.DeleteFunc(s.wait, func(_ int64, w waiting) bool { return now-w.arrival >= frameHold })
		return
	}
	for len(s.wait) > 0 {
		p, ok := s.wait[s.next]
		if ok {
			delete(s.wait, s.next)
			s.next++
			s.add(&p, emit)
			continue
		}
		oldest, first, key := int64(1<<62), int64(1<<62), int64(1<<62)
		for seq, w := range s.wait {
			oldest, first = min(oldest, w.arrival), min(first, seq)
			if s.starts(&w) {
				key = min(key, seq)
			}
		}
		switch hopeless := s.needKey && !(s.begun && s.key && !s.bad); {
		case hopeless && key < 1<<62:
			first = key
		case now-oldest < frameHold && len(s.wait) < frameWait:
			return
		}
		maps.DeleteFunc(s.wait, func(seq int64, _ waiting) bool { return seq < first })
		s.next, s.needKey = first, true
		s.drop()
		s.bad = true
	}
}

// add puts a packet to the picture.
func (s *frames) add(p *waiting, emit func(frame)) {
	if len(p.payload) == 0 {
		return // padding
	}
	if s.begun && p.ts != s.ts { // its end was not marked
		s.end(emit)
	}
	if !s.begun {
		bad := s.bad && !s.starts(p)
		s.drop()
		s.begun, s.bad, s.at, s.ts, s.key = true, bad, p.at, p.ts, p.key
	}
	s.key = s.key || p.key
	part, ok := s.depacketize(p.payload)
	if !ok || s.size+len(part) > frameSize {
		s.bad = true
	} else {
		s.parts, s.size = append(s.parts, part), s.size+len(part)
	}
	if p.marker {
		s.end(emit)
	}
}

// starts tells whether a packet is the first of a key frame for certain, also
// when it is not known what was before it. A slice of H.264 does not tell whether
// others of its picture should have come first; parameter sets do.
func (s *frames) starts(p *waiting) bool {
	if s.codec != "h264" || !p.key || len(p.payload) == 0 {
		return p.key
	}
	switch b := p.payload; b[0] & 0x1f {
	case 7:
		return true
	case 24: // several in one packet
		for b = b[1:]; len(b) > 2; {
			n := int(binary.BigEndian.Uint16(b))
			if b[2]&0x1f == 7 {
				return true
			}
			if n == 0 || len(b) < 2+n {
				return false
			}
			b = b[2+n:]
		}
	}
	return false
}

func (s *frames) end(emit func(frame)) {
	data := slices.Concat(s.parts...)
	if s.codec == "vp9" {
		data = superframe(data, s.spatial)
	}
	switch {
	case s.bad, s.needKey && !s.key:
		s.needKey = s.needKey || s.bad
	case len(data) > 0:
		s.needKey = false
		emit(frame{s.at, s.key, data})
	}
	s.drop()
}

// depacketize takes the codec's bytes out of a payload.
func (s *frames) depacketize(b []byte) ([]byte, bool) {
	switch s.codec {
	case "vp8":
		var p codecs.VP8Packet
		out, err := p.Unmarshal(b)
		return out, err == nil
	case "vp9":
		var p codecs.VP9Packet
		out, err := p.Unmarshal(b)
		if err != nil {
			return nil, false
		}
		if p.B || len(s.spatial) == 0 {
			s.spatial = append(s.spatial, 0)
		}
		s.spatial[len(s.spatial)-1] += len(out)
		return out, true
	case "h264":
		out, err := s.avc.Unmarshal(b)
		return slices.Clone(out), err == nil
	case "av1":
		out, err := s.av1.Unmarshal(b)
		return withoutDelimiters(out), err == nil
	}
	return nil, false
}

// superframe adds the index that tells the layers of a VP9 picture apart
// (VP9 bitstream specification, annex B).
func superframe(data []byte, sizes []int) []byte {
	if len(sizes) < 2 || len(sizes) > 8 {
		return data
	}
	mark := byte(0xc0 | 3<<3 | (len(sizes) - 1)) // sizes of four bytes
	out := append(slices.Clip(data), mark)
	for _, n := range sizes {
		out = binary.LittleEndian.AppendUint32(out, uint32(n))
	}
	return append(out, mark)
}

// obus goes through the units of AV1 in the low-overhead form; whole is the
// unit with its header.
func obus(b []byte, fn func(kind byte, whole, payload []byte)) {
	for len(b) > 1 {
		at := 1
		if b[0]&4 != 0 {
			at++
		}
		if b[0]&2 == 0 || at >= len(b) {
			return
		}
		n, shift := 0, 0
		for {
			if at >= len(b) || shift > 28 {
				return
			}
			x := b[at]
			at++
			n |= int(x&0x7f) << shift
			shift += 7
			if x&0x80 == 0 {
				break
			}
		}
		if n > len(b)-at {
			return
		}
		fn(b[0]>>3&15, b[:at+n], b[at:at+n])
		b = b[at+n:]
	}
}

// withoutDelimiters takes out what a container has in place of it.
func withoutDelimiters(b []byte) (out []byte) {
	obus(b, func(kind byte, whole, _ []byte) {
		if kind != 2 {
			out = append(out, whole...)
		}
	})
	return out
}

// describe reads what a container says of a codec out of a key frame: its
// private bytes and the picture's size, 0 = it is not told. ok is false when
// the frame cannot begin a file.
func describe(codec string, b []byte) (private []byte, width, height int, ok bool) {
	switch codec {
	case "vp8": // RFC 6386 §9.1
		if len(b) < 10 || b[3] != 0x9d || b[4] != 0x01 || b[5] != 0x2a {
			return nil, 0, 0, false
		}
		return nil, int(binary.LittleEndian.Uint16(b[6:]) & 0x3fff), int(binary.LittleEndian.Uint16(b[8:]) & 0x3fff), true
	case "vp9":
		if len(b) > 0 && b[len(b)-1]&0xe0 != 0xc0 { // with layers the first is the smallest
			width, height = sizeVP9(b)
		}
		return nil, width, height, true
	case "av1":
		var sequence, payload []byte
		obus(b, func(kind byte, whole, p []byte) {
			if kind == 1 && sequence == nil {
				sequence, payload = whole, p
			}
		})
		if len(payload) < 4 {
			return nil, 0, 0, false
		}
		level := byte(8) // 4.0, when the header has more before it than usual
		if payload[0]&0x0f == 0 {
			level = payload[2]<<1&0x1e | payload[3]>>7
		}
		return append([]byte{0x81, payload[0]&0xe0 | level, 0x0c, 0}, sequence...), 0, 0, true
	case "h264":
		private = avcConfig(b)
		return private, 0, 0, private != nil
	}
	return nil, 0, 0, false
}

// sizeVP9 reads the uncompressed header of a key frame of 8 bits a sample;
// 0 = it is another one.
func sizeVP9(b []byte) (width, height int) {
	if len(b) < 10 || b[0]>>4 != 8 || b[1] != 0x49 || b[2] != 0x83 || b[3] != 0x42 {
		return 0, 0
	}
	// Three bits of colour space, one of range; then twice 16 bits.
	x := binary.BigEndian.Uint64(b[2:]) << 20
	return int(x>>48) + 1, int(x>>32&0xffff) + 1
}

// avcConfig makes the decoder's configuration (ISO/IEC 14496-15) of the
// parameter sets in a key frame, nil when it has none.
func avcConfig(b []byte) []byte {
	var sps, pps []byte
	for len(b) > 4 {
		n := int(binary.BigEndian.Uint32(b))
		if n == 0 || n > len(b)-4 {
			break
		}
		switch unit := b[4 : 4+n]; unit[0] & 0x1f {
		case 7:
			sps = unit
		case 8:
			pps = unit
		}
		b = b[4+n:]
	}
	if len(sps) < 4 || pps == nil {
		return nil
	}
	c := []byte{1, sps[1], sps[2], sps[3], 0xff, 0xe1}
	c = append(binary.BigEndian.AppendUint16(c, uint16(len(sps))), sps...)
	c = append(c, 1)
	return append(binary.BigEndian.AppendUint16(c, uint16(len(pps))), pps...)
}
