// Package live decides what the viewers of a livestream are shown of what is
// said in it, when more is said than can be shown: by rank, and of one rank
// what is newest. It is state alone, without clock, lock or goroutine.
package live

import "slices"

// Line is something that was said.
type Line struct {
	// Rank: of two lines the one with the higher rank is shown.
	Rank int
	// Frame is what viewers are sent; it is not looked at.
	Frame []byte
}

// Sample keeps the lines that are to be shown next: at most some, and at most
// so many bytes. The zero value keeps nothing.
type Sample struct {
	lines   []Line
	bytes   int
	most    int
	maxSize int
	dropped int
}

// NewSample returns one of at most so many lines and bytes.
func NewSample(lines, bytes int) Sample { return Sample{most: lines, maxSize: bytes} }

// Add takes a line. When there are too many, those of the lowest rank go, the
// oldest of them first: it may be the new one itself.
func (s *Sample) Add(l Line) {
	s.lines = append(s.lines, l)
	s.bytes += len(l.Frame)
	for len(s.lines) > s.most || s.bytes > s.maxSize {
		low := 0
		for i := range s.lines {
			if s.lines[i].Rank < s.lines[low].Rank {
				low = i
			}
		}
		s.bytes -= len(s.lines[low].Frame)
		s.lines = slices.Delete(s.lines, low, low+1)
		s.dropped++
	}
}

// Len is how many lines wait.
func (s *Sample) Len() int { return len(s.lines) }

// Take empties the sample and returns its lines in the order in which they
// were said, and how many were left out since the last time.
func (s *Sample) Take() (lines []Line, dropped int) {
	lines, dropped = s.lines, s.dropped
	s.lines, s.bytes, s.dropped = nil, 0, 0
	return lines, dropped
}
