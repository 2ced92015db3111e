package skein

// span is an inclusive range of positions.
type span struct{ from, to uint64 }

// spans is a sorted list of disjoint, maximally merged ranges: which
// positions of a conversation are current on this device. The zero value is
// the empty set.
type spans []span

// add joins [from, to] and tells whether that changed anything. An inverted
// range is nothing.
func (s *spans) add(from, to uint64) bool {
	if from == 0 {
		from = 1
	}
	if from > to || s.covers(from, to) {
		return false
	}
	out := make(spans, 0, len(*s)+1)
	merged := span{from, to}
	placed := false
	for _, r := range *s {
		switch {
		case r.to+1 < merged.from:
			out = append(out, r)
		case merged.to+1 < r.from:
			if !placed {
				out = append(out, merged)
				placed = true
			}
			out = append(out, r)
		default:
			merged.from = min(merged.from, r.from)
			merged.to = max(merged.to, r.to)
		}
	}
	if !placed {
		out = append(out, merged)
	}
	*s = out
	return true
}

// giveUpBelow removes every position below seq, keeping [1, keep], and tells
// whether anything beyond [1, keep] was removed.
func (s *spans) giveUpBelow(seq, keep uint64) bool {
	var out spans
	lost := false
	for _, r := range *s {
		if r.from < seq && r.to > keep && max(r.from, keep+1) <= min(r.to, seq-1) {
			lost = true
		}
		if r.to >= seq {
			out = append(out, span{max(r.from, seq), r.to})
		}
	}
	out.add(1, keep)
	*s = out
	return lost
}

// covers tells whether all of [from, to] is in the set.
func (s spans) covers(from, to uint64) bool {
	r, ok := s.around(from)
	return ok && to <= r.to
}

// has tells whether seq is in the set.
func (s spans) has(seq uint64) bool {
	_, ok := s.around(seq)
	return ok
}

// around returns the range that seq lies in.
func (s spans) around(seq uint64) (span, bool) {
	lo, hi := 0, len(s)
	for lo < hi {
		mid := (lo + hi) / 2
		if s[mid].to < seq {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(s) && s[lo].from <= seq {
		return s[lo], true
	}
	return span{}, false
}
