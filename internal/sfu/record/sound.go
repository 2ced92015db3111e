package record

import (
	"encoding/binary"
	"io"
	"slices"
)

// How sound is put in order.
const (
	soundHold = 300_000_000 // ns that a packet waits for those before it
	soundMost = 256         // packets that wait at most
	soundSlop = 240         // samples of a gap that is none: 5 ms
	soundHide = 2880        // samples of a gap that the decoder hides: 60 ms; longer ones are silence
)

// sound is an Opus track on its way into an Ogg file.
type sound struct {
	ogg   *ogg
	axis  axis
	wait  []opus // by time
	begun bool
	first int64 // ns: when the file begins
	toc   byte  // of the last packet
}

// opus is one packet with its time.
type opus struct {
	at, arrival int64
	data        []byte
}

func newSound(w io.Writer, serial uint32) (*sound, error) {
	o, err := newOgg(w, serial)
	return &sound{ogg: o, axis: axis{rate: opusRate}}, err
}

// take puts a packet where it belongs; red: it has older ones in it, which
// stand in for those that were lost (RFC 2198).
func (s *sound) take(p *Packet, red bool) {
	if !red {
		s.put(p.TS, p.Arrival, p.Payload)
		return
	}
	type block struct {
		ts uint32
		n  int
	}
	var blocks []block
	b := p.Payload
	for len(b) >= 4 && b[0]&0x80 != 0 {
		x := binary.BigEndian.Uint32(b)
		blocks = append(blocks, block{p.TS - x>>10&0x3fff, int(x & 0x3ff)})
		b = b[4:]
	}
	if len(b) == 0 {
		return
	}
	b = b[1:]
	for _, k := range blocks {
		if k.n > len(b) {
			return
		}
		if s.begun { // nothing before the first packet that came by itself
			s.put(k.ts, p.Arrival, b[:k.n])
		}
		b = b[k.n:]
	}
	s.put(p.TS, p.Arrival, b)
}

func (s *sound) put(ts uint32, arrival int64, data []byte) {
	if opusSamples(data) == 0 {
		return
	}
	at := s.axis.at(ts, arrival)
	if !s.begun {
		s.begun, s.first = true, at
	}
	i, found := slices.BinarySearchFunc(s.wait, at, func(o opus, at int64) int { return int((o.at - at) / 1e6) })
	if found || s.position(at)-s.ogg.granule <= -soundSlop {
		return
	}
	s.wait = slices.Insert(s.wait, i, opus{at, arrival, slices.Clone(data)})
}

// position is a time as samples from the file's beginning.
func (s *sound) position(at int64) int64 { return (at - s.first) * 6 / 125_000 }

// write writes what has waited long enough, or everything.
func (s *sound) write(now int64, all bool) error {
	n := 0
	for _, o := range s.wait {
		gap := s.position(o.at) - s.ogg.granule
		if gap > soundSlop && now-o.arrival < soundHold && !all && len(s.wait)-n < soundMost {
			break
		}
		n++
		if err := s.fill(gap); err != nil {
			return err
		}
		if gap <= -soundSlop { // it was in time once; what stood in for it is there
			continue
		}
		s.toc = o.data[0]
		if err := s.ogg.packet(o.data, opusSamples(o.data)); err != nil {
			return err
		}
	}
	s.wait = slices.Delete(s.wait, 0, n)
	return nil
}

// fill puts something where nothing came, so that what follows is heard when
// it was said: for a short while what the decoder makes of a lost packet, then
// silence.
func (s *sound) fill(gap int64) error {
	if gap <= soundSlop {
		return nil
	}
	hide := []byte{s.toc &^ 3}
	for n := opusSamples(hide); gap <= soundHide && s.toc != 0 && gap >= n; gap -= n {
		if err := s.ogg.packet(hide, n); err != nil {
			return err
		}
	}
	for {
		packet, n := silence(gap)
		if n == 0 {
			return nil
		}
		if err := s.ogg.packet(packet, n); err != nil {
			return err
		}
		gap -= n
	}
}
