package skein

import (
	"encoding/json"
	"strconv"
	"testing"
)

type connVector struct {
	Name   string          `json:"name"`
	About  string          `json:"about"`
	Random []float64       `json:"random"`
	Steps  []*connStep     `json:"steps"`
	Expect json.RawMessage `json:"expect"`
}

type connStep struct {
	At      int64           `json:"at"`
	Event   connEvent       `json:"event"`
	Effects json.RawMessage `json:"effects"`
}

// script returns the given numbers one after the other; taken tells how many.
func script(t *testing.T, numbers []float64) (random func() float64, taken func() int) {
	t.Helper()
	n := 0
	return func() float64 {
			if n >= len(numbers) {
				t.Fatal("the machine wants more random numbers than the vector has")
			}
			n++
			return numbers[n-1]
		}, func() int {
			return n
		}
}

func TestConnectionKeepsTheVectors(t *testing.T) {
	vectors(t, "connection", 15, func(t *testing.T, v *connVector) {
		random, taken := script(t, v.Random)
		m := newConnection(random)
		for i, s := range v.Steps {
			got := m.step(s.At, s.Event)
			if got == nil {
				got = []connEffect{}
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
		if *update {
			v.Expect = raw(t, m.state)
			return
		}
		same(t, "state", m.state, v.Expect)
	})
}
