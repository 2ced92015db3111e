// Package bwe estimates how much a receiver's network takes, from what the
// receiver reports of each packet (transport-wide congestion control). It
// follows the published description of Google congestion control
// (draft-ietf-rmcat-gcc-02): queues that grow are seen by the trend of delays
// before packets are lost, and the rate is then set below what arrived.
//
// Two things differ, because a server that forwards sends what a layer of
// video happens to need and not what the network would take. The estimate of
// a sender that does not fill the way can only rise by probing: a burst of
// known rate, whose rate of arrival is the measurement. And loss alone never
// takes the estimate below what did arrive: radio links lose at random, and
// what arrived is proof.
//
// An Estimator is a step machine: no clock, no goroutine, no lock inside.
package bwe

import "math"

// Ack is the fate of one packet. Times are nanoseconds, each of its own clock.
type Ack struct {
	Sent    int64
	Arrived int64 // 0 = lost
	Size    int   // bytes
	Probe   uint8 // of which probe it was a part, 0 = none
}

// Bounds of an estimate, bits a second.
const (
	MinRate = 50_000
	MaxRate = 100_000_000
)

const (
	groupSpan   = 5e6   // ns: packets sent within are one group
	window      = 20    // groups in the line of trend
	smoothing   = 0.9   // of delays
	gain        = 4.0   // of the trend
	overuseTime = 10e6  // ns that it lasts before it counts
	decrease    = 0.85  // of what arrived
	ackedSpan   = 500e6 // ns over which arrivals are counted
	lossSpan    = 1e9   // ns over which losses are counted
	lossHigh    = 0.10
	lossChance  = 0.30  // more than that is no chance, even if no queue was seen
	queueSpan   = 3e9   // ns that a queue that grew is remembered for
	shortSpan   = 200e6 // ns over which arrivals are counted while the way is full
)

// usage is what the delays say.
type usage int

const (
	normal usage = iota
	over
	under
)

type arrival struct {
	at   int64
	size int
}

type sample struct{ at, delay float64 }

// Estimator is of one receiver. Use New.
type Estimator struct {
	rate float64
	rtt  int64

	// groups
	group, before                groupTimes
	first                        int64
	accumulated, smoothed, trend float64
	line                         []sample
	deltas                       int
	threshold                    float64
	thresholdAt, overSince       int64
	state                        usage

	// How long packets were under way, less by the difference of the clocks: the least
	// of now and of a while before, and of the newest report.
	least, leastBefore, leastNow int64
	leastAt                      int64

	arrivals           []arrival
	sum                int
	lastIncrease       int64
	lastDecrease       int64
	capacity, variance float64 // what arrived when it was too much

	lossSince    int64
	lost, all    int
	lastLoss     float64
	probes       [8]probe // by number, modulo 8
	lastFeedback int64
}

type groupTimes struct {
	firstSent, lastSent, lastArrived int64
	size                             int
}

type probe struct {
	firstSent, lastSent, firstArrived, lastArrived int64
	sent, arrived                                  int // bytes
	lost, packets                                  int
}

// New makes an estimator that begins at a rate.
func New(start int64) *Estimator {
	return &Estimator{rate: float64(start), threshold: 12.5}
}

// Rate is the estimate in bits a second.
func (e *Estimator) Rate() int64 { return int64(e.rate) }

// Overused reports whether the last report saw a queue grow.
func (e *Estimator) Overused() bool { return e.state == over }

// Loss is the share of packets lost lately, 0 to 1.
func (e *Estimator) Loss() float64 { return e.lastLoss }

// Feedback takes one report; acks are in the order of sending.
func (e *Estimator) Feedback(now int64, acks []Ack) {
	if len(acks) == 0 {
		return
	}
	e.leastNow = math.MaxInt64
	for _, a := range acks {
		e.all++
		if a.Probe != 0 {
			e.probes[a.Probe%8].add(a)
		}
		if a.Arrived == 0 {
			e.lost++
			continue
		}
		e.leastNow = min(e.leastNow, a.Arrived-a.Sent)
		e.delivered(a)
		e.delay(a)
	}
	acked := e.acked(ackedSpan)
	e.under(now)
	e.react(now, acked)
	e.losses(now, acked)
	e.rate = min(max(e.rate, MinRate), MaxRate)
	e.lastFeedback = now
}

// delivered counts what arrived over the last half second.
func (e *Estimator) delivered(a Ack) {
	e.arrivals = append(e.arrivals, arrival{a.Arrived, a.Size})
	e.sum += a.Size
	drop := 0
	for drop < len(e.arrivals)-1 && a.Arrived-e.arrivals[drop].at > ackedSpan {
		e.sum -= e.arrivals[drop].size
		drop++
	}
	if drop > 0 {
		e.arrivals = append(e.arrivals[:0], e.arrivals[drop:]...)
	}
}

// acked is the rate of arrival over the last part of the window, bits a
// second; 0 = too little to say.
func (e *Estimator) acked(over int64) float64 {
	n := len(e.arrivals)
	if n < 2 {
		return 0
	}
	i, sum := 0, e.sum
	if over < ackedSpan {
		for i, sum = n-1, e.arrivals[n-1].size; i > 0 && e.arrivals[n-1].at-e.arrivals[i-1].at <= over; i-- {
			sum += e.arrivals[i-1].size
		}
	}
	span := e.arrivals[n-1].at - e.arrivals[i].at
	if span < min(over, ackedSpan)/4 {
		return 0
	}
	return float64(sum-e.arrivals[i].size) * 8e9 / float64(span)
}

// delay follows the difference between the spacing of departures and of
// arrivals, group by group.
func (e *Estimator) delay(a Ack) {
	g := &e.group
	if g.size == 0 {
		*g = groupTimes{a.Sent, a.Sent, a.Arrived, a.Size}
		return
	}
	if a.Sent < g.firstSent {
		return // out of order
	}
	if a.Sent-g.firstSent <= groupSpan {
		g.lastSent, g.lastArrived, g.size = max(g.lastSent, a.Sent), max(g.lastArrived, a.Arrived), g.size+a.Size
		return
	}
	if e.before.size != 0 {
		e.step(float64((g.lastArrived-e.before.lastArrived)-(g.lastSent-e.before.lastSent))/1e6, g.lastArrived, g.lastSent-e.before.lastSent)
	}
	e.before = *g
	*g = groupTimes{a.Sent, a.Sent, a.Arrived, a.Size}
}

// step adds one difference, in ms, to the line and judges its slope.
func (e *Estimator) step(difference float64, at, sentApart int64) {
	if e.first == 0 {
		e.first = at
	}
	if math.Abs(difference) > 3000 { // a pause, a change of route: begin anew
		e.line, e.accumulated, e.smoothed, e.deltas = e.line[:0], 0, 0, 0
		return
	}
	e.deltas = min(e.deltas+1, 1000)
	e.accumulated += difference
	e.smoothed = smoothing*e.smoothed + (1-smoothing)*e.accumulated
	if len(e.line) == window {
		copy(e.line, e.line[1:])
		e.line = e.line[:window-1]
	}
	e.line = append(e.line, sample{float64(at-e.first) / 1e6, e.smoothed})
	trend := e.trend
	if len(e.line) == window {
		trend = slope(e.line)
	}
	e.detect(trend, at, sentApart)
	e.trend = trend
}

func slope(line []sample) float64 {
	var x, y float64
	for _, s := range line {
		x += s.at
		y += s.delay
	}
	x, y = x/float64(len(line)), y/float64(len(line))
	var num, den float64
	for _, s := range line {
		num += (s.at - x) * (s.delay - y)
		den += (s.at - x) * (s.at - x)
	}
	if den == 0 {
		return 0
	}
	return num / den
}

// detect compares the trend with a threshold that follows it slowly, so that
// streams of others do not starve us.
func (e *Estimator) detect(trend float64, at, sentApart int64) {
	t := float64(min(e.deltas, 60)) * trend * gain
	switch {
	case t > e.threshold:
		if e.overSince == 0 {
			e.overSince = at - sentApart/2
		}
		if at-e.overSince > overuseTime && trend >= e.trend {
			e.state = over
			e.overSince = 0
		}
	case t < -e.threshold:
		e.state, e.overSince = under, 0
	default:
		e.state, e.overSince = normal, 0
	}
	if e.thresholdAt == 0 {
		e.thresholdAt = at
	}
	if d := math.Abs(t) - e.threshold; d < 15 {
		k := 0.0087
		if d < 0 {
			k = 0.039
		}
		e.threshold += k * d * min(float64(at-e.thresholdAt)/1e6, 100)
		e.threshold = min(max(e.threshold, 6), 600)
	}
	e.thresholdAt = at
}

// leastSpan is how long the shortest way is remembered, ns, at least: clocks drift.
const leastSpan = 10e9

// emptyQueue is what a packet may wait on the way and the queue count as empty, ns.
const emptyQueue = 10e6

// under follows how long packets are under way at the least.
func (e *Estimator) under(now int64) {
	if e.leastNow == math.MaxInt64 {
		return
	}
	if e.leastAt == 0 || now-e.leastAt > leastSpan {
		e.leastBefore, e.least, e.leastAt = e.least, e.leastNow, now
		if e.leastBefore == 0 {
			e.leastBefore = e.leastNow
		}
	}
	e.least = min(e.least, e.leastNow)
}

// full reports whether the way was filled all the time of the newest report.
// A trend alone may be of a large picture that has long since passed.
func (e *Estimator) full() bool {
	return e.leastNow != math.MaxInt64 && e.leastNow > min(e.least, e.leastBefore)+emptyQueue
}

// react moves the rate by what the delays say.
func (e *Estimator) react(now int64, acked float64) {
	if e.lastIncrease == 0 {
		e.lastIncrease = now
	}
	passed := min(float64(now-e.lastIncrease)/1e9, 1)
	e.lastIncrease = now
	switch e.state {
	case over:
		if now-e.lastDecrease < 200e6 || !e.full() {
			return
		}
		// The way is full, so that what arrives now is all that it takes. The longer window
		// still has what it took before, or a sender that did not fill it.
		if short := e.acked(shortSpan); short > 0 {
			acked = short
		}
		if acked == 0 {
			acked = e.rate
		}
		e.remember(acked)
		if r := decrease * acked; r < e.rate {
			e.rate = r
		} else {
			e.rate *= 0.95
		}
		e.lastDecrease = now
	case normal:
		if acked == 0 || e.rate > 1.5*acked+10_000 {
			return // more would say nothing: the way is not filled
		}
		if sd := math.Sqrt(e.variance * e.capacity); e.capacity > 0 && math.Abs(acked-e.capacity) < 3*sd {
			e.rate += max(1000, 1200*8/0.2*passed) // near to what was too much: a packet each response time
		} else {
			if e.capacity > 0 && acked > e.capacity+3*sd {
				e.capacity = 0
			}
			e.rate *= math.Pow(1.08, passed)
		}
	case under: // queues empty themselves: wait
	}
}

// remember keeps what arrived when it was too much, and how far that varies.
func (e *Estimator) remember(acked float64) {
	if e.capacity == 0 {
		e.capacity, e.variance = acked, 0.4*1000
		return
	}
	d := acked - e.capacity
	e.capacity += 0.05 * d
	norm := max(e.capacity, 1)
	e.variance = min(max(0.95*e.variance+0.05*d*d/norm, 400), 2500)
}

// losses lowers the rate when much is lost.
func (e *Estimator) losses(now int64, acked float64) {
	if e.lossSince == 0 {
		e.lossSince = now
	}
	if now-e.lossSince < lossSpan || e.all < 20 {
		return
	}
	loss := float64(e.lost) / float64(e.all)
	e.lastLoss = (e.lastLoss + loss) / 2
	e.lost, e.all, e.lossSince = 0, 0, now
	if loss <= lossHigh {
		return
	}
	floor := acked * 0.9
	if e.lastLoss < lossChance && (e.lastDecrease == 0 || now-e.lastDecrease > queueSpan) {
		floor = acked / (1 - loss) // chance, as on radio: less of it would lose as much
	}
	e.rate = min(e.rate, max(e.rate*(1-0.5*loss), floor))
}

// BeginProbe forgets what an earlier probe of that number measured.
func (e *Estimator) BeginProbe(n uint8) { e.probes[n%8] = probe{} }

func (p *probe) add(a Ack) {
	if p.packets == 0 {
		p.firstSent, p.firstArrived = a.Sent, a.Arrived
	}
	p.packets++
	p.sent += a.Size
	p.lastSent = max(p.lastSent, a.Sent)
	if a.Arrived == 0 {
		p.lost++
		return
	}
	if p.firstArrived == 0 {
		p.firstArrived = a.Arrived
	}
	p.arrived += a.Size
	p.lastArrived = max(p.lastArrived, a.Arrived)
}

// EndProbe takes the measurement of a probe over: the rate at which it
// arrived. It is called when its reports have had time to come, and reports
// whether the probe found more room than was known of and met no end of it.
func (e *Estimator) EndProbe(n uint8) bool {
	p := &e.probes[n%8]
	sent, arrived := float64(p.lastSent-p.firstSent), float64(p.lastArrived-p.firstArrived)
	if p.packets < 5 || p.lost*4 > p.packets || sent <= 0 || arrived <= 0 {
		return false
	}
	mean := float64(p.sent) / float64(p.packets)
	out := (float64(p.sent) - mean) * 8e9 / sent
	in := (float64(p.arrived) - mean) * 8e9 / arrived
	measured, much := min(out, in), in < 0.85*out
	if much {
		measured = in * 0.9 // it was too much
	}
	if measured > e.rate {
		e.rate = min(measured, MaxRate)
		if e.capacity > 0 && measured > e.capacity {
			e.capacity = 0
		}
		return !much
	}
	return false
}
