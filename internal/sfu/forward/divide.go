package forward

import "github.com/skein-im/skein/internal/sfu/link"

// How bandwidth is divided.
const (
	headroom   = 1.1           // of the estimate over what is sent, before a layer goes up
	patience   = 0.92          // of the estimate under what is sent, before it goes down
	upWait     = 500_000_000   // ns after going down before going up
	upWaitMost = 4_000_000_000 // when going up has failed several times
	upProof    = 4_000_000_000 // ns that a layer has to hold for going up not to have failed
	probeTime  = 150_000_000   // ns that a probe lasts
	probeWait  = 400_000_000   // ns until its reports have come
	probeLeast = 200_000       // bits a second of a probe, beside what is sent anyway
	probePause = 1_200_000_000 // ns between probes
	probeMost  = 2_000_000_000 // between probes that find nothing
	audioRate  = 40_000        // bits a second of an audio track, with what protects it
)

// choice is the division's view of one video track.
type choice struct {
	down  *Down
	rungs []rung
	now   int // what was picked before, -1 = nothing
	pick  int // -1 = paused
	top   int // the best that is wanted
}

// divide gives every video track the best rung that there is room for: first
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
	left := p.spread(choices, budget, limited && now < s.upFrom, limited)
	up, down := false, false
	for i := range choices {
		c := &choices[i]
		up = up || c.now >= 0 && c.pick > c.now
		down = down || c.now >= 0 && c.pick < min(c.now, c.top)
		if src := c.apply(); src != nil {
			ask = append(ask, src)
		}
		paused := c.pick < 0 && c.top >= 0 && c.down.max.Load() >= 0
		if paused != c.down.paused {
			c.down.paused = paused
			told = append(told, StreamState{c.down, paused})
		}
	}
	s.moved(now, up, down)
	if limited && p.ceiling == 0 {
		p.probes(choices, left, now, out)
	}
	p.Link.Unlock()
	for _, src := range ask {
		src.askKey(now)
	}
	return told
}

// moved notes that layers went up or down for want of room. Who has gone up
// and could not stay waits longer before it tries again.
func (s *sender) moved(now int64, up, down bool) {
	if down {
		if s.upgradedAt != 0 && now-s.upgradedAt < upProof {
			s.upPause = min(max(2*s.upPause, upWait), upWaitMost)
		} else {
			s.upPause = upWait
		}
		s.upFrom = now + s.upPause
	}
	if up {
		s.upgradedAt = now
	}
}

// apply tells the Down what was picked, and returns a source of which a key
// frame is needed.
func (c *choice) apply() *Source {
	d := c.down
	if c.pick < 0 {
		d.target.Store(-1)
		d.hurry, d.aim = false, rung{}
		return nil
	}
	r := c.rungs[c.pick]
	d.aim = r
	d.target.Store(int32(r.source.layer))
	d.within.wantSid, d.within.wantTid = r.sid, r.tid
	same := r.source.layer == int(d.layer.Load())
	// What goes out is too much for the way: until the smaller one has begun, only its base goes on.
	d.hurry = !same && d.current != nil && r.source.layer < d.current.layer && d.current.layer <= c.rungs[c.top].source.layer
	if same && !d.halted {
		return nil
	}
	return r.source
}

// SetCeiling bounds what is sent to the client, bits a second; 0 = no bound.
func (p *Peer) SetCeiling(rate int64) {
	p.Link.Lock()
	defer p.Link.Unlock()
	p.ceiling = rate
}

func (p *Peer) choices(now, budget int64) ([]choice, int64) {
	out := p.chosen[:0]
	for _, d := range p.downs {
		if !d.Track.Video {
			if d.Track.Subscribers() > 0 && !d.Track.Muted.Load() {
				budget -= audioRate
			}
			continue
		}
		var rungs []rung
		if n := len(out); n < cap(out) {
			rungs = out[:n+1][n].rungs[:0]
		}
		c := choice{down: d, rungs: d.Track.ladder(now, rungs), pick: -1, top: -1, now: -1}
		want := int(d.max.Load())
		for i, r := range c.rungs {
			if want >= 0 && (r.layer <= want || c.top < 0 || r.layer == c.rungs[c.top].layer) {
				c.top = i
			}
			if d.aim.source != nil && !d.aim.less(r) {
				c.now = i
			}
		}
		out = append(out, c)
	}
	p.chosen = out
	return out, max(budget, 0)
}

// spread picks rungs and returns what is left of the budget. With stay set
// nothing goes up.
func (p *Peer) spread(choices []choice, budget int64, stay, limited bool) int64 {
	left, first := budget, true
	for i := range choices {
		c := &choices[i]
		if c.top < 0 {
			continue
		}
		// One stream is sent however little there seems to be: without any, nothing could be measured.
		if first || c.rungs[0].rate <= left || !p.Pausable.Load() {
			c.pick = 0
			left -= c.rungs[0].rate
			first = false
		}
	}
	for moved := true; moved; {
		moved = false
		for i := range choices {
			c := &choices[i]
			if c.pick < 0 || c.pick >= c.top || stay && c.now >= 0 && c.pick >= c.now {
				continue
			}
			next := c.rungs[c.pick+1].rate
			more := next - c.rungs[c.pick].rate
			need := more
			if limited && c.pick+1 > c.now {
				need = int64(float64(next)*headroom) - c.rungs[c.pick].rate
			} else if limited {
				need = int64(float64(next)*patience) - c.rungs[c.pick].rate
			}
			if need <= left {
				left = max(left-more, 0)
				c.pick++
				moved = true
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
		s.probed(now, s.estimator.EndProbe(s.probeCount))
		return
	case s.probeDone != 0 || now < max(s.nextProbe, s.upFrom-probeWait) || s.estimator.Overused():
		return
	}
	var missing, cheapest int64
	for _, c := range choices {
		if c.top < 0 || c.pick == c.top {
			continue
		}
		have := int64(0)
		if c.pick >= 0 {
			have = c.rungs[c.pick].rate
		}
		missing += int64(float64(c.rungs[c.top].rate)*headroom) - have
		more := int64(float64(c.rungs[c.pick+1].rate)*headroom) - have
		if cheapest == 0 || more < cheapest {
			cheapest = more
		}
	}
	if missing <= left || missing == 0 {
		return
	}
	rate := s.estimator.Rate()
	used := max(rate-left, 0)
	// The first one fills no queue for long; when it has found room, the next takes a leap.
	want := min(used+cheapest, 2*rate)
	if s.probeWon {
		want = min(used+missing, max(3*rate, used+cheapest))
	}
	if s.probeCount++; s.probeCount == 0 {
		s.probeCount = 1
	}
	s.probe, s.probeRate = s.probeCount, max(want+want/8-used, probeLeast)
	s.probeEnd = now + probeTime
	s.estimator.BeginProbe(s.probe)
	p.feedProbe(choices, now, out)
}

// probed plans the next probe by what the last one has found.
func (s *sender) probed(now int64, won bool) {
	s.probeDone, s.probeWon = 0, won
	if won {
		s.probePause = 0
	} else {
		s.probePause = min(max(2*s.probePause, probePause), probeMost)
	}
	s.nextProbe = now + s.probePause
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
