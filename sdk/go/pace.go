package skein

import "time"

// pace tells how fast something moves: the mean of the last seconds, in which
// what is older counts less.
type pace struct {
	at   int64 // local milliseconds; 0 = nothing is known
	seen int64
	rate float64 // bytes a second
}

// memory is how many milliseconds count most.
const memory = 3000

// note takes how many bytes there are at a time.
func (p *pace) note(now, sent int64) {
	if p.at == 0 || sent < p.seen || now < p.at {
		*p = pace{at: now, seen: sent}
		return
	}
	gone := float64(now - p.at)
	if gone == 0 {
		return
	}
	speed := float64(sent-p.seen) * 1000 / gone
	if p.rate == 0 {
		p.rate = speed
	} else {
		p.rate += (speed - p.rate) * gone / (gone + memory)
	}
	p.at, p.seen = now, sent
}

// left is how long the rest takes at this pace; 0 = not known.
func (p *pace) left(rest int64) time.Duration {
	if p.rate < 1 {
		return 0
	}
	return time.Duration(float64(rest) / p.rate * float64(time.Second))
}
