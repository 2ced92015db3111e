package skein

import (
	"encoding/json"
	"strconv"
	"testing"
)

type outVector struct {
	Name   string          `json:"name"`
	About  string          `json:"about"`
	Random []float64       `json:"random"`
	Steps  []*outStep      `json:"steps"`
	Expect json.RawMessage `json:"expect"`
}

type outStep struct {
	At      int64           `json:"at"`
	Event   outEvent        `json:"event"`
	Effects json.RawMessage `json:"effects"`
}

func TestOutboxKeepsTheVectors(t *testing.T) {
	vectors(t, "outbox", 12, func(t *testing.T, v *outVector) {
		random, taken := script(t, v.Random)
		m := newOutbox(random)
		for i, s := range v.Steps {
			got := m.step(s.At, s.Event)
			if got == nil {
				got = []outEffect{}
			}
			if *update {
				s.Effects = raw(t, got)
				continue
			}
			same(t, "effects of step "+strconv.Itoa(i+1)+" ("+s.Event.Type+")", got, s.Effects)
		}
		if taken() != len(v.Random) {
			t.Errorf("%d random numbers were taken, the vector has %d", taken(), len(v.Random))
		}
		left := []string{}
		for _, it := range m.items {
			left = append(left, it.id)
		}
		if *update {
			v.Expect = raw(t, left)
			return
		}
		same(t, "items", left, v.Expect)
	})
}
