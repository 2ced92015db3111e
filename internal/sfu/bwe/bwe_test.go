package bwe

import (
	"math/rand/v2"
	"testing"
)

// bottleneck is a link with a rate, a queue that it bounds in time, and
// random loss, run in steps of 5 ms with reports each 50 ms.
type bottleneck struct {
	rate  float64 // bits a second
	loss  float64
	queue int64 // ns, at most
	free  int64 // when the last packet will have left
	now   int64
	dice  *rand.Rand
	acks  []Ack
}

// run sends at a rate for a time; with probe set all of it is that probe.
func (b *bottleneck) run(e *Estimator, ns int64, rate func() float64, probe uint8) {
	var credit float64
	for end := b.now + ns; b.now < end; b.now += 5e6 {
		for credit += rate() / 8 * 0.005; credit >= 1200; credit -= 1200 {
			start := max(b.now, b.free)
			a := Ack{Sent: b.now, Size: 1200, Probe: probe}
			if start-b.now < b.queue && b.dice.Float64() >= b.loss {
				b.free = start + int64(1200*8e9/b.rate)
				a.Arrived = b.free + 20e6
			}
			b.acks = append(b.acks, a)
		}
		if b.now%50e6 == 0 {
			e.Feedback(b.now, b.acks)
			b.acks = b.acks[:0]
		}
	}
}

func newBottleneck(rate, loss float64) *bottleneck {
	return &bottleneck{rate: rate, loss: loss, queue: 400e6, now: 1e9, dice: rand.New(rand.NewPCG(1, 2))}
}

func TestTheEstimateFollowsANarrowingNetworkWithinTwoSeconds(t *testing.T) {
	b, e := newBottleneck(3e6, 0), New(1_500_000)
	b.run(e, 5e9, func() float64 { return 1.5e6 }, 0)
	if e.Rate() < 1_400_000 {
		t.Fatalf("at half of the network's rate the estimate fell to %d", e.Rate())
	}
	b.rate = 300e3
	b.run(e, 2e9, func() float64 { return 1.5e6 }, 0)
	if e.Rate() > 400_000 {
		t.Errorf("2 s after 3 Mbit/s became 300 kbit/s the estimate is %d", e.Rate())
	}
}

func TestAProbeFindsThatTheNetworkIsWideAgain(t *testing.T) {
	b, e := newBottleneck(3e6, 0), New(250_000)
	b.run(e, 2e9, func() float64 { return 200e3 }, 0)
	before := e.Rate()
	e.BeginProbe(1)
	b.run(e, 300e6, func() float64 { return 1.5e6 }, 1)
	b.run(e, 300e6, func() float64 { return 200e3 }, 0)
	e.EndProbe(1)
	if e.Rate() < 1_200_000 {
		t.Errorf("a probe of 1.5 Mbit/s through 3 took the estimate from %d to %d", before, e.Rate())
	}
}

func TestAProbeThatIsTooMuchSaysHowMuchThereIs(t *testing.T) {
	b, e := newBottleneck(600e3, 0), New(250_000)
	b.run(e, 2e9, func() float64 { return 200e3 }, 0)
	e.BeginProbe(7)
	b.run(e, 200e6, func() float64 { return 1.5e6 }, 7)
	b.run(e, 600e6, func() float64 { return 200e3 }, 0)
	e.EndProbe(7)
	if e.Rate() > 650_000 {
		t.Errorf("a probe through 600 kbit/s made the estimate %d", e.Rate())
	}
}

func TestRandomLossDoesNotTakeTheEstimateBelowWhatArrives(t *testing.T) {
	b, e := newBottleneck(3e6, 0.2), New(1_500_000)
	b.run(e, 20e9, func() float64 { return 500e3 }, 0)
	if e.Rate() < 300_000 {
		t.Errorf("500 kbit/s at 20 %% random loss: the estimate is %d", e.Rate())
	}
	if e.Loss() < 0.1 || e.Loss() > 0.3 {
		t.Errorf("the loss is said to be %.2f", e.Loss())
	}
}

func TestAFullWayIsSharedWithoutALastingQueue(t *testing.T) {
	b, e := newBottleneck(1e6, 0), New(800_000)
	var worst int64
	b.run(e, 20e9, func() float64 {
		if b.now > 10e9 {
			worst = max(worst, b.free-b.now)
		}
		return float64(e.Rate())
	}, 0)
	if e.Rate() < 600_000 || e.Rate() > 1_200_000 {
		t.Errorf("through 1 Mbit/s the estimate is %d", e.Rate())
	}
	if worst > 350e6 {
		t.Errorf("the queue grew to %d ms", worst/1e6)
	}
}
