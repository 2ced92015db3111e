package forward

// Layers inside a stream that are told apart: spatial times temporal.
const (
	maxSpans = 3
	maxTids  = 3
	maxParts = maxSpans * maxTids
)

// halfRate is how many pictures a second a stream must have for half of them
// to be better than a smaller picture.
const halfRate = 20

// keyShare is of a key frame's bytes that count: it is several times as large
// as other pictures, and must not look like a stream of that rate.
const keyShare = 4

// measure counts a packet for the rate of its stream, and of its layer inside
// of it. The peer's mu is held.
func (s *Source) measure(now int64, k *Packet) {
	f, n := &k.frame, len(k.buf.B)
	if f.key {
		s.keyTS = k.ts
	}
	if k.ts == s.keyTS {
		n /= keyShare
	}
	s.rate.add(now, n)
	if !f.scalable {
		return
	}
	sid, tid := min(int(f.sid), maxSpans-1), min(int(f.tid), maxTids-1)
	s.parts[sid*maxTids+tid].add(now, n)
	if spans := int32(sid + 1); spans > s.spans.Load() {
		s.spans.Store(spans)
	}
}

// rung is one way to send a track: of a source, so much of the layers in it.
type rung struct {
	source   *Source
	sid, tid uint8
	layer    int   // the quality that a viewer asks for, 0 is the smallest
	rate     int64 // bits a second
}

// less orders rungs of one track.
func (r rung) less(o rung) bool {
	if r.source.layer != o.source.layer {
		return r.source.layer < o.source.layer
	}
	if r.sid != o.sid {
		return r.sid < o.sid
	}
	return r.tid < o.tid
}

// ladder adds the ways to send what flows of a track, the smallest first.
func (t *Track) ladder(now int64, out []rung) []rung {
	for _, s := range t.layers() {
		if s.rate.alive(now) {
			out = s.rungs(now, len(out) == 0, out)
		}
	}
	return out
}

// rungs adds those of one source. Only of the lowest of all are pictures left
// out at any rate; above it a smaller picture is better than a jerky one.
func (s *Source) rungs(now int64, lowest bool, out []rung) []rung {
	whole := max(s.rate.bits(now), 10_000)
	spans := int(s.spans.Load())
	if spans == 0 {
		return append(out, rung{s, all, all, s.layer, whole})
	}
	var sum int64
	var bits [maxParts]int64
	for i := range bits {
		bits[i] = s.parts[i].bits(now)
		sum += bits[i]
	}
	halves := s.shots.bits(now)/8 >= halfRate
	var below int64 // spatial layers below, all of their time
	for sid := range spans {
		layer, top := s.layer, uint8(all)
		if spans > 1 {
			layer = sid + maxSpans - spans
			if sid < spans-1 {
				top = uint8(sid)
			}
		}
		of := bits[sid*maxTids : (sid+1)*maxTids]
		if of[0] == 0 && sid > 0 {
			continue // not sent now
		}
		here := of[0] + of[1] + of[2]
		if lowest && sid == 0 && of[0] > 0 && here > of[0] {
			out = append(out, rung{s, top, 0, layer, max(of[0], 10_000)})
		}
		if (halves || lowest && sid == 0) && of[1] > 0 && of[2] > 0 {
			out = append(out, rung{s, top, 1, layer, max(below+of[0]+of[1], 10_000)})
		}
		below += here
		rate := max(below, 10_000)
		if sid == spans-1 && whole > rate {
			rate = whole // with repairs, and what has just begun
		}
		out = append(out, rung{s, top, all, layer, rate})
	}
	return out
}
