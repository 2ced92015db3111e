package live_test

import (
	"fmt"
	"testing"

	"github.com/skein-im/skein/internal/live"
)

func TestWhatIsLeftOutIsOfTheLowestRankAndTheOldestOfIt(t *testing.T) {
	for _, c := range []struct {
		name    string
		ranks   []int
		bytes   int // of each
		want    string
		dropped int
	}{
		{"few are all shown", []int{0, 1, 0}, 1, "[0 1 2]", 0},
		{"of one rank the newest", []int{0, 0, 0, 0, 0}, 1, "[2 3 4]", 2},
		{"a high rank stays", []int{3, 0, 0, 0, 0}, 1, "[0 3 4]", 2},
		{"a low one does not come in", []int{3, 3, 3, 0}, 1, "[0 1 2]", 1},
		{"bytes count too", []int{0, 1, 0}, 40, "[1 2]", 1},
		{"one that is too large alone is left out", []int{0}, 101, "[]", 1},
	} {
		s := live.NewSample(3, 100)
		for i, r := range c.ranks {
			f := make([]byte, c.bytes)
			f[0] = byte(i)
			s.Add(live.Line{Rank: r, Frame: f})
		}
		lines, dropped := s.Take()
		got := []int{}
		for _, l := range lines {
			got = append(got, int(l.Frame[0]))
		}
		if fmt.Sprint(got) != c.want || dropped != c.dropped {
			t.Errorf("%s: shown %v, %d left out; want %s, %d", c.name, got, dropped, c.want, c.dropped)
		}
		if lines, dropped := s.Take(); len(lines) != 0 || dropped != 0 {
			t.Errorf("%s: %d lines and %d left out after a Take", c.name, len(lines), dropped)
		}
	}
}
