package forward

// Tapped is a packet as a recorder gets it: as it came, in the order in which it
// came, repairs of lost ones among them. Its payload is good during the call
// that brings it.
type Tapped struct {
	Layer   int // 0 is the smallest
	Seq     uint16
	TS      uint32
	Marker  bool
	Key     bool // it begins a key frame
	Codec   Codec
	Arrival int64 // ns, by the link's clock
	Payload []byte
}

// Tap lets a function see all packets of a track, every layer of it, until it
// returns false, in place of the one that did before. The function must not
// wait. The sender is told that the best layer is wanted, as long as it is there.
func (t *Track) Tap(fn func(Tapped) (more bool)) { t.tap.Store(&fn) }

// AskKey asks the sender for a key frame of a layer, not too often.
func (t *Track) AskKey(layer int, now int64) {
	if s := t.layerOf(layer); s != nil && t.Video {
		s.askKey(now)
	}
}

// tapped gives what has come to the recorder, if there is one. The peer's mu is
// held.
func (s *Source) tapped() {
	tap := s.track.tap.Load()
	if tap == nil {
		return
	}
	for _, k := range s.pending {
		more := (*tap)(Tapped{Layer: s.layer, Seq: k.seq, TS: k.ts, Marker: k.marker, Key: k.frame.key, Codec: k.codec, Arrival: k.arrival, Payload: k.payload()})
		if !more {
			s.track.tap.CompareAndSwap(tap, nil)
			return
		}
	}
}
