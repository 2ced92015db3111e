package forward

import (
	"slices"

	"github.com/skein-im/skein/internal/sfu/link"
)

// How bandwidth is divided.
const (
	headroom   = 1.1           // of the estimate over what is sent, before a layer goes up
	upWait     = 500_000_000   // ns after going down before going up
	probeTime  = 200_000_000   // ns that a probe lasts
	probeWait  = 400_000_000   // ns until its reports have come
	probePause = 1_200_000_000 // ns between probes
	audioRate  = 40_000        // bits a second of an audio track, with what protects it
)

// nominal is taken for a layer that does not flow, so that it has no rate
// that could be measured.
func nominal(layer int) int64 { return [3]int64{150_000, 500_000, 1_700_000}[min(max(layer, 0), 2)] }

// choice is the division's view of one video track.
type choice struct {
	down   *Down
	layers []*Source
	rates  []int64 // 0 = does not flow
	pick   int     // index in layers, -1 = paused
	top    int     // index of the best that is wanted and flows
}

// divide gives every video track the best layer that there is room for: first
// the smallest to each, then one step more to each in turn.
func (p *Peer) divide(now int64, out *link.Batch) (told []StreamState) {
	var ask []*Source
	p.Link.Lock()
	p.now = now
	s := &p.sender
	limited := p.outExt[ExtTWCC] != 0 && s.reported
	budget := int64(1 << 40)
	if limited {
		budget = s.estimator.Rate()
	}
	if p.ceiling > 0 {
		budget = min(budget, p.ceiling)
	}
	choices, budget := p.choices(now, budget)
	left := p.spread(choices, budget, now, limited)
	for i := range choices {
		c := &choices[i]
		target := -1
		if c.pick >= 0 {
			target = c.layers[c.pick].layer
		}
		before := int(c.down.target.Swap(int32(target)))
		if target > before && before >= 0 {
			s.upgradedAt = now
		}
		if target >= 0 && target != int(c.down.layer.Load()) {
			ask = append(ask, c.layers[c.pick])
		}
		paused := c.pick < 0 && c.top >= 0 && c.down.max.Load() >= 0
		if paused != c.down.paused {
			c.down.paused = paused
			told = append(told, StreamState{c.down, paused})
		}
	}
	if limited && p.ceiling == 0 {
		p.probes(choices, left, now, out)
	}
	p.Link.Unlock()
	for _, src := range ask {
		src.askKey(now)
	}
	return told
}

// SetCeiling bounds what is sent to the client, bits a second; 0 = no bound.
func (p *Peer) SetCeiling(rate int64) {
	p.Link.Lock()
	defer p.Link.Unlock()
	p.ceiling = rate
}

func (p *Peer) choices(now, budget int64) ([]choice, int64) {
	var out []choice
	for _, d := range p.downs {
		if !d.Track.Video {
			if d.Track.Subscribers() > 0 && !d.Track.Muted.Load() {
				budget -= audioRate
			}
			continue
		}
		c := choice{down: d, layers: d.Track.layers(), pick: -1, top: -1}
		want := int(d.max.Load())
		for i, s := range c.layers {
			rate := int64(0)
			if s.rate.alive(now) {
				rate = max(s.rate.bits(now), 10_000)
			}
			c.rates = append(c.rates, rate)
			if rate > 0 && want >= 0 && (s.layer <= want || c.top < 0) {
				c.top = i
			}
		}
		out = append(out, c)
	}
	return out, max(budget, 0)
}

// spread picks layers and returns what is left of the budget.
func (p *Peer) spread(choices []choice, budget, now int64, limited bool) int64 {
	left, first := budget, true
	for i := range choices {
		c := &choices[i]
		if c.top < 0 {
			continue
		}
		low := slices.IndexFunc(c.rates, func(r int64) bool { return r > 0 })
		// One stream is sent however little there seems to be: without any, nothing could be measured.
		if first || c.rates[low] <= left || !p.Pausable.Load() {
			c.pick = low
			left -= c.rates[low]
			first = false
		}
	}
	for step := 1; step < 4; step++ {
		for i := range choices {
			c := &choices[i]
			if c.pick < 0 || c.pick >= c.top {
				continue
			}
			next := c.pick + 1
			for next < c.top && c.rates[next] == 0 {
				next++
			}
			if c.rates[next] == 0 {
				continue
			}
			more := c.rates[next] - c.rates[c.pick]
			need := more
			if limited && c.layers[next].layer > int(c.down.target.Load()) {
				need = int64(float64(c.rates[next])*headroom) - c.rates[c.pick]
			}
			if need <= left {
				left -= more
				c.pick = next
			}
		}
	}
	return left
}

// probes finds out whether there is room for more than is sent.
func (p *Peer) probes(choices []choice, left, now int64, out *link.Batch) {
	s := &p.sender
	switch {
	case s.probe != 0 && now < s.probeEnd:
		p.feedProbe(choices, now, out)
		return
	case s.probe != 0:
		s.probe = 0
		s.probeDone = now + probeWait
		return
	case s.probeDone != 0 && now >= s.probeDone:
		s.estimator.EndProbe(s.probeCount)
		s.probeDone = 0
		return
	case s.probeDone != 0 || now < s.nextProbe || s.estimator.Overused():
		return
	}
	var missing, cheapest int64
	for _, c := range choices {
		if c.top < 0 || c.pick == c.top {
			continue
		}
		have := int64(0)
		if c.pick >= 0 {
			have = c.rates[c.pick]
		}
		more := int64(float64(c.rates[c.top])*headroom) - have
		missing += more
		if cheapest == 0 || more < cheapest {
			cheapest = more
		}
	}
	if missing <= left || missing == 0 {
		return
	}
	rate := s.estimator.Rate()
	want := min(rate+missing, max(3*rate, rate+cheapest))
	if s.probeCount++; s.probeCount == 0 {
		s.probeCount = 1
	}
	s.probe, s.probeRate, s.probeLast = s.probeCount, want+want/10, now
	s.probeEnd, s.nextProbe = now+probeTime, now+probePause
	s.estimator.BeginProbe(s.probe)
	p.feedProbe(choices, now, out)
}

// feedProbe sends a tick's worth of a probe: packets of before, once more.
func (p *Peer) feedProbe(choices []choice, now int64, out *link.Batch) {
	s := &p.sender
	budget := int(s.probeRate / 8 * TickTime / 1e9)
	for _, c := range choices {
		if budget <= 0 {
			break
		}
		budget -= c.down.probe(budget, now, out)
	}
	out.Send(p.Link)
}
